"""Could it be luck? Questions of which each is answered wrongly for a worthless strategy in at most a stated share."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from qtw_lab.core import Fact
from qtw_lab.research import leaks
from qtw_lab.research.checks import Check, Evidence, Question
from qtw_lab.stats import performance as p
from qtw_lab.stats import relative
from qtw_lab.stats import significance as g

#: Bars of which leak detection looks at the last at most: it runs the strategy some fifty times.
_LOOKED_AT: Final = 1500
_FEWEST: Final = 30
_NEVER: Final = "it never had a return: it did not trade"


def look_ahead(evidence: Evidence) -> Check:
    """Whether decisions stay the same when only the future changes."""
    result = evidence.result
    title = "Decides without looking ahead"
    if len(result.bars) < _FEWEST or np.isnan(result.case.decisions).all():
        why = "it decides nothing itself" if len(result.bars) >= _FEWEST else f"fewer than {_FEWEST} bars"
        return Check(name="look_ahead", title=title, passed=None, reason=f"No leak was looked for: {why}.")
    longest = max(_LOOKED_AT, 2 * result.strategy.warmup + _FEWEST)
    report = leaks.detect(result.strategy, result.case.seen.tail(longest))
    cause = "" if report.cause is None else f", most likely by {report.cause.name}"
    reason = (
        f"It looks ahead: decisions change when only later bars do{cause}."
        if report.leaking
        else "Decisions do not change when only later bars do."
    )
    fact = Fact(
        "looks_ahead", "yes" if report.leaking else "no", "text", "Looks ahead",
        "whether a decision changes when only bars after it do: cut, replaced, delayed and holed histories",
    )  # fmt: skip
    return Check(name="look_ahead", title=title, passed=not report.leaking, reason=reason, facts=(fact,))


def deflation(evidence: Evidence) -> Check:
    """Whether its Sharpe ratio exceeds what the best of as many tries without skill would show."""
    title = "Beats the best of as many tries without skill"
    if not evidence.moves:
        return Check(name="deflation", title=title, passed=False, reason=f"There is nothing to judge: {_NEVER}.")
    tried = evidence.result.tried() if evidence.sweep is None else evidence.sweep.known
    own, year = evidence.own, evidence.result.bars.periods_per_year
    count, deflated = tried.facts(own)
    value = float(deflated.value) if isinstance(deflated.value, float) else float("nan")
    spread = tried.spread(len(own))
    least = g.expected_maximum_sharpe(tried.maximum_of, spread) if tried.maximum_of > 1.0 else 0.0
    length = float(g.minimum_track_record_length(own, least, 1.0 - evidence.level))
    passed = bool(value >= 1.0 - evidence.level)
    many = "1 try" if tried.count == 1 else f"{tried.count:,} tries"
    reason = (
        f"A Sharpe ratio of {p.sharpe_ratio(own, year):.2f} a year after {many}: with probability {value:.1%} it is "
        f"more than the {least * np.sqrt(year):.2f} that luck would bring; {1.0 - evidence.level:.0%} are asked for."
    )
    facts = (
        count, deflated,
        Fact("effective_trials", tried.effective, "ratio", "Independent tries they amount to",
             "r + (1 - r) N with the mean correlation r of two of N tries; Bailey and Lopez de Prado (2014), appendix"),
        Fact("luck_sharpe", least * float(np.sqrt(year)), "ratio", "Sharpe ratio a year that luck would bring",
             "expected maximum of as many tries without skill, whose ratios spread as those of the tries made"),
        Fact("minimum_track_record", length, "bars", "Bars it would need",
             f"minimum track record length above that ratio at {1.0 - evidence.level:.0%}; "
             "Bailey and Lopez de Prado (2012)"),
        Fact("bars", len(own), "bars", "Bars there are"),
    )  # fmt: skip
    return Check(name="deflation", title=title, passed=passed, reason=reason, facts=facts)


def beats_cash(evidence: Evidence) -> Check:
    """Whether the best of the configurations compared earned more than nothing, given that it is the best of them."""
    title = "Earned more than nothing, as the best of those compared"
    return _contest(evidence, evidence.returns, "beats_cash", title, "earned after costs")


def beats_holding(evidence: Evidence) -> Check:
    """Whether it beats holding as much of the market as moves along with it: its timing, or choice, is worth something.

    From the returns of each configuration those of buy and hold are taken, times their beta to it.
    """
    title = "Beats holding the same exposure"
    result = evidence.result
    market = (result.benchmark / result.benchmark.shift(1).fillna(result.terms.cash) - 1.0).to_numpy()
    slope = np.nan_to_num(np.asarray(relative.beta(evidence.returns.to_numpy(), market)))  # 0 if it never moved
    apart = evidence.returns.to_numpy() - slope * market[:, None]
    apart = np.where(np.abs(apart) < 1e-14, 0.0, apart)  # rounding of a strategy that is the market itself
    table = pd.DataFrame(apart, index=evidence.returns.index, columns=evidence.returns.columns)
    check = _contest(evidence, table, "beats_holding", title, "earned beyond holding as much of the market")
    alpha = float(table.iloc[:, 0].mean()) * result.bars.periods_per_year
    fact = Fact(
        "excess_over_holding", alpha, "fraction", "Earned a year beyond the market it held",
        "mean return less beta times buy and hold, a year: Jensen's alpha over a rate of 0",
    )  # fmt: skip
    return replace(check, facts=(*check.facts, fact))


def _contest(evidence: Evidence, returns: pd.DataFrame, name: str, title: str, what: str) -> Check:
    """Hansen's test over all configurations compared; a single one is a contest of one."""
    moving = returns.loc[:, (np.ptp(returns.to_numpy(), axis=0) > 0)]
    if returns.columns[0] not in moving.columns:
        reason = f"There is nothing to judge: {_NEVER}." if not evidence.moves else "It is the market itself."
        return Check(name=name, title=title, passed=False, reason=reason)
    plain = moving.set_axis(range(moving.shape[1]), axis=1)
    spa = g.spa_test(plain.to_numpy(), reps=evidence.reps, seed=evidence.seed, of=0)
    own = moving.iloc[:, 0]
    passed = bool(spa.consistent <= evidence.level and own.mean() > 0)
    share = float(own.mean()) * evidence.result.bars.periods_per_year
    best = f"the best of {moving.shape[1]:,} without an edge" if moving.shape[1] > 1 else "one without an edge"
    reason = (
        f"{share:+.1%} a year {what}: {best} would look as good with probability {spa.consistent:.1%}; at most "
        f"{evidence.level:.0%} are allowed."
    )
    definition = (
        "Hansen (2005), consistent p-value: stationary bootstrap of all configurations compared, "
        f"{spa.reps:,} resamples, mean block {spa.block:.1f} bars"
    )
    facts = (
        Fact(f"{name}_p", spa.consistent, "fraction", f"{title}: p-value", definition),
        Fact(f"{name}_p_lower", spa.lower, "fraction", "Its lower bound", "the same, poor configurations left poor"),
        Fact(f"{name}_p_upper", spa.upper, "fraction", "Its upper bound", "the same, poor ones as good as any"),
        Fact(f"{name}_compared", moving.shape[1], "count", "Configurations compared"),
    )
    return Check(name=name, title=title, passed=passed, reason=reason, facts=facts)


#: In the order in which a failure counts: what fails here leaves nothing to discuss.
QUESTIONS: Final[tuple[Question, ...]] = (look_ahead, deflation, beats_cash, beats_holding)
