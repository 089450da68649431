"""Locks that end with their process, and writing that is whole or was not done."""

import signal
import subprocess
import sys

import pytest

from qtw_lab.venues.killswitch import disk


def test_a_lock_is_held_by_one_and_free_after_it(tmp_path):
    with disk.held(tmp_path, 0) as mine, disk.held(tmp_path, 0.02) as too:
        assert (mine, too) == (True, False)
    with disk.held(tmp_path, 0) as again:
        assert again
    with pytest.raises(FileNotFoundError), disk.held(tmp_path / "nothing", 0):
        pass


def test_a_lock_ends_with_the_process_that_was_killed(tmp_path):
    code = f"""
import time
from pathlib import Path
from qtw_lab.venues.killswitch import disk
with disk.held(Path({str(tmp_path)!r}), 0) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "True\n"
    with disk.held(tmp_path, 0) as mine:
        assert not mine
    child.send_signal(signal.SIGKILL)
    child.communicate()
    with disk.held(tmp_path, 0) as mine:
        assert mine


def within(size, work):
    """Do something in a child process that may not write beyond a size; whether that went well there."""
    code = f"""
import resource
from pathlib import Path
from qtw_lab.venues.killswitch import disk
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
{work}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.returncode or "OSError: [Errno 2" in done.stderr, done.stderr  # no space, or too large a file
    return not done.returncode


@pytest.mark.parametrize("room", [0, 1, 4])
def test_what_does_not_fit_at_the_end_leaves_no_trace(tmp_path, room):
    path = tmp_path / "log"
    path.write_bytes(b"first\n")
    work = f"disk.append(Path({str(path)!r}), b'second\\n')"
    assert not within(6 + room, work)
    assert path.read_bytes() == b"first\n"
    assert within(13, work)
    assert path.read_bytes() == b"first\nsecond\n"


def test_what_cannot_be_replaced_stays_as_it_was(tmp_path):
    path = tmp_path / "armed"
    disk.replace(path, b"old")
    assert not within(2, f"disk.replace(Path({str(path)!r}), b'new')")
    assert [one.name for one in tmp_path.iterdir()] == ["armed"]
    assert path.read_bytes() == b"old"
    disk.replace(path, b"new")
    assert path.read_bytes() == b"new"
