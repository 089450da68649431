import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.venues.backoff import Backoff, Trouble, trouble_of_code

RESET = Trouble("reset by peer")
TAKEN = Trouble("taken", code=406)


@given(st.integers(0, 2**32), st.integers(1, 200))
def test_a_pause_is_never_over_twice_the_one_before_nor_over_the_longest(seed, times):
    backoff = Backoff(seed)
    for attempt in range(times):
        assert 0.0 <= backoff.pause(RESET) <= min(30.0, 0.5 * 2.0**attempt)


def test_pauses_spread_evenly_over_their_range():
    pauses = np.array([Backoff(seed, first=1.0).pause(RESET) for seed in range(2000)])
    assert abs(pauses.mean() - 0.5) < 4 * math.sqrt(1 / 12 / 2000)  # four standard errors of a uniform mean
    assert np.histogram(pauses, bins=4, range=(0, 1))[0].min() > 400


def test_the_same_seed_gives_the_same_pauses():
    first, second = Backoff(7), Backoff(7)
    assert [first.pause(RESET) for _ in range(9)] == [second.pause(RESET) for _ in range(9)]


def test_refusals_are_cooled_down_in_even_steps_up_to_a_minute():
    backoff = Backoff(0)
    assert [backoff.pause(TAKEN) for _ in range(14)] == [*range(5, 65, 5), 60, 60]


def test_a_link_that_was_good_for_a_minute_makes_all_forgotten_and_a_shorter_one_nothing():
    backoff = Backoff(0)
    for _ in range(8):
        backoff.pause(RESET)
        backoff.pause(TAKEN)
    backoff.good(59.9)
    assert backoff.pause(TAKEN) == 45.0
    backoff.good(60.0)
    assert backoff.pause(TAKEN) == 5.0
    assert backoff.pause(RESET) <= 0.5


def test_what_the_other_side_asks_for_comes_on_top_unless_it_is_absurd():
    assert 7.0 <= Backoff(0).pause(Trouble("busy", status=429, wait=7.0)) <= 7.5
    assert Backoff(0).pause(Trouble("busy", status=429, wait=1e9)) <= 300.5
    assert Backoff(0).pause(Trouble("taken", code=406, wait=20.0)) == 20.0


@pytest.mark.parametrize(
    ("trouble", "verdict"),
    [
        (Trouble("", code=402), "fatal"), (Trouble("", code=409), "fatal"), (Trouble("", code=410), "fatal"),
        (Trouble("", code=411), "fatal"), (Trouble("", status=401), "fatal"), (Trouble("", status=403), "fatal"),
        (Trouble("", code=406), "refused"), (Trouble("", status=406), "refused"),
        (Trouble("", code=400), "waiting"), (Trouble("", code=401), "waiting"), (Trouble("", code=403), "waiting"),
        (Trouble("", code=404), "waiting"), (Trouble("", code=405), "waiting"), (Trouble("", code=407), "waiting"),
        (Trouble("", code=408), "waiting"), (Trouble("", code=500), "waiting"), (Trouble("", code=999), "waiting"),
        (Trouble("", status=402), "waiting"), (Trouble("", status=404), "waiting"),
        (Trouble("", status=429), "waiting"), (Trouble("", status=503), "waiting"), (Trouble(""), "waiting"),
    ],
)  # fmt: skip
def test_each_trouble_has_its_verdict(trouble, verdict):
    assert trouble.verdict == verdict
    assert math.isinf(Backoff(0).pause(trouble)) == (verdict == "fatal")


def test_a_code_nobody_knows_is_told_as_it_came():
    assert trouble_of_code(499, "strange").reason == "error 499 (strange)"
    assert trouble_of_code(402, "auth failed").reason.endswith("check ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY")


@pytest.mark.parametrize("given", [{"first": 0.0}, {"most": -1.0}, {"cool_down": math.nan}, {"settled": math.inf}])
def test_figures_that_make_no_sense_are_refused(given):
    with pytest.raises(DataError, match="makes no sense"):
        Backoff(**given)


def test_a_first_pause_over_the_longest_is_refused():
    with pytest.raises(DataError, match="over the longest"):
        Backoff(first=31.0)
