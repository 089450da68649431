"""The figures and tables of a tear sheet: what is asked of `qtw_lab.stats`, and how it is written for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import DataError, Fact, Facts, Timeframe
from qtw_lab.core.facts import Unit
from qtw_lab.ledger import Entry
from qtw_lab.stats import performance as p
from qtw_lab.stats.bootstrap import Interval, bootstrap_interval
from qtw_lab.stats.risk import METHODS

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result

#: What columns of tables measure.
UNITS: Final[Mapping[str, Unit]] = {
    "quantity": "money", "entry_price": "money", "exit_price": "money", "commission": "money", "pnl": "money",
    "return": "fraction", "total_return": "fraction", "cagr": "fraction", "volatility": "fraction",
    "paid": "money", "max_drawdown": "fraction", "depth": "fraction", "strategy": "fraction", "drag": "fraction",
    "buy_and_hold": "fraction", "difference": "fraction", "buy_and_hold_return": "fraction",
    "sharpe": "ratio", "sortino": "ratio", "calmar": "ratio", "final_equity": "money",
}  # fmt: skip

#: Figures that intervals are made for on request.
INTERVALS: Final[Mapping[str, Unit]] = {"sharpe": "ratio", "cagr": "fraction", "max_drawdown": "fraction"}

#: Resamples behind an interval, and the seed they are drawn with.
REPS: Final = 1_000
SEED: Final = 0

#: Execution -> when its fills happen within their bar, as `trade_excursions` asks.
_FILLS: Final[Mapping[str, str]] = {"next_open": "open", "next_close": "close", "same_close": "close"}

_LABELS: Final[Mapping[str, str]] = {
    "skewness": "Skewness", "kurtosis": "Excess kurtosis", "omega": "Omega ratio", "tail_ratio": "Tail ratio",
    "ulcer_index": "Ulcer index", "hit_rate": "Bars with a gain", "best": "Best bar", "worst": "Worst bar",
    "alpha": "Alpha, a year", "tracking_error": "Tracking error, a year", "up_capture": "Up capture, by bar",
    "down_capture": "Down capture, by bar", "batting_average": "Batting average, by bar",
    "expectancy": "Expectancy of a trade",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Track:
    """Returns of an account beside those of buying and holding.

    Parameters
    ----------
    returns, market : Series
        Simple returns of each bar as fractions, on the same times: of the account, and of buying and holding.
    yearly : float
        Bars a year.
    """

    returns: pd.Series
    market: pd.Series
    yearly: float

    @classmethod
    def of(cls, result: Result) -> Track:
        """The returns of a result's bars."""
        held = result.benchmark.to_numpy()
        market = held / np.concatenate([[result.terms.cash], held[:-1]]) - 1.0
        return cls(
            result.returns, pd.Series(market, index=result.returns.index, name="buy and hold"),
            result.bars.periods_per_year,
        )  # fmt: skip

    @classmethod
    def by_day(cls, result: Result) -> Track:
        """The returns of a result's days, compounded from its bars; of its bars where they are days or longer."""
        track = cls.of(result)
        if not result.bars.timeframe.intraday:
            return track
        days = pd.DatetimeIndex(track.returns.index).normalize()
        pair = pd.DataFrame({"returns": 1.0 + track.returns.to_numpy(), "market": 1.0 + track.market.to_numpy()})
        daily = pair.groupby(days).prod() - 1.0
        return cls(daily["returns"], daily["market"], Timeframe(1, "D").periods_per_year(result.bars.calendar))

    @cached_property
    def window(self) -> int:
        """Bars of a rolling figure: a year, or a quarter of the history where that is shorter."""
        return min(round(self.yearly), len(self.returns) // 4)

    @property
    def years(self) -> float:
        """Length in years of bars."""
        return len(self.returns) / self.yearly


def fact(name: str, value: float, unit: Unit = "ratio", label: str = "", definition: str = "") -> Fact:
    """A figure with the label and the convention the house has for it."""
    return Fact(name, value, unit, label or _LABELS.get(name, ""), definition or p.DEFINITIONS.get(name, ""))


def shape(track: Track) -> Facts:
    """The form of the distribution of the bars' returns."""
    r = track.returns
    return Facts(
        "Shape of the distribution",
        (
            fact("best", p.best(r), "fraction"), fact("worst", p.worst(r), "fraction"),
            fact("hit_rate", p.hit_rate(r), "fraction"), fact("skewness", p.skewness(r)),
            fact("kurtosis", p.kurtosis(r)), fact("tail_ratio", p.tail_ratio(r)), fact("omega", p.omega_ratio(r)),
            fact("ulcer_index", p.ulcer_index(r), "fraction"),
        ),
    )  # fmt: skip


def tails(track: Track) -> Facts:
    """Value at risk and expected shortfall of one bar at 95%, by every method."""
    rows = []
    for name, function in (("value_at_risk", p.value_at_risk), ("expected_shortfall", p.expected_shortfall)):
        for method in METHODS:
            machine = name if method == "historical" else f"{name}_{method}"
            label = f"{name.replace('_', ' ').capitalize()}, {method.replace('_', '-')}"
            rows.append(fact(machine, function(track.returns, 0.95, method), "fraction", label))
    return Facts("Tail of one bar, 95%", tuple(rows))


def marks(found: Facts) -> dict[str, float]:
    """Where the historical value at risk and expected shortfall stand in the distribution, by label."""
    values = {"VaR 95%": found["value_at_risk"], "ES 95%": found["expected_shortfall"]}
    return {label: value for label, value in values.items() if isinstance(value, float)}


def against(track: Track) -> Facts:
    """The account measured by buying and holding."""
    r, m, yearly = track.returns, track.market, track.yearly
    return Facts(
        "Against buy and hold",
        (
            fact("alpha", p.alpha(r, m, yearly), "fraction"), fact("beta", p.beta(r, m)),
            fact("correlation", p.correlation(r, m)), fact("information_ratio", p.information_ratio(r, m, yearly)),
            fact("tracking_error", p.tracking_error(r, m, yearly), "fraction"),
            fact("up_capture", p.up_capture(r, m), "fraction"), fact("down_capture", p.down_capture(r, m), "fraction"),
            fact("up_beta", p.up_beta(r, m)), fact("down_beta", p.down_beta(r, m)),
            fact("batting_average", p.batting_average(r, m), "fraction"),
        ),
    )  # fmt: skip


def trading(result: Result) -> Facts:
    """Statistics of the closed round trips."""
    trades = result.trades
    closed = trades[trades["status"] == "closed"]
    held, stats = closed["bars"], {f.name: f for f in result.facts()}
    per_bar: tuple[tuple[str, float, str], ...] = (
        ("holding_mean", float(held.mean()), "mean bars from entry to exit of closed trades"),
        ("holding_median", float(held.median()), "median bars from entry to exit of closed trades"),
        ("holding_longest", float(held.max()), "most bars from entry to exit of a closed trade"),
    )
    return Facts(
        "Closed trades",
        (
            fact("closed_trades", len(closed), "count", "Closed trades", "round trips that ended within the bars"),
            fact("long_share", float((closed["side"] == "long").mean()), "fraction", "Long trades",
                 "closed trades that were long / closed trades"),
            stats["win_rate"], stats["profit_factor"],
            fact("expectancy", p.expectancy(trades), "money"), fact("average_win", p.average_win(trades), "money"),
            fact("average_loss", p.average_loss(trades), "money"), fact("payoff_ratio", p.payoff_ratio(trades)),
            fact("max_consecutive_wins", p.max_consecutive_wins(trades), "count", "Longest run of wins"),
            fact("max_consecutive_losses", p.max_consecutive_losses(trades), "count", "Longest run of losses"),
            *(Fact(name, value, "bars", definition=text) for name, value, text in per_bar),
        ),
    )  # fmt: skip


def excursions(result: Result) -> pd.DataFrame:
    """The closed trades with how far each ran against and for its holder; empty where prices do not say.

    Shares of before and after a split do not compare, so of unadjusted bars with splits nothing is told.
    """
    trades = result.trades[result.trades["status"] == "closed"].reset_index(drop=True)
    if trades.empty or bool((result.case.market.split != 1.0).any()):
        return trades.iloc[:0]
    inside = bool(result.case.orders) or result.terms.entry != Entry()
    fills = "inside" if inside else _FILLS.get(result.terms.execution, "inside")
    return trades.join(p.trade_excursions(trades, result.bars.high, result.bars.low, fills).drop(columns="ambiguous"))


def capacity(result: Result) -> Facts | None:
    """How much capital the trades had room for; None where the bars do not say (no daily bars, no volume, ruin).

    Amounts are taken as fractions of the equity before them, so that a trade late in a grown account counts like an
    early one.
    """
    market = result.bars.volume * result.bars.close
    if str(result.bars.timeframe) != "1D" or result.orders.empty or not (market.fillna(0.0).to_numpy() > 0).any():
        return None
    before = np.concatenate([[result.terms.cash], result.equity.to_numpy()[:-1]])
    if not (before > 0).all():
        return None
    amounts = (result.orders["quantity"] * result.orders["price"]).to_numpy()
    spent = pd.DataFrame({"time": result.orders["time"], "symbol": result.orders["symbol"], "amount": amounts})
    table = spent.pivot_table(index="time", columns="symbol", values="amount", aggfunc="sum")
    traded = table.reindex(index=market.index, columns=market.columns).fillna(0.0).div(before, axis=0)
    found = p.capacity_estimate(traded, market, aum=1.0)
    over = found.over_cap(result.terms.cash)
    return Facts(
        "Capacity",
        (
            Fact("capacity_estimate", found.aum, "money", "Capital with room", p.DEFINITIONS["capacity_estimate"]),
            Fact("over_cap", over, "fraction", "Trades too large at the starting cash",
                 "trades above 10% of the mean daily amount of the 20 bars before, at the starting cash"),
            Fact("unmeasured_trades", found.unmeasured, "count", "Trades not measured",
                 "trades without 20 bars of volume before them"),
        ),
        ("Volume grows over the years, so old trades bind first; amounts are fractions of the equity before the bar.",),
    )  # fmt: skip


def intervals(track: Track) -> dict[str, Interval | str]:
    """A 95% interval of each figure of `INTERVALS` by the stationary bootstrap, or why there is none."""
    found: dict[str, Interval | str] = {}
    for name in INTERVALS:
        try:
            yearly = None if name == "max_drawdown" else track.yearly  # a depth is of no length of a year
            found[name] = bootstrap_interval(track.returns, name, reps=REPS, seed=SEED, periods_per_year=yearly)
        except DataError as err:
            found[name] = str(err)
    return found


def worst_drawdowns(track: Track, most: int = 10) -> pd.DataFrame:
    """The deepest drawdowns: where each begins, turns and ends, how deep and how long it is.

    ``start`` is missing where the high is the starting capital, ``recovery`` where there is none yet.
    """
    table = p.drawdowns(track.returns).head(most)
    return table.rename(columns={"peak": "start", "length": "bars", "rise": "climb"})[
        ["start", "trough", "recovery", "depth", "bars", "fall", "climb", "days"]
    ]


def shown_drawdowns(worst: pd.DataFrame) -> pd.DataFrame:
    """The table of `worst_drawdowns` as text; it says where a high is the starting capital or is not reached again."""
    table = readable(worst)
    table["start"], table["recovery"] = table["start"].fillna("first bar"), table["recovery"].fillna("not yet")
    for name in ("bars", "fall", "climb", "days"):
        table[name] = ["–" if pd.isna(value) else f"{value:,.0f}" for value in table[name]]
    return table


def stretches(table: pd.DataFrame, index: pd.Index) -> pd.DataFrame:
    """Start and end of the drawdowns of `worst_drawdowns` on the time axis, for shading."""
    return pd.DataFrame({"start": table["start"].fillna(index[0]), "end": table["recovery"].fillna(index[-1])})


def by_year(track: Track) -> pd.DataFrame:
    """Returns of every calendar year: the account's, those of buying and holding, and the difference."""
    pair = pd.DataFrame({"strategy": track.returns.to_numpy(), "buy_and_hold": track.market.to_numpy()},
                        index=track.returns.index)  # fmt: skip
    table: pd.DataFrame = p.yearly_returns(pair)
    return table.assign(difference=table["strategy"] - table["buy_and_hold"])


def crises(track: Track) -> pd.DataFrame:
    """The crises the returns cover wholly or partly, beside buying and holding; of part of one nothing is computed."""
    own, market = (p.crisis_table(r, periods_per_year=track.yearly) for r in (track.returns, track.market))
    table = own.assign(buy_and_hold_return=market["return"])[own["coverage"] != "not covered"]
    return table[["first", "last", "coverage", "bars", "return", "buy_and_hold_return", "max_drawdown", "definition"]]


def turnover(result: Result) -> pd.DataFrame:
    """Half of all amounts traded over mean equity, by calendar year; by month where there are at most two years."""
    times = pd.DatetimeIndex(result.orders["time"])
    span = result.equity.index
    monthly = span[-1].year - span[0].year < 2
    name: Callable[[pd.DatetimeIndex], Any] = lambda index: index.strftime("%Y-%m" if monthly else "%Y")  # noqa: E731
    amounts = (result.orders["quantity"] * result.orders["price"]).groupby(name(times)).sum()
    mean = result.equity.groupby(name(pd.DatetimeIndex(span))).mean()
    share = amounts.reindex(mean.index).fillna(0.0) / 2.0 / mean.where(mean > 0)
    return share.rename("turnover").to_frame()


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table as people read it: labels for names, dates without hours, money and fractions as such."""
    columns = {}
    for name in table.columns:
        values, unit = table[name], UNITS.get(str(name))
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            known = values.dropna()
            whole = bool((known == known.dt.normalize()).all())
            text = values.dt.strftime("%Y-%m-%d" if whole else "%Y-%m-%d %H:%M")
            columns[titled(name)] = text.astype(object).where(values.notna(), None)
        elif unit is not None:
            columns[titled(name)] = pd.Series(
                [Fact(str(name), float(v), unit).shown for v in values], index=table.index, dtype=str
            )
        else:
            columns[titled(name)] = values
    return pd.DataFrame(columns, index=table.index)


def titled(name: object) -> str:
    """A machine name as people read it."""
    return str(name).replace("_", " ")
