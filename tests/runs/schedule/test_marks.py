import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.data.calendars import sessions
from qtw_lab.runs.schedule.marks import DAYS, Grid, Mark, days_named


@pytest.mark.parametrize("text", ["open", "close", "open+5m", "close-30m", "close+1h30m"])
def test_a_mark_is_shown_as_it_is_written(text):
    assert str(Mark.read(text)) == text


@pytest.mark.parametrize("text", ["noon", "open*5m", "opening", "open+", ""])
def test_what_is_no_mark_is_refused(text):
    with pytest.raises(DataError, match=r"is no moment of a session\. Write it as open"):
        Mark.read(text)


def test_every_kind_of_session_picks_rows_of_a_table():
    table = sessions("XNYS", "2024-07-01", "2024-07-31")  # 22 sessions, the third is a half day
    counts = {name: int(pick(table).sum()) for name, pick in DAYS.items()}
    assert counts == {
        "all": 22, "full": 21, "half": 1, "first of week": 5, "last of week": 5, "first of month": 1,
        "last of month": 1, "mon": 5, "tue": 5, "wed": 5, "thu": 3, "fri": 4, "sat": 0, "sun": 0,
    }  # fmt: skip


def test_names_of_sessions_come_as_text_or_list_and_count_once():
    assert days_named(["Mon,FRI", "fri", "Last  of  Week"]) == ("mon", "fri", "last of week")


def test_a_grid_crosses_into_the_month_after():
    mark = Mark.read("open-3d")
    grid = Grid("XNYS", ("first of month",), mark, None, None, sessions)
    # the first session of April 2024 is Monday the 1st; three days before it is still March
    assert grid.after(pd.Timestamp("2024-03-15", tz="UTC")) == pd.Timestamp("2024-03-29 13:30", tz="UTC")


def test_a_filter_that_nothing_meets_is_never_due():
    grid = Grid("XNYS", ("sat",), Mark.read("open"), None, None, sessions)
    assert grid.after(pd.Timestamp("2024-01-01", tz="UTC")) is None


def test_a_mark_of_the_month_after_can_come_before_the_next_of_this_month():
    every = Grid("XNYS", ("all",), Mark.read("open-6d"), Mark.read("close+6d"), pd.Timedelta(hours=5), sessions)
    at, months = pd.Timestamp("2024-01-29", tz="UTC"), (648, 649)  # January and February 2024
    for _ in range(30):
        due = every.after(at)
        expected = min(int(time) for month in months for time in every.of_month(month) if time > at.value)
        assert due.value == expected
        at = due
