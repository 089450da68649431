"""Lines that show by themselves whether they, and all before them, are whole."""

import pytest

from qtw_lab.venues.killswitch.records import KINDS, Reading, Record, read

NOW = 1_704_205_800 * 10**9


def story(*kinds):
    """A reading of records of these kinds, and their lines."""
    reading = Reading()
    for place, kind in enumerate(kinds):
        record = reading.following(kind, NOW + place, "ann", f"reason {place}", flatten=kind == "tripped")
        reading = Reading([*reading.records, record])
    return reading, b"".join(record.line for record in reading.records)


WHOLE, LINES = story("made", "tripped", "canceled", "reset", "tripped")


def test_what_was_written_is_read_again():
    assert read(LINES) == WHOLE
    assert [record.kind for record in WHOLE.trips] == ["tripped"]
    assert WHOLE.arming.kind == "reset"


def test_a_record_cut_anywhere_is_noticed_unless_whole_lines_are_missing_at_the_end():
    ends = {0} | {place + 1 for place, byte in enumerate(LINES) if byte == ord("\n")}
    for length in range(len(LINES)):
        found = read(LINES[:length])
        assert bool(found.fault) == (length not in ends or length == 0)
        assert list(found.records) == list(WHOLE.records[: len(found.records)])


def test_every_bit_that_turns_over_is_noticed():
    for place in range(len(LINES)):
        for bit in range(8):
            changed = bytearray(LINES)
            changed[place] ^= 1 << bit
            assert read(bytes(changed)).fault, (place, bit)


def test_lines_that_are_lost_doubled_exchanged_or_taken_from_elsewhere_are_noticed():
    lines = LINES.splitlines(keepends=True)
    other = story("made", "reset", "tripped")[1].splitlines(keepends=True)
    for broken in (
        lines[1:], lines[:1] + lines[2:], [*lines, lines[-1]], [lines[0], *lines], [lines[1], lines[0]],
        [*lines[:2], lines[3], lines[2]], [*lines[:2], other[2]], [lines[0], b"\n", *lines[1:]],
    ):  # fmt: skip
        assert read(b"".join(broken)).fault.endswith("is damaged")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"made\n", b"{}\n", b"[]\n", b"null\n", b'{"crc":"00000000"}\n', b"\xff\xfe\n", b"[" * 5000 + b"\n"],
)
def test_what_is_no_record_is_a_fault(content):
    assert read(content).fault
    assert not read(content).records


def test_a_record_of_an_unknown_kind_is_a_fault_though_its_checksum_fits():
    first = WHOLE.records[0]
    strange = Record(1, "paused", NOW, "ann", "a later version", after=first.checksum)
    assert read(first.line + strange.line).fault == "line 2 is damaged"
    assert "paused" not in KINDS


def test_the_first_record_and_no_other_says_that_the_switch_was_made():
    assert story("reset")[0].records
    assert read(story("reset")[1]).fault
    assert read(story("made", "made")[1]).fault


def test_texts_are_kept_on_one_line_and_to_a_bearable_length():
    record = Reading().following("made", NOW, "ann\n\tlee", "x" * 5000 + "é\ud800")
    assert record.by == "ann lee"
    assert len(record.line) < 600
    assert read(record.line).records == [record]
