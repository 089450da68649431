"""Several results side by side: their figures, their curves, and whether the differences are more than chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from qtw_lab import plots
from qtw_lab.core import DataError, Fact, Facts
from qtw_lab.core.facts import Unit
from qtw_lab.core.files import write_text
from qtw_lab.lab.tearsheet_tables import fact
from qtw_lab.plots import FactTable, Section, report_html
from qtw_lab.plots.bodies import Glossary, body_html
from qtw_lab.stats import performance as p
from qtw_lab.stats.bootstrap import optimal_block_length, stationary_bootstrap_indices

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result

#: Bars that all results must share for their figures to say anything beside each other.
FEWEST_BARS: Final = 20

#: Results side by side beyond which neither table nor picture can be read.
MOST_RESULTS: Final = 12

#: Resamples behind the interval of a difference, and the seed they are drawn with.
REPS: Final = 1_000
SEED: Final = 0

#: Figures of the common span -> whether the largest or the smallest value is marked as the best; None marks none.
_BETTER: Final[Mapping[str, int | None]] = {
    "total_return": 1, "cagr": 1, "volatility": -1, "sharpe": 1, "sortino": 1, "max_drawdown": 1, "calmar": 1,
    "value_at_risk": 1, "expected_shortfall": 1, "skewness": None,
}  # fmt: skip

#: Figures of a result's own whole span, which a part of it cannot give.
_WHOLE: Final = ("trades", "exposure", "turnover", "cost_drag")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Results side by side over the bars they share.

    Parameters
    ----------
    returns : DataFrame, (T, K)
        Simple returns of the common bars as fractions, a column a result.
    figures : FactTable
        Figures of the common bars, and those of each result's whole span, the best marked.
    differences : DataFrame
        By name of every result after the first: ``difference`` of its yearly Sharpe ratio to the first's, ``low`` and
        ``high`` of the 95% interval, and ``standard_error``.
    notes : tuple of str
        What makes the results not quite comparable.
    """

    returns: pd.DataFrame = field(repr=False)
    figures: FactTable = field(repr=False)
    differences: pd.DataFrame = field(repr=False)
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What the results are called, in order."""
        return tuple(map(str, self.returns.columns))

    @property
    def growth(self) -> pd.DataFrame:
        """Growth of one unit of capital over the common bars, a column a result."""
        return (1.0 + self.returns).cumprod()

    @property
    def correlation(self) -> pd.DataFrame:
        """Pearson's correlation of the returns of the common bars."""
        table = self.returns
        columns = {name: p.correlation(table, table[name]) for name in table.columns}
        return pd.DataFrame(columns).loc[list(table.columns)]

    @property
    def facts(self) -> Facts:
        """Every figure as ``name: result``, and the differences of the Sharpe ratios; the notes as caveats."""
        rows = [
            Fact(f"{name}: {heading}", one.value, one.unit, f"{one.title}, {heading}", one.definition)
            for name in self.figures.names
            for heading, one in self.figures.row(name).items()
        ]
        first = self.names[0]
        for name, row in self.differences.iterrows():
            rows += [
                Fact(f"sharpe_difference_{part}: {name}", float(row[part]), "ratio",
                     f"Sharpe ratio of {name} less that of {first}, {part}", _DIFFERENCE)
                for part in ("difference", "low", "high")
            ]  # fmt: skip
        return Facts(f"{len(self.names)} results side by side", tuple(rows), self.notes)

    @property
    def html(self) -> str:
        """The standalone page."""
        span = self.returns.index
        lead = Facts(
            "What is compared",
            (
                Fact("results", len(self.names), "count", "Results"),
                Fact("common_period", f"{span[0]:%Y-%m-%d} to {span[-1]:%Y-%m-%d}", "text", "Common period"),
                Fact("common_bars", len(span), "bars", "Common bars"),
            ),
            self.notes,
        )
        return report_html(" / ".join(self.names), lead, _sections(self), [_CAUTION])

    def write(self, path: str | Path) -> Path:
        """Write the page to a file, in one step.

        Raises
        ------
        SetupError
            If the file cannot be written.
        """
        return write_text(Path(path), self.html)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        bundle = self.facts._repr_mimebundle_(**options)
        picture = plots.Picture(_curves(self), f"Growth of {', '.join(self.names)}")._repr_mimebundle_()
        return bundle | {
            "text/html": self._table_html() + picture["text/html"],
            "text/plain": f"{self!r}\n{bundle['text/plain']}",
        }

    def _table_html(self) -> str:
        """The figures side by side, without a page around them."""
        table = {
            heading: Facts(heading, tuple(Fact(one.name, one.value, one.unit, one.label) for one in facts))
            for heading, facts in self.figures.columns.items()
        }  # links to definitions would lead out of the cell
        shown = body_html(FactTable(self.figures.title, table, self.figures.best), "", Glossary())
        notes = "".join(f"<p><small>{note}</small></p>" for note in map(escape, self.notes))
        return f'<div class="qtw-beside"><style>{_CELL_STYLE}</style>{shown}{notes}</div>'

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.names)}; {len(self.returns):,} common bars; write it with .write(path))"


def compare(results: Iterable[Result], names: Sequence[str] | None = None) -> Comparison:
    """Results side by side over the bars that all of them have.

    Figures of the path (return, Sharpe ratio, drawdown) are computed anew over the common bars, so that no result has
    the better years to itself; trades, exposure, turnover and costs are those of each result's whole span.

    Parameters
    ----------
    results : iterable of Result
        At least two, of bars of one length.
    names : sequence of str, optional
        What they are called; by default their strategies, numbered where two are alike.

    Raises
    ------
    DataError
        If there are fewer than two or more than `MOST_RESULTS`, names are missing, empty or the same, the bars are of
        different lengths, or fewer than `FEWEST_BARS` are shared.
    """
    given = list(results)
    if not 2 <= len(given) <= MOST_RESULTS:
        raise DataError(f"Between 2 and {MOST_RESULTS} results can be compared, not {len(given)}.")
    called = _names(given, names)
    lengths = sorted({(str(r.bars.timeframe), r.bars.periods_per_year) for r in given})
    if len(lengths) > 1:
        raise DataError(
            f"The results are of bars of different kinds: {', '.join(f'{t} ({y:g} a year)' for t, y in lengths)}. "
            "Backtest them on one timeframe and calendar; returns of days and of weeks do not compare."
        )
    returns = _common(given, called)
    figures = _figures(given, returns)
    return Comparison(returns, figures, _differences(returns, given[0].bars.periods_per_year), _notes(given, called))


#: How the table looks inside a notebook, where the style of the page is not.
_CELL_STYLE: Final = (
    ".qtw-beside .unseen{position:absolute;clip-path:inset(50%)}.qtw-beside .best{font-weight:700}"
    ".qtw-beside .scroll{overflow-x:auto;position:relative}.qtw-beside caption{text-align:left}"
    ".qtw-beside th[scope=row]{text-align:left}"
)

#: What the interval of a difference is.
_DIFFERENCE: Final = (
    f"yearly Sharpe ratio less that of the first result; percentiles of {REPS:,} stationary bootstrap resamples of the "
    "pair (Politis and Romano, 1994; Ledoit and Wolf, 2008, on why pairs are kept together)"
)

_CAUTION: Final = (
    "The best of several results looks better than it is: the more were tried, the more of its lead is luck. A starred "
    "figure is the largest of its row, not a proof."
)


def _names(results: Sequence[Result], names: Sequence[str] | None) -> list[str]:
    """One different name for each result."""
    if names is None:
        return _told_apart([_stem(result, results) for result in results])
    called = [names] if isinstance(names, str) else list(names)
    if len(called) != len(results) or not all(isinstance(name, str) and name.strip() for name in called):
        raise DataError(f"{len(results)} results need as many names, each some text; given were {called!r:.200}.")
    if twice := sorted({name for name in called if called.count(name) > 1}):
        raise DataError(f"Two results are called {twice[0]!r}; give each its own name.")
    return called


def _stem(result: Result, results: Sequence[Result]) -> str:
    """The strategy's name, with the parameters in which results of that strategy differ, and else the symbols."""
    alike = [other for other in results if other.strategy.name == result.strategy.name]
    own = result.strategy.parameters
    varied = [name for name in own if len({repr(other.strategy.parameters.get(name)) for other in alike}) > 1]
    shown = ", ".join(f"{name}={own[name]}" for name in varied)
    if not varied and len({other.bars.symbols for other in alike}) > 1:
        shown = ", ".join(result.bars.symbols[:3])
    return f"{result.strategy.name} ({shown})" if shown else result.strategy.name


def _told_apart(stems: Sequence[str]) -> list[str]:
    """Names that occur several times numbered from 1."""
    seen: dict[str, int] = {}
    found = []
    for stem in stems:
        seen[stem] = seen.get(stem, 0) + 1
        found.append(f"{stem}, no. {seen[stem]}" if stems.count(stem) > 1 else stem)
    return found


def _common(results: Sequence[Result], names: Sequence[str]) -> pd.DataFrame:
    """Returns of the bars that every result has."""
    index = results[0].returns.index
    for result in results[1:]:
        index = index.intersection(result.returns.index)
    if len(index) < FEWEST_BARS:
        spans = "; ".join(
            f"{name}: {r.bars.index[0].date()} to {r.bars.index[-1].date()}"
            for name, r in zip(names, results, strict=True)
        )
        raise DataError(
            f"The results share {len(index)} bars, fewer than {FEWEST_BARS} ({spans}). Backtest them on the same dates."
        )
    return pd.DataFrame({name: _over(result, index) for name, result in zip(names, results, strict=True)}, index=index)


def _over(result: Result, index: pd.Index) -> np.ndarray:
    """Returns from one common bar to the next; of the first common bar, that bar's own."""
    equity = result.equity.reindex(index).to_numpy()
    first = float(result.returns.loc[index[0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        later = np.where(equity[:-1] > 0, equity[1:] / equity[:-1] - 1.0, 0.0)
    return np.concatenate([[first], later])


def _figures(results: Sequence[Result], returns: pd.DataFrame) -> FactTable:
    """Figures of every result, with the best of each row."""
    yearly = results[0].bars.periods_per_year
    columns = {}
    for name, result in zip(returns.columns, results, strict=True):
        own = {one.name: one for one in result.facts()}
        path = _path(returns[name], yearly, own)
        columns[str(name)] = Facts(str(name), (*path, *(own[part] for part in _WHOLE)))
    best = {}
    for figure, way in _BETTER.items():
        values = {name: facts[figure] for name, facts in columns.items()}
        known = {name: v * way for name, v in values.items() if way and isinstance(v, float) and np.isfinite(v)}
        if known and len(set(known.values())) > 1:
            top = max(known.values())
            best[figure] = [name for name, value in known.items() if value == top]
    return FactTable("Figures", columns, best)


def _path(returns: pd.Series, yearly: float, own: Mapping[str, Fact]) -> list[Fact]:
    """Figures of the common bars, with the labels and definitions results have."""
    values: tuple[tuple[str, float, Unit], ...] = (
        ("total_return", p.total_return(returns), "fraction"), ("cagr", p.cagr(returns, yearly), "fraction"),
        ("volatility", p.volatility(returns, yearly), "fraction"), ("sharpe", p.sharpe_ratio(returns, yearly), "ratio"),
        ("sortino", p.sortino_ratio(returns, yearly), "ratio"),
        ("max_drawdown", p.max_drawdown(returns), "fraction"), ("calmar", p.calmar_ratio(returns, yearly), "ratio"),
        ("value_at_risk", p.value_at_risk(returns), "fraction"),
        ("expected_shortfall", p.expected_shortfall(returns), "fraction"), ("skewness", p.skewness(returns), "ratio"),
    )  # fmt: skip
    return [
        Fact(name, float(value), unit, own[name].label, own[name].definition)
        if name in own
        else fact(name, float(value), unit)
        for name, value, unit in values
    ]


def _differences(returns: pd.DataFrame, yearly: float) -> pd.DataFrame:
    """Sharpe ratios less the first one, with an interval from resampling the bars of each pair together."""
    table = returns.to_numpy()
    own = np.asarray(p.sharpe_ratio(table, yearly))
    columns = ["difference", "low", "high", "standard_error"]
    found = pd.DataFrame(np.nan, index=pd.Index(returns.columns[1:], name="result"), columns=columns)
    found["difference"] = own[1:] - own[0]
    if not np.isfinite(own).all():
        return found
    lengths = np.asarray(optimal_block_length(table).stationary)
    block = float(np.clip(np.nanmax(lengths), 1.0, len(table)))
    drawn = []
    for rows in stationary_bootstrap_indices(len(table), block, REPS, SEED):
        ratios = np.column_stack([p.sharpe_ratio(table[rows, k].T, yearly) for k in range(table.shape[1])])
        drawn.append(ratios[:, 1:] - ratios[:, :1])
    apart = np.concatenate(drawn)
    found["low"], found["high"] = np.quantile(apart, [0.025, 0.975], axis=0)
    found["standard_error"] = apart.std(axis=0, ddof=1)
    return found


def _notes(results: Sequence[Result], names: Sequence[str]) -> tuple[str, ...]:
    """Where the results were not made alike, and the caveats each brings."""
    alike: dict[str, list[str]] = {
        "costs": [r.terms.costs.describe() for r in results],
        "execution": [str(r.terms.execution) for r in results],
        "data": [r.bars.fingerprint[:16] for r in results],
        "span": [f"{r.bars.index[0].date()} to {r.bars.index[-1].date()}" for r in results],
        "starting cash": [f"{r.terms.cash:,.0f}" for r in results],
    }
    notes = [
        f"different {what}: " + "; ".join(f"{name}: {value}" for name, value in zip(names, values, strict=True))
        for what, values in alike.items()
        if len(set(values)) > 1
    ]
    own: dict[str, list[str]] = {}
    for name, result in zip(names, results, strict=True):
        for note in result.notes:
            own.setdefault(note, []).append(name)
    notes += [note if len(who) == len(results) else f"{', '.join(who)}: {note}" for note, who in own.items()]
    return tuple(notes)


def _sections(comparison: Comparison) -> list[Section]:
    """The page."""
    below = p.drawdown_series(comparison.returns)
    apart = comparison.differences.map(lambda value: Fact("", float(value), "ratio").shown)
    apart.columns = [name.replace("_", " ") for name in apart.columns]
    first = comparison.names[0]
    note = (
        f"Yearly Sharpe ratio less that of {first}: {_DIFFERENCE}, seed {SEED}. Where the interval holds zero, chance "
        "alone could have made the difference; intervals know nothing of how many results were tried."
    )
    correlation = comparison.correlation.round(3)
    return [
        Section(
            "Figures",
            comparison.figures,
            f"Of the {len(comparison.returns):,} common bars; trades, time in the market, turnover and costs are those "
            "of each result's whole span. A star marks the best of a row.",
        ),
        Section(
            "Growth of one",
            _curves(comparison),
            "Capital of one before the first common bar, with the returns of common bars.",
        ),
        Section("Drawdowns", plots.lines(below, "", percent=True, above=True, height=260)),
        Section(f"Sharpe ratio against {first}", apart, note),
        Section("Correlation of returns", correlation, "Pearson's, of the returns of common bars."),
    ]


def _curves(comparison: Comparison) -> Any:
    """Growth from one, on a logarithmic scale where a curve grew or fell far."""
    growth = comparison.growth
    lowest, highest = float(growth.to_numpy().min()), float(growth.to_numpy().max())
    log = lowest > 0 and highest / lowest > 4
    return plots.lines(growth, "Growth of one" + (" (log scale)" if log else ""), log=log, above=True)
