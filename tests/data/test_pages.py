"""How long to wait for a page, and which answers are final. The walk itself is driven over HTTP in test_alpaca."""

import pandas as pd
import pytest

from qtw_lab.core import DataError, SetupError, VenueError, VirtualClock
from qtw_lab.data.pages import PAUSES, Failure, Walk
from qtw_lab.data.ratelimit import RateLimit

NOW = pd.Timestamp("2024-01-02 00:00:00", tz="UTC")


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (500, {}, PAUSES[0]),
        (429, {"Retry-After": "9"}, 9.0),
        (503, {"Retry-After": "Tue, 02 Jan 2024 00:00:30 GMT"}, 30.0),
        (429, {"Retry-After": "soon"}, PAUSES[0]),
        (429, {"X-RateLimit-Reset": str(int(NOW.timestamp()) + 12)}, 12.0),
        (429, {"X-RateLimit-Reset": str(int(NOW.timestamp()) - 12)}, 0.0),
        (429, {"Retry-After": "3", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 12)}, 3.0),
        (500, {"X-RateLimit-Reset": str(int(NOW.timestamp()) + 12)}, PAUSES[0]),  # Alpaca sends it with every answer
        (None, {}, PAUSES[0]),
    ],
)
def test_the_headers_say_how_long_to_wait_or_the_usual_pause_does(status, headers, seconds):
    assert Failure(status, "", headers).pause(1, NOW) == seconds


def test_pauses_grow_with_the_attempts():
    assert [Failure(500, "").pause(attempt, NOW) for attempt in (1, 2, 3, 4, 5)] == [1.0, 2.0, 4.0, 8.0, 8.0]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, DataError), (401, SetupError), (403, SetupError), (404, SetupError), (418, VenueError), (422, DataError)],
)
def test_a_final_answer_has_the_error_of_those_who_can_mend_it(status, kind):
    assert not Failure(status, "").again
    assert isinstance(Failure(status, "no").error(), kind)


def test_a_question_without_bars_has_an_empty_answer_for_each_symbol():
    clock = VirtualClock(NOW)
    walk = Walk(lambda _: {"bars": None, "next_page_token": None}, RateLimit(60, clock), clock)
    assert walk.bars({}, ("AAPL", "IBM")) == {"AAPL": [], "IBM": []}
