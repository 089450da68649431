"""What the lab writes down of a result."""

import pytest

import qtw_lab as qtw
from qtw_lab.lab import records


@pytest.fixture(scope="module")
def bars():
    return qtw.Lab.offline().bars("IBM", start="2008-01-01", end="2010-12-31", source="stocks")


def test_the_settings_of_a_result_are_plain_values_and_pin_its_orders(bars):
    result = qtw.backtest(qtw.strategies.Blend(), bars)
    settings = records.settings_of(result)
    assert settings["order_hash"] == result.order_hash
    assert settings["parameters"]["members"][0]["strategy"] == "sma_cross"
