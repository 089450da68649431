"""Against TA-Lib's MACD."""

import numpy as np
import pytest
import talib

from qtw_lab.core import DataError
from qtw_lab.strategies import Macd


def test_stances_are_those_of_ta_lib(walk):
    decisions = Macd().decide(walk)
    for column in range(2):
        line, signal, _ = talib.MACD(walk.close[:, column].copy(), 12, 26, 9)
        np.testing.assert_array_equal(decisions[33:, column], (line > signal)[33:])
    assert np.isnan(decisions[:33]).all()


def test_a_fast_span_that_is_not_shorter_is_refused():
    with pytest.raises(DataError, match="must be below slow"):
        Macd(fast=26)
