"""The growth of an account, against a benchmark and below its own peak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.sessions import shown_time
from qtw_lab.plots.tables import milliseconds, moments, number_format, numbers
from qtw_lab.plots.theme import Figure, Theme, dress, pane, plain, themed
from qtw_lab.plots.thinning import drawn_places

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource, LayoutDOM


def equity(
    curve: pd.Series, benchmark: pd.Series | None = None, title: str = "", theme: str = "light", *, log: bool = False
) -> LayoutDOM:
    """An equity curve against its benchmark, over the drawdown from the curve's highest value so far.

    Parameters
    ----------
    curve : Series
        Equity in the account currency, or growth of one; increasing times as index. Missing values break the line.
    benchmark : Series, optional
        Prices or equity in any unit. Its last known value at each time of the curve is scaled so that both are equal at
        the first time both are known.
    title : str
        Drawn above.
    theme : {"light", "dark"}
        The variant.
    log : bool
        Whether equal distances mean equal ratios.

    Returns
    -------
    bokeh.models.LayoutDOM
        Two linked panes. Drawdown is a fraction at or below zero: equity over its running maximum, less one. Of a
        curve of more than 5,000 points those are drawn that show at full width, every high and low among them.

    Raises
    ------
    DataError
        If a series is empty, not numbers or not in time order, is nowhere known together with the other, or if `log`
        or a benchmark meets an equity that is not above zero.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=3)
    >>> made = equity(pd.Series([100.0, 120.0, 90.0], index=days))
    >>> source = made.children[1].select_one({"name": "drawdown"}).data_source
    >>> source.data["drawdown"].round(4).tolist()
    [0.0, 0.0, -0.25]
    """
    look = themed(theme)
    index = moments(curve, "equity curve")
    values = numbers(curve, "equity curve")
    if not np.isfinite(values).any():
        raise DataError("The equity curve has no value at all: every one is missing.")
    if log and np.nanmin(values) <= 0:
        raise DataError(f"A logarithmic scale cannot show an equity of {np.nanmin(values):g}; draw it with log=False.")
    peak = np.fmax.accumulate(values)
    below = values / np.where(peak > 0, peak, np.nan) - 1.0
    columns = {"time": milliseconds(index).astype(np.float64), "equity": values, "drawdown": below}
    if benchmark is not None:
        columns["benchmark"] = _rebased(benchmark, index, values)
        if log and np.nanmin(columns["benchmark"]) <= 0:
            raise DataError("A logarithmic scale cannot show a benchmark at or below zero; draw it with log=False.")
    kept = drawn_places([values for name, values in columns.items() if name != "time"])
    source = need("bokeh.models", "dashboards").ColumnDataSource(
        {name: values[kept] for name, values in columns.items()}
    )
    top = _growth(source, look, title, log=log, label=str(curve.name or "strategy"), against=benchmark)
    bottom = _drawdown(source, top, look)
    _follow(top, bottom, source, index, look)
    whole: LayoutDOM = need("bokeh.layouts", "dashboards").column(top, bottom, sizing_mode="stretch_width", spacing=0)
    return whole


def _rebased(benchmark: pd.Series, index: pd.DatetimeIndex, curve: Any) -> Any:
    """The benchmark at the curve's times, equal to the curve where both begin."""
    times = moments(benchmark, "benchmark")
    if (times.tz is None) != (index.tz is None):
        raise DataError("The equity curve and its benchmark must both have a time zone, or neither.")
    known = pd.Series(numbers(benchmark, "benchmark"), index=times).dropna()
    aligned = known.reindex(index, method="ffill").to_numpy()
    # a value is not carried past the benchmark's own end
    aligned = np.where(np.asarray(index > times[-1]), np.nan, aligned)
    both = np.isfinite(aligned) & np.isfinite(curve)
    if not both.any():
        raise DataError(
            f"The benchmark ({times[0].date()} to {times[-1].date()}) and the equity curve ({index[0].date()} to "
            f"{index[-1].date()}) are nowhere known together; choose one that covers the same dates."
        )
    start = int(np.argmax(both))
    if aligned[start] <= 0 or curve[start] <= 0:
        raise DataError(
            f"Curve and benchmark cannot be brought to one start: on {index[start].date()} one is not above zero."
        )
    return aligned * (curve[start] / aligned[start])


def _growth(
    source: ColumnDataSource, look: Theme, title: str, *, log: bool, label: str, against: pd.Series | None
) -> Figure:
    """The upper pane."""
    models = need("bokeh.models", "dashboards")
    made = pane(look, height=320, title=title, x_axis_type="datetime", y_axis_type="log" if log else "linear")
    if against is not None:
        # Bokeh joins legend entries of one name, so a benchmark called like the curve says which it is
        twice = " (benchmark)" if str(against.name) == label else ""
        made.line(
            "time", "benchmark", source=source, line_color=look.series[1], line_width=1.5,
            legend_label=plain(str(against.name or "benchmark") + twice), name="benchmark",
        )  # fmt: skip
    made.line(
        "time",
        "equity",
        source=source,
        line_color=look.series[0],
        line_width=2,
        legend_label=plain(label),
        name="equity",
    )
    made.yaxis.formatter = models.NumeralTickFormatter(format="0,0.[0000]")  # of round ticks, so only what they need
    if log:
        # a span of less than a decade has no power of ten inside, so ticks at 1, 2 and 5 are asked for
        made.yaxis.ticker = models.LogTicker(mantissas=[1, 2, 5], desired_num_ticks=8)
    return made


def _money(values: Any) -> str:
    """Whole numbers for an account, decimals for growth of one."""
    return "0,0" if np.nanmax(np.abs(values)) >= 1000 else number_format(values)


def _drawdown(source: ColumnDataSource, top: Figure, look: Theme) -> Figure:
    """The lower pane."""
    models = need("bokeh.models", "dashboards")
    made = pane(look, height=130, x_axis_type="datetime", x_range=top.x_range, tools="xpan,xwheel_zoom,reset")
    made.toolbar_location = None
    made.varea("time", 0, "drawdown", source=source, fill_color=look.loss, fill_alpha=0.3, name="area")
    made.line("time", "drawdown", source=source, line_color=look.loss, line_width=1.2, name="drawdown")
    made.y_range.end = 0
    made.yaxis.formatter = models.NumeralTickFormatter(format="0.[000]%")
    made.yaxis.ticker.desired_num_ticks = 4
    made.yaxis.axis_label = "drawdown"
    return made


def _follow(top: Figure, bottom: Figure, source: ColumnDataSource, index: pd.DatetimeIndex, look: Theme) -> None:
    """Time labels on the lower pane, one crosshair and the same hover on both."""
    models = need("bokeh.models", "dashboards")
    line = models.Span(dimension="height", line_color=look.muted, line_dash="dotted", line_width=1)
    money = _money(source.data["equity"])
    rows = [("time", "@time{" + shown_time(index) + "}"), ("equity", f"@equity{{{money}}}")]
    rows += [("benchmark, rebased", f"@benchmark{{{money}}}")] if "benchmark" in source.data else []
    rows += [("drawdown", "@drawdown{0.00%}")]
    top.xaxis.visible = False
    top.x_range.range_padding = 0.01
    for each, name in ((top, "equity"), (bottom, "drawdown")):
        each.min_border_left = 76
        followed = [renderer for renderer in each.renderers if renderer.name == name]
        each.add_tools(
            models.CrosshairTool(overlay=line, dimensions="height", visible=False),
            models.HoverTool(
                visible=False, renderers=followed, mode="vline", tooltips=rows, formatters={"@time": "datetime"}
            ),
        )
        dress(each, look)
    for legend in top.legend:
        legend.location, legend.click_policy = "top_left", "hide"
