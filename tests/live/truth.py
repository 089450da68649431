"""What an engine's journal has beside what it must have: bars by the book of every trade that the market tells of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slow_bars as slow

from qtw_lab.live.journal import read_journal
from qtw_lab.live.journal_kinds import Entry
from qtw_lab.live.reading import JournalReader
from qtw_lab.live.rows import Flag
from qtw_lab.venues.market import CANCELED, INCORRECT

SECOND = 10**9
#: So far back a price is looked for that empty bars at the beginning repeat.
_BEFORE = 60 * SECOND
#: What is compared: the fields of `slow_bars.FIELDS`.
Values = tuple[Any, ...]
Key = tuple[int, str, int]


@dataclass(frozen=True)
class Verdict:
    """What is wrong with the bars of a journal.

    Parameters
    ----------
    bars : int
        How many there must be: of every symbol, from its first to the last that closed, at every length.
    missing, duplicates, different, holes : int
        Bars that are not there; that are there twice in the same revision; that are not, to the last bit, what the
        trades give; and that are flagged as having a hole.
    unreadable : int
        Damaged places of the journal.
    revised, filled : int
        Bars that changed after they closed, and bars with fetched trades: that something happened at all.
    worst : str
        The first of those that differ or are missing, in words.
    """

    bars: int
    missing: int
    duplicates: int
    different: int
    holes: int
    unreadable: int
    revised: int
    filled: int
    worst: str = ""

    @property
    def perfect(self) -> bool:
        """Whether nothing is wrong."""
        return (
            not (self.missing or self.duplicates or self.different or self.holes or self.unreadable) and self.bars > 0
        )


def judged(journal: Path, market: Any, now: int, levels: Iterable[int] = (1, 5, 60)) -> Verdict:
    """The bars of a journal beside those of all trades that the market knew at a moment of its time.

    A symbol's bars begin with the first that closed while it was listened to. What was fetched of the time before is as
    the venue knew it when it was asked; it is not compared, but must not come twice either.
    """
    twice, unreadable, begun = _raw(journal)
    reader = JournalReader(journal)
    names, rows = reader.symbols, reader.rows()
    starts = {names[number]: time for number, time in begun.items()}
    found = {(int(r["level"]), names[r["symbol"]], int(r["time"])): r for r in rows}
    found = {key: row for key, row in found.items() if key[2] >= starts.get(key[1], key[2] + 1)}
    # The venue's time stood still from `now` on, the engine's did not: what it closed after that is nobody's bar.
    found = {key: row for key, row in found.items() if key[2] + key[0] * SECOND <= now}
    ends = {level: max((t for k, _, t in found if k == level), default=-1) for level in levels}
    must = _expected(market, starts, ends, now)
    priced = _priced(found)
    gone = [key for key in must if key not in found]
    whole = {key for key, row in found.items() if not row["flags"] & Flag.PARTIAL}
    gone += sorted(whole - must.keys())  # a whole bar that nothing called for is as bad as one that is not there
    wrong = [
        key for key in must
        if key in whole and not _equal(shown(found[key]), must[key], unpriced=key[2] < priced.get(key[1], key[2] + 1))
    ]  # fmt: skip
    flags = rows["flags"]
    said = [f"{key} {shown(found[key])}, flags {int(found[key]['flags'])}, not {must[key]}" for key in wrong[:5]]
    worst = "; ".join(said + [f"no {key}" for key in gone[:5]])
    return Verdict(
        len(must), len(gone), twice, len(wrong), int((flags & Flag.HOLE != 0).sum()), unreadable,
        int((rows["revision"] > 0).sum()), int((flags & Flag.BACKFILL != 0).sum()), worst,
    )  # fmt: skip


def shown(row: Any) -> Values:
    """A bar of the journal as `slow_bars.bar` gives it."""
    return (
        *(float(row[name]) for name in slow.FIELDS[:6]),
        int(row["count"]),
        bool(row["flags"] & Flag.EMPTY),
    )


def _equal(one: Values, other: Values, *, unpriced: bool) -> bool:
    """Whether two bars are the same; one without a price, while there was none yet, need not repeat the past's."""
    if unpriced and one[-1] and math.isnan(one[0]):
        one, other = one[4:], other[4:]
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(one, other, strict=True))


def _priced(found: Mapping[Key, Any]) -> dict[str, int]:
    """When each symbol's first bar begins in which a trade set a price."""
    first: dict[str, int] = {}
    for (level, name, time), row in found.items():
        if level == 1 and not row["flags"] & Flag.EMPTY:
            first[name] = min(first.get(name, time), time)
    return first


def _raw(journal: Path) -> tuple[int, int, dict[int, int]]:
    """How many bars were written twice in the same revision, damaged places, and each symbol's first bar that closed.

    Bars that close come time by time; what is fetched of the past comes as a whole.
    """
    seen: Counter[tuple[int, ...]] = Counter()
    begun: dict[int, int] = {}
    damaged = 0
    for entry in read_journal(journal):
        if entry.kind == Entry.DAMAGE:
            damaged += 1
        elif entry.kind == Entry.ROWS and len(entry.content):
            rows = entry.content
            seen.update(rows[["level", "symbol", "time", "revision"]].tolist())
            if len(np.unique(rows["time"])) == 1 and rows["level"][0] == 1 and not rows["revision"].any():
                begun |= {number: rows["time"][0] for number in rows["symbol"].tolist() if number not in begun}
    return sum(count - 1 for count in seen.values()), damaged, {number: int(time) for number, time in begun.items()}


def _expected(market: Any, begun: Mapping[str, int], ends: Mapping[int, int], now: int) -> dict[Key, Values]:
    """Every bar from each symbol's first bar to the last that closed."""
    found: dict[Key, Values] = {}
    for name, start in begun.items():
        number = market.symbols.number(name)
        stop = max(end + level * SECOND for level, end in ends.items())
        rows = market.trades([number], start - _BEFORE, stop, now)
        stands = rows[~np.isin(rows["flag"], (CANCELED, INCORRECT))]
        trades = [slow._trade(row, row["id"]) for row in stands]
        for level, last in ends.items():
            found |= {(level, name, time): bar for time, bar in _bars(trades, level, start, last).items()}
    return found


def _bars(trades: list[Any], level: int, start: int, last: int) -> dict[int, Values]:
    """Bars of one symbol that begin from `start` to `last`, each from its own trades."""
    length = level * SECOND
    inside: dict[int, list[Any]] = {}
    for trade in trades:
        inside.setdefault(trade.time // length * length, []).append(trade)
    found = {}
    first = -(-start // length) * length
    _, before = slow.bar([trade for trade in trades if trade.time < first], None)  # the last price before
    for time in range(first, last + 1, length):
        found[time], before = slow.bar(inside.get(time, []), before)
    return found
