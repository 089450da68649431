"""Real processes that take too long, hold too much, fall silent or die, watched on a clock that is moved by hand."""

import subprocess
import sys
import time

import pandas as pd
import pytest

from qtw_lab.runs.process import start_of
from qtw_lab.runs.schedule.watching import Watch

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def child():
    """Start a process as a pool does."""
    started = []

    def start(code: str = SLEEP, **options):
        process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def looks(watch, records, count: int, seconds: float = 5.0) -> bool:
    """Look so often, with as much time between on the clock."""
    for _ in range(count):
        if watch.look():
            return True
        records.clock.sleep(seconds)
    return False


def end_of(records, one) -> tuple[str, str | None]:
    now = records.agenda.get(one.id)
    return now.state, now.reason


def test_an_attempt_that_lives_within_its_limits_is_left_alone(records, due, entry, child):
    one = due(records, entry(timeout="1m", memory="2GB"))
    watch = Watch(records, one, process := child())
    assert not looks(watch, records, 11)
    assert process.poll() is None


def test_one_that_takes_too_long_is_killed(records, due, entry, child):
    one = due(records, entry(timeout="30s"))
    watch = Watch(records, one, process := child())
    assert looks(watch, records, 8)
    assert end_of(records, one) == ("failed", "killed by the watchdog: it took longer than 30s")
    assert start_of(process.pid) is None


def test_the_time_that_the_machine_slept_does_not_count(records, due, entry, child):
    one = due(records, entry(timeout="30s"))
    watch = Watch(records, one, child())
    assert not looks(watch, records, 4, seconds=3_600)


def test_one_that_falls_silent_is_killed(records, due, entry, child):
    one = due(records, entry())
    watch = Watch(records, one, child(), silence=pd.Timedelta(seconds=20))
    for _ in range(10):
        records.agenda.beat(one, records.clock.now())
        assert not watch.look()
        records.clock.sleep(5)
    assert looks(watch, records, 6)
    assert end_of(records, one) == ("failed", "killed by the watchdog: it gave no sign of life for 25s")


def test_one_that_holds_too_much_memory_is_killed_with_what_it_started(records, due, entry, child):
    below = f"import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(200_000_000); {SLEEP}'])"
    one = due(records, entry(memory="150MB"))
    watch = Watch(records, one, child(below))
    for _ in range(100):
        if watch.look():
            break
        time.sleep(0.05)
    state, reason = end_of(records, one)
    assert state == "failed"
    assert "MB of memory, more than 150 MB" in reason


def test_the_last_words_of_one_that_died_are_why_it_failed(records, due, entry, child, tmp_path):
    one, log = due(records, entry()), tmp_path / "log"
    with log.open("wb") as file:
        process = child("raise ValueError('no such luck')", stderr=file)
    watch = Watch(records, one, process, log)
    process.wait()
    assert watch.look()
    assert end_of(records, one)[1] == "its process ended without a word (its last: ValueError: no such luck)"


def test_a_secret_that_its_process_wrote_is_masked_in_the_log_and_in_the_reason(
    records, due, entry, child, tmp_path, monkeypatch
):
    monkeypatch.setenv("BROKER_TOKEN", "hunter22-hunter22")
    one, log = due(records, entry()), tmp_path / "log"
    with log.open("wb") as file:
        process = child("import os, sys; sys.exit(os.environ['BROKER_TOKEN'])", stderr=file)
    process.wait()
    assert Watch(records, one, process, log).look()
    assert log.read_text() == "***BROKER_TOKEN***\n"
    assert end_of(records, one)[1].endswith("(its last: ***BROKER_TOKEN***)")


def test_one_that_was_tried_again_meanwhile_is_over_for_its_old_watch(records, due, entry, child):
    one = due(records, entry())
    watch = Watch(records, one, process := child())
    records.agenda.end(one, "failed", "given up", records.clock.now(), records.clock.now())
    again = records.agenda.claim(one.watcher, records.clock.now())
    assert looks(watch, records, 6)
    assert process.poll() is not None
    assert (records.agenda.get(one.id).state, records.agenda.get(one.id).attempts) == ("running", again.attempts)


def test_a_process_that_lingers_after_its_attempt_has_ended_is_killed(records, due, entry, child):
    one = due(records, entry())
    watch = Watch(records, one, process := child())
    records.agenda.end(one, "ok", None, records.clock.now())
    assert not looks(watch, records, 3)
    assert process.poll() is None
    assert looks(watch, records, 3)
    assert process.poll() is not None


def test_without_its_entry_an_attempt_is_watched_for_its_life_alone(records, due, entry, child):
    one = due(records, entry(timeout="5s"))
    with records.agenda.file.writing() as connection:
        connection.execute("UPDATE entries SET definition = '{}'")
    assert not looks(Watch(records, one, child()), records, 5)


def test_it_can_be_ended_without_a_word(records, due, entry, child):
    one = due(records, entry())
    watch = Watch(records, one, process := child())
    watch.end()
    assert process.poll() is not None
    assert records.agenda.get(one.id).state == "running"
