"""What is written into the ledger of a sweep: all of its configurations at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.engine import alone
from qtw_lab.backtest.equities import returns_at
from qtw_lab.backtest.plan import Plan
from qtw_lab.backtest.recording import fixed_of
from qtw_lab.backtest.terms import Terms
from qtw_lab.backtest.trials import Batch, sketches
from qtw_lab.core import Bars
from qtw_lab.stats import performance as p
from qtw_lab.strategies import Strategy

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Of how many rows of an account a sketch is drawn: a twentieth of all, but so many at least and at most; the fewest if
#: there are several accounts; and most bars times rows.
_SKETCHED: Final = (8, 16)
_FEWEST: Final = 4
_EFFORT: Final = 400_000
_PLAIN: Final = (int, float, str, bool, type(None))


class Swept(Protocol):
    """What is needed of a `Sweep`."""

    @property
    def table(self) -> pd.DataFrame:
        """The rows kept."""

    @property
    def strategy(self) -> Strategy:
        """What was swept."""

    @property
    def bars(self) -> Bars:
        """On these."""

    @property
    def terms(self) -> Terms:
        """On these terms."""

    @property
    def plan(self) -> Plan:
        """All combinations there were to be."""

    @property
    def evaluated(self) -> str:
        """How: as "columns", or "one by one"."""

    @property
    def top(self) -> int | None:
        """How many of the best rows were kept; None for all, in the order of the plan."""

    @property
    def spans(self) -> Sequence[tuple[int, int]] | None:
        """Which of them were evaluated; None for all."""


def batches_of(sweep: Swept, *, sketched: bool = True) -> list[Batch]:
    """Every configuration a sweep tried; one that equals a backtest's counts as the same.

    The first batch is that of the sweep's bars. Where each symbol was traded in an account of its own, the others are
    those of each symbol's bars alone: its row is a backtest on these. Some rows drawn by chance are run again for the
    correlation of the trials, and for their Sharpe ratios if the sweep did not keep all; none if not `sketched`.
    """
    values, codes = _coded(sweep)
    accounts = _accounts(sweep)
    size = len(codes[0])
    sharpes = np.full((size, len(accounts)), np.nan)
    if "sharpe" in sweep.table and sweep.top is None and len(sweep.table) == sharpes.size:  # with top: by rank
        sharpes = sweep.table["sharpe"].to_numpy(dtype=float, copy=True).reshape(size, len(accounts))
    each = []
    for column, bars in enumerate(accounts):
        shared = fixed_of(sweep.strategy, bars, sweep.terms)
        fixed = {name: value for name, value in shared.items() if name not in values}
        each.append(
            Batch(
                fingerprint=bars.fingerprint,
                strategy=sweep.strategy.name,
                fixed=fixed,
                values=values,
                codes=codes,
                sharpes=sharpes[:, column],
            )
        )
    plain = each if len(each) == 1 else [_joined(sweep, each), *each]
    return with_sketches(sweep, plain) if sketched else plain


def with_sketches(sweep: Swept, plain: Sequence[Batch]) -> list[Batch]:
    """The batches `batches_of` gives of a sweep if not `sketched`, now with what running some rows again tells."""
    places = _places(sweep, len(plain[-1]))
    each = []
    for bars, batch in zip(_accounts(sweep), plain[-_account_count(sweep) :], strict=True):
        drawn, ratios = _drawn(sweep, bars, places)
        sharpes = batch.sharpes.copy()
        sharpes[places] = np.where(np.isnan(sharpes[places]), ratios, sharpes[places])
        each.append(batch.measured(sharpes, drawn))
    if len(each) == 1:
        return each
    sharpes = np.column_stack([batch.sharpes for batch in each]).ravel()
    return [plain[0].measured(sharpes, np.concatenate([batch.sketches for batch in each])), *each]


def _accounts(sweep: Swept) -> list[Bars]:
    """The bars each account of the sweep traded."""
    return alone(sweep.bars) if "symbol" in sweep.table.index.names else [sweep.bars]


def _account_count(sweep: Swept) -> int:
    return len(sweep.bars.symbols) if "symbol" in sweep.table.index.names else 1


def _coded(sweep: Swept) -> tuple[dict[str, list[Any]], list[IntArray]]:
    """The values of each parameter that varied, and which of them each evaluated combination has."""
    values = {
        name: [one if _is_plain(one) else repr(one) for one in choices]
        for name, choices in zip(sweep.plan.names, sweep.plan.values, strict=True)
    }
    return values, list(sweep.plan.codes(_evaluated(sweep)))


def _is_plain(value: Any) -> bool:
    """Whether JSON can hold it."""
    return all(map(_is_plain, value)) if isinstance(value, (list, tuple)) else isinstance(value, _PLAIN)


def _evaluated(sweep: Swept) -> IntArray:
    """The places in the plan that were evaluated."""
    return np.concatenate([np.arange(*span) for span in _spans(sweep)])


def _spans(sweep: Swept) -> Sequence[tuple[int, int]]:
    return [(0, len(sweep.plan))] if sweep.spans is None else sweep.spans


def sketched_rows(sweep: Swept) -> int:
    """How many combinations are run again, for each account."""
    least, most = _SKETCHED
    size = sum(stop - start for start, stop in _spans(sweep))
    wanted = min(max(size // 20, least), most, _EFFORT // len(sweep.bars)) // _account_count(sweep)
    return min(max(wanted, _FEWEST), size)


def _places(sweep: Swept, size: int) -> IntArray:
    """Which of the evaluated combinations are run again, for each account."""
    most = sketched_rows(sweep)
    return np.sort(np.random.default_rng(0).choice(size, min(most, size), replace=False))


def _drawn(sweep: Swept, bars: Bars, places: IntArray) -> tuple[npt.NDArray[np.float32], FloatArray]:
    """Sketches of the returns of these combinations on these bars, and their Sharpe ratios."""
    numbers = _evaluated(sweep)[places]
    returns = returns_at(sweep.plan, numbers, bars, sweep.terms, columned=sweep.evaluated == "columns")
    return sketches(returns), np.asarray(p.sharpe_ratio(returns, bars.periods_per_year))


def _joined(sweep: Swept, each: Sequence[Batch]) -> Batch:
    """The accounts of all symbols as one batch, in the order of the sweep's table."""
    first, accounts = each[0], len(each)
    fixed = {name: value for name, value in first.fixed.items() if name != "symbol"}
    codes = [np.repeat(code, accounts) for code in first.codes]
    symbols = np.tile(np.arange(accounts), len(first))
    return replace(
        first, fingerprint=sweep.bars.fingerprint, fixed=fixed,
        values={**first.values, "symbol": list(sweep.bars.symbols)}, codes=[*codes, symbols],
        sharpes=np.column_stack([batch.sharpes for batch in each]).ravel(),
        sketches=np.concatenate([batch.sketches for batch in each]),
    )  # fmt: skip
