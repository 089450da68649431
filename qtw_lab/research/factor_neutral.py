"""A factor less what groups and known exposures already say, bar by bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.research.factor_sections import FEWEST, FloatArray, IntArray, beside, table
from qtw_lab.stats.columns import ratio, whole

#: A label a name (a mapping or Series), or one a bar and name (a table of the factor's shape).
Groups: TypeAlias = Mapping[str, Any] | pd.Series | pd.DataFrame
Exposures: TypeAlias = pd.DataFrame | Mapping[str, pd.DataFrame]

#: Numbers worked on at a time: some ten megabytes.
_CELLS: Final = 1 << 20
#: What is left below this share of the largest number of its bar is rounding, and must not be regressed or ranked.
_NOTHING: Final = 1e-12


def neutralised(
    factor: pd.DataFrame, groups: Groups | None = None, exposures: Exposures | None = None, fewest: int = FEWEST
) -> pd.DataFrame:
    """What is left of a factor in each bar once group means and exposures are taken out by least squares, (T, N).

    Each bar has a regression of its own across names: the factor on a constant for each group (one for all without
    groups) and on every exposure; residuals are given. So their mean within each group is 0, and they are uncorrelated
    with every exposure.

    Parameters
    ----------
    factor : pandas.DataFrame
        (T, N), known at the close of each bar.
    groups : mapping, Series or DataFrame, optional
        The group of each name, such as its sector; or of each name at each bar, (T, N), which is the honest form where
        names change groups. A name alone in its group has a residual of 0.
    exposures : DataFrame or mapping of str to DataFrame, optional
        (T, N) each, known at the close of each bar like the factor: beta, size, volatility.
    fewest : int
        Bars in which fewer names have everything are NaN, and bars with no more names than things taken out.

    Raises
    ------
    DataError
        If there is nothing to take out, a table does not fit the factor, or a name has no group.

    Notes
    -----
    Grinold and Kahn, "Active Portfolio Management" (1999), on residual alphas. Groups are taken out first, from the
    exposures too, which gives the same residuals (Frisch and Waugh, 1933). Collinear exposures are taken out once.

    Examples
    --------
    >>> factor = pd.DataFrame([[1.0, 3.0, 10.0, 20.0, 30.0]], columns=list("ABCDE"))
    >>> sectors = {"A": "oil", "B": "oil", "C": "banks", "D": "banks", "E": "banks"}
    >>> neutralised(factor, sectors).to_numpy().tolist()
    [[-1.0, 1.0, -10.0, 0.0, 10.0]]
    """
    given = table(factor)
    whole("fewest", fewest)
    if groups is None and exposures is None:
        raise DataError("neutralised needs groups= or exposures=: there is nothing to take out.")
    labels = _labels(groups, given)
    named = {"exposure": exposures} if isinstance(exposures, pd.DataFrame) else dict(exposures or {})
    known = [beside(one, given, f"exposure {name}").to_numpy() for name, one in named.items()]
    values, step = given.to_numpy(), max(1, _CELLS // (given.shape[1] * (1 + len(known))))
    parts = [
        _residuals(values[t : t + step], labels[t : t + step], [one[t : t + step] for one in known], fewest)
        for t in range(0, len(values), step)
    ]
    return pd.DataFrame(np.concatenate(parts), index=given.index, columns=given.columns)


def _labels(groups: Groups | None, factor: pd.DataFrame) -> IntArray:
    """The number of each name's group at each bar, (T, N); -1 where it has none."""
    shape = factor.shape
    if groups is None:
        return np.zeros(shape, dtype=np.int64)
    if isinstance(groups, pd.DataFrame):
        if not groups.index.equals(factor.index) or set(groups.columns) != set(factor.columns):
            raise DataError("A table of groups needs the rows and columns of the factor, with a label in each cell.")
        codes = pd.factorize(groups[factor.columns].to_numpy(dtype=object).ravel())[0]
        return codes.reshape(shape).astype(np.int64)
    if not isinstance(groups, (Mapping, pd.Series)):
        raise DataError(f"groups is a mapping of name to label, a Series or a DataFrame, not {type(groups).__name__}.")
    if isinstance(groups, pd.Series) and not groups.index.is_unique:
        raise DataError("groups names a name twice; give each one label.")
    missing = [name for name in factor.columns if name not in groups or pd.isna(groups[name])]
    if missing:
        shown = ", ".join(map(str, missing[:5]))
        raise DataError(f"groups has no label for {shown}; give every name one, such as 'other'.")
    codes = pd.factorize(np.array([str(groups[name]) for name in factor.columns], dtype=object))[0]
    return np.broadcast_to(codes.astype(np.int64), shape)


def _residuals(values: FloatArray, labels: IntArray, exposures: list[FloatArray], fewest: int) -> FloatArray:
    """The residuals of some bars; see `neutralised`."""
    known = np.isfinite(values) & (labels >= 0)
    for one in exposures:
        known &= np.isfinite(one)
    left, taken = _demeaned(np.where(known, values, 0.0), labels, known)
    if exposures:
        design = np.stack([_demeaned(np.where(known, one, 0.0), labels, known)[0] for one in exposures], axis=2)
        size = np.sqrt((design**2).sum(axis=1, keepdims=True))
        design = np.nan_to_num(ratio(design, size))  # exposures in units of their own must not decide what is singular
        weights = np.linalg.pinv(design, rcond=1e-10) @ left[:, :, None]
        left = left - (design @ weights)[:, :, 0]
        taken = taken + len(exposures)
    largest = np.abs(np.where(known, values, 0.0)).max(axis=1, keepdims=True)
    left = np.where(np.abs(left) <= _NOTHING * largest, 0.0, left)
    count = known.sum(axis=1)
    told = (count >= fewest) & (count > taken)
    return np.where(known & told[:, None], left, np.nan)


def _demeaned(values: FloatArray, labels: IntArray, known: Any) -> tuple[FloatArray, IntArray]:
    """Numbers less the mean of their group, 0 where not known; and how many groups each bar has."""
    left, groups = values.copy(), np.zeros(len(values), dtype=np.int64)
    for label in range(int(labels.max(initial=-1)) + 1):
        inside = known & (labels == label)
        count = inside.sum(axis=1)
        mean = np.where(inside, values, 0.0).sum(axis=1) / np.maximum(count, 1)
        left -= np.where(inside, mean[:, None], 0.0)
        groups += count > 0
    rounding = np.abs(left) <= _NOTHING * np.abs(values).max(axis=1, keepdims=True)
    return np.where(known & ~rounding, left, 0.0), groups
