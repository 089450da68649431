"""What trading and holding cost, part by part: the money a strategy has to earn before it earns anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from qtw_lab.ledger import Costs

if TYPE_CHECKING:
    from qtw_lab.backtest.case import Carry

#: The parts, in the order they are shown, with what they are.
PARTS: Final[dict[str, str]] = {
    "commission": "the broker's commission",
    "sale_fees": "regulatory fees on sales",
    "spread": "half the bid-ask spread of each market order",
    "slippage": "slippage of each market order",
    "impact": "market impact of each market order",
    "borrow": "fees for shares borrowed to sell short",
    "margin_interest": "interest on borrowed money",
}


def charges(orders: pd.DataFrame, costs: Costs, carry: Carry) -> pd.Series:
    """Money paid for each of `PARTS`, in account currency; together all that costs took.

    Parameters
    ----------
    orders : pandas.DataFrame
        Fills as in `Result.orders`.
    costs : Costs
        The rates they were made at.
    carry : Carry
        What holding cost.

    Examples
    --------
    >>> from qtw_lab.backtest.case import Carry
    >>> fill = {"side": "buy", "quantity": 10.0, "price": 100.2, "quoted": 100.0, "commission": 1.0}
    >>> fills = pd.DataFrame([fill])
    >>> paid = charges(fills, Costs(spread_bps=20, slippage_bps=10, commission_min=1), Carry(borrow=0.5))
    >>> paid[paid > 0].round(9).to_dict()
    {'commission': 1.0, 'spread': 1.0, 'slippage': 1.0, 'borrow': 0.5}
    """
    quantity, price = orders["quantity"].to_numpy(), orders["price"].to_numpy()
    quoted = orders["quoted"].to_numpy()
    by_share = quantity * costs.sell_fee_per_share
    if costs.sell_fee_per_share_max > 0:
        by_share = np.minimum(by_share, costs.sell_fee_per_share_max)
    sold = (orders["side"] == "sell").to_numpy()
    sale = np.where(sold, quantity * price * costs.sell_fee_bps * 1e-4 + by_share, 0.0)
    moved = quantity * np.abs(price - quoted)
    at_market = moved > 0
    spread = np.where(at_market, quantity * quoted * 0.5 * costs.spread_bps * 1e-4, 0.0)
    slippage = np.where(at_market, quantity * quoted * costs.slippage_bps * 1e-4, 0.0)
    known = spread + slippage
    with np.errstate(divide="ignore", invalid="ignore"):  # a move is at most the whole price
        fits = np.where((known > moved) | ((known > 0) & (costs.impact == 0)), moved / known, 1.0)
    spread, slippage = spread * fits, slippage * fits
    paid = {
        "commission": float(orders["commission"].sum() - sale.sum()),
        "sale_fees": float(sale.sum()),
        "spread": float(spread.sum()),
        "slippage": float(slippage.sum()),
        "impact": max(float((moved - spread - slippage).sum()), 0.0) if costs.impact > 0 else 0.0,
        "borrow": carry.borrow,
        "margin_interest": carry.margin_interest,
    }
    return pd.Series(paid, name="paid", dtype=float)
