"""A status is whole whenever it is read, and says whether its engine lives."""

import os
import threading

import pytest

from qtw_lab.core import DataError, SetupError
from qtw_lab.live.lease import Lease
from qtw_lab.live.status import read_status, write_status


def test_an_engine_that_never_was_is_stopped(tmp_path):
    status = read_status(tmp_path)
    assert (status.state, status.age, status.holder, status.content) == ("stopped", None, None, {})


def test_with_the_lease_and_a_fresh_status_it_runs(tmp_path):
    with Lease(tmp_path, 10**18):
        write_status(tmp_path, {"bars": 3})
        status = read_status(tmp_path)
        assert (status.state, status.content) == ("running", {"bars": 3})
        assert status.holder is not None
        assert status.holder.pid == os.getpid()


def test_with_the_lease_and_an_old_status_it_hangs(tmp_path):
    with Lease(tmp_path, 10**18):
        assert read_status(tmp_path).state == "hung"
        path = write_status(tmp_path, {})
        assert read_status(tmp_path, now=path.stat().st_mtime + 4.9).state == "running"
        status = read_status(tmp_path, now=path.stat().st_mtime + 5.1)
        assert status.state == "hung"
        assert status.age == pytest.approx(5.1, abs=0.01)


def test_without_the_lease_it_is_dead_unless_it_said_that_it_stops(tmp_path):
    write_status(tmp_path, {"bars": 3})
    assert read_status(tmp_path).state == "dead"
    write_status(tmp_path, {"bars": 4}, stopped=True)
    assert read_status(tmp_path).state == "stopped"


def test_readers_never_see_half_a_status(tmp_path):
    end, states = threading.Event(), []

    def look() -> None:
        while not end.is_set():
            status = read_status(tmp_path)
            states.append(len(status.content["fill"]) == status.content["size"])

    write_status(tmp_path, {"size": 0, "fill": ""})
    reader = threading.Thread(target=look)
    reader.start()
    for size in range(1000):
        write_status(tmp_path, {"size": size * 7, "fill": "x" * size * 7})
    end.set()
    reader.join()
    assert len(states) > 10
    assert all(states)


def test_a_status_that_cannot_be_written_leaves_the_old_one_and_marks_it_fresh(tmp_path, monkeypatch):
    path = write_status(tmp_path, {"bars": 3})
    os.utime(path, (1, 1))

    def full(self: object, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(SetupError, match="No space left"):
        write_status(tmp_path, {"bars": 4})
    assert read_status(tmp_path).content == {"bars": 3}
    assert path.stat().st_mtime > 1


def test_an_emptied_file_as_a_power_cut_leaves_it_is_no_content(tmp_path):
    write_status(tmp_path, {"bars": 3}).write_bytes(b"")
    assert (read_status(tmp_path).state, read_status(tmp_path).content) == ("dead", {})


def test_what_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match="JSON"):
        write_status(tmp_path, {"rate": float("nan")})
