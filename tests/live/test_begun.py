"""Where an engine stood when a session began is kept beside its recording, whole."""

import numpy as np
import pytest

from qtw_lab.core import DataError
from qtw_lab.live.begun import read_begun, write_begun
from qtw_lab.live.log_format import Place
from qtw_lab.live.resuming import Resumed, Standing
from qtw_lab.live.rows import ROW


def test_what_was_kept_is_read_back_bit_for_bit(tmp_path):
    rows = np.zeros(5, dtype=ROW)
    rows["time"], rows["close"] = np.arange(5), [1.0, np.nan, 0.1, np.inf, -0.0]
    standing = Standing(
        symbols=["AAPL", "MSFT"], closed={1: 7, 5: 5}, focus={"MSFT": 3},
        decisions={1: np.nan, 0: 0.3}, stances={0: -1.0}, decided={5: 5}, running=True,
        gap={"state": "open", "start": 3, "end": None, "reason": "x"},
    )  # fmt: skip
    write_begun(tmp_path, Resumed(standing, {1: rows, 5: rows[:2]}, Place(3, 99)))
    again = read_begun(tmp_path)
    assert {level: some.tobytes() for level, some in again.rows.items()} == {1: rows.tobytes(), 5: rows[:2].tobytes()}
    assert repr(again.standing) == repr(standing)
    assert again.standing.symbols == ["AAPL", "MSFT"]


def test_without_a_file_the_engine_began_with_nothing(tmp_path):
    again = read_begun(tmp_path)
    assert again.standing == Standing()
    assert again.rows == {}


def test_a_file_that_is_not_whole_is_refused(tmp_path):
    path = write_begun(tmp_path, Resumed(Standing(symbols=["A"]), {}, Place(0, 0)))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match="not whole"):
        read_begun(tmp_path)


def test_rows_of_another_version_are_refused(tmp_path):
    other = np.zeros(2, dtype=[("level", "i4"), ("close", "f4")])
    write_begun(tmp_path, Resumed(Standing(), {1: other}, Place(0, 0)))
    with pytest.raises(DataError, match="other columns"):
        read_begun(tmp_path)
