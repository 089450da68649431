"""What the broker says of an account now, asked in a thread, so that whoever shows it never waits for an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from qtw_lab.core import LabError, Settings

if TYPE_CHECKING:
    from qtw_lab.venues.brokers import AccountView, OrderView
    from qtw_lab.venues.feeds import Reference

T = TypeVar("T")

#: Seconds to wait for a connection to the venue, and for its next bytes.
_TIMEOUT: Final = (2.0, 4.0)


class Poll(Generic[T]):
    """A question that is asked again and again in a thread: once at a time, and every so many seconds at most.

    Parameters
    ----------
    task : callable
        What is asked.
    every : float
        Seconds from one question to the next, at least.
    clock : callable
        Seconds that only grow.

    Attributes
    ----------
    answer : object or None
        The last answer.
    error : LabError or None
        Why the last question failed, if it did.

    Examples
    --------
    >>> poll = Poll(lambda: 7, 0.0)
    >>> poll.ask()
    >>> poll.wait(5.0)
    >>> poll.answer
    7
    """

    def __init__(self, task: Callable[[], T], every: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._task, self._every, self._clock = task, every, clock
        self.answer: T | None = None
        self.error: LabError | None = None
        self._asked: float | None = None
        self._answered: float | None = None
        self._first: float | None = None
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        """Ask, if it is time and no question is under way; returns at once."""
        now = self._clock()
        self._first = now if self._first is None else self._first
        if self.busy or (self._asked is not None and now - self._asked < self._every):
            return
        self._asked = now
        self._thread = threading.Thread(target=self._run, name="desk poll", daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Let the next `ask` ask, be it time or not."""
        self._asked = None

    @property
    def busy(self) -> bool:
        """Whether a question is under way."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def silent(self) -> float:
        """Seconds since the last good answer, or since the first question."""
        since = self._first if self._answered is None else self._answered
        return 0.0 if since is None else self._clock() - since

    def wait(self, seconds: float) -> None:
        """Wait for the question that is under way, at most so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self.answer = self._task()
        except LabError as err:
            self.error = err
        except Exception as err:  # noqa: BLE001  (the outermost loop of a thread: whoever looks is told)
            self.error = LabError(f"This went wrong unexpectedly: {type(err).__name__}: {err}.")
        else:
            self.error, self._answered = None, self._clock()


@dataclass(frozen=True, slots=True)
class Said:
    """What a broker said.

    Parameters
    ----------
    account : AccountView
        The account.
    positions : mapping of str to Decimal, optional
        Shares by symbol; None where only the account was asked for.
    orders : mapping of str to OrderView
        Orders that are open, and those that were asked for, by the broker's id.
    prices : mapping of str to Decimal
        Last prices of what is held and ordered, in dollars.
    """

    account: AccountView
    positions: Mapping[str, Decimal] | None = None
    orders: Mapping[str, OrderView] = field(default_factory=dict)
    prices: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a broker is to be asked for; venues allow so many questions a minute, which orders need as well.

    Parameters
    ----------
    whole : bool
        Whether positions and orders are asked for; not where a desk at work is told of them and writes them down.
    orders : sequence of str
        The broker's ids of orders to be asked for beside those that are open.
    symbols : sequence of str
        Whose last prices are asked for beside those of what is held and ordered.
    """

    whole: bool = True
    orders: Sequence[str] = ()
    symbols: Sequence[str] = ()


class Venue:
    """Asks a broker how an account is, over connections that are kept.

    Parameters
    ----------
    settings : Settings
        Of the machine.
    wanted : callable
        Says what is asked for.
    """

    def __init__(self, settings: Settings, wanted: Callable[[], Wanted]) -> None:
        self._settings, self._wanted = settings, wanted
        self._parts: tuple[Any, Any] | None = None

    def ask(self) -> Said:
        """What the broker says now.

        Raises
        ------
        SetupError
            If there are no keys.
        VenueError
            If it does not answer.
        """
        broker, venue = self._connected()
        account, wanted = broker.account(), self._wanted()
        if not wanted.whole:
            return Said(account, prices=_last_prices(venue, set(wanted.symbols)))
        held, orders = broker.positions(), {one.id: one for one in broker.orders()}
        missing = [broker.order(name) for name in wanted.orders if name not in orders]
        orders |= {one.id: one for one in missing if one is not None}
        symbols = {*held, *wanted.symbols, *(one.symbol for one in orders.values() if one.open)}
        return Said(account, held, orders, _last_prices(venue, symbols))

    def _connected(self) -> tuple[Any, Any]:
        """The broker, and who knows market data."""
        if self._parts is None:
            from qtw_lab.lab.paper import remote
            from qtw_lab.venues.alpaca import AlpacaReference
            from qtw_lab.venues.alpaca_broker import AlpacaBroker

            remote(self._settings).close()  # type: ignore[attr-defined]  # says what is missing, in words of this package
            self._parts = (
                AlpacaBroker(self._settings, timeout=_TIMEOUT), AlpacaReference(self._settings, timeout=_TIMEOUT)
            )  # fmt: skip
        return self._parts


def _last_prices(venue: Reference, symbols: Collection[str]) -> dict[str, Decimal]:
    """Last prices in dollars, or none where market data is not to be had: the account is known all the same."""
    from qtw_lab.live.trading.lasting import last_seen

    try:
        return {symbol: Decimal(repr(one.last)) for symbol, one in last_seen(venue, symbols).items()}
    except LabError:
        return {}
