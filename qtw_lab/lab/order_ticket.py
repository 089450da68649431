"""An order by hand: from what a person fills in, over a preview of every limit, to the desk that sends it once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from qtw_lab.core import DataError, Fact, Facts, Settings
from qtw_lab.lab import desk, paper
from qtw_lab.ledger.amounts import number, plain
from qtw_lab.ledger.tickets import KINDS, SIDES, TIMES, Ticket
from qtw_lab.live.trading.preview import Bound, Preview, limits_set
from qtw_lab.venues.moments import identity
from qtw_lab.venues.paper.events import ticket_json

if TYPE_CHECKING:
    from qtw_lab.ledger.limits import Limits

#: What it takes to fill an order in, to look at it and to send it.
__all__ = [
    "CHOICES", "NEEDED", "Draft", "Preview", "by_hand", "cancel", "figures", "limits_shown", "limits_table", "preview",
    "send", "shares",
]  # fmt: skip

#: What a ticket may be, in the order in which people are offered it.
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "side": SIDES, "kind": tuple(KINDS), "measure": ("shares", "dollars"), "trail_measure": ("percent", "dollars"),
    "time_in_force": TIMES, "hours": ("regular", "extended"),
}  # fmt: skip

#: Which fields of a `Draft` each kind of order needs beside its size.
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "market": (), "limit": ("limit_price",), "stop": ("stop_price",), "stop_limit": ("stop_price", "limit_price"),
    "trailing_stop": ("trail",),
}  # fmt: skip


#: How amounts are called where they are missing, if not by their own names.
_SAID: Final = {
    "qty": "size in shares", "notional": "size in dollars", "trail_percent": "trail in percent",
    "trail_price": "trail in dollars",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Draft:
    """An order as a person fills it in: amounts are texts, and those that its kind does not need are passed over.

    Parameters
    ----------
    symbol, side, kind, time_in_force : str
        As of `qtw_lab.ledger.tickets.Ticket`.
    size, measure : str
        How much, in "shares" or "dollars".
    limit_price, stop_price : str
        In dollars.
    trail, trail_measure : str
        How far a trailing stop follows, in "percent" or "dollars".
    hours : {"regular", "extended"}
        Whether it may trade before the opening and after the close.

    Examples
    --------
    >>> order = Draft("aapl", "buy", "limit", size="10", limit_price="99.50").ticket("hand-1")
    >>> order.symbol, order.qty, order.limit_price
    ('AAPL', Decimal('10'), Decimal('99.50'))
    """

    symbol: str
    side: str = "buy"
    kind: str = "market"
    time_in_force: str = "day"
    size: str = ""
    measure: str = "shares"
    limit_price: str = ""
    stop_price: str = ""
    trail: str = ""
    trail_measure: str = "percent"
    hours: str = "regular"

    def ticket(self, name: str = "") -> Ticket:
        """The order that it asks for, under a name by which it is sent once; a new one by default.

        Raises
        ------
        DataError
            If something is missing, an amount is no number, or the terms contradict each other.
        """
        if not self.symbol.strip():
            raise DataError("An order needs a symbol, such as AAPL.")
        size = "qty" if self.measure == "shares" else "notional"
        trail = "trail_percent" if self.trail_measure == "percent" else "trail_price"
        given = {"limit_price": self.limit_price, "stop_price": self.stop_price, trail: self.trail}
        needed = {trail if field == "trail" else field for field in NEEDED.get(self.kind, ())}
        amounts = {size: self.size} | {field: text for field, text in given.items() if field in needed}
        empty = [_SAID.get(field, field.replace("_", " ")) for field, text in amounts.items() if not text.strip()]
        if empty:
            raise DataError(f"The order lacks its {' and '.join(empty)}.")
        figures = {field: text.replace(",", "") for field, text in amounts.items()}
        return by_hand(
            self.symbol.strip(), self.side, name, kind=self.kind, time_in_force=self.time_in_force,
            extended_hours=self.hours == "extended", **figures,
        )  # fmt: skip


def by_hand(symbol: str, side: str, name: str = "", **terms: Any) -> Ticket:
    """An order by hand from plain words; terms and errors as of `qtw_lab.lab.paper.ticket`.

    Parameters
    ----------
    symbol, side : str
        What, and whether to buy or to sell.
    name : str
        Its client order id, which begins with "hand-"; made up if empty.
    **terms
        The rest.
    """
    from qtw_lab.live.trading.hand import PREFIX

    name = name or PREFIX + identity("by hand", symbol, side, pd.Timestamp.now(tz="UTC").value).replace("-", "")[:16]
    return paper.ticket(symbol, side, name, **terms)


def preview(settings: Settings, ticket: Ticket) -> Preview:
    """What an order by hand would come to, and what each limit would make of it; nothing is sent.

    The desk says so, whose guard judges the order when it is sent: the one at work, or one opened for a moment.

    Raises
    ------
    LabError
        If it cannot be an order, there is no account, or the desk or the broker does not answer.
    """
    return Preview.read(desk.ask(settings, {"do": "preview", "ticket": ticket_json(ticket)}))


def send(settings: Settings, ticket: Ticket) -> str:
    """Send an order by hand through the desk's guard and outbox; what became of it.

    One of that name is sent once, however often this is called: after a lost answer call it again.

    Raises
    ------
    LabError
        If a limit, the kill switch or the broker refuses it, or nobody answers.
    """
    return desk.ask(settings, {"do": "order", "ticket": ticket_json(ticket)})


def cancel(settings: Settings, order: str) -> str:
    """Cancel an order that no session sent, by our name for it or the broker's; what was done.

    Raises
    ------
    LabError
        If it belongs to sessions, is over, or nobody answers.
    """
    return desk.ask(settings, {"do": "cancel", "order": order})


# For people


def figures(found: Preview) -> Facts:
    """What an order would come to, as labelled figures."""
    dollars = (
        ("value", found.value, "Value of the order", "at the worst of its price and the last one"),
        ("price", found.price, "Last price", ""),
        ("buying_power", found.buying_power, "Buying power", "what new positions may cost"),
        ("equity", found.equity, "Equity", ""),
    )
    shares = (
        ("position", found.position, "Position now", "shares of the account, negative where sold short"),
        ("after", found.after, "Position after it", "once it is wholly filled"),
        (
            "sessions",
            found.sessions,
            "Of those, sessions'",
            "what belongs to sessions, which orders by hand never touch",
        ),
    )
    ticket = found.ticket
    return Facts(
        f"{ticket.side} {ticket.symbol}",
        (
            *(Fact(name, _float(text), "money", title, why) for name, text, title, why in dollars),
            *(Fact(name, _shares(text), "text", title, why) for name, text, title, why in shares),
        ),
    )  # fmt: skip


def limits_table(found: Preview) -> pd.DataFrame:
    """Every limit that is set: what it allows, what the order would make of it, and "kept", "broken" or "exempt"."""
    rows = [
        {"rule": one.rule, "bound": _measured(one, one.bound), "value": _measured(one, one.value), "state": _state(one)}
        for one in found.bounds
    ]
    return pd.DataFrame(rows, columns=["rule", "bound", "value", "state"])


def limits_shown(limits: Limits) -> pd.DataFrame:
    """The limits that are set, by rule, with what each allows."""
    rows = [
        {"rule": rule, "bound": _measured(Bound(rule, text, ""), text)} for rule, text in limits_set(limits).items()
    ]
    return pd.DataFrame(rows, columns=["rule", "bound"])


def _state(bound: Bound) -> str:
    return "exempt" if bound.exempt else "kept" if bound.kept else "broken"


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"


def _percent(amount: Decimal) -> str:
    return f"{amount * 100:,.2f}%"


def _times(amount: Decimal) -> str:
    return f"{amount:,.2f}x"


def _seconds(amount: Decimal) -> str:
    return f"{amount:,.1f} s"


def _count(amount: Decimal) -> str:
    return f"{plain(round(amount, 4))}"


#: How the figures of each limit are written.
_WRITTEN: Final[Mapping[str, Callable[[Decimal], str]]] = {
    **dict.fromkeys(("max_order_value", "max_symbol_value", "max_gross", "max_net", "equity"), _dollars),
    **dict.fromkeys(("max_daily_loss", "max_drawdown", "price_band"), _percent),
    **dict.fromkeys(("max_leverage", "max_turnover"), _times),
    "max_price_age": _seconds,
}


def _measured(bound: Bound, text: str) -> str:
    """A figure of a limit in its measure; words as they are."""
    amount = number(text)
    return text if amount is None else _WRITTEN.get(bound.rule, _count)(amount)


def _float(text: str) -> float | None:
    amount = number(text)
    return None if amount is None else float(amount)


def _shares(text: str) -> str | None:
    amount = number(text)
    return None if amount is None else shares(amount)


def shares(amount: Decimal) -> str:
    """Shares as people read them: to the fourth place, without zeros at the end.

    Examples
    --------
    >>> shares(Decimal("1234567.25")), shares(Decimal(-500)), shares(Decimal("74.096580597"))
    ('1,234,567.25', '-500', '74.0966')
    """
    text = f"{round(amount, 4):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
