"""A desk that is killed after any write and started anew: no order is doubled, no fill lost or given out twice."""

from collections import Counter
from decimal import Decimal

import pytest
from by_hand import Killed, Rig, Tape, Wrapped, bars_of, shares
from desk_scripts import SESSIONS, Bar, add_up, scripts
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.brokers import LostAnswerError
from qtw_lab.venues.paper.bar_market import BarMarket
from qtw_lab.venues.paper.models import FillModel

D = Decimal

BARS = bars_of(X=[10, 11, 12, 13, 14, 15], Y=[20, 19, 21, 22, 18, 17])
MARKET = BarMarket(BARS)
TERMS = [shares("a", 30, "X,Y", allocation=0.3), shares("b", 10, "X,Y", allocation=0.3),
         shares("c", 5, "Y", allocation=0.3)]  # fmt: skip
MODELS = {
    "all at once": FillModel.backtest(),
    "in parts": FillModel(partials=0.7),
    "thin": FillModel(sized=True, participation=3e-9),
    "late": FillModel(latency=30.0),
}
#: Something of everything: netted, crossed, turned, and closed.
SCRIPT = [
    Bar({"a": {"X": 1.0, "Y": -1.0}, "b": {"X": -1.0}, "c": {"Y": 1.0}}),
    Bar({"b": {"X": 1.0, "Y": 1.0}}),
    Bar({"a": {"X": 0.0, "Y": 1.0}, "b": {"Y": 0.0}}),
    Bar({"a": {"Y": -1.0}, "b": {"Y": -1.0}}),
    Bar({"b": {"X": 0.0}, "c": {"Y": 0.0}}),
    Bar(),
]


class Life:
    """A script lived through by one process after the other, on the same stores."""

    def __init__(self, script, *deaths, model=None, away=False):
        self.script, self.tape, self.model, self.away = script, Tape(*deaths), model, away
        self.starts, self.step = 0, 0

    def lived(self) -> Rig:
        """The last process, at the end."""
        while True:
            self.starts += 1
            try:
                return self._process()
            except Killed:
                self.step += self.away  # it comes back when the moment is over

    def _process(self) -> Rig:
        rig = Rig(BARS, *TERMS, stores=self.tape.stores, at=self._moment(), model=self.model)
        while self.step < 2 * len(self.script):
            t, closing = divmod(self.step, 2)
            rig.at(self._moment())
            if closing:
                rig.closes(t, self.script[t].said)
            else:
                rig.opens(t)
            self.step += 1
        return rig

    def _moment(self) -> int:
        t, closing = divmod(min(self.step, 2 * len(self.script) - 1), 2)
        return int((MARKET.ends if closing else MARKET.opens)[t])


def uninterrupted(script, model=None):
    life = Life(script, model=model)
    return life.lived(), life.tape.writes


def ended_alike(rig, whole):
    """Holdings, money and the orders that reached the broker are those of the run that nothing happened to."""
    assert Counter(rig.sent()) == Counter(whole.sent())
    assert {name: rig.held(name) for name in SESSIONS} == {name: whole.held(name) for name in SESSIONS}
    assert {name: rig.state.sleeves[name].book.cash for name in SESSIONS} == {
        name: whole.state.sleeves[name].book.cash for name in SESSIONS
    }
    assert [len(one.curve) for one in rig.state.sleeves.values()] == [
        len(one.curve) for one in whole.state.sleeves.values()
    ]


@pytest.mark.parametrize(
    "model", ["in parts", *(pytest.param(one, marks=pytest.mark.slow) for one in MODELS if one != "in parts")]
)
def test_killed_after_any_write_it_ends_as_if_nothing_had_been(model):
    whole, writes = uninterrupted(SCRIPT, MODELS[model])
    assert writes > 50
    for death in range(1, writes + 1):
        life = Life(SCRIPT, death, model=MODELS[model])
        rig = life.lived()
        assert life.starts == 2, death
        add_up(rig)
        ended_alike(rig, whole)


@settings(max_examples=40)
@given(script=scripts(5, hand=False), deaths=st.lists(st.integers(1, 25), min_size=2, max_size=8),
       model=st.sampled_from(list(MODELS)))  # fmt: skip
def test_killed_again_and_again_it_ends_as_if_nothing_had_been(script, deaths, model):
    whole, _ = uninterrupted(script, MODELS[model])
    rig = Life(script, *deaths, model=MODELS[model]).lived()
    add_up(rig)
    ended_alike(rig, whole)


@settings(max_examples=40)
@given(script=scripts(5, hand=False), deaths=st.lists(st.integers(1, 25), min_size=1, max_size=4),
       model=st.sampled_from(list(MODELS)))  # fmt: skip
def test_killed_and_away_for_a_while_it_still_adds_up(script, deaths, model):
    add_up(Life(script, *deaths, model=MODELS[model], away=True).lived())


def test_a_desk_that_starts_anew_knows_what_it_knew():
    life = Life(SCRIPT)
    rig = life.lived()
    again = Rig(BARS, *TERMS, stores=life.tape.stores, at=rig.paper.now())
    assert again.state == rig.state


def test_starting_anew_writes_nothing_where_nothing_happened():
    life = Life(SCRIPT)
    rig = life.lived()
    before = life.tape.writes
    for _ in range(3):
        Rig(BARS, *TERMS, stores=life.tape.stores, at=rig.paper.now())
    assert life.tape.writes == before


# By hand


def desk_of(tape, t=0, broker=None):
    rig = Rig(BARS, shares("a", 30), stores=tape.stores, broker=broker)
    rig.at(rig.market.opens[t])
    return rig


def test_an_order_that_was_written_down_and_not_sent_is_abandoned_and_wanted_again():
    tape = Tape()
    rig = desk_of(tape)
    rig.bar(0, {"a": {"X": 1}})
    rig.desk._send = _killed
    with pytest.raises(Killed):
        rig.opens(1)
    again = Rig(BARS, stores=tape.stores, at=rig.market.opens[1])
    (order,) = again.state.orders.values()
    assert (order.status, order.reason) == ("abandoned", "it was never sent")
    assert again.state.sleeves["a"].waiting == {"X": 1.0}
    again.bar(1)
    assert (again.sent(), again.held("a")) == ([("X", "buy", D(30))], {"X": D(30)})
    assert len({order.name for order in again.state.orders.values()}) == 2
    again.sound()


@pytest.mark.parametrize("taken", [False, True])
def test_an_order_of_which_nobody_was_told_is_found_if_the_broker_has_it(taken):
    tape = Tape()
    rig = desk_of(tape, broker=Wrapped)
    rig.bar(0, {"a": {"X": 1}})
    rig.broker.error, rig.broker.after = Killed(), taken
    with pytest.raises(Killed):
        rig.opens(1)
    assert rig.trader.outbox.unresolved
    again = Rig(BARS, stores=tape.stores, at=rig.market.opens[1])
    assert [order.status for order in again.state.orders.values()] == ["filled" if taken else "abandoned"]
    again.bar(1)
    assert (again.sent(), again.held("a")) == ([("X", "buy", D(30))], {"X": D(30)})
    again.sound()


def test_what_filled_while_nobody_looked_is_given_out_at_the_start():
    tape = Tape()
    rig = Rig(BARS, shares("a", 30), stores=tape.stores, model=FillModel(latency=30.0))
    rig.bar(0, {"a": {"X": 1}})
    rig.opens(1)
    assert rig.held("a") == {}
    again = Rig(BARS, stores=tape.stores, at=rig.market.ends[2], model=FillModel(latency=30.0))
    assert (again.held("a"), again.state.open) == ({"X": D(30)}, {})
    again.sound()


def test_a_refusal_that_the_desk_was_not_told_of_is_known_at_the_start():
    tape = Tape()
    rig = desk_of(tape, broker=Wrapped)
    rig.bar(0, {"a": {"X": 1}})
    rig.broker.error = RefusedError(403, "insufficient buying power")
    keep = rig.desk._keep
    rig.desk._keep = lambda events: _killed() if any(one.kind == "ended" for one in events) else keep(events)
    with pytest.raises(Killed):
        rig.opens(1)
    again = Rig(BARS, stores=tape.stores, at=rig.market.opens[1])
    (order,) = again.state.orders.values()
    assert (order.status, order.reason) == ("refused", "insufficient buying power")
    assert again.sent() == []


def test_a_start_while_the_broker_does_not_answer_decides_nothing():
    tape = Tape()
    rig = desk_of(tape, broker=Wrapped)
    rig.bar(0, {"a": {"X": 1}})
    rig.broker.error, rig.broker.after = Killed(), True
    with pytest.raises(Killed):
        rig.opens(1)

    class Silent(Wrapped):
        def orders(self, status="open", after=None):
            raise LostAnswerError("no answer")

    dark = Rig(BARS, stores=tape.stores, at=rig.market.opens[1], broker=Silent)
    assert not dark.trader.ready
    assert [order.status for order in dark.state.orders.values()] == ["intended"]
    assert dark.bar(1, {"a": {"X": 0}}) == []
    again = Rig(BARS, stores=tape.stores, at=rig.market.ends[1])
    again.bar(2)
    assert [side for _, side, _ in again.sent()] == ["buy", "sell"]
    again.sound()


def _killed(*_):
    raise Killed
