"""A plan is every allowed combination of a grid, in order, without an object for each."""

import itertools
import time
from typing import Any

import numpy as np
import pytest

from qtw_lab.backtest.plan import CHUNK, GridPlan, planned
from qtw_lab.core import DataError
from qtw_lab.strategies import Blend, Panel, SmaCross, Strategy, param


class Chosen(Strategy):
    """A rule with parameters of every kind, that refuses one pair and remembers as it is told."""

    window: int = param(5, low=1, high=2000)
    width: float = param(1.0, low=0.0, high=9.0)
    mode: str = "a"
    loud: bool = param(default=False)
    weights_of: tuple = ()

    def check(self) -> None:
        if self.mode == "b" and self.window > 7:
            raise DataError("mode b needs a window of at most 7.")

    @property
    def warmup(self) -> int:
        return self.window * (2 if self.loud else 1)

    def signals(self, prices: Panel) -> Any:
        return np.ones_like(prices.close)


def combinations(plan) -> list[tuple]:
    columns = (block.columns.values() for block in plan.blocks(3))
    return [row for block in columns for row in zip(*(column.tolist() for column in block), strict=True)]


def test_a_plan_is_the_nested_loop_over_what_is_allowed():
    grid = {"window": [5, 10, 7], "mode": ["b", "a"], "loud": [False, True]}
    plan = planned(Chosen(), grid, lambda window, mode, loud: not (loud and window == 5))
    expected = [
        (w, m, q) for w, m, q in itertools.product(*grid.values()) if not (q and w == 5) and not (m == "b" and w > 7)
    ]
    assert combinations(plan) == expected
    assert len(plan) == len(expected)
    assert plan.one(3) == Chosen(window=expected[3][0], mode=expected[3][1], loud=expected[3][2])
    assert plan.longest.warmup == 20


def test_values_are_taken_once_and_in_their_declared_type():
    plan = planned(Chosen(), {"window": [7.0, 7, np.int64(8)], "width": [1, 2.5]})
    assert plan.values == ((7, 8), (1.0, 2.5))
    assert combinations(plan) == [(7, 1.0), (7, 2.5), (8, 1.0), (8, 2.5)]
    assert all(type(value) is float for value in plan.values[1])


def test_tuples_and_generators_are_values_too():
    plan = planned(Chosen(), {"weights_of": [(0.5, 0.5), ()], "window": (n for n in (3, 4))})
    assert combinations(plan) == [((0.5, 0.5), 3), ((0.5, 0.5), 4), ((), 3), ((), 4)]


def test_a_strategy_that_refuses_parameter_arrays_can_still_be_planned():
    plan = planned(Blend(), {"target_volatility": [0.1, 0.2], "shares": [(0.5, 0.5), (0.9, 0.1)]})
    assert plan.one(3).shares == (0.9, 0.1)


@pytest.mark.parametrize(
    "where",
    [
        lambda window, width: window < 900,
        lambda window, width: window < 900 and width >= 0,  # fails on arrays
        lambda window, width: bool(np.all(np.asarray(window) < 900)),  # one answer for all
        lambda window, width: np.asarray(window) < (900 if np.ndim(window) == 0 else 5),  # another answer on arrays
        lambda **given: given["window"] < 900,
    ],
)
def test_a_condition_means_the_same_whether_or_not_it_takes_arrays(where):
    plan = planned(Chosen(), {"window": range(1, 1001), "width": [0.0, 1.0]}, where)
    assert len(plan) == 899 * 2
    assert plan.one(len(plan) - 1) == Chosen(window=899, width=1.0)


def test_a_condition_that_divides_by_zero_only_on_arrays_is_asked_one_by_one():
    plan = planned(Chosen(), {"width": [0.0, 1.0, 2.0]}, lambda width: width == 0 or 4 % width == 0)
    assert combinations(plan) == [(0.0,), (1.0,), (2.0,)]


def test_combinations_are_found_across_chunks():
    plan = planned(
        Chosen(), {"window": range(1, 1001), "width": np.linspace(0, 9, 200)}, lambda window, width: window % 3 == 1
    )
    assert isinstance(plan, GridPlan)
    assert np.prod(plan.shape) > 3 * CHUNK
    places = np.array([0, 199, 200, 21_800, 40_000, 66_799])
    windows = plan.columns(places)["window"]
    assert windows.tolist() == [1 + 3 * (place // 200) for place in places]


def test_what_a_rule_caches_for_one_combination_is_not_seen_by_the_next():
    class Caching(Chosen):
        @property
        def warmup(self) -> int:
            return vars(self).setdefault("_seen", self.window)

    assert planned(Caching(), {"window": [3, 9, 4]}).longest.window == 9


def test_half_a_million_combinations_are_planned_in_about_a_second():
    # 0.8 s when measured; the bound leaves room for a machine that does other things.
    before = time.perf_counter()
    plan = planned(SmaCross(), {"fast": range(2, 1002), "slow": range(2, 1002)}, lambda fast, slow: fast < slow)
    assert len(plan) == 499_500
    assert time.perf_counter() - before < 6
    assert plan.kept.nbytes <= 16 * CHUNK / 8  # a bit a point
    assert plan.one(499_499) == SmaCross(fast=1000, slow=1001)


def test_blocks_cover_given_spans_and_no_more():
    plan = planned(Chosen(), {"window": range(1, 101)})
    blocks = [(block.start, block.stop) for block in plan.blocks(8, [(3, 20), (40, 41)])]
    assert blocks == [(3, 11), (11, 19), (19, 20), (40, 41)]


@pytest.mark.parametrize(
    ("grid", "where", "match"),
    [
        ({}, None, "grid is empty"),
        (None, None, "grid is empty"),
        ({"window": []}, None, "no values for window"),
        ({"windo": [1]}, None, "Did you mean 'window'"),
        ({"window": 5}, None, "must be a list or range"),
        ({"mode": "ab"}, None, "must be a list or range"),
        ({"window": [0]}, None, "out of range"),
        ({"width": [float("nan")]}, None, "out of range"),
        ({"weights_of": [[1, 2]]}, None, "Write lists as tuples"),
        ({"window": range(1, 10**12)}, None, "999,999,999,999 combinations"),
        ({"window": range(1, 10**40)}, None, "combinations, above"),
        ({"window": itertools.count(1)}, None, "out of range|more than"),
        ({"window": [5]}, lambda window: False, "leaves none"),
        ({"window": [9], "mode": ["b"]}, None, "strategy refuses them: mode b"),
        ({"window": [5]}, lambda fast: True, "by name .window."),
        ({"window": [5]}, "window < 5", "must be a function"),
        ({"window": [5]}, lambda window: window.upper(), "failed for window=5: AttributeError"),
    ],
)
def test_a_grid_that_cannot_be_planned_is_refused(grid, where, match):
    with pytest.raises(DataError, match=match):
        planned(Chosen(), grid, where)


def test_of_many_whole_numbers_the_first_that_does_not_fit_is_named():
    with pytest.raises(DataError, match="fast=0 is out of range"):
        planned(SmaCross(), {"fast": [5, 0, 10**9, -3], "slow": [50]})
    with pytest.raises(DataError, match="fast must be a whole number, not True"):
        planned(SmaCross(), {"fast": [5, True, 0], "slow": [50]})


def test_values_come_in_the_declared_type_whatever_they_are_given_in():
    class Level(Strategy):
        level = param(0.5, low=-5.0, high=5.0)
        window = param(3, low=1, high=9)

        def signals(self, prices: Panel) -> Any:
            return np.ones(prices.close.shape)

    plan = planned(Level(), {"level": [1, 2, 1], "window": [2.0, np.int64(3), 2]})
    assert [[(value, type(value)) for value in values] for values in plan.values] == [
        [(1.0, float), (2.0, float)],
        [(2, int), (3, int)],
    ]
