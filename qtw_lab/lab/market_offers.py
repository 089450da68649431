"""Who has prices, of which symbols, in bars of which lengths."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from qtw_lab.core import Timeframe, lookup
from qtw_lab.data import SAMPLES

if TYPE_CHECKING:
    from qtw_lab.lab.front import Lab

#: Lengths of bars a chart may have, shortest first.
TIMEFRAMES: Final = ("1min", "5min", "15min", "30min", "1h", "1D", "1W", "1ME")


@dataclass(frozen=True)
class Offer:
    """What one source has, on one calendar.

    Parameters
    ----------
    name : str
        The source; with its calendar where it has series of several.
    source, calendar : str
        Which series these are.
    title : str
        What it is, for people.
    contents : mapping of str to str
        Symbol -> what names the stored version of its bars, or of the package that ships them.
    lengths : mapping of str to tuple of str
        Symbol -> lengths of the bars that are kept.
    notes : tuple of str
        Series that cannot be read, and why.
    """

    name: str
    source: str
    calendar: str
    title: str
    contents: Mapping[str, str] = field(repr=False)
    lengths: Mapping[str, tuple[str, ...]] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol, in order."""
        return tuple(self.contents)

    def timeframes(self, symbol: str) -> tuple[str, ...]:
        """Lengths of bars that a symbol can be shown in: those kept, and those they add up to.

        Raises
        ------
        DataError
            If the source has no such symbol.
        """
        return _reachable(lookup(symbol, self.lengths, f"symbol of {self.name}"))


def offers(lab: Lab) -> dict[str, Offer]:
    """What every bundled data set and every source of the store has, by name."""
    found = {}
    for sample in SAMPLES.values():
        about = sample.info()
        lengths = dict.fromkeys(about.symbols, ("1D",))
        found[about.name] = Offer(
            about.name, about.name, "XNYS", about.title, dict.fromkeys(about.symbols, "bundled"), lengths
        )
    parts: dict[str, dict[str, list[Any]]] = {}
    faults: dict[str, list[str]] = {}
    for row in lab.store.list().itertuples():
        if row.fault:
            said = f"{row.symbol!s} {row.timeframe!s} cannot be read: {row.fault!s}"
            faults.setdefault(str(row.source), []).append(said)
        else:
            parts.setdefault(str(row.source), {}).setdefault(str(row.calendar), []).append(row)
    for source, calendars in parts.items():
        for calendar, rows in calendars.items():
            name = source if len(calendars) == 1 else f"{source} ({calendar})"
            found[name] = _offer(name, source, calendar, rows, tuple(faults.get(source, ())))
    return found


def _offer(name: str, source: str, calendar: str, rows: list[Any], notes: tuple[str, ...]) -> Offer:
    """The series of a source on a calendar; a symbol's content is that of all its series."""
    contents: dict[str, str] = {}
    lengths: dict[str, tuple[str, ...]] = {}
    for row in sorted(rows, key=lambda row: (row.symbol, row.timeframe)):
        contents[row.symbol] = f"{contents.get(row.symbol, '')} {row.content}".strip()
        lengths[row.symbol] = (*lengths.get(row.symbol, ()), row.timeframe)
    return Offer(name, source, calendar, "your store", contents, lengths, notes)


@cache
def _reachable(lengths: tuple[str, ...]) -> tuple[str, ...]:
    """Those lengths of bars, and those they add up to, shortest first."""
    held = [Timeframe.parse(length) for length in lengths]
    made = {length for length in TIMEFRAMES if any(_makes(short, Timeframe.parse(length)) for short in held)}
    every = {str(length) for length in held} | made
    return tuple(sorted(every, key=lambda length: Timeframe.parse(length).seconds))


def _makes(short: Timeframe, long: Timeframe) -> bool:
    """Whether bars of one length add up to those of another; see `data.resample`."""
    if short.intraday:
        return short.seconds <= long.seconds and not (long.intraday and long.seconds % short.seconds)
    return short == long or (short == Timeframe(1, "D") and long.unit in ("W", "ME"))


def stamp(lab: Lab) -> tuple[Any, ...]:
    """What changes whenever the store does: its folders' times of change; quick for any number of series."""
    folders = sorted((lab.settings.qtw_storage_dir / "data" / "series").glob("*/*"))
    found = []
    for folder in folders:
        with contextlib.suppress(OSError):  # one that goes just now counts as gone
            found.append((str(folder), folder.stat().st_mtime_ns))
    return tuple(found)
