"""Faults of the engine's process and disk: kill -9, SIGTERM, a full disk, a torn record, a second engine, a pause."""

from __future__ import annotations

import os
import random
import resource
import signal
import time

import pytest
from engine_processes import Processes, killed, settled, working
from faults import Drill, small_market

from qtw_lab.core import SetupError
from qtw_lab.live.lease import Lease
from qtw_lab.live.replay import replayed
from qtw_lab.live.status import read_status


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A market of some minutes, and whoever starts engines on it, one after the other in the same folders."""
    folder = tmp_path_factory.mktemp("engine")
    drill = Drill(folder, small_market(minutes=30.0, rate=200.0), speed=4.0)
    drill.simulator.start()
    with Processes(drill, folder) as processes:
        yield drill, processes
    drill.simulator.stop()


def test_after_ten_kills_at_random_moments_no_bar_is_missing_twice_or_wrong(place):
    drill, processes = place
    lives = random.Random(5)
    worked = killed(drill, processes, [lives.uniform(0.02, 1.5) for _ in range(10)])
    working(drill, processes)
    verdict = settled(drill, processes)
    print(f"{worked} of 10 had written bars; {verdict}")
    assert verdict.perfect, verdict
    assert verdict.filled > 0


@pytest.mark.slow
def test_a_process_that_stood_still_for_three_seconds_catches_up(place):
    drill, processes = place
    working(drill, processes)
    os.kill(processes.pid, signal.SIGSTOP)
    time.sleep(3.0)
    os.kill(processes.pid, signal.SIGCONT)
    drill.running()
    drill.pass_market(8)
    verdict = settled(drill, processes)
    assert verdict.perfect, verdict


def test_on_a_full_disk_the_engine_goes_on_says_so_and_writes_again_when_there_is_space(place):
    drill, processes = place
    working(drill, processes)
    most = resource.prlimit(processes.pid, resource.RLIMIT_FSIZE)
    written = max(path.stat().st_size for path in drill.places.journal.glob("*.log"))
    resource.prlimit(processes.pid, resource.RLIMIT_FSIZE, (written + 5000, most[1]))
    began = time.monotonic()
    drill.until(lambda: "journal" in drill.writing_faults(), 10.0, "said that it cannot write")
    print(f"said after {time.monotonic() - began:.1f} s: {drill.writing_faults()['journal']}")
    time.sleep(1.5)
    assert read_status(drill.places.state).state == "running"
    resource.prlimit(processes.pid, resource.RLIMIT_FSIZE, most)
    drill.running()
    drill.until(lambda: "journal" not in drill.writing_faults(), 10.0, "written again")
    verdict = settled(drill, processes)
    assert verdict.perfect, verdict


@pytest.mark.slow
def test_a_torn_last_record_costs_nothing(place):
    drill, processes = place
    sizes = random.Random(6)
    for tail in (b"", b"\x07garbage", b"\0" * 50):
        working(drill, processes)
        assert processes.end(signal.SIGKILL) == -signal.SIGKILL
        newest = max(drill.places.journal.glob("*.log"))
        with newest.open("r+b") as log:
            log.truncate(newest.stat().st_size - sizes.randint(1, 200))
            log.seek(0, 2)
            log.write(tail)
        drill._entries.clear()
    working(drill, processes)
    verdict = settled(drill, processes)
    assert verdict.perfect, verdict


def test_a_second_engine_in_the_same_folder_is_refused_and_the_first_goes_on(place):
    drill, processes = place
    working(drill, processes)
    with pytest.raises(SetupError, match=f"already works in .* process {processes.pid} on"):
        Lease(drill.places.state, drill.now())
    drill.begin()
    drill._thread.join(20.0)
    assert isinstance(drill.ending, SetupError)
    drill.running()
    verdict = settled(drill, processes)
    assert verdict.perfect, verdict
    assert read_status(drill.places.state).state == "stopped"


def test_each_session_that_ended_cleanly_gives_the_same_again(place):
    drill, _ = place
    last = max(drill.places.recordings.iterdir())
    again = replayed(last)
    assert again.same, again.difference
    assert again.bars > 0


def test_keys_that_are_wrong_end_the_command_with_status_1(place):
    drill, processes = place
    drill.simulator.fault({"kind": "auth", "code": 402, "for": 30.0})
    processes.start()
    assert processes.ended() == 1
    assert "402" in processes.said().splitlines()[-1]
    drill.simulator.clear()


@pytest.mark.slow
def test_after_two_hundred_kills_at_random_moments_no_bar_is_missing_twice_or_wrong(tmp_path):
    lives = random.Random(7)
    drill = Drill(tmp_path, small_market(minutes=40.0, rate=150.0), speed=2.0)
    drill.simulator.start()
    with Processes(drill, tmp_path) as processes:
        worked = killed(drill, processes, [lives.uniform(0.02, 3.0) for _ in range(200)])
        working(drill, processes)
        verdict = settled(drill, processes)
    drill.simulator.stop()
    print(f"{worked} of 200 had written bars; {verdict}")
    assert worked > 50
    assert verdict.perfect, verdict
