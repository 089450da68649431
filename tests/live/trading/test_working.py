"""A desk at work: which bars are heard, which are traded on, and what people are told."""

from decimal import Decimal

import pytest
from by_hand import Rig, Tape, Wrapped, bars_of, shares
from minutes import CLOSE, MINUTE, OPEN, closed

from qtw_lab.core import VenueError
from qtw_lab.live.trading.working import Working, recovered
from qtw_lab.venues.brokers import LostAnswerError

D = Decimal
UP = [10.0, 11.0, 12.0, 13.0]
FAST = {"fast": 1, "slow": 2}


def minute(name="one", count=5, symbols="X", interval="1min", **more):
    return shares(name, count, symbols, interval=interval, **{"parameters": FAST, **more})


def working(*sessions, stores=None, at=OPEN + 10 * MINUTE, broker=None):
    rig = Rig(bars_of(X=[10, 10], Y=[20, 20]), *(sessions or [minute()]), stores=stores, at=at, broker=broker)
    said = []
    return rig, Working(rig.desk, say=said.append), said


def caught_up(rig, work):
    """What the broker tells is known: it is asked again at the latest some seconds after an order."""
    rig.trader._due = 0
    work.turn()
    return rig


def test_a_bar_is_heard_and_traded_on_at_once():
    rig, work, said = working()
    work.turn(closed(X=UP, end=OPEN + 10 * MINUTE))
    assert rig.sent() == [("X", "buy", D(5))]
    assert caught_up(rig, work).held("one") == {"X": D(5)}
    (order,) = rig.state.orders.values()
    assert (order.bar, order.decided) == (OPEN + 9 * MINUTE, {"one": OPEN + 9 * MINUTE})
    assert said == []


@pytest.mark.parametrize(("late", "traded"), [(0.5, True), (60, True), (60.001, False), (80, False)])
def test_bars_of_the_past_are_heard_and_not_traded_on(late, traded):
    rig, work, _ = working()
    work.turn(closed(X=UP, end=OPEN + 9 * MINUTE, late=late))
    assert rig.state.sleeves["one"].heard == {"X": 1.0}
    assert bool(rig.sent()) == traded
    work.turn(closed(X=[*UP, 14.0], end=OPEN + 10 * MINUTE))
    assert rig.sent() == [("X", "buy", D(5))]


def test_what_a_bar_of_long_ago_says_is_stale():
    rig, work, _ = working()
    work.turn(closed(X=UP, end=OPEN + 9 * MINUTE, late=3600))
    assert (rig.state.sleeves["one"].heard, len(rig.state.sleeves["one"].curve)) == ({}, 1)


def test_a_bar_that_was_heard_is_not_heard_again():
    rig, work, _ = working()
    bars = closed(X=UP, end=OPEN + 10 * MINUTE)
    for _ in range(3):
        work.turn(bars)
    work.turn(closed(X=UP[::-1], end=OPEN + 9 * MINUTE))
    assert len(rig.state.sleeves["one"].curve) == 1
    assert len(rig.sent()) == 1


def test_bars_of_another_length_are_nobodys():
    rig, work, _ = working(minute("one"), minute("five", interval="5min"))
    assert work.rows().keys() == {60, 300}
    work.turn(closed(X=UP, end=OPEN + 10 * MINUTE))
    assert rig.state.bars == {"one": OPEN + 9 * MINUTE}
    work.turn(closed(X=UP, end=OPEN + 10 * MINUTE, seconds=300))
    assert rig.state.bars["five"] == OPEN + 5 * MINUTE


def test_each_session_is_told_of_its_own_symbols():
    rig, work, _ = working(minute("one", symbols="X"), minute("two", symbols="Y,X"))
    assert work.symbols() == ("X", "Y")
    work.turn(closed(X=UP, Y=UP[::-1], end=OPEN + 10 * MINUTE))
    assert rig.state.sleeves["one"].heard == {"X": 1.0}
    assert rig.state.sleeves["two"].marks == {"X": D(13), "Y": D(10)}
    assert caught_up(rig, work).held("two") == {"X": D(5)}


def test_a_symbol_without_a_bar_is_left_out():
    rig, work, _ = working(minute(symbols="X,Y"))
    work.turn(closed(Y=UP, numbers=[7], end=OPEN + 10 * MINUTE))
    assert caught_up(rig, work).held("one") == {"Y": D(5)}
    work.turn(closed(Y=[*UP, 14.0], X=[*UP, 14.0], numbers=[7, 3], end=OPEN + 11 * MINUTE))
    assert caught_up(rig, work).held("one") == {"X": D(5), "Y": D(5)}


def test_sessions_that_are_over_need_no_bars():
    rig, work, _ = working(minute("one"), minute("two", symbols="Y", interval="5min"))
    rig.desk.change("one", "stopped")
    assert (work.symbols(), list(work.rows())) == (("Y",), [300])
    work.turn(closed(X=UP, Y=UP, end=OPEN + 10 * MINUTE))
    assert rig.state.bars == {}


def test_a_window_has_the_bars_that_the_most_demanding_strategy_needs():
    slow, long = minute("a", parameters={"fast": 3, "slow": 50}), minute("b", parameters={"fast": 3, "slow": 8})
    _, work, _ = working(slow, long)
    assert 50 < work.rows()[60] <= 5000


def test_without_a_bar_it_listens_to_the_broker():
    rig, work, _ = working()
    work.turn(closed(X=UP, end=OPEN + 10 * MINUTE))
    rig.send("mine", "X", 3)
    assert caught_up(rig, work).trader.mirror.positions() == {"X": D(8)}


def test_a_strategy_that_cannot_decide_says_so_once():
    rig, work, said = working(minute("pair", symbols="X,Y,Z", strategy="pairs", parameters=None), minute("one"))
    for end in (8, 9, 10):
        work.turn(closed(X=UP, Y=UP, Z=UP, end=OPEN + end * MINUTE))
    (line,) = said
    assert line.startswith("The session pair decides nothing: ")
    assert len(rig.state.sleeves["pair"].curve) == 3  # it is valued all the same
    assert caught_up(rig, work).held("one") == {"X": D(5)}


def test_decisions_of_the_last_bar_of_a_day_wait_for_trading():
    rig, work, _ = working(at=CLOSE - MINUTE)
    work.turn(closed(X=UP, end=CLOSE))
    assert (rig.sent(), rig.state.sleeves["one"].heard) == ([], {})


def restarted(tape, bars, prepare):
    """A session that is long when its process is killed, and the first bars that the next process hears."""
    working(stores=tape.stores)[1].turn(closed(X=UP, end=OPEN + 10 * MINUTE))
    rig, work, _ = working(stores=tape.stores, at=CLOSE - MINUTE)
    assert rig.held("one") == {"X": D(5)}
    prepare(work)
    work.turn(bars)
    return rig.state.sleeves["one"].heard


@pytest.mark.parametrize("prepare", [lambda work: None, Working.rows], ids=["at once", "as the runner does"])
def test_what_was_decided_before_a_restart_holds_after_it_while_it_is_held_back(prepare):
    assert restarted(Tape(), closed(X=UP, end=CLOSE), prepare) == {"X": 1.0}


def test_a_desk_does_not_begin_on_an_account_that_cannot_be_reconciled():
    class Silent(Wrapped):
        def positions(self):
            raise LostAnswerError("no answer from the venue")

    _, work, _ = working(broker=Silent)
    with pytest.raises(VenueError, match=r"cannot be reconciled, so nothing is traded: no answer from the venue"):
        recovered(work)
