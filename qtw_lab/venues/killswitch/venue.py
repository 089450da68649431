"""What a kill switch needs of Alpaca's trading side by REST: to look, to cancel everything, and to close everything."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from qtw_lab.core.errors import DataError, LabError, SetupError, VenueError
from qtw_lab.core.extras import need
from qtw_lab.ledger.amounts import number

_EXTRA: Final = "live"
_UNKNOWN: Final = Decimal("NaN")
#: Answers that will not change by asking again: the keys are wrong, or may not do this.
_REFUSED: Final = (401, 403)
_MOST_ORDERS: Final = 500
#: Hosts that a connection without TLS may go to.
_HERE: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the venue is waited for, in seconds, and how often it is asked.

    Parameters
    ----------
    connecting, reading : float
        For a connection, and for the next bytes of an answer.
    whole : float
        For one request from beginning to end, whatever it hangs in: a name server, or an answer that drips.
    attempts : int
        Requests for one question.
    pause, longest : float
        Before the second attempt, twice that before the third and so on; and at most. A venue that asks for a pause
        gets it, up to `longest`.
    """

    connecting: float = 3.0
    reading: float = 5.0
    whole: float = 8.0
    attempts: int = 3
    pause: float = 0.2
    longest: float = 2.0


_USUAL: Final = Patience()


@dataclass(frozen=True, slots=True)
class Account:
    """Equity in dollars, now and at the last close; NaN where the venue does not give a number."""

    equity: Decimal
    last_equity: Decimal


@dataclass(frozen=True, slots=True)
class Holding:
    """Signed shares of a symbol, how many of them no open order is about to give away, and their price (or NaN)."""

    symbol: str
    shares: Decimal
    free: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that may still fill."""

    id: str
    symbol: str
    kind: str


@dataclass(frozen=True, slots=True)
class VenueClock:
    """Whether the market is open by the venue's clock, and when it opens next, in the venue's words."""

    open: bool
    next_open: str


@dataclass(frozen=True, slots=True)
class Closing:
    """How far everything is closed; all empty where nothing is held.

    Parameters
    ----------
    sent : tuple of str
        Symbols for which an order was sent now.
    waiting : tuple of str
        Symbols whose closing order was open already, so none was sent.
    queued : tuple of str
        Symbols for which no order was sent because the market is closed: ask again at `next_open`.
    refused : mapping of str to str
        What the venue said against closing a symbol.
    next_open : str
        When the market opens, where something is queued.
    """

    sent: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    queued: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    next_open: str = ""

    @property
    def flat(self) -> bool:
        """Whether nothing was held."""
        return not (self.sent or self.waiting or self.queued or self.refused)


@dataclass(frozen=True, slots=True)
class _Failure:
    """A request that was not answered as it should be: the HTTP status, if there was one, and what was said."""

    status: int | None
    said: str
    wait: float = 0.0

    def error(self, what: str) -> LabError:
        """The error that says so."""
        if self.status in _REFUSED:
            mend = "Check ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY, and that they belong to this address."
            return SetupError(f"The venue answered {self.status} to {what}: {self.said}. {mend}")
        told = "did not answer" if self.status is None else f"answered {self.status} to"
        return VenueError(f"The venue {told} {what}: {self.said}. Try again.")


class Venue:
    """One account at Alpaca, or at a server that speaks its language, for halting.

    Every request has a limit of time and is sent a limited number of times. Sending again does no harm: to cancel what
    is canceled does nothing, and to close is asked of the venue as such ("whatever is held of it"), never as an order
    of so many shares, and only after looking at what is still held. The keys are in no error and no text.

    Parameters
    ----------
    url : str
        Root of the trading side, such as ``https://paper-api.alpaca.markets``, with or without ``/v2``; without TLS
        only on this machine.
    key, secret : pydantic.SecretStr
        The keys.
    patience : Patience
        How long to wait and how often to ask.
    sleep : callable
        Waits for so many seconds between attempts.

    Raises
    ------
    DataError
        If the address is none, or would carry the keys in the open.
    SetupError
        If a key is empty, or `requests` is not installed.

    Examples
    --------
    >>> Venue("https://paper-api.alpaca.markets", SecretStr("k"), SecretStr("s")).url
    'https://paper-api.alpaca.markets'
    """

    def __init__(
        self, url: str, key: SecretStr, secret: SecretStr, *, patience: Patience = _USUAL,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        parts = urlsplit(url)
        if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE)):
            raise DataError(
                f"An address of {parts.scheme or 'no scheme'} and {parts.hostname or 'no host'} is none for keys: give "
                "https://..., or http:// to this machine only."
            )
        if not key.get_secret_value() or not secret.get_secret_value():
            raise SetupError("A key of the venue is empty. Set ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY.")
        self.url, self._key, self._secret = url.rstrip("/").removesuffix("/v2"), key, secret
        self._patience, self._sleep = patience, sleep
        self._requests = need("requests", _EXTRA)
        self._session = self._opened()

    def account(self) -> Account:
        """The account's equity.

        Raises
        ------
        VenueError, SetupError
            If the venue does not answer, or refuses the keys. So do all the others.
        """
        body = self._ask("GET", "/v2/account", kind=dict)
        return Account(*(_amount(body.get(name)) for name in ("equity", "last_equity")))

    def clock(self) -> VenueClock:
        """Whether the market is open."""
        body = self._ask("GET", "/v2/clock", kind=dict)
        if not isinstance(body.get("is_open"), bool):
            raise VenueError("The venue's clock does not say whether the market is open. Try again.")
        return VenueClock(body["is_open"], str(body.get("next_open", "")))

    def positions(self) -> tuple[Holding, ...]:
        """Everything that is held."""
        return tuple(_holding(one) for one in self._ask("GET", "/v2/positions", kind=list))

    def open_orders(self) -> tuple[OpenOrder, ...]:
        """Orders that may still fill; where there are more than 500, the latest of them."""
        query = {"status": "open", "limit": str(_MOST_ORDERS)}
        return tuple(_order(one) for one in self._ask("GET", "/v2/orders", query, kind=list))

    def cancel_all(self) -> None:
        """Ask for every open order to be canceled; that they are is only known once `open_orders` says so."""
        self._ask("DELETE", "/v2/orders", kind=list)

    def close_all(self) -> Closing:
        """Send market orders that close everything that is held, once what is held has been looked at.

        Where the market is closed by the venue's clock nothing is sent, and the answer says what is queued. That it is
        closed is only known once a later call finds it `flat`.
        """
        failure = _Failure(None, "it was not asked")
        for attempt in range(self._patience.attempts):
            self._rest(attempt, failure.wait)
            holdings = self.positions()
            symbols = tuple(one.symbol for one in holdings)
            free = tuple(one.symbol for one in holdings if one.free)
            if not free:
                return Closing(waiting=symbols)
            clock = self.clock()
            if not clock.open:
                return Closing(queued=symbols, next_open=clock.next_open)
            answer = self._once("DELETE", "/v2/positions", {})
            if not isinstance(answer, _Failure):
                return _closing(symbols, free, answer, self._clean)
            failure = answer
            if answer.status in _REFUSED:
                break
        raise failure.error("DELETE /v2/positions")

    def close(self) -> None:
        """End the connections."""
        self._session.close()

    def _ask(self, method: str, path: str, query: Mapping[str, str] | None = None, *, kind: type) -> Any:
        """The body of a good answer of that kind, asked for again while that may help."""
        failure = _Failure(None, "it was not asked")
        for attempt in range(self._patience.attempts):
            self._rest(attempt, failure.wait)
            answer = self._once(method, path, query or {})
            if isinstance(answer, kind):
                return answer
            failure = answer if isinstance(answer, _Failure) else _Failure(None, "the body is not what was asked for")
            if failure.status in _REFUSED:
                break
        raise failure.error(f"{method} {path}")

    def _rest(self, attempt: int, asked: float) -> None:
        """Wait before another attempt; not before the first."""
        if attempt:
            pause = max(asked, self._patience.pause * 2.0 ** (attempt - 1))
            self._sleep(min(pause, self._patience.longest))

    def _once(self, method: str, path: str, query: Mapping[str, str]) -> Any:
        """The decoded body of one request, or a `_Failure`.

        It is sent by a thread of its own, which is left behind if it does not come back in time: no timeout of a
        library covers name servers, or an answer that never ends.
        """
        outcome: Future[Any] = Future()
        session = self._session

        def send() -> None:
            try:
                outcome.set_result(self._sent(session, method, path, query))
            except BaseException as err:  # noqa: BLE001  (it is raised again by whoever waits for the outcome)
                outcome.set_exception(err)

        threading.Thread(target=send, name="kill switch request", daemon=True).start()
        try:
            return outcome.result(self._patience.whole)
        except TimeoutError:
            self._session = self._opened()
            return _Failure(None, f"no answer within {self._patience.whole:g} s")

    def _sent(self, session: Any, method: str, path: str, query: Mapping[str, str]) -> Any:
        """As `_once`. Errors become values here: a library's own error may repeat what was sent."""
        errors = self._requests.exceptions
        try:
            answer = session.request(
                method, self.url + path, params=dict(query), allow_redirects=False,
                timeout=(self._patience.connecting, self._patience.reading),
            )  # fmt: skip
            status, content = int(answer.status_code), answer.content
        except errors.Timeout:
            return _Failure(None, "no answer within the time allowed")
        except (errors.RequestException, OSError, ValueError) as err:
            return _Failure(None, f"the connection failed ({type(err).__name__})")
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        if status in (200, 207) and body is not None:
            return body
        said = body.get("message") if isinstance(body, dict) else "the body is not JSON" if body is None else body
        return _Failure(status, self._clean(str(said)), _seconds(answer.headers.get("Retry-After", "")))

    def _opened(self) -> Any:
        session = self._requests.Session()
        session.headers.update({
            "APCA-API-KEY-ID": self._key.get_secret_value(), "APCA-API-SECRET-KEY": self._secret.get_secret_value(),
        })  # fmt: skip
        return session

    def _clean(self, text: str) -> str:
        """What the venue said, without the keys should it repeat them, on one line and not too long."""
        for secret in (self._key, self._secret):
            text = text.replace(secret.get_secret_value(), "***")
        return " ".join(text.split())[:200].rstrip(".")


def _amount(value: Any) -> Decimal:
    found = number(value)
    return _UNKNOWN if found is None else found


def _holding(one: Any) -> Holding:
    if not isinstance(one, dict) or not isinstance(one.get("symbol"), str) or number(one.get("qty")) is None:
        raise VenueError("The venue's positions cannot be read: one has no symbol or no quantity. Try again.")
    shares = _amount(one["qty"])
    shares = -abs(shares) if one.get("side") == "short" else shares
    free = number(one.get("qty_available"))
    return Holding(one["symbol"], shares, shares if free is None else free, _amount(one.get("current_price")))


def _order(one: Any) -> OpenOrder:
    if not isinstance(one, dict) or not one.get("id"):
        raise VenueError("The venue's open orders cannot be read: one has no id. Try again.")
    return OpenOrder(str(one["id"]), str(one.get("symbol", "")), str(one.get("type", "")))


def _closing(symbols: tuple[str, ...], free: tuple[str, ...], answer: Any, clean: Callable[[str], str]) -> Closing:
    """What came of closing, by the venue's list of orders; a symbol that is not in it was not closed."""
    said = {str(one.get("symbol")): one for one in answer if isinstance(one, dict)} if isinstance(answer, list) else {}
    refused = {symbol: _refusal(said.get(symbol, {}), clean) for symbol in free}
    refused = {symbol: words for symbol, words in refused.items() if words}
    sent = tuple(symbol for symbol in free if symbol not in refused)
    return Closing(sent=sent, waiting=tuple(symbol for symbol in symbols if symbol not in free), refused=refused)


def _refusal(said: Mapping[str, Any], clean: Callable[[str], str]) -> str:
    """What was said against closing a position; empty if its order was taken."""
    status, body = number(said.get("status")), said.get("body")
    if status is not None and 200 <= status < 300:
        return ""
    return clean(str(body.get("message", body))) if isinstance(body, dict) else "nothing was said of it"


def _seconds(text: str) -> float:
    """What a header asks to wait, where it says so in seconds."""
    return float(text) if text.isdecimal() else 0.0
