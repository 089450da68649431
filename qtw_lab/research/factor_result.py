"""What a factor study found: its tables, figures and caveats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import pandas as pd

from qtw_lab.core import Bars, Fact, Facts
from qtw_lab.core.facts import Unit
from qtw_lab.research.choosing import lead
from qtw_lab.research.factor_portfolio import LongShort
from qtw_lab.research.factor_scores import SPREAD, monotonicity
from qtw_lab.research.studies import Entered

#: Fewer names a bar than this make a quantile a matter of a few companies.
_MANY: Final = 50


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """What a factor said about the returns that followed, and what its portfolio made of it.

    Parameters
    ----------
    name : str
        What people call the factor.
    factor : pandas.DataFrame
        (T, N) as studied: transformed and neutralised, NaN where a symbol has no bar.
    bars : Bars
        The prices.
    horizons : tuple of int
        Bars looked ahead, rising.
    quantiles : int
        Groups that each bar's names are sorted into.
    entry, method : str
        As for `forward_returns` and `information_coefficient`.
    rebalance : int
        Bars between the portfolio's rebalancings.
    tried : int
        Factors looked at on these bars, this one included.
    treatment : tuple of str
        What was done to the factor before it was studied.
    coefficients : pandas.DataFrame
        Information coefficient by bar and horizon, (T, H).
    ic : pandas.DataFrame
        A row a horizon: as `ic_summary`, and ``p_counted``, the p-value times `trials`, at most 1 (Bonferroni).
    quantile_returns : pandas.DataFrame
        (T, H x (Q + 1)): columns by horizon, then quantile and "spread".
    quantile_summary : pandas.DataFrame
        A row for each horizon and quantile, and its spread.
    turnover : pandas.DataFrame
        A row a horizon as lag: as `turnover`.
    portfolio : LongShort
        The engine's account, before and after costs.
    unlabelled : float
        Share of factor values without a return at the longest horizon, of those that could have one.
    entered : Entered
        What the ledger knows of such studies on these bars.
    """

    name: str
    factor: pd.DataFrame = field(repr=False)
    bars: Bars = field(repr=False)
    horizons: tuple[int, ...]
    quantiles: int
    entry: str
    method: str
    rebalance: int
    tried: int
    treatment: tuple[str, ...]
    coefficients: pd.DataFrame = field(repr=False)
    ic: pd.DataFrame = field(repr=False)
    quantile_returns: pd.DataFrame = field(repr=False)
    quantile_summary: pd.DataFrame = field(repr=False)
    turnover: pd.DataFrame = field(repr=False)
    portfolio: LongShort = field(repr=False)
    unlabelled: float
    entered: Entered = field(default_factory=Entered, repr=False)

    @property
    def trials(self) -> int:
        """Questions asked of these bars: factors times horizons."""
        return self.tried * len(self.horizons)

    @cached_property
    def monotonicity(self) -> dict[int, float]:
        """By horizon, how steadily mean returns rise from quantile to quantile; see `monotonicity`."""
        means = self.quantile_summary["mean"].drop(SPREAD, level=1)
        return {horizon: monotonicity(means.loc[horizon]) for horizon in self.horizons}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before believing the figures."""
        names = float(self.ic["names"].mean())
        notes = [*self.entered.remarks, *self.portfolio.net.notes]
        looked = f"{len(self.horizons)} horizon{'s' if len(self.horizons) != 1 else ''}"
        notes.append(
            f"{self.trials} question{'s' if self.trials != 1 else ''} asked ({self.tried} factor"
            f"{'s' if self.tried != 1 else ''} at {looked}): some look good by luck; what was only looked at is not in "
            "this count"
        )
        if names < _MANY:
            notes.append(
                f"few names: {names:.0f} a bar, so by luck alone one bar's coefficient is off by "
                f"{1.0 / math.sqrt(max(names - 1.0, 1.0)):.2f}, and a quantile is {names / self.quantiles:.0f} of them"
            )
        longest = self.horizons[-1]
        if longest > 1:
            apart = int(self.ic["bars"].loc[longest]) // longest
            notes.append(f"horizon {longest}: returns overlap, so its bars are worth about {apart} separate looks")
        if self.unlabelled > 0.0:
            notes.append(
                f"{self.unlabelled:.1%} of the factor's values have no return at horizon {longest} (holes, or a "
                "symbol's end) and are left out, which flatters a factor that buys what is about to fail"
            )
        if self.entry == "close":
            notes.append("optimistic: coefficients and quantiles are measured from the very close the factor needs")
        return tuple(notes)

    def facts(self) -> Facts:
        """The figures and how they were come by; the number of trials comes first."""
        net, ic = self.portfolio.net, self.ic
        known = self.coefficients.notna().any(axis=1)
        span = self.bars.index[known.to_numpy()]
        period = f"{span[0]:%Y-%m-%d} to {span[-1]:%Y-%m-%d}" if len(span) else "none"
        stated = (
            *lead(
                self.trials,
                "factors looked at times horizons",
                net.terms,
                self.bars,
                self.entered.deflated(net.returns),
            ),
            Fact("entry", _ENTRY_WORDS[self.entry], "text", "Forward returns from"),
            Fact("period", period, "text", "Bars with a coefficient"),
            Fact("names", float(ic["names"].mean()), "count", "Names a bar, mean"),
            Fact("treatment", ", ".join(self.treatment) or "none", "text", "Done to the factor first"),
        )
        scores = [fact for horizon in self.horizons for fact in self._scores(horizon)]
        lag = self.horizons[-1]
        steady = Fact(
            "rank_autocorrelation", float(self.turnover["rank_autocorrelation"].loc[lag]), "ratio",
            f"Rank autocorrelation, {lag} bars apart",
        )  # fmt: skip
        return Facts(f"Factor study of {self.name}", (*stated, *scores, steady, *self._traded()), self.notes)

    def _scores(self, horizon: int) -> tuple[Fact, ...]:
        row, spread = self.ic.T[horizon], self.quantile_summary.xs(SPREAD, level=1).T[horizon]
        rows: tuple[tuple[str, float, Unit, str, str], ...] = (
            ("ic", row["mean"], "ratio", "mean IC", f"mean {self.method.capitalize()} correlation across names"),
            ("icir", row["icir"], "ratio", "ICIR a year", "mean / std of the IC x root of the horizons a year has"),
            ("t", row["t"], "ratio", "t of the IC", f"Newey-West, {int(row['lags'])} lags"),
            ("p_counted", row["p_counted"], "ratio", "p, trials counted", "two-sided p x trials, at most 1"),
            ("spread", spread["mean"], "fraction", "top less bottom quantile", "mean forward return, before costs"),
            ("spread_t", spread["t"], "ratio", "t of the spread", f"Newey-West, {int(spread['lags'])} lags"),
            ("monotonicity", self.monotonicity[horizon], "ratio", "monotonicity",
             "rank correlation of quantile number and mean return"),
        )  # fmt: skip
        return tuple(
            Fact(f"{name}_{horizon}", float(value), unit, f"Horizon {horizon}: {label}", why)
            for name, value, unit, label, why in rows
        )

    def _traded(self) -> tuple[Fact, ...]:
        gross, net = self.portfolio.gross.stats, self.portfolio.net.stats
        rows: tuple[tuple[str, float, Unit, str, str], ...] = (
            ("gross_sharpe", gross["sharpe"], "ratio", "Portfolio Sharpe ratio before costs", ""),
            ("net_sharpe", net["sharpe"], "ratio", "Portfolio Sharpe ratio after costs", ""),
            ("gross_cagr", gross["cagr"], "fraction", "Portfolio growth a year before costs", ""),
            ("net_cagr", net["cagr"], "fraction", "Portfolio growth a year after costs", ""),
            ("net_max_drawdown", net["max_drawdown"], "fraction", "Portfolio's deepest drawdown after costs", ""),
            ("turnover", net["turnover"], "ratio", "Portfolio turnover a year", "half of all traded over mean equity"),
            ("cost_drag", net["cost_drag"], "fraction", "Costs a year", "costs paid over mean equity"),
            ("breakeven_bps", self.portfolio.breakeven_bps, "ratio", "Break-even cost, basis points",
             "cost of each amount traded that would eat the mean gross return"),
        )  # fmt: skip
        return tuple(Fact(name, float(value), unit, label, why) for name, value, unit, label, why in rows)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        return self.facts()._repr_mimebundle_(**options)

    def __repr__(self) -> str:
        shown = ", ".join(f"{horizon}: IC {row['mean']:.3f} (t {row['t']:.1f})" for horizon, row in self.ic.iterrows())
        sharpe = self.portfolio.net.stats["sharpe"]
        return f"FactorStudy({self.name}; {shown}; portfolio Sharpe after costs {sharpe:.2f}, {self.trials} trials)"


_ENTRY_WORDS: Final[Mapping[str, str]] = {
    "next_open": "the next open to the open a horizon later",
    "close": "the deciding close itself (optimistic)",
}
