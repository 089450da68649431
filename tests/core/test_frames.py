"""Every table shape people bring is read the same way, and every fault is answered with what to do."""

import decimal
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qtw_lab.core import Bars, DataError
from qtw_lab.core.frames import check_symbols, flattened, normalise, symbol_level

DAYS = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08"])


def ohlcv(shift: float = 0.0) -> pd.DataFrame:
    """Five bars from Tuesday to Monday, headed as Yahoo heads them."""
    close = np.array([10.0, 11.0, 12.0, 11.5, 13.0]) + shift
    volume = [100.0, 200.0, 300.0, 400.0, 500.0]
    fields = {"Open": close - 0.5, "High": close + 1, "Low": close - 1, "Close": close, "Volume": volume}
    return pd.DataFrame(fields, index=DAYS.rename("Date"))


def two() -> dict[str, pd.DataFrame]:
    return {"AAPL": ohlcv(), "MSFT": ohlcv(200.0)}


def tidy(parts: dict[str, pd.DataFrame] | None = None) -> pd.DataFrame:
    rows = [part.assign(symbol=name) for name, part in (parts or two()).items()]
    return pd.concat(rows).rename_axis("timestamp").reset_index()


def refusal(frame, symbol=None, **options) -> str:
    """The message of the `DataError`, which is one paragraph that ends as a sentence does."""
    with pytest.raises(DataError) as caught:
        Bars.from_frame(frame, symbol, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert len(message) < 600
    return message


WANTED = Bars.from_frame(pd.concat(two(), axis=1))


# --- shapes that are read -------------------------------------------------------------------------------------------


def yahoo(actions: bool = False) -> pd.DataFrame:
    """What `yfinance.download(["AAPL", "MSFT"])` gives: levels Price and Ticker, in alphabetical order of fields."""
    extra = {"Dividends": 0.0, "Stock Splits": 0.0} if actions else {}
    parts = {name: part.assign(**{"Adj Close": part["Close"] / 2, **extra}) for name, part in two().items()}
    frame = pd.concat(parts, axis=1).swaplevel(axis=1).sort_index(axis=1)
    frame.columns.names = ["Price", "Ticker"]
    return frame


def alpaca() -> pd.DataFrame:
    """What alpaca-py's `.df` gives: rows by symbol and time, days at New York midnight in UTC, further columns."""
    frame = pd.concat(two(), names=["symbol", "timestamp"]).rename(columns=str.lower)
    moments = frame.index.levels[1].tz_localize("America/New_York").tz_convert("UTC")
    frame.index = frame.index.set_levels(moments, level=1)
    return frame.assign(trade_count=7.0, vwap=10.5)


SHAPES = {
    "symbol, field": lambda: pd.concat(two(), axis=1),
    "field, symbol": lambda: pd.concat(two(), axis=1).swaplevel(axis=1),
    "tidy": tidy,
    "tidy, by time": lambda: tidy().sort_values(["timestamp", "symbol"]),
    "tidy, ticker": lambda: tidy().rename(columns={"symbol": "Ticker"}),
    "tidy, times as index": lambda: tidy().set_index("timestamp"),
    "tidy, categories": lambda: tidy().astype({"symbol": "category"}),
    "tidy, Arrow text": lambda: tidy().astype({"symbol": "string[pyarrow]"}),
    "tidy, symbol as index": lambda: tidy().set_index("symbol"),
    "Yahoo": yahoo,
    "Yahoo with actions": lambda: yahoo(actions=True),
    "Yahoo by ticker": lambda: yahoo().swaplevel(axis=1),
    "Yahoo after reset_index": lambda: yahoo().reset_index(),
    "Yahoo with text dates": lambda: yahoo().set_axis(DAYS.strftime("%Y-%m-%d"), axis=0),
    "Alpaca": alpaca,
    "Alpaca after reset_index": lambda: alpaca().reset_index(),
    "Alpaca, time first": lambda: alpaca().swaplevel().sort_index(),
    "rows without names of levels": lambda: pd.concat(two()).rename_axis([None, None]),
    "rows called as in Qlib": lambda: pd.concat(two(), names=["instrument", "datetime"]),
    "rows by symbol and date objects": lambda: (
        tidy().assign(timestamp=lambda t: t["timestamp"].dt.date).set_index(["symbol", "timestamp"])
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_two_symbols_read_the_same_in_every_shape(shape):
    bars = Bars.from_frame(SHAPES[shape]())
    assert bars.symbols == ("AAPL", "MSFT")
    assert bars.fingerprint == WANTED.fingerprint


ONE_SYMBOL = {
    "upper case": lambda f: f.rename(columns=str.upper),
    "lower case": lambda f: f.rename(columns=str.lower),
    "spaces around headings": lambda f: f.rename(columns=lambda name: f" {name} "),
    "letters": lambda f: f.rename(columns=lambda name: name[0].lower()),
    "order of columns": lambda f: f[["Volume", "Close", "Low", "High", "Open"]],
    "further columns": lambda f: f.assign(vwap=1.0, trades="many", Dividends=0.0),
    "Date column": lambda f: f.reset_index(),
    "timestamp column": lambda f: f.reset_index(names="timestamp"),
    "text dates": lambda f: f.set_axis(DAYS.strftime("%Y-%m-%d"), axis=0),
    "text dates as objects": lambda f: f.set_axis(DAYS.strftime("%Y%m%d").astype(object), axis=0),
    "date objects": lambda f: f.set_axis(pd.Index([day.date() for day in DAYS], dtype=object), axis=0),
    "Arrow dates": lambda f: f.reset_index().astype({"Date": "date32[pyarrow]"}),
    "categories of text": lambda f: f.set_axis(pd.CategoricalIndex(DAYS.strftime("%Y-%m-%d")), axis=0),
    "UTC dates": lambda f: f.tz_localize("UTC"),
    "New York midnights": lambda f: f.tz_localize("America/New_York"),
    "Tokyo midnights": lambda f: f.tz_localize("Asia/Tokyo"),
    "New York midnights in UTC": lambda f: f.tz_localize("America/New_York").tz_convert("UTC"),
    "seconds": lambda f: f.set_axis(DAYS.as_unit("s"), axis=0),
    "Float64": lambda f: f.astype("Float64"),
    "Arrow doubles": lambda f: f.astype("double[pyarrow]"),
    "Arrow decimals": lambda f: f.astype(pd.ArrowDtype(pa.decimal128(30, 4))),
    "whole volumes": lambda f: f.astype({"Volume": "Int64"}),
    "small volumes": lambda f: f.astype({"Volume": "uint16"}),
    "Arrow volumes": lambda f: f.astype({"Volume": "int64[pyarrow]"}),
    "sparse volumes": lambda f: f.astype({"Volume": "Sparse[float]"}),
}


@pytest.mark.parametrize("variant", ONE_SYMBOL)
def test_one_symbol_reads_the_same_whatever_the_headings_times_and_dtypes(variant):
    wanted = Bars.from_frame(ohlcv(), "X")
    bars = Bars.from_frame(ONE_SYMBOL[variant](ohlcv()), "X")
    assert bars.fingerprint == wanted.fingerprint
    assert list(bars.index) == list(DAYS.tz_localize("UTC"))
    assert (str(bars.timeframe), bars.calendar, bars.adjustment) == ("1D", "XNYS", "raw")


@pytest.mark.parametrize("dtype", ["Int64", "int32", "int64[pyarrow]", "float32", "uint8"])
def test_whole_prices_read_the_same_in_every_dtype(dtype):
    whole = pd.DataFrame({"close": [10, 20, 30]}, index=DAYS[:3])
    assert (
        Bars.from_frame(whole.astype(dtype), "X").fingerprint == Bars.from_frame(whole.astype(float), "X").fingerprint
    )


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int64[pyarrow]", "double[pyarrow]"])
def test_a_missing_volume_of_a_nullable_column_is_unknown(dtype):
    frame = ohlcv().astype({"Volume": dtype})
    frame.loc[DAYS[2], "Volume"] = pd.NA
    assert Bars.from_frame(frame, "X").volume["X"].isna().tolist() == [False, False, True, False, False]


def test_symbols_that_look_like_fields_stay_symbols():
    closes = pd.DataFrame({"C": [10.0, 11.0], "V": [20.0, 21.0], "O": [30.0, 31.0]}, index=DAYS[:2])
    by_symbol = pd.concat({"Close": closes}, axis=1).swaplevel(axis=1)
    bars = Bars.from_frame(by_symbol)
    assert bars.symbols == ("C", "V", "O")
    assert bars.close["V"].tolist() == [20.0, 21.0]


def test_a_level_called_ticker_holds_the_symbols_whatever_they_are_called():
    columns = pd.MultiIndex.from_tuples([("Open", "c"), ("Close", "c")], names=["Ticker", "Price"])
    bars = Bars.from_frame(pd.DataFrame([[1.0, 2.0], [1.5, 2.5]], index=DAYS[:2], columns=columns))
    assert bars.symbols == ("Open", "Close")
    assert symbol_level(columns) == 0


def test_whole_numbers_name_symbols_as_text():
    bars = Bars.from_frame(tidy({600519: ohlcv(), 700: ohlcv()}))
    assert bars.symbols == ("600519", "700")


def test_closes_alone_make_bars_that_say_so():
    bars = Bars.from_frame(ohlcv()[["Close"]], "X")
    assert bars.open["X"].tolist() == bars.high["X"].tolist() == bars.close["X"].tolist()
    assert bars.volume["X"].isna().all()
    assert bars.notes == ("no high, low, open in the data: the close stands for them",)


def test_flattening_leaves_a_plain_table_as_it_is():
    frame = ohlcv()
    assert flattened(frame) is frame


# --- adjusted closes ------------------------------------------------------------------------------------------------


def test_an_adjusted_close_scales_the_four_prices_and_not_the_volume():
    frame = ohlcv().assign(**{"Adj Close": [5.0, 5.5, 6.0, 11.5, 13.0]})  # halves before the fourth bar: a 2:1 split
    bars = Bars.from_frame(frame, "X", adjust=True)
    assert bars.adjustment == "all"
    assert bars.close["X"].tolist() == [5.0, 5.5, 6.0, 11.5, 13.0]
    assert bars.high["X"].tolist() == [5.5, 6.0, 6.5, 12.5, 14.0]
    assert bars.volume["X"].tolist() == frame["Volume"].tolist()
    assert bars.notes == ()


def test_an_adjusted_close_left_alone_is_noted():
    bars = Bars.from_frame(yahoo())
    assert bars.adjustment == "raw"
    assert bars.notes == ("the Adj Close column was ignored; pass adjust=True to use it",)


@pytest.mark.parametrize("heading", ["Adj Close", "adj_close", "AdjClose", "adjusted_close", "Adjusted Close"])
def test_the_adjusted_close_goes_by_its_usual_names(heading):
    assert Bars.from_frame(ohlcv().assign(**{heading: 5.0}), "X", adjust=True).close["X"].tolist() == [5.0] * 5


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0, np.inf])
@pytest.mark.parametrize("holes", ["error", "keep", "drop"])
def test_a_factor_that_cannot_be_computed_is_refused_however_holes_are_treated(bad, holes):
    frame = ohlcv().assign(**{"Adj Close": [5.0, bad, 6.0, 11.5, 13.0]})
    message = refusal(frame, "X", adjust=True, holes=holes)
    assert "adjusted close of X at 2024-01-03" in message
    assert "adjust=True" in message


def test_adjusting_needs_an_adjusted_close_of_every_symbol():
    frame = yahoo().drop(columns=[("Adj Close", "MSFT")])
    assert "'Adj Close' column for every symbol" in refusal(frame, adjust=True)


# --- holes ----------------------------------------------------------------------------------------------------------


def holed(*rows: int) -> pd.DataFrame:
    frame = ohlcv()
    frame.iloc[list(rows)] = np.nan
    return frame


def test_a_hole_in_one_series_is_refused_kept_or_dropped():
    message = refusal(holed(2), "X")
    assert "1 missing (NaN) bar(s), first 2024-01-04" in message
    assert "holes='drop'" in message
    kept = Bars.from_frame(holed(2), "X", holes="keep")
    assert kept.present[:, 0].tolist() == [True, True, False, True, True]
    dropped = Bars.from_frame(holed(2), "X", holes="drop")
    assert dropped.fingerprint == Bars.from_frame(ohlcv().drop(DAYS[2]), "X").fingerprint


@pytest.mark.parametrize("row", [0, 4])
def test_in_one_series_a_missing_end_is_a_hole_too(row):
    assert "missing (NaN)" in refusal(holed(row), "X")


@pytest.mark.parametrize("shape", ["columns", "tidy", "rows"])
def test_a_row_of_nan_inside_a_life_is_refused_in_every_shape_of_many_symbols(shape):
    parts = {"AAPL": ohlcv(), "MSFT": holed(2)}
    frames = {
        "columns": pd.concat(parts, axis=1),
        "tidy": tidy(parts),
        "rows": pd.concat(parts, names=["symbol", "date"]),
    }
    frame = frames[shape]
    assert refusal(frame).startswith("MSFT has 1 missing (NaN) bar(s), first 2024-01-04")
    for holes in ("keep", "drop"):
        bars = Bars.from_frame(frame, holes=holes)
        assert bars.present[:, 1].tolist() == [True, True, False, True, True]
        assert bars.present[:, 0].all()


def test_a_late_listing_and_a_delisting_are_no_holes():
    parts = {"OLD": holed(3, 4), "NEW": holed(0, 1)}
    wide, long = Bars.from_frame(pd.concat(parts, axis=1)), Bars.from_frame(tidy(parts))
    assert wide.present[:, 0].tolist() == [True, True, True, False, False]
    assert wide.present[:, 1].tolist() == [False, False, True, True, True]
    assert wide.fingerprint == long.fingerprint


def test_a_time_without_a_row_is_a_hole_that_a_tidy_table_may_have():
    parts = {"AAPL": ohlcv(), "MSFT": ohlcv().drop(DAYS[2])}
    assert Bars.from_frame(tidy(parts)).present[:, 1].tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("holes", ["error", "keep"])
@pytest.mark.parametrize("field", ["Open", "High", "Low", "Close"])
def test_half_a_bar_is_refused_unless_dropped(field, holes):
    frame = ohlcv()
    frame.loc[DAYS[1], field] = np.nan
    refusal(frame, "X", holes=holes)
    assert len(Bars.from_frame(frame, "X", holes="drop")) == 4


def test_a_symbol_without_any_price_is_refused_by_name_or_kept():
    frame = pd.concat({"AAPL": ohlcv(), "FAIL": holed(0, 1, 2, 3, 4)}, axis=1)
    assert refusal(frame).startswith("FAIL has no price at all")
    assert Bars.from_frame(frame, holes="keep").symbols == ("AAPL", "FAIL")


@pytest.mark.parametrize("holes", ["error", "keep", "drop"])
def test_a_table_without_any_price_is_refused(holes):
    assert "no bar with a price" in refusal(holed(0, 1, 2, 3, 4), "X", holes=holes)


def test_dropping_holes_never_drops_an_infinite_price_unseen():
    frame = ohlcv().replace({"Close": {12.0: np.inf}})
    assert "is infinite" in refusal(frame, "X", holes="drop")


# --- prices that are refused ----------------------------------------------------------------------------------------

PRICE_FAULTS = [
    ("Close", np.inf, "is infinite"),
    ("Volume", np.inf, "is infinite"),
    ("Low", -np.inf, "is infinite"),
    ("Open", 0.0, "zero or negative price"),
    ("Close", -37.63, "zero or negative price"),
    ("High", 1.0, "high below its low"),
    ("Volume", -1.0, "negative volume"),
]


@pytest.mark.parametrize(("field", "value", "fault"), PRICE_FAULTS)
@pytest.mark.parametrize("holes", ["error", "keep", "drop"])
def test_a_price_no_market_makes_is_refused_with_its_bar(field, value, fault, holes):
    frame = ohlcv()
    frame.loc[DAYS[3], field] = value
    message = refusal(frame, "X", holes=holes)
    assert message.startswith("The bar of X at 2024-01-05")
    assert fault in message
    assert "1 bar(s) in all" in message


def test_a_high_below_the_low_by_rounding_alone_is_let_through():
    frame = ohlcv().assign(Low=lambda f: f["High"] * (1 + 1e-12))
    assert len(Bars.from_frame(frame, "X")) == 5


@pytest.mark.parametrize("scale", [1e300, 1e-300, 5e-324])
def test_huge_and_tiny_prices_are_prices(scale):
    frame = pd.DataFrame({"close": [1.0 * scale, 2.0 * scale]}, index=DAYS[:2])
    assert Bars.from_frame(frame, "X").close["X"].tolist() == [scale, 2 * scale]


NOT_NUMBERS = {
    "text": ["10", "11", "12", "11.5", "13"],
    "dollars": ["$10", "$11", "$12", "$11.5", "$13"],
    "objects": pd.Series([10.0, 11.0, 12.0, 11.5, 13.0], dtype=object),
    "decimals": [decimal.Decimal(value) for value in (10, 11, 12, 11, 13)],
    "truth values": [True] * 5,
    "nullable truth values": pd.array([True, None, True, True, True], dtype="boolean"),
    "Arrow truth values": pd.array([True] * 5, dtype="bool[pyarrow]"),
    "complex": [10 + 0j] * 5,
    "dates": DAYS,
    "spans": DAYS - DAYS[0],
    "categories": pd.Categorical([10.0, 11.0, 12.0, 11.5, 13.0]),
    "lists": [[10.0]] * 5,
    "nothing": pd.Series([None] * 5, dtype=object),
}


@pytest.mark.parametrize("kind", NOT_NUMBERS)
def test_a_close_that_is_not_a_number_is_refused_not_guessed_at(kind):
    frame = ohlcv().reset_index(drop=True)
    frame["Close"] = pd.Series(list(NOT_NUMBERS[kind])[:5], dtype=getattr(NOT_NUMBERS[kind], "dtype", None))
    message = refusal(frame.set_axis(DAYS, axis=0), "X")
    assert "'Close' of X" in message
    assert "pd.to_numeric" in message


# --- tables that are refused ----------------------------------------------------------------------------------------


def with_row_of(frame: pd.DataFrame, **values: object) -> pd.DataFrame:
    changed = frame.astype(dict.fromkeys(values, object))
    for name, value in values.items():
        changed.loc[changed.index[0], name] = value
    return changed


TABLE_FAULTS = {
    "no rows": (lambda: ohlcv().iloc[:0], "X", "empty"),
    "no columns": (lambda: ohlcv()[[]], "X", "empty"),
    "no close": (lambda: ohlcv().drop(columns="Close"), "X", "no close column"),
    "only an adjusted close": (lambda: ohlcv()[["Close"]].add_prefix("Adj "), "X", "no close column"),
    "no symbol": (ohlcv, None, "symbol='X'"),
    "closes by symbol": (lambda: pd.DataFrame({"AAPL": [1.0], "IBM": [2.0]}, index=DAYS[:1]), "X", "no close column"),
    "two closes": (lambda: pd.concat([ohlcv(), ohlcv()[["Close"]]], axis=1), "X", "two columns for close"),
    "close and CLOSE": (lambda: ohlcv().assign(CLOSE=1.0), "X", "'Close' and 'CLOSE'"),
    "two closes of a symbol": (lambda: pd.concat([yahoo(), yahoo()[["Close"]]], axis=1), None, "AAPL has two columns"),
    "two symbol columns": (lambda: pd.concat([tidy(), tidy()[["symbol"]]], axis=1), None, "2 columns called 'symbol'"),
    "two date columns": (
        lambda: pd.concat([ohlcv().reset_index(), ohlcv().reset_index()[["Date"]]], axis=1),
        "X",
        "2 columns called 'Date'",
    ),
    "three column levels": (lambda: pd.concat({"all": yahoo()}, axis=1), None, "3 levels"),
    "one column level": (
        lambda: ohlcv().set_axis(pd.MultiIndex.from_arrays([list("OHLCV")]), axis=1),
        "X",
        "1 levels",
    ),
    "no field in either level": (
        lambda: ohlcv().set_axis(pd.MultiIndex.from_product([["a"], list("bdefg")]), axis=1),
        None,
        "Neither column level names a field",
    ),
    "levels on both sides": (
        lambda: yahoo().set_axis(pd.MultiIndex.from_product([["x"], DAYS])),
        None,
        "both have levels",
    ),
    "three row levels": (lambda: pd.concat({"a": alpaca()}), None, "two are read"),
    "two times and no symbol": (
        lambda: ohlcv().set_axis(pd.MultiIndex.from_arrays([DAYS, DAYS], names=["date", "time"])),
        "X",
        "two are read",
    ),
    "no time among the rows": (
        lambda: ohlcv().set_axis(pd.MultiIndex.from_product([["a"], range(5)])),
        None,
        "two are read",
    ),
    "a row without symbol": (lambda: with_row_of(tidy(), symbol=None), None, "is not a symbol"),
    "a blank symbol": (lambda: with_row_of(tidy(), symbol=" "), None, "' ' is not a symbol"),
    "a symbol with a line break": (lambda: tidy({"A\nB": ohlcv()}), None, "is not a symbol"),
    "a half symbol": (lambda: with_row_of(tidy(), symbol=1.5), None, "1.5 is not a symbol"),
    "one symbol twice, as text and number": (
        lambda: with_row_of(tidy({"1": ohlcv(), "2": ohlcv()}), symbol=1),
        None,
        "unique",
    ),
    "an empty symbol": (ohlcv, "", "'' is not a symbol"),
    "a number as symbol": (ohlcv, 5, "5 is not a symbol"),
    "another symbol than the table's": (yahoo, "IBM", "names its own symbols (AAPL, MSFT)"),
    "one symbol of several": (tidy, "AAPL", ".select("),
    "repeated times": (
        lambda: pd.concat([ohlcv(), ohlcv().iloc[-1:]]),
        "X",
        "1 bar time(s) of X appear more than once",
    ),
    "repeated rows of one symbol": (
        lambda: pd.concat([tidy(), tidy().iloc[:1]]),
        None,
        "of AAPL appear more than once",
    ),
    "descending times": (lambda: ohlcv().iloc[::-1], "X", "out of order, first at row 1"),
    "a missing time": (lambda: ohlcv().set_axis([*DAYS[:4], pd.NaT]), "X", "missing (NaT)"),
    "one bar": (lambda: ohlcv().iloc[:1], "X", "too short"),
}


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_a_table_that_cannot_be_bars_is_refused_by_name(fault):
    build, symbol, words = TABLE_FAULTS[fault]
    assert words in refusal(build(), symbol)


@pytest.mark.parametrize("thing", [None, [1.0], {"close": [1.0]}, pd.Series([1.0]), np.ones((2, 5)), "data.csv"])
def test_only_a_dataframe_is_read(thing):
    assert f"not from {type(thing).__name__}" in refusal(thing, "X")


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("holes", "fill", "holes='fill'"),
        ("holes", None, "holes=None"),
        ("timeframe", 5, "5"),
        ("timeframe", "fortnight", "'fortnight' is not a timeframe"),
        ("adjustment", "split-adjusted", "no adjustment 'split-adjusted'"),
        ("adjust", True, "'Adj Close'"),
    ],
)
def test_an_option_that_is_not_known_is_refused(option, value, words):
    assert words in refusal(ohlcv(), "X", **{option: value})


def test_reading_leaves_the_table_as_it_was():
    for build in SHAPES.values():
        frame = build()
        before, flags = frame.copy(deep=True), frame.index.name
        Bars.from_frame(frame)
        pd.testing.assert_frame_equal(frame, before)
        assert frame.index.name == flags


def test_symbols_are_checked_as_a_whole():
    assert check_symbols(["A", "BRK B", "^GSPC"]) == ("A", "BRK B", "^GSPC")
    assert check_symbols("AAPL") == ("AAPL",)
    for wrong in ([], ["A", "A"], [None], ["\ud800"], ["\0"]):
        with pytest.raises(DataError):
            check_symbols(wrong)


def test_normalising_gives_arrays_of_times_by_symbols():
    table = normalise(yahoo(), symbol=None, tz=None, holes="error", adjust=False)
    assert table.symbols == ("AAPL", "MSFT")
    assert {name: array.shape for name, array in table.arrays.items()} == dict.fromkeys(table.arrays, (5, 2))
    assert set(table.arrays) == {"open", "high", "low", "close", "volume"}


# --- whatever else is thrown at it ----------------------------------------------------------------------------------

CELLS = st.one_of(
    st.floats(width=64),
    st.floats(min_value=0.01, max_value=1e6),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.none(),
    st.booleans(),
    st.text(max_size=4),
    st.dates(),
    st.complex_numbers(),
    st.decimals(allow_nan=False),  # pandas itself fails on a signalling NaN
)
HEADINGS = st.one_of(
    st.sampled_from(
        [
            "Open",
            "HIGH",
            "low",
            "Close",
            "close",
            "Volume",
            "Adj Close",
            "Date",
            "time",
            "symbol",
            "Ticker",
            ("Close", "A"),
        ]
    ),
    st.none(),
    st.integers(min_value=0, max_value=3),
    st.text(max_size=3),
)
STAMPS = st.one_of(
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.datetimes(min_value=pd.Timestamp("2000-01-01").to_pydatetime(), timezones=st.timezones()),
    st.dates(),
    st.sampled_from(["2024-01-02", "2024-01-03T00:00:00Z", "31/12/2023", "09:30", "nonsense", "", "now"]),
    st.integers(min_value=-10, max_value=2**62),
    st.none(),
    st.text(max_size=3),
)


@st.composite
def any_frame(draw):
    """A table with any headings, any cells and any index."""
    rows, headings = draw(st.integers(0, 4)), draw(st.lists(HEADINGS, max_size=6))
    columns = [
        draw(st.lists(draw(st.sampled_from([CELLS, st.floats(1, 2)])), min_size=rows, max_size=rows)) for _ in headings
    ]
    frame = pd.DataFrame(dict(enumerate(columns)), index=range(rows))
    many = draw(st.sampled_from(["plain", "plain", "levels"])) == "levels" and headings
    tickers = draw(st.lists(st.sampled_from(["A", "B", "Close", None]), min_size=len(headings), max_size=len(headings)))
    if many:
        frame.columns = pd.MultiIndex.from_arrays([[str(heading) for heading in headings], tickers])
    else:
        frame.columns = pd.Index(headings, dtype=object, tupleize_cols=False)
    kind = draw(st.sampled_from(["stamps", "days", "range", "levels"]))
    if kind == "days":
        frame.index = DAYS[:rows]
    elif kind == "stamps":
        frame.index = pd.Index(draw(st.lists(STAMPS, min_size=rows, max_size=rows)), dtype=object)
    elif kind == "levels" and rows:
        frame.index = pd.MultiIndex.from_arrays([["A", "A", "B", "B"][:rows], DAYS[[0, 1, 0, 1]][:rows]])
    return frame


def spoil_cell(frame: pd.DataFrame, draw) -> pd.DataFrame:
    place, value = draw(st.integers(0, frame.shape[1] - 1)), draw(CELLS)
    numeric = isinstance(value, float) and pd.api.types.is_float_dtype(frame.dtypes.iloc[place])
    column = frame.iloc[:, place].astype(None if numeric else object).tolist()
    column[draw(st.integers(0, len(frame) - 1))] = value
    parts = [frame.iloc[:, [at]] for at in range(frame.shape[1])]
    spoilt = pd.Series(column, index=frame.index, dtype="float64" if numeric else object)
    parts[place] = spoilt.to_frame().set_axis(frame.columns[[place]], axis=1)
    return pd.concat(parts, axis=1)


def spoil_time(frame: pd.DataFrame, draw) -> pd.DataFrame:
    if isinstance(frame.index, pd.MultiIndex):
        return frame.droplevel(draw(st.integers(0, 1)))
    times = frame.index.astype(object).tolist()
    times[draw(st.integers(0, len(times) - 1))] = draw(STAMPS)
    return frame.set_axis(pd.Index(times, dtype=draw(st.sampled_from([object, None])), name=frame.index.name), axis=0)


SPOILERS = {
    "cell": spoil_cell,
    "time": spoil_time,
    "columns": lambda frame, draw: frame.iloc[:, draw(st.permutations(range(frame.shape[1])))].iloc[:, 1:],
    "twice": lambda frame, draw: pd.concat([frame, frame.iloc[:, [draw(st.integers(0, frame.shape[1] - 1))]]], axis=1),
    "rows": lambda frame, draw: frame.iloc[draw(st.lists(st.integers(0, len(frame) - 1), max_size=len(frame)))],
    "objects": lambda frame, draw: frame.astype(object),
    "names": lambda frame, draw: (
        frame.rename_axis(index=draw(st.sampled_from([None, "date", "symbol", "x"])))
        if frame.index.nlevels == 1
        else frame.rename_axis(index=[draw(HEADINGS), draw(HEADINGS)])
    ),
}


@st.composite
def spoilt_frame(draw):
    """A sound table in one of the usual shapes, spoilt once or twice."""
    frame = SHAPES[draw(st.sampled_from(sorted(SHAPES)))]()
    for name in draw(st.lists(st.sampled_from(sorted(SPOILERS)), max_size=2)):
        if frame.size:
            frame = SPOILERS[name](frame, draw)
    return frame


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    frame=st.one_of(any_frame(), spoilt_frame(), spoilt_frame()),
    symbol=st.sampled_from([None, None, "X"]),
    holes=st.sampled_from(["error", "keep", "drop"]),
    tz=st.sampled_from([None, "UTC", "America/New_York"]),
    timeframe=st.sampled_from([None, "1D", "1h"]),
    adjust=st.sampled_from([False, False, True]),
)
def test_any_table_gives_bars_or_a_data_error(frame, symbol, holes, tz, timeframe, adjust):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            bars = Bars.from_frame(frame, symbol, holes=holes, tz=tz, adjust=adjust, timeframe=timeframe)
        except DataError as err:
            bars, message = None, str(err)
    if bars is None:
        assert "\n" not in message
        return
    assert bars.shape[0] > 0
    assert bars.index.is_monotonic_increasing
    prices = np.stack([bars.values[name] for name in ("open", "high", "low", "close")])
    assert (np.isnan(prices).all(axis=0) | (np.isfinite(prices) & (prices > 0)).all(axis=0)).all()
    assert len(bars.fingerprint) == 64


PRICE = st.floats(min_value=0.01, max_value=1e6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(PRICE, PRICE, PRICE, PRICE, st.floats(0, 1e9)), min_size=2, max_size=8), st.randoms())
def test_any_sound_series_reads_the_same_in_every_shape(rows, chance):
    index = pd.bdate_range("2024-01-02", periods=len(rows))
    data = [(o, max(o, h, low, c), min(o, h, low, c), c, v) for o, h, low, c, v in rows]
    frame = pd.DataFrame(data, columns=["Open", "High", "Low", "Close", "Volume"], index=index)
    wanted = Bars.from_frame(frame, "X").fingerprint
    mixed = frame[chance.sample(list(frame.columns), 5)]
    assert Bars.from_frame(mixed.rename(columns=str.upper), "X").fingerprint == wanted
    assert Bars.from_frame(mixed.assign(symbol="X").reset_index(names="date")).fingerprint == wanted
    assert Bars.from_frame(pd.concat({"X": mixed}, axis=1)).fingerprint == wanted
    assert Bars.from_frame(pd.concat({"X": mixed}, names=["symbol", "date"])).fingerprint == wanted
