"""Whether a good row of a sweep stands on a plateau or on a spike: what became of the parameters beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, Fact, Facts, lookup
from qtw_lab.stats.columns import deviation, number, ratio

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Parameters of which neighbours are looked for: four have up to 80.
_MOST_PARAMETERS: Final = 4
#: Rows whose neighbours are held at once.
_STRETCH: Final = 16_384


@dataclass(frozen=True, eq=False, kw_only=True)
class Plateaus:
    """The rows of a sweep beside their neighbours.

    Parameters
    ----------
    table : pandas.DataFrame
        The sweep's rows in their order: the metric under its own name; ``neighbours``, how many rows beside it have a
        defined metric; ``mean``, ``median`` and ``least`` of those; ``kept``, how much of the row's lead over the mean
        of all rows its neighbours' mean has (1 on a plateau, 0 if they are as all rows are; NaN for a row without
        lead); ``score``, the lesser of the row and its neighbours' mean, as standard deviations above the mean of all
        rows; ``spike``, missing where it cannot be told; ``edge``, whether some parameter has its least or greatest
        value, so that a side is unseen.
    metric : str
        What was compared.
    parameters : tuple of str
        The numeric parameters, along which rows are neighbours.
    """

    table: pd.DataFrame
    metric: str
    parameters: tuple[str, ...] = field(default=())

    @property
    def best_row(self) -> pd.Series:
        """The row of the highest metric; the first of equal ones."""
        return self._top(self.metric)

    @property
    def best_plateau(self) -> pd.Series:
        """The row of the highest score.

        Raises
        ------
        DataError
            If no row has a defined neighbour.
        """
        return self._top("score")

    def facts(self) -> Facts:
        """The best row and the best plateau side by side; the number of rows comes first."""
        row, plateau = self.best_row, self.best_plateau
        spikes = self.table["spike"]
        figures = (
            Fact("rows", len(self.table), "count", "Rows compared", "trials of the sweep that are in the table"),
            Fact("best_row", self._named(row), "text", f"Best row by {self.metric}"),
            Fact(f"best_row_{self.metric}", float(row[self.metric]), "ratio", f"Its {self.metric}"),
            Fact("best_row_neighbours", float(row["mean"]), "ratio", "Mean of its neighbours"),
            Fact("best_row_is_spike", _yes_or_no(row["spike"]), "text", "Is it a spike"),
            Fact("best_plateau", self._named(plateau), "text", "Best plateau"),
            Fact(f"best_plateau_{self.metric}", float(plateau[self.metric]), "ratio", f"Its {self.metric}"),
            Fact("best_plateau_neighbours", float(plateau["mean"]), "ratio", "Mean of its neighbours"),
            Fact("spikes", int(spikes.sum()), "count", "Spikes"),
        )
        edge = (f"the best plateau lies at the edge of the grid ({self._named(plateau)}): widen it",)
        return Facts(f"Plateaus of {self.metric}", figures, edge if plateau["edge"] else ())

    def _top(self, column: str) -> pd.Series:
        values = self.table[column].to_numpy(dtype=float)
        if np.isnan(values).all():
            raise DataError(f"{column} is not defined for any row; a neighbourhood needs rows one grid step apart.")
        return self.table.iloc[int(np.nanargmax(values))]

    def _named(self, row: pd.Series) -> str:
        names, key = self.table.index.names, row.name if isinstance(row.name, tuple) else (row.name,)
        return ", ".join(f"{name}={value}" for name, value in zip(names, key, strict=True))

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        return self.facts()._repr_mimebundle_(**options)


def plateaus(table: pd.DataFrame, metric: str = "sharpe", *, lead: float = 1.0, keep: float = 0.5) -> Plateaus:
    """Every row of a sweep beside its neighbours: rows at most one step of the grid away in each parameter.

    With one parameter a row has 2 neighbours at most, with two 8, with four 80. A step leads to the next value that the
    table has. Text and yes-or-no parameters have no order: rows with other values of them are no neighbours. Each
    symbol is a map of its own, compared with its own rows only.

    Parameters
    ----------
    table : pandas.DataFrame
        A sweep's `table`: parameters (and "symbol") as index, metrics as columns; all rows, since among the best alone
        everything is a plateau.
    metric : str
        A column of which more is better.
    lead : float
        A spike is so many standard deviations above the mean of all rows, or more,
    keep : float
        and its neighbours keep less than this fraction of its lead. So is a row on the rim of a steep plateau.

    Returns
    -------
    Plateaus
        The rows with their neighbourhoods, best row and best plateau.

    Raises
    ------
    DataError
        If the index is not made of one to four numeric parameters (and others), a row comes twice, the metric is not
        there, infinite, or defined nowhere, or a limit is not a finite number.

    Examples
    --------
    >>> sharpe = [0.0, 0.1, 3.0, 0.0, 0.9, 1.0, 1.1]
    >>> table = pd.DataFrame({"sharpe": sharpe}, index=pd.Index(range(10, 80, 10), name="window"))
    >>> found = plateaus(table)
    >>> found.best_row.name, bool(found.best_row["spike"]), found.best_plateau.name
    (30, True, 60)
    """
    values = _metric(table, metric)
    limits = number("lead", lead), number("keep", keep)
    names, maps, places, edge = _coordinates(table.index)
    columns = {"neighbours": np.zeros(len(values)), "mean": np.zeros(len(values))}
    columns |= {name: np.full(len(values), np.nan) for name in ("median", "least")}
    for rows, beside in _neighbours(places, len(names), values):
        seen = np.isfinite(beside)
        count = seen.sum(axis=1)
        columns["neighbours"][rows] = count
        columns["mean"][rows] = ratio(np.where(seen, beside, 0.0).sum(axis=1), count)
        some = count > 0
        columns["median"][rows[some]] = np.nanmedian(beside[some], axis=1)
        columns["least"][rows[some]] = np.nanmin(beside[some], axis=1)
    kept, score, spike = _judged(values, columns["mean"], maps, *limits)
    found = pd.DataFrame({metric: values, **columns}, index=table.index).astype({"neighbours": int})
    found = found.assign(kept=kept, score=score, spike=spike, edge=edge)
    return Plateaus(table=found, metric=metric, parameters=names)


def neighbours_of(index: pd.Index, row: Any) -> pd.Index:
    """The rows at most one step of the grid away from `row` in each numeric parameter, and equal to it in all else.

    Raises
    ------
    DataError
        As `plateaus` of the index, or if the row is not in it.

    Examples
    --------
    >>> neighbours_of(pd.Index([10, 20, 30, 40], name="window"), 20).tolist()
    [10, 30]
    """
    names, _, places, _ = _coordinates(index)
    at = np.flatnonzero(index == row) if index.nlevels == 1 else np.flatnonzero([key == row for key in index])
    if len(at) != 1:
        raise DataError(f"{row!r} is not a row of this table; its index levels are {list(index.names)}.")
    apart = np.abs(places - places[at[0]])
    near = (apart[:, : len(names)] <= 1).all(axis=1) & (apart[:, len(names) :] == 0).all(axis=1)
    near[at[0]] = False
    found: pd.Index = index[near]
    return found


def _metric(table: Any, metric: str) -> FloatArray:
    """The metric's values, checked."""
    if not isinstance(table, pd.DataFrame) or not len(table):
        raise DataError("plateaus needs the table of a sweep (sweep.table) with at least one row.")
    column = lookup(metric, {str(name): table[name] for name in table.columns}, "metric of this table")
    if not pd.api.types.is_numeric_dtype(column) or np.isinf(column.to_numpy(dtype=float)).any():
        raise DataError(f"{metric} must be finite numbers, NaN where undefined.")
    values = column.to_numpy(dtype=float)
    if np.isnan(values).all():
        raise DataError(f"{metric} is not defined for any row: no combination traded. Widen the grid or the dates.")
    if table.index.has_duplicates:
        raise DataError(f"The table has {table.index[table.index.duplicated()][0]} twice; give every row once.")
    return values


def _coordinates(index: pd.Index) -> tuple[tuple[str, ...], IntArray, IntArray, npt.NDArray[np.bool_]]:
    """Numeric parameters; each row's map; its place along every level, (rows, levels), numeric ones first; edges."""
    levels = {str(name): index.get_level_values(place) for place, name in enumerate(index.names)}
    symbols = levels.pop("symbol", None)
    ordered = {name: pd.api.types.is_any_real_numeric_dtype(values.dtype) for name, values in levels.items()}
    names = tuple(name for name, numeric in ordered.items() if numeric)
    if not 1 <= len(names) <= _MOST_PARAMETERS:
        raise DataError(
            f"A map of plateaus needs one to {_MOST_PARAMETERS} numeric parameters as index levels; there are "
            f"{len(names)} ({', '.join(names) or 'none'} of {list(index.names)}). Fix the others with table.xs(...)."
        )
    codes, edge = [], np.zeros(len(index), dtype=bool)
    for name in names:
        code, distinct = pd.factorize(levels[name], sort=True)
        codes.append(code)
        edge |= (len(distinct) > 1) & ((code == 0) | (code == len(distinct) - 1))
    maps = np.zeros(len(index), dtype=np.int64) if symbols is None else pd.factorize(symbols)[0].astype(np.int64)
    codes += [*(pd.factorize(levels[name])[0] for name in levels if name not in names), maps]
    places = np.column_stack(codes).astype(np.int64)
    if (places < 0).any():
        raise DataError("The index has missing values; every row needs a value of each parameter.")
    return names, maps, places, edge


def _neighbours(places: IntArray, ordered: int, values: FloatArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Rows, some at a time, and what stands a step away in the first `ordered` levels, (rows, steps); else NaN."""
    sides = [int(side) for side in places.max(axis=0) + 3]  # a free place on both sides: no step wraps around
    if float(np.prod([float(side) for side in sides])) > 2.0**62:
        raise DataError("The grid has too many points to number; look at fewer parameters or values at a time.")
    weights = np.array([int(np.prod(sides[place + 1 :], dtype=object)) for place in range(len(sides))], dtype=np.int64)
    keys = (places + 1) @ weights
    order = np.argsort(keys)
    ranked = keys[order]
    steps = np.array([step for step in product((-1, 0, 1), repeat=ordered) if any(step)]) @ weights[:ordered]
    for start in range(0, len(keys), _STRETCH):
        rows = np.arange(start, min(start + _STRETCH, len(keys)))
        wanted = keys[rows][:, None] + steps
        found = np.minimum(np.searchsorted(ranked, wanted), len(keys) - 1)
        yield rows, np.where(ranked[found] == wanted, values[order[found]], np.nan)


def _judged(
    values: FloatArray, beside: FloatArray, maps: IntArray, lead: float, keep: float
) -> tuple[FloatArray, FloatArray, pd.api.extensions.ExtensionArray]:
    """How much of its lead each row's neighbours keep, the row's score, and whether it is a spike."""
    kept, score = np.full(len(values), np.nan), np.full(len(values), np.nan)
    spike = pd.array([pd.NA] * len(values), dtype="boolean")
    for one in np.unique(maps):
        rows = np.flatnonzero(maps == one)
        known = values[rows][np.isfinite(values[rows])]
        if not len(known):
            continue
        middle, spread = known.mean(), deviation(known[:, None])[0]
        ahead = values[rows] - middle
        kept[rows] = ratio(beside[rows] - middle, np.where(ahead > 0.0, ahead, np.nan))
        score[rows] = ratio(np.minimum(values[rows], beside[rows]) - middle, spread)
        told = rows[np.isfinite(beside[rows]) & np.isfinite(values[rows])]
        spike[told] = (spread > 0.0) & (values[told] - middle >= lead * spread) & (kept[told] < keep)
    return kept, score, spike


def _yes_or_no(flag: Any) -> str:
    return "unknown" if pd.isna(flag) else "yes" if flag else "no"
