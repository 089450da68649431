"""Against TA-Lib's exponential average."""

import numpy as np
import pytest
import talib

from qtw_lab.core import DataError
from qtw_lab.strategies import EmaCross


def test_stances_are_those_of_ta_lib(walk):
    decisions = EmaCross(fast=12, slow=26, short=True).decide(walk)
    for column in range(2):
        fast, slow = (talib.EMA(walk.close[:, column].copy(), n) for n in (12, 26))
        np.testing.assert_array_equal(decisions[25:, column], np.where(fast > slow, 1.0, -1.0)[25:])
    assert np.isnan(decisions[:25]).all()


def test_the_memory_is_that_of_the_slow_average():
    # Seeded after 26 bars, then (1 - 2/27)^k < 1e-9 from k = 270 on: ln 1e-9 / ln(25/27) = 269.26.
    assert EmaCross(fast=12, slow=26).memory == 26 + 270


def test_a_fast_span_that_is_not_shorter_is_refused():
    with pytest.raises(DataError, match="must be below slow"):
        EmaCross(fast=60)
