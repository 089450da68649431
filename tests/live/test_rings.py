"""The last bars of many symbols, each in the place of its time."""

import numpy as np
import pytest

from qtw_lab.live.rings import BAR, Rings
from qtw_lab.live.rows import ROW

SECOND = 10**9


def rows(symbols, times, closes=None):
    """Bars of one length; each symbol at each time, unless there are as many of both."""
    made = np.zeros(len(times), ROW)
    made["symbol"], made["time"] = symbols, np.array(times) * SECOND
    made["close"] = times if closes is None else closes
    return made


def test_a_ring_keeps_the_last_bars_and_forgets_those_before():
    rings = Rings(5, 3)
    rings.hold([4])
    for time in range(0, 100, 5):
        rings.take(rows([4], [1000 + time]))
    assert (rings.of(4)["time"] / SECOND).tolist() == [1085, 1090, 1095]


def test_a_bar_that_comes_again_takes_its_own_place():
    rings = Rings(5, 3)
    rings.hold([0])
    rings.take(rows([0, 0, 0], [10, 15, 20]))
    rings.take(rows([0], [15], [99.0]))
    assert rings.of(0)["close"].tolist() == [10.0, 99.0, 20.0]
    rings.take(rows([0, 0], [20, 20], [1.0, 2.0]))
    assert rings.of(0)["close"].tolist() == [10.0, 99.0, 2.0], "of two revisions at once the last one counts"


def test_a_revision_of_a_bar_that_was_forgotten_does_not_take_the_place_of_a_newer_one():
    rings = Rings(5, 3)
    rings.hold([0])
    rings.take(rows([0] * 4, [10, 15, 20, 25]))
    rings.take(rows([0], [10], [99.0]))
    assert rings.of(0)["time"].tolist() == [15 * SECOND, 20 * SECOND, 25 * SECOND]


def test_bars_after_a_pause_do_not_stand_beside_those_of_before():
    rings = Rings(5, 3)
    rings.hold([0, 1])
    rings.take(rows([0, 1], [10, 10]))
    rings.take(rows([0], [1000]))
    assert rings.of(0)["time"].tolist() == [1000 * SECOND]
    assert not len(rings.of(1)), "what is older than the ring is long is not the last of anything"
    assert rings.last([0, 1])["time"].tolist() == [1000 * SECOND, 0]


def test_only_symbols_that_are_held_have_bars_and_places_are_used_again():
    rings = Rings(1, 4)
    rings.hold([2, 5])
    rings.take(rows([2, 5, 9, 300], [7, 7, 7, 7]))
    assert rings.last([2, 5, 9, 300])["time"].tolist() == [7 * SECOND, 7 * SECOND, 0, 0]
    room = rings._kept.nbytes
    rings.hold([5, 9])
    rings.take(rows([9], [8]))
    assert not len(rings.of(2))
    assert len(rings.of(5)) == 1
    assert rings.of(9)["time"].tolist() == [8 * SECOND]
    assert rings._kept.nbytes == room
    rings.hold([2, 5, 9])
    assert not len(rings.of(2)), "a symbol that comes back begins anew"
    assert len(rings.of(5)) == 1


def test_all_memory_is_taken_when_symbols_come():
    rings = Rings(1, 100)
    rings.hold(range(50))
    assert rings._kept.nbytes == 50 * 100 * BAR.itemsize
    before = rings._kept
    for time in range(1000):
        rings.take(rows(np.arange(50), np.full(50, time)))
    assert rings._kept is before


def test_the_newest_bar_of_each_is_found_in_the_order_asked_for():
    rings = Rings(1, 8)
    rings.hold([0, 1, 2])
    rings.take(rows([0, 1, 1], [5, 5, 6]))
    assert rings.last([2, 1, 0])["time"].tolist() == [0, 6 * SECOND, 5 * SECOND]
    assert rings.last([]).tolist() == []


@pytest.mark.parametrize("numbers", [[], [3]])
def test_nothing_in_nothing_out(numbers):
    rings = Rings(1, 8)
    rings.hold(numbers)
    rings.take(rows([], []))
    assert not len(rings.of(3))
