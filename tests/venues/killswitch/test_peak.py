"""The highest equity, which outlives a restart and ends with a reset."""

from decimal import Decimal

import pytest

from qtw_lab.venues.killswitch.peak import Peak

D = Decimal


def test_it_rises_and_never_falls(tmp_path):
    peak = Peak(tmp_path / "peak.json")
    assert [peak.raised(D(equity), 1) for equity in (100, 120, 90, 121)] == [100, 120, 120, 121]


def test_a_restart_does_not_forget_it_and_a_reset_does(tmp_path):
    path = tmp_path / "peak.json"
    Peak(path).raised(D("120.50"), 1)
    assert Peak(path).raised(D(90), 1) == D("120.50")
    after = Peak(path)
    assert after.raised(D(90), 2) == 90
    assert Peak(path).raised(D(80), 2) == 90


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"since":1}', b'{"since":1,"highest":"NaN"}'])
def test_a_damaged_file_is_an_unknown_peak_until_the_switch_is_reset(tmp_path, content):
    path = tmp_path / "peak.json"
    path.write_bytes(content)
    peak = Peak(path)
    assert peak.raised(D(100), 1).is_nan()
    assert peak.raised(D(200), 1).is_nan()
    assert peak.raised(D(90), 2) == 90
    assert Peak(path).raised(D(80), 2) == 90


def test_an_equity_that_is_no_number_changes_nothing(tmp_path):
    peak = Peak(tmp_path / "peak.json")
    peak.raised(D(100), 1)
    assert peak.raised(D("NaN"), 1) == 100
    assert peak.raised(D(101), 1) == 101


def test_where_the_file_cannot_be_written_it_is_known_as_long_as_this_lives(tmp_path):
    peak = Peak(tmp_path / "nowhere" / "peak.json")
    peak.raised(D(100), 1)
    assert peak.raised(D(90), 1) == 100
