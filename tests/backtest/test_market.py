"""What the simulation reads besides decisions knows nothing of the bar it trades in."""

import numpy as np
import pandas as pd

import qtw_lab as qtw
from qtw_lab.backtest.market import Market
from qtw_lab.backtest.terms import Terms


def test_the_span_before_a_bar_is_counted_in_seconds_of_the_calendar():
    index = pd.DatetimeIndex(["2024-01-05", "2024-01-08", "2024-01-09"])
    bars = qtw.Bars.from_frame(pd.DataFrame({"close": [1.0, 2.0, 3.0]}, index=index), symbol="X", timeframe="1D")
    assert Market.of(bars, Terms.given(qtw.Costs())).seconds.tolist() == [0.0, 3 * 86_400.0, 86_400.0]


def test_impact_inputs_do_not_know_the_bar_they_stand_at(bars_of):
    rng = np.random.default_rng(3)
    closes, volumes = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, 60))), rng.uniform(1e5, 2e5, 60)
    whole = Market.of(bars_of(X={"close": closes, "volume": volumes}), Terms.given(qtw.Costs(impact=1.0)))
    closes, volumes = closes.copy(), volumes.copy()
    closes[40:] *= 5
    volumes[40:] *= 100
    changed = Market.of(bars_of(X={"close": closes, "volume": volumes}), Terms.given(qtw.Costs(impact=1.0)))
    np.testing.assert_array_equal(whole.volume[:41], changed.volume[:41])
    np.testing.assert_array_equal(whole.volatility[:41], changed.volatility[:41])


def test_without_impact_nothing_is_computed(bars_of):
    market = Market.of(bars_of(X=[1.0, 2.0]), Terms.given())
    assert market.volume.size == market.volatility.size == 0


def test_a_column_is_one_symbol(bars_of):
    market = Market.of(bars_of(X=[1.0, 2.0], Y=[3.0, 4.0]), Terms.given())
    assert market.column(1).close[:, 0].tolist() == [3.0, 4.0]
    assert market.column(1).close.flags.c_contiguous
