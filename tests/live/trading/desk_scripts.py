"""What strategies say and people do, bar by bar: drawn by chance, lived through at a desk, and what is true then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from by_hand import Rig, Said
from hypothesis import strategies as st

from qtw_lab.core import VenueError

D = Decimal
SESSIONS, SYMBOLS = ("a", "b", "c"), ("X", "Y")
HAND = "hand-"


@dataclass(frozen=True)
class Bar:
    """What is said at the close of a bar, and the orders by hand within it: symbol and signed shares of each."""

    said: Said = field(default_factory=dict)
    hand: tuple[tuple[str, int], ...] = ()


_stances = st.dictionaries(st.sampled_from(SYMBOLS), st.sampled_from([-1.0, 0.0, 1.0]), max_size=2)
_said = st.dictionaries(st.sampled_from(SESSIONS), _stances, max_size=3)
_hand = st.tuples(st.sampled_from(SYMBOLS), st.integers(-20, 20).filter(bool))


def scripts(length: int, *, hand: bool = True):
    """So many bars of whatever happens."""
    by_hand = st.lists(_hand, max_size=1).map(tuple) if hand else st.just(())
    return st.lists(st.builds(Bar, _said, by_hand), min_size=length, max_size=length)


def lived(rig: Rig, script: Sequence[Bar], until: int | None = None) -> Rig:
    """Live through a script, and check everything at the end of each bar."""
    for t, bar in enumerate(script[:until]):
        rig.opens(t)
        for place, (symbol, qty) in enumerate(bar.hand):
            rig.send(f"{HAND}{t}-{place}", symbol, qty)
        rig.closes(t, bar.said)
        add_up(rig)
    return rig


def add_up(rig: Rig) -> None:
    """Sessions and what was traded by hand come to the account, to the last digit, and everybody paid one price."""
    rig.sound()
    positions, cash = rig.together(), rig.cash_beside()
    started = rig.paper.start_cash - sum((one.start for one in rig.state.sleeves.values()), D(0))
    for fill in by_hand(rig):
        positions[fill.symbol] = positions.get(fill.symbol, D(0)) + fill.signed
        cash += fill.price * fill.signed + fill.fee
    assert {symbol: qty for symbol, qty in sorted(positions.items()) if qty} == rig.account.positions()
    assert cash == started
    assert rig.trader.mirror.adjustments == {}
    one_price(rig)


def by_hand(rig: Rig):
    """Fills of orders that no session wanted."""
    names = {order.id for order in rig.paper.orders.values() if order.client_order_id.startswith(HAND)}
    return [fill for fill in rig.paper.book.fills if fill.order in names]


def one_price(rig: Rig) -> None:
    """The parts of a fill have one price, which is that of the account's own fill where there is one."""
    told = {f"{fill.order}:{fill.id}": fill.price for fill in rig.paper.book.fills}
    prices: dict[str, set[Decimal]] = {}
    for sleeve in rig.state.sleeves.values():
        for fill in sleeve.fills():
            prices.setdefault(fill.id.rpartition(":")[0], set()).add(fill.price)
    assert all(len(found) == 1 for found in prices.values()), prices
    assert {price for found in prices.values() for price in found} <= {*told.values(), *crossed(rig)}


def crossed(rig: Rig) -> set[Decimal]:
    """Prices at which bars opened, where shares may have changed hands inside."""
    return {D(repr(price)) for price in rig.bars.values["open"].ravel().tolist()}


class Unsteady:
    """A broker that fails at some of the orders it is sent: before it takes them, or after.

    Parameters
    ----------
    broker : Broker
        Who takes the others.
    faults : dict of int to str
        By the number of the order, from 0: "before" or "after".
    """

    def __init__(self, broker, faults) -> None:
        self.broker, self.faults, self.count = broker, faults, 0

    def __getattr__(self, name: str):
        return getattr(self.broker, name)

    def submit(self, ticket):
        fault = self.faults.get(self.count)
        self.count += 1
        if fault == "before":
            raise VenueError("it was not carried out")
        return self.broker.submit(ticket)
