"""Entries of notify, read and checked."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pydantic import SecretStr

from qtw_lab.core import DataError, Settings, SetupError
from qtw_lab.runs.channels import Channel, Notice, Terms, webhook
from qtw_lab.runs.secrecy import Redactor

NOTICE = Notice(
    "nightly failed", "ValueError: s3cret-value", "nightly", "failed", "id-1",
    pd.Timestamp("2024-01-02 21:30", tz="UTC"), Path("/reports/a.html"),
)  # fmt: skip
TERMS = Terms(Redactor({"TOKEN": "s3cret-value"}))


@pytest.mark.parametrize(
    ("plain", "way", "target"),
    [
        ({"command": ["notify", "{title}"]}, "command", ("notify", "{title}")),
        ({"mail": "a@b.c"}, "mail", ("a@b.c",)),
        ({"mail": ["a@b.c", "d@e.f"]}, "mail", ("a@b.c", "d@e.f")),
        ({"webhook": "http://127.0.0.1:9/x"}, "webhook", ("http://127.0.0.1:9/x",)),
        ({"webhook": "env:HOOK"}, "webhook", ("env:HOOK",)),
        ({"desktop": True}, "desktop", ()),
    ],
)
def test_an_entry_is_one_way_to_tell(plain, way, target):
    channel = Channel.read(plain)
    assert (channel.way, channel.target, channel.on) == (way, target, ("failed", "missed"))


def test_it_tells_of_what_it_is_asked_to_tell():
    channel = Channel.read({"desktop": True, "on": ["ok", "skipped"]})
    assert [status for status in ("ok", "failed", "missed", "skipped") if channel.wants(status)] == ["ok", "skipped"]


@pytest.mark.parametrize(
    ("plain", "says"),
    [
        ("a@b.c", "not an entry of notify"),
        ({}, "not none"),
        ({"mail": "a@b.c", "desktop": True}, "not mail and desktop"),
        ({"mial": "a@b.c"}, "Did you mean 'mail'"),
        ({"mail": "nobody"}, "must be an address"),
        ({"mail": []}, "must be an address"),
        ({"mail": "a@b.c\nBcc: d@e.f"}, "must be an address"),
        ({"command": "notify me"}, "list of words"),
        ({"command": []}, "list of words"),
        ({"command": ["notify", ""]}, "list of words"),
        ({"command": ["notify", "{titel}"]}, "Did you mean 'title'"),
        ({"webhook": "ftp://a/b"}, "must be a URL"),
        ({"webhook": "http://[::1"}, "must be a URL"),
        ({"webhook": "https://user:pw@a.b/c"}, "without a password"),
        ({"webhook": "env:NOT A NAME"}, "must be a URL"),
        ({"webhook": 3}, "must be a URL"),
        ({"desktop": False}, "must be true"),
        ({"desktop": True, "on": "failed"}, "must be a list"),
        ({"desktop": True, "on": []}, "must be a list"),
        ({"desktop": True, "on": ["fialed"]}, "Did you mean 'failed'"),
        ({"desktop": True, "on": [3]}, "chosen by its name"),
    ],
)
def test_an_entry_that_cannot_work_is_refused_when_it_is_read(plain, says):
    with pytest.raises(DataError, match=says) as caught:
        Channel.read(plain)
    assert "pw@" not in str(caught.value)


def test_where_a_channel_goes_does_not_show():
    assert "hooks" not in repr(Channel.read({"webhook": "https://hooks.example.com/secret"}))
    assert "s3cret" not in repr(TERMS)


@pytest.mark.parametrize(
    ("url", "hosts", "goes"),
    [
        ("http://127.0.0.1:9/x", (), True),
        ("http://[::1]/x", (), True),
        ("http://localhost/x", (), True),
        ("http://127.example.com/x", (), False),
        ("https://hooks.example.com/x", (), False),
        ("https://HOOKS.example.com/x", ("hooks.Example.com",), True),
        ("https://hooks.example.com/x", ("hooks.example.com:443",), True),
        ("https://hooks.example.com:8443/x", ("hooks.example.com:443",), False),
        ("https://hooks.example.com.evil.net/x", ("hooks.example.com",), False),
        ("http://127.0.0.1:99999/x", (), False),
    ],
)
def test_webhooks_go_to_this_machine_and_listed_hosts_only(url, hosts, goes):
    channel, terms = Channel.read({"webhook": url}), Terms(Redactor({}), webhook_hosts=hosts)
    if goes:
        channel.check(terms)
    else:
        with pytest.raises(SetupError, match=r"QTW_WEBHOOK_HOSTS|is none") as caught:
            channel.check(terms)
        assert "/x" not in str(caught.value)


def test_a_webhook_behind_a_variable_is_looked_up_and_not_repeated(monkeypatch):
    channel = Channel.read({"webhook": "env:HOOK_TEST"})
    with pytest.raises(SetupError, match="HOOK_TEST is not set"):
        channel.check(TERMS)
    monkeypatch.setenv("HOOK_TEST", "http://127.0.0.1:9/very-secret-path")
    assert webhook(channel, TERMS).port == 9
    assert "very-secret-path" not in TERMS.masking(channel.target).text("to http://127.0.0.1:9/very-secret-path")
    monkeypatch.setenv("HOOK_TEST", "very-secret-and-no-url")
    with pytest.raises(SetupError, match="env:HOOK_TEST is not a URL") as caught:
        channel.check(TERMS)
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "sender"),
    [(None, "a@b.c"), ("smtp://host", None), ("http://host", "a@b.c"), ("smtp://", "a@b.c"), ("smtp://h:0x9", "a@b.c")],
)
def test_mail_needs_a_server_and_a_sender(url, sender):
    terms = Terms(Redactor({}), url and SecretStr(url), sender)
    with pytest.raises(SetupError):
        Channel.read({"mail": "a@b.c"}).check(terms)


def test_the_settings_say_how_to_send():
    settings = Settings(
        qtw_smtp_url="smtps://me:pa%2Fss-42@mail.example.com", qtw_mail_from="me@example.com",
        qtw_webhook_hosts="a.example.com, b.example.com:8443,",
    )  # fmt: skip
    terms = Terms.of(settings, Redactor({}))
    assert terms.webhook_hosts == ("a.example.com", "b.example.com:8443")
    Channel.read({"mail": "a@b.c"}).check(terms)
    masked = terms.masking(()).text("smtps://me:pa%2Fss-42@mail.example.com pa/ss-42 pa%2Fss-42")
    assert masked == "***QTW_SMTP_URL*** ***the password in QTW_SMTP_URL*** ***the password in QTW_SMTP_URL***"


def test_a_notice_is_masked_and_its_title_fits_one_line():
    notice = Notice(
        "two\nlines s3cret-value", *(getattr(NOTICE, n) for n in ("text", "entry", "status", "run")), NOTICE.moment
    )
    masked = notice.masked(TERMS.redactor)
    assert (masked.title, masked.text) == ("two lines ***TOKEN***", "ValueError: ***TOKEN***")
    assert (masked.run, masked.moment, masked.report) == ("id-1", NOTICE.moment, None)
    assert NOTICE.masked(TERMS.redactor).report == Path("/reports/a.html")
