from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import Bars, DataError
from qtw_lab.research.walkforward import walk_forward
from qtw_lab.stats import performance as p
from qtw_lab.stats.splits import WalkForward
from qtw_lab.strategies import Panel, SmaCross, Strategy, param

GRID = {"fast": [2, 4, 8], "slow": [10, 20]}
COSTS = qtw.Costs(commission_bps=5, spread_bps=2)


class Lean(Strategy):
    """Long, flat or short throughout, as told."""

    side: int = param(0, low=-1, high=1)

    def signals(self, prices: Panel):
        return np.ones_like(prices.close) * self.side


class OneShot(Strategy):
    """Decides once, at the bar of that number, and keeps that stance."""

    holds = True
    at: int = param(0, low=0, high=1000)

    def signals(self, prices: Panel):
        bars = np.arange(len(prices.close))[:, None]
        return np.where(bars == self.at, 1.0, np.nan * prices.close)


@pytest.fixture(scope="module")
def bars(bars_of) -> Bars:
    rng = np.random.default_rng(11)
    steps = rng.normal(0.0005, 0.012, 320) + 0.004 * np.sin(np.arange(320) / 9)
    return bars_of(X=100 * np.exp(np.cumsum(steps)))


@pytest.fixture(scope="module")
def pair(bars_of) -> Bars:
    rng = np.random.default_rng(12)
    steps = rng.normal(0.0005, 0.012, (320, 2)) + 0.004 * np.sin(np.arange(320)[:, None] / [9, 14])
    closes = 100 * np.exp(np.cumsum(steps, axis=0))
    return bars_of(X=closes[:, 0], Y=closes[:, 1])


@pytest.fixture(scope="module")
def walked(bars):
    return walk_forward(SmaCross, bars, grid=GRID, train=120, test=50, costs=COSTS)


def changed_after(bars: Bars, place: int) -> Bars:
    """The same bars up to `place`, others from there on."""
    factor = np.ones(len(bars))
    factor[place:] = np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.05, len(bars) - place)))
    values = {name: array * (1.0 if name == "volume" else factor[:, None]) for name, array in bars.values.items()}
    return replace(bars, values=values)


def test_each_window_is_the_best_row_of_a_sweep_over_its_training_bars(walked, bars):
    assert len(walked.windows) == 4
    for k, window in walked.windows.iterrows():
        training = bars.head(120 + 50 * k).tail(120)
        assert (training.index[0], training.index[-1]) == (window["train_start"], window["train_end"])
        s = qtw.sweep(SmaCross, training, grid=GRID, metrics=["sharpe"], costs=COSTS)
        best = s.best("sharpe")
        assert best.index[0][:2] == (window["fast"], window["slow"])
        assert window["in_sample"] == pytest.approx(best["sharpe"].iloc[0], rel=1e-12)
        assert window["trials"] == s.trials == 6
    assert walked.trials == 24


def test_out_of_sample_figures_are_those_of_the_joined_returns(walked, bars):
    pd.testing.assert_index_equal(walked.returns.index, bars.index[120:320])
    np.testing.assert_allclose(walked.equity, 100_000 * (1 + walked.returns).cumprod())
    for k, window in walked.windows.iterrows():
        part = walked.returns.iloc[50 * k : 50 * k + 50]
        assert (part.index[0], part.index[-1]) == (window["test_start"], window["test_end"])
        assert window["out_of_sample"] == pytest.approx(p.sharpe_ratio(part, bars.periods_per_year))
    assert walked.stats["sharpe"] == pytest.approx(p.sharpe_ratio(walked.returns, bars.periods_per_year))
    assert walked.stats["total_return"] == pytest.approx(walked.equity.iloc[-1] / 100_000 - 1)
    means = walked.windows[["in_sample", "out_of_sample"]].mean()
    assert walked.efficiency == pytest.approx(means["out_of_sample"] / means["in_sample"])
    assert walked.stats["benchmark_return"] == pytest.approx(bars.close["X"].iloc[-1] / bars.close["X"].iloc[119] - 1)


def test_nothing_is_traded_before_the_test_and_the_first_order_fills_in_its_first_bar(bars):
    wf = walk_forward(Lean, bars, grid={"side": [1]}, train=120, test=50, metric="cagr")
    assert wf.result.orders["time"].tolist() == [bars.index[120]]
    assert wf.result.bars.index[0] == bars.index[119]


@pytest.mark.parametrize("place", [170, 171, 220, 300])
def test_what_comes_after_a_window_changes_nothing_in_it(walked, bars, place):
    """Bars from `place` on are others: returns before it, and choices made before it, are the same."""
    other = walk_forward(SmaCross, changed_after(bars, place), grid=GRID, train=120, test=50, costs=COSTS)
    early = walked.returns.index < bars.index[place]
    np.testing.assert_array_equal(walked.returns[early], other.returns[early])
    assert not np.array_equal(walked.returns[~early], other.returns[~early])
    known = walked.windows["train_end"] < bars.index[place]
    names = ["fast", "slow", "in_sample"]
    pd.testing.assert_frame_equal(walked.windows.loc[known, names], other.windows.loc[known, names])


def test_a_history_cut_at_a_window_gives_the_same_windows(walked, bars):
    """What a live user knew at the end of the second test block."""
    short = walk_forward(SmaCross, bars.head(220), grid=GRID, train=120, test=50, costs=COSTS)
    np.testing.assert_array_equal(short.returns, walked.returns.iloc[:100])
    pd.testing.assert_frame_equal(short.windows, walked.windows.iloc[:2])


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"execution": "next_close"},
        {"execution": "same_close"},
        {"stops": qtw.Stops(stop_loss=0.03, trailing=0.05)},
        {"sizing": qtw.Sizing.volatility_target(0.1)},
        {"sizing": qtw.Sizing.atr_risk(0.01)},
        {"costs": qtw.Costs(commission_bps=5, impact=0.3)},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["sma_cross", "rsi_reversion", "donchian_breakout"])
def test_one_point_and_anchored_windows_give_a_plain_backtest(bars, name, terms):
    """With one symbol and one combination, from the first close where both are flat, to 1e-9 a bar (impact: 1e-6).

    Until then the plain account holds what it bought before, at another price and size; positions are carried over
    every later border, so nothing differs there. Impact depends on the money traded, so the walk-forward
    begins with the plain account's cash; by the first common close they are not quite of one size.
    """
    strategy = qtw.strategies.strategy(name)
    first = next(iter(strategy.parameters))
    given = {"costs": COSTS, **terms}
    plain = qtw.backtest(strategy, bars, **given)
    wf = walk_forward(
        strategy, bars, grid={first: [strategy.parameters[first]]}, splits=WalkForward(120, 50, anchored=True),
        cash=float(plain.equity.iloc[119]), **given, metric="total_return",
    )  # fmt: skip
    held = (plain.positions["X"].iloc[119:] != 0) | (wf.result.positions["X"] != 0)
    begin = int(np.argmin(held.to_numpy()))
    assert begin < 60
    assert (~held).any()
    near = 1e-6 if "impact" in wf.terms.costs.describe() else 1e-9
    np.testing.assert_allclose(wf.returns.iloc[begin + 1 :], plain.returns.iloc[121 + begin :], atol=near)


def test_from_the_first_fill_on_an_all_in_account_equals_the_plain_one(bars):
    """Both wholly in the market: only the first test bar, entered at its open, differs."""
    plain = qtw.backtest(Lean(side=1), bars)
    wf = walk_forward(Lean, bars, grid={"side": [1]}, train=120, test=50)
    np.testing.assert_allclose(wf.returns.iloc[1:], plain.returns.iloc[121:], atol=1e-12)
    assert len(wf.result.orders) == 1


def test_a_position_is_carried_over_borders_and_costs_nothing_there(bars):
    wf = walk_forward(Lean, bars, grid={"side": [1]}, train=120, test=50, costs=qtw.Costs(commission_bps=100))
    assert wf.windows.shape[0] == 4
    assert wf.stats["trades"] == 1
    assert wf.returns.iloc[0] == pytest.approx(
        (1 - 0.01 / 1.01) * bars.close["X"].iloc[120] / bars.open["X"].iloc[120] - 1
    )


def test_at_the_same_close_the_first_return_holds_the_price_of_entering(bars):
    """Bought at the close before the test: the first bar earns its move less a commission of 1% of what was bought."""
    costs = qtw.Costs(commission_bps=100)
    wf = walk_forward(Lean, bars, grid={"side": [1]}, train=120, test=50, costs=costs, execution="same_close")
    close = bars.close["X"]
    assert wf.returns.iloc[0] == pytest.approx(close.iloc[120] / close.iloc[119] / 1.01 - 1)
    assert wf.equity.iloc[-1] == pytest.approx(100_000 * (1 + wf.returns).prod())


def test_new_parameters_take_over_the_stance_they_last_decided(bars_of):
    """Ups then downs: long is chosen in the first window, short from the second on, and turned at its first open."""
    up, down = 100 * 1.01 ** np.arange(30), 100 * 1.01**29 * 0.99 ** np.arange(1, 31)
    noise = 1 + 0.001 * (np.arange(60) % 3)
    bars = bars_of(X=np.concatenate([up, down]) * noise)
    wf = walk_forward(Lean, bars, grid={"side": [-1, 1]}, train=20, test=20)
    assert wf.windows["side"].tolist() == [1, -1]
    assert wf.result.orders["time"].tolist() == [bars.index[20], bars.index[40]]
    assert wf.result.positions["X"].iloc[-1] < 0


def test_parameters_that_decided_long_before_the_test_are_not_blind_in_it(bars_of):
    """The only decision falls on bar 3, long before the test; a live user would hold."""
    bars = bars_of(X=100 * 1.01 ** np.arange(40) * (1 + 0.001 * (np.arange(40) % 3)))
    wf = walk_forward(OneShot, bars, grid={"at": [3]}, splits=WalkForward(20, 10, anchored=True))
    assert wf.result.orders["time"].tolist() == [bars.index[20]]


def test_parameters_that_never_decided_are_flat_after_a_border(bars_of):
    """While prices fall, never deciding (there is no bar 200) loses least: the old stance must not be kept."""
    closes = np.concatenate([100 * 1.01 ** np.arange(20), 100 * 1.01**19 * 0.99 ** np.arange(1, 21)])
    bars = bars_of(X=closes * (1 + 0.001 * (np.arange(40) % 3)))
    wf = walk_forward(OneShot, bars, grid={"at": [2, 200]}, train=10, test=10, metric="total_return")
    assert wf.windows["at"].tolist() == [2, 2, 200]
    assert wf.result.orders["time"].tolist() == [bars.index[10], bars.index[30]]
    assert wf.result.positions["X"].iloc[-1] == 0.0


def test_the_account_agrees_with_the_second_engine(pair):
    """Impact and measured sizes look back at bars before the first test; both engines must be given them."""
    wf = walk_forward(
        SmaCross, pair, grid=GRID, train=120, test=50, sizing=qtw.Sizing.volatility_target(0.2),
        costs=qtw.Costs(commission_bps=5, impact=0.3, cash_rate=0.02, borrow_bps_per_year=50),
    )  # fmt: skip
    assert wf.result.verify().agreement.agrees
    assert len(wf.result.orders) > 50


def test_several_symbols_are_traded_with_one_set_by_the_mean_over_their_accounts(pair):
    wf = walk_forward(SmaCross, pair, grid=GRID, train=120, test=50)
    first = qtw.sweep(SmaCross, pair.head(120), grid=GRID, metrics=["sharpe"]).table["sharpe"]
    best = first.groupby(level=["fast", "slow"]).mean().idxmax()
    assert tuple(wf.windows.loc[0, ["fast", "slow"]]) == best
    assert wf.windows.loc[0, "trials"] == 12
    book = qtw.backtest(SmaCross(fast=best[0], slow=best[1]), pair.head(120))
    assert wf.windows.loc[0, "in_sample"] == pytest.approx(book.stats["sharpe"])


def test_a_symbol_listed_after_a_training_window_does_not_vote_in_it(bars, bars_of):
    late = np.where(np.arange(320) < 130, np.nan, bars.close["X"].to_numpy()[::-1])
    both = bars_of(X=bars.close["X"].to_numpy(), Y=late)
    wf, alone = (walk_forward(SmaCross, b, grid=GRID, train=120, test=50) for b in (both, bars))
    assert wf.windows.loc[0, ["fast", "slow"]].tolist() == alone.windows.loc[0, ["fast", "slow"]].tolist()
    assert (wf.result.positions["Y"] != 0).any()


def test_stability_by_hand(walked):
    """Choices 2, 8, 8 of three values and 10, 20, 20 of two: one of two borders changed."""
    windows = walked.windows.iloc[:3].assign(fast=[2, 8, 8], slow=[10, 20, 20])
    found = replace(walked, windows=windows).stability
    assert found.loc["fast"].tolist() == [2, 0.5, 0.5]
    assert found.loc["slow"].tolist() == [2, 0.5, 0.5]
    near = replace(walked, windows=windows.assign(fast=[2, 4, 8])).stability
    assert near.loc["fast"].tolist() == [3, 1.0, 0.5]
    assert replace(walked, windows=windows.iloc[:1]).stability["changed"].isna().all()


def test_efficiency_is_undefined_where_training_promised_nothing(walked):
    windows = walked.windows.assign(in_sample=-1.0)
    assert np.isnan(replace(walked, windows=windows).efficiency)
    windows = walked.windows.assign(in_sample=[2.0, 2.0, 2.0, 9.0], out_of_sample=[1.0, 1.0, 1.0, np.nan])
    assert replace(walked, windows=windows).efficiency == 0.5


def test_facts_state_trials_first_and_what_was_charged_on_which_data(walked, bars):
    facts = walked.facts()
    assert [fact.name for fact in facts][:4] == ["trials", "deflated_sharpe", "costs", "execution"]
    assert facts["trials"] == 24
    assert facts["data_fingerprint"] == bars.fingerprint[:16]
    assert facts["costs"] == COSTS.describe()
    assert any("further trial" in note for note in facts.notes)
    assert "no costs" in " ".join(walk_forward(Lean, bars, grid={"side": [1]}, train=120, test=50).facts().notes)
    assert "4 windows by sharpe, 24 trials" in repr(walked)


def test_a_purge_leaves_a_gap_that_nobody_trains_on(bars):
    wf = walk_forward(SmaCross, bars, grid=GRID, splits=WalkForward(100, 50, purge=20))
    places = bars.index.get_indexer(wf.windows["test_start"]) - bars.index.get_indexer(wf.windows["train_end"])
    assert set(places) == {21}


def test_windows_that_make_no_history_are_refused(bars):
    with pytest.raises(DataError, match="splits=WalkForward"):
        walk_forward(SmaCross, bars, grid=GRID)
    with pytest.raises(DataError, match="splits=WalkForward"):
        walk_forward(SmaCross, bars, grid=GRID, splits=WalkForward(120, 50), train=120)
    with pytest.raises(DataError, match="overlap or have gaps"):
        walk_forward(SmaCross, bars, grid=GRID, splits=WalkForward(120, 50, step=25))
    with pytest.raises(DataError, match="too few for one window"):
        walk_forward(SmaCross, bars, grid=GRID, train=300, test=50)
    with pytest.raises(DataError, match="metric to choose by"):
        walk_forward(SmaCross, bars, grid=GRID, train=120, test=50, metric="trades")
    with pytest.raises(DataError, match="Bars are needed"):
        walk_forward(SmaCross, bars.close, grid=GRID, train=120, test=50)
    with pytest.raises(DataError, match="none traded"):
        walk_forward(Lean, bars, grid={"side": [0]}, train=120, test=50)
    with pytest.raises(DataError, match="needs at least"):
        walk_forward(SmaCross, bars, grid={"slow": [200]}, train=120, test=50)


def test_a_training_sweep_that_is_interrupted_stops_the_walk(bars, monkeypatch):
    from qtw_lab.research import walkforward as module

    whole = module.sweep

    def cut_short(*args, **kwargs):
        return replace(whole(*args, **kwargs), trials=1)

    monkeypatch.setattr(module, "sweep", cut_short)
    with pytest.raises(KeyboardInterrupt):
        walk_forward(SmaCross, bars, grid=GRID, train=120, test=50)
