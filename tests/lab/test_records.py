"""What is written down of a backtest and of a sweep, so that equal configurations count once."""

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.lab import records


@pytest.fixture(scope="module")
def bars():
    return qtw.Lab.offline().bars("IBM", start="2008-01-01", end="2010-12-31", source="stocks")


def test_a_row_of_a_sweep_is_the_same_trial_as_its_backtest(bars):
    swept = qtw.sweep("sma_cross", bars, grid={"fast": [5, 10], "slow": [50]}, costs=qtw.Costs(commission_bps=10))
    alone = records.trial_of(swept.result((10, 50, "IBM")))
    rows = list(records.trials_of(swept))
    assert len(rows) == 2
    assert alone.row()[:4] == rows[1].row()[:4]
    assert alone.sharpe == pytest.approx(rows[1].sharpe)


def test_ten_and_ten_point_nought_are_one_configuration(bars):
    one = qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=10), cash=1000)
    other = qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=10.0), cash=np.float64(1000))
    assert records.trial_of(one).row() == records.trial_of(other).row()


def test_other_costs_are_another_configuration(bars):
    one, other = (qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=n)) for n in (10, 11))
    assert records.trial_of(one).row()[1] != records.trial_of(other).row()[1]


def test_the_settings_of_a_result_are_plain_values_and_pin_its_orders(bars):
    result = qtw.backtest(qtw.strategies.Blend(), bars)
    settings = records.settings_of(result)
    assert settings["order_hash"] == result.order_hash
    assert settings["parameters"]["members"][0]["strategy"] == "sma_cross"
