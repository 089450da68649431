"""The questions of luck, each alone."""

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.sweep import sweep
from qtw_lab.research import luck
from qtw_lab.research.checks import Evidence
from qtw_lab.stats import performance as p
from qtw_lab.stats import significance as g
from tests.research.planted import Follow, Idle, Prophet, bars_of, momentum, noise


def evidence(result, **more) -> Evidence:
    return Evidence(result=result, returns=result.returns.to_frame(), **{"reps": 200, **more})


@pytest.fixture(scope="module")
def planted():
    return bars_of(momentum(0))


def test_a_rule_that_looks_ahead_is_seen_and_an_honest_one_is_not(planted):
    assert luck.look_ahead(evidence(backtest(Prophet, planted))).passed is False
    assert luck.look_ahead(evidence(backtest(Follow, planted))).passed


def test_orders_given_by_hand_decide_nothing_to_look_at(planted):
    order = qtw.Order("X", "buy", 5, planted.index[10])
    check = luck.look_ahead(evidence(backtest(qtw.OrderList([order]), planted)))
    assert (check.passed, check.reason) == (None, "No leak was looked for: it decides nothing itself.")


def test_a_strategy_that_needs_a_long_history_is_given_twice_as_much():
    bars = bars_of(noise(1, bars=4000))
    check = luck.look_ahead(evidence(backtest(qtw.strategies.SmaCross(fast=50, slow=1200), bars)))
    assert check.passed


def test_the_deflated_ratio_is_that_of_the_significance_room(planted):
    swept = sweep(Follow, planted, grid={"lag": range(1, 21)})
    row = swept.best("sharpe").index[0]
    judged = evidence(swept.result(row), sweep=swept, row=row)
    check = luck.deflation(judged)
    known, own = swept.known, swept.result(row).returns.to_numpy()
    figures = {fact.name: fact.value for fact in check.facts}
    expected = g.deflated_sharpe_ratio(own, n_trials=known.count, trial_sharpe_std=known.sharpe_std)
    assert figures["deflated_sharpe"] == pytest.approx(expected, abs=1e-12)
    assert figures["trials"] == known.count == 20
    assert figures["luck_sharpe"] == pytest.approx(
        g.expected_maximum_sharpe(known.count, known.sharpe_std) * np.sqrt(planted.periods_per_year), abs=1e-12
    )
    assert check.passed == (expected >= 0.95)


def test_beta_to_the_market_is_taken_out(planted):
    result = backtest("buy_and_hold", planted)
    check = luck.beats_holding(evidence(result))
    assert check.passed is False
    assert abs(check.facts[-1].value if check.facts else 0.0) < 0.02  # it holds from the second bar on


def test_the_excess_over_holding_is_alpha_by_hand(planted):
    result = backtest(Follow(lag=3), planted)
    check = luck.beats_holding(evidence(result))
    own = result.returns.to_numpy()
    market = result.benchmark.pct_change().fillna(0.0).to_numpy()
    slope, intercept = np.polyfit(market, own, 1)
    assert check.facts[-1].value == pytest.approx(
        (own.mean() - slope * market.mean()) * planted.periods_per_year, abs=1e-9
    )
    assert intercept == pytest.approx(own.mean() - slope * market.mean(), abs=1e-12)


def test_one_result_is_a_contest_of_one(planted):
    result = backtest(Follow, planted)
    check = luck.beats_cash(evidence(result))
    alone = g.spa_test(result.returns.to_numpy()[:, None], reps=200, seed=0)
    assert check.facts[0].value == alone.consistent
    assert "one without an edge" in check.reason
    mean = float(p.total_return(result.returns.to_numpy()))
    assert check.passed == (alone.consistent <= 0.05 and mean > -1)


def test_a_loser_never_passes_however_sure_its_loss():
    bars = bars_of(momentum(4, phi=-0.4))
    check = luck.beats_cash(evidence(backtest(Follow, bars)))
    assert check.passed is False
    assert check.facts[0].value > 0.05


def test_what_never_moved_is_not_judged(planted):
    judged = evidence(backtest(Idle, planted))
    for question in (luck.deflation, luck.beats_cash, luck.beats_holding):
        check = question(judged)
        assert check.passed is False
        assert "did not trade" in check.reason
