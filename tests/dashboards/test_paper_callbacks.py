"""What the paper desk's page does when its callbacks are called, be their buttons disabled or not."""

import time

import pandas as pd
import pytest
from looped import finished

from dashboards.paper import Paper
from qtw_lab.core import Settings
from qtw_lab.lab import desk, desk_halting, order_ticket, paper, realtime
from qtw_lab.lab.desk_places import DeskPlaces
from qtw_lab.lab.front import Lab
from qtw_lab.lab.order_ticket import Draft
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.simulator.choosing import chosen_market
from qtw_lab.venues.simulator.server import Simulator

OPEN = {"do": "open", "terms": SessionTerms.given("first", "sma_cross", "SAAAA", "5s", allocation=0.5).written()}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A simulator, and a desk with a session and a limit that is not at work."""
    start = pd.Timestamp("2024-01-05 15:00", tz="UTC")
    with Simulator(chosen_market(symbols=3), start=start, rate_limit=0) as served:
        bare = Settings(qtw_storage_dir=tmp_path_factory.mktemp("paper"), _env_file=None)
        found = realtime.pointed_to(bare, served)
        desk.ask(found, OPEN)
        DeskPlaces.current(found).limits.write_text('{"max_order_value": 50000}')
        yield found


@pytest.fixture
def shown():
    """Makes pages that show a desk, and ends them."""
    made = []

    def make(settings, **options):
        page = Paper(Lab(settings), **options)
        made.append(page)
        wait(lambda: page.refresh() or (page.seen.link == "answers" and len(page.seen.sessions) > 0))
        return page

    yield make
    for page in made:
        page.stop()


def wait(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def fill(page, **fields):
    for name, text in fields.items():
        page.ticket._fields[name].value = text


def test_where_pages_only_show_no_callback_does_anything(settings, shown, monkeypatch):
    page = shown(settings.model_copy(update={"qtw_dashboards_read_only": True}))
    looked = Draft("SAAAC", size="1")
    page.ticket._keep((looked, order_ticket.preview(settings, looked.ticket())))

    def never(*_, **__):
        raise AssertionError("something was done")

    for module, name in ((desk, "ask"), (desk_halting, "halt"), (desk_halting, "resume")):
        monkeypatch.setattr(module, name, never)
    page.orders._pick.param.update(options={"one": "hand-1"}, value="hand-1")
    for field in (*page.switch._safe, page.switch._by, page.switch._why):
        field.value = "Ann Lee"
    for question in (page.switch._halting, page.switch._resuming, *page.sessions._sure.values()):
        question.view.visible = True
        finished(question._done(None))
    fill(page, symbol="SAAAC", size="1")
    page.ticket._looked = (page.ticket.draft, page.ticket._looked[1] if page.ticket._looked else None)
    for callback in (page.ticket._look, page.ticket._send, page.orders._canceled, page.opening._opened):
        page.say("", "")
        finished(callback(None))
        assert "only show" in page._said[0]
    for what in ("pause", "continue", "close", "stop"):
        finished(page.sessions._pressed(what, None))
    for button in (page.switch.halt, page.switch.resume, page.ticket.look, page.ticket.send, page.opening.open):
        assert button.disabled
    page.switch.halt.clicks += 1
    assert not page.switch._halting.view.visible


def test_only_the_order_that_was_looked_at_is_sent_and_once(settings, shown, monkeypatch):
    page, sent = shown(settings), []
    monkeypatch.setattr(order_ticket, "send", lambda settings, ticket: sent.append(ticket) or "done")
    finished(page.ticket._send(None))  # nothing was looked at
    fill(page, symbol="SAAAC", size="1")
    finished(page.ticket._look(None))
    assert page.ticket._looked is not None
    assert not page.ticket.send.disabled
    page.ticket._fields["size"].value_input = "12"
    assert page.ticket.send.disabled
    finished(page.ticket._send(None))  # a key was pressed since
    assert (sent, page.ticket._looked) == ([], None)
    page.ticket._fields["size"].value_input = "1"
    finished(page.ticket._look(None))
    page.language = "zh"  # the page is made anew, and what was looked at stays
    page.refresh()
    finished(page.ticket._send(None))
    assert [(one.symbol, str(one.qty)) for one in sent] == [("SAAAC", "1")]
    finished(page.ticket._send(None))
    assert len(sent) == 1


def test_an_order_that_would_be_refused_is_not_sent_by_its_callback_either(settings, shown, monkeypatch):
    page, sent = shown(settings), []
    monkeypatch.setattr(order_ticket, "send", lambda settings, ticket: sent.append(ticket) or "done")
    fill(page, symbol="SAAAC", size="900")
    finished(page.ticket._look(None))
    assert not page.ticket._looked[1].allowed
    finished(page.ticket._send(None))
    fill(page, size="1")
    finished(page.ticket._look(None))
    desk_halting.halt(settings, by="Ann Lee", reason="odd")
    wait(lambda: page.refresh() or page.seen.halted)
    assert page.ticket.send.disabled
    finished(page.ticket._send(None))
    desk_halting.resume(settings, by="Ann Lee", reason="fine")
    assert sent == []


def test_what_cannot_be_done_is_said_where_it_was_asked_for(settings, shown):
    page = shown(settings)
    fill(page, symbol="SAAAX", size="1")
    finished(page.ticket._look(None))
    assert "There is no asset" in page.ticket._told.object
    page.opening._name.value, page.opening._symbols.value = "First", "SAAAA"
    finished(page.opening._opened(None))
    assert "cannot be named" in page.opening._told.object
    page.sessions._chosen = "first"
    finished(page.sessions._do("continue"))
    assert "cannot become running" in page.sessions._told.object


def test_an_order_by_hand_of_the_page_is_sent_by_a_desk_opened_for_it(settings, shown):
    page = shown(settings, inline=True)
    fill(page, symbol="SAAAB", kind="limit", size="2", limit_price="1")
    finished(page.ticket._look(None))
    finished(page.ticket._send(None))
    assert "The order to buy 2 SAAAB is new." in page.ticket._told.object
    wait(lambda: page.refresh() or page.orders._pick.value.startswith("hand-"))
    finished(page.orders._canceled(None))
    assert "is being canceled" in page.orders._told.object
    assert paper.remote(settings).orders() == []


def test_what_is_filled_in_outlives_a_change_of_the_language(settings, shown):
    page = shown(settings)
    fill(page, symbol="SAAAB", kind="stop", stop_price="9")
    page.switch.halt.clicks += 1
    page.switch._by.value = "Ann"
    page.language = "zh"
    page.refresh()
    assert page.ticket.draft == Draft("SAAAB", kind="stop", stop_price="9")
    assert page.ticket._fields["stop_price"].visible
    assert page.switch._halting.view.visible
    assert page.switch._by.value == "Ann"
    page.language = "en"


def test_a_page_of_a_lab_without_keys_is_made_at_once(tmp_path):
    began = time.monotonic()
    page = Paper(Lab(Settings(qtw_storage_dir=tmp_path, _env_file=None)), inline=True)
    page.refresh()
    assert time.monotonic() - began < 5
    wait(lambda: page.refresh() or page.seen.link == "no keys")
    assert "qtw simulator serve" in page.state._desk.object
    page.stop()
