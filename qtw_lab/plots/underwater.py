"""How far below its peak an account was, with its worst stretches shaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.sessions import shown_time
from qtw_lab.plots.tables import milliseconds, moments, numbers
from qtw_lab.plots.theme import FONTS, Figure, Theme, dress, pane, themed
from qtw_lab.plots.thinning import drawn_places

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

_NEEDED: Final = ("start", "end")


def underwater(
    drawdown: pd.Series, stretches: pd.DataFrame | None = None, title: str = "", theme: str = "light"
) -> LayoutDOM:
    """The drawdown over time as an area below zero; the stretches given are shaded and numbered from 1.

    Parameters
    ----------
    drawdown : Series
        Fractions at or below zero on increasing times.
    stretches : DataFrame, optional
        Columns ``start`` and ``end``: times on the axis of the drawdown, a row a stretch, in the order of its numbers.
    title : str
        Drawn above.
    theme : {"light", "dark"}
        The variant.

    Raises
    ------
    DataError
        If the drawdown has no value or one above zero, or the stretches lack a column.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> below = pd.Series([0.0, -0.1, 0.0], index=pd.date_range("2024-01-02", periods=3))
    >>> underwater(below).select_one({"name": "drawdown"}).data_source.data["drawdown"].tolist()
    [0.0, -0.1, 0.0]
    """
    look = themed(theme)
    index, values = moments(drawdown, "drawdown"), numbers(drawdown, "drawdown")
    if not np.isfinite(values).any() or np.nanmax(values) > 0:
        raise DataError("A drawdown is a fraction at or below zero; this one has no value, or one above zero.")
    if stretches is not None and (missing := [name for name in _NEEDED if name not in stretches.columns]):
        raise DataError(f"The stretches of a drawdown lack the column {missing[0]!r}.")
    models = need("bokeh.models", "dashboards")
    made = pane(look, height=220, title=title, x_axis_type="datetime")
    if stretches is not None:
        _shade(made, stretches, float(np.nanmin(values)), look)
    kept = drawn_places([values])
    source = models.ColumnDataSource({"time": milliseconds(index).astype(np.float64)[kept], "drawdown": values[kept]})
    made.varea("time", 0, "drawdown", source=source, fill_color=look.loss, fill_alpha=0.35, name="area")
    line = made.line("time", "drawdown", source=source, line_color=look.loss, line_width=1.2, name="drawdown")
    rows = [("time", "@time{" + shown_time(index) + "}"), ("drawdown", "@drawdown{0.00%}")]
    made.add_tools(
        models.HoverTool(visible=False, renderers=[line], mode="vline", tooltips=rows, formatters={"@time": "datetime"})
    )
    made.x_range.range_padding, made.y_range.end = 0.01, 0
    made.yaxis.formatter = models.NumeralTickFormatter(format="0.[0]%")
    whole: LayoutDOM = dress(made, look)
    return whole


def _shade(made: Figure, stretches: pd.DataFrame, deepest: float, look: Theme) -> None:
    """A band behind each stretch, with its number at the foot."""
    models = need("bokeh.models", "dashboards")
    starts, ends = (milliseconds(pd.DatetimeIndex(stretches[name])).astype(np.float64).tolist() for name in _NEEDED)
    for start, end in zip(starts, ends, strict=True):
        made.add_layout(
            models.BoxAnnotation(left=start, right=end, fill_color=look.muted, fill_alpha=0.14, line_color=None)
        )
    labels = models.ColumnDataSource(
        {
            "x": [(start + end) / 2 for start, end in zip(starts, ends, strict=True)],
            "y": [deepest * 1.02] * len(starts),
            "text": [str(number) for number in range(1, len(starts) + 1)],
        }
    )
    made.text(
        "x", "y", text="text", source=labels, text_align="center", text_baseline="bottom", text_color=look.muted,
        text_font={"value": FONTS}, text_font_size="11px", name="numbers",
    )  # fmt: skip
