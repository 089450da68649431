"""Answers of any shape become one table, and are equal within rounding."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import Bars
from qtw_lab.research.leak_answers import Witness, World, widened
from qtw_lab.strategies import SmaCross


@pytest.fixture
def bars(bars_of) -> Bars:
    return bars_of(A=np.arange(1.0, 41.0), B=np.arange(41.0, 81.0))


def witness(fn) -> Witness:
    return Witness(fn, 1e-9)


def test_a_table_with_fewer_rows_is_missing_elsewhere(bars):
    answer = witness(lambda given: given.close.diff().dropna()).ask(bars)
    assert np.isnan(answer[0]).all()
    np.testing.assert_array_equal(answer[1:], 1.0)


def test_columns_keep_their_places_when_a_later_answer_has_others(bars):
    seen = witness(lambda given: given.close if len(given) > 20 else given.close[["B"]].assign(C=1.0))
    whole, short = seen.ask(bars), seen.ask(bars.head(10))
    assert seen.columns == ["A", "B", "C"]
    assert np.isnan(short[:, 0]).all()
    assert short[0].tolist()[1:] == [41.0, 1.0]
    assert widened(whole, 3).shape == (40, 3)


def test_labels_have_the_same_code_in_every_answer(bars):
    seen = witness(lambda given: pd.Series(["b", "a"] if len(given) == 2 else ["a", None, "b"], given.index))
    three, two = seen.ask(bars.head(3)), seen.ask(bars.head(2))
    assert np.isnan(three[1, 0])
    assert two[:, 0].tolist() == [three[2, 0], three[0, 0]]


def test_truth_values_and_numbers_as_objects_are_numbers(bars):
    assert witness(lambda given: given.close > 20).ask(bars)[:, 0].sum() == 20
    assert witness(lambda given: given.close["A"].astype(object)).ask(bars)[4, 0] == 5.0


def test_a_strategy_answers_with_its_decisions(bars):
    strategy = SmaCross(fast=2, slow=4)
    seen = witness(strategy)
    answer = seen.ask(bars)
    assert seen.columns == ["A", "B"]
    assert seen.name == repr(strategy)
    assert answer[-1].tolist() == [1.0, 1.0]


def test_a_refusal_is_remembered_and_counts_as_a_run(bars):
    def strict(given):
        raise ValueError(f"{len(given)} bars are too few")

    seen = witness(strict)
    assert seen.ask(bars) is None
    assert seen.failure == "ValueError: 40 bars are too few"
    assert seen.runs == 1


def test_a_response_marks_the_values_that_changed(bars):
    seen = witness(lambda given: given.close.shift(-2))
    world = World("bars", bars, seen.ask(bars))
    response = seen.respond(world, "truncated", 10, np.random.default_rng(0))
    assert response.leaks
    assert response.first == 8
    assert response.changed.sum() == 4  # two bars, two columns


def test_an_echo_is_heard_where_the_struck_bar_is_used(bars):
    seen = witness(lambda given: given.close.shift(-2))
    echo = seen.echo(World("bars", bars, seen.ask(bars)), 20, 2.0)
    assert np.flatnonzero(echo[:, 0]).tolist() == [18]
    assert echo[18, 0] == pytest.approx(21 / 21.5)  # the move of 21 by the median of 3 to 40


def test_rounding_is_measured_by_the_value_or_the_columns_usual_size():
    seen = witness(lambda given: given.close)
    values = np.array([[0.0, 100.0, 100.0, np.nan, np.inf, -np.inf]])
    other = np.array([[1e-8, 100 + 1e-8, 100 + 1e-6, np.nan, np.inf, np.inf]])
    changed = seen.differs(values, other, np.full(6, 100.0))
    assert changed.tolist() == [[False, False, True, False, False, True]]


def test_the_usual_size_of_a_column_leaves_rounding_out():
    values = np.array([[1e-18], [2e-18], [-3e-18], [2.0], [-4.0], [np.nan]])
    assert witness(lambda given: given.close).size(values).tolist() == [3.0]
