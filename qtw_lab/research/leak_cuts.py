"""Where a history is cut, and what may stand after the cut: the questions that show whether a function looks ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Bars, DataError
from qtw_lab.core.bars import FIELDS

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Fields = dict[str, FloatArray]

#: The probe that shows a function the first bars only.
TRUNCATED: Final = "truncated"
#: Calendar periods whose first bar may already know the last one, shortest first.
PERIODS: Final = ("D", "W", "M", "Q", "Y")

_PRICES: Final = ("open", "high", "low", "close")


def spread_cuts(full: FloatArray, present: BoolArray, count: int) -> list[int]:
    """Numbers of first bars to cut at: early, around the warm-up, where answers change, around gaps, evenly and late.

    Parameters
    ----------
    full : ndarray
        (T, K), the answer on the whole history; where it first has a value the warm-up is taken to end.
    present : ndarray
        Boolean (T, N), whether a symbol has a bar.
    count : int
        How many cuts to spread; a few more are added where an answer that seldom changes does, and around gaps.

    Returns
    -------
    list of int
        Sorted, each from 1 to T - 1.

    Examples
    --------
    >>> cuts = spread_cuts(np.arange(100.0)[:, None], np.ones((100, 1), dtype=bool), 12)
    >>> cuts[:3], cuts[-3:]
    ([1, 2, 5], [97, 98, 99])
    """
    length = len(full)
    known = np.isfinite(full).any(axis=1)
    warmup = int(known.argmax())
    found = {1, 2, 5, 14, warmup // 2, warmup, warmup + 1, length - 5, length - 2, length - 1}
    found |= {int(cut) for cut in np.linspace(warmup + 2, length - 3, max(2, count - 10))}
    changes = _changes(full)
    if len(changes) < length // 2:  # a signal that seldom changes: its onset is where it may have known more
        found |= {row + 1 for row in _some(changes, 8)}
    return _inside(found | _around_gaps(present, 4), length)


def hole_cuts(present: BoolArray) -> list[int]:
    """Numbers of first bars to cut at in bars with holes: inside each gap, at its edges, and a few far from any.

    Examples
    --------
    >>> present = np.ones((90, 1), dtype=bool)
    >>> present[:30] = False
    >>> hole_cuts(present)
    [15, 29, 30, 31, 45, 66, 75, 88]
    """
    length = len(present)
    evenly = {int(cut) for cut in np.linspace(length / 2, length - 2, 3)} | {length // 6, length * 5 // 6}
    return _inside(_around_gaps(present, 8) | evenly, length)


def consecutive_cuts(present: BoolArray, count: int = 12) -> list[int]:
    """Cuts one bar apart, about the middle, in a stretch where every symbol that is listed by then has bars.

    Examples
    --------
    >>> consecutive_cuts(np.ones((100, 1), dtype=bool), 3)
    [50, 51, 52]
    """
    length = len(present)
    listed = np.maximum.accumulate(present, axis=0)
    whole = (present == listed).all(axis=1) & present.any(axis=1)
    middle = range(length // 2, max(length // 2 + 1, length - count))
    start = next((row for row in middle if whole[max(0, row - 2) : row + count].all()), length // 2)
    return _inside(range(start, start + count), length)


def period_cuts(index: pd.DatetimeIndex) -> list[int]:
    """For each calendar period, cuts exactly between two of them and in the middle of one, about the middle.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=60, tz="UTC")
    >>> 31 in period_cuts(days)
    True
    """
    length, found = len(index), set[int]()
    for period in PERIODS:
        numbers = period_numbers(index, period)
        edges = np.flatnonzero(np.diff(numbers)) + 1
        if not len(edges) or len(edges) > length * 0.9:
            continue
        near = edges[np.argsort(np.abs(edges - length * 0.55), kind="stable")[:3]]
        found |= {int(edge) for edge in near}
        found |= {int(edge) + step for edge in near[:2] for step in (-2, 2)}
    return _inside(found, length)


def period_numbers(index: pd.DatetimeIndex, period: str) -> npt.NDArray[np.int64]:
    """The number of the calendar period each bar lies in, (T,), rising by one from a period to the next."""
    return np.asarray(index.tz_convert("UTC").tz_localize(None).to_period(period).asi8, dtype=np.int64)


def with_holes(bars: Bars) -> Bars:
    """The bars with a late listing in the last symbol and holes in the first and last.

    Some ways of peeking (``bfill``, ``interpolate``) show only there.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=50, tz="UTC")
    >>> bars = Bars.from_frame(pd.DataFrame({"close": np.arange(1.0, 51.0)}, index=days), symbol="X")
    >>> int((~with_holes(bars).present).sum())
    15
    """
    length = len(bars)
    gone = np.zeros(bars.shape, dtype=bool)
    gone[: length // 5, -1] = True
    gone[length * 6 // 10 : length * 6 // 10 + 4, 0] = True
    gone[length * 8 // 10, -1] = True
    return replace(bars, values={name: np.where(gone, np.nan, bars.values[name]) for name in FIELDS})


def altered(bars: Bars, cut: int, kind: str, rng: np.random.Generator) -> Bars:
    """The bars with everything from row `cut` on replaced, the first `cut` bars untouched and the length kept.

    Parameters
    ----------
    bars : Bars
        T bars.
    cut : int
        How many first bars stay, from 0 to T - 1.
    kind : str
        A key of `ALTERATIONS`.
    rng : numpy.random.Generator
        Draws the noise, the order and the holes.
    """
    fields = {name: bars.values[name].copy() for name in FIELDS}
    later = {name: array[cut:] for name, array in fields.items()}
    for name, array in ALTERATIONS[kind](later, _anchor(bars, cut), rng).items():
        fields[name][cut:] = array
    return replace(bars, values=fields)


def struck(bars: Bars, row: int, factor: float) -> Bars:
    """The bars with the prices and volumes of one bar multiplied by `factor`, all others untouched."""
    fields = {name: bars.values[name].copy() for name in FIELDS}
    for array in fields.values():
        array[row] *= factor
    return replace(bars, values=fields)


def _anchor(bars: Bars, cut: int) -> FloatArray:
    """The last known close of each symbol, (N,); its first close where none is known yet, 1 where there is none."""
    closes = bars.values["close"]
    filled = pd.DataFrame(closes[:cut]).ffill().to_numpy()
    last = filled[-1] if cut else np.full(closes.shape[1], np.nan)
    first = pd.DataFrame(closes).bfill().to_numpy()[0]  # a test may know the future: that is its point
    return np.where(np.isfinite(last), last, np.where(np.isfinite(first), first, 1.0))


def _multiplied(prices: float, volume: float) -> Callable[[Fields, FloatArray, np.random.Generator], Fields]:
    def change(later: Fields, _: FloatArray, __: np.random.Generator) -> Fields:
        return {name: array * (volume if name == "volume" else prices) for name, array in later.items()}

    return change


def _mirrored(later: Fields, anchor: FloatArray, _: np.random.Generator) -> Fields:
    """Every later rise a fall of the same logarithm, and the other way round."""
    with np.errstate(divide="ignore", over="ignore"):
        flipped = {name: anchor**2 / later[name] for name in _PRICES}
    return {**flipped, "high": flipped["low"], "low": flipped["high"], "volume": later["volume"]}


def _shuffled(later: Fields, _: FloatArray, rng: np.random.Generator) -> Fields:
    """Later bars in another order, each with a level of its own; a symbol keeps its gaps."""
    rows, width = later["close"].shape
    order = rng.permutation(rows)
    noise = np.exp(rng.normal(0.0, 0.05, (rows, width)))
    return {name: _reordered(array, order) * noise for name, array in later.items()}


def _reordered(array: FloatArray, order: npt.NDArray[np.int64]) -> FloatArray:
    out = np.full_like(array, np.nan)
    for column in range(array.shape[1]):
        there = np.isfinite(array[:, column])
        out[there, column] = array[order[there[order]], column]
    return out


def _missing(later: Fields, _: FloatArray, rng: np.random.Generator) -> Fields:
    """The next three bars gone, and one in five of those after."""
    gone = rng.random(later["close"].shape) < 0.2
    gone[:3] = True
    return {name: np.where(gone, np.nan, array) for name, array in later.items()}


#: Futures to replace the real one by.
ALTERATIONS: Final[dict[str, Callable[[Fields, FloatArray, np.random.Generator], Fields]]] = {
    "future higher": _multiplied(1.5, 2.0),
    "future lower": _multiplied(0.6, 0.5),
    "future mirrored": _mirrored,
    "future shuffled": _shuffled,
    "future missing": _missing,
}


def chosen_cuts(cuts: Any, length: int) -> list[int]:
    """The caller's cuts, sorted and each once.

    Raises
    ------
    DataError
        If they are not whole numbers from 1 to T - 1.
    """
    given = list(cuts) if np.iterable(cuts) else []  # a number alone may be meant as a count
    whole = [int(cut) for cut in given if isinstance(cut, (int, np.integer)) and not isinstance(cut, bool)]
    if len(whole) < len(given) or not whole or min(whole) < 1 or max(whole) >= length:
        raise DataError(
            f"Cuts are how many first bars are known, whole numbers from 1 to {length - 1}, not {given[:10] or cuts!r}."
        )
    return sorted(set(whole))


def _around_gaps(present: BoolArray, most: int) -> set[int]:
    edges = _some(_changes(present.astype(np.float64)), most)
    found = {edge + step for edge in edges for step in (-1, 0, 1)}
    return found | {(before + edge) // 2 for before, edge in zip([0, *edges], edges, strict=False)}


def _changes(values: FloatArray) -> list[int]:
    """Rows in which some column differs from the row before, NaN being equal to NaN."""
    same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    return [int(row) + 1 for row in np.flatnonzero(~same.all(axis=1))]


def _some(rows: list[int], count: int) -> list[int]:
    """At most `count` of the rows, evenly spread."""
    if len(rows) <= count:
        return rows
    return [rows[int(place)] for place in np.linspace(0, len(rows) - 1, count)]


def _inside(cuts: Iterable[int], length: int) -> list[int]:
    return sorted(int(cut) for cut in set(cuts) if 1 <= cut < length)


@dataclass(frozen=True, slots=True)
class Question:
    """What a function is asked: in which world, how the future is changed, and how many first bars are left alone."""

    world: int
    kind: str
    cut: int


def questions(cuts: Sequence[int], holed: Sequence[int]) -> list[Question]:
    """What to ask first: cut short at every cut of both worlds, and each other future twice in the first.

    Parameters
    ----------
    cuts : sequence of int
        Cuts of the bars as given (world 0).
    holed : sequence of int
        Cuts of the copy with holes (world 1); none if the function refuses it.

    Examples
    --------
    >>> [question.cut for question in questions([10, 20, 30], []) if question.kind == "future missing"]
    [10, 20]
    """
    late = [cut for cut in cuts if cut >= cuts[-1] // 6] or list(cuts)
    kinds = [*ALTERATIONS, *ALTERATIONS]
    places = [late[int(place)] for place in np.linspace(0, len(late) - 1, len(kinds))]
    # neighbouring kinds at neighbouring cuts, and the second round in another order of cuts than the first
    order = [places[(3 * number) % len(places)] for number in range(len(places))]
    asked = [Question(0, TRUNCATED, cut) for cut in cuts]
    asked += [Question(0, kind, cut) for kind, cut in zip(kinds, order, strict=True)]
    return asked + [Question(1, TRUNCATED, cut) for cut in holed]


def closer_questions(world: int, bars: Bars, short: Sequence[int]) -> list[Question]:
    """What to ask once something leaks, to tell its cause: cuts one bar apart, cuts at periods, and every future.

    Parameters
    ----------
    world : int
        The world that leaks.
    bars : Bars
        Its bars.
    short : sequence of int
        Cuts at which a shorter history changed something.
    """
    cuts = sorted({*consecutive_cuts(bars.present), *period_cuts(bars.index)})
    asked = [Question(world, TRUNCATED, cut) for cut in cuts]
    middle = sorted({short[len(short) // 2], short[-1]}) if short else []
    return asked + [Question(world, kind, cut) for cut in middle for kind in ALTERATIONS]
