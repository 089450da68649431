"""The nightly report of this project, executed twice."""

from pathlib import Path

import pytest

from qtw_lab.core import DataError
from qtw_lab.lab import Lab

NIGHTLY = Path(__file__).parents[2] / "notebooks" / "runs" / "nightly_report.ipynb"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Lab.offline(tmp_path_factory.mktemp("store"))


def test_the_nightly_report_replays_identical(tmp_path, monkeypatch):
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path))  # the notebook has a lab of its own
    lab = Lab.offline()
    run, told = lab.run(NIGHTLY, fast=12), []
    found = lab.replay(run.id[:24], lambda *heard: told.append(heard))
    assert found.sentence == "identical"
    assert found.again.facts() == run.facts()
    assert found.again.manifest["run"]["replay_of"] == run.id
    assert told[-1][0] == told[-1][1] > 10


def test_a_backtest_is_refused_with_what_makes_it_again(lab):
    lab.backtest("sma_cross", lab.bars("AAPL", start="2010-01-01", end="2010-12-31"))
    (name,) = lab.registry.list()["id"]
    with pytest.raises(DataError, match=f"qtw validate {name}"):
        lab.replay(name)


def test_an_unknown_run_is_answered(lab):
    with pytest.raises(DataError, match="There is no run"):
        lab.replay("nothing")
