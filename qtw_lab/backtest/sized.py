"""Sizing by what prices did: from stances and past prices to decisions the engine already knows.

`volatility_target`, `kelly` and `equal_risk_contribution` become target weights given at every bar; `atr_risk` becomes
a fraction of equity given where the stance changes. A size decided at bar t is measured on bars up to and including t.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from qtw_lab import indicators as ind
from qtw_lab.core import DataError
from qtw_lab.ledger import Sizing
from qtw_lab.strategies import Panel
from qtw_lab.strategies.base import Kind

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: Risk contributions are equal when none is further from its share than this fraction of it.
TOLERANCE: Final = 1e-9
#: Sweeps of coordinate descent (some ten are usual) before Newton's method takes over, and steps of that.
SWEEPS: Final = 60
STEPS: Final = 100


class Sized(NamedTuple):
    """What the engine is given: decisions (T, N) or (T, K), their kind, and the rule that turns them into orders."""

    decisions: FloatArray
    kind: Kind
    sizing: Sizing


def sized(decisions: FloatArray, kind: Kind, sizing: Sizing, prices: Panel, *, columns: bool = False) -> Sized:
    """Decisions with their size worked in, for a rule that measures past prices; any other rule changes nothing.

    While the measure is not yet known (its window is not full) a stance takes no position; it does so at the first bar
    where it is known. Before that the decision is NaN. A symbol has no decision at a bar it does not trade.

    - Weights (`volatility_target`, `kelly`, `equal_risk_contribution`): at each bar the present weight of every stance
      that is not flat; where a stance becomes flat, 0 once. The result's kind is "weights" and its rule
      ``Sizing.target_weights(rebalance_band)``, so that a position follows its target at every bar, within the band.
    - Fractions (`atr_risk`): where a stance changes, ``stance * risk * close / (multiple * ATR)`` of equity; NaN
      elsewhere, so that the holding is left alone. Equity and price are those of the fill.

    Parameters
    ----------
    decisions : ndarray, (T, N)
        What `Strategy.decide` gave; for `columns` (T, K).
    kind : {"signals", "weights"}
        What they are.
    sizing : Sizing
        The rule asked for.
    prices : Panel
        The bars, (T, N); for `columns` (T, 1).
    columns : bool
        Whether each column is an account of its own that trades one symbol, as in a sweep over parameters. Otherwise
        the columns are symbols that share one account.

    Returns
    -------
    Sized
        New arrays; the input is not modified.

    Raises
    ------
    DataError
        If the strategy gives weights, there are too few bars to fill the window, the shapes do not fit, or the
        covariance of the book is singular.

    Examples
    --------
    >>> close = np.array([[100.0], [110.0], [110.0], [121.0]])
    >>> prices = Panel(close, close, close, close, close, np.arange(4), 252.0)
    >>> stance = np.array([[1.0], [np.nan], [np.nan], [0.0]])
    >>> sized(stance, "signals", Sizing.kelly(0.05, window=2), prices).decisions.ravel().round(12).tolist()
    [nan, nan, 0.5, 0.0]
    """
    if not sizing.measured:
        return Sized(np.array(decisions, dtype=np.float64), kind, sizing)
    if kind == "weights":
        raise DataError(
            f"Sizing.{sizing.rule} gives a stance its size, but this strategy gives weights, which are sizes already. "
            "Use Sizing.target_weights(rebalance_band), or a strategy that gives signals."
        )
    _refuse_shapes(decisions, sizing, prices, columns)
    present = np.isfinite(prices.close)
    stance = _carried(np.where(present, decisions, np.nan))
    if sizing.rule == "atr_risk":
        return Sized(_at_changes(stance, _atr_sizes(sizing, prices), present), "signals", Sizing.fraction(1.0))
    weights = _WEIGHTS[sizing.rule](stance, sizing, prices, columns)
    return Sized(_at_every_bar(stance, weights, present), "weights", Sizing.target_weights(sizing.rebalance_band))


def equal_risk_weights(covariance: npt.ArrayLike, sides: npt.ArrayLike | None = None) -> FloatArray:
    """Weights whose contributions to the variance, ``w * (C w)``, are equal; their absolute values add up to 1.

    Parameters
    ----------
    covariance : array_like, (N, N)
        Symmetric, with a positive diagonal.
    sides : array_like, (N,), optional
        1 for a long and -1 for a short position; all long by default.

    Raises
    ------
    DataError
        If the covariance is no such matrix, or some book with these sides has no risk at all, so that risk cannot be
        shared.

    Notes
    -----
    Spinu (2013), "An Algorithm for Computing Risk Parity Weights": the minimum of the convex function
    ``x' C x / 2 - sum(log x)``, scaled to 1. Found by the cyclical coordinate descent of Griveau-Billion, Richard and
    Roncalli (2013), "A Fast Algorithm for Computing High-Dimensional Risk Parity Portfolios", on the correlations, so
    that the units of the symbols do not matter; where that is slow, as for a book that almost hedges itself, Spinu's
    damped Newton method finishes.

    Examples
    --------
    >>> equal_risk_weights([[0.04, 0.012], [0.012, 0.01]]).round(12).tolist()
    [0.333333333333, 0.666666666667]
    """
    matrix = np.array(covariance, dtype=np.float64)
    side = np.ones(len(matrix)) if sides is None else np.sign(np.asarray(sides, dtype=np.float64))
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] == len(side) > 0
    if not square or not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0.0):
        raise DataError("equal_risk_weights: give a symmetric matrix of finite numbers, and one side for each row.")
    if not (np.diag(matrix) > 0).all() or not np.isin(side, (-1.0, 1.0)).all():
        raise DataError("equal_risk_weights: every variance must be positive and every side 1 or -1.")
    deviation = np.sqrt(np.diag(matrix))
    scaled = np.ones(len(side))
    if not _solve(matrix / np.outer(deviation, deviation) * np.outer(side, side), scaled):
        raise DataError("equal_risk_weights: a book with these sides has no risk to share; shrink the correlations.")
    weights = scaled / deviation
    return np.asarray(side * weights / weights.sum(), dtype=np.float64)


def _refuse_shapes(decisions: FloatArray, sizing: Sizing, prices: Panel, columns: bool) -> None:
    """Refuse arrays that do not belong together, or too few bars to ever fill the window."""
    bars, symbols = prices.close.shape
    if decisions.ndim != 2 or decisions.shape[0] != bars or (columns and symbols != 1):
        fits = False
    else:
        fits = columns or decisions.shape[1] == symbols
    if not fits:
        raise DataError(
            f"Decisions of shape {decisions.shape} do not fit prices of shape {prices.close.shape}; "
            f"{'each column trades one symbol' if columns else 'there is one column a symbol'}."
        )
    if bars < sizing.window + 2:
        raise DataError(
            f"Sizing.{sizing.rule} with a window of {sizing.window} bars needs at least {sizing.window + 2} bars; "
            f"there are {bars}. Give a longer history or a shorter window."
        )


def _carried(decisions: FloatArray) -> FloatArray:
    """The last value that is not NaN, in each column; 0 before the first."""
    rows = np.arange(len(decisions))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(decisions), -1, rows), axis=0)
    return np.where(last < 0, 0.0, np.take_along_axis(decisions, np.maximum(last, 0), axis=0))


def _before(stance: FloatArray) -> FloatArray:
    """The row before each; flat before the first."""
    return np.vstack([np.zeros((1, stance.shape[1])), stance[:-1]])


def _at_every_bar(stance: FloatArray, weights: FloatArray, present: BoolArray) -> FloatArray:
    """The weights of open stances, 0 where one becomes flat, NaN where nothing is to be decided."""
    flat = stance == 0.0
    closing = flat & (_before(stance) != 0.0)
    return np.where(present, np.where(flat, np.where(closing, 0.0, np.nan), weights), np.nan)


def _at_changes(stance: FloatArray, size: FloatArray, present: BoolArray) -> FloatArray:
    """Stance times size where the stance changes, put off until the size is known; NaN elsewhere."""
    known = present & (np.isfinite(size) | (stance == 0.0))
    settled = _carried(np.where(known, stance, np.nan))
    changed = known & (settled != _before(settled))
    return np.where(changed, np.where(settled == 0.0, 0.0, settled * np.where(known, size, 0.0)), np.nan)


def _atr_sizes(sizing: Sizing, prices: Panel) -> FloatArray:
    """Fraction of equity that a full stance takes under `atr_risk`, (T, N); NaN until the range is known."""
    reach = sizing.multiple * ind.atr(prices.high, prices.low, prices.close, int(sizing.window))
    with np.errstate(divide="ignore"):
        return np.minimum(sizing.most, sizing.amount * prices.close / reach)


def _volatility_weights(stance: FloatArray, sizing: Sizing, prices: Panel, columns: bool) -> FloatArray:
    realised = ind.volatility(prices.close, int(sizing.window), prices.periods_per_year)
    with np.errstate(divide="ignore"):
        scale = np.minimum(sizing.most, sizing.amount / realised)
    return stance * scale / _parts(prices, columns)


def _kelly_weights(stance: FloatArray, sizing: Sizing, prices: Panel, columns: bool) -> FloatArray:
    returns = ind.returns(prices.close)
    mean = ind.sma(returns, int(sizing.window))
    variance = ind.rolling_std(returns, int(sizing.window)) ** 2
    edge = np.sign(stance) * mean
    with np.errstate(divide="ignore", invalid="ignore"):
        full = np.where(edge > 0.0, edge / variance, np.where(np.isnan(edge), np.nan, 0.0))
    return stance * np.minimum(sizing.most, sizing.amount * full) / _parts(prices, columns)


def _equal_risk_weights(stance: FloatArray, sizing: Sizing, prices: Panel, columns: bool) -> FloatArray:
    returns = _marked_returns(prices.close)
    book = np.ones(prices.close.shape) if columns else np.ascontiguousarray(stance)
    shares = np.full(returns.shape, np.nan)
    failed = _shares(returns, book, int(sizing.window), float(sizing.shrinkage), shares)
    if failed >= 0:
        raise DataError(
            f"Sizing.equal_risk_contribution: at bar {failed} the covariance of the last {sizing.window} bars lets a "
            "book with these stances have no risk, so that risk cannot be shared. Give a longer window, or "
            "shrinkage=0.1."
        )
    return np.asarray(stance * shares * sizing.amount, dtype=np.float64)


def _parts(prices: Panel, columns: bool) -> int:
    """How many parts the account is split into, as by `Sizing.all_in`."""
    return 1 if columns else prices.close.shape[1]


_WEIGHTS: Final[Mapping[str, Callable[[FloatArray, Sizing, Panel, bool], FloatArray]]] = {
    "volatility_target": _volatility_weights,
    "kelly": _kelly_weights,
    "equal_risk_contribution": _equal_risk_weights,
}


def _marked_returns(close: FloatArray) -> FloatArray:
    """Returns of a holding as the account marks it: 0 at a bar that does not exist, NaN up to the first price."""
    last = _carried(close)
    past = _before(last)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.ascontiguousarray(np.where(past > 0.0, last / past - 1.0, np.nan))


@njit(cache=True, nogil=True)
def _solve(correlation: FloatArray, x: FloatArray) -> bool:
    """Minimise ``x' R x / 2 - sum(log x)`` from `x` on, in place; whether it succeeded."""
    for step in range(SWEEPS + STEPS):
        slope = correlation @ x
        risk = np.dot(x, slope)
        if not risk > 0.0:
            return False
        scale = np.sqrt(x.shape[0] / risk)
        x *= scale
        gap = scale * slope * x - 1.0
        if np.abs(gap).max() <= TOLERANCE:
            return True
        if step < SWEEPS:
            _sweep(correlation, x, scale * slope)
        else:
            _newton_step(correlation, x, gap)
    return False


@njit(cache=True, nogil=True)
def _sweep(correlation: FloatArray, x: FloatArray, slope: FloatArray) -> None:
    """Set each coordinate to its own minimum, in turn."""
    for i in range(x.shape[0]):
        rest = slope[i] - x[i]
        root = np.sqrt(rest * rest + 4.0)
        better = 2.0 / (rest + root) if rest > 0.0 else 0.5 * (root - rest)
        slope += correlation[i] * (better - x[i])
        x[i] = better


@njit(cache=True, nogil=True)
def _newton_step(correlation: FloatArray, x: FloatArray, gap: FloatArray) -> None:
    """One damped step; in units of `x` the second derivative is ``R x x' + 1``, so that it can always be solved."""
    n = x.shape[0]
    lower = np.zeros((n, n))
    move = gap.copy()
    for i in range(n):
        for j in range(i + 1):
            rest = correlation[i, j] * x[i] * x[j] + (1.0 if i == j else 0.0)
            rest -= np.dot(lower[i, :j], lower[j, :j])
            lower[i, j] = np.sqrt(rest) if i == j else rest / lower[j, j]
        move[i] = (move[i] - np.dot(lower[i, :i], move[:i])) / lower[i, i]
    distance = np.sqrt(np.dot(move, move))
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            move[i] -= lower[k, i] * move[k]
        move[i] /= lower[i, i]
    x *= 1.0 - (move / (1.0 + distance) if distance > 0.25 else move)


@njit(cache=True, nogil=True)
def _shares(returns: FloatArray, stance: FloatArray, window: int, shrinkage: float, out: FloatArray) -> int:
    """Write each open symbol's share of the book, (T, N), NaN while unknown; the first bar without answer, or -1.

    A symbol is known once it has `window` returns. One that has not moved in the whole window gets 0.
    """
    symbols = returns.shape[1]
    seen = np.zeros(symbols, dtype=np.int64)
    sides, before = np.zeros(symbols), np.zeros(symbols)
    x = np.ones(symbols)
    for t in range(returns.shape[0]):
        recent = returns[max(t - window + 1, 0) : t + 1]
        for j in range(symbols):
            seen[j] += 0 if np.isnan(returns[t, j]) else 1
            sides[j] = 0.0
            if stance[t, j] != 0.0 and seen[j] >= window:
                out[t, j] = 0.0
                if _moved(recent[:, j]):
                    sides[j] = 1.0 if stance[t, j] > 0.0 else -1.0
        chosen = np.flatnonzero(sides)
        count = chosen.shape[0]
        if not np.array_equal(sides, before):
            x[:count] = 1.0  # another book: the last answer is no better a start than any
        before[:] = sides
        if count > 0:
            matrix, deviation = _correlation(recent, chosen, sides, shrinkage)
            if not _solve(matrix, x[:count]):
                return t
            weights = x[:count] / deviation
            total = weights.sum()
            for i in range(count):
                out[t, chosen[i]] = weights[i] / total
    return -1


@njit(cache=True, nogil=True)
def _moved(returns: FloatArray) -> bool:
    """Whether the returns are not all the same, beyond rounding."""
    low, high = np.inf, -np.inf
    for value in returns:
        low, high = min(low, value), max(high, value)
    return high - low > 1e-12


@njit(cache=True, nogil=True)
def _correlation(
    returns: FloatArray, chosen: npt.NDArray[np.int64], sides: FloatArray, shrinkage: float
) -> tuple[FloatArray, FloatArray]:
    """Correlations of the chosen columns, turned by their sides and shrunk, and their standard deviations."""
    bars, count = returns.shape[0], chosen.shape[0]
    moves = np.empty((bars, count))
    for i in range(count):
        mean = 0.0
        for t in range(bars):
            mean += returns[t, chosen[i]]
        mean /= bars
        for t in range(bars):
            moves[t, i] = sides[chosen[i]] * (returns[t, chosen[i]] - mean)
    matrix = np.zeros((count, count))
    for t in range(bars):
        for i in range(count):
            move = moves[t, i]
            for j in range(i + 1):
                matrix[i, j] += move * moves[t, j]
    deviation = np.empty(count)
    for i in range(count):
        deviation[i] = np.sqrt(matrix[i, i])
    for i in range(count):
        for j in range(i):
            matrix[i, j] *= (1.0 - shrinkage) / (deviation[i] * deviation[j])
            matrix[j, i] = matrix[i, j]
        matrix[i, i] = 1.0
    return matrix, deviation
