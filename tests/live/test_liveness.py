"""When silence is an alarm, and up to when nothing is missing."""

from qtw_lab.live.liveness import Listening
from qtw_lab.live.sessions import Sessions

SECOND = 10**9
NOW = 1_704_205_800 * SECOND
BOTH = {"trades": 5, "quotes": 5}


def listening(beats=30):
    """One that heard both channels every tenth of a second, and the time."""
    found = Listening(Sessions("24/7"), extended=False)
    assert found.confirmed(BOTH, NOW)
    now = NOW
    for _ in range(beats):
        now += SECOND // 10
        found.heard(now, trades=3, quotes=4)
        assert found.silence(now) is None
    return found, now


def first_alarm(found, now, **counts):
    for tenth in range(1, 400):
        at = now + tenth * SECOND // 10
        found.heard(at, **counts)
        if found.silence(at) is not None:
            return tenth / 10
    return None


def test_silence_of_a_busy_stream_is_an_alarm_after_two_seconds():
    assert first_alarm(*listening()) == 2.0


def test_silence_of_trades_alone_is_one_too_where_they_had_come():
    found, now = listening()
    assert first_alarm(found, now, quotes=1) == 2.0
    found.down()
    assert found.confirmed(BOTH, now + 3 * SECOND)
    assert first_alarm(found, now + 3 * SECOND, quotes=1) is None  # a new link would not make them trade


def test_a_stream_that_is_not_known_yet_is_given_ten_seconds():
    assert first_alarm(*listening(beats=10)) == 10.0
    assert first_alarm(*listening(beats=0)) == 10.0


def test_quotes_may_be_silent_while_trades_come():
    found, now = listening()
    assert first_alarm(found, now, trades=1) is None


def test_nothing_is_expected_of_a_link_that_is_down_or_while_all_is_halted():
    found, now = listening()
    assert found.expecting(now)
    assert found.halt(now, halted=True)
    assert not found.halt(now, halted=True)
    assert not found.expecting(now)
    assert first_alarm(found, now) is None
    found.halt(now + 60 * SECOND, halted=False)
    assert 2.0 <= first_alarm(found, now + 60 * SECOND) < 2.2
    found.down()
    assert not found.on
    assert not found.expecting(now)
    assert found.silence(now + 500 * SECOND) is None


def test_a_changed_subscription_is_not_a_new_link():
    found, now = listening()
    assert not found.confirmed({"trades": 9, "quotes": 9}, now + SECOND)
    assert first_alarm(found, now) == 2.0
    assert not found.confirmed({"trades": 0, "quotes": 0}, now)
    assert not found.on


def test_the_proof_is_the_newest_event_or_the_beginning_of_the_link():
    found = Listening(Sessions("24/7"), extended=False)
    assert found.proof(None) is None
    found.confirmed(BOTH, NOW)
    assert found.proof(None) == NOW
    assert found.proof(NOW - 5) == NOW
    assert found.proof(NOW + 5) == NOW + 5
