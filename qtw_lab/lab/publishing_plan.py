"""What a server of pages is told: where it listens, who may come in, and how long it keeps what nobody looks at."""

from __future__ import annotations

import ipaddress
import json
import socket
from dataclasses import asdict, dataclass, field
from typing import Final, Literal, Self

from qtw_lab.core import DataError

Kind = Literal["voila", "panel"]

#: Addresses that only this machine can reach.
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
#: Addresses that stand for every one of this machine.
_EVERY: Final = ("0.0.0.0", "::")  # noqa: S104  (named here so that a token is asked for; nothing is bound)

_PORTS: Final = range(65_536)
#: A token that people make up must not be guessed by trying.
_SHORTEST: Final = 16


@dataclass(frozen=True)
class Plan:
    """A server of pages.

    Parameters
    ----------
    kind : {"voila", "panel"}
        Who serves: Voila, with a kernel for every open page, or Panel's own server, which holds all in one process.
    ip : str
        Where it listens.
    port : int
        Where it listens; 0 for any that is free.
    token : str, optional
        Who wants to see a page has to know it; on another address than loopback there must be one.
    preheat : bool
        Whether Voila keeps one kernel ready for every page.
    idle : float
        Seconds after which a kernel that nobody looks at is ended.

    Raises
    ------
    DataError
        If the port cannot be one, the address is none, or the token is missing or short.

    Examples
    --------
    >>> Plan().open, Plan(ip="192.0.2.7", token="a-long-enough-token").open
    (True, False)
    """

    kind: Kind = "voila"
    ip: str = LOOPBACK[0]
    port: int = 8866
    token: str | None = field(default=None, repr=False)
    preheat: bool = False
    idle: float = 600.0

    def __post_init__(self) -> None:
        if self.port not in _PORTS:
            raise DataError(f"The port {self.port} is none; use 0 (any that is free) to {_PORTS[-1]}.")
        if not self.ip.strip() or any(sign in self.ip for sign in "/ @"):
            raise DataError(f"{self.ip!r} is no address of this machine; use one such as 127.0.0.1 or 0.0.0.0 (all).")
        if self.idle <= 0:
            raise DataError(f"A kernel cannot be ended after {self.idle:g} idle seconds; give a positive number.")
        if self.token is None and self.ip not in LOOPBACK:
            raise DataError(f"On {self.ip} others can reach the pages: a token is required there.")
        if self.token is not None and len(self.token) < _SHORTEST:
            raise DataError(
                f"The token of the pages is too short to keep anybody out: use {_SHORTEST} characters or more, or "
                "leave QTW_DASHBOARDS_TOKEN empty and a new one is made at each start."
            )

    @property
    def open(self) -> bool:
        """Whether whoever reaches the address may see the pages."""
        return self.token is None

    def hosts(self) -> frozenset[str]:
        """The names that this server answers to; another one means that a name was pointed here to get past us."""
        if self.ip in LOOPBACK:
            return frozenset(LOOPBACK)
        name = socket.gethostname().lower()
        return frozenset({*LOOPBACK, self.ip.lower(), name, f"{name}.local"})

    def answers_to(self, host: str) -> bool:
        """Whether a request for this host, without its port, is meant for this server.

        Examples
        --------
        >>> Plan().answers_to("localhost"), Plan().answers_to("rebound.example")
        (True, False)
        """
        bare = host.strip("[]").lower()
        return bare in self.hosts() or (self.ip in _EVERY and _is_address(bare))

    def origins(self) -> list[str]:
        """Hosts whose pages may open a websocket here, for a server that wants them listed."""
        return ["*"] if self.ip in _EVERY else sorted(self.hosts())

    def url(self, port: int) -> str:
        """Where a browser finds the server that listens on this port."""
        ip = _reachable() if self.ip in _EVERY else self.ip
        return f"http://{f'[{ip}]' if ':' in ip else ip}:{port}/"

    def to_json(self) -> str:
        """One line, for the pipe into the server; it may hold the token."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Self:
        """The plan that `to_json` wrote."""
        return cls(**json.loads(line))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _reachable() -> str:
    """The address of this machine that others see; loopback where it has no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # chooses the way out; a datagram socket sends nothing by this
        except OSError:
            return LOOPBACK[0]
        return str(asking.getsockname()[0])
