"""A recording gives back what came in, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.live.recording import Recording, read_recording, session_of
from qtw_lab.venues.feeds import Inbound, Kind

SESSION = {"profile": {"focus": {"size": 2}}, "strategy": "momentum", "symbols": ["AAPL"], "versions": {"qtw": "0.1"}}

INBOUND = st.builds(Inbound, st.integers(0, 2**62), st.sampled_from(Kind), st.binary(max_size=200))


@given(st.lists(INBOUND, max_size=20))
def test_what_came_comes_back(tmp_path_factory, inbounds):
    folder = tmp_path_factory.mktemp("recording")
    with Recording(folder, 5, SESSION, segment_bytes=1024, sync_seconds=None) as recording:
        for inbound in inbounds:
            recording.write(inbound)
    assert list(read_recording(folder)) == inbounds
    assert session_of(folder) == SESSION
    assert list(read_recording(next(folder.glob("*.log")))) == inbounds


def test_a_payload_is_copied_so_that_its_memory_may_be_used_again(tmp_path):
    memory = bytearray(b"first")
    with Recording(tmp_path, 0, SESSION) as recording:
        recording.write(Inbound(1, Kind.DATA, memoryview(memory)))
        memory[:] = b"other"
    assert [inbound.payload for inbound in read_recording(tmp_path)] == [b"first"]


def test_a_torn_end_is_no_damage(tmp_path):
    with Recording(tmp_path, 0, SESSION) as recording:
        for number in range(3):
            recording.write(Inbound(number, Kind.BEAT, b"x" * 10))
    path = tmp_path / "recording.000001.log"
    path.write_bytes(path.read_bytes()[:-1])
    assert [inbound.received for inbound in read_recording(tmp_path)] == [0, 1]


def test_damage_in_the_midst_is_an_error_and_never_a_shorter_session(tmp_path):
    with Recording(tmp_path, 0, SESSION) as recording:
        for number in range(3):
            recording.write(Inbound(number, Kind.DATA, b"x" * 100))
    path = tmp_path / "recording.000001.log"
    content = bytearray(path.read_bytes())
    content[-150] ^= 1
    path.write_bytes(content)
    read = read_recording(tmp_path)
    assert next(read).received == 0
    with pytest.raises(DataError, match="cannot be replayed as it was"):
        next(read)


def test_each_session_has_a_folder_of_its_own(tmp_path):
    Recording(tmp_path, 0, SESSION).close()
    with pytest.raises(DataError, match="folder of its own"):
        Recording(tmp_path, 0, SESSION)


def test_a_folder_without_a_recording_is_refused_at_once(tmp_path):
    with pytest.raises(DataError, match="no recording"):
        read_recording(tmp_path)
    with pytest.raises(DataError, match="no recording"):
        session_of(tmp_path / "nowhere")
