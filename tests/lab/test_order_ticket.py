"""An order by hand: what is filled in, looked at and sent, against a simulator over a real socket."""

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pandas as pd
import pytest
from desk_process import DeskProcess

from qtw_lab.core import DataError, LabError, Settings, SetupError
from qtw_lab.lab import desk_halting, desk_tables, order_ticket, paper, realtime
from qtw_lab.lab.desk_places import DeskPlaces
from qtw_lab.lab.front import Lab
from qtw_lab.lab.order_ticket import CHOICES, NEEDED, Draft
from qtw_lab.ledger.limits import Limits
from qtw_lab.ledger.tickets import KINDS
from qtw_lab.live.lease import Lease
from qtw_lab.live.trading.preview import Bound, Preview
from qtw_lab.venues.simulator.choosing import chosen_market
from qtw_lab.venues.simulator.server import Simulator

D = Decimal
START = pd.Timestamp("2024-01-05 15:00", tz="UTC")


@pytest.fixture(scope="module")
def served():
    with Simulator(chosen_market(symbols=3), start=START, rate_limit=0) as simulator:
        yield simulator


@pytest.fixture
def settings(served, tmp_path):
    """Settings that point to the simulator, with a desk of their own; what the account has outlives a test."""
    return realtime.pointed_to(Settings(qtw_storage_dir=tmp_path, _env_file=None), served)


def limited(settings, **limits):
    places = DeskPlaces.of(settings, paper.remote(settings).account().id)
    places.root.mkdir(parents=True, exist_ok=True)
    places.limits.write_text(json.dumps(limits))


# Filled in


def test_an_order_takes_of_what_is_filled_in_what_its_kind_needs():
    full = {
        "symbol": " aapl ", "size": "1,000", "limit_price": "99.50", "stop_price": "98", "trail": "2",
        "time_in_force": "gtc", "hours": "extended",
    }  # fmt: skip
    found = {kind: Draft(kind=kind, **{**full, "hours": "regular"}).ticket("hand-1") for kind in KINDS}
    terms = {kind: (one.limit_price, one.stop_price, one.trail_percent) for kind, one in found.items()}
    assert terms == {
        "market": (None, None, None), "limit": (D("99.50"), None, None), "stop": (None, D(98), None),
        "stop_limit": (D("99.50"), D(98), None), "trailing_stop": (None, None, D(2)),
    }  # fmt: skip
    assert {(one.symbol, one.qty, one.client_order_id) for one in found.values()} == {("AAPL", D(1000), "hand-1")}
    assert Draft(kind="limit", **full).ticket().extended_hours
    assert Draft("X", kind="trailing_stop", size="1", trail="2", trail_measure="dollars").ticket().trail_price == 2
    assert Draft("X", measure="dollars", size="50").ticket().notional == 50
    assert NEEDED.keys() == KINDS.keys() == set(CHOICES["kind"])


def test_every_order_has_a_name_of_its_own():
    names = {Draft("X", size="1").ticket().client_order_id for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith("hand-") and len(name) == 21 for name in names)


@pytest.mark.parametrize(
    ("draft", "why"),
    [
        (Draft(""), "An order needs a symbol"),
        (Draft("X"), "The order lacks its size in shares"),
        (Draft("X", measure="dollars"), "The order lacks its size in dollars"),
        (Draft("X", kind="stop_limit", size="1"), "lacks its limit price and stop price"),
        (Draft("X", kind="trailing_stop", size="1"), "lacks its trail in percent"),
        (Draft("X", size="ten"), "qty='ten' is no number"),
        (Draft("X", size="-1"), "This cannot be an order: qty must be > 0"),
        (Draft("X", size="1", time_in_force="soon"), "invalid time_in_force"),
        (Draft("X", size="1", hours="extended"), "This cannot be an order"),
    ],
)
def test_what_is_missing_or_cannot_be_is_said(draft, why):
    with pytest.raises(DataError) as caught:
        draft.ticket()
    assert why in str(caught.value)


# Looked at


def test_a_preview_has_every_limit_of_the_desk(settings):
    limited(settings, max_order_value=5_000, max_leverage=2, price_band=0.1, max_price_age=60, banned=["GME"])
    found = order_ticket.preview(settings, Draft("SAAAA", size="2").ticket())
    assert found.allowed
    table = order_ticket.limits_table(found).set_index("rule")
    assert table["bound"].to_dict() == {
        "max_order_value": "$5,000.00", "price_band": "10.00%", "max_price_age": "60.0 s", "max_leverage": "2.00x",
        "banned": "GME",
    }  # fmt: skip
    assert set(table["state"]) == {"kept"}
    assert table["value"]["max_order_value"] == f"${2 * D(found.price):,.2f}"
    figures = order_ticket.figures(found)
    assert figures["value"] == pytest.approx(2 * float(found.price))
    assert figures["equity"] == pytest.approx(100_000, rel=0.01)


def test_a_preview_of_what_would_be_refused_says_why_and_writes_nothing_down(settings):
    limited(settings, max_order_value=100)
    found = order_ticket.preview(settings, Draft("SAAAA", size="2").ticket())
    assert not found.allowed
    assert "over the limit of $100.00" in found.reasons[0]
    assert order_ticket.limits_table(found)["state"].tolist() == ["broken"]
    assert desk_tables.refusals(settings).empty


def test_limits_are_shown_in_their_measures():
    shown = order_ticket.limits_shown(
        Limits(max_daily_loss="0.02", max_open_orders=3, allow_short=False, symbols={"A"})
    )
    assert shown.to_dict("records") == [
        {"rule": "max_open_orders", "bound": "3"}, {"rule": "max_daily_loss", "bound": "2.00%"},
        {"rule": "allow_short", "bound": "0"}, {"rule": "symbols", "bound": "A"},
    ]  # fmt: skip
    assert order_ticket.limits_shown(Limits()).columns.tolist() == ["rule", "bound"]


def test_what_is_not_known_and_what_is_exempt_are_told_apart():
    ticket = Draft("X", size="1").ticket()
    found = Preview(
        ticket, "unknown", "unknown", "0.5", "1234567.25", "0", "5", "5",
        (Bound("max_gross", "5", "unknown", kept=False), Bound("max_net", "5", "", exempt=True)),
    )  # fmt: skip
    table = order_ticket.limits_table(found)
    assert table[["value", "state"]].to_numpy().tolist() == [["unknown", "broken"], ["", "exempt"]]
    figures = order_ticket.figures(found)
    assert (figures["value"], figures["position"], figures["after"]) == (None, "0.5", "1,234,567.25")


# Sent


def test_an_order_is_sent_once_through_the_desk_and_canceled(settings):
    ticket = Draft("SAAAB", kind="limit", size="3", limit_price="1").ticket()
    assert order_ticket.send(settings, ticket) == "The order to buy 3 SAAAB is new."
    assert "not again" in order_ticket.send(settings, ticket)
    sent = [one for one in paper.remote(settings).orders() if one.client_order_id == ticket.client_order_id]
    assert len(sent) == 1
    assert order_ticket.cancel(settings, ticket.client_order_id).endswith("is being canceled.")
    assert paper.remote(settings).find(ticket.client_order_id).status == "canceled"
    with pytest.raises(LabError):
        order_ticket.cancel(settings, ticket.client_order_id)


def test_a_desks_hand_does_the_same(settings):
    hand, ticket = Lab(settings).desk(), Draft("SAAAB", kind="limit", size="3", limit_price="1").ticket()
    assert hand.preview(ticket).ticket == ticket
    assert hand.send(ticket) == "The order to buy 3 SAAAB is new."
    assert hand.cancel(ticket.client_order_id).endswith("is being canceled.")


def test_an_order_that_a_limit_refuses_is_not_sent_and_stands_among_the_refusals(settings):
    limited(settings, max_order_shares=2)
    ticket = Draft("SAAAB", size="3").ticket()
    with pytest.raises(LabError, match=r"The order is not sent\. The size of the order comes to 3 shares"):
        order_ticket.send(settings, ticket)
    assert paper.remote(settings).find(ticket.client_order_id) is None
    (row,) = desk_tables.refusals(settings).to_dict("records")
    assert (row["by"], row["order"], row["qty"]) == ("limits", ticket.client_order_id, 3.0)


def test_a_halt_holds_for_orders_by_hand(settings):
    order_ticket.preview(settings, Draft("SAAAB", size="3").ticket())
    desk_halting.halt(settings, by="Ann Lee", reason="odd")
    ticket = Draft("SAAAB", size="3").ticket()
    assert "odd" in order_ticket.preview(settings, ticket).reasons[0]
    with pytest.raises(LabError, match="odd"):
        order_ticket.send(settings, ticket)
    assert paper.remote(settings).find(ticket.client_order_id) is None


def test_a_desk_at_work_sends_what_many_ask_for_at_once_and_sends_it_once(tmp_path):
    with DeskProcess(tmp_path) as market:
        market.open()
        market.start()
        settings, hand = market.settings, Lab(market.settings).desk()
        hand.wait(lambda: hand.alive, 120, "begun")
        ticket = Draft("SAAAC", size="3").ticket()
        found = order_ticket.preview(settings, ticket)
        assert (found.allowed, found.position, found.after) == (True, "0", "3")
        assert [one.rule for one in found.bounds] == [
            "max_order_value", "max_orders_per_minute", "max_leverage", "max_daily_loss"
        ]  # fmt: skip
        with ThreadPoolExecutor(4) as pool:
            said = list(pool.map(lambda _: order_ticket.send(settings, ticket), range(4)))
        assert all(one.startswith("The order to buy 3 SAAAC is ") for one in said)
        assert sum("not again" in one for one in said) == 3
        sent = [one for one in market.broker.orders("all") if one.client_order_id == ticket.client_order_id]
        assert len(sent) == 1
        with pytest.raises(LabError, match=r"over the limit of \$50,000\.00"):
            order_ticket.send(settings, Draft("SAAAC", size="3000").ticket())
        low = Draft("SAAAC", kind="limit", size="1", limit_price="1").ticket()
        order_ticket.send(settings, low)
        order_ticket.cancel(settings, low.client_order_id)
        hand.wait(lambda: market.broker.find(low.client_order_id).status == "canceled", what="canceled")
        table = hand.reconcile().set_index("symbol")
        assert (table.loc["SAAAC", "others"], table.loc["SAAAC", "sessions"]) == (3.0, 0.0)
        assert hand.state().faults() == []


def test_a_desk_at_work_on_another_account_gets_no_order(settings):
    places = DeskPlaces.of(settings, "ffffffff-ffff-1111")
    with Lease(places.root, 1), pytest.raises(SetupError, match="The desk at work trades the account ffffffff-ffff"):
        order_ticket.send(settings, Draft("SAAAB", size="3").ticket())


def test_without_keys_it_is_said_how_to_get_some(tmp_path):
    bare = Settings(qtw_storage_dir=tmp_path, _env_file=None)
    for ask in (order_ticket.preview, order_ticket.send):
        with pytest.raises(SetupError, match="no keys to a trading account"):
            ask(bare, Draft("X", size="1").ticket())
