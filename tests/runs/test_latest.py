"""The pointer to the last good run."""

from __future__ import annotations

import pandas as pd

from qtw_lab.runs.latest import latest_folder, named, point_to
from qtw_lab.runs.run import Run

NOW = pd.Timestamp("2024-01-02", tz="UTC")


def _run(root, number):
    return Run(number, "notebook", "nightly", "ok", NOW, NOW, root / f"{number}-nightly", {})


def test_there_is_no_latest_run_before_the_first_good_one(tmp_path):
    assert named("nightly", tmp_path) is None
    assert latest_folder("nightly", tmp_path) is None


def test_the_pointer_moves_forward_only(tmp_path):
    point_to(_run(tmp_path, "2"), tmp_path)
    assert latest_folder("nightly", tmp_path) == tmp_path / "2-nightly"
    point_to(_run(tmp_path, "1"), tmp_path)  # started earlier, finished later
    assert named("nightly", tmp_path) == "2"
    point_to(_run(tmp_path, "3"), tmp_path)
    assert named("nightly", tmp_path) == "3"


def test_a_damaged_pointer_is_replaced_by_the_next_good_run(tmp_path):
    pointer = point_to(_run(tmp_path, "2"), tmp_path)
    pointer.write_text("{")
    assert named("nightly", tmp_path) is None
    point_to(_run(tmp_path, "3"), tmp_path)
    assert named("nightly", tmp_path) == "3"
