"""The realtime page, driven by a real market and a real engine, seen through a real browser on both servers."""

import os
import signal
import time
import zlib

import pytest
from browsing import Served
from listened import Listened
from looped import finished

from dashboards.realtime import Realtime
from qtw_lab.core import Settings
from qtw_lab.lab import Lab
from qtw_lab.live.log_format import header

#: How old the status of a running engine may be, and what the page and the browser may need on top.
LIMIT, GRACE = 5.0, 2.0

#: For what does not depend on the server: on Voila by `make test-full` only.
ONCE = pytest.mark.parametrize("market", ["panel", pytest.param("voila", marks=pytest.mark.slow)], indirect=True)


def test_a_page_that_only_shows_starts_and_stops_nothing(tmp_path):
    page = Realtime(Lab(Settings(qtw_storage_dir=tmp_path, qtw_dashboards_read_only=True, _env_file=None)), inline=True)
    asked = []
    page._monitor.start = page._monitor.stop = lambda *_: asked.append(True)
    page.refresh()
    assert page._start.disabled
    assert page._stop.disabled
    finished(page._started(None))
    finished(page._stopped(None))
    assert asked == []


def test_a_journal_that_cannot_be_read_is_said_and_tried_again_later(tmp_path):
    page = Realtime(Lab(Settings(qtw_storage_dir=tmp_path, _env_file=None)), inline=True)
    page._monitor.places.journal.mkdir(parents=True)
    content = bytearray(header(1))
    content[6:8] = (9).to_bytes(2, "little")
    content[12:] = zlib.crc32(content[:12]).to_bytes(4, "little")
    (page._monitor.places.journal / "journal.000001.log").write_bytes(content)
    finished(page._open())
    assert "has format 9" in page._line.object
    tried = []
    page._open = lambda: tried.append(True)
    for _ in range(29):
        page.refresh()
    assert tried == []
    assert "Never started" in page._state.object, "the rest of the page goes on"
    page.refresh()
    assert tried == [True]


@pytest.fixture(scope="module", params=["panel", "voila"])
def market(request, tmp_path_factory):
    with Listened(tmp_path_factory.mktemp(f"realtime-{request.param}")) as found:
        found.kind = request.param
        yield found


@pytest.fixture(scope="module")
def served(market):
    with Served(market.kind, market.storage, variables=market.variables()) as server:
        yield server


def state(seen, name, seconds=60):
    """Wait until the page says that state; how long it took."""
    began = time.monotonic()
    seen.page.wait_for_selector(f"[data-state={name}]", timeout=seconds * 1000)
    return time.monotonic() - began


def said(seen):
    return seen.page.locator("[data-state]").inner_text()


def changes(seen, selector, seconds=20):
    """Wait until an element's text is another."""
    found = seen.page.locator(selector).first
    before, end = found.inner_text(), time.monotonic() + seconds
    while found.inner_text() == before:
        assert time.monotonic() < end, f"{selector} still says {before!r}"
        time.sleep(0.1)
    return before, found.inner_text()


def updates(seen):
    return int(seen.page.locator("[data-updates]").get_attribute("data-updates"))


def press(seen, name):
    seen.page.get_by_role("button", name=name, exact=True).click()


def clean(seen):
    assert seen.outside == []
    assert seen.errors == []


def test_an_engine_that_is_killed_shows_as_stale_and_heals_without_reload(market, served, visit):
    seen = visit(served.url("realtime"))
    seen.page.evaluate("window.stayed = true")
    state(seen, "never")
    assert "qtw realtime run" in said(seen)
    seen.picture(f"realtime-never-{served.kind}")

    seen.page.get_by_label("Profile").select_option("test")
    seen.page.get_by_label("Simulator speed").fill(str(market.speed))
    seen.page.get_by_label("Simulator speed").press("Enter")
    press(seen, "Start")
    state(seen, "running", 120)
    seen.page.wait_for_selector("[data-bar]")
    changes(seen, "[data-bar]")
    changes(seen, "[data-updates]")
    changes(seen, "dd >> nth=0")

    killed = time.time()
    market.send(signal.SIGKILL)
    state(seen, "stale", LIMIT + GRACE)
    assert "Dead" in said(seen)
    assert time.time() - killed < LIMIT + GRACE
    changes(seen, "[data-age]")
    seen.picture(f"realtime-stale-{served.kind}")

    press(seen, "Start")
    state(seen, "running", 120)
    seen.page.wait_for_selector("td:has-text('the engine was not running')")
    changes(seen, "[data-bar]")
    assert seen.page.evaluate("window.stayed"), "it healed without being loaded anew"

    press(seen, "Stop")
    state(seen, "stopped", 30)
    seen.page.wait_for_selector("[data-state]:has-text('Reason: SIGTERM')")
    assert market.live.status().state == "stopped"
    clean(seen)


@ONCE
def test_an_engine_that_hangs_shows_as_stale_and_one_without_a_link_as_reconnecting(market, served, visit):
    market.listen()
    seen = visit(served.url("realtime"))
    state(seen, "running")
    market.send(signal.SIGSTOP)
    try:
        assert state(seen, "stale", LIMIT + GRACE) > 1
        assert "Hung" in said(seen)
    finally:
        market.send(signal.SIGCONT)
    state(seen, "running", 10)
    os.kill(market.processes[0].pid, signal.SIGSTOP)
    try:
        state(seen, "reconnecting", 30)
        assert "link is not live" in said(seen)
    finally:
        os.kill(market.processes[0].pid, signal.SIGCONT)
    state(seen, "running", 30)
    clean(seen)


@ONCE
def test_what_is_chosen_is_shown_and_stays_when_the_language_changes(market, served, visit):
    market.listen()
    seen = visit(served.url("realtime"))
    seen.page.wait_for_selector("[data-bar]")
    options = seen.page.get_by_label("Symbol", exact=True).locator("option").all_inner_texts()
    assert len(options) == market.focus
    seen.page.get_by_label("Symbol", exact=True).select_option(options[7])
    seen.page.wait_for_selector(f"[data-bar]:has-text('{options[7]}:')")
    seen.page.get_by_label("Bar length").select_option("1 s")
    seen.page.wait_for_selector("caption:has-text('bars of 1 s')")
    seen.page.get_by_label("Drawn as").select_option("Line")
    seen.page.get_by_label("Find").fill(options[3].lower())
    seen.page.get_by_label("Find").press("Enter")
    seen.page.wait_for_selector("caption:has-text('Symbols 1 to 1 of 1')")
    seen.page.get_by_label("Find").fill("")
    seen.page.get_by_label("Find").press("Enter")
    press(seen, "Next")
    seen.page.wait_for_selector(f"caption:has-text('Symbols 21 to {market.focus} of {market.focus}')")
    press(seen, "Previous")
    seen.page.get_by_label("Order by").select_option("Symbol")
    seen.page.wait_for_selector(f"tbody tr:first-child th:has-text('{min(options)}')")
    seen.page.get_by_label("Shown").select_option("those held back too")
    seen.page.wait_for_selector("th:has-text('Held back by')")
    seen.page.get_by_label("Language").select_option("中文")
    seen.page.wait_for_selector("[data-state]:has-text('运行中')")
    seen.page.wait_for_selector("caption:has-text('周期 1 秒')")
    seen.page.wait_for_selector(f"[data-bar]:has-text('{options[7]}')")
    seen.picture(f"realtime-zh-{served.kind}")
    seen.page.get_by_label("语言").select_option("English")
    seen.page.wait_for_selector("h1:has-text('Realtime')")
    clean(seen)


@ONCE
def test_the_page_is_readable_in_both_themes_and_axe_finds_no_serious_fault(market, served, visit):
    market.listen()
    seen = visit(served.url("realtime"))
    seen.page.wait_for_selector("[data-bar]")
    for theme in ("Dark", "Light"):
        seen.page.get_by_label("Theme").select_option(theme)
        for width, height in ((1280, 2700), (390, 5000)):
            seen.page.set_viewport_size({"width": width, "height": height})
            table = seen.page.get_by_role("region", name="Focus and last bars")
            moved = table.evaluate("shown => { shown.scrollLeft = 60; return shown.scrollLeft }")
            assert moved == (60 if width == 390 else 0)
            before = updates(seen)
            while updates(seen) < before + 2:
                time.sleep(0.2)
            assert table.evaluate("shown => shown.scrollLeft") == moved, "a table stays where the reader left it"
            assert seen.page.evaluate("document.scrollingElement.scrollWidth") <= width
            seen.picture(f"realtime-{theme.lower()}-{width}-{served.kind}")
            assert seen.faults() == []
    clean(seen)
