"""A small mail server: it greets, encrypts, asks for a password, and keeps what it is given."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import email
import email.policy
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class MailServer(socketserver.ThreadingTCPServer):
    """What it is told to do, and what it was sent."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None, *, at_once: bool = False, login: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.tls, self.at_once, self.login = tls, at_once, login
        self.refused: tuple[str, ...] = ()
        self.mail: list[EmailMessage] = []
        self.talks: list[str] = []  #: what was said in the clear or not, a line each, without the mail itself

    @property
    def port(self) -> int:
        return self.server_address[1]


class _Talk(socketserver.StreamRequestHandler):
    """One client."""

    server: MailServer

    def handle(self) -> None:
        self.secure = False
        with contextlib.suppress(OSError, ssl.SSLError):
            if self.server.at_once:
                self._encrypt()
            self._say("220 small mail")
            while line := self.rfile.readline():
                words = line.decode().strip()
                self.server.talks.append(f"{'tls' if self.secure else 'clear'} {words}")
                if not self._answer(*words.partition(" ")[::2]):
                    return

    def _answer(self, verb: str, rest: str) -> bool:
        verb = verb.upper()
        if verb == "EHLO":
            more = ["STARTTLS"] if self.server.tls and not self.secure else []
            more += ["AUTH PLAIN"] if self.server.login else []
            names = ["small mail", *more]
            for name in names[:-1]:
                self._say(f"250-{name}")
            self._say(f"250 {names[-1]}")
        elif verb == "STARTTLS":
            self._say("220 go on")
            self._encrypt()
        elif verb == "AUTH":
            known = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")[1:] == self.server.login.split(":")
            self._say("235 welcome" if known else f"535 wrong: {rest}")
        elif verb == "RCPT":
            self._say("550 nobody" if any(one in rest for one in self.server.refused) else "250 known")
        elif verb == "DATA":
            self._say("354 go on")
            lines = iter(self.rfile.readline, b".\r\n")
            self.server.mail.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))
            self._say("250 kept")
        else:
            self._say("221 bye" if verb == "QUIT" else "250 fine")
        return verb != "QUIT"

    def _encrypt(self) -> None:
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.secure = True

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextlib.contextmanager
def served(server: socketserver.TCPServer) -> Iterator[socketserver.TCPServer]:
    """The server at work in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server that shows a certificate for this machine, and a client that trusts it."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")]),
    )
    now, day = dt.datetime.now(dt.UTC), dt.timedelta(days=1)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - day).not_valid_after(now + day).add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(plain)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))
