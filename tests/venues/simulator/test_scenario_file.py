"""Scenario files: what they may say, and what is said of those that are wrong."""

import json

import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.venues.simulator.clock import MarketClock
from qtw_lab.venues.simulator.faults import Faults
from qtw_lab.venues.simulator.scenario import KINDS, Scenario, begins, fault_of

START = pd.Timestamp("2024-07-02 09:30", tz="America/New_York").value


def test_json_and_toml_say_the_same(tmp_path):
    entries = [
        {"at": 5, "kind": "mute", "for": 10},
        {"at": "09:35:00", "kind": "rest_5xx", "code": 504, "when": "after"},
    ]
    (tmp_path / "a.json").write_text(json.dumps(entries))
    (tmp_path / "b.json").write_text(json.dumps({"faults": entries, "seed": 0}))
    (tmp_path / "c.toml").write_text(
        'seed = 0\n[[faults]]\nat = 5\nkind = "mute"\nfor = 10\n'
        '[[faults]]\nat = "09:35:00"\nkind = "rest_5xx"\ncode = 504\nwhen = "after"\n'
    )
    first, second, third = (Scenario.load(tmp_path / name) for name in ("a.json", "b.json", "c.toml"))
    assert first == second == third
    assert first.faults[0].seconds == 10.0
    assert first.faults[1]["html"] is False


def test_an_entry_survives_being_written_and_read_again():
    for name, kind in KINDS.items():
        needed = {"bytes_per_second": 100, "seconds": 2, "limit": 3}
        entry = {"kind": name, "at": 1.5} | {key: needed[key] for key in kind.arguments if key in needed}
        fault = fault_of(entry | ({"for": 2.0} if kind.lasts else {}))
        assert fault_of(fault.plain()) == fault


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"kind": "mut"}, "entry 2 has the kind 'mut', which there is not. Did you mean 'mute'?"),
        ({}, "Kinds are: drop, close"),
        ("drop", "'drop', not a fault"),
        ({"kind": "drop", "for": 3}, "has no duration"),
        ({"kind": "mute", "for": 0}, "lasts for 0"),
        ({"kind": "mute", "for": "3"}, "lasts for '3'"),
        ({"kind": "mute", "for": float("inf")}, "lasts for inf"),
        ({"kind": "mute", "until": 3}, "has 'until'. It may have: on, fresh, at, for."),
        ({"kind": "mute", "on": "rest"}, "one of 'data', 'updates', 'all'"),
        ({"kind": "drip"}, "needs bytes_per_second: a number from 1 to 1e"),
        ({"kind": "drip", "bytes_per_second": 0.5}, "bytes_per_second = 0.5"),
        ({"kind": "drip", "bytes_per_second": True}, "bytes_per_second = True"),
        ({"kind": "close", "code": 999}, "a whole number from 1000 to 4999"),
        ({"kind": "close", "code": 1000.0}, "a whole number from 1000 to 4999"),
        ({"kind": "duplicate", "share": 1.1}, "a number from 0 to 1"),
        ({"kind": "late", "seconds": float("nan")}, "seconds = nan"),
        ({"kind": "auth", "code": 403}, "one of 401, 402, 406, 409"),
        ({"kind": "rest_429", "times": 0}, "a whole number from 1 up"),
        ({"kind": "rest_429", "match": "("}, "a regular expression"),
        ({"kind": "partial_page", "what": "half"}, "one of 'cut', 'broken'"),
        ({"kind": "malformed", "what": "odd"}, "one of 'garbage'"),
        ({"kind": "drop", "at": -1}, "begins at -1"),
        ({"kind": "drop", "at": "25:00"}, "is no time"),
        ({"kind": "drop", "at": "soon"}, "begins at 'soon'"),
        ({"kind": "drop", "at": "2024-13-01"}, "is no time"),
        ({"kind": "drop", "at": None}, "begins at None"),
    ],
)
def test_what_is_wrong_is_said_with_the_entry_and_what_would_do(entry, said):
    with pytest.raises(DataError) as refusal:
        Scenario.of([{"kind": "drop"}, entry])
    assert said in str(refusal.value)
    if "is no time" not in said:
        assert "entry 2" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "[", "cannot be read"), ("a.toml", "x = ", "cannot be read"), ("none.json", None, "cannot be read"),
        ("a.json", '{"fault": []}', "it may have faults and seed"), ("a.json", "3", "no list of faults"),
        ("a.json", '{"seed": "a"}', "no list of faults"), ("a.json", '[{"kind": "flood"}]', "entry 1"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_said_by_its_name(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said):
        Scenario.load(tmp_path / name)


def test_times_of_day_are_new_yorks_in_summer_and_winter():
    assert begins("09:35", START) == pd.Timestamp("2024-07-02 13:35", tz="UTC").value
    winter = pd.Timestamp("2024-01-02 04:00", tz="America/New_York").value
    assert begins("09:35:30", winter) == pd.Timestamp("2024-01-02 14:35:30", tz="UTC").value
    assert begins("2024-07-02T13:40:00Z", START) == pd.Timestamp("2024-07-02 13:40", tz="UTC").value
    assert begins("2024-07-02 09:40", START) == pd.Timestamp("2024-07-02 13:40", tz="UTC").value


def test_faults_last_as_long_as_they_say_and_the_latest_of_a_kind_counts():
    now = [0.0]
    entries = [{"kind": "drip", "bytes_per_second": pace, "at": at, "for": 4} for pace, at in ((10, 1), (20, 3))]
    faults = Faults(Scenario.of(entries), MarketClock(START), wall=lambda: now[0])
    paces = []
    for now[0] in (0.5, 1.5, 3.5, 5.5, 7.5):
        faults.turn()
        on = faults.on("drip", "data")
        paces.append(None if on is None else on["bytes_per_second"])
    assert paces == [None, 10, 20, 20, None]
    assert faults.on("drip", "updates") is None


def test_a_fault_of_requests_is_used_up_by_those_it_matches():
    faults = Faults(Scenario.of([{"kind": "rest_429", "times": 2, "match": "^POST "}]), MarketClock(START))
    faults.turn()
    met = [faults.take("rest_429", asked) is not None for asked in ("GET /a", "POST /a", "POST /b", "POST /c")]
    assert met == [False, True, True, False]
    assert [fault.kind for fault in faults.turn()[1]] == ["rest_429"]


def test_what_is_cleared_is_over_and_what_waited_never_comes():
    faults = Faults(Scenario.of([{"kind": "mute"}, {"kind": "drop", "at": 1000}]), MarketClock(START))
    faults.turn()
    assert faults.plain()["waiting"] == [{"kind": "drop", "at": 1000.0, "on": "data"}]
    faults.clear()
    assert [fault.kind for fault in faults.turn()[1]] == ["mute"]
    assert faults.plain() == {"active": [], "waiting": [], "begun": 1}
