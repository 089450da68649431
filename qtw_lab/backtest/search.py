"""`search`: combinations drawn from a space of parameters, by chance, evenly, or where earlier ones did well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.engine import resolve
from qtw_lab.backtest.plan import MOST_VALUES, check_condition
from qtw_lab.backtest.progress import Progress
from qtw_lab.backtest.space import Draw, dimensions_of, drawn
from qtw_lab.backtest.spotcheck import Sampling
from qtw_lab.backtest.streaming import Running, stream
from qtw_lab.backtest.sweep import check_kind, kept, parse_bytes
from qtw_lab.backtest.swept import Sweep
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, DataError, lookup
from qtw_lab.core.extras import need
from qtw_lab.ledger import Account, Costs, Entry, Sizing, Stops
from qtw_lab.strategies import Strategy

FloatArray = npt.NDArray[np.float64]


def search(  # noqa: PLR0913  (the public interface; all but two are keyword-only)
    strategy: Strategy | type[Strategy] | str,
    bars: Bars,
    *,
    space: Mapping[str, Any],
    method: str = "random",
    trials: int = 500,
    metrics: Sequence[str] = ("total_return", "sharpe", "max_drawdown", "trades"),
    by: str | Sequence[str] | None = None,
    where: Callable[..., bool] | None = None,
    costs: Costs | None = None,
    sizing: Sizing | None = None,
    execution: str = "next_open",
    cash: float = 100_000.0,
    stops: Stops | None = None,
    leverage: float = 1.0,
    account: Account | None = None,
    entry: Entry | None = None,
    participation: float = 0.0,
    memory_limit: str | int = "1GB",
    workers: int = 2,
    progress: Progress | bool | None = None,
    verify: float = 0.01,
    seed: int = 0,
) -> Sweep:
    """Backtest combinations drawn from a space that is too large, or not discrete enough, for a grid.

    Parameters
    ----------
    strategy, bars
        As in `sweep`.
    space : mapping of str to tuple or list
        For each parameter a range ``(low, high)``, both ends included and whole numbers if the parameter is one;
        ``(low, high, "log")`` for a logarithmic scale; or its values as a list.
    method : {"random", "sobol", "tpe", "nsga2"}
        "random" draws evenly by chance; "sobol" spreads the draws more evenly than chance does (scrambled Sobol
        points); "tpe" draws more often where earlier draws were good (Optuna's tree-structured Parzen estimator);
        "nsga2" breeds them towards the Pareto front of several metrics (Optuna).
    trials : int
        Distinct combinations to evaluate; a draw that repeats one, or that `where` or the strategy refuses, does not
        count.
    metrics : sequence of str
        Columns of the table.
    by : str or sequence of str, optional
        What "tpe" and "nsga2" look for the highest of (the mean over the symbols, where each trades in an account of
        its own), and what ranks rows; several for "nsga2" and, if wanted, "tpe".
    where, costs, sizing, execution, cash, stops, leverage, account, entry, participation
        As in `sweep`.
    memory_limit, workers, progress, verify
        As in `sweep`.
    seed : int
        Of the search, and of the draw of rows that are run again. Equal seeds find the same.

    Returns
    -------
    Sweep
        Its rows in the order of evaluation, and a remark on what was drawn; `Sweep.pareto` gives the front of several
        metrics.

    Raises
    ------
    DataError
        If the space is empty or does not fit the strategy, or nothing in it can be used.
    SetupError
        If the method needs a library that is not installed.

    Notes
    -----
    Sobol (1967), scrambled after Owen (1998); Bergstra, Bardenet, Bengio and Kegl (2011), "Algorithms for
    Hyper-Parameter Optimization"; Deb, Pratap, Agarwal and Meyarivan (2002), "A Fast and Elitist Multiobjective Genetic
    Algorithm: NSGA-II".

    Examples
    --------
    >>> import numpy as np, pandas as pd, qtw_lab as qtw
    >>> closes = 10 + np.sin(np.arange(60) / 5)
    >>> df = pd.DataFrame({"close": closes}, index=pd.date_range("2024-01-02", periods=60))
    >>> bars = qtw.Bars.from_frame(df, symbol="X")
    >>> s = search("sma_cross", bars, space={"fast": (2, 9), "slow": (5, 30)}, trials=20, seed=1)
    >>> s.trials, s.names
    (20, ('fast', 'slow'))
    """
    lookup(method, _METHODS, "search method")
    chosen = resolve(strategy)
    terms = Terms.given(
        costs, sizing, execution, cash, stops, leverage, account=account, entry=entry, participation=participation
    )
    goals = (by,) if isinstance(by, str) else tuple(by or ())
    how = Running(
        keep=kept(metrics, None, goals[0] if goals else None), memory_limit=parse_bytes(memory_limit), workers=workers,
        progress=progress, sampling=Sampling(verify, seed),
    )  # fmt: skip
    check_kind(bars)
    dimensions = dimensions_of(chosen, space)
    check_condition(where, tuple(space))
    if not isinstance(trials, (int, np.integer)) or isinstance(trials, bool) or not 1 <= trials <= MOST_VALUES:
        raise DataError(f"trials={trials!r} must be a whole number from 1 to {MOST_VALUES:,}.")
    for goal in goals:
        lookup(goal, dict.fromkeys(how.keep.metrics), "metric of this search")
    if method in _DRAWS:
        if len(goals) > 1:
            raise DataError(f"method={method!r} looks for no metric: give one as by=, and use Sweep.pareto afterwards.")
        draw = _DRAWS[method](len(dimensions), seed)
        plan, found = drawn(chosen, dimensions, where, draw, int(trials))
        return stream(plan, bars, terms, how, (found.remark(method, seed, int(trials)),))
    from qtw_lab.backtest import optuna_engine

    aim = optuna_engine.Aim(chosen, dimensions, where, int(trials), goals or (how.keep.by,), method, seed)
    return optuna_engine.run(aim, bars, terms, how)


def _random(dimensions: int, seed: int) -> Draw:
    generator = np.random.default_rng(seed)
    return lambda count: generator.random((count, dimensions))


def _sobol(dimensions: int, seed: int) -> Draw:
    points = need("scipy.stats.qmc", "search").Sobol(dimensions, scramble=True, rng=seed)
    return lambda count: np.asarray(points.random(count), dtype=np.float64)


_DRAWS: Final[Mapping[str, Callable[[int, int], Draw]]] = {"random": _random, "sobol": _sobol}
_METHODS: Final = dict.fromkeys((*_DRAWS, "tpe", "nsga2"))
