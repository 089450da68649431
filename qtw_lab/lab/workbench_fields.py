"""What can be set at the workbench: one `Field` for every number or choice, from which a page makes its widgets."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import fields as entries_of
from typing import Any, Final, Literal

from qtw_lab.core import lookup
from qtw_lab.ledger import Account, Costs, Sizing, Stops
from qtw_lab.ledger.sizing import MEASURED
from qtw_lab.strategies import STRATEGIES, Strategy
from qtw_lab.strategies.base import Bounds

Kind = Literal["int", "float", "bool", "choice"]

#: What a parameter of a strategy that is a word may be; a strategy declares its default, but not the others.
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {"rebalance": ("bar", "week", "month", "quarter", "year")}

#: Fees by whom they are charged: those of `Costs` given one by one, or a published schedule.
SCHEDULES: Final[Mapping[str, Callable[[], Costs]]] = {
    "own": Costs, "alpaca_equities": Costs.alpaca_equities,
    "interactive_brokers_tiered": Costs.interactive_brokers_tiered, "alpaca_crypto": Costs.alpaca_crypto,
}  # fmt: skip

#: Parts of the costs that a market or a lender sets, which stand beside any schedule of fees.
MARKET: Final = ("spread_bps", "slippage_bps", "impact", "borrow_bps_per_year", "margin_rate")

#: Fees that are set one by one where no schedule is chosen.
FEES: Final = ("commission_bps", "commission_per_share", "commission_min")

#: Every rule of sizing with its numbers where nobody has chosen others.
SIZINGS: Final[Mapping[str, Sizing]] = {
    "all_in": Sizing.all_in(), "fraction": Sizing.fraction(0.5), "fixed_cash": Sizing.fixed_cash(10_000.0),
    "fixed_shares": Sizing.fixed_shares(100.0), "volatility_target": Sizing.volatility_target(0.10),
    "atr_risk": Sizing.atr_risk(0.01), "kelly": Sizing.kelly(),
    "equal_risk_contribution": Sizing.equal_risk_contribution(),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """Something that can be set.

    Parameters
    ----------
    name : str
        Its argument.
    label : str
        What people read.
    kind : {"int", "float", "bool", "choice"}
        Which control fits.
    low, high : float
        What is allowed, both ends included; infinite where nothing is said.
    default : int, float, bool or str
        Where it stands at first.
    step : float
        From one position of the control to the next.
    options : tuple of str
        Of a choice, what there is.
    """

    name: str
    label: str
    kind: Kind
    low: float = -math.inf
    high: float = math.inf
    default: Any = None
    step: float = 1
    options: tuple[str, ...] = ()

    @property
    def number(self) -> bool:
        """Whether it is a number, which a sweep can vary."""
        return self.kind in ("int", "float")

    @property
    def span(self) -> str:
        """The bounds as people read them; empty where there are none.

        Examples
        --------
        >>> Field("fast", "", "int", 1, 5000).span, Field("depth", "", "float", 0.1).span, Field("x", "", "bool").span
        ('1–5,000', '≥ 0.1', '')
        """
        if not self.number or math.isinf(self.low):
            return ""
        return f"≥ {self.low:,g}" if math.isinf(self.high) else f"{self.low:,g}–{self.high:,g}"


def fields(strategy: Strategy | type[Strategy] | str) -> tuple[Field, ...]:
    """What can be set of a strategy, from its typed parameters, in the order they were declared.

    Parameters
    ----------
    strategy : Strategy, class or str
        An object gives the values at first; a class or a name its defaults. Parameters that are neither numbers, truth
        values nor known words (the members of a blend) are left out: they are set in a notebook.

    Raises
    ------
    DataError
        If there is no strategy of that name.

    Examples
    --------
    >>> [(field.name, field.kind, field.default) for field in fields("sma_cross")]
    [('fast', 'int', 10), ('slow', 'int', 50), ('short', 'bool', False)]
    """
    kind = lookup(strategy, STRATEGIES, "strategy") if isinstance(strategy, str) else strategy
    declared = kind.declared()
    found = []
    for name, entry in declared.items():
        bounds = entry.metadata.get("bounds")
        value = getattr(kind, name) if isinstance(kind, Strategy) else entry.default
        label = bounds.label if isinstance(bounds, Bounds) and bounds.label else name.replace("_", " ")
        if isinstance(value, bool):
            found.append(Field(name, label, "bool", default=value))
        elif isinstance(value, (int, float)) and isinstance(bounds, Bounds):
            found.append(_number(name, label, value, bounds.low, bounds.high))
        elif isinstance(value, str) and name in _WORDS:
            found.append(Field(name, label, "choice", default=value, options=_WORDS[name]))
    return tuple(found)


def cost_fields(schedule: str = "own") -> tuple[Field, ...]:
    """What can be set of the costs: with a schedule of fees only what the market and a lender ask.

    Raises
    ------
    DataError
        If there is no such schedule.

    Examples
    --------
    >>> [field.name for field in cost_fields("alpaca_equities")]
    ['spread_bps', 'slippage_bps', 'impact', 'borrow_bps_per_year', 'margin_rate']
    """
    lookup(schedule, SCHEDULES, "schedule of fees")
    return _plain(Costs(), (*(FEES if schedule == "own" else ()), *MARKET))


def sizing_fields(rule: str = "all_in") -> tuple[Field, ...]:
    """What can be set of a rule of sizing.

    Raises
    ------
    DataError
        If there is no such rule.

    Examples
    --------
    >>> [field.name for field in sizing_fields("volatility_target")]
    ['amount', 'rebalance_band', 'window', 'most']
    """
    usual = lookup(rule, SIZINGS, "rule of sizing")
    told = () if usual.rule not in MEASURED else MEASURED[usual.rule][1]
    banded = rule == "all_in" or (usual.measured and rule != "atr_risk")
    return _plain(usual, (*(() if rule == "all_in" else ("amount",)), *(("rebalance_band",) if banded else ()), *told))


def stop_fields() -> tuple[Field, ...]:
    """The protective exits; 0 is none.

    Examples
    --------
    >>> [field.name for field in stop_fields()]
    ['stop_loss', 'take_profit', 'trailing', 'trailing_amount']
    """
    return tuple(
        Field(entry.name, _said(entry.name), "float", 0.0, default=0.0, step=0.01) for entry in entries_of(Stops)
    )


def account_fields() -> tuple[Field, ...]:
    """What can be set of the account.

    Examples
    --------
    >>> [field.name for field in account_fields()]
    ['leverage', 'lot', 'shorting']
    """
    return _plain(Account(), ("leverage", "lot", "shorting"))


def _plain(part: Any, names: tuple[str, ...]) -> tuple[Field, ...]:
    """Fields of a dataclass of the ledger, which checks its values itself."""
    made = []
    for name in names:
        value = getattr(part, name)
        if isinstance(value, bool):
            made.append(Field(name, _said(name), "bool", default=value))
        else:
            made.append(_number(name, _said(name), value, 1.0 if name == "leverage" else 0.0))
    return tuple(made)


def _number(name: str, label: str, value: float, low: float, high: float = math.inf) -> Field:
    if isinstance(value, int):
        return Field(name, label, "int", low, high, value)
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 0.01 if name.endswith("rate") else 1.0
    return Field(name, label, "float", low, high, value, min(step, 1.0))


def _said(name: str) -> str:
    return name.replace("_", " ")
