"""What an order by hand would come to before it is sent: its value, the position after it, and every limit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any, Final, Self

from qtw_lab.core import DataError
from qtw_lab.ledger.amounts import plain
from qtw_lab.ledger.exposure import Case
from qtw_lab.ledger.limits import ALWAYS, Limits, Standing, breaches, figures
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.paper.events import ticket_json, ticket_of

#: Limits that are figures, in the order in which people read them.
_FIGURES: Final = (
    "max_order_value", "max_order_shares", "price_band", "max_price_age", "max_orders_per_minute", "max_open_orders",
    "max_symbol_value", "max_gross", "max_net", "max_leverage", "max_turnover", "max_daily_loss", "max_drawdown",
)  # fmt: skip
#: Symbols of a limit that are named; of more the number is said.
_LISTED: Final = 5


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit, and what an order would make of it.

    Parameters
    ----------
    rule : str
        The field of `Limits`, or "equity" where that is not above zero or not known.
    bound, value : str
        What is allowed, and what there would be, in the measure of the limit; "unknown" where that cannot be said.
    kept : bool
        Whether the order may be sent for all that this limit says.
    exempt : bool
        Whether the limit does not count, because the order only reduces a position.
    message : str
        What is wrong, and what would mend it; empty where the limit is kept.
    """

    rule: str
    bound: str
    value: str
    kept: bool = True
    exempt: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would come to, and whether it would be sent.

    Parameters
    ----------
    ticket : Ticket
        The order.
    price, value : str
        The last price of the symbol, and what the order comes to at the worst, in dollars; "unknown" if so.
    position, after : str
        Shares of the account before it, and once it is wholly filled.
    sessions : str
        Shares of those that belong to sessions.
    buying_power, equity : str
        Of the account, in dollars.
    bounds : tuple of Bound
        Every limit that is set.
    reasons : tuple of str
        Why it would not be sent; none if it would.
    cautions : tuple of str
        What else a person should know before sending it.
    """

    ticket: Ticket
    price: str
    value: str
    position: str
    after: str
    sessions: str
    buying_power: str
    equity: str
    bounds: tuple[Bound, ...] = ()
    reasons: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the order would be sent, as things are."""
        return not self.reasons

    def written(self) -> str:
        """It as JSON; `read` reads it."""
        plainly = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        bounds = [asdict(bound) for bound in self.bounds]
        return json.dumps({**plainly, "ticket": ticket_json(self.ticket), "bounds": bounds})

    @classmethod
    def read(cls, text: str) -> Self:
        """From what was `written`.

        Raises
        ------
        DataError
            If it is something else.
        """
        try:
            said: dict[str, Any] = json.loads(text)
            said["ticket"] = ticket_of(said["ticket"])
            said["bounds"] = tuple(Bound(**one) for one in said["bounds"])
            said |= {name: tuple(said[name]) for name in ("reasons", "cautions")}
            return cls(**said)
        except (ValueError, KeyError, TypeError, ArithmeticError) as err:
            raise DataError(f"What the desk says of an order cannot be read ({type(err).__name__}: {err}).") from err


def bounds(ticket: Ticket, standing: Standing, limits: Limits) -> tuple[Bound, ...]:
    """Every limit that is set, and what an order would make of it; judged by `qtw_lab.ledger.limits` alone.

    Parameters
    ----------
    ticket : Ticket
        The order.
    standing : Standing
        The account before it.
    limits : Limits
        What is allowed.

    Examples
    --------
    >>> standing = Standing(0, *[Decimal(50_000)] * 3, marks={"X": Decimal(100)})
    >>> order = Ticket("X", "buy", "market", "day", qty=Decimal(60))
    >>> [(one.rule, one.bound, one.value, one.kept) for one in
    ...  bounds(order, standing, Limits(max_order_value=5_000, max_leverage=2))]
    [('max_order_value', '5000', '6000', False), ('max_leverage', '2', '0.12', True)]
    """
    broken = {breach.rule: breach for breach in breaches(ticket, standing, limits)}
    reduces = Case(ticket, standing, limits.max_price_age).reduces
    said = {"allow_short": "0", **figures(ticket, standing, limits)}
    found = []
    for rule, bound in limits_set(limits).items():
        breach = broken.pop(rule, None)
        if breach is not None:
            allowed = breach.limit if rule in _FIGURES else bound
            found.append(Bound(rule, allowed, breach.value, kept=False, message=breach.message))
        elif reduces and rule not in ALWAYS:
            found.append(Bound(rule, bound, "", exempt=True))
        else:
            found.append(Bound(rule, bound, said.get(rule, ticket.symbol.upper())))
    found += [Bound(one.rule, one.limit, one.value, kept=False, message=one.message) for one in broken.values()]
    return tuple(found)


def limits_set(limits: Limits) -> Mapping[str, str]:
    """The limits that are set, with what each allows, in its measure.

    Examples
    --------
    >>> limits_set(Limits(max_leverage=2, banned={"GME"}))
    {'max_leverage': '2', 'banned': 'GME'}
    """
    found = {rule: plain(Decimal(getattr(limits, rule))) for rule in _FIGURES if getattr(limits, rule) is not None}
    if not limits.allow_short:
        found["allow_short"] = "0"
    for rule, names in (("symbols", limits.symbols), ("banned", limits.banned)):
        if names:
            listed = sorted(names)
            found[rule] = ", ".join(listed[:_LISTED]) + (f" … ({len(listed)})" if len(listed) > _LISTED else "")
    return found
