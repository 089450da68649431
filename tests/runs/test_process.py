"""Telling a dead process from a living one with the same number."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

from qtw_lab.runs.process import Process, _from_proc, _from_psutil, start_of


def test_a_killed_process_is_gone_even_before_its_parent_has_noticed():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    owner = replace(Process.current(), pid=child.pid, started=start_of(child.pid))
    assert not owner.gone
    child.kill()
    deadline = time.monotonic() + 10
    while not owner.gone and time.monotonic() < deadline:
        time.sleep(0.01)
    assert owner.gone  # still a zombie here
    assert _from_psutil(child.pid) is None
    child.wait()
    assert owner.gone
    assert _from_psutil(child.pid) is None


def test_another_process_with_the_same_number_is_not_the_owner():
    assert replace(Process.current(), started="another boot:1").gone


def test_a_process_on_another_machine_is_not_declared_dead():
    assert not replace(Process.current(), host="elsewhere", pid=1, started="x").gone


def test_a_process_whose_start_is_unknown_is_not_declared_dead():
    assert not replace(Process.current(), started="").gone


def test_both_ways_of_asking_tell_a_living_process():
    pid = Process.current().pid
    assert _from_proc(pid) == _from_proc(pid) is not None
    assert _from_psutil(pid) == _from_psutil(pid) is not None
