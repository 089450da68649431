"""Callbacks that run only while somebody looks, and series that never grow beyond a length."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Final

import panel as pn
from IPython import get_ipython

from dashboards.presence import Presence

#: Milliseconds between two updates at least: four a second.
FASTEST: Final = 250

#: What beats in this kernel, by the notebook cell that shows it: a cell that runs again has its old callbacks stopped.
_BY_CELL: dict[str, Ticker] = {}


class Ticker:
    """Calls a function again and again while somebody looks at the page.

    Parameters
    ----------
    work : callable
        What to do; it runs on the page's event loop and must be quick.
    presence : Presence
        Whether anybody looks.
    period : int
        Milliseconds from one call to the next; never below `FASTEST`.

    Examples
    --------
    >>> Ticker(lambda: None, Presence(lambda: None), 10).period
    250
    """

    def __init__(self, work: Callable[[], None], presence: Presence, period: int = 1000) -> None:
        self.period = max(FASTEST, period)
        self._work, self._presence = work, presence
        self._callback: Any = None

    def start(self, cell: str | None = None) -> None:
        """Begin; what beats for the same notebook cell is stopped."""
        if self._callback is not None:
            return
        if cell is not None:
            former = _BY_CELL.pop(cell, None)
            if former is not None:
                former.stop()
            _BY_CELL[cell] = self
        self._callback = pn.state.add_periodic_callback(self._beat, self.period)

    def stop(self) -> None:
        """End for good."""
        if self._callback is not None:
            self._callback.stop()
            self._callback = None

    @property
    def running(self) -> bool:
        """Whether it beats, be anybody there or not."""
        return self._callback is not None

    def _beat(self) -> None:
        if self._presence.here:
            self._work()


def cell_id() -> str | None:
    """The notebook cell that runs now, where a front end tells it; None outside of notebooks."""
    shell = get_ipython()
    parent = shell.get_parent() if shell is not None and hasattr(shell, "get_parent") else None
    found = (parent or {}).get("metadata", {}).get("cellId")
    return None if found is None else str(found)


class Series:
    """Columns of a Bokeh source that keep their last rows, all sent anew when a browser begins to look.

    Parameters
    ----------
    source : bokeh.models.ColumnDataSource
        What a figure draws from.
    length : int
        Most rows kept.

    Examples
    --------
    >>> from bokeh.models import ColumnDataSource
    >>> series = Series(ColumnDataSource({"x": [], "y": []}), 2)
    >>> for n in range(5):
    ...     series.add({"x": [n], "y": [n * n]})
    >>> series.source.data
    {'x': [3, 4], 'y': [9, 16]}
    """

    def __init__(self, source: Any, length: int = 1_000) -> None:
        self.source, self.length = source, length
        self._kept: dict[str, list[Any]] = {name: list(values)[-length:] for name, values in source.data.items()}

    def add(self, rows: dict[str, Sequence[Any]]) -> None:
        """Add rows at the end and let go of the oldest."""
        for name, values in rows.items():
            self._kept[name] = [*self._kept[name], *values][-self.length :]
        fresh = {name: list(values)[-self.length :] for name, values in rows.items()}
        self.source.stream(fresh, rollover=self.length)

    def show(self, columns: dict[str, Sequence[Any]], key: str = "time") -> None:
        """Show these rows in place of all; where the others are as they were, only those that are new are sent.

        Rows are known by the column `key`, which only grows.
        """
        wanted = {name: list(values)[-self.length :] for name, values in columns.items()}
        fresh = _added(self._kept, wanted, key)
        if fresh is None:
            self.replace(columns)
        elif fresh:
            self.add({name: values[-fresh:] for name, values in wanted.items()})

    def replace(self, columns: dict[str, Sequence[Any]]) -> None:
        """Show these rows, the last of them, in place of all."""
        self._kept = {name: list(values)[-self.length :] for name, values in columns.items()}
        self.resend()

    def resend(self) -> None:
        """Send everything that is kept."""
        self.source.data = {name: list(values) for name, values in self._kept.items()}


def _added(before: dict[str, list[Any]], after: dict[str, list[Any]], key: str) -> int | None:
    """How many rows came at the end, if those before them are as they were; None if one is not."""
    if not before[key] or not after[key]:
        return None if before[key] else len(after[key])
    gone = bisect_left(before[key], after[key][0])
    both = len(before[key]) - gone
    if not 0 < both <= len(after[key]):
        return None
    same = all(all(map(_equal, before[name][gone:], values[:both])) for name, values in after.items())
    return len(after[key]) - both if same else None


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124  (NaN, which equals nothing)
