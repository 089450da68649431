"""The rows kept are the right ones, in whatever order they come in."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.backtest.harvest import AllRows, Gathered, Keep, TopRows, table
from qtw_lab.backtest.plan import planned
from qtw_lab.strategies import SmaCross


@pytest.mark.parametrize("count", [1, 7, 100, 5_000, 40_000])
def test_the_top_rows_are_pandas_nlargest_in_any_order_of_arrival(count):
    rng = np.random.default_rng(1)
    values = np.column_stack([rng.integers(0, 50, 30_000).astype(float), rng.random(30_000)])  # many ties
    values[rng.random(30_000) < 0.1, 0] = np.nan
    expected = pd.DataFrame(values, columns=["a", "b"]).nlargest(count, "a")
    top = TopRows(count, 0, 2)
    for part in rng.permutation(np.arange(30_000)).reshape(-1, 50):
        top.add(part, values[part])
    numbers, found = top.found()
    assert numbers.tolist() == expected.index.tolist()
    np.testing.assert_array_equal(found, expected.to_numpy())


def test_undefined_rows_give_way_to_earlier_undefined_ones():
    top = TopRows(2, 0, 1)
    for number in (9, 4, 1, 7):
        top.add(np.array([number]), np.array([[np.nan]]))
        top.found()
    assert top.found()[0].tolist() == [1, 4]


def test_all_rows_tell_which_are_still_missing():
    rows = AllRows(5, 1)
    rows.add(np.array([3, 1]), np.array([[3.0], [1.0]]))
    numbers, values = rows.found()
    assert (numbers.tolist(), values[:, 0].tolist()) == ([1, 3], [1.0, 3.0])


def test_gathered_rows_stay_as_they_came():
    rows = Gathered()
    rows.add(np.array([3]), np.array([[3.0]]))
    rows.add(np.array([1]), np.array([[1.0]]))
    assert rows.found()[0].tolist() == [3, 1]


def test_the_index_is_the_one_pandas_makes_of_tuples():
    plan = planned(SmaCross(), {"slow": [30, 9, 20], "fast": [10, 2]}, lambda slow, fast: fast < slow)
    pairs = [(s, f, name) for s in (30, 9, 20) for f in (10, 2) if f < s for name in ("X", "A")]
    values = np.arange(2.0 * len(pairs)).reshape(-1, 2)
    made = table(plan, ("X", "A"), ("sharpe", "trades"), np.arange(len(pairs)), values)
    index = pd.MultiIndex.from_tuples(pairs, names=["slow", "fast", "symbol"])
    expected = pd.DataFrame(values, index=index, columns=pd.Index(["sharpe", "trades"], name="metric"))
    pd.testing.assert_frame_equal(made, expected.astype({"trades": int}))
    assert made.loc[(9, 2, "A"), "sharpe"] == expected.loc[(9, 2, "A"), "sharpe"]
    assert made.index.equals(index)


def test_rows_of_half_a_million_combinations_take_less_than_sixty_megabytes():
    keep = Keep(("a", "b", "c", "d"), None, "a")
    assert keep.row_bytes(500_000, 3) < 60e6
    assert Keep(("a",), 100, "a").row_bytes(10**8, 3) < 2e6


def test_a_large_index_takes_a_few_bytes_a_row():
    plan = planned(SmaCross(), {"fast": range(1, 501), "slow": range(501, 1001)})
    made = table(plan, ("X",), ("sharpe",), np.arange(250_000), np.zeros((250_000, 1)))
    assert made.index.memory_usage() < 8 * 250_000


@pytest.mark.parametrize("numbers", [range(12), [11, 2, 3, 2], [7], []])
def test_the_index_has_the_levels_that_pandas_would_leave(numbers):
    plan = planned(SmaCross(), {"slow": [60, 30, 40], "fast": [5, 2], "short": [True, False]})
    found = table(plan, None, ("sharpe",), np.array(numbers, dtype=np.int64), np.zeros((len(numbers), 1))).index
    sizes = [len(values) for values in plan.values]
    codes = np.unravel_index(np.array(numbers, dtype=np.int64), sizes)
    ranks = [np.argsort(np.argsort(array)) for array in plan.arrays]
    full = pd.MultiIndex(
        levels=[sorted(values) for values in plan.values],
        codes=[rank[code] for rank, code in zip(ranks, codes, strict=True)],
        names=plan.names,
    )
    for mine, theirs in zip(found.levels, full.remove_unused_levels().levels, strict=True):
        pd.testing.assert_index_equal(mine, theirs, exact=True)
    pd.testing.assert_index_equal(found, full.remove_unused_levels(), exact=True)
