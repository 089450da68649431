"""The terms of a simulation, checked before it runs."""

import pytest

import qtw_lab as qtw
from qtw_lab.backtest.terms import EXECUTIONS, Terms
from qtw_lab.core import DataError


def test_what_is_not_given_is_free_all_in_and_without_stops():
    terms = Terms.given(None, None, "next_open", 1000.0, None)
    assert terms.costs.free
    assert terms.sizing == qtw.Sizing.all_in()
    assert terms.stops == qtw.Stops()


def test_the_flat_record_carries_every_term():
    costs = qtw.Costs(
        commission_bps=1, commission_per_share=2, commission_min=3, spread_bps=4, slippage_bps=5, impact=6,
        borrow_bps_per_year=7, margin_rate=8,
    )  # fmt: skip
    stops = qtw.Stops(stop_loss=0.1, take_profit=0.2, trailing=0.3)
    rules = Terms.given(costs, qtw.Sizing.fraction(0.5), "same_close", 9.0, stops, 2.0).rules("signals")
    assert rules == (9, 2, False, 3, 0.5, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0.1, 0.2, 0.3)
    assert Terms.given(costs, None, "next_open", 9.0, None).rules("weights").weights


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_every_execution_has_a_number(execution):
    assert Terms.given(None, None, execution, 1.0, None).rules("signals").execution in (0, 1, 2)


@pytest.mark.parametrize("leverage", [0, 0.9, float("inf"), "2", None])
def test_a_leverage_below_one_or_no_number_is_refused(leverage):
    with pytest.raises(DataError, match="leverage"):
        Terms.given(None, None, "next_open", 1000.0, None, leverage)
