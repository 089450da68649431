"""Two parameters varied at the workbench: ranges, the map of a metric, and the row whose parameters are taken."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from qtw_lab import plots
from qtw_lab.core import DataError, Fact, Facts, lookup
from qtw_lab.lab.tearsheet_tables import UNITS
from qtw_lab.lab.workbench_axes import MOST_CELLS, Axis
from qtw_lab.lab.workbench_fields import fields
from qtw_lab.lab.workbench_outcome import fetched
from qtw_lab.lab.workbench_setup import Setup
from qtw_lab.lab.workbench_steps import Cancel, Progress, Step, StoppedError, never, silent

if TYPE_CHECKING:
    from qtw_lab.backtest.sweep import Sweep
    from qtw_lab.lab.front import Lab
    from qtw_lab.plots import Picture
    from qtw_lab.strategies import Strategy

#: What is worked out for every cell; the first ranks them.
METRICS: Final = ("sharpe", "total_return", "max_drawdown", "calmar", "trades")

#: Rows that the second engine runs again: it is slow, and somebody waits, perhaps after having canceled.
_CHECKED: Final = 10

_NOTHING: Final = "Canceled before any combination was done; nothing was recorded."


@dataclass(frozen=True, eq=False)
class Swept:
    """A sweep over two parameters of a setup.

    Parameters
    ----------
    setup : Setup
        What was swept, with the values of all other parameters.
    axes : tuple of Axis
        The two parameters: down and across the map.
    sweep : Sweep
        Every combination, counted in the ledger of trials.
    """

    setup: Setup
    axes: tuple[Axis, Axis]
    sweep: Sweep

    @cached_property
    def lead(self) -> Facts:
        """What stands before the map: trials, deflated Sharpe ratio, costs, data, the best, and what is to be known.

        Where no combination traded there is no best, and the figures are those of the sweep's terms alone.
        """
        if self.sweep.table[self.sweep.by].notna().any():
            return self.sweep.facts()
        facts = (
            Fact("trials", self.sweep.known.count, "count", "Configurations tried on this data"),
            Fact("costs", self.sweep.terms.costs.describe(), "text", "Costs"),
            Fact("execution", self.sweep.terms.execution, "text", "Execution"),
            Fact("data_fingerprint", self.sweep.bars.fingerprint[:16], "text", "Data fingerprint"),
        )
        return Facts(f"Sweep of {self.sweep.strategy.name}", facts, ("no combination traded", *self.sweep.notes))

    @property
    def partial(self) -> bool:
        """Whether it was ended early."""
        return self.sweep.partial

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols that were traded in accounts of their own; none where all share one account."""
        return self.sweep.bars.symbols if "symbol" in self.sweep.table.index.names else ()

    def surface(self, metric: str, symbol: str = "") -> pd.Series:
        """A metric by the two parameters: of a symbol, or the mean of all of them.

        Raises
        ------
        DataError
            If there is no such metric or symbol.
        """
        column = lookup(metric, {str(name): self.sweep.table[name] for name in self.sweep.table}, "metric")
        if symbol:
            lookup(symbol, dict.fromkeys(self.symbols), "symbol of this sweep")
            column = column.xs(symbol, level="symbol")
        names = [axis.name for axis in self.axes]
        return column.groupby(level=names).mean()

    def map(self, metric: str, symbol: str, theme: str) -> Picture:
        """The metric as a map, the first parameter upwards and the second across.

        Raises
        ------
        DataError
            As `surface`, or if no combination has a value.
        """
        table = self.surface(metric, symbol)
        if not table.notna().any():
            raise DataError(f"No combination has a {metric.replace('_', ' ')}: none traded. Widen the ranges or dates.")
        title = f"{metric.replace('_', ' ')} of {len(table):,} combinations"
        title += f", {symbol}" if symbol else ", mean of the symbols" if len(self.symbols) > 1 else ""
        return plots.Picture(plots.heatmap(table, title, theme, best="max"), f"Heat map: {title}")

    def at(self, across: float, up: float, metric: str = "sharpe", symbol: str = "") -> dict[str, Any] | None:
        """The parameters of the cell at a place of the map, counted in cells; None where there is no combination."""
        grid = self.surface(metric, symbol).unstack()  # noqa: PD010  (as the map is drawn)
        row, column = math.floor(up), math.floor(across)
        if not (0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]):
            return None
        values = (grid.index[row], grid.columns[column])
        known = values in self.surface(metric, symbol).index
        return {axis.name: _plain(value) for axis, value in zip(self.axes, values, strict=True)} if known else None

    def best(self, metric: str = "sharpe", symbol: str = "", count: int = 10) -> pd.DataFrame:
        """The best combinations by a metric: both parameters, then every metric; rows without a value never come.

        Raises
        ------
        DataError
            As `surface`.
        """
        lookup(metric, dict.fromkeys(METRICS), "metric")
        table = pd.DataFrame({name: self.surface(name, symbol) for name in METRICS})
        found = table.dropna(subset=[metric]).sort_values(metric, ascending=False, kind="stable").head(count)
        return found.reset_index()

    def written(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of `best` as people read them."""
        shown = rows.copy()
        for name in METRICS:
            unit = UNITS.get(name, "count" if name == "trades" else "ratio")
            shown[name] = [Fact(name, float(value), unit).shown for value in rows[name]]
        return shown

    def chosen(self, values: Mapping[str, Any]) -> Setup:
        """The setup with these values of the two parameters.

        Raises
        ------
        DataError
            If the strategy refuses them.
        """
        return self.setup.with_parameters(**{axis.name: _plain(values[axis.name]) for axis in self.axes})

    def row(self, values: Mapping[str, Any], symbol: str = "") -> tuple[Any, ...]:
        """The entry of the sweep's table with these values of the two parameters.

        Where symbols have accounts of their own and none is named, it is that of the symbol that did best with them.

        Raises
        ------
        DataError
            If it was not evaluated.
        """
        wanted = {axis.name: _plain(values[axis.name]) for axis in self.axes}
        if self.symbols:
            wanted["symbol"] = symbol or self._strongest(wanted)
        key = tuple(wanted[str(name)] for name in self.sweep.table.index.names)
        if key not in self.sweep.table.index:
            raise DataError(f"This sweep has no row {', '.join(f'{name}={value}' for name, value in wanted.items())}.")
        return key

    def _strongest(self, values: Mapping[str, Any]) -> str:
        """The symbol that did best with values of the parameters; the first where none has a figure."""
        try:
            ranked = self.sweep.table[METRICS[0]].xs(tuple(values.values()), level=tuple(values))
        except KeyError:
            return self.symbols[0]
        return str(ranked.idxmax()) if ranked.notna().any() else self.symbols[0]


def sweep(
    lab: Lab, setup: Setup, axes: tuple[Axis, Axis], progress: Progress = silent, cancel: Cancel = never
) -> Swept:
    """Backtest every combination of two parameters; each is counted as a trial, and the sweep is recorded as a run.

    Parameters
    ----------
    lab : Lab
        Whose data, ledger and registry.
    setup : Setup
        The terms, and the values of all other parameters.
    axes : pair of Axis
        What varies. Combinations that the strategy refuses are left out.
    progress : callable
        Is told how many rows are done.
    cancel : callable
        Says whether to end early; what is done by then is kept, counted and marked as partial.

    Raises
    ------
    DataError
        If the parameters are not two of the strategy's numbers, a value is out of bounds, or there are too many cells;
        before anything is simulated.
    StoppedError
        If it was ended before anything was done.
    """
    grid = _grid(setup.strategy, axes)
    progress(Step("prices"))
    bars = fetched(lab, setup)
    if cancel():
        raise StoppedError(_NOTHING)

    def heard(done: int, total: int) -> None:
        progress(Step("sweep", done, total))
        if cancel():
            raise KeyboardInterrupt  # which ends a sweep early: what is done is returned

    try:
        found = lab.sweep(
            setup.strategy,
            bars,
            grid=grid,
            metrics=METRICS,
            by=METRICS[0],
            progress=heard,
            verify=_CHECKED,
            **setup.terms.arguments,
        )
    except KeyboardInterrupt:
        if not cancel():
            raise
        raise StoppedError(_NOTHING) from None
    progress(Step("check"))
    made = Swept(setup, axes, found)
    _ = made.lead  # the second engine runs a sample again: work for this thread, not the page's
    return made


def _grid(strategy: Strategy, axes: tuple[Axis, Axis]) -> dict[str, tuple[float, ...]]:
    known = {field.name: field for field in fields(strategy) if field.number}
    if axes[0].name == axes[1].name:
        raise DataError(f"Both axes vary {axes[0].name}. Choose two parameters.")
    for axis in axes:
        lookup(axis.name, known, f"number among the parameters of {strategy.name}")
        for value in (axis.values[0], axis.values[-1]):
            type(strategy).checked(axis.name, value)
    cells = len(axes[0].values) * len(axes[1].values)
    if cells > MOST_CELLS:
        raise DataError(f"{cells:,} combinations are too many for a map; give {MOST_CELLS:,} at most, by wider steps.")
    return {axis.name: axis.values for axis in axes}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
