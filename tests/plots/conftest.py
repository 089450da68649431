"""Real prices and a real browser for the tests of pictures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bokeh_sampledata
import pandas as pd
import pytest

_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip

#: Every canvas of the page, also inside shadow roots, with how many of its pixels differ from its first one.
_CANVASES = """() => {
  const found = [];
  const walk = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) walk(node.shadowRoot);
      if (node.tagName == "CANVAS" && node.width > 60 && node.height > 40) found.push(node);
    }
  };
  walk(document);
  return found.map((canvas) => {
    const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    return pixels.reduce((count, pixel) => count + (pixel !== pixels[0] ? 1 : 0), 0);
  });
}"""


@dataclass
class Window:
    """An open page with everything it asked for and complained about."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def painted(self) -> list[int]:
        """Pixels unlike the background, one number a canvas."""
        return sorted(self.page.evaluate(_CANVASES), reverse=True)

    @property
    def outside(self) -> list[str]:
        """Requests that left this machine."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:", "about:"))]


@dataclass
class Browser:
    """Opens local files."""

    chromium: Any

    def open(self, path: Path, width: int = 1280) -> Window:
        window = Window(self.chromium.new_page(viewport={"width": width, "height": 900}))
        window.page.on("request", lambda request: window.requests.append(request.url))
        window.page.on("pageerror", lambda error: window.complaints.append(str(error)))
        window.page.on(
            "console",
            lambda message: window.complaints.append(message.text) if message.type in ("error", "warning") else None,
        )
        window.page.goto(path.as_uri())
        return window


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.fail("No Chromium here, in which pictures are checked: install it (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield Browser(chromium)
        chromium.close()


@pytest.fixture(scope="session")
def apple() -> pd.DataFrame:
    """AAPL, split-adjusted daily bars from 2000-03-01 to 2013-03-01."""
    path = Path(bokeh_sampledata.__file__).parent / "_data" / "stocks.csv.gz"
    raw = pd.read_csv(path, parse_dates=["Date"]).query("Ticker == 'AAPL'").set_index("Date").sort_index()
    factor = raw["Adj Close"] / raw["Close"]
    bars = pd.DataFrame({name.lower(): raw[name] * factor for name in ("Open", "High", "Low", "Close")})
    return bars.assign(volume=raw["Volume"].astype(float)).tz_localize("UTC")


@pytest.fixture
def trades(apple: pd.DataFrame) -> pd.DataFrame:
    """Three trades in the last hundred bars, the third still open."""
    at = apple.index[[-90, -80, -70, -50, -20]]
    return pd.DataFrame(
        {
            "symbol": "AAPL",
            "entry_time": [at[0], at[2], at[4]],
            "exit_time": [at[1], at[3], pd.NaT],
            "side": ["long", "short", "long"],
            "quantity": [10.0, 10.0, 5.0],
            "entry_price": apple["open"].loc[[at[0], at[2], at[4]]].to_numpy(),
            "exit_price": [*apple["open"].loc[[at[1], at[3]]].to_numpy(), float("nan")],
            "pnl": [12.0, -3.0, float("nan")],
            "return": [0.012, -0.003, float("nan")],
        }
    )
