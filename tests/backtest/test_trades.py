"""Round trips worked by hand."""

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.actions import Actions
from qtw_lab.backtest.trades import TRADE_COLUMNS

NAN = float("nan")


def test_a_round_trip_nets_its_commissions(bars_of, told):
    result = qtw.backtest(
        told(1, 1, 0), bars_of(X=[100.0, 105.0, 110.0]), execution="same_close", cash=1000.0,
        sizing=qtw.Sizing.fixed_shares(2.0), costs=qtw.Costs(commission_per_share=0.5),
    )  # fmt: skip
    trade = result.trades.iloc[0]
    assert trade[["symbol", "side", "status", "reason"]].tolist() == ["X", "long", "closed", "signal"]
    assert trade[["quantity", "entry_price", "exit_price", "commission", "pnl"]].tolist() == [
        2.0,
        100.0,
        110.0,
        2.0,
        18.0,
    ]
    assert trade["return"] == pytest.approx(18 / 200)
    assert trade["bars"] == 2


def test_adding_and_reducing_average_the_prices_of_one_trade(bars_of, told_weights):
    bars = bars_of(X=[100.0, 50.0, 100.0, 100.0])
    result = qtw.backtest(told_weights(0.2, 0.5, 0.1, 0.0), bars, execution="same_close", cash=1000.0)
    # 2 at 100; equity 900, so 9 held at 50 (7 bought); equity 1350, 1.35 held at 100 (7.65 sold); the rest sold at 100.
    assert result.orders["quantity"].tolist() == pytest.approx([2.0, 7.0, 7.65, 1.35])
    trade = result.trades.iloc[0]
    assert len(result.trades) == 1
    assert trade["quantity"] == pytest.approx(9.0)
    assert trade["entry_price"] == pytest.approx((200 + 350) / 9)
    assert trade["exit_price"] == pytest.approx(100.0)
    assert trade["pnl"] == pytest.approx(900 - 550)


def test_a_turn_from_long_to_short_ends_one_trade_and_begins_another_at_the_same_fill(bars_of, told):
    result = qtw.backtest(
        told(1, -1, 0), bars_of(X=[100.0, 120.0, 90.0]), execution="same_close", cash=1000.0,
        sizing=qtw.Sizing.fixed_shares(1.0), costs=qtw.Costs(commission_per_share=1.0),
    )  # fmt: skip
    assert result.trades["side"].tolist() == ["long", "short"]
    # The fill of two shares costs 2; each trade bears the half that concerns it.
    assert result.trades["commission"].tolist() == pytest.approx([2.0, 2.0])
    assert result.trades["pnl"].tolist() == pytest.approx([18.0, 28.0])


def test_a_position_still_held_is_an_open_trade_at_the_last_close(bars_of, told):
    result = qtw.backtest(told(1, NAN, NAN), bars_of(X=[100.0, 90.0, 80.0]), execution="same_close", cash=1000.0)
    trade = result.trades.iloc[0]
    assert trade["status"] == "open"
    assert trade["exit_price"] == 80.0
    assert trade["pnl"] == pytest.approx(-200.0)
    assert result.stats["trades"] == 1


def test_trades_of_several_symbols_come_in_order_of_entry(bars_of, told):
    bars = bars_of(X=[1.0, 1.0, 1.0, 1.0], Y=[2.0, 2.0, 2.0, 2.0])
    result = qtw.backtest(told([0, 1], [1, 1], [0, 0], [0, 0]), bars, execution="same_close")
    assert result.trades["symbol"].tolist() == ["Y", "X"]


def test_no_orders_give_an_empty_table_with_its_columns(bars_of, told):
    trades = qtw.backtest(told(0, 0), bars_of(X=[1.0, 2.0])).trades
    assert trades.empty
    assert tuple(trades.columns) == TRADE_COLUMNS
    assert trades["ambiguous"].dtype == bool


def test_a_trade_is_ambiguous_when_one_of_its_fills_is(bars_of, told):
    """The first is stopped out or reaches its target in one bar; the second one's bars tell all there is to know."""
    bars = bars_of(
        X={
            "open": [100, 100, 101, 101, 101], "high": [100, 104, 101, 101, 105], "low": [100, 97, 101, 101, 101],
            "close": [100, 101, 101, 101, 105],
        }
    )  # fmt: skip
    result = qtw.backtest(
        told(1, 1, -1, 1, 1), bars, execution="same_close", cash=1000.0, sizing=qtw.Sizing.fixed_shares(5),
        stops=qtw.Stops(stop_loss=0.02, take_profit=0.03),
    )  # fmt: skip
    assert result.trades["side"].tolist() == ["long", "short", "long"]
    assert result.trades["ambiguous"].tolist() == [True, False, False]
    assert result.ambiguous_trades == pytest.approx(1 / 3)


def _split(bars, ratio: float, at: int) -> Actions:
    split = np.ones(bars.shape)
    split[at] = ratio
    return Actions(bars.index, bars.symbols, split, np.zeros(bars.shape))


def test_a_trade_across_a_split_counts_in_the_shares_at_its_end(bars_of, told):
    bars = bars_of(X=[100.0, 110.0, 60.0, 60.0])
    result = qtw.backtest(
        told(1, 1, 1, 0), bars, execution="same_close", cash=1000.0, sizing=qtw.Sizing.fixed_shares(5.0),
        actions=_split(bars, 2.0, 2),
    )  # fmt: skip
    # 5 at 100 are 10 at 50; 10 sold at 60.
    assert result.orders["quantity"].tolist() == [5.0, 10.0]
    (trade,) = result.trades.to_dict("records")
    assert (trade["quantity"], trade["entry_price"], trade["exit_price"], trade["pnl"]) == (10.0, 50.0, 60.0, 100.0)
    assert trade["return"] == pytest.approx(0.2)
    assert trade["status"] == "closed"
    assert result.equity.iloc[-1] == 1100.0


def test_an_open_trade_across_a_reverse_split_is_valued_in_new_shares(bars_of, told):
    bars = bars_of(X=[10.0, 10.0, 55.0])
    result = qtw.backtest(
        told(1, 1, 1), bars, execution="same_close", cash=1000.0, sizing=qtw.Sizing.fixed_shares(50.0),
        actions=_split(bars, 0.2, 2),
    )  # fmt: skip
    (trade,) = result.trades.to_dict("records")
    assert (trade["quantity"], trade["status"]) == (pytest.approx(10.0), "open")
    assert (trade["entry_price"], trade["exit_price"], trade["pnl"]) == pytest.approx((50.0, 55.0, 50.0))
