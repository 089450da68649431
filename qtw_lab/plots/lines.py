"""Two small pictures for everyday tables: lines over time and the distribution of returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.sessions import shown_time
from qtw_lab.plots.tables import milliseconds, moments, number_format, numbers
from qtw_lab.plots.theme import dress, pane, plain, themed

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

#: Beyond this many lines nobody can follow one.
MOST_LINES: Final = 24

_DASHES: Final = ("solid", "dashed", "dotted")
_MOST_BINS: Final = 120


def lines(frame: pd.DataFrame, title: str = "", theme: str = "light", *, y_label: str = "") -> LayoutDOM:
    """One line a column over time; clicking a label hides its line.

    Parameters
    ----------
    frame : DataFrame
        Columns of numbers on increasing times; missing values break a line.
    title, y_label : str
        Drawn above, and along the vertical axis.
    theme : {"light", "dark"}
        The variant.

    Raises
    ------
    DataError
        If there is no row, no column or more than `MOST_LINES`, or a column is not numbers.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0]}, index=pd.date_range("2024-01-02", periods=2))
    >>> [item.label.value for item in lines(frame).legend[0].items]
    ['a', 'b']
    """
    look = themed(theme)
    if not isinstance(frame, pd.DataFrame) or not 0 < frame.shape[1] <= MOST_LINES:
        given = f"{frame.shape[1]} columns" if isinstance(frame, pd.DataFrame) else type(frame).__name__
        raise DataError(
            f"Lines are drawn from a DataFrame of 1 to {MOST_LINES} columns, not {given}. Select some first."
        )
    if not frame.columns.is_unique:
        raise DataError("Two lines have the same name; rename one column, so that the legend can tell them apart.")
    index = moments(frame, "table of lines")
    models = need("bokeh.models", "dashboards")
    made = pane(look, height=320, title=title, x_axis_type="datetime")
    time = milliseconds(index).astype(np.float64)
    columns = [numbers(frame.iloc[:, place], f"column {label!r}") for place, label in enumerate(frame.columns)]
    if not any(np.isfinite(values).any() for values in columns):
        raise DataError("The table of lines has no value at all: every one is missing.")
    for place, (label, values) in enumerate(zip(frame.columns, columns, strict=True)):
        name = plain(str(label))
        source = models.ColumnDataSource(
            {"time": time, "value": values, "line": np.full(len(time), name, dtype=object)}
        )
        made.line(
            "time", "value", source=source, line_color=look.series[place % 8], line_dash=_DASHES[place // 8],
            line_width=1.6, legend_label=name, name=str(label),
        )  # fmt: skip
    pattern = number_format(np.concatenate(columns))
    rows = [("", "@line"), ("time", "@time{" + shown_time(index) + "}"), ("value", f"@value{{{pattern}}}")]
    made.add_tools(models.HoverTool(visible=False, tooltips=rows, formatters={"@time": "datetime"}))
    made.x_range.range_padding = 0.01
    made.yaxis.formatter = models.NumeralTickFormatter(format=pattern.replace(".", ".[") + "]")
    made.yaxis.axis_label = plain(y_label) or None
    made.legend[0].update(location="top_left", click_policy="hide", ncols=1 + frame.shape[1] // 9)
    whole: LayoutDOM = dress(made, look)
    return whole


def histogram(returns: pd.Series, title: str = "", theme: str = "light") -> LayoutDOM:
    """How often returns of each size occurred, with their mean and median.

    Bins follow Freedman and Diaconis (1981), at most 120 of them; one edge is at zero, so that no bar mixes gains and
    losses.

    Parameters
    ----------
    returns : Series
        Fractions, in any order; missing ones are left out.
    title : str
        Drawn above.
    theme : {"light", "dark"}
        The variant.

    Raises
    ------
    DataError
        If there are fewer than two returns, or they are not numbers.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> made = histogram(pd.Series([-0.01, 0.01, 0.02, 0.03]))
    >>> int(sum(made.select_one({"name": "bins"}).data_source.data["count"]))
    4
    """
    look = themed(theme)
    values = numbers(returns, "returns")
    values = values[np.isfinite(values)]
    if values.size < 2:
        raise DataError(f"A histogram needs at least two returns; there are {values.size}.")
    edges = _edges(values)
    count, _ = np.histogram(values, edges)
    models = need("bokeh.models", "dashboards")
    way = np.where(edges[:-1] >= 0, "gain", "loss").astype(object)
    source = models.ColumnDataSource({"left": edges[:-1], "right": edges[1:], "count": count, "way": way})
    made = pane(look, height=280, title=title)
    colour = need("bokeh.transform", "dashboards").factor_cmap("way", [look.gain, look.loss], ["gain", "loss"])
    made.quad(
        left="left", right="right", bottom=0, top="count", source=source, fill_color=colour, fill_alpha=0.75,
        line_color=look.paper, name="bins",
    )  # fmt: skip
    tallest = float(count.max()) * 1.08
    for label, at, dash in (("mean", float(values.mean()), "solid"), ("median", float(np.median(values)), "dashed")):
        made.line(
            [at, at],
            [0, tallest],
            line_color=look.ink,
            line_dash=dash,
            line_width=1.5,
            legend_label=f"{label} {at:.3%}",
            name=label,
        )
    made.y_range.start = 0
    made.xaxis.formatter = models.NumeralTickFormatter(format="0.[0]%")
    made.yaxis.formatter = models.NumeralTickFormatter(format="0,0")
    made.xaxis.axis_label, made.yaxis.axis_label = "return", "count"
    rows = [("from", "@left{0.00%}"), ("to", "@right{0.00%}"), ("count", "@count{0,0}")]
    made.add_tools(
        models.HoverTool(visible=False, renderers=[r for r in made.renderers if r.name == "bins"], tooltips=rows)
    )
    whole: LayoutDOM = dress(made, look)
    return whole


def _edges(values: np.ndarray) -> np.ndarray:
    """Bin edges of one width that cover the values, one of them at zero if zero lies inside."""
    low, high = float(values.min()), float(values.max())
    if low == high:
        width = abs(low) / 10 or 0.001
        return np.array([low - width, low + width])
    spread = float(np.subtract(*np.percentile(values, [75, 25])))
    width = 2 * spread / values.size ** (1 / 3) or (high - low) / 10
    width = max(width, (high - low) / _MOST_BINS)
    first, last = int(np.floor(low / width)), int(np.floor(high / width)) + 1
    return np.arange(first, last + 1) * width
