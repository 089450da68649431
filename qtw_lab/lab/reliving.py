"""Bars of the past lived through the paper desk, beside the backtest of the same bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, DataError

if TYPE_CHECKING:
    from qtw_lab.lab.divergence import Divergence
    from qtw_lab.ledger import Account, Costs, Sizing
    from qtw_lab.live.trading.bar_replay import BarReplay
    from qtw_lab.strategies import Strategy
    from qtw_lab.venues.paper.models import FillModel


def relived(
    strategy: Strategy | str, bars: Bars, *, costs: Costs | None = None, sizing: Sizing | None = None,
    account: Account | None = None, cash: float = 100_000.0, name: str = "session", model: FillModel | None = None,
) -> BarReplay:  # fmt: skip
    """One session that has a whole paper account, lived through bars: decided, sized, sent and filled bar by bar.

    Parameters
    ----------
    strategy : Strategy or str
        A bundled one.
    bars : Bars
        Of a day or shorter.
    costs, sizing, account
        As of a backtest.
    cash : float
        In the account.
    name : str
        Of the session.
    model : FillModel, optional
        How orders fill; by default as the backtest fills, with these costs.

    Raises
    ------
    DataError
        If something does not fit.
    """
    from qtw_lab.live.trading.bar_replay import replayed
    from qtw_lab.live.trading.terms import SessionTerms

    terms = SessionTerms.given(
        name, strategy, list(bars.symbols), str(bars.timeframe), costs=costs, sizing=sizing, account=account
    )  # fmt: skip
    return replayed(terms, bars, cash, model=model)


def side_by_side(cases: Iterable[tuple[Strategy, Bars]], *, costs: Costs | None = None, **terms: Any) -> pd.DataFrame:
    """How far a backtest and the same bars lived through are apart, for each strategy and its bars.

    Parameters
    ----------
    cases : iterable of (Strategy, Bars)
        What to compare; those that a backtest refuses are told with its words.
    costs, **terms
        As of a backtest and `relived`.

    Returns
    -------
    pandas.DataFrame
        Strategy, symbols, bars, fills of both, and the greatest difference of their equity at any bar, in dollars.
    """
    from qtw_lab.backtest.engine import backtest

    rows = []
    for strategy, bars in cases:
        row: dict[str, Any] = {"strategy": strategy.name, "symbols": ",".join(bars.symbols), "bars": len(bars)}
        try:
            result = backtest(strategy, bars, costs=costs, **terms)
        except DataError as err:
            rows.append({**row, "note": str(err)})
            continue
        lived = relived(strategy, bars, costs=costs, **terms)
        apart = np.abs(lived.equity("session").to_numpy() - result.equity.to_numpy()).max()
        fills = {"fills": len(lived.paper.book.fills), "backtest_fills": len(result.orders)}
        rows.append({**row, **fills, "apart": float(apart), "note": ""})
    return pd.DataFrame(rows, columns=["strategy", "symbols", "bars", "fills", "backtest_fills", "apart", "note"])


def why_apart(lived: BarReplay, session: str = "session") -> Divergence:
    """Why a session on bars and its backtest differ.

    Raises
    ------
    DataError
        If there is no such session, or it has lived through no bar.
    """
    from qtw_lab.lab.divergence import compared

    return compared(lived.desk.state, lived.notes.read(), session, lived.bars)
