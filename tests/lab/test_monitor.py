"""The realtime engine as a page shows it."""

import json

import pytest
from listened import Listened

from qtw_lab.core import DataError, Settings, SetupError
from qtw_lab.lab import Lab
from qtw_lab.lab.monitor import FEEDS, Monitor
from qtw_lab.live.status import write_status


@pytest.fixture
def settings(tmp_path):
    return Settings(qtw_storage_dir=tmp_path, _env_file=None)


def test_before_any_engine_there_is_nothing_and_looking_makes_nothing(settings, tmp_path):
    monitor = Monitor(settings)
    assert monitor.condition().state == "never"
    assert not monitor.slow
    monitor.follow()
    monitor.glance()
    assert monitor.symbols == []
    assert monitor.universe() == (None, {})
    assert (monitor.decided_on, monitor.speed, monitor.levels) == (5, 1.0, ())
    assert list(tmp_path.iterdir()) == []


def test_profiles_are_the_houses_the_last_one_and_your_own(settings, tmp_path):
    monitor = Monitor(settings)
    assert list(monitor.profiles()) == ["retail_second", "retail_minute"]
    own = tmp_path / "realtime" / "profiles"
    own.mkdir(parents=True)
    (own / "mine.json").write_text("{}")
    monitor.places.state.mkdir(parents=True)
    (monitor.places.state / "realtime_profile.json").write_text("{}")
    assert list(monitor.profiles()) == ["retail_second", "retail_minute", "last", "mine"]
    assert monitor.profiles()["mine"] == str(own / "mine.json")


def test_what_cannot_be_started_is_refused_before_anything_is_done(settings, tmp_path):
    monitor, lab = Monitor(settings), Lab(settings)
    with pytest.raises(DataError, match=r"There is no profile 'retail_hour'\. There are: retail_second"):
        monitor.start(lab, "retail_hour", "simulator", 1.0)
    for speed in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(DataError, match="venue seconds a second above 0"):
            monitor.start(lab, "retail_second", "simulator", speed)
    own = tmp_path / "realtime" / "profiles"
    own.mkdir(parents=True)
    (own / "wrong.json").write_text(json.dumps({"focus": {"sise": 3}}))
    with pytest.raises(DataError, match="Did you mean 'size'"):
        monitor.start(lab, "wrong", "simulator", 1.0)
    assert not monitor.places.state.exists()


def test_a_feed_that_needs_keys_says_so(settings):
    monitor = Monitor(settings)
    with pytest.raises(SetupError, match="ALPACA_API_KEY_ID"):
        monitor.start(Lab(settings), "retail_second", "iex", 1.0)
    assert FEEDS[0] == "simulator"


def test_one_that_died_is_stale_and_its_journal_still_read(settings):
    monitor = Monitor(settings)
    monitor.places.state.mkdir(parents=True)
    write_status(monitor.places.state, {"focus": 3})
    assert (monitor.condition().state, monitor.condition().cause) == ("stale", "dead")
    assert monitor.facts()["focus"] == 3
    monitor.follow()


def test_an_engine_is_started_watched_and_stopped(tmp_path):
    with Listened(tmp_path, symbols=10, focus=8, speed=10.0) as market:
        told = {name.lower(): value for name, value in market.variables().items()}
        settings = Settings(_env_file=None, **told)
        monitor = Monitor(settings)
        monitor.start(Lab(settings), "test", "simulator", market.speed)
        try:
            _watched(monitor, market, Lab(settings))
        finally:
            monitor.stop()
        monitor.follow()
        assert (monitor.condition().state, monitor.condition().reason) == ("stopped", "SIGTERM")
        assert monitor.told > 0


def _watched(monitor, market, lab):
    market.listen()
    assert monitor.condition().state in ("running", "reconnecting")
    with pytest.raises(SetupError, match="works in"):
        monitor.start(lab, "test", "simulator", market.speed)
    market.live.wait(lambda: _decided(monitor), 60)
    assert not monitor.slow
    assert len(monitor.symbols) == 8
    assert monitor.speed == 10.0
    assert {1, 5} <= set(monitor.levels) <= {1, 5, 60}
    assert monitor.universe()[0] == 10
    best = monitor.symbols[0]
    table = monitor.focus(5, find=best)
    assert table["symbol"].tolist() == [best]
    assert monitor.bars(best, 5)["close"].iloc[-1] == table["close"].iloc[0]
    assert monitor.churn()["came"].tolist() == [8]
    assert {"start", "link", "focus", "universe"} <= set(monitor.events()["event"])
    assert monitor.gaps().empty
    assert monitor.beats.kept
    assert any("Engine on" in line for line in monitor.log.lines)


def _decided(monitor):
    monitor.follow()
    monitor.glance()
    return not monitor.signals(held=True).empty and not monitor.bars(monitor.symbols[0], 5).empty
