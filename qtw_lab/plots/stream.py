"""Figures over a source that somebody streams into: lines of the last minutes, and candles as they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.lines import MOST_LINES
from qtw_lab.plots.tables import milliseconds
from qtw_lab.plots.theme import Figure, dress, pane, plain, themed

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource, LayoutDOM

#: Width of a candle's body, as a share of its slot.
_BODY: Final = 0.7

_DASHES: Final = ("solid", "dashed", "dotted")

#: What the source of candles holds beside the time.
CANDLE: Final = ("open", "high", "low", "close", "volume", "way")


@dataclass(frozen=True, eq=False)
class Streamed:
    """A figure and the source that it draws from.

    Parameters
    ----------
    figure : bokeh.models.LayoutDOM
        To be shown; as wide as its place.
    source : bokeh.models.ColumnDataSource
        Empty at first. Column ``time`` is in milliseconds since 1970; see `moments_of` and `candle_columns`.
    """

    figure: LayoutDOM
    source: ColumnDataSource


def stream_lines(
    names: Mapping[str, str],
    title: str = "",
    theme: str = "light",
    *,
    y_label: str = "",
    height: int = 220,
    source: ColumnDataSource | None = None,
) -> Streamed:
    """Lines over time, on a scale from zero, of whatever is streamed into the source; clicking a label hides its line.

    Parameters
    ----------
    names : mapping of str to str
        Columns of the source, and what each is called.
    title, y_label : str
        Drawn above, and along the vertical axis.
    theme : {"light", "dark"}
        The variant.
    height : int
        In pixels.
    source : bokeh.models.ColumnDataSource, optional
        That of a figure which this one takes the place of: a browser knows it already, and what is streamed into it
        meanwhile is not lost.

    Raises
    ------
    DataError
        If there is no line, or more than `qtw_lab.plots.lines.MOST_LINES`.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> made = stream_lines({"trades": "Trades", "quotes": "Quotes"})
    >>> made.source.stream({"time": [0.0], "trades": [12.0], "quotes": [60.0]}, rollover=600)
    >>> made.source.data["trades"]
    [12.0]
    """
    if not 0 < len(names) <= MOST_LINES or "time" in names:
        raise DataError(
            f"Give 1 to {MOST_LINES} columns, none of them called 'time', and what each is called; not {dict(names)}."
        )
    look = themed(theme)
    models = need("bokeh.models", "dashboards")
    source = source or models.ColumnDataSource({"time": [], **{name: [] for name in names}})
    made = pane(look, height=height, title=title, x_axis_type="datetime", tools="xpan,box_zoom,reset")
    for place, (name, label) in enumerate(names.items()):
        made.line(
            "time", name, source=source, line_color=look.series[place % 8], line_dash=_DASHES[place % 3],
            line_width=1.6, legend_label=plain(label), name=name,
        )  # fmt: skip
    rows = [("", "@time{%H:%M:%S}"), *((plain(label), f"@{name}{{0,0.[0]}}") for name, label in names.items())]
    made.add_tools(
        models.HoverTool(
            visible=False, tooltips=rows, formatters={"@time": "datetime"}, mode="vline", renderers=made.renderers[:1]
        )
    )
    made.y_range.start = 0
    _axes(made, y_label)
    made.add_layout(made.legend[0], "above")
    made.legend[0].update(orientation="horizontal", click_policy="hide")
    dress(made, look)
    made.legend[0].spacing = 14
    return Streamed(made, source)


def stream_candles(
    seconds: int,
    title: str = "",
    theme: str = "light",
    *,
    line: bool = False,
    volume: str = "volume",
    height: int = 300,
    source: ColumnDataSource | None = None,
) -> Streamed:
    """Candles over volume of whatever is streamed into the source, by the time of each bar.

    Parameters
    ----------
    seconds : int
        Length of a bar.
    title : str
        Drawn above.
    theme : {"light", "dark"}
        The variant.
    line : bool
        Whether closes are joined by a line, in place of candles.
    volume : str
        What the lower axis is called.
    height : int
        Of the prices, in pixels.
    source : bokeh.models.ColumnDataSource, optional
        As of `stream_lines`.

    Raises
    ------
    DataError
        If `seconds` is not above zero.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> sorted(stream_candles(5).source.data)
    ['close', 'high', 'low', 'open', 'time', 'volume', 'way']
    """
    if not seconds > 0:
        raise DataError(f"A bar of {seconds} seconds is none; give its length in seconds, such as 5.")
    look = themed(theme)
    models = need("bokeh.models", "dashboards")
    source = source or models.ColumnDataSource({name: [] for name in ("time", *CANDLE)})
    colour = need("bokeh.transform", "dashboards").factor_cmap("way", [look.gain, look.loss], ["up", "down"])
    width = _BODY * seconds * 1000
    top = pane(look, height=height, title=title, x_axis_type="datetime", tools="xpan,xwheel_zoom,box_zoom,reset")
    if line:
        drawn = top.line("time", "close", source=source, line_color=look.series[0], line_width=1.6, name="close")
        top.y_range.renderers = [drawn]
    else:
        wicks = top.segment("time", "high", "time", "low", source=source, line_color=colour, name="wicks")
        top.y_range.renderers = [wicks]
        drawn = top.vbar(
            x="time", top="open", bottom="close", width=width, source=source, fill_color=colour, line_color=colour,
            name="bodies",
        )  # fmt: skip
    below = pane(look, height=90, x_axis_type="datetime", x_range=top.x_range, tools="xpan,reset")
    below.toolbar_location = None
    below.vbar(
        x="time", top="volume", width=width, source=source, fill_color=colour, line_color=None, fill_alpha=0.6,
        name="volume",
    )  # fmt: skip
    below.y_range.start = 0
    below.yaxis.ticker = models.BasicTicker(desired_num_ticks=2)
    rows = [("", "@time{%H:%M:%S}"), *((name, f"@{name}{{0,0.00[00]}}") for name in CANDLE[:4])]
    rows.append((plain(volume), "@volume{0,0}"))
    top.add_tools(
        models.HoverTool(
            visible=False, tooltips=rows, formatters={"@time": "datetime"}, mode="vline", renderers=[drawn]
        )
    )
    top.y_range.range_padding = 0.06
    _axes(top, "")
    _axes(below, plain(volume))
    below.yaxis.formatter = models.NumeralTickFormatter(format="0.[0]a")
    top.yaxis.formatter = models.NumeralTickFormatter(format="0,0.00[00]")
    top.xaxis.visible = False
    for made in (top, below):
        made.min_border_left = 64
        dress(made, look)
    whole: LayoutDOM = need("bokeh.layouts", "dashboards").column(top, below, sizing_mode="stretch_width", spacing=0)
    return Streamed(whole, source)


def _axes(made: Figure, y_label: str) -> None:
    models = need("bokeh.models", "dashboards")
    clock = "%H:%M:%S"
    made.xaxis.formatter = models.DatetimeTickFormatter(
        seconds=clock, minsec=clock, minutes="%H:%M", hourmin="%H:%M", hours="%H:%M", days="%m-%d %H:%M"
    )
    made.yaxis.formatter = models.NumeralTickFormatter(format="0,0.[00]")
    made.yaxis.axis_label = plain(y_label) or None
    made.x_range.range_padding = 0.01
    made.xaxis.ticker = models.DatetimeTicker(desired_num_ticks=4)  # more stand in each other's way on a phone


def moments_of(times: pd.Series) -> list[float]:
    """Times as a source holds them: milliseconds since 1970 of their own wall clock."""
    return [float(time) for time in milliseconds(pd.DatetimeIndex(times))]


def candle_columns(bars: pd.DataFrame) -> dict[str, list[Any]]:
    """Bars as the source of `stream_candles` holds them.

    Parameters
    ----------
    bars : DataFrame
        Columns ``time``, ``open``, ``high``, ``low``, ``close`` and ``volume``.

    Examples
    --------
    >>> when = pd.Series(pd.to_datetime([1], unit="s", utc=True))
    >>> table = pd.DataFrame({"time": when, "open": 2.0, "high": 3.0, "low": 1.0, "close": 1.0, "volume": 5.0})
    >>> candle_columns(table)["way"], candle_columns(table)["time"]
    (['down'], [1000.0])
    """
    plainly = {name: bars[name].astype(float).tolist() for name in CANDLE[:5]}
    ways = ["up" if end >= start else "down" for start, end in zip(plainly["open"], plainly["close"], strict=True)]
    return {"time": moments_of(bars["time"]), **plainly, "way": ways}
