"""What costs took, part by part: parts worked by hand, and their sum against the same fills without costs."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.case import Carry
from qtw_lab.backtest.charges import PARTS, charges
from qtw_lab.ledger import Account


def _fills(*rows: tuple[str, float, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["side", "quantity", "price", "quoted", "commission"])


def _paid(costs: qtw.Costs, *rows: tuple[str, float, float, float, float], **carry: float) -> dict[str, float]:
    paid = charges(_fills(*rows), costs, Carry(**carry))
    assert list(paid.index) == list(PARTS)
    assert (paid >= 0).all()
    return paid[paid != 0].round(9).to_dict()


def test_half_the_spread_and_all_the_slippage_of_the_quoted_amount():
    # 10 x 100 x 10 bp of half spread, and x 10 bp; then 5 x 200 sold 0.2% lower.
    costs = qtw.Costs(spread_bps=20, slippage_bps=10)
    rows = ("buy", 10, 100.2, 100, 0), ("sell", 5, 199.6, 200, 0)
    assert _paid(costs, *rows) == {"spread": 2.0, "slippage": 2.0}


def test_a_fill_at_its_quoted_price_paid_neither():
    assert _paid(qtw.Costs(spread_bps=20, slippage_bps=10), ("buy", 10, 100, 100, 0)) == {}


def test_impact_is_what_spread_and_slippage_leave():
    costs = qtw.Costs(spread_bps=20, slippage_bps=10, impact=1.0)
    assert _paid(costs, ("buy", 10, 101, 100, 0)) == {"spread": 1.0, "slippage": 1.0, "impact": 8.0}


def test_a_move_cut_at_the_whole_price_is_shared_in_proportion():
    # Half the spread of 300% and 150% of slippage ask for three times the price; a sale gives at most all of it away.
    costs = qtw.Costs(spread_bps=30_000, slippage_bps=15_000)
    assert _paid(costs, ("sell", 2, 0, 100, 0)) == {"spread": 100.0, "slippage": 100.0}


def test_sale_fees_are_taken_out_of_the_commission():
    costs = qtw.Costs(commission_per_share=0.5, sell_fee_bps=10, sell_fee_per_share=0.1)
    rows = ("buy", 10, 100, 100, 5.0), ("sell", 10, 100, 100, 5.0 + 1.0 + 1.0)
    assert _paid(costs, *rows) == {"commission": 10.0, "sale_fees": 2.0}


def test_the_most_that_a_sale_pays_by_the_share_is_a_fills_and_not_a_days():
    costs = qtw.Costs(sell_fee_per_share=1.0, sell_fee_per_share_max=3.0)
    rows = ("sell", 2, 10, 10, 2.0), ("sell", 50, 10, 10, 3.0), ("buy", 50, 10, 10, 0.0)
    assert _paid(costs, *rows) == {"sale_fees": 5.0}


def test_holding_has_its_own_parts_and_what_it_brings_is_no_cost():
    carry = {"borrow": 3.0, "margin_interest": 4.0, "cash_interest": 5.0, "dividends": -6.0}
    assert _paid(qtw.Costs(), **carry) == {"borrow": 3.0, "margin_interest": 4.0}


def test_no_fill_costs_nothing():
    assert _paid(qtw.Costs(spread_bps=5, impact=1)) == {}


DEAR = qtw.Costs(
    commission_bps=5, commission_per_share=0.002, commission_min=1.0, commission_per_order=0.3, fees_per_share=0.001,
    sell_fee_bps=0.3, sell_fee_per_share=0.0002, sell_fee_per_share_max=9.0, spread_bps=4, slippage_bps=3,
    borrow_bps_per_year=400, margin_rate=0.08,
)  # fmt: skip


@pytest.mark.parametrize("impact", [0.0, 0.7])
@pytest.mark.parametrize("execution", ["next_open", "next_close", "same_close", "next_typical"])
def test_the_parts_add_up_to_the_money_lost_against_the_same_fills_at_quoted_prices(bars_of, told, execution, impact):
    """Frictionless money of the same fills: starting cash less signed quantity x quoted price, no interest."""
    rng = np.random.default_rng(3)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, 60)))
    bars = bars_of(X={"close": closes, "open": closes * 1.001, "volume": np.full(60, 5000.0)})
    script = rng.choice([-1.0, 0.0, 1.0], 60)
    costs = dataclasses.replace(DEAR, impact=impact)
    given = {"execution": execution, "sizing": qtw.Sizing.fixed_shares(150), "cash": 10_000.0}
    result = qtw.backtest(told(*script), bars, costs=costs, account=Account(leverage=3), **given)
    assert len(result.orders) > 20
    signed = np.where(result.orders["side"] == "buy", 1.0, -1.0) * result.orders["quantity"]
    frictionless = 10_000.0 - float((signed * result.orders["quoted"]).sum())
    lost = frictionless + result.carry.cash_interest - result.cash.iloc[-1]
    assert result.costs["paid"].sum() == pytest.approx(lost, rel=1e-9)
    assert result.stats["costs_paid"] == pytest.approx(lost, rel=1e-9)
    used = {"commission", "sale_fees", "spread", "slippage", "borrow", "margin_interest"} | (
        {"impact"} if impact else set()
    )
    assert set(result.costs.index[result.costs["paid"] > 0]) == used


def test_drag_is_money_over_mean_equity_a_year(bars_of, told):
    result = qtw.backtest(
        told(1, 1, 0, 0), bars_of(X=[100.0] * 4), costs=qtw.Costs(commission_per_order=1), cash=1000.0,
        execution="same_close",
    )  # fmt: skip
    # The first fee is paid at the first close, the second at the third.
    mean = (999 + 999 + 998 + 998) / 4
    assert result.costs.loc["commission", "paid"] == pytest.approx(2.0)
    years = 4 / result.bars.periods_per_year
    assert result.costs.loc["commission", "drag"] == pytest.approx(2.0 / mean / years)
    assert result.stats["cost_drag"] == result.stats["drag_commission"] == pytest.approx(2.0 / mean / years)
    assert "drag_spread" not in result.stats
