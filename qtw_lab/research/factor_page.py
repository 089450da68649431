"""A factor study as pictures and as one page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError, Fact, Facts, lookup
from qtw_lab.core.facts import Unit
from qtw_lab.research.factor_result import Findings
from qtw_lab.research.factor_scores import ENTRIES, SPREAD, forward_returns
from qtw_lab.stats import performance as p

if TYPE_CHECKING:
    from qtw_lab.plots import Picture, Section
    from qtw_lab.plots.theme import Figure

#: Figures of the page's first box; those of a horizon stand in tables of their own.
_LEAD: Final = ("trials", "costs", "execution", "data_fingerprint", "entry", "period", "names", "treatment")
#: How the columns of a table are shown.
_UNITS: Final[Mapping[str, Unit]] = {
    "positive": "fraction", "bars": "count", "lags": "count", "names": "count", "mean": "ratio", "std": "ratio",
    "icir": "ratio", "t": "ratio", "p_value": "ratio", "p_counted": "ratio",
    "total_return": "fraction", "cagr": "fraction", "volatility": "fraction", "sharpe": "ratio",
    "max_drawdown": "fraction", "trades": "count", "turnover": "ratio", "costs_paid": "money", "cost_drag": "fraction",
}  # fmt: skip
_BASIS_POINTS: Final = 1e4


def picture(study: Findings, name: str, theme: str = "light") -> Picture:
    """One of the `FIGURES` of a study, for a notebook.

    Raises
    ------
    DataError
        If there is no such figure, or nothing to draw in it.
    SetupError
        If Bokeh is not installed.
    """
    from qtw_lab.plots import Picture

    drawn, label, _ = lookup(name, FIGURES, "figure of a factor study")
    return Picture(drawn(study, theme), f"{label} of {study.name}")


def page(study: Findings, theme: str = "light") -> str:
    """The study as an HTML page in one file: what it rests on first, then figures and tables.

    Raises
    ------
    DataError, SetupError
        As for `picture`.
    """
    from qtw_lab.plots import Section, report_html

    facts = study.facts()
    lead = Facts("What this rests on", tuple(f for f in facts if f.name in _LEAD), facts.notes)
    tabled = tuple(f"_{horizon}" for horizon in study.horizons)
    rest = Facts("Figures", tuple(f for f in facts if f.name not in _LEAD and not f.name.endswith(tabled)))
    sections = [
        Section("Figures", rest),
        _drawn(study, "ic", theme),
        Section("Information coefficient by horizon", _shown(study.ic), "How the information decays with the horizon. "
                "p counted: the p-value times the number of trials, at most 1."),
        _drawn(study, "growth", theme),
        _drawn(study, "quantiles", theme),
        Section("Quantile returns", _quantile_table(study), "Mean forward return in basis points, before costs; the "
                "spread is the top quantile less the bottom one."),
        Section("Turnover", _shown(study.turnover), "Rank autocorrelation of the factor with itself so many bars "
                "before, and the share of each quantile's names that have left it."),
        _drawn(study, "equity", theme),
        Section("Before and after costs", compared(study)),
        _drawn(study, "calendar", theme),
    ]  # fmt: skip
    closing = [
        f"Data: {study.bars.source}, adjustment {study.bars.adjustment}, fingerprint {study.bars.fingerprint}.",
        f"Order list hash: {study.portfolio.net.order_hash}.",
        "A factor that worked is a hypothesis about the past. It is not a promise, and nothing here is advice.",
    ]
    return report_html(f"Factor study: {study.name}", lead, sections, closing, theme)


def compared(study: Findings) -> pd.DataFrame:
    """The portfolio's figures before and after costs, written out for people."""
    made = study.portfolio.table
    rows = {
        _words(name): {
            f"{side} costs": Fact(str(name), float(value), _UNITS[str(name)]).shown
            for side, value in (("before", row["gross"]), ("after", row["net"]))
        }
        for name, row in made.iterrows()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("figure")


def _drawn(study: Findings, name: str, theme: str) -> Section:
    from qtw_lab.plots import Section

    drawn, label, note = FIGURES[name]
    return Section(label, drawn(study, theme), note)


def _coefficients(study: Findings, theme: str) -> Figure:
    """Mean of a year's information coefficients, a line a horizon."""
    from qtw_lab.plots import lines

    year = min(round(study.bars.periods_per_year), max(2, len(study.bars) // 4))
    means = study.coefficients.rolling(year, min_periods=year // 2).mean()
    if not np.isfinite(means.to_numpy()).any():
        raise DataError("There are too few information coefficients to draw their course; give more bars.")
    smooth = pd.DataFrame({_bars(horizon): means[horizon] for horizon in study.horizons})
    return lines(smooth, f"Mean information coefficient of the last {year} bars", theme, y_label="IC")


def _growth(study: Findings, theme: str) -> Figure:
    """Log growth of each quantile less that of all its bar's names, before costs, renewed every shortest horizon."""
    from qtw_lab.plots import lines

    horizon, later = min(study.horizons), ENTRIES[study.entry][1]
    held = study.quantile_returns[horizon].drop(columns=SPREAD)
    everyone = forward_returns(study.bars, horizon, study.entry).where(study.factor.notna()).mean(axis=1)
    ahead = (1.0 + held).div(1.0 + everyone, axis=0).to_numpy()
    known = np.isfinite(ahead)
    rows = np.arange(int(known.any(axis=1).argmax()), len(held) - horizon - later, horizon)
    steps = np.log(np.where(known, np.where(ahead > 0.0, ahead, np.nan), 1.0))  # a line ends where all was lost
    times = study.bars.index[rows + horizon + later]  # when the return is in
    grown = pd.DataFrame(np.cumsum(steps[rows], axis=0), index=times, columns=held.columns)
    middle = sorted(range(2, study.quantiles), key=lambda place: -abs(place - (study.quantiles + 1) / 2))
    named = grown[[study.quantiles, 1, *middle]].rename(columns=lambda place: _quantile(place, study.quantiles))
    return lines(named, "Growth of each quantile over all names", theme, y_label="log growth")


def _map(study: Findings, theme: str) -> Figure:
    """Mean return a bar by horizon and quantile, in basis points."""
    from qtw_lab.plots import heatmap

    means = study.quantile_summary["per_bar"].unstack().drop(columns=SPREAD) * _BASIS_POINTS  # noqa: PD010  (a Series)
    means = means.astype(float).rename_axis(index="horizon", columns="quantile")
    means.columns = pd.Index([int(name) for name in means.columns], name="quantile")
    return heatmap(means, "Mean return a bar, basis points", theme, best=None)


def _equity(study: Findings, theme: str) -> Figure:
    from qtw_lab.plots import equity

    net, gross = study.portfolio.net, study.portfolio.gross
    title = f"Long and short, rebalanced every {_bars(study.rebalance)}"
    return equity(net.equity.rename("after costs"), gross.equity.rename("before costs"), title, theme)


def _calendar(study: Findings, theme: str) -> Figure:
    from qtw_lab.plots import return_calendar

    return return_calendar(
        p.monthly_returns(study.portfolio.net.returns), "Return by month after costs, percent", theme
    )


#: Every picture of a study: what draws it, its heading, and what to see or beware of.
FIGURES: Final[Mapping[str, tuple[Callable[..., Any], str, str]]] = {
    "ic": (
        _coefficients, "Information coefficient over time",
        "Each point stands at its decision bar, a horizon before it is known. What works keeps to one side of zero.",
    ),
    "growth": (
        _growth, "Growth of the quantiles",
        "Logarithm of growth over that of all names, before costs; 0.69 is twice as much. What works fans out.",
    ),
    "quantiles": (
        _map, "Mean return by horizon and quantile",
        "A factor that works grows from left to right in every row, not in one.",
    ),
    "equity": (_equity, "Long and short portfolio", "Half of equity long, half short, filled at the next open."),
    "calendar": (_calendar, "Returns by month", "After costs."),
}  # fmt: skip


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it."""
    columns = {
        _words(name): [Fact(str(name), float(value), _UNITS.get(str(name), "ratio")).shown for value in table[name]]
        for name in table.columns
    }
    made = pd.DataFrame(columns, index=table.index)
    return made.rename_axis(f"{table.index.name} (bars)")


def _quantile_table(study: Findings) -> pd.DataFrame:
    """Mean returns in basis points, a row a horizon, and the spread with its t."""
    summary = study.quantile_summary
    rows = {}
    for horizon in study.horizons:
        part = summary.loc[horizon]
        means = {_quantile(name, study.quantiles): _basis_points(mean) for name, mean in part["mean"].items()}
        rows[horizon] = {
            **means, "t of spread": Fact("t", float(part["t"].loc[SPREAD])).shown,
            "monotonicity": Fact("m", study.monotonicity[horizon]).shown,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("horizon (bars)")


def _quantile(name: object, quantiles: int) -> str:
    """A quantile's label; the ends say which they are."""
    ends = {1: "1 (lowest)", quantiles: f"{quantiles} (highest)"}
    return ends.get(name, str(name)) if isinstance(name, int) else str(name)


def _basis_points(value: float) -> str:
    return "–" if np.isnan(value) else f"{_BASIS_POINTS * value:,.1f}"


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _bars(count: int) -> str:
    return f"{count} bar{'s' if count != 1 else ''}"
