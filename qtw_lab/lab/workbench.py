"""The workbench: a setup of data, strategy and terms; its backtest, sweep and verdict; presets; the way to paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtw_lab.lab.workbench_axes import Axis, suggested
from qtw_lab.lab.workbench_fields import (
    SCHEDULES,
    SIZINGS,
    Field,
    account_fields,
    cost_fields,
    fields,
    sizing_fields,
    stop_fields,
)
from qtw_lab.lab.workbench_outcome import Outcome, run
from qtw_lab.lab.workbench_paper import hindrance, send, session_terms
from qtw_lab.lab.workbench_setup import ADJUSTMENTS, Own, Prices, Setup, schedule_of, strategy_of
from qtw_lab.lab.workbench_steps import Progress, Step, StoppedError, silent
from qtw_lab.lab.workbench_sweep import METRICS, Swept, sweep
from qtw_lab.strategies import STRATEGIES
from qtw_lab.strategies.base import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from qtw_lab.lab.front import Lab
    from qtw_lab.research.validation import ValidationReport
    from qtw_lab.strategies import Strategy

__all__ = [
    "ADJUSTMENTS", "METRICS", "SCHEDULES", "SIZINGS", "Axis", "Field", "Outcome", "Prices", "Setup", "Step",
    "StoppedError", "Swept", "account_fields", "cost_fields", "executions", "fields", "forget", "hindrance", "keep",
    "named_own", "no_sources",
    "preset", "presets", "run", "schedule_of", "send", "session_terms", "sizing_fields", "sources", "stop_fields",
    "strategies", "strategy_of", "suggested", "sweep", "verdict",
]  # fmt: skip

_KIND = "preset"


def strategies(own: Own | None = None) -> dict[str, type[Strategy]]:
    """Every strategy that can be chosen, by name: the bundled ones and one's own."""
    return {**STRATEGIES, **(own or {})}


def named_own(kinds: Iterable[type[Strategy]]) -> dict[str, type[Strategy]]:
    """Strategies of one's own by their names.

    Examples
    --------
    >>> from qtw_lab.strategies import SmaCross
    >>> named_own([SmaCross])
    {'sma_cross': <class 'qtw_lab.strategies.sma_cross.SmaCross'>}
    """
    return {named(kind): kind for kind in kinds}


def executions() -> tuple[str, ...]:
    """Every way to fill that needs no prices of its own, the usual one first."""
    from qtw_lab.backtest.terms import EXECUTIONS

    return tuple(name for name in EXECUTIONS if name != "next_vwap")


def sources(lab: Lab) -> pd.DataFrame:
    """Where prices come from: source, title, symbols, first and last day."""
    return lab.sources()[["source", "title", "symbols", "first", "last"]]


def no_sources() -> pd.DataFrame:
    """What `sources` has where there are none."""
    import pandas as pd

    return pd.DataFrame(columns=["source", "title", "symbols", "first", "last"])


def verdict(
    lab: Lab, subject: Outcome | Swept, row: Mapping[str, Any] | None = None, progress: Progress = silent
) -> ValidationReport:
    """Is the edge real? As `Lab.validate`, of a backtest alone or of a combination of a sweep among the others.

    Parameters
    ----------
    lab : Lab
        Whose ledger and registry.
    subject : Outcome or Swept
        What is judged.
    row : mapping, optional
        Of a sweep: the values of its two parameters, and perhaps "symbol"; by default its best row.
    progress : callable
        Is told that it began.

    Raises
    ------
    DataError
        As `Lab.validate`.
    """
    progress(Step("verdict"))
    if isinstance(subject, Outcome):
        return lab.validate(subject.result)
    key = None if row is None else subject.row(row, str(row.get("symbol", "")))
    return lab.validate(subject.sweep, row=key)


def presets(lab: Lab) -> list[str]:
    """Names of the setups that were kept."""
    return lab.keepsakes.names(_KIND)


def preset(lab: Lab, name: str, own: Own | None = None) -> Setup:
    """A setup that was kept.

    Raises
    ------
    DataError
        If there is none of that name, or it does not fit any more; the sentence says what.
    """
    return Setup.read(lab.keepsakes.kept(_KIND, name), own)


def keep(lab: Lab, name: str, setup: Setup) -> str:
    """Keep a setup under a name, in place of what was there; the name.

    Raises
    ------
    DataError
        If the name does not fit.
    """
    lab.keepsakes.keep(_KIND, name, setup.written())
    return name


def forget(lab: Lab, name: str) -> str:
    """Keep a setup no longer; its name.

    Raises
    ------
    DataError
        If there is none of that name.
    """
    lab.keepsakes.forget(_KIND, name)
    return name
