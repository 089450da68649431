"""A signal becomes a holding by one of eight rules, and by no other."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.ledger import Sizing
from qtw_lab.ledger.sizing import CODES, MEASURED, target_amount

NO_NUMBER = [True, False, "1", None, [1.0], 1j]


def test_every_rule_is_built_by_its_name():
    assert Sizing.all_in() == Sizing() == Sizing("all_in", 1.0)
    assert Sizing.fixed_cash(5000) == Sizing("fixed_cash", 5000)
    assert Sizing.fixed_shares(10) == Sizing("fixed_shares", 10)
    assert Sizing.fraction(0.5) == Sizing("fraction", 0.5)
    assert Sizing.target_weights(0.02) == Sizing("all_in", 1.0, 0.02)


def test_the_numbers_of_the_rules_are_fixed_because_compiled_code_knows_them():
    assert CODES == {"all_in": 0, "fixed_cash": 1, "fixed_shares": 2, "fraction": 3}


@pytest.mark.parametrize("build", [Sizing.fixed_cash, Sizing.fixed_shares, Sizing.fraction])
@pytest.mark.parametrize("amount", [0, 0.0, -1, math.nan, math.inf, -math.inf, *NO_NUMBER])
def test_an_amount_is_positive_and_finite(build, amount):
    with pytest.raises(DataError, match="must be a positive, finite number"):
        build(amount)


@pytest.mark.parametrize("amount", [1, 0.5, np.int64(2), np.float32(0.5), 5e-324])
def test_an_amount_may_be_any_kind_of_number(amount):
    assert Sizing.fraction(amount).amount == amount


@pytest.mark.parametrize("band", [-0.01, 1, 1.5, math.nan, math.inf, *NO_NUMBER])
def test_a_band_is_a_fraction(band):
    with pytest.raises(DataError, match=r"rebalance_band=.* must be at least 0 and below 1"):
        Sizing.target_weights(band)


@pytest.mark.parametrize("rule", ["martingale", "ALL_IN", "", None, 0, ["all_in"]])
def test_a_rule_that_is_not_known_is_refused_with_those_that_are(rule):
    with pytest.raises(
        DataError, match="use one of all_in, fixed_cash, fixed_shares, fraction, volatility_target, atr_risk"
    ):
        Sizing(rule)


def test_the_rules_that_measure_prices_are_built_by_their_names():
    assert Sizing.volatility_target(0.1) == Sizing("volatility_target", 0.1, 0.02, window=20)
    assert Sizing.atr_risk(0.01) == Sizing("atr_risk", 0.01, window=14, multiple=2.0)
    assert Sizing.kelly(cap=0.5) == Sizing("kelly", 0.5, 0.02, window=252, most=0.5)
    assert Sizing.equal_risk_contribution() == Sizing("equal_risk_contribution", 1.0, 0.02, window=60)
    assert Sizing.equal_risk_contribution(30, 0.0, gross=1.5, shrinkage=0.1).shrinkage == 0.1


def test_no_rule_needs_prices_and_is_a_number_of_the_compiled_engine_at_once():
    assert not set(CODES) & set(MEASURED)
    assert Sizing.kelly().measured
    assert not Sizing.fraction(0.5).measured


def test_a_sizing_shows_what_its_rule_uses_and_can_be_read_back():
    assert repr(Sizing.fraction(0.5)) == "Sizing(rule='fraction', amount=0.5, rebalance_band=0.0)"
    for sizing in (Sizing.all_in(), Sizing.volatility_target(0.1, most=3.0), Sizing.atr_risk(0.02, 3.0, 20, most=0.5),
                   Sizing.kelly(0.25, 100, 2.0), Sizing.equal_risk_contribution(40, shrinkage=0.2)):  # fmt: skip
        assert eval(repr(sizing), {"Sizing": Sizing}) == sizing


MEASURING = {
    "volatility_target": lambda **given: Sizing.volatility_target(**{"annual": 0.1, **given}),
    "atr_risk": lambda **given: Sizing.atr_risk(**{"risk": 0.01, **given}),
    "kelly": Sizing.kelly,
    "equal_risk_contribution": Sizing.equal_risk_contribution,
}


@pytest.mark.parametrize("rule", MEASURING)
@pytest.mark.parametrize("window", [0, -5, 2.5, 20.0, True, "20", None, math.nan])
def test_a_window_is_a_whole_number_of_bars(rule, window):
    with pytest.raises(DataError, match=rf"{rule} needs a window of at least {MEASURED[rule][0]} whole bars"):
        MEASURING[rule](window=window)


@pytest.mark.parametrize("rule", ["volatility_target", "kelly", "equal_risk_contribution"])
def test_one_bar_has_no_deviation(rule):
    with pytest.raises(DataError, match="a window of at least 2"):
        MEASURING[rule](window=1)
    assert Sizing.atr_risk(0.01, window=np.int64(1)).window == 1


@pytest.mark.parametrize(
    ("rule", "name"),
    [("volatility_target", "annual"), ("volatility_target", "most"), ("atr_risk", "risk"), ("atr_risk", "multiple"),
     ("atr_risk", "most"), ("kelly", "fraction"), ("kelly", "cap"), ("equal_risk_contribution", "gross")],
)  # fmt: skip
@pytest.mark.parametrize("value", [0, -0.5, math.nan, math.inf, *NO_NUMBER])
def test_a_number_of_a_measuring_rule_is_positive_and_finite(rule, name, value):
    with pytest.raises(DataError, match="must be a positive, finite number"):
        MEASURING[rule](**{name: value})


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, *NO_NUMBER])
def test_shrinkage_lies_between_none_and_all(value):
    with pytest.raises(DataError, match="must lie between 0 and 1"):
        Sizing.equal_risk_contribution(shrinkage=value)


@pytest.mark.parametrize("rule", ["volatility_target", "kelly", "equal_risk_contribution"])
def test_the_band_of_a_measuring_rule_is_a_fraction(rule):
    with pytest.raises(DataError, match=r"rebalance_band=1\.5 must be at least 0 and below 1"):
        MEASURING[rule](rebalance_band=1.5)


def test_a_sizing_is_frozen():
    with pytest.raises(FrozenInstanceError):
        Sizing().amount = 2.0


@pytest.mark.parametrize(
    ("rule", "amount", "signal", "equity", "symbols", "wanted"),
    [
        ("all_in", 1.0, 1.0, 100_000.0, 4, 25_000.0),
        ("all_in", 1.0, -0.5, 100_000.0, 4, -12_500.0),
        ("fixed_cash", 5_000.0, 1.0, 100_000.0, 4, 5_000.0),
        ("fixed_cash", 5_000.0, -1.0, 1.0, 4, -5_000.0),
        ("fraction", 0.2, 1.0, 100_000.0, 4, 20_000.0),
        ("fraction", 2.0, 0.5, 100_000.0, 4, 100_000.0),
        ("all_in", 1.0, 0.0, 100_000.0, 1, 0.0),
    ],
)
def test_a_signal_calls_for_the_amount_on_paper(rule, amount, signal, equity, symbols, wanted):
    assert target_amount(CODES[rule], amount, signal, equity, symbols) == pytest.approx(wanted, rel=1e-12)


@given(st.sampled_from(["all_in", "fixed_cash", "fraction"]), st.floats(-1, 1), st.floats(1, 1e9), st.integers(1, 500))
def test_the_opposite_signal_calls_for_the_opposite_amount(rule, signal, equity, symbols):
    there, back = (target_amount(CODES[rule], 0.3, way * signal, equity, symbols) for way in (1, -1))
    assert there == -back
    assert there == 0.0 or math.copysign(1.0, there) == math.copysign(1.0, signal)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.floats(1, 1e9))
def test_all_in_never_calls_for_more_than_the_account(signals, equity):
    amounts = [target_amount(CODES["all_in"], 1.0, signal, equity, len(signals)) for signal in signals]
    assert math.fsum(amounts) <= equity * (1 + 1e-12)
