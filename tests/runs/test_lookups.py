"""Runs looked up in a real SQLite file."""

from __future__ import annotations

import pandas as pd
import pytest

from qtw_lab.core import DataError, Fact, Facts, SeriesRef, VirtualClock
from qtw_lab.runs import DataUse, Registry

FACTS = Facts("T", (Fact("sharpe", 1.5),))


@pytest.fixture
def clock():
    return VirtualClock(pd.Timestamp("2024-01-02 14:30", tz="UTC"))


@pytest.fixture
def registry(tmp_path, clock):
    return Registry(tmp_path / "runs.sqlite", clock)


def _use(content):
    return DataUse("f" * 64, ("AAPL",), "alpaca", (SeriesRef("alpaca", "AAPL", "1D", content),))


def test_ids_sort_by_time_and_a_unique_prefix_is_enough(registry, clock):
    first = registry.begin("notebook", "a")
    clock.sleep(3600)
    second = registry.begin("notebook", "b")
    assert first.id < second.id
    assert first.id.startswith("20240102T143000000000-")
    assert registry.get("20240102T1530") == second
    with pytest.raises(DataError, match="Several runs start with '2024'"):
        registry.get("2024")


def test_an_unknown_id_gets_near_misses(registry):
    run = registry.begin("notebook", "a")
    with pytest.raises(DataError, match=run.id):
        registry.get(run.id[:-1] + "z")
    for odd in ("", "%", "_", "'; DROP TABLE runs; --"):
        with pytest.raises(DataError, match="There is no run"):
            registry.get(odd)


def test_an_empty_registry_says_so(registry):
    with pytest.raises(DataError, match="None has been recorded yet"):
        registry.get("2024")
    table = registry.list()
    assert table.empty
    assert str(table["started"].dtype).startswith("datetime64")
    assert registry.latest_good("nightly") is None


def test_the_list_is_filtered_and_newest_first(registry, clock):
    for number in range(6):
        run = registry.begin("notebook" if number % 2 else "backtest", f"n{number % 3}")
        clock.sleep(1)
        if number < 4:
            registry.succeed(run, {})
    assert registry.list()["name"].tolist() == ["n2", "n1", "n0", "n2", "n1", "n0"]
    assert len(registry.list(kind="notebook")) == 3
    assert registry.list(status="running")["finished"].isna().all()
    assert registry.list(name="n1", limit=1)["status"].tolist() == ["running"]
    assert len(registry.list(limit=None)) == 6
    assert registry.list(status="ok")["seconds"].tolist() == [1.0] * 4


@pytest.mark.parametrize("wrong", [{"status": "done"}, {"limit": 0}, {"limit": -5}])
def test_a_senseless_filter_is_refused(registry, wrong):
    with pytest.raises(DataError):
        registry.list(**wrong)


def test_the_latest_good_run_is_not_the_latest_run(registry, clock):
    good = registry.succeed(registry.begin("notebook", "nightly"), {})
    clock.sleep(1)
    registry.fail(registry.begin("notebook", "nightly"), "broken")
    clock.sleep(1)
    registry.begin("notebook", "nightly")
    assert registry.latest_good("nightly") == good


def test_a_vendor_revision_finds_the_runs_it_concerns(registry, clock):
    first = registry.record("backtest", "a", FACTS, {}, [_use("c1")])
    clock.sleep(1)
    second = registry.record("backtest", "b", FACTS, {}, [_use("c1"), _use("c2")])
    registry.record("backtest", "c", FACTS, {}, [_use("c3")])
    found = registry.users_of("alpaca", "AAPL", "1D", ["c1", "c2", "nothing"])
    assert list(zip(found["id"], found["content"], strict=True)) == [
        (second.id, "c1"), (second.id, "c2"), (first.id, "c1")
    ]  # fmt: skip
    assert registry.users_of("alpaca", "AAPL", "1h", ["c1"]).empty
    assert registry.users_of("alpaca", "AAPL", "1D", []).empty
    assert len(registry.users_of("alpaca", "AAPL", "1D", (f"c{n}" for n in range(50_000)))) == 4
