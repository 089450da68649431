"""`qtw data`: import, look, check, be told of revisions, migrate and clean."""

import pandas as pd
import pytest

import qtw_lab
from qtw_lab.data import write_bars

OLD = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-03,11,13,10,12,12,2\n2024-01-02,10,12,9,11,11,1\n"


@pytest.fixture
def old_cache(tmp_path):
    """A storage folder of the system this one replaces: two good files, one bad, one piece of litter."""
    folder = tmp_path / "old" / "data_cache"
    (folder / "market_snapshots").mkdir(parents=True)
    (folder / "KO.csv").write_text(OLD)
    (folder / "BAD.csv").write_text("nothing of use\n")
    (folder / "market_snapshots" / "abc.parquet").write_bytes(b"broken")
    return folder


def test_without_a_store_the_bundled_data_are_listed(qtw, storage):
    answer = qtw("data", "list")
    assert (answer.code, answer.err) == (0, "")
    assert "stocks" in answer.out
    assert "BSD-3-Clause (package)" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    rows = qtw("data", "list", "--json").json
    assert [row["source"] for row in rows] == ["stocks", "sp500"]
    assert rows[0]["first"] == "2000-03-01T00:00:00+00:00"
    assert not storage.exists()


def test_an_imported_csv_is_listed_and_can_be_backtested(qtw, prices):
    answer = qtw("data", "import", prices("mine.csv", 10, 11, 12, 11, 13), "--json")
    assert (answer.code, answer.err) == (0, "")
    (row,) = answer.json["written"]
    assert (row["source"], row["symbol"], row["timeframe"], row["rows"], row["added"]) == ("import", "MINE", "1D", 5, 5)
    assert answer.json["revisions"] == answer.json["affected_runs"] == []
    listed = {row["source"]: row for row in qtw("data", "list", "--json").json}
    assert (listed["import"]["symbols"], listed["import"]["origin"]) == (1, "mine.csv")
    done = qtw("backtest", "buy_and_hold", "-s", "mine", "--json")
    assert done.json["stats"]["total_return"] == pytest.approx(13 / 11 - 1)  # bought at the second open


def test_an_imported_parquet_keeps_all_its_symbols(qtw, tmp_path):
    bars = qtw_lab.Lab.offline().bars(["AAPL", "IBM"], "2012-01-01", "2012-03-31", adjustment="raw")
    path = write_bars(bars, tmp_path / "two.parquet")
    answer = qtw("data", "import", path, "--source", "vendor", "--json")
    assert [row["symbol"] for row in answer.json["written"]] == ["AAPL", "IBM"]
    found = qtw("data", "query", "SELECT symbol, count(*) AS n FROM bars GROUP BY 1 ORDER BY 1", "--json").json
    assert found == [{"symbol": "AAPL", "n": len(bars)}, {"symbol": "IBM", "n": len(bars)}]


def test_a_tidy_csv_gives_one_series_a_symbol_and_a_name_may_be_given(qtw, tmp_path, prices):
    rows = "".join(f"2024-01-0{day},{symbol},1{day}\n" for day in (2, 3, 4) for symbol in ("aa", "bb"))
    (tmp_path / "tidy.csv").write_text("date,symbol,close\n" + rows)
    assert [row["symbol"] for row in qtw("data", "import", "tidy.csv", "--json").json["written"]] == ["AA", "BB"]
    named = qtw("data", "import", prices("export 7.csv", 10, 11, 12), "--symbol", "btc/usd", "--json")
    assert named.json["written"][0]["symbol"] == "BTC/USD"


def test_a_changed_bar_raises_the_alarm_and_names_the_run(qtw, prices):
    qtw("data", "import", prices("mine.csv", 10, 11, 12, 11, 13))
    qtw("backtest", "buy_and_hold", "-s", "MINE")
    (run,) = qtw("runs", "list", "--json").json
    quiet = qtw("data", "import", prices("mine.csv", 10, 11, 12, 11, 13, 14), "--json")  # one bar more, none changed
    assert quiet.json["revisions"] == []
    answer = qtw("data", "import", prices("mine.csv", 10, 11, 12.5, 11, 13, 14))
    assert answer.code == 0
    assert answer.err.startswith("revision: import/MINE 1D: the vendor revised")
    assert run["id"] in answer.out
    (row,) = qtw("data", "revisions", "--json").json
    assert (row["series"], row["changed_bars"], row["runs"]) == ("import/MINE 1D", 1, run["id"])
    told = qtw("data", "revisions")
    assert run["id"] in told.out
    assert max(map(len, told.out.splitlines())) <= 80


def test_json_of_a_changed_bar_names_the_run_on_standard_output_alone(qtw, prices):
    qtw("data", "import", prices("mine.csv", 10, 11, 12))
    run = qtw("backtest", "buy_and_hold", "-s", "MINE", "--json")
    answer = qtw("data", "import", prices("mine.csv", 10, 11.5, 12), "--json")
    assert answer.err == ""
    (affected,) = answer.json["affected_runs"]
    assert affected["name"] == "buy_and_hold"
    assert affected["fingerprint"] == run.json["data_fingerprint"]
    assert "revised" in answer.json["revisions"][0]


def test_without_revisions_that_is_said(qtw):
    assert qtw("data", "revisions").out == "No vendor revision is on record.\n"
    assert qtw("data", "revisions", "--json").json == []


def test_a_sound_table_passes_the_check_and_a_broken_one_fails_it(qtw, prices, tmp_path):
    answer = qtw("data", "check", prices("good.csv", 10, 11, 12))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith("Nothing to object to.\n")
    (tmp_path / "bad.csv").write_text("Date,Close\n2024-01-02,10\n2024-01-02,11\n2024-01-04,-1\n")
    answer = qtw("data", "check", "bad.csv")
    assert (answer.code, answer.err) == (1, "")
    assert "error: bad 2024-01-02 duplicate times" in answer.out
    found = qtw("data", "check", "bad.csv", "--json")
    assert (found.code, found.json["ok"]) == (1, False)
    assert {row["kind"] for row in found.json["findings"]} >= {"duplicate_times", "nonpositive_price"}
    assert qtw("data", "check", "absent.csv").code == 2


def test_warnings_alone_do_not_fail_the_check(qtw):
    answer = qtw("data", "check", "MSFT", "--adjustment", "raw", "--json")
    assert (answer.code, answer.json["ok"]) == (0, True)
    assert "suspected_split" in {row["kind"] for row in answer.json["findings"]}
    shown = qtw("data", "check", "MSFT", "--adjustment", "raw").out
    assert shown.count("suspected split") == 1  # once as a finding; the count above it is capitalised


def test_a_query_answers_in_a_table_and_in_json(qtw, prices):
    qtw("data", "import", prices("mine.csv", 10, 11, 12))
    answer = qtw("data", "query", "SELECT * FROM bars")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("2024-01-0") == 3
    assert max(map(len, answer.out.splitlines())) <= 80
    row = qtw("data", "query", "SELECT symbol, max(close) AS top, NULL AS x, 'nan'::DOUBLE AS y FROM bars GROUP BY 1",
              "--json").json  # fmt: skip
    assert row == [{"symbol": "MINE", "top": 12.0, "x": None, "y": None}]
    assert qtw("data", "query", "SELECT * FROM bars WHERE close > 99").out == "No rows.\n"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT 1 AS a, 2 AS a", "two columns called 'a'"),
        ("DROP TABLE bars", "one SELECT"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("SELECT * FROM '/etc/passwd'", "may read the view bars"),
        ("SELECT nothing FROM bars", "cannot be answered"),
        ("", "one SELECT"),
    ],
)
def test_a_query_that_cannot_be_answered_is_wrong_input(qtw, sql, said):
    answer = qtw("data", "query", sql)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_an_old_cache_is_planned_first_and_imported_only_on_request(qtw, storage, old_cache):
    plan = qtw("data", "import-legacy-cache", "--base-dir", old_cache.parent)
    assert (plan.code, plan.err) == (0, "")
    assert "legacy/KO 1D: 2 bars" in plan.out
    assert "--apply" in plan.out
    assert not storage.exists()
    planned = qtw("data", "import-legacy-cache", "--base-dir", old_cache, "--json").json
    assert planned["applied"] is False
    assert {item["path"]: item["action"] for item in planned["items"]} == {
        "BAD.csv": "fault", "KO.csv": "import", "market_snapshots/abc.parquet": "fault",
    }  # fmt: skip
    done = qtw("data", "import-legacy-cache", "--base-dir", old_cache, "--apply", "--json").json
    assert {item["path"]: item["action"] for item in done["items"]}["KO.csv"] == "imported"
    assert "--apply" not in qtw("data", "import-legacy-cache", "--base-dir", old_cache, "--apply").out
    assert len(qtw("data", "query", "SELECT * FROM bars WHERE symbol = 'KO'", "--json").json) == 2


def test_an_old_cache_is_cleaned_only_on_request(qtw, old_cache):
    broken = old_cache / "market_snapshots" / "abc.parquet"
    answer = qtw("data", "clean-cache", "--base-dir", old_cache)
    assert "broken Parquet" in answer.out
    assert "--apply" in answer.out
    assert broken.exists()
    done = qtw("data", "clean-cache", "--base-dir", old_cache, "--apply", "--json").json
    assert (done["applied"], [item["path"] for item in done["items"]]) == (True, ["market_snapshots/abc.parquet"])
    assert not broken.exists()
    assert (old_cache / "KO.csv").exists()
    assert "nothing to remove" in qtw("data", "clean-cache", "--base-dir", old_cache).out


def test_the_store_itself_is_cleaned_of_what_no_version_needs(qtw, prices, storage):
    assert "nothing to remove" in qtw("data", "clean-cache").out
    qtw("data", "import", prices("mine.csv", 10, 11, 12))
    leftover = storage / "data" / "objects" / ".x.parquet.1-2.part"
    leftover.write_bytes(b"half")
    planned = qtw("data", "clean-cache", "--json").json
    assert planned == {"applied": False, "bytes": 4, "items": [{"path": "objects/.x.parquet.1-2.part"}]}
    assert "dry run" in qtw("data", "clean-cache").out
    assert leftover.exists()
    assert "removed" in qtw("data", "clean-cache", "--apply").out
    assert not leftover.exists()
    assert len(qtw("data", "query", "SELECT * FROM bars", "--json").json) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("clean-cache", "--max-age-days", "3"), "--base-dir"),
        (("clean-cache", "--base-dir", "absent"), "no folder"),
        (("clean-cache", "--base-dir", "."), "not a cache"),
        (("import-legacy-cache", "--base-dir", "absent"), "no folder"),
        (("import", "absent.csv"), "no file absent.csv"),
        (("import", "notes.docx"), "are not read"),
        (("download", "AAPL", "--start", "2024-01-02", "--end", "2024-01-03"), "ALPACA_API_KEY_ID"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(qtw, storage, words, said):
    answer = qtw("data", *words)
    assert answer.code == (1 if words[0] == "download" else 2)
    assert said in answer.err
    assert not list(storage.rglob("*.parquet"))


def test_a_source_cannot_be_called_like_a_bundled_data_set(qtw, prices):
    answer = qtw("data", "import", prices("mine.csv", 10, 11, 12), "--source", "stocks")
    assert (answer.code, "another name" in answer.err) == (2, True)


def test_an_import_of_intraday_prices_asks_for_the_zone_and_takes_it(qtw, tmp_path):
    times = pd.date_range("2024-01-02 09:30", periods=4, freq="5min").strftime("%Y-%m-%d %H:%M")
    (tmp_path / "five.csv").write_text("time,close\n" + "".join(f"{at},1{n}\n" for n, at in enumerate(times)))
    assert "tz=" in qtw("data", "import", "five.csv").err
    (row,) = qtw("data", "import", "five.csv", "--tz", "America/New_York", "--json").json["written"]
    assert (row["timeframe"], row["first"]) == ("5min", "2024-01-02T14:30:00+00:00")
