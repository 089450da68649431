"""Sessions on bars of the past: the live path from the closed bar to the fill, with the clock of the bars.

For each bar the market's clock goes to its open, where decisions that wait are sized, sent and filled, and then to its
close, where sessions are valued and their strategies asked. The strategy, the sizes, the orders and the book are those
of paper trading in real time; only the clock and the market are made of bars.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, DataError, VirtualClock
from qtw_lab.ledger import Account
from qtw_lab.live.trading.deciding import Voice
from qtw_lab.live.trading.desk import Closed, Desk
from qtw_lab.live.trading.sleeve import Seen
from qtw_lab.live.trading.tap import Bars as Window
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.mirror import Mirror
from qtw_lab.venues.outbox import Outbox
from qtw_lab.venues.paper.account_rules import LedgerRules, Rules
from qtw_lab.venues.paper.bar_market import BarMarket
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.embedded import EmbeddedBroker
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.store import MemoryStore, Store
from qtw_lab.venues.trader import Trader


class BarReplay:
    """A desk on an embedded paper account at a market made of bars.

    Parameters
    ----------
    bars : Bars
        Of a day or shorter; their symbols are what can be traded.
    cash : float
        In the account at the start.
    model : FillModel, optional
        How orders fill; by default as the backtest fills, free of charge.
    rules : Rules, optional
        What the account may do; by default what a backtest's may.
    book, notes, sent, known : Store, optional
        Where the events of the account, of the desk, of its outbox and of its mirror are kept; by default as long as
        this lives.

    Raises
    ------
    DataError
        If the bars cannot be a market.

    Examples
    --------
    >>> df = pd.DataFrame({"close": [10.0, 11.0, 12.0]}, index=pd.date_range("2024-01-02", periods=3))
    >>> bars = Bars.from_frame(df, symbol="X")
    >>> replay = BarReplay(bars, cash=1100.0)
    >>> replay.desk.open(SessionTerms.given("first", "buy_and_hold", ["X"], "1D")).name
    'first'
    >>> replay.run()
    >>> replay.equity("first").tolist()
    [1100.0, 1100.0, 1200.0]
    """

    def __init__(
        self, bars: Bars, cash: float = 100_000.0, *, model: FillModel | None = None, rules: Rules | None = None,
        book: Store | None = None, notes: Store | None = None, sent: Store | None = None, known: Store | None = None,
    ) -> None:  # fmt: skip
        self.bars, self.market = bars, BarMarket(bars)
        self.clock = VirtualClock(pd.Timestamp(int(self.market.opens[0]) - 1, unit="ns", tz="UTC"))
        self.paper = PaperBroker(
            self.market, self.clock, cash, model=FillModel.backtest() if model is None else model, store=book,
            rules=LedgerRules() if rules is None else rules,
        )  # fmt: skip
        self._broker = EmbeddedBroker(self.paper)
        now = self.paper.now
        outbox = Outbox(self._broker, MemoryStore() if sent is None else sent, now, sleep=self.clock.sleep)
        mirror = Mirror(self._broker, MemoryStore() if known is None else known, now)
        self.trader = Trader(self._broker, outbox, mirror)
        self.notes = MemoryStore() if notes is None else notes
        self.desk = Desk(self.trader, self.notes, self.paper.now, calendar=bars.calendar)
        self._voices: dict[str, Voice] = {}
        self._columns = {symbol: column for column, symbol in enumerate(bars.symbols)}
        self._flags = np.zeros((len(bars), len(bars.symbols)), dtype=np.uint32)
        self._starts = bars.index.as_unit("ns").asi8
        self._next = 0
        self.trader.compare()

    @property
    def done(self) -> bool:
        """Whether every bar was lived through."""
        return self._next >= len(self.bars)

    def run(self, bars: int | None = None) -> None:
        """Live through so many bars more, or all that are left.

        Raises
        ------
        DataError
            If a session has symbols or an interval that these bars are not of, or its strategy cannot decide on them.
        """
        self._fits()
        until = len(self.bars) if bars is None else min(self._next + bars, len(self.bars))
        while self._next < until:
            self._live(self._next)
            self._next += 1

    def equity(self, session: str) -> pd.Series:
        """What a session was worth at the close of each bar so far, in account currency."""
        curve = self.desk.state.sleeves[session].curve
        places = self.market.ends.searchsorted([marked.at for marked in curve])
        return pd.Series([float(marked.equity) for marked in curve], index=self.bars.index[places], name="equity")

    def _fits(self) -> None:
        for sleeve in self.desk.state.sleeves.values():
            terms = sleeve.terms
            strange = [symbol for symbol in terms.symbols if symbol not in self._columns]
            if strange or terms.timeframe.seconds != self.bars.timeframe.seconds:
                raise DataError(
                    f"The session {terms.name} trades {', '.join(terms.symbols)} on bars of {terms.interval}; these "
                    f"are bars of {self.bars.timeframe} of {', '.join(self.bars.symbols)}."
                )

    def _live(self, t: int) -> None:
        """Bar `t` from its open to its close."""
        opens, closes = (self.bars.values[name][t].tolist() for name in ("open", "close"))
        self._at(int(self.market.opens[t]))
        seen = {symbol: Seen.at(price) for symbol, price in self._priced(opens).items()}
        if self.desk.trade(seen):
            self.trader.compare()
            self.desk.settle()
        self._at(int(self.market.ends[t]))
        prices = self._priced(closes)
        start, end = int(self._starts[t]), int(self.market.ends[t])
        self.desk.closed(
            [
                Closed(name, start, end, _of(prices, sleeve.terms), self._said(sleeve.terms, t))
                for name, sleeve in self.desk.state.sleeves.items()
            ]
        )

    def _priced(self, prices: list[float]) -> dict[str, float]:
        return {symbol: price for symbol, price in zip(self.bars.symbols, prices, strict=True) if not math.isnan(price)}

    def _said(self, terms: SessionTerms, t: int) -> dict[str, float]:
        """What a session's strategy says of bar `t`; it sees no later one."""
        voice = self._voices.get(terms.name)
        if voice is None:
            voice = self._voices[terms.name] = Voice(terms, calendar=self.bars.calendar)
        columns = [self._columns[symbol] for symbol in terms.symbols]
        whole = columns == list(range(len(self.bars.symbols)))
        part = slice(None) if whole else columns
        values: dict[str, Any] = {name: array[: t + 1, part] for name, array in self.bars.values.items()}
        end, nothing = int(self.market.ends[t]), np.full(len(columns), np.nan)
        window = Window(
            **{name: values[name] for name in ("open", "high", "low", "close", "volume")},
            times=self._starts[: t + 1], flags=self._flags[: t + 1, part], numbers=np.array(columns, dtype=np.int64),
            names=terms.symbols, bid=nothing, ask=nothing, seconds=terms.timeframe.seconds, now=end,
        )  # fmt: skip
        names = dict(zip(columns, terms.symbols, strict=True))
        return voice.says(window, names, end)

    def _at(self, moment: int) -> None:
        self.clock.moment = pd.Timestamp(moment, unit="ns", tz="UTC")


def replayed(
    terms: SessionTerms, bars: Bars, cash: float = 100_000.0, *, model: FillModel | None = None,
    account: Account | None = None,
) -> BarReplay:  # fmt: skip
    """One session that has a whole account, lived through all the bars.

    Parameters
    ----------
    terms : SessionTerms
        The session.
    bars : Bars
        What happens.
    cash : float
        In the account.
    model : FillModel, optional
        How orders fill; by default as the backtest fills, with the costs that the session expects.
    account : Account, optional
        What the account may do; by default what the session's may.
    """
    replay = BarReplay(
        bars, cash, model=FillModel.backtest(terms.costs) if model is None else model,
        rules=LedgerRules(terms.account if account is None else account),
    )  # fmt: skip
    replay.desk.open(terms)
    replay.run()
    return replay


def _of(prices: dict[str, float], terms: SessionTerms) -> dict[str, float]:
    return {symbol: prices[symbol] for symbol in terms.symbols if symbol in prices}
