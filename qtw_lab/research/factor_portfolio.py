"""A factor as a portfolio: long what it likes, short what it does not, traded by the engine at a cost."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np
import pandas as pd

from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.result import Result
from qtw_lab.core import Bars, DataError, lookup
from qtw_lab.ledger import Costs
from qtw_lab.research.factor_sections import (
    FEWEST,
    FloatArray,
    checked_quantiles,
    on_bars,
    quantile_members,
    ranks,
    table,
)
from qtw_lab.stats.columns import ratio, whole
from qtw_lab.strategies import Panel, Strategy

#: Figures of a `Result` that are worth comparing before and after costs.
COMPARED: Final = (
    "total_return", "cagr", "volatility", "sharpe", "max_drawdown", "trades", "turnover", "costs_paid", "cost_drag",
)  # fmt: skip


def long_short_weights(
    factor: pd.DataFrame, weighting: str = "quantile", quantiles: int = 5, every: int = 1, fewest: int = FEWEST
) -> pd.DataFrame:
    """Weights of a portfolio without net exposure: longs of 0.5 in all, shorts of 0.5 in all, (T, N).

    Parameters
    ----------
    factor : pandas.DataFrame
        (T, N), known at the close of each bar; high is expected to do better.
    weighting : {"quantile", "rank"}
        The top quantile bought and the bottom one sold in equal parts; or every name by how far its rank lies from the
        middle.
    quantiles : int
        From 2 to N; for "quantile".
    every : int
        Bars from one rebalancing to the next, counted from the first bar with enough names.
    fewest : int
        With fewer names (or fewer than quantiles) at a rebalancing nothing is held until the next.

    Returns
    -------
    pandas.DataFrame
        NaN ("leave alone") between rebalancings and before the first; 0 for names without a factor at one. All 0 where
        one side would be empty because the names are tied.

    Raises
    ------
    DataError
        If an argument does not fit, or no bar has enough names.

    Examples
    --------
    >>> factor = pd.DataFrame([[1.0, 2.0, 3.0, 4.0, 5.0]], columns=list("ABCDE"))
    >>> long_short_weights(factor).to_numpy().tolist()
    [[-0.5, 0.0, 0.0, 0.0, 0.5]]
    >>> long_short_weights(factor, "rank").round(4).to_numpy().tolist()
    [[-0.3333, -0.1667, 0.0, 0.1667, 0.3333]]
    """
    given = table(factor)
    rule = lookup(weighting, WEIGHTINGS, "weighting")
    checked_quantiles(quantiles, given.shape[1])
    least = max(whole("fewest", fewest, 2), quantiles if weighting == "quantile" else 2)
    enough = np.isfinite(given.to_numpy()).sum(axis=1) >= least
    if not enough.any():
        raise DataError(f"No bar has a factor for {least} names or more; lower fewest= or give more names.")
    first = int(enough.argmax())
    rows = np.arange(first, len(given), whole("every", every))
    held = np.where(enough[rows, None], rule(given.to_numpy()[rows], quantiles, fewest), 0.0)
    weights = np.full(given.shape, np.nan)
    weights[rows] = held
    return pd.DataFrame(weights, index=given.index, columns=given.columns)


def _by_quantile(values: FloatArray, quantiles: int, fewest: int) -> FloatArray:
    members = quantile_members(values, quantiles, fewest)
    high, low = members == quantiles, members == 1
    return _balanced(high.astype(np.float64), low.astype(np.float64))


def _by_rank(values: FloatArray, _quantiles: int, _fewest: int) -> FloatArray:
    places = ranks(values)
    count = np.isfinite(places).sum(axis=1, keepdims=True)
    away = np.where(np.isfinite(places), places - (count + 1) / 2.0, 0.0)
    return _balanced(np.maximum(away, 0.0), np.maximum(-away, 0.0))


def _balanced(longs: FloatArray, shorts: FloatArray) -> FloatArray:
    """Half on each side; nothing where one side is empty."""
    sizes = [side.sum(axis=1, keepdims=True) for side in (longs, shorts)]
    weights = 0.5 * (ratio(longs, sizes[0]) - ratio(shorts, sizes[1]))
    return np.where((sizes[0] > 0.0) & (sizes[1] > 0.0), weights, 0.0)


#: How a factor becomes weights.
WEIGHTINGS: Final[Mapping[str, Callable[[FloatArray, int, int], FloatArray]]] = {
    "quantile": _by_quantile,
    "rank": _by_rank,
}


class WeightList(Strategy):
    """A strategy that gives the weights it was made with, bar by bar.

    Parameters
    ----------
    weights : pandas.DataFrame
        (T, N) by time (UTC) and symbol, decided at the close of each bar; NaN leaves a holding alone. The columns stand
        in the order of the bars it will trade.

    Raises
    ------
    DataError
        If they are no table of finite numbers by time, or somewhere beyond 1 in size.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=2, tz="UTC")
    >>> WeightList(pd.DataFrame({"X": [0.5, 0.0]}, index=days))
    WeightList(2 bars, 1 symbol)
    """

    scope = "universe"
    holds = True
    given: ClassVar[pd.DataFrame]  # of each object: set in __init__, for the class is frozen

    def __init__(self, weights: pd.DataFrame | None = None) -> None:
        if weights is None:
            raise DataError("A WeightList is made with weights: WeightList(long_short_weights(factor)).")
        held = table(weights, "table of weights")
        if not isinstance(held.index, pd.DatetimeIndex) or held.index.tz is None:
            raise DataError("The table of weights needs times with a time zone as its index, those of the bars.")
        if (held.abs() > 1.0).any(axis=None):
            raise DataError("A weight is beyond 1 in size: weights are fractions of equity, such as 0.1.")
        object.__setattr__(self, "given", held)
        super().__init__()

    @property
    def parameters(self) -> dict[str, Any]:
        """How many bars the weights are for, and a digest of them: other weights are another configuration."""
        return {"bars": len(self.given), "digest": digest_of(self.given)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WeightList) and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash(self.parameters["digest"])

    def weights(self, prices: Panel) -> FloatArray:
        """The weights of the bars seen.

        Raises
        ------
        DataError
            If there are none for a bar, or not as many columns as symbols.
        """
        if prices.close.shape[1] != self.given.shape[1]:
            raise DataError(
                f"The weights are for {self.given.shape[1]} symbols, the bars have {prices.close.shape[1]}; make the "
                "weights from a factor of these bars."
            )
        rows = np.searchsorted(self._times, prices.times)
        known = self._times[np.minimum(rows, len(self._times) - 1)] == prices.times
        if not known.all():
            missing = pd.Timestamp(int(prices.times[~known][0]), tz="UTC")
            raise DataError(f"There are no weights for the bar of {missing}; give a row a bar, NaN to leave alone.")
        return np.asarray(self.given.to_numpy()[rows], dtype=np.float64)

    @property
    def _times(self) -> Any:
        return _nanoseconds(self.given)

    def __repr__(self) -> str:
        bars, symbols = self.given.shape
        return f"WeightList({bars} bar{'s' if bars != 1 else ''}, {symbols} symbol{'s' if symbols != 1 else ''})"


def digest_of(table: pd.DataFrame) -> str:
    """Sixteen characters that stand for a table by time (UTC) and symbol: other values, times or names give others."""
    spelled = hashlib.sha256("\0".join(map(str, table.columns)).encode())
    spelled.update(_nanoseconds(table).tobytes())
    spelled.update((table.to_numpy() + 0.0).astype("<f8").tobytes())
    return spelled.hexdigest()[:16]


def _nanoseconds(table: pd.DataFrame) -> Any:
    index = table.index
    assert isinstance(index, pd.DatetimeIndex)  # noqa: S101  (every caller has made sure; for the type checker)
    return index.tz_convert("UTC").as_unit("ns").asi8


@dataclass(frozen=True, eq=False, kw_only=True)
class LongShort:
    """A factor's portfolio as the engine traded it, with costs and without.

    Parameters
    ----------
    net, gross : Result
        The same weights with the costs asked for, and free. Both begin with the bar of the first decision.
    """

    net: Result
    gross: Result

    @cached_property
    def table(self) -> pd.DataFrame:
        """The figures of `COMPARED`, a row each, with columns ``gross`` and ``net``."""
        names = list(COMPARED)
        return pd.DataFrame({"gross": self.gross.stats[names], "net": self.net.stats[names]}).rename_axis("figure")

    @property
    def breakeven_bps(self) -> float:
        """Cost in basis points of each amount traded at which the mean gross return would be eaten; below 0 if it is.

        Mean gross return a year over what is traded a year (twice the turnover): costs in proportion to trades only.
        """
        yearly = float(self.gross.returns.mean()) * self.gross.bars.periods_per_year
        traded = 2.0 * float(self.gross.stats["turnover"])
        return 1e4 * yearly / traded if traded > 0.0 else math.nan


def long_short(
    factor: pd.DataFrame,
    bars: Bars,
    *,
    weighting: str = "quantile",
    quantiles: int = 5,
    every: int = 1,
    costs: Costs | None = None,
    cash: float = 100_000.0,
    fewest: int = FEWEST,
) -> LongShort:
    """The portfolio of `long_short_weights`, simulated by the engine: decided at a close, filled at the next open.

    Parameters
    ----------
    factor : pandas.DataFrame
        (T, N) on the bars; values at bars a symbol does not have are left aside.
    bars : Bars
        What is traded.
    weighting, quantiles, every, fewest
        As for `long_short_weights`. Between rebalancings holdings drift with their prices.
    costs : Costs, optional
        None means free trading, and the result says so. Give `borrow_bps_per_year` for the shorts.
    cash : float
        Starting cash in account currency.

    Returns
    -------
    LongShort

    Raises
    ------
    DataError
        As for `long_short_weights`, or if the factor does not fit the bars.

    Examples
    --------
    >>> days = pd.date_range("2024-01-02", periods=60, tz="UTC")
    >>> waves = {name: 50 + np.sin(np.arange(60) / 5 + place) for place, name in enumerate("ABCDE")}
    >>> bars = Bars.from_frame(pd.concat({"close": pd.DataFrame(waves, index=days)}, axis=1))
    >>> found = long_short(bars.close, bars, every=5, costs=Costs(commission_bps=10))
    >>> bool(found.net.equity.iloc[-1] < found.gross.equity.iloc[-1])
    True
    """
    weights = long_short_weights(on_bars(factor, bars), weighting, quantiles, every, fewest)
    start = int(np.isfinite(weights.to_numpy()).any(axis=1).argmax())
    if len(bars) - start < 2:
        raise DataError("The factor is first known at the last bar, so nothing can be traded on it; give more bars.")
    strategy, traded = WeightList(weights.iloc[start:]), bars.tail(len(bars) - start)
    net = backtest(strategy, traded, costs=costs, cash=cash)
    gross = net if net.terms.costs.free else backtest(strategy, traded, cash=cash)
    return LongShort(net=net, gross=gross)
