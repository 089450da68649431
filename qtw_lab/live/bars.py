"""Bars of every symbol at once, made of trades as they come: exact, whatever the order they come in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.live.bars_filling import FOREVER, PLACE, Filling
from qtw_lab.live.columns import Window
from qtw_lab.live.kernels_board import CLOSED, COUNTERS, COUNTS, LIMIT, REACH
from qtw_lab.live.rows import ROW
from qtw_lab.venues.ticks import CANCEL, TICK, TRADE

Rows = npt.NDArray[Any]

_SECOND: Final = 10**9
#: An event this far ahead of the reader's clock (ns) is not believed.
_AHEAD: Final = 5 * _SECOND


class BarColumns(Filling):
    """Bars of several lengths from trades, quotes, corrections, cancels and statuses.

    A trade belongs to the bar that its event time lies in, start included and end excluded. A bar's open and close are
    those of its first and last trade by (time, id, price), so the order of arrival does not matter; shares and dollars
    are added up as whole millionths, so no sum depends on its order. What a trade may set is told by
    `qtw_lab.venues.conditions.effects`. A bar closes when the watermark passes its end; what comes later revises it.

    Parameters
    ----------
    intervals : sequence of int
        Lengths in seconds, each a multiple of the one before; the first is made of trades, the others of it.
    rows : int or sequence of int
        Closed bars that a `window` can show, for all levels or for each.
    empty : {"carry", "hole"}
        What a bar without a trade that sets a price shows: the last price before it, or NaN. Its flag is `EMPTY` both
        ways, and volume that sets no price is counted both ways.
    kept : int
        Trades that are remembered at least, to know duplicates and to take back what is corrected or cancelled. At
        most twice as many are; one takes 56 bytes and 16 to 32 of table.
    lateness : float
        Seconds after its end for which a closed bar of the first level is revised in place. A trade that is later, or
        older than what is remembered, changes nothing; `beyond` names its bar, to be asked for and given to `fill`.
    patience : float
        Seconds of bars that `hold` can keep open; beyond them they close with the flag `HOLE`.
    idle : float
        Without any event of any symbol for so many seconds no bars are closed until the next event's: nights and
        weekends have no rows.
    extended : bool
        Whether a Form T trade sets prices, as it does in the vendor's minute bars.

    Attributes
    ----------
    intervals : tuple of int
        The lengths.

    Raises
    ------
    DataError
        If a parameter is out of its bounds.

    Notes
    -----
    A quote counts in the bar that closes after it came; bars are not revised for quotes and statuses that come later.

    Examples
    --------
    >>> from qtw_lab.venues.ticks import TRADE
    >>> bars = BarColumns(intervals=(1, 5), rows=10, kept=64)
    >>> bars.active([0], since=0)
    >>> ticks = np.zeros(3, dtype=TICK)
    >>> ticks["kind"], ticks["size"], ticks["id"] = TRADE, 100, [1, 2, 3]
    >>> ticks["time"], ticks["price"] = [100_000_000, 200_000_000, 1_500_000_000], [10.0, 10.5, 10.25]
    >>> bars.add(ticks)
    >>> for row in bars.advance(2_000_000_000):
    ...     print(row[["level", "time", "open", "high", "close", "volume"]].tolist())
    [(1, 0, 10.0, 10.5, 10.5, 200.0)]
    [(1, 1000000000, 10.25, 10.25, 10.25, 100.0)]
    """

    def __init__(
        self,
        intervals: Sequence[int] = (1, 5, 60),
        rows: int | Sequence[int] = 300,
        *,
        empty: Literal["carry", "hole"] = "carry",
        kept: int = 1 << 20,
        lateness: float = 60.0,
        patience: float = 120.0,
        idle: float = 300.0,
        extended: bool = True,
    ) -> None:
        lengths = _lengths(intervals)
        shown = _shown(rows, len(lengths))
        _check(empty, kept, lateness, patience, idle)
        carry = empty == "carry"
        super().__init__(
            lengths, shown, kept=kept, carry=carry, lateness=lateness, patience=patience, idle=idle, extended=extended
        )

    # What comes in

    def add(self, ticks: Rows, now: int | None = None) -> None:
        """Apply trades, quotes, corrections, cancels and statuses; other kinds and other symbols are passed over.

        Parameters
        ----------
        ticks : TICK rows
            In the order they came.
        now : int, optional
            The reader's clock, nanoseconds; what claims to be over 5 s later is an outlier. None believes all.
        """
        if ticks.dtype != TICK:
            raise DataError(f"ticks have the columns {ticks.dtype.names}, not those of qtw_lab.venues.ticks.TICK.")
        self._state[LIMIT] = FOREVER if now is None else now + _AHEAD
        # A kernel is compiled for one layout: what is read-only or has gaps is copied.
        plain = ticks.flags.c_contiguous and ticks.flags.writeable
        self._apply(ticks if plain else ticks.copy())

    # What comes out

    def advance(self, watermark: int) -> list[Rows]:
        """Close every bar that ends at or before an event time, and give it.

        Returns
        -------
        list of ROW arrays
            One for each level and time, by end and length, with a row for each active symbol.
        """
        self._settle()
        if self._state[CLOSED] >= 0:
            target = watermark // self._unit
            if self._held is not None:
                target = min(target, self._held)
            self._roll(target)
        closed, self._closed = self._closed, []
        return closed

    def revised(self) -> Rows:
        """Closed bars that changed since last asked, as they are now, shorter levels first.

        Among them may be bars that were skipped, in a break longer than `idle`, and that `fill` brought trades of.
        """
        self._settle()
        if not self._revised:
            return np.zeros(0, dtype=ROW)
        found = np.concatenate(self._revised)
        self._revised = []
        keys = np.lexsort((found["revision"], found["symbol"], found["time"], found["level"]))
        ordered = found[keys]
        key = ordered[["level", "time", "symbol"]]
        last = np.append(key[1:] != key[:-1], True)
        newest: Rows = ordered[last]
        return newest

    def beyond(self) -> Rows:
        """What came too late to be applied since last asked: of which symbols and spans trades are to be asked for.

        Returns
        -------
        PLACE rows
            symbol, start, end (nanoseconds, end excluded). A span is one bar where that can be revised in place, else
            the longest bar that contains it, as far as it is closed. Give the trades to `fill` with these bounds.
        """
        asked = self._columns.asked()
        found = np.zeros(len(asked), dtype=PLACE)
        bars, closed = asked[:, 1], int(self._state[CLOSED])
        ratio = np.where(bars >= closed - self._state[REACH], 1, self.intervals[-1] // self.intervals[0])
        found["symbol"] = asked[:, 0]
        found["start"] = bars // ratio * ratio * self._unit
        found["end"] = np.minimum((bars // ratio + 1) * ratio, np.maximum(closed, bars + 1)) * self._unit
        distinct: Rows = np.unique(found)
        return distinct

    def window(self, interval: int, rows: int) -> Window:
        """The last closed bars of a level, at most as many as there are."""
        self._settle()
        return self._columns.window(self._level(interval), rows)

    @property
    def counts(self) -> dict[str, int]:
        """How much came, by name: of `COUNTERS` in `qtw_lab.live.kernels_board`, which says what each counts."""
        return {name: int(self._state[COUNTS + k]) for k, name in enumerate(COUNTERS)}

    @property
    def closed(self) -> int:
        """Event time up to which all bars of the first level are closed, nanoseconds; -1 before a symbol is active."""
        bar = int(self._state[CLOSED])
        return bar * self._unit if bar >= 0 else -1


def _lengths(intervals: Sequence[int]) -> tuple[int, ...]:
    found = tuple(int(length) for length in intervals)
    pairs = pairwise(found)
    if not found or found[0] < 1 or any(b % a or b == a for a, b in pairs):
        raise DataError(
            f"intervals={tuple(intervals)} must be whole seconds, each a multiple of the one before, as (1, 5, 60)."
        )
    return found


def _shown(rows: int | Sequence[int], levels: int) -> list[int]:
    found = [int(rows)] * levels if isinstance(rows, int) else [int(count) for count in rows]
    if len(found) != levels or min(found) < 1:
        raise DataError(f"rows={rows!r} must be a number from 1 up, or one for each of {levels} levels.")
    return found


def _check(empty: str, kept: int, lateness: float, patience: float, idle: float) -> None:
    if empty not in {"carry", "hole"}:
        raise DataError(f"empty={empty!r} must be 'carry' or 'hole'.")
    if not 4 <= kept <= 1 << 27:
        raise DataError(f"kept={kept} must lie between 4 and {1 << 27}.")
    for name, value, most in (("lateness", lateness, 3600.0), ("patience", patience, 3600.0), ("idle", idle, 86_400.0)):
        if not 0 <= value <= most:
            raise DataError(f"{name}={value} must lie between 0 and {most:.0f} seconds.")


def warm(intervals: Sequence[int] = (1, 5, 60)) -> None:
    """Compile every kernel, or load it from disk, so that no event of a session has to wait for it.

    Parameters
    ----------
    intervals : sequence of int
        Any lengths; kernels are the same for all.
    """
    bars, second = BarColumns(intervals, rows=2, kept=16), intervals[0] * _SECOND
    bars.active([0], 0)
    ticks = np.zeros(3, dtype=TICK)
    ticks["kind"], ticks["id"], ticks["price"], ticks["size"] = [TRADE, TRADE, CANCEL], [1, 2, 1], 1.0, 1.0
    bars.add(ticks[:1])
    rows = bars.advance(intervals[-1] * _SECOND + 70 * second)
    bars.add(ticks)
    bars.fill(ticks[:1], 0, second)
    bars.revised()
    again = BarColumns(intervals, rows=2, kept=16)
    again.active([0], 0)
    again.restore(np.concatenate(rows))
