"""What losses count from: it never falls of itself, and begins anew only with a session or an armed switch."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.venues.brokers import AccountView
from qtw_lab.venues.equity_marks import EquityMarks
from qtw_lab.venues.paper.events import Event

D = Decimal


def seen(marks, equity, *, last="1", start=1, armed=0):
    account = AccountView("a", D(equity), D(0), D(0), D(last), blocked=False)
    events = marks.news(account, at=5, start=start, armed=armed)
    for event in events:
        marks.apply(event)
    return [event.kind for event in events]


@given(st.lists(st.integers(1, 1000), min_size=1))
def test_the_highest_is_the_highest_however_often_it_is_begun_again_from_what_was_written(equities):
    written, marks = [], EquityMarks()
    for equity in equities:
        account = AccountView("a", D(equity), D(0), D(0), D(1), blocked=False)
        written += marks.news(account, at=5, start=1, armed=0)
        marks = EquityMarks()
        for event in written:
            marks.apply(event)
    assert (marks.highest, marks.opening(1)) == (max(equities), equities[0])
    assert len(written) == 1 + sum(one > max(equities[:at], default=0) for at, one in enumerate(equities))


@pytest.mark.parametrize(
    ("before", "after", "highest"),
    [(0, 0, 100), (0, 7, 100), (7, 0, 100), (7, 7, 100), (7, 8, 90)],
)
def test_the_highest_begins_anew_when_the_switch_is_armed_anew_and_not_when_there_is_none(before, after, highest):
    marks = EquityMarks()
    seen(marks, "100", armed=before)
    seen(marks, "90", armed=after)
    assert marks.highest == highest


def test_a_switch_armed_anew_is_noticed_though_a_guard_without_one_was_there_in_between():
    marks = EquityMarks()
    for equity, armed in (("100", 7), ("110", 0), ("90", 8)):
        seen(marks, equity, armed=armed)
    assert marks.highest == 90


def test_a_session_begins_with_the_more_of_what_is_seen_first_and_what_there_was_at_the_close_before():
    marks = EquityMarks()
    assert seen(marks, "100", last="120") == ["session", "highest"]
    assert seen(marks, "130", last="140") == ["highest"]
    assert marks.opening(1) == 120
    assert seen(marks, "100", last="NaN", start=2) == ["session"]
    assert (str(marks.opening(1)), marks.opening(2), str(marks.opening(None))) == ("NaN", 100, "NaN")
    assert seen(marks, "100", start=None) == []


def test_an_equity_that_is_no_number_changes_nothing():
    marks = EquityMarks()
    assert seen(marks, "NaN") == []
    assert (str(marks.highest), str(marks.opening(1))) == ("NaN", "NaN")


def test_what_was_written_and_cannot_be_read_stays_unknown():
    marks = EquityMarks()
    marks.apply(Event("highest", 1, "", {"equity": "1O0", "armed": 0}))
    marks.apply(Event("session", 1, "", {"start": 1, "equity": ""}))
    assert seen(marks, "100") == []
    assert (str(marks.highest), str(marks.opening(1))) == ("NaN", "NaN")
