"""Signals: the live board decides what a backtest decides, and says what it holds back and why."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from qtw_lab.core import DataError
from qtw_lab.live.momentum import MomentumThreshold
from qtw_lab.live.profile import checked
from qtw_lab.live.rows import SIGNAL, Flag, gate_text
from qtw_lab.live.signals import SignalBoard, _start
from qtw_lab.strategies import (
    STRATEGIES,
    Blend,
    BuyAndHold,
    EmaCross,
    Macd,
    Pairs,
    Panel,
    RsiReversion,
    SmaCross,
    Strategy,
    TimeSeriesMomentum,
    VolatilityTrend,
    check,
    param,
)

SECOND = 10**9
FREE = checked({"signals": {"min_volume": 0.0}, "engine": {"stale_seconds": 3600.0, "window": "memory"}})
WHOLE = checked({"signals": {"min_volume": 0.0}, "engine": {"stale_seconds": 3600.0, "bar_limit": 5000}})
PROFILE = checked({})


@dataclass(frozen=True)
class Last:
    """A window as the engine has it."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    times: np.ndarray
    flags: np.ndarray
    numbers: np.ndarray

    def part(self, start, stop):
        rows = slice(max(0, start), stop)
        names = ("open", "high", "low", "close", "volume", "times", "flags")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    @property
    def end(self):
        return int(self.times[-1]) + 5 * SECOND

    def flagged(self, row, column, flag):
        flags = self.flags.copy()
        flags[row, column] |= flag
        return replace(self, flags=flags)

    def having(self, **arrays):
        return replace(self, **arrays)


def window(close, volume=20_000.0, numbers=None, spread=0.002):
    close = np.asarray(close, dtype=np.float64)
    close = close[:, None] if close.ndim == 1 else close
    length, width = close.shape
    return Last(
        close,
        close * (1 + spread),
        close / (1 + spread),
        close,
        np.full(close.shape, volume),
        1_700_000_000 * SECOND + np.arange(length, dtype=np.int64) * 5 * SECOND,
        np.zeros(close.shape, dtype=np.uint32),
        np.arange(width) if numbers is None else np.asarray(numbers),
    )


def walk(length, width, seed=0, *, step=0.004, gone=0.0, cents=False):
    rng = np.random.default_rng(seed)
    moves = rng.normal(0.0, step, (length, width)) * (rng.random((length, width)) < 0.8)
    close = 50 * np.exp(np.cumsum(moves, axis=0))
    close = np.round(close, 2) if cents else close
    close[rng.random(close.shape) < gone] = np.nan
    return window(close)


def panel(bars, periods=252.0 * 6.5 * 3600 / 5):
    return Panel(bars.open, bars.high, bars.low, bars.close, bars.volume, bars.times, periods)


def decided(strategy, bars, keep=0, profile=FREE, **rules):
    """Decisions bar by bar from rolling windows."""
    board = SignalBoard(strategy, profile, **rules)
    rows = max(board.rows, keep)
    found = [board.decide(bars.part(t + 1 - rows, t + 1), 0) for t in range(len(bars.close))]
    return np.array([one.decisions for one in found]), np.array([one.stances for one in found])


def carried(decisions):
    """Each column's last finite decision, 0 before the first."""
    stances = np.zeros(decisions.shape)
    for row in range(len(decisions)):
        before = stances[row - 1] if row else np.zeros(decisions.shape[1])
        stances[row] = np.where(np.isnan(decisions[row]), before, decisions[row])
    return stances


SHORTER = {
    "ema_cross": EmaCross(fast=3, slow=12),
    "macd": Macd(fast=4, slow=9, signal=4),
    "rsi_reversion": RsiReversion(window=6, low=35.0, exit=50.0, high=65.0, short=True),
    "time_series_momentum": TimeSeriesMomentum(lookback=30),
    "cross_sectional_momentum": STRATEGIES["cross_sectional_momentum"](lookback=30, skip=3, rebalance="bar"),
    "volatility_trend": VolatilityTrend(lookback=30, window=20),
    "pairs": Pairs(window=20, entry=1.0),
    "blend": Blend(members=(SmaCross(fast=3, slow=9), TimeSeriesMomentum(lookback=9)), target_volatility=0.2, window=9),
    "momentum_threshold": MomentumThreshold(),
}  # fmt: skip


def same(found, expected, strategy):
    """Stances exactly; weights, which are numbers with digits, up to the rounding of the sums they are made from."""
    if strategy.kind == "signals":
        return np.array_equal(found, expected, equal_nan=True)
    return np.allclose(found, expected, rtol=0, atol=1e-15, equal_nan=True)


@pytest.mark.parametrize("name", [*STRATEGIES, "momentum_threshold"])
def test_decisions_from_rolling_windows_are_those_of_the_whole_history(name):
    strategy = SHORTER.get(name) or STRATEGIES[name]()
    bars = walk(420, 2 if name == "pairs" else 20, seed=len(name))
    expected = strategy.decide(panel(bars))
    decisions, stances = decided(strategy, bars)
    assert strategy.memory < 300
    assert same(decisions, expected, strategy)
    assert same(stances, carried(expected), strategy)
    assert np.isfinite(expected).any()


@pytest.mark.parametrize("name", [*STRATEGIES, "momentum_threshold"])
def test_windows_that_reach_back_to_the_first_bar_give_a_backtests_decisions_to_the_last_bit(name):
    """On prices in cents, where averages tie; weights too."""
    strategy = SHORTER.get(name) or STRATEGIES[name]()
    bars = walk(300, 2 if name == "pairs" else 20, seed=11, cents=True)
    decisions, stances = decided(strategy, bars, profile=WHOLE)
    expected = strategy.decide(panel(bars))
    assert np.array_equal(decisions, expected, equal_nan=True)
    assert np.array_equal(stances, carried(expected))


def test_a_strategy_is_shown_all_bars_that_are_kept_or_as_few_as_it_needs():
    strategy = SmaCross(fast=2, slow=5)
    assert SignalBoard(strategy, WHOLE).rows == 5000
    assert SignalBoard(strategy, FREE).rows == SignalBoard(strategy, WHOLE).needed == strategy.memory


def test_a_hole_before_the_memory_matters_to_nobody_who_is_shown_it():
    bars = window(np.linspace(10.0, 11.0, 30)).flagged(10, 0, Flag.HOLE)
    strategy = SmaCross(fast=2, slow=5)
    assert SignalBoard(strategy, WHOLE).decide(bars, bars.end).decisions.tolist() == [1.0]
    near = window(np.linspace(10.0, 11.0, 30)).flagged(-3, 0, Flag.HOLE)
    assert np.isnan(SignalBoard(strategy, WHOLE).decide(near, near.end).decisions).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES)
def test_parity_holds_with_the_parameters_each_strategy_comes_with(name):
    strategy = STRATEGIES[name]()
    bars = walk(900, 2 if name == "pairs" else 20, seed=7)
    assert same(decided(strategy, bars)[0], strategy.decide(panel(bars)), strategy)


@pytest.mark.parametrize("name", ["sma_cross", "rsi_reversion", "donchian_breakout", "momentum_threshold"])
def test_parity_holds_where_bars_are_missing(name):
    strategy = SHORTER.get(name) or STRATEGIES[name]()
    bars = walk(420, 20, seed=3, gone=0.1)
    expected = strategy.decide(panel(bars))
    decisions, stances = decided(strategy, bars, keep=300)
    assert same(decisions, expected, strategy)
    assert same(stances, carried(expected), strategy)


def test_on_prices_in_cents_only_a_tie_of_two_averages_can_be_judged_otherwise():
    """A sliding mean carries the last bit of sums from before the window; two equal means then differ by that bit."""
    bars = walk(900, 20, seed=7, cents=True)
    strategy = SmaCross()
    expected = strategy.decide(panel(bars))
    decisions, _ = decided(strategy, bars)
    other = np.argwhere((decisions != expected) & ~np.isnan(expected))
    assert len(other) <= 5
    for row, column in other:
        cents = np.round(bars.close[row - 49 : row + 1, column] * 100).astype(int)
        assert 5 * cents[-10:].sum() == cents.sum()


def test_only_a_blend_of_members_that_keep_remembers_everything():
    """Of the house's strategies all have a finite memory; a blend has not if a member's NaN means keep."""
    assert [name for name, kind in STRATEGIES.items() if kind().memory is None] == []
    assert MomentumThreshold().memory == 5
    assert Blend(members=(SmaCross(), RsiReversion())).memory is None


class Counting(Strategy):
    """Long while more than half of all bars ever seen rose."""

    def signals(self, prices):
        rose = np.diff(prices.close, axis=0, prepend=np.inf) > 0
        return np.where(np.cumsum(rose, axis=0) * 2 > np.arange(1, len(rose) + 1)[:, None], 1.0, 0.0)


def test_a_strategy_that_remembers_everything_sees_what_is_kept_and_says_so():
    board = SignalBoard(Counting(), FREE)
    assert board.rows == 300
    assert board.caveat == "counting remembers its whole history; here it sees the last 300 bars only."
    assert SignalBoard(SmaCross(), FREE).caveat is None
    bars = walk(350, 3)
    assert np.array_equal(
        board.decide(bars.part(50, 350), 0).decisions, Counting().decide(panel(bars.part(50, 350)))[-1]
    )


# --- the default rule ---------------------------------------------------------------------------------------------


def by_hand(close, lookback, entry, exit_, *, short=True):
    """The rule with its state, as a person would keep it."""
    stance, stances = 0.0, []
    for t in range(len(close)):
        moved = close[t] / close[t - lookback] - 1.0 if t >= lookback else np.nan
        if t > lookback:
            if moved >= entry:
                stance = 1.0
            elif moved <= -entry:
                stance = -1.0 if short else 0.0
            elif (stance > 0 and (moved < exit_ or moved <= 0)) or (stance < 0 and (moved > -exit_ or moved >= 0)):
                stance = 0.0
        stances.append(stance)
    return np.array(stances)


@settings(max_examples=200, deadline=None)
@given(
    ticks=some.lists(some.integers(-4, 4), min_size=1, max_size=80),
    lookback=some.integers(1, 5),
    levels=some.tuples(some.sampled_from([0.005, 0.01, 0.02]), some.sampled_from([0.0, 0.005, 0.01])),
    short=some.booleans(),
)
def test_the_default_rule_is_the_one_with_a_state(ticks, lookback, levels, short):
    close = 100.0 + np.cumsum(ticks) * 0.5
    entry, exit_ = max(levels), min(levels)
    assume(min(close) > 0)
    rule = MomentumThreshold(lookback=lookback, entry=entry, exit=exit_, short=short)
    bars = window(close)
    stances = carried(rule.decide(panel(bars)))[:, 0]
    expected = by_hand(close, lookback, entry, exit_, short=short)
    assert np.array_equal(stances, expected)


def test_the_default_rule_keeps_the_contract_of_every_strategy():
    import pandas as pd

    from qtw_lab.core import Bars

    rng = np.random.default_rng(1)
    dates = pd.date_range("2024-01-01", periods=200, tz="UTC")
    closes = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (200, 3)), axis=0))
    frame = pd.concat(
        [
            pd.DataFrame(
                {"timestamp": dates, "symbol": name, "open": c, "high": c, "low": c, "close": c, "volume": 1.0}
            )
            for name, c in zip("ABC", closes.T, strict=True)
        ]
    )
    report = check(MomentumThreshold(entry=0.02, exit=0.01), Bars.from_frame(frame))
    report.raise_if_broken()


def test_an_exit_above_the_entry_is_refused():
    with pytest.raises(DataError, match=r"exit=0\.01 must not be above entry=0\.005"):
        MomentumThreshold(entry=0.005, exit=0.01)


# --- gates --------------------------------------------------------------------------------------------------------


class Says(Strategy):
    """Gives its number in every bar."""

    value: float = param(default=1.0, low=-1, high=1)

    @property
    def memory(self):
        return 2

    def signals(self, prices):
        return np.full(prices.close.shape, self.value)


def opened(value=1.0, profile=PROFILE, **options):
    """A board whose only symbol has the stance 1, and the window it was decided from."""
    bars = window([10.0, 10.0, 10.0])
    board = SignalBoard(Says(value=1.0), profile, **options)
    board.decide(bars, bars.end)
    assert board.stances(bars.numbers).tolist() == [1.0]
    board.strategy = Says(value=value)
    return board, bars


def gate_of(decided):
    return [gate_text(row["gate"]) for row in decided.signals]


def test_a_change_is_one_row_with_before_and_after():
    bars = window([[10.0, 5.0], [10.0, 6.0]], numbers=[7, 3])
    found = SignalBoard(Says(), PROFILE).decide(bars, bars.end)
    assert found.signals.dtype == SIGNAL
    assert found.signals.tolist() == [
        (5, 7, int(bars.times[-1]), 1.0, 0.0, 1.0, 10.0, b""),
        (5, 3, int(bars.times[-1]), 1.0, 0.0, 1.0, 6.0, b""),
    ]
    table = found.table([f"S{number}" for number in range(8)])
    assert table["symbol"].tolist() == ["S7", "S3"]
    assert table["gate"].tolist() == [None, None]
    assert str(table["time"].iloc[0]) == "2023-11-14 22:13:25+00:00"


def test_a_stance_that_stays_is_no_signal():
    board, bars = opened()
    assert len(board.decide(bars, bars.end).signals) == 0


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("closed", lambda bars: (bars, {"trading": False})),
        ("halted", lambda bars: (bars.flagged(-1, 0, Flag.HALTED), {})),
        ("hole", lambda bars: (bars.flagged(-1, 0, Flag.HOLE), {})),
        ("hole", lambda bars: (bars.flagged(-2, 0, Flag.HOLE), {})),
        ("warm-up", lambda bars: (bars.flagged(-1, 0, Flag.PARTIAL).flagged(-2, 0, Flag.PARTIAL), {})),
        ("stale", lambda bars: (bars.flagged(-1, 0, Flag.EMPTY), {})),
        ("stale", lambda bars: (bars, {"heard": np.array([bars.end - 2_500_000_001])})),
        ("stale", lambda bars: (bars, {"heard": np.array([-1])})),
        ("spread", lambda bars: (bars, {"bid": np.array([10.0]), "ask": np.array([10.03])})),
        ("spread", lambda bars: (bars, {"bid": np.array([10.01]), "ask": np.array([10.0])})),
        ("spread", lambda bars: (bars, {"bid": np.array([np.nan]), "ask": np.array([10.0])})),
        ("spread", lambda bars: (bars, {"bid": np.array([0.0]), "ask": np.array([0.0])})),
        ("volume", lambda bars: (bars.having(volume=np.full((3, 1), 9999.0)), {})),
        ("volume", lambda bars: (bars.having(volume=np.full((3, 1), np.nan)), {})),
    ],
)
def test_each_gate_holds_an_opening_back_and_is_named_once(name, case):
    bars, options = case(window([10.0, 10.0, 10.0]))
    board = SignalBoard(Says(), PROFILE)
    found = board.decide(bars, bars.end, **options)
    assert found.stances.tolist() == [0.0]
    assert gate_of(found) == [name]
    assert found.signals["wanted"].tolist() == [1.0]
    assert len(board.decide(bars, bars.end, **options).signals) == 0
    good = window([10.0, 10.0, 10.0])
    later = board.decide(good, good.end)
    assert later.stances.tolist() == [1.0]
    assert gate_of(later) == [None]


def test_values_at_the_thresholds_pass():
    bars = window([10.0, 10.0, 10.0], volume=10_000.0)
    quote = {"bid": np.array([9.9875]), "ask": np.array([10.0125])}  # 25 of 10,000 parts of the midpoint
    found = SignalBoard(Says(), PROFILE).decide(bars, bars.end, heard=np.array([bars.end - 2_500_000_000]), **quote)
    assert found.stances.tolist() == [1.0]


def test_no_spread_and_no_volume_keeps_a_stance_from_ending():
    board, bars = opened(value=0.0)
    thin = bars.having(volume=np.zeros((3, 1)))
    found = board.decide(thin, thin.end, bid=np.array([5.0]), ask=np.array([15.0]))
    assert found.stances.tolist() == [0.0]
    assert gate_of(found) == [None]


def test_a_reversal_behind_a_wide_spread_ends_flat_and_opens_when_the_spread_is_back():
    board, bars = opened(value=-1.0)
    found = board.decide(bars, bars.end, bid=np.array([5.0]), ask=np.array([15.0]))
    assert found.signals[["stance", "previous", "wanted"]].tolist() == [(0.0, 1.0, -1.0)]
    assert gate_of(found) == ["spread"]
    later = board.decide(bars, bars.end, bid=np.array([10.0]), ask=np.array([10.001]))
    assert later.signals[["stance", "previous"]].tolist() == [(-1.0, 0.0)]


@pytest.mark.parametrize("options", [{"trading": False}, {"heard": np.array([-1])}])
def test_nothing_changes_while_closed_or_stale(options):
    board, bars = opened(value=0.0)
    found = board.decide(bars, bars.end, **options)
    assert found.stances.tolist() == [1.0]
    assert board.decide(bars, bars.end).stances.tolist() == [0.0]


def test_a_decision_that_rests_on_a_hole_is_never_taken_over():
    board, bars = opened(value=-1.0)
    holed = bars.flagged(-1, 0, Flag.HOLE)
    found = board.decide(holed, holed.end)
    assert np.isnan(found.decisions).all()
    assert found.wanted.tolist() == [1.0]
    board.strategy = Says(value=1.0)
    assert board.decide(bars, bars.end).stances.tolist() == [1.0]


def test_a_hole_before_the_memory_does_not_matter():
    bars = window([10.0, 10.0, 10.0]).flagged(0, 0, Flag.HOLE)
    assert SignalBoard(Says(), PROFILE).decide(bars, bars.end).stances.tolist() == [1.0]


def test_a_backfilled_late_or_corrected_bar_is_as_good_as_any():
    bars = window([10.0, 10.0, 10.0]).flagged(-1, 0, Flag.BACKFILL | Flag.LATE | Flag.CORRECTED)
    assert SignalBoard(Says(), PROFILE).decide(bars, bars.end).stances.tolist() == [1.0]


def test_without_times_of_events_the_age_is_that_of_the_last_bar_with_a_trade():
    bars = window([10.0, 10.0, 10.0]).flagged(-1, 0, Flag.EMPTY)
    patient = checked({"engine": {"stale_seconds": 5.0}})
    assert SignalBoard(Says(), patient).decide(bars, bars.end).stances.tolist() == [1.0]
    assert gate_of(SignalBoard(Says(), patient).decide(bars, bars.end + 1)) == ["stale"]


def test_settled_waits_for_the_whole_memory():
    bars = walk(60, 1)
    strategy = EmaCross(fast=2, slow=4)
    expected = strategy.decide(panel(bars))
    plain, waiting = decided(strategy, bars)[0], decided(strategy, bars, settled=True)[0]
    assert np.array_equal(plain, expected, equal_nan=True)
    assert np.isnan(waiting[: strategy.memory - 1]).all()
    assert np.array_equal(waiting[strategy.memory - 1 :], expected[strategy.memory - 1 :])
    assert strategy.memory > strategy.warmup + 1


def test_symbols_keep_their_stance_when_columns_come_and_go():
    board = SignalBoard(Says(), PROFILE)
    bars = window([[10.0, 10.0]] * 3, numbers=[5000, 2])
    board.decide(bars, bars.end)
    board.strategy = Says(value=0.0)
    other = window([[10.0]] * 3, numbers=[2])
    board.decide(other, other.end)
    assert board.stances(np.array([2, 5000, 9])).tolist() == [0.0, 1.0, 0.0]


def test_a_symbol_that_leaves_starts_flat_when_it_comes_back():
    board, bars = opened()
    assert board.forget(np.array([0, 4])).tolist() == [0]
    assert board.stances(np.array([0])).tolist() == [0.0]
    assert board.decide(bars, bars.end).signals["previous"].tolist() == [0.0]


def test_a_restored_board_goes_on_as_if_it_had_not_stopped():
    bars = walk(200, 8, seed=5)
    rule = MomentumThreshold()
    going, first = SignalBoard(rule, FREE), SignalBoard(rule, FREE)
    for t in range(100):
        part = bars.part(t - 4, t + 1)
        going.decide(part, part.end)
        last = first.decide(part, part.end)
    again = SignalBoard(rule, FREE)
    again.restore(bars.numbers, last.wanted, last.stances)
    for t in range(100, 200):
        part = bars.part(t - 4, t + 1)
        a, b = going.decide(part, part.end), again.decide(part, part.end)
        assert np.array_equal(a.signals, b.signals)
        assert np.array_equal(a.stances, b.stances)


def test_weights_are_stances_too():
    bars = walk(60, 4, seed=2)
    strategy = VolatilityTrend(lookback=5, window=5)
    _, stances = decided(strategy, bars)
    assert same(stances, carried(strategy.decide(panel(bars))), strategy)
    assert len(np.unique(stances)) > 20


def test_what_the_strategy_refuses_comes_through():
    bars = walk(80, 3)
    with pytest.raises(DataError, match="trades two symbols"):
        SignalBoard(Pairs(), FREE).decide(bars, bars.end)


@pytest.mark.parametrize(
    "wrong",
    [
        {"close": np.ones((0, 2))},
        {"volume": np.ones((3, 1))},
        {"times": np.arange(2)},
        {"numbers": np.arange(3)},
        {"flags": np.zeros((2, 2), dtype=np.uint32)},
    ],
)
def test_arrays_that_do_not_fit_are_refused(wrong):
    bars = window(np.ones((3, 2))).having(**wrong)
    with pytest.raises(DataError, match="A window needs"):
        SignalBoard(Says(), FREE).decide(bars, 0)


def test_quotes_of_other_symbols_are_refused():
    bars = window(np.ones((3, 2)))
    with pytest.raises(DataError, match="one for each of the 2 symbols"):
        SignalBoard(Says(), FREE).decide(bars, 0, bid=np.ones(3), ask=np.ones(3))


def test_no_symbols_give_no_signals():
    bars = window(np.ones((3, 0)))
    found = SignalBoard(BuyAndHold(), FREE).decide(bars, 0)
    assert found.decisions.shape == found.stances.shape == found.signals.shape == (0,)


def test_the_window_reaches_back_over_missing_bars():
    nan = np.nan
    close = np.array([[1, 1], [1, nan], [1, nan], [1, 1], [nan, 1], [1, 1]])
    assert _start(close, 2, universe=False) == 3  # the first symbol's two last bars are 3 and 5
    assert _start(close, 3, universe=False) == 2
    assert _start(close, 3, universe=True) == 0  # both together have bars 0, 3 and 5
    assert _start(close, 4, universe=False) == 0
    assert _start(close[:4], 2, universe=False) == 0
    assert _start(np.ones((9, 2)), 4, universe=True) == 5
    assert _start(np.ones((9, 2)), None, universe=False) == 0


def test_the_bars_are_not_modified_and_nothing_is_warned_of():
    bars = walk(50, 5, gone=0.3)
    copies = {name: getattr(bars, name).copy() for name in ("close", "volume", "flags")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SignalBoard(SmaCross(fast=2, slow=5), PROFILE).decide(bars, bars.end, bid=np.full(5, np.nan), ask=np.zeros(5))
    assert all(np.array_equal(getattr(bars, name), copy, equal_nan=True) for name, copy in copies.items())
