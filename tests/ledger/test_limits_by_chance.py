"""Limits by chance: whatever passes stays within them though every open order fills."""

import itertools
from dataclasses import replace
from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from qtw_lab.ledger.limits import Limits, Standing, breaches, figures, standing_breaches
from qtw_lab.ledger.tickets import Ticket

D = Decimal
NOW = 1_704_205_800 * 10**9
NAN = D("NaN")
EXPOSURE = ("max_symbol_value", "max_gross", "max_net", "max_leverage", "max_turnover")


def rules(ticket, standing, **limits):
    return [breach.rule for breach in breaches(ticket, standing, Limits(**limits))]


SYMBOLS = ("AAA", "BBB", "CCC")
shares = st.integers(-200, 200).map(D)
prices = st.integers(1, 300).map(D)
tickets = st.builds(
    lambda symbol, side, qty, limit: Ticket(
        symbol, side, "market" if limit is None else "limit", "day", qty=D(qty), limit_price=limit
    ),
    st.sampled_from(SYMBOLS), st.sampled_from(("buy", "sell")), st.integers(1, 200), st.none() | prices,
)  # fmt: skip
standings = st.builds(
    lambda positions, marks, working, equity, traded: Standing(
        now=NOW, equity=equity, session_equity=D(20_000), peak_equity=D(40_000), positions=positions, marks=marks,
        mark_times=dict.fromkeys(marks, NOW), working=working, traded=traded, order_times=[NOW] * len(working),
    ),
    st.dictionaries(st.sampled_from(SYMBOLS), shares, max_size=3),
    st.fixed_dictionaries(dict.fromkeys(SYMBOLS, prices)),
    st.lists(st.tuples(st.sampled_from(SYMBOLS), shares.filter(bool), prices), max_size=4),
    st.integers(1, 60_000).map(D),
    st.integers(0, 60_000).map(D),
)  # fmt: skip
broken = st.one_of(
    st.just({}), st.just({"equity": NAN}), st.just({"marks": {}}), st.just({"mark_times": {}}),
    st.just({"positions": {"AAA": NAN}}), st.just({"working": [("AAA", NAN, NAN)]}), st.just({"traded": NAN}),
    st.just({"session_equity": D(0)}),
)  # fmt: skip


def signed(ticket):
    return ticket.qty if ticket.buys else -ticket.qty


WHOLE = ("max_symbol_value", "max_gross", "max_net", "max_leverage")


def outcomes(ticket, standing):
    """What is held of each symbol, in dollars, for every choice of the orders that fill."""
    orders = [*((symbol, left) for symbol, left, _ in standing.working), (ticket.symbol, signed(ticket))]
    for filled in itertools.product((False, True), repeat=len(orders)):
        after = dict.fromkeys(SYMBOLS, D(0)) | dict(standing.positions)
        for (symbol, left), done in zip(orders, filled, strict=True):
            after[symbol] += left if done else 0
        yield {symbol: after[symbol] * standing.marks[symbol] for symbol in SYMBOLS}


def opening(ticket, standing):
    """The ticket, on the other side where it would only reduce."""
    turned = replace(ticket, side="sell" if ticket.buys else "buy")
    return turned if not breaches(ticket, standing, Limits(max_gross="1e-9")) else ticket


def tightest(ticket, standing):
    """The tightest limits that the order passes."""
    found = breaches(ticket, standing, Limits(**dict.fromkeys(WHOLE, D("1e-12"))))
    return {breach.rule: D(breach.value) + (D("1e-8") if breach.rule == "max_leverage" else 0) for breach in found}


@given(tickets, standings, broken)
def test_figures_and_breaches_say_the_same_of_an_order(ticket, standing, damage):
    standing = replace(standing, **damage)
    every = Limits(max_order_value="1e-12", max_order_shares="1e-12", **dict.fromkeys(EXPOSURE, D("1e-12")))
    said = figures(ticket, standing, every)
    broken = {one.rule: one.value for one in breaches(ticket, standing, every) if one.rule != "equity"}
    assert broken == {rule: value for rule, value in said.items() if value != "0"}


@given(tickets, standings)
def test_an_order_that_passes_stays_within_the_limits_whichever_orders_fill(ticket, standing):
    ticket = opening(ticket, standing)
    limits = tightest(ticket, standing)
    assert breaches(ticket, standing, Limits(**limits)) == []
    for values in outcomes(ticket, standing):
        gross = sum(map(abs, values.values()))
        assert abs(values[ticket.symbol]) <= limits["max_symbol_value"]
        assert gross <= limits["max_gross"]
        assert gross <= limits["max_leverage"] * standing.equity
        assert abs(sum(values.values())) <= limits.get("max_net", 0)


bounded = {
    "max_order_value": (1, 60_000), "max_order_shares": (1, 200), "max_symbol_value": (1, 60_000),
    "max_gross": (1, 60_000), "max_net": (1, 60_000), "max_leverage": (1, 5), "max_turnover": (1, 5),
    "max_orders_per_minute": (1, 5), "max_open_orders": (1, 5), "max_price_age": (1, 5),
}  # fmt: skip
some = {name: st.none() | st.integers(low, high) for name, (low, high) in bounded.items()}
some |= {name: st.none() | st.integers(1, 100).map(lambda part: D(part) / 100) for name in (
    "price_band", "max_daily_loss", "max_drawdown")}  # fmt: skip
some |= {"allow_short": st.booleans(), "symbols": st.none() | st.sets(st.sampled_from(SYMBOLS), min_size=1)}
some |= {"banned": st.sets(st.sampled_from(SYMBOLS))}


def looser(name, value, more):
    """A limit that allows all that this one does, and perhaps more."""
    if name in ("allow_short", "symbols") and more > 5:
        return name == "allow_short" or None
    if name == "symbols":
        return value and value | {"AAA"}
    if name == "banned":
        return set(sorted(value)[more:])
    if name in bounded:
        return value and (value + more if more else None)
    return value if name == "allow_short" or value is None else min(value * (1 + D(more) / 10), D(1))


@given(
    tickets,
    standings,
    broken,
    st.fixed_dictionaries(some),
    st.fixed_dictionaries(dict.fromkeys(some, st.integers(0, 9))),
)
def test_loosening_a_limit_never_creates_a_breach(ticket, standing, damage, tight, steps):
    standing = replace(standing, **damage)
    loose = {name: looser(name, value, steps[name]) for name, value in tight.items()}
    before = set(rules(ticket, standing, **tight))
    assert set(rules(ticket, standing, **loose)) <= before
    stood = {breach.rule for breach in standing_breaches(standing, Limits(**tight))}
    assert {breach.rule for breach in standing_breaches(standing, Limits(**loose))} <= stood


@given(standings, broken, st.fixed_dictionaries(some), st.data())
def test_an_order_that_reduces_is_never_refused_for_exposure_or_loss(standing, damage, limits, data):
    held = {symbol: n for symbol, n in standing.positions.items() if n} or {"AAA": D(5)}
    standing = replace(standing, **(damage | {"positions": held, "working": standing.working}))
    symbol = data.draw(st.sampled_from(sorted(held)))
    side = "sell" if held[symbol] > 0 else "buy"
    same = sum(abs(left) for name, left, _ in standing.working if name == symbol and left * held[symbol] < 0)
    assume(same < abs(held[symbol]))
    qty = data.draw(st.integers(1, int(abs(held[symbol]) - same)))
    exempt = {"symbols", "allow_short", "equity", *EXPOSURE, "max_daily_loss", "max_drawdown"}
    ticket = Ticket(symbol, side, "market", "day", qty=D(qty))
    assert not exempt & set(rules(ticket, standing, **limits))
