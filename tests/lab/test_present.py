"""What a lab gives of the present: an engine's client and a market on this machine."""

import pytest
from pydantic import SecretStr

from qtw_lab import Lab
from qtw_lab.core import DataError, Settings
from qtw_lab.lab.passing import environment_of


def lab_of(tmp_path, **given):
    return Lab(Settings(qtw_storage_dir=tmp_path, _env_file=None, **given))


def test_without_keys_the_engine_listens_to_a_simulator(tmp_path):
    live = lab_of(tmp_path).live()
    assert list(live.arguments) == ["--feed", "simulator", "--speed", "1.0"]
    assert live.profile.signals.min_volume == 500  # of the template "retail_second"
    assert live.places.state == tmp_path / "realtime" / "state"


def test_with_keys_it_listens_to_what_the_profile_says(tmp_path):
    keys = {"alpaca_api_key_id": SecretStr("k"), "alpaca_api_secret_key": SecretStr("s")}
    assert "--feed" not in lab_of(tmp_path, **keys).live().arguments
    assert lab_of(tmp_path, **keys).live(feed="iex").arguments[1] == "iex"


def test_a_given_simulator_lends_its_address_keys_and_speed(tmp_path):
    lab = lab_of(tmp_path)
    served = lab.simulator(symbols=3, speed=7.0)
    live = lab.live({"focus": {"size": 3}}, simulator=served)
    assert list(live.arguments) == ["--feed", "simulator", "--speed", "7.0"]
    assert live.environment["ALPACA_DATA_WS_URL"] == served.stream_url("sip")
    assert live.environment["ALPACA_API_KEY_ID"] == "sim-key"
    assert live.environment["QTW_STORAGE_DIR"] == str(tmp_path)


def test_a_wrong_profile_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(DataError, match="Did you mean 'size'"):
        lab_of(tmp_path).live({"focus": {"sise": 3}})
    assert not (tmp_path / "realtime").exists()


def test_the_environment_names_every_setting_so_that_no_file_fills_it(tmp_path):
    found = environment_of(Settings(qtw_storage_dir=tmp_path, qtw_keyring=False, _env_file=None))
    assert found["ALPACA_API_KEY_ID"] == found["REDIS_URL"] == ""
    assert found["QTW_KEYRING"] == "0"
    read_back = Settings.model_validate({name.lower(): value or None for name, value in found.items() if value})
    assert read_back.qtw_storage_dir == tmp_path


def test_secrets_are_not_shown_by_the_client(tmp_path):
    keys = {"alpaca_api_key_id": SecretStr("very-secret-key"), "alpaca_api_secret_key": SecretStr("very-secret")}
    live = lab_of(tmp_path, **keys).live()
    assert live.environment["ALPACA_API_SECRET_KEY"] == "very-secret"
    assert "very-secret" not in repr(live)
    assert "very-secret" not in str(live._repr_mimebundle_())
