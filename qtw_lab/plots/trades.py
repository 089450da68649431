"""Trades as marks on a price chart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.plots.tables import number_format, numbers
from qtw_lab.plots.theme import Figure, Theme

_NEEDED: Final = ("entry_time", "exit_time", "side", "entry_price", "exit_price")
_OPTIONAL: Final = ("quantity", "pnl", "return")


@dataclass(frozen=True, slots=True)
class Mark:
    """How one kind of event looks.

    Parameters
    ----------
    label : str
        Its legend.
    event : {"entry", "exit"}
        Whether it opens or closes the trade.
    side : str
        "long", "short", or "" for both.
    marker : str
        Bokeh's name of the sign.
    colour : str
        A colour role of the theme.
    """

    label: str
    event: str
    side: str
    marker: str
    colour: str


#: An entry points the way of the bet; an exit is the same sign for both sides.
MARKS: Final = (
    Mark("long entry", "entry", "long", "triangle", "gain"),
    Mark("short entry", "entry", "short", "inverted_triangle", "loss"),
    Mark("exit", "exit", "", "square", "ink"),
)


def mark_trades(figure: Figure, trades: pd.DataFrame, index: pd.DatetimeIndex, look: Theme) -> None:
    """Draw the trades on a figure whose x axis counts the bars of `index`.

    Each trade is a dashed line from entry to exit, blue if it gained and orange if it lost, between the `MARKS`.

    Raises
    ------
    DataError
        If columns are missing, a side is neither long nor short, prices are not numbers, times cannot be compared with
        the bars, or the trades are of several symbols.
    """
    placed = _placed(trades, index)
    drawn = placed[placed["entry_bar"].notna() | placed["exit_bar"].notna()]
    models = need("bokeh.models", "dashboards")
    result = need("bokeh.transform", "dashboards").factor_cmap("result", [look.gain, look.loss], ["gain", "loss"])
    closed = drawn.dropna(subset=["entry_bar", "exit_bar", "exit_price"])
    if len(closed):
        figure.segment(
            "entry_bar", "entry_price", "exit_bar", "exit_price", line_width=1.5, line_dash="dashed", name="trades",
            source=models.ColumnDataSource({name: closed[name].to_numpy() for name in closed}),
            line_color=result,
        )  # fmt: skip
    for mark in MARKS:
        part = drawn.dropna(subset=[f"{mark.event}_bar", f"{mark.event}_price"])
        part = part[part["side"] == mark.side] if mark.side else part
        if len(part):
            _draw(figure, mark, part, look)
    outside = len(placed) - len(drawn)
    if outside:
        figure.scatter(
            [], [], size=0, legend_label=f"{outside:,} trade(s) outside these bars not drawn", name="outside"
        )


def _draw(figure: Figure, mark: Mark, part: pd.DataFrame, look: Theme) -> None:
    """One kind of mark with its hover."""
    models = need("bokeh.models", "dashboards")
    made = figure.scatter(
        f"{mark.event}_bar", f"{mark.event}_price", marker=mark.marker, size=13 if mark.event == "entry" else 8,
        fill_color=getattr(look, mark.colour), line_color=look.ink, line_width=1, legend_label=mark.label,
        source=models.ColumnDataSource({name: part[name].to_numpy() for name in part}), name=mark.label,
    )  # fmt: skip
    pattern = number_format(part["entry_price"].to_numpy())
    rows = [
        ("trade", "@side, " + mark.event),
        ("entry", f"@entry_price{{{pattern}}}"),
        ("exit", f"@exit_price{{{pattern}}}"),
    ]
    optional = {"quantity": "@quantity{0,0.[0000]}", "pnl": "@pnl{0,0.00}", "return": "@return{0.00%}"}
    rows += [(name, shown) for name, shown in optional.items() if name in part]
    figure.add_tools(models.HoverTool(renderers=[made], tooltips=rows, visible=False))


def _placed(trades: pd.DataFrame, index: pd.DatetimeIndex) -> pd.DataFrame:
    """The trades with the number of the bar each event falls in, missing where it falls in none."""
    missing = [name for name in _NEEDED if name not in trades.columns]
    if missing:
        raise DataError(f"The trades table lacks {', '.join(missing)}; it has {list(trades.columns)[:12]}.")
    if "symbol" in trades.columns and len(trades["symbol"].unique()) > 1:
        names = sorted(map(str, trades["symbol"].unique()))
        raise DataError(
            f"The trades are of {len(names)} symbols ({', '.join(names[:5])}); keep those of the symbol drawn."
        )
    strange = sorted(set(map(str, trades["side"])) - {"long", "short"})
    if strange:
        raise DataError(f"A trade's side must be 'long' or 'short', not {strange[0]!r}.")
    placed = pd.DataFrame({"side": trades["side"].astype(object)})
    for name in ("entry_price", "exit_price", *(name for name in _OPTIONAL if name in trades.columns)):
        placed[name] = numbers(trades[name], f"trades' {name}")
    for event in ("entry", "exit"):
        placed[f"{event}_bar"] = _bars(trades[f"{event}_time"], index, event)
    ahead = np.where(placed["side"] == "long", 1.0, -1.0) * (placed["exit_price"] - placed["entry_price"])
    result = placed.get("pnl", ahead)
    placed["result"] = np.where(result < 0, "loss", "gain").astype(object)
    return placed


def _bars(times: pd.Series, index: pd.DatetimeIndex, event: str) -> Any:
    """The number of the bar each time falls in: the last one that starts at or before it."""
    try:
        moments = pd.DatetimeIndex(pd.to_datetime(times, format="ISO8601"))
        found = index.searchsorted(moments.fillna(index[0]), side="right") - 1.0
    except (TypeError, ValueError) as err:
        raise DataError(
            f"The {event} times of the trades cannot be compared with the bars ({err}); "
            "give both a time zone, or neither."
        ) from err
    span = (index[1:] - index[:-1]).max() if len(index) > 1 else pd.Timedelta(days=1)
    beyond = moments >= index[-1] + span
    return np.where(moments.isna() | (found < 0) | beyond, np.nan, found)
