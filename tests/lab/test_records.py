"""What the lab writes down of a result."""

import json

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.engine import backtest
from qtw_lab.lab import records


@pytest.fixture(scope="module")
def bars():
    return qtw.Lab.offline().bars("IBM", start="2008-01-01", end="2010-12-31", source="stocks")


def test_the_settings_of_a_result_are_plain_values_and_pin_its_orders(bars):
    result = qtw.backtest(qtw.strategies.Blend(), bars)
    settings = records.settings_of(result)
    assert settings["order_hash"] == result.order_hash
    assert settings["parameters"]["members"][0]["strategy"] == "sma_cross"


def test_the_settings_of_a_sweep_say_what_was_tried_in_words_and_in_full(bars):
    done = qtw.sweep("sma_cross", bars, grid={"fast": [5, 10, 20], "slow": [50]}, top=2, by="total_return")
    settings = records.settings_of_sweep(done)
    assert settings["grid"] == {"fast": "5 to 20, 3 values", "slow": "50"}
    assert (settings["strategy"], settings["symbols"], settings["rows"]) == ("sma_cross", ["IBM"], 3)
    recipe = settings["recipe"]
    assert (recipe["plan"]["names"], recipe["plan"]["values"], recipe["plan"]["size"]) == (
        ["fast", "slow"], [[5, 10, 20], [50]], 3,
    )  # fmt: skip
    assert (recipe["top"], recipe["by"], recipe["planned"]) == (2, "total_return", 3)
    assert recipe["means"]["total_return"] == pytest.approx(done.table["total_return"].mean(), rel=1e-15)


@pytest.mark.parametrize(
    "terms",
    [{"cash": np.int64(5000)}, {"sizing": qtw.Sizing.kelly(np.float64(0.5), window=np.int64(60))},
     {"costs": qtw.Costs(commission_bps=np.float32(2))}, {"participation": np.float64(0.1)}],
    ids=lambda given: next(iter(given)),
)  # fmt: skip
def test_numbers_of_numpy_are_written_as_numbers(bars, terms):
    settings = records.settings_of(backtest("sma_cross", bars, **terms))
    text = json.dumps(settings, allow_nan=False)
    assert json.loads(text) == settings


def test_what_the_record_does_not_hold_is_named(bars):
    order = qtw.Order("IBM", "buy", 5, pd.Timestamp("2009-03-02", tz="UTC"))
    result = backtest("sma_cross", bars, orders=[order], execution="next_vwap", vwap=bars.close)
    assert records.settings_of(result)["recipe"]["more"] == "orders given by hand and average prices of its own"
    assert records.settings_of(backtest("sma_cross", bars))["recipe"]["more"] == ""


def test_the_data_of_a_run_is_that_of_its_bars(bars):
    (use,) = records.uses(bars)
    assert (use.fingerprint, use.symbols) == (bars.fingerprint, ("IBM",))
