"""Panes of indicators beneath candles, on the same axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.sessions import count_bars
from qtw_lab.plots.tables import number_format
from qtw_lab.plots.theme import Figure, Theme, dress, pane, plain, themed

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

FloatArray = npt.NDArray[np.float64]

_HEIGHT: Final = 120


@dataclass(frozen=True)
class Beneath:
    """What one pane shows.

    Parameters
    ----------
    title : str
        Drawn above it.
    lines : mapping of str to ndarray
        One array a line by label, as long as the bars of the candles; NaN breaks it.
    levels : tuple of float
        Where dashed lines mark the scale.
    columns : str
        Label of the line that is drawn as columns from zero; none by default.
    """

    title: str
    lines: Mapping[str, FloatArray]
    levels: tuple[float, ...] = ()
    columns: str = ""


def beneath(candles: LayoutDOM, panes: Sequence[Beneath], theme: str = "light", *, volume: bool = True) -> LayoutDOM:
    """The column that `candles` made, with further panes beneath the prices that move with them.

    Parameters
    ----------
    candles : bokeh.models.LayoutDOM
        Of `plots.candles`; changed, and returned.
    panes : sequence of Beneath
        From top to bottom.
    theme : {"light", "dark"}
        That of the candles.
    volume : bool
        Whether the pane of volume stays.

    Raises
    ------
    DataError
        If an array is not as long as there are bars.

    Examples
    --------
    >>> import pandas as pd
    >>> from qtw_lab.plots import candles
    >>> days = pd.date_range("2024-01-02", periods=3)
    >>> chart = candles(pd.DataFrame({"close": [2.0, 3.0, 4.0]}, index=days))
    >>> len(beneath(chart, [Beneath("RSI 2", {"RSI 2": np.array([np.nan, np.nan, 100.0])})]).children)
    2
    """
    look = themed(theme)
    column: Any = candles
    top = column.children[0]
    drawn = column.select_one({"name": "bodies"}) or column.select_one({"name": "closes"})
    source = drawn.data_source
    upper = [child for child in column.children if child.select_one({"name": "history"}) is None]
    strip = [child for child in column.children if child not in upper]
    if not volume:
        upper = [child for child in upper if child.select_one({"name": "volume"}) is None]
    made = [_drawn(one, top, source, look) for one in panes]
    whole = [*upper, *made]
    label = next((each.xaxis[0].axis_label for each in column.children[:2] if each.xaxis[0].axis_label), None)
    for number, each in enumerate(whole):
        each.xaxis.visible = number == len(whole) - 1
    whole[-1].xaxis.axis_label = label
    column.children = [*whole, *strip]
    found: LayoutDOM = column
    return found


def _drawn(one: Beneath, top: Figure, source: Any, look: Theme) -> Figure:
    """One pane."""
    models = need("bokeh.models", "dashboards")
    count = len(source.data["bar"])
    wrong = [label for label, values in one.lines.items() if len(values) != count]
    if wrong or not one.lines:
        raise DataError(f"The pane {one.title!r} needs lines of {count} values, one a bar; {wrong or 'it has none'}.")
    made = pane(look, height=_HEIGHT, title=one.title, x_range=top.x_range, window_axis="x", tools="xpan,xwheel_zoom")
    made.toolbar_location = None
    for level in one.levels:
        made.add_layout(models.Span(location=level, dimension="width", line_color=look.muted, line_dash="dashed"))
    own = models.ColumnDataSource(
        {"bar": source.data["bar"], "time": source.data["time"]}
        | {f"y{place}": values for place, values in enumerate(one.lines.values())}
    )
    for place, label in enumerate(one.lines):
        _line(made, own, f"y{place}", label, place, look, columns=label == one.columns)
    values = np.concatenate(list(one.lines.values()))
    made.yaxis.ticker = models.BasicTicker(desired_num_ticks=3)
    made.yaxis.formatter = models.NumeralTickFormatter(format="0.[00]a")
    made.y_range.range_padding = 0.08
    made.min_border_left = 64
    made.title.text_font_size = "12px"
    count_bars(made, source)
    pattern = number_format(values)
    rows = [(plain(label), f"@y{place}{{{pattern}}}") for place, label in enumerate(one.lines)]
    hovered = made.renderers[-1:]
    made.add_tools(
        models.CrosshairTool(dimensions="height", visible=False),
        models.HoverTool(
            visible=False, renderers=hovered, mode="vline", point_policy="follow_mouse",
            tooltips=[("time", "@time{%d %b %Y %H:%M}"), *rows], formatters={"@time": "datetime"},
        ),
    )  # fmt: skip
    dress(made, look)
    made.title.update(text_font_size="12px", text_color=look.muted)
    return made


def _line(made: Figure, source: Any, name: str, label: str, place: int, look: Theme, *, columns: bool) -> None:
    """One line, or columns from zero."""
    if columns:
        source.data[f"{name}way"] = np.where(np.asarray(source.data[name]) >= 0, "up", "down").astype(object)
        colour = need("bokeh.transform", "dashboards").factor_cmap(
            f"{name}way", palette=[look.gain, look.loss], factors=["up", "down"]
        )
        made.vbar(
            x="bar", top=name, width=0.7, source=source, fill_color=colour, line_color=None, fill_alpha=0.6, name=label
        )
        return
    made.line("bar", name, source=source, line_color=look.series[place % 8], line_width=1.5, name=label)
