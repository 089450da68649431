"""What a backtest gives back: paths, fills, trades, statistics, and the caveats that belong to them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.backtest.case import Agreement, Carry, Case
from qtw_lab.backtest.charges import PARTS, charges
from qtw_lab.backtest.market import later_splits
from qtw_lab.backtest.metrics import METRICS
from qtw_lab.backtest.terms import Terms
from qtw_lab.backtest.trades import round_trips
from qtw_lab.core import Bars, Fact, Facts
from qtw_lab.core.facts import Unit
from qtw_lab.ledger import Entry, Stops
from qtw_lab.stats import performance as p
from qtw_lab.strategies import Strategy

if TYPE_CHECKING:
    from qtw_lab.backtest.trial_ledger import TrialLedger
    from qtw_lab.backtest.tried import Tried

FloatArray = npt.NDArray[np.float64]

#: How many significant digits of a fill go into the order hash: beyond them two correct engines may differ.
HASH_DIGITS: Final = 9
#: Before rounding, figures grow by this share: round amounts often end in a half, which the last bit would decide.
_OFF_THE_HALF: Final = 1.0 + 2.0**-39
#: What a result says that nobody has checked.
NOT_VERIFIED: Final = "not asked (result.verify() runs the reference engine)"


@dataclass(frozen=True, eq=False)
class Result:
    """One simulated history.

    Parameters
    ----------
    strategy : Strategy
        What decided.
    bars : Bars
        What it saw.
    terms : Terms
        Costs, sizing, execution, cash and stops.
    decisions : pandas.DataFrame
        The strategy's signals or weights, (T, N), by decision bar.
    equity : pandas.Series
        Account value at each close, in account currency.
    cash : pandas.Series
        Cash at each close.
    positions : pandas.DataFrame
        Signed shares at each close, (T, N).
    orders : pandas.DataFrame
        Every fill: time, symbol, side, quantity, price, quoted price, commission (sale fees included), slippage cost,
        reason, and whether it happened in an ambiguous bar (see `band`).
    carry : Carry
        Borrow fees, interest and dividends, in account currency.
    engine : str
        Which implementation simulated it.
    case : Case
        The inputs as the engine got them, to run them again.
    submitted : pandas.DataFrame
        What became of every order given by hand: state, filled quantity, mean fill price.
    agreement : Agreement or None
        Whether the reference engine agrees, once asked by `verify`.
    again, referee : callable
        The engine that made it, and the one that checks it.
    ledger : TrialLedger or None
        What counts the trials on these bars; without one, `facts` knows of this trial alone.
    chosen_on : str
        Fingerprint of the bars it was chosen on, if they are more than its own: a row of a sweep over several symbols.
    remarks : tuple of str
        What a reader must know of how it came about.
    """

    strategy: Strategy
    bars: Bars
    terms: Terms
    decisions: pd.DataFrame = field(repr=False)
    equity: pd.Series = field(repr=False)
    cash: pd.Series = field(repr=False)
    positions: pd.DataFrame = field(repr=False)
    orders: pd.DataFrame = field(repr=False)
    case: Case = field(repr=False)
    submitted: pd.DataFrame = field(repr=False)
    carry: Carry = field(default_factory=Carry)
    engine: str = "kernel"
    agreement: Agreement | None = field(repr=False, default=None)
    again: Callable[[Case], Result] | None = field(repr=False, default=None)
    referee: Callable[[Result], Agreement] | None = field(repr=False, default=None)
    ledger: TrialLedger | None = field(repr=False, default=None)
    chosen_on: str = field(repr=False, default="")
    remarks: tuple[str, ...] = field(repr=False, default=())

    @classmethod
    def from_arrays(
        cls,
        case: Case,
        *,
        equity: FloatArray,
        cash: FloatArray,
        positions: FloatArray,
        orders: FloatArray,
        engine: str,
        carry: Carry | None = None,
        states: FloatArray | None = None,
    ) -> Result:
        """The result of arrays by bar, with the order list laid out as `kernel.ORDER_COLUMNS`."""
        bars = case.bars
        columns = pd.Index(bars.symbols, name="symbol")
        return cls(
            strategy=case.strategy,
            bars=bars,
            terms=case.asked or case.terms,
            decisions=pd.DataFrame(case.decisions, index=bars.index, columns=columns),
            equity=pd.Series(equity, index=bars.index, name="equity"),
            cash=pd.Series(cash, index=bars.index, name="cash"),
            positions=pd.DataFrame(positions, index=bars.index, columns=columns),
            orders=_order_table(orders, case),
            carry=carry or Carry(),
            engine=engine,
            case=case,
            submitted=_order_states(states, case),
        )

    def verify(self) -> Result:
        """The result with its `agreement`: the reference engine runs the same case and is compared fill by fill."""
        if self.agreement is not None or self.referee is None:
            return self
        return replace(self, agreement=self.referee(self))

    @cached_property
    def optimistic(self) -> Result:
        """The same case with every ambiguous bar taken at its best; this result takes it at its worst."""
        return self if self._certain or self.again is None else self.again(self.case.optimistic())

    @property
    def _certain(self) -> bool:
        """Whether no bar can be ambiguous: nothing happens inside bars, or the result is the optimistic one."""
        quiet = self.terms.stops == Stops() and self.terms.entry == Entry() and not self.case.orders
        return quiet or self.case.terms.path == "optimistic"

    @cached_property
    def band(self) -> pd.DataFrame:
        """The ambiguity band: figures with every bar that hides its own course taken at its worst, and at its best.

        A bar tells four prices, not their order. Where it matters whether the high or the low came first, both are
        simulated, bar by bar the worse and the better (docs/simulation.md).
        """
        names = ["total_return", "cagr", "sharpe", "max_drawdown", "trades", "final_equity"]
        return pd.DataFrame({"pessimistic": self.stats[names], "optimistic": self.optimistic.stats[names]})

    @property
    def ambiguous_trades(self) -> float:
        """Share of the trades in which some fill depends on whether a bar's high or its low came first."""
        trades = self.trades
        return float(trades["ambiguous"].mean()) if len(trades) else 0.0

    @cached_property
    def costs(self) -> pd.DataFrame:
        """What each part of the costs took: money, and drag (fraction of mean equity a year)."""
        paid = charges(self.orders, self.terms.costs, self.carry)
        mean, years = float(self.equity.mean()), len(self.equity) / self.bars.periods_per_year
        drag = paid / mean / years if mean > 0 else paid * float("nan")
        return pd.DataFrame({"paid": paid, "drag": drag})

    @property
    def holding_costs(self) -> float:
        """Borrow fees and margin interest paid, in account currency."""
        return self.carry.borrow + self.carry.margin_interest

    @cached_property
    def returns(self) -> pd.Series:
        """Simple return of the account over each bar; the first bar's is measured from the starting cash."""
        before = np.concatenate([[self.terms.cash], self.equity.to_numpy()[:-1]])
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.where(before > 0, self.equity.to_numpy() / before - 1.0, 0.0)
        return pd.Series(change, index=self.equity.index, name="returns")

    @cached_property
    def weights(self) -> pd.DataFrame:
        """Market value of each holding as a fraction of equity at each close, (T, N)."""
        values = self.positions * self.bars.close.ffill()
        return values.fillna(0.0).div(self.equity.where(self.equity > 0), axis=0).fillna(0.0)

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Round trips, one row from the first share in to the last one out; a position still held is "open"."""
        return round_trips(self.orders, self.bars, _later_splits(self.case))

    @cached_property
    def order_hash(self) -> str:
        """SHA-256 over every fill (time, symbol, signed quantity, price, commission) to nine significant digits."""
        digest = hashlib.sha256(b"qtw-orders-2\n")
        signed = np.where(self.orders["side"] == "buy", 1.0, -1.0) * self.orders["quantity"].to_numpy()
        stamps = pd.DatetimeIndex(self.orders["time"]).as_unit("ns").asi8
        rows = zip(stamps, self.orders["symbol"], signed, self.orders["price"], self.orders["commission"], strict=True)
        for stamp, symbol, *numbers in rows:
            shown = "|".join(f"{number * _OFF_THE_HALF + 0.0:.{HASH_DIGITS - 1}e}" for number in numbers)
            digest.update(f"{stamp}|{symbol}|{shown}\n".encode())
        return digest.hexdigest()

    @cached_property
    def benchmark(self) -> pd.Series:
        """Equity of buying every symbol in equal parts when first seen and holding, free of cost: the thing to beat."""
        closes = self.case.seen.close.ffill()
        bought = closes.to_numpy()[self.bars.present.argmax(axis=0), np.arange(len(self.bars.symbols))]
        growth = (closes / bought).fillna(1.0)  # until its listing a symbol's part waits as cash
        return pd.Series(growth.mean(axis=1) * self.terms.cash, name="buy and hold")

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know before believing the figures."""
        notes = [*self.remarks, *self.bars.notes]
        if self.terms.execution == "same_close":
            notes.append("optimistic: filled at the very close the decision was made on")
        if self.terms.costs.free:
            notes.append("no costs: real trading is dearer")
        if self.case.terms.path == "optimistic":
            notes.append("optimistic: every ambiguous bar was taken at its best")
        called = self.orders["reason"] == "margin_call"
        if called.any():
            ruined = bool(self.equity.iloc[-1] <= 0) or not (self.equity > 0).all()
            notes.append(
                "ruined: equity fell to zero or below and every position was closed" if ruined
                else f"margin calls: positions were cut by force on {self.orders.loc[called, 'time'].nunique()} bars"
            )  # fmt: skip
        ended = self._ended
        if ended:
            notes.append(f"still held at the last known price, with no bars since: {', '.join(ended)}")
        return tuple(notes)

    @property
    def _ended(self) -> list[str]:
        """Symbols in the book whose bars ended more than ten bars before the others'."""
        late = self.bars.present[-10:].any(axis=0)
        held = self.positions.iloc[-1].to_numpy() != 0
        return [symbol for symbol, gone in zip(self.bars.symbols, held & ~late, strict=True) if gone]

    @cached_property
    def stats(self) -> pd.Series:
        """The figures of `facts` by name, as plain floats; how many trials they are the best of is not among them."""
        numbers = {f.name: f.value for f in self._figures}
        return pd.Series(numbers, dtype=float, name=self.strategy.name)

    def tried(self, trials: int | None = None) -> Tried:
        """What was tried on these bars so far: what the ledger knows, or `trials` independent configurations."""
        from qtw_lab.backtest.tried import Tried

        if trials is None and self.ledger is not None:
            names = {self.bars.fingerprint, self.chosen_on or self.bars.fingerprint}
            known = (self.ledger.tried(name, self.bars.periods_per_year) for name in names)
            return max(known, key=lambda tried: (tried.count, tried.effective))
        return Tried(trials or 1, float(trials or 1))

    def facts(self, trials: int | None = None) -> Facts:
        """The figures of this result with their units and conventions.

        Trial count and deflated Sharpe ratio come first, because every further try makes the best result less
        believable.

        Parameters
        ----------
        trials : int, optional
            How many configurations were tried on this data so far, this one included, taken for independent; by default
            what the ledger counts.
        """
        lead = (
            *self.tried(trials).facts(self.returns),
            Fact("costs", self.terms.costs.describe(), "text", "Costs"),
            Fact("execution", self.terms.execution, "text", "Execution"),
            Fact("data_fingerprint", self.bars.fingerprint[:16], "text", "Data fingerprint"),
            Fact("agreement", self.agreement.text if self.agreement else NOT_VERIFIED, "text", "Second engine"),
        )
        span = Fact("period", f"{self.bars.index[0]:%Y-%m-%d} to {self.bars.index[-1]:%Y-%m-%d}", "text", "Period")
        symbols = Fact("symbols", ", ".join(self.bars.symbols), "text", "Symbols")
        title = f"{self.strategy!r} on {', '.join(self.bars.symbols[:5])}{'...' if len(self.bars.symbols) > 5 else ''}"
        return Facts(title, (*lead, symbols, span, *self._figures), self.notes)

    @cached_property
    def _figures(self) -> tuple[Fact, ...]:
        from qtw_lab.backtest.lanes import walked

        r = self.returns.to_numpy()
        ppy = self.bars.periods_per_year
        run = walked(self.equity.to_numpy()[None], self._counts, self.terms.cash, ppy)
        swept = {name: float(metric(run)[0]) for name, metric in METRICS.items()}  # a sweep's row, to the last bit
        closed = self.trades[self.trades["status"] == "closed"]
        rows: tuple[tuple[str, float, Unit], ...] = (
            *((name, swept[name], unit) for name, unit in _SHARED.items()),
            ("value_at_risk", p.value_at_risk(r), "fraction"),
            ("expected_shortfall", p.expected_shortfall(r), "fraction"),
            ("trades", swept["trades"], "count"),
            ("orders", swept["orders"], "count"),
            ("win_rate", float((closed["pnl"] > 0).mean()) if len(closed) else float("nan"), "fraction"),
            ("profit_factor", p.profit_factor(closed["pnl"].to_numpy()) if len(closed) else float("nan"), "ratio"),
            ("exposure", swept["exposure"], "fraction"),
            ("turnover", swept["turnover"], "ratio"),
            ("costs_paid", swept["costs_paid"], "money"),
            ("cost_drag", swept["cost_drag"], "fraction"),
            ("final_equity", swept["final_equity"], "money"),
            ("benchmark_return", float(self.benchmark.iloc[-1] / self.terms.cash - 1.0), "fraction"),
        )
        parts = [(f"drag_{part}", float(drag), "fraction") for part, drag in self.costs["drag"].items() if drag > 0]
        band: list[tuple[str, float, Unit]] = []
        if not self._certain:
            band = [
                ("ambiguous_trades", self.ambiguous_trades, "fraction"),
                ("optimistic_return", float(self.optimistic.equity.iloc[-1] / self.terms.cash - 1.0), "fraction"),
            ]
        return tuple(
            Fact(name, value, unit, LABELS.get(name, ""), DEFINITIONS.get(name) or p.DEFINITIONS.get(name, ""))
            for name, value, unit in (*rows, *band, *cast("list[tuple[str, float, Unit]]", parts))
        )

    @property
    def _counts(self) -> dict[str, FloatArray]:
        """What the kernel counts while it runs, added up in the order of the fills as there."""
        orders = self.orders
        traded, commission, slippage = (
            float(np.cumsum(column.to_numpy())[-1]) if len(orders) else 0.0
            for column in (orders["quantity"] * orders["price"], orders["commission"], orders["slippage"])
        )
        counts = {
            "orders": len(orders), "trades": len(self.trades), "traded": traded,
            "costs": commission + slippage + self.carry.borrow + self.carry.margin_interest,
            "exposed": int((self.positions.to_numpy() != 0).any(axis=1).sum()),
        }  # fmt: skip
        return {name: np.array([float(count)]) for name, count in counts.items()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the facts, what was run on what, and the hashes that pin data and orders.

        What is saved says whether the second engine agrees: the case is run through it if that has not been done.
        """
        verified = self.verify()
        return {
            **verified.facts().as_dict(),
            "strategy": self.strategy.name,
            "parameters": self.strategy.parameters,
            "order_hash": self.order_hash,
            "data_fingerprint": self.bars.fingerprint,
            "engine": self.engine,
            "agreement": verified.agreement.text if verified.agreement else NOT_VERIFIED,
        }

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        return self.facts()._repr_mimebundle_(**options)

    def __repr__(self) -> str:
        s = self.stats
        return (
            f"Result({self.strategy!r} on {', '.join(self.bars.symbols[:5])}: total return {s['total_return']:.2%}, "
            f"Sharpe {s['sharpe']:.2f}, max drawdown {s['max_drawdown']:.2%}, {s['trades']:.0f} trades, "
            f"costs {self.terms.costs.describe()}, orders {self.order_hash[:12]})"
        )


#: Figures of the equity path alone.
_SHARED: Final[dict[str, Unit]] = {
    "total_return": "fraction", "cagr": "fraction", "volatility": "fraction", "sharpe": "ratio", "sortino": "ratio",
    "max_drawdown": "fraction", "calmar": "ratio",
}  # fmt: skip

#: What people read where the name alone does not say it.
LABELS: Final = {
    "cagr": "Annual growth (CAGR)",
    "sharpe": "Sharpe ratio",
    "sortino": "Sortino ratio",
    "calmar": "Calmar ratio",
    "max_drawdown": "Deepest drawdown",
    "value_at_risk": "Value at risk, 95%, one bar",
    "expected_shortfall": "Expected shortfall, 95%, one bar",
    "trades": "Trades (round trips)",
    "orders": "Orders filled",
    "exposure": "Time in the market",
    "turnover": "Turnover a year",
    "costs_paid": "Costs paid",
    "cost_drag": "Costs a year",
    "benchmark_return": "Buy and hold, before costs",
    "ambiguous_trades": "Ambiguous trades",
    "optimistic_return": "Total return at best",
    **{f"drag_{part}": f"Costs a year: {part.replace('_', ' ')}" for part in PARTS},
}

#: One-line conventions of the figures that are made here; those of `stats.performance` stand there.
DEFINITIONS: Final = {
    "trades": "positions opened, the one still open included",
    "orders": "fills",
    "win_rate": "share of closed trades with a profit after commission",
    "exposure": "share of bars that end with a position",
    "turnover": "half of all amounts traded, over mean equity, a year",
    "costs_paid": "commission, slippage against the quoted price, borrow fees and margin interest",
    "cost_drag": "costs paid over mean equity, a year",
    "final_equity": "cash and positions at the last close",
    "benchmark_return": "equal parts of every symbol, bought when first seen and held, free of cost",
    "ambiguous_trades": "share of trades that depend on whether a bar's high or low came first, taken at their worst",
    "optimistic_return": "the same with every ambiguous bar taken at its best",
    **{f"drag_{part}": f"{what}, over mean equity, a year" for part, what in PARTS.items()},
}


def _order_table(orders: FloatArray, case: Case) -> pd.DataFrame:
    """The kernel's order list for people."""
    from qtw_lab.backtest.rules import REASONS

    bars, quantity, price, quoted = case.bars, orders[:, 2], orders[:, 3], orders[:, 4]
    reasons = [REASONS[code] for code in orders[:, 6].astype(int)]
    for place, owner in enumerate(orders[:, 8].astype(int)):
        if owner >= 0 and reasons[place] == "order":
            reasons[place] = case.orders[owner].reason
    return pd.DataFrame(
        {
            "time": bars.index[orders[:, 0].astype(int)],
            "symbol": pd.array([bars.symbols[j] for j in orders[:, 1].astype(int)], dtype="str"),
            "side": pd.array(np.where(quantity > 0, "buy", "sell"), dtype="str"),
            "quantity": np.abs(quantity),
            "price": price,
            "quoted": quoted,
            "commission": orders[:, 5],
            "slippage": np.abs(quantity) * np.abs(price - quoted),
            "reason": pd.array(reasons, dtype="str"),
            "ambiguous": orders[:, 7] > 0,
        }
    )


def _order_states(states: FloatArray | None, case: Case) -> pd.DataFrame:
    """What became of every order given by hand."""
    from qtw_lab.backtest.desk import STATES

    given = case.orders
    known = np.zeros((len(given), 3)) if states is None else states
    return pd.DataFrame(
        {
            "symbol": pd.array([order.symbol for order in given], dtype="str"),
            "side": pd.array([order.side for order in given], dtype="str"),
            "type": pd.array([order.type for order in given], dtype="str"),
            "quantity": [float(order.quantity) for order in given],
            "state": pd.array([STATES[int(code)] for code in known[:, 0]], dtype="str"),
            "filled": known[:, 1],
            "price": known[:, 2],
        }
    )


def _later_splits(case: Case) -> FloatArray | None:
    """By how much shares have multiplied from each bar to the end, (T, N); None without splits."""
    split = case.market.split
    if not split.size or (split == 1.0).all():
        return None
    return later_splits(split)
