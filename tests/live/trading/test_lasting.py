"""Last prices of a real simulator: what they are, and how old by its own clock."""

import pandas as pd
import pytest

from qtw_lab.core import Settings
from qtw_lab.lab import realtime
from qtw_lab.live.trading.lasting import last_seen, seen_now
from qtw_lab.venues.alpaca import AlpacaReference
from qtw_lab.venues.simulator.choosing import chosen_market
from qtw_lab.venues.simulator.server import Simulator

SECOND = 10**9


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    start = pd.Timestamp("2024-01-05 15:00", tz="UTC")
    with Simulator(chosen_market(symbols=3), start=start, rate_limit=0) as served:
        settings = Settings(qtw_storage_dir=tmp_path_factory.mktemp("store"), _env_file=None)
        yield AlpacaReference(realtime.pointed_to(settings, served))


def test_prices_have_quotes_and_an_age_of_seconds_though_the_venue_lives_in_another_year(venue):
    found = seen_now(venue, ["SAAAB", "SAAAA"])
    assert list(found) == ["SAAAA", "SAAAB"]
    told = venue.snapshots(["SAAAA"])["SAAAA"]
    assert found["SAAAA"].last == pytest.approx(told["latestTrade"]["p"], rel=0.05)
    for one in found.values():
        assert 0 < one.bid <= one.ask
        assert 0 <= one.age < 60 * SECOND


class Telling:
    """A venue that says what it is told to."""

    def __init__(self, time, **snapshots):
        self.time, self.told = time, snapshots

    def snapshots(self, symbols):
        return {symbol: self.told[symbol] for symbol in symbols}

    def clock(self):
        return {"timestamp": self.time}


@pytest.mark.parametrize(
    ("now", "made", "age"),
    [
        ("2024-01-05T10:00:01.5-05:00", "2024-01-05T15:00:00Z", 3 * SECOND // 2),
        ("2024-01-05T15:00:00Z", "2024-01-05T15:00:01Z", 0),  # a clock may be behind its own trades
        ("soon", "2024-01-05T15:00:00Z", None),
        ("2024-01-05T15:00:00Z", None, None),
    ],
)
def test_the_age_is_counted_on_the_clock_of_the_venue_where_it_can_be(now, made, age):
    found = seen_now(Telling(now, X={"latestTrade": {"p": 10, "t": made}}, Y={"latestQuote": {"bp": 1}}), {"X", "Y"})
    assert found == {"X": (10.0, 10.0, 10.0, age)}


def test_nobody_is_asked_for_nothing():
    assert (last_seen(None, ()), seen_now(None, ())) == ({}, {})


def test_without_the_time_no_age_is_known():
    assert last_seen(Telling("", X={"latestTrade": {"p": 10}}), ["X"]) == {"X": (10.0, 10.0, 10.0, None)}
