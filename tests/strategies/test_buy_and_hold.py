"""One stance for ever."""

import numpy as np

from qtw_lab.strategies import BuyAndHold


def test_long_wherever_there_is_a_bar(panel):
    decisions = BuyAndHold().decide(panel([[1.0, np.nan], [2.0, 5.0]]))
    np.testing.assert_array_equal(decisions, [[1.0, np.nan], [1.0, 1.0]])
