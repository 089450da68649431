"""Where prices come from: the store before the bundled data, one source at a time, and files all or nothing."""

import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError, VirtualClock
from qtw_lab.lab import Lab
from qtw_lab.lab.prices import Wanted, few

NOW = pd.Timestamp("2024-06-03 12:00", tz="UTC")


@pytest.fixture
def lab(tmp_path) -> Lab:
    made = Lab.offline(tmp_path / "store")
    return Lab(made.settings, VirtualClock(NOW))


def daily(*closes: float, start: str = "2024-01-02") -> pd.DataFrame:
    """Weekdays with these closes, opens equal to them."""
    frame = pd.DataFrame({"close": [float(close) for close in closes]}, pd.bdate_range(start, periods=len(closes)))
    return frame.assign(open=frame["close"], high=frame["close"] + 1, low=frame["close"] - 1, volume=100.0)


def hourly(*closes: float) -> pd.DataFrame:
    times = pd.date_range("2024-01-02 14:30", periods=len(closes), freq="h", tz="UTC")
    return daily(*closes).set_axis(times)


def test_without_a_store_the_bundled_data_answer(lab):
    bars = lab.bars("AAPL", "2012-01-01", "2012-12-31")
    assert (bars.source, bars.shape) == ("sample:stocks", (250, 1))
    assert lab.bars("KO").source == "sample:sp500"
    assert not lab.settings.qtw_storage_dir.exists()


def test_the_store_comes_before_the_bundled_data_and_says_so(lab):
    lab.add(daily(10, 11, 12), "AAPL")
    assert (lab.bars("aapl").source, len(lab.bars("AAPL"))) == ("import", 3)
    assert lab.bars("AAPL", source="stocks").source == "sample:stocks"
    assert lab.bars("stocks:AAPL").source == "sample:stocks"


def test_the_store_answers_only_for_symbols_it_has_all_of(lab):
    lab.add(daily(10, 11, 12), "AAPL")
    assert lab.bars("AAPL,IBM").source == "sample:stocks"
    lab.add(daily(10, 11, 12), "MINE")
    assert lab.bars("AAPL,MINE").symbols == ("AAPL", "MINE")
    with pytest.raises(
        DataError, match=r"MINE is in your store and IBM comes with the package\. Ask for them separate"
    ):
        lab.bars("MINE,IBM")


def test_a_prefix_names_a_source_of_the_store_too(lab):
    lab.add(daily(10, 11, 12), "X", source="one")
    lab.add(daily(20, 21, 22), "X", source="two")
    assert lab.bars("two:X").close["X"].tolist() == [20, 21, 22]
    assert lab.bars("X", source="one").close["X"].tolist() == [10, 11, 12]
    with pytest.raises(DataError, match="Several sources have X"):
        lab.bars("X")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("stocks:AAPL,sp500:KO", None), "sp500, stocks are named"),
        (("stocks:AAPL", "sp500"), "sp500, stocks are named"),
        (("vendor:AAPL", None), "no source of prices 'vendor'"),
        (("AAPL", "stoks"), "Did you mean 'stocks'"),
        (("AAPLE", None), "Did you mean 'AAPL'"),
        (("stocks:KO", None), "no symbol in data set 'stocks' 'KO'"),
        (("", None), "No symbol was given"),
        (("stocks:", None), "No symbol was given"),
        ((None, None), "not None"),
        ((5, None), "not 5"),
        ((["AAPL", 5], None), "not 5"),
        (("../etc", None), "is not a symbol"),
    ],
)
def test_what_nobody_has_is_refused_with_what_there_is(lab, asked, said):
    symbols, source = asked
    with pytest.raises(DataError, match=said):
        lab.bars(symbols, source=source)


def test_a_misspelt_symbol_of_your_own_is_recognised(lab):
    lab.add(daily(10, 11, 12), "MINE")
    with pytest.raises(DataError, match="Did you mean 'MINE'"):
        lab.bars("MIEN")


def test_longer_bars_are_made_of_the_bundled_ones(lab):
    weeks = lab.bars("AAPL", "2012-01-02", "2012-01-13", timeframe="1W")
    days = lab.bars("AAPL", "2012-01-02", "2012-01-13")
    assert len(weeks) == 2
    assert weeks.open["AAPL"].iloc[0] == days.open["AAPL"].iloc[0]
    assert weeks.close["AAPL"].tolist() == [days.close["AAPL"].iloc[3], days.close["AAPL"].iloc[8]]  # one holiday
    with pytest.raises(DataError, match="finer"):
        lab.bars("AAPL", timeframe="1h")


def test_longer_bars_are_made_of_stored_ones_from_the_longest_that_fit(lab):
    lab.add(daily(10, 11, 12, 13, 14), "X")
    lab.add(hourly(21, 22, 23), "X", timeframe="1h")
    weeks = lab.bars("X", timeframe="1W")
    assert weeks.close["X"].tolist() == [13, 14]  # 2024-01-02 is a Tuesday: four days, then a Monday
    assert lab.bars("X", timeframe="1h").close["X"].tolist() == [21, 22, 23]
    assert lab.bars("X", timeframe="2h").close["X"].tolist() == [22, 23]
    assert lab.bars("import:X", timeframe="1ME").close["X"].tolist() == [14]


def test_bars_finer_than_the_stored_ones_are_refused_with_what_is_stored(lab):
    lab.add(daily(10, 11, 12), "X")
    with pytest.raises(DataError, match="X in bars of 1D"):
        lab.bars("X", timeframe="1h")
    with pytest.raises(DataError, match="stored as 1D bars"):
        lab.bars("X", timeframe="1h", source="import")


def test_adjustments_go_by_one_set_of_names(lab):
    lab.add(daily(10, 11, 6).assign(split_factor=[0.5, 0.5, 1.0], factor=[0.4, 0.4, 1.0]), "X")
    assert lab.bars("X", adjustment="raw").close["X"].tolist() == [10, 11, 6]
    assert lab.bars("X", adjustment="split").close["X"].tolist() == [5, 5.5, 6]
    assert lab.bars("X").close["X"].tolist() == pytest.approx([4, 4.4, 6])
    for symbol in ("X", "AAPL", "KO"):
        with pytest.raises(DataError, match="no adjustment 'adjusted'"):
            lab.bars(symbol, adjustment="adjusted")
    raw, adjusted = (lab.bars("MSFT", "2003-02-14", "2003-02-18", adjustment=name) for name in ("raw", "all"))
    assert raw.close["MSFT"].iloc[-1] / raw.close["MSFT"].iloc[0] < 0.6  # the split shows
    assert adjusted.close["MSFT"].iloc[-1] / adjusted.close["MSFT"].iloc[0] > 0.95


@pytest.mark.parametrize("dates", [("2012-12-31", "2012-01-01"), ("2030-01-01", None), (None, "1950-01-01"),
                                   ("soon", None), (2012, None)])  # fmt: skip
def test_dates_that_hold_nothing_are_refused_everywhere(lab, dates):
    lab.add(daily(10, 11, 12), "X")
    for symbol in ("AAPL", "X"):
        with pytest.raises(DataError, match=r"swap them|No bar lies between|not a date"):
            lab.bars(symbol, *dates)


def test_a_file_becomes_one_series_a_symbol_with_its_factor(lab, tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("date,symbol,close,adj close\n2024-01-02,a,10,5\n2024-01-02,b,20,20\n2024-01-03,a,6,6\n")
    done = lab.import_file(path)
    assert [str(one.key) for one in done.written] == ["import/A 1D", "import/B 1D"]
    assert [one.rows for one in done.written] == [2, 1]
    assert lab.bars("A").close["A"].tolist() == [5, 6]
    assert lab.bars("A", adjustment="raw").close["A"].tolist() == [10, 6]
    assert done.affected.empty
    assert done.alarms == ()


def test_a_file_with_one_bad_symbol_stores_none_of_them(lab, tmp_path):
    good = daily(10, 11, 12).assign(split_factor=1.0, factor=1.0)
    lab.add(good, "B")
    before = lab.store.list()
    path = tmp_path / "two.csv"
    path.write_text("date,symbol,close\n2024-01-02,A,10\n2024-01-02,B,20\n2024-01-03,A,6\n2024-01-03,B,7\n")
    with pytest.raises(DataError, match="stored with adjustment factors"):
        lab.import_file(path)
    path.write_text("date,symbol,close\n2024-01-02,A,10\n2024-01-02,so bad!,20\n2024-01-03,A,6\n")
    with pytest.raises(DataError, match="not a symbol"):
        lab.import_file(path)
    path.write_text("date,symbol,close\n2024-01-02,A,10\n2024-01-02,a,20\n2024-01-03,A,6\n2024-01-03,a,6\n")
    with pytest.raises(DataError, match="differ in case only"):
        lab.import_file(path)
    pd.testing.assert_frame_equal(lab.store.list(), before)


def test_your_own_source_cannot_hide_behind_a_bundled_name(lab, tmp_path):
    with pytest.raises(DataError, match="another name"):
        lab.add(daily(10, 11), "X", source="stocks")
    daily(10, 11).to_csv(tmp_path / "x.csv", index_label="date")
    with pytest.raises(DataError, match="another name"):
        lab.import_file(tmp_path / "x.csv", source="sp500")


def test_the_sources_are_listed_with_the_store_last(lab):
    assert lab.sources()["source"].tolist() == ["stocks", "sp500"]
    for number in range(5):
        lab.add(daily(10, 11, 12), f"X{number}", source="vendor", origin=f"file{number}.csv")
    table = lab.sources().set_index("source")
    assert table.index.tolist() == ["stocks", "sp500", "vendor"]
    assert table.loc["vendor", ["title", "symbols", "licence", "origin"]].tolist() == [
        "your store", 5, "yours", "file0.csv, file1.csv, file2.csv and 2 more",
    ]  # fmt: skip
    assert table.loc["vendor", "last"] == pd.Timestamp("2024-01-04", tz="UTC")
    assert table.loc["sp500", "symbols"] == 21
    assert few(["a"]) == "a"


def test_a_check_takes_symbols_files_tables_and_bars(lab, tmp_path):
    frame = daily(10, 11, 12)
    frame.to_csv(tmp_path / "x.csv", index_label="date")
    reports = [lab.check(what) for what in ("AAPL,IBM", tmp_path / "x.csv", str(tmp_path / "x.csv"), lab.bars("KO"))]
    assert all(report.ok for report in reports)
    assert reports[0].symbols == ("AAPL", "IBM")
    assert not lab.check(frame.assign(close=-1.0)).ok
    with pytest.raises(DataError, match="not NoneType"):
        lab.check(None)


def test_what_is_wanted_is_parsed_once():
    assert Wanted.parse(["stocks:AAPL, IBM", "ibm"], "1d", None) == Wanted.parse("aapl,ibm", "1D", "stocks")


def test_actions_lie_between_raw_and_adjusted_prices_of_the_store(lab):
    """Two for one on the third day: the raw close halves, the adjusted one does not."""
    raw = daily(100, 102, 51, 52).assign(high=lambda day: day["close"], low=lambda day: day["close"])
    lab.add(raw.assign(split_factor=[0.5, 0.5, 1.0, 1.0], factor=[0.5, 0.5, 1.0, 1.0]), "X")
    actions = lab.actions("X")
    assert actions.table()[["symbol", "kind", "amount"]].to_numpy().tolist() == [["X", "split", 2.0]]
    assert actions.table()["timestamp"].dt.strftime("%Y-%m-%d").tolist() == ["2024-01-04"]
    bars = lab.bars("X", adjustment="raw")
    held = qtw.backtest("buy_and_hold", bars, actions=actions, cash=1020.0)
    assert held.positions["X"].tolist()[1:] == pytest.approx([10.0, 20.0, 20.0])
    assert held.equity.iloc[-1] == pytest.approx(1040.0)


def test_raw_prices_with_actions_are_the_adjusted_prices_without(lab):
    """Microsoft's bundled closes hold a split of 2 for 1 on 2003-02-18 and its first dividends; cents were rounded."""
    span = ("MSFT", "2002-06-03", "2004-12-31")
    actions = lab.actions(*span)
    table = actions.table()
    splits = table[table["kind"] == "split"]
    assert splits["timestamp"].dt.strftime("%Y-%m-%d").tolist() == ["2003-02-18"]
    assert splits["amount"].tolist() == [2.0]
    raw = qtw.backtest("buy_and_hold", lab.bars(*span, adjustment="raw"), actions=actions)
    adjusted = qtw.backtest("buy_and_hold", lab.bars(*span))
    # Dividends wait as cash here and are reinvested there: a few percent of the price in two and a half years.
    assert raw.equity.iloc[-1] == pytest.approx(adjusted.equity.iloc[-1], rel=0.02)


def test_prices_without_factors_have_no_actions_to_tell(lab):
    lab.add(daily(10, 11, 12), "X")
    with pytest.raises(DataError, match="No adjustment factors came with X"):
        lab.actions("X")


def test_actions_of_nobody_are_refused_as_prices_are(lab):
    with pytest.raises(DataError, match="Did you mean 'AAPL'"):
        lab.actions("AAPLE")
