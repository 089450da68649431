"""`validate`: is the edge real? One call, one verdict, its reasons in order."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.backtest.result import Result
from qtw_lab.backtest.sweep import Sweep
from qtw_lab.backtest.trial_ledger import TrialLedger
from qtw_lab.core import DataError, Fact, Facts
from qtw_lab.core.files import write_text
from qtw_lab.research import luck, robustness
from qtw_lab.research.checks import VERDICTS, Evidence, Judgement
from qtw_lab.stats.columns import number, whole

#: Bars below which nothing is judged.
_FEWEST: Final = 60


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ValidationReport(Judgement):
    """The verdict on a result, and all that it rests on."""

    def facts(self) -> Facts:
        """Verdict and figures; trial count and deflated Sharpe ratio come first."""
        why = "; ".join(f"{name}: {meaning}" for name, meaning in VERDICTS.items())
        stated = {fact.name for fact in self.lead}
        figures = [fact for check in self.checks for fact in check.facts if fact.name not in stated]
        answers = (Fact(check.name, check.word, "text", check.title, check.reason) for check in self.checks)
        verdict = Fact("verdict", self.verdict, "text", "Verdict", why)
        unique = {fact.name: fact for fact in (*self.lead, verdict, *answers, *figures)}
        return Facts(f"Validation of {self.result.strategy!r}", tuple(unique.values()), self.notes)

    def to_html(self, path: str | Path | None = None, theme: str = "light") -> str:
        """The report as a page of its own, which asks nothing from the network; written to `path` if given.

        Raises
        ------
        SetupError
            If Bokeh is not installed, or the file cannot be written.
        """
        from qtw_lab.research.validation_page import page

        text = page(self, theme)
        if path is not None:
            write_text(Path(path), text)
        return text

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        return self.facts()._repr_mimebundle_(**options)

    def __repr__(self) -> str:
        return f"ValidationReport({self.result.strategy!r}: {self.verdict}; {self.reasons[0]})"


def validate(
    subject: Result | Sweep,
    *,
    row: Hashable = None,
    ledger: TrialLedger | None = None,
    level: float = 0.05,
    reps: int = 1000,
    most: int = 1000,
    seed: int = 0,
) -> ValidationReport:
    """The verdict on a backtest, or on the best row of a sweep: is there an edge, and does it last?

    Four questions ask whether luck explains it: does it look ahead; does its Sharpe ratio beat the best of as many
    tries without skill; did the best of the configurations compared earn anything, given that it is the best; did it
    beat holding the same exposure. A "no" to any makes it "not distinguishable from luck". Then it is put through
    worse: higher costs, a bar's delay, other parameters, other halves, parts and symbols, too few trades, unclear bars,
    the second engine. A "no" there makes it "fragile".

    Parameters
    ----------
    subject : Result or Sweep
        What to judge. A sweep is judged by all its rows; a result alone by the trials its ledger knows of.
    row : index entry, optional
        Which row of the sweep; by default the best by its own metric.
    ledger : TrialLedger, optional
        What counts the trials; by default the one the subject brings along.
    level : float
        How often a worthless strategy may pass the tests of luck, below 0.5: all must be passed, each at this level.
        Measured on worlds without an edge at 0.05 (docs/worlds.md), 0% to 3% passed all, and 0% to 5% passed
        deflation alone.
    reps : int
        Resamples of the stationary bootstrap.
    most : int
        Rows of a sweep that are compared; of more, so many are drawn by chance. Their number still counts in full.
    seed : int
        What random numbers start from.

    Returns
    -------
    ValidationReport
        With `verdict`, `reasons`, `facts()` and `to_html(path)`.

    Raises
    ------
    DataError
        If the subject is neither, has too few bars, or an argument is out of range.

    Notes
    -----
    Bailey and Lopez de Prado (2014), "The Deflated Sharpe Ratio"; Hansen (2005), "A Test for Superior Predictive
    Ability"; Bailey, Borwein, Lopez de Prado and Zhu (2017), "The Probability of Backtest Overfitting".

    Examples
    --------
    >>> import qtw_lab as qtw
    >>> noise = 100 * np.exp(np.cumsum(0.01 * np.random.default_rng(1).standard_normal(500)))
    >>> df = pd.DataFrame({"close": noise}, index=pd.date_range("2022-01-03", periods=500, freq="B"))
    >>> swept = qtw.sweep("sma_cross", qtw.Bars.from_frame(df, symbol="X"), grid={"fast": [5, 10], "slow": [20, 50]})
    >>> validate(swept, reps=200).verdict
    'not distinguishable from luck'
    """
    if not 0.0 < number("level", level) < 0.5:
        raise DataError(f"level={level!r} must lie between 0 and 0.5, such as 0.05.")
    size, rows = whole("reps", reps, 100), whole("most", most, 2)
    if isinstance(subject, Result):
        judged = (subject if ledger is None else replace(subject, ledger=ledger)).verify()
        returns = judged.returns.to_frame()
        evidence = Evidence(result=judged, returns=returns, level=level, reps=size, seed=whole("seed", seed, 0))
        lead = judged.facts().facts
    elif isinstance(subject, Sweep):
        swept = subject if ledger is None else replace(subject, ledger=ledger)
        evidence = _of_sweep(swept, row, rows, level=level, reps=size, seed=whole("seed", seed, 0))
        lead = (*swept.known.facts(evidence.own), *evidence.result.facts().facts[2:])
    else:
        raise DataError(f"Only a backtest's Result or a Sweep can be validated, not {type(subject).__name__}.")
    if len(evidence.returns) < _FEWEST:
        raise DataError(
            f"{len(evidence.returns)} bars are too few to judge; give {_FEWEST} at least, better some years."
        )
    gates = tuple(ask(evidence) for ask in luck.QUESTIONS)
    stresses = tuple(ask(evidence) for ask in robustness.QUESTIONS)
    return ValidationReport(evidence=evidence, gates=gates, stresses=stresses, lead=lead[:_LEAD])


#: Facts of a result before its figures: tries, deflated ratio, costs, execution, data, agreement, symbols, period.
_LEAD: Final = 8


def _of_sweep(sweep: Sweep, row: Any, most: int, **options: Any) -> Evidence:
    """The evidence on one row of a sweep beside the others."""
    chosen = sweep.best().index[0] if row is None else row
    result = sweep.result(chosen).verify()
    rows = _rows(sweep, most, options["seed"])
    found = sweep.returns_of(rows).reindex(result.bars.index).fillna(0.0)  # no bar, no position, no return
    others = found.loc[:, np.ptp(found.to_numpy(), axis=0) > 0]
    others = others.drop(columns=[chosen], errors="ignore")
    own = pd.Series(result.returns.to_numpy(), index=found.index)
    table = pd.concat([own.to_frame(), others.set_axis(range(1, others.shape[1] + 1), axis=1)], axis=1)
    table = table.set_axis(range(table.shape[1]), axis=1)
    return Evidence(result=result, sweep=sweep, row=chosen, returns=table, compared=len(rows), **options)


def _rows(sweep: Sweep, most: int, seed: int) -> pd.Index:
    """The rows that are compared: all, or so many drawn by chance."""
    index = sweep.table.index
    if len(index) <= most:
        return index
    return index[np.sort(np.random.default_rng(seed).choice(len(index), most, replace=False))]
