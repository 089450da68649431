"""One simulation's inputs, checked and complete: what every engine is given."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.market import Market
from qtw_lab.backtest.rules import Rules
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Bars, DataError, Order
from qtw_lab.strategies import Strategy
from qtw_lab.strategies.base import Kind

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Case:
    """Everything an engine needs to simulate one account.

    Parameters
    ----------
    strategy : Strategy
        What decided.
    bars : Bars
        What is traded.
    terms : Terms
        Costs, sizing, execution, cash, stops, account and entry. Its sizing is one the engines know.
    decisions : ndarray, (T, N)
        Signals or weights; NaN keeps what was decided before.
    kind : {"signals", "weights"}
        Which of the two.
    market : Market
        The arrays of `bars`.
    seen : Bars
        What the strategy decided on: the bars, adjusted if they are raw and came with corporate actions.
    orders : tuple of Order
        Orders given by hand, beside the decisions.
    asked : Terms, optional
        The terms as they were asked for, if a measured sizing has been worked into the decisions.
    """

    strategy: Strategy
    bars: Bars
    terms: Terms
    decisions: FloatArray
    kind: Kind
    market: Market
    seen: Bars
    orders: tuple[Order, ...] = ()
    asked: Terms | None = None

    def __post_init__(self) -> None:
        for order in self.orders:
            if order.symbol not in self.bars.symbols:
                raise DataError(f"An order is for {order.symbol}; these bars have {', '.join(self.bars.symbols[:8])}.")

    @property
    def rules(self) -> Rules:
        """The terms as the kernel's flat record."""
        return self.terms.rules(self.kind)

    def optimistic(self) -> Case:
        """The same with ambiguous bars taken at their best."""
        return replace(self, terms=replace(self.terms, path="optimistic"))


@dataclass(frozen=True, slots=True)
class Carry:
    """What holding cost and brought over the whole simulation, in account currency.

    Parameters
    ----------
    borrow, margin_interest : float
        Paid for short positions and for borrowed money.
    cash_interest, dividends : float
        Received for idle cash, and for shares held (negative if shorts paid more).
    """

    borrow: float = 0.0
    margin_interest: float = 0.0
    cash_interest: float = 0.0
    dividends: float = 0.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the comparison of two results said.

    Parameters
    ----------
    agrees : bool
        Whether every fill and every bar is the same.
    fills : int
        How many fills of the result under test were compared.
    text : str
        The verdict in one line.
    first : str or None
        Where they first part; None if they agree.
    """

    agrees: bool
    fills: int
    text: str
    first: str | None = None
