"""Sessions that lived through bundled bars with something planted, and what their own books say they gained."""

from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

import qtw_lab as qtw
from qtw_lab.data.sample import SAMPLES
from qtw_lab.lab.divergence import compared
from qtw_lab.ledger import Sizing
from qtw_lab.ledger.limits import Limits
from qtw_lab.ledger.refusals import forbidden
from qtw_lab.live.trading.bar_replay import BarReplay
from qtw_lab.live.trading.deciding import Voice
from qtw_lab.live.trading.desk import Desk
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.guard import Guard
from qtw_lab.venues.killswitch import KillSwitch
from qtw_lab.venues.paper.account_rules import LedgerRules
from qtw_lab.venues.paper.store import MemoryStore
from qtw_lab.venues.trader import Trader

D = Decimal
CENT = 0.01
TRIO = ("AAPL", "IBM", "MSFT")
DAY = 86_400 * 10**9
#: As many shares whatever the equity, so that nothing follows from what was gained before.
SHARES = Sizing.fixed_shares(100)
FAST = {"fast": 3, "slow": 8}


def stocks(*symbols, last=150):
    return SAMPLES["stocks"].bars(list(symbols or ("AAPL",))).tail(last)


def terms_of(name="one", strategy="sma_cross", symbols=("AAPL",), interval="1D", **terms):
    if strategy == "sma_cross":
        terms = {"sizing": SHARES, **terms, "parameters": {**FAST, **terms.get("parameters", {})}}
    return SessionTerms.given(name, strategy, list(symbols), interval, **terms)


@dataclass
class Ear:
    """A session's own voice, which hears that there is no trading, or hears late, on some bars."""

    voice: Voice
    shut: tuple[int, ...]
    late: tuple[int, ...]

    def says(self, window, names, now):
        bar = len(window.times) - 1
        return self.voice.says(window, names, now + 9 * DAY * (bar in self.late), trading=bar not in self.shut)


class Lived(BarReplay):
    """A replay whose desk can be away for some bars, and whose sessions can be compared."""

    def __init__(self, bars, *sessions, shut=(), late=(), **how):
        super().__init__(bars, notes=MemoryStore(), **how)
        for terms in sessions:
            self.desk.open(terms)
            self._voices[terms.name] = Ear(Voice(terms, stale_seconds=5 * 86_400.0), shut, late)

    def guarded(self, folder, **limits):
        """Put limits and a kill switch before every order; the switch."""
        trader, switch = self.trader, KillSwitch(folder / "stop")
        guard = Guard(
            Limits(**limits), trader.broker, trader.outbox, trader.mirror, MemoryStore(), now=self.paper.now,
            session=self.paper.now, prices=self.desk.prices.get, switch=switch,
        )  # fmt: skip
        self.trader = Trader(trader.broker, trader.outbox, trader.mirror, allow=guard)
        self.desk.trader = self.trader
        self.trader.compare()
        return switch

    def skip(self, bars):
        """The desk is not at work for so many bars; then it starts again from its book."""
        self._next += bars
        self.trader.compare()
        self.desk = Desk(self.trader, self.notes, self.paper.now, calendar=self.bars.calendar)
        self.desk.recover()

    def until(self, bar):
        self.run(bar - self._next)

    def report(self, session="one", bars=None, revised=None):
        """The report, once its own sums are known to be right."""
        found = compared(self.desk.state, self.notes.read(), session, self.bars if bars is None else bars, revised)
        agree(found)
        return found

    def gain(self, session="one", bars=None):
        """What a session's own book says it gained, valued at the closes of the last bar it was told of."""
        sleeve, bars = self.desk.state.sleeves[session], self.bars if bars is None else bars
        closes = bars.head(self._next).close.ffill().iloc[-1]
        held = sum((one.qty * D(repr(float(closes[name]))) for name, one in sleeve.book.holdings.items()), D(0))
        return sleeve.book.cash + held - sleeve.start


def later(strategy, start):
    """The same strategy, which says nothing before a bar."""

    class Later(type(strategy)):
        """A strategy from a bar on."""

        def signals(self, prices):
            said = super().signals(prices).copy()
            said[:start] = np.nan
            return said

    return Later(**strategy.parameters)


def backtested(terms, bars, cash=100_000.0, start=0):
    """What the backtest of a session's terms gains, by the public door."""
    chosen = later(terms.strategy, start) if start else terms.strategy
    result = qtw.backtest(
        chosen, bars.select(list(terms.symbols)), costs=terms.costs, sizing=terms.sizing, cash=cash,
        account=terms.account,
    )  # fmt: skip
    return float(result.equity.iloc[-1]) - cash


def agree(found):
    """Effects, table, details and facts say the same."""
    total = sum((one.effect for one in found.differences), D(0))
    assert total == found.total == found.session_gain - found.backtest_gain
    table, details, facts = found.table(), found.details(), found.facts()
    assert len(details) == table["count"].sum() == len(found.differences)
    assert (facts["session_gain"], facts["total"]) == (float(found.session_gain), float(found.total))
    summed = details.groupby("cause")["effect"].agg(["sum", "count"])
    for row in table.to_dict("records"):
        assert summed["count"][row["cause"]] == row["count"]
        assert abs(summed["sum"][row["cause"]] - row["effect"]) < 1e-6
        assert row["cause"] == "rounding" or facts[row["cause"].replace(" ", "_")] == row["effect"]


def effects(found):
    """By cause, in dollars."""
    return {row["cause"]: row["effect"] for row in found.table().to_dict("records")}


class Refusing(LedgerRules):
    """A broker that refuses the orders of some places, counted from 0."""

    def __init__(self, *places):
        super().__init__()
        self.places, self.asked = places, -1

    def reserve(self, paper, order, asset, now, replaces):
        self.asked += 1
        if self.asked in self.places:
            raise forbidden("not today")
        return super().reserve(paper, order, asset, now, replaces)


def changed(bars, places, factor, fields=("open", "high", "low", "close"), column=slice(None)):
    """The bars with prices of some places times a factor."""
    values = {name: array.copy() for name, array in bars.values.items()}
    for name in fields:
        values[name][places, column] = values[name][places, column] * factor
    values["high"] = np.maximum(values["high"], values["close"])
    values["low"] = np.minimum(values["low"], values["close"])
    return replace(bars, values=values)


def without(bars, places, column):
    """The bars without some of a symbol."""
    values = {name: array.copy() for name, array in bars.values.items()}
    for array in values.values():
        array[places, column] = np.nan
    return replace(bars, values=values)


TERMS = terms_of()


def lived(*sessions, bars=None, **how):
    """Sessions that lived through all of the bars."""
    made = Lived(stocks() if bars is None else bars, *(sessions or (TERMS,)), **how)
    made.run()
    return made


def told(made, *causes, terms=TERMS, bars=None, cash=100_000.0, start=0, **given):
    """The report, whose figures are those worked out here, and which names these causes and no other."""
    found = made.report(terms.name, bars=bars, **given)
    known = (made.bars if bars is None else bars).head(len(found.backtest.bars))
    assert abs(float(found.backtest_gain) - backtested(terms, known, cash, start)) < CENT
    assert abs(float(found.session_gain - made.gain(terms.name, known))) < CENT
    named = effects(found)
    assert abs(named.pop("rounding", 0.0)) < CENT
    assert set(named) == set(causes)
    assert all(abs(effect) > 1.0 for effect in named.values())
    return found
