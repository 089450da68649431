"""Two small pictures for everyday tables: lines over time and the distribution of returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.sessions import shown_time
from qtw_lab.plots.tables import FloatArray, milliseconds, moments, number_format, numbers
from qtw_lab.plots.theme import Figure, Theme, dress, pane, plain, themed
from qtw_lab.plots.thinning import drawn_places

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

#: Beyond this many lines nobody can follow one.
MOST_LINES: Final = 24

_DASHES: Final = ("solid", "dashed", "dotted")
_MOST_BINS: Final = 120


def lines(
    frame: pd.DataFrame,
    title: str = "",
    theme: str = "light",
    *,
    y_label: str = "",
    percent: bool = False,
    log: bool = False,
    zero: bool = False,
    above: bool = False,
    height: int = 320,
) -> LayoutDOM:
    """One line a column over time; clicking a label hides its line.

    Of more than 5,000 points those are drawn that show at full width, every high and low among them.

    Parameters
    ----------
    frame : DataFrame
        Columns of numbers on increasing times; missing values break a line.
    title, y_label : str
        Drawn above, and along the vertical axis.
    theme : {"light", "dark"}
        The variant.
    percent : bool
        Whether the numbers are fractions to be shown in percent.
    log : bool
        Whether equal distances mean equal ratios.
    zero : bool
        Whether zero is marked by a line.
    above : bool
        Whether the legend stands above the lines instead of over them; a single line then goes without.
    height : int
        In pixels.

    Raises
    ------
    DataError
        If there is no row, no column or more than `MOST_LINES`, a column is not numbers, or a logarithmic scale meets a
        number that is not above zero.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0]}, index=pd.date_range("2024-01-02", periods=2))
    >>> [item.label.value for item in lines(frame).legend[0].items]
    ['a', 'b']
    """
    look = themed(theme)
    columns = _columns(frame, log=log)
    index = moments(frame, "table of lines")
    models = need("bokeh.models", "dashboards")
    made = pane(
        look, height=height, title=title, x_axis_type="datetime", y_axis_type="log" if log else "linear",
    )  # fmt: skip
    if zero:
        made.add_layout(models.Span(location=0, dimension="width", line_color=look.edge, line_width=1))
    time, kept = milliseconds(index).astype(np.float64), drawn_places(columns)
    for place, (label, values) in enumerate(zip(frame.columns, columns, strict=True)):
        name = plain(str(label))
        source = models.ColumnDataSource(
            {"time": time[kept], "value": values[kept], "line": np.full(len(kept), name, dtype=object)}
        )
        made.line(
            "time", "value", source=source, line_color=look.series[place % 8], line_dash=_DASHES[place // 8],
            line_width=1.6, legend_label=name, name=str(label),
        )  # fmt: skip
    pattern = "0,0.00%" if percent else number_format(np.concatenate(columns))
    rows = [("", "@line"), ("time", "@time{" + shown_time(index) + "}"), ("value", f"@value{{{pattern}}}")]
    made.add_tools(models.HoverTool(visible=False, tooltips=rows, formatters={"@time": "datetime"}))
    made.x_range.range_padding = 0.01
    made.yaxis.formatter = models.NumeralTickFormatter(
        format="0,0.[0]%" if percent else pattern.replace(".", ".[") + "]"
    )
    made.yaxis.axis_label = plain(y_label) or None
    legend = made.legend[0]
    legend.update(location="top_left", click_policy="hide", ncols=1 + frame.shape[1] // 9)
    if above:
        made.add_layout(legend, "above")
        legend.update(orientation="horizontal", ncols="auto", visible=frame.shape[1] > 1)
    whole: LayoutDOM = dress(made, look)
    return whole


def _columns(frame: pd.DataFrame, *, log: bool) -> list[FloatArray]:
    """The lines, or a refusal of what makes none."""
    if not isinstance(frame, pd.DataFrame) or not 0 < frame.shape[1] <= MOST_LINES:
        given = f"{frame.shape[1]} columns" if isinstance(frame, pd.DataFrame) else type(frame).__name__
        raise DataError(
            f"Lines are drawn from a DataFrame of 1 to {MOST_LINES} columns, not {given}. Select some first."
        )
    if not frame.columns.is_unique:
        raise DataError("Two lines have the same name; rename one column, so that the legend can tell them apart.")
    moments(frame, "table of lines")
    columns = [numbers(frame.iloc[:, place], f"column {label!r}") for place, label in enumerate(frame.columns)]
    if not any(np.isfinite(values).any() for values in columns):
        raise DataError("The table of lines has no value at all: every one is missing.")
    lowest = min(float(np.nanmin(values)) for values in columns if np.isfinite(values).any())
    if log and lowest <= 0:
        raise DataError(f"A logarithmic scale cannot show {lowest:g}; draw the lines with log=False.")
    return columns


def histogram(
    returns: pd.Series,
    title: str = "",
    theme: str = "light",
    marks: Mapping[str, float] | None = None,
    *,
    zeros: bool = True,
) -> LayoutDOM:
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
    marks : mapping of str to float, optional
        Further vertical lines by label, such as a value at risk; those that are not finite are left out.
    zeros : bool
        Whether returns of exactly zero are drawn. Without them the bars of an account that was long out of the market
        can be seen; the legend says how many they are, and mean and median are those of all returns.

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
    drawn = values if zeros or not values.any() else values[values != 0.0]
    edges = _edges(drawn)
    count, _ = np.histogram(drawn, edges)
    models = need("bokeh.models", "dashboards")
    way = np.where(edges[:-1] >= 0, "gain", "loss").astype(object)
    source = models.ColumnDataSource({"left": edges[:-1], "right": edges[1:], "count": count, "way": way})
    made = pane(look, height=280 if not marks else 330, title=title)
    colour = need("bokeh.transform", "dashboards").factor_cmap("way", [look.gain, look.loss], ["gain", "loss"])
    made.quad(
        left="left", right="right", bottom=0, top="count", source=source, fill_color=colour, fill_alpha=0.75,
        line_color=look.paper, name="bins",
    )  # fmt: skip
    _uprights(made, values, float(count.max()) * 1.08, marks or {}, look)
    if len(drawn) < len(values):
        made.scatter([], [], size=0, legend_label=f"{len(values) - len(drawn):,} zeros not drawn", name="zeros")
    if marks:  # too many labels to stand over the bars of a narrow screen
        made.add_layout(made.legend[0], "above")
        made.legend[0].update(orientation="horizontal", ncols=2)
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


def _uprights(made: Figure, values: FloatArray, tallest: float, marks: Mapping[str, float], look: Theme) -> None:
    """Vertical lines at the mean, the median and each mark."""
    uprights: list[tuple[str, float, str, str]] = [
        ("mean", float(values.mean()), "solid", look.ink),
        ("median", float(np.median(values)), "dashed", look.ink),
    ]
    colours, dashes = (look.mark, look.series[7], look.series[2]), ("solid", "dashed", "dotted")
    found = [(label, at) for label, at in marks.items() if np.isfinite(at)]
    uprights += [(label, at, dashes[k % 3], colours[k % 3]) for k, (label, at) in enumerate(found)]
    for label, at, dash, colour in uprights:
        made.line(
            [at, at], [0, tallest], line_color=colour, line_dash=dash, line_width=1.5,
            legend_label=plain(f"{label} {at:.2%}"), name=label,
        )  # fmt: skip


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
