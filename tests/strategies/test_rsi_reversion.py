"""Against TA-Lib's index and a loop that remembers its stance."""

import numpy as np
import pytest
import talib

from qtw_lab.core import DataError
from qtw_lab.strategies import RsiReversion


def remembered(index, low, leave, high, *, short):
    """The stance after each bar of a trader with a memory, flat at first."""
    stance, stances = 0.0, []
    for value in index:
        if value < low:
            stance = 1.0
        elif short and value > high:
            stance = -1.0
        elif (stance > 0 and value > leave) or (stance < 0 and value <= leave):
            stance = 0.0
        stances.append(stance)
    return np.array(stances)


def carried(decisions):
    """The stance an engine keeps: the last decision, flat before the first."""
    stance, stances = 0.0, []
    for decision in decisions:
        stance = stance if np.isnan(decision) else decision
        stances.append(stance)
    return np.array(stances)


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize(("window", "low", "leave", "high"), [(14, 30, 50, 70), (2, 10, 50, 90), (2, 45, 50, 55)])
def test_kept_decisions_are_the_stances_of_a_trader_with_a_memory(walk, window, low, leave, high, short):
    strategy = RsiReversion(window=window, low=low, exit=leave, high=high, short=short)
    decisions = strategy.decide(walk)
    for column in range(2):
        index = talib.RSI(walk.close[:, column].copy(), window)[window + 1 :]
        expected = remembered(index, low, leave, high, short=short)
        np.testing.assert_array_equal(carried(decisions[window + 1 :, column]), expected)
        assert (expected == 1).any()
        assert (expected == -1).any() == short


@pytest.mark.parametrize("levels", [{"low": 50}, {"exit": 70}, {"low": 80, "exit": 60}])
def test_levels_out_of_order_are_refused(levels):
    with pytest.raises(DataError, match="must rise in this order"):
        RsiReversion(**levels)
