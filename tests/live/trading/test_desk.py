"""Several sessions on one account: their orders are netted, sent once, and given back to them to the last digit."""

from decimal import Decimal

import pytest
from by_hand import Rig, bars_of, shares, terms

from qtw_lab.core import DataError
from qtw_lab.ledger import Costs
from qtw_lab.venues.paper.models import FillModel

D = Decimal

COSTS = Costs(
    commission_bps=5, commission_per_share=0.001, commission_min=1.0, spread_bps=4, sell_fee_bps=0.206,
    sell_fee_per_share=0.000166, fees_per_share=3e-6,
)  # fmt: skip


def two(first=30, second=10, **how):
    return Rig(bars_of(X=[10, 11, 12, 13, 14, 15]), shares("a", first), shares("b", second), **how)


# Netting


def test_opposite_wishes_become_one_order_for_the_rest():
    rig = two(model=FillModel.backtest(COSTS))
    rig.bar(0, {"a": {"X": 1}, "b": {"X": -1}})
    (order,) = rig.bar(1)
    assert rig.sent() == [("X", "buy", D(20))]
    assert (order.parts, order.qty, order.status) == ({"a": D(30), "b": D(-10)}, D(20), "filled")
    assert (rig.held("a"), rig.held("b")) == ({"X": D(30)}, {"X": D(-10)})
    fills = [fill for one in rig.state.sleeves.values() for fill in one.fills()]
    assert {fill.price for fill in fills} == {rig.paper.book.fills[0].price}
    # 20 shares at 11.0022: the least commission is a dollar, and the fee for 20 shares 0.00006
    assert [fill.fee for fill in fills] == [D("0.750045"), D("0.250015")]
    assert rig.cash_beside() == 0
    rig.sound()


def test_wishes_that_cancel_each_other_change_hands_and_nothing_is_sent():
    rig = two(30, 30, model=FillModel.backtest(COSTS))
    rig.bar(0, {"a": {"X": 1}, "b": {"X": -1}})
    (order,) = rig.opens(1)
    assert (rig.sent(), order.status, order.qty) == ([], "crossed", 0)
    assert [rig.state.sleeves[name].book.cash for name in "ab"] == [D(50_000 - 330), D(50_000 + 330)]
    assert (rig.held("a"), rig.held("b"), rig.together()) == ({"X": D(30)}, {"X": D(-30)}, {})
    rig.closes(1, {"a": {"X": 0}})
    rig.bar(2)
    assert rig.sent() == [("X", "sell", D(30))]
    assert rig.account.positions() == rig.together() == {"X": D(-30)}
    rig.sound()


def test_sells_are_sent_before_buys():
    rig = Rig(bars_of(A=[10] * 4, B=[10] * 4), shares("a", 5, "A,B"))
    rig.bar(0, {"a": {"B": 1}})
    rig.bar(1, {"a": {"A": 1, "B": -1}})
    rig.bar(2)
    assert rig.sent() == [("B", "buy", D(5)), ("B", "sell", D(10)), ("A", "buy", D(5))]


def test_orders_by_hand_belong_to_nobody():
    rig = two()
    rig.bar(0, {"a": {"X": 1}})
    rig.opens(1)
    rig.send("mine", "X", 7)
    rig.closes(1, {"a": {"X": 0}})
    assert rig.account.positions() == {"X": D(37)}
    assert (rig.held("a"), rig.held("b"), rig.cash_beside()) == ({"X": D(30)}, {}, D(-77))
    rig.bar(2)
    assert rig.account.positions() == {"X": D(7)}
    assert rig.together() == {}
    assert not any(fill.execution in rig.state.executions for fill in rig.account.fills() if fill.qty == 7)
    rig.sound()


# Allocation


def test_sessions_get_a_part_of_the_equity_or_dollars():
    rig = Rig(bars_of(X=[10, 11]), terms("a", allocation=0.25), terms("b", allocation=1000), terms("c", allocation=1.5))
    assert [one.book.cash for one in rig.state.sleeves.values()] == [D(25_000), D(1000), D("1.5")]


def test_more_than_is_free_is_not_given():
    rig = Rig(bars_of(X=[10, 11]), terms("a", allocation=0.75))
    with pytest.raises(DataError) as caught:
        rig.desk.open(terms("b", allocation=0.5))
    assert str(caught.value) == (
        "The session b is to have 50,000.00, and 25,000.00 of the account's 100,000.00 are free; allocate less, or "
        "stop another session."
    )
    assert list(rig.state.sleeves) == ["a"]
    rig.desk.open(terms("b", allocation=0.25))
    with pytest.raises(DataError, match=r"and 0\.00 of"):
        rig.desk.open(terms("c", allocation=2))


def test_what_a_session_has_gained_is_its_own_and_is_not_given_to_another():
    rig = Rig(bars_of(X=[10, 10, 20]), shares("a", 1000, allocation=0.5))
    rig.bar(0, {"a": {"X": 1}})
    rig.bar(1)
    rig.bar(2)
    assert rig.account.account().equity == 110_000
    with pytest.raises(DataError, match=r"to have 55,000.00, and 50,000.00 of the account's 110,000.00 are free"):
        rig.desk.open(terms("b", allocation=0.5))
    rig.desk.change("a", "stopped")
    with pytest.raises(DataError, match=r"50,000.00 of"):  # what it holds stays its own
        rig.desk.open(terms("b", allocation=0.5))


def test_the_money_of_a_session_that_ended_flat_is_free_again():
    rig = Rig(bars_of(X=[10, 10, 20, 20, 20]), shares("a", 1000, allocation=0.5))
    rig.bar(0, {"a": {"X": 1}})
    rig.bar(1)
    rig.bar(2, {"a": {"X": 0}})
    rig.bar(3)
    rig.desk.change("a", "stopped")
    assert rig.desk.open(terms("b", allocation=1.0)).book.cash == 110_000


def test_a_name_is_used_once():
    rig = two()
    rig.desk.change("a", "stopped")
    with pytest.raises(DataError, match="There was a session a before; choose another name"):
        rig.desk.open(terms("a"))


# What becomes of sessions


def test_a_paused_session_hears_on_and_trades_nothing_until_it_may():
    rig = two()
    rig.desk.change("a", "paused")
    rig.bar(0, {"a": {"X": 1}, "b": {"X": 1}})
    rig.bar(1)
    assert (rig.held("a"), rig.held("b")) == ({}, {"X": D(10)})
    assert rig.state.sleeves["a"].waiting == {"X": 1.0}
    assert len(rig.state.sleeves["a"].curve) == 2
    rig.desk.change("a", "running")
    rig.bar(2)
    assert rig.held("a") == {"X": D(30)}


def test_what_a_paused_session_last_heard_is_what_it_trades():
    rig = two()
    rig.desk.change("a", "paused")
    rig.bar(0, {"a": {"X": 1}})
    rig.bar(1, {"a": {"X": 0}})
    rig.desk.change("a", "running")
    assert rig.bar(2) == []
    assert rig.sent() == []


def test_a_session_that_closes_ends_when_it_is_flat_and_hears_nothing_more():
    rig = two()
    rig.bar(0, {"a": {"X": 1}, "b": {"X": 1}})
    rig.bar(1)
    rig.desk.change("a", "closing")
    assert rig.state.sleeves["a"].status == "closing"
    rig.closes(1, {"a": {"X": -1}})
    rig.bar(2, {"a": {"X": -1}})
    assert (rig.state.sleeves["a"].status, rig.held("a"), rig.held("b")) == ("stopped", {}, {"X": D(10)})
    rig.bar(3, {"a": {"X": 1}})
    assert rig.held("a") == {}
    rig.sound()


def test_a_session_that_holds_nothing_closes_at_once():
    rig = two()
    rig.desk.change("a", "closing")
    assert rig.state.sleeves["a"].status == "stopped"


def test_a_session_that_is_stopped_keeps_what_it_holds():
    rig = two()
    rig.bar(0, {"a": {"X": 1}})
    rig.bar(1, {"a": {"X": 0}})
    rig.desk.change("a", "stopped")
    assert rig.bar(2, {"a": {"X": 0}}) == []
    assert rig.held("a") == rig.account.positions() == {"X": D(30)}
    assert len(rig.state.sleeves["a"].curve) == 2


@pytest.mark.parametrize(
    ("before", "wish"),
    [("running", "running"), ("paused", "paused"), ("stopped", "running"), ("stopped", "paused"),
     ("stopped", "closing"), ("stopped", "stopped")],
)  # fmt: skip
def test_what_a_session_cannot_become_is_said(before, wish):
    rig = two()
    if before != "running":
        rig.desk.change("a", before)
    with pytest.raises(DataError, match=f"The session a is {before} and cannot become {wish}"):
        rig.desk.change("a", wish)


def test_a_session_that_closes_goes_on_closing():
    rig = two()
    rig.bar(0, {"a": {"X": 1}})
    rig.bar(1)
    rig.desk.change("a", "closing")
    for wish in ("running", "paused", "closing"):
        with pytest.raises(DataError, match="is closing and cannot become"):
            rig.desk.change("a", wish)
    rig.desk.change("a", "stopped")
    assert rig.held("a") == {"X": D(30)}


def test_a_session_that_is_none_is_named():
    with pytest.raises(DataError, match="There is no session 'c'"):
        two().desk.change("c", "paused")


def test_a_session_that_closes_while_its_order_is_open_ends_flat():
    rig = two(model=FillModel(latency=1.0))
    rig.bar(0, {"a": {"X": 1}})
    rig.opens(1)
    rig.desk.change("a", "closing")
    for t in (2, 3, 4):
        rig.bar(t)
    assert (rig.held("a"), rig.state.sleeves["a"].status) == ({}, "stopped")
