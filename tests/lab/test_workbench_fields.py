"""What can be set at the workbench, made from what strategies and the ledger declare."""

import math

import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.lab import workbench_fields as made
from qtw_lab.strategies import STRATEGIES, strategy


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_number_truth_value_and_word_of_a_strategy_can_be_set(name):
    kind = STRATEGIES[name]
    found = {field.name: field for field in made.fields(name)}
    plain = {key for key, entry in kind.declared().items() if isinstance(entry.default, (int, float, str))}
    assert set(found) == plain
    for key, field in found.items():
        entry = kind.declared()[key]
        assert field.default == entry.default
        assert field.kind == {bool: "bool", int: "int", float: "float", str: "choice"}[type(entry.default)]
        bounds = entry.metadata["bounds"]
        assert field.label == bounds.label
        if field.number:
            assert (field.low, field.high) == (bounds.low, bounds.high)
            assert field.low <= field.default <= field.high
            assert field.step > 0


@pytest.mark.parametrize("word", made._WORDS["rebalance"])
def test_every_word_that_is_offered_is_one_the_strategy_takes(word):
    assert strategy("cross_sectional_momentum", rebalance=word).rebalance == word


def test_no_word_that_a_strategy_takes_is_missing():
    with pytest.raises(DataError, match=r"Known: bar, month, quarter, week, year\.$"):
        strategy("cross_sectional_momentum", rebalance="?")
    assert sorted(made._WORDS["rebalance"]) == ["bar", "month", "quarter", "week", "year"]


def test_an_object_gives_its_values_and_a_class_of_ones_own_its_defaults():
    assert [field.default for field in made.fields(strategy("sma_cross", fast=7, short=True))] == [7, 50, True]

    class Mine(qtw.Strategy):
        depth: float = qtw.param(0.5, low=0)

        def signals(self, prices):
            return prices.close * 0

    (field,) = made.fields(Mine)
    assert (field.label, field.high, field.span) == ("depth", math.inf, "≥ 0")


def test_members_of_a_blend_are_set_in_a_notebook():
    assert [field.name for field in made.fields("blend")] == ["target_volatility", "window", "cap"]


def test_near_misses_are_named():
    with pytest.raises(DataError, match="Did you mean 'sma_cross'"):
        made.fields("sma_crss")


@pytest.mark.parametrize(("value", "step"), [(30.0, 1.0), (2.0, 0.1), (0.2, 0.01), (0.0, 1.0), (0.15, 0.01)])
def test_a_step_is_a_tenth_of_the_order_of_size(value, step):
    assert made._number("x", "x", value, 0.0).step == pytest.approx(step)


def test_a_schedule_of_fees_leaves_what_the_market_asks():
    assert [field.name for field in made.cost_fields("alpaca_equities")] == list(made.MARKET)
    assert [field.name for field in made.cost_fields()] == [*made.FEES, *made.MARKET]
    with pytest.raises(DataError, match="schedule of fees"):
        made.cost_fields("nobody")


@pytest.mark.parametrize("rule", made.SIZINGS)
def test_every_rule_of_sizing_has_its_numbers_where_it_stands_by_default(rule):
    usual = made.SIZINGS[rule]
    assert usual.rule == rule
    for field in made.sizing_fields(rule):
        assert getattr(usual, field.name) == field.default


def test_no_rule_of_sizing_is_missing():
    from qtw_lab.ledger.sizing import CODES, MEASURED

    assert set(made.SIZINGS) == {*CODES, *MEASURED}
