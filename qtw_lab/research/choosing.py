"""How a combination is chosen by what it did on training bars, and what every report of such a choice states first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, Fact
from qtw_lab.stats import performance as p

FloatArray = npt.NDArray[np.float64]

#: What parameters can be chosen by: figures of the returns alone, of which more is better.
CRITERIA: Final[Mapping[str, Callable[[Any, float], Any]]] = {
    "sharpe": p.sharpe_ratio,
    "sortino": p.sortino_ratio,
    "calmar": p.calmar_ratio,
    "cagr": p.cagr,
    "total_return": lambda returns, _: p.total_return(returns),
    "max_drawdown": lambda returns, _: p.max_drawdown(returns),
}

#: What the number of trials of such a result leaves out.
ONE_TRIAL: Final = (
    "parameters were chosen on training bars only; every other grid, window or metric tried on these bars is a further "
    "trial, which the deflated Sharpe ratio counts as far as the ledger knows of it"
)


def best_row(scores: FloatArray) -> int | None:
    """The first row of the highest mean, (combinations, accounts); None if no row is defined.

    Accounts that are defined for no row do not count. Rows undefined in another account are out, unless all are.
    """
    defined = np.isfinite(scores)
    alive = defined.any(axis=0)
    if not alive.any():
        return None
    kept, seen = scores[:, alive], defined[:, alive]
    whole = seen.all(axis=1)
    usable = whole if whole.any() else seen.any(axis=1)
    means = np.where(seen, kept, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return int(np.where(usable, means, -np.inf).argmax())


def lead(trials: int, counted: str, terms: Terms, bars: Bars, deflated: Fact | None = None) -> tuple[Fact, ...]:
    """What every report states first."""
    return (
        Fact("trials", trials, "count", "Configurations tried", counted),
        *(() if deflated is None else (deflated,)),
        Fact("costs", terms.costs.describe(), "text", "Costs"),
        Fact("execution", terms.execution, "text", "Execution"),
        Fact("data_fingerprint", bars.fingerprint[:16], "text", "Data fingerprint"),
    )
