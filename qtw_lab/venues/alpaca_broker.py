"""Alpaca's trading side as a `Broker`: one request at a time, and nothing that changes anything is sent twice.

The paper endpoint is the default. The live one needs two settings and a sentence typed by a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from qtw_lab.core import Clock, Settings, SetupError, SystemClock, VenueError
from qtw_lab.data.alpaca import TIMEOUT, TRADING, Client
from qtw_lab.data.pages import Failure, answer
from qtw_lab.data.ratelimit import shared_limit
from qtw_lab.ledger.amounts import plain
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.brokers import AccountView, FillView, LostAnswerError, OrderView, need_name, oldest_first
from qtw_lab.venues.wire.values import moment_text

#: Where orders cost money.
LIVE_HOST: Final = "api.alpaca.markets"
#: What a person has to type, before anything is sent there.
SENTENCE: Final = "I trade with real money"

#: Requests a minute that the trading side allows an account. Source: Alpaca's documentation, "usage limits".
_PER_MINUTE: Final = 200
_PAGE: Final = 500
_FILLS: Final = 100
#: Statuses of answers that say that the request was looked at and not carried out.
_REFUSALS: Final = frozenset({400, 401, 403, 404, 405, 409, 422})


class AlpacaBroker:
    """An account at Alpaca, or at anything that speaks its protocol; satisfies `brokers.Broker`.

    Questions are asked again while that may help. What changes something is sent once: an answer that says no is a
    `RefusedError`, a 429 was not carried out and is a `VenueError`, and everything else that is no answer is a
    `LostAnswerError`, after which `find` says what became of it.

    Parameters
    ----------
    settings : Settings
        Keys and `alpaca_trading_rest_url`: Alpaca's paper endpoint where it is not set.
    clock : Clock, optional
        Waits.
    timeout : pair of float
        Seconds to wait for a connection, and for the next bytes of an answer.
    confirmation : str
        For the live endpoint: `SENTENCE`, typed by a person.

    Raises
    ------
    SetupError
        If alpaca-py or the keys are missing, or the live endpoint is named without the setting `alpaca_live_trading`
        or without the sentence.
    """

    def __init__(
        self, settings: Settings, clock: Clock | None = None, timeout: tuple[float, float] = TIMEOUT, *,
        confirmation: str = "",
    ) -> None:  # fmt: skip
        _allowed(settings, confirmation)
        self._clock = SystemClock() if clock is None else clock
        self._client = Client(TRADING, settings, timeout)
        key = settings.secret("ALPACA_API_KEY_ID").get_secret_value()
        self._limit = shared_limit(f"trading {key}", _PER_MINUTE, self._clock)

    @property
    def name(self) -> str:
        """What it is called."""
        return "alpaca"

    @property
    def turns(self) -> bool:
        """Whether one order may close a position and open the opposite one."""
        return False

    def account(self) -> AccountView:
        """The account."""
        return AccountView.of(self._asked("/account", {}, _is_object))

    def positions(self) -> dict[str, Decimal]:
        """Shares held by symbol, negative where sold short."""
        found = self._asked("/positions", {}, _is_list)
        try:
            held = {str(one["symbol"]): Decimal(str(one["qty"])) * _sign(one) for one in found}
        except (KeyError, TypeError, ArithmeticError) as err:
            raise VenueError(f"The broker's positions cannot be read ({type(err).__name__}).") from err
        return dict(sorted(held.items()))

    def orders(self, status: str = "open", after: int | None = None) -> list[OrderView]:
        """Orders that are open, closed, or all, created after a moment, oldest first, legs among them."""
        found: dict[str, OrderView] = {}
        asked: dict[str, Any] = {"status": status, "limit": _PAGE, "direction": "desc", "nested": "false"}
        if after is not None:
            asked["after"] = moment_text(after)
        while True:
            page = [OrderView.of(one) for one in self._asked("/orders", asked, _is_list)]
            news = [order for order in page if order.id not in found]
            found |= {order.id: order for order in news}
            if len(page) < _PAGE or not news:
                return oldest_first(list(found.values())[::-1])
            asked["until"] = moment_text(min(order.created for order in page) + 1)

    def order(self, order_id: str) -> OrderView | None:
        """An order by the broker's name for it, with its legs; None if there is none."""
        return self._found(f"/orders/{order_id}", {"nested": "true"})

    def find(self, client_order_id: str) -> OrderView | None:
        """An order by our name for it; None if there is none."""
        return self._found("/orders:by_client_order_id", {"client_order_id": client_order_id})

    def fills(self, after: int | None = None) -> list[FillView]:
        """Fills after a moment, oldest first."""
        asked: dict[str, Any] = {"direction": "asc", "page_size": _FILLS}
        if after is not None:
            asked["after"] = moment_text(after)
        found: list[FillView] = []
        while True:
            page = [FillView.of(one) for one in self._asked("/account/activities/FILL", asked, _is_list)]
            found += page
            if len(page) < _FILLS:
                return found
            asked["page_token"] = page[-1].id

    def submit(self, ticket: Ticket) -> OrderView:
        """Send an order, which must have a `client_order_id`."""
        need_name(ticket)
        return OrderView.of(self._sent("POST", "/orders", body_of(ticket)))

    def amend(self, order_id: str, **changes: Any) -> OrderView:
        """Replace an order; changes as for `Ticket.amended`."""
        said = {name: plain(value) if isinstance(value, Decimal) else value for name, value in changes.items()}
        return OrderView.of(self._sent("PATCH", f"/orders/{order_id}", {k: v for k, v in said.items() if v}))

    def cancel(self, order_id: str) -> None:
        """Cancel an order."""
        self._sent("DELETE", f"/orders/{order_id}")

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def _asked(self, path: str, parameters: Mapping[str, Any], fault: Callable[[Any], str]) -> Any:
        return answer(lambda: self._client.ask(path, parameters), self._limit, self._clock, fault, path)

    def _found(self, path: str, parameters: Mapping[str, Any]) -> OrderView | None:
        """An order, or None where the venue says that there is none."""
        missing = False

        def ask() -> Any:
            nonlocal missing
            said = self._client.ask(path, parameters)
            missing = isinstance(said, Failure) and said.status == 404
            return {} if missing else said

        said = answer(ask, self._limit, self._clock, _is_object, path)
        return None if missing else OrderView.of(said)

    def _sent(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send what changes something, once."""
        self._limit.acquire()
        said = self._client.send(method, path, body)
        if not isinstance(said, Failure):
            return said
        if said.status in _REFUSALS:
            raise RefusedError(said.status or 0, said.text, said.code)
        if said.status == 429:
            self._limit.hold(said.pause(1, self._clock.now()))
            raise VenueError(f"Alpaca answered 429 to {method} {path}: it was not carried out. Try again later.")
        raise LostAnswerError(
            f"{method} {path} was sent, and the answer was {said.status or 'none'} ({said.text}): whether it was "
            "carried out is not known. Ask for the order by its client_order_id."
        )


def body_of(ticket: Ticket) -> dict[str, Any]:
    """A ticket as Alpaca's POST of an order has it.

    Examples
    --------
    >>> body = body_of(Ticket("X", "buy", "limit", "day", qty=Decimal(5), limit_price=Decimal("9.50")))
    >>> body["type"], body["qty"], body["limit_price"]
    ('limit', '5', '9.5')
    """
    body: dict[str, Any] = {
        "symbol": ticket.symbol, "side": ticket.side, "type": ticket.kind, "time_in_force": ticket.time_in_force,
        "client_order_id": ticket.client_order_id,
    }  # fmt: skip
    for name in ("qty", "notional", "limit_price", "stop_price", "trail_price", "trail_percent"):
        value = getattr(ticket, name)
        if value is not None:
            body[name] = plain(value)
    if ticket.extended_hours:
        body["extended_hours"] = True
    if ticket.shape != "simple":
        body["order_class"] = ticket.shape
    if ticket.target is not None and ticket.target.limit is not None:
        body["take_profit"] = {"limit_price": plain(ticket.target.limit)}
    if ticket.stop_loss is not None:
        prices = {"stop_price": ticket.stop_loss.stop, "limit_price": ticket.stop_loss.limit}
        body["stop_loss"] = {name: plain(value) for name, value in prices.items() if value is not None}
    return body


def _allowed(settings: Settings, confirmation: str) -> None:
    """Refuse to trade with real money unless two settings and a person say so."""
    host = urlsplit(settings.alpaca_trading_rest_url or "").hostname
    if host != LIVE_HOST:
        return
    if not settings.alpaca_live_trading or confirmation != SENTENCE:
        raise SetupError(
            f"{LIVE_HOST} trades with real money. Set ALPACA_LIVE_TRADING=true beside ALPACA_TRADING_REST_URL, and "
            f"give the confirmation {SENTENCE!r}; or leave ALPACA_TRADING_REST_URL out for the paper account."
        )


def _sign(position: Mapping[str, Any]) -> int:
    """-1 where a position is short but its quantity is told without a sign."""
    return -1 if position.get("side") == "short" and not str(position["qty"]).startswith("-") else 1


def _is_list(body: Any) -> str:
    return "" if isinstance(body, list) else f"the body is {type(body).__name__}, not a list"


def _is_object(body: Any) -> str:
    return "" if isinstance(body, dict) else f"the body is {type(body).__name__}, not an object"
