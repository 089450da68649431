"""Refusals are all written down, and what cannot be written or read lets nothing through."""

import subprocess
import sys

import pytest
from small_exchange import OPEN

from qtw_lab.core import DataError, SetupError
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.refused import NotAllowedError, refusals


def test_what_the_broker_refuses_is_written_down_too(post):
    desk = post()
    with pytest.raises(RefusedError) as caught:
        desk.send("a", qty=10**6)
    assert not isinstance(caught.value, NotAllowedError)
    (one,) = desk.log()
    assert (one.by, one.ticket.client_order_id, one.breaches) == ("broker", "a", ())
    assert (one.reason, one.status, one.code) == (str(caught.value), 403, 40310000)


def test_refusals_can_be_read_by_others_while_they_are_written(post):
    desk = post(max_order_shares=5)
    desk.refused("a", qty=6)
    code = (
        "import sys; from qtw_lab.venues.paper.store import reading; from qtw_lab.venues.refused import refusals\n"
        "with reading(sys.argv[1]) as events: print([one.ticket.client_order_id for one in refusals(events)])"
    )
    words = [sys.executable, "-c", code, str(desk.folder / "guard.sqlite")]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip() == "['a']"
    desk.refused("b", qty=6)
    assert [one.ticket.client_order_id for one in desk.log()] == ["a", "b"]


@pytest.mark.parametrize("content", [b"no book", b"SQLite format 3\x00" + bytes(200)])
def test_a_file_that_cannot_be_read_lets_no_guard_begin(post, content):
    desk = post()
    desk.stop()
    (desk.folder / "guard.sqlite").write_bytes(content)
    for rest in desk.folder.glob("guard.sqlite-*"):
        rest.unlink()
    with pytest.raises(DataError, match=r"guard\.sqlite"):
        desk.start()


@pytest.mark.parametrize(
    "event",
    [Event("accepted", 1, "x", {}), Event("session", 1, "", {}), Event("sent", 1, "x", {"ticket": {}, "legs": []})],
)
def test_events_of_something_else_let_no_guard_begin(post, event):
    desk = post()
    desk.stores[2].append([event])
    with pytest.raises(DataError, match="guard"):
        desk.start()


def test_an_equity_that_was_written_down_and_cannot_be_read_is_unknown_until_a_person_says_otherwise(post):
    desk = post(max_drawdown="0.5", max_daily_loss="0.5")
    desk.stores[2].append([
        Event("highest", 1, "", {"equity": "1O0", "armed": 0}), Event("session", 1, "", {"start": OPEN, "equity": "?"}),
    ])  # fmt: skip
    desk.start()
    for _ in range(2):
        assert desk.refused("a") == [("max_daily_loss", "unknown"), ("max_drawdown", "unknown")]
    desk.guard.renew("Ann Lee", "the file was damaged")
    assert desk.refused("a") == [("max_daily_loss", "unknown")]
    desk.session += 1
    desk.send("a")


def test_an_order_is_not_sent_if_its_refusal_or_the_equity_cannot_be_written_down(post):
    desk = post(max_order_shares=5)
    desk.stores[2]._connection.execute("PRAGMA query_only=ON")  # as on a full disk
    for qty in (1, 6):
        with pytest.raises(SetupError, match=r"guard\.sqlite"):
            desk.send("a", qty=qty)
    assert desk.outbox.intents == {}


def test_a_refusal_that_cannot_be_read_says_so():
    with pytest.raises(DataError, match="refusal of the guard cannot be read"):
        list(refusals([Event("refused", 1, "", {"by": "limits"})]))
