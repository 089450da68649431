"""Which bars to fit on and which to judge by, when the bars are a history: no fit may know what it is judged by.

Splitters with the methods that scikit-learn asks of one (``split`` and ``get_n_splits``), so that they serve as its
``cv=``. Two things leak across a plain cut. The *label* of bar t may look ahead to bar t + h: then a training bar whose
label overlaps a test label is left out (purging). And features may look back into the test bars: then further bars
after each test block are left out (the embargo). Lopez de Prado, "Advances in Financial Machine Learning" (2018),
chapters 7 and 12.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.stats.columns import whole

IntArray = npt.NDArray[np.intp]
#: Bars a label looks ahead, or for each bar the position or time of the last bar its label uses.
Horizon = int | npt.ArrayLike | pd.Series | pd.DatetimeIndex

#: More fits than these are a slip in the settings, not a plan.
_MOST_SPLITS = 100_000


@dataclass(frozen=True, eq=False)
class WalkForward:
    """Training windows, each followed by the test block it is judged by, moving forward through the history.

    Parameters
    ----------
    train_size : int
        Bars of a training window; of the first one, if `anchored`.
    test_size : int
        Bars of a test block.
    anchored : bool
        Whether every training window begins at the first bar, and so grows; else it keeps its size and rolls.
    step : int, optional
        Bars from one test block to the next; `test_size` by default, so that the blocks join without overlap.
    purge : int
        Bars left out between training and test, for labels that look so many bars ahead.
    embargo : int or float
        Further bars left out there, or a fraction of all bars (rounded up). Since no training bar comes after its test
        block, purge and embargo lie in the same gap.
    partial : bool
        Whether bars at the end that do not fill a test block make a shorter one; else they are not tested.

    Raises
    ------
    DataError
        If a size is not a whole number in its range; when splitting, if there are too few bars for one window.

    Examples
    --------
    >>> for train, test in WalkForward(train_size=4, test_size=2, purge=1).split(range(9)):
    ...     print(train, test)
    [0 1 2 3] [5 6]
    [2 3 4 5] [7 8]
    """

    train_size: int
    test_size: int
    anchored: bool = False
    step: int | None = None
    purge: int = 0
    embargo: float = 0
    partial: bool = False

    def __post_init__(self) -> None:
        for name, least in (("train_size", 1), ("test_size", 1), ("purge", 0)):
            whole(name, getattr(self, name), least)
        if self.step is not None:
            whole("step", self.step, 1)
        _check_embargo(self.embargo)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntArray, IntArray]]:  # noqa: ARG002, N803  (scikit-learn's names)
        """Yield the bars of each training window and of its test block, as positions in increasing order.

        Parameters
        ----------
        X : sized
            Anything with as many rows as there are bars.
        y, groups
            Ignored; scikit-learn passes them.
        """
        size = _length(X)
        gap = self.purge + _embargoed(self.embargo, size)
        for start in self._starts(size):
            end = start - gap
            first = 0 if self.anchored else end - self.train_size
            yield np.arange(first, end), np.arange(start, min(start + self.test_size, size))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002, N803
        """How many windows there are; that depends on the bars, so `X` must be given."""
        if X is None:
            raise DataError("The number of walk-forward windows depends on the bars: call get_n_splits(X).")
        return len(self._starts(_length(X)))

    def _starts(self, size: int) -> range:
        """Where the test blocks begin."""
        first = self.train_size + self.purge + _embargoed(self.embargo, size)
        last = size - (1 if self.partial else self.test_size)
        starts = range(first, last + 1, self.step or self.test_size)
        if not starts:
            raise DataError(
                f"{size} bars are too few for one window: {first} for training and its gap, then "
                f"{self.test_size} for the test. Give a longer history, or smaller train_size or test_size."
            )
        return starts


@dataclass(frozen=True, eq=False)
class PurgedKFold:
    """Consecutive blocks that are each the test once; training is the other bars, less those that would leak.

    A training bar is left out if its label overlaps the span from the first test bar to the last bar that a test label
    uses, or if it lies within the embargo after that span. Lopez de Prado (2018), section 7.4, where a training label
    may end on the very first test bar; here it may not, since both labels then use that bar's price.

    Parameters
    ----------
    n_splits : int
        Number of blocks, at least 2. They differ by at most one bar, the longer ones first.
    label_horizon : int, array_like or Series
        How many bars ahead a label looks: that of bar t uses bars t to t + h. Or for each bar the position of the last
        bar its label uses; or the time of that, as a Series indexed by the times of the bars, or as times alone if `X`
        is a Series or DataFrame with times.
    embargo : int or float
        Bars left out after the last bar of the test labels, or a fraction of all bars (rounded up).

    Raises
    ------
    DataError
        If an argument is not in its range; when splitting, if there are too few bars, label ends do not fit the bars,
        or no training bar is left.

    Examples
    --------
    >>> for train, test in PurgedKFold(n_splits=3, label_horizon=1, embargo=1).split(range(9)):
    ...     print(train, test)
    [5 6 7 8] [0 1 2]
    [0 1 8] [3 4 5]
    [0 1 2 3 4] [6 7 8]
    """

    n_splits: int = 5
    label_horizon: Horizon = 0
    embargo: float = 0

    def __post_init__(self) -> None:
        whole("n_splits", self.n_splits, 2)
        _check_horizon(self.label_horizon)
        _check_embargo(self.embargo)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntArray, IntArray]]:  # noqa: ARG002, N803
        """Yield the training and test bars of each split, as positions in increasing order; see `WalkForward.split`."""
        size = _length(X)
        ends, gap = _label_ends(self.label_horizon, X, size), _embargoed(self.embargo, size)
        for block in _blocks(size, self.n_splits):
            yield _training([block], ends, gap), block

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002, N803
        """How many splits there are."""
        return self.n_splits


@dataclass(frozen=True, eq=False)
class CombinatorialPurgedCV:
    """Every choice of k of N consecutive groups as test, so that the tests join to several histories, not one.

    Each group is tested in ``C(N - 1, k - 1)`` splits: as often as there are paths, ``phi = C(N, k) k / N``. One path
    takes each group once, from different fits. Purging and embargo are those of `PurgedKFold`, around each test group.
    Lopez de Prado (2018), section 12.4.

    Parameters
    ----------
    n_groups : int
        N, at least 2. Groups differ by at most one bar, the longer ones first.
    n_test_groups : int
        k, from 1 to N - 1.
    label_horizon, embargo
        As for `PurgedKFold`.

    Raises
    ------
    DataError
        As `PurgedKFold`, or if there were more than 100,000 splits.

    Examples
    --------
    >>> cv = CombinatorialPurgedCV(n_groups=4, n_test_groups=2)
    >>> cv.n_splits, cv.n_paths
    (6, 3)
    >>> cv.paths().tolist()  # the split that tests each group, for each path
    [[0, 0, 1, 2], [1, 3, 3, 4], [2, 4, 5, 5]]
    """

    n_groups: int = 6
    n_test_groups: int = 2
    label_horizon: Horizon = 0
    embargo: float = 0

    def __post_init__(self) -> None:
        whole("n_groups", self.n_groups, 2)
        whole("n_test_groups", self.n_test_groups, 1)
        if self.n_test_groups >= self.n_groups:
            raise DataError(
                f"n_test_groups={self.n_test_groups} leaves none of n_groups={self.n_groups} to train on; give fewer."
            )
        if self.n_splits > _MOST_SPLITS:
            raise DataError(
                f"n_groups={self.n_groups} and n_test_groups={self.n_test_groups} make {self.n_splits:,} splits, more "
                f"than {_MOST_SPLITS:,}; give fewer groups."
            )
        _check_horizon(self.label_horizon)
        _check_embargo(self.embargo)

    @property
    def n_splits(self) -> int:
        """Number of splits, C(N, k)."""
        return math.comb(self.n_groups, self.n_test_groups)

    @property
    def n_paths(self) -> int:
        """Number of paths, C(N, k) k / N."""
        return math.comb(self.n_groups - 1, self.n_test_groups - 1)

    @property
    def test_groups(self) -> IntArray:
        """The groups that each split tests, (n_splits, k), in increasing order."""
        return np.array(list(combinations(range(self.n_groups), self.n_test_groups)), dtype=np.intp)

    def paths(self) -> IntArray:
        """For each path the split whose test gives each group, (n_paths, N).

        Path p takes of every group the test in the p-th of the splits that test it.
        """
        chosen = self.test_groups
        return np.array([np.flatnonzero((chosen == group).any(axis=1)) for group in range(self.n_groups)]).T

    def groups(self, X: Any) -> list[IntArray]:  # noqa: N803
        """The bars of each group, as positions."""
        return _blocks(_length(X), self.n_groups)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[IntArray, IntArray]]:  # noqa: ARG002, N803
        """Yield the training and test bars of each split, as positions in increasing order; see `WalkForward.split`."""
        size = _length(X)
        ends, gap = _label_ends(self.label_horizon, X, size), _embargoed(self.embargo, size)
        blocks = _blocks(size, self.n_groups)
        for chosen in self.test_groups:
            tested = [blocks[group] for group in chosen]
            yield _training(tested, ends, gap), np.concatenate(tested)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002, N803
        """How many splits there are."""
        return self.n_splits


def _training(tested: list[IntArray], ends: IntArray, embargo: int) -> IntArray:
    """The bars that are in no test block, whose labels overlap no test label, and that no embargo covers."""
    bars = np.arange(len(ends))
    kept = np.ones(len(ends), dtype=bool)
    for block in tested:
        first, last = block[0], ends[block].max()
        kept &= (ends < first) | (bars > last + embargo)
        kept[block] = False
    if not kept.any():
        raise DataError(
            f"Purging and an embargo of {embargo} bars leave no training bar of {len(ends)} beside the test bars "
            f"{tested[0][0]} to {tested[-1][-1]}. Give more bars, a shorter label horizon or embargo, or fewer groups."
        )
    return np.flatnonzero(kept)


def _blocks(size: int, count: int) -> list[IntArray]:
    """Consecutive blocks of nearly equal size."""
    if size < count:
        raise DataError(f"{size} bars cannot make {count} blocks; give more bars or fewer splits.")
    return np.array_split(np.arange(size), count)


def _label_ends(horizon: Horizon, X: Any, size: int) -> IntArray:  # noqa: N803
    """Position of the last bar that each bar's label uses, (T,)."""
    if isinstance(horizon, (int, np.integer)):
        return np.arange(size) + int(horizon)
    given = np.asarray(horizon)
    if len(given) != size:
        raise DataError(f"label_horizon has {len(given)} label ends for {size} bars; give one for each bar.")
    ends = _places(horizon, _index(X)) if given.dtype.kind in "MO" else given.astype(np.intp)
    early = np.flatnonzero(ends < np.arange(size))
    if early.size:
        raise DataError(
            f"The label of bar {early[0]} ends at bar {ends[early[0]]}, before it begins. label_horizon is one number "
            "of bars, or for each bar the position or time where its label ends."
        )
    return ends


def _places(horizon: Any, index: pd.Index | None) -> IntArray:
    """Position of the last bar at or before each time."""
    own = horizon.index if isinstance(horizon, pd.Series) and isinstance(horizon.index, pd.DatetimeIndex) else None
    times = index if isinstance(index, pd.DatetimeIndex) else own
    if times is None:
        raise DataError(
            "Label ends that are times need the times of the bars: give label_horizon as a Series indexed by them, or "
            "an X with a DatetimeIndex."
        )
    if own is not None and not own.equals(times):
        raise DataError("label_horizon and X have different times; reindex one to the other.")
    if not times.is_monotonic_increasing:
        raise DataError("The times of the bars must increase; sort them.")
    ends = pd.DatetimeIndex(horizon)
    if ends.hasnans:
        raise DataError(f"The label of bar {int(np.argmax(ends.isna()))} has no end (NaT); drop that bar first.")
    if (ends.tz is None) != (times.tz is None):
        raise DataError("Label ends and bars must both have a time zone, or neither; see tz_localize.")
    return np.asarray(times.searchsorted(ends, side="right") - 1, dtype=np.intp)


def _check_horizon(horizon: Any) -> None:
    """Refuse what can be no label horizon, whatever the bars."""
    if isinstance(horizon, (int, np.integer)) and not isinstance(horizon, bool):
        whole("label_horizon", int(horizon), 0)
        return
    given = np.asarray(horizon)
    zoned = isinstance(getattr(horizon, "dtype", None), pd.DatetimeTZDtype)  # NumPy sees objects there
    if given.ndim != 1 or not (given.dtype.kind in "iuM" or zoned):
        raise DataError(
            f"label_horizon={horizon!r:.80} must be a whole number of bars of at least 0, or for each bar the position "
            "or time where its label ends."
        )


def _check_embargo(embargo: Any) -> None:
    """Refuse what is neither a number of bars nor a fraction."""
    number = isinstance(embargo, (int, float, np.integer, np.floating)) and not isinstance(embargo, bool)
    bars = isinstance(embargo, (int, np.integer))
    if not number or not 0 <= embargo < (math.inf if bars else 1):
        raise DataError(
            f"embargo={embargo!r} must be a whole number of bars of at least 0, or a fraction of all bars from 0.0 to "
            "below 1.0."
        )


def _embargoed(embargo: float, size: int) -> int:
    """Bars under embargo; a fraction is rounded up, less what binary fractions add."""
    return int(embargo) if isinstance(embargo, (int, np.integer)) else math.ceil(embargo * size - 1e-9)


def _length(X: Any) -> int:  # noqa: N803
    """How many bars X has."""
    shape = getattr(X, "shape", None)
    if shape == () or (shape is None and not hasattr(X, "__len__")):
        raise DataError(f"X must have a number of rows, such as an array or a table of bars, not {type(X).__name__}.")
    size = int(shape[0]) if shape else len(X)
    if size < 1:
        raise DataError("X has no rows; give at least one bar.")
    return size


def _index(X: Any) -> pd.Index | None:  # noqa: N803
    """The labels of X, if it has any."""
    labels = getattr(X, "index", None)
    return labels if isinstance(labels, pd.Index) else None  # a list has a method of that name
