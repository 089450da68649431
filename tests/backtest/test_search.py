"""Combinations drawn from a space: inside it, distinct, counted honestly, the same for the same seed."""

import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.search import search
from qtw_lab.core import DataError

BARS = qtw.Lab.offline().bars("AAPL", start="2008-01-01", end="2010-12-31")
SPACE = {"fast": (2, 60), "slow": (5, 200, "log"), "short": [True, False]}


@pytest.mark.parametrize("method", ["random", "sobol", "tpe", "nsga2"])
def test_equal_seeds_find_equal_rows_inside_the_space(method):
    given = {"space": SPACE, "method": method, "trials": 60, "where": lambda fast, slow, short: fast * 2 < slow}
    one, same, other = (search("sma_cross", BARS, **given, seed=seed) for seed in (4, 4, 5))
    pd.testing.assert_frame_equal(one.table, same.table, check_exact=True)
    assert not one.table.index.equals(other.table.index)
    keys = one.table.index.to_frame(index=False)
    assert len(keys.drop_duplicates()) == one.trials == one.planned == 60
    assert keys["fast"].between(2, 60).all()
    assert keys["slow"].between(5, 200).all()
    assert (keys["fast"] * 2 < keys["slow"]).all()
    assert one.remarks[0].startswith(f"{method} search, seed 4: 60 distinct combinations in ")
    assert one.agreement.agrees


@pytest.mark.parametrize("method", ["random", "sobol", "tpe"])
def test_a_small_space_is_used_up_and_says_so(method):
    s = search("sma_cross", BARS, space={"fast": (2, 4), "slow": [4, 9]}, method=method, trials=50)
    assert sorted(s.table.index.droplevel("symbol")) == [(2, 4), (2, 9), (3, 4), (3, 9), (4, 9)]
    assert s.trials == s.planned == 5
    assert "no more of the 50 wanted turned up" in s.remarks[0]
    assert "repeated an earlier one and were not run again" in s.remarks[0]


def test_rows_equal_those_of_a_sweep_and_come_in_the_order_they_were_found():
    s = search("sma_cross", BARS, space={"fast": (2, 9), "slow": (10, 30)}, trials=40, seed=2)
    grid = qtw.sweep("sma_cross", BARS, grid={"fast": range(2, 10), "slow": range(10, 31)})
    pd.testing.assert_frame_equal(s.table, grid.table.loc[s.table.index], check_exact=True)
    fewer = search("sma_cross", BARS, space={"fast": (2, 9), "slow": (10, 30)}, trials=33, seed=2)
    assert fewer.table.index.equals(s.table.index[:33])


def test_the_estimator_looks_more_often_where_rows_were_good():
    # Ten random starts, then guided draws: their mean must beat the mean of the space.
    given = {"space": {"fast": (2, 100), "slow": (101, 250)}, "trials": 90, "seed": 1}
    guided = search("sma_cross", BARS, method="tpe", **given).table["sharpe"].iloc[26:].mean()
    even = search("sma_cross", BARS, method="sobol", **given).table["sharpe"].mean()
    assert guided > even


def test_several_goals_are_looked_for_at_once():
    s = search(
        "bollinger_reversion", BARS, space={"window": (5, 100), "width": (0.5, 3.0)}, method="nsga2", trials=150,
        by=("total_return", "max_drawdown"), seed=3,
    )  # fmt: skip
    front = s.pareto(["total_return", "max_drawdown"])
    assert 1 <= len(front) < 150
    assert s.by == "total_return"
    best = s.table["total_return"].max()
    assert best in front["total_return"].to_numpy()


def test_symbols_are_rows_of_their_own_and_all_count():
    pair = qtw.Lab.offline().bars(["AAPL", "IBM"], start="2009-01-01", end="2010-12-31")
    s = search("sma_cross", pair, space={"fast": (2, 9), "slow": (10, 30)}, method="tpe", trials=20)
    assert s.trials == len(s.table) == 40
    key = s.table.index[7]
    assert s.table.loc[key, "trades"] == s.result(key).stats["trades"]


def test_an_interrupt_leaves_what_was_found():
    calls = []

    def stop(done, total):
        calls.append(done)
        if len(calls) == 2:
            raise KeyboardInterrupt

    s = search("sma_cross", BARS, space=SPACE, method="tpe", trials=200, progress=stop)
    assert s.partial
    assert (s.trials, s.planned) == (32, 200)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"space": {}}, "space is empty"),
        ({"space": {"fats": (2, 5)}}, "Did you mean 'fast'"),
        ({"space": {"fast": (0, 5)}}, "out of range"),
        ({"space": {"fast": (9, 5)}}, "low at most high"),
        ({"space": {"fast": (2, 5, "lin")}}, r"a range is \(low, high\)"),
        ({"space": {"fast": (2, 5, 7)}}, r"a range is \(low, high\)"),
        ({"space": {"fast": ("a", "b")}}, "two numbers"),
        ({"space": {"short": (False, True)}}, "two numbers"),
        ({"space": {"fast": 5}}, "single values as a list"),
        ({"space": {"fast": []}}, "space has no values"),
        ({"space": {"fast": range(10**12)}}, "more than"),
        ({"space": {"fast": [90], "slow": [20]}}, "strategy refuses them"),
        ({"where": lambda fast, slow: False}, "leaves none"),
        ({"where": lambda x: True}, "by name"),
        ({"trials": 0}, "trials=0"),
        ({"method": "grid"}, "search method"),
        ({"by": ("sharpe", "trades")}, "looks for no metric"),
        ({"by": "calmar"}, "metric of this sweep 'calmar'"),
        ({"method": "nsga2", "by": ("sharpe", "calmar")}, "metric of this search 'calmar'"),
        ({"space": {"fast": (2, 50), "slow": (3000, 4000)}}, "needs at least"),
        ({"method": "tpe", "space": {"fast": (2, 50), "slow": (3000, 4000)}}, "needs at least"),
        ({"bars": 3}, "Bars are needed"),
    ],
)
def test_a_search_that_cannot_be_done_is_refused_before_any_work(change, match):
    given = {"bars": BARS, "space": {"fast": (2, 9), "slow": (10, 30)}} | change
    with pytest.raises(DataError, match=match):
        search("sma_cross", **given)
