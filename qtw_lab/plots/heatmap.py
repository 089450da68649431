"""A figure of merit over two parameters, as colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.tables import FloatArray, number_format, numbers
from qtw_lab.plots.theme import FONTS, Figure, Theme, dress, pane, plain, themed

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

_TICKS: Final = """
const from = Math.min(cb_data.start, cb_data.end), to = Math.max(cb_data.start, cb_data.end);
let size = 400;
try { size = (across ? plot.inner_width : plot.inner_height) || size; } catch { /* not laid out yet: asked again */ }
const room = Math.max(2, Math.floor(size / (across ? 9 * longest + 14 : 26)));
let step = 1;
for (const times of [2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000]) {
  if ((to - from) / step <= room) break;
  step = times;
}
let offset = 0;
if (spacing > 0) {
  const unit = step * spacing;
  offset = Math.round((Math.ceil(origin / unit - 1e-9) * unit - origin) / spacing);
}
const ticks = [];
for (let i = offset; i < labels.length; i += step) if (i + 0.5 >= from && i + 0.5 <= to) ticks.push(i + 0.5);
return ticks;
"""


def heatmap(
    table: pd.Series | pd.DataFrame,
    title: str = "",
    theme: str = "light",
    *,
    best: Literal["max", "min"] | None = "max",
) -> LayoutDOM:
    """A parameter map: one cell a combination, coloured by value, with the best cell marked.

    Where values have both signs the scale is centred on zero, blue above and orange below; otherwise it runs from the
    smallest to the largest. Cells without a value are grey.

    Parameters
    ----------
    table : Series or DataFrame
        A column of numbers under an index of two levels (rows, then columns of the map), or a table of numbers.
    title : str
        Drawn above.
    theme : {"light", "dark"}
        The variant.
    best : {"max", "min"} or None
        Which cell to mark. The best of many cells is the luckiest too: judge its neighbourhood, not its number.

    Returns
    -------
    bokeh.models.LayoutDOM
        One figure with a colour bar.

    Raises
    ------
    DataError
        If there is no finite number, a combination appears twice, or the index does not have two levels.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> index = pd.MultiIndex.from_product([[5, 10], [20, 40]], names=["fast", "slow"])
    >>> made = heatmap(pd.Series([0.1, 0.4, -0.2, None], index=index))
    >>> made.select_one({"name": "cells"}).data_source.data["image"][0].tolist()
    [[0.1, 0.4], [-0.2, nan]]
    """
    look = themed(theme)
    if best not in ("max", "min", None):
        raise DataError(f"best={best!r} is not known; mark the 'max', the 'min', or nothing with None.")
    grid = _grid(table)
    cells = grid.to_numpy(dtype=np.float64, na_value=np.nan)
    rows, columns = _labels(grid.index), _labels(grid.columns)
    models = need("bokeh.models", "dashboards")
    made = pane(
        look, height=min(560, max(260, 140 + 22 * len(rows))), title=title, tools="pan,wheel_zoom,box_zoom,reset,save",
        x_range=models.Range1d(0, len(columns), bounds=(0, len(columns))),
        y_range=models.Range1d(0, len(rows), bounds=(0, len(rows))),
    )  # fmt: skip
    mapper = _mapper(cells, look)
    drawn = made.image(image=[cells], x=0, y=0, dw=len(columns), dh=len(rows), color_mapper=mapper, name="cells")
    _name_axis(made, grid.index, rows, across=False)
    _name_axis(made, grid.columns, columns, across=True)
    _explain(made, drawn, grid, (rows, columns), cells)
    if best is not None:
        _mark_best(made, grid, (rows, columns), best, look)
    made.add_layout(_colour_bar(mapper, look), "right")
    made.grid.visible = False
    whole: LayoutDOM = dress(made, look)
    return whole


def _grid(table: pd.Series | pd.DataFrame) -> pd.DataFrame:
    """The cells as a table of numbers, rows and columns in increasing order where they can be ordered."""
    if isinstance(table, pd.Series):
        if table.index.nlevels != 2:
            raise DataError(
                f"A map has two parameters, but the index has {table.index.nlevels} level(s). Fix the others first, "
                "for example with series.xs(value, level='name'), or take the best of them with groupby."
            )
        if not table.index.is_unique:
            raise DataError(
                f"The combination {table.index[table.index.duplicated()][0]} appears twice; select one symbol first."
            )
        numbers(table, "map")
        grid = table.astype(float).unstack()  # noqa: PD010  (a pivot of a Series is its unstack)
    elif isinstance(table, pd.DataFrame):
        grid = table
    else:
        raise DataError(
            f"A map is drawn from a Series with two index levels or a DataFrame, not {type(table).__name__}."
        )
    if 0 in grid.shape:
        raise DataError("The map is empty; check what the table was cut to.")
    if grid.index.nlevels != 1 or grid.columns.nlevels != 1:
        raise DataError("A map's rows and columns have one level each; drop or select the others first.")
    for name in range(grid.shape[1]):
        numbers(grid.iloc[:, name], f"column {grid.columns[name]!r} of the map")
    if not grid.notna().to_numpy().any():
        raise DataError("Every cell of the map is missing; check the metric and the where= condition of the sweep.")
    return grid


def _labels(index: pd.Index) -> list[str]:
    return [f"{value:g}" if isinstance(value, (float, np.floating)) else str(value) for value in index]


def _mapper(cells: FloatArray, look: Theme) -> Any:
    """The colours of the values."""
    models = need("bokeh.models", "dashboards")
    low, high = float(np.nanmin(cells)), float(np.nanmax(cells))
    kind: Literal["diverging", "sequential"] = "diverging" if low < 0 < high else "sequential"
    if kind == "diverging":
        high = max(-low, high)
        low = -high
    elif low == high:
        low, high = low - 0.5, high + 0.5
    return models.LinearColorMapper(palette=look.ramp(kind), low=low, high=high, nan_color=look.missing)


def _name_axis(figure: Figure, index: pd.Index, labels: list[str], *, across: bool) -> None:
    """Ticks in the middle of cells, at round values where the parameter is evenly spaced."""
    models = need("bokeh.models", "dashboards")
    axis = figure.xaxis if across else figure.yaxis
    origin, spacing = 0.0, 0.0
    if pd.api.types.is_numeric_dtype(index.dtype) and not pd.api.types.is_bool_dtype(index.dtype) and len(index) > 1:
        values = index.to_numpy(dtype=np.float64)
        steps = np.diff(values)
        if steps[0] > 0 and np.allclose(steps, steps[0]):
            origin, spacing = float(values[0]), float(steps[0])
    arguments = {
        "plot": figure, "across": across, "labels": labels, "origin": origin, "spacing": spacing,
        "longest": max(map(len, labels)),
    }  # fmt: skip
    axis.ticker = models.CustomJSTicker(args=arguments, major_code=_TICKS)
    axis.formatter = models.CustomJSTickFormatter(args={"labels": labels}, code="return labels[Math.floor(tick)] ?? ''")
    axis.axis_label = plain(str(index.name)) if index.name is not None else None


def _explain(
    figure: Figure, drawn: Any, grid: pd.DataFrame, labels: tuple[list[str], list[str]], cells: FloatArray
) -> None:
    """Hover with both parameters and the value."""
    models = need("bokeh.models", "dashboards")
    names = (grid.index.name or "row", grid.columns.name or "column")
    tooltips, formatters = [], {}
    for variable, name, known in (("$y", names[0], labels[0]), ("$x", names[1], labels[1])):
        tooltips.append((str(name), variable + "{custom}"))
        formatters[variable] = models.CustomJSHover(
            args={"labels": known}, code="return labels[Math.floor(value)] ?? ''"
        )
    tooltips.append(("value", f"@image{{{number_format(cells).replace('0,0.00', '0,0.000')}}}"))
    figure.add_tools(models.HoverTool(visible=False, renderers=[drawn], tooltips=tooltips, formatters=formatters))


def _mark_best(
    figure: Figure, grid: pd.DataFrame, labels: tuple[list[str], list[str]], best: Literal["max", "min"], look: Theme
) -> None:
    """A ring around the best cell; the first one of several equals."""
    cells = grid.to_numpy(dtype=np.float64, na_value=np.nan)
    place = int(np.nanargmax(cells) if best == "max" else np.nanargmin(cells))
    row, column = divmod(place, cells.shape[1])
    word = "highest" if best == "max" else "lowest"
    figure.scatter(
        [column + 0.5],
        [row + 0.5],
        marker="circle",
        size=16,
        fill_color=None,
        line_color=look.paper,
        line_width=5,
        name="halo",
    )
    figure.scatter(
        [column + 0.5],
        [row + 0.5],
        marker="circle",
        size=16,
        fill_color=None,
        line_color=look.mark,
        line_width=2.5,
        name="best",
    )
    models = need("bokeh.models", "dashboards")
    at = ", ".join(
        f"{index.name} {known[number]}" if index.name is not None else known[number]
        for index, known, number in ((grid.index, labels[0], row), (grid.columns, labels[1], column))
    )
    sign = plain(f"{word} of {int(np.isfinite(cells).sum()):,}: {cells[row, column]:.4g} at {at}")
    figure.add_layout(
        models.Title(text=sign, text_color=look.mark, text_font=FONTS, text_font_size="12px", text_font_style="normal"),
        "above",
    )


def _colour_bar(mapper: Any, look: Theme) -> Any:
    models = need("bokeh.models", "dashboards")
    span = float(mapper.high - mapper.low)
    decimals = min(8, max(0, 1 - math.floor(math.log10(span))))
    return models.ColorBar(
        color_mapper=mapper, width=12, padding=4, label_standoff=5, background_fill_color=look.paper,
        bar_line_color=None,
        major_tick_line_color=look.edge, major_label_text_color=look.muted, major_label_text_font=FONTS,
        major_label_text_font_size="12px", ticker=models.BasicTicker(desired_num_ticks=6), name="scale",
        formatter=models.NumeralTickFormatter(format="0,0" + ("." + "0" * decimals if decimals else "")),
    )  # fmt: skip
