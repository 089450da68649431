"""The fast lane must give the very fills of the kernel, and sums that agree with the paths the kernel writes."""

import threading
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as some

import qtw_lab as qtw
from qtw_lab import indicators as ind
from qtw_lab.backtest import lanes
from qtw_lab.backtest.book import BOOK, COMMISSION, FILLS, OPENED, SLIPPAGE, TRADED
from qtw_lab.backtest.kernel import simulate
from qtw_lab.backtest.market import Market
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars
from qtw_lab.indicators.memo import Memo
from qtw_lab.stats.moments import Moments
from qtw_lab.strategies.crossings import Crossing

NAN = float("nan")
YEAR = 252.0
NO_DESK = np.empty((0, 23)), np.zeros((1, 2), dtype=np.int64)

SIZINGS = (
    qtw.Sizing.all_in(),
    qtw.Sizing.fixed_cash(60_000.0),
    qtw.Sizing.fixed_shares(1_500.0),
    qtw.Sizing.fraction(0.6),
)
COSTS = some.builds(
    qtw.Costs,
    commission_bps=some.sampled_from([0.0, 7.0]),
    commission_per_share=some.sampled_from([0.0, 0.01]),
    commission_min=some.sampled_from([0.0, 5.0]),
    commission_per_order=some.sampled_from([0.0, 2.0]),
    sell_fee_bps=some.sampled_from([0.0, 0.3]),
    fees_per_share=some.sampled_from([0.0, 0.002]),
    spread_bps=some.sampled_from([0.0, 5.0]),
    slippage_bps=some.sampled_from([0.0, 2.0]),
)
EXECUTIONS = some.sampled_from(["next_open", "next_close", "same_close", "next_typical"])


def market_of(bars, seed, spread, holes, terms):
    """A random walk with holes, and the bars' own market arrays."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, spread, bars)))
    frame = pd.DataFrame({"open": close * np.exp(rng.normal(0, spread / 3, bars)), "close": close})
    frame["high"], frame["low"] = frame.max(axis=1) * 1.001, frame.min(axis=1) * 0.999
    frame["volume"] = 1e6
    frame.index = pd.date_range("2020-01-01", periods=bars, tz="UTC")
    gone = rng.random(bars) < holes
    gone[[0, -1]] = False
    frame[gone] = NAN
    wide = pd.concat({"X": frame, "Y": frame.ffill()}, axis=1)  # the other symbol keeps the times of the holes
    return Market.of(Bars.from_frame(wide, holes="keep", calendar="XNYS"), terms).column(0)


def stances(bars, accounts, seed, hold, levels):
    """Random decisions (K, T); a share `hold` of them is NaN, the rest changes now and then."""
    rng = np.random.default_rng(seed + 1)
    drawn = rng.choice(levels, (accounts, bars))
    moved = rng.random((accounts, bars)) < rng.choice([0.02, 0.3, 1.0])
    kept = pd.DataFrame(np.where(moved, drawn, NAN)).T.ffill().T.to_numpy()
    return np.where(rng.random((accounts, bars)) < hold, NAN, kept)


def by_kernel(decisions, market, rules):
    """Equity (K, T), positions (K, T) and books of the same accounts, one at a time."""
    bars = decisions.shape[1]
    equity, books = np.empty(decisions.shape), np.empty((len(decisions), BOOK))
    held, cash, none = np.empty((len(decisions), bars, 1)), np.empty(bars), np.empty((0, 9))
    for k, row in enumerate(decisions):
        simulate(market, row[:, None].copy(), NO_DESK[0], NO_DESK[1], rules, books[k], equity[k], cash, held[k], none)
    return equity, held[:, :, 0], books


def assert_same(decisions, market, rules):
    equity, held, books = by_kernel(decisions, market, rules)
    run = lanes.measured(decisions, lanes.Tape.of(market), rules, YEAR)
    np.testing.assert_array_equal(lanes.paths(decisions, lanes.Tape.of(market), rules), equity)
    np.testing.assert_array_equal(run.moments.last, equity[:, -1])
    np.testing.assert_array_equal(run.orders, books[:, FILLS])
    np.testing.assert_array_equal(run.trades, books[:, OPENED])
    np.testing.assert_array_equal(run.traded, books[:, TRADED])
    np.testing.assert_array_equal(run.exposed, (held != 0).sum(axis=1))
    np.testing.assert_allclose(run.costs, books[:, COMMISSION] + books[:, SLIPPAGE], rtol=1e-12, atol=1e-9)
    assert_moments(run.moments, Moments.of(equity, rules.cash))
    return equity, books


def assert_moments(found, expected):
    for name in ("gains", "worst"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12, atol=1e-12, err_msg=name)
    for name in ("squares", "shortfalls", "equity"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-22, err_msg=name)


@settings(deadline=None, max_examples=100)
@given(
    seed=some.integers(0, 2**31),
    bars=some.integers(2, 330),
    holes=some.sampled_from([0.0, 0.15]),
    average=some.sampled_from([ind.sma, ind.ema, ind.wma]),
    windows=some.lists(some.tuples(some.integers(1, 12), some.integers(1, 40)), min_size=1, max_size=9),
    execution=EXECUTIONS,
    costs=COSTS,
    kept=some.booleans(),
)
def test_a_crossing_gives_what_its_array_of_stances_gives(seed, bars, holes, average, windows, execution, costs, kept):
    terms = Terms.given(costs, None, execution)
    market = market_of(bars, seed, 0.02, holes, terms)
    tape, rules = lanes.Tape.of(market), terms.rules("signals")
    fast, slow = np.array(windows).T
    rule = Crossing(average, market.close, fast, slow, np.where(fast % 2, 0.0, -1.0))
    dense = lanes.measured(rule.stances().T, tape, rules, YEAR)
    memo = Memo(10_000_000 if seed % 2 else 3_000, [market.close], threading.Lock())  # with room, and with hardly any
    with memo.used() if kept else nullcontext():
        run = lanes.crossed(rule, tape, rules, YEAR)
    for name in ("orders", "trades", "traded", "costs", "exposed"):
        np.testing.assert_array_equal(getattr(run, name), getattr(dense, name))
    for name in lanes.SUMS:
        np.testing.assert_array_equal(getattr(run.moments, name), getattr(dense.moments, name))


@settings(deadline=None, max_examples=300)
@given(
    seed=some.integers(0, 2**31),
    bars=some.integers(2, 330),
    spread=some.sampled_from([1e-4, 0.02, 0.25]),
    holes=some.sampled_from([0.0, 0.15]),
    hold=some.sampled_from([0.0, 0.5, 0.95]),
    levels=some.sampled_from([(0.0, 1.0), (-1.0, 0.0, 1.0), (-1.0, -0.3, 0.0, 0.5, 1.0)]),
    execution=EXECUTIONS,
    sizing=some.sampled_from(SIZINGS),
    costs=COSTS,
)
def test_every_fill_is_the_kernels(seed, bars, spread, holes, hold, levels, execution, sizing, costs):
    terms = Terms.given(costs, sizing, execution)
    rules = terms.rules("signals")
    market = market_of(bars, seed, spread, holes, terms)
    decisions = stances(bars, 4, seed, hold, levels)
    decisions[:, np.isnan(market.close[:, 0])] = NAN
    assert lanes.fits(rules, market, "signals")
    equity, books = assert_same(decisions, market, rules)
    event("ruined" if (equity <= 0).any() else "solvent")
    event("traded" if books[:, FILLS].any() else "never traded")


def test_a_ruined_account_closes_once_and_stands_still():
    market = market_of(5, 0, 0.01, 0.0, Terms.given())
    close = np.array([[100.0], [100.0], [150.0], [250.0], [50.0]])
    market = market._replace(open=close, high=close, low=close, close=close)
    rules = Terms.given(execution="same_close", cash=1000.0).rules("signals")
    decisions = np.array([[-1.0, -1.0, -1.0, 1.0, 1.0]])
    equity, _ = assert_same(decisions, market, rules)
    # Short 10 shares at 100: 2000 cash less 10 x price; at 250 that is -500, and the account ends.
    assert equity[0].tolist() == [1000.0, 1000.0, 500.0, -500.0, -500.0]
    run = lanes.measured(decisions, lanes.Tape.of(market), rules, YEAR)
    assert (run.orders[0], run.trades[0], run.exposed[0]) == (2, 1, 3)
    assert run.moments.worst[0] == pytest.approx(-1.5)


def test_worked_on_paper():
    market = market_of(4, 0, 0.01, 0.0, Terms.given())
    close = np.array([[10.0], [11.0], [12.0], [9.0]])
    market = market._replace(open=close, high=close, low=close, close=close)
    rules = Terms.given(qtw.Costs(commission_per_order=1.0), execution="same_close", cash=101.0).rules("signals")
    run = lanes.measured(np.array([[1.0, 1.0, 0.0, 0.0]]), lanes.Tape.of(market), rules, YEAR)
    # 10 shares for 100 and a fee of 1; sold at 12 for 120 less 1. Equity 100, 110, 119, 119.
    assert run.moments.last[0] == 119.0
    assert run.moments.equity[0] == 448.0
    assert (run.orders[0], run.trades[0], run.traded[0], run.costs[0], run.exposed[0]) == (2, 1, 220.0, 2.0, 2)
    assert run.moments.worst[0] == pytest.approx(-1 / 101)


@pytest.mark.parametrize("bars", [2, 63, 64, 65, 127, 128, 129, 192, 193])
def test_rows_and_words_of_64_bars_end_where_they_should(bars):
    terms = Terms.given(execution="same_close")
    market = market_of(bars, bars, 0.02, 0.0, terms)
    decisions = np.array([np.arange(bars) % 2, np.arange(bars) == bars - 1, np.arange(bars) < bars - 1], dtype=float)
    assert_same(decisions, market, terms.rules("signals"))


def test_returns_that_hardly_vary_are_summed_anew():
    terms = Terms.given(execution="same_close", cash=1000.0)
    market = market_of(300, 1, 0.01, 0.0, terms)
    rng = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(0.01 + rng.normal(0, 1e-6, 300)))[:, None]
    market = market._replace(open=close, high=close, low=close, close=close)
    assert_same(np.ones((1, 300)), market, terms.rules("signals"))
    same = 100 * 1.01 ** np.arange(300.0)[:, None]
    market = market._replace(open=same, high=same, low=same, close=same)
    run = lanes.measured(np.ones((1, 300)), lanes.Tape.of(market), terms.rules("signals"), YEAR)
    equity = 1000 * 1.01 ** np.arange(300.0)
    expected = Moments.of(equity[None], 1000.0)  # the first bar does not move, so that returns are not all the same
    np.testing.assert_allclose(run.moments.squares, expected.squares, rtol=1e-9)


def test_an_account_does_not_depend_on_its_neighbours():
    terms = Terms.given(qtw.Costs(commission_bps=3))
    market, rules = market_of(200, 3, 0.02, 0.1, terms), terms.rules("signals")
    decisions = stances(200, 40, 3, 0.5, (-1.0, 0.0, 1.0))
    decisions[:, np.isnan(market.close[:, 0])] = NAN
    tape = lanes.Tape.of(market)
    whole = lanes.measured(decisions, tape, rules, YEAR)
    for cut in (slice(0, 1), slice(7, 20), slice(20, 40)):
        part = lanes.measured(decisions[cut], tape, rules, YEAR)
        for name in ("last", "gains", "squares", "shortfalls", "worst", "equity"):
            np.testing.assert_array_equal(getattr(part.moments, name), getattr(whole.moments, name)[cut])


def test_equity_paths_are_measured_the_same_way():
    rng = np.random.default_rng(0)
    for bars in (1, 2, 64, 130):
        paths = 1000 * np.exp(np.cumsum(rng.normal(0, 0.02, (5, bars)), axis=1))
        paths[0] = 1000.0
        paths[1, bars // 2 :] = -20.0
        run = lanes.walked(paths, {"orders": np.arange(5.0)}, 1000.0, YEAR)
        assert run.orders.tolist() == [0, 1, 2, 3, 4]
        assert np.isnan(run.costs).all()
        if bars > 1:
            assert_moments(run.moments, Moments.of(paths, 1000.0))


PLAIN = Terms.given()
OTHER = {
    "weights": (PLAIN, "weights"),
    "a stop": (Terms.given(stops=qtw.Stops(stop_loss=0.1)), "signals"),
    "a target": (Terms.given(stops=qtw.Stops(take_profit=0.1)), "signals"),
    "a trailing stop": (Terms.given(stops=qtw.Stops(trailing=0.1)), "signals"),
    "borrow fees": (Terms.given(qtw.Costs(borrow_bps_per_year=10)), "signals"),
    "margin interest": (Terms.given(qtw.Costs(margin_rate=0.05)), "signals"),
    "cash interest": (Terms.given(qtw.Costs(cash_rate=0.05)), "signals"),
    "market impact": (Terms.given(qtw.Costs(impact=0.5)), "signals"),
    "leverage": (Terms.given(leverage=2.0), "signals"),
    "a cash account": (Terms.given(account=qtw.Account.cash()), "signals"),
    "whole shares": (Terms.given(account=qtw.Account(lot=1)), "signals"),
    "a volume cap": (Terms.given(participation=0.1), "signals"),
    "limit entries": (Terms.given(entry=qtw.Entry.limit(0.01)), "signals"),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_the_lane_cannot_do_is_left_to_the_kernel(name):
    terms, kind = OTHER[name]
    market = market_of(40, 0, 0.02, 0.0, terms)
    assert lanes.fits(PLAIN.rules("signals"), market, "signals")
    assert not lanes.fits(terms.rules(kind), market, kind)


def test_a_term_the_lane_has_never_heard_of_keeps_it_out():
    market, rules = market_of(40, 0, 0.02, 0.0, PLAIN), PLAIN.rules("signals")

    class Later:
        """Tomorrow's rules: those of today and one more."""

        sizing = rules.sizing

        def __init__(self, tax):
            self.tax = tax

        def _asdict(self):
            return rules._asdict() | {"tax": self.tax}

    assert lanes.fits(Later(0.0), market, "signals")
    assert not lanes.fits(Later(0.1), market, "signals")


def test_splits_and_several_symbols_keep_it_out():
    rules = PLAIN.rules("signals")
    market = market_of(40, 0, 0.02, 0.0, PLAIN)
    assert not lanes.fits(rules, market._replace(split=np.ones((40, 1))), "signals")
    assert not lanes.fits(rules, market._replace(close=np.ones((40, 2))), "signals")
    assert not lanes.fits(replace(PLAIN, path="optimistic").rules("weights"), market, "weights")
