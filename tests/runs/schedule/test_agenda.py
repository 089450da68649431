"""An agenda on disk, used by several at once."""

import itertools
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.agenda import Agenda
from qtw_lab.runs.schedule.outbox import Outbox
from qtw_lab.runs.schedule.planning import Dropped, New, Plan

NOON = pd.Timestamp("2024-01-02 12:00", tz="UTC")
HOUR = pd.Timedelta(hours=1)
ME, OTHER = Process("here", 1, "boot:1"), Process("here", 2, "boot:2")


@pytest.fixture
def adopt(agenda, entry):
    """Let entries with these names (and what they depend on) be the schedule at noon."""

    def make(**depends: list[str]):
        agenda.adopt([entry(name, depends_on=on).registered(NOON) for name, on in depends.items()], NOON)
        return {registered.name: registered for registered in agenda.entries()}

    return make


def enter(agenda, registered, *dues, until=None, state="waiting"):
    """Let an entry be due then; everybody's due times are decided up to there."""
    until = until or max(dues)
    known = {one.name: one for one in agenda.entries()}
    plans = [(one, Plan(until, tuple(New(due, state) for due in dues) if name == registered.name else ()))
             for name, one in known.items()]  # fmt: skip
    assert agenda.enter(plans, until) == len(known)


def test_a_new_entry_counts_from_the_moment_it_is_first_seen(agenda, adopt):
    known = adopt(night=[])["night"]
    assert known.first_seen == known.planned_until == NOON


def test_an_entry_that_stays_the_same_keeps_its_place(agenda, entry, adopt):
    enter(agenda, adopt(night=[])["night"], NOON + HOUR)
    agenda.adopt([entry("night", keep=7).registered(NOON + 5 * HOUR)], NOON + 5 * HOUR)
    known = agenda.entry("night")
    assert (known.first_seen, known.planned_until) == (NOON, NOON + HOUR)
    assert '"keep": 7' in known.definition


def test_a_changed_trigger_counts_from_now_on(agenda, entry, adopt):
    adopt(night=[])
    agenda.adopt([entry("night", trigger="every 2h").registered(NOON)], NOON + 5 * HOUR)
    assert agenda.entry("night").planned_until == NOON + 5 * HOUR


def test_what_waits_for_an_entry_that_is_gone_is_skipped_and_what_runs_goes_on(agenda, entry, adopt):
    known = adopt(night=[], day=[])
    enter(agenda, known["night"], NOON)
    one = agenda.claim(ME, NOON)
    enter(agenda, known["day"], NOON + HOUR)
    agenda.adopt([], NOON + HOUR)
    assert agenda.entries() == ()
    assert agenda.get(one.id).state == "running"
    assert agenda.last("day").reason == "it is no longer in the schedule"
    agenda.adopt([entry("night").registered(NOON)], NOON + 9 * HOUR)
    assert agenda.entry("night").planned_until == NOON + 9 * HOUR


def test_a_plan_is_carried_out_once(agenda, adopt):
    known = adopt(night=[])["night"]
    made = Plan(NOON + HOUR, (New(NOON + HOUR, "waiting"),))
    assert [agenda.enter([(known, made)], NOON), agenda.enter([(known, made)], NOON)] == [1, 0]
    assert len(agenda.waiting()) == 1


def test_a_plan_for_an_entry_that_changed_meanwhile_is_left_aside(agenda, adopt):
    known = adopt(night=[])["night"]
    assert agenda.enter([(replace(known, definition="{}"), Plan(NOON + HOUR))], NOON) == 0


def test_what_is_dropped_ends_with_its_reason(agenda, adopt):
    known = adopt(night=[])["night"]
    enter(agenda, known, NOON)
    (one,) = agenda.waiting()
    agenda.enter([(agenda.entry("night"), Plan(NOON + HOUR, (), (Dropped(one.id, "missed", "overtaken"),)))], NOON)
    assert (agenda.get(one.id).state, agenda.get(one.id).reason, agenda.missed()) == (
        "missed",
        "overtaken",
        {"night": 1},
    )


def test_the_oldest_is_claimed_first_and_nothing_twice(agenda, adopt):
    known = adopt(night=[], day=[])
    enter(agenda, known["night"], NOON + HOUR)
    enter(agenda, known["day"], NOON, until=NOON + 2 * HOUR)
    found = [agenda.claim(ME, NOON + 2 * HOUR) for _ in range(3)]
    assert [one and one.entry for one in found] == ["day", "night", None]
    assert (found[0].state, found[0].attempts, found[0].owner, found[0].watcher) == ("running", 1, ME, ME)


def test_of_one_entry_only_one_runs_at_a_time_in_the_order_they_were_due(agenda, adopt):
    enter(agenda, adopt(night=[])["night"], NOON, NOON + HOUR)
    first = agenda.claim(ME, NOON + HOUR)
    assert agenda.claim(OTHER, NOON + HOUR) is None
    assert agenda.end(first, "failed", "broke", NOON + HOUR, NOON + 3 * HOUR)
    assert agenda.claim(ME, NOON + 2 * HOUR) is None  # the first one is still to be tried again
    assert agenda.claim(ME, NOON + 3 * HOUR).due == NOON


def test_what_depends_on_another_waits_for_it_and_goes_after_it(agenda, adopt):
    known = adopt(data=[], night=["data"])
    enter(agenda, known["data"], NOON)
    enter(agenda, known["night"], NOON + HOUR)
    data = agenda.claim(ME, NOON + HOUR)
    assert data.entry == "data"
    assert agenda.claim(ME, NOON + HOUR) is None
    agenda.end(data, "ok", None, NOON + HOUR)
    assert agenda.claim(ME, NOON + HOUR).entry == "night"


def test_what_depends_on_a_failure_is_skipped_and_so_is_what_depends_on_that(agenda, adopt):
    known = adopt(data=[], night=["data"], sweep=["night"])
    for name in known:
        enter(agenda, agenda.entry(name), NOON)
    agenda.end(agenda.claim(ME, NOON), "failed", "broke", NOON)
    assert agenda.claim(ME, NOON) is None
    assert agenda.last("night").reason == "it depends on data of 2024-01-02 12:00:00 UTC, which failed"
    agenda.claim(ME, NOON)
    assert agenda.last("sweep").state == "skipped"


def test_it_waits_until_it_is_known_whether_the_other_is_due_before_it(agenda, adopt):
    known = adopt(data=[], night=["data"])
    agenda.enter([(known["night"], Plan(NOON + HOUR, (New(NOON + HOUR, "waiting"),)))], NOON)
    assert agenda.claim(ME, NOON + HOUR) is None
    assert agenda.last("night").state == "waiting"
    enter(agenda, known["data"], NOON + HOUR / 2, until=NOON + HOUR)
    assert agenda.claim(ME, NOON + HOUR).entry == "data"


def test_only_a_claimed_attempt_can_be_taken_in_hand_and_only_once(agenda, adopt):
    enter(agenda, adopt(night=[])["night"], NOON)
    one = agenda.claim(ME, NOON)
    assert agenda.take(one, OTHER, NOON)
    assert not agenda.take(one, Process("here", 3, "boot:3"), NOON)
    assert agenda.get(one.id).owner == OTHER


def test_signs_of_life_are_kept(agenda, adopt):
    enter(agenda, adopt(night=[])["night"], NOON)
    one = agenda.claim(ME, NOON)
    assert agenda.note_run(one, "run-1")
    assert agenda.note_kernel(one, OTHER)
    assert agenda.beat(one, NOON + HOUR, "1/3")
    assert agenda.beat(one, NOON + 2 * HOUR)
    now = agenda.get(one.id)
    assert (now.run_id, now.kernel, now.beat, now.progress) == ("run-1", OTHER, NOON + 2 * HOUR, "1/3")


def test_an_attempt_that_was_given_up_can_say_nothing_more(agenda, adopt):
    enter(agenda, adopt(night=[])["night"], NOON)
    old = agenda.claim(ME, NOON)
    agenda.end(old, "failed", "silent", NOON, NOON)
    new = agenda.claim(OTHER, NOON)
    assert (new.id, new.attempts) == (old.id, 2)
    said = [
        agenda.beat(old, NOON),
        agenda.take(old, ME, NOON),
        agenda.note_run(old, "x"),
        agenda.end(old, "ok", None, NOON),
    ]
    assert said == [False] * 4
    assert agenda.get(new.id).run_id is None
    assert agenda.end(new, "ok", None, NOON)
    assert [(number, error) for number, _, error in agenda.attempts(old.id)] == [(1, "silent"), (2, None)]


def test_an_attempt_is_inherited_once(agenda, adopt):
    enter(agenda, adopt(night=[])["night"], NOON)
    one = agenda.claim(ME, NOON)
    agenda.take(one, Process("here", 7, "boot:7"), NOON)
    one = agenda.get(one.id)
    mine = agenda.inherit(one, OTHER)
    assert (mine.watcher, mine.owner.pid) == (OTHER, 7)
    assert agenda.inherit(one, Process("here", 3, "boot:3")) is None


def test_one_that_nobody_had_taken_in_hand_can_not_be_taken_once_it_is_inherited(agenda, adopt):
    enter(agenda, adopt(night=[])["night"], NOON)
    one = agenda.claim(ME, NOON)
    assert agenda.inherit(one, OTHER).owner is None
    assert not agenda.take(one, Process("here", 7, "boot:7"), NOON)


def test_endings_that_somebody_wants_to_hear_of_are_put_into_the_outbox_with_them(agenda, entry):
    told = [{"command": ["true"], "on": ["failed", "missed"]}, {"desktop": True, "on": ["ok"]}]
    agenda.adopt([entry("night", notify=told).registered(NOON)], NOON)
    missed = Plan(NOON + 2 * HOUR, (New(NOON, "missed"), New(NOON + HOUR, "missed"), New(NOON + 2 * HOUR, "waiting")))
    agenda.enter([(agenda.entry("night"), missed)], NOON + 2 * HOUR)
    one = agenda.claim(ME, NOON + 2 * HOUR)
    agenda.end(one, "failed", "broke", NOON + 2 * HOUR, NOON + 2 * HOUR)  # tried again: nobody hears of it
    agenda.end(agenda.claim(ME, NOON + 2 * HOUR), "ok", None, NOON + 2 * HOUR)
    kinds = [agenda.get(occurrence).state for occurrence, *_ in Outbox(agenda).outcomes()]
    assert kinds == ["missed", "ok"]  # one word for both that were missed


def test_old_endings_are_forgotten_after_two_years(agenda, adopt, entry):
    enter(agenda, adopt(night=[])["night"], NOON, state="missed")
    later = NOON + pd.Timedelta(days=732)
    agenda.adopt([entry("night").registered(later)], later)
    assert agenda.list() == ()


def test_unknown_numbers_and_names_are_refused(agenda):
    with pytest.raises(DataError, match="There is no occurrence 7"):
        agenda.get(7)
    with pytest.raises(DataError, match="knows no entry 'night'"):
        agenda.entry("night")


def claim_all(path, name) -> list[int]:
    agenda, found = Agenda(path), []
    while (one := agenda.claim(Process("here", 1, name), NOON + 2 * HOUR)) is not None:
        found.append(one.id)
    return found


def test_many_processes_at_once_claim_everything_once(agenda, entry):
    names = [f"entry{number}" for number in range(60)]
    agenda.adopt([entry(name).registered(NOON) for name in names], NOON)
    plans = [(known, Plan(NOON + HOUR, (New(NOON + HOUR, "waiting"),))) for known in agenda.entries()]
    with ThreadPoolExecutor(4) as several:  # four schedulers with the same plan
        assert sum(several.map(lambda _: agenda.enter(plans, NOON), range(4))) == len(names)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        claimed = pool.starmap(claim_all, [(agenda.path, name) for name in "abc"])
    assert sorted(itertools.chain(*claimed)) == sorted(one.id for one in agenda.running())
    assert len(agenda.running()) == len(names)
