"""The focus: who enters, who leaves, why, and how fast."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from qtw_lab.core import DataError
from qtw_lab.live.focus import MARGIN, Move, refocus
from qtw_lab.live.profile import Universe
from qtw_lab.live.universe import ranked

SECOND = 10**9


def names(*numbers):
    return [f"S{number:03d}" for number in numbers]


def test_the_first_focus_is_filled_at_once_with_the_best():
    change = refocus({}, names(*range(300)), 7, size=200, churn=20, residence=300)
    assert list(change.focus) == names(*range(200))
    assert set(change.focus.values()) == {7}
    assert change.entered[0] == Move("S000", 1, "first fill")
    assert len(change.entered) == 200
    assert change.left == ()


def test_nothing_changes_when_the_ranking_does_not():
    first = refocus({}, names(*range(30)), 0, size=10, churn=5, residence=0)
    again = refocus(first.focus, names(*range(30)), SECOND, size=10, churn=5, residence=0)
    assert again.focus == first.focus
    assert not again.changed


def test_a_member_that_left_the_universe_leaves_at_once_although_it_is_locked():
    first = refocus({}, names(0, 1, 2), 0, size=3, churn=1, residence=300)
    change = refocus(first.focus, names(0, 2, 3), SECOND, size=3, churn=1, residence=300)
    assert change.left == (Move("S001", None, "left the universe"),)
    assert change.entered == (Move("S003", 3, "free place"),)
    assert list(change.focus) == names(0, 2, 3)


def test_a_cut_universe_does_not_leave_stale_members_behind():
    """In the reference a universe cut to 50 left 150 of 200 members stale for ever."""
    first = refocus({}, names(*range(400)), 0, size=200, churn=20, residence=300)
    change = refocus(first.focus, names(*range(50)), SECOND, size=200, churn=20, residence=300)
    assert list(change.focus) == names(*range(50))
    assert len(change.left) == 150


def test_free_places_are_taken_by_no_more_than_the_churn_at_a_time():
    first = refocus({}, names(*range(50)), 0, size=200, churn=20, residence=300)
    change = refocus(first.focus, names(*range(400)), SECOND, size=200, churn=20, residence=300)
    assert [move.symbol for move in change.entered] == names(*range(50, 70))


def test_a_member_is_safe_until_its_residence_is_over():
    first = refocus({}, names(0, 1, 2, 3), 0, size=2, churn=2, residence=300)
    swapped = names(2, 3, 0, 1)
    assert not refocus(first.focus, swapped, 300 * SECOND - 1, size=2, churn=2, residence=300).changed
    later = refocus(first.focus, swapped, 300 * SECOND, size=2, churn=2, residence=300)
    assert list(later.focus) == names(2, 3)
    assert later.entered[0] == Move("S002", 1, "outranks S001 (4)")
    assert later.left[0] == Move("S001", 4, "outranked by S002 (1)")


def test_two_symbols_at_the_edge_do_not_change_places():
    first = refocus({}, names(*range(20)), 0, size=10, churn=5, residence=0)
    order = names(0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 9)  # the tenth and eleventh have swapped ranks
    assert not refocus(first.focus, order, SECOND, size=10, churn=5, residence=0).changed


def test_the_first_of_the_ranking_gets_in_although_all_members_are_near_the_edge():
    first = refocus({}, names(*range(10)), 0, size=10, churn=5, residence=0)
    order = [*names(99), *names(*range(10))]  # the worst member is eleventh, the newcomer first: ten ranks apart
    change = refocus(first.focus, order, SECOND, size=10, churn=5, residence=0)
    assert change.entered == (Move("S099", 1, "outranks S009 (11)"),)


def test_members_that_left_the_universe_use_up_replacements():
    first = refocus({}, names(*range(10)), 0, size=10, churn=3, residence=0)
    order = names(20, 21, 22, 23, 24, *range(8))
    change = refocus(first.focus, order, SECOND, size=10, churn=3, residence=0)
    assert [move.reason for move in change.left] == ["left the universe", "left the universe", "outranked by S022 (3)"]
    assert len(change.entered) == 3


def test_a_smaller_focus_loses_its_worst_and_the_locked_last():
    current = {"S000": 0, "S001": 0, "S002": 0, "S003": 400 * SECOND}
    change = refocus(current, names(0, 1, 2, 3), 401 * SECOND, size=2, churn=0, residence=300)
    assert list(change.focus) == names(0, 3)
    assert {move.reason for move in change.left} == {"the focus has 2 places now"}


def test_a_ranked_universe_is_taken_as_it_is():
    shots = {name: {"dailyBar": {"c": 10.0, "v": 1e6 + place}} for place, name in enumerate("ABC")}
    found = ranked("ABC", shots, Universe())
    assert list(refocus({}, found, 0, size=2, churn=1, residence=0).focus) == ["C", "B"]


@pytest.mark.parametrize("wrong", [{"size": 0}, {"churn": -1}, {"residence": -1.0}, {"residence": float("nan")}])
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(DataError, match="A focus needs"):
        refocus({}, ["A"], 0, **{"size": 1, "churn": 1, "residence": 1.0, **wrong})


def test_a_symbol_ranked_twice_is_refused():
    with pytest.raises(DataError, match="twice"):
        refocus({}, ["A", "A"], 0, size=1, churn=1, residence=0)


@settings(max_examples=300, deadline=None)
@given(
    rounds=some.lists(
        some.tuples(
            some.lists(some.integers(0, 40), unique=True, max_size=40), some.integers(0, 400), some.integers(1, 12)
        ),
        min_size=1,
        max_size=8,
    ),
    churn=some.integers(0, 6),
    residence=some.sampled_from([0.0, 60.0, 300.0]),
)
def test_size_churn_and_residence_hold_through_any_history(rounds, churn, residence):
    focus, now = {}, 0
    for ranking, seconds, size in rounds:
        now += seconds * SECOND
        order = names(*ranking)
        change = refocus(focus, order, now, size=size, churn=churn, residence=residence)
        stayed = set(focus) & set(change.focus)
        left = {move.symbol: move for move in change.left}
        entered = {move.symbol: move for move in change.entered}
        assert len(change.focus) <= size
        assert set(change.focus) <= set(order)
        assert set(left) == set(focus) - set(change.focus)
        assert set(entered) == set(change.focus) - set(focus)
        assert len(left) == len(change.left)
        assert len(entered) == len(change.entered)
        assert all(change.focus[name] == focus[name] for name in stayed)
        assert all(change.focus[name] == now for name in entered)
        assert len(entered) <= churn or not stayed
        assert list(change.focus) == [name for name in order if name in change.focus]
        for name, move in left.items():
            if move.reason.startswith("outranked"):
                assert now - focus[name] >= residence * SECOND
                assert order.index(name) + 1 > size
        if not focus or not set(focus) & set(order):
            assert len(change.focus) == min(size, len(order))
        for move in change.entered:
            if move.reason.startswith("outranks"):
                assert move.rank <= size
                other = move.reason.split()[1]
                assert order.index(other) + 1 - move.rank > MARGIN * size
        focus = change.focus


def test_a_steady_ranking_is_reached_but_for_the_margin():
    focus = refocus({}, names(*range(100)), 0, size=40, churn=5, residence=60).focus
    order = names(*range(99, -1, -1))
    for minute in range(1, 40):
        focus = refocus(focus, order, minute * 60 * SECOND, size=40, churn=5, residence=60).focus
    assert max(order.index(name) + 1 for name in focus) <= 40 + MARGIN * 40
