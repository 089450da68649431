"""What one session of a desk was told, what it decided, and why a decision of its was not traded at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.lab.diverging import Key
from qtw_lab.venues.moments import DAY

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result
    from qtw_lab.core import Bars
    from qtw_lab.venues.paper.events import Event


@dataclass(slots=True)
class Story:
    """A session by start of bar, nanoseconds since 1970, UTC.

    Attributes
    ----------
    daily : bool
        Whether its bars are of a day.
    heard : dict of int to dict
        Its decisions that were news, by symbol.
    stances : dict of int to dict
        Its last decision of each symbol.
    marks : dict of int to dict
        Closes, as they were known then.
    held : dict of Key to str
        Decisions that were not traded at the first price after them, with the cause: "manual" or "restart".
    closing : set of str
        Orders that close what it holds because somebody wants it closed.
    first, last, end : int
        Starts of its first and last bar, and the end of the last one that it was valued at.
    """

    session: str
    daily: bool = False
    heard: dict[int, dict[str, float]] = field(default_factory=dict)
    stances: dict[int, dict[str, float]] = field(default_factory=dict)
    marks: dict[int, dict[str, str]] = field(default_factory=dict)
    held: dict[Key, str] = field(default_factory=dict)
    closing: set[str] = field(default_factory=set)
    first: int = 0
    last: int = 0
    end: int = 0
    _status: str = "running"
    _prices: dict[str, str] = field(default_factory=dict)
    _decided: dict[str, int] = field(default_factory=dict)
    _waiting: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[Event], session: str, *, daily: bool) -> Story:
        """The story that a desk's events tell.

        Raises
        ------
        DataError
            If the session has not heard of any bar.
        """
        story = cls(session, daily)
        for event in events:
            step = _OWN.get(event.kind) if event.order == session else _ALL.get(event.kind)
            if step is not None:
                step(story, event)
        if not story.heard:
            raise DataError(f"The session {session} has not heard of any bar yet; there is nothing to compare.")
        return story

    def named(self, bar: int) -> int:
        """The start of a bar as `Bars` have it: a daily one is named by its date, at midnight UTC."""
        return bar // DAY * DAY if self.daily else bar

    def decided(self, key: Key) -> float:
        """Its last decision of a symbol as of a bar; NaN before any."""
        return self.stances.get(key.bar, {}).get(key.symbol, math.nan)

    def _marked(self, event: Event) -> None:
        self._prices = dict(event.content["prices"])
        self.end = event.at

    def _heard(self, event: Event) -> None:
        bar = self.named(int(event.content["bar"]))
        for symbol in self._waiting.keys() & self._prices.keys():  # it had a price, and was not traded
            self._hold(symbol, "restart")
        self.heard[bar] = news = dict(event.content["decisions"])
        self.stances[bar] = {**self.stances.get(self.last, {}), **news}
        self.marks[bar] = self._prices
        self.first, self.last = self.first or bar, bar
        self._decided.update(dict.fromkeys(news, bar))
        self._waiting.update(dict.fromkeys(news, bar))
        self._pause()

    def _changed(self, event: Event) -> None:
        self._status = str(event.content["status"])
        self._pause()

    def _pause(self) -> None:
        if self._status != "running":
            for symbol in self._waiting:
                self._hold(symbol, "manual")

    def _waits(self, event: Event) -> None:
        self._waiting.update({symbol: self._decided.get(symbol, self.last) for symbol in event.content["decisions"]})

    def _tried(self, event: Event) -> None:
        for symbol in event.content["symbols"].get(self.session, ()):
            self._waiting.pop(symbol, None)

    def _kept(self, event: Event) -> None:
        cause = "manual" if event.content["why"] == "halted" else "restart"
        for symbol in event.content["symbols"].get(self.session, ()):
            self._hold(symbol, cause)

    def _ordered(self, event: Event) -> None:
        if self._status == "closing" and self.session in event.content["parts"]:
            self.closing.add(event.order)

    def _hold(self, symbol: str, cause: str) -> None:
        if symbol in self._waiting:
            self.held.setdefault(Key(self._waiting[symbol], symbol), cause)


_OWN: Final[Mapping[str, Callable[[Story, Event], None]]] = {
    "marked": Story._marked,  # noqa: SLF001  (its own table)
    "heard": Story._heard,  # noqa: SLF001
    "status": Story._changed,  # noqa: SLF001
    "waits": Story._waits,  # noqa: SLF001
}
_ALL: Final[Mapping[str, Callable[[Story, Event], None]]] = {
    "tried": Story._tried,  # noqa: SLF001
    "held": Story._kept,  # noqa: SLF001
    "ordered": Story._ordered,  # noqa: SLF001
}


def why(key: Key, story: Story, result: Result, revised: Mapping[tuple[int, str], str]) -> tuple[str, str]:
    """Why the session decided otherwise on a bar than the backtest does, or too late; nothing where it did not."""
    if key.bar not in story.heard:
        return "restart", "the session was not told of the bar"
    if key in story.held:
        return story.held[key], "the decision had to wait"
    if _same(key, story, result):
        return "", ""
    strategy, bars = result.strategy, result.bars
    for symbol in bars.symbols if strategy.scope == "universe" else (key.symbol,):
        other = _other_bar(Key(key.bar, symbol), story, bars, strategy.memory)
        if other is not None:
            flags, at = revised.get((other[0], symbol)), pd.Timestamp(other[0], unit="ns")
            note = f"the close of {symbol} at {at:%H:%M:%S} was {other[1]} then and is {other[2]} now"
            return ("bar differed", note) if flags is None else ("late bar", f"{note}; {flags}")
    if key.symbol not in story.heard[key.bar]:
        return "clock", "the decision was held back"
    return "", ""


def _same(key: Key, story: Story, result: Result) -> bool:
    """Whether both decided the same: the same stance, or weights on the same bar."""
    said = result.decisions[key.symbol].loc[: pd.Timestamp(key.bar, unit="ns", tz="UTC")]
    if result.strategy.kind == "signals":
        planned, own = (0.0 if math.isnan(one) else one for one in (float(said.ffill().iloc[-1]), story.decided(key)))
        return planned == own
    planned, own = float(said.iloc[-1]), story.heard[key.bar].get(key.symbol, math.nan)
    return math.isclose(planned, own) or (math.isnan(planned) and math.isnan(own))


def _other_bar(key: Key, story: Story, bars: Bars, memory: int | None) -> tuple[int, str | None, float] | None:
    """The last bar of those that a decision rests on which the session knew with another close: start, then, now."""
    starts = bars.index.as_unit("ns").asi8
    closes = bars.close[key.symbol].to_numpy()
    until = int(starts.searchsorted(key.bar, side="right"))
    first = 0 if memory is None else max(until - max(memory, 1), 0)
    for place in range(until - 1, first - 1, -1):
        bar = int(starts[place])
        if bar not in story.marks or np.isnan(closes[place]):
            continue
        known = story.marks[bar].get(key.symbol)
        if known is None or float(known) != closes[place]:
            return bar, known, float(closes[place])
    return None
