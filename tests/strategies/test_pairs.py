"""Against pandas' rolling score and a loop that remembers its stance."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.strategies import Pairs


def test_opens_beyond_the_entry_and_closes_at_the_crossing(walk):
    ratio = pd.Series(np.log(walk.close[:, 0] / walk.close[:, 1]))
    score = ((ratio - ratio.rolling(20).mean()) / ratio.rolling(20).std()).to_numpy()
    stance, kept, expected, found = 0.0, 0.0, [], []
    for value, decision in zip(score[20:], Pairs(window=20, entry=1.5).decide(walk)[20:, 0], strict=True):
        if abs(value) > 1.5:
            stance = -np.sign(value)
        elif stance * value > 0:  # long was opened below zero, short above
            stance = 0.0
        kept = kept if np.isnan(decision) else decision
        expected.append(stance)
        found.append(kept)
    assert found == expected
    assert set(expected) == {-1.0, 0.0, 1.0}


def test_the_two_sides_are_opposite(walk):
    decisions = Pairs().decide(walk)
    np.testing.assert_array_equal(decisions[:, 0] + 0.0, -decisions[:, 1] + 0.0)


@pytest.mark.parametrize("width", [1, 3])
def test_any_other_number_of_symbols_is_refused(panel, width):
    with pytest.raises(DataError, match=f"{width} were given"):
        Pairs().decide(panel(np.ones((80, width))))


def test_a_bar_only_one_symbol_has_is_not_counted(walk, panel):
    close = np.insert(walk.close, 500, [123.0, np.nan], axis=0)
    with_hole = np.delete(Pairs().decide(panel(close)), 500, axis=0)
    np.testing.assert_array_equal(with_hole, Pairs().decide(panel(walk.close)))
