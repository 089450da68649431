"""A paper account at a market of bars, and market orders in few words."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import VirtualClock
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.paper.account_rules import LedgerRules
from qtw_lab.venues.paper.bar_market import BarMarket
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.models import FillModel

D = Decimal

#: A half day, a holiday, a Friday and a weekend.
JULY = ("2024-07-02", "2024-07-03", "2024-07-05", "2024-07-08", "2024-07-09")


class Desk:
    """A paper account at bars, its clock, and market orders in few words."""

    def __init__(self, bars, account=None, costs=None, cash=10_000, *, rules=None):
        self.market = BarMarket(bars)
        self.clock = VirtualClock(pd.Timestamp(self.market.opens[0], tz="UTC"))
        self.paper = PaperBroker(
            self.market, self.clock, cash, model=FillModel.backtest(costs), rules=rules or LedgerRules(account)
        )

    def at(self, bar, second=0):
        return self.to(self.market.opens[bar] + second * 10**9)

    def after(self, bar):
        return self.to(self.market.ends[bar])

    def to(self, moment):
        self.clock.moment = pd.Timestamp(moment, tz="UTC")
        self.paper.poll()
        return self

    def send(self, qty, symbol="X", kind="market", life="day", **terms):
        """Order so many signed shares, which meet the market at once where it is open."""
        signed = D(str(qty))
        side = "buy" if signed > 0 else "sell"
        sent = self.paper.submit(Ticket(symbol, side, kind, life, qty=abs(signed), **terms))
        self.paper.poll()
        return sent.id

    def refused(self, qty, *args, **terms):
        with pytest.raises(RefusedError) as caught:
            self.send(qty, *args, **terms)
        return caught.value.content

    @property
    def held(self):
        return self.paper.book.held("X")

    @property
    def power(self):
        return self.paper.buying_power(self.paper.now())

    @property
    def fills(self):
        return [(float(one.signed), float(one.price), float(one.fee)) for one in self.paper.book.fills]


def flat(price=10.0, dates=JULY):
    """Bars that stand still at a price, 10 by default."""
    return qtw.Bars.from_frame(pd.DataFrame({"close": price}, index=pd.DatetimeIndex(dates)), symbol="X")


def opening(*opens):
    """Bars that open at these prices and range by 5 around them."""
    first = np.array(opens, dtype=float)
    index = pd.DatetimeIndex(JULY[: len(opens)])
    frame = pd.DataFrame({"open": first, "high": first + 5, "low": first - 5, "close": first + 1}, index=index)
    return qtw.Bars.from_frame(frame, symbol="X")
