"""Reading what a notebook left behind."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from qtw_lab.core import Bars, Fact, Facts, RunError, SeriesRef
from qtw_lab.core.facts import MEDIA_TYPE
from qtw_lab.runs.results import data_used, facts_of, joined, write_data
from qtw_lab.runs.run import DataUse


def _notebook(*bundles):
    outputs = [{"output_type": "display_data", "data": {MEDIA_TYPE: bundle}} for bundle in bundles]
    return {
        "cells": [{"cell_type": "markdown"}, {"cell_type": "code", "outputs": [{"output_type": "stream"}, *outputs]}]
    }


def test_displayed_facts_are_written_to_the_folder(tmp_path):
    facts = Facts("T", (Fact("sharpe", 1.5), Fact("trades", 3, "count")), ("a caveat",))
    assert facts_of(tmp_path, _notebook(facts.as_dict()), "run").table()["value"].to_dict() == {
        "sharpe": 1.5,
        "trades": 3,
    }
    assert Facts.from_json((tmp_path / "facts.json").read_text()).notes == ("a caveat",)


def test_the_file_of_the_notebook_wins_over_what_it_displayed(tmp_path):
    (tmp_path / "facts.json").write_text(Facts("Mine", (Fact("x", 1),)).to_json())
    assert facts_of(tmp_path, _notebook(Facts("T", (Fact("y", 2),)).as_dict()), "run").title == "Mine"


def test_a_notebook_without_facts_has_none(tmp_path):
    assert facts_of(tmp_path, _notebook(), "run") is None
    assert not (tmp_path / "facts.json").exists()


@pytest.mark.parametrize("bundle", [{}, [], "x", {"title": "T", "facts": [{"name": "x"}], "notes": []}])
def test_a_bundle_that_is_no_set_of_facts_fails_the_run(tmp_path, bundle):
    with pytest.raises(RunError, match="figures that cannot be read"):
        facts_of(tmp_path, _notebook(bundle), "run")


def test_no_figure_is_lost_when_sets_share_names():
    first = Facts("A", (Fact("sharpe", 1.0), Fact("trades", 3, "count")))
    second = Facts("B", (Fact("sharpe", 2.0), Fact("trades", 3, "count", "Trades")))
    third = Facts("C", (Fact("sharpe_2", 9.0), Fact("sharpe", 3.0)))
    both = joined([first, first, second, third], "All")
    assert both.title == "All"
    values = sorted(fact.value for fact in both if fact.name.startswith("sharpe"))
    assert values == [1.0, 2.0, 3.0, 9.0]


def test_data_used_survives_the_trip_through_the_folder(tmp_path):
    frame = pd.DataFrame({"Close": [1.0, 2.0]}, index=pd.date_range("2024-01-02", periods=2))
    bars = Bars.from_frame(frame, symbol="X", source="stocks", series=[SeriesRef("stocks", "X", "1D", "c" * 64)])
    write_data(tmp_path, [DataUse.of(bars)])
    assert data_used(tmp_path) == (
        DataUse(bars.fingerprint, ("X",), "stocks", (SeriesRef("stocks", "X", "1D", "c" * 64),)),
    )


def test_no_word_about_data_is_an_empty_answer(tmp_path):
    assert data_used(tmp_path) == ()


def test_additional_entries_in_a_data_record_are_left_aside(tmp_path):
    (tmp_path / "data.json").write_text(json.dumps([{"fingerprint": "f", "symbols": ["X"], "source": "s", "rows": 5}]))
    assert data_used(tmp_path) == (DataUse("f", ("X",), "s"),)


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", "[1]", '[{"symbols": []}]', '[{"fingerprint": 5}]', '[{"fingerprint": "f", "symbols": "AAPL"}]',
     '[{"fingerprint": "f", "series": [{"source": "s"}]}]', "\udcff"],
)  # fmt: skip
def test_a_data_record_that_cannot_be_read_is_a_failure_not_nothing(tmp_path, text):
    (tmp_path / "data.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RunError, match=r"data\.json that cannot be read"):
        data_used(tmp_path)
