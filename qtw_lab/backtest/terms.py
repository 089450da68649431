"""The terms a simulation runs on: costs, sizing, execution, cash, stops and leverage, checked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

import numpy as np

from qtw_lab.core import DataError, lookup
from qtw_lab.ledger import Costs, Sizing, Stops
from qtw_lab.ledger.sizing import CODES

if TYPE_CHECKING:
    from qtw_lab.backtest.kernel import Rules

Execution = Literal["next_open", "next_close", "same_close"]

#: What each execution mode means, for people.
EXECUTIONS: Final[dict[str, str]] = {
    "next_open": "decided at the close, filled at the next open",
    "next_close": "decided at the close, filled at the next close",
    "same_close": "decided and filled at the same close (optimistic: that price was not yet known)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms a simulation runs on, beside the strategy and the bars.

    Parameters
    ----------
    costs : Costs
        What trading and holding cost.
    sizing : Sizing
        How large positions are.
    execution : {"next_open", "next_close", "same_close"}
        When orders fill.
    cash : float
        Starting cash, in account currency.
    stops : Stops
        Protective exits.
    leverage : float
        Buying power as a multiple of equity; 1 means no borrowed money.

    Raises
    ------
    DataError
        If a term does not fit.
    """

    costs: Costs
    sizing: Sizing
    execution: Execution
    cash: float
    stops: Stops
    leverage: float = 1.0

    def __post_init__(self) -> None:
        lookup(self.execution, EXECUTIONS, "execution")
        for name, value, low in (("cash", self.cash, 0.0), ("leverage", self.leverage, 1.0)):
            number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and math.isfinite(value)
            if not number or value < low or value == 0:
                raise DataError(
                    f"backtest: {name}={value!r} must be a finite number {'above 0' if low == 0 else 'of 1 or more'}."
                )
        for name, kind in (("costs", Costs), ("sizing", Sizing), ("stops", Stops)):
            if not isinstance(getattr(self, name), kind):
                raise DataError(f"backtest: {name}={getattr(self, name)!r} must be made with qtw.{kind.__name__}(...).")

    @classmethod
    def given(
        cls,
        costs: Costs | None,
        sizing: Sizing | None,
        execution: str,
        cash: float,
        stops: Stops | None,
        leverage: float = 1.0,
    ) -> Terms:
        """The terms with defaults in place of None: free trading, all-in sizing, no stops."""
        return cls(
            costs=Costs() if costs is None else costs,
            sizing=Sizing.all_in() if sizing is None else sizing,
            execution=cast("Execution", execution),
            cash=cash,
            stops=Stops() if stops is None else stops,
            leverage=leverage,
        )

    def rules(self, kind: str) -> Rules:
        """These terms as the flat record the kernel takes, for a strategy that gives `kind`."""
        from qtw_lab.backtest.kernel import EXECUTIONS as MODES
        from qtw_lab.backtest.kernel import Rules

        return Rules(
            cash=float(self.cash),
            execution=MODES.index(self.execution),
            weights=kind == "weights",
            sizing=CODES[self.sizing.rule],
            amount=float(self.sizing.amount),
            band=float(self.sizing.rebalance_band),
            leverage=float(self.leverage),
            commission_bps=float(self.costs.commission_bps),
            commission_per_share=float(self.costs.commission_per_share),
            commission_min=float(self.costs.commission_min),
            spread_bps=float(self.costs.spread_bps),
            slippage_bps=float(self.costs.slippage_bps),
            impact=float(self.costs.impact),
            borrow_bps=float(self.costs.borrow_bps_per_year),
            margin_rate=float(self.costs.margin_rate),
            stop_loss=float(self.stops.stop_loss or 0.0),
            take_profit=float(self.stops.take_profit or 0.0),
            trailing=float(self.stops.trailing or 0.0),
        )
