"""What becomes of our orders, as the venue tells it: the trade-updates stream, read in a thread of its own.

The stream tells of what happens while somebody listens; what happened in a break is never told again. So every link is
announced, and whoever reads has to compare accounts then.

Source: Alpaca's document "Websocket Streaming" (docs.alpaca.markets): authenticate, listen, JSON in binary frames.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from qtw_lab.core import Settings, VenueError
from qtw_lab.core.extras import need
from qtw_lab.venues.backoff import Backoff, Trouble
from qtw_lab.venues.feeds import steady
from qtw_lab.venues.link import QUIET, Access

_EXTRA: Final = "live"

#: Where Alpaca tells of the orders of a paper account.
PAPER: Final = "wss://paper-api.alpaca.markets/stream"
#: How often a silent link is asked for a sign of life, and how long one may take, in seconds.
_PING, _PONG = 10.0, 10.0
_STREAM: Final = "trade_updates"

What = Literal["up", "down", "update", "fatal"]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that the stream told, or that happened to it.

    Parameters
    ----------
    received : int
        Nanoseconds since 1970, UTC.
    what : {"up", "down", "update", "fatal"}
        "up": from now on every change is told, and what happened before may not have been. "down": nothing comes until
        the next "up". "fatal": nothing comes any more; the keys are refused.
    content : mapping
        Of an update: its event, order and the rest, in Alpaca's words; else the reason.
    """

    received: int
    what: What
    content: Mapping[str, Any]


class TradeUpdates:
    """The trade-updates stream of an account, which connects again whenever it breaks.

    Parameters
    ----------
    access : Access
        Address and keys.
    backoff : Backoff, optional
        Pauses between attempts.
    connecting : float
        Seconds until it has to be signed in.
    now : callable
        The time in nanoseconds.

    Examples
    --------
    >>> from pydantic import SecretStr
    >>> updates = TradeUpdates(Access("ws://127.0.0.1:9/stream", SecretStr("key"), SecretStr("secret")))
    >>> updates.read(0.0), updates.listening
    ([], False)
    """

    def __init__(
        self,
        access: Access,
        *,
        backoff: Backoff | None = None,
        connecting: float = 10.0,
        now: Callable[[], int] = steady,
    ) -> None:
        self._access, self._connecting, self._now = access, connecting, now
        self._backoff = Backoff() if backoff is None else backoff
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._socket: Any = None
        #: Whether every change is being told now.
        self.listening = False

    def open(self) -> None:
        """Begin to listen; returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="trade updates", daemon=True)
            self._thread.start()

    def read(self, seconds: float) -> list[Told]:
        """What was told since; waits for the first at most that long."""
        found: list[Told] = []
        try:
            found.append(self._told.get(timeout=seconds) if seconds > 0 else self._told.get_nowait())
            while True:
                found.append(self._told.get_nowait())
        except queue.Empty:
            return found

    def close(self) -> None:
        """End, and wait for the thread."""
        self._ended.set()
        socket = self._socket
        if socket is not None:
            socket.close()
        if self._thread is not None:
            self._thread.join(2 * _PONG)

    def _run(self) -> None:
        while not self._ended.is_set():
            trouble = self._listened()
            if self.listening:
                self.listening = False
                self._tell("down", reason=trouble.reason)
            if trouble.verdict == "fatal":
                self._tell("fatal", reason=trouble.reason)
                return
            self._ended.wait(self._backoff.pause(trouble))

    def _listened(self) -> Trouble:
        """Connect, listen until the link ends, and say why it did."""
        library, errors = need("websockets.sync.client", _EXTRA), need("websockets.exceptions", _EXTRA)
        began = self._now()
        try:
            with library.connect(
                self._access.address, open_timeout=self._connecting, ping_interval=_PING, ping_timeout=_PONG,
                close_timeout=1.0, compression=None, proxy=None, max_size=1 << 24, logger=QUIET,
            ) as socket:  # fmt: skip
                self._socket = socket
                trouble = self._signed_in(socket)
                return trouble if trouble is not None else self._heard(socket)
        except errors.ConnectionClosed as err:
            return Trouble(f"the stream of updates was closed ({type(err).__name__})")
        except (errors.WebSocketException, OSError, TimeoutError, VenueError) as err:
            return Trouble(f"no connection to {self._access.place} ({type(err).__name__})")
        finally:
            self._socket = None
            self._backoff.good((self._now() - began) / 1e9 if self.listening else 0.0)

    def _signed_in(self, socket: Any) -> Trouble | None:
        """Show the keys and ask for the updates; what is wrong if that failed."""
        key, secret = self._access.key.get_secret_value(), self._access.secret.get_secret_value()
        socket.send(json.dumps({"action": "auth", "key": key, "secret": secret}))
        if _message(socket.recv(timeout=self._connecting))["data"].get("status") != "authorized":
            return Trouble("the keys were refused by the stream of updates", status=401)
        socket.send(json.dumps({"action": "listen", "data": {"streams": [_STREAM]}}))
        while True:
            said = _message(socket.recv(timeout=self._connecting))
            if said["stream"] == "listening":
                break
        if _STREAM not in said["data"].get("streams", ()):
            return Trouble("the stream of updates does not tell of trades")
        self.listening = True
        self._tell("up")
        return None

    def _heard(self, socket: Any) -> Trouble:
        while True:
            said = _message(socket.recv())
            if said["stream"] == _STREAM:
                self._told.put(Told(self._now(), "update", said["data"]))

    def _tell(self, what: What, **content: str) -> None:
        self._told.put(Told(self._now(), what, content))


def updates_access(settings: Settings) -> Access:
    """Address and keys of the trade-updates stream beside the trading address that the settings name.

    Raises
    ------
    SetupError
        If the keys are not set.

    Examples
    --------
    >>> keys = {"alpaca_api_key_id": "k", "alpaca_api_secret_key": "s", "_env_file": None}
    >>> updates_access(Settings(**keys)).address
    'wss://paper-api.alpaca.markets/stream'
    >>> updates_access(Settings(alpaca_trading_rest_url="http://127.0.0.1:8765", **keys)).address
    'ws://127.0.0.1:8765/stream'
    """
    root = settings.alpaca_trading_rest_url
    address = PAPER if root is None else f"ws{root.removeprefix('http').rstrip('/')}/stream"
    return Access(address, settings.secret("ALPACA_API_KEY_ID"), settings.secret("ALPACA_API_SECRET_KEY"))


def _message(content: str | bytes) -> Mapping[str, Any]:
    """A message of the stream.

    Raises
    ------
    VenueError
        If it is none.
    """
    try:
        said = json.loads(content)
        if isinstance(said["stream"], str) and isinstance(said["data"], dict):
            found: Mapping[str, Any] = said
            return found
    except (ValueError, KeyError, TypeError):
        pass
    raise VenueError("the stream of updates said something that is no message of it")
