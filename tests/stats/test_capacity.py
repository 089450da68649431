from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.ledger.costs import adverse_move
from qtw_lab.stats import performance as p


def history(amounts, volume=1e6):
    """One symbol with a bar without a trade first, and the same market every day."""
    traded = np.array([0.0, *amounts])[:, None]
    return traded, np.full_like(traded, volume)


def test_capacity_by_hand():
    """Trades of 1% to 20% of the day at 100,000; one in twenty may exceed 10%: the second largest, 19%, decides."""
    found = p.capacity_estimate(*history(np.arange(1, 21) * 1e4), aum=1e5, cap=0.10, share=0.05, window=1)
    assert found.aum == pytest.approx(1e5 * 0.10 / 0.19)
    assert found.over_cap(found.aum) == 0.05
    assert found.over_cap(found.aum * 1.001) == 0.10
    assert found.over_cap(1e5) == 0.5
    assert p.capacity_estimate(*history(np.arange(1, 21) * 1e4), 1e5, share=0.0, window=1).aum == pytest.approx(5e4)


def test_the_volume_of_the_trade_s_own_bar_is_not_known_before():
    traded, volume = history([1e4, 1e4])
    volume[-1] = 1.0
    assert p.capacity_estimate(traded, volume, 1e5, window=1).participation.tolist() == [0.01, 0.01]
    volume[1] = 5e5
    assert p.capacity_estimate(traded, volume, 1e5, window=1).participation.tolist() == [0.01, 0.02]
    assert p.capacity_estimate(traded, volume, 1e5, window=2).participation.tolist() == pytest.approx([1e4 / 7.5e5])


def test_trades_before_the_average_are_left_out_and_counted():
    traded, volume = history([1e4] * 4)
    found = p.capacity_estimate(traded, volume, 1e5, window=3)
    assert (len(found.participation), found.unmeasured) == (2, 2)
    volume[1] = np.nan
    assert p.capacity_estimate(traded, volume, 1e5, window=3).unmeasured == 4


def test_without_trades_nothing_is_estimated():
    found = p.capacity_estimate(*history([0.0, 0.0]), 1e5, window=1)
    assert np.isnan(found.aum)
    assert np.isnan(found.over_cap(1e5))
    assert np.isnan(p.impact_cost(*history([0.0]), [[0.01], [0.01]], 1e5, [1e5], window=1)["cost"]).all()


def test_a_market_without_volume_has_no_capacity_and_costs_everything():
    traded, volume = history([1e4, 1e4], volume=0.0)
    assert p.capacity_estimate(traded, volume, 1e5, window=1).aum == 0.0
    costs = p.impact_cost(traded, volume, np.zeros_like(traded), 1e5, [1e5], window=1)
    assert costs["cost"].tolist() == [2e4]


def test_the_square_root_law_is_that_of_the_ledger():
    rng = np.random.default_rng(2)
    traded, volume = history(rng.uniform(1e3, 1e5, 30))
    volatility = rng.uniform(0.005, 0.03, traded.shape)
    costs = p.impact_cost(traded, volume, volatility, 1e5, [1e5, 3e5], coefficient=0.7, window=1)
    for size, factor in ((1e5, 1.0), (3e5, 3.0)):
        amounts = traded[1:, 0] * factor
        each = [a * adverse_move(0, 0, 0.7, s, a / 1e6) for a, s in zip(amounts, volatility[1:, 0], strict=True)]
        assert costs.loc[size, "cost"] == pytest.approx(sum(each))
        assert costs.loc[size, "cost_bps"] == pytest.approx(sum(each) / amounts.sum() * 1e4)
        assert costs.loc[size, "cost_of_aum"] == pytest.approx(sum(each) / size)


def test_four_times_the_capital_costs_twice_as_much_of_the_amount():
    traded, volume = history([1e4, 2e4])
    costs = p.impact_cost(traded, volume, np.full_like(traded, 0.02), 1e5, [1e5, 4e5], window=1)
    assert costs.loc[4e5, "cost_bps"] == pytest.approx(2 * costs.loc[1e5, "cost_bps"])
    free = p.impact_cost(traded, volume, np.full_like(traded, 0.02), 1e5, [1e5], coefficient=0.0, window=1)
    assert free["cost"].tolist() == [0.0]


def test_an_unknown_volatility_leaves_its_trade_out():
    traded, volume = history([1e4, 2e4])
    found = p.impact_cost(traded, volume, [[0.02], [np.nan], [0.02]], 1e5, [1e5], window=1)
    assert found["unmeasured"].tolist() == [1]
    assert found["cost"].tolist() == pytest.approx([2e4 * 0.02 * np.sqrt(0.02)])


def test_tables_with_other_labels_are_refused():
    days = pd.date_range("2024-01-01", periods=3)
    traded = pd.DataFrame({"X": [0.0, 1.0, 2.0]}, index=days)
    p.capacity_estimate(traded, traded + 10, 1e5, window=1)
    for other in (traded.shift(freq="1D"), traded.rename(columns={"X": "Y"})):
        with pytest.raises(DataError, match="different labels"):
            p.capacity_estimate(traded, other, 1e5, window=1)
    with pytest.raises(DataError, match="do not fit"):
        p.capacity_estimate(traded, traded.iloc[1:], 1e5, window=1)
    with pytest.raises(DataError, match="volatility"):
        p.impact_cost(traded, traded, traded.iloc[1:], 1e5, [1e5], window=1)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"traded": [[np.nan], [1.0]]}, "traded is nan at bar 0"),
        ({"traded": [[-1.0], [1.0]]}, "traded is -1.0 at bar 0"),
        ({"volume": [[1.0], [np.inf]]}, "volume is inf at bar 1"),
        ({"traded": [1.0, 2.0]}, "traded must be numbers"),
        ({"traded": [["a"], ["b"]]}, "traded must be numbers"),
        ({"aum": 0.0}, "aum=0.0 must be above 0"),
        ({"cap": -0.1}, "cap=-0.1 must be above 0"),
        ({"share": 1.0}, "share=1.0 must lie"),
        ({"share": np.nan}, "share=nan"),
        ({"window": 0}, "window=0"),
        ({"window": True}, "window=True"),
    ],
    ids=str,
)
def test_input_without_a_meaning_is_refused(changed, words):
    given_ = {"traded": [[0.0], [1.0]], "volume": [[10.0], [10.0]], "aum": 1e5, "window": 1}
    with pytest.raises(DataError, match=words):
        p.capacity_estimate(**(given_ | changed))


def test_a_law_or_a_size_without_a_meaning_is_refused():
    table = [[0.0], [1.0]]
    with pytest.raises(DataError, match="coefficient=-1"):
        p.impact_cost(table, table, table, 1e5, [1e5], coefficient=-1.0, window=1)
    with pytest.raises(DataError, match="sizes=0"):
        p.impact_cost(table, table, table, 1e5, [0.0], window=1)


@given(amounts=st.lists(st.floats(1.0, 1e6), min_size=1, max_size=40), share=st.floats(0.0, 0.9))
@settings(max_examples=100, deadline=None)
def test_the_capacity_is_the_largest_size_that_keeps_the_promise(amounts, share):
    found = p.capacity_estimate(*history(amounts), 1e5, share=share, window=1)
    assert found.over_cap(found.aum * (1 - 1e-9)) <= share + 1e-9
    assert found.over_cap(found.aum * (1 + 1e-9)) > share - 1e-9
