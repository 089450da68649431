"""Why a session differs from its backtest: what is planted, one cause at a time, is what the report names."""

from decimal import Decimal

import pytest
from lived import (
    CENT,
    TERMS,
    TRIO,
    Lived,
    Refusing,
    backtested,
    changed,
    effects,
    lived,
    stocks,
    terms_of,
    told,
)  # fmt: skip

from qtw_lab.lab.divergence import compared
from qtw_lab.ledger import Costs, Sizing
from qtw_lab.live.trading.state import DeskState
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.store import MemoryStore

D = Decimal
# The session of `TERMS` over `stocks()` wants to sell on bars 27, 33 and 43, and to buy on 30, 36 and 59.


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"sizing": Sizing.fraction(0.5), "costs": Costs(commission_bps=5, spread_bps=4, commission_min=1.0)},
        {"symbols": TRIO},
        {"parameters": {"short": True}},
        {"strategy": "volatility_trend", "symbols": TRIO},
        {"strategy": "cross_sectional_momentum", "symbols": TRIO},
        {"strategy": "pairs", "symbols": TRIO[:2]},
    ],
)
def test_nothing_planted_is_nothing_found(terms):
    given = terms_of(**terms)
    found = told(
        lived(given, bars=stocks(*given.symbols, last=420), model=FillModel.backtest(given.costs)), terms=given
    )
    assert len(found.backtest.orders)
    assert "rounding" not in found.facts()


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize(
    ("cause", "costs"),
    [
        ("fee", Costs(commission_bps=10)),
        ("fee", Costs(sell_fee_bps=8, commission_per_order=1.0)),
        ("fill price", Costs(spread_bps=10)),
        ("fill price", Costs(slippage_bps=5)),
    ],
)
def test_what_trading_costs_beyond_what_was_expected(cause, costs, short):
    given = terms_of(parameters={"short": short})
    made = lived(given, model=FillModel.backtest(costs))
    found = told(made, cause, terms=given)
    paid = sum(fill.fee for fill in made.paper.book.fills)
    assert effects(found)[cause] < 0
    assert cause != "fee" or abs(float(found.total + paid)) < CENT
    # beyond the commission, what the backtest expects is no difference
    same = terms_of(parameters={"short": short}, costs=costs)
    told(lived(same, model=FillModel.backtest(costs)), terms=same)


def test_costs_make_later_orders_smaller_which_is_told_as_size():
    given = terms_of(sizing=Sizing.fraction(0.5))
    named = effects(told(lived(given, model=FillModel.backtest(Costs(commission_bps=10))), "fee", "size", terms=given))
    assert abs(named["size"]) < 0.1 * abs(named["fee"])


def test_two_causes_get_their_own():
    made = lived(model=FillModel.backtest(Costs(commission_bps=10, spread_bps=10)), rules=Refusing(2))
    named = effects(told(made, "fee", "fill price", "reject"))
    paid = float(sum(fill.fee for fill in made.paper.book.fills))
    assert named["fee"] == pytest.approx(-paid, abs=CENT)
    alone = effects(told(lived(rules=Refusing(2)), "reject"))
    assert named["reject"] == pytest.approx(alone["reject"], abs=CENT)


def test_partial_fills_and_what_the_rest_cost_later_in_the_bar():
    made = lived(model=FillModel(adverse=True, partials=1.0))
    assert {order.status for order in made.desk.state.orders.values()} >= {"expired"}
    told(made, "partial", "fill price")


@pytest.mark.parametrize("place", range(4))
def test_an_order_that_the_broker_refuses_and_what_follows_from_it(place):
    found = told(lived(rules=Refusing(place)), "reject")
    assert found.table()["count"].sum() - 1 == 2  # one side of a round trip and the other; and rounding


def test_a_refused_order_does_not_explain_the_next_round_trip():
    found = told(lived(rules=Refusing(2), model=FillModel.backtest(Costs(commission_bps=10))), "reject", "fee")
    assert found.details().query("cause == 'reject'")["time"].nunique() == 2


def test_a_broker_that_rejects_an_order_it_had_accepted():
    made = lived(rules=Refusing(2))
    events = [
        one._replace(content={**one.content, "status": "rejected"}) if one.content.get("status") == "refused" else one
        for one in made.notes.read()
    ]
    store = MemoryStore()
    store.append(events)
    named = effects(compared(DeskState.of(store.read()), store.read(), "one", made.bars))
    assert set(named) - {"rounding"} == {"reject"}


def test_a_limit_refuses_orders(tmp_path):
    made = Lived(stocks(), TERMS)
    made.guarded(tmp_path, max_order_value=D(7_500))
    made.run()
    assert sum(order.status == "refused" for order in made.desk.state.orders.values())
    told(made, "reject")


@pytest.mark.parametrize("bar", [25, 32, 40, 48, pytest.param(28), pytest.param(44)])
def test_a_session_that_was_paused(bar):
    made = Lived(stocks(), TERMS)
    made.run(bar)
    made.desk.change("one", "paused")
    made.run(15)
    made.desk.change("one", "running")
    made.run()
    told(made, "manual")


@pytest.mark.parametrize("bar", [20, 28, 44])
def test_a_session_that_was_stopped_is_compared_up_to_its_last_bar(bar):
    made = Lived(stocks(), TERMS)
    made.run(bar)
    made.desk.change("one", "stopped")
    last = made.gain()
    made.run()
    found = made.report()
    assert found.bars == bar
    assert abs(float(found.session_gain - last)) < CENT
    assert abs(float(found.total)) < CENT


@pytest.mark.parametrize("bar", [20, 40])
def test_a_session_that_was_closed_gained_what_its_book_says(bar):
    made = Lived(stocks(), TERMS)
    made.run(bar)
    made.desk.change("one", "closing")
    made.run(5)
    sleeve = made.desk.state.sleeves["one"]
    assert (sleeve.status, sleeve.book.holdings) == ("stopped", {})
    found = made.report()
    assert abs(float(found.session_gain - (sleeve.book.cash - sleeve.start))) < CENT
    assert abs(float(found.backtest_gain) - backtested(TERMS, made.bars.head(bar))) < CENT
    assert set(effects(found)) - {"rounding"} == {"manual"}


@pytest.mark.parametrize(("bar", "bars"), [(29, 5), (40, 10)])
def test_trading_was_halted_for_some_bars(tmp_path, bar, bars):
    made = Lived(stocks(), TERMS)
    switch = made.guarded(tmp_path)
    made.run(bar)
    switch.trip("Ann Lee", "prices look wrong")
    made.run(bars)
    switch.reset("Ann Lee", "the feed was mended")
    made.run()
    told(made, "manual")


def test_a_halt_in_which_nothing_was_to_be_traded_is_no_cause(tmp_path):
    made = Lived(stocks(), TERMS)
    switch = made.guarded(tmp_path)
    made.run(45)
    switch.trip("Ann Lee", "prices look wrong")
    made.run(8)
    switch.reset("Ann Lee", "the feed was mended")
    made.run()
    told(made)


@pytest.mark.parametrize("bar", [20, 25, 32, 40, 48, pytest.param(28), pytest.param(44)])
def test_the_desk_was_not_at_work_for_some_bars(bar):
    made = Lived(stocks(), TERMS)
    made.run(bar)
    made.skip(15)
    made.run()
    found = told(made, "restart")
    assert found.bars == len(made.bars) - 15


@pytest.mark.parametrize("place", [24, 30, 45, 54, 57, pytest.param(51)])
def test_a_bar_that_was_another_when_it_was_heard(place):
    then = changed(stocks(), [place], 0.95, ("close", "low"))
    found = told(lived(bars=then), "bar differed", bars=stocks())
    first = found.details().query("cause == 'bar differed'").iloc[0]
    assert first["time"] >= then.index[place]
    assert str(float(then.close["AAPL"].iloc[place])) in first["note"]


@pytest.mark.parametrize("place", [24, 45, 57])
def test_a_bar_that_was_revised(place):
    then = changed(stocks(), [place], 0.95, ("close", "low"))
    at = int(then.index.as_unit("ns").asi8[place])
    found = told(lived(bars=then), "late bar", bars=stocks(), revised={(at, "AAPL"): "late"})
    assert found.details().query("cause == 'late bar'")["note"].iloc[0].endswith("late")


def test_a_revision_that_changed_no_decision_is_no_cause():
    starts = stocks().index.as_unit("ns").asi8.tolist()
    every = {(at, "AAPL"): "backfill" for at in starts}
    told(lived(rules=Refusing(2), model=FillModel.backtest(Costs(commission_bps=9))), "reject", "fee", revised=every)


def test_a_bar_that_changed_no_decision_is_no_cause():
    then = changed(stocks(), range(150), 1.00001, ("close", "high"))
    told(lived(bars=then, rules=Refusing(2)), "reject", bars=stocks())


@pytest.mark.parametrize("place", [100, 140, 180])
def test_a_bar_of_the_other_symbol_of_a_pair(place):
    given = terms_of(strategy="pairs", symbols=TRIO[:2], parameters={"window": 20, "entry": 1.0})
    bars = stocks(*TRIO[:2], last=200)
    then = changed(bars, [place], 0.9, ("close", "low"), column=0)
    named = effects(lived(given, bars=then).report(bars=bars))
    assert set(named) - {"rounding", "size"} == {"bar differed"}
    assert abs(named.get("size", 0.0)) < 0.1 * abs(named["bar differed"])


@pytest.mark.parametrize("how", ["shut", "late"])
@pytest.mark.parametrize("bars", [(27, 28), (30, 31), (43,)])
def test_decisions_that_hours_or_old_data_held_back(how, bars):
    found = told(lived(**{how: bars}), "clock")
    assert "held back" in found.details()["note"].iloc[0]


CARRY = Costs(borrow_bps_per_year=300, margin_rate=0.08, cash_rate=0.02)


def test_interest_and_borrow_fees_that_the_session_is_not_charged():
    given = terms_of(parameters={"short": True}, costs=CARRY)
    found = told(lived(given, model=FillModel.backtest(Costs())), "carry", terms=given)
    kept = found.backtest.carry
    paid = kept.cash_interest - kept.borrow - kept.margin_interest
    assert kept.borrow > CENT < kept.cash_interest
    assert float(found.total) == pytest.approx(-paid, abs=CENT)


def test_charges_of_the_session_are_told_beside_those_of_the_backtest():
    made = lived()
    at = made.paper.now()
    said = {"kind": "INT", "amount": "-12.5", "symbol": "", "note": "interest"}
    made.notes.append([Event("charged", at, "one", said)])
    state = DeskState.of(made.notes.read())
    found = compared(state, made.notes.read(), "one", made.bars)
    assert effects(found)["carry"] == -12.5
    assert float(found.total) == pytest.approx(-12.5, abs=CENT)
    assert sum((one.effect for one in found.differences), D(0)) == found.total
