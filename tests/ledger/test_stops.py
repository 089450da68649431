"""A stop is a fraction of a price, or off."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from qtw_lab.core import DataError
from qtw_lab.ledger import Stops

NAMES = ("stop_loss", "take_profit", "trailing", "trailing_amount")


def test_every_stop_is_off_unless_given():
    assert Stops() == Stops(stop_loss=None, take_profit=None, trailing=None, trailing_amount=None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.05, 5e-324, 0.999, np.float64(0.05), np.float32(0.05)])
def test_a_stop_is_a_fraction(name, value):
    assert getattr(Stops(**{name: value}), name) == value


def test_a_gain_may_be_more_than_the_whole_price_but_a_loss_may_not():
    assert Stops(take_profit=3).take_profit == 3
    for name in ("stop_loss", "trailing"):
        with pytest.raises(DataError, match=f"{name}=1 must be above 0 and below 1, such as 0.05 for 5%"):
            Stops(**{name: 1})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, 0.0, -0.05, math.nan, math.inf, -math.inf, True, False, "0.05", "5%", [0.05], 1j])
def test_what_is_no_fraction_is_refused(name, value):
    with pytest.raises(DataError, match=f"Stops: {name}="):
        Stops(**{name: value})


def test_an_amount_is_in_account_currency_and_has_no_upper_end():
    assert Stops(trailing_amount=250).trailing_amount == 250
    assert Stops(trailing=0.1, trailing_amount=5.0, stop_loss=0.05).trailing == 0.1
    with pytest.raises(DataError, match="trailing_amount=inf must be above 0 and below inf"):
        Stops(trailing_amount=math.inf)


def test_stops_are_named_and_frozen():
    with pytest.raises(TypeError):
        Stops(0.05)
    with pytest.raises(TypeError):
        Stops(stoploss=0.05)
    with pytest.raises(FrozenInstanceError):
        Stops().stop_loss = 0.1
