"""A breach of a limit, and how it is said: what is wrong with which figures, and what would mend it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from qtw_lab.ledger.amounts import plain

#: What is written for a figure that is not known.
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that an order, or the account itself, is over.

    Parameters
    ----------
    rule : str
        The field of `Limits`, or "equity" where that is not known or not above zero.
    limit, value : str
        What is allowed, and what there would be; "unknown" where that cannot be said.
    message : str
        What is wrong, and what would mend it.
    """

    rule: str
    limit: str
    value: str
    message: str


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def _percent(fraction: Decimal) -> str:
    return f"{plain(round(fraction * 100, 4))}%"


def _times(multiple: Decimal) -> str:
    return f"{plain(round(multiple, 4))} times the equity"


def _counted(noun: str) -> Callable[[Decimal], str]:
    return lambda amount: f"{plain(round(amount, 9))} {noun}"


_SMALLER: Final = "Send a smaller order, or several."
_ROOM: Final = "Reduce positions or cancel open orders first."
_TOMORROW: Final = "Only reduce positions until the next session."
#: For each figure: what it is of, how its amounts are written, and what would mend a breach.
_WORDS: Final[Mapping[str, tuple[str, Callable[[Decimal], str], str]]] = {
    "max_order_value": ("The value of the order", _dollars, _SMALLER),
    "max_order_shares": ("The size of the order", _counted("shares"), _SMALLER),
    "max_price_age": ("The age of the last price", _counted("seconds"), "Wait for a trade, or look at the feed."),
    "price_band": ("The distance of the price from the last one", _percent, "Look whether the price is a slip."),
    "max_orders_per_minute": ("The rate", _counted("orders a minute"), "Wait until the minute is over."),
    "max_open_orders": ("The number of open orders", _counted("orders"), "Cancel some first."),
    "max_symbol_value": ("What is held of the symbol", _dollars, _ROOM),
    "max_gross": ("The gross exposure", _dollars, _ROOM),
    "max_net": ("The net exposure", _dollars, "Trade the other side, or cancel open orders first."),
    "max_leverage": ("The gross exposure", _times, _ROOM),
    "max_turnover": ("The turnover of the session", _times, _TOMORROW),
    "max_daily_loss": ("The loss of the session", _percent, _TOMORROW),
    "max_drawdown": ("The drawdown", _percent, "Only reduce positions, and decide by hand how to go on."),
}
_LOOK: Final = "Look at the prices, positions, open orders and equity: one of them is missing, stale or no number."


def judged(rule: str, limit: Decimal, value: Decimal | None, base: Decimal | None) -> Breach | None:
    """The breach of a figure, if its value is above so many times its base, or either is unknown.

    Parameters
    ----------
    rule : str
        The field of `Limits`.
    limit : Decimal
        What is allowed, as a multiple of the base.
    value, base : Decimal or None
        What there would be, and what the limit is a multiple of; None where it is not known.

    Examples
    --------
    >>> judged("max_leverage", Decimal(2), Decimal(3000), Decimal(1000)).message
    'The gross exposure comes to 3 times the equity, over the limit of 2 times the equity. Reduce positions or cancel
    open orders first.'
    """
    what, written, mend = _WORDS[rule]
    if value is None or base is None:
        message = f"{what} cannot be known, so it may be over the limit of {written(limit)}. {_LOOK}"
        return Breach(rule, plain(limit), measured(value, base), message)
    if value <= limit * base:
        return None
    message = f"{what} comes to {written(value / base)}, over the limit of {written(limit)}. {mend}"
    return Breach(rule, plain(limit), measured(value, base), message)


def measured(value: Decimal | None, base: Decimal | None) -> str:
    """A figure in the measure of its limit, as text; "unknown" where it is not known.

    Examples
    --------
    >>> measured(Decimal(3000), Decimal(1000)), measured(None, Decimal(1))
    ('3', 'unknown')
    """
    return UNKNOWN if value is None or base is None else plain(round(value / base, 9))
