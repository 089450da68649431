"""Pages seen through a real browser: servers of pages, Debian's Chromium, and what it asked for and complained of."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

ROOT = Path(__file__).resolve().parents[2]
#: Where pictures of the pages go, to be looked at; CI keeps this folder.
PICTURES = Path(os.environ.get("QTW_PICTURES", ROOT / "artifacts" / "pictures"))
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
#: Notices that Voila and Bokeh write on every page, which mean no harm; see docs/dashboards.md.
HARMLESS = ("atisf", "BokehView cannot combine events", "could not set initial ranges")
CHROMIUM = "/usr/bin/chromium"
#: For what does not depend on the server: it is told on Panel's, and on Voila by `make test-full`.
ONCE = pytest.mark.parametrize("served", ["panel", pytest.param("voila", marks=pytest.mark.slow)], indirect=True)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@dataclass
class Served:
    """A server of pages: "panel" or "voila", in a process of its own."""

    kind: str
    storage: Path
    options: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    def url(self, key: str) -> str:
        return f"http://127.0.0.1:{self.port}/" + (key if self.kind == "panel" else f"voila/render/{key}.ipynb")

    def command(self) -> list[str]:
        panel = ["--panel"] if self.kind == "panel" else []
        return [sys.executable, "-m", "qtw_lab", "dashboards", *panel, "--port", str(self.port), *self.options]

    def __enter__(self) -> Served:
        self.storage.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "QTW_STORAGE_DIR": str(self.storage), **self.variables}
        self.log = (self.storage / f"{self.kind}.log").open("wb")
        self.process = subprocess.Popen(
            self.command(), cwd=ROOT, env=environment, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True
        )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"The server ended:\n{self.words()}")
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=2).close()
                return self
            time.sleep(0.2)
        raise AssertionError(f"The server does not answer:\n{self.words()}")

    def words(self) -> str:
        """What the command and the server said."""
        logs = (self.storage / f"{self.kind}.log", self.storage / "pages" / f"{self.kind}-{self.port}.log")
        return "\n".join(log.read_text(errors="replace")[-4000:] for log in logs if log.is_file())

    def __exit__(self, *_) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.log.close()


@dataclass
class Visit:
    """A page open in the browser, and all that it asked for and complained of."""

    page: object
    hosts: tuple[str, ...] = ("127.0.0.1",)
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @classmethod
    def to(
        cls, browser, url: str, width: int = 1280, height: int = 900, timeout: float = 90.0, hosts=("127.0.0.1",)
    ) -> Visit:
        """Open an address and wait until a page of ours stands there; requests to other hosts than these are noted."""
        page = browser.new_page(viewport={"width": width, "height": height})
        made = cls(page, hosts)
        page.set_default_timeout(timeout * 1000)
        page.on("request", made._asked)
        page.on("console", made._complained)
        page.on("pageerror", lambda error: made.errors.append(str(error)))
        page.goto(url)
        page.wait_for_selector("h1")
        return made

    def _asked(self, request) -> None:
        inside = [f"{scheme}://{host}:" for scheme in ("http", "ws") for host in self.hosts]
        if not request.url.startswith((*inside, "data:", "blob:")):
            self.outside.append(request.url[:200])

    def _complained(self, message) -> None:
        if message.type == "error" or (message.type == "warning" and not any(w in message.text for w in HARMLESS)):
            self.errors.append(f"{message.type}: {message.text[:500]}")

    def picture(self, name: str, *, whole: bool = True) -> Path:
        """A picture of the page in `artifacts/pictures`, to be looked at."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        self.page.screenshot(path=path, full_page=whole)
        return path

    def faults(self) -> list[str]:
        """Serious and critical faults that axe finds in the page, in words."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']} ({one['impact']}): {node['target']} {node.get('failureSummary', '')[:300]}"
            for one in found if one["impact"] in ("serious", "critical") for node in one["nodes"]
        ]  # fmt: skip

    def close(self) -> None:
        self.page.close()


def chromium(playwright):
    """Debian's Chromium; a test that needs it fails where it is missing."""
    assert shutil.which("chromium"), "chromium is missing; run: make system"
    return playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
