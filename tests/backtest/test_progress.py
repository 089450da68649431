"""The bar says what is true: how much is done, how fast, and how long it will take."""

import io

import pytest

from qtw_lab.backtest.progress import ProgressBar


def lines(calls, times, before=0):
    out, clock = io.StringIO(), iter(times)
    bar = ProgressBar("sweep", before, out, lambda: next(clock))
    for call in calls:
        bar(*call)
    bar.close()
    return [line.rstrip() for line in out.getvalue().replace("\r", "\n").split("\n") if line.strip()]


def test_rate_and_time_left_follow_from_the_clock():
    # 100 rows in 4 s are 25 rows/s; the other 300 take 12 s.
    (line,) = lines([(100, 400)], [0.0, 4.0])
    assert line == "sweep  25% [########----------------------] 100 of 400 rows, 25 rows/s, 0:12 left"


def test_rows_of_an_earlier_run_do_not_count_in_the_rate():
    (line,) = lines([(300, 400)], [0.0, 4.0], before=200)
    assert "300 of 400 rows, 25 rows/s, 0:04 left" in line


@pytest.mark.parametrize(("seconds", "shown"), [(59.9, "0:59"), (60, "1:00"), (3_725, "1:02:05")])
def test_long_times_are_shown_in_hours(seconds, shown):
    assert lines([(1, 1)], [0.0, seconds])[-1].endswith(f"{shown} in all")


def test_nothing_done_yet_has_no_rate():
    assert lines([(0, 10)], [0.0, 0.0]) == [f"sweep   0% [{'-' * 30}] 0 of 10 rows, 0 rows/s, starting"]


def test_a_bar_that_showed_nothing_writes_nothing():
    assert lines([], [0.0]) == []
