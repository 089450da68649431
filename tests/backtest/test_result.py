"""What a result says about itself."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.result import NOT_VERIFIED
from qtw_lab.core import Facts, Order
from qtw_lab.ledger import Entry
from qtw_lab.strategies.order_list import OrderList

BEFORE = pd.Timestamp("2023-12-31", tz="UTC")


@pytest.fixture(scope="module")
def result():
    bars = qtw.Lab.offline().bars("AAPL", start="2005-01-01", end="2010-12-31", source="stocks")
    return qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=10, spread_bps=2))


def test_the_first_figures_are_trials_deflated_ratio_costs_execution_and_data(result):
    names = [fact.name for fact in result.facts(trials=12)]
    assert names[:6] == ["trials", "deflated_sharpe", "costs", "execution", "data_fingerprint", "agreement"]
    assert result.facts(trials=12)["trials"] == 12
    assert result.bars.fingerprint.startswith(result.facts()["data_fingerprint"])


def test_every_figure_has_a_definition_or_is_plain_text(result):
    missing = [f.name for f in result.facts() if not f.definition and f.unit not in ("text", "count")]
    assert missing == []


def test_the_facts_survive_json(result):
    again = Facts.from_json(result.facts().to_json())
    assert again["sharpe"] == result.stats["sharpe"]
    document = json.dumps(result.to_dict(), allow_nan=False)
    assert result.order_hash in document


def test_returns_compound_to_the_equity(result):
    np.testing.assert_allclose((1 + result.returns).cumprod() * 100_000, result.equity, rtol=1e-12)


def test_weights_are_the_market_value_over_equity(result):
    held = (result.positions * result.bars.close).sum(axis=1) / result.equity
    np.testing.assert_allclose(result.weights.sum(axis=1), held, atol=1e-12)
    assert result.weights.max().max() <= 1 + 1e-9


def test_costs_paid_are_commission_and_slippage(result):
    by_hand = (
        result.orders["commission"].sum()
        + (result.orders["quantity"] * (result.orders["price"] - result.orders["quoted"]).abs()).sum()
    )
    assert result.stats["costs_paid"] == pytest.approx(by_hand)


def test_the_benchmark_buys_each_symbol_when_first_seen(bars_of):
    nan = float("nan")
    bars = bars_of(X=[10.0, 20.0, 20.0], Y=[nan, 5.0, 10.0])
    held = qtw.backtest("buy_and_hold", bars, cash=100.0).benchmark
    # Half in X doubles to 100 at once; half waits as cash for Y and doubles from its first bar to its second.
    assert held.tolist() == pytest.approx([100.0, 150.0, 200.0])


def test_the_order_hash_moves_with_any_fill(result):
    orders = result.orders.copy()
    orders.loc[3, "price"] *= 1 + 1e-7
    assert replace(result, orders=orders).order_hash != result.order_hash
    assert replace(result, orders=result.orders.iloc[:-1]).order_hash != result.order_hash
    noise = result.orders.assign(price=result.orders["price"] * (1 + 1e-15))
    assert replace(result, orders=noise).order_hash == result.order_hash


def test_notes_carry_the_caveats_of_data_costs_and_execution(bars_of):
    frame = pd.DataFrame({"close": [1.0, 2.0, 3.0]}, index=pd.date_range("2024-01-01", periods=3))
    notes = qtw.backtest("buy_and_hold", qtw.Bars.from_frame(frame, symbol="X"), execution="same_close").notes
    assert any("close stands for" in note for note in notes)
    assert any("no costs" in note for note in notes)
    assert any("optimistic" in note for note in notes)


def test_a_strategy_that_never_trades_has_figures_and_undefined_ratios(bars_of, told):
    facts = qtw.backtest(told(0, 0, 0), bars_of(X=[1.0, 2.0, 3.0])).facts()
    assert facts["total_return"] == 0.0
    assert facts["trades"] == 0
    assert facts.fact("win_rate").shown == "–"
    assert facts.fact("sharpe").shown == "–"


def test_the_result_shows_itself_in_a_notebook(result):
    bundle = result._repr_mimebundle_()
    assert "Sharpe ratio" in bundle["text/html"]
    assert "SmaCross" in repr(result)


@pytest.fixture(scope="module")
def torn(bars_of, told):
    """Ten shares bought at 100; then a bar that reaches the stop of 98 and the target of 103, and says not which first.

    At its worst the account ends with 980, at its best with 1030.
    """
    bars = bars_of(
        X={"open": [100, 100, 101], "high": [100, 104, 101], "low": [100, 97, 101], "close": [100, 101, 101]}
    )
    return qtw.backtest(
        told(1, 1, 1), bars, execution="same_close", cash=1000.0, sizing=qtw.Sizing.fixed_shares(10),
        stops=qtw.Stops(stop_loss=0.02, take_profit=0.03),
    )  # fmt: skip


def test_the_band_holds_the_figures_of_both_ways(torn):
    assert list(torn.band.columns) == ["pessimistic", "optimistic"]
    assert torn.band.loc["final_equity"].tolist() == [980.0, 1030.0]
    assert torn.band.loc["total_return"].tolist() == pytest.approx([-0.02, 0.03])
    assert torn.band.loc["trades"].tolist() == [1, 1]
    assert torn.band.loc["max_drawdown"].tolist() == pytest.approx([-0.02, 0.0])


def test_the_facts_carry_the_best_case_and_the_share_of_ambiguous_trades(torn):
    facts = torn.facts()
    assert (facts["ambiguous_trades"], torn.ambiguous_trades) == (1.0, 1.0)
    assert facts["optimistic_return"] == pytest.approx(0.03)
    assert facts["total_return"] == pytest.approx(-0.02)
    assert facts.fact("ambiguous_trades").definition
    assert torn.orders["ambiguous"].tolist() == [False, True]


def test_the_optimistic_result_says_so_and_is_its_own_best_case(torn):
    best = torn.optimistic
    assert best.optimistic is best
    assert best.band.loc["final_equity"].tolist() == [1030.0, 1030.0]
    assert any("every ambiguous bar was taken at its best" in note for note in best.notes)
    assert not any("at its best" in note for note in torn.notes)
    assert "ambiguous_trades" not in best.facts()


def test_without_anything_inside_bars_there_is_no_band_to_speak_of(result):
    assert result.optimistic is result
    assert result.ambiguous_trades == 0.0
    assert "ambiguous_trades" not in result.stats
    assert (result.band["pessimistic"] == result.band["optimistic"]).all()


@pytest.mark.parametrize(
    "given",
    [{"stops": qtw.Stops(trailing_amount=5.0)}, {"entry": Entry.limit(0.01)},
     {"orders": [Order("X", "buy", 1, BEFORE, "limit", limit_price=99.0)]}],
    ids=["stops", "entry", "orders"],
)  # fmt: skip
def test_whatever_works_inside_bars_is_simulated_both_ways(bars_of, told, given):
    done = qtw.backtest(told(1, 0, 1), bars_of(X=[100.0, 101.0, 99.0]), **given)
    assert done.optimistic is not done
    assert "optimistic_return" in done.stats


def test_costs_are_told_part_by_part_and_add_up(result):
    assert list(result.costs.columns) == ["paid", "drag"]
    assert result.costs["paid"].sum() == pytest.approx(result.stats["costs_paid"])
    assert result.costs["drag"].sum() == pytest.approx(result.stats["cost_drag"])
    assert result.costs.loc["commission", "paid"] == pytest.approx(result.orders["commission"].sum())
    assert result.costs.loc["spread", "paid"] == pytest.approx(result.orders["slippage"].sum())
    # Commission is 10 bp of the amounts paid, half the spread 1 bp of those quoted.
    ratio = result.costs.loc["commission", "paid"] / result.costs.loc["spread", "paid"]
    assert ratio == pytest.approx(10, rel=2e-4)
    assert result.stats["drag_commission"] == result.costs.loc["commission", "drag"]


def test_nobody_has_checked_a_result_until_it_is_asked(result):
    assert result.agreement is None
    assert result.facts()["agreement"] == NOT_VERIFIED
    checked = result.verify()
    assert checked.agreement.agrees
    assert checked.agreement.fills == len(result.orders)
    assert checked.facts()["agreement"] == f"agrees with the reference engine on all {len(result.orders)} fills"
    assert checked.verify() is checked
    assert result.agreement is None


def test_a_result_that_the_second_engine_does_not_confirm_says_where(result):
    orders = result.orders.copy()
    orders.loc[2, "price"] *= 1.001
    doubtful = replace(result, orders=orders).verify()
    assert not doubtful.agreement.agrees
    assert doubtful.facts()["agreement"].startswith("differs from the reference engine: fill 3 is ")
    assert doubtful.to_dict()["agreement"] == doubtful.agreement.text


def test_asking_at_once_is_asking_later(bars_of, told):
    bars = bars_of(X=[100.0, 101.0, 99.0])
    at_once = qtw.backtest(told(1, 0, 1), bars, verify=True)
    assert at_once.agreement == qtw.backtest(told(1, 0, 1), bars).verify().agreement


def test_what_is_saved_says_whether_the_second_engine_agrees(result, torn):
    for thing in (result, torn):
        saved = thing.to_dict()
        assert saved["agreement"].startswith("agrees with the reference engine on ")
        assert saved["order_hash"] == thing.order_hash
        assert saved["engine"] == "kernel"
        assert {fact["name"]: fact["value"] for fact in saved["facts"]}["agreement"] == saved["agreement"]
        json.dumps(saved, allow_nan=False)


def test_what_became_of_each_order_is_a_table_in_the_order_given(bars_of):
    bars = bars_of(X={"close": [100.0, 100.0, 100.0], "low": [95.0, 100.0, 100.0]}, Y=[50.0, 50.0, 50.0])
    orders = [
        Order("Y", "buy", 4, BEFORE),
        Order("X", "buy", 2, BEFORE, "limit", limit_price=96.0),
        Order("X", "sell", 2, BEFORE, "limit", limit_price=120.0),
        Order("X", "buy", 1, BEFORE, "limit", limit_price=90.0, good_for=1),
    ]
    table = qtw.backtest(OrderList(orders), bars).submitted
    assert list(table.columns) == ["symbol", "side", "type", "quantity", "state", "filled", "price"]
    assert table["symbol"].tolist() == ["Y", "X", "X", "X"]
    assert table["type"].tolist() == ["market", "limit", "limit", "limit"]
    assert table["state"].tolist() == ["filled", "filled", "open", "expired"]
    assert table["filled"].tolist() == [4, 2, 0, 0]
    assert table["price"].tolist()[:2] == [50.0, 96.0]
    assert table["price"].isna().tolist() == [False, False, True, True]


def test_without_orders_by_hand_the_table_is_empty_with_its_columns(result):
    assert result.submitted.empty
    assert {"state", "filled"} <= set(result.submitted.columns)


def test_margin_calls_and_ruin_are_noted(bars_of, told):
    called = qtw.backtest(
        told(1, 1, 1), bars_of(X=[100.0, 60.0, 66.0]), cash=1000.0, account=qtw.Account.reg_t(),
        sizing=qtw.Sizing.fixed_shares(20), execution="same_close",
    )  # fmt: skip
    # 20 shares on 1000: at 60 the equity is 200 and a quarter of 1200 is asked for.
    assert "margin calls: positions were cut by force on 1 bars" in called.notes
    ruined = qtw.backtest(told(-1, -1), bars_of(X=[100.0, 300.0]), cash=1000.0, execution="same_close")
    assert any(note.startswith("ruined: ") for note in ruined.notes)
