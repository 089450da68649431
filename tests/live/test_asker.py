"""The thread that asks (live/asking.py): answers in order, and nobody waits for a venue that hangs."""

import threading
import time

from qtw_lab.live.answers import Answer, Question
from qtw_lab.live.asking import Asker
from qtw_lab.venues.feeds import Kind


class Venue:
    """Answers when it is let."""

    def __init__(self):
        self.may = threading.Event()

    def assets(self):
        self.may.wait(20)
        return [{"symbol": "A"}]

    def clock(self):
        raise ConnectionError("gone")


def collected(asker, count):
    found, end = [], time.monotonic() + 10
    while len(found) < count and time.monotonic() < end:
        found += asker.answers()
        time.sleep(0.005)
    return found


def test_questions_are_answered_in_order_and_errors_are_answers():
    venue = Venue()
    venue.may.set()
    asker = Asker(venue, now=lambda: 42)
    for number, about in enumerate(("assets", "clock", "assets")):
        asker.ask(Question(number, about))
    found = collected(asker, 3)
    asker.close()
    assert [(one.received, one.kind) for one in found] == [(42, Kind.ANSWER)] * 3
    answers = [Answer.of(one.payload) for one in found]
    assert [answer.question.number for answer in answers] == [0, 1, 2]
    assert answers[0].data == [{"symbol": "A"}]
    assert "ConnectionError" in answers[1].error
    assert asker.answers() == []


def test_what_bars_wait_for_is_asked_first():
    venue = Venue()
    asker = Asker(venue, now=lambda: 42)
    asker.ask(Question(1, "assets"))  # is being asked
    time.sleep(0.05)
    for number, urgent in ((2, False), (3, False), (4, True)):
        asker.ask(Question(number, "clock", urgent=urgent))
    venue.may.set()
    assert [Answer.of(one.payload).question.number for one in collected(asker, 4)] == [1, 4, 2, 3]
    asker.close()


def test_asking_and_closing_never_wait():
    venue = Venue()
    asker = Asker(venue, now=time.time_ns)
    began = time.monotonic()
    asker.ask(Question(1, "assets"))
    assert asker.answers() == []
    asker.close()
    assert time.monotonic() - began < 1.0
    venue.may.set()
