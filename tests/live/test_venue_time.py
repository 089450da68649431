"""The venue's time: learned from events, not led astray by wild ones, moved when the venue's clock is."""

import numpy as np

from qtw_lab.live.venue_time import VenueTime, newest_up_to, tally
from qtw_lab.venues.ticks import QUOTE, STATUS, TICK, TRADE

SECOND = 10**9
EPOCH = 1_704_205_800 * SECOND


def ticks(*seconds):
    rows = np.zeros(len(seconds), dtype=TICK)
    rows["time"] = [EPOCH + int(second * SECOND) for second in seconds]
    return rows


def test_nothing_is_known_before_anything_was_heard():
    time = VenueTime()
    assert time.now(5) is None
    assert time.latest is None
    assert time.take(ticks(), 5) is None


def test_the_fastest_delivery_counts_as_none_at_all():
    time = VenueTime()
    time.take(ticks(1.0), 10 * SECOND)  # half a second slower than the next
    time.take(ticks(2.0), int(10.5 * SECOND))
    assert time.now(11 * SECOND) == EPOCH + int(2.5 * SECOND)
    time.take(ticks(2.1), 12 * SECOND)
    assert time.now(12 * SECOND) == EPOCH + int(3.5 * SECOND)


def test_whole_numbers_stay_exact():
    received = 1_795_918_493_244_185_761
    time = VenueTime()
    time.told(received - 7, received)
    assert time.now(received + 1) == received - 6


def test_a_difference_of_clocks_is_forgotten_after_a_minute():
    time = VenueTime()
    time.take(ticks(0.0), 0)
    for second in range(1, 100):
        time.take(ticks(second - 0.2), second * SECOND)  # every later delivery takes 0.2 s
    assert time.now(100 * SECOND) == EPOCH + int(99.8 * SECOND)


def test_the_venue_says_what_time_it_is_but_not_that_anything_was_heard():
    time = VenueTime()
    time.told(EPOCH, 5 * SECOND)
    assert time.now(6 * SECOND) == EPOCH + SECOND
    assert time.latest is None
    time.take(ticks(9.0), 6 * SECOND)  # that answer was underway for eight seconds
    assert time.now(6 * SECOND) == time.latest == EPOCH + 9 * SECOND


def test_a_single_event_with_a_wrong_time_moves_nothing():
    time = VenueTime()
    time.take(ticks(0.0), 0)
    assert time.take(ticks(0.1, 4.0, 0.2), SECOND // 5) == EPOCH + SECOND // 5
    assert time.take(ticks(3600.0), SECOND) is None
    for second in range(1, 10):
        time.take(ticks(second, second + 0.1, second + 4.0), second * SECOND + SECOND // 5)
    assert time.now(10 * SECOND) < EPOCH + int(10.2 * SECOND)
    assert time.outliers >= 8


def test_a_first_batch_with_a_wild_time_is_not_believed():
    time = VenueTime()
    assert time.take(ticks(1.0, 1.1, 1.2, 999.0), 0) == EPOCH + int(1.2 * SECOND)


def test_a_clock_that_was_moved_is_believed_after_two_seconds_in_spite_of_late_reports():
    time = VenueTime()
    time.take(ticks(0.0), 0)
    for tenth in range(1, 40):
        at = tenth / 10
        rows = ticks(at - 2.0, at + 3.0, at + 3.05) if tenth > 10 else ticks(at)
        time.take(rows, int(at * SECOND))
    assert abs(time.now(4 * SECOND) - EPOCH - 7 * SECOND) < SECOND // 5


def test_a_market_that_runs_faster_is_allowed_more():
    time = VenueTime(speed=60.0)
    time.take(ticks(0.0), 0)
    time.take(ticks(90.0), SECOND)  # 30 s ahead of 60: half a second of the reader
    assert time.latest == EPOCH + 90 * SECOND
    assert time.outliers == 0


def test_kernels_count_what_a_loop_counts():
    rows = ticks(1.0, 2.0, 5.0, 9.0)
    rows["kind"] = [TRADE, QUOTE, STATUS, TRADE]
    assert tally(rows) == (2, 1, 1)
    assert newest_up_to(rows, EPOCH + 5 * SECOND) == (EPOCH + 5 * SECOND, 1)
    assert newest_up_to(rows, EPOCH) == (0, 4)
