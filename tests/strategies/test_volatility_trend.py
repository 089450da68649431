"""Against pandas, and on paper."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.strategies import VolatilityTrend


def test_weights_are_trend_times_target_over_volatility_by_symbol(walk):
    close = pd.DataFrame(walk.close)
    volatility = np.log(close / close.shift(1)).rolling(63).std() * np.sqrt(252)
    expected = np.sign(close / close.shift(252) - 1) * (0.1 / volatility).clip(upper=0.5) / 2
    decisions = VolatilityTrend(target=0.1, cap=0.5).decide(walk)
    np.testing.assert_allclose(decisions, expected.to_numpy(), rtol=1e-9)
    assert (np.abs(decisions[252:]) < 0.25).any()  # not always at the cap
    assert (decisions[252:] < 0).any()


def test_without_short_a_fall_is_flat(walk):
    with_short, without = VolatilityTrend().decide(walk), VolatilityTrend(short=False).decide(walk)
    np.testing.assert_array_equal(without, np.maximum(with_short, 0.0))


def test_a_price_without_volatility_is_capped_not_infinite(panel):
    steady = 100 * 1.001 ** np.arange(30.0)
    decisions = VolatilityTrend(lookback=5, window=5, cap=2.0).decide(panel(steady))
    assert decisions[5:, 0].tolist() == [2.0] * 25


def test_a_cap_of_nothing_is_refused():
    with pytest.raises(DataError, match="is out of range"):
        VolatilityTrend(cap=0.0)
