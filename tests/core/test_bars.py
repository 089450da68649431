"""Bars are checked, frozen, cut by prefix, and known by one fingerprint."""

import dataclasses
import hashlib
import os
import pickle
import struct
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import Bars, DataError, SeriesRef, Timeframe
from qtw_lab.core.bars import ADJUSTMENTS, FIELDS


def index_of(count: int) -> pd.DatetimeIndex:
    return pd.date_range("2024-01-02", periods=count, tz="UTC", name="timestamp")


def make(closes, **changes) -> Bars:
    """Bars with the given closes (T, N) and round numbers elsewhere."""
    close = np.array(closes, dtype=float)
    close = close[:, None] if close.ndim == 1 else close
    values = {"open": close, "high": close + 1, "low": close / 2, "close": close, "volume": close * 100}
    names = tuple("ABCDEFGH"[: close.shape[1]])
    given_fields = {"index": index_of(len(close)), "symbols": names, "values": values, "timeframe": Timeframe(1, "D")}
    return Bars(**given_fields | changes)


PAIR = make([[10.0, np.nan], [11.0, 20.0], [12.0, 21.0], [np.nan, 22.0]])


# --- values ---------------------------------------------------------------------------------------------------------


def test_fields_are_tables_of_times_by_symbols():
    for name in FIELDS:
        table = getattr(PAIR, name)
        assert table.shape == PAIR.shape == (4, 2)
        assert list(table.columns) == ["A", "B"]
        assert table.columns.name == "symbol"
        pd.testing.assert_frame_equal(table, PAIR.frame(name))
    assert len(PAIR) == 4
    assert PAIR.present.tolist() == [[True, False], [True, True], [True, True], [False, True]]


def test_a_field_that_does_not_exist_is_refused_with_a_near_miss():
    with pytest.raises(DataError, match="Did you mean 'close'"):
        PAIR.frame("clsoe")


def test_the_year_has_as_many_bars_as_the_calendar_says():
    assert make([1.0, 2.0]).periods_per_year == 252.0
    assert make([1.0, 2.0], calendar="24/7").periods_per_year == 365.0
    assert make([1.0, 2.0], timeframe=Timeframe(1, "W")).periods_per_year == 52.0


def test_a_repr_names_what_matters_and_survives_having_no_bars():
    shown = repr(make([[1.0] * 8, [2.0] * 8]))
    assert "A, B, C, D, E, F and 2 more: 2 x 1D, 2024-01-02 to 2024-01-03, XNYS, adjustment raw" in shown
    assert "no bars" in repr(PAIR.head(0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"index": [1, 2]}, "DatetimeIndex, not list"),
        ({"index": index_of(2).tz_localize(None)}, "no time zone"),
        ({"index": index_of(3)}, "shape"),
        ({"index": index_of(2)[::-1]}, "out of order"),
        ({"symbols": ("A", "B")}, "shape"),
        ({"symbols": ()}, "present and unique"),
        ({"symbols": (None,)}, "None is not a symbol"),
        ({"values": {"close": np.ones((2, 1))}}, "open, high, low, volume is missing"),
        ({"adjustment": "dividends"}, "no adjustment 'dividends'"),
    ],
)
def test_bars_that_do_not_fit_together_are_refused(changes, words):
    with pytest.raises(DataError, match=words):
        make([1.0, 2.0], **changes)


@pytest.mark.parametrize(("field", "value"), [("close", np.inf), ("low", -1.0), ("open", np.nan), ("volume", -1.0)])
def test_bars_made_by_hand_are_checked_like_any(field, value):
    values = dict(make([1.0, 2.0]).values)
    values[field] = np.array([[1.0], [value]])
    with pytest.raises(DataError, match="bar of A at 2024-01-03"):
        make([1.0, 2.0], values=values)


@pytest.mark.parametrize("adjustment", ADJUSTMENTS)
def test_every_adjustment_can_be_named(adjustment):
    assert make([1.0, 2.0], adjustment=adjustment).adjustment == adjustment


def test_times_of_another_zone_become_utc():
    bars = make([1.0, 2.0], index=index_of(2).tz_convert("Asia/Tokyo"))
    assert str(bars.index.tz) == "UTC"
    assert bars.fingerprint == make([1.0, 2.0]).fingerprint


# --- weekends and calendars -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "calendar"),
    [
        (pd.bdate_range("2024-01-02", periods=20), "XNYS"),
        (pd.date_range("2024-01-02", periods=20), "24/7"),
        (pd.date_range("2024-01-05 22:00", periods=20, freq="h", tz="UTC"), "24/7"),
        (pd.date_range("2024-01-05 14:30", periods=20, freq="min", tz="UTC"), "XNYS"),
        (pd.date_range("2024-01-07", periods=20, freq="W-SUN"), "XNYS"),  # Yahoo and pandas label weeks by their Sunday
        (pd.date_range("2024-01-31", periods=20, freq="ME"), "XNYS"),  # ends of months fall on weekends
    ],
)
def test_weekend_bars_mean_a_market_that_never_closes(times, calendar):
    frame = pd.DataFrame({"close": np.arange(1.0, 21.0)}, index=times)
    assert Bars.from_frame(frame, "X").calendar == calendar
    assert Bars.from_frame(frame, "X", calendar="XLON").calendar == "XLON"


# --- frozen ---------------------------------------------------------------------------------------------------------


def test_nothing_reachable_from_bars_can_be_written_to():
    bars = make([1.0, 2.0])
    for array in (*bars.values.values(), bars.present):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 9
    with pytest.raises(TypeError):
        bars.values["close"] = np.ones((2, 1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        bars.symbols = ("B",)


def test_a_table_taken_from_bars_is_a_copy():
    bars = make([1.0, 2.0])
    for table in (bars.close, bars.frame("close"), bars.tidy()):
        table.iloc[0, -1] = 99.0
    assert bars.close["A"].tolist() == [1.0, 2.0]


def test_the_arrays_and_the_frame_bars_were_made_of_are_left_alone():
    close = np.array([[1.0], [2.0]])
    bars = make([1.0, 2.0], values=dict.fromkeys(FIELDS, close))
    close[0] = 99.0
    assert bars.values["close"][0, 0] == 1.0
    frame = pd.DataFrame({"close": [1.0, 2.0]}, index=index_of(2))
    bars = Bars.from_frame(frame, "A")
    frame.iloc[0, 0] = 99.0
    frame.index.name = "changed"
    assert bars.close["A"].tolist() == [1.0, 2.0]
    assert bars.index.name == "timestamp"
    assert not np.shares_memory(bars.index.asi8, frame.index.asi8)


# --- fingerprint ----------------------------------------------------------------------------------------------------


def by_hand(bars: Bars) -> str:
    """The fingerprint from its definition, number by number, without the code under test."""
    text = b"qtw-bars-1\0" + "\0".join([*bars.symbols, str(bars.timeframe), bars.adjustment]).encode()
    times = b"".join(struct.pack("<q", at.value) for at in bars.index)
    numbers = [value for name in FIELDS for row in bars.frame(name).to_numpy().tolist() for value in row]
    quiet = struct.pack("<d", float("nan"))
    packed = b"".join(quiet if value != value else struct.pack("<d", value) for value in numbers)  # noqa: PLR0124 (NaN)
    return hashlib.sha256(text + times + packed).hexdigest()


PINNED = "24aa02236eca2eeb3a9116e86d731199a58ed6e8029306ab18c3e456852f873a"


def test_the_fingerprint_is_the_one_it_always_was():
    """A change here makes every stored run unreproducible: it needs a new prefix, not a new literal."""
    assert PAIR.fingerprint == by_hand(PAIR) == PINNED


def test_the_fingerprint_is_the_same_in_another_process():
    code = (
        "import pandas as pd; from qtw_lab.core import Bars;"
        "t = pd.DataFrame({'close': [1.0, 2.0]}, index=pd.to_datetime(['2024-01-02', '2024-01-03']));"
        "print(Bars.from_frame(t, 'A').fingerprint)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1234", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    table = pd.DataFrame({"close": [1.0, 2.0]}, index=pd.to_datetime(["2024-01-02", "2024-01-03"]))
    assert done.stdout.strip() == Bars.from_frame(table, "A").fingerprint


def test_a_negative_zero_and_another_nan_are_the_same_number():
    odd = np.array([0xFFF8000000000001], dtype=np.uint64).view(np.float64)[0]
    bars, same = (
        make([1.0, 2.0], values=dict(make([1.0, 2.0]).values) | {"volume": np.array([[zero], [nan]])})
        for zero, nan in ((0.0, np.nan), (-0.0, odd))
    )
    assert bars.fingerprint == same.fingerprint
    unknown = make([1.0, 2.0], values=dict(bars.values) | {"volume": np.array([[0.0], [0.0]])})
    assert unknown.fingerprint != bars.fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"symbols": ("A", "C")},
        {"symbols": ("B", "A")},
        {"timeframe": Timeframe(2, "D")},
        {"timeframe": Timeframe(1, "W")},
        {"adjustment": "all"},
        {"index": index_of(5)[1:]},
        {"index": index_of(4).shift(1, freq="ns")},
    ],
)
def test_another_symbol_time_timeframe_or_adjustment_is_another_fingerprint(changes):
    assert dataclasses.replace(PAIR, **changes).fingerprint != PAIR.fingerprint


def test_where_bars_came_from_is_no_part_of_the_fingerprint():
    told = dataclasses.replace(PAIR, source="elsewhere", notes=("n",), series=(SeriesRef("s", "A", "1D", "c"),))
    assert told.fingerprint == PAIR.fingerprint


@given(st.sampled_from(FIELDS), st.integers(0, 2), st.integers(0, 1), st.sampled_from([1, -1]))
def test_a_change_of_any_number_by_the_least_possible_step_is_another_fingerprint(field, row, column, direction):
    bars = make([[10.0, 20.0], [11.0, 21.0], [12.0, 22.0]])
    values = {name: array.copy() for name, array in bars.values.items()}
    old = values[field][row, column]
    values[field][row, column] = np.nextafter(old, direction * np.inf)
    assert dataclasses.replace(bars, values=values).fingerprint != bars.fingerprint


def test_swapping_two_numbers_is_another_fingerprint():
    bars, swapped = make([[10.0, 11.0]]), make([[11.0, 10.0]])
    assert bars.fingerprint != swapped.fingerprint
    tall, flat = make([10.0, 11.0]), make([[10.0, 11.0]])
    assert tall.fingerprint != flat.fingerprint


def test_a_pickled_copy_is_equal_and_frozen():
    told = dataclasses.replace(PAIR, notes=("n",), series=(SeriesRef("s", "A", "1D", "c"),), calendar="24/7")
    copy = pickle.loads(pickle.dumps(told))
    assert copy.fingerprint == told.fingerprint
    assert (copy.notes, copy.series, copy.calendar) == (told.notes, told.series, told.calendar)
    assert not copy.values["close"].flags.writeable


# --- cutting --------------------------------------------------------------------------------------------------------


def test_between_includes_both_ends():
    assert len(PAIR.between("2024-01-03", "2024-01-04")) == 2
    assert len(PAIR.between(end="2024-01-03")) == 2
    assert len(PAIR.between(start="2024-01-05")) == 1
    assert PAIR.between().fingerprint == PAIR.fingerprint
    assert len(PAIR.between("2023", "9999-12-31")) == 4
    assert len(PAIR.between("2024-01", "2024-01")) == 4


def test_the_last_day_of_intraday_bars_is_included_as_a_whole():
    hours = pd.date_range("2024-01-02", periods=72, freq="h", tz="UTC")
    bars = Bars.from_frame(pd.DataFrame({"close": np.arange(1.0, 73.0)}, index=hours), "X")
    assert len(bars.between("2024-01-03", "2024-01-03")) == 24
    assert len(bars.between(end="2024-01-02 05:00")) == 6


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2024-01-04", "2024-01-03", "swap them"),
        ("2025-01-01", None, "run from 2024-01-02 to 2024-01-05"),
        (None, "2020-01-01", "between the beginning and 2020-01-01"),
        ("soon", None, "'soon' is not a date"),
        (2024, None, "2024 is not a date"),
    ],
)
def test_a_span_without_bars_or_sense_is_refused(start, end, words):
    with pytest.raises(DataError, match=words):
        PAIR.between(start, end)


def test_select_orders_and_drops_times_nobody_has():
    assert PAIR.select(["B", "A"]).symbols == ("B", "A")
    alone = PAIR.select("A")
    assert list(alone.index) == list(PAIR.index[:3])
    assert alone.close["A"].tolist() == [10.0, 11.0, 12.0]
    kept = dataclasses.replace(PAIR, series=(SeriesRef("s", "A", "1D", "a"), SeriesRef("s", "B", "1D", "b"))).select(
        "B"
    )
    assert [ref.symbol for ref in kept.series] == ["B"]


@pytest.mark.parametrize("symbols", ["C", ["A", "C"], [], ["A", "A"], 5, [5], [None], [["A"]], [("A",)]])
def test_symbols_that_are_not_there_are_refused(symbols):
    with pytest.raises(DataError):
        PAIR.select(symbols)


@pytest.mark.parametrize("count", [-1, 1.0, 2.5, "2", None, True, np.nan])
def test_the_number_of_bars_is_a_whole_number(count):
    for cut in (PAIR.head, PAIR.tail):
        with pytest.raises(DataError, match="whole number"):
            cut(count)


def test_head_and_tail_may_ask_for_more_or_nothing():
    assert len(PAIR.head(99)) == len(PAIR.tail(np.int64(99))) == 4
    assert len(PAIR.head(0)) == len(PAIR.tail(0)) == 0
    assert PAIR.head(0).symbols == ("A", "B")


def test_notes_are_added_not_replaced():
    assert PAIR.noting("one").noting("two", "three").notes == ("one", "two", "three")
    frame = pd.DataFrame({"close": [1.0, 2.0]}, index=index_of(2))
    assert Bars.from_frame(frame, "A", notes="one caveat").notes[-1] == "one caveat"
    assert Bars.from_frame(frame, "A", notes=["one", "two"]).notes[-2:] == ("one", "two")


CLOSES = st.lists(
    st.tuples(*[st.one_of(st.none(), st.floats(min_value=0.01, max_value=1e6))] * 3), min_size=2, max_size=12
).filter(lambda rows: all(any(value is not None for value in column) for column in zip(*rows, strict=True)))


@settings(deadline=None)
@given(CLOSES, st.data())
def test_a_prefix_knows_nothing_of_what_follows(rows, data):
    closes = np.array([[np.nan if value is None else value for value in row] for row in rows])
    cut = data.draw(st.integers(0, len(rows)))
    later = closes.copy()
    later[cut:] = later[cut:] * 3 + 1
    bars, other = make(closes), make(later)
    assert bars.head(cut).fingerprint == other.head(cut).fingerprint
    for name in FIELDS:
        np.testing.assert_array_equal(bars.head(cut).values[name], bars.values[name][:cut])
        np.testing.assert_array_equal(bars.tail(len(rows) - cut).values[name], bars.values[name][cut:])


@settings(deadline=None)
@given(CLOSES)
def test_a_tidy_table_reads_back_as_the_same_bars(rows):
    closes = np.array([[np.nan if value is None else value for value in row] for row in rows])
    bars = make(closes)
    table = bars.tidy()
    assert len(table) == int(bars.present.sum())
    assert table["timestamp"].is_monotonic_increasing
    again = Bars.from_frame(table, timeframe="1D").select(list(bars.symbols))
    assert again.fingerprint == bars.select(list(bars.symbols)).fingerprint


@settings(deadline=None)
@given(CLOSES, st.permutations([0, 1, 2]))
def test_selecting_and_cutting_can_be_done_in_either_order(rows, order):
    bars = make(np.array([[np.nan if value is None else value for value in row] for row in rows]))
    names, end = [bars.symbols[place] for place in order], bars.index[len(rows) // 2]
    cut = bars.between(end=end)
    assert (
        cut.select(names).fingerprint
        == dataclasses.replace(bars.select(names)).head(int((bars.select(names).index <= end).sum())).fingerprint
    )
