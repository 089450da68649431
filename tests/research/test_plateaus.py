from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.research.plateaus import neighbours_of, plateaus


def grid(values, **levels):
    index = pd.MultiIndex.from_product(list(levels.values()), names=list(levels))
    return pd.DataFrame({"sharpe": np.asarray(values, dtype=float).ravel()}, index=index)


def test_a_neighbourhood_by_hand():
    """Three by three, 1 to 9: the middle (5) has the eight others, the corner (1) has 2, 4 and 5."""
    found = plateaus(grid(range(1, 10), fast=[5, 10, 15], slow=[20, 50, 100])).table
    middle, corner = found.loc[(10, 50)], found.loc[(5, 20)]
    assert middle[["neighbours", "mean", "median", "least"]].tolist() == [8, 5.0, 5.0, 1.0]
    assert corner[["neighbours", "mean", "median", "least"]].tolist() == [3, 11 / 3, 4.0, 2.0]
    assert found["edge"].tolist() == [True] * 4 + [False] + [True] * 4


def test_what_neighbours_keep_of_a_lead_by_hand():
    """All rows: mean 1, deviation sqrt(3). The row of 4 leads by 3, its two neighbours (0 and 1) have mean 0.5."""
    table = grid([0, 4, 1, 0, 0], window=[1, 2, 3, 4, 5])
    row = plateaus(table, lead=1.5, keep=0.5).table.iloc[1]
    assert row["mean"] == 0.5
    assert row["kept"] == pytest.approx(-0.5 / 3)
    assert row["score"] == pytest.approx(-0.5 / np.sqrt(3))
    assert row["spike"]
    assert not plateaus(table, lead=1.8).table["spike"].any()
    assert not plateaus(table, keep=-0.5).table["spike"].any()


def test_the_best_plateau_is_not_the_best_row_where_that_is_a_spike():
    values = np.zeros((6, 6))
    values[0, 0] = 5.0
    values[3:6, 3:6] = 2.0
    found = plateaus(grid(values, fast=range(6), slow=range(10, 16)), lead=2.0)
    assert found.best_row.name == (0, 10)
    assert bool(found.best_row["spike"]) is True
    assert found.best_row["kept"] < 0
    assert found.best_plateau.name == (4, 14)
    assert found.best_plateau["mean"] == 2.0
    assert found.best_plateau["kept"] == 1.0
    facts = found.facts()
    assert next(iter(facts)).name == "rows"
    assert facts["best_row"] == "fast=0, slow=10"
    assert facts["best_row_is_spike"] == "yes"
    assert facts["best_plateau"] == "fast=4, slow=14"
    assert facts["spikes"] == 1
    assert facts.notes == ()


def test_a_best_plateau_at_the_edge_says_so():
    facts = plateaus(grid([0, 1, 2, 3, 3], window=range(5))).facts()
    assert facts["best_plateau"] == "window=4"
    assert facts.notes == ("the best plateau lies at the edge of the grid (window=4): widen it",)


def test_undefined_rows_are_no_neighbours_and_cannot_be_told():
    found = plateaus(grid([np.nan, 1.0, np.nan, 2.0, 3.0], window=range(5))).table
    assert found["neighbours"].tolist() == [1, 0, 2, 1, 1]
    assert np.isnan(found["mean"].iloc[1])
    assert found["spike"].isna().tolist() == [True, True, True, False, False]
    assert found["mean"].iloc[2] == 1.5


def test_gaps_of_a_grid_are_no_neighbours():
    """Without (1, 10): what is left beside (0, 10) is (0, 11) and (1, 11)."""
    table = grid([1, 2, 3, 4], fast=[0, 1], slow=[10, 11]).drop((1, 10))
    assert plateaus(table).table["neighbours"].tolist() == [2, 2, 2]


def test_parameters_without_an_order_separate_the_rows():
    table = grid([1, 2, 30, 40], short=[False, True], window=[5, 6])
    assert plateaus(table).table["mean"].tolist() == [2, 1, 40, 30]
    assert plateaus(table).parameters == ("window",)
    words = grid([1, 2, 30, 40], rule=["a", "b"], window=[5, 6])
    assert plateaus(words).table["mean"].tolist() == [2, 1, 40, 30]


def test_each_symbol_is_compared_with_itself_only():
    rows = [0, 1, 2, 1, 0]
    both = grid(np.column_stack([rows, np.array(rows) + 100]), window=range(5), symbol=["A", "B"])
    alone = plateaus(grid(rows, window=range(5))).table
    found = plateaus(both).table
    for symbol, shift in (("A", 0), ("B", 100)):
        one = found.xs(symbol, level="symbol")
        assert (one["mean"] - shift).tolist() == alone["mean"].tolist()
        for name in ("kept", "score"):
            np.testing.assert_allclose(one[name], alone[name])


def test_rows_keep_the_order_of_the_table():
    table = grid([3, 1, 2], window=[30, 10, 20])
    assert plateaus(table).table.index.equals(table.index)
    assert plateaus(table).table["mean"].tolist() == [2, 2, 2]


def test_equal_rows_are_no_spikes_and_have_no_score():
    found = plateaus(grid([1, 1, 1], window=[1, 2, 3])).table
    assert found["score"].isna().all()
    assert not found["spike"].any()


@given(st.integers(1, 4), st.data())
def test_neighbourhoods_are_those_of_a_search_through_all_pairs(parameters, data):
    sides = data.draw(st.lists(st.integers(1, 4), min_size=parameters, max_size=parameters))
    points = list(product(*(range(side) for side in sides)))
    kept = data.draw(st.lists(st.booleans(), min_size=len(points), max_size=len(points)))
    rows = [point for point, keep in zip(points, kept, strict=True) if keep] or points
    sharpe = data.draw(st.lists(st.floats(-3, 3), min_size=len(rows), max_size=len(rows)))
    index = pd.MultiIndex.from_tuples(rows, names=list("abcd")[:parameters])
    found = plateaus(pd.DataFrame({"sharpe": sharpe}, index=index)).table
    ranks = np.column_stack([pd.factorize(index.get_level_values(k), sort=True)[0] for k in range(parameters)])
    for place in range(len(rows)):
        apart = np.abs(ranks - ranks[place]).max(axis=1)
        beside = np.array(sharpe)[apart == 1]
        assert found["neighbours"].iloc[place] == len(beside)
        if len(beside):
            figures = found[["mean", "median", "least"]].iloc[place]
            np.testing.assert_allclose(figures, [beside.mean(), np.median(beside), beside.min()], atol=1e-12)


def test_more_rows_than_one_portion_holds_are_all_mapped():
    side = 150
    values = np.arange(side * side, dtype=float).reshape(side, side)
    found = plateaus(grid(values, fast=range(side), slow=range(side))).table
    inside = found[~found["edge"]]
    assert (inside["neighbours"] == 8).all()
    np.testing.assert_allclose(inside["mean"], inside["sharpe"])


def test_tables_that_make_no_map_are_refused():
    table = grid([1, 2], window=[1, 2])
    with pytest.raises(DataError, match="sharpe"):
        plateaus(table.rename(columns={"sharpe": "cagr"}))
    with pytest.raises(DataError, match="at least one row"):
        plateaus(table.iloc[:0])
    with pytest.raises(DataError, match=r"sweep\.table"):
        plateaus([1, 2])
    with pytest.raises(DataError, match="not defined for any row"):
        plateaus(table * np.nan)
    with pytest.raises(DataError, match="finite numbers"):
        plateaus(table * np.inf)
    with pytest.raises(DataError, match="finite numbers"):
        plateaus(table.astype(str))
    with pytest.raises(DataError, match="twice"):
        plateaus(pd.concat([table, table]))
    with pytest.raises(DataError, match="one to 4 numeric parameters"):
        plateaus(grid([1, 2], symbol=["A", "B"]))
    with pytest.raises(DataError, match="one to 4 numeric parameters"):
        plateaus(grid(range(32), **{name: [1, 2] for name in "abcde"}))
    with pytest.raises(DataError, match="missing values"):
        plateaus(grid([1, 2], window=[1.0, np.nan]))
    with pytest.raises(DataError, match="lead="):
        plateaus(table, lead=np.nan)


def test_a_table_of_lonely_rows_has_no_best_plateau():
    found = plateaus(grid([1.0, 2.0], rule=["a", "b"], window=[5]))
    assert found.best_row[found.metric] == 2.0
    with pytest.raises(DataError, match="one grid step apart"):
        _ = found.best_plateau


def test_neighbours_of_a_row_are_one_step_away_on_its_own_map():
    index = pd.MultiIndex.from_product([[5, 10, 20], [1, 2], ["A", "B"]], names=["fast", "slow", "symbol"])
    found = neighbours_of(index, (5, 1, "A"))
    assert found.tolist() == [(5, 2, "A"), (10, 1, "A"), (10, 2, "A")]
    with pytest.raises(DataError, match=r"\(5, 3, 'A'\) is not a row of this table"):
        neighbours_of(index, (5, 3, "A"))
