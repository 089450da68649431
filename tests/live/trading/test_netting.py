"""One order for many sessions: what each gets of its fills comes to the whole, whatever fills when."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.ledger.amounts import ZERO
from qtw_lab.live.trading.netting import SHARE, divided, net

D = Decimal

sizes = st.one_of(st.integers(1, 10**6), st.decimals("0.000000001", 10**6, places=9)).map(D)
signed = st.tuples(sizes, st.sampled_from([1, -1])).map(lambda one: one[0] * one[1])
amounts = st.decimals(0, 1000, places=6)


@st.composite
def orders(draw):
    """Parts that do not cancel wholly, and fills of their order: in all, or of some of it."""
    parts = draw(st.lists(signed, min_size=1, max_size=6))
    named = {f"s{place}": part for place, part in enumerate(parts)}
    whole = net(named)
    if not whole:
        named["s0"] += SHARE
        whole = SHARE
    cuts = draw(st.lists(st.decimals(0, 1, places=6), max_size=5))
    steps = sorted({(whole * cut).quantize(SHARE) for cut in cuts} | {ZERO}, key=abs)
    if draw(st.booleans()) and whole not in steps:
        steps.append(whole)
    return named, [after - before for before, after in pairwise(steps)]


def given_out(parts, fills, fees=None):
    """What each session has got, and paid, after every fill."""
    before, got = ZERO, dict.fromkeys(parts, (ZERO, ZERO))
    for place, qty in enumerate(fills):
        for name, part in divided(parts, before, qty, ZERO if fees is None else fees[place]).items():
            got[name] = (got[name][0] + part.qty, got[name][1] + part.fee)
        before += qty
        yield got, before


@given(orders())
def test_the_parts_of_every_fill_come_to_it_exactly(order):
    parts, fills = order
    for got, filled in given_out(parts, fills):
        assert sum(qty for qty, _ in got.values()) == filled


@given(orders())
def test_when_all_is_filled_everybody_has_what_it_wanted(order):
    parts, fills = order
    for got, filled in given_out(parts, fills):
        if filled == net(parts):
            assert {name: qty for name, (qty, _) in got.items()} == parts


@given(orders())
def test_nobody_gets_more_than_its_part_but_for_the_rounding_that_the_first_takes(order):
    parts, fills = order
    most = SHARE * len(parts)
    for got, filled in given_out(parts, fills):
        for name, (qty, _) in got.items():
            fair = parts[name] * filled / net(parts)
            assert abs(qty - fair) <= most
            assert min(ZERO, parts[name]) - most <= qty <= max(ZERO, parts[name]) + most


@given(orders(), st.data())
def test_fees_come_to_the_whole_as_well_by_the_size_of_the_parts(order, data):
    parts, fills = order
    fees = [data.draw(amounts) for _ in fills]
    paid = ZERO
    for (got, _), fee in zip(given_out(parts, fills, fees), fees, strict=True):
        paid += fee
        assert sum(fee for _, fee in got.values()) == paid
    for name, part in divided(parts, ZERO, net(parts), D(100)).items():
        fair = D(100) * abs(parts[name]) / sum(map(abs, parts.values()))
        assert abs(part.fee - fair) <= D("0.000001") * len(parts)


@given(st.lists(signed, min_size=1, max_size=4))
def test_what_is_bought_by_one_and_sold_by_another_needs_no_market(some):
    parts = {f"{side}{place}": sign * part for place, part in enumerate(some) for side, sign in (("a", 1), ("b", -1))}
    assert net(parts) == 0


def test_by_hand():
    # 30 - 10 = 20 are bought. When 5 have come, the first has 30 x 5 / 20 and the second sold 10 x 5 / 20 to it.
    got = divided({"a": D(30), "b": D(-10)}, ZERO, D(5), D(1))
    assert {name: (part.qty, part.fee) for name, part in got.items()} == {
        "a": (D("7.5"), D("0.75")), "b": (D("-2.5"), D("0.25")),
    }  # fmt: skip
    thirds = divided({"a": D(1), "b": D(1), "c": D(1)}, ZERO, D(1), D("0.01"))
    assert [part.qty for part in thirds.values()] == [D("0.333333334"), D("0.333333333"), D("0.333333333")]
    assert [part.fee for part in thirds.values()] == [D("0.003334"), D("0.003333"), D("0.003333")]
