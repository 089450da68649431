"""Notices sent to a real mail server, a real HTTP server and real programs."""

from __future__ import annotations

import http.server
import json
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pydantic import SecretStr
from small_mail import MailServer, certificate, served

from qtw_lab.core import RunError
from qtw_lab.runs.notices import Channel, Notice, Terms, send
from qtw_lab.runs.process import start_of
from qtw_lab.runs.secrecy import Redactor

TERMS = Terms(Redactor({"TOKEN": "s3cret-value"}), mail_from="lab@example.com", patience=5.0)
NOTICE = Notice(
    "nightly failed: s3cret-value", "ValueError at 9 o'clock: s3cret-value — é", "nightly", "failed", "id-1",
    pd.Timestamp("2024-01-02 21:30", tz="UTC"), Path("/reports/a.html"),
)  # fmt: skip
MASKED = {
    "title": "nightly failed: ***TOKEN***", "text": "ValueError at 9 o'clock: ***TOKEN*** — é", "entry": "nightly",
    "status": "failed", "run": "id-1", "moment": "2024-01-02T21:30:00+00:00", "report": "/reports/a.html",
}  # fmt: skip


def fault(channel, terms=TERMS, notice=NOTICE):
    """What is said where a notice does not get through."""
    with pytest.raises(RunError, match="did not get through by") as caught:
        send(notice, Channel.read(channel), terms)
    assert caught.value.__context__ is None
    assert "s3cret-value" not in str(caught.value)
    return str(caught.value)


# A command


def command(tmp_path, code):
    return {"command": [sys.executable, "-c", code, str(tmp_path / "told"), "{title}", "{status} {run}", "$HOME `x`"]}


def test_a_command_gets_words_and_the_whole_notice_and_no_shell_reads_them(tmp_path):
    code = "import json, sys; json.dump([sys.argv[2:], json.load(sys.stdin)], open(sys.argv[1], 'w'))"
    send(NOTICE, Channel.read(command(tmp_path, code)), TERMS)
    words, given = json.loads((tmp_path / "told").read_text())
    assert words == [MASKED["title"], "failed id-1", "$HOME `x`"]
    assert given == MASKED


def test_words_of_a_notice_are_no_placeholders(tmp_path):
    code = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    send(replace(NOTICE, title="{text} {x"), Channel.read(command(tmp_path, code)), TERMS)
    assert (tmp_path / "told").read_text() == "{text} {x"


def test_a_command_that_fails_is_quoted_without_secrets(tmp_path):
    code = "import sys; print('no such room: s3cret-value', file=sys.stderr); sys.exit(3)"
    assert "ended with 3. no such room: ***TOKEN***" in fault(command(tmp_path, code))


def test_a_command_that_takes_too_long_ends_with_all_it_started(tmp_path):
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}'); time.sleep(60)"
    )
    began = time.monotonic()
    assert "took longer than 1 s" in fault(command(tmp_path, code), replace(TERMS, patience=1.0))
    assert time.monotonic() - began < 10
    numbers = [int(number) for number in (tmp_path / "told").read_text().split()]
    deadline = time.monotonic() + 5
    while any(start_of(number) for number in numbers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [start_of(number) for number in numbers] == [None, None]


def test_what_a_command_leaves_running_does_not_hold_us_up(tmp_path):
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3)'])"
    began = time.monotonic()
    send(NOTICE, Channel.read(command(tmp_path, code)), TERMS)
    assert time.monotonic() - began < 2.5


def test_a_command_that_is_not_there_is_named(tmp_path):
    assert "no-such-program" in fault({"command": [str(tmp_path / "no-such-program")]})


# The desktop


def test_the_desktop_is_told_by_notify_send(tmp_path, monkeypatch):
    program = tmp_path / "notify-send"
    program.write_text(
        f'#!{sys.executable}\nimport sys; open({str(tmp_path / "told")!r}, "w").write("|".join(sys.argv[1:]))\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    send(replace(NOTICE, title="-rf s3cret-value"), Channel.read({"desktop": True}), TERMS)
    assert (tmp_path / "told").read_text() == f"--app-name=QTW Lab|--|-rf ***TOKEN***|{MASKED['text']}"


def test_without_a_desktop_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "libnotify-bin" in fault({"desktop": True})


# Mail

LOGIN, QUOTED = "me@example.com:pa/ss+w%rd-1", "me%40example.com:pa%2Fss%2Bw%25rd-1"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"))


def test_mail_arrives_masked(tls):
    with served(MailServer()) as server:
        terms = replace(TERMS, smtp_url=SecretStr(f"smtp://127.0.0.1:{server.port}"))
        send(NOTICE, Channel.read({"mail": ["a@b.c", "d@e.f"]}), terms)
        (mail,) = server.mail
    assert (mail["Subject"], mail["From"], mail["To"]) == (MASKED["title"], "lab@example.com", "a@b.c, d@e.f")
    assert mail["Date"] == "Tue, 02 Jan 2024 21:30:00 +0000"
    body = mail.get_content()
    assert body.startswith(MASKED["text"])
    assert "run: id-1" in body
    assert "report: /reports/a.html" in body
    assert socket.gethostname() not in " ".join(server.talks), "this machine's name is nobody's business"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_password_travels_encrypted_only(tls, scheme):
    ours, theirs = tls
    with served(MailServer(ours, at_once=scheme == "smtps", login=LOGIN)) as server:
        address = f"{scheme}://{QUOTED}@127.0.0.1:{server.port}"
        terms = replace(TERMS, smtp_url=SecretStr(address), tls=theirs)
        send(NOTICE, Channel.read({"mail": "a@b.c"}), terms)
        assert len(server.mail) == 1
    assert [line.split()[0] for line in server.talks if " AUTH " in line] == ["tls"]


def test_a_server_with_a_certificate_nobody_knows_gets_nothing(tls):
    with served(MailServer(tls[0], login="me:password-1")) as server:
        terms = replace(TERMS, smtp_url=SecretStr(f"smtp://me:password-1@127.0.0.1:{server.port}"))
        assert "CERTIFICATE_VERIFY_FAILED" in fault({"mail": "a@b.c"}, terms)
        assert server.mail == []
    assert "AUTH" not in " ".join(server.talks)


def test_a_wrong_password_is_not_repeated_however_the_server_spells_it(tls):
    ours, theirs = tls
    with served(MailServer(ours, login="me:another-one")) as server:
        terms = replace(TERMS, smtp_url=SecretStr(f"smtp://me:password-1@127.0.0.1:{server.port}"), tls=theirs)
        said = fault({"mail": "a@b.c"}, terms)
    assert "535" in said
    assert "***the password in QTW_SMTP_URL***" in said, "the server said it in base64"


def test_recipients_that_are_refused_are_named():
    with served(MailServer()) as server:
        server.refused = ("d@e.f",)
        terms = replace(TERMS, smtp_url=SecretStr(f"smtp://127.0.0.1:{server.port}"))
        assert "did not take it for d@e.f" in fault({"mail": ["a@b.c", "d@e.f"]}, terms)
        assert len(server.mail) == 1


@pytest.mark.parametrize("way", ["mail", "webhook"])
def test_a_server_that_says_nothing_is_given_up(way):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        terms = replace(TERMS, smtp_url=SecretStr(f"smtp://127.0.0.1:{port}"), patience=0.5)
        began = time.monotonic()
        assert "imed out" in fault(
            {"mail": "a@b.c"} if way == "mail" else {"webhook": f"http://127.0.0.1:{port}"}, terms
        )
        assert time.monotonic() - began < 5


def test_a_server_that_is_not_there_is_a_failure_to_tell():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    terms = replace(TERMS, smtp_url=SecretStr(f"smtp://127.0.0.1:{port}"))
    assert "refused" in fault({"mail": "a@b.c"}, terms)
    assert "refused" in fault({"webhook": f"http://127.0.0.1:{port}/x"})
    assert "QTW_SMTP_URL" in fault({"mail": "a@b.c"})


# A webhook


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted; answers as the path says."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(int(self.path.rpartition("/")[2].partition("?")[0]))
        self.send_header("Location", "/elsewhere/200")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.posted = []
    with served(server):
        yield server


def address(server, path):
    return {"webhook": f"http://127.0.0.1:{server.server_address[1]}{path}"}


def test_a_webhook_is_posted_as_json(hook):
    send(NOTICE, Channel.read(address(hook, "/a/200?room=1")), TERMS)
    assert hook.posted == [("/a/200?room=1", "application/json", MASKED)]


def test_a_redirection_is_not_followed(hook):
    assert "answered 302" in fault(address(hook, "/secret-room/302"))
    assert [path for path, *_ in hook.posted] == ["/secret-room/302"]


def test_an_answer_other_than_yes_is_a_failure(hook):
    said = fault(address(hook, "/secret-room/500"))
    assert "127.0.0.1 answered 500" in said
    assert "secret-room" not in said


def test_no_proxy_is_asked(hook, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    send(NOTICE, Channel.read(address(hook, "/200")), TERMS)
    assert len(hook.posted) == 1


def test_a_host_that_is_not_listed_is_not_even_looked_up(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: pytest.fail("it was looked up"))
    assert "QTW_WEBHOOK_HOSTS" in fault({"webhook": "https://hooks.example.com/x"})


def test_a_webhook_over_tls_is_posted_to_whom_can_be_trusted(tls):
    ours, theirs = tls
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.posted, server.socket = [], ours.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # the client that breaks off is the one that does not trust it
    with served(server):
        channel = {"webhook": f"https://127.0.0.1:{server.server_address[1]}/200"}
        assert "CERTIFICATE_VERIFY_FAILED" in fault(channel)
        send(NOTICE, Channel.read(channel), replace(TERMS, tls=theirs))
    assert len(server.posted) == 1


def test_nothing_is_left_open(hook):
    before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    for _ in range(5):
        fault(address(hook, "/500"))
    deadline = time.monotonic() + 5
    while threading.active_count() > before[1] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before[0]
