"""Returns month by month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.tables import numbers
from qtw_lab.plots.theme import FONTS, dress, pane, themed

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

#: Months in short.
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

#: The column of the whole year's return, and what it may be called.
_TOTALS: Final = ("total", "year", "ytd")

#: A month at or beyond this return has the full colour unless the table's own middle is wider.
_LEAST_SPAN: Final = 0.02


def return_calendar(monthly: pd.DataFrame, title: str = "", theme: str = "light") -> LayoutDOM:
    """A calendar of returns in percent, a row a year, blue for gains and orange for losses.

    The colour is full at the size that nine in ten months stay below, so that one extraordinary month does not bleach
    the others; a total is coloured on the same scale for the size nine in ten years stay below.

    Parameters
    ----------
    monthly : DataFrame
        Fractions (0.05 is 5%); years as index, months 1 to 12 as columns, and optionally a column ``total`` for the
        year. Missing months stay empty.
    title : str
        Drawn above.
    theme : {"light", "dark"}
        The variant.

    Raises
    ------
    DataError
        If a column is neither a month nor the total, a year is repeated or no number, or no month has a value.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> made = return_calendar(pd.DataFrame({1: [0.05], 2: [-0.012], "total": [0.0374]}, index=[2024]))
    >>> list(made.select_one({"name": "numbers"}).data_source.data["text"])
    ['5.0', '-1.2', '3.7']
    """
    look = themed(theme)
    cells = _cells(monthly)
    models = need("bokeh.models", "dashboards")
    years = list(dict.fromkeys(cells["year"]))
    columns = [*MONTHS, *(["Year"] if (cells["column"] == "Year").any() else [])]
    made = pane(
        look, height=60 + 30 * len(years), title=title, tools="save", min_width=560,
        x_range=models.FactorRange(*columns), y_range=models.FactorRange(*reversed(years)), x_axis_location="above",
    )  # fmt: skip
    source = models.ColumnDataSource({name: cells[name].to_numpy() for name in cells})
    mapper = models.LinearColorMapper(palette=look.ramp("diverging"), low=-1.0, high=1.0)
    squares = made.rect(
        "column", "year", width=0.96, height=0.92, source=source, line_color=None, name="cells",
        fill_color={"field": "shade", "transform": mapper},
    )  # fmt: skip
    made.text(
        "column", "year", text="text", source=source, text_align="center", text_baseline="middle", text_color=look.ink,
        text_font={"value": FONTS}, text_font_size="12px", name="numbers",
    )  # fmt: skip
    made.add_tools(
        models.HoverTool(
            visible=False, renderers=[squares], tooltips=[("month", "@column @year"), ("return", "@return{0.00%}")]
        )
    )
    made.grid.visible = False
    dress(made, look)
    for axis in made.axis:
        axis.update(axis_line_color=None, major_tick_line_color=None)
    whole: LayoutDOM = made
    return whole


def _cells(monthly: pd.DataFrame) -> pd.DataFrame:
    """One row a cell with a value: where it stands, its return, its text and its shade from -1 to 1."""
    if not isinstance(monthly, pd.DataFrame) or monthly.empty:
        raise DataError(
            "A return calendar needs a table with years as index and months 1 to 12 as columns; this is empty."
        )
    if not monthly.index.is_unique or not pd.api.types.is_integer_dtype(monthly.index.dtype):
        raise DataError("The rows of a return calendar are years: whole numbers, each once.")
    parts = []
    for column in monthly.columns:
        values = numbers(monthly[column], f"column {column!r} of the calendar")
        parts.append(_column(_column_name(column), monthly.index, values))
    cells = pd.concat(parts).sort_values("at", kind="stable", ignore_index=True)
    if cells.empty or (cells["column"] == "Year").all():
        raise DataError("No month of the calendar has a return; check the dates it was cut to.")
    if cells.duplicated(["at", "column"]).any():
        raise DataError("The calendar has a month twice; keep one column for each.")
    months = cells["column"] != "Year"
    cells["shade"] = 0.0
    for group in (months, ~months):
        sizes = cells.loc[group, "return"].abs()
        if len(sizes):
            cells.loc[group, "shade"] = (
                cells.loc[group, "return"] / max(_LEAST_SPAN, float(sizes.quantile(0.9)))
            ).clip(-1, 1)
    return cells


def _column(name: str, years: pd.Index, values: Any) -> pd.DataFrame:
    known = np.isfinite(values)
    return pd.DataFrame(
        {
            "at": years[known].to_numpy(),
            "year": np.array([str(year) for year in years[known]], dtype=object),
            "column": np.full(int(known.sum()), name, dtype=object),
            "return": values[known],
            # adding zero turns a rounded -0.0 into 0.0
            "text": np.array([f"{round(100 * value, 1) + 0.0:.1f}" for value in values[known]], dtype=object),
        }
    )


def _column_name(column: object) -> str:
    """The heading of a column, "Jan" to "Dec" or "Year"."""
    if isinstance(column, str) and column.lower() in _TOTALS:
        return "Year"
    if isinstance(column, (int, np.integer)) and 1 <= column <= 12:
        return MONTHS[int(column) - 1]
    raise DataError(f"The calendar's column {column!r} is neither a month (1 to 12) nor 'total'.")
