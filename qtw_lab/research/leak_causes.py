"""Which operator most likely looked ahead, from how the known values move when the future changes.

Each operator leaves a trace. A shift and a forward window change the last few values before a cut and follow one later
bar; a centred window does so on both sides of that bar; a back-fill changes values only where bars are missing; a label
of a week or month changes values only inside that period; scaling by the whole sample changes everything but keeps the
order; a model fitted on everything changes everything and keeps nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from qtw_lab.research.leak_cuts import PERIODS, TRUNCATED, BoolArray, FloatArray, period_numbers

#: What each cause means.
CAUSES: Final[dict[str, str]] = {
    "future shift": "a later bar is used directly: shift(-k), a forward window, or a label among the features",
    "centred window": "a window or filter with bars on both sides: center=True, savgol_filter, filtfilt, gradient",
    "back-fill": "missing values are filled from later bars: bfill, interpolate, fillna with a whole-sample mean",
    "resample label": "a value of a week, month or other block is used before the block has ended",
    "whole-sample scaling": "mean, deviation, range, rank or quantiles of the whole sample scale every value",
    "fit on all": "a model, trend or transform is fitted on the whole sample, bars to be predicted included",
    "later times": "the number of bars or later timestamps are used, though not later prices",
    "other": "the pattern fits none of the usual operators",
}

#: Rows that move by less than this share of the largest move do not tell how far a leak reaches.
_SIGNIFICANT: Final = 0.01
#: An echo is local if the values of this share of the bars before it stay as they were.
_LOCAL: Final = 0.5
#: A fit no better than this names no cause.
_WEAK: Final = 0.4


@dataclass(frozen=True)
class Response:
    """What one question did to the values known before the cut.

    Parameters
    ----------
    kind : str
        "truncated", or how the future was altered.
    data : str
        On which bars, in words.
    cut : int
        How many first bars were left alone.
    known : ndarray
        (cut, K), the values then.
    changed : ndarray
        Boolean (cut, K), which differ from the values with the real future.
    """

    kind: str
    data: str
    cut: int
    known: FloatArray
    changed: BoolArray

    @property
    def leaks(self) -> bool:
        """Whether any value changed."""
        return bool(self.changed.any())

    @property
    def first(self) -> int:
        """The earliest row that changed, in any column."""
        return int(self.changed.any(axis=1).argmax())

    def of(self, column: int) -> Response:
        """The same for one column."""
        return replace(self, known=self.known[:, [column]], changed=self.changed[:, [column]])


@dataclass(frozen=True)
class Case:
    """Everything known about the leak of one column.

    Parameters
    ----------
    full : ndarray
        (T,), the values with the real future.
    missing : ndarray
        Boolean (T,), where the input has no bar.
    index : pandas.DatetimeIndex
        Times of the bars.
    responses : sequence of Response
        One column each, all on the same bars.
    echo : ndarray
        (2 T - 1,), the largest move at each distance from a bar that was struck, T - 1 being that bar itself.
    """

    full: FloatArray
    missing: BoolArray
    index: pd.DatetimeIndex
    responses: Sequence[Response]
    echo: FloatArray

    @property
    def truncated(self) -> list[Response]:
        """The answers on first bars alone."""
        return [response for response in self.responses if response.kind == TRUNCATED]

    @property
    def cut_short(self) -> list[Response]:
        """Those of `truncated` that changed."""
        return [response for response in self.truncated if response.leaks]

    @property
    def lead(self) -> int:
        """How many bars before a struck bar the answer moves."""
        return max(0, len(self.full) - 1 - int(np.flatnonzero(self._loud)[0])) if self._loud.any() else 0

    @property
    def lag(self) -> int:
        """How many bars after a struck bar the answer moves; negative if it has ceased before."""
        return int(np.flatnonzero(self._loud)[-1]) - len(self.full) + 1 if self._loud.any() else 0

    @property
    def _loud(self) -> BoolArray:
        return np.asarray((self.echo > 0) & (self.echo >= _SIGNIFICANT * self.echo.max()), dtype=bool)


@dataclass(frozen=True)
class Cause:
    """The operator that most likely leaks.

    Parameters
    ----------
    name : str
        A key of `CAUSES`.
    confidence : float
        From 0 to 1: how well the pattern fits, by rule. It ranks causes and is not a probability.
    others : tuple of (str, float)
        Other causes that fit to some degree, best first.
    """

    name: str
    confidence: float
    others: tuple[tuple[str, float], ...] = ()

    @property
    def words(self) -> str:
        """What the cause means."""
        return CAUSES[self.name]

    def __str__(self) -> str:
        return f"{self.name} ({self.words})"


def classified(case: Case) -> Cause:
    """The cause whose trace the case fits best; "other", with the nearest ones beside it, if it fits none well."""
    scores = {name: rule(case) for name, rule in RULES.items()}
    ranked = sorted(((name, score) for name, score in scores.items() if score > 0), key=lambda pair: -pair[1])
    if not ranked or ranked[0][1] <= _WEAK:
        return Cause("other", 0.5, tuple(ranked))
    return Cause(*ranked[0], tuple(ranked[1:]))


def agreed(causes: Sequence[Cause]) -> Cause:
    """The cause most columns share; its confidence is their mean, times the share of columns."""
    votes = Counter(cause.name for cause in causes)
    best = max(votes, key=lambda name: (votes[name], sum(c.confidence for c in causes if c.name == name)))
    scores = defaultdict[str, float](float)
    for cause in causes:
        for name, score in ((cause.name, cause.confidence), *cause.others):
            scores[name] += score / len(causes)
    others = sorted(((name, round(score, 3)) for name, score in scores.items() if name != best), key=lambda p: -p[1])
    return Cause(best, round(sum(c.confidence for c in causes if c.name == best) / len(causes), 3), tuple(others))


def _later_times(case: Case) -> float:
    """Only the length of the history matters: no replaced future changed what shorter histories did."""
    short = {response.cut for response in case.cut_short}
    tried = [response for response in case.responses if response.kind != TRUNCATED and response.cut in short]
    moved = any(response.leaks for response in case.responses if response.kind != TRUNCATED)
    return 0.97 if len(tried) >= 3 and not moved and not case.echo[: len(case.full) - 1].any() else 0.0


def _back_fill(case: Case) -> float:
    leaky = case.cut_short
    if not leaky:
        return 0.0
    only_gaps = all(not (r.changed[:, 0] & ~case.missing[: r.cut]).any() for r in leaky)
    inside = [r for r in case.truncated if case.missing[r.cut - 1]]
    outside = [r for r in case.truncated if not case.missing[r.cut - 1]]
    if only_gaps and inside and len(outside) >= 3:
        return 0.9 if any(r.leaks for r in outside) else 0.98
    return 0.94 if len(leaky) < len(case.truncated) and all(_repeats_the_next(case.full, r) for r in leaky) else 0.0


def _repeats_the_next(full: FloatArray, response: Response) -> bool:
    """Whether values that were unknown at the cut are, later, all equal to the value of the bar after it."""
    moved = response.changed[:, 0]
    filled = np.isnan(response.known[:, 0]) & moved
    if not (filled == moved).all():
        return False
    after = full[response.cut :]
    after = after[np.isfinite(after)]
    return bool(len(after)) and bool(np.all(full[: response.cut][moved] == after[0]))


def _resample_label(case: Case) -> float:
    if any(_fits_period(case, period) for period in PERIODS):
        return 0.92
    return _in_blocks(case)


def _fits_period(case: Case, period: str) -> bool:
    """Whether values change from the first bar of the period that the cut goes through, and at no cut between two."""
    numbers = period_numbers(case.index, period)
    between = [r for r in case.truncated if numbers[r.cut - 1] != numbers[r.cut]]
    through = [r for r in case.truncated if numbers[r.cut - 1] == numbers[r.cut]]
    leaky = [r for r in through if r.leaks]
    if len(leaky) < 3 or not between or any(r.leaks for r in between):
        return False
    if not all((numbers[: r.cut][r.changed[:, 0]] == numbers[r.cut]).all() for r in leaky):
        return False
    opening = [np.isfinite(case.full) & (numbers == numbers[r.cut]) for r in leaky]
    return sum(r.first == int(rows.argmax()) for r, rows in zip(leaky, opening, strict=True)) >= 0.7 * len(leaky)


def _in_blocks(case: Case) -> float:
    """How surely the first value to change stays where it is while the cut moves on, then jumps, over and over.

    In blocks of any length it jumps only past a cut between two blocks, at which nothing changes, and all values from
    it to the cut change.
    """
    first = {r.cut: r.first for r in case.cut_short}
    steps = [first[cut + 1] - first[cut] for cut in first if cut + 1 in first]
    still = sum(step == 0 for step in steps)
    starts = {row for cut, row in first.items() if cut > len(case.full) // 5}
    if len(steps) < 4 or still < 0.5 * len(steps) or len(starts) < 4:
        return 0.0
    clean = any(not r.leaks and r.cut - 1 in first for r in case.truncated)
    solid = sum(bool(r.changed[r.first :].all()) for r in case.cut_short)
    return 0.92 if still == len(steps) and clean and solid >= 0.7 * len(first) else 0.6


def _whole_sample_scaling(case: Case) -> float:
    if not _reaches_back(case):
        return 0.0
    kept = [kind for r in case.cut_short if (kind := _order(case.full, r)) is not None]
    if not kept:
        return 0.3
    orderly = sum(kind != "broken" for kind in kept)
    if orderly < 0.9 * len(kept):
        return 0.0
    return 0.95 if sum(kind == "affine" for kind in kept) >= 0.8 * len(kept) else 0.85


def _fit_on_all(case: Case) -> float:
    if not _reaches_back(case):
        return 0.0
    kept = [kind for r in case.cut_short if (kind := _order(case.full, r)) is not None]
    if not kept:
        return 0.4
    return 0.85 if sum(kind == "broken" for kind in kept) > 0.1 * len(kept) else 0.2


def _order(full: FloatArray, response: Response) -> str | None:
    """How the values of a shorter history follow from those of the whole: "affine", "ordered" or "broken".

    None if too few values, or values that only rise or fall in time, which any smooth change would keep in order.
    """
    first, second = full[: response.cut], response.known[:, 0]
    both = np.isfinite(first) & np.isfinite(second)
    first, second = first[both], second[both]
    if len(first) < 20 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    steps = np.diff(first)
    if (steps >= 0).all() or (steps <= 0).all():
        return None
    line = np.polynomial.Polynomial.fit(first, second, 1)
    if np.abs(line(first) - second).max() <= 1e-7 * np.ptp(second):
        return "affine"
    slack = 1e-9 * np.abs(second).max()
    for sign in (1.0, -1.0):
        levels = (sign * second)[np.lexsort((sign * second, first))]
        if (np.diff(levels) >= -slack).all():
            return "ordered"
    return "broken"


def _reaches_back(case: Case) -> bool:
    """Whether a late cut changes values far back, and a struck bar is heard there."""
    start = int(np.isfinite(case.full).argmax())
    late = [r for r in case.responses if r.leaks and r.cut - start >= max(10, len(case.full) * 0.3)]
    found = late or [r for r in case.responses if r.leaks and r.cut - start >= 5]
    if not found:
        return False
    shares = [(r.cut - _first_loud(r, case.full)) / (r.cut - start) for r in found]
    return float(np.quantile(shares, 0.6)) >= _LOCAL


def _first_loud(response: Response, full: FloatArray) -> int:
    """The first row that changed by a fair part of the largest move."""
    moved = response.changed[:, 0]
    with np.errstate(invalid="ignore"):
        size = np.abs(full[: response.cut] - response.known[:, 0])
    lost = moved & ~np.isfinite(size)
    size = np.where(moved & np.isfinite(size), size, 0.0)
    loud = lost | (moved & (size >= _SIGNIFICANT * size.max(initial=0.0)))
    return int(loud.argmax())


def _two_sided(case: Case) -> bool:
    """Whether a struck bar is heard about as far after it as before."""
    return case.lead >= 1 and 0.6 * case.lead <= case.lag <= 1.6 * case.lead + 1


def _centred_window(case: Case) -> float:
    if not _two_sided(case):
        return 0.0
    return 0.3 if _reaches_back(case) else 0.9


def _future_shift(case: Case) -> float:
    if _reaches_back(case):
        return 0.0
    if case.lead == 0:
        return 0.45
    return 0.3 if _two_sided(case) else 0.9


#: How well each cause fits, from 0 to 1.
RULES: Final[dict[str, Callable[[Case], float]]] = {
    "later times": _later_times,
    "back-fill": _back_fill,
    "resample label": _resample_label,
    "whole-sample scaling": _whole_sample_scaling,
    "fit on all": _fit_on_all,
    "centred window": _centred_window,
    "future shift": _future_shift,
}
