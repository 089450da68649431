"""Symbols that entered the focus: from when on they have bars, and how they come by their past."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from qtw_lab.live.answers import Answer
from qtw_lab.live.bars import BarColumns
from qtw_lab.live.common import Common
from qtw_lab.live.gaps import SETTLING, pause
from qtw_lab.live.rows import ROW, Flag
from qtw_lab.venues.ticks import Rows

#: How often the past of symbols is asked for before they do without.
_ATTEMPTS: Final = 6

#: So long without an event the past of symbols still has bars: a day, the most there can be.
_IDLE: Final = 86_400.0

_BACKFILL: Final = np.uint32(int(Flag.BACKFILL))


@dataclass(frozen=True, slots=True)
class Entering:
    """Symbols whose past is not known yet.

    Parameters
    ----------
    names : tuple of str
        Which.
    since : int
        Start of their first bar, nanoseconds since 1970, UTC.
    heard : int
        From when on they were listened to; 0 while the venue has not confirmed it.
    due : int
        When to ask, on the reader's clock.
    tries : int
        Answers that were none.
    """

    names: tuple[str, ...]
    since: int
    heard: int = 0
    due: int = 0
    tries: int = 0


class Entrances:
    """What happens to symbols that enter the focus.

    1. Their first bar is the next one that is decided on; none begins before it is listened to.
    2. Until the venue confirms that it sends them, their bars close with a hole.
    3. Then the trades of so many earlier bars as a decision rests on are asked for, and of what was missed. Their past
       is put before their first bar, and the hole is filled.

    Parameters
    ----------
    common : Common
        What the parts of an engine share.
    """

    def __init__(self, common: Common) -> None:
        self._common = common
        self._new: list[str] = []
        self._waiting: list[Entering] = []
        self._asked: dict[int, Entering] = {}

    def enter(self, names: Sequence[str]) -> None:
        """Symbols entered; they get bars as soon as the venue's time is known."""
        self._new += [name for name in names if name not in self._new]

    def leave(self, names: Collection[str]) -> None:
        """Symbols left."""
        gone = set(names)
        self._new = [name for name in self._new if name not in gone]
        self._waiting = [left for one in self._waiting if (left := _without(one, gone)).names]
        self._asked = {number: _without(one, gone) for number, one in self._asked.items()}

    def place(self, now: int) -> None:
        """Give new symbols their first bar."""
        if not self._new:
            return
        common = self._common
        since = (now // common.length + 1) * common.length
        common.columns.active(common.symbols.numbers(self._new).tolist(), since=since)
        self._waiting.append(Entering(tuple(self._new), since))
        self._new = []

    def confirmed(self, now: int, missing: Collection[str]) -> None:
        """The venue sends everything that was asked for from now on, but for those that are missing."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if one.heard:
                self._waiting.append(one)
                continue
            heard = _without(replace(one, heard=now), missing)
            unheard = _without(one, set(one.names) - set(missing))
            self._waiting += [some for some in (heard, unheard) if some.names]
            if heard.names and now > one.since:
                self._doubt(heard, now)

    def doubt(self, end: int) -> None:
        """Bars up to an event time are about to close: those of symbols that are not listened to yet have a hole."""
        for one in self._waiting:
            if not one.heard and one.since < end:
                self._doubt(one, end)

    def turn(self, now: int, received: int) -> None:
        """Ask for the past of those that are listened to, once the venue's time is sure to have come to its end."""
        common = self._common
        ready = [one for one in self._waiting if one.heard and now >= max(one.since, one.heard) + SETTLING]
        ready = [one for one in ready if common.columns.closed >= one.since]  # while bars are held, the past waits too
        for one in ready:
            if not common.fetching:
                self._waiting.remove(one)
            elif received >= one.due:
                self._waiting.remove(one)
                number = common.ask("trades", one.names, one.since - common.past, max(one.since, one.heard))
                self._asked[number] = one

    def answered(self, answer: Answer, received: int) -> bool:
        """Take an answer in, if it is one to a question of these."""
        one = self._asked.pop(answer.question.number, None)
        if one is None:
            return False
        ticks, fault = self._common.trades(answer)
        if ticks is not None:
            self._learn(one, ticks, answer.question.start)
        elif one.tries + 1 < _ATTEMPTS:
            if one.names:
                self._waiting.append(replace(one, due=received + pause(one.tries), tries=one.tries + 1))
        else:
            self._common.warn(f"No earlier bars of {len(one.names)} symbols that entered the focus: {fault}")
        return True

    def _learn(self, one: Entering, ticks: Rows, start: int) -> None:
        """The past of symbols that entered, and what was missed between their first bar and the subscription."""
        common = self._common
        numbers = common.symbols.numbers(one.names).tolist()
        if not numbers:
            return
        rows = self._built(ticks, numbers, start, one.since)
        if len(rows):
            common.columns.restore(rows, resuming=False)
            common.outcome.steps.append(rows)
        if one.heard > one.since:
            common.columns.fill(ticks, one.since, one.heard, numbers)

    def _built(self, ticks: Rows, numbers: Sequence[int], start: int, end: int) -> Rows:
        """Bars of a past span from its trades; none of times when the exchange was closed."""
        rules = self._common.profile.engine
        past = BarColumns(rules.levels, 1, empty=rules.empty, kept=max(4, len(ticks)), idle=_IDLE)
        past.active(numbers, since=start)
        before = ticks[(ticks["time"] >= start) & (ticks["time"] < end)]
        past.add(before)
        rows = np.concatenate([np.zeros(0, dtype=ROW), *past.advance(end)])
        times = np.unique(rows["time"])
        phases = [self._common.sessions.at(time).phase for time in times.tolist()]
        kept = np.isin(rows["time"], times[[phase != "closed" for phase in phases]])
        rows["flags"] |= _BACKFILL
        return rows[kept]

    def _doubt(self, one: Entering, end: int) -> None:
        """Say that trades are missing from their first bar to an event time, in bars that are open."""
        common = self._common
        start = max(one.since, common.columns.closed)
        if start < end:
            common.columns.hole(start, end, common.symbols.numbers(one.names).tolist())


def _without(one: Entering, gone: Collection[str]) -> Entering:
    """The same without some symbols."""
    if not gone:
        return one
    return replace(one, names=tuple(name for name in one.names if name not in gone))


def first_bars(rows: Rows) -> dict[int, int]:
    """By the number of each symbol among rows, the start of its first bar."""
    numbers, place = np.unique(rows["symbol"], return_inverse=True)
    since = np.full(len(numbers), np.iinfo(np.int64).max)
    np.minimum.at(since, place, rows["time"])
    return dict(zip(numbers.tolist(), since.tolist(), strict=True))
