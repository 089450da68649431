"""`sweep`: every combination of a parameter grid, in blocks that fit the cache, straight to metrics."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.engine import backtest, check_bars, resolve
from qtw_lab.backtest.market import Market
from qtw_lab.backtest.result import Result
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, DataError, Fact, Facts, lookup
from qtw_lab.ledger import Costs, Sizing, Stops
from qtw_lab.stats import performance as p
from qtw_lab.strategies import Panel, Strategy

FloatArray = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]

#: Parameter columns simulated together: their arrays stay in a core's cache.
BLOCK: Final = 64
#: Arrays of (T, BLOCK) float64 that one worker holds at once: decisions twice, equity, returns, and what metrics need.
_ARRAYS_A_BLOCK: Final = 12
#: Largest grid taken without asking for a memory limit that covers its table.
_MOST_COMBINATIONS: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Columns:
    """What a metric is computed from, for K accounts: returns (T, K), equity (T, K), and counts (K,)."""

    returns: FloatArray
    equity: FloatArray
    orders: FloatArray
    trades: FloatArray
    traded: FloatArray
    periods_per_year: float


Metric = Callable[[Columns], Any]

#: Every metric of a sweep; the definitions are those of `stats.performance`.
METRICS: Final[Mapping[str, Metric]] = {
    "total_return": lambda c: p.total_return(c.returns),
    "cagr": lambda c: p.cagr(c.returns, periods_per_year=c.periods_per_year),
    "volatility": lambda c: p.volatility(c.returns, periods_per_year=c.periods_per_year),
    "sharpe": lambda c: p.sharpe_ratio(c.returns, periods_per_year=c.periods_per_year),
    "sortino": lambda c: p.sortino_ratio(c.returns, periods_per_year=c.periods_per_year),
    "max_drawdown": lambda c: p.max_drawdown(c.returns),
    "calmar": lambda c: p.calmar_ratio(c.returns, periods_per_year=c.periods_per_year),
    "trades": lambda c: c.trades,
    "orders": lambda c: c.orders,
    "turnover": lambda c: c.traded / 2 / c.equity.mean(axis=0) / (len(c.equity) / c.periods_per_year),
    "final_equity": lambda c: c.equity[-1],
}


@dataclass(frozen=True, eq=False)
class Sweep:
    """The outcome of a sweep.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a combination (and symbol, for strategies that trade each symbol alone), one column a metric; the index
        levels are the parameters and "symbol".
    strategy : Strategy
        Defaults for the parameters outside the grid.
    bars : Bars
        What was traded.
    terms : Terms
        Costs, sizing, execution, cash and stops.
    evaluated : {"columns", "one by one"}
        How the strategy was evaluated: as parameter columns, or once a combination.
    """

    table: pd.DataFrame
    strategy: Strategy
    bars: Bars
    terms: Terms
    evaluated: str
    names: tuple[str, ...] = field(repr=False, default=())

    @property
    def trials(self) -> int:
        """How many results were looked at; it belongs beside every figure picked from the table."""
        return len(self.table)

    def best(self, metric: str = "sharpe", count: int = 1) -> pd.DataFrame:
        """The `count` rows with the highest value of `metric`; undefined values never win.

        Raises
        ------
        DataError
            If the sweep did not compute that metric, or it is defined nowhere.
        """
        columns: dict[str, pd.Series] = {str(name): self.table[name] for name in self.table.columns}
        column = lookup(metric, columns, "metric of this sweep")
        if column.notna().sum() == 0:
            raise DataError(f"{metric} is not defined for any row: no combination traded. Widen the grid or the dates.")
        return self.table.loc[column.nlargest(count).index]

    def result(self, row: Any) -> Result:
        """The full backtest of one row.

        Parameters
        ----------
        row : tuple, scalar or pandas.Series
            An index entry of `table`, such as ``s.best("sharpe").index[0]``, or a row of it.

        Raises
        ------
        DataError
            If there is no such row.
        """
        key = row.name if isinstance(row, pd.Series) else row
        if key not in self.table.index:
            raise DataError(f"{key!r} is not a row of this sweep; its index levels are {list(self.table.index.names)}.")
        values: dict[str, Any] = dict(
            zip(map(str, self.table.index.names), key if isinstance(key, tuple) else (key,), strict=True)
        )
        bars = self.bars.select(str(values.pop("symbol"))) if "symbol" in values else self.bars
        chosen = self.strategy.replaced(**values)
        t = self.terms
        return backtest(
            chosen, bars, costs=t.costs, sizing=t.sizing, execution=t.execution, cash=t.cash, stops=t.stops,
            leverage=t.leverage,
        )  # fmt: skip

    def returns(self, top: int = 100, metric: str | None = None) -> pd.DataFrame:
        """Per-bar returns of the `top` rows by `metric` (the first computed one by default), (T, K).

        NaN where a row's own symbol has no bar.

        Raises
        ------
        DataError
            As `best`.
        """
        rows = self.best(metric or str(self.table.columns[0]), top)
        columns = [self.result(key).returns for key in rows.index]
        return pd.concat(columns, axis=1).reindex(self.bars.index).set_axis(rows.index, axis=1)

    def facts(self, metric: str = "sharpe") -> Facts:
        """The best row and how it was found; the number of trials comes first."""
        winner = self.best(metric)
        chosen = ", ".join(f"{n}={v}" for n, v in zip(winner.index.names, _key(winner.index[0]), strict=True))
        lead = (
            Fact("trials", self.trials, "count", "Configurations tried", "every row of the sweep"),
            Fact("costs", self.terms.costs.describe(), "text", "Costs"),
            Fact("execution", self.terms.execution, "text", "Execution"),
            Fact("data_fingerprint", self.bars.fingerprint[:16], "text", "Data fingerprint"),
            Fact("best", chosen, "text", f"Best by {metric}"),
            Fact(f"best_{metric}", float(winner[metric].iloc[0]), "ratio", f"Its {metric}"),
            Fact(f"median_{metric}", float(self.table[metric].median()), "ratio", f"Median {metric} of all rows"),
        )
        note = f"the best of {self.trials:,} looks better than it is: part of it is luck; validate before believing it"
        return Facts(f"Sweep of {self.strategy.name}", lead, (note, *self.bars.notes))

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        metric = "sharpe" if "sharpe" in self.table else str(self.table.columns[0])
        return self.facts(metric)._repr_mimebundle_(**options)

    def __repr__(self) -> str:
        return f"Sweep({self.strategy.name}: {self.trials:,} rows x {', '.join(map(str, self.table.columns))})"


def sweep(  # noqa: PLR0913  (the public interface; all but two are keyword-only)
    strategy: Strategy | type[Strategy] | str,
    bars: Bars,
    *,
    grid: Mapping[str, Iterable[Any]],
    where: Callable[..., bool] | None = None,
    metrics: Sequence[str] = ("total_return", "sharpe", "max_drawdown", "trades"),
    costs: Costs | None = None,
    sizing: Sizing | None = None,
    execution: str = "next_open",
    cash: float = 100_000.0,
    stops: Stops | None = None,
    leverage: float = 1.0,
    memory_limit: str | int = "1GB",
    workers: int = 2,
    progress: Progress | None = None,
) -> Sweep:
    """Backtest every combination of `grid` and keep the metrics of each.

    Blocks of combinations are evaluated as parameter columns, simulated and measured, and then forgotten: no table of
    bars times combinations is ever held. A strategy whose rule cannot take parameter columns is found by comparing a
    block with single evaluations, and is then evaluated one combination at a time.

    Parameters
    ----------
    strategy : Strategy, class of Strategy, or str
        What is swept; an object gives the parameters outside the grid.
    bars : Bars
        (T, N) prices. A strategy of scope "symbol" trades each symbol in an account of its own; one of scope "universe"
        trades all of them in one.
    grid : mapping of str to iterable
        Values for each parameter, such as ``{"fast": range(2, 102)}``.
    where : callable, optional
        Called with the grid's parameters by name; combinations it calls false are left out. So are combinations that
        the strategy itself refuses as a whole.
    metrics : sequence of str
        Names of `METRICS`.
    costs, sizing, execution, cash, stops, leverage
        As in `backtest`.
    memory_limit : str or int
        Most memory to use beyond the bars, such as "256MB", or bytes.
    workers : int
        Threads.
    progress : callable, optional
        Called with (rows done, rows in all) after each block.

    Returns
    -------
    Sweep
        Its table, and any row as a full `Result`.

    Raises
    ------
    DataError
        If the grid is empty or has an unknown parameter or metric, or the sweep cannot fit the memory limit; before any
        simulation.

    Examples
    --------
    >>> import pandas as pd, qtw_lab as qtw
    >>> closes = [10.0, 11.0, 12.0, 11.0, 10.0, 11.0, 12.0, 13.0, 12.0, 11.0]
    >>> df = pd.DataFrame({"close": closes}, index=pd.date_range("2024-01-02", periods=10))
    >>> bars = qtw.Bars.from_frame(df, symbol="X")
    >>> s = qtw.sweep(qtw.strategies.SmaCross, bars, grid={"fast": [1, 2], "slow": [3, 4]})
    >>> s.table.index.to_list()
    [(1, 3, 'X'), (1, 4, 'X'), (2, 3, 'X'), (2, 4, 'X')]
    """
    chosen = resolve(strategy)
    terms = Terms.given(costs, sizing, execution, cash, stops, leverage)
    measured = {name: lookup(name, METRICS, "metric") for name in metrics}
    if not measured:
        raise DataError(f"A sweep needs at least one metric; known: {', '.join(METRICS)}.")
    if not isinstance(bars, Bars):
        raise DataError(
            f"Bars are needed, not {type(bars).__name__}. Make them with qtw.Bars.from_frame(df, symbol='X')."
        )
    combinations = _combinations(chosen, grid, where)
    worlds = [bars.select(symbol) for symbol in bars.symbols] if chosen.scope == "symbol" else [bars]
    _check_memory(len(combinations), len(worlds), len(bars), len(measured), workers, memory_limit)
    longest = max(combinations, key=lambda one: one.warmup)
    for world in worlds:
        check_bars(longest, world)
    accounts = tuple(_Account.of(world, terms.costs) for world in worlds)
    job = _Job(accounts, terms, combinations, tuple(grid), tuple(measured.values()))
    columned = job.takes_columns()
    rows = np.empty((len(combinations), len(accounts), len(measured)))
    done = 0
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        for block, values in pool.map(job.by_columns if columned else job.one_by_one, job.blocks()):
            rows[block] = values
            done += values.shape[0] * values.shape[1]
            if progress is not None:
                progress(done, len(combinations) * len(accounts))
    table = _table(rows, combinations, tuple(grid), bars.symbols if chosen.scope == "symbol" else None, tuple(measured))
    return Sweep(table, chosen, bars, terms, "columns" if columned else "one by one", tuple(grid))


@dataclass(frozen=True)
class _Account:
    """What one account trades: a symbol of its own, or the whole universe."""

    panel: Panel
    market: Market

    @classmethod
    def of(cls, bars: Bars, costs: Costs) -> _Account:
        return cls(Panel.of(bars), Market.of(bars, costs))


@dataclass(frozen=True)
class _Job:
    """Everything a worker needs; read only."""

    accounts: tuple[_Account, ...]
    terms: Terms
    combinations: list[Strategy]
    names: tuple[str, ...]
    metrics: tuple[Metric, ...]

    def blocks(self) -> Iterator[slice]:
        """The combinations in slices of `BLOCK`."""
        for start in range(0, len(self.combinations), BLOCK):
            yield slice(start, min(start + BLOCK, len(self.combinations)))

    def takes_columns(self) -> bool:
        """Whether the strategy's parameter columns give what single evaluations give, at the first block."""
        if self.combinations[0].scope != "symbol":
            return False
        strategies = self.combinations[:BLOCK]
        panel = self.accounts[0].panel
        try:
            together = self._columned(strategies).decide(panel)
        except (TypeError, ValueError, AttributeError, IndexError):
            # A rule written for single numbers fails in its own way on arrays; run one by one, its real errors show.
            return False
        places = sorted({0, len(strategies) // 2, len(strategies) - 1})
        alone = {place: strategies[place].decide(panel)[:, 0] for place in places}
        return all(np.array_equal(together[:, place], alone[place], equal_nan=True) for place in places)

    def by_columns(self, block: slice) -> tuple[slice, FloatArray]:
        """Metrics (K, accounts, M) of a block evaluated as parameter columns."""
        together = self._columned(self.combinations[block])
        each = []
        for account in self.accounts:
            decisions = together.decide(account.panel)
            each.append(self._measure(np.ascontiguousarray(decisions.T)[:, :, None], account))
        return block, np.stack(each, axis=1)

    def one_by_one(self, block: slice) -> tuple[slice, FloatArray]:
        """Metrics (K, accounts, M) of a block, each combination evaluated alone."""
        rows = [
            [self._measure(strategy.decide(account.panel)[None], account)[0] for account in self.accounts]
            for strategy in self.combinations[block]
        ]
        return block, np.array(rows)

    def _columned(self, strategies: Sequence[Strategy]) -> Strategy:
        """The strategies as one, with the grid's parameters as columns."""
        columns = {name: np.array([getattr(one, name) for one in strategies]) for name in self.names}
        return strategies[0].with_columns(columns)

    def _measure(self, decisions: FloatArray, account: _Account) -> FloatArray:
        """Metrics (K, M) of K runs of one account, given decisions (K, T, N)."""
        from qtw_lab.backtest.kernel import simulate_columns

        runs, bars, _ = decisions.shape
        market, equity, counts = account.market, np.empty((runs, bars)), np.empty((runs, 4))
        rules = self.terms.rules(self.combinations[0].kind)
        simulate_columns(
            market.open, market.high, market.low, market.close, np.ascontiguousarray(decisions), market.seconds,
            market.volatility, market.volume, rules, equity, counts,
        )  # fmt: skip
        before = np.hstack([np.full((runs, 1), rules.cash), equity[:, :-1]])
        with np.errstate(divide="ignore", invalid="ignore"):
            returns = np.where(before > 0, equity / before - 1.0, 0.0)
        columns = Columns(returns.T, equity.T, counts[:, 0], counts[:, 1], counts[:, 2], account.panel.periods_per_year)
        return np.column_stack([np.asarray(metric(columns), dtype=np.float64) for metric in self.metrics])


def _combinations(
    strategy: Strategy, grid: Mapping[str, Iterable[Any]], where: Callable[..., bool] | None
) -> list[Strategy]:
    """Every strategy of the grid that `where` and the strategy itself allow."""
    if not grid:
        raise DataError(
            "The grid is empty: give at least one parameter with its values, such as {'fast': range(5, 50)}."
        )
    values = {name: list(choices) for name, choices in grid.items()}
    for name, choices in values.items():
        if not choices:
            raise DataError(f"The grid has no values for {name}. Give at least one.")
        for choice in choices:
            type(strategy).checked(name, choice)
    size = math.prod(len(choices) for choices in values.values())
    if size > _MOST_COMBINATIONS:
        raise DataError(
            f"The grid has {size:,} combinations, above the {_MOST_COMBINATIONS:,} a sweep takes. Coarsen it."
        )
    kept: list[Strategy] = []
    refusal: DataError | None = None
    for choice in itertools.product(*values.values()):
        named = dict(zip(values, choice, strict=True))
        if where is not None and not where(**named):
            continue
        try:
            kept.append(strategy.replaced(**named))
        except DataError as err:
            refusal = refusal or err
    if not kept:
        reason = f" The strategy refuses them: {refusal}" if refusal else " The condition `where` leaves none."
        raise DataError(f"None of the grid's {size:,} combinations can be used.{reason}")
    return kept


def _table(
    rows: FloatArray, combinations: Sequence[Strategy], names: tuple[str, ...], symbols: tuple[str, ...] | None,
    metrics: tuple[str, ...],
) -> pd.DataFrame:  # fmt: skip
    keys = [tuple(getattr(one, name) for name in names) for one in combinations]
    if symbols is not None:
        keys = [(*key, symbol) for key in keys for symbol in symbols]
    index = pd.MultiIndex.from_tuples(keys, names=[*names, "symbol"] if symbols is not None else list(names))
    table = pd.DataFrame(rows.reshape(len(keys), len(metrics)), index=index, columns=pd.Index(metrics, name="metric"))
    counts = [name for name in ("trades", "orders") if name in table]
    return table.astype(dict.fromkeys(counts, int))


def _check_memory(combinations: int, accounts: int, bars: int, metrics: int, workers: int, limit: str | int) -> None:
    """Refuse a sweep that cannot fit, with the number it needs."""
    rows = combinations * accounts
    needed = rows * (metrics * 8 + 120) + max(1, workers) * _ARRAYS_A_BLOCK * BLOCK * bars * 8
    allowed = parse_bytes(limit)
    if needed > allowed:
        raise DataError(
            f"This sweep needs about {math.ceil(needed / 1e6):,} MB ({rows:,} rows, {bars:,} bars), more than "
            f"memory_limit={limit!r}. Raise it to at least '{math.ceil(needed / 1e6)}MB', or coarsen the grid."
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


def _key(entry: Any) -> tuple[Any, ...]:
    return entry if isinstance(entry, tuple) else (entry,)
