"""Whether two results are the same, and where they part."""

from dataclasses import replace

import pytest

import qtw_lab as qtw
from qtw_lab.backtest.agreement import check, compare


@pytest.fixture
def result(bars_of, told):
    bars = bars_of(X=[100.0, 110.0, 120.0, 130.0])
    return qtw.backtest(told(1, 0, 1, 1), bars, engine="reference", execution="same_close", cash=1000.0)


def _changed(result, **columns):
    orders = result.orders.copy()
    for name, (row, value) in columns.items():
        orders.loc[row, name] = value
    return replace(result, orders=orders, engine="kernel")


def test_a_result_agrees_with_its_own_case(result):
    agreement = check(result)
    assert agreement.agrees
    assert (agreement.fills, agreement.first) == (3, None)
    assert agreement.text == "agrees with the reference engine on all 3 fills"


def test_a_result_without_fills_agrees_too(bars_of, told):
    agreement = check(qtw.backtest(told(0, 0), bars_of(X=[1.0, 2.0]), engine="reference"))
    assert agreement.text == "agrees with the reference engine that nothing is traded"


@pytest.mark.parametrize(
    ("name", "value"),
    [("price", 110.001), ("quantity", 10.0001), ("commission", 0.01), ("side", "buy"), ("reason", "stop_loss")],
)
def test_the_first_fill_that_differs_is_named(result, name, value):
    agreement = compare(_changed(result, **{name: (1, value)}), result)
    assert not agreement.agrees
    assert agreement.first.startswith("fill 2 is 2024-01-02 X ")
    assert agreement.text == f"differs from the reference engine: {agreement.first}"
    assert "(kernel) against 2024-01-02 X sell 10 at 110 (signal) (reference)" in agreement.first


def test_another_time_is_another_fill(result):
    other = _changed(result, time=(1, result.bars.index[2]))
    assert compare(other, result).first.startswith("fill 2 is 2024-01-03 X sell")


def test_a_missing_fill_is_named(result):
    short = replace(result, orders=result.orders.iloc[:2], engine="kernel")
    assert "fill 3 is 2024-01-03 X buy" in compare(short, result).first
    assert compare(short, result).first.endswith("against none (kernel)")
    assert compare(result, short).first.endswith("against none (kernel)")


def test_differences_in_the_last_digits_are_none(result):
    assert compare(_changed(result, price=(1, 110 * (1 + 1e-11)), quantity=(1, 10 * (1 + 1e-11))), result).agrees


@pytest.mark.parametrize("name", ["equity", "cash", "positions"])
def test_the_first_bar_that_differs_is_named(result, name):
    path = getattr(result, name).copy()
    path.iloc[2] += 0.001
    agreement = compare(replace(result, engine="kernel", **{name: path}), result)
    what = "X position" if name == "positions" else name
    assert agreement.first.startswith(f"{what} on 2024-01-03 is ")
    assert not agreement.agrees


def test_a_path_that_is_no_number_differs(result):
    path = result.equity.copy()
    path.iloc[1] = float("nan")
    assert not compare(replace(result, equity=path), result).agrees


def test_the_kernel_and_the_reference_engine_agree_on_real_prices():
    bars = qtw.data.sample.sample_bars("AAPL", start="2008-01-01", end="2010-01-01")
    given = {"stops": qtw.Stops(stop_loss=0.05, take_profit=0.1), "costs": qtw.Costs(commission_bps=5, spread_bps=2)}
    result = qtw.backtest("sma_cross", bars, **given)
    assert result.agreement is None
    verified = result.verify()
    assert verified.agreement.agrees, verified.agreement.text
    assert verified.agreement.fills == len(result.orders) > 0
