import json

import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.data.calendars import sessions
from qtw_lab.runs.schedule.entries import DEFAULT_KEYS, KEYS, Entry

NOON = pd.Timestamp("2024-01-02 12:00", tz="UTC")


def test_an_entry_of_two_keys_has_sensible_terms(entry, tmp_path):
    made = entry("night")
    assert made.notebook == tmp_path / "night.ipynb"
    assert (made.timeout, made.memory, made.retries, made.keep) == (pd.Timedelta(hours=2), None, 0, 30)
    assert (made.policy.missed, made.policy.grace) == ("once", pd.Timedelta(minutes=5))
    assert (made.depends_on, made.notify, made.enabled) == ((), (), True)


def test_every_key_is_read(entry):
    made = entry(
        "night", trigger="close-30m", calendar="XLON", days="fri", parameters={"fast": 5}, timeout="30m", memory="2GB",
        retries=3, retry_after="10s", missed="skip", grace="0s", keep=5, depends_on=["a", "b"], enabled=False,
        notify=[{"mail": "me@example.com", "on": ["failed"]}, {"desktop": True}],
    )  # fmt: skip
    assert made.trigger.text == "close-30m (XLON, fri)"
    assert (made.timeout, made.memory, made.retries) == (pd.Timedelta(minutes=30), 2 * 10**9, 3)
    assert (made.policy.missed, made.policy.grace, made.keep) == ("skip", pd.Timedelta(0), 5)
    assert [channel.way for channel in made.notify] == ["mail", "desktop"]
    assert (made.depends_on, made.enabled, made.parameters) == (("a", "b"), False, {"fast": 5})


def test_the_agenda_gives_an_entry_back_as_it_was(entry):
    made = entry("night", trigger="close", days=["mon", "half"], notify={"desktop": True}, memory="1GB")
    again = Entry.of(made.registered(NOON), sessions)
    assert again == made
    assert again.definition == made.definition


def test_each_ending_that_a_channel_wants_is_registered_with_it(entry):
    told = {"desktop": True, "on": ["ok", "failed"]}
    registered = entry("night", notify=told).registered(NOON)
    assert registered.notify == (("ok", json.dumps(told)), ("failed", json.dumps(told)))


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ({"timeout": 30}, "timeout: 30 is not a length of time"),
        ({"timeout": "0s"}, "timeout: '0s' must be longer than nothing"),
        ({"memory": "lots"}, "memory: 'lots' is not a size of memory"),
        ({"retries": -1}, "retries: -1 must be a whole number from 0 to 20"),
        ({"retries": True}, "retries: True must be a whole number"),
        ({"keep": 0}, "keep: 0 must be a whole number from 1"),
        ({"missed": "alll"}, "missed: There is no choice 'alll'. Did you mean 'all'"),
        ({"depends_on": 5}, "depends_on: 5 must be a text or a list of texts"),
        ({"enabled": "yes"}, "enabled: 'yes' must be true or false"),
        ({"parameters": []}, r"parameters: \[\] must be a table"),
        ({"notebook": ""}, "notebook: '' must be text"),
        ({"notify": "me"}, "notify: 'me' is not an entry of notify"),
        ({"trigger": "noon"}, "trigger: 'noon' is no trigger"),
        ({"timeuot": "5m"}, "There is no key 'timeuot'. Did you mean 'timeout'"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_would(entry, keys, answer):
    with pytest.raises(DataError, match=answer):
        entry("night", **keys)


def test_all_faults_of_an_entry_are_named_at_once(tmp_path):
    with pytest.raises(DataError) as told:
        Entry.read("a b", {"retries": -1, "colour": "red"}, tmp_path, sessions)
    for fault in (
        "'a b' cannot name an entry",
        "no key 'colour'",
        "notebook is missing",
        "trigger is missing",
        "retries: -1",
    ):
        assert fault in str(told.value)


def test_what_belongs_to_one_entry_cannot_be_a_default():
    assert set(KEYS) - set(DEFAULT_KEYS) == {"notebook", "trigger", "parameters", "depends_on"}
