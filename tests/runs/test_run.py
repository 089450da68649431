"""What a run tells about itself."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.runs import DataUse, Run

NOW = pd.Timestamp("2024-01-02 14:30", tz="UTC")


@pytest.fixture
def run(tmp_path):
    return Run(
        "id-1", "notebook", "a", "failed", NOW, NOW + pd.Timedelta("90s"), tmp_path, {"x": "<i>"}, "<b>broken</b>"
    )


def test_a_run_is_frozen_and_knows_its_length(run):
    assert run.seconds == 90.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.status = "ok"


def test_files_that_are_not_there_are_none(run):
    assert run.notebook is None
    assert run.report is None
    with pytest.raises(DataError, match=r"id-1 \(a, failed\) recorded no figures"):
        run.facts()


def test_what_people_see_is_escaped(run):
    shown = run._repr_html_()
    assert "&lt;b&gt;broken" in shown
    assert "&lt;i&gt;" in shown
    assert "<b>" not in shown


def test_a_data_use_survives_plain_json():
    use = DataUse("f", ("X", "Y"), "stocks")
    assert DataUse.from_dict(use.as_dict()) == use
