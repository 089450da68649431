"""Terms of orders: what contradicts itself is refused in the venue's words, before anything is done."""

from decimal import Decimal

import pytest

from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Exit, Ticket, check_price

D = Decimal


def ticket(**more):
    fields = {"symbol": "X", "side": "buy", "kind": "market", "time_in_force": "day", "qty": D(10)} | more
    return Ticket(**fields)


def bracket(**more):
    legs = {"target": Exit(limit=D(12)), "stop_loss": Exit(stop=D(9))}
    return ticket(shape="bracket", time_in_force="gtc", **(legs | more))


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (ticket(side="hold"), "invalid side: hold"),
        (ticket(kind="iceberg"), "invalid type: iceberg"),
        (ticket(time_in_force="gtd"), "invalid time_in_force: gtd"),
        (ticket(qty=None), "qty or notional is required"),
        (ticket(notional=D(5)), "only one of qty or notional is accepted"),
        (ticket(qty=D(-1)), "qty must be > 0"),
        (ticket(qty=D("1e-10")), "no more than 9 decimal places"),
        (ticket(qty=None, notional=D("1.001")), "no more than 2 decimal places"),
        (ticket(qty=None, notional=D(5), kind="stop", stop_price=D(5)), "notional orders must be market or limit"),
        (ticket(kind="limit"), "limit orders require a limit price"),
        (ticket(limit_price=D(5)), "market orders require no limit price"),
        (ticket(kind="stop_limit", limit_price=D(5)), "stop limit orders require a stop price"),
        (ticket(kind="limit", limit_price=D("10.005")), "sub-penny increment"),
        (ticket(kind="limit", limit_price=D("0.50005")), "sub-penny increment"),
        (ticket(kind="trailing_stop"), "one of trail_price or trail_percent"),
        (ticket(kind="trailing_stop", trail_price=D(1), trail_percent=D(1)), "one of trail_price or trail_percent"),
        (ticket(kind="trailing_stop", trail_percent=D(100)), "between 0 and 100"),
        (ticket(trail_price=D(1)), "market orders require no trail_price"),
        (ticket(extended_hours=True), "extended hours order must be DAY or GTC limit orders"),
        (ticket(qty=D("0.5"), time_in_force="gtc"), "fractional orders must be DAY orders"),
        (ticket(kind="stop", stop_price=D(5), time_in_force="opg"), "stop orders must be DAY or GTC orders"),
        (ticket(target=Exit(limit=D(5))), "give an order_class"),
        (bracket(target=None), "bracket orders require"),
        (bracket(target=Exit(stop=D(5))), "take_profit requires a limit_price"),
        (bracket(stop_loss=Exit(limit=D(5))), "stop_loss requires a stop_price"),
        (bracket(target=Exit(limit=D(8))), "take_profit.limit_price must be higher"),
        (bracket(kind="limit", limit_price=D(9)), "stop_loss.stop_price must be <= base_price - 0.01"),
        (bracket(side="sell", target=Exit(limit=D(12))), "take_profit.limit_price must be lower"),
        (bracket(kind="trailing_stop", trail_price=D(1)), "trailing stop orders must be simple"),
        (bracket(extended_hours=True, kind="limit", limit_price=D(10)), "cannot trade in extended hours"),
        (ticket(shape="oto", target=Exit(limit=D(5)), stop_loss=Exit(stop=D(4))), "exactly one of"),
        (ticket(shape="oco", target=Exit(limit=D(5)), stop_loss=Exit(stop=D(4))), "oco orders must be limit orders"),
        (ticket(client_order_id="x" * 129), "no more than 128 characters"),
    ],
)
def test_terms_that_contradict_each_other_are_refused(wish, said):
    with pytest.raises(RefusedError, match=said):
        wish.checked()


def test_good_terms_of_every_shape_pass():
    pair = ticket(
        side="sell", shape="oco", kind="limit", limit_price=D(12), target=Exit(limit=D(12)), stop_loss=Exit(stop=D(9))
    )
    wishes = [
        ticket(), bracket(), pair, ticket(shape="oto", stop_loss=Exit(stop=D(9), limit=D("8.5"))),
        ticket(kind="trailing_stop", trail_percent=D("1.5")), ticket(time_in_force="cls"),
        ticket(qty=D("0.000000001")),
    ]  # fmt: skip
    assert [wish.checked() is wish for wish in wishes] == [True] * len(wishes)
    assert [(leg.side, leg.kind) for leg in pair.exits()] == [("sell", "stop")]


def test_steps_of_prices_are_a_matter_of_the_symbol_from_a_dollar_on():
    check_price(D("10.005"), "limit_price", D("0.005"))
    check_price(D("0.1234"), "limit_price", D("0.005"))
    with pytest.raises(RefusedError, match="sub-penny"):
        check_price(D("10.002"), "limit_price", D("0.005"))


def test_what_a_replacement_leaves_out_stays_and_what_cannot_be_replaced_is_said():
    limit = ticket(kind="limit", limit_price=D(10), client_order_id="a")
    changed = limit.amended(qty=D(12))
    assert (changed.qty, changed.limit_price, changed.client_order_id) == (D(12), D(10), "")
    trailing = ticket(kind="trailing_stop", trail_percent=D(1))
    assert (trailing.amended(trail=D(2)).trail_percent, trailing.trail_percent) == (D(2), D(1))
    for wish, changes, said in (
        (ticket(qty=None, notional=D(5)), {}, "notional amount cannot be replaced"),
        (ticket(qty=D("0.5")), {"qty": D(1)}, "quantity of a fractional order"),
        (limit, {"trail": D(1)}, "trail can only be replaced for trailing stop orders"),
    ):
        with pytest.raises(RefusedError, match=said):
            wish.amended(**changes)
