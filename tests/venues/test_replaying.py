import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.venues.feeds import Inbound, Kind
from qtw_lab.venues.replaying import ReplayFeed

SECOND = 10**9


class Watch:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 100.0

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def replayed(recording, speed=None, seconds=1.0):
    watch = Watch()
    feed = ReplayFeed(recording, speed, monotonic=watch.monotonic, sleep=watch.sleep)
    feed.open()
    came = []
    for _ in range(10_000):
        came += [(round(watch.time - 100.0, 6), inbound) for inbound in feed.read(seconds)]
        if came and came[-1][1].kind == Kind.LINK:
            break
    return came


inbounds = st.lists(
    st.builds(
        Inbound, st.integers(0, 2**40), st.sampled_from([Kind.DATA, Kind.ANSWER, Kind.BEAT]), st.binary(max_size=20)
    )
)


@given(inbounds, st.sampled_from([None, 1.0, 1000.0]))
def test_what_was_recorded_comes_again_as_it_was_with_its_end_after_it(recording, speed):
    came = [inbound for _, inbound in replayed(iter(recording), speed, seconds=1e6)]
    assert came[:-1] == recording
    assert json.loads(came[-1].payload) == {"state": "ended"}
    assert came[-1].received == (recording[-1].received if recording else 0)


def test_at_no_speed_no_time_passes():
    came = replayed([Inbound(0, Kind.DATA), Inbound(3600 * SECOND, Kind.DATA)])
    assert [when for when, _ in came] == [0, 0, 0]


def test_at_a_speed_things_come_when_they_are_due():
    recording = [Inbound(50 * SECOND, Kind.DATA), Inbound(60 * SECOND, Kind.DATA), Inbound(61 * SECOND, Kind.BEAT)]
    assert [when for when, _ in replayed(recording, 1.0, seconds=0.3)] == [0, 10, 11, 11]
    assert [when for when, _ in replayed(recording, 20.0)] == [0, 0.5, 0.55, 0.55]


def test_nothing_comes_before_it_is_due_and_a_read_waits_no_longer_than_told():
    watch = Watch()
    feed = ReplayFeed(
        [Inbound(0, Kind.DATA), Inbound(5 * SECOND, Kind.DATA)], 1.0, monotonic=watch.monotonic, sleep=watch.sleep
    )
    feed.open()
    assert len(feed.read(2)) == 1
    assert feed.read(2) == ()
    assert watch.time == 102.0
    assert feed.read(0) == ()
    assert watch.time == 102.0
    assert len(feed.read(10)) == 1
    assert watch.time == 105.0


def test_a_reader_that_falls_behind_is_given_all_that_is_due_at_once():
    watch = Watch()
    recording = [Inbound(number * SECOND, Kind.DATA) for number in range(10)]
    feed = ReplayFeed(recording, 1.0, monotonic=watch.monotonic, sleep=watch.sleep)
    feed.open()
    feed.read(0)
    watch.time += 5.5
    assert [len(feed.read(0)) for _ in range(6)] == [1, 1, 1, 1, 1, 0]


def test_a_clock_set_back_while_recording_does_not_stop_the_replay():
    recording = [Inbound(t * SECOND, Kind.DATA) for t in (100, 101, 41, 42, 43)]
    assert [when for when, _ in replayed(recording, 1.0)] == [0, 1, 1, 2, 3, 3]


def test_the_end_that_was_recorded_is_not_told_twice():
    ended = Inbound(7, Kind.LINK, b'{"state": "ended"}')
    feed = ReplayFeed([Inbound(5, Kind.DATA), ended])
    feed.open()
    assert [inbound.kind for _ in range(5) for inbound in feed.read(0)] == [Kind.DATA, Kind.LINK]


def test_nothing_comes_before_opening_and_after_closing_but_the_end():
    feed = ReplayFeed([Inbound(1, Kind.DATA), Inbound(2, Kind.DATA)])
    assert feed.read(0) == ()
    feed.open()
    assert len(feed.read(0)) == 1
    feed.subscribe({"trades": ["IBM"]})
    feed.reconnect("no matter")
    feed.close()
    feed.open()
    assert [json.loads(inbound.payload) for _ in range(3) for inbound in feed.read(0)] == [{"state": "ended"}]


def test_a_recording_is_taken_up_piece_by_piece():
    taken = []

    def recording():
        for number in range(5):
            taken.append(number)
            yield Inbound(number, Kind.DATA)

    feed = ReplayFeed(recording())
    feed.open()
    feed.read(0)
    feed.read(0)
    assert taken == [0, 1]


@pytest.mark.parametrize("speed", [0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(speed):
    with pytest.raises(DataError, match="makes no sense"):
        ReplayFeed([], speed)


def test_a_path_is_refused_with_the_way_to_read_it(tmp_path):
    with pytest.raises(DataError, match="read_recording"):
        ReplayFeed(tmp_path)
