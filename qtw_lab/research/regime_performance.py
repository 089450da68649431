"""What a strategy earned in each regime, and whether that differs from what it earned in the others."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.result import Result
from qtw_lab.core import DataError, Fact, Facts, lookup
from qtw_lab.core.facts import Unit
from qtw_lab.research.regime_labels import Regimes
from qtw_lab.stats import performance as p
from qtw_lab.stats.columns import columns, deviation, whole

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: What decides the regime of a return -> how many bars before it the label stands.
_KNOWN: Final = {"before": 1, "same": 0}
_SAME_BAR: Final = (
    "known='same': the regime of a bar is set beside the return of the very bar that helped decide it; that describes "
    "the past and could not have been traded"
)
_FIGURES: Final[dict[str, tuple[Unit, str]]] = {
    "bars": ("bars", "returns whose regime this is"),
    "share": ("fraction", "of the returns that have a regime"),
    "spells": ("count", "unbroken runs of the regime"),
    "mean": ("fraction", "mean return of a bar x bars a year"),
    "volatility": ("fraction", p.DEFINITIONS["volatility"]),
    "sharpe": ("ratio", p.DEFINITIONS["sharpe"]),
    "max_drawdown": ("fraction", "deepest drawdown of the regime's own returns, its spells joined end to end"),
    "hit_rate": ("fraction", p.DEFINITIONS["hit_rate"]),
    "difference": ("fraction", "mean in the regime less mean in all others, a year"),
    "t": ("ratio", "difference over its Newey-West standard error"),
    "p_value": ("ratio", "two-sided, of that t under the normal distribution"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class RegimePerformance:
    """A strategy's returns by regime.

    Parameters
    ----------
    table : pandas.DataFrame
        A row a regime: `bars`, `share` of the bars with a regime, `spells`; `mean`, `volatility` and `sharpe` a year;
        `max_drawdown` of the regime's own returns, its spells joined end to end, so that it is what one lived through
        who held only then; `hit_rate`; `difference`, the mean less that of all other regimes, a year, with its `t` and
        two-sided `p_value`. NaN where a figure is not defined, as for a regime that never came.
    known : {"before", "same"}
        Whether the regime of a return is the label of the bar before, or of its own bar.
    lags : int
        Bars of dependence that the Newey-West standard error allows for.
    method : str
        How the regimes were found.
    notes : tuple of str
        What a reader must know with the figures.
    """

    table: pd.DataFrame
    known: str
    lags: int
    method: str = field(repr=False)
    notes: tuple[str, ...] = ()

    def facts(self) -> Facts:
        """Every figure of every regime, and how the regimes were found."""
        figures = [
            Fact(f"{name}_{figure}", float(row[figure]), unit, f"{name}: {figure.replace('_', ' ')}", said)
            for name, row in self.table.iterrows()
            for figure, (unit, said) in _FIGURES.items()
        ]
        told = Fact("method", self.method, "text", "Regimes")
        known = Fact("known", self.known, "text", "Regime known", "before: the label of the bar before the return")
        lags = Fact("lags", self.lags, "bars", "Newey-West lags")
        return Facts("Performance by regime", (*figures, known, lags, told), self.notes)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        bundle = self.facts()._repr_mimebundle_(**options)
        styles = {"fraction": "{:,.2%}", "ratio": "{:,.3f}"}
        shown = {name: styles.get(unit, "{:,.0f}").format for name, (unit, _) in _FIGURES.items()}
        title = f"<p><b>Performance by regime</b> (known {self.known})<br>{html.escape(self.method)}</p>"
        page = self.table.rename_axis(None).to_html(formatters=shown, na_rep="–", border=0)
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self.notes)
        return {**bundle, "text/plain": self.table.to_string(), "text/html": title + page + notes}


def performance_by_regime(
    returns: Result | pd.Series,
    regimes: Regimes,
    *,
    known: str = "before",
    lags: int | None = None,
    periods_per_year: float | None = None,
) -> RegimePerformance:
    """What was earned in each regime, and by how much the mean differs from that of the other regimes.

    The regime of a return must be known before the return is made: by default it is the last label up to the bar
    *before*. Returns without a regime, as in its warm-up, are left out. The difference is the slope of a regression on
    being in the regime, its standard error that of Newey and West, "A Simple, Positive Semi-Definite,
    Heteroskedasticity and Autocorrelation Consistent Covariance Matrix" (1987), without a correction for small samples:
    neither clusters of volatility nor dependence of near bars make a difference look sure.

    Parameters
    ----------
    returns : Result or pandas.Series
        A backtest, or simple returns as fractions by bar; every time must be one of the regimes' bars.
    regimes : Regimes
        Labels, such as of `volatility_regimes`.
    known : {"before", "same"}
        "same" takes the label of the return's own bar, which that return helped decide; the notes then say so.
    lags : int, optional
        Bars of dependence; by default ``floor(4 (T / 100) ** (2 / 9))``, the usual rule after Newey and West (1994).
    periods_per_year : float, optional
        Bars a year; those of the backtest's bars, or what the times say.

    Raises
    ------
    DataError
        If returns are not finite, have times that the regimes do not have, or fewer than two of them have a regime.

    Examples
    --------
    >>> from qtw_lab.research.regimes import trend_regimes
    >>> from qtw_lab.core import Bars
    >>> times = pd.date_range("2024-01-01", periods=6, tz="UTC")
    >>> bars = Bars.from_frame(pd.DataFrame({"close": [10.0, 11.0, 12.0, 9.0, 9.5, 10.0]}, times), symbol="X")
    >>> regimes = trend_regimes(bars, window=1, method="momentum")
    >>> found = performance_by_regime(bars.close["X"].pct_change().fillna(0.0), regimes)
    >>> found.table["bars"].tolist(), found.table["hit_rate"].round(2).tolist()
    ([1, 3], [1.0, 0.67])
    """
    series, yearly = _series(returns, periods_per_year)
    shift = lookup(known, _KNOWN, "choice of known")
    if not isinstance(regimes, Regimes):
        raise DataError(f"Regimes are needed, such as of volatility_regimes(bars), not {type(regimes).__name__}.")
    strange = ~series.index.isin(regimes.labels.index)
    if strange.any():
        raise DataError(
            f"{int(strange.sum())} returns have times that the regimes do not know, the first "
            f"{series.index[strange][0]}; find the regimes on the bars that the returns are of."
        )
    known_then = regimes.labels.ffill().shift(shift).reindex(series.index)  # a hole keeps the label before it
    kept = known_then.notna().to_numpy()
    values, codes = series.to_numpy(dtype=np.float64)[kept], known_then.cat.codes.to_numpy()[kept]
    if len(values) < 2:
        raise DataError(f"{len(values)} of {len(series)} returns have a regime: at least two are needed.")
    width = _lags(lags, len(values))
    rows = [_figures(values, codes == code, yearly, width) for code in range(len(regimes.names))]
    notes = [_SAME_BAR] if known == "same" else []
    notes += ["the regimes are hindsight: their labels used later bars"] if regimes.hindsight else []
    notes.append(
        f"{len(rows)} regimes are compared; p-values are not corrected for that, nor for other rules or windows tried"
    )
    table = pd.DataFrame(rows, index=pd.Index(regimes.names, name="regime"))[list(_FIGURES)]
    notes += [note for note in regimes.notes if note not in notes]
    return RegimePerformance(table=table, known=known, lags=width, method=regimes.method, notes=tuple(notes))


def difference_of_means(values: FloatArray, inside: BoolArray, lags: int) -> tuple[float, float]:
    """Mean of the bars inside less that of the others, and its Newey-West standard error; NaN where one side is empty.

    The error is that of the slope in a regression on a constant and ``inside``: with u the residual of each bar over
    the number of bars of its side (negative outside), its square is ``sum(u u) + 2 sum over lags of (1 - lag / (lags +
    1)) sum(u[lag:] u[:-lag])``.

    Parameters
    ----------
    values : ndarray
        (T,).
    inside : ndarray of bool
        (T,).
    lags : int
        From 0 to T - 1.

    Examples
    --------
    >>> gap, error = difference_of_means(np.array([1.0, 3.0, 0.0, 0.0]), np.array([True, True, False, False]), 0)
    >>> gap, round(error, 4)
    (2.0, 0.7071)
    """
    count = int(inside.sum())
    if not 0 < count < len(values):
        return float("nan"), float("nan")
    within, without = float(values[inside].mean()), float(values[~inside].mean())
    u = np.where(inside, (values - within) / count, -(values - without) / (len(values) - count))
    square = float(u @ u) + 2.0 * sum((1.0 - k / (lags + 1)) * float(u[k:] @ u[:-k]) for k in range(1, lags + 1))
    return within - without, math.sqrt(max(square, 0.0))


def _series(returns: Any, periods_per_year: float | None) -> tuple[pd.Series, float]:
    """The returns by bar, and the bars a year."""
    if isinstance(returns, Result):
        yearly = returns.bars.periods_per_year if periods_per_year is None else periods_per_year
        return returns.returns, columns(returns.returns).yearly(yearly)
    if not isinstance(returns, pd.Series):
        raise DataError(f"A Result or a Series of returns with times is needed, not {type(returns).__name__}.")
    if returns.index.has_duplicates:
        raise DataError(f"The returns have {returns.index[returns.index.duplicated()][0]} twice; give every bar once.")
    return returns, columns(returns).yearly(periods_per_year)


def _lags(lags: int | None, count: int) -> int:
    usual = min(int(4.0 * (count / 100.0) ** (2.0 / 9.0)), count - 1)
    chosen = usual if lags is None else whole("lags", lags, 0)
    if chosen >= count:
        raise DataError(f"lags={lags} must be fewer than the {count} returns that have a regime.")
    return chosen


def _figures(values: FloatArray, inside: BoolArray, yearly: float, lags: int) -> dict[str, float]:
    """The row of one regime."""
    own = values[inside]
    spells = int((np.diff(inside.astype(np.int8), prepend=0) == 1).sum())
    row: dict[str, float] = dict.fromkeys(_FIGURES, float("nan"))
    row |= {"bars": len(own), "share": len(own) / len(values), "spells": spells}
    if not len(own):
        return row
    gap, error = difference_of_means(values, inside, lags)
    sure = error > 0.0 and deviation(values[:, None])[0] > 0.0
    score = gap / error if sure else float("nan")
    return row | {
        "mean": float(own.mean()) * yearly,
        "volatility": p.volatility(own, yearly),
        "sharpe": p.sharpe_ratio(own, yearly),
        "max_drawdown": p.max_drawdown(own),
        "hit_rate": p.hit_rate(own),
        "difference": gap * yearly,
        "t": score,
        "p_value": 2.0 * NormalDist().cdf(-abs(score)) if sure else float("nan"),
    }
