"""Telling somebody how a run went: by a command, mail, a webhook or the desktop, and never with a secret in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import unquote

from qtw_lab.core.errors import LabError, RunError
from qtw_lab.runs.channels import STATUSES, Channel, Notice, Terms, is_loopback, port_of, webhook

__all__ = ["STATUSES", "Channel", "Notice", "Terms", "send"]

_LONGEST_FAULT: Final = 500
_LONGEST_ANSWER: Final = 65_536


def send(notice: Notice, channel: Channel, terms: Terms) -> None:
    """Tell what happened, once.

    Every text passes the redactor first. A server or command that takes longer than the terms permit is given up.

    Parameters
    ----------
    notice : Notice
        What happened.
    channel : Channel
        Which way.
    terms : Terms
        What this machine knows of mail servers and hosts.

    Raises
    ------
    RunError
        If it did not get through; the message holds no secret either.
    """
    fault, redactor = "", terms.redactor
    try:
        redactor = terms.masking(channel.target)
        _SENDERS[channel.way](notice.masked(redactor), channel, terms)
    except LabError as err:
        fault = str(err)
    except (OSError, smtplib.SMTPException, HTTPException, subprocess.SubprocessError, ValueError) as err:
        fault = f"{type(err).__name__}: {err}"
    if fault:  # out here the error has no context, which could carry a secret along
        shown = " ".join(redactor.text(fault).split())
        raise RunError(f"The notice did not get through by {channel.way}: {shown[:_LONGEST_FAULT]}")


def _by_command(notice: Notice, channel: Channel, terms: Terms) -> None:
    texts = notice.as_dict()
    words = [re.sub(r"\{(\w+)\}", lambda found: texts[found[1]], word) for word in channel.target]
    _run(words, json.dumps(texts, ensure_ascii=False), terms.patience)


def _by_desktop(notice: Notice, _: Channel, terms: Terms) -> None:
    program = shutil.which("notify-send")
    if program is None:
        raise RunError("there is no notify-send here. Install it (Debian: libnotify-bin), or choose another way.")
    _run([program, "--app-name=QTW Lab", "--", notice.title, notice.text], "", terms.patience)


def _run(words: Sequence[str], given: str, patience: float) -> None:
    """Run a program to its end, without a shell, in a process group of its own that ends with it."""
    with tempfile.TemporaryFile() as said:  # a file, not a pipe: what the program leaves running must not hold us up
        program = subprocess.Popen(  # noqa: S603  (the words of the schedule's owner; no shell reads them)
            list(words), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
        )
        try:
            program.communicate(given.encode(), timeout=patience)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
            raise RunError(f"{words[0]} took longer than {patience:g} s and was ended.") from None
        if program.returncode:
            said.seek(max(0, said.tell() - _LONGEST_FAULT))
            words_of_it = said.read().decode("utf-8", errors="replace").strip()
            raise RunError(f"{words[0]} ended with {program.returncode}. {words_of_it}")


def _by_mail(notice: Notice, channel: Channel, terms: Terms) -> None:
    url, sender = terms.server(), terms.mail_from or ""
    texts = notice.as_dict()
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = notice.title, sender, ", ".join(channel.target)
    message["Date"] = format_datetime(notice.moment.to_pydatetime(warn=False))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2] or "localhost")
    rows = [f"{name}: {texts[name]}" for name in ("entry", "status", "run", "moment", "report") if texts[name]]
    message.set_content("\n".join([notice.text, "", *rows]) + "\n")
    tls = terms.tls or ssl.create_default_context()
    host, port = url.hostname or "", port_of(url)
    # The name we greet with: an address says nothing about this machine, and is not looked up.
    ours = "[127.0.0.1]"
    with (
        smtplib.SMTP_SSL(host, port, ours, timeout=terms.patience, context=tls)
        if url.scheme == "smtps"
        else smtplib.SMTP(host, port, ours, timeout=terms.patience)
    ) as client:
        client.ehlo()
        if url.scheme == "smtp" and client.has_extn("starttls"):
            client.starttls(context=tls)
        elif url.scheme == "smtp" and url.password and not is_loopback(host):
            raise RunError(f"{host} offers no encryption, and the password is not sent without. Use smtps://.")
        if url.username:
            client.login(unquote(url.username), unquote(url.password or ""))
        refused = client.send_message(message)
    if refused:
        raise RunError(f"{host} did not take it for {', '.join(refused)}.")


def _by_webhook(notice: Notice, channel: Channel, terms: Terms) -> None:
    """POST the notice as JSON; no proxy is asked, and a redirection is not followed."""
    url = webhook(channel, terms)
    host = url.hostname or ""
    secure = {"context": terms.tls or ssl.create_default_context()} if url.scheme == "https" else {}
    kind: type[HTTPConnection] = HTTPSConnection if secure else HTTPConnection
    connection = kind(host, port_of(url), timeout=terms.patience, **secure)  # type: ignore[arg-type]
    try:
        body = json.dumps(notice.as_dict(), ensure_ascii=False).encode()
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection.request("POST", path, body, {"Content-Type": "application/json", "User-Agent": "qtw-lab"})
        answer = connection.getresponse()
        answer.read(_LONGEST_ANSWER)
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        hint = " Redirections are not followed; give the address it leads to." if answer.status // 100 == 3 else ""
        raise RunError(f"{host} answered {answer.status} {answer.reason}.{hint}")


_SENDERS: Final[Mapping[str, Callable[[Notice, Channel, Terms], None]]] = {
    "command": _by_command, "mail": _by_mail, "webhook": _by_webhook, "desktop": _by_desktop,
}  # fmt: skip
