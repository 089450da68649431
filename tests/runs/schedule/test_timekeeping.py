"""Time kept over a whole year, on a clock that is moved from one awakening to the next."""

import random
import warnings

import exchange_calendars
import pandas as pd
import pytest

from qtw_lab.core import DataError, VirtualClock
from qtw_lab.data.calendars import sessions
from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.timekeeping import Timekeeper

ME = Process("here", 1, "boot:1")
BEGIN, END = pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2025-01-01", tz="UTC")
SCHEDULE = """
[defaults]
notify = { command = ["true"], on = ["missed"] }

[night]
notebook = "night.ipynb"
trigger = "close+10m"
missed = "all"

[open]
notebook = "night.ipynb"
trigger = "open+5m"
missed = "skip"

[half]
notebook = "night.ipynb"
trigger = "close-30m"
days = "half"
missed = "once"

[early]
notebook = "night.ipynb"
trigger = "30 2 * * *"
timezone = "America/New_York"
missed = "once"

[after]
notebook = "night.ipynb"
trigger = "close+1h"
days = "last of week"
missed = "all"
depends_on = ["night"]
"""


@pytest.fixture
def keeper(agenda, notebook, schedule):
    notebook("night", "1")

    def make(text: str, said: list[str] | None = None) -> Timekeeper:
        return Timekeeper(agenda, schedule(text), sessions, say=(said if said is not None else []).append)

    return make


def year() -> pd.DataFrame:
    """The sessions of 2024, straight from the library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)  # the library's own use of pandas
        calendar = exchange_calendars.get_calendar("XNYS", start="2023-12-01", end="2025-01-31")
        table = calendar.schedule.loc["2024-01-01":"2024-12-31"].copy()
        table["half"] = table.index.isin(calendar.early_closes)
    return table


def awake(seed: int) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """The spans of the year in which a laptop is open; it is at its end."""
    chance, at, spans = random.Random(seed), BEGIN, []
    while at < END:
        closed = at + pd.Timedelta(hours=chance.uniform(1, 120))
        spans.append((at, min(closed, END)))
        at = closed + pd.Timedelta(hours=chance.choice((0.05, 1, 8, 70, 300)) * chance.uniform(0.5, 1))
    spans.append((END, END + pd.Timedelta(seconds=5)))
    return spans


def live(agenda, keeper, spans) -> None:
    """Keep time and run what waits, at the start and the end of each span and a second after everything due in it."""
    entries = keeper.begin(spans[0][0])
    clock = VirtualClock(spans[0][0])
    for begin, end in spans:
        now = begin
        while True:
            clock.moment = now
            keeper.tick(now)
            while (one := agenda.claim(ME, clock.now())) is not None:
                agenda.end(one, "ok", None, clock.now())
            if now >= end:
                break
            coming = min(entry.trigger.after(now) for entry in entries) + pd.Timedelta(seconds=1)
            now = min(coming, end)


def states(agenda, name: str) -> dict[pd.Timestamp, str]:
    return {one.due: one.state for one in agenda.list(name, 10_000)}


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_year_with_a_laptop_closed_now_and_then_agrees_with_the_exchanges_calendar(agenda, keeper, seed):
    spans, table = awake(seed), year()
    live(agenda, keeper(SCHEDULE), spans)
    minute = pd.Timedelta(minutes=1)

    def looked(due):  # when the laptop was first open at or after a due time
        return max(due, next(begin for begin, end in spans if end > due))

    night = states(agenda, "night")
    assert sorted(night) == list(table["close"] + 10 * minute)
    assert set(night.values()) == {"ok"}  # all are run, however late

    opened = states(agenda, "open")
    assert sorted(opened) == list(table["open"] + 5 * minute)
    in_time = {due: looked(due) - due <= 5 * minute for due in opened}
    assert {due: state == "ok" for due, state in opened.items()} == in_time
    assert 0 < sum(in_time.values()) < len(table)

    half = states(agenda, "half")
    assert sorted(half) == list(table["close"][table["half"]] - 30 * minute)
    assert set(half.values()) == {"ok"}

    early = states(agenda, "early")
    days = pd.date_range("2024-01-01 02:30", "2024-12-31 02:30")
    there = days.where(days.strftime("%m-%d") != "03-10", days + pd.Timedelta(minutes=30))  # the clocks skip 02:30
    assert sorted(early) == list(there.tz_localize("America/New_York").tz_convert("UTC"))
    newest = {looked(due): due for due in sorted(early)}
    assert {due: state == "ok" for due, state in early.items()} == {due: newest[looked(due)] == due for due in early}

    after = states(agenda, "after")
    assert len(after) == 52  # that of 2024-12-30 ends in 2025
    assert set(after.values()) == {"ok"}  # each waited for the night before it
    assert agenda.missed() == {
        "open": len(table) - sum(in_time.values()),
        "early": list(early.values()).count("missed"),
    }


def test_a_year_awake_misses_nothing(agenda, keeper):
    live(agenda, keeper(SCHEDULE), [(BEGIN, END)])
    assert agenda.missed() == {}
    assert {one.state for one in agenda.list(None, 10_000)} == {"ok"}
    assert len(states(agenda, "open")) == 252


ONE = '[night]\nnotebook = "night.ipynb"\ntrigger = "every 1h"\n'


def test_an_hour_passes_and_one_occurrence_waits(agenda, keeper):
    made = keeper(ONE)
    made.begin(BEGIN)
    made.tick(BEGIN + pd.Timedelta(minutes=59))
    assert agenda.waiting() == ()
    made.tick(BEGIN + pd.Timedelta(minutes=60))
    assert [one.due.hour for one in agenda.waiting()] == [1]


def test_a_changed_schedule_is_read_again(agenda, keeper, schedule):
    said: list[str] = []
    made = keeper(ONE, said)
    made.begin(BEGIN)
    schedule(ONE.replace("1h", "10m") + "\n[day]\nnotebook = 'night.ipynb'\ntrigger = 'every 1d'\n")
    made.tick(BEGIN + pd.Timedelta(minutes=5))
    made.tick(BEGIN + pd.Timedelta(minutes=15))
    assert [(one.entry, one.due.minute) for one in agenda.waiting()] == [("night", 10)]
    assert said == ["The schedule changed: 2 entries (night, day)."]


def test_a_schedule_that_breaks_while_time_is_kept_changes_nothing_and_is_named_once(agenda, keeper, schedule):
    said: list[str] = []
    made = keeper(ONE, said)
    made.begin(BEGIN)
    path = schedule(ONE + "colour = 'red'\n")
    for minutes in (61, 121):
        made.tick(BEGIN + pd.Timedelta(minutes=minutes))
    path.unlink()
    made.tick(BEGIN + pd.Timedelta(minutes=181))
    assert [line.split(":")[0] for line in said] == ["The schedule that was read before stays"] * 2
    assert agenda.last("night").due.hour == 3


def test_a_schedule_with_faults_is_refused_at_the_start(keeper):
    with pytest.raises(DataError, match="no key 'colour'"):
        keeper(ONE + "colour = 'red'\n").begin(BEGIN)


def test_what_is_switched_off_is_not_due(agenda, keeper):
    made = keeper(ONE + "enabled = false\n")
    assert made.begin(BEGIN) == ()
    made.tick(BEGIN + pd.Timedelta(hours=5))
    assert agenda.list() == ()


def test_two_that_keep_the_same_time_enter_everything_once(agenda, keeper):
    first, second = keeper(ONE), keeper(ONE)
    first.begin(BEGIN)
    second.begin(BEGIN)
    for minutes in range(0, 600, 7):
        now = BEGIN + pd.Timedelta(minutes=minutes)
        first.tick(now)
        second.tick(now)
        while (one := agenda.claim(ME, now)) is not None:
            agenda.end(one, "ok", None, now)
    assert len(agenda.list(None, 1_000)) == 9


def test_while_nothing_is_due_the_agenda_is_told_now_and_then_that_time_is_kept(agenda, keeper):
    made = keeper(ONE)
    made.begin(BEGIN)
    made.tick(BEGIN + pd.Timedelta(seconds=20))
    assert agenda.entry("night").planned_until == BEGIN
    made.tick(BEGIN + pd.Timedelta(seconds=40))
    assert agenda.entry("night").planned_until == BEGIN + pd.Timedelta(seconds=40)


def test_a_secret_in_the_schedule_is_refused(agenda, notebook, schedule):
    notebook("night", "1")
    text = ONE + 'parameters = { run_folder = "x", label = "hunter22-hunter22" }\n'
    made = Timekeeper(agenda, schedule(text), sessions, {"BROKER": "hunter22-hunter22"})
    with pytest.raises(DataError, match="contains the value of BROKER"):
        made.begin(BEGIN)
