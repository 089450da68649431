"""Requests by key and minute."""

import pytest

from qtw_lab.core import DataError
from qtw_lab.venues.simulator.limits import RateLimit


def test_each_key_has_its_own_minute_and_a_new_one_begins_anew():
    now = [30.0]
    limit = RateLimit(2, seconds=lambda: now[0])
    assert [limit.ask("a").remaining for _ in range(3)] == [1, 0, 0]
    assert not limit.ask("a").granted
    assert limit.ask("b").granted
    assert limit.ask("a").reset == 60
    now[0] = 60.0
    assert limit.ask("a").granted
    assert limit.ask("a").reset == 120


def test_headers_are_those_of_the_venue():
    assert RateLimit(200, seconds=lambda: 119.9).ask("a").headers == {
        "X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "199", "X-RateLimit-Reset": "120",
    }  # fmt: skip


def test_no_limit_grants_everything():
    limit = RateLimit(0)
    assert all(limit.ask("a").granted for _ in range(1000))


def test_a_server_that_was_restarted_has_forgotten():
    limit = RateLimit(1, seconds=lambda: 0.0)
    assert [limit.ask("a").granted for _ in range(2)] == [True, False]
    limit.forget()
    assert limit.ask("a").granted


@pytest.mark.parametrize("limit", [-1, 1.5, True, None])
def test_a_limit_that_is_none_is_refused(limit):
    with pytest.raises(DataError, match="rate limit"):
        RateLimit(limit)
