"""The page docs/faults.md: every row holds, and it is what the program writes."""

from __future__ import annotations

import publish_faults as publish
from fault_cases import CASES

TEXT = publish.PAGE.read_text(encoding="utf-8")
ROWS = publish.cells(TEXT)


def test_no_bar_was_missing_twice_or_wrong_and_every_journal_could_be_read():
    counted = [row for row in ROWS if row[5] != "-"]
    assert len(counted) >= len(CASES) + 4
    for row in counted:
        assert int(row[5]) > 50, row
        assert row[6:] == ["0", "0", "0", "0", "0"], row


def test_everything_was_detected_and_over_within_its_bounds():
    for row in ROWS:
        for measured, most in (row[1:3], row[3:5]):
            assert measured == "-" or float(measured) <= float(most), row


def test_the_page_has_every_fault_and_the_text_of_the_program():
    names = [row[0] for row in ROWS]
    assert [name for name in names if name in {case.name for case in CASES}] == [case.name for case in CASES]
    assert any(name.startswith(f"kill -9 at {publish.KILLS} random moments") for name in names)
    assert TEXT.startswith(publish.HEAD)


def test_a_row_that_does_not_hold_is_noticed():
    line = publish.Line("drop", 0.5, 0.2, None, 0.0, None)
    assert publish.cells(line.row()) == [["drop", "0.500", "0.2", "-", "-", *["-"] * 6]]
