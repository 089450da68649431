"""The pages as they are served: what is kept for a reader, and what is left when he, or the server, is gone."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from browsing import ROOT, Served, Visit, free_port

from qtw_lab.core import Settings
from qtw_lab.lab.publishing import planned, published
from qtw_lab.lab.publishing_plan import Plan


def until(fits, seconds=40.0):
    """Whether something becomes so in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if fits():
            return True
        time.sleep(0.1)
    return False


def kernels(pid):
    """The kernels below a process."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "ipykernel_launcher" in " ".join(child.cmdline()):
                found.append(child.pid)
    return found


@contextlib.contextmanager
def voila(storage, **terms):
    settings = Settings(qtw_storage_dir=storage)
    with published(settings, planned(settings, port=free_port(), **terms), read_only=False) as site:
        yield site


def test_a_reader_who_leaves_leaves_no_kernel(tmp_path, browser):
    with voila(tmp_path) as site:
        seen = Visit.to(browser, site.pages["Market"])
        (first,) = kernels(site.process.pid)
        seen.page.goto(site.pages["Market"])
        seen.page.wait_for_selector("h1")
        assert until(lambda: first not in kernels(site.process.pid))
        assert len(kernels(site.process.pid)) == 1
        seen.page.goto("about:blank")
        assert until(lambda: not kernels(site.process.pid))
        seen.close()


def test_a_kernel_that_nobody_looks_at_is_ended_and_one_that_is_looked_at_stays(tmp_path, browser):
    with voila(tmp_path, idle=8.0) as site:
        seen = Visit.to(browser, site.pages["Market"])
        (kept,) = kernels(site.process.pid)
        subprocess.run(
            ["curl", "-s", "-o", os.devnull, "--noproxy", "*", site.pages["Market"]], check=True, timeout=60
        )  # who asks for a page and never shows it
        assert until(lambda: kernels(site.process.pid) == [kept])
        time.sleep(9)  # a browser gives a sign every three seconds
        assert kernels(site.process.pid) == [kept]
        seen.page.get_by_label("Theme").select_option("Dark")
        assert seen.errors == []
        seen.close()


def test_a_kernel_kept_ready_shows_the_page_and_is_replaced(tmp_path, browser):
    pages = len(list((ROOT / "dashboards" / "pages").glob("*.ipynb")))
    with voila(tmp_path, preheat=True) as site:
        assert until(lambda: len(kernels(site.process.pid)) == pages, 60)
        before = set(kernels(site.process.pid))
        time.sleep(15)
        seen = Visit.to(browser, site.pages["Market"])
        assert until(lambda: len(kernels(site.process.pid)) == pages + 1)
        assert before < set(kernels(site.process.pid))
        seen.page.get_by_label("Theme").select_option("Dark")
        assert (seen.outside, seen.errors) == ([], [])
        seen.close()


def test_a_session_of_panels_server_is_ended_when_its_reader_leaves(tmp_path, browser):
    diary, plan = tmp_path / "diary", Plan("panel", port=free_port())
    environment = {**os.environ, "QTW_STORAGE_DIR": str(tmp_path)}
    script = ROOT / "tests" / "support" / "counting_page.py"
    with subprocess.Popen(
        [sys.executable, str(script), str(diary)], env=environment, cwd=ROOT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        server.stdin.write(plan.to_json().encode() + b"\n")
        server.stdin.flush()
        port = json.loads(server.stdout.readline())["port"]
        seen = Visit.to(browser, f"http://127.0.0.1:{port}/market")
        assert until(lambda: diary.exists() and diary.read_text().count("refreshed") > 3)
        seen.close()
        assert until(lambda: "stopped" in diary.read_text(), 20)
        said = diary.read_text()
        time.sleep(1.5)
        assert diary.read_text() == said
        server.stdin.close()
        assert server.wait(10) == 0


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_the_end_of_the_command_is_the_end_of_the_server_and_its_kernels(tmp_path, browser, number):
    with Served("voila", tmp_path) as server:
        seen = Visit.to(browser, server.url("market"))
        tree = [server.process.pid, *(one.pid for one in psutil.Process(server.process.pid).children(recursive=True))]
        assert len(tree) >= 3
        os.kill(server.process.pid, number)
        code = server.process.wait(40)
        assert code == (-number if number == signal.SIGKILL else 0)
        assert until(lambda: not any(alive(pid) for pid in tree[1:]))
        seen.close()


def alive(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


@pytest.mark.parametrize(
    ("kind", "variables", "shown"),
    [
        ("panel", {}, 0),
        ("panel", {"QTW_DASHBOARDS_READ_ONLY": "1"}, 1),
        ("voila", {"QTW_DASHBOARDS_READ_ONLY": "1"}, 1),
    ],
)
def test_pages_that_only_show_say_so(tmp_path, browser, kind, variables, shown):
    with Served(kind, tmp_path, variables=variables) as server:
        seen = Visit.to(browser, server.url("market"))
        assert seen.page.get_by_text("These pages only show.").count() == shown
        seen.close()
