"""The paper desk's page, at a real simulator and a real desk, through a real browser and on both servers."""

import os
import re
import signal
import time

import pytest
from browsing import Served, Visit
from desk_process import DeskProcess

from qtw_lab.core import LabError
from qtw_lab.lab import desk_halting, desk_tables, order_ticket
from qtw_lab.lab.order_ticket import Draft


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    with DeskProcess(tmp_path_factory.mktemp("paper")) as found:
        found.open()
        found.start()
        yield found


@pytest.fixture(scope="module", params=["panel", "voila"])
def served(request, market):
    with Served(request.param, market.storage, variables=market.variables) as server:
        yield server


@pytest.fixture(scope="module")
def seen(served, browser):
    """One page, open through all of the tests on a server."""
    visit = Visit.to(browser, served.url("paper"))
    visit.page.wait_for_selector("text=The desk is at work")
    yield visit
    visit.close()


def fill(seen, **fields):
    for name, text in fields.items():
        field = seen.page.get_by_label(name.replace("_", " ").capitalize(), exact=True)
        if field.evaluate("one => one.tagName") == "SELECT":
            field.select_option(text)
        else:
            field.fill(text)


def button(seen, name, exact=True):
    return seen.page.get_by_role("button", name=name, exact=exact)


def press(seen, name, exact=True):
    wait(lambda: button(seen, name, exact).is_enabled(), f"{name} stays disabled")
    button(seen, name, exact).click()


def says(seen, text, seconds=30):
    seen.page.get_by_text(text).first.wait_for(timeout=seconds * 1000)


def region(seen, name):
    """The table in a region, or what is said where there is none."""
    return seen.page.get_by_role("region", name=name, exact=True).locator("table, .qtw-message").first


def wait(true, why="it did not come to that", seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, why
        time.sleep(0.1)


def by_hand(market):
    return [one for one in market.broker.orders("all") if one.client_order_id.startswith("hand-")]


def test_values_change_while_sessions_trade(seen, served):
    sessions = region(seen, "Sessions")
    before = sessions.inner_text()
    assert "trend" in before
    wait(lambda: sessions.inner_text() != before, "nothing changes", 60)
    wait(lambda: "filled" in region(seen, "Orders").inner_text(), "nothing is traded", 120)
    seen.page.wait_for_selector("canvas")
    wait(lambda: "No order" not in region(seen, "Fills").inner_text())
    seen.picture(f"paper-{served.kind}-1280")


def test_the_curve_of_a_session_is_chosen(seen):
    seen.page.get_by_label("Curve of").select_option("swing")
    legend = "Bokeh.documents.flatMap(d => [...d._all_models.values()]).some(m => m.type == 'LegendItem' && %s)"
    wait(lambda: seen.page.evaluate(legend % "m.label.value == 'swing'"))
    seen.page.get_by_label("Curve of").select_option("All sessions")
    wait(lambda: seen.page.evaluate(legend % "m.label.value == 'All sessions'"))


def test_an_order_is_looked_at_with_every_limit_and_sent_once(seen, served, market):
    count = len(by_hand(market))
    assert not button(seen, "Send").is_enabled()
    fill(seen, symbol="SAAAC", size="7")
    press(seen, "Preview")
    says(seen, "Every limit is kept")
    says(seen, "Value of an order")
    seen.picture(f"paper-{served.kind}-preview")
    button(seen, "Send: buy 7 SAAAC, market").dblclick()
    says(seen, "The order to buy 7 SAAAC is")
    wait(lambda: re.search(r"SAAAC\s+buy\s+market\s+7\s+7\s+filled\s+by hand", region(seen, "Orders").inner_text()))
    wait(lambda: "SAAAC" in region(seen, "Positions").inner_text())
    assert len(by_hand(market)) == count + 1
    assert not button(seen, "Send").is_enabled()


def test_a_change_of_any_field_asks_for_a_new_look(seen, market):
    count = len(by_hand(market))
    for change in ({"size": "8"}, {"side": "sell"}, {"time_in_force": "until canceled"}, {"symbol": "SAAAD"}):
        press(seen, "Preview")
        says(seen, "Position after it")
        fill(seen, **change)
        says(seen, "The ticket changed")
        wait(lambda: not button(seen, "Send").is_enabled())
    fill(seen, side="buy", time_in_force="day")
    assert len(by_hand(market)) == count


def test_an_order_over_a_limit_is_refused_in_the_preview_and_by_the_desk(seen, served, market):
    fill(seen, symbol="SAAAC", size="900")
    press(seen, "Preview")
    says(seen, "over the limit of $50,000.00")
    says(seen, "BROKEN")
    assert not button(seen, "Send: buy 900 SAAAC, market").is_enabled()
    seen.picture(f"paper-{served.kind}-refused")
    count = len(by_hand(market))
    with pytest.raises(LabError, match="The order is not sent"):
        order_ticket.send(market.settings, Draft("SAAAC", size="901").ticket())
    wait(lambda: "901" in region(seen, "Refusals").inner_text())
    assert len(by_hand(market)) == count


def test_an_order_that_stays_open_is_canceled(seen, market):
    fill(seen, symbol="SAAAE", type="limit", size="3")
    fill(seen, limit_price="1.50")
    press(seen, "Preview")
    says(seen, "Every limit is kept")
    press(seen, "Send: buy 3 SAAAE, limit")
    wait(
        lambda: re.search(
            r"SAAAE\s+buy\s+limit\s+3\s+0\s+1.50\s+working\s+by hand", region(seen, "Orders").inner_text()
        )
    )
    seen.page.get_by_label("Show", exact=True).select_option("open")
    wait(lambda: "SAAAC" not in region(seen, "Orders").inner_text())
    press(seen, "Cancel")
    wait(lambda: "SAAAE" not in region(seen, "Orders").inner_text())
    seen.page.get_by_label("Show", exact=True).select_option("all")
    wait(lambda: re.search(r"SAAAE.*canceled", region(seen, "Orders").inner_text()))
    assert by_hand(market)[-1].status == "canceled"
    fill(seen, type="market")


def test_books_and_broker_are_compared(seen):
    press(seen, "Compare with the broker")
    seen.page.get_by_text(re.compile("Books and broker (agree|differ)")).wait_for()


def test_sessions_pause_and_go_on(seen, market):
    seen.page.get_by_label("Session", exact=True).first.select_option("swing")
    press(seen, "Pause")
    says(seen, "The session swing is paused")
    wait(lambda: re.search(r"swing\s+paused", region(seen, "Sessions").inner_text()))
    assert desk_tables.state(market.settings).sleeves["swing"].status == "paused"
    press(seen, "Continue")
    wait(lambda: re.search(r"swing\s+running", region(seen, "Sessions").inner_text()))


def test_a_session_is_opened_and_closing_it_asks_once(seen, served, market):
    name = f"third-{served.kind}"
    fill(seen, name=name, strategy="buy and hold", symbols="SAAAD", bars="5s")
    fill(seen, part_or_dollars="5000")
    press(seen, "Open session")
    says(seen, f"The session {name} begins with 5,000.00")
    wait(lambda: name in region(seen, "Sessions").inner_text())
    seen.page.get_by_label("Session", exact=True).first.select_option(name)
    press(seen, "Close")
    says(seen, "Close what the session holds at the market?")
    press(seen, "Leave it")
    assert desk_tables.state(market.settings).sleeves[name].status == "running"
    press(seen, "Close")
    press(seen, "Close it")
    wait(lambda: re.search(rf"{name}\s+(closing|stopped)", region(seen, "Sessions").inner_text()))


def test_a_session_is_put_beside_its_backtest(seen, served):
    seen.page.get_by_label("Session", exact=True).last.select_option("trend")
    press(seen, "Compare")
    says(seen, "Why trend and its backtest differ", 60)
    says(seen, "fill price")
    seen.picture(f"paper-{served.kind}-diverging")


def test_a_halt_asks_once_holds_and_a_person_resumes(seen, served, market):
    fill(seen, symbol="SAAAC", size="2")
    press(seen, "Preview")
    says(seen, "Every limit is kept")
    press(seen, "Halt trading")
    says(seen, "Halt trading? Nothing more is sent")
    press(seen, "Halt now")
    says(seen, "Give your name and the reason")
    assert desk_halting.halted(market.settings)["trading"] == "allowed"
    seen.page.get_by_label("Your name").first.fill("Ann Lee")
    seen.page.get_by_label("Reason", exact=True).fill("it looks odd")
    press(seen, "Halt now")
    says(seen, "By Ann Lee, since")
    says(seen, "it looks odd")
    assert desk_halting.halted(market.settings)["trading"] == "halted"
    wait(lambda: not button(seen, "Send: buy 2 SAAAC, market").is_enabled())
    says(seen, "Trading is halted; see the kill switch.")
    seen.picture(f"paper-{served.kind}-halted")
    press(seen, "Preview")
    says(seen, "It would not be sent.")
    press(seen, "Resume trading")
    seen.page.get_by_label("Your name").last.fill("Ann Lee")
    seen.page.get_by_label("Why it is safe").fill("it was a test")
    press(seen, "Resume now")
    says(seen, "Trading is allowed.")
    assert desk_halting.halted(market.settings)["trading"] == "allowed"


def test_a_desk_that_hangs_is_said_and_halting_it_works_all_the_same(seen, served, market):
    if served.kind == "voila":
        pytest.skip("ten seconds of silence are waited for once: what is shown does not depend on the server")
    os.kill(market.desk.pid, signal.SIGSTOP)
    try:
        says(seen, "has shown no sign of life")
        seen.picture(f"paper-{served.kind}-hung")
        press(seen, "Halt trading")
        press(seen, "Halt now")  # name and reason are still there
        says(seen, "Trading is halted.")
    finally:
        os.kill(market.desk.pid, signal.SIGCONT)
        desk_halting.resume(market.settings, by="Ann Lee", reason="a test")
    says(seen, "The desk is at work")
    says(seen, "Trading is allowed.")


@pytest.mark.parametrize(("theme", "language", "width"), [("Dark", "中文", 390), ("Light", "English", 1280)])
def test_both_themes_and_languages_at_both_widths(seen, served, theme, language, width):
    labels = ("Theme", "Language") if width == 390 else ("主题", "语言")
    seen.page.set_viewport_size({"width": width, "height": 900})
    seen.page.get_by_label(labels[0]).select_option(theme if width == 390 else "浅色")
    seen.page.get_by_label(labels[1]).select_option(language)
    seen.page.wait_for_selector(f"h1:has-text('{'模拟交易' if width == 390 else 'Paper desk'}')")
    says(seen, "交易台正在运行" if width == 390 else "The desk is at work")
    wait(lambda: "trend" in region(seen, "策略会话" if width == 390 else "Sessions").inner_text())
    assert seen.page.evaluate("document.scrollingElement.scrollWidth") <= width
    assert seen.faults() == []
    seen.picture(f"paper-{served.kind}-{width}-{theme}")


def test_nothing_was_asked_of_the_network_and_nothing_complained(seen):
    assert seen.outside == []
    assert seen.errors == []


def test_a_page_without_keys_and_desk_says_what_to_do(browser, tmp_path):
    bare = dict.fromkeys(("ALPACA_API_KEY_ID", "ALPACA_API_SECRET_KEY", "ALPACA_TRADING_REST_URL"), "")
    with Served("panel", tmp_path, variables=bare) as server:
        seen = Visit.to(browser, server.url("paper"))
        says(seen, "There are no keys to a trading account")
        says(seen, "qtw simulator serve")
        for name in ("Preview", "Send", "Halt trading", "Cancel", "Pause", "Open session"):
            assert not button(seen, name).is_enabled(), name
        assert (seen.outside, seen.errors, seen.faults()) == ([], [], [])
        seen.picture("paper-bare")
        seen.close()


def test_a_page_that_only_shows_lets_nothing_be_pressed(browser, market):
    with Served("panel", market.storage, variables={**market.variables, "QTW_DASHBOARDS_READ_ONLY": "1"}) as server:
        seen = Visit.to(browser, server.url("paper"))
        says(seen, "The desk is at work")
        wait(lambda: "trend" in region(seen, "Sessions").inner_text())
        names = ("Preview", "Send", "Halt trading", "Cancel", "Pause", "Continue", "Close", "Stop", "Open session")
        for name in names:
            assert not button(seen, name).is_enabled(), name
        press(seen, "Compare with the broker")
        seen.page.get_by_text(re.compile("Books and broker (agree|differ)")).wait_for()
        assert (seen.outside, seen.errors) == ([], [])
        seen.picture("paper-read-only")
        seen.close()
