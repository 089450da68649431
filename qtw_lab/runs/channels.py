"""Notices and the ways they may go, as a schedule writes them down: checked when read, not when something failed."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import SplitResult, unquote, urlsplit

import pandas as pd
from pydantic import SecretStr

from qtw_lab.core.errors import DataError, SetupError
from qtw_lab.core.lookup import lookup
from qtw_lab.core.settings import Settings, secret_from_reference
from qtw_lab.runs.secrecy import SHORTEST_REFERENCED, Redactor

#: What can happen that somebody may want to be told of.
STATUSES: Final = ("ok", "failed", "missed", "skipped")
_USUAL: Final = ("failed", "missed")

#: What may stand in braces in the words of a command.
PLACEHOLDERS: Final = ("title", "text", "entry", "status", "run", "moment", "report")
_BRACES: Final = re.compile(r"\{(\w*)\}")
_ADDRESS: Final = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+")
_PORTS: Final = {"smtp": 587, "smtps": 465, "http": 80, "https": 443}


@dataclass(frozen=True)
class Notice:
    """What is told.

    Parameters
    ----------
    title : str
        One line.
    text : str
        The rest.
    entry : str
        Name of the schedule's entry.
    status : str
        One of `STATUSES`.
    run : str or None
        Id of the run, if there was one.
    moment : pandas.Timestamp
        When it happened.
    report : pathlib.Path or None
        Where the report lies.
    """

    title: str
    text: str
    entry: str
    status: str
    run: str | None
    moment: pd.Timestamp
    report: Path | None = None

    def as_dict(self) -> dict[str, str]:
        """Plain texts; empty where there is none."""
        return {
            "title": self.title, "text": self.text, "entry": self.entry, "status": self.status, "run": self.run or "",
            "moment": self.moment.isoformat(), "report": "" if self.report is None else str(self.report),
        }  # fmt: skip

    def masked(self, redactor: Redactor) -> Self:
        """The notice with secrets masked and the title on one line."""
        plain = {name: redactor.text(text.replace("\0", "")) for name, text in self.as_dict().items()}
        return replace(
            self, title=" ".join(plain["title"].split()), text=plain["text"], entry=plain["entry"],
            run=plain["run"] or None, report=Path(plain["report"]) if plain["report"] else None,
        )  # fmt: skip


@dataclass(frozen=True)
class Terms:
    """What sending needs to know of this machine.

    Parameters
    ----------
    redactor : Redactor
        Secrets that no notice may hold.
    smtp_url : SecretStr or None
        The mail server: ``smtp://user:password@host:port`` (encrypted by STARTTLS where the server can) or ``smtps://``.
    mail_from : str or None
        Sender of mail.
    webhook_hosts : tuple of str
        Hosts beside this machine that webhooks may go to, as ``host`` or ``host:port``.
    patience : float
        Seconds that a server or a command may take.
    tls : ssl.SSLContext or None
        How certificates are checked; the system's way by default.
    """

    redactor: Redactor
    smtp_url: SecretStr | None = None
    mail_from: str | None = None
    webhook_hosts: tuple[str, ...] = ()
    patience: float = 20.0
    tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, settings: Settings, redactor: Redactor) -> Self:
        """What the settings say."""
        hosts = tuple(host.strip() for host in settings.qtw_webhook_hosts.split(",") if host.strip())
        return cls(redactor, settings.qtw_smtp_url, settings.qtw_mail_from, hosts)

    def server(self) -> SplitResult:
        """The mail server's address in parts.

        Raises
        ------
        SetupError
            If it is not set, or is no such address; it is not repeated.
        """
        url = urlsplit("" if self.smtp_url is None else self.smtp_url.get_secret_value())
        if not self.mail_from or url.scheme not in ("smtp", "smtps") or not url.hostname:
            raise SetupError(
                "Mail needs QTW_SMTP_URL, such as smtps://user:password@mail.example.com:465, and QTW_MAIL_FROM, the "
                "sender's address."
            )
        return url

    def masking(self, target: tuple[str, ...]) -> Redactor:
        """The redactor that knows the mail server's password too, and a webhook's address that is a secret."""
        url = self.smtp_url.get_secret_value() if self.smtp_url else ""
        more = {"QTW_SMTP_URL": url, "the password in QTW_SMTP_URL": unquote(urlsplit(url).password or "")}
        for word in target:
            if word.startswith("env:"):
                more[word.removeprefix("env:")] = secret_from_reference(word).get_secret_value()
        known = {name: value for name, value in more.items() if len(value) >= SHORTEST_REFERENCED}
        return Redactor({**self.redactor.secrets, **known})


@dataclass(frozen=True)
class Channel:
    """One entry of ``notify``.

    Parameters
    ----------
    way : str
        "command", "mail", "webhook" or "desktop".
    target : tuple of str
        The words of the command, the addresses, or the URL (which may be ``env:NAME``).
    on : tuple of str
        Of what it tells: some of `STATUSES`.
    """

    way: str
    target: tuple[str, ...] = field(default=(), repr=False)
    on: tuple[str, ...] = _USUAL

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> Self:
        """The channel that an entry such as ``{mail = "a@b.c", on = ["failed"]}`` describes.

        Raises
        ------
        DataError
            With what is wrong and what would work.

        Examples
        --------
        >>> Channel.read({"desktop": True, "on": ["ok"]})
        Channel(way='desktop', on=('ok',))
        """
        if not isinstance(plain, Mapping):
            raise DataError(f'{plain!r:.80} is not an entry of notify; write one as {{mail = "you@example.com"}}.')
        for key in plain:
            lookup(key, dict.fromkeys(("on", *_TARGETS)), "key of notify")
        ways = [key for key in plain if key in _TARGETS]
        if len(ways) != 1:
            raise DataError(
                f"An entry of notify has one of {', '.join(_TARGETS)}, not {' and '.join(ways) or 'none'}. "
                "Write an entry for each."
            )
        return cls(ways[0], _TARGETS[ways[0]](plain[ways[0]]), _statuses(plain.get("on", list(_USUAL))))

    def wants(self, status: str) -> bool:
        """Whether it tells of this."""
        return status in self.on

    def check(self, terms: Terms) -> None:
        """Refuse a channel that cannot work with these terms.

        Raises
        ------
        SetupError
            If there is no mail server, a variable is not set, or a webhook's host is not listed.
        """
        if self.way == "mail":
            port_of(terms.server())
        if self.way == "webhook":
            webhook(self, terms)


def webhook(channel: Channel, terms: Terms) -> SplitResult:
    """Where a webhook goes, in parts: this machine, or a host that is listed.

    Raises
    ------
    SetupError
        If it goes elsewhere; the message names the host and no more of it.
    """
    (word,) = channel.target
    url = urlsplit(secret_from_reference(word).get_secret_value() if word.startswith("env:") else word)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise SetupError(f"The address of the webhook {word} is not a URL such as https://hooks.example.com/path.")
    listed = {host.lower() for host in terms.webhook_hosts}
    names = {url.hostname, f"{url.hostname}:{port_of(url)}"}
    if not is_loopback(url.hostname) and not names & listed:
        raise SetupError(
            f"Webhooks go to this machine and to the hosts in QTW_WEBHOOK_HOSTS only, and {url.hostname} is not among "
            "them. Add it there if you trust it."
        )
    return url


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine's own.

    Examples
    --------
    >>> [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "127.evil.example")]
    [True, True, True, False]
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def port_of(url: SplitResult) -> int:
    """The port an address names, or the usual one of its scheme.

    Raises
    ------
    SetupError
        If what stands there is no port.
    """
    try:
        return url.port or _PORTS[url.scheme]
    except ValueError:
        raise SetupError(f"The address of {url.hostname} has a port that is none; use a number up to 65535.") from None


def _statuses(plain: Any) -> tuple[str, ...]:
    if isinstance(plain, str) or not isinstance(plain, list) or not plain:
        raise DataError(f"on = {json.dumps(plain, default=str)} must be a list of some of {', '.join(STATUSES)}.")
    return tuple(lookup(status, {known: known for known in STATUSES}, "status") for status in plain)


def _command(plain: Any) -> tuple[str, ...]:
    if not isinstance(plain, list) or not plain or not all(isinstance(word, str) and word for word in plain):
        raise DataError('command must be a list of words, such as ["notify", "{title}"]; no shell reads it.')
    for word in plain:
        for name in _BRACES.findall(word):
            lookup(name, dict.fromkeys(PLACEHOLDERS), "placeholder in a command")
    return tuple(plain)


def _mail(plain: Any) -> tuple[str, ...]:
    addresses = [plain] if isinstance(plain, str) else plain
    if not isinstance(addresses, list) or not addresses or not all(
        isinstance(one, str) and _ADDRESS.fullmatch(one) for one in addresses
    ):  # fmt: skip
        raise DataError(f"mail = {json.dumps(plain, default=str)} must be an address such as a@b.c, or a list of some.")
    return tuple(addresses)


def _webhook(plain: Any) -> tuple[str, ...]:
    text = plain if isinstance(plain, str) else ""
    try:
        url = urlsplit(text)
    except ValueError:
        url = urlsplit("")
    if text.startswith("env:") and text.removeprefix("env:").isidentifier():
        return (text,)
    if url.scheme not in ("http", "https") or not url.hostname or "@" in url.netloc:
        raise DataError(
            "webhook must be a URL such as https://hooks.example.com/path without a password in it, or env:NAME, a "
            "variable that holds one. It is not repeated here: it may be a secret."
        )
    return (text,)


def _desktop(plain: Any) -> tuple[str, ...]:
    if plain is not True:
        raise DataError(f"desktop = {json.dumps(plain, default=str)} must be true; leave the entry out otherwise.")
    return ()


_TARGETS: Final[Mapping[str, Callable[[Any], tuple[str, ...]]]] = {
    "command": _command, "mail": _mail, "webhook": _webhook, "desktop": _desktop,
}  # fmt: skip
