from __future__ import annotations

import pandas as pd
import pytest

from qtw_lab.plots.sessions import PERIODS, clock_columns, ranks, shown_time


def names(*times: str, tz: str | None = None) -> list[str]:
    return [PERIODS[rank - 1] if rank else "" for rank in ranks(pd.DatetimeIndex(times, tz=tz))]


def test_a_bar_is_ranked_by_the_coarsest_period_it_begins() -> None:
    # 2024-01-05 is a Friday; 2025-01-02 begins a year that begins five years; 2030 begins a decade
    days = [
        "2024-01-04",
        "2024-01-05",
        "2024-01-08",
        "2024-02-01",
        "2024-04-01",
        "2025-01-02",
        "2026-01-02",
        "2030-01-02",
    ]
    assert names(*days) == [
        "day", "day", "week", "month", "quarter", "five years", "year", "decade",
    ]  # fmt: skip


def test_minutes_of_one_session_are_ranked_too() -> None:
    assert names(*(f"2024-01-04 {clock}" for clock in ("09:30", "09:31", "09:35", "09:45", "10:00"))) == [
        "day", "minute", "five minutes", "quarter hour", "hour",
    ]  # fmt: skip


def test_days_begin_at_midnight_of_the_index_own_zone() -> None:
    times = pd.DatetimeIndex(["2024-01-04 23:00", "2024-01-05 01:00"], tz="America/New_York")
    assert PERIODS[ranks(times)[1] - 1] == "day"
    assert PERIODS[ranks(times.tz_convert("UTC"))[1] - 1] == "hour"


def test_an_empty_index_has_no_ranks() -> None:
    assert ranks(pd.DatetimeIndex([])).size == 0


def test_positions_count_bars_across_a_weekend() -> None:
    columns = clock_columns(pd.DatetimeIndex(["2024-01-05", "2024-01-08"]))
    assert columns["bar"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("time", "pattern"), [("2024-01-05", "%d %b %Y"), ("2024-01-05 09:30", "%d %b %Y %H:%M")])
def test_a_clock_is_shown_only_where_there_is_one(time: str, pattern: str) -> None:
    assert shown_time(pd.DatetimeIndex([time])) == pattern
