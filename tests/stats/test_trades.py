from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.stats import performance as p

PNL = [100.0, -50.0, -25.0, 0.0, 200.0, -75.0]
EVERY = (p.win_rate, p.profit_factor, p.expectancy, p.average_win, p.average_loss, p.payoff_ratio)


def test_trades_by_hand():
    assert p.win_rate(PNL) == pytest.approx(2 / 6)
    assert p.profit_factor(PNL) == 2.0
    assert p.expectancy(PNL) == 25.0
    assert p.average_win(PNL) == 150.0
    assert p.average_loss(PNL) == -50.0
    assert p.payoff_ratio(PNL) == 3.0
    assert p.max_consecutive_losses(PNL) == 2


def test_expectancy_follows_from_rates_and_averages():
    lost = 3 / 6
    assert p.expectancy(PNL) == pytest.approx(p.win_rate(PNL) * p.average_win(PNL) + lost * p.average_loss(PNL))


def test_open_trades_do_not_count():
    table = pd.DataFrame({"pnl": [*PNL, 1e6], "status": ["closed"] * 6 + ["open"]})
    assert [f(table) for f in EVERY] == [f(PNL) for f in EVERY]
    assert p.expectancy(table[["pnl"]]) > 1e5


@pytest.mark.parametrize(
    "none", [[], pd.DataFrame({"pnl": []}), pd.DataFrame({"pnl": [1.0], "status": ["open"]})], ids=str
)
def test_no_trades_are_a_fact_without_figures(none):
    assert all(math.isnan(f(none)) for f in EVERY)
    assert p.max_consecutive_losses(none) == 0


def test_a_record_without_losses_has_an_infinite_profit_factor():
    assert p.profit_factor([1.0, 2.0]) == math.inf
    assert math.isnan(p.profit_factor([0.0]))
    assert p.profit_factor([-1.0]) == 0.0


def test_what_is_no_trade_table_is_refused():
    with pytest.raises(DataError, match="column pnl; this one has profit"):
        p.win_rate(pd.DataFrame({"profit": [1.0]}))
    with pytest.raises(DataError, match="profit of trade 1 is nan"):
        p.win_rate([1.0, np.nan])
    for wrong in (["a"], [[1.0]]):
        with pytest.raises(DataError, match="must be numbers in one column"):
            p.win_rate(wrong)
