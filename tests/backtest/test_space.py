"""A space is drawn from evenly, ends included, each combination once."""

import numpy as np
import pytest

from qtw_lab.backtest.space import Dimension, drawn
from qtw_lab.strategies import SmaCross


@pytest.mark.parametrize(
    ("dimension", "low", "middle", "high"),
    [
        (Dimension("n", 2, 5), 2, 4, 5),
        (Dimension("n", 1, 1000, log=True), 1, 31, 1000),  # the square root of 1001 is 31.6
        (Dimension("x", 0.0, 1.0), 0.0, 0.5, 1.0),
        (Dimension("x", 0.01, 1.0, log=True), 0.01, 0.1, 1.0),
        (Dimension("m", choices=("a", "b", "c")), "a", "b", "c"),
    ],
)
def test_a_dimension_spans_its_ends(dimension, low, middle, high):
    got = dimension.at(np.array([0.0, 0.5, np.nextafter(1.0, 0.0)]))
    expected = [low, middle, high]
    assert got == (expected if isinstance(low, str) else pytest.approx(expected))
    assert all(type(value) is type(low) for value in got)


def test_whole_numbers_are_drawn_evenly():
    drawn = Dimension("n", 1, 4).at(np.random.default_rng(0).random(40_000))
    # Binomial: 10,000 each, standard deviation 87.
    assert np.abs(np.bincount(drawn)[1:] - 10_000).max() < 400


def test_draws_are_distinct_allowed_and_counted():
    generator = np.random.default_rng(0)
    dimensions = [Dimension("fast", 2, 5), Dimension("slow", choices=(3, 9))]
    plan, found = drawn(SmaCross(), dimensions, lambda fast, slow: fast != 4, lambda n: generator.random((n, 2)), 4)
    pairs = list(zip(*(column.tolist() for column in plan.columns(np.arange(len(plan))).values()), strict=True))
    assert sorted(pairs) == [(2, 3), (2, 9), (3, 9), (5, 9)]
    assert pairs == list(found.taken)
    assert found.draws == len(found.taken) + found.repeated + found.refused
    assert plan.longest.warmup == 8


@pytest.mark.parametrize(
    ("dimension", "size"),
    [(Dimension("n", 2, 5), 4), (Dimension("m", choices=("a", "b")), 2), (Dimension("x", 0.0, 1.0), np.inf)],
)
def test_a_dimension_knows_how_many_values_it_has(dimension, size):
    assert dimension.size == size
