"""How long a reader waits for the pages: first paint, first chart, a select and a button, by server; no target."""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from processes import HERE, Unusable

#: What is measured, in the order of the table.
MEASURES: Final = {
    "paint": "heading seen", "chart": "first chart drawn", "select": "select to answer", "button": "button to answer",
}  # fmt: skip
#: Seconds that kernels kept ready are given to become so.
_HEATING: Final = 30.0
#: Pixels of height from which a figure is a chart.
_CHART: Final = 150


@dataclass(frozen=True)
class Way:
    """A way to serve the pages."""

    label: str
    kind: str
    preheat: bool = False


WAYS: Final = (
    Way("Voila, cold kernel", "voila"), Way("Voila, kernel kept ready", "voila", preheat=True),
    Way("Panel's server", "panel"),
)  # fmt: skip


def run(repeats: int, folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """Seconds of each measure, by way of serving: the median of several visits, each in a browser tab of its own.

    Raises
    ------
    Unusable
        If there is no browser, or a page does not come.
    """
    visits = 1 if quick else max(2, repeats)
    with _browser() as browser:
        return [_measured(way, browser, folder / f"pages-{place}", visits) for place, way in enumerate(WAYS)]


def lines(found: list[dict[str, Any]]) -> list[str]:
    """The figures as a part of the page of benchmarks."""
    head = ["| served by | visits | " + " | ".join(MEASURES.values()) + " |", "|---|--:|" + "--:|" * len(MEASURES)]
    rows = [
        f"| {row['label']} | {row['visits']} | " + " | ".join(f"{row[name]:.2f} s" for name in MEASURES) + " |"
        for row in found
    ]
    return [
        "### pages: how long a reader waits, seen by a browser", "", *head, *rows, "",
        "- medians; heading and chart of the market page from the request on, in a fresh tab with an empty cache",
        "- select and button on the runs page: from the click to the change that the server answers with",
    ]  # fmt: skip


@contextlib.contextmanager
def _browser() -> Iterator[Any]:
    sys.path.insert(0, str(HERE.parent / "support"))
    try:
        from browsing import chromium
        from playwright.sync_api import Error, sync_playwright
    except ImportError as err:
        raise Unusable(f"no browser to see pages with ({err})") from err
    try:
        with sync_playwright() as playwright:
            browser = chromium(playwright)
            try:
                yield browser
            finally:
                browser.close()
    except (Error, AssertionError) as err:
        raise Unusable(f"the browser could not show a page: {str(err).splitlines()[0]}") from err


def _measured(way: Way, browser: Any, storage: Path, visits: int) -> dict[str, Any]:
    from browsing import free_port

    from qtw_lab.core import Settings
    from qtw_lab.lab import Lab
    from qtw_lab.lab.publishing import planned, published

    settings = Settings(qtw_storage_dir=storage, qtw_dashboards_token=None)
    lab = Lab.offline(storage)
    for number in range(3):
        lab.registry.record("backtest", f"sample {number}", None, {}, ())
    plan = planned(settings, kind=way.kind, port=free_port(), preheat=way.preheat)
    samples = []
    with published(settings, plan, read_only=False) as site:
        for _ in range(visits):
            time.sleep(_HEATING if way.preheat else 1.0)
            samples.append(_visit(browser, site.pages))
    medians = {name: statistics.median(sample[name] for sample in samples) for name in MEASURES}
    return {"label": way.label, "visits": visits, **medians}


def _visit(browser: Any, pages: Any) -> dict[str, float]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(120_000)
    try:
        began = time.perf_counter()
        page.goto(pages["Market"], wait_until="commit")
        page.wait_for_selector("h1")
        paint = time.perf_counter() - began
        _await_chart(page)
        chart = time.perf_counter() - began
        page.goto(pages["Runs"])
        page.get_by_text("3 of 3 runs").wait_for()
        page.locator("[tabulator-field=name]", has_text="sample 0").click()
        page.get_by_role("button", name="Add to comparison").wait_for()
        time.sleep(2)  # what is read once, when a page opens, is not what a click takes
        failed = _timed(
            lambda: page.get_by_label("Status", exact=True).select_option("failed"),
            lambda: page.get_by_text("No run is like that").wait_for(),
        )
        added = _timed(
            page.get_by_role("button", name="Add to comparison").click,
            lambda: page.locator("button:not([disabled])", has_text="Clear").wait_for(),
        )
    finally:
        page.close()
    return {"paint": paint, "chart": chart, "select": failed, "button": added}


def _await_chart(page: Any) -> None:
    """Wait until a chart stands there that is more than the line by which a page knows that it is seen."""
    until = time.perf_counter() + 120
    while time.perf_counter() < until:
        boxes = [canvas.bounding_box() for canvas in page.locator("canvas").all()]
        if any(box is not None and box["height"] > _CHART for box in boxes):
            return
        time.sleep(0.02)
    raise Unusable("the market page drew no chart")


def _timed(act: Callable[[], Any], seen: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    seen()
    return time.perf_counter() - began
