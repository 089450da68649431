"""A signal becomes a holding by one of four rules, and by no other."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.ledger import Sizing
from qtw_lab.ledger.sizing import CODES, target_amount

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


@pytest.mark.parametrize("rule", ["kelly", "ALL_IN", "", None, 0, ["all_in"]])
def test_a_rule_that_is_not_known_is_refused_with_those_that_are(rule):
    with pytest.raises(DataError, match="use one of all_in, fixed_cash, fixed_shares, fraction"):
        Sizing(rule)


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
