"""One number against another, a dot for each of many things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.tables import numbers
from qtw_lab.plots.theme import dress, pane, plain, themed

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

#: Dots beyond which only the outermost and an even choice of the others are drawn.
MOST_DOTS: Final = 4_000

#: Signs of the kinds of dots, which do not need colour, and the colour roles of the theme.
_SIGNS: Final = ("circle", "triangle", "square", "diamond")
_ROLES: Final = ("gain", "loss", "mark", "muted")


def dots(
    frame: pd.DataFrame,
    x: str,
    y: str,
    kind: str,
    title: str = "",
    theme: str = "light",
    *,
    labels: tuple[str, str] | None = None,
    details: tuple[str, ...] = (),
) -> LayoutDOM:
    """Fractions against fractions, shown in percent; one sign and colour for each kind.

    Parameters
    ----------
    frame : DataFrame
        A row a dot. Rows without a number are left out; of more than `MOST_DOTS` the extreme ones and every so many of
        the others are drawn, and the title of the legend says so.
    x, y : str
        Columns of fractions.
    kind : str
        Column of at most four different words.
    title : str
        Drawn above.
    theme : {"light", "dark"}
        The variant.
    labels : tuple of str, optional
        Of the axes; the names of the columns by default.
    details : tuple of str
        Further columns of text that the hover tells.

    Raises
    ------
    DataError
        If a column is missing or not numbers, there are more than four kinds, or no row has both numbers.
    SetupError
        If Bokeh is not installed.

    Examples
    --------
    >>> frame = pd.DataFrame({"mae": [-0.01, -0.03], "return": [0.02, -0.03], "result": ["won", "lost"]})
    >>> made = dots(frame, "mae", "return", "result")
    >>> [item.label.value for item in made.legend[0].items]
    ['won', 'lost']
    """
    look = themed(theme)
    shown = _chosen(frame, x, y, kind, details)
    models = need("bokeh.models", "dashboards")
    made = pane(look, height=340, title=title)
    for dimension in ("width", "height"):
        made.add_layout(models.Span(location=0, dimension=dimension, line_color=look.edge, line_width=1))
    for place, (name, part) in enumerate(shown.groupby(kind, sort=False)):
        source = models.ColumnDataSource({column: part[column].to_numpy() for column in part})
        colour = getattr(look, _ROLES[place])
        made.scatter(
            x, y, marker=_SIGNS[place], size=7, source=source, fill_color=colour, fill_alpha=0.55, line_color=colour,
            legend_label=plain(str(name)), name=str(name),
        )  # fmt: skip
    across, up = labels or (x, y)
    rows = [(across, f"@{{{x}}}{{0.00%}}"), (up, f"@{{{y}}}{{0.00%}}")]
    rows += [(name.replace("_", " "), f"@{{{name}}}") for name in details]
    made.add_tools(models.HoverTool(visible=False, tooltips=rows))
    made.xaxis.axis_label, made.yaxis.axis_label = plain(across), plain(up)
    for axis in made.axis:
        axis.formatter = models.NumeralTickFormatter(format="0,0.[0]%")
    made.add_layout(made.legend[0], "above")
    left_out = len(frame.dropna(subset=[x, y])) - len(shown)
    made.legend[0].update(
        orientation="horizontal", click_policy="hide",
        title=f"{left_out:,} of the inner ones not drawn" if left_out else None,
    )  # fmt: skip
    whole: LayoutDOM = dress(made, look)
    return whole


def _chosen(frame: pd.DataFrame, x: str, y: str, kind: str, details: tuple[str, ...]) -> pd.DataFrame:
    """The rows to draw."""
    wanted = [x, y, kind, *details]
    if missing := [name for name in wanted if name not in frame.columns]:
        raise DataError(f"The table of dots lacks the column {missing[0]!r}; it has {list(frame.columns)[:12]}.")
    values = pd.DataFrame({name: numbers(frame[name], f"column {name!r}") for name in (x, y)}, index=frame.index)
    table = values.join(frame[[kind, *details]].astype(str).astype(object)).dropna(subset=[x, y])
    if table.empty:
        raise DataError(f"No row of the table has both {x!r} and {y!r}, so there is nothing to draw.")
    if (kinds := table[kind].nunique()) > len(_SIGNS):
        raise DataError(f"Dots tell at most {len(_SIGNS)} kinds apart; the column {kind!r} has {kinds}.")
    if len(table) <= MOST_DOTS:
        return table
    orders = [np.argsort(table[name].to_numpy(), kind="stable") for name in (x, y)]
    outer = np.concatenate([part for order in orders for part in (order[:100], order[-100:])])
    even = np.linspace(0, len(table) - 1, MOST_DOTS - 400).round().astype(int)
    return table.iloc[np.unique(np.concatenate([outer, even]))]
