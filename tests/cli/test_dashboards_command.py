"""`qtw dashboards`: says where the pages are, and ends cleanly."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

WORDS = [sys.executable, "-m", "qtw_lab", "dashboards", "--panel", "--port", "0"]


@pytest.mark.parametrize(("flag", "path"), [("--panel", "market"), (None, "voila/render/market.ipynb")])
def test_it_says_where_the_pages_are_and_ends_by_itself(qtw, flag, path):
    answer = qtw("dashboards", *([flag] if flag else []), "--port", 0, "--max-seconds", 0)
    assert (answer.code, answer.err) == (0, "")
    first, *pages, last = answer.out.splitlines()
    assert first == f"Pages, served by {'Panel' if flag else 'Voila'}:"
    assert len(pages) == 5
    assert re.fullmatch(rf"  Market      http://127\.0\.0\.1:\d+/{path}", pages[0])
    assert last == "Ctrl-C ends them."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(storage, number):
    with subprocess.Popen(WORDS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(7)]
        url = re.search(r"http://\S+", lines[5])[0]
        assert urllib.request.urlopen(url, timeout=30).status == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--port", "99999"), 2, "The port 99999 is none"),
        (("--ip", "http://here"), 2, "is no address"),
        (("--idle", "0"), 2, "idle seconds"),
        (("--ip", "203.0.113.1"), 1, "Start this on a terminal, or set QTW_DASHBOARDS_TOKEN"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_paragraph(qtw, words, code, said):
    answer = qtw("dashboards", "--panel", "--port", "0", *words)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith("Error: ")
    assert answer.err.count("\n") == 1
    assert said in answer.err


def test_a_short_token_is_refused_and_not_repeated(qtw, monkeypatch):
    monkeypatch.setenv("QTW_DASHBOARDS_TOKEN", "abc123")
    answer = qtw("dashboards", "--panel", "--port", "0")
    assert answer.code == 2
    assert "too short" in answer.err
    assert "abc123" not in answer.err


def test_a_new_token_is_shown_on_the_terminal_once_and_nowhere_else(storage):
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*WORDS, "--ip", "127.0.0.2"], stdout=theirs, stderr=theirs, stdin=theirs)
    os.close(theirs)
    shown = ""
    end = time.monotonic() + 60
    while "Ctrl-C" not in shown and time.monotonic() < end:
        if select.select([ours], [], [], 1)[0]:
            shown += os.read(ours, 65_536).decode()
    tokens = re.findall(r"token=(\S+)", shown)
    assert len(tokens) == 1
    assert "to look at only" in shown
    token = tokens[0]
    assert shown.count(token) == 1
    url = re.search(r"http://127\.0\.0\.2:\d+/", shown)[0]
    with pytest.raises(OSError, match="403"):
        urllib.request.urlopen(f"{url}market", timeout=30)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    os.close(ours)
    kept = [path for path in storage.rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if token.encode() in path.read_bytes()] == []
