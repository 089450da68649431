"""Does a number known today order what symbols return tomorrow, and is anything left of it after costs?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pandas as pd

from qtw_lab.backtest.trial_ledger import TrialLedger
from qtw_lab.core import Bars, DataError, lookup
from qtw_lab.core.files import write_text
from qtw_lab.ledger import Costs
from qtw_lab.research.factor_means import MeanTest, mean_test
from qtw_lab.research.factor_measures import (
    FACTORS,
    beta,
    distance_from_high,
    dollar_volume,
    illiquidity,
    momentum,
    reversal,
    volatility,
)
from qtw_lab.research.factor_neutral import Exposures, Groups, neutralised
from qtw_lab.research.factor_page import page, picture
from qtw_lab.research.factor_portfolio import (
    WEIGHTINGS,
    LongShort,
    WeightList,
    digest_of,
    long_short,
    long_short_weights,
)
from qtw_lab.research.factor_result import Findings
from qtw_lab.research.factor_scores import (
    ENTRIES,
    forward_returns,
    ic_summary,
    information_coefficient,
    monotonicity,
    quantile_returns,
    quantile_summary,
    turnover,
)
from qtw_lab.research.factor_sections import (
    FEWEST,
    TRANSFORMS,
    checked_quantiles,
    on_bars,
    quantile_members,
    ranked,
    winsorised,
    z_scores,
)
from qtw_lab.research.studies import entered, study
from qtw_lab.stats.columns import whole

if TYPE_CHECKING:
    from qtw_lab.plots import Picture

__all__ = [
    "DECAY", "FACTORS", "TRANSFORMS", "WEIGHTINGS", "FactorStudy", "LongShort", "MeanTest", "WeightList", "beta",
    "distance_from_high", "dollar_volume", "factor_study", "forward_returns", "ic_decay", "ic_summary", "illiquidity",
    "information_coefficient", "long_short", "long_short_weights", "mean_test", "momentum", "monotonicity",
    "neutralised", "quantile_members", "quantile_returns", "quantile_summary", "ranked", "reversal", "turnover",
    "volatility", "winsorised", "z_scores",
]  # fmt: skip

#: A table (T, N), a name of `FACTORS`, or what makes a table from bars.
Factor: TypeAlias = pd.DataFrame | str | Callable[[Bars], pd.DataFrame]

#: What the ledger calls such a study.
KIND: Final = "factor"
#: Horizons at which the decay of a factor is looked at, in bars.
DECAY: Final = (1, 2, 3, 5, 10, 21, 42, 63)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FactorStudy(Findings):
    """What `factor_study` gives: the findings, and how to look at them."""

    def picture(self, name: str, theme: str = "light") -> Picture:
        """A figure of the study: "ic", "growth", "quantiles", "equity" or "calendar".

        Raises
        ------
        DataError
            If there is no such figure, or nothing to draw in it.
        SetupError
            If Bokeh is not installed.
        """
        return picture(self, name, theme)

    def to_html(self, path: str | Path, theme: str = "light") -> Path:
        """Write the study as a page in one file, and give back its path.

        Raises
        ------
        SetupError
            If Bokeh is not installed or the file cannot be written.
        """
        return write_text(Path(path), page(self, theme))


def factor_study(  # noqa: PLR0913  (the public interface; all but two are keyword-only)
    factor: Factor,
    bars: Bars,
    *,
    horizons: Sequence[int] = (1, 5, 21),
    quantiles: int = 5,
    transform: str | None = None,
    groups: Groups | None = None,
    exposures: Exposures | None = None,
    entry: str = "next_open",
    method: str = "spearman",
    weighting: str = "quantile",
    rebalance: int | None = None,
    costs: Costs | None = None,
    cash: float = 100_000.0,
    fewest: int = FEWEST,
    tried: int | None = None,
    name: str | None = None,
    ledger: TrialLedger | None = None,
) -> FactorStudy:
    """A factor from end to end: information coefficients, quantiles, turnover, and a portfolio with costs.

    Parameters
    ----------
    factor : DataFrame, str or callable
        (T, N) on the bars, known at the close of each; a name of `FACTORS`; or a function of the bars. High is expected
        to do better: turn the sign of a factor where low is.
    bars : Bars
        (T, N) prices, N at least `fewest`.
    horizons : sequence of int
        Bars looked ahead. Each is one more question that luck can answer.
    quantiles : int
        From 2 to N.
    transform : {"rank", "z_score", "winsorise"}, optional
        Done in each bar before neutralising.
    groups, exposures
        Taken out as in `neutralised`, with a bar's own names only.
    entry : {"next_open", "close"}
        Where forward returns begin; the portfolio fills at the next open in any case.
    method : {"spearman", "pearson"}
        Kind of information coefficient.
    weighting : {"quantile", "rank"}
        As for `long_short_weights`.
    rebalance : int, optional
        Bars between rebalancings of the portfolio; the longest horizon by default.
    costs : Costs, optional
        None means free trading, and the study says so. Shorts have a price too: `borrow_bps_per_year`.
    cash : float
        Starting cash in account currency.
    fewest : int
        Bars with fewer names say nothing.
    tried : int, optional
        How many factors were looked at on these bars, this one included: p-values are multiplied by it. By default what
        the ledger counts; every other factor, transform or setting is one more.
    name : str, optional
        What people call the factor; taken from `factor` if that has a name.
    ledger : TrialLedger, optional
        Where the study is counted as tried; by default that of this machine.

    Returns
    -------
    FactorStudy

    Raises
    ------
    DataError
        If an argument does not fit, the factor is not on the bars, or no bar has enough names and returns.

    Notes
    -----
    A factor made with later bars gets a fine study. Ask `leaks.detect` about the function that makes it.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=80, tz="UTC")
    >>> waves = {name: 50 + np.sin(np.arange(80) / 5 + place) for place, name in enumerate("ABCDE")}
    >>> bars = Bars.from_frame(pd.concat({"close": pd.DataFrame(waves, index=days)}, axis=1))
    >>> study = factor_study("reversal", bars, horizons=(1, 5), costs=Costs(commission_bps=5))
    >>> study.trials, study.ic["bars"].tolist(), study.facts()["execution"]
    (2, [57, 53], 'next_open')
    """
    looks = _horizons(horizons)
    lookup(entry, ENTRIES, "entry")
    if tried is not None:
        whole("tried", tried)
    title, made = _made(factor, bars)
    given, treatment = _treated(on_bars(made, bars), transform, groups, exposures, fewest)
    checked_quantiles(quantiles, given.shape[1])
    labels = {h: forward_returns(bars, h, entry) for h in looks}
    ics, ic = _scored(given, labels, bars, method, fewest)
    per_bar = {h: quantile_returns(given, labels[h], quantiles, fewest) for h in looks}
    every = looks[-1] if rebalance is None else whole("rebalance", rebalance)
    traded = long_short(given, bars, weighting=weighting, quantiles=quantiles, every=every, costs=costs, cash=cash,
                        fewest=fewest)  # fmt: skip
    settings = {
        "horizons": list(looks), "quantiles": quantiles, "entry": entry, "method": method, "weighting": weighting,
        "rebalance": every, "fewest": fewest, "values": digest_of(given),
    }  # fmt: skip
    asked = study(bars, KIND, f"factor {name or title}", settings, traded.net.returns, traded.net.terms)
    known = entered(bars, KIND, [asked], (), ledger)
    looked = known.tried.count if tried is None else tried
    ic["p_counted"] = (ic["p_value"] * looked * len(looks)).clip(upper=1.0)
    return FactorStudy(
        name=name or title, factor=given, bars=bars, horizons=looks, quantiles=quantiles, entry=entry, method=method,
        rebalance=every, tried=looked, treatment=treatment, coefficients=ics.rename_axis(columns="horizon"), ic=ic,
        quantile_returns=pd.concat(per_bar, axis=1, names=["horizon", "quantile"]),
        quantile_summary=pd.concat({h: quantile_summary(per_bar[h], h) for h in looks}, names=["horizon", "quantile"]),
        turnover=turnover(given, looks, quantiles, fewest), unlabelled=_unlabelled(given, labels[looks[-1]]),
        portfolio=traded, entered=known,
    )  # fmt: skip


def ic_decay(
    factor: Factor,
    bars: Bars,
    horizons: Iterable[int] = DECAY,
    *,
    entry: str = "next_open",
    method: str = "spearman",
    fewest: int = FEWEST,
) -> pd.DataFrame:
    """How the information coefficient changes with the horizon: a row each, as `ic_summary`.

    Look at it to choose how long to hold, and then believe the t of the horizon chosen less: it is the best of many.

    Parameters
    ----------
    factor, bars, horizons, entry, method, fewest
        As for `factor_study`.

    Raises
    ------
    DataError
        As for `factor_study`.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=80, tz="UTC")
    >>> waves = {name: 50 + np.sin(np.arange(80) / 5 + place) for place, name in enumerate("ABCDE")}
    >>> bars = Bars.from_frame(pd.concat({"close": pd.DataFrame(waves, index=days)}, axis=1))
    >>> ic_decay("reversal", bars, (1, 2, 3))["bars"].tolist()
    [57, 56, 55]
    """
    looks = _horizons(horizons)
    given = on_bars(_made(factor, bars)[1], bars)
    return _scored(given, {h: forward_returns(bars, h, entry) for h in looks}, bars, method, fewest)[1]


def _horizons(given: Iterable[int]) -> tuple[int, ...]:
    """The horizons in rising order."""
    if isinstance(given, (str, int)) or not isinstance(given, Iterable):
        raise DataError(f"horizons={given!r} must be several whole numbers of bars, such as (1, 5, 21).")
    looks = tuple(sorted({whole("horizon", horizon) for horizon in given}))
    if not looks:
        raise DataError("horizons is empty; give at least one number of bars, such as (1, 5, 21).")
    return looks


def _scored(
    factor: pd.DataFrame, labels: Mapping[int, pd.DataFrame], bars: Bars, method: str, fewest: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Coefficients by bar and horizon, and their summary."""
    ics = pd.DataFrame({h: information_coefficient(factor, one, method, fewest) for h, one in labels.items()})
    if not ics.notna().any(axis=None):
        raise DataError(
            f"No bar has {fewest} names with both factor and forward return, so nothing can be measured. Give more "
            "names or bars, a shorter factor, or lower fewest=."
        )
    names = pd.DataFrame({h: (factor.notna() & one.notna()).sum(axis=1) for h, one in labels.items()})
    return ics, ic_summary(ics, bars.periods_per_year, names)


def _made(factor: Factor, bars: Bars) -> tuple[str, pd.DataFrame]:
    """The factor's name and its table."""
    if isinstance(factor, str):
        return factor, lookup(factor, FACTORS, "factor")(bars)
    if callable(factor):
        return str(getattr(factor, "__name__", "factor")), factor(bars)
    return "factor", factor


def _treated(
    factor: pd.DataFrame, transform: str | None, groups: Groups | None, exposures: Exposures | None, fewest: int
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The factor as it will be studied, and what was done to it in words."""
    done = []
    if transform is not None:
        factor = lookup(transform, TRANSFORMS, "transform")(factor)
        done.append(transform)
    if groups is not None or exposures is not None:
        factor = neutralised(factor, groups, exposures, fewest)
        named = ["exposure"] if isinstance(exposures, pd.DataFrame) else list(exposures or ())
        done.append(f"less {' and '.join([*(['group means'] if groups is not None else []), *named])}")
    return factor, tuple(done)


def _unlabelled(factor: pd.DataFrame, forward: pd.DataFrame) -> float:
    """Share of factor values without a label among the bars where some name has one."""
    labelled = forward.notna().to_numpy()
    last = int(np.flatnonzero(labelled.any(axis=1)).max(initial=-1)) + 1
    known = factor.notna().to_numpy()[:last]
    return float((known & ~labelled[:last]).sum() / max(known.sum(), 1))
