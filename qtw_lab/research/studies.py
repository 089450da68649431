"""How a study of many configurations enters what it tried into the ledger, and learns what was tried before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.plan import Plan
from qtw_lab.backtest.recording import UNCOUNTED, default_ledger, fixed_of, terms_spelled
from qtw_lab.backtest.terms import Terms
from qtw_lab.backtest.trial_ledger import TrialLedger
from qtw_lab.backtest.trials import Batch, Trial, sketch
from qtw_lab.backtest.tried import Tried
from qtw_lab.core import Bars, Fact, LabError
from qtw_lab.stats import performance as p


@dataclass(frozen=True, slots=True)
class Entered:
    """What the ledger knows once a study is entered.

    Parameters
    ----------
    tried : Tried
        Studies of the same kind on the same bars, this one included.
    remarks : tuple of str
        Why it could not be entered, if it could not.
    """

    tried: Tried = field(default_factory=Tried)
    remarks: tuple[str, ...] = ()

    def deflated(self, returns: npt.ArrayLike) -> Fact:
        """The deflated Sharpe ratio of the study's returns (T,), by the number of such studies."""
        fact = self.tried.facts(returns)[1]
        many = "the only such study on these bars" if self.tried.count == 1 else f"{self.tried.count:,} such studies"
        label = f"{fact.label}, the study as one try"
        return Fact(fact.name, fact.value, fact.unit, label, f"{fact.definition}; {many}")


def entered(
    bars: Bars, kind: str, trials: Iterable[Trial], batches: Iterable[Batch] = (), ledger: TrialLedger | None = None
) -> Entered:
    """Enter a study into a ledger, by default this machine's; what cannot be entered is said and stops nobody.

    Parameters
    ----------
    bars : Bars
        What was studied.
    kind : str
        Of the study: its trials count among their like.
    trials, batches
        What it tried.
    ledger : TrialLedger, optional
        Where it is entered.
    """
    try:
        known = default_ledger() if ledger is None else ledger
        known.add(trials)
        known.add_batches(batches)
        return Entered(known.tried(bars.fingerprint, bars.periods_per_year, kind))
    except LabError as err:
        return Entered(remarks=(UNCOUNTED.format(err),))


def study(
    bars: Bars, kind: str, name: str, parameters: Mapping[str, Any], returns: npt.ArrayLike, terms: Terms | None = None
) -> Trial:
    """The trial that a whole study is: its own parameters, and the returns (T,) that came of it."""
    path = np.asarray(returns, dtype=np.float64)
    said = dict(parameters) | ({} if terms is None else {"terms": terms_spelled(terms)})
    sharpe = float(p.sharpe_ratio(path, bars.periods_per_year)) if len(path) else None
    return Trial(bars.fingerprint, name, {"study": kind, **said}, sharpe, kind, {}, sketch(path))


def grid_of(plan: Plan, bars: Bars, terms: Terms, kind: str) -> Batch:
    """Every combination of a plan, as backtests of one account on the bars would count; their ratios are not known."""
    values = {name: list(choices) for name, choices in zip(plan.names, plan.values, strict=True)}
    shared = fixed_of(plan.strategy, bars, terms)
    return Batch(
        fingerprint=bars.fingerprint, strategy=plan.strategy.name,
        fixed={name: value for name, value in shared.items() if name not in values}, values=values,
        codes=list(plan.codes(np.arange(len(plan)))), sharpes=np.full(len(plan), np.nan), kind=kind,
    )  # fmt: skip
