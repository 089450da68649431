"""Why a session and its backtest differ: the recorded bars through the backtest, and every trade side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, DataError, Fact, Facts, Settings, lookup
from qtw_lab.lab.diverging import CAUSES, EXACT, Difference, Key, Trade, by_cause, differences
from qtw_lab.lab.session_story import Story, why
from qtw_lab.ledger.amounts import ZERO
from qtw_lab.venues.moments import DAY, SECOND

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result
    from qtw_lab.live.trading.sleeve import Sleeve
    from qtw_lab.live.trading.state import DeskOrder, DeskState
    from qtw_lab.live.trading.terms import SessionTerms
    from qtw_lab.venues.paper.events import Event


@dataclass(frozen=True, slots=True)
class Divergence:
    """A session beside its backtest.

    Parameters
    ----------
    session, strategy : str
        Which.
    bars : int
        How many bars it lived.
    session_gain, backtest_gain : Decimal
        What each gained, in dollars, both valued at the closes of the last bar as they are known now.
    differences : tuple of Difference
        Every difference; their effects come to the difference of the gains, exactly.
    backtest : Result
        The backtest on the bars as they are known now.
    """

    session: str
    strategy: str
    bars: int
    session_gain: Decimal
    backtest_gain: Decimal
    differences: tuple[Difference, ...]
    backtest: Result = field(repr=False)

    @property
    def total(self) -> Decimal:
        """By how much the session gained more, in dollars."""
        return self.session_gain - self.backtest_gain

    def table(self) -> pd.DataFrame:
        """Causes with how many differences each has, its effect in dollars, and what it means."""
        rows = [
            {"cause": name, "count": count, "effect": float(effect), "meaning": CAUSES[name]}
            for name, (count, effect) in by_cause(self.differences).items()
        ]
        return pd.DataFrame(rows, columns=["cause", "count", "effect", "meaning"])

    def details(self) -> pd.DataFrame:
        """Every difference: start of the bar that was decided on (UTC), symbol, cause, effect in dollars, note."""
        rows = [
            {
                "time": pd.Timestamp(one.key.bar, unit="ns", tz="UTC"), "symbol": one.key.symbol, "cause": one.cause,
                "effect": float(one.effect), "note": one.note,
            }
            for one in self.differences
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["time", "symbol", "cause", "effect", "note"])

    def facts(self) -> Facts:
        """It as labelled numbers."""
        causes = (
            Fact(name.replace(" ", "_"), float(effect), "money", name.capitalize(), CAUSES[name])
            for name, (_, effect) in by_cause(self.differences).items()
            if name != "rounding" or round(effect, 2)
        )
        return Facts(
            f"{self.session} beside its backtest",
            (
                Fact("bars", self.bars, "count", "Bars"),
                Fact("session_gain", float(self.session_gain), "money", "Gain of the session"),
                Fact("backtest_gain", float(self.backtest_gain), "money", "Gain of the backtest"),
                Fact("total", float(self.total), "money", "Difference", "the causes come to it exactly"),
                *causes,
            ),
        )  # fmt: skip

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, Any]:
        return self.facts()._repr_mimebundle_(**kwargs)


def diverge(settings: Settings, session: str) -> Divergence:
    """Compare a session of the desk that was used last with the backtest of the bars it lived through.

    Raises
    ------
    SetupError
        If there is no desk.
    DataError
        If there is no such session, or it has lived through too few bars.
    """
    from qtw_lab.lab.desk_places import DeskPlaces
    from qtw_lab.live.reading import JournalReader
    from qtw_lab.live.trading.state import DeskState
    from qtw_lab.venues.paper.store import reading

    places = DeskPlaces.current(settings)
    with reading(places.file("desk")) as read:
        events = list(read)
    state = DeskState.of(events)
    terms = lookup(session, state.sleeves, "session").terms
    if terms.timeframe.seconds >= DAY // SECOND:
        return compared(state, events, session, _daily(settings, terms, state.sleeves[session]))
    journal = JournalReader(places.root / "engine" / "journal")
    seconds = terms.timeframe.seconds
    rows = journal.bars(seconds, list(terms.symbols))
    revised = {
        (int(at.value), symbol): flags
        for at, symbol, revision, flags in zip(
            rows["time"], rows["symbol"], rows["revision"], rows["flags"], strict=True
        )
        if revision
    }
    return compared(state, events, session, journal.panel(seconds, list(terms.symbols)), revised)


def _daily(settings: Settings, terms: SessionTerms, sleeve: Sleeve) -> Bars:
    """The vendor's daily bars that a session lived through, and those that its strategy had seen before."""
    from qtw_lab.venues.alpaca import AlpacaReference

    first, last = sleeve.curve[0].at if sleeve.curve else 0, sleeve.curve[-1].at if sleeve.curve else DAY
    since = first - int(max(terms.strategy.memory or 5000, terms.strategy.warmup + 2) * 1.6 + 10) * DAY
    found = AlpacaReference(settings).bars(list(terms.symbols), "1Day", max(since, 0), last + DAY, "all")
    names = {"t": "timestamp", "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    tables = [
        pd.DataFrame(rows)[list(names)].rename(columns=names).assign(symbol=symbol)
        for symbol, rows in found.items() if rows
    ]  # fmt: skip
    if not tables:
        raise DataError(f"The venue has no daily bars of {', '.join(terms.symbols)} of that time.")
    tidy = pd.concat(tables, ignore_index=True)
    tidy["timestamp"] = pd.to_datetime(tidy["timestamp"], utc=True).dt.normalize()
    return Bars.from_frame(tidy, timeframe="1D", source="venue")


def compared(
    state: DeskState, events: Iterable[Event], session: str, bars: Bars,
    revised: Mapping[tuple[int, str], str] | None = None,
) -> Divergence:  # fmt: skip
    """A session beside the backtest of bars.

    Parameters
    ----------
    state : DeskState
        Of the desk.
    events : iterable of Event
        All that led to it.
    session : str
        Which.
    bars : Bars
        As they are known now; from before the session, if its strategy had seen those too.
    revised : mapping of (int, str) to str, optional
        Bars that changed after they had closed, by start and symbol, with their flags.

    Raises
    ------
    DataError
        If there is no such session, or it has lived through too few bars.
    """
    sleeve = lookup(session, state.sleeves, "session")
    daily = sleeve.terms.timeframe.seconds >= DAY // SECOND
    story = Story.of(events, session, daily=daily)
    lived = _lived(bars.select(list(sleeve.terms.symbols)), story)
    result = _backtest(sleeve, lived, story)
    closes = {str(symbol): _exact(price) for symbol, price in lived.close.ffill().iloc[-1].dropna().items()}
    planned = _planned(result, lived)
    done = _done(sleeve, state, story, lived)
    found = differences(planned, done, closes, lambda key: why(key, story, result, revised or {}))
    carried = sum((entry.amount for entry in _charges(sleeve, story.end)), ZERO)
    traded = sum((trade.gain(closes[key.symbol]) for key, trade in done.items()), ZERO)
    gain, carry = (traded + carried).quantize(EXACT), (carried - _carry(result)).quantize(EXACT)
    backtest = (_exact(result.equity.iloc[-1]) - _exact(result.terms.cash)).quantize(EXACT)
    last = Key(story.last, lived.symbols[0])
    rest = gain - backtest - carry - sum((one.effect for one in found), ZERO)
    found += [Difference(last, name, effect) for name, effect in (("carry", carry), ("rounding", rest)) if effect]
    return Divergence(
        session, sleeve.terms.strategy.name, len(story.heard), gain, backtest, tuple(found), result
    )  # fmt: skip


def _lived(bars: Bars, story: Story) -> Bars:
    """The bars up to the last that the session heard of."""
    last = int(bars.index.as_unit("ns").asi8.searchsorted(story.last, side="right"))
    return bars.head(last)


def _backtest(sleeve: Sleeve, bars: Bars, story: Story) -> Result:
    """The session's strategy on these bars; what it would have decided before the session does not count."""
    from qtw_lab.backtest.engine import case_of, run_kernel
    from qtw_lab.backtest.terms import Terms

    terms = sleeve.terms
    case = case_of(
        terms.strategy, bars,
        Terms.given(costs=terms.costs, sizing=terms.sizing, cash=float(sleeve.start), account=terms.account),
    )  # fmt: skip
    decisions = case.decisions.copy()
    decisions[bars.index.as_unit("ns").asi8 < story.first] = np.nan
    return run_kernel(replace(case, decisions=decisions))


def _planned(result: Result, bars: Bars) -> dict[Key, Trade]:
    """The backtest's trades by the decision that led to each."""
    starts, present = bars.index.as_unit("ns").asi8, bars.close.notna()
    found: dict[Key, Trade] = {}
    for at, symbol, side, qty, price, fee in result.orders[
        ["time", "symbol", "side", "quantity", "price", "commission"]
    ].itertuples(index=False):
        before = np.flatnonzero(present[symbol].to_numpy()[: int(starts.searchsorted(at.value))])
        place = int(before[-1]) if len(before) else 0  # what was decided waits for the symbol's next bar
        signed = _exact(qty) * (1 if side == "buy" else -1)
        trade = Trade(signed, _exact(price), _exact(fee), signed)
        key = Key(int(starts[place]), str(symbol))
        found[key] = _joined(found[key], trade) if key in found else trade
    return found


def _done(sleeve: Sleeve, state: DeskState, story: Story, bars: Bars) -> dict[Key, Trade]:
    """The session's trades by the decision that led to each; what was decided on its last bar is yet to come."""
    fills: dict[str, list[Any]] = {}
    for fill in sleeve.fills():
        fills.setdefault(fill.order, []).append(fill)
    found: dict[Key, Trade] = {}
    for order in state.orders.values():
        if sleeve.name not in order.parts:
            continue
        bar = story.named(order.decided.get(sleeve.name, order.bar))
        if bar >= story.last:
            continue
        closing = order.name in story.closing  # what somebody wants closed is no decision of an earlier bar
        key = Key(story.last if closing else bar, order.symbol)
        own = fills.get(order.name, [])
        qty = sum((fill.signed for fill in own), ZERO)
        paid = sum((fill.signed * fill.price for fill in own), ZERO)
        fee = sum((fill.fee for fill in own), ZERO)
        asked = order.parts[sleeve.name]
        late = "manual" if closing else _late(key, story, bars, own[0].at if own else 0)
        trade = Trade(qty, paid / qty if qty else ZERO, fee, asked, _fate(order, qty, asked, late))
        found[key] = _joined(found[key], trade) if key in found else trade
    return found


def _late(key: Key, story: Story, bars: Bars, filled: int) -> str:
    """Why a decision was traded later than at the first price after it; nothing where it was not."""
    if key in story.held:
        return story.held[key]
    starts = bars.index.as_unit("ns").asi8
    after = int(starts.searchsorted(key.bar, side="right"))
    missed = after + 1 < len(starts) and int(starts[after]) not in story.heard
    return "restart" if missed and filled >= starts[after + 1] else ""


def _fate(order: DeskOrder, qty: Decimal, asked: Decimal, late: str) -> str:
    """What kept an order from being filled wholly, or made it late."""
    if order.status == "abandoned":
        return "manual" if "halted" in order.reason else "restart"
    if order.status in ("refused", "rejected"):
        return "reject"
    return late or ("partial" if qty != asked else "")


def _joined(one: Trade, other: Trade) -> Trade:
    """Two trades of one decision as one; where they cancel each other, what that cost is a fee."""
    qty, fee = one.qty + other.qty, one.fee + other.fee
    paid = one.qty * one.price + other.qty * other.price
    cause = other.cause or (one.cause if not qty else "")
    return Trade(qty, paid / qty, fee, one.asked, cause) if qty else Trade(ZERO, ZERO, fee + paid, one.asked, cause)


def _charges(sleeve: Sleeve, end: int) -> list[Any]:
    from qtw_lab.ledger.book import Charge

    return [entry for entry in sleeve.book.entries if isinstance(entry, Charge) and entry.at <= end + SECOND]


def _carry(result: Result) -> Decimal:
    """What holding cost and brought in the backtest, in dollars."""
    c = result.carry
    return _exact(c.dividends + c.cash_interest - c.borrow - c.margin_interest)


def _exact(figure: float) -> Decimal:
    return Decimal(repr(float(figure)))
