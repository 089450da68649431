"""Against pandas' rolling extremes of the bars before, and on paper."""

import numpy as np
import pandas as pd

from qtw_lab.strategies import DonchianBreakout


def test_the_channels_are_those_of_the_bars_before(walk):
    high, low = pd.DataFrame(walk.high), pd.DataFrame(walk.low)
    upper, floor = high.rolling(20).max().shift(1).to_numpy(), low.rolling(10).min().shift(1).to_numpy()
    expected = np.where(walk.close > upper, 1.0, np.where(walk.close < floor, 0.0, np.nan))
    expected[:20] = np.nan
    decisions = DonchianBreakout().decide(walk)
    np.testing.assert_array_equal(decisions, expected)
    assert {0.0, 1.0} <= set(decisions[np.isfinite(decisions)])


def test_a_new_high_must_be_above_the_highs_not_the_closes(panel):
    prices = panel([10.0, 10.0, 10.5, 11.5], high=[11.0, 11.0, 11.0, 12.0], low=[9.0, 9.0, 10.0, 11.0])
    assert np.isnan(DonchianBreakout(entry=2, exit=1).decide(prices)[2, 0])
    assert DonchianBreakout(entry=2, exit=1).decide(prices)[3, 0] == 1.0


def test_with_short_the_opposite_break_reverses_and_the_exit_has_no_effect(panel):
    close = [5.0, 5.0, 6.0, 5.5, 4.0, 4.5, 7.0]
    expected = [np.nan, np.nan, 1.0, np.nan, -1.0, np.nan, 1.0]
    for leave in (1, 2):
        decisions = DonchianBreakout(entry=2, exit=leave, short=True).decide(panel(close))
        np.testing.assert_array_equal(decisions[:, 0], expected)
