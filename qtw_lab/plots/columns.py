"""Upright bars of a few things side by side, such as returns by year."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.tables import FloatArray, number_format, numbers
from qtw_lab.plots.theme import dress, pane, plain, themed

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

#: Beyond this many things side by side the bars are too thin to tell apart.
MOST_BESIDE: Final = 6

#: Labels along the axis beyond which they are slanted, so that they fit a narrow screen, and beyond which upright.
_LEVEL: Final = 7
_SLANTED: Final = 24


def columns(
    frame: pd.DataFrame, title: str = "", theme: str = "light", *, percent: bool = False, height: int = 280
) -> LayoutDOM:
    """A group of bars for every row, a bar for every column; clicking a label hides its bars.

    Parameters
    ----------
    frame : DataFrame
        Numbers; a label for each group as index. A missing number is a missing bar.
    title : str
        Drawn above.
    theme : {"light", "dark"}
        The variant.
    percent : bool
        Whether the numbers are fractions to be shown in percent.
    height : int
        In pixels.

    Raises
    ------
    DataError
        If there is no row, no column or more than `MOST_BESIDE`, a label occurs twice, or a column is not numbers.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> made = columns(pd.DataFrame({"strategy": [0.1, -0.05]}, index=[2023, 2024]), percent=True)
    >>> made.select_one({"name": "strategy"}).data_source.data["value"].tolist()
    [0.1, -0.05]
    """
    look = themed(theme)
    tables = _checked(frame)
    models = need("bokeh.models", "dashboards")
    labels = [plain(str(label)) for label in frame.index]
    made = pane(look, height=height, title=title, tools="save", x_range=models.FactorRange(*labels))
    made.add_layout(models.Span(location=0, dimension="width", line_color=look.edge, line_width=1))
    pattern = "0,0.00%" if percent else number_format(np.concatenate(tables))
    width = 0.8 / len(tables)
    for place, (label, values) in enumerate(zip(frame.columns, tables, strict=True)):
        name, known = plain(str(label)), np.isfinite(values)
        source = models.ColumnDataSource(
            {
                "group": np.array(labels, dtype=object)[known],
                "value": values[known],
                "bar": np.full(int(known.sum()), name, dtype=object),
            }
        )
        at = need("bokeh.transform", "dashboards").dodge("group", -0.4 + width * (place + 0.5), range=made.x_range)
        made.vbar(
            x=at, top="value", width=width * 0.92, source=source, fill_color=look.series[place], line_color=None,
            legend_label=name, name=str(label),
        )  # fmt: skip
    rows = [("", "@bar, @group"), ("value", f"@value{{{pattern}}}")]
    made.add_tools(models.HoverTool(visible=False, tooltips=rows))
    made.yaxis.formatter = models.NumeralTickFormatter(
        format="0,0.[0]%" if percent else pattern.replace(".", ".[") + "]"
    )
    made.xgrid.visible = False
    if len(labels) > _LEVEL:
        made.xaxis.major_label_orientation = 0.9 if len(labels) <= _SLANTED else "vertical"
    made.add_layout(made.legend[0], "above")
    made.legend[0].update(orientation="horizontal", click_policy="hide", visible=len(tables) > 1)
    whole: LayoutDOM = dress(made, look)
    return whole


def _checked(frame: pd.DataFrame) -> list[FloatArray]:
    """The columns as numbers, or a refusal."""
    if not isinstance(frame, pd.DataFrame) or not 0 < frame.shape[1] <= MOST_BESIDE or frame.empty:
        given = f"{frame.shape[0]} x {frame.shape[1]}" if isinstance(frame, pd.DataFrame) else type(frame).__name__
        raise DataError(
            f"Bars are drawn from a DataFrame with at least one row and 1 to {MOST_BESIDE} columns, not {given}."
        )
    if not frame.columns.is_unique or not pd.Index(map(str, frame.index)).is_unique:
        raise DataError("Two groups or two kinds of bars have the same name; rename one, so that each is told apart.")
    tables = [numbers(frame.iloc[:, place], f"column {label!r}") for place, label in enumerate(frame.columns)]
    if not any(np.isfinite(values).any() for values in tables):
        raise DataError("The table of bars has no value at all: every one is missing.")
    return tables
