"""What the laboratory says of the first few worlds; docs/worlds.md has the figures of all of them."""

from __future__ import annotations

import alarms
import edges
import nulls
import worlds as w
from figures import REPS, SINGLE

from qtw_lab.backtest.sweep import sweep
from qtw_lab.research import validate


def hold(figures):
    wrong = [f"{f.name}: {f.measured:.4f} outside {f.low} to {f.high}" for f in figures if not f.holds]
    assert not wrong, "\n".join(wrong)
    return figures


def test_nothing_but_costs_comes_of_trading_a_martingale():
    assert len(hold(nulls.centres(60))) == 2 * len(SINGLE) + 1
    assert len(SINGLE) >= 8


def test_every_engine_trades_these_worlds_alike():
    hold([*nulls.engines(2, ("reference",)), *nulls.engines(1, ("vectorbt",))])


def test_the_p_values_of_one_strategy_without_skill_are_uniform():
    hold(nulls.single_p_values(60))


def test_the_p_values_of_the_best_of_many_without_skill_are_uniform():
    hold([*nulls.many_p_values(20), *nulls.swept_p_values(20)])


def test_choosing_among_tries_without_skill_is_a_lottery():
    hold(nulls.overfitting(20))


def test_the_gates_keep_luck_out():
    hold([*alarms.false_alarms(9), *alarms.false_alarms_alone(15)])


def test_deflation_lets_near_copies_pass_as_often_as_derived():
    hold(alarms.false_alarms_of_copies(40))


def test_whole_verdicts_on_worlds_without_an_edge_are_luck():
    hold(alarms.verdicts_without_edge(3))


def test_a_trend_has_the_derived_ratio_and_is_supported():
    hold([*edges.trend_ratio(60), *edges.gates_with_edge(12), *edges.verdicts_with_edge(2)])


def test_an_edge_that_stands_alone_among_its_parameters_is_not_supported():
    """The edge is real, so that it is not luck that is named: it must be called fragile, for want of a plateau."""
    made = sweep(w.Phase, w.spiked(0, 7), grid={"phase": range(w.PERIOD)}, verify=0)
    report = validate(made, reps=REPS, most=100)
    assert made.best().index[0][0] == 7
    assert report.verdict == "fragile"
    assert report.check("plateau").passed is False
    hold(edges.verdicts_on_spikes(2))


def test_more_tries_leave_less_of_a_sharpe_ratio():
    hold(edges.deflations(2))


def test_one_good_strategy_among_a_hundred_is_found():
    hold(edges.detection(20))
