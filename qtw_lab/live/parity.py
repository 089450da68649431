"""Whether an engine decided, bar by bar, what a vectorised backtest over its bars decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, Fact, Facts, Timeframe
from qtw_lab.live.journal import read_journal
from qtw_lab.live.journal_kinds import Entry
from qtw_lab.live.resuming import standing_of
from qtw_lab.live.rows import Flag
from qtw_lab.strategies import Panel, Strategy

Array = npt.NDArray[Any]

_PRICES: Final = ("open", "high", "low", "close", "volume")

#: Flags that keep a decision from being made.
_BARRING: Final = np.uint32(Flag.HOLE | Flag.PARTIAL)


@dataclass(frozen=True, slots=True)
class Parity:
    """What an engine decided as its bars closed, beside what one pass over all of them decides afterwards.

    Parameters
    ----------
    strategy : str
        Its name.
    bars : int
        Bars of a symbol on which the engine decided, "keep as it is" included.
    compared : int
        Those of which both decisions rest on the same bars.
    said : int
        Compared bars with a decision other than "keep".
    same : int
        Compared bars with equal decisions, to the last bit.
    changed : int
        Not compared: a bar that the decision rests on became known or changed after it was made, by a trade that came
        late, a correction or a filled gap.
    barred : int
        Not compared: there is a hole in what the decision rests on, or too few whole bars, and the engine makes none.
    beyond : int
        Not compared: the strategy remembers its whole history, and the engine had let the beginning go.
    different : pandas.DataFrame
        Compared bars with other decisions: time, symbol, live and afterwards.
    """

    strategy: str
    bars: int
    compared: int
    said: int
    same: int
    changed: int
    barred: int
    beyond: int
    different: pd.DataFrame

    @property
    def holds(self) -> bool:
        """Whether something was compared and all of it is equal."""
        return self.compared > 0 and self.same == self.compared

    def facts(self) -> Facts:
        """It as labelled numbers."""
        return Facts(
            f"Decisions of {self.strategy}, live and afterwards",
            (
                Fact("bars", self.bars, "count", "Bars decided on", "of one symbol each"),
                Fact("compared", self.compared, "count", "Compared", "both decisions rest on the same bars"),
                Fact("said", self.said, "count", "Of these, other than keep"),
                Fact("same", self.same, "count", "Equal, to the last bit"),
                Fact("different", len(self.different), "count", "Different"),
                Fact("changed", self.changed, "count", "Set aside: bars changed later",
                     "by a trade that came late, a correction or a filled gap"),
                Fact("barred", self.barred, "count", "Set aside: hole or too few bars", "no decision is made there"),
                Fact("beyond", self.beyond, "count", "Set aside: history too long",
                     "the strategy remembers all of it, the engine the last bars"),
            ),
        )  # fmt: skip

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, Any]:
        return self.facts()._repr_mimebundle_(**kwargs)


def parity(
    folder: str | Path, strategy: Strategy, interval: int, *, calendar: str = "XNYS", bar_limit: int = 5000
) -> Parity:
    """Compare the decisions of a journal with one vectorised pass of the strategy over its bars.

    Parameters
    ----------
    folder : path
        Of the journal.
    strategy : Strategy
        The one that decided.
    interval : int
        Length in seconds of the bars that were decided on.
    calendar : str
        For strategies that annualise; the engine's.
    bar_limit : int
        How many bars the engine kept.

    Raises
    ------
    DataError
        If no decision on such bars is in the journal, or the strategy compares symbols while the focus changed: what it
        saw then cannot be told from bars alone (`qtw_lab.live.replay.replayed` compares such decisions too).

    Notes
    -----
    A decision rests on the `memory` bars up to its own. It is compared if all of these had their last prices when it
    was made; the order of the journal tells. Everything else is counted by its reason, never left out in silence.
    """
    history = _History.of(Path(folder), interval)
    if strategy.scope == "universe" and not (history.decided > 0).all():
        raise DataError(
            f"{strategy.name} compares symbols, and the focus changed, so its bars alone do not tell what it saw. "
            "Replay the recording instead, or give a journal with one focus throughout."
        )
    afterwards = strategy.decide(history.panel(Timeframe(interval, "s").periods_per_year(calendar)))
    considered = history.decided > 0
    length = len(history.times)
    memory = strategy.memory
    span = length if memory is None else min(max(memory, 1), length)
    beyond = np.zeros_like(considered)
    if memory is None:
        beyond[bar_limit:] = considered[bar_limit:]
    settled = np.maximum(_rolling(history.settled, span, "max"), 0)
    if strategy.scope == "universe":
        settled = np.broadcast_to(settled.max(axis=1, keepdims=True), settled.shape)
    changed = considered & ~beyond & (settled > history.decided)
    barred = considered & ~beyond & ~changed & history.barred(span, strategy.warmup + 1)
    compared = considered & ~beyond & ~changed & ~barred
    live = history.decisions
    equal = (live == afterwards) | (np.isnan(live) & np.isnan(afterwards))
    rows, columns = np.nonzero(compared & ~equal)
    different = pd.DataFrame({
        "time": pd.to_datetime(history.times[rows], utc=True), "symbol": [history.names[c] for c in columns],
        "live": live[rows, columns], "afterwards": afterwards[rows, columns],
    })  # fmt: skip
    return Parity(
        strategy.name, int(considered.sum()), int(compared.sum()), int((compared & ~np.isnan(afterwards)).sum()),
        int((compared & equal).sum()), int(changed.sum()), int(barred.sum()), int(beyond.sum()), different,
    )  # fmt: skip


@dataclass(frozen=True)
class _History:
    """Bars and decisions of one length as arrays (T, N), with the places in the journal at which they came.

    `settled` is the entry that gave a bar its last prices, `decided` the one that closed it while it was listened to; 0
    where there is none.
    """

    times: Array
    names: list[str]
    prices: Array
    flags: Array
    settled: Array
    decided: Array
    decisions: Array

    @classmethod
    def of(cls, folder: Path, interval: int) -> _History:
        entries = [
            (place, Entry(entry.kind), entry.content[entry.content["level"] == interval])
            for place, entry in enumerate(read_journal(folder), 1)
            if entry.kind in (Entry.ROWS, Entry.DECISIONS)
        ]
        bars = [rows for _, kind, rows in entries if kind is Entry.ROWS]
        if not any(kind is Entry.DECISIONS and len(rows) for _, kind, rows in entries) or not any(map(len, bars)):
            raise DataError(f"The journal in {folder} has no decisions on bars of {interval} s.")
        times = np.unique(np.concatenate([rows["time"] for rows in bars]))
        numbers = np.unique(np.concatenate([rows["symbol"] for rows in bars]))
        symbols = standing_of(folder)[0].symbols
        shape = (len(times), len(numbers))
        made = cls(
            times, [symbols[number] for number in numbers.tolist()], np.full((len(_PRICES), *shape), np.nan),
            np.full(shape, Flag.HOLE, dtype=np.uint32), np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.int64), np.full(shape, np.nan),
        )  # fmt: skip
        made._enter(entries, numbers)
        return made

    def _enter(self, entries: Iterable[tuple[int, Entry, Array]], numbers: Array) -> None:
        for place, kind, rows in entries:
            if not len(rows):
                continue
            at = np.searchsorted(self.times, rows["time"]), np.searchsorted(numbers, rows["symbol"])
            if kind is Entry.DECISIONS:
                known = self.times[np.minimum(at[0], len(self.times) - 1)] == rows["time"]
                self.decisions[at[0][known], at[1][known]] = rows["stance"][known]
                continue
            new = np.stack([rows[name] for name in _PRICES])
            old = self.prices[:, *at]
            other = ~((old == new) | (np.isnan(old) & np.isnan(new))).all(axis=0)
            other |= (self.flags[at] & _BARRING) != (rows["flags"] & _BARRING)
            self.settled[at] = np.where(other, place, self.settled[at])
            self.prices[:, *at] = new
            self.flags[at] = rows["flags"]
            if (rows["time"] == rows["time"][0]).all() and not rows["revision"].any():  # not a past that was fetched
                self.decided[at] = np.where(self.decided[at] > 0, self.decided[at], place)

    def panel(self, periods_per_year: float) -> Panel:
        """What a strategy sees of them."""
        opens, highs, lows, closes, volumes = self.prices
        return Panel(opens, highs, lows, closes, volumes, self.times, periods_per_year)

    def barred(self, span: int, needed: int) -> Array:
        """Where the last `span` bars have a hole, or fewer than `needed` of them are whole."""
        close = self.prices[3]
        hole = np.isnan(close) | ((self.flags & np.uint32(Flag.HOLE)) != 0)
        whole = ~np.isnan(close) & ((self.flags & np.uint32(Flag.PARTIAL)) == 0)
        inside = np.maximum.accumulate(self.decided > 0, axis=0) | ~hole  # before it was known there are no holes
        found = (_rolling(hole & inside, span, "max") > 0) | (_rolling(whole, span, "sum") < needed)
        return np.asarray(found)


def _rolling(values: Array, span: int, what: str) -> Array:
    """The greatest value or the sum of the last `span` rows."""
    rolled = pd.DataFrame(values.astype(np.float64)).rolling(span, min_periods=1)
    return np.asarray(rolled.agg(what), dtype=np.float64)
