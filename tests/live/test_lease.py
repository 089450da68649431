"""One engine a folder, and a dead one holds nothing."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from qtw_lab.core import SetupError
from qtw_lab.live.lease import Holder, Lease, holder_of

SINCE = 1_704_205_800 * 10**9

HOLD = """
import sys, time
from pathlib import Path
from qtw_lab.live.lease import Lease
with Lease(Path(sys.argv[1]), since=1704205800 * 10**9):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that has the lease."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_engine_is_refused_with_the_first_ones_number_and_since_when(tmp_path, other):
    with pytest.raises(SetupError, match=rf"process {other.pid} on .*, since 2024-01-02 14:30:00 UTC"):
        Lease(tmp_path, SINCE)
    holder = holder_of(tmp_path)
    assert holder is not None
    assert (holder.pid, holder.since) == (other.pid, SINCE)


def test_after_kill_9_the_lease_is_free_at_once(tmp_path, other):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    begun = time.perf_counter()
    assert holder_of(tmp_path) is None
    with Lease(tmp_path, SINCE) as lease:
        assert time.perf_counter() - begun < 1.0
        assert lease.holder.pid == os.getpid()


def test_the_same_process_gets_no_second_lease_either(tmp_path):
    with Lease(tmp_path, SINCE), pytest.raises(SetupError, match=f"process {os.getpid()}"):
        Lease(tmp_path, SINCE)
    Lease(tmp_path, SINCE).release()


def test_looking_never_keeps_an_engine_from_starting(tmp_path):
    end = threading.Event()

    def look() -> None:
        while not end.is_set():
            holder_of(tmp_path)

    looking = [threading.Thread(target=look) for _ in range(3)]
    Lease(tmp_path, SINCE).release()
    for thread in looking:
        thread.start()
    for _ in range(20):
        Lease(tmp_path, SINCE).release()
    end.set()
    for thread in looking:
        thread.join()


def test_a_holder_whose_note_cannot_be_read_is_a_holder_still(tmp_path, other):
    (tmp_path / "engine.json").write_text("{")
    assert holder_of(tmp_path) == Holder(0, "", 0)
    with pytest.raises(SetupError, match="did not say its number"):
        Lease(tmp_path, SINCE)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="Cannot write"):
        Lease(tmp_path / "file", SINCE)


def test_nobody_holds_a_folder_that_is_not_there(tmp_path):
    assert holder_of(tmp_path / "nowhere") is None
