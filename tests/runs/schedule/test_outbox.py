"""Notices by real commands, sent after the fact, tried again, and given up without harm to any run."""

import time

import pandas as pd
import pytest

from qtw_lab.core import RunError
from qtw_lab.runs.notices import Terms, send
from qtw_lab.runs.schedule.outbox import TRIES, Outbox, Post, notice
from qtw_lab.runs.secrecy import Redactor


@pytest.fixture
def post(records):
    terms = Terms(Redactor({}), patience=5.0)
    return Post(records.agenda, records.clock, lambda told, way: send(told, way, terms), records.root / "published")


def ended(records, due, entry, *words: str, state: str = "failed"):
    """An attempt that ended, told by a command."""
    one = due(records, entry(notify={"command": list(words), "on": ["ok", "failed"]}))
    records.agenda.end(one, state, "it broke", records.clock.now())
    return one


def test_an_ending_is_told_once_and_taken_down_as_sent(records, due, entry, post, tmp_path):
    one = ended(records, due, entry, "sh", "-c", f"cat >> {tmp_path}/told", "sh", "{title}")
    assert [post.deliver(), post.deliver()] == [1, 0]
    assert Outbox(records.agenda).outcomes() == ((one.id, "sent", 1, None),)
    told = (tmp_path / "told").read_text()
    assert "night: failed" in told
    assert "it broke" in told


def test_a_channel_that_fails_is_tried_again_with_longer_pauses_and_given_up(records, due, entry, post):
    one = ended(records, due, entry, "false")
    waits = []
    for _ in range(TRIES):
        assert post.deliver() == 1
        assert post.deliver() == 0
        waits.append(0)
        while Outbox(records.agenda).outcomes()[0][1] == "pending" and not due_now(records):
            records.clock.sleep(60)
            waits[-1] += 1
    assert waits == [1, 2, 4, 8, 0]
    ((_, outcome, tries, error),) = Outbox(records.agenda).outcomes()
    assert (outcome, tries) == ("given up", TRIES)
    assert "did not get through by command" in error
    assert records.agenda.get(one.id).state == "failed"


def due_now(records) -> bool:
    with records.agenda.file.reading() as connection:
        query = "SELECT count(*) FROM notices WHERE outcome = 'pending' AND not_before <= ?"
        return bool(connection.execute(query, (records.clock.now().value,)).fetchone()[0])


def test_a_channel_that_fails_at_first_gets_through_later(records, due, entry, post, tmp_path):
    ended(records, due, entry, "sh", "-c", f"test -e {tmp_path}/up")
    post.deliver()
    (tmp_path / "up").touch()
    records.clock.sleep(60)
    assert post.deliver() == 1
    assert Outbox(records.agenda).outcomes()[0][1:3] == ("sent", 2)


def test_a_notice_that_somebody_else_sends_is_left_to_them(records, due, entry):
    ended(records, due, entry, "true")
    first = Outbox(records.agenda).take(records.clock.now())
    assert first.tries == 1
    assert Outbox(records.agenda).take(records.clock.now()) is None


def test_a_thread_sends_by_itself(real, due, entry, tmp_path):
    terms = Terms(Redactor({}))
    with Post(real.agenda, real.clock, lambda told, way: send(told, way, terms), real.root):
        ended(real, due, entry, "touch", str(tmp_path / "told"))
        until = time.monotonic() + 10
        while not (tmp_path / "told").exists() and time.monotonic() < until:
            time.sleep(0.05)
    assert (tmp_path / "told").exists()


def test_a_notice_says_what_was_due_why_it_ended_and_where_the_report_is(records, due, entry, tmp_path):
    one = due(records, entry())
    records.agenda.note_run(one, "run-1")
    records.agenda.end(one, "ok", None, records.clock.now())
    (tmp_path / "night.html").write_text("page")
    told = notice(records.agenda.get(one.id), "ok", tmp_path)
    assert (told.title, told.entry, told.status, told.run) == ("night: ok", "night", "ok", "run-1")
    assert told.text == "due 2024-01-02 14:30:00 UTC\nrun: run-1"
    assert told.report == tmp_path / "night.html"
    assert told.moment == pd.Timestamp("2024-01-02 14:30", tz="UTC")
    assert notice(records.agenda.get(one.id), "failed", tmp_path).report is None


def test_a_channel_that_raises_something_else_is_not_hidden(records, due, entry):
    ended(records, due, entry, "true")

    def breaks(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Post(records.agenda, records.clock, breaks, records.root).deliver()


def test_an_error_of_the_channel_is_kept_for_people(records, due, entry):
    ended(records, due, entry, "true")

    def refuses(*_):
        raise RunError("the server said no")

    Post(records.agenda, records.clock, refuses, records.root).deliver()
    assert Outbox(records.agenda).outcomes()[0][3] == "the server said no"
