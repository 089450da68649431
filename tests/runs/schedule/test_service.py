"""The loop of a scheduler, with a pool that ends attempts when told to, on a clock that is moved by hand."""

import subprocess
import sys
from dataclasses import dataclass, field

import pandas as pd
import pytest

from qtw_lab.core import SetupError
from qtw_lab.data.calendars import sessions
from qtw_lab.runs.process import Process, start_of
from qtw_lab.runs.schedule.attendance import Attendance
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.planning import New, Plan
from qtw_lab.runs.schedule.service import Service, Stop
from qtw_lab.runs.schedule.settling import Records
from qtw_lab.runs.schedule.timekeeping import Timekeeper

DEAD = Process(Process.current().host, 1, "an earlier process of this number")


@dataclass
class Desk:
    """A pool whose attempts are over at the look they are told to be."""

    records: Records
    size: int = 2
    looks: int = 2
    refuses: bool = False
    begun: list[Occurrence] = field(default_factory=list)

    def places(self) -> int:
        return self.size

    def start(self, one: Occurrence) -> "OnDesk":
        if self.refuses:
            raise SetupError("no room for it")
        self.begun.append(one)
        return OnDesk(self, one, self.looks)


@dataclass
class OnDesk:
    desk: Desk
    one: Occurrence
    left: int

    def look(self) -> bool:
        self.left -= 1
        if not self.left:
            self.desk.records.agenda.end(self.one, "ok", None, self.desk.records.clock.now())
        return not self.left


@pytest.fixture
def waiting(records, entry):
    """Let so many entries wait to be run."""

    def make(count: int) -> None:
        now = records.clock.now()
        records.agenda.adopt([entry(f"entry{number}").registered(now) for number in range(count)], now)
        records.agenda.enter([(known, Plan(now, (New(now, "waiting"),))) for known in records.agenda.entries()], now)

    return make


def states(records) -> list[str]:
    return sorted(one.state for one in records.agenda.list())


def test_a_pool_gets_no_more_than_it_has_places_for(records, waiting):
    waiting(5)
    desk = Desk(records)
    service = Service(records, None, desk)
    assert service.turn() == 2
    assert states(records) == ["running"] * 2 + ["waiting"] * 3
    assert service.turn() == 0
    assert service.turn() == 2
    assert states(records) == ["ok"] * 2 + ["running"] * 2 + ["waiting"]


def test_a_worker_that_is_to_run_once_ends_when_nothing_waits(records, waiting):
    waiting(5)
    said: list[str] = []
    Service(records, None, Desk(records), said.append).run(Stop(), once=True)
    assert states(records) == ["ok"] * 5
    assert said[0] == "entry0 of 2024-01-02 14:30:00 UTC: begun"
    assert said[-1] == "entry4 of 2024-01-02 14:30:00 UTC: ok"


def test_asked_to_end_it_begins_nothing_new_and_waits_for_what_runs(records, waiting):
    waiting(5)
    stop, desk = Stop(), Desk(records, looks=4)
    service = Service(records, None, desk)
    service.turn()
    stop.ask()
    service.run(stop)
    assert states(records) == ["ok"] * 2 + ["waiting"] * 3


def test_asked_twice_it_leaves_what_runs_to_itself(records, waiting):
    waiting(1)
    stop, said = Stop(), []
    service = Service(records, None, Desk(records, looks=99), said.append)
    service.turn()
    stop.ask()
    stop.ask()
    service.run(stop)
    assert states(records) == ["running"]
    assert said[-1] == "entry0 of 2024-01-02 14:30:00 UTC: goes on without being watched over."


def test_it_ends_at_its_time(records):
    until = records.clock.now() + pd.Timedelta(seconds=30)
    Service(records, None, Desk(records)).run(Stop(), until=until)
    assert records.clock.now() >= until


def test_it_keeps_time_and_works_and_is_seen_to_while_it_does(records, notebook, schedule):
    notebook("night", "1")
    keeper = Timekeeper(records.agenda, schedule('[night]\nnotebook = "night.ipynb"\ntrigger = "every 1m"\n'), sessions)
    keeper.begin(records.clock.now())
    service = Service(records, keeper, Desk(records))
    seen = []
    service.say = lambda _: seen.extend(one.task for one in Attendance(records.agenda).present(records.clock.now()))
    service.run(Stop(), until=records.clock.now() + pd.Timedelta(minutes=3.5))
    assert states(records) == ["ok"] * 3
    assert set(seen) == {"keeps time and works"}
    assert Attendance(records.agenda).present(records.clock.now()) == ()


def test_one_that_only_keeps_time_hands_out_nothing(records, waiting):
    waiting(1)
    service = Service(records, None, None)
    assert service.turn() == 0
    assert states(records) == ["waiting"]


def test_an_attempt_that_cannot_be_begun_has_failed(records, waiting):
    waiting(1)
    said: list[str] = []
    Service(records, None, Desk(records, refuses=True), said.append).turn()
    (one,) = records.agenda.list()
    assert (one.state, one.reason) == ("failed", "no room for it")
    assert said[-1].endswith("could not be begun (no room for it)")


def test_a_fault_of_the_moment_is_named_once_and_the_rest_goes_on(records, waiting):
    waiting(1)
    said: list[str] = []

    class Broken:
        def tick(self, now):
            raise SetupError("the disk is full")

    service = Service(records, Broken(), Desk(records), said.append)
    for _ in range(8):
        service.turn()
        records.clock.sleep(1)
    assert [line for line in said if "disk" in line] == ["Put off for a moment: the disk is full"]
    assert states(records) == ["ok"]


def test_an_attempt_whose_process_and_watcher_are_gone_is_buried(records, due, entry):
    one = due(records, entry(), watcher=DEAD)
    records.agenda.take(one, Process(DEAD.host, 2, "gone too"), records.clock.now())
    said: list[str] = []
    Service(records, None, Desk(records), said.append).turn()
    now = records.agenda.get(one.id)
    assert (now.state, now.reason) == ("failed", "its process ended without a word")
    assert said[0].endswith("was cut off")


def test_an_attempt_that_was_claimed_and_never_begun_is_buried_and_tried_again(records, due, entry):
    one = due(records, entry(retries=1, retry_after="1s"), watcher=DEAD)
    service = Service(records, None, desk := Desk(records))
    service.turn()
    assert records.agenda.get(one.id).state == "waiting"
    records.clock.sleep(1)
    service.turn()
    assert [begun.attempts for begun in desk.begun] == [2]


def test_an_attempt_that_lives_is_watched_over_by_another_when_its_watcher_is_gone(records, due, entry):
    one = due(records, entry(timeout="1h"), watcher=DEAD)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    owner = Process(DEAD.host, child.pid, start_of(child.pid))
    records.agenda.take(one, owner, records.clock.now())
    said: list[str] = []
    service = Service(records, None, Desk(records), said.append)
    service.turn()
    now = records.agenda.get(one.id)
    assert (now.state, now.owner, now.watcher) == ("running", owner, Process.current())
    assert said == [f"{one.name}: goes on, watched over from here"]
    child.kill()
    child.wait()
    service.turn()
    assert records.agenda.get(one.id).state == "failed"


def test_an_attempt_of_another_machine_is_given_up_when_it_has_been_silent_for_long(records, due, entry):
    far = Process("a machine with another name", 1, "boot:1")
    one = due(records, entry(), watcher=far)
    service = Service(records, None, Desk(records))
    for minutes, state in ((1, "running"), (2, "failed")):
        records.clock.sleep(61)
        service.turn()
        assert (minutes, records.agenda.get(one.id).state) == (minutes, state)


def test_an_attempt_that_is_watched_over_is_left_to_its_watcher(records, due, entry):
    one = due(records, entry())
    Service(records, None, Desk(records)).turn()
    assert records.agenda.get(one.id).state == "running"
