"""Settings come from where they should, and a secret shows nowhere."""

import json
import pickle
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest
from pydantic import SecretStr, ValidationError

from qtw_lab.core import DataError, LabError, Settings, SetupError
from qtw_lab.core.settings import KEYRING_SERVICE, default_storage, secret_from_reference

SECRET = "s3cret-Value-4711"  # the value no output may contain


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """An empty working folder, and none of our variables set."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def dotenv(tmp_path):
    return lambda text: (tmp_path / ".env").write_text(text, encoding="utf-8")


# --- where values come from -----------------------------------------------------------------------------------------


def test_with_nothing_set_everything_has_its_default():
    settings = Settings.load()
    assert settings.alpaca_api_key_id is None
    assert settings.alpaca_data_feed == "iex"
    assert settings.local_task_workers == 2
    assert settings.alpaca_requests_per_minute == 200
    assert settings.qtw_keyring is False
    assert settings.qtw_storage_dir == default_storage()


def test_arguments_come_before_the_environment_and_that_before_the_file(dotenv, monkeypatch):
    dotenv("LOCAL_TASK_WORKERS=3\nALPACA_DATA_FEED=sip\n")
    assert Settings.load().local_task_workers == 3
    monkeypatch.setenv("LOCAL_TASK_WORKERS", "4")
    assert Settings.load().local_task_workers == 4
    assert Settings.load(local_task_workers=5).local_task_workers == 5
    assert Settings.load().alpaca_data_feed == "sip"


def test_variables_go_by_any_case(monkeypatch):
    monkeypatch.setenv("alpaca_data_feed", "test")
    assert Settings.load().alpaca_data_feed == "test"


def test_the_file_is_read_as_people_write_it(dotenv):
    dotenv(f"# a comment\nexport ALPACA_API_KEY_ID=\"{SECRET}\"\nNOT_OURS=x\n\nQTW_STORAGE_DIR='/data/ä b'\n")
    settings = Settings.load()
    assert settings.alpaca_api_key_id.get_secret_value() == SECRET
    assert settings.qtw_storage_dir == Path("/data/ä b")


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_an_empty_variable_counts_as_not_set(empty, monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), empty)
    assert Settings.load() == Settings()
    assert Settings.load().local_task_workers == 2
    assert Settings.load().alpaca_api_secret_key is None


def test_an_empty_line_of_the_file_counts_as_not_set(dotenv):
    dotenv("".join(f"{name.upper()}=\n" for name in Settings.model_fields))
    assert Settings.load().alpaca_data_feed == "iex"


def test_a_tilde_is_the_home_folder_where_no_shell_expands_it(dotenv, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    dotenv("QTW_STORAGE_DIR=~/qtw\n")
    assert Settings.load().qtw_storage_dir == tmp_path / "home" / "qtw"


def test_the_home_of_nobody_is_refused(monkeypatch):
    monkeypatch.setenv("QTW_STORAGE_DIR", "~no_such_user_at_all/qtw")
    with pytest.raises(DataError, match="QTW_STORAGE_DIR"):
        Settings.load()


def test_settings_are_frozen():
    with pytest.raises(ValidationError):
        Settings.load().local_task_workers = 5


# --- values that do not fit -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOCAL_TASK_WORKERS", SECRET),
        ("LOCAL_TASK_WORKERS", "0"),
        ("LOCAL_TASK_WORKERS", "257"),
        ("LOCAL_TASK_WORKERS", "2.5"),
        ("LOCAL_TASK_WORKERS", "nan"),
        ("ALPACA_REQUESTS_PER_MINUTE", "-7"),
        ("ALPACA_DATA_FEED", SECRET),
        ("QTW_KEYRING", SECRET),
    ],
)
@pytest.mark.parametrize("source", ["environment", "file", "argument"])
def test_a_wrong_value_is_refused_by_name_and_never_repeated(name, value, source, dotenv, monkeypatch):
    given = {}
    if source == "environment":
        monkeypatch.setenv(name, value)
    elif source == "file":
        dotenv(f"{name}={value}\n")
    else:
        given = {name.lower(): value}
    with pytest.raises(DataError, match=f"A setting cannot be used. {name}: ") as caught:
        Settings.load(**given)
    said = str(caught.value)
    assert "\n" not in said
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    if len(value) > 3:
        assert value not in said


def test_every_wrong_value_is_named(monkeypatch):
    monkeypatch.setenv("LOCAL_TASK_WORKERS", "many")
    monkeypatch.setenv("ALPACA_DATA_FEED", "paid")
    with pytest.raises(DataError, match=r"ALPACA_DATA_FEED.*LOCAL_TASK_WORKERS"):
        Settings.load()


def test_a_file_in_another_encoding_is_refused_without_its_content(tmp_path):
    (tmp_path / ".env").write_bytes(f"ALPACA_API_SECRET_KEY={SECRET}ä".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8") as caught:
        Settings.load()
    assert SECRET not in str(caught.value)


# --- secrets --------------------------------------------------------------------------------------------------------


def test_a_secret_shows_in_no_form_of_the_settings():
    settings = Settings.load(alpaca_api_key_id=SECRET, alpaca_api_secret_key=SecretStr(SECRET))
    forms = [repr(settings), str(settings), f"{settings}", settings.model_dump_json(), str(settings.model_dump())]
    forms += [repr(settings.secret("alpaca_api_key_id")), str(settings.secret("ALPACA_API_KEY_ID"))]
    forms += [json.dumps(settings.model_dump(mode="json")), repr(vars(settings))]
    assert not [form for form in forms if SECRET in form]
    assert settings.secret("alpaca_api_secret_key").get_secret_value() == SECRET


def test_a_secret_beside_a_wrong_value_does_not_show_in_the_error(monkeypatch):
    monkeypatch.setenv("ALPACA_API_SECRET_KEY", SECRET)
    monkeypatch.setenv("LOCAL_TASK_WORKERS", "many")
    with pytest.raises(DataError) as caught:
        Settings.load()
    assert SECRET not in str(caught.value)
    with pytest.raises(ValidationError) as bare_error:
        Settings()
    assert SECRET not in str(bare_error.value)
    assert "many" not in str(bare_error.value)


@pytest.mark.parametrize("name", ["alpaca_api_key_id", "ALPACA_API_KEY_ID"])
def test_a_secret_set_nowhere_says_where_to_put_it(name):
    with pytest.raises(SetupError) as caught:
        Settings.load().secret(name)
    assert str(caught.value) == "ALPACA_API_KEY_ID is not set. Put it in the environment or in .env (see .env.example)."


@pytest.mark.parametrize("name", ["alpaca_data_feed", "model_config", "load", "no_such_setting", "__class__"])
def test_what_is_no_secret_is_not_given_out_as_one(name):
    with pytest.raises(SetupError, match="is not set"):
        Settings.load().secret(name)


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory, or one that stays locked."""

    priority = 1

    def __init__(self, held: dict[tuple[str, str], str] | None) -> None:
        super().__init__()
        self.held = held

    def get_password(self, service, username):
        if self.held is None:
            raise keyring.errors.KeyringLocked("locked")
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        raise NotImplementedError

    def delete_password(self, service, username):
        raise NotImplementedError


@pytest.fixture
def ring():
    """Put a keyring in the place of the system's, and put that back."""
    before = keyring.get_keyring()
    yield lambda held: keyring.set_keyring(Ring(held))
    keyring.set_keyring(before)


def test_the_keyring_is_asked_only_if_told_to_and_nothing_else_has_it(ring, monkeypatch):
    ring({(KEYRING_SERVICE, "ALPACA_API_KEY_ID"): SECRET})
    with pytest.raises(SetupError):
        Settings.load().secret("alpaca_api_key_id")
    kept = Settings.load(qtw_keyring=True)
    assert kept.secret("alpaca_api_key_id").get_secret_value() == SECRET
    assert SECRET not in repr(kept.secret("alpaca_api_key_id"))
    monkeypatch.setenv("ALPACA_API_KEY_ID", "from the environment")
    assert Settings.load(qtw_keyring=True).secret("alpaca_api_key_id").get_secret_value() == "from the environment"


def test_a_keyring_without_the_secret_says_how_to_store_it(ring):
    ring({})
    with pytest.raises(SetupError, match="keyring set qtw-lab ALPACA_API_KEY_ID"):
        Settings.load(qtw_keyring=True).secret("alpaca_api_key_id")


def test_a_keyring_that_stays_locked_is_a_matter_of_setup(ring):
    ring(None)
    with pytest.raises(SetupError, match="KeyringLocked") as caught:
        Settings.load(qtw_keyring=True).secret("alpaca_api_key_id")
    assert isinstance(caught.value.__cause__, keyring.errors.KeyringError)


# --- references -----------------------------------------------------------------------------------------------------


def test_a_reference_leads_to_the_variable(monkeypatch):
    monkeypatch.setenv("MY_TOKEN", SECRET)
    found = secret_from_reference("env:MY_TOKEN")
    assert found.get_secret_value() == SECRET
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    "text", [SECRET, "", "env:", "env:a b", "env:1A", "ENV:MY_TOKEN", "file:MY_TOKEN", ":", "env:A:B"]
)
def test_what_is_no_reference_is_refused_and_not_repeated(text):
    with pytest.raises(DataError) as caught:
        secret_from_reference(text)
    assert str(caught.value) == (
        "A secret is passed as env:NAME, the name of an environment variable, never as its value."
    )


@pytest.mark.parametrize("value", [None, ""])
def test_a_reference_to_nothing_names_the_variable(value, monkeypatch):
    monkeypatch.delenv("MY_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_TOKEN", value)
    with pytest.raises(SetupError, match="MY_TOKEN is not set"):
        secret_from_reference("env:MY_TOKEN")


def test_the_errors_carry_no_secret_to_another_process(monkeypatch):
    monkeypatch.setenv("LOCAL_TASK_WORKERS", SECRET)
    with pytest.raises(LabError) as caught:
        Settings.load()
    assert SECRET.encode() not in pickle.dumps(caught.value)
    assert caught.value.__context__ is None  # what pickles tracebacks too (tblib, if Dask is loaded) takes it along
