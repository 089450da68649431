"""Every rule of the simulation on numbers worked by hand."""

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.engine import alone
from qtw_lab.core import DataError

NAN = float("nan")


def test_same_close_fills_at_the_close_it_decided_on_and_pays_the_fee_out_of_cash(bars_of, told):
    bars = bars_of(X=[100.0, 110.0, 121.0])
    result = qtw.backtest(told(1, 1, 0), bars, execution="same_close", cash=1000.0, costs=qtw.Costs(commission_bps=100))
    shares = 1000 / (100 * 1.01)
    assert result.equity.tolist() == pytest.approx([shares * 100, shares * 110, shares * 121 * 0.99])
    assert result.orders["commission"].tolist() == pytest.approx([shares * 100 * 0.01, shares * 121 * 0.01])
    assert any("optimistic" in note for note in result.notes)


def test_next_open_fills_one_bar_after_the_decision_at_the_open(bars_of, told):
    bars = bars_of(X={"close": [100, 110, 120, 130], "open": [99, 105, 115, 128]})
    result = qtw.backtest(told(1, 1, 0, 0), bars, cash=1050.0)
    assert result.orders["price"].tolist() == [105.0, 128.0]
    assert result.equity.tolist() == pytest.approx([1050.0, 1100.0, 1200.0, 1280.0])


def test_next_close_fills_at_the_following_close(bars_of, told):
    bars = bars_of(X={"close": [100, 110, 120, 130], "open": [99, 105, 115, 128]})
    result = qtw.backtest(told(1, 1, 0, 0), bars, cash=1100.0, execution="next_close")
    assert result.orders["price"].tolist() == [110.0, 130.0]
    assert result.equity.tolist() == pytest.approx([1100.0, 1100.0, 1200.0, 1300.0])


def test_a_decision_on_the_last_bar_trades_nothing(bars_of, told):
    result = qtw.backtest(told(0, 0, 1), bars_of(X=[100.0, 110.0, 121.0]))
    assert result.orders.empty
    assert result.trades.empty
    assert result.stats["total_return"] == 0.0


def test_a_short_gains_when_the_price_falls_and_one_order_turns_it_long(bars_of, told):
    bars = bars_of(X=[100.0, 80.0, 80.0, 100.0])
    result = qtw.backtest(told(-1, -1, 1, 1), bars, execution="same_close", cash=1000.0)
    # Sold 10 at 100, worth 1200 at 80; then 15 long, so 25 bought in one order; 15 x 20 more at 100.
    assert result.orders["quantity"].tolist() == pytest.approx([10.0, 25.0])
    assert result.equity.tolist() == pytest.approx([1000.0, 1200.0, 1200.0, 1500.0])
    assert result.trades["side"].tolist() == ["short", "long"]
    assert result.trades["pnl"].tolist() == pytest.approx([200.0, 300.0])


def test_nan_keeps_the_stance_and_a_repeated_signal_trades_once(bars_of, told):
    result = qtw.backtest(told(1, NAN, 1, NAN, 0, NAN), bars_of(X=[10.0] * 6), execution="same_close")
    assert result.orders["side"].tolist() == ["buy", "sell"]


def test_an_order_waits_for_the_next_bar_when_its_symbol_has_none(bars_of, told):
    bars = bars_of(X=[100.0, NAN, 120.0, 130.0], Y=[10.0, 10.0, 10.0, 10.0])
    result = qtw.backtest(told([1, 0], [NAN, 0], [1, 0], [1, 0]), bars, cash=1200.0)
    assert result.orders["time"].tolist() == [bars.index[2]]
    assert result.orders["price"].tolist() == [120.0]
    assert result.equity.tolist() == pytest.approx([1200.0, 1200.0, 1200.0, 1250.0])


def test_a_position_is_marked_at_the_last_price_through_a_hole(bars_of, told):
    bars = bars_of(X=[100.0, NAN, 120.0], Y=[10.0, 10.0, 10.0])
    result = qtw.backtest(told([1, 0], [NAN, 0], [1, 0]), bars, cash=2000.0, execution="same_close")
    assert result.equity.tolist() == pytest.approx([2000.0, 2000.0, 2200.0])


def test_all_in_gives_each_symbol_an_equal_part_of_the_account(bars_of, told):
    bars = bars_of(X=[100.0, 100.0], Y=[10.0, 10.0])
    result = qtw.backtest(told([1, 1], [1, 1]), bars, execution="same_close", cash=1000.0)
    assert result.positions.iloc[0].tolist() == pytest.approx([5.0, 50.0])


def test_sells_come_before_buys_so_that_their_money_can_be_used(bars_of, told_weights):
    bars = bars_of(X=[100.0, 100.0], Y=[10.0, 10.0])
    result = qtw.backtest(told_weights([0, 1], [1, 0]), bars, execution="same_close", cash=1000.0)
    assert result.orders[["symbol", "side"]].to_numpy().tolist() == [["Y", "buy"], ["Y", "sell"], ["X", "buy"]]
    assert result.positions.iloc[1].tolist() == pytest.approx([10.0, 0.0])


def test_buys_beyond_the_cash_are_scaled_down_together(bars_of, told_weights):
    bars = bars_of(X=[100.0, 100.0], Y=[10.0, 10.0])
    result = qtw.backtest(told_weights([1, 1], [NAN, NAN]), bars, execution="same_close", cash=1000.0)
    assert result.positions.iloc[0].tolist() == pytest.approx([5.0, 50.0])
    levered = qtw.backtest(told_weights([1, 1], [NAN, NAN]), bars, execution="same_close", cash=1000.0, leverage=2.0)
    assert levered.positions.iloc[0].tolist() == pytest.approx([10.0, 100.0])
    assert levered.cash.iloc[0] == pytest.approx(-1000.0)


def test_weights_are_rebalanced_at_every_finite_bar_outside_the_band(bars_of, told_weights):
    bars = bars_of(X=[100.0, 120.0, 100.0])
    strict = qtw.backtest(told_weights(0.5, 0.5, NAN), bars, execution="same_close", cash=1000.0)
    # 5 shares; at 120 equity is 1100 and half of it 550, so 5 - 550/120 shares are sold.
    assert strict.orders["quantity"].tolist() == pytest.approx([5.0, 5 - 550 / 120])
    banded = qtw.backtest(
        told_weights(0.5, 0.5, NAN), bars, execution="same_close", cash=1000.0, sizing=qtw.Sizing.target_weights(0.05)
    )
    assert banded.orders["quantity"].tolist() == pytest.approx([5.0])


@pytest.mark.parametrize(
    ("sizing", "shares"),
    [
        (qtw.Sizing.all_in(), 10.0),
        (qtw.Sizing.fixed_cash(300.0), 3.0),
        (qtw.Sizing.fixed_shares(4.0), 4.0),
        (qtw.Sizing.fraction(0.25), 2.5),
        (qtw.Sizing.fixed_shares(400.0), 10.0),
    ],
)
def test_each_sizing_rule_buys_what_it_says_as_far_as_the_cash_goes(bars_of, told, sizing, shares):
    result = qtw.backtest(told(1, 1), bars_of(X=[100.0, 100.0]), execution="same_close", cash=1000.0, sizing=sizing)
    assert result.positions["X"].iloc[0] == pytest.approx(shares)


def test_the_spread_slippage_and_minimum_commission_are_paid(bars_of, told):
    costs = qtw.Costs(spread_bps=20, slippage_bps=10, commission_min=5.0, commission_per_share=0.01)
    result = qtw.backtest(
        told(1, 0), bars_of(X=[100.0, 100.0]), execution="same_close", cash=1000.0, costs=costs,
        sizing=qtw.Sizing.fixed_shares(2.0),
    )  # fmt: skip
    assert result.orders["price"].tolist() == pytest.approx([100.2, 99.8])
    assert result.orders["commission"].tolist() == [5.0, 5.0]
    assert result.equity.iloc[-1] == pytest.approx(1000 - 2 * 0.4 - 10)
    assert result.stats["costs_paid"] == pytest.approx(10.8)


def test_all_in_leaves_room_for_the_minimum_commission(bars_of, told):
    result = qtw.backtest(
        told(1, 1), bars_of(X=[100.0, 100.0]), execution="same_close", cash=1000.0, costs=qtw.Costs(commission_min=50.0)
    )
    assert result.positions["X"].iloc[0] == pytest.approx(9.5)
    assert result.cash.iloc[0] == pytest.approx(0.0, abs=1e-9)


def test_impact_follows_the_square_root_of_the_share_of_past_volume(bars_of, told):
    rng = np.random.default_rng(1)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, 40)))
    bars = bars_of(X={"close": closes, "volume": np.full(40, 10_000.0)})
    script = [0.0] * 30 + [1.0] * 10
    result = qtw.backtest(
        told(*script), bars, execution="same_close", sizing=qtw.Sizing.fixed_shares(100.0), costs=qtw.Costs(impact=0.5)
    )
    daily = pd.Series(closes).pct_change()
    volatility = daily.iloc[10:30].std(ddof=1)  # the twenty returns before bar 30
    assert result.orders["price"].iloc[0] == pytest.approx(closes[30] * (1 + 0.5 * volatility * np.sqrt(100 / 10_000)))


def test_impact_without_volume_is_refused(bars_of, told):
    frame = pd.DataFrame({"close": [1.0, 2.0, 3.0]}, index=pd.date_range("2024-01-01", periods=3))
    with pytest.raises(DataError, match="impact needs volumes"):
        qtw.backtest(told(1, 1, 1), qtw.Bars.from_frame(frame, symbol="X"), costs=qtw.Costs(impact=1.0))


def test_borrow_and_margin_interest_accrue_by_calendar_days(bars_of, told, told_weights):
    bars = bars_of(X=[100.0] * 3)
    short = qtw.backtest(
        told(-1, -1, -1), bars, execution="same_close", cash=1000.0, costs=qtw.Costs(borrow_bps_per_year=365)
    )
    assert short.equity.tolist() == pytest.approx([1000.0, 999.9, 999.8])
    assert short.holding_costs == pytest.approx(0.2)
    levered = qtw.backtest(
        told_weights(2, NAN, NAN), bars, execution="same_close", cash=1000.0, leverage=2.0,
        costs=qtw.Costs(margin_rate=0.365),
    )  # fmt: skip
    assert levered.equity.tolist() == pytest.approx([1000.0, 999.0, 1000 - 1 - 1.001])


OHLC = {
    "open": [100, 100, 90, 100],
    "high": [101, 104, 95, 100],
    "low": [99, 97, 85, 100],
    "close": [100, 100, 92, 100],
}


def test_a_stop_inside_the_bar_fills_at_its_level(bars_of, told):
    result = qtw.backtest(
        told(1, 1, 1, 1), bars_of(X=OHLC), execution="same_close", cash=1000.0, stops=qtw.Stops(stop_loss=0.02)
    )
    assert result.orders["price"].tolist() == [100.0, 98.0]
    assert result.orders["reason"].tolist() == ["signal", "stop_loss"]
    assert result.orders["time"].iloc[1] == result.equity.index[1]


def test_a_stop_that_the_bar_opens_beyond_fills_at_the_open(bars_of, told):
    result = qtw.backtest(
        told(1, 1, 1, 1), bars_of(X=OHLC), execution="same_close", cash=1000.0, stops=qtw.Stops(stop_loss=0.05)
    )
    assert result.orders["price"].tolist() == [100.0, 90.0]


def test_a_target_fills_at_its_level_and_the_stop_counts_first_when_both_are_reached(bars_of, told):
    stops = qtw.Stops(take_profit=0.03)
    result = qtw.backtest(told(1, 1, 1, 1), bars_of(X=OHLC), execution="same_close", cash=1000.0, stops=stops)
    assert result.orders[["price", "reason"]].to_numpy().tolist()[1] == [103.0, "take_profit"]
    both = qtw.Stops(take_profit=0.03, stop_loss=0.02)
    result = qtw.backtest(told(1, 1, 1, 1), bars_of(X=OHLC), execution="same_close", cash=1000.0, stops=both)
    assert result.orders["reason"].iloc[1] == "stop_loss"


def test_a_trailing_stop_follows_the_best_price_of_earlier_bars(bars_of, told):
    ohlc = {
        "open": [100, 101, 118, 112],
        "high": [100, 120, 119, 112],
        "low": [100, 100, 109, 112],
        "close": [100, 118, 110, 112],
    }
    result = qtw.backtest(
        told(1, 1, 1, 1), bars_of(X=ohlc), execution="same_close", cash=1000.0, stops=qtw.Stops(trailing=0.05)
    )
    # Bar 1 makes a high of 120 after the stop of 95 was tested; bar 2 falls through 114.
    assert result.orders["price"].tolist() == [100.0, 114.0]
    assert result.orders["reason"].iloc[1] == "trailing_stop"


def test_short_stops_and_targets_mirror_long_ones(bars_of, told):
    ohlc = {"open": [100, 100, 100], "high": [100, 103, 100], "low": [100, 94, 100], "close": [100, 100, 100]}
    for levels, price in ((qtw.Stops(stop_loss=0.02), 102.0), (qtw.Stops(take_profit=0.05), 95.0)):
        result = qtw.backtest(told(-1, -1, -1), bars_of(X=ohlc), execution="same_close", cash=1000.0, stops=levels)
        assert result.orders["price"].iloc[1] == pytest.approx(price)


def test_after_a_stop_the_engine_waits_for_the_next_change_of_stance(bars_of, told):
    closes = {"open": [100] * 6, "high": [100] * 6, "low": [100, 90, 100, 100, 100, 100], "close": [100] * 6}
    result = qtw.backtest(
        told(1, 1, 1, 0, 1, 1), bars_of(X=closes), execution="same_close", cash=1000.0, stops=qtw.Stops(stop_loss=0.05)
    )
    assert result.orders["reason"].tolist() == ["signal", "stop_loss", "signal"]
    assert result.orders["time"].iloc[2] == result.equity.index[4]


def test_a_stop_works_in_the_bar_of_a_fill_at_the_open(bars_of, told):
    ohlc = {"open": [100, 100, 100], "high": [100, 100, 100], "low": [100, 90, 100], "close": [100, 95, 100]}
    result = qtw.backtest(told(1, 1, 1), bars_of(X=ohlc), cash=1000.0, stops=qtw.Stops(stop_loss=0.05))
    assert result.orders["price"].tolist() == [100.0, 95.0]


def test_ruin_closes_everything_and_ends_trading(bars_of, told):
    result = qtw.backtest(
        told(-1, -1, 1, 1), bars_of(X=[100.0, 250.0, 100.0, 100.0]), execution="same_close", cash=1000.0
    )
    assert result.orders["reason"].tolist() == ["signal", "margin_call"]
    assert result.equity.tolist() == pytest.approx([1000.0, -500.0, -500.0, -500.0])
    assert result.returns.tolist() == pytest.approx([0.0, -1.5, 0.0, 0.0])
    assert any("ruined" in note for note in result.notes)


def test_an_account_below_zero_only_closes(bars_of, told):
    bars = bars_of(X={"open": [100, 100, 400, 100], "close": [100] * 4}, Y=[10.0] * 4)
    # At the open of bar 2 the short in X has eaten the account: equity is 1000 - 5 x 300 = -500, and nothing is bought.
    result = qtw.backtest(told([-1, 0], [-1, 1], [0, 1], [0, 1]), bars, cash=1000.0)
    assert result.orders[["symbol", "side"]].to_numpy().tolist() == [["X", "sell"], ["X", "buy"]]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"execution": "next_opne"}, "Did you mean 'next_open'"),
        ({"cash": 0.0}, "cash=0.0"),
        ({"cash": NAN}, "cash=nan"),
        ({"leverage": 0.5}, "leverage=0.5"),
        ({"costs": 0.001}, "qtw.Costs"),
        ({"sizing": "all_in"}, "qtw.Sizing"),
        ({"engine": "vectorbot"}, "Did you mean 'vectorbt'"),
        ({"strategy": "sma_crss"}, "Did you mean 'sma_cross'"),
        ({"strategy": 3}, "not int"),
        ({"bars": [1, 2]}, "Bars are needed"),
    ],
)
def test_a_term_that_does_not_fit_is_refused_with_the_remedy(bars_of, change, match):
    given = {"strategy": "buy_and_hold", "bars": bars_of(X=[1.0, 2.0, 3.0])} | change
    with pytest.raises(DataError, match=match):
        qtw.backtest(given.pop("strategy"), given.pop("bars"), **given)


def test_too_few_bars_for_the_warm_up_are_refused_with_the_number_needed(bars_of):
    with pytest.raises(DataError, match="at least 51 bars"):
        qtw.backtest(qtw.strategies.SmaCross(fast=10, slow=50), bars_of(X=[1.0 + i for i in range(30)]))


def test_the_room_can_be_called_and_is_the_function(bars_of):
    from qtw_lab import backtest

    assert backtest("buy_and_hold", bars_of(X=[1.0, 2.0, 3.0])).equity.iloc[-1] == pytest.approx(150_000.0)
    assert backtest.Result is qtw.Result


def test_each_symbol_by_itself_has_only_its_own_times(bars_of):
    both = bars_of(A=[1.0, 2.0, 3.0], B=[NAN, 2.0, 3.0])
    assert [one.fingerprint for one in alone(both)] == [both.select(name).fingerprint for name in "AB"]
    single = both.select("B")
    assert alone(single) == [single]
    assert single.fingerprint == single.select("B").fingerprint
