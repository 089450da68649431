"""Against pandas' rolling mean, and on paper."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.strategies import SmaCross


@pytest.mark.parametrize(("short", "below"), [(False, 0.0), (True, -1.0)])
def test_stances_are_those_of_pandas_rolling_means(walk, short, below):
    close = pd.DataFrame(walk.close)
    fast, slow = close.rolling(10).mean(), close.rolling(50).mean()
    expected = np.where(slow.isna(), np.nan, np.where(fast > slow, 1.0, below))
    np.testing.assert_array_equal(SmaCross(short=short).decide(walk), expected)


def test_an_average_equal_to_the_other_is_not_above(panel):
    assert SmaCross(fast=1, slow=2).decide(panel([5.0, 5.0, 6.0, 5.0]))[:, 0].tolist()[1:] == [0.0, 1.0, 0.0]


def test_warming_up_is_nan_and_never_flat(panel):
    assert np.isnan(SmaCross(fast=2, slow=4).decide(panel([1.0, 2.0, 3.0]))).all()


@pytest.mark.parametrize("fast", [50, 60])
def test_a_fast_window_that_is_not_shorter_is_refused(fast):
    with pytest.raises(DataError, match=f"fast={fast} must be below slow=50"):
        SmaCross(fast=fast)
