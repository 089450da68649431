"""A server of pages from its start to its end, and the plan it is given."""

import os
import signal
import socket
import threading
import time
import urllib.request

import pytest

from qtw_lab.core import DataError, Settings, SetupError
from qtw_lab.lab import publishing
from qtw_lab.lab.publishing import planned, published, serve


@pytest.fixture
def settings(tmp_path):
    return Settings(_env_file=None, qtw_storage_dir=tmp_path, qtw_dashboards_token=None, qtw_dashboards_read_only=False)


def test_loopback_is_open_and_every_other_address_gets_a_token_of_its_own(settings):
    assert all(planned(settings, ip).token is None for ip in ("127.0.0.1", "localhost", "::1"))
    others = [planned(settings, ip).token for ip in ("127.0.0.2", "0.0.0.0", "::", "192.0.2.7", "192.0.2.7")]
    assert all(len(token) >= 43 for token in others)
    assert len(set(others)) == 5


def test_the_token_that_is_set_counts_everywhere(tmp_path):
    settings = Settings(_env_file=None, qtw_storage_dir=tmp_path, qtw_dashboards_token="sixteen-letters-")
    assert {planned(settings, ip).token for ip in ("127.0.0.1", "192.0.2.7")} == {"sixteen-letters-"}


def test_pages_answer_within_the_block_and_are_gone_after_it(settings, tmp_path):
    with published(settings, planned(settings, kind="panel", port=0), read_only=False) as site:
        assert list(site.pages) == ["Market", "Realtime", "Paper desk", "Backtest", "Runs"]
        assert site.pages["Runs"] == f"{site.url}runs"
        assert urllib.request.urlopen(f"{site.url}ready", timeout=10).status == 200
        process = site.process
    assert process.returncode == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{site.url}ready", timeout=10)


def test_a_port_that_is_taken_and_an_address_of_another_machine_are_named(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        plan = planned(settings, kind="panel", port=port)
        with (
            pytest.raises(SetupError, match=rf"cannot be served at 127\.0\.0\.1, port {port}: .*--port"),
            published(settings, plan, read_only=False),
        ):
            pass
    with (
        pytest.raises(SetupError, match=r"cannot be served at 203\.0\.113\.1"),
        published(settings, planned(settings, "203.0.113.1", kind="panel", port=0), read_only=True),
    ):
        pass


def test_a_server_that_dies_is_reported_with_its_last_words(settings):
    with published(settings, planned(settings, kind="panel", port=0), read_only=False) as site:
        os.kill(site.process.pid, signal.SIGKILL)
        with pytest.raises(SetupError, match="ended by itself"):
            site.wait(threading.Event(), 30)


def test_a_server_that_cannot_start_says_why(settings, monkeypatch):
    monkeypatch.setenv("LOCAL_TASK_WORKERS", "many")
    with (
        pytest.raises(SetupError, match="LOCAL_TASK_WORKERS"),
        published(settings, planned(settings, kind="panel", port=0), read_only=False),
    ):
        pass


def test_without_the_pages_it_says_where_they_come_from(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(publishing, "_PAGES", tmp_path)
    with (
        pytest.raises(SetupError, match="Clone the project"),
        published(settings, planned(settings), read_only=False),
    ):
        pass


def test_a_new_token_is_confided_once_and_never_said(settings):
    said, confided = [], []
    plan = planned(settings, "127.0.0.2", kind="panel", port=0)
    serve(settings, plan, said.append, confided.append, seconds=0)
    assert [plan.token in line for line in confided] == [True]
    assert not any(plan.token in line for line in said)
    assert said[0] == "Pages, served by Panel to look at only:"


def test_a_new_token_that_nobody_would_see_is_not_made_use_of(settings):
    with pytest.raises(SetupError, match="QTW_DASHBOARDS_TOKEN"):
        serve(settings, planned(settings, "127.0.0.2", kind="panel", port=0), lambda _: None)


def test_a_token_that_is_set_is_not_repeated(tmp_path):
    settings = Settings(_env_file=None, qtw_storage_dir=tmp_path, qtw_dashboards_token="sixteen-letters-")
    said, confided = [], []
    serve(settings, planned(settings, kind="panel", port=0), said.append, confided.append, seconds=0)
    assert confided == []
    assert "sixteen-letters-" not in "".join(said)
    assert any("QTW_DASHBOARDS_TOKEN" in line for line in said)
    assert said[0] == "Pages, served by Panel:"


@pytest.mark.parametrize(
    ("ip", "flag", "set_", "shown"),
    [
        ("127.0.0.1", False, False, "0"), ("127.0.0.1", False, True, "1"), ("127.0.0.1", True, True, "0"),
        ("127.0.0.2", False, False, "1"), ("127.0.0.2", True, False, "0"),
    ],
)  # fmt: skip
def test_pages_act_on_loopback_and_elsewhere_where_that_is_allowed(tmp_path, ip, flag, set_, shown, monkeypatch):
    settings = Settings(
        _env_file=None, qtw_storage_dir=tmp_path, qtw_dashboards_token="sixteen-letters-", qtw_dashboards_read_only=set_
    )
    given = {}

    class Started(Exception):  # noqa: N818  (the start is what is looked at, not an error)
        pass

    def start(words, env, **_):
        given.update(env)
        raise Started

    monkeypatch.setattr(publishing.subprocess, "Popen", start)
    with pytest.raises(Started):
        serve(settings, planned(settings, ip, port=0), lambda _: None, allow_trading=flag)
    assert given["QTW_DASHBOARDS_READ_ONLY"] == shown
    assert "QTW_DASHBOARDS_TOKEN" not in given


def test_what_does_not_end_in_time_is_killed(settings, monkeypatch):
    monkeypatch.setattr(publishing, "_ENDING", 0.3)
    with published(settings, planned(settings, kind="panel", port=0), read_only=False) as site:
        os.kill(site.process.pid, signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    assert site.process.returncode == -signal.SIGKILL


def test_a_plan_that_cannot_be_is_refused():
    for wrong, said in (
        ({"port": 70_000}, "The port 70000 is none"), ({"ip": "http://x"}, "is no address"),
        ({"ip": ""}, "is no address"), ({"idle": 0}, "idle seconds"), ({"token": "short"}, "too short"),
        ({"ip": "192.0.2.7"}, "a token is required"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=said):
            publishing.Plan(**wrong)
