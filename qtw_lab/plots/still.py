"""A tear sheet on two still pages, as PDF or PNG, from plain tables: the same bytes whenever it is made again."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from qtw_lab.core import DataError, Facts, lookup
from qtw_lab.core.extras import need
from qtw_lab.plots.calendar import MONTHS
from qtw_lab.plots.tables import moments, numbers
from qtw_lab.plots.theme import Theme, themed

#: A4, upright, in inches.
PAGE: Final = (8.27, 11.69)

#: Fonts that come with the library, so that a page looks the same on every machine.
_STYLE: Final[Mapping[str, Any]] = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 8.0, "pdf.fonttype": 42,
    "text.usetex": False, "text.parse_math": False, "axes.unicode_minus": True, "path.simplify": True,
    "pdf.compression": 6,
}  # fmt: skip

#: Rows of figures, of drawdowns and of years that fit on a page.
_MOST_FIGURES: Final = 24
_MOST_DRAWDOWNS: Final = 8
_FEWER_DRAWDOWNS: Final = 5
_MOST_YEARS: Final = 34

#: A legend at the height of the title.
_BESIDE_TITLE: Final[Mapping[str, Any]] = {
    "loc": "lower right", "bbox_to_anchor": (1.0, 0.99), "ncols": 2, "borderaxespad": 0.0,
}  # fmt: skip

Kind = Literal["pdf", "png"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Still:
    """What a still tear sheet shows.

    Parameters
    ----------
    title : str
        Heading.
    lead : Facts
        What the results rest on, printed first, with its caveats.
    figures : Facts
        Figures of the result.
    equity : Series
        Account value on increasing times.
    benchmark : Series
        Value of what it is compared with, on the same times.
    drawdown : Series
        Fractions at or below zero, on the same times.
    returns : Series
        Simple returns of the bars as fractions.
    monthly : DataFrame
        As `plots.return_calendar` takes it.
    yearly : DataFrame
        Returns by year as index, a column for each of what is compared.
    rolling : DataFrame
        Rolling figures on increasing times, a column each; may be empty.
    drawdowns : DataFrame
        The deepest drawdowns, as text.
    marks : mapping of str to float
        Vertical lines in the distribution of returns by label.
    notes : tuple of str
        Printed at the foot of the last page.
    log : bool
        Whether equity is drawn on a logarithmic scale.

    Raises
    ------
    DataError
        If there is no title, or the equity curve has no value.
    """

    title: str
    lead: Facts
    figures: Facts
    equity: pd.Series = field(repr=False)
    benchmark: pd.Series = field(repr=False)
    drawdown: pd.Series = field(repr=False)
    returns: pd.Series = field(repr=False)
    monthly: pd.DataFrame = field(repr=False)
    yearly: pd.DataFrame = field(repr=False)
    rolling: pd.DataFrame = field(repr=False)
    drawdowns: pd.DataFrame = field(repr=False)
    marks: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    log: bool = False

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise DataError("A still tear sheet needs a title.")
        moments(self.equity, "equity curve")
        if not np.isfinite(numbers(self.equity, "equity curve")).any():
            raise DataError("The equity curve has no value at all: every one is missing.")


def still(sheet: Still, kind: Kind, made: datetime | None = None, theme: str = "light") -> bytes:
    """The tear sheet as a file: two A4 pages of vectors, or one picture with the pages below each other.

    Parameters
    ----------
    sheet : Still
        What to show.
    kind : {"pdf", "png"}
        Of the file.
    made : datetime, optional
        Time of making, written into the file and at its foot. Without it the file tells none, and the same sheet gives
        the same bytes.
    theme : {"light", "dark"}
        The variant.

    Raises
    ------
    DataError
        If the kind or the theme is unknown.
    SetupError
        If Matplotlib is not installed.
    """
    look = themed(theme)
    write = lookup(kind, _WRITERS, "kind of file")
    rc = need("matplotlib", "dashboards").rc_context
    with rc(dict(_STYLE)):
        return write([_first(sheet, look, made), _second(sheet, look, made)], sheet.title, made)


def _pdf(pages: list[Any], title: str, made: datetime | None) -> bytes:
    """Pages as one PDF."""
    out = io.BytesIO()
    # None takes a key out; otherwise the library would write the clock and its own version
    metadata = {"Title": title, "CreationDate": made, "ModDate": made, "Creator": "QTW Lab", "Producer": None}
    with need("matplotlib.backends.backend_pdf", "dashboards").PdfPages(out, metadata=metadata) as book:
        for page in pages:
            book.savefig(page, facecolor=page.get_facecolor())
    return out.getvalue()


def _png(pages: list[Any], title: str, made: datetime | None) -> bytes:
    """Pages below each other as one PNG at 144 dots an inch."""
    canvas = need("matplotlib.backends.backend_agg", "dashboards").FigureCanvasAgg
    parts = []
    for page in pages:
        page.set_dpi(144)
        drawn = canvas(page)
        drawn.draw()
        parts.append(np.asarray(drawn.buffer_rgba())[:, :, :3])
    out = io.BytesIO()
    metadata = {"Title": title, "Software": None} | ({} if made is None else {"Creation Time": made.isoformat()})
    need("matplotlib.image", "dashboards").imsave(
        out, np.vstack(parts), format="png", dpi=144, metadata=metadata,
    )  # fmt: skip
    return out.getvalue()


_WRITERS: Final[Mapping[str, Callable[[list[Any], str, datetime | None], bytes]]] = {"pdf": _pdf, "png": _png}


def _page(look: Theme) -> Any:
    """An empty page."""
    return need("matplotlib.figure", "dashboards").Figure(figsize=PAGE, facecolor=look.paper)


def _first(sheet: Still, look: Theme, made: datetime | None) -> Any:
    """What it rests on, growth, drawdown, and the figures."""
    page = _page(look)
    top = _head(page, sheet, look)
    figures, rows = list(sheet.figures)[:_MOST_FIGURES], (min(len(sheet.figures), _MOST_FIGURES) + 1) // 2
    foot = 0.06 + 0.0175 * rows
    middle = foot + 0.035
    height = top - middle
    growth = page.add_axes((0.09, middle + 0.38 * height, 0.87, 0.58 * height))
    below = page.add_axes((0.09, middle + 0.02, 0.87, 0.28 * height), sharex=growth)
    _growth(growth, sheet, look)
    _drawdown(below, sheet, look)
    for place, fact in enumerate(figures):
        column, row = divmod(place, rows)
        at = foot - 0.0175 * row
        left = 0.06 + 0.46 * column
        page.text(left, at, fact.title, color=look.muted)
        page.text(left + 0.42, at, fact.shown, color=look.ink, ha="right", weight="bold")
    _foot(page, look, made, "1 / 2", sheet.notes[-1] if sheet.notes else "")
    return page


def _second(sheet: Still, look: Theme, made: datetime | None) -> Any:
    """Months, years, rolling figures, distribution, the deepest drawdowns, and the notes."""
    page = _page(look)
    years = sheet.monthly.iloc[-_MOST_YEARS:]
    tall = min(0.34, 0.03 + 0.0185 * len(years))
    _calendar(page.add_axes((0.09, 0.945 - tall, 0.87, tall)), years, look)
    rest = 0.945 - tall
    notes = [line for note in sheet.notes for line in textwrap.wrap(note, 125)]
    low = 0.05 + 0.013 * len(notes)
    for place, line in enumerate(notes):
        page.text(0.06, low - 0.013 * (place + 1) + 0.006, line, color=look.muted, size=7)
    worst = sheet.drawdowns.head(_MOST_DRAWDOWNS if len(years) <= _MOST_YEARS // 2 else _FEWER_DRAWDOWNS)
    table = 0.03 + 0.0165 * (len(worst) + 1) if len(worst) else 0.0
    bottom = low + 0.012 + table
    free = rest - bottom
    upper = page.add_axes((0.09, bottom + 0.56 * free, 0.40, 0.32 * free))
    right = page.add_axes((0.57, bottom + 0.56 * free, 0.39, 0.32 * free))
    _years(upper, sheet, look)
    _distribution(right, sheet, look)
    _rolling(page, (0.09, bottom + 0.09 * free, 0.87, 0.30 * free), sheet, look)
    if table:
        _table(page, worst, low + table, look)
    _foot(page, look, made, "2 / 2", "")
    return page


def _head(page: Any, sheet: Still, look: Theme) -> float:
    """The lead, its caveats and the title; where they end."""
    at = 0.965
    for fact in sheet.lead:
        lines = textwrap.wrap(fact.shown, 92) or [fact.shown]
        page.text(0.06, at, fact.title, color=look.muted)
        for line in lines[:2]:
            page.text(0.34, at, line, color=look.ink, weight="bold")
            at -= 0.0155
    for note in sheet.lead.notes:
        for line in textwrap.wrap(note, 120):
            page.text(0.06, at, line, color=look.loss)
            at -= 0.0155
    at -= 0.016
    for line in textwrap.wrap(sheet.title, 68)[:2]:
        page.text(0.06, at, line, color=look.ink, size=13, weight="bold")
        at -= 0.022
    return at


def _foot(page: Any, look: Theme, made: datetime | None, number: str, text: str) -> None:
    page.text(0.06, 0.025, text, color=look.muted, size=7)
    page.text(0.94, 0.025, number if made is None else f"{made:%Y-%m-%d %H:%M} · {number}", color=look.muted,
              size=7, ha="right")  # fmt: skip


def _dressed(axes: Any, look: Theme, title: str) -> Any:
    """Axes in the colours of the theme."""
    axes.set_facecolor(look.paper)
    axes.set_title(title, loc="left", color=look.ink, fontsize=9, fontweight="bold")
    axes.grid(visible=True, color=look.grid, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=look.muted, labelcolor=look.muted, length=2, labelsize=7)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(look.edge)
    return axes


def _legend(axes: Any, look: Theme, **where: Any) -> None:
    axes.legend(frameon=False, labelcolor=look.ink, fontsize=7, **where)


def _times(series: pd.Series | pd.DataFrame) -> Any:
    """Times as the library takes them: its own zone's wall clock."""
    index = moments(series, "series of a still picture")
    return index.tz_localize(None).to_numpy()


def _percent(axis: Any) -> None:
    axis.set_major_formatter(need("matplotlib.ticker", "dashboards").PercentFormatter(1.0, symbol="%"))


def _growth(axes: Any, sheet: Still, look: Theme) -> None:
    title = "Equity after costs, and buy and hold" + (" (logarithmic scale)" if sheet.log else "")
    _dressed(axes, look, title)
    ticker = need("matplotlib.ticker", "dashboards")
    axes.plot(_times(sheet.benchmark), sheet.benchmark.to_numpy(), color=look.series[1], linewidth=0.9,
              label=str(sheet.benchmark.name or "benchmark"))  # fmt: skip
    axes.plot(_times(sheet.equity), sheet.equity.to_numpy(), color=look.series[0], linewidth=1.2, label="strategy")
    if sheet.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    axes.tick_params(labelbottom=False)
    axes.margins(x=0.01)
    _legend(axes, look, **_BESIDE_TITLE)


def _drawdown(axes: Any, sheet: Still, look: Theme) -> None:
    _dressed(axes, look, "Drawdown")
    times, values = _times(sheet.drawdown), sheet.drawdown.to_numpy()
    axes.fill_between(times, values, 0.0, color=look.loss, alpha=0.3, linewidth=0)
    axes.plot(times, values, color=look.loss, linewidth=0.8)
    axes.set_ylim(top=0.0)
    _percent(axes.yaxis)


def _calendar(axes: Any, monthly: pd.DataFrame, look: Theme) -> None:
    """Returns by month in percent on the diverging colours; full at the size nine in ten stay below."""
    colours = need("matplotlib.colors", "dashboards")
    shades = colours.LinearSegmentedColormap.from_list("returns", list(look.diverging), bad=look.paper)
    values = monthly.reindex(columns=[*range(1, 13), "total"]).to_numpy(dtype=float)
    scaled = np.full_like(values, np.nan)
    for part in (slice(0, 12), slice(12, 13)):
        known = np.abs(values[:, part][np.isfinite(values[:, part])])
        full = max(0.02, float(np.quantile(known, 0.9))) if known.size else 1.0
        scaled[:, part] = np.clip(values[:, part] / full, -1.0, 1.0)
    axes.imshow(np.ma.masked_invalid(scaled), cmap=shades, vmin=-1.0, vmax=1.0, aspect="auto", interpolation="none")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = f"{round(100 * value, 1) + 0.0:.1f}"
            axes.text(column, row, text, ha="center", va="center", color=look.ink, fontsize=6.5)
    axes.set_xticks(range(13), [*MONTHS, "Year"])
    axes.set_yticks(range(len(monthly)), [str(year) for year in monthly.index])
    _dressed(axes, look, "Return by month, percent").grid(visible=False)
    axes.set_xticks(np.arange(14) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(monthly) + 1) - 0.5, minor=True)
    axes.grid(visible=True, which="minor", color=look.paper, linewidth=1.5)
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _years(axes: Any, sheet: Still, look: Theme) -> None:
    _dressed(axes, look, "Return by year")
    table = sheet.yearly.iloc[-_MOST_YEARS:]
    places, width = np.arange(len(table)), 0.8 / max(1, table.shape[1])
    for number, name in enumerate(table.columns):
        offset = -0.4 + width * (number + 0.5)
        axes.bar(places + offset, table[name].to_numpy(), width * 0.92, color=look.series[number], label=str(name))
    axes.axhline(0.0, color=look.edge, linewidth=0.8)
    step = -(-len(table) // 12)
    axes.set_xticks(places[::step], [str(year) for year in table.index[::step]], rotation=45, ha="right")
    axes.grid(visible=False, axis="x")
    _percent(axes.yaxis)
    _legend(axes, look, **_BESIDE_TITLE)


def _distribution(axes: Any, sheet: Still, look: Theme) -> None:
    _dressed(axes, look, "Returns of one bar, how many (log scale)")
    values = numbers(sheet.returns, "returns")
    axes.hist(values, bins=80, color=look.series[0], alpha=0.75, log=True)
    for (label, at), colour, dash in zip(sheet.marks.items(), (look.mark, look.series[7]), ("-", "--"), strict=False):
        if np.isfinite(at):
            axes.axvline(at, color=colour, linewidth=1.0, linestyle=dash, label=f"{label} {at:.2%}")
    ticker = need("matplotlib.ticker", "dashboards")
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    axes.yaxis.set_minor_locator(ticker.NullLocator())
    _percent(axes.xaxis)
    if sheet.marks:
        _legend(axes, look, loc="upper center", bbox_to_anchor=(0.42, -0.13), ncols=2, borderpad=0.0)


def _rolling(page: Any, box: tuple[float, float, float, float], sheet: Still, look: Theme) -> None:
    """One pane for each rolling figure, side by side."""
    names = list(sheet.rolling.columns)
    left, bottom, width, height = box
    each = width / max(1, len(names))
    for number, name in enumerate(names):
        axes = page.add_axes((left + each * number, bottom, each * 0.84, height))
        _dressed(axes, look, str(name))
        axes.plot(_times(sheet.rolling), sheet.rolling[name].to_numpy(), color=look.series[0], linewidth=0.9)
        axes.axhline(0.0, color=look.edge, linewidth=0.8)
        places = np.unique(np.linspace(0, len(sheet.rolling) - 1, 3).round().astype(int))
        shown = [f"{sheet.rolling.index[place]:%Y-%m}" for place in places]
        axes.set_xticks(_times(sheet.rolling)[places], shown)


def _table(page: Any, table: pd.DataFrame, top: float, look: Theme) -> None:
    """A table of text with its headings."""
    page.text(0.06, top - 0.008, "Deepest drawdowns", color=look.ink, size=9, weight="bold")
    step, first = 0.88 / len(table.columns), top - 0.026
    for column, name in enumerate(table.columns):
        right = 0.06 + step * (column + 1) - 0.02
        page.text(right, first, str(name), color=look.muted, ha="right", size=7.5)
        for row, value in enumerate(table[name]):
            page.text(right, first - 0.0165 * (row + 1), str(value), color=look.ink, ha="right", size=7.5)
