"""A sign of life that is whole or is none."""

import os
import threading

import pytest

from qtw_lab.core import SetupError
from qtw_lab.venues.killswitch.heartbeat import Beat, Heartbeat, Unread

NOW = 1_704_205_800 * 10**9


def test_the_last_beat_is_the_one_that_is_read(tmp_path):
    heart = Heartbeat(tmp_path / "heartbeat.json")
    for second in range(3):
        heart.beat(NOW + second)
    assert heart.last() == Beat(NOW + 2, os.getpid())
    assert [path.name for path in tmp_path.iterdir()] == ["heartbeat.json"]
    assert (tmp_path / "heartbeat.json").read_text() == f'{{"at":{NOW + 2},"pid":{os.getpid()}}}'


def test_no_file_is_no_sign_of_life_and_says_why(tmp_path):
    heart = Heartbeat(tmp_path / "heartbeat.json")
    assert heart.last() == Unread("heartbeat.json cannot be read (No such file or directory)")
    heart.beat(NOW)
    heart.forget()
    heart.forget()
    assert isinstance(heart.last(), Unread)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"at":1}', b'{"at":"1","pid":2}', b'{"at":true,"pid":2}', b"\xff", b"[" * 9999],
)
def test_a_damaged_file_is_no_sign_of_life(tmp_path, content):
    path = tmp_path / "heartbeat.json"
    path.write_bytes(content)
    assert Heartbeat(path).last() == Unread("heartbeat.json is damaged")


def test_a_beat_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(SetupError, match="without it the kill switch will trip"):
        Heartbeat(tmp_path / "nowhere" / "heartbeat.json").beat(NOW)


def test_nobody_reads_half_a_beat(tmp_path):
    heart, over, seen = Heartbeat(tmp_path / "heartbeat.json"), threading.Event(), []
    heart.beat(NOW)

    def read():
        while not over.is_set():
            seen.append(heart.last())

    reader = threading.Thread(target=read)
    reader.start()
    for second in range(500):
        heart.beat(NOW + second)
    over.set()
    reader.join()
    assert seen
    assert all(isinstance(beat, Beat) for beat in seen)
