import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import Bars, DataError
from qtw_lab.data import check

NEW_YORK = "America/New_York"


def table(rows=10):
    base = np.arange(rows) + 10.0
    index = pd.date_range("2024-01-16", periods=rows, freq="B")
    return pd.DataFrame(
        {"Open": base, "High": base + 1, "Low": base - 1, "Close": base + 0.5, "Volume": 100.0}, index=index
    )


def with_cell(row, column, value):
    frame = table()
    frame[column] = frame[column].astype(object if isinstance(value, str) else float)
    frame.iloc[row, frame.columns.get_loc(column)] = value
    return frame


def with_times(times):
    return table(len(times)).reset_index(drop=True).assign(time=times)


def hours(zone=None):
    return pd.date_range("2024-01-16 10:30", periods=5, freq="h", tz=zone)


FAULTS = {
    "empty": pd.DataFrame(),
    "no_times": table().reset_index(drop=True),
    "unreadable_times": with_times(["2024-01-16", "soon", "2024-01-18", "2024-01-19"]),
    "naive_times": table(5).set_axis(hours(), axis=0),
    "mixed_zones": with_times(["2024-03-08 10:30:00-05:00", "2024-03-11 10:30:00-04:00"]),
    "duplicate_times": pd.concat([table(), table().iloc[-1:]]),
    "unsorted_times": table().iloc[::-1],
    "text_column": with_cell(3, "Close", "n/a"),
    "doubled_column": pd.concat([table(), table()[["Close"]]], axis=1),
    "no_close": table().drop(columns="Close"),
    "missing_price": with_cell(3, "Low", np.nan),
    "infinite_price": with_cell(3, "High", np.inf),
    "nonpositive_price": with_cell(3, "Low", 0.0),
    "high_below_low": with_cell(3, "High", 1.0),
    "negative_volume": with_cell(3, "Volume", -1.0),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_named_and_is_one_that_bars_refuse(kind):
    report = check(FAULTS[kind], symbol="X")
    assert kind in {finding.kind for finding in report.of("error")}
    with pytest.raises(DataError):
        Bars.from_frame(FAULTS[kind], symbol="X")


def test_a_sound_table_has_no_findings():
    assert check(table(), symbol="X").findings == ()


def test_a_fault_says_where_and_how_often():
    finding = check(FAULTS["text_column"], symbol="X").of("text_column")[0]
    assert (finding.symbol, finding.count, str(finding.first.date())) == ("X", 1, "2024-01-19")
    assert "'n/a'" in finding.detail


def test_all_faults_are_found_at_once():
    frame = pd.concat([with_cell(2, "Close", -1.0), table().iloc[:1]])
    kinds = {f.kind for f in check(frame, symbol="X").of("error")}
    assert kinds == {"nonpositive_price", "duplicate_times", "unsorted_times"}


@pytest.mark.parametrize(
    "frame",
    [
        table().tz_localize(NEW_YORK),
        table(5).set_axis(hours(NEW_YORK), axis=0),
        table().reset_index(names="Date").assign(Date=lambda f: f["Date"].astype(str)),
        table().reset_index(names="timestamp").assign(Ticker="X"),
        pd.concat({"X": table()}, axis=1),
    ],
    ids=["local midnights", "aware hours", "texts of dates", "tidy", "two levels"],
)
def test_every_shape_that_bars_are_read_from_is_read_here(frame):
    assert check(frame, symbol="X").ok
    assert Bars.from_frame(frame, symbol="X", timeframe=None).symbols == ("X",)


def test_rows_that_name_no_symbol_are_an_error():
    frame = table().reset_index(names="time").assign(symbol=[*"AAAAAAA", None, None, None])
    assert check(frame).of("no_symbol")[0].count == 3


@pytest.mark.parametrize("column", [True, 1j, pd.Timestamp("2024-01-01"), "x", None])
def test_no_type_of_column_breaks_the_check(column):
    assert not check(table().assign(Close=column), symbol="X").ok


@settings(max_examples=80, deadline=None)
@given(
    row=st.integers(0, 9),
    column=st.sampled_from(["Open", "High", "Low", "Close", "Volume"]),
    value=st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-300, 1e300, 10.0]),
    repeat=st.booleans(),
    backwards=st.booleans(),
)
def test_a_table_without_errors_always_makes_bars_and_the_data_is_left_alone(row, column, value, repeat, backwards):
    frame = with_cell(row, column, value)
    frame = pd.concat([frame, frame.iloc[:1]]) if repeat else frame
    frame = frame.iloc[::-1] if backwards else frame
    before = frame.copy(deep=True)
    report = check(frame, symbol="X")
    pd.testing.assert_frame_equal(frame, before)
    if report.ok:
        assert len(Bars.from_frame(frame, symbol="X")) == 10
    elif not (column in {"High", "Low"} and value in {1e300, 1e-300}):
        with pytest.raises(DataError):
            Bars.from_frame(frame, symbol="X")
