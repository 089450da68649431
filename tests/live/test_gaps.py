"""Gaps: several at once, each asked for until it is answered or given up, none forgotten."""

from qtw_lab.live.gaps import ATTEMPTS, SETTLING, Gaps, pause

SECOND = 10**9


def two():
    """Two gaps that have an end: from 10 to 12 s, and from 20 to 25 s."""
    gaps = Gaps(patience=60.0)
    for start, end in ((10, 12), (20, 25)):
        assert gaps.broke(start * SECOND, "test")
        gaps.healed(end * SECOND, received=end * SECOND)
    return gaps


def test_a_break_within_a_break_is_none():
    gaps = Gaps()
    assert gaps.broke(5, "first")
    assert not gaps.broke(7, "second")
    assert gaps.down
    assert [(gap.start, gap.reason) for gap in gaps.open] == [(5, "first")]


def test_bars_wait_from_the_oldest_gap_on_that_is_not_given_up():
    gaps = two()
    assert gaps.held_from == 10 * SECOND
    gaps.abandon(gaps.open[0])
    assert gaps.held_from == 20 * SECOND
    gaps.answered(gaps.open[1])
    assert gaps.held_from is None
    assert [gap.start for gap in gaps.open] == [10 * SECOND]
    assert gaps.mended == 1


def test_each_is_asked_for_once_it_has_settled_and_known_by_its_question():
    gaps = two()
    assert gaps.due(received=12 * SECOND) == []
    assert [gap.start for gap in gaps.due(received=12 * SECOND + SETTLING)] == [10 * SECOND]
    for number, gap in enumerate(gaps.due(received=30 * SECOND)):
        gaps.asked(gap, number)
    assert gaps.due(received=30 * SECOND) == []
    assert [gaps.about(number).start for number in (0, 1)] == [10 * SECOND, 20 * SECOND]
    assert gaps.about(2) is None


def test_after_a_failure_it_is_asked_for_again_with_growing_pauses_and_given_up_in_the_end():
    gaps, at = two(), 30 * SECOND
    for tries in range(ATTEMPTS - 1):
        gap = gaps.open[1]
        assert gaps.due(at)[-1] == gap
        assert gaps.failed(gap, at)
        assert gap not in gaps.due(at + pause(tries) - 1)
        at += pause(tries)
        assert gaps.due(at)[-1].start == 20 * SECOND
    assert not gaps.failed(gaps.open[1], at)
    assert 400 < sum(pause(tries) for tries in range(ATTEMPTS)) / SECOND < 900


def test_those_that_are_waited_for_too_long_are_overdue_each_by_itself():
    gaps = two()
    assert gaps.overdue(72 * SECOND) == []
    assert [gap.start for gap in gaps.overdue(72 * SECOND + 1)] == [10 * SECOND]
    assert [gap.start for gap in gaps.overdue(86 * SECOND)] == [10 * SECOND, 20 * SECOND]
    gaps.abandon(gaps.open[0])
    assert [gap.start for gap in gaps.overdue(86 * SECOND)] == [20 * SECOND]
    assert [gap.start for gap in gaps.due(86 * SECOND)] == [10 * SECOND, 20 * SECOND]  # still asked for


def test_one_that_is_down_is_neither_due_nor_overdue():
    gaps = Gaps()
    gaps.broke(5, "test")
    assert gaps.due(10**15) == gaps.overdue(10**15) == gaps.closed() == []
    assert gaps.open[0].until == 5


def test_what_lies_before_the_horizon_is_given_up():
    gaps = Gaps()
    gaps.broke(0, "test")
    lost = gaps.healed(100 * SECOND, received=0, horizon=30 * SECOND)
    assert (lost.start, lost.end) == (0, 70 * SECOND)
    assert (gaps.open[0].start, gaps.open[0].end) == (70 * SECOND, 100 * SECOND)
    gaps.broke(110 * SECOND, "test")
    assert gaps.healed(120 * SECOND, received=0, horizon=30 * SECOND) is None


def test_an_end_before_the_start_is_the_start():
    gaps = Gaps()
    gaps.broke(10, "test")
    assert gaps.healed(5, received=0) is None
    assert (gaps.open[0].start, gaps.open[0].end) == (10, 10)
