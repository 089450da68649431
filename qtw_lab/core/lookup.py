"""Choosing by name from an explicit table, with a helpful answer to a misspelt name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from qtw_lab.core.errors import DataError

T = TypeVar("T")


def near_misses(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Known names that look like `name`, best first, compared without regard to case.

    Examples
    --------
    >>> near_misses("sma_crss", ["sma_cross", "macd"])
    ['sma_cross']
    """
    folded: dict[str, str] = {}
    for entry in known:
        folded.setdefault(entry.casefold(), entry)
    return [folded[match] for match in get_close_matches(name.casefold(), folded, n=count, cutoff=0.6)]


def lookup(name: str, table: Mapping[str, T], kind: str = "name") -> T:
    """The entry of `table` called `name`.

    Parameters
    ----------
    name : str
        What the caller asked for.
    table : mapping of str to any
        Everything that can be asked for.
    kind : str
        What the entries are ("strategy", "symbol"), for the error message.

    Raises
    ------
    DataError
        If there is no such entry; the message suggests near misses, or lists what there is.

    Examples
    --------
    >>> lookup("b", {"a": 1, "b": 2})
    2
    >>> lookup("sma_crss", {"sma_cross": 1, "macd": 2}, "strategy")
    Traceback (most recent call last):
    ...
    qtw_lab.core.errors.DataError: There is no strategy 'sma_crss'. Did you mean 'sma_cross'?
    """
    if not isinstance(name, str):
        raise DataError(f"A {kind} is chosen by its name, as text, not by {name!r}.")
    if name in table:
        return table[name]
    close = near_misses(name, table)
    if close:
        choices = " or ".join(repr(match) for match in close)
        raise DataError(f"There is no {kind} {name!r}. Did you mean {choices}?")
    listed = ", ".join(sorted(table)[:30]) or "none at all"
    more = f" and {len(table) - 30} more" if len(table) > 30 else ""
    raise DataError(f"There is no {kind} {name!r}. Known: {listed}{more}.")
