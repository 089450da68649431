"""The life of an order: nothing follows the end, and a status that nobody knows is never fatal."""

from itertools import product

import pytest

from qtw_lab.ledger.lifecycle import FINAL, FOLLOWS, KNOWN, may_follow, open_status


def test_nothing_follows_the_end_but_itself():
    for before, after in product(FINAL, [*KNOWN, "pending_whatever"]):
        assert may_follow(before, after) == (before == after)


def test_every_status_that_is_no_end_can_come_to_one():
    reached = {status: set(after) for status, after in FOLLOWS.items()}
    for status in KNOWN - FINAL:
        seen, wave = {status}, {status}
        while wave := set().union(*(reached[one] for one in wave)) - seen:
            seen |= wave
        assert seen >= FINAL - {"rejected"}, status


@pytest.mark.parametrize("status", sorted(KNOWN - FINAL))
def test_what_nobody_knows_may_come_after_everything_that_is_open_and_be_followed_by_it(status):
    assert may_follow(status, "pending_whatever")
    assert may_follow("pending_whatever", status)
    assert open_status("pending_whatever")


def test_what_was_filled_in_part_is_never_new_or_rejected():
    assert not may_follow("partially_filled", "new")
    assert not may_follow("partially_filled", "rejected")
    assert may_follow("partially_filled", "pending_cancel")
    assert may_follow("pending_cancel", "filled")
