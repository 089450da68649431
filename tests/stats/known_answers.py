"""What the figures should come to, from papers, closed forms and other libraries, beside what they do come to.

``python tests/stats/known_answers.py`` writes the table of ``docs/known_answers.md`` anew; `test_known_answers` fails
where an answer is off, and where the file is not what this module would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from qtw_lab.data import sample_bars
from qtw_lab.stats import performance as p
from qtw_lab.stats import significance as g
from qtw_lab.stats.splits import CombinatorialPurgedCV, PurgedKFold

PAGE = Path(__file__).parents[2] / "docs" / "known_answers.md"

#: Smaller differences are rounding, and not the same on every processor.
ROUNDING = 1e-9

HEAD = """# Known answers

What a figure should come to, according to a paper, a closed form or another library, beside what it comes to here.
This page is written by a program (`python tests/stats/known_answers.py`), and a test computes every row again: it fails
if an answer lies outside its tolerance, and if this page is not what the program writes.

Papers print few digits, so their rows are held to half a unit of the last one. "rounding" stands for less than 1e-9,
"none" for two equal counts. "Bundled returns" are daily ones of AAPL, IBM and MSFT, 2000 to 2013.
"""


@dataclass(frozen=True)
class Answer:
    """One known answer; a tolerance of 0 is that of a count."""

    figure: str
    source: str
    expected: float
    ours: float
    tolerance: float = ROUNDING
    digits: int = 6

    @property
    def difference(self) -> float:
        return abs(self.ours - self.expected)

    @property
    def holds(self) -> bool:
        return self.difference <= self.tolerance

    def row(self) -> str:
        """Its line of the table."""
        whole = self.tolerance == 0
        apart = f"{self.difference:.0e}" if self.difference >= ROUNDING else "none" if whole else "rounding"
        ours = f"{self.ours:.0f}" if whole else f"{self.ours:.6f}"
        bound = "none" if whole else f"{self.tolerance:.0e}"
        cells = self.figure, self.source, f"{self.expected:.{self.digits}f}", ours, apart, bound
        return f"| {' | '.join(cells)} |"


def printed(figure: str, source: str, expected: float, ours: float, digits: int) -> Answer:
    """An answer printed with so many digits: held to half a unit of the last."""
    return Answer(figure, source, expected, float(ours), 0.5 * 10.0**-digits, digits)


def counted(figure: str, source: str, expected: int, ours: int) -> Answer:
    """An answer that is a whole number."""
    return Answer(figure, source, expected, float(ours), 0.0, 0)


def of_papers() -> Iterator[Answer]:
    """Worked examples that authors print."""
    efficient, deflated = "Bailey and Lopez de Prado (2012)", "Bailey and Lopez de Prado (2014)"
    fund = g.TrackRecord(0.458, 24, skewness=-2.448, kurtosis=10.164)
    yield printed(
        "PSR, 24 months at 0.458, if normal", efficient, 0.982, g.TrackRecord(0.458, 24).probability_above(), 3
    )
    yield printed("PSR, with skewness -2.448, kurtosis 10.164", efficient, 0.913, fund.probability_above(), 3)
    for bars, name, years in ((252, "days", 2.73), (52, "weeks", 2.83), (12, "months", 3.24)):
        needed = g.TrackRecord(2 / bars**0.5, 99).minimum_length(1 / bars**0.5) / bars
        yield printed(f"MinTRL, annual ratio 2 above 1, years of {name}", efficient, years, needed, 2)
    hedge = g.TrackRecord(2 / 12**0.5, 99, skewness=-0.72, kurtosis=5.78).minimum_length(1 / 12**0.5) / 12
    yield printed("MinTRL, the same with skewness -0.72, kurtosis 5.78, years of months", efficient, 4.99, hedge, 2)
    std = (1 / 2 / 250) ** 0.5
    best = g.TrackRecord(2.5 / 250**0.5, 1250, skewness=-3.0, kurtosis=10.0)
    yield printed(
        "Expected maximum Sharpe ratio of 100 trials", deflated, 0.1132, g.expected_maximum_sharpe(100, std), 4
    )
    for trials, expected in ((100, 0.9004), (46, 0.9505)):
        found = best.deflated(n_trials=trials, trial_sharpe_std=std)
        yield printed(f"DSR, annual ratio 2.5 as the best of {trials}", deflated, expected, found, 4)
    normal = g.TrackRecord(2.5 / 250**0.5, 1250).deflated(n_trials=88, trial_sharpe_std=std)
    yield printed("DSR, the same if normal, best of 88", deflated, 0.9505, normal, 4)
    for sharpe, bars, expected in ((0.5, 12, 0.306), (1.0, 60, 0.158), (3.0, 500, 0.105)):
        z = np.random.default_rng(bars).normal(size=bars)
        error = g.sharpe_standard_error(sharpe + (z - z.mean()) / z.std(ddof=1), "normal")
        yield printed(
            f"Standard error of a Sharpe ratio of {sharpe}, {bars} bars", "Lo (2002), table 1", expected, error, 3
        )
    yield from of_books()


def of_books() -> Iterator[Answer]:
    """Counts and tests that textbooks work out."""
    book = "Lopez de Prado (2018), figures 12.1 and 12.2"
    yield counted("CPCV, splits of 6 groups by 2", book, 15, CombinatorialPurgedCV(6, 2).n_splits)
    yield counted("CPCV, paths of 6 groups by 2", book, 5, CombinatorialPurgedCV(6, 2).n_paths)
    loss = np.full(252, 0.01)
    loss[::12][:20] = -0.03
    test = p.var_coverage_test(loss, np.full(252, -0.02))
    yield printed("Kupiec's ratio, 20 breaches in 252 days at 95%", "Jorion (2007), chapter 6", 3.91, test.frequency, 2)
    heart = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
             0.7590, 1.0]  # fmt: skip
    for name, count in (("Benjamini and Hochberg", 4), ("Bonferroni", 3)):
        found = g.false_discoveries(heart, 0.05, name.lower().replace(" and ", "_")).rejected.sum()
        yield counted(f"Hypotheses of 15 rejected, {name}", "Benjamini and Hochberg (1995), section 3.2", count, found)
    yield Answer("Kelly fraction, even bet won in 60%", "Kelly (1956)", 0.2, p.kelly_fraction([1.0] * 6 + [-1.0] * 4))


def of_closed_forms(r: pd.DataFrame) -> Iterator[Answer]:
    """Formulas put together from SciPy's parts, and definitions carried out by brute force."""
    from scipy import stats

    ibm, z = r["IBM"], stats.norm.ppf(0.05)
    yield Answer("Value at risk, Gaussian", "mean and deviation of pandas, SciPy's normal quantile",
                 ibm.mean() + z * ibm.std(), p.value_at_risk(ibm, method="gaussian"))  # fmt: skip
    mean = stats.norm(ibm.mean(), ibm.std()).expect(lambda x: x, ub=ibm.mean() + z * ibm.std()) / 0.05
    yield Answer("Expected shortfall, Gaussian", "SciPy, integrated numerically", mean,
                 p.expected_shortfall(ibm, method="gaussian"), 1e-8)  # fmt: skip
    fat = 0.01 * stats.t.ppf((np.arange(2000) + 0.5) / 2000, 8) + 0.002 * np.linspace(-1, 1, 2000) ** 3
    skew, excess = stats.skew(fat), stats.kurtosis(fat)
    bent = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    yield Answer("Value at risk, Cornish-Fisher", "Favre and Galeano (2002) with moments of SciPy",
                 fat.mean() + bent * fat.std(ddof=1), p.value_at_risk(fat, method="cornish_fisher"))  # fmt: skip
    size, sharpe = len(ibm), ibm.mean() / ibm.std()
    spread = 1 - stats.skew(ibm) * sharpe + (stats.kurtosis(ibm) + 2) / 4 * sharpe**2
    yield Answer("PSR of bundled returns", "formula of 2012 with moments of SciPy",
                 stats.norm.cdf(sharpe * np.sqrt((size - 1) / spread)), g.probabilistic_sharpe_ratio(ibm))  # fmt: skip
    matrix = np.random.default_rng(3).normal(0.0002, 0.01, (240, 12))
    yield Answer("PBO, 12 strategies, 6 partitions", "brute force over all 20 splits", brute_force(matrix, 6),
                 g.probability_of_backtest_overfitting(matrix, 6).pbo)  # fmt: skip


def brute_force(returns: np.ndarray, partitions: int) -> float:
    """PBO as the paper tells it: cut, join, choose, rank."""
    from itertools import combinations

    from scipy.stats import rankdata

    def ratio(x: np.ndarray) -> np.ndarray:
        return x.mean(axis=0) / x.std(axis=0, ddof=1)

    blocks, overfit = np.split(returns, partitions), []
    for chosen in combinations(range(partitions), partitions // 2):
        rest = [k for k in range(partitions) if k not in chosen]
        best = np.argmax(ratio(np.concatenate([blocks[k] for k in chosen])))
        share = rankdata(ratio(np.concatenate([blocks[k] for k in rest])))[best] / (returns.shape[1] + 1)
        overfit.append(np.log(share / (1 - share)) <= 0)
    return float(np.mean(overfit))


def of_statistics(r: pd.DataFrame) -> Iterator[Answer]:
    """arch, statsmodels and skfolio on the same data and the same resamples."""
    from arch.bootstrap import SPA, StationaryBootstrap, StepM, optimal_block_length
    from skfolio.model_selection import CombinatorialPurgedCV as Theirs
    from statsmodels.stats.multitest import multipletests
    from statsmodels.stats.sandwich_covariance import S_hac_simple

    for kind, name in (("stationary", "random"), ("circular", "one")):
        expected = optimal_block_length(r["IBM"] ** 2)[kind].iloc[0]
        yield Answer(f"Optimal block length of squared returns, blocks of {name} length", "arch", expected,
                     getattr(g.optimal_block_length(r["IBM"] ** 2), kind))  # fmt: skip
    x = 0.01 * np.random.default_rng(5).standard_normal((400, 12)) + np.linspace(-0.002, 0.0003, 12)
    rows = np.array([args[0] for args, _ in StationaryBootstrap(7, np.arange(400), seed=5).bootstrap(300)])
    theirs = SPA(np.zeros(400), -x, block_size=7, reps=300, seed=5)
    theirs.compute()
    ours, resampled = g.spa_test(x, block=7, studentize=False, indices=rows), "arch on the same resamples"
    # arch divides the count by the resamples; here the sample itself counts as one of them
    expected = {name: float((share * 300 + 1) / 301) for name, share in theirs.pvalues.items()}
    for name in ("lower", "consistent", "upper"):
        yield Answer(f"SPA test of Hansen (2005), {name} p-value", resampled, expected[name], getattr(ours, name))
    check = g.reality_check(x, block=7, indices=rows)
    yield Answer("Reality check of White (2000), p-value", resampled, expected["upper"], check.p_value)
    y = x + np.maximum(0.0, -x.mean(axis=0))
    y[:, [1, 5]] += 0.003
    step = StepM(np.zeros(400), -y, size=0.1, block_size=7, reps=300, seed=5)
    step.compute()
    found = g.step_m(y, size=0.1, block=7, studentize=False, indices=rows).superior
    wrong = len(set(found) ^ set(step.superior_models))
    yield counted("StepM of Romano and Wolf (2005), columns named by one of the two only", resampled, 0, wrong)
    one = r["IBM"].to_numpy()
    moments = np.column_stack([one - one.mean(), (one - one.mean()) ** 2 - one.var()])
    slope = np.array([1 / one.std(), -one.mean() / one.std(ddof=1) / (2 * one.var())])
    expected = float(np.sqrt(slope @ S_hac_simple(moments, nlags=10) @ slope) / len(one))
    found = g.sharpe_standard_error(one, "newey_west", 10)
    yield Answer(
        "Standard error of a Sharpe ratio, Newey and West, 10 lags", "statsmodels, delta method", expected, found
    )
    values = np.random.default_rng(1).beta(0.4, 2, 30)
    adjusted = multipletests(values, method="fdr_by")[1]
    apart = np.abs(g.false_discoveries(values, method="benjamini_yekutieli").adjusted - adjusted)
    yield Answer("Benjamini and Yekutieli, largest difference of 30 p-values", "statsmodels", 0.0, float(apart.max()))
    cv, their = CombinatorialPurgedCV(6, 2, 3, 2), Theirs(n_folds=6, n_test_folds=2, purged_size=3, embargo_size=2)
    splits = zip(cv.split(range(60)), their.split(np.zeros((60, 1))), strict=True)
    wrong = sum(len(set(ours) ^ set(they)) for (ours, _), (they, _) in splits)
    yield counted("CPCV, training bars that differ, purge 3, embargo 2", "skfolio", 0, wrong)
    train = next(iter(PurgedKFold(3, label_horizon=2, embargo=1).split(range(12))))[0]
    yield counted("Purged k-fold, training bars of the first of 3 folds of 12", "by hand: bars 7 to 11", 5, len(train))


def of_libraries(r: pd.DataFrame) -> Iterator[Answer]:
    """quantstats and ffn on bundled returns, where their conventions are the same."""
    import ffn
    from quantstats import stats as theirs

    ibm, market = r["IBM"], r["MSFT"]
    pairs = (
        ("CAGR", "cagr", p.cagr(ibm, 252)), ("Sharpe ratio", "sharpe", p.sharpe_ratio(ibm, 252)),
        ("Sortino ratio", "sortino", p.sortino_ratio(ibm, 252)), ("Drawdown", "max_drawdown", p.max_drawdown(ibm)),
        ("Calmar ratio", "calmar", p.calmar_ratio(ibm, 252)), ("Omega ratio", "omega", p.omega_ratio(ibm)),
        ("Tail ratio", "tail_ratio", p.tail_ratio(ibm)), ("Share of gains", "win_rate", p.hit_rate(ibm)),
        ("Profit factor of bars", "profit_factor", p.profit_factor(ibm)),
    )  # fmt: skip
    for figure, name, ours in pairs:
        yield Answer(figure, f"quantstats.stats.{name}", float(getattr(theirs, name)(ibm)), ours)
    shortfall = float(theirs.cvar(ibm, method="historical"))
    yield Answer("Expected shortfall, historical", "quantstats.stats.cvar", shortfall, p.expected_shortfall(ibm))
    yield Answer("Beta", "quantstats.stats.greeks", float(theirs.greeks(ibm, market)["beta"]), p.beta(ibm, market))
    yield Answer(
        "Sharpe ratio", "ffn.core.calc_sharpe", ffn.core.calc_sharpe(ibm, nperiods=252), p.sharpe_ratio(ibm, 252)
    )
    yield Answer("Expected maximum Sharpe ratio of 1,000 trials", "ffn.core.calc_expected_max_sharpe",
                 ffn.core.calc_expected_max_sharpe(1000, 0.03), g.expected_maximum_sharpe(1000, 0.03))  # fmt: skip
    trials = np.linspace(-0.6, 0.6, 60)
    expected = ffn.core.calc_deflated_sharpe_ratio(ibm, trials, nperiods=252)
    # ffn takes moments corrected for the size of the sample
    ours = g.deflated_sharpe_ratio(ibm, n_trials=60, trial_sharpe_std=float(trials.std(ddof=1) / 252**0.5))
    yield Answer("DSR, best of 60 (moments not corrected for the sample size)", "ffn.core.calc_deflated_sharpe_ratio",
                 float(expected), ours, 1e-5)  # fmt: skip
    matrix = pd.DataFrame(np.random.default_rng(320).normal(0.0002, 0.01, (320, 8)))
    yield Answer("PBO, 8 strategies, 8 partitions", "ffn.core.calc_prob_backtest_overfitting",
                 ffn.core.calc_prob_backtest_overfitting(matrix, n_blocks=8),
                 g.probability_of_backtest_overfitting(matrix, 8).pbo)  # fmt: skip


def answers() -> dict[str, list[Answer]]:
    """Every known answer, by where it is known from."""
    returns = sample_bars(["AAPL", "IBM", "MSFT"]).close.tz_localize(None).pct_change().iloc[1:]
    return {
        "Examples in papers and books": list(of_papers()),
        "Closed forms and brute force": list(of_closed_forms(returns)),
        "Statistical libraries": list(of_statistics(returns)),
        "Performance libraries, bundled returns of IBM": list(of_libraries(returns)),
    }


def page(known: dict[str, list[Answer]]) -> str:
    """The page with all of them."""
    parts = [HEAD]
    for title, rows in known.items():
        table = ["| Figure | Known from | Expected | Ours | Difference | Tolerance |", "|---|---|--:|--:|--:|--:|"]
        parts.append("\n".join([f"## {title}\n", *table, *(answer.row() for answer in rows), ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(answers()), encoding="utf-8")
    print(f"{PAGE.name} is written anew.")
