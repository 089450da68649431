"""The market page through a real browser, on both servers."""

import asyncio
import json
import time

import pandas as pd
import panel as pn
import pytest
from browsing import ONCE, Served, Visit
from looped import finished
from minute_frames import minutes
from playwright.sync_api import expect
from stored import frame

from dashboards.labels import LANGUAGES, label
from dashboards.market import Market
from qtw_lab.core import Settings
from qtw_lab.lab import Lab, market_offers
from qtw_lab.lab.market_studies import STUDIES
from qtw_lab.research.screener import COLUMNS, LISTS

#: Bokeh's own call; it mends nothing of ours to hear of it.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.reset_index")

#: Two servers and a browser share two cores with other tests.
PATIENCE = 45_000

#: What holds the page and is wider than it shows.
TOO_WIDE = """() => {
  const wide = [];
  for (let place = document.querySelector(".qtw-page"); place; place = place.parentElement)
    if (place.scrollWidth > place.clientWidth + 1) wide.push(place.className || place.tagName);
  return wide;
}"""


def headline(symbol, words):
    return json.dumps(
        {"time": "2024-03-05T15:00:00Z", "symbol": symbol, "headline": words, "source": "Wire", "url": ""}
    )


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    """A watchlist, news, and a source in the store: one symbol in days, one in minutes."""
    folder = tmp_path_factory.mktemp("market")
    lab = Lab.offline(folder)
    lab.keepsakes.watch("AAPL, IBM, FB, AAA")
    lab.add(frame(30, "2024-01-22"), "AAA", source="mine")
    lab.add(minutes(3, "2024-03-04"), "BBB", source="mine", timeframe="1min")
    return folder


@pytest.fixture(scope="module")
def market(served, browser):
    """The page, opened once for each server: a story begins where the one before left it."""
    seen = Visit.to(browser, served.url("market"))
    filled(seen)
    yield seen
    seen.close()


def filled(seen):
    seen.page.set_default_timeout(PATIENCE)
    expect(seen.page.get_by_text("symbols pass")).to_be_visible(timeout=PATIENCE)
    expect(seen.page.get_by_role("button", name="Remove Volume")).to_be_visible(timeout=PATIENCE)


def cell(page, grid, row, field="symbol"):
    """A cell of a sheet, by its place from the top."""
    rows = page.get_by_role("grid", name=grid, exact=True).locator(".tabulator-row")
    return rows.nth(row).locator(f".tabulator-cell[tabulator-field='{field}']")


def row_of(page, grid, symbol):
    rows = page.get_by_role("grid", name=grid, exact=True).locator(".tabulator-row")
    return rows.filter(has_text=symbol)


def figure(page, title):
    return page.locator("dl.qtw-figures div").filter(has=page.locator(f"dt:text-is('{title}')")).locator("dd")


def shows(locator, words):
    expect(locator).to_have_text(words, timeout=PATIENCE)


def seen_text(page, words):
    expect(page.get_by_text(words).first).to_be_visible(timeout=PATIENCE)


def test_a_row_of_the_watchlist_opens_its_candles_and_they_change_as_asked(market):
    page = market.page
    shows(figure(page, "Close"), "56.14")
    cell(page, "Watchlist", 1).click()
    shows(figure(page, "Close"), "175.27")
    expect(page.get_by_label("Symbol", exact=True)).to_have_value("IBM")
    page.get_by_label("Prices").select_option("As traded")
    shows(figure(page, "Close"), "202.91")
    page.get_by_label("Timeframe").select_option("1W")
    shows(figure(page, "Last bar"), "2013-02-25")
    change = figure(page, "Change over all shown")
    before = change.inner_text()
    page.get_by_label("Range", exact=True).select_option("5 years")
    expect(change).not_to_have_text(before, timeout=PATIENCE)
    drawn = page.locator(".bk-Figure")
    expect(drawn).to_have_count(3, timeout=PATIENCE)  # the sign of life, candles, volume
    page.get_by_label("Indicator").select_option("RSI (in a pane below)")
    expect(page.get_by_label("Bars", exact=True)).to_have_value("14", timeout=PATIENCE)
    page.get_by_label("Bars", exact=True).fill("9")
    page.get_by_label("Bars", exact=True).press("Enter")
    page.get_by_role("button", name="Add indicator").click()
    expect(page.get_by_role("button", name="Remove RSI 9")).to_be_visible(timeout=PATIENCE)
    expect(drawn).to_have_count(4, timeout=PATIENCE)
    page.wait_for_timeout(500)  # nobody presses within the instant in which the buttons are laid out anew
    page.get_by_role("button", name="Remove SMA 50").click()
    expect(page.get_by_role("button", name="Remove SMA 50")).to_have_count(0, timeout=PATIENCE)
    page.get_by_label("As of").fill("2010-06-30")
    page.get_by_label("As of").press("Enter")
    shows(figure(page, "Last bar"), "2010-06-28")
    seen_text(page, "symbols pass, bars up to 2010-06-30")
    page.get_by_label("As of").fill("yesterday week")
    page.get_by_label("As of").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("yesterday week", timeout=PATIENCE)
    page.get_by_label("As of").fill("")
    page.get_by_label("As of").press("Enter")
    seen_text(page, "symbols pass, bars up to 2013-03-01")
    assert market.outside == []
    assert market.errors == []


@ONCE
def test_symbols_are_ranked_sorted_filtered_and_taken_away_as_a_file(market):
    page = market.page
    shows(cell(page, "Gainers", 0), "FB")
    page.get_by_label("Move over").select_option("126 days (half a year)")
    shows(cell(page, "Gainers", 0), "FB")
    shows(cell(page, "Gainers", 0, "change"), "45.07%")
    page.get_by_label("Lists").select_option("Activity")
    shows(cell(page, "Most active by money", 0), "GOOG")
    shows(cell(page, "Screener", 0), "FB")
    screener = page.get_by_role("grid", name="Screener", exact=True)
    screener.get_by_role("columnheader", name="Close").locator(".tabulator-col-title").click()
    shows(cell(page, "Screener", 0), "MSFT")
    screener.get_by_label("Symbol has").press_sequentially("OO")
    shows(cell(page, "Screener", 0), "GOOG")
    expect(screener.locator(".tabulator-row")).to_have_count(1)
    page.wait_for_timeout(500)  # Panel counts rows as the server last sent them; what was typed may be on its way
    cell(page, "Screener", 0).click()
    expect(page.get_by_label("Symbol", exact=True)).to_have_value("GOOG", timeout=PATIENCE)
    page.get_by_label("Columns").select_option("Volume")
    expect(screener.get_by_role("columnheader", name="Mean dollar volume 21")).to_be_visible(timeout=PATIENCE)
    page.get_by_label("Filter by").select_option("RSI 14")
    page.get_by_label("At least").fill("much")
    page.get_by_role("button", name="Add filter").click()
    expect(page.get_by_role("status")).to_contain_text("'much' cannot bound", timeout=PATIENCE)
    page.get_by_label("At least").fill("99")
    page.get_by_role("button", name="Add filter").click()
    seen_text(page, "No symbol passes these filters")
    page.get_by_role("button", name="Remove RSI 14 ≥ 99").click()
    seen_text(page, "5 of 5 symbols pass")
    with page.expect_download() as file:
        page.get_by_text("Download as CSV").click()
    table = pd.read_csv(file.value.path(), index_col="symbol")
    assert len(table) == 5
    assert table.loc["AAPL", "change_1"] == pytest.approx(-0.0247621, rel=1e-5)
    assert market.outside == []
    assert market.errors == []


@ONCE
def test_what_changes_on_disk_is_shown_without_being_asked_for(market, storage):
    lab = Lab.offline(storage)
    page = market.page
    (storage / "news.ndjson").write_text(headline("IBM", "A <b>plan</b> & more") + "\n")
    seen_text(page, "A <b>plan</b> & more")
    page.get_by_label("Source").select_option("mine")
    seen_text(page, "your store: 2 symbols")
    price = row_of(page, "Watchlist", "AAA").locator("[tabulator-field='close']")
    held = lab.store.table(lab.store.keys()[0])
    last, day = held["close"].iloc[-1], held.index[-1] + pd.offsets.BDay()
    shows(price, f"{last:.2f}")
    added = dict.fromkeys(("open", "high", "low", "close", "volume"), last + 1)
    lab.add(pd.DataFrame(added, [day]), "AAA", source="mine")
    shows(price, f"{last + 1:.2f}")
    lab.keepsakes.watch("AAA, BBB")
    shows(cell(page, "Watchlist", 1), "BBB")
    cell(page, "Watchlist", 1).click()
    shows(figure(page, "Close"), "111.69")
    page.get_by_label("Timeframe").select_option("15min")
    shows(figure(page, "Last bar"), "2024-03-06 20:45")
    page.get_by_label("Symbols to watch").fill("ibm msft")
    page.get_by_role("button", name="Watch", exact=True).click()
    seen_text(page, "Not in this source: IBM, MSFT")
    assert lab.keepsakes.watchlist() == ("AAA", "BBB", "IBM", "MSFT")
    page.get_by_role("button", name="Remove BBB").click()
    shows(cell(page, "Watchlist", 1), "IBM")
    with (storage / "news.ndjson").open("a") as file:
        file.write(headline("MSFT", "Written just now") + "\nrubbish\n")
    seen_text(page, "Written just now")
    seen_text(page, "left out: 1")
    lab.keepsakes.watch("AAPL, IBM, FB, AAA")
    page.get_by_label("Source").select_option("stocks")
    seen_text(page, "5 of 5 symbols pass")
    assert market.outside == []
    assert market.errors == []


@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_serious_fault_and_the_page_is_as_wide_as_its_window(market, served, width):
    page = market.page
    page.set_viewport_size({"width": width, "height": 2000 if width > 1000 else 3800})  # Voila's page scrolls inside
    for theme in ("Light", "Dark"):
        page.get_by_label("Theme").select_option(theme)
        page.wait_for_timeout(1000)  # the candles are drawn again
        market.picture(f"market-{served.kind}-{width}-{theme.lower()}")
        assert market.faults() == []
    assert page.evaluate(TOO_WIDE) == []
    page.get_by_label("Language").select_option("中文")
    expect(page.get_by_role("button", name="加入自选")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("grid", name="筛选器").locator(".tabulator-row")).to_have_count(5, timeout=PATIENCE)
    page.wait_for_timeout(1000)
    market.picture(f"market-{served.kind}-{width}-zh")
    page.get_by_label("语言").select_option("English")
    filled(market)
    page.get_by_label("Theme").select_option("Light")
    assert market.outside == []
    assert market.errors == []


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A server that only shows, over a storage with a damaged watchlist and two hundred symbols."""
    folder = tmp_path_factory.mktemp("bare")
    lab = Lab.offline(folder)
    for number in range(70):
        lab.add(frame(30, close=10.0 + number), f"S{number:02}", source="mine")
    with Served("panel", folder, variables={"QTW_DASHBOARDS_READ_ONLY": "true"}) as server:
        yield server


def test_a_first_reader_is_told_what_to_do_and_one_who_may_not_act_cannot(bare, visit):
    seen = visit(bare.url("market"))
    page = seen.page
    filled(seen)
    seen_text(page, "Nothing is watched yet.")
    seen_text(page, "No source of news is configured.")
    expect(page.get_by_role("button", name="Watch", exact=True)).to_be_disabled()
    seen.picture("market-first")
    assert seen.faults() == []
    assert seen.errors == []


def test_the_keyboard_reaches_rows_headings_and_pages(bare, visit):
    seen = visit(bare.url("market"))
    page = seen.page
    filled(seen)
    page.get_by_label("Source").select_option("mine")
    seen_text(page, "70 of 70 symbols pass")
    screener = page.get_by_role("grid", name="Screener", exact=True)
    shows(cell(page, "Screener", 0), "S00")
    heading = screener.get_by_role("columnheader", name="Close")
    heading.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    page.wait_for_timeout(500)  # what is pressed before the rows are there is lost
    heading.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")
    shows(cell(page, "Screener", 0), "S69")
    screener.get_by_role("button", name="Next page").press("Enter")
    shows(cell(page, "Screener", 0), "S54")
    holder = screener.locator(".tabulator-tableholder")
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        holder.press(key)
    expect(page.get_by_label("Symbol", exact=True)).to_have_value("S53", timeout=PATIENCE)
    shows(figure(page, "Close"), "92.00")
    typed = page.get_by_label("Symbol", exact=True)
    typed.fill("S055")
    typed.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Did you mean", timeout=PATIENCE)
    assert seen.errors == []


def test_what_cannot_be_read_is_said_with_the_remedy(bare, visit):
    path = bare.storage / "pages" / "watchlist.json"
    path.write_text("{")
    try:
        seen = visit(bare.url("market"))
        filled(seen)
        expect(seen.page.get_by_role("status")).to_contain_text("Mend it, or move it away", timeout=PATIENCE)
    finally:
        path.unlink()


# Without a browser


def lived(story, lab, **values):
    """A story about a page without a browser, on an event loop as a server has one."""

    async def live():
        await story(Market(lab, inline=True, **values))

    finished(live())


@pytest.fixture
def lab(tmp_path):
    return Lab.offline(tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_page_is_there_in_every_language(language):
    named = [f"col_{name}" for name in (*COLUMNS, "change", "over_high", "under_low")]
    named += [f"list_{name}" for name in LISTS] + [
        f"knob_{knob.name}" for one in STUDIES.values() for knob in one.knobs
    ]
    assert all(label(f"market.{name}", language) for name in named)


def test_what_was_read_is_shown_again_in_another_language(lab):
    async def story(page):
        await page.load()
        page.language = "zh"
        assert "5 个代码中有 5 个符合" in page.cards["screener"].said.object
        assert page.cards["candles"]._pane.object is not None

    lived(story, lab)


def test_only_the_last_of_several_requests_is_shown(lab):
    async def story(page):
        slow = page.latest("draw", "drawing", lambda: time.sleep(0.3) or "slow")
        quick = page.latest("draw", "drawing", lambda: "quick")
        assert await asyncio.gather(slow, quick) == [None, "quick"]

    lived(story, lab)


def test_a_source_that_cannot_be_read_leaves_the_reason_in_every_card(lab):
    async def story(page):
        await page.load()
        assert page.opened is None
        for key in ("watch", "candles", "movers", "screener"):
            assert "There is no source of prices" in page.cards[key].said.object

    lived(story, lab, source="nowhere")


def test_a_reader_who_may_not_act_changes_no_list(tmp_path):
    lab = Lab(Settings.load(qtw_storage_dir=tmp_path, qtw_dashboards_read_only=True))
    lab.keepsakes.watch("AAPL")

    async def story(page):
        card = page.cards["watch"]
        for act in (card._added, card._dropped):
            await act(None)

    lived(story, lab, symbol="AAPL")
    assert lab.keepsakes.watchlist() == ("AAPL",)


def test_a_store_that_is_being_written_is_read_when_it_rests(lab, monkeypatch):
    moments = iter([("a",), ("b",), ("c",), ("c",), ("c",), ("c",)])
    asked, counts = [], []

    async def story(page):
        await page.load()
        monkeypatch.setattr(pn.state, "execute", asked.append)
        monkeypatch.setattr(market_offers, "stamp", lambda _: next(moments))
        for _ in range(6):
            page.refresh()
            counts.append(len(asked))

    lived(story, lab)
    assert counts == [0, 0, 0, 1, 1, 1]  # once it was the same a second later; what cannot be read is asked for once
