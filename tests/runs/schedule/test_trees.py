"""Real processes that start others, in sessions of their own and out of their parent's sight."""

import os
import platform
import signal
import subprocess
import sys
import time

import psutil
import pytest

from qtw_lab.runs.process import Process, start_of
from qtw_lab.runs.schedule.trees import kill, lives, resident

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]
#: Starts a child in a session of its own, as Jupyter does, that starts another, and an orphan of its own group.
FAMILY = """
import os, subprocess, sys, time
sleeps = [sys.executable, "-c", "import time; time.sleep(60)"]
nested = "import subprocess, sys, time; p = subprocess.Popen(%r); print(p.pid, flush=True); time.sleep(60)" % (sleeps,)
other = subprocess.Popen([sys.executable, "-c", nested], start_new_session=True, stdout=subprocess.PIPE, text=True)
print(other.pid, int(other.stdout.readline()), flush=True)
if os.fork() == 0:
    orphan = subprocess.Popen(sleeps)
    print(orphan.pid, flush=True)
    os._exit(0)
os.wait()
time.sleep(60)
"""


def process_of(pid: int) -> Process:
    return Process(platform.node(), pid, start_of(pid) or "")


def gone(pid: int) -> bool:
    """Whether a process that was killed ends."""
    until = time.monotonic() + 5
    while start_of(pid) is not None and time.monotonic() < until:
        time.sleep(0.01)
    return start_of(pid) is None


@pytest.fixture
def family():
    """A process in a session of its own, and the numbers of those that came of it."""
    child = subprocess.Popen([sys.executable, "-c", FAMILY], start_new_session=True, stdout=subprocess.PIPE, text=True)
    first, second = map(int, child.stdout.readline().split())
    orphan = int(child.stdout.readline())
    yield child, [first, second, orphan]
    for pid in (child.pid, first, second, orphan):
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()


def test_the_whole_family_is_killed_even_what_left_session_and_parent(family):
    child, others = family
    assert all(start_of(pid) for pid in others)
    kill([process_of(child.pid)])
    assert [start_of(pid) for pid in (child.pid, *others[:2])] == [None] * 3
    assert gone(others[2])  # the orphan, of whom nobody tells when it has ended


def test_a_family_that_was_stopped_is_killed_too(family):
    child, others = family
    os.killpg(child.pid, signal.SIGSTOP)
    kill([process_of(child.pid)])
    assert [start_of(pid) for pid in (child.pid, *others[:2])] == [None] * 3
    assert gone(others[2])  # the orphan, of whom nobody tells when it has ended


def test_a_process_that_only_has_the_same_number_is_left_alone(family):
    child, _ = family
    kill([Process(platform.node(), child.pid, "another one")])
    kill([Process("elsewhere", child.pid, start_of(child.pid))])
    time.sleep(0.05)
    assert child.poll() is None


def test_the_memory_of_a_family_is_the_sum_of_its_members(family):
    """They may still be growing, so the sum is taken before and after."""
    child, others = family

    def added_up():
        return sum(psutil.Process(pid).memory_info().rss for pid in (child.pid, *others[:2]))

    before, held, twice, after = (
        added_up(), resident([process_of(child.pid)]), resident([process_of(child.pid)] * 2), added_up(),
    )  # fmt: skip
    assert 0.7 * before <= held <= 1.3 * after
    assert twice < 1.9 * after
    assert resident([]) == 0


#: In a process of its own: what is below the tests' process belongs to other tests too.
KILLS_BELOW = """
import subprocess, sys
from qtw_lab.runs.process import Process
from qtw_lab.runs.schedule.trees import kill
below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
kill([Process.current()])
print(below.wait())
"""


def test_a_process_that_kills_what_is_below_it_lives_on():
    done = subprocess.run([sys.executable, "-c", KILLS_BELOW], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) == -signal.SIGKILL


def test_a_process_lives_until_it_is_gone():
    child = subprocess.Popen(SLEEPS)
    process = process_of(child.pid)
    assert lives(process)
    child.kill()
    while start_of(child.pid) is not None:
        time.sleep(0.01)
    assert not lives(process)  # though its parent has not asked for it yet
    child.wait()
    assert not lives(None)
    assert not lives(Process(platform.node(), os.getpid(), ""))


#: Starts another in a session of its own, a thousand times a second.
BREEDS = """
import os, time
while True:
    if os.fork() == 0:
        os.setsid()
        time.sleep(30)
        os._exit(0)
    time.sleep(0.001)
"""


def test_one_that_starts_others_all_the_time_is_killed_with_the_last_of_them(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", BREEDS], start_new_session=True, cwd=tmp_path)
    time.sleep(0.3)
    kill([process_of(child.pid)])
    child.wait()
    time.sleep(0.1)
    left = [one for one in psutil.process_iter() if there(one, str(tmp_path))]
    for one in left:
        one.kill()
    assert left == []


def there(process: psutil.Process, folder: str) -> bool:
    """Whether a process lives and works in that folder."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and process.cwd() == folder
    except psutil.Error:
        return False
