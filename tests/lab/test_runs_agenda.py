"""The schedule as the runs page shows it."""

import pandas as pd
import pytest

from qtw_lab.lab import Lab, scheduling
from qtw_lab.lab.runs_agenda import MISSED, agenda
from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.attendance import Attendance
from qtw_lab.runs.schedule.planning import New, Plan


@pytest.fixture
def lab(tmp_path):
    return Lab.offline(tmp_path)


def test_what_is_due_next_comes_soonest_first_and_nothing_was_due_yet(lab):
    found = agenda(lab)
    assert {"nightly_report", "weekly_sweep", "daily_paper_report"} <= set(found.entries["entry"])
    assert found.coming["due"].is_monotonic_increasing
    assert (found.coming["due"] > lab.clock.now()).all()
    assert found.past.empty
    assert found.entries["running"].eq("").all()


def test_missed_occurrences_and_running_ones_are_told(lab):
    book, now = scheduling.agenda_of(lab.settings), lab.clock.now()
    book.adopt([one.registered(now - pd.Timedelta(hours=1)) for one in scheduling.entries(lab.settings)], now)
    plan = Plan(now, (New(now - pd.Timedelta(minutes=9), "missed", "nobody kept time"), New(now, "waiting")))
    book.enter([(book.entry("nightly_report"), plan)], now)
    book.beat(book.claim(Process.current(), now), now, "3/7")
    found = agenda(lab)
    assert found.past["state"].tolist() == ["running", "missed"]
    assert found.past[found.past["state"].isin(MISSED)]["reason"].tolist() == ["nobody kept time"]
    row = found.entries.set_index("entry").loc["nightly_report"]
    assert (row["missed"], row["status"]) == (1, "running")
    assert row["running"] == f"{now:%H:%M:%S} UTC 3/7"


def test_it_is_known_whether_anybody_keeps_time(lab):
    assert not agenda(lab).kept
    attendance = Attendance(scheduling.agenda_of(lab.settings))
    attendance.attend(Process.current(), "works", lab.clock.now())
    assert not agenda(lab).kept
    attendance.attend(Process.current(), "keeps time and works", lab.clock.now())
    assert agenda(lab).kept
