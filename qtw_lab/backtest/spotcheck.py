"""A sample of a sweep's rows, run again by the reference engine."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result

#: Most rows a share stands for.
MOST_ROWS: Final = 50
#: Most bars times symbols a share stands for: the reference engine takes about 25 microseconds for each.
MOST_SYMBOL_BARS: Final = 400_000
#: Largest difference of two figures that agree, as a fraction of the larger of 1 and the figure.
TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which rows are run again.

    Parameters
    ----------
    verify : float or int
        A fraction of the rows, rounded up, but at most `MOST_ROWS` of them and as many as make `MOST_SYMBOL_BARS`; or,
        as a whole number, just so many rows; 0 for none.
    seed : int
        Of the draw.

    Raises
    ------
    DataError
        If `verify` is neither, or the seed is not a whole number of 0 or more.
    """

    verify: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        known = isinstance(self.verify, (int, float, np.number)) and not isinstance(self.verify, bool)
        share = known and 0 <= self.verify <= 1
        if not known or not (share or (float(self.verify).is_integer() and self.verify > 1)):
            raise DataError(
                f"verify={self.verify!r} must be a fraction of the rows from 0 to 1, such as 0.01, or a number of rows "
                "such as 20; 0 verifies none."
            )
        if not isinstance(self.seed, (int, np.integer)) or isinstance(self.seed, bool) or self.seed < 0:
            raise DataError(f"seed={self.seed!r} must be a whole number of 0 or more.")

    def count(self, rows: int, symbol_bars: int) -> int:
        """How many of `rows` are run again, each of so many bars times symbols.

        Examples
        --------
        >>> [Sampling(0.01).count(rows, 2_148) for rows in (0, 3, 1_000, 495_000)]
        [0, 1, 10, 50]
        >>> Sampling(0.01).count(4_950, 500 * 2_520), Sampling(200).count(4_950, 2_148), Sampling(0).count(4_950, 2_148)
        (1, 200, 0)
        """
        if self.verify == 0 or rows == 0:
            return 0
        if isinstance(self.verify, (int, np.integer)):
            return min(int(self.verify), rows)
        most = max(1, min(MOST_ROWS, MOST_SYMBOL_BARS // max(1, symbol_bars)))
        return min(int(np.ceil(self.verify * rows)), most, rows)

    def places(self, rows: int, symbol_bars: int) -> npt.NDArray[np.int64]:
        """Which of `rows` are run again, in order."""
        drawn = np.random.default_rng(self.seed).choice(rows, self.count(rows, symbol_bars), replace=False)
        return np.sort(drawn).astype(np.int64)


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """What came of running rows again.

    Parameters
    ----------
    agrees : bool or None
        Whether every row agreed; None if none was run.
    checked, rows : int
        How many were run again, and of how many.
    seed : int
        Of the draw.
    text : str
        The same in one sentence, naming the first row that disagrees.
    disagreeing : tuple of row keys
        All that disagree.
    """

    agrees: bool | None
    checked: int
    rows: int
    seed: int
    text: str
    disagreeing: tuple[Any, ...] = ()

    def __bool__(self) -> bool:
        return self.agrees is True

    def __str__(self) -> str:
        return self.text


def spot_check(
    table: pd.DataFrame, run: Callable[[Hashable], Result], sampling: Sampling, symbol_bars: int
) -> SpotCheck:
    """Run a sample of rows by the reference engine and compare every metric.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a combination, one column a metric.
    run : callable
        Gives the reference engine's result of a row, by its key.
    sampling : Sampling
        Which rows.
    symbol_bars : int
        Bars times symbols of one row.
    """
    places = sampling.places(len(table), symbol_bars)
    if not len(places):
        text = f"none of {len(table):,} rows re-run by the reference engine (verify=0)"
        return SpotCheck(None, 0, len(table), sampling.seed, text)
    faults: dict[Any, str] = {}
    for place in places:
        key = table.index[place]
        fault = difference(table.iloc[place], run(key))
        if fault:
            faults[key] = fault
    lead = f"{len(places):,} of {len(table):,} rows re-run by the reference engine (seed {sampling.seed}): "
    if not faults:
        return SpotCheck(True, len(places), len(table), sampling.seed, lead + f"all agree to {TOLERANCE:g}")  # noqa: FBT003  (the field's value)
    first = next(iter(faults))
    text = f"{lead}{len(faults):,} disagree, first {first!r}: {faults[first]}"
    return SpotCheck(False, len(places), len(table), sampling.seed, text, tuple(faults))  # noqa: FBT003  (the field's value)


def difference(row: pd.Series, result: Result) -> str:
    """Which metric of a row is not the result's, in words; empty if all agree."""
    for name, mine in zip(map(str, row.index), row.to_numpy(dtype=float).tolist(), strict=True):
        theirs = float(result.stats[name])
        same = (np.isnan(mine) and np.isnan(theirs)) or mine == theirs
        if not same and not abs(mine - theirs) <= TOLERANCE * max(1.0, abs(theirs)):
            return f"{name} is {mine!r} here and {theirs!r} there"
    return ""
