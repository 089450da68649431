"""The guard before each order: the kill switch first, then the limits, judged on what is known of the account."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, TypeVar

from qtw_lab.core import DataError, LabError, VenueError
from qtw_lab.ledger.amounts import number
from qtw_lab.ledger.limits import Breach, Limits, Standing, breaches
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tally import UNKNOWN
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.brokers import AccountView, Broker, OrderView
from qtw_lab.venues.equity_marks import HIGHEST, RENEWED, SESSION, EquityMarks
from qtw_lab.venues.killswitch import KillSwitch
from qtw_lab.venues.mirror import Mirror
from qtw_lab.venues.moments import SECOND
from qtw_lab.venues.open_orders import OpenOrders
from qtw_lab.venues.outbox import Outbox
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.store import Store
from qtw_lab.venues.refused import REFUSED, NotAllowedError, refusal_event

#: How old what is known of the account's equity may be when an order is judged, nanoseconds; then it is asked for.
EVERY: Final = 5 * SECOND
_MINUTE: Final = 60 * SECOND

_Answer = TypeVar("_Answer")


class Guard:
    """Says of each order whether it may be sent; given to `Trader` as its `allow`.

    It raises `NotAllowedError` where the kill switch is tripped, or the order would break a limit; canceling is never
    asked about. What it judges on: positions and open orders as mirror and outbox know them (an order counts from the
    moment it was written down); the account's equity, asked for when what is known is older than 5 seconds; orders and
    turnover since the session began. Whatever cannot be known counts as over its limit. Every refusal is written down
    before it is raised, the broker's too.

    The loss of a session counts from what the account had when it was first seen in it, or at the close before if that
    was more: who starts late, or again, does not begin anew. The drawdown counts from the highest equity seen since the
    switch was armed, or since `renew`. Both outlive the process.

    Parameters
    ----------
    limits : Limits
        What is allowed.
    broker : Broker
        Asked for the account, and for orders that nobody here sent.
    outbox, mirror : Outbox, Mirror
        What was sent, and what is known. They must be the trader's.
    store : Store
        Where refusals and equities are kept, for the guard alone; what it holds already is read first.
    now : callable
        Nanoseconds since 1970, UTC, on the clock of outbox and broker.
    session : callable
        When the present session began, on the same clock; None if that is not known.
    prices : callable
        The last price of a symbol in dollars; None if there is none.
    priced : callable, optional
        When that was made, on the same clock; needed for `Limits.max_price_age`.
    switch : KillSwitch, optional
        Asked before each order.

    Raises
    ------
    DataError
        If the store holds something else or is damaged, or prices have no times but a limit of age.
    SetupError
        From any method, if something cannot be written down; the order is not sent then.

    Examples
    --------
    >>> from qtw_lab.venues.paper.store import MemoryStore
    >>> from qtw_lab.venues.refused import refusals
    >>> class Bank:
    ...     def account(self):
    ...         return AccountView("a", *map(Decimal, (9_700, 9_700, 9_700, 10_000)), blocked=False)
    >>> broker, store, clock = Bank(), MemoryStore(), lambda: 10**18
    >>> outbox, mirror = (kind(broker, MemoryStore(), clock) for kind in (Outbox, Mirror))
    >>> guard = Guard(
    ...     Limits(max_daily_loss=0.02), broker, outbox, mirror, store, now=clock, session=lambda: 10**18 - 10**12,
    ...     prices={"X": 10.0}.get,
    ... )
    >>> guard(Ticket("X", "buy", "market", "day", qty=Decimal(5), client_order_id="first"))
    Traceback (most recent call last):
    ...
    qtw_lab.venues.refused.NotAllowedError: The order is not sent. The loss of the session comes to 3%, ...
    >>> [(one.by, one.ticket.client_order_id, one.breaches[0].value) for one in refusals(store.read())]
    [('limits', 'first', '0.03')]
    """

    def __init__(
        self, limits: Limits, broker: Broker, outbox: Outbox, mirror: Mirror, store: Store, *, now: Callable[[], int],
        session: Callable[[], int | None], prices: Callable[[str], Decimal | float | None],
        priced: Callable[[str], int | None] | None = None, switch: KillSwitch | None = None,
    ) -> None:  # fmt: skip
        if limits.max_price_age is not None and priced is None:
            raise DataError("A guard with max_price_age needs to know when prices were made: give it `priced` as well.")
        self.limits, self.switch = limits, switch
        self._broker, self._outbox, self._store = broker, outbox, store
        self._now, self._session, self._prices, self._priced = now, session, prices, priced
        self._orders = OpenOrders(broker, outbox, mirror, self._price)
        self._asked: dict[str, Decimal | None] = {}
        self._account: AccountView | None = None
        self._looked: int | None = None
        self._marks = EquityMarks()
        self._start: int | None = None
        self._times = deque(sorted(intent.at for intent in outbox.intents.values()))
        try:
            for event in store.read():
                self._apply(event)
        except (KeyError, TypeError) as err:
            raise DataError(f"What the guard wrote down cannot be read ({type(err).__name__}: {err}).") from err
        self._orders.take()

    def __call__(self, ticket: Ticket) -> None:
        """Return if an order may be sent.

        An order that the outbox has the broker's answer to already is not judged: it is not sent again.

        Raises
        ------
        NotAllowedError
            If it must not be sent; it is written down.
        """
        self._ask_switch(ticket)
        known = self._outbox.intents.get(ticket.client_order_id)
        if known is None or known.state not in ("acknowledged", "refused"):
            self._judge(ticket)

    def amend(self, order_id: str, changes: Mapping[str, Any]) -> Ticket:
        """The order that a replacement makes of an order, if it may be sent; judged without the one it replaces.

        Parameters
        ----------
        order_id : str
            The broker's name for it.
        changes : mapping
            As for `Ticket.amended`.

        Raises
        ------
        NotAllowedError
            If it must not be sent, or is none that was sent from here alone, without exits: cancel it instead.
        RefusedError
            If the broker would refuse it.
        """
        self._orders.take()
        ticket = self._orders.ticket(order_id)
        self._ask_switch(ticket)
        if ticket is None or ticket.shape != "simple":
            message = f"The terms of order {order_id} are not known, or it has exits. Cancel it, and send another."
            raise self._refusing(ticket, "limits", [Breach("terms", "known", "unknown", message)])
        try:
            amended = ticket.amended(**changes)
        except RefusedError as refused:
            self.refused(ticket, refused)
            raise
        if amended.qty is not None:  # it counts what was filled
            rest = amended.qty - self._orders.filled(order_id)
            self._judge(replace(amended, qty=rest), replaces=order_id)
        return amended

    def sent(self, ticket: Ticket, view: OrderView) -> None:
        """Take in what the broker has: exits of an order, and replacements, have names that the outbox does not know.

        Parameters
        ----------
        ticket : Ticket
            What was asked for.
        view : OrderView
            What the broker says.
        """
        told = self._orders.telling(ticket, view)
        if told is not None:
            self._keep([Event("sent", self._now(), view.id, told)])

    def refused(self, ticket: Ticket | None, error: RefusedError, by: str = "broker") -> None:
        """Write down that an order was refused.

        Parameters
        ----------
        ticket : Ticket or None
            The order.
        error : RefusedError
            What was said.
        by : str
            Who refused it.
        """
        self._keep([refusal_event(self._now(), by, ticket, error)])

    def look(self) -> None:
        """Ask for the account, and write down what it has if that is the highest, or the first of a session.

        It is done when an order is judged and what is known is too old; do it before, where a question to the broker
        takes long.
        """
        moment, self._looked = self._now(), None
        try:
            self._account = self._broker.account()
        except VenueError:
            self._account = None
            return
        self._keep(self._marks.news(self._account, moment, _answer(self._session), self._armed()))
        self._looked = moment

    def renew(self, by: str, reason: str) -> None:
        """Let the drawdown count from what the account has now. Nothing but a person should call this.

        Parameters
        ----------
        by, reason : str
            Who does so, and why; both are written down, and neither may be empty.

        Raises
        ------
        DataError
            If one is empty.
        """
        if not by.strip() or not reason.strip():
            raise DataError("A drawdown is begun anew by a person, for a reason: give your name and say why.")
        self._keep([Event(RENEWED, self._now(), "", {"by": by, "reason": reason})])
        self._looked = None

    def standing(self, symbol: str = "", without: str = "") -> Standing:
        """How the account stands, for `breaches` and for whoever wants to see it.

        Parameters
        ----------
        symbol : str
            Whose price is needed beside those of what is held and ordered.
        without : str
            The broker's name for an order that does not count, because it is to be replaced.
        """
        moment, start = self._now(), _answer(self._session)
        if start != self._start:
            self._start, self._looked = start, None
            self._orders.begin(start)
        if self._looked is None or not 0 <= moment - self._looked < EVERY:
            self.look()
        self._asked.clear()
        working, tally = self._orders.working(without), self._orders.take()
        symbols = {*tally.positions, *(name for name, _, _ in working), *([symbol.upper()] if symbol else [])}
        marks = {name: price for name in symbols if (price := self._price(name)) is not None}
        return Standing(
            now=moment,
            equity=UNKNOWN if self._account is None else self._account.equity,
            session_equity=self._marks.opening(start),
            peak_equity=self._marks.highest,
            positions=dict(tally.positions),
            marks=marks,
            mark_times=self._made(marks),
            working=working,
            traded=UNKNOWN if start is None else tally.traded,
            order_times=self._recent(moment, start),
        )

    # Inside

    def _price(self, symbol: str) -> Decimal | None:
        """The last price of a symbol, asked for once for each order."""
        if symbol not in self._asked:
            self._asked[symbol] = number(_answer(self._prices, symbol))
        return self._asked[symbol]

    def _ask_switch(self, ticket: Ticket | None) -> None:
        if self.switch is None:
            return
        try:
            self.switch.guard()
        except VenueError as err:
            raise self._refusing(ticket, "kill switch", [Breach("kill_switch", "armed", "tripped", str(err))]) from err

    def _judge(self, ticket: Ticket, replaces: str = "") -> None:
        found = breaches(ticket, self.standing(ticket.symbol, replaces), self.limits)
        if found:
            raise self._refusing(ticket, "limits", found)
        self._times.append(self._now())

    def _refusing(self, ticket: Ticket | None, by: str, found: Sequence[Breach]) -> NotAllowedError:
        """The error to raise, once it is written down."""
        error = NotAllowedError(found)
        self.refused(ticket, error, by)
        return error

    def _recent(self, moment: int, start: int | None) -> list[int]:
        """When orders were let through within the last minute, and since the session began."""
        while self._times and self._times[0] <= moment - _MINUTE:
            self._times.popleft()
        return [at for at in self._times if start is None or at >= start]

    def _made(self, marks: Mapping[str, Decimal]) -> dict[str, int]:
        if self._priced is None:
            return {}
        return {symbol: at for symbol in marks if (at := _answer(self._priced, symbol)) is not None}

    def _armed(self) -> int:
        """When the switch was armed; 0 if there is none, or it is not."""
        status = None if self.switch is None else self.switch.status()
        return 0 if status is None or status.tripped else status.since or 0

    def _keep(self, events: list[Event]) -> None:
        self._store.append(events)
        for event in events:
            self._apply(event)

    def _apply(self, event: Event) -> None:
        if event.kind == "sent":
            self._orders.told(event.order, event.content)
        elif event.kind in (SESSION, HIGHEST, RENEWED):
            self._marks.apply(event)
        elif event.kind != REFUSED:
            raise DataError(f"An event of kind {event.kind!r} is none of a guard; the file is of something else.")


def _answer(question: Callable[..., _Answer | None], *about: str) -> _Answer | None:
    """What is answered; None where that fails: it is not known then."""
    try:
        return question(*about)
    except LabError:
        return None
