"""New bars join old ones: the union, the new value, one adjustment basis; unsound bars do not."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored import KEY, MOMENT, frame

from qtw_lab.core import DataError, VirtualClock
from qtw_lab.data.store import Store


def test_a_merge_is_the_union_and_the_new_value_wins(store):
    store.write(KEY, frame(3, close=100.0))  # Mon 1, Tue 2, Wed 3: closes 100 101 102
    report = store.write(KEY, frame(2, start="2024-01-03", close=200.0))  # Wed 3, Thu 4: 200 201
    assert store.table(KEY)["close"].tolist() == [100.0, 101.0, 200.0, 201.0]
    assert (report.rows, report.added) == (4, 1)


def test_new_york_midnights_become_session_dates(store):
    index = pd.DatetimeIndex(["2024-03-08 05:00", "2024-03-11 04:00"], tz="UTC")  # both sides of the clock change
    store.write(KEY, frame(2).set_axis(index), calendar="XNYS")
    assert [str(day.date()) for day in store.table(KEY).index] == ["2024-03-08", "2024-03-11"]


def test_old_factors_follow_a_new_dividend(store):
    store.write(KEY, frame(4, split_factor=1.0, factor=1.0))
    # two days later: a dividend of 1% went ex on the last new day; the vendor gives the overlap on its new basis
    store.write(KEY, frame(3, start="2024-01-04", close=103.0, split_factor=1.0, factor=[0.99, 0.99, 1.0]))
    assert store.table(KEY)["factor"].tolist() == pytest.approx([0.99] * 5 + [1.0])
    closes = store.bars("AAPL").close["AAPL"]
    assert closes.pct_change().iloc[3] == pytest.approx(103 / 102 - 1)  # no jump where old and new meet


def test_a_rescaling_that_stops_short_of_the_stored_end_is_refused(store):
    store.write(KEY, frame(5, split_factor=1.0, factor=1.0))
    before = store.table(KEY)
    with pytest.raises(DataError, match="Fetch up to the last stored bar"):
        store.write(KEY, frame(3, split_factor=1.0, factor=0.9))
    assert store.table(KEY).equals(before)
    store.write(KEY, frame(3, split_factor=1.0, factor=0.9), afresh=True)
    assert len(store.table(KEY)) == 3


blocks = st.lists(st.integers(1, 6), min_size=2, max_size=5)


@settings(max_examples=12, deadline=None)
@given(sizes=blocks, order=st.randoms(use_true_random=False))
def test_disjoint_ranges_merge_to_the_same_bars_in_any_order(tmp_path_factory, sizes, order):
    whole = frame(sum(sizes), split_factor=0.5, factor=0.25)
    ends = np.cumsum(sizes)
    parts = [whole.iloc[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    order.shuffle(parts)
    store = Store(tmp_path_factory.mktemp("order"), clock=VirtualClock(MOMENT))
    for part in parts:
        store.write(KEY, part)
    assert store.table(KEY).to_numpy().tolist() == whole.to_numpy().tolist()


@settings(max_examples=12, deadline=None)
@given(first=st.integers(0, 10), old=st.integers(1, 10), second=st.integers(0, 10), new=st.integers(1, 10))
def test_a_merge_done_twice_is_a_merge_done_once(tmp_path_factory, first, old, second, new):
    whole = frame(20)
    store = Store(tmp_path_factory.mktemp("twice"), clock=VirtualClock(MOMENT))
    store.write(KEY, whole.iloc[first : first + old])
    once = store.write(KEY, whole.iloc[second : second + new] * 1.5)
    assert store.write(KEY, whole.iloc[second : second + new] * 1.5).content == once.content


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: f.assign(close=0.0), "zero or negative"),
        (lambda f: f.assign(close="x"), "text"),
        (lambda f: f.assign(high=1.0), "high below its low"),
        (lambda f: f.iloc[::-1], "out of order"),
        (lambda f: pd.concat([f, f.iloc[-1:]]), "more than once"),
        (lambda f: f.assign(factor=[1.0, 0.0, 1.0]), "factor of files/AAPL 1D is 0.0"),
        (lambda f: f.assign(factor=[1.0, np.nan, 1.0]), "factor of files/AAPL 1D is nan"),
        (lambda f: f.assign(split_factor="two"), "text"),
        (lambda f: f.assign(symbol="IBM"), "takes bars of AAPL only"),
        (lambda f: f.set_axis(f.index + pd.Timedelta(hours=3)), "00:00 UTC"),
        (lambda f: f.iloc[:0], "empty"),
        (lambda f: f * np.nan, "no bar with a price"),
        (lambda f: f.set_axis(f.index + pd.Timedelta(1, unit="ns")), "00:00 UTC|microsecond"),
    ],
)
def test_unsound_bars_are_refused_and_leave_no_file(store, spoil, words):
    with pytest.raises(DataError, match=words):
        store.write(KEY, spoil(frame(3)))
    assert not store.folder.exists()
