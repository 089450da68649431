"""A time axis that counts bars, so that nights, weekends and holidays leave no gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core.extras import need
from qtw_lab.plots.tables import milliseconds
from qtw_lab.plots.theme import Figure

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource

#: Periods a bar may begin, coarse ones last; a tick is labelled by the coarsest period its bar begins.
PERIODS: Final = (
    "minute", "five minutes", "quarter hour", "hour", "day", "week", "month", "quarter", "year", "five years", "decade",
)  # fmt: skip
_DAY, _MONTH, _YEAR = PERIODS.index("day") + 1, PERIODS.index("month") + 1, PERIODS.index("year") + 1

_TICKS: Final = """
const rank = source.data.rank;
const low = Math.max(0, Math.ceil(Math.min(cb_data.start, cb_data.end)));
const high = Math.min(rank.length - 1, Math.floor(Math.max(cb_data.start, cb_data.end)));
let width = 600;
try { width = plot.inner_width || width; } catch { /* not laid out yet: the next paint asks again */ }
const room = Math.max(2, Math.floor(width / 66));
const counts = new Array(levels + 1).fill(0);
for (let i = low; i <= high; i++) counts[rank[i]]++;
let finest = levels, total = 0;
for (let level = levels; level >= 1; level--) {
  total += counts[level];
  if (total > room) break;
  finest = level;
}
const wanted = [];
for (let i = low; i <= high; i++) if (rank[i] >= finest) wanted.push(i);
wanted.sort((a, b) => rank[b] - rank[a] || a - b);
const apart = (high - low + 1) * 62 / width;
const ticks = [];
for (const i of wanted) if (ticks.every((other) => Math.abs(other - i) >= apart)) ticks.push(i);
return ticks.sort((a, b) => a - b);
"""

_LABELS: Final = """
const place = Math.round(tick);
const time = source.data.time[place];
if (time === undefined) return "";
const names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const date = new Date(time), rank = source.data.rank[place];
const year = String(date.getUTCFullYear()), month = names[date.getUTCMonth()], day = date.getUTCDate() + " " + month;
const two = (number) => String(number).padStart(2, "0");
if (rank >= year_rank) return year;
if (rank >= month_rank) return index == 0 ? month + " " + year : month;
if (rank >= day_rank) return index == 0 ? day + " " + year : day;
return two(date.getUTCHours()) + ":" + two(date.getUTCMinutes());
"""


def ranks(index: pd.DatetimeIndex) -> npt.NDArray[np.int8]:
    """For each bar the coarsest of `PERIODS` it begins, counted from 1; 0 if it begins none.

    A bar begins a period if the bar before lies in another one. The first bar counts as the beginning of a day.

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2011-12-29", "2011-12-30", "2012-01-03"])
    >>> [PERIODS[rank - 1] for rank in ranks(days)]
    ['day', 'day', 'year']
    """
    naive = index.tz_localize(None) if index.tz is not None else index
    minutes = naive.as_unit("s").asi8 // 60
    days = minutes // 1440
    year, month = naive.year.to_numpy(), naive.month.to_numpy()
    months = year * 12 + month - 1
    # 1970-01-01 was a Thursday, so weeks that begin on Monday are counted from three days earlier.
    keys = (
        minutes, minutes // 5, minutes // 15, minutes // 60, days, (days + 3) // 7, months, months // 3, year,
        year // 5, year // 10,
    )  # fmt: skip
    found = np.zeros(len(index), dtype=np.int8)
    for rank, key in enumerate(keys, start=1):
        found[1:][key[1:] != key[:-1]] = rank
    if len(found):
        found[0] = _DAY
    return found


def clock_columns(index: pd.DatetimeIndex) -> dict[str, Any]:
    """The columns `count_bars` needs beside the prices: bar number, wall-clock milliseconds and rank."""
    return {
        "bar": np.arange(len(index), dtype=np.float64),
        "time": milliseconds(index).astype(np.float64),
        "rank": ranks(index),
    }


def count_bars(figure: Figure, source: ColumnDataSource) -> None:
    """Label the x axis of `figure`, whose positions are bar numbers, with the times in `source`.

    Years, months, days or hours are chosen in the browser by what fits the visible part, and again after each zoom.
    """
    models = need("bokeh.models", "dashboards")
    ticker = models.CustomJSTicker(args={"source": source, "plot": figure, "levels": len(PERIODS)}, major_code=_TICKS)
    figure.xaxis.ticker = ticker
    figure.xgrid.ticker = ticker
    figure.xaxis.formatter = models.CustomJSTickFormatter(
        args={"source": source, "year_rank": _YEAR, "month_rank": _MONTH, "day_rank": _DAY}, code=_LABELS
    )


def shown_time(index: pd.DatetimeIndex) -> str:
    """The pattern a bar's time is shown with: a date where all bars start at midnight, else date and time."""
    naive = index.tz_localize(None) if index.tz is not None else index
    return "%d %b %Y" if bool((naive == naive.normalize()).all()) else "%d %b %Y %H:%M"
