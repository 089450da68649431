"""Moving out of the old system: what is read, what is refused, what is swept, and what is never touched."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError, VirtualClock
from qtw_lab.data.legacy import NOTE, SOURCE, clean_cache, import_legacy_cache
from qtw_lab.data.series import SeriesKey
from qtw_lab.data.store import Store

NOW = pd.Timestamp("2024-06-03 12:00", tz="UTC")
CSV = """Date,Open,High,Low,Close,Adj Close,Volume
2024-01-03,11,13,10,12,12,200
2024-01-02,10,12,9,11,11,100
2024-01-04,12,14,11,13,13,300
"""


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store", clock=VirtualClock(NOW))


@pytest.fixture
def cache(tmp_path) -> Path:
    folder = tmp_path / "storage_bundle" / "data_cache"
    (folder / "market_snapshots").mkdir(parents=True)
    (folder / "AAPL.csv").write_text(CSV)
    return folder


def age(path: Path, days: float) -> Path:
    moment = NOW.timestamp() - days * 86_400
    os.utime(path, (moment, moment))
    return path


def prices(days: int = 3) -> pd.DataFrame:
    closes = 100.0 + np.arange(days)
    index = pd.bdate_range("2024-01-02", periods=days, name="Date")
    columns = {
        "Open": closes,
        "High": closes + 1,
        "Low": closes - 1,
        "Close": closes,
        "Adj Close": closes,
        "Volume": 5.0,
    }
    return pd.DataFrame(columns, index)


def actions(plan) -> dict[str, str]:
    return {str(item.path): item.action for item in plan.items}


def test_a_dry_run_tells_the_plan_and_writes_nothing(cache, store):
    plan = import_legacy_cache(cache.parent, store)
    (item,) = plan.items
    assert (item.action, item.series, item.rows) == ("import", "legacy/AAPL 1D", 3)
    assert (str(item.first.date()), str(item.last.date())) == ("2024-01-02", "2024-01-04")
    assert not store.folder.exists()
    assert "Nothing was imported yet" in plan.facts().notes[0]


def test_applied_it_stores_sorted_prices_with_their_history_told(cache, store):
    assert actions(import_legacy_cache(cache, store, apply=True)) == {"AAPL.csv": "imported"}
    bars = store.bars("AAPL")
    assert bars.close["AAPL"].tolist() == [11.0, 12.0, 13.0]
    assert NOTE in bars.notes
    assert bars.source == SOURCE
    assert actions(import_legacy_cache(cache, store, apply=True)) == {"AAPL.csv": "unchanged"}


def test_an_honest_adjusted_close_becomes_the_factor_a_copied_one_does_not(cache, store):
    (cache / "KO.csv").write_text("date,close,adj close,volume\n2024-01-02,50,49,1\n2024-01-03,50,50,1\n")
    import_legacy_cache(cache, store, apply=True)
    assert store.table(SeriesKey(SOURCE, "KO"))["factor"].tolist() == [0.98, 1.0]
    assert store.table(SeriesKey(SOURCE, "AAPL"))["factor"].tolist() == [1.0, 1.0, 1.0]


def test_a_short_file_never_shrinks_a_longer_history(cache, store):
    import_legacy_cache(cache, store, apply=True)
    (cache / "AAPL.csv").write_text("\n".join(CSV.splitlines()[:2]) + "\n2024-01-04,12,14,11,13,13,300\n")
    import_legacy_cache(cache, store, apply=True)
    assert len(store.table(SeriesKey(SOURCE, "AAPL"))) == 3


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("BAD.csv", "date,close\n2024-01-02,abc\n2024-01-03,1\n", "text"),
        ("BAD.csv", "", "No columns"),
        ("BAD.csv", "close\n1\n2\n", "no column called date"),
        ("BAD.csv", "date,close\nyesterday,1\n2024-01-03,1\n", "yesterday"),
        ("BAD.csv", "date,close\n2024-01-02,0\n2024-01-03,1\n", "zero or negative"),
        ("BAD.csv", "date,close\n2024-01-02,1\n2024-01-02,2\n", "more than once"),
        ("BAD.csv", "date,close\n2024-01-02,1\n", "too short"),
        ("BAD.csv", "date,close,adj close\n2024-01-02,1,x\n2024-01-03,1,1\n", "x"),
        ("BAD.csv", "\x00\x01\xff\xfe", ""),
        ("no symbol!.csv", "date,close\n2024-01-02,1\n2024-01-03,1\n", "not a symbol"),
        ("A:B.csv", "date,close\n2024-01-02,1\n2024-01-03,1\n", "not a symbol"),
    ],
)
def test_one_bad_file_is_told_and_does_not_stop_the_others(cache, store, name, text, words):
    (cache / name).write_text(text, encoding="latin-1")
    plan = import_legacy_cache(cache, store, apply=True)
    assert actions(plan) == {"AAPL.csv": "imported", name: "fault"}
    assert words in plan.faults[0].reason
    assert plan.facts()["fault"] == 1


@pytest.mark.parametrize("offset", ["-05:00", "+0000", "Z"])
def test_times_with_offsets_become_session_dates(cache, store, offset):
    rows = [f"2024-01-0{day} 00:00:00{offset},1{day}" for day in (2, 3)]
    (cache / "TZ.csv").write_text("Date,Close\n" + "\n".join(rows) + "\n")
    import_legacy_cache(cache, store, apply=True)
    assert [str(day.date()) for day in store.table(SeriesKey(SOURCE, "TZ")).index] == ["2024-01-02", "2024-01-03"]


def test_a_snapshot_of_many_symbols_gives_a_series_each(cache, store):
    wide = pd.concat({"IBM": prices(), "MSFT": prices(2)}, axis=1).swaplevel(axis=1)
    wide.to_parquet(cache / "market_snapshots" / "0123abcd.parquet")
    (cache / "market_snapshots" / "0123abcd.json").write_text('{"interval": "1d", "symbols": ["IBM", "MSFT"]}')
    plan = import_legacy_cache(cache, store, apply=True)
    assert [(item.series, item.rows) for item in plan.items if item.action == "imported"] == [
        ("legacy/AAPL 1D", 3), ("legacy/IBM 1D", 3), ("legacy/MSFT 1D", 2)
    ]  # fmt: skip


def test_a_snapshot_of_one_symbol_takes_its_name_from_the_description(cache, store):
    prices().to_parquet(cache / "market_snapshots" / "ab.parquet")
    (cache / "market_snapshots" / "ab.json").write_text('{"symbol": "IBM"}')
    prices().to_parquet(cache / "market_snapshots" / "cd.parquet")
    (cache / "market_snapshots" / "ef.parquet").write_bytes(b"PAR1 not really")
    (cache / "market_snapshots" / "ef.json").write_text("{")
    plan = import_legacy_cache(cache, store, apply=True)
    assert actions(plan)["market_snapshots/ab.parquet"] == "imported"
    assert {str(item.path) for item in plan.faults} == {"market_snapshots/cd.parquet", "market_snapshots/ef.parquet"}


def test_what_holds_no_prices_is_named_and_left_alone(cache, store):
    (cache / "profiles.json").write_text("{}")
    (cache / "backtests").mkdir()
    (cache / "backtests" / "AAPL.csv").write_text("not,prices\n")
    plan = import_legacy_cache(cache, store, apply=True)
    assert {str(i.path): i.reason for i in plan.items if i.action == "left alone"} == {
        "backtests/AAPL.csv": "not prices, left alone", "profiles.json": "not prices, left alone",
    }  # fmt: skip


def test_links_out_of_the_folder_are_not_followed(cache, store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "SECRET.csv").write_text(CSV)
    (outside / "x.part").write_text("x")
    age(outside / "x.part", 10)
    (cache / "LINK.csv").symlink_to(outside / "SECRET.csv")
    (cache / "x.part").symlink_to(outside / "x.part")
    (cache / "folder").symlink_to(outside)
    assert actions(import_legacy_cache(cache, store, apply=True)) == {"AAPL.csv": "imported"}
    assert not clean_cache(cache, apply=True, clock=VirtualClock(NOW)).items
    assert (outside / "x.part").exists()


def test_cleaning_finds_the_litter_and_only_the_litter(cache):
    snapshots = cache / "market_snapshots"
    litter = {
        "AAPL:1d.csv": "colon",
        "x" * 130 + ".json": "longer than 120",
        "AAPL.csv.part": "unfinished",
        "old.tmp": "unfinished",
        "market_snapshots/bad.parquet": "broken Parquet",
        "market_snapshots/bad.json": "broken Parquet",
        "market_snapshots/old.parquet": "older than 30 days",
        "market_snapshots/old.json": "older than 30 days",
        "market_snapshots/lone.json": "not there",
    }
    for name in litter:
        age_of = 40 if "/old." in name else 2
        (cache / name).write_text("{}")
        age(cache / name, age_of)
    prices().to_parquet(snapshots / "old.parquet")
    age(snapshots / "old.parquet", 40)
    prices().to_parquet(snapshots / "good.parquet")
    (snapshots / "good.json").write_text("{}")
    for name in ("good.parquet", "good.json"):
        age(snapshots / name, 2)
    (cache / "young.part").write_text("being written")
    age(cache / "young.part", 0.01)
    (cache / "profiles.json").write_text("{}")
    plan = clean_cache(cache.parent, max_age_days=30, clock=VirtualClock(NOW))
    assert {str(item.path) for item in plan.items} == set(litter)
    assert all(litter[str(item.path)] in item.reason for item in plan.items)
    assert all((cache / name).exists() for name in litter)
    done = clean_cache(cache.parent, apply=True, max_age_days=30, clock=VirtualClock(NOW))
    assert {item.path for item in done.items} == {item.path for item in plan.items}
    left = {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}
    assert left == {
        "AAPL.csv", "young.part", "profiles.json", "market_snapshots/good.parquet", "market_snapshots/good.json",
    }  # fmt: skip
    assert not clean_cache(cache.parent, apply=True, max_age_days=30, clock=VirtualClock(NOW)).items


def test_a_folder_that_is_no_cache_is_never_cleaned(tmp_path, store):
    (tmp_path / "thesis: final.doc").write_text("years of work")
    for call in (lambda: clean_cache(tmp_path, apply=True), lambda: import_legacy_cache(tmp_path, store, apply=True)):
        with pytest.raises(DataError, match="not a cache"):
            call()
    assert (tmp_path / "thesis: final.doc").exists()
    with pytest.raises(DataError, match="no folder"):
        clean_cache(tmp_path / "nowhere")


def test_a_negative_age_is_refused(cache):
    for days in (-1, float("nan")):
        with pytest.raises(DataError, match="zero or more"):
            clean_cache(cache, max_age_days=days)
