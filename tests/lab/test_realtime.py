"""Which feed, which settings and which places a realtime engine gets."""

import math

import pytest
from pydantic import SecretStr

from qtw_lab.core import DataError, Settings, SetupError
from qtw_lab.lab import realtime
from qtw_lab.live.profile import checked, template
from qtw_lab.live.reading import JournalReader

PROFILE = checked({})
KEYED = {"alpaca_api_key_id": SecretStr("mine"), "alpaca_api_secret_key": SecretStr("own")}


def settings(tmp_path, **given):
    return Settings(qtw_storage_dir=tmp_path, _env_file=None, **given)


def test_the_engine_keeps_everything_in_the_storage_folder_unless_told_otherwise(tmp_path):
    where = realtime.places(settings(tmp_path))
    assert (where.state, where.data) == (tmp_path / "realtime" / "state", tmp_path / "realtime" / "data")
    told = realtime.places(settings(tmp_path, realtime_state_dir=tmp_path / "s", realtime_data_dir=tmp_path / "d"))
    assert (told.state, told.data) == (tmp_path / "s", tmp_path / "d")


def test_a_profile_may_be_itself_values_a_name_or_a_file(tmp_path):
    path = tmp_path / "p.json"
    path.write_text('{"focus": {"size": 7}}')
    assert realtime.profile_of(PROFILE) is PROFILE
    assert realtime.profile_of({"focus": {"size": 7}}) == realtime.profile_of(path) == realtime.profile_of(str(path))
    assert realtime.profile_of("retail_minute") == template("retail_minute")
    with pytest.raises(DataError, match="Did you mean 'retail_minute'"):
        realtime.profile_of("retail_minutes")


@pytest.mark.parametrize("feed", ["sip", "iex", "test", "delayed_sip"])
def test_a_feed_of_alpaca_needs_keys_and_says_what_needs_none(tmp_path, feed):
    with (
        pytest.raises(SetupError, match=rf"'{feed}' is Alpaca's and needs ALPACA_API_KEY_ID .*'simulator' needs none"),
        realtime.chosen(settings(tmp_path), PROFILE, feed, 1.0),
    ):
        pass


def test_a_feed_that_is_none_is_refused_with_the_one_that_was_meant(tmp_path):
    for feed, said in (("simulater", "Did you mean 'simulator'"), ("replay", "qtw realtime replay")):
        with pytest.raises(DataError, match=said), realtime.chosen(settings(tmp_path), PROFILE, feed, 1.0):
            pass


@pytest.mark.parametrize("speed", [0.0, -1.0, math.inf, math.nan])
def test_an_engine_needs_a_speed_it_can_count_with(tmp_path, speed):
    with (
        pytest.raises(DataError, match="is none for an engine"),
        realtime.chosen(settings(tmp_path), PROFILE, "simulator", speed),
    ):
        pass


def test_the_profiles_feed_and_address_are_taken(tmp_path):
    profile = checked({"engine": {"feed": "iex", "stream_url": "ws://127.0.0.1:9/v2/iex"}})
    with realtime.chosen(settings(tmp_path, **KEYED), profile, None, 1.0) as given:
        assert given.settings.alpaca_data_feed == "iex"
        assert given.settings.alpaca_data_ws_url == "ws://127.0.0.1:9/v2/iex"


def test_the_test_stream_has_one_symbol_and_no_hours(tmp_path):
    with realtime.chosen(settings(tmp_path, **KEYED), PROFILE, "test", 1.0) as given:
        assert given.profile.universe.symbols == ("FAKEPACA",)
        runner = realtime.runner(given, realtime.places(settings(tmp_path)))
        assert (runner.calendar, runner.reference) == ("24/7", None)
        runner.feed.close()
    named = checked({"universe": {"symbols": "OTHER"}})
    with realtime.chosen(settings(tmp_path, **KEYED), named, "test", 1.0) as given:
        assert given.profile.universe.symbols == ("OTHER",)


def test_the_simulator_of_an_address_is_used_with_its_own_keys(tmp_path):
    address = "ws://127.0.0.1:9/v2/sip"
    with realtime.chosen(settings(tmp_path, alpaca_data_ws_url=address), PROFILE, "simulator", 4.0) as given:
        assert (given.settings.alpaca_data_ws_url, given.speed) == (address, 4.0)
        assert given.settings.alpaca_api_key_id.get_secret_value() == "sim-key"
    with realtime.chosen(settings(tmp_path, alpaca_data_ws_url=address, **KEYED), PROFILE, "simulator", 1.0) as given:
        assert given.settings.alpaca_api_key_id.get_secret_value() == "mine"


def test_without_an_address_a_simulator_is_served_and_ended_and_real_keys_stay_out_of_it(tmp_path):
    import urllib.error
    import urllib.request

    with realtime.chosen(settings(tmp_path, **KEYED), PROFILE, "simulator", 2.0) as given:
        url = given.settings.alpaca_data_rest_url
        assert given.settings.alpaca_api_key_id.get_secret_value() == "sim-key"
        assert urllib.request.urlopen(f"{url}/simulator/state", timeout=5).status == 200
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/simulator/state", timeout=5)


def test_redis_is_told_only_where_there_is_an_address(tmp_path):
    without = realtime.outlets(settings(tmp_path), realtime.places(settings(tmp_path)))
    assert without.redis is None
    assert without.exports is not None
    assert without.metrics is not None


def test_a_simulator_plays_what_is_asked_for():
    assert len(realtime.simulator(symbols=4).market.symbols.names) == 4
    assert "IBM" in realtime.simulator(bundled=True).market.symbols.names
    with pytest.raises(DataError, match="markets of different kinds"):
        realtime.simulator(symbols=4, bundled=True)


def test_a_scenario_may_be_a_file(tmp_path):
    path = tmp_path / "s.json"
    path.write_text('[{"at": 5, "kind": "drop"}]')
    with realtime.simulator(symbols=3, scenario=path) as served:
        assert served.state()["clock"]["speed"] == 1.0
    path.write_text('[{"at": 5, "kind": "dropp"}]')
    with pytest.raises(DataError, match="Did you mean 'drop'"):
        realtime.simulator(symbols=3, scenario=path)


def test_the_vendors_client_may_read_the_stream_and_another_one_is_refused(tmp_path):
    profile = checked({"universe": {"min_dollar_volume": 0, "min_volume": 0}, "focus": {"size": 5}})
    given = settings(tmp_path)
    with realtime.simulator(symbols=20, rate_limit=0) as served:
        chosen = realtime.Chosen(realtime.pointed_to(given, served), profile, 1.0)
        runner = realtime.runner(chosen, realtime.places(given), client="alpaca-py")
        assert runner.feed.name == "alpaca-py"
        assert not runner.run(8.0).failed
        with pytest.raises(DataError, match="alpaca-py"):
            realtime.runner(chosen, realtime.places(given), client="alpaca")
    journal = JournalReader(realtime.places(given).journal)
    assert len(journal.rows(1)) > 5
    assert not journal.events()["event"].eq("warning").any()


def test_assets_are_asked_for_and_saved(tmp_path):
    path, count = realtime.refresh_assets(settings(tmp_path), "simulator")
    assert count == 1000
    assert len(realtime.places(settings(tmp_path)).assets()) == count
    assert path.name == "assets_master.json"
