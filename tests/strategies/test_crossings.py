"""Two averages that cross, told as a rule."""

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab import indicators as ind
from qtw_lab.strategies import EmaCross, Panel, SmaCross
from qtw_lab.strategies.crossings import Crossing, crossing_of

BARS = qtw.Lab.offline().bars("AAPL", start="2010-01-01", end="2010-12-31")
PRICES = Panel.of(BARS)


def test_on_paper():
    close = np.array([[1.0], [3.0], [2.0], [1.0], [np.nan], [5.0]])  # means of two: -, 2, 2.5, 1.5, -, 3
    rule = Crossing(ind.sma, close, fast=1, slow=[2, 2], otherwise=[0.0, -1.0])
    expected = [[np.nan] * 2, [1, 1], [0, -1], [0, -1], [np.nan] * 2, [1, 1]]
    np.testing.assert_array_equal(rule.stances(), expected)


@pytest.mark.parametrize(
    ("strategy", "average"), [(SmaCross(fast=5, slow=20, short=True), ind.sma), (EmaCross(), ind.ema)]
)
def test_the_bundled_crossings_signal_what_their_rule_says(strategy, average):
    fast, slow = average(PRICES.close, strategy.fast), average(PRICES.close, strategy.slow)
    plain = np.where(np.isnan(slow), np.nan, np.where(fast > slow, 1.0, -1.0 if strategy.short else 0.0))
    np.testing.assert_array_equal(strategy.signals(PRICES), plain)
    np.testing.assert_array_equal(crossing_of(strategy, PRICES).stances(), plain)


def test_a_subclass_with_signals_of_its_own_is_another_rule():
    class Inverse(SmaCross):
        def signals(self, prices):
            return 1.0 - super().signals(prices)

    class Slower(SmaCross):
        def crossing(self, prices):
            return Crossing(ind.sma, prices.close, self.fast, self.slow * 2, 0.0)

    assert crossing_of(Inverse(), PRICES) is None
    assert crossing_of(Slower(slow=30), PRICES).slow == 60
    assert crossing_of(qtw.strategies.BuyAndHold(), PRICES) is None
    grid = {"fast": [5, 10], "slow": [20, 40]}
    for kind in (Inverse, Slower):
        found = qtw.sweep(kind, BARS, grid=grid)
        for row in found.table.index:
            alone = qtw.backtest(kind(fast=row[0], slow=row[1]), BARS)
            assert found.table.loc[row, "total_return"] == alone.stats["total_return"]
