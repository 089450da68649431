from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.stats.columns import beside, choice, columns, deviation, generator, number, numeric, ratio, whole


def test_the_place_of_a_missing_return_is_named_by_its_labels():
    frame = pd.DataFrame({"AAPL": [0.0, 0.1], "IBM": [0.0, np.nan]}, index=pd.to_datetime(["2024-01-02", "2024-01-03"]))
    with pytest.raises(DataError, match=r"nan at bar 1 \(2024-01-03 00:00:00\), column IBM"):
        columns(frame)


def test_figures_go_back_in_the_shape_they_came_in():
    assert columns([0.1, 0.2]).answer(np.array([3.0])) == 3.0
    assert columns(np.zeros((2, 3))).answer(np.arange(3.0)).tolist() == [0.0, 1.0, 2.0]
    found = columns(pd.DataFrame({"a": [0.1], "b": [0.2]})).answer(np.array([1.0, 2.0]))
    assert found.to_dict() == {"a": 1.0, "b": 2.0}


def test_returns_are_not_changed():
    r = np.array([[0.1, -0.2], [0.3, 0.4]])
    r.flags.writeable = False
    assert columns(r).values.tolist() == r.tolist()


@pytest.mark.parametrize(
    ("dates", "bars"),
    [
        (pd.bdate_range("2024-01-01", periods=9), 252),
        (pd.date_range("2024-01-05", periods=9, freq="W-FRI"), 52),
        (pd.date_range("2024-01-31", periods=9, freq="ME"), 12),
        (pd.date_range("2024-01-02 14:30", periods=9, freq="5min", tz="UTC"), 252 * 78),
        (pd.date_range("2024-01-02", periods=1), 252),
    ],
    ids=["daily", "weekly", "monthly", "five minutes", "one bar"],
)
def test_times_say_how_many_bars_make_a_year(dates, bars):
    assert columns(pd.Series(0.01, index=dates)).yearly(None) == bars
    assert columns(pd.Series(0.01, index=dates)).yearly(365) == 365.0


def test_deviations_of_equal_numbers_are_exactly_zero():
    table = np.column_stack([np.full(5000, 0.1), np.linspace(0, 1, 5000)])
    assert deviation(table)[0] == 0.0
    assert deviation(table)[1] == pytest.approx(table[:, 1].std(ddof=1))
    assert np.isnan(deviation(np.ones((1, 2)))).all()


def test_a_division_by_nothing_is_missing():
    assert np.array_equal(ratio([1.0, 0.0, -2.0], [0.0, 0.0, 4.0]), [np.nan, np.nan, -0.5], equal_nan=True)


def test_a_benchmark_without_times_is_taken_bar_by_bar():
    given = columns(pd.Series([0.1, 0.2], index=pd.date_range("2024-01-01", periods=2)))
    assert beside(given, [0.3, 0.4]).tolist() == [[0.3], [0.4]]


def test_numbers_are_numbers():
    assert number("rate", np.float32(0.5)) == 0.5
    with pytest.raises(DataError, match="rate='x'"):
        number("rate", "x")


def test_a_whole_number_is_taken_and_anything_else_is_named():
    assert whole("reps", np.int64(3)) == 3
    assert type(whole("reps", np.int64(3))) is int
    for wrong, least in ((2, 3), (2.0, 1), (True, 1), ("2", 1), (None, 0)):
        with pytest.raises(DataError, match=f"reps={wrong!r} must be a whole number of at least {least}"):
            whole("reps", wrong, least)


def test_columns_of_one_name_are_refused():
    with pytest.raises(DataError, match="'a' comes twice in returns"):
        columns(pd.DataFrame(np.zeros((2, 3)), columns=["a", "b", "a"]))


def test_newest_first_is_refused_since_a_path_would_run_backwards():
    """From 100 to 80 to 120 the deepest drawdown is 20%; read backwards it would be another."""
    days = pd.to_datetime(["2024-01-04", "2024-01-03", "2024-01-02"])
    with pytest.raises(DataError, match=r"do not increase \(2024-01-03 .* comes after 2024-01-04"):
        columns(pd.Series([0.5, -0.2, 0.0], days))
    assert len(columns(pd.Series([0.1, 0.2], days[[1, 1]])).values) == 2  # two bars of one time are no reversal


def test_a_benchmark_with_the_same_columns_in_another_order_is_refused():
    frame = pd.DataFrame(np.zeros((3, 2)), columns=["a", "b"])
    assert beside(columns(frame), frame).shape == (3, 2)
    assert beside(columns(frame), frame[["b"]]).shape == (3, 1)  # one benchmark for all has a name of its own
    with pytest.raises(DataError, match="different columns"):
        beside(columns(frame), frame[["b", "a"]])


def test_masked_entries_and_rows_of_different_length_are_no_numbers():
    with pytest.raises(DataError, match="masked"):
        numeric(np.ma.masked_array([0.1, 9.9], [False, True]), "returns")
    assert numeric(np.ma.masked_array([0.1, 9.9]), "returns").tolist() == [0.1, 9.9]
    with pytest.raises(DataError, match="rows of one length"):
        numeric([[0.1], [0.1, 0.2]], "returns")


def test_a_choice_is_one_of_the_names_known():
    assert choice("method", "b", {"a": 1, "b": 2}) == "b"
    for wrong in ("c", None, ["a"], 1):
        with pytest.raises(DataError, match="choose one of a, b"):
            choice("method", wrong, ["a", "b"])


def test_a_seed_starts_the_same_numbers_and_must_be_a_whole_number():
    assert generator(3).random() == np.random.default_rng(3).random()
    for wrong in (-1, 1.5, None, "3", True):
        with pytest.raises(DataError, match="seed="):
            generator(wrong)
