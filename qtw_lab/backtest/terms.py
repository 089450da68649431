"""The terms a simulation runs on: costs, sizing, execution, cash, stops, account and entry, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

import numpy as np

from qtw_lab.backtest.rules import EXECUTIONS as MODES
from qtw_lab.backtest.rules import Rules
from qtw_lab.core import DataError, lookup
from qtw_lab.ledger import Account, Costs, Entry, Sizing, Stops
from qtw_lab.ledger.sizing import CODES

Execution = Literal["next_open", "next_close", "same_close", "next_typical", "next_vwap"]
Path = Literal["pessimistic", "optimistic"]

#: What each execution mode means, for people.
EXECUTIONS: Final[dict[str, str]] = {
    "next_open": "decided at the close, filled at the next open",
    "next_close": "decided at the close, filled at the next close",
    "same_close": "decided and filled at the same close (optimistic: that price was not yet known)",
    "next_typical": "decided at the close, filled at the next bar's (high + low + close) / 3",
    "next_vwap": "decided at the close, filled at the next bar's volume-weighted average price",
}
#: Which way an ambiguous bar goes.
PATHS: Final = ("pessimistic", "optimistic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms a simulation runs on, beside the strategy and the bars.

    Parameters
    ----------
    costs : Costs
        What trading and holding cost.
    sizing : Sizing
        How large positions are.
    execution : {"next_open", "next_close", "same_close", "next_typical", "next_vwap"}
        When and at which price market orders fill.
    cash : float
        Starting cash, in account currency.
    stops : Stops
        Protective exits.
    account : Account
        What the account may do.
    entry : Entry
        The order that opens a position.
    participation : float
        Most of a bar's volume that the fills of its symbol may be, as a fraction; 0 for no limit.
    path : {"pessimistic", "optimistic"}
        Which way a bar goes whose outcome depends on whether its high or its low came first.

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
    account: Account = field(default_factory=Account)
    entry: Entry = field(default_factory=Entry)
    participation: float = 0.0
    path: Path = "pessimistic"

    def __post_init__(self) -> None:
        lookup(self.execution, EXECUTIONS, "execution")
        lookup(self.path, dict.fromkeys(PATHS), "path")
        if not _number(self.cash) or self.cash <= 0:
            raise DataError(f"backtest: cash={self.cash!r} must be a finite number above 0.")
        if not _number(self.participation) or not 0 <= self.participation <= 1:
            raise DataError(
                f"backtest: participation={self.participation!r} must be a fraction of a bar's volume from 0 (no "
                "limit) to 1, such as 0.1."
            )
        for name, kind in _KINDS.items():
            if not isinstance(getattr(self, name), kind):
                raise DataError(f"backtest: {name}={getattr(self, name)!r} must be made with qtw.{kind.__name__}(...).")

    @classmethod
    def given(
        cls,
        costs: Costs | None = None,
        sizing: Sizing | None = None,
        execution: str = "next_open",
        cash: float = 100_000.0,
        stops: Stops | None = None,
        leverage: float = 1.0,
        *,
        account: Account | None = None,
        entry: Entry | None = None,
        participation: float = 0.0,
    ) -> Terms:
        """The terms with defaults in place of None: free trading, all-in sizing, no stops, market entries.

        Raises
        ------
        DataError
            If a term does not fit, or leverage is given twice.
        """
        if not _number(leverage) or leverage < 1:
            raise DataError(f"backtest: leverage={leverage!r} must be a finite number of 1 or more.")
        if account is not None and leverage != 1:
            raise DataError("backtest: leverage is part of the account; give Account(leverage=...) alone.")
        return cls(
            costs=Costs() if costs is None else costs,
            sizing=Sizing.all_in() if sizing is None else sizing,
            execution=cast("Execution", execution),
            cash=cash,
            stops=Stops() if stops is None else stops,
            account=Account(leverage=leverage) if account is None else account,
            entry=Entry() if entry is None else entry,
            participation=participation,
        )

    @property
    def leverage(self) -> float:
        """Buying power as a multiple of equity."""
        return self.account.leverage

    @property
    def arguments(self) -> dict[str, Any]:
        """These terms as the keywords of `backtest` and `sweep` that give them again; the path is not among them."""
        return {
            "costs": self.costs, "sizing": self.sizing, "execution": self.execution, "cash": self.cash,
            "stops": self.stops, "account": self.account, "entry": self.entry, "participation": self.participation,
        }  # fmt: skip

    def rules(self, kind: str) -> Rules:
        """These terms as the flat record the kernel takes, for a strategy that gives `kind`."""
        c, s, a, e = self.costs, self.stops, self.account, self.entry
        return Rules(
            cash=float(self.cash),
            execution=MODES.index(self.execution),
            weights=kind == "weights",
            sizing=CODES[self.sizing.rule],
            amount=float(self.sizing.amount),
            band=float(self.sizing.rebalance_band),
            leverage=float(a.leverage),
            commission_bps=float(c.commission_bps),
            commission_per_share=float(c.commission_per_share),
            commission_min=float(c.commission_min),
            spread_bps=float(c.spread_bps),
            slippage_bps=float(c.slippage_bps),
            impact=float(c.impact),
            borrow_bps=float(c.borrow_bps_per_year),
            margin_rate=float(c.margin_rate),
            stop_loss=float(s.stop_loss or 0.0),
            take_profit=float(s.take_profit or 0.0),
            trailing=float(s.trailing or 0.0),
            trailing_amount=float(s.trailing_amount or 0.0),
            commission_per_order=float(c.commission_per_order),
            commission_max_fraction=float(c.commission_max_fraction),
            maker_bps=float(c.commission_bps if c.maker_bps is None else c.maker_bps),
            fees_per_share=float(c.fees_per_share),
            sell_fee_bps=float(c.sell_fee_bps),
            sell_fee_per_share=float(c.sell_fee_per_share),
            sell_fee_most=float(c.sell_fee_per_share_max),
            cash_rate=float(c.cash_rate),
            gross=a.buying_power == "gross",
            maintenance=float(a.maintenance),
            maintenance_short=float(a.maintenance_short),
            shorting=a.shorting,
            settlement=int(a.settlement),
            lot=float(a.lot),
            min_notional=float(a.min_notional),
            participation=float(self.participation),
            optimistic=self.path == "optimistic",
            entry=("market", "limit", "stop", "stop_limit").index(e.type),
            entry_offset=float(e.offset),
            entry_limit_offset=float(e.limit_offset),
            entry_bars=int(e.good_for or 0),
            entry_day=e.day,
        )


_KINDS: Final[Mapping[str, type]] = {
    "costs": Costs, "sizing": Sizing, "stops": Stops, "account": Account, "entry": Entry,
}  # fmt: skip


def _number(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and math.isfinite(value)
