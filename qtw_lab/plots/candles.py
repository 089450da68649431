"""Prices as candles with volume, overlays and trades."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.sessions import clock_columns, count_bars, shown_time
from qtw_lab.plots.tables import FloatArray, moments, number_format, numbers
from qtw_lab.plots.theme import Figure, Theme, dress, pane, plain, themed
from qtw_lab.plots.trades import mark_trades

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource, LayoutDOM

#: Bars in view at first: about a year of days.
_FIRST_VIEW: Final = 260

#: Width of a candle's body, as a share of its slot.
_BODY: Final = 0.7

_PRICES: Final = ("open", "high", "low", "close")


def candles(
    ohlcv: pd.DataFrame,
    trades: pd.DataFrame | None = None,
    overlays: Mapping[str, pd.Series] | None = None,
    title: str = "",
    theme: str = "light",
) -> LayoutDOM:
    """Candles over volume, with trades and overlays, on an axis without weekend gaps.

    A long history opens on its last bars; a strip below shows all of it and moves the view. The price scale follows
    what is in view. A bar with a missing price leaves its place empty. Without open, high and low, or where they never
    differ from the close, a line is drawn instead of candles.

    Parameters
    ----------
    ohlcv : DataFrame
        One symbol: column ``close``, and ``open``, ``high``, ``low``, ``volume`` where known; index of bar starts, in
        whatever time zone they are to be shown.
    trades : DataFrame, optional
        Columns ``entry_time``, ``exit_time`` (missing while open), ``side`` ("long" or "short"), ``entry_price``,
        ``exit_price``, and where known ``symbol`` (one only), ``quantity``, ``pnl``, ``return`` (a fraction). Trades
        wholly outside the bars are left out, and the legend says how many.
    overlays : mapping of str to Series, optional
        Lines over the prices by label, such as moving averages, on times of the bars; missing values break the line.
    title : str
        Drawn above.
    theme : {"light", "dark"}
        The variant.

    Returns
    -------
    bokeh.models.LayoutDOM
        A column of linked panes, as wide as its place.

    Raises
    ------
    DataError
        If there is no close, no row, a column that is not numbers, times that are not in order, trades of several
        symbols, or an overlay that shares no time with the bars.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=3)
    >>> table = pd.DataFrame({"open": [1, 2, 3], "high": [3, 4, 5], "low": [1, 1, 2], "close": [2, 3, 4]}, index=days)
    >>> len(candles(table, title="Three days").children)
    1
    """
    look = themed(theme)
    prices = _prices(ohlcv)
    index = moments(ohlcv, "price table")
    models = need("bokeh.models", "dashboards")
    source = models.ColumnDataSource(_columns(prices, index))
    first = max(0, len(index) - _FIRST_VIEW)
    view = models.Range1d(start=first - 0.7, end=len(index) - 0.3, bounds=(-1.5, len(index) + 0.5), min_interval=5)
    top = pane(look, height=380, title=title, x_range=view, window_axis="x")
    top.y_range.range_padding = 0.06
    top.yaxis.formatter = models.NumeralTickFormatter(format=number_format(prices["close"]))
    body = _draw_prices(top, source, prices, look)
    _draw_overlays(top, overlays or {}, index, look)
    if trades is not None:
        mark_trades(top, trades, index, look)
    panes = [top]
    if "volume" in prices and np.isfinite(prices["volume"]).any():
        panes.append(_volume(source, view, look))
    _finish(panes, source, body, prices, index, look)
    if first > 0:
        panes.append(_strip(source, view, look))
    whole: LayoutDOM = need("bokeh.layouts", "dashboards").column(*panes, sizing_mode="stretch_width", spacing=0)
    return whole


def _prices(ohlcv: pd.DataFrame) -> dict[str, FloatArray]:
    """The known columns; a bar lacking any of its prices has none."""
    if not isinstance(ohlcv, pd.DataFrame) or "close" not in ohlcv.columns:
        given = list(ohlcv.columns)[:10] if isinstance(ohlcv, pd.DataFrame) else type(ohlcv).__name__
        raise DataError(f"Candles need a table of one symbol with a column 'close', not {given}. Use lower-case names.")
    if not ohlcv.columns.is_unique:
        raise DataError("The price table has a column twice; keep one of each name, and one symbol.")
    if "symbol" in ohlcv.columns and len(ohlcv["symbol"].unique()) > 1:
        raise DataError(
            f"The price table holds {len(ohlcv['symbol'].unique())} symbols; candles show one. Select it first."
        )
    found = {name: numbers(ohlcv[name], f"{name} column") for name in (*_PRICES, "volume") if name in ohlcv.columns}
    if not np.isfinite(found["close"]).any():
        raise DataError("The price table has no close at all: every value is missing. Check the symbol and the dates.")
    present = [name for name in _PRICES if name in found]
    whole = np.all([np.isfinite(found[name]) for name in present], axis=0)
    varies = len(present) == len(_PRICES) and any(
        not np.array_equal(found[name][whole], found["close"][whole]) for name in _PRICES
    )
    if not varies:
        return {name: found[name] for name in ("close", "volume") if name in found}
    for name in _PRICES:
        found[name] = np.where(whole, found[name], np.nan)
    return found


def _columns(prices: Mapping[str, FloatArray], index: pd.DatetimeIndex) -> dict[str, Any]:
    """Everything the panes draw, one row a bar."""
    columns = clock_columns(index) | dict(prices)
    start = prices["close"]
    if "open" in prices:
        rising = prices["close"] >= prices["open"]
    else:
        rising = np.concatenate([[True], ~(start[1:] < start[:-1])])
    columns["way"] = np.where(rising, "up", "down").astype(object)
    return columns


def _ways(look: Theme) -> Any:
    """The colour of a bar by its column ``way``."""
    return need("bokeh.transform", "dashboards").factor_cmap(
        "way", palette=[look.gain, look.loss], factors=["up", "down"]
    )


def _draw_prices(top: Figure, source: ColumnDataSource, prices: Mapping[str, FloatArray], look: Theme) -> Any:
    """Candles, or a line where only closes are known; the renderer the hover follows."""
    if "open" not in prices:
        drawn = top.line("bar", "close", source=source, line_color=look.series[0], line_width=1.6, name="close")
        top.y_range.renderers = [drawn]
        return top.scatter("bar", "close", source=source, size=2, color=look.series[0], name="closes")
    colour = _ways(look)
    wicks = top.segment("bar", "high", "bar", "low", source=source, line_color=colour, line_width=1, name="wicks")
    # only prices set the scale: marks of which none is in view would widen it to all of their history
    top.y_range.renderers = [wicks]
    return top.vbar(
        x="bar",
        top="open",
        bottom="close",
        width=_BODY,
        source=source,
        fill_color=colour,
        line_color=colour,
        name="bodies",
    )


def _draw_overlays(top: Figure, overlays: Mapping[str, pd.Series], index: pd.DatetimeIndex, look: Theme) -> None:
    """One line an overlay."""
    places = [2, 3, 5, 7, 0, 1, 4, 6]  # colours unlike those of the candles come first
    for number, (label, series) in enumerate(overlays.items()):
        times = moments(series, f"overlay {label!r}")
        if (times.tz is None) != (index.tz is None):
            raise DataError(f"The overlay {label!r} and the prices must both have a time zone, or neither.")
        values = numbers(series, f"overlay {label!r}")
        aligned = pd.Series(values, index=times).reindex(index).to_numpy()
        if not np.isfinite(aligned).any():
            raise DataError(f"The overlay {label!r} has no value at any time of the bars; give it the same index.")
        top.line(
            np.arange(len(index), dtype=np.float64), aligned, line_color=look.series[places[number % 8]],
            line_width=1.6, legend_label=plain(str(label)), name=f"overlay {label}",
            line_dash="solid" if number < 8 else "dashed",
        )  # fmt: skip


def _volume(source: ColumnDataSource, view: Any, look: Theme) -> Figure:
    """The pane of traded volume."""
    models = need("bokeh.models", "dashboards")
    made = pane(look, height=90, x_range=view, window_axis="x", tools="xpan,xwheel_zoom,reset")
    made.toolbar_location = None
    made.y_range.start = 0
    made.vbar(
        x="bar", top="volume", width=_BODY, source=source, fill_color=_ways(look), line_color=None, fill_alpha=0.6,
        name="volume",
    )  # fmt: skip
    made.yaxis.formatter = models.NumeralTickFormatter(format="0.[0]a")
    made.yaxis.ticker = models.BasicTicker(desired_num_ticks=2)
    made.yaxis.axis_label = "volume"
    return made


def _finish(
    panes: list[Figure], source: ColumnDataSource, body: Any, prices: Mapping[str, FloatArray], index: pd.DatetimeIndex,
    look: Theme,
) -> None:  # fmt: skip
    """What the panes share: time labels on the lowest, one crosshair, hover with the bar's numbers."""
    models = need("bokeh.models", "dashboards")
    line = models.Span(dimension="height", line_color=look.muted, line_dash="dotted", line_width=1)
    pattern = number_format(prices["close"])
    rows = [("time", "@time{" + shown_time(index) + "}")]
    rows += [(name, f"@{name}{{{pattern}}}") for name in _PRICES if name in prices]
    rows += [("volume", "@volume{0,0}")] if "volume" in prices else []
    for number, each in enumerate(panes):
        count_bars(each, source)
        each.min_border_left = 64  # the panes' plotting areas begin at the same place
        each.xaxis.visible = number == len(panes) - 1
        each.add_tools(models.CrosshairTool(overlay=line, dimensions="height", visible=False))
        followed = [body] if number == 0 else each.renderers
        each.add_tools(
            models.HoverTool(
                visible=False,
                renderers=followed,
                mode="vline",
                tooltips=rows,
                formatters={"@time": "datetime"},
                point_policy="follow_mouse",
            )
        )
        dress(each, look)
    if index.tz is not None and "%H" in shown_time(index):
        panes[-1].xaxis.axis_label = f"time in {index.tz}"
    for legend in panes[0].legend:
        legend.location, legend.click_policy, legend.orientation = "top_left", "hide", "vertical"


def _strip(source: ColumnDataSource, view: Any, look: Theme) -> Figure:
    """The whole history, with the part in view marked and movable."""
    models = need("bokeh.models", "dashboards")
    made = pane(look, height=64, tools="", y_range=models.DataRange1d(range_padding=0.15))
    made.toolbar_location = None
    made.line("bar", "close", source=source, line_color=look.muted, line_width=1, name="history")
    tool = models.RangeTool(x_range=view)
    tool.overlay.update(fill_color=look.series[0], fill_alpha=0.16, line_color=look.series[0], line_alpha=0.7)
    made.add_tools(tool)
    count_bars(made, source)
    made.x_range.range_padding = 0
    made.yaxis.visible = False
    made.ygrid.visible = False
    made.min_border_left = 64
    return dress(made, look)
