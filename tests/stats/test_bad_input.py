"""Every public function of the room with input that has no answer: an error that helps or a stated NaN, never a number.

The list of functions is read from the room, so that a new one must say here what it takes.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

import qtw_lab.stats
from qtw_lab.core import DataError
from qtw_lab.stats import (
    activity,
    bootstrap,
    capacity,
    captures,
    chance,
    columns,
    contests,
    excursions,
    growth,
    intervals,
    moments,
    multiplicity,
    overfitting,
    ratios,
    relative,
    resampling,
    risk,
    rolling,
    sharpe_errors,
    sharpes,
    snooping,
    splits,
    stress,
    trades,
)

BARS = 48
RNG = np.random.default_rng(2)
R = 0.001 + 0.01 * RNG.standard_normal(BARS)
MARKET = 0.5 * R + 0.008 * RNG.standard_normal(BARS)
TABLE = 0.01 * RNG.standard_normal((BARS, 4))
TIMES = pd.bdate_range("2024-01-01", periods=BARS)
PNL = 100 * RNG.standard_normal(BARS)
DATED = pd.Series(R, index=TIMES)
WEIGHTS = pd.Series({"a": 0.5, "b": 0.25, "c": 0.25, "d": 0.0})
YEAR = {"periods_per_year": 252.0}


@dataclass(frozen=True)
class Call:
    """A call that works, and which of its arguments are data, data that may have gaps, numbers and words."""

    valid: Mapping[str, Any]
    data: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()  # NaN has a meaning there
    numbers: tuple[str, ...] = ()  # required or with a default that is no None
    words: tuple[str, ...] = ()
    nothing: tuple[str, ...] = ()  # no rows are a fact there
    dated: bool = False  # takes a Series or a table with labels only
    arrays: bool = False  # takes arrays only
    more: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # further values to be refused


def of_returns(*numbers: str, words: tuple[str, ...] = (), **valid: Any) -> Call:
    return Call({"returns": R, **valid}, data=("returns",), numbers=numbers, words=words)


def beside(*numbers: str, **valid: Any) -> Call:
    return Call({"returns": R, "benchmark": MARKET, **valid}, data=("returns", "benchmark"), numbers=numbers)


def of_trades() -> Call:
    return Call({"trades": PNL}, data=("trades",), nothing=("trades",))


def of_many(*numbers: str, words: tuple[str, ...] = (), data: tuple[str, ...] = (), **valid: Any) -> Call:
    return Call(
        {"returns_matrix": TABLE, **valid}, data=("returns_matrix", *data), numbers=numbers, words=words
    )  # fmt: skip


RESAMPLED = {"reps": 60, "block": 3, "seed": 1}
PATHS = moments.Moments.of(100 * np.cumprod(1 + TABLE.T, axis=1), 100.0)
MOMENTS_YEARLY = Call({"moments": PATHS, **YEAR}, numbers=("periods_per_year",))
MOMENTS_PLAIN = Call({"moments": PATHS})
ROUND_TRIPS = pd.DataFrame(
    {"symbol": ["a"], "side": ["long"], "entry_time": TIMES[:1], "exit_time": TIMES[5:6], "entry_price": [100.0],
     "exit_price": [101.0]}
)  # fmt: skip
HIGH = pd.DataFrame({"a": 100 + RNG.random(BARS), "b": 100 + RNG.random(BARS)}, index=TIMES)
PRICES = {"high": HIGH, "low": HIGH - 2.0}
AMOUNTS = np.abs(TABLE) * 1e5

RESAMPLES = Call({"length": 9, **RESAMPLED}, numbers=("length", "block", "reps", "seed"))

CALLS: dict[Callable[..., Any], Call] = {
    activity.exposure: Call({"positions": TABLE}, data=("positions",)),
    activity.turnover: Call({"traded": TABLE, "equity": np.full(BARS, 9.0), **YEAR}, data=("traded", "equity"),
                            numbers=("periods_per_year",), more={"equity": (TABLE,)}),
    activity.traded_weights: Call({"weights": TABLE, "returns": TABLE}, data=("weights", "returns"),
                                  more={"returns": (TABLE[:, :1], np.full((BARS, 4), -1e9))}),
    resampling.stationary_bootstrap_indices: RESAMPLES,
    resampling.circular_bootstrap_indices: RESAMPLES,
    resampling.block_within: Call({"block": 3, "length": 9}, numbers=("block",)),
    resampling.resample_counts: Call({"indices": np.zeros((2, 3), dtype=int)}, data=("indices",)),
    resampling.optimal_block_length: Call({"x": R}, data=("x",)),
    bootstrap.bootstrap_interval: of_returns("confidence", "reps", "block", "seed", words=("method", "statistic"),
                                             statistic="volatility", confidence=0.9, method="basic", **RESAMPLED,
                                             **YEAR),
    capacity.capacity_estimate: Call({"traded": AMOUNTS, "volume": AMOUNTS, "aum": 1e6, "cap": 0.1, "share": 0.05,
                                      "window": 5}, data=("traded", "volume"), gaps=("volume",),
                                     numbers=("aum", "cap", "share", "window")),
    capacity.impact_cost: Call({"traded": AMOUNTS, "volume": AMOUNTS, "volatility": np.abs(TABLE), "aum": 1e6,
                                "sizes": [1e6], "coefficient": 1.0, "window": 5},
                               data=("traded", "volume", "volatility"), gaps=("volume", "volatility"),
                               numbers=("aum", "coefficient", "window"),
                               more={"sizes": (5.0, "1e6", [0.0], [np.nan], ["1"], [True])}),
    captures.up_capture: beside(), captures.down_capture: beside(), captures.capture_ratio: beside(),
    captures.batting_average: beside(), captures.up_beta: beside(), captures.down_beta: beside(),
    chance.permutation_test: Call({"returns": R, "positions": np.sign(MARKET), "method": "blocks", **RESAMPLED},
                                  data=("returns", "positions"), numbers=("reps", "block", "seed"), words=("method",)),
    chance.random_entry_test: Call({"asset_returns": R, "positions": np.maximum(MARKET, 0.0), "reps": 60, "seed": 1},
                                   data=("asset_returns", "positions"), numbers=("reps", "seed")),
    columns.columns: of_returns(),
    columns.generator: Call({"seed": 1}, numbers=("seed",)),
    columns.number: Call({"name": "x", "value": 1.0},
                         more={"value": (np.nan, np.inf, "1", None, True, 1j, [1.0], 10**400)}),
    columns.whole: Call({"name": "x", "value": 1}, numbers=("value",), more={"value": (0, 1.0)}),
    columns.choice: Call({"name": "x", "value": "a", "known": ["a"]}, words=("value",)),
    excursions.trade_excursions: Call({"trades": ROUND_TRIPS, **PRICES, "fills": "open"}, words=("fills",), more={
        "trades": (None, PNL, ROUND_TRIPS.assign(entry_price=np.nan), ROUND_TRIPS.assign(entry_price=np.inf),
                   ROUND_TRIPS.assign(entry_price="100"), ROUND_TRIPS.assign(entry_price=1j),
                   ROUND_TRIPS.assign(entry_price=True), ROUND_TRIPS.assign(exit_time=pd.NaT),
                   ROUND_TRIPS.assign(exit_time="2024"), ROUND_TRIPS.assign(symbol="z"), ROUND_TRIPS.assign(side=None),
                   ROUND_TRIPS.drop(columns="side"), pd.concat([ROUND_TRIPS, ROUND_TRIPS["side"]], axis=1)),
        "high": (None, HIGH.to_numpy(), HIGH.astype(object), HIGH * np.inf, HIGH * 1j, HIGH > 0, HIGH.shift(freq="1D"),
                 HIGH["a"], HIGH[["a", "a"]], HIGH[["b", "a"]], HIGH * 0.5)}),
    growth.total_return: of_returns(), growth.cagr: of_returns("periods_per_year", **YEAR),
    growth.drawdown_series: of_returns(), growth.max_drawdown: of_returns(), growth.drawdowns: of_returns(),
    growth.calmar_ratio: of_returns("periods_per_year", **YEAR), growth.ulcer_index: of_returns(),
    growth.monthly_returns: Call({"returns": DATED}, data=("returns",), dated=True),
    growth.yearly_returns: Call({"returns": DATED}, data=("returns",), dated=True),
    intervals.performance_intervals: Call(
        {"returns": R, "benchmark": MARKET, "figures": ["sharpe", "beta"], "level": 0.9, **RESAMPLED, **YEAR},
        data=("returns", "benchmark"), numbers=("level", "reps", "block", "seed"), words=("figures",),
        more={"returns": (TABLE,), "figures": ([], ["shrp"], [3], ["win_rate"]), "reps": (19,), "block": (49,)}),
    intervals.trade_intervals: Call({"pnl": PNL, "figures": ["win_rate"], "level": 0.9, "reps": 60, "seed": 1},
                                    data=("pnl",), nothing=("pnl",), numbers=("level", "reps", "seed"),
                                    words=("figures",)),
    moments.total_return: MOMENTS_PLAIN, moments.max_drawdown: MOMENTS_PLAIN, moments.mean_equity: MOMENTS_PLAIN,
    moments.cagr: MOMENTS_YEARLY, moments.volatility: MOMENTS_YEARLY, moments.sharpe_ratio: MOMENTS_YEARLY,
    moments.sortino_ratio: MOMENTS_YEARLY, moments.calmar_ratio: MOMENTS_YEARLY,
    multiplicity.effective_number_of_trials: of_many(words=("method",), method="clusters"),
    multiplicity.trial_clusters: of_many(), multiplicity.trial_sharpe_std: of_many(),
    multiplicity.false_discoveries: Call({"p_values": np.abs(TABLE[:, 0]), "level": 0.05, "method": "holm"},
                                         data=("p_values",), numbers=("level",), words=("method",)),
    overfitting.probability_of_backtest_overfitting: of_many("n_partitions", words=("statistic",), n_partitions=4,
                                                             statistic="sharpe"),
    ratios.volatility: of_returns("periods_per_year", **YEAR),
    ratios.sharpe_ratio: of_returns("periods_per_year", "risk_free", risk_free=0.01, **YEAR),
    ratios.sortino_ratio: of_returns("periods_per_year", "target", target=0.01, **YEAR),
    ratios.omega_ratio: of_returns("threshold", threshold=0.0),
    ratios.value_at_risk: of_returns("level", words=("method",), level=0.95, method="gaussian"),
    ratios.expected_shortfall: of_returns("level", words=("method",), level=0.95, method="filtered"),
    ratios.tail_ratio: of_returns(), ratios.skewness: of_returns(), ratios.kurtosis: of_returns(),
    ratios.hit_rate: of_returns(), ratios.best: of_returns(), ratios.worst: of_returns(),
    relative.beta: beside(), relative.correlation: beside(),
    relative.alpha: beside("periods_per_year", "risk_free", risk_free=0.01, **YEAR),
    relative.tracking_error: beside("periods_per_year", **YEAR),
    relative.information_ratio: beside("periods_per_year", **YEAR),
    risk.tail: Call({"values": TABLE, "level": 0.95, "method": "historical"}, data=("values",), numbers=("level",),
                    words=("method",), arrays=True),
    risk.rescaled: Call({"values": TABLE, "decay": 0.94}, data=("values",), numbers=("decay",), arrays=True),
    risk.standard_moment: Call({"values": TABLE, "order": 3}, data=("values",), numbers=("order",), arrays=True),
    risk.quantile: Call({"values": TABLE, "share": 0.05}, data=("values",), gaps=("values",), numbers=("share",),
                        arrays=True),
    risk.var_coverage_test: Call({"returns": R, "forecasts": MARKET, "level": 0.95}, data=("returns", "forecasts"),
                                 numbers=("level",)),
    rolling.rolling_volatility: of_returns("window", "periods_per_year", window=5, **YEAR),
    rolling.rolling_sharpe: of_returns("window", "periods_per_year", "risk_free", window=5, risk_free=0.0, **YEAR),
    rolling.rolling_sortino: of_returns("window", "periods_per_year", "target", window=5, target=0.0, **YEAR),
    rolling.rolling_drawdown: of_returns("window", window=5),
    rolling.rolling_value_at_risk: of_returns("window", "level", words=("method",), window=5, level=0.9,
                                              method="gaussian"),
    rolling.rolling_beta: beside("window", window=5), rolling.rolling_correlation: beside("window", window=5),
    sharpes.probabilistic_sharpe_ratio: of_returns("benchmark_sharpe", benchmark_sharpe=0.0),
    sharpes.expected_maximum_sharpe: Call({"n_trials": 9, "trial_sharpe_std": 0.1}, numbers=("n_trials",
                                                                                           "trial_sharpe_std")),
    sharpes.deflated_sharpe_ratio: of_returns("n_trials", "trial_sharpe_std", n_trials=9, trial_sharpe_std=0.1),
    sharpes.minimum_track_record_length: of_returns("benchmark_sharpe", "confidence", benchmark_sharpe=0.0,
                                                    confidence=0.95),
    sharpe_errors.sharpe_standard_error: of_returns("lags", words=("method",), method="lo", lags=2),
    sharpe_errors.sharpe_interval: of_returns("confidence", "lags", words=("method",), confidence=0.9,
                                              method="lo", lags=2),
    sharpe_errors.lo_annualisation_factor: of_returns("periods", periods=5),
    snooping.reality_check: of_many("reps", "block", "seed", data=("benchmark",), benchmark=MARKET, **RESAMPLED),
    snooping.spa_test: of_many("reps", "block", "seed", data=("benchmark",), benchmark=MARKET, **RESAMPLED),
    snooping.step_m: of_many("size", "reps", "block", "seed", data=("benchmark",), benchmark=MARKET, size=0.1,
                             **RESAMPLED),
    stress.crisis_table: Call({"returns": DATED, **YEAR}, data=("returns",), numbers=("periods_per_year",), dated=True,
                              more={"periods": (["2008"], stress.CRISES[0], 5, None)}),
    stress.historical_stress: Call(
        {"weights": WEIGHTS, "returns": pd.DataFrame(TABLE, TIMES, WEIGHTS.index), **YEAR}, data=("returns",),
        numbers=("periods_per_year",), dated=True,
        more={"weights": (None, [0.5], WEIGHTS * np.nan, WEIGHTS.astype(object), WEIGHTS > 0, WEIGHTS[["a", "a"]],
                          WEIGHTS.rename({"a": "z"}))}),
    stress.shock: Call({"weights": WEIGHTS, "moves": WEIGHTS}, more={
        name: (None, [0.5], WEIGHTS * np.nan, WEIGHTS * np.inf, WEIGHTS.astype(object), WEIGHTS * 1j, WEIGHTS > 0,
               WEIGHTS[["a", "a"]], WEIGHTS.rename({"a": "z"}), WEIGHTS[:0] if name == "weights" else WEIGHTS[:1])
        for name in ("weights", "moves")}),
    stress.market_shock: Call({"weights": WEIGHTS, "betas": WEIGHTS, "move": -0.1}, numbers=("move",),
                              more={"betas": (WEIGHTS * np.nan, WEIGHTS[["a", "a"]], [1.0])}),
    stress.factor_shock: Call(
        {"weights": WEIGHTS, "exposures": pd.DataFrame({"x": WEIGHTS, "y": WEIGHTS}),
         "moves": pd.Series([0.1, 0.2], ["x", "y"])},
        more={"exposures": (None, WEIGHTS, pd.DataFrame({"x": WEIGHTS}), pd.DataFrame({"x": WEIGHTS, "y": np.nan}),
                            pd.DataFrame({"x": WEIGHTS, "y": WEIGHTS})[["x", "x"]]),
              "moves": (None, pd.Series([0.1], ["x"]), pd.Series([0.1, np.nan], ["x", "y"]))}),
    trades.win_rate: of_trades(), trades.profit_factor: of_trades(), trades.expectancy: of_trades(),
    trades.average_win: of_trades(), trades.average_loss: of_trades(), trades.payoff_ratio: of_trades(),
    trades.max_consecutive_losses: of_trades(), trades.max_consecutive_wins: of_trades(), trades.streaks: of_trades(),
    trades.kelly_fraction: of_trades(), trades.profits: of_trades(),
    trades.expectancy_r: Call({"trades": PNL, "risk": np.full(BARS, 9.0)}, data=("trades", "risk"), gaps=("risk",)),
}  # fmt: skip

#: Classes that are made from what a caller gives.
MADE: dict[Callable[..., Any], Call] = {
    moments.Moments.of: Call({"equity": 100 + TABLE, "start": 100.0}, data=("equity",), numbers=("start",),
                             nothing=("equity",), arrays=True),
    sharpes.TrackRecord: Call({"sharpe": 0.1, "observations": 60, "skewness": 0.0, "kurtosis": 3.0},
                              numbers=("observations", "skewness", "kurtosis"),
                              more={"sharpe": (np.inf, "1", None, True)}),
    splits.WalkForward: Call({"train_size": 9, "test_size": 3, "step": 3, "purge": 1, "embargo": 1},
                             numbers=("train_size", "test_size", "step", "purge", "embargo")),
    splits.PurgedKFold: Call({"n_splits": 3, "label_horizon": 1, "embargo": 0.1},
                             numbers=("n_splits", "label_horizon", "embargo")),
    splits.CombinatorialPurgedCV: Call({"n_groups": 4, "n_test_groups": 2, "label_horizon": 1, "embargo": 0.1},
                                       numbers=("n_groups", "n_test_groups", "label_horizon", "embargo")),
    stress.Period: Call({"name": "x", "first": date(2024, 1, 1), "last": date(2024, 2, 1), "definition": "y"},
                        more={"first": (date(2025, 1, 1), "2024-01-01", None, pd.NaT)}),
}  # fmt: skip

#: Arithmetic on arrays that `columns` has checked: what is NaN or infinite gives NaN, without a warning.
INNER = {
    columns.deviation: lambda bad: columns.deviation(np.column_stack([R, bad])),
    columns.ratio: lambda bad: columns.ratio(bad, bad),
    growth.geometric_rate: lambda bad: growth.geometric_rate(np.array([1.1]), np.array([np.nan])),
}
#: What checks or counts for others, and is examined with them.
CHECKS = {
    columns.numeric, columns.beside, contests.contest_of, contests.p_values, contests.as_good_among_the_rest,
    growth.wealth, sharpe_errors.shape,
}  # fmt: skip


def public(kind: Callable[[Any], bool]) -> set[Any]:
    """Every public function or class of the room, from where it is defined."""
    found = set()
    for module in pkgutil.iter_modules(qtw_lab.stats.__path__):
        home = importlib.import_module(f"qtw_lab.stats.{module.name}")
        found |= {
            thing for name, thing in vars(home).items()
            if kind(thing) and not name.startswith("_") and thing.__module__ == home.__name__
        }  # fmt: skip
    return found


def test_every_public_function_of_the_room_stands_in_a_table():
    assert public(inspect.isfunction) == set(CALLS) | set(INNER) | CHECKS
    answers = {thing for thing in public(inspect.isclass) if "__post_init__" not in vars(thing)}
    assert public(inspect.isclass) - answers == {made for made in MADE if inspect.isclass(made)}


def spoilt(values: Any, *, gaps: bool, nothing: bool, dated: bool, arrays: bool) -> dict[str, Any]:
    """Data of the same length that mean nothing, by what is wrong with them."""
    array = np.asarray(values, dtype=float)
    where = (3,) + (0,) * (array.ndim - 1) if len(array) > 3 else (0,) * array.ndim

    def with_one(value: float) -> Any:
        changed = array.copy()
        changed[where] = value
        return like(changed)

    def like(changed: Any) -> Any:
        if isinstance(values, pd.Series):
            return pd.Series(changed, index=values.index)
        return pd.DataFrame(changed, values.index, values.columns) if isinstance(values, pd.DataFrame) else changed

    bad = {
        "infinite": with_one(np.inf), "below infinite": with_one(-np.inf), "objects": like(array.astype(object)),
        "complex": like(array + 1j), "truth values": like(array > 0), "text": like(array.astype(str)),
        "three dimensions": np.zeros((2, 2, 2)), "a scalar": 0.1, "None": None, "ragged": [[0.1], [0.1, 0.2]],
        "masked": np.ma.masked_array(array, np.arange(array.size).reshape(array.shape) == 1), "words": "returns",
        "NaN": with_one(np.nan), "empty": values[:0],
    }  # fmt: skip
    if gaps:
        del bad["NaN"]
    if nothing:
        del bad["empty"]
    if dated:
        bad |= {"without labels": array, "backwards": values[::-1]}
    if array.ndim == 2 and not arrays:
        bad["columns of one name"] = pd.DataFrame(array, columns=["a"] * array.shape[1])
    return bad


OUTSIDE = {"NaN": np.nan, "infinite": np.inf, "text": "1", "a truth value": True, "complex": 1j, "NumPy's complex":
           np.complex128(1), "a list": [1.0, 2.0], "below": -1e9}  # fmt: skip

CASES = {f"{f.__module__.rpartition('.')[2]}.{f.__qualname__}": (f, call) for f, call in (CALLS | MADE).items()}
each = pytest.mark.parametrize("name", CASES)


def consumed(found: Any) -> Any:
    """The answer, of an iterator all of it."""
    return list(found) if inspect.isgenerator(found) else found


@each
def test_the_call_that_is_spoilt_below_works(name):
    function, call = CASES[name]
    consumed(function(**call.valid))


def refused(function: Callable[..., Any], arguments: Mapping[str, Any], what: str) -> str | None:
    """What is wrong with how the call was refused, if anything."""
    try:
        found = consumed(function(**arguments))
    except DataError as error:
        return None if len(str(error)) > 25 else f"{what}: the message {str(error)!r} helps nobody"
    except Exception as error:  # noqa: BLE001  (that is what the test looks for)
        return f"{what}: {type(error).__name__}: {error}"
    return f"{what}: answered by {str(found)[:60]}"


@each
def test_data_without_a_meaning_are_refused(name):
    function, call = CASES[name]
    faults = []
    for argument in call.data:
        states = {
            "gaps": argument in call.gaps,
            "nothing": argument in call.nothing,
            "dated": call.dated,
            "arrays": call.arrays,
        }
        for what, bad in spoilt(call.valid[argument], **states).items():
            if bad is None and inspect.signature(function).parameters[argument].default is None:
                continue  # it may be left out
            faults.append(refused(function, {**call.valid, argument: bad}, f"{argument}, {what}"))
    assert not [fault for fault in faults if fault]


@each
def test_numbers_and_words_without_a_meaning_are_refused(name):
    function, call = CASES[name]
    bad = [(argument, what, value) for argument in call.numbers for what, value in OUTSIDE.items()]
    free = {"risk_free", "target", "threshold", "benchmark_sharpe", "move", "skewness", "lags"}
    bad = [case for case in bad if not (case[1] == "below" and case[0] in free)]
    bad += [(argument, repr(value), value) for argument in call.words for value in ("nonsense", 3, ["a"], True)]
    bad += [(argument, f"value {k}", value) for argument, values in call.more.items() for k, value in enumerate(values)]
    faults = [
        refused(function, {**call.valid, argument: value}, f"{argument}, {what}") for argument, what, value in bad
    ]
    assert not [fault for fault in faults if fault]


@pytest.mark.parametrize("name", [name for name, (_, call) in CASES.items() if len(call.data) > 1])
def test_bars_that_do_not_match_are_refused(name):
    function, call = CASES[name]
    faults = []
    first, *others = call.data

    def labelled(argument: str, times: pd.Index) -> Any:
        values = call.valid[argument]
        return pd.Series(values, times) if np.ndim(values) == 1 else pd.DataFrame(values, times)

    if name != "trades.expectancy_r":  # a list of risks has no labels
        later = TIMES + pd.Timedelta(days=1)
        faults += [refused(function, {**call.valid, first: labelled(first, TIMES), other: labelled(other, later)},
                           f"{other}, later") for other in others]  # fmt: skip
        backwards = {argument: labelled(argument, TIMES[::-1]) for argument in call.data}
        if not name.startswith("capacity"):  # bars in any order cost the same, but averages look back
            faults.append(refused(function, {**call.valid, **backwards}, "backwards"))
    faults += [
        refused(function, {**call.valid, other: call.valid[other][:-1]}, f"{other}, shorter") for other in others
    ]
    assert not [fault for fault in faults if fault]


@pytest.mark.parametrize("bad", [np.full(BARS, np.nan), np.where(R > 0, np.inf, -np.inf), np.full(BARS, np.inf)])
@pytest.mark.parametrize("inner", INNER.values(), ids=[f.__name__ for f in INNER])
def test_inner_arithmetic_answers_nan_with_nan(inner, bad):
    assert np.isnan(np.asarray(inner(bad))).any()


COMPOUNDING = [
    growth.total_return, growth.max_drawdown, growth.ulcer_index, growth.drawdown_series, lambda r: growth.cagr(r, 252),
    lambda r: growth.calmar_ratio(r, 252), lambda r: captures.up_capture(r, r),
]  # fmt: skip


@pytest.mark.parametrize("figure", COMPOUNDING)
def test_returns_in_percent_that_no_float_can_compound_are_named_as_such(figure):
    with pytest.raises(DataError, match="percent"):
        figure(np.tile([1.2, 3.0, 0.5], 3000))


def still(values: Any) -> Any:
    """Data of the same shape and labels that never vary."""
    return (
        values * 0 + 0.001
        if isinstance(values, (pd.Series, pd.DataFrame))
        else np.full_like(values, 0.001, dtype=float)
    )


def kind_of(answer: Any) -> str:
    """What an answer is: "number", "NaN" (everywhere), or the type of a table or a record."""
    if isinstance(answer, (int, float, np.ndarray)):
        numbers = np.asarray(answer, dtype=float)
        return "NaN" if np.isnan(numbers).all() else "number"
    return type(answer).__name__


#: What has a number for returns (trades, positions, amounts) that never vary: a sum, a mean, a spread of zero, a share.
STILL = """
activity.exposure activity.turnover activity.traded_weights captures.up_capture captures.batting_average
growth.total_return growth.cagr growth.drawdown_series growth.max_drawdown growth.ulcer_index ratios.volatility
ratios.omega_ratio ratios.value_at_risk ratios.expected_shortfall ratios.tail_ratio ratios.hit_rate ratios.best
ratios.worst relative.tracking_error risk.rescaled risk.quantile rolling.rolling_volatility rolling.rolling_drawdown
rolling.rolling_value_at_risk trades.win_rate trades.profit_factor trades.expectancy trades.average_win
trades.max_consecutive_losses trades.max_consecutive_wins trades.profits trades.expectancy_r
"""
#: What has one for a single bar or trade, here a loss: sums, shares and extremes, but no spread.
ONE = """
activity.exposure activity.turnover activity.traded_weights resampling.resample_counts captures.down_capture
captures.batting_average growth.total_return growth.cagr growth.drawdown_series growth.max_drawdown growth.ulcer_index
ratios.omega_ratio ratios.tail_ratio ratios.hit_rate ratios.best ratios.worst risk.quantile trades.win_rate
trades.profit_factor trades.expectancy trades.average_loss trades.max_consecutive_losses trades.max_consecutive_wins
trades.profits trades.expectancy_r
"""
#: What answers with a table or a record, whose own tests say what is NaN in it.
RECORDS = """
BlockLength Capacity Columns CoverageTest DataFrame FalseDiscoveries Moments RealityCheck Series SharpeInterval Stepwise
SuperiorAbility Tail
"""


@pytest.mark.parametrize("name", [name for name, (_, call) in CASES.items() if call.data])
@pytest.mark.parametrize(("change", "numbers"), [(still, STILL), (lambda v: v[:1], ONE)], ids=["still", "one"])
def test_data_that_say_little_give_an_error_a_stated_nan_or_a_number_that_they_do_have(name, change, numbers):
    function, call = CASES[name]
    data = {argument: change(call.valid[argument]) for argument in call.data}
    try:
        kind = kind_of(consumed(function(**{**call.valid, **data})))
    except DataError as error:
        kind = "error" if len(str(error)) > 25 else f"the message {str(error)!r} helps nobody"
    assert kind in {"error", "NaN", "number", *RECORDS.split()}
    assert kind in RECORDS.split() or (kind == "number") == (name in numbers.split())
