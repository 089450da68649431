"""An entry is a kind of order, a distance and a life, each refused by name where it makes no sense."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from qtw_lab.core import DataError
from qtw_lab.ledger import Entry


def test_an_entry_is_at_the_market_unless_given():
    assert Entry() == Entry.market() == Entry("market", 0.0, 0.0, None, day=False)


def test_each_kind_carries_its_distances_and_life():
    assert Entry.limit(0.01) == Entry("limit", 0.01, 0.0, None, day=False)
    assert Entry.limit(0.01, good_for=3) == Entry("limit", 0.01, 0.0, 3, day=False)
    assert Entry.stop(0.02, day=True) == Entry("stop", 0.02, 0.0, None, day=True)
    assert Entry.stop_limit(0.02, 0.005, good_for=1) == Entry("stop_limit", 0.02, 0.005, 1, day=False)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Entry(), "market"),
        (Entry.limit(0.01), "limit 1.00% from the close, until the signal changes"),
        (Entry.limit(0.01, good_for=3), "limit 1.00% from the close, 3 bars"),
        (Entry.stop(0.02, day=True), "stop 2.00% from the close, day"),
        (
            Entry.stop_limit(0.02, 0.005),
            "stop-limit 2.00% from the close, limit 0.50% beyond, until the signal changes",
        ),
    ],
)
def test_an_entry_says_itself_in_one_line(entry, words):
    assert entry.describe() == words


@pytest.mark.parametrize("kind", ["trailing_stop", "Limit", "", None, 1])
def test_an_unknown_kind_is_refused_with_those_there_are(kind):
    with pytest.raises(DataError, match="not known; use one of market, limit, stop, stop_limit"):
        Entry(kind)


@pytest.mark.parametrize("value", [-0.01, 1, 1.5, math.nan, math.inf, True, "1%", None, [0.01]])
def test_a_distance_is_a_fraction_below_one(value):
    with pytest.raises(DataError, match=r"Entry: offset=.* fraction of at least 0 and below 1, such as 0\.01"):
        Entry.limit(value)
    with pytest.raises(DataError, match="Entry: limit_offset="):
        Entry.stop_limit(0.01, value)


@pytest.mark.parametrize("value", [0, 0.5, np.float64(0.999)])
def test_a_distance_of_nothing_up_to_almost_everything_is_taken(value):
    assert Entry.limit(value).offset == value


@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, math.inf, True, "3"])
def test_a_life_is_a_whole_number_of_bars(value):
    with pytest.raises(DataError, match=r"good_for=.* whole number of bars of at least 1, or None"):
        Entry.limit(0.01, good_for=value)


def test_a_life_is_in_bars_or_in_sessions_but_not_both():
    with pytest.raises(DataError, match="either day=True or good_for, not both"):
        Entry.limit(0.01, good_for=2, day=True)


def test_an_entry_is_frozen_and_its_life_is_named():
    with pytest.raises(FrozenInstanceError):
        Entry().offset = 0.5
    with pytest.raises(TypeError):
        Entry.limit(0.01, 3)
