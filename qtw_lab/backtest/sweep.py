"""`sweep`: every combination of a parameter grid, in blocks that fit the cache, straight to metrics."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qtw_lab.backtest.engine import resolve
from qtw_lab.backtest.harvest import Keep
from qtw_lab.backtest.metrics import METRICS
from qtw_lab.backtest.plan import planned
from qtw_lab.backtest.progress import Progress
from qtw_lab.backtest.spotcheck import Sampling
from qtw_lab.backtest.streaming import Running, stream
from qtw_lab.backtest.swept import Sweep
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, DataError, lookup
from qtw_lab.ledger import Account, Costs, Entry, Sizing, Stops
from qtw_lab.strategies import Strategy

__all__ = ["Sweep", "parse_bytes", "sweep"]


def sweep(  # noqa: PLR0913  (the public interface; all but two are keyword-only)
    strategy: Strategy | type[Strategy] | str,
    bars: Bars,
    *,
    grid: Mapping[str, Iterable[Any]],
    where: Callable[..., bool] | None = None,
    metrics: Sequence[str] = ("total_return", "sharpe", "max_drawdown", "trades"),
    top: int | None = None,
    by: str | None = None,
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
    client: Any = None,
    resume: str | Path | None = None,
    progress: Progress | bool | None = None,
    verify: float = 0.01,
    seed: int = 0,
) -> Sweep:
    """Backtest every combination of `grid` and keep the metrics of each.

    Blocks of combinations are evaluated as parameter columns, simulated and measured, and then forgotten: no table of
    bars times combinations is ever held. A strategy whose rule cannot take parameter columns is found by comparing a
    block with single evaluations, and is then evaluated one combination at a time. Ctrl-C ends the sweep early; what is
    done is returned, marked `partial`.

    Parameters
    ----------
    strategy : Strategy, class of Strategy, or str
        What is swept; an object gives the parameters outside the grid.
    bars : Bars
        (T, N) prices. A strategy of scope "symbol" trades each symbol in an account of its own; one of scope "universe"
        trades all of them in one.
    grid : mapping of str to iterable
        Values for each parameter, such as ``{"fast": range(2, 102)}``; one given twice counts once.
    where : callable, optional
        Called with the grid's parameters by name; combinations it calls false are left out. So are combinations that
        the strategy itself refuses. It is tried on whole arrays first, which is fast, and believed if it answers as for
        single values.
    metrics : sequence of str
        Names of `METRICS`.
    top : int, optional
        Keep only so many rows, the best by `by`, best first (equal ones in the grid's order); every combination is
        evaluated and counted all the same, and memory no longer grows with the grid.
    by : str, optional
        The metric that ranks rows; "sharpe" if it is computed, else the first of `metrics`.
    costs, sizing, execution, cash, stops, leverage, account, entry, participation
        As in `backtest`.
    memory_limit : str or int
        Most memory to use beyond the bars, such as "256MB", or bytes.
    workers : int
        Threads.
    client : dask.distributed.Client or str, optional
        A cluster, or its scheduler's address, that evaluates the blocks instead of threads here.
    resume : path, optional
        A folder where finished rows are saved every two seconds. The same sweep started again with the same folder
        evaluates what is missing; another sweep is refused.
    progress : True or callable, optional
        True shows a bar with rate and time left; a function is called with (rows done, rows in all) about ten times a
        second and at the end.
    verify : float or int
        How many rows the reference engine runs again, at the first look at `Sweep.agreement` or `Sweep.facts`: a
        fraction, bounded by 50 rows and by 400,000 bars times symbols, or a number of rows; 0 for none.
    seed : int
        Of the draw of those rows.

    Returns
    -------
    Sweep
        Its table, and any row as a full `Result`.

    Raises
    ------
    DataError
        If the grid is empty or has an unknown parameter or metric, the sweep cannot fit the memory limit, or the
        checkpoint is of another sweep; before any simulation.
    SetupError
        If the checkpoint cannot be written, or the cluster does not answer.

    Examples
    --------
    >>> import pandas as pd, qtw_lab as qtw
    >>> closes = [10.0, 11.0, 12.0, 11.0, 10.0, 11.0, 12.0, 13.0, 12.0, 11.0]
    >>> df = pd.DataFrame({"close": closes}, index=pd.date_range("2024-01-02", periods=10))
    >>> bars = qtw.Bars.from_frame(df, symbol="X")
    >>> s = qtw.sweep(qtw.strategies.SmaCross, bars, grid={"fast": [1, 2], "slow": [3, 4]})
    >>> s.table.index.to_list()
    [(1, 3, 'X'), (1, 4, 'X'), (2, 3, 'X'), (2, 4, 'X')]
    >>> s.agreement.text
    '1 of 4 rows re-run by the reference engine (seed 0): all agree to 1e-09'
    """
    chosen = resolve(strategy)
    terms = Terms.given(
        costs, sizing, execution, cash, stops, leverage, account=account, entry=entry, participation=participation
    )
    how = Running(
        keep=kept(metrics, top, by), memory_limit=parse_bytes(memory_limit), workers=workers, progress=progress,
        resume=resume, client=client, sampling=Sampling(verify, seed),
    )  # fmt: skip
    check_kind(bars)
    return stream(planned(chosen, grid, where), bars, terms, how)


def kept(metrics: Sequence[str], top: int | None, by: str | None) -> Keep:
    """Which rows and columns to keep.

    Raises
    ------
    DataError
        If a metric is not known, or `top` is not a whole number above 0.
    """
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    for name in names:
        lookup(name, METRICS, "metric")
    if not names:
        raise DataError(f"A sweep needs at least one metric; known: {', '.join(METRICS)}.")
    if len(set(names)) < len(names):
        raise DataError(f"metrics={list(names)} names one twice; name each once.")
    usual = "sharpe" if "sharpe" in names else names[0]
    ranking = usual if by is None else lookup(by, dict(zip(names, names, strict=True)), "metric of this sweep")
    if top is not None and (not isinstance(top, (int, np.integer)) or isinstance(top, bool) or top < 1):
        raise DataError(f"top={top!r} must be a whole number of rows, 1 or more; leave it out to keep all.")
    return Keep(names, None if top is None else int(top), ranking)


def check_kind(bars: object) -> None:
    """Refuse what is not `Bars`.

    Raises
    ------
    DataError
        Naming what was given.
    """
    if not isinstance(bars, Bars):
        raise DataError(
            f"Bars are needed, not {type(bars).__name__}. Make them with qtw.Bars.from_frame(df, symbol='X')."
        )


def parse_bytes(text: str | int) -> int:
    """Bytes meant by a number or a text such as "256MB" (powers of ten) or "1GiB" (powers of two).

    Raises
    ------
    DataError
        If it is neither.

    Examples
    --------
    >>> parse_bytes("256MB")
    256000000
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?\s*", str(text), flags=re.IGNORECASE)
    if match is None:
        raise DataError(f"memory_limit={text!r} is not a size. Write it as '256MB' or '1GB'.")
    base = 1024 if match[3] else 1000
    return int(float(match[1]) * base ** ("KMGT".index(match[2].upper()) + 1 if match[2] else 0))
