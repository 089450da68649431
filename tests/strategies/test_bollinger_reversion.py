"""Against TA-Lib's bands, and on paper."""

import numpy as np
import talib

from qtw_lab.strategies import BollingerReversion


def test_long_below_the_lower_band_flat_above_the_middle_else_kept(walk):
    decisions = BollingerReversion().decide(walk)
    for column in range(2):
        close = walk.close[:, column].copy()
        _, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
        expected = np.where(close < lower, 1.0, np.where(close > middle, 0.0, np.nan))
        np.testing.assert_array_equal(decisions[20:, column], expected[20:])
    assert (decisions == 1.0).any()


def test_a_short_is_covered_at_the_middle(panel):
    # Window 3, width 1. Bar 3: 13 above 11 + 1.41, sell. Bar 4: 11 below 11.33 for the first time and not below
    # 11.33 - 1.25, cover. Bar 5: 9.5 below 11.17 - 1.43, buy.
    decisions = BollingerReversion(window=3, width=1.0, short=True).decide(panel([10.0, 10.0, 10.0, 13.0, 11.0, 9.5]))
    assert decisions[3:, 0].tolist() == [-1.0, 0.0, 1.0]


def test_a_price_that_does_not_move_gives_no_position(panel):
    decisions = BollingerReversion(window=5).decide(panel(np.full(30, 7.0)))
    assert not np.isfinite(decisions).any()
