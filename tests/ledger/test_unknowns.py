"""What is reckoned with something unknown is unknown, and an absurd amount is unknown too."""

from decimal import Decimal

import pytest

from qtw_lab.ledger.unknowns import BEYOND, all_known, larger, less, positive, product, sound

D = Decimal


@pytest.mark.parametrize("amount", [None, D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), BEYOND, -BEYOND])
def test_what_is_no_number_or_absurd_is_unknown(amount):
    assert sound(amount) is positive(amount) is None


def test_amounts_below_the_absurd_are_sound_and_positive_above_zero():
    assert (sound(1 - BEYOND), positive(1 - BEYOND), positive(BEYOND - 1)) == (1 - BEYOND, None, BEYOND - 1)
    assert (sound(D(0)), positive(D(0))) == (D(0), None)


def test_nothing_known_comes_of_something_unknown():
    for one, other in ((None, D(1)), (D(1), None), (None, None)):
        assert product(one, other) is larger(one, other) is None
    assert less(D("NaN"), D(1)) is less(D(1), D("NaN")) is all_known([D(1), None]) is None
    assert (product(D(2), D(3)), larger(D(2), D(3)), less(D(2), D(3)), all_known([])) == (D(6), D(3), D(-1), [])
