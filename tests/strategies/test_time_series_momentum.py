"""Against pandas' percentage change."""

import numpy as np
import pandas as pd

from qtw_lab.strategies import TimeSeriesMomentum


def test_the_stance_is_the_sign_of_the_past_return(walk):
    past = pd.DataFrame(walk.close).pct_change(252).to_numpy()
    np.testing.assert_array_equal(TimeSeriesMomentum().decide(walk), np.sign(past))
    np.testing.assert_array_equal(TimeSeriesMomentum(short=False).decide(walk), np.maximum(np.sign(past), 0.0))


def test_an_unchanged_price_is_flat(panel):
    assert TimeSeriesMomentum(lookback=2).decide(panel([5.0, 6.0, 5.0, 7.0, 4.0]))[2:, 0].tolist() == [0.0, 1.0, -1.0]


def test_a_bar_that_does_not_exist_is_not_counted_and_not_decided(panel):
    decisions = TimeSeriesMomentum(lookback=1).decide(panel([5.0, np.nan, 6.0, 4.0]))[:, 0]
    np.testing.assert_array_equal(decisions, [np.nan, np.nan, 1.0, -1.0])
