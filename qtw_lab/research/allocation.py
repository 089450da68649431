"""How money is divided over symbols, given their past returns: skfolio's estimators behind one checked object."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError, lookup
from qtw_lab.core.extras import need
from qtw_lab.stats.columns import deviation, number

FloatArray = npt.NDArray[np.float64]

#: Weights below this are what an interior-point solver leaves of zero.
_CRUMB: Final = 1e-6
#: How closely a solver works, tried in this order until it arrives. With skfolio's own 1e-9 on daily returns as they
#: are, weights came out up to 4e-4 off (minimum variance) and 1e-3 off (maximum Sharpe); on returns of unit size with
#: the first of these, 1e-6 (measured against closed forms).
_TOLERANCES: Final = (1e-10, 1e-9, 1e-8)
#: How far a solver's weights may be from the bounds and from a sum of 1 before they are no solution.
_SLACK: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to divide money, and which options it has.

    Parameters
    ----------
    make : callable
        From an `Allocator` to skfolio's unfitted estimator.
    title : str
        What people read.
    covariance : str
        The estimator of the covariance matrix if none is asked for; empty if none is used.
    bounded : bool
        Whether it can keep weights within bounds.
    tail : bool
        Whether it looks at the worst returns, and takes `confidence`.
    inverts : bool
        Whether the covariance matrix must be invertible for one answer.
    """

    make: Callable[[Allocator], Any]
    title: str
    covariance: str = ""
    bounded: bool = True
    tail: bool = False
    inverts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocator:
    """Long-only weights that sum to 1, from past returns, by one rule and its options.

    Parameters
    ----------
    name : str
        A row of `ALLOCATORS`.
    min_weight, max_weight : float
        Bounds of each weight, fractions of equity from 0 to 1.
    covariance : str, optional
        A row of `COVARIANCES`; by default "ledoit_wolf" where the matrix is inverted ("minimum_variance",
        "maximum_sharpe"), since there an error of estimation is what the optimiser finds first, else "empirical".
    confidence : float
        "mean_cvar" alone: the expected shortfall is the mean loss of the worst ``1 - confidence`` of bars.

    Raises
    ------
    DataError
        If the rule or the covariance is not known, a number is out of range, or the rule does not have an option that
        was given.

    Notes
    -----
    Ledoit and Wolf, "A Well-Conditioned Estimator for Large-Dimensional Covariance Matrices" (2004); Rockafellar and
    Uryasev, "Optimization of Conditional Value-at-Risk" (2000); Maillard, Roncalli and Teiletche, "The Properties of
    Equally Weighted Risk Contribution Portfolios" (2010); Lopez de Prado, "Building Diversified Portfolios that
    Outperform Out of Sample" (2016), here with Ward's linkage, as skfolio does; Raffinot, "The Hierarchical Equal Risk
    Contribution Portfolio" (2018). Expected returns of "maximum_sharpe" are plain means of the window, of which a year
    says next to nothing.

    Examples
    --------
    >>> calm, wild = np.tile([0.01, -0.01], 10), np.tile([0.02, 0.02, -0.02, -0.02], 5)
    >>> Allocator(name="inverse_volatility").weights(pd.DataFrame({"calm": calm, "wild": wild})).round(4).to_dict()
    {'calm': 0.6667, 'wild': 0.3333}
    """

    name: str
    min_weight: float = 0.0
    max_weight: float = 1.0
    covariance: str | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        rule = lookup(self.name, ALLOCATORS, "allocator")
        low, high = number("min_weight", self.min_weight), number("max_weight", self.max_weight)
        if not 0.0 <= low <= high <= 1.0:
            raise DataError(
                f"{self.name}: min_weight={low:g} and max_weight={high:g} must satisfy 0 <= min_weight <= max_weight "
                "<= 1; short weights are not part of these rules."
            )
        if (low, high) != (0.0, 1.0) and not rule.bounded:
            raise DataError(f"{self.name} has no weight bounds; leave them out, or choose {_others('bounded')}.")
        if self.covariance is None:
            object.__setattr__(self, "covariance", rule.covariance)
        elif self.covariance and not rule.covariance:
            raise DataError(f"{self.name} uses no covariance matrix; leave covariance={self.covariance!r} out.")
        elif rule.covariance:
            lookup(self.covariance, COVARIANCES, "covariance")
        if not 0.5 <= number("confidence", self.confidence) < 1.0:
            raise DataError(f"confidence={self.confidence!r} must be at least 0.5 and below 1, such as 0.95.")
        if self.confidence != 0.95 and not rule.tail:
            raise DataError(f"{self.name} looks at no tail; confidence belongs to {_others('tail')}.")

    @property
    def rule(self) -> Rule:
        """The rule's row of `ALLOCATORS`."""
        return ALLOCATORS[self.name]

    @property
    def label(self) -> str:
        """The name, then every option that is not the rule's own: "hrp(max_weight=0.1)"."""
        usual = {field.name: field.default for field in fields(self)} | {"covariance": self.rule.covariance}
        given = [f"{key}={getattr(self, key)}" for key in usual if getattr(self, key) != usual[key] and key != "name"]
        return f"{self.name}({', '.join(given)})" if given else self.name

    @property
    def least(self) -> int:
        """Fewest returns it is computed from, however few the symbols."""
        return max(3, int(np.ceil(round(1.0 / (1.0 - self.confidence), 9)))) if self.rule.tail else 3

    def estimator(self) -> Any:
        """The unfitted estimator of skfolio with these options.

        Raises
        ------
        SetupError
            If skfolio is not installed.
        """
        return self.rule.make(self)

    def weights(self, returns: pd.DataFrame) -> pd.Series:
        """The weight of each symbol, as fractions that sum to 1 and lie within the bounds.

        Parameters
        ----------
        returns : DataFrame
            Simple returns as fractions, (T, N), a column a symbol, at least two; finite, none constant.

        Returns
        -------
        Series
            (N,), indexed by the columns.

        Raises
        ------
        DataError
            If the returns are not that, are too few for the rule, no weights lie within the bounds, or the solver finds
            none.
        SetupError
            If skfolio is not installed.
        """
        values = _checked(returns)
        self._fitting(*values.shape)
        even = 1.0 / values.shape[1]
        only = self.min_weight >= even - 1e-9 or self.max_weight <= even + 1e-9  # the bounds leave one answer
        found = np.full(values.shape[1], even) if only else self._solved(values)
        return pd.Series(found, index=returns.columns, name=self.label)

    def _fitting(self, bars: int, symbols: int) -> None:
        """Refuse a table too small for the rule, and bounds that no weights satisfy."""
        square = self.rule.inverts and self.covariance == "empirical"
        least = max(self.least, symbols + 1 if square else 0)
        if bars < least:
            why = "; 'ledoit_wolf' works with fewer" if square and bars >= self.least else ""
            raise DataError(
                f"{self.name} needs at least {least} returns of {symbols} symbols; there are {bars}. Give a longer "
                f"window{why}."
            )
        if symbols * self.max_weight < 1.0 - 1e-12 or symbols * self.min_weight > 1.0 + 1e-12:
            raise DataError(
                f"{self.name}: no weights of {symbols} symbols from {self.min_weight:g} to {self.max_weight:g} sum to "
                f"1. Give a min_weight of at most {1 / symbols:.4g} and a max_weight of at least that."
            )

    def _solved(self, values: FloatArray) -> FloatArray:
        """What skfolio finds, made exact; its errors in our words."""
        estimator, errors = self.estimator(), need("skfolio.exceptions", "research")
        unit = values / np.median(deviation(values))  # no rule's weights depend on it, but the solver's accuracy does
        cause: Exception | None = None
        for tolerance in _TOLERANCES if hasattr(estimator, "solver_params") else (0.0,):
            if tolerance:
                estimator.set_params(solver_params=dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), tolerance))
            try:
                return _exact(_fitted(estimator, unit, inverts=self.rule.inverts), self)
            except (errors.SkfolioError, ValueError, UserWarning) as err:
                cause = err
        why, (bars, symbols) = str(cause).partition(" Try ")[0], values.shape  # what to try next, we say ourselves
        raise DataError(
            f"{self.name} found no weights for {bars} returns of {symbols} symbols: {why} Give wider bounds, another "
            "window or another allocator."
        ) from cause


def _fitted(estimator: Any, returns: FloatArray, *, inverts: bool) -> FloatArray:
    """The weights that an estimator finds.

    skfolio only warns of a solution that did not converge, and of a matrix without an inverse that it repaired. The
    first is no solution; the second matters to a rule that inverts.
    """
    singular: Literal["error", "ignore"] = "error" if inverts else "ignore"
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Solution may be inaccurate", category=UserWarning)
        warnings.filterwarnings(singular, message="The covariance matrix is not positive", category=UserWarning)
        return np.asarray(estimator.fit(returns).weights_, dtype=np.float64)


def _checked(returns: Any) -> FloatArray:
    """The returns as an array, once known to be fit to divide money by."""
    if not isinstance(returns, pd.DataFrame):
        raise DataError(
            f"Weights are computed from a DataFrame of returns, a column a symbol, not {type(returns).__name__}."
        )
    if not returns.columns.is_unique:
        twice = returns.columns[returns.columns.duplicated()][0]
        raise DataError(f"The column {twice!r} comes twice in the returns; give every symbol once.")
    if returns.shape[1] < 2:
        raise DataError(f"Money is divided among at least two symbols; the returns have {returns.shape[1]} columns.")
    wrong = [name for name, kind in returns.dtypes.items() if not pd.api.types.is_any_real_numeric_dtype(kind)]
    if wrong:
        raise DataError(f"The column {wrong[0]!r} of the returns is not numbers.")
    values = returns.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(values)
    if bad.any():
        place = int(bad.any(axis=0).argmax())
        raise DataError(
            f"{returns.columns[place]!r} has {int(bad[:, place].sum())} missing or infinite returns of {len(values)}, "
            f"the first at {returns.index[int(bad[:, place].argmax())]}. Give a window in which every symbol has a "
            "price at each bar, or leave the symbol out."
        )
    still = deviation(values) == 0.0 if len(values) > 1 else np.zeros(values.shape[1], dtype=bool)
    if still.any():
        raise DataError(
            f"The returns of {returns.columns[int(still.argmax())]!r} never vary, so that it has no risk to weigh. "
            "Leave it out, or give a longer window."
        )
    return values


def _exact(found: FloatArray, rule: Allocator) -> FloatArray:
    """A solver's weights without crumbs, exactly within the bounds and with a sum of 1 to the last bits.

    Raises
    ------
    DataError
        If they are further off than a solver's tolerance.
    """
    low, high = rule.min_weight, rule.max_weight
    off = max(float(low - found.min()), float(found.max() - high), abs(float(found.sum()) - 1.0))
    if not off <= _SLACK:  # also where something is NaN
        raise DataError(f"weights from {found.min():.6g} to {found.max():.6g} with sum {found.sum():.6g} are none.")
    weights = np.where(found < _CRUMB, 0.0, found).clip(low, high)
    missing = 1.0 - weights.sum()
    room = high - weights if missing > 0.0 else weights - low
    held = np.where(weights > 0.0, room, 0.0)
    room = held if held.sum() >= abs(missing) else room  # what is zero stays zero, unless nothing else can take it
    if room.any():
        weights = (weights + missing * room / room.sum()).clip(low, high)
    return np.asarray(weights, dtype=np.float64)


def _optimization() -> Any:
    return need("skfolio.optimization", "research")


def _prior(allocator: Allocator) -> Any:
    """Plain means of the returns, and the covariance matrix asked for."""
    moments = need("skfolio.moments", "research")
    matrix = getattr(moments, COVARIANCES[str(allocator.covariance)])()
    return need("skfolio.prior", "research").EmpiricalPrior(covariance_estimator=matrix)


def _bounds(allocator: Allocator) -> dict[str, Any]:
    return {"min_weights": allocator.min_weight, "max_weights": allocator.max_weight}


def _equal_weight(_: Allocator) -> Any:
    return _optimization().EqualWeighted()


def _inverse_volatility(allocator: Allocator) -> Any:
    return _optimization().InverseVolatility(prior_estimator=_prior(allocator))


def _minimum_variance(allocator: Allocator) -> Any:
    return _optimization().MeanRisk(prior_estimator=_prior(allocator), **_bounds(allocator))


def _maximum_sharpe(allocator: Allocator) -> Any:
    goal = _optimization().ObjectiveFunction.MAXIMIZE_RATIO
    return _optimization().MeanRisk(objective_function=goal, prior_estimator=_prior(allocator), **_bounds(allocator))


def _mean_cvar(allocator: Allocator) -> Any:
    measure = need("skfolio", "research").RiskMeasure.CVAR
    return _optimization().MeanRisk(risk_measure=measure, cvar_beta=allocator.confidence, **_bounds(allocator))


def _risk_parity(allocator: Allocator) -> Any:
    return _optimization().RiskBudgeting(prior_estimator=_prior(allocator), **_bounds(allocator))


def _hrp(allocator: Allocator) -> Any:
    return _optimization().HierarchicalRiskParity(prior_estimator=_prior(allocator), **_bounds(allocator))


def _herc(allocator: Allocator) -> Any:
    return _optimization().HierarchicalEqualRiskContribution(prior_estimator=_prior(allocator), **_bounds(allocator))


#: Every way to divide money.
ALLOCATORS: Final[Mapping[str, Rule]] = {
    "equal_weight": Rule(_equal_weight, "Equal weight"),
    "inverse_volatility": Rule(_inverse_volatility, "Inverse volatility", "empirical", bounded=False),
    "minimum_variance": Rule(_minimum_variance, "Minimum variance", "ledoit_wolf", inverts=True),
    "maximum_sharpe": Rule(_maximum_sharpe, "Maximum Sharpe ratio", "ledoit_wolf", inverts=True),
    "mean_cvar": Rule(_mean_cvar, "Minimum expected shortfall (CVaR)", tail=True),
    "risk_parity": Rule(_risk_parity, "Equal risk contributions", "empirical"),
    "hrp": Rule(_hrp, "Hierarchical risk parity", "empirical"),
    "herc": Rule(_herc, "Hierarchical equal risk contribution", "empirical"),
}

#: Estimators of the covariance matrix, by skfolio's name.
COVARIANCES: Final[Mapping[str, str]] = {
    "empirical": "EmpiricalCovariance",
    "ledoit_wolf": "LedoitWolf",
    "oas": "OAS",
    "denoised": "DenoiseCovariance",
}


def _others(option: str) -> str:
    """The names of the rules that have an option."""
    return ", ".join(name for name, rule in ALLOCATORS.items() if getattr(rule, option))
