"""How values become text and text becomes values."""

import json
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from qtw_lab.cli import printing
from qtw_lab.core import DataError, Fact, Facts


@pytest.fixture
def screen(monkeypatch, capsys):
    """Print on a screen of this width and read it."""

    def show(width: int, *given, **options) -> str:
        monkeypatch.setattr(printing.stdout, "width", width)
        printing.print_table(*given, **options)
        return capsys.readouterr().out

    return show


@pytest.mark.parametrize(
    ("text", "value"),
    [("10", 10), ("-3", -3), ("0.5", 0.5), ("1e3", 1000.0), ("true", True), ("False", False), ("a", "a"), ("", ""),
     ("2020-01-31", "2020-01-31"), ("007", "007"), ("null", "null"), ('"10"', "10"), ("[1, 2]", [1, 2]),
     ('{"a": 1}', {"a": 1}), ("[" * 100_000, "[" * 100_000), ("9" * 5000, "9" * 5000)],
)  # fmt: skip
def test_text_is_read_as_the_value_it_spells(text, value):
    found = printing.scalar(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["fast", "fast=", "=3", " =3", "", "fast= "])
def test_a_pair_without_name_or_value_is_refused_with_an_example(text):
    with pytest.raises(DataError, match="such as --cost commission_bps=10"):
        printing.pairs([text], "--cost")


def test_a_value_may_hold_an_equals_sign():
    assert printing.pairs(["note=a=b"], "-p") == {"note": "a=b"}


def test_everything_becomes_strict_json():
    given = {
        "nan": float("nan"), "inf": np.inf, "int": np.int64(3), "bool": np.array([True])[0], "nat": pd.NaT, "na": pd.NA,
        "time": pd.Timestamp("2024-01-02", tz="UTC"), "day": date(2024, 1, 2), "decimal": Decimal("1.5"),
        "array": np.array([1.0, np.nan]), "series": pd.Series({"a": np.nan}), 5: (1, 2),
        "frame": pd.DataFrame({"x": [1, 2], "t": [pd.NaT, pd.Timestamp("2024-01-02")]}),
    }  # fmt: skip
    plain = printing.plain(given)
    assert json.loads(json.dumps(plain, allow_nan=False)) == {
        "nan": None, "inf": None, "int": 3, "bool": True, "nat": None, "na": None,
        "time": "2024-01-02T00:00:00+00:00", "day": "2024-01-02", "decimal": "1.5", "array": [1.0, None],
        "series": {"a": None}, "5": [1, 2],
        "frame": [{"x": 1, "t": None}, {"x": 2, "t": "2024-01-02T00:00:00"}],
    }  # fmt: skip


def test_short_columns_stay_whole_and_sentences_share_what_is_left(screen):
    table = pd.DataFrame({"run_id": ["20240102T143000000000-abababab"], "said": ["many words " * 10], "n": [7]})
    shown = screen(80, table).splitlines()
    assert shown[0].split() == ["run", "id", "said", "n"]
    assert shown[1].startswith("20240102T143000000000-abababab  many words")
    assert shown[1].rstrip().endswith("7")
    assert max(map(len, shown)) <= 80


def test_a_table_too_wide_for_the_screen_becomes_blocks(screen):
    table = pd.DataFrame({f"column_{place}": ["x" * 20, "y" * 20] for place in range(6)})
    shown = screen(80, table).split("\n\n")
    assert len(shown) == 2
    assert shown[0].splitlines()[0].split() == ["column", "0", "x" * 20]
    assert "column_0" not in screen(140, table)


def test_of_a_table_too_wide_some_columns_may_stay_and_the_others_are_named(screen):
    """On 40 columns beside b and d (10 wide each, 2 between) one more of 10 fits, the first in order."""
    table = pd.DataFrame({name: ["x" * 10] for name in "abcde"})
    shown = screen(40, table, staying=("b", "d")).splitlines()
    assert shown[0].split() == ["a", "b", "d"]
    assert " ".join(" ".join(shown[2:]).split()) == (
        "Left out for want of room: c, e. A wider screen or --json shows them."
    )
    assert screen(80, table, staying=("b",)).splitlines()[0].split() == list("abcde")


def test_a_narrow_column_takes_the_room_a_wide_one_leaves(screen):
    table = pd.DataFrame({"a": ["x" * 10], "wide": ["y" * 30], "c": ["z" * 5]})
    assert screen(30, table, staying=("a",)).splitlines()[0].split() == ["a", "c"]


def test_where_not_even_the_columns_that_stay_fit_there_are_blocks(screen):
    table = pd.DataFrame({name: ["x" * 20] for name in "abc"})
    shown = screen(30, table, staying=("a", "b"))
    assert [line.split()[0] for line in shown.splitlines()] == ["a", "b", "c"]
    assert "Left out" not in shown


def test_a_column_is_written_the_way_that_is_given(screen):
    table = pd.DataFrame({"volume": [1_500_000.0, np.nan], "share": [0.5, 0.25]})
    shown = screen(80, table, fractions=("share",), written={"volume": lambda value: f"{value / 1e6:.1f}M"})
    assert [line.split() for line in shown.splitlines()[1:]] == [["1.5M", "50.00%"], ["–", "25.00%"]]


def test_the_heading_of_a_column_of_sentences_is_not_broken_if_it_is_short(screen):
    ids = ["20240102T143000000000-abababab", "20240102T143000000001-abababab"]
    table = pd.DataFrame({"figure": ["expected_shortfall"], ids[0]: ["many words " * 6], ids[1]: ["other words " * 6]})
    assert screen(80, table).splitlines()[0].split() == ["figure", *ids]


def test_a_long_name_leaves_its_value_room(screen, capsys):
    screen(80, pd.DataFrame())
    printing.print_pairs([("a name of very many words " * 3, "1f0952fd98115ab3 and more words")])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "1f0952fd98115ab3 and more words" in lines[0]


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_nothing_is_cut_off_on_any_screen(screen, width):
    table = pd.DataFrame({"a": ["w" * 70], "b": ["sentence of words " * 9], "c": [1_234_567.0], "d": ["é漢字"]})
    shown = "".join(screen(width, table).split())
    assert "1,234,567" in shown
    assert shown.count("w") == 70 + 9
    assert max(map(len, screen(width, table).splitlines())) <= max(width, 20)


def test_an_empty_table_is_said_in_words(screen):
    assert screen(80, pd.DataFrame({"a": []}), "No rows.") == "No rows.\n"


def test_fractions_are_shown_in_percent_and_what_is_undefined_as_a_dash(screen):
    table = pd.DataFrame({"total_return": [0.1234, np.nan], "sharpe": [1.23456, None]})
    shown = screen(80, table, fractions=("total_return",)).splitlines()
    assert [line.split() for line in shown[-2:]] == [["12.34%", "1.235"], ["–", "–"]]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5678, "1,235"), (123456.7, "123,457"), (0.00001234, "1.234e-05"), (1e12, "1,000,000,000,000"), (None, "–"),
     (float("inf"), "inf"), (pd.Timestamp("2024-01-02"), "2024-01-02"), (True, "True"), (3, "3"),
     (pd.Timestamp("2024-01-02 14:30"), "2024-01-02 14:30:00"), ("two\nlines", "two lines"), ([1, 2], "[1, 2]")],
)  # fmt: skip
def test_a_cell_is_short_and_on_one_line(value, text):
    assert printing.shown(value) == text


def test_facts_are_printed_with_labels_and_caveats(capsys, monkeypatch):
    monkeypatch.setattr(printing.stdout, "width", 60)
    printing.print_facts(
        Facts("[b]T[/b]", (Fact("sharpe", 1.5, label="Sharpe [ratio]"), Fact("x", None)), ("mind it",))
    )
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "[b]T[/b]", "Sharpe [ratio]  1.500", "X                   –", "note: mind it",
    ]  # fmt: skip


def test_progress_is_silent_where_nobody_watches(capsys):
    with printing.progress("work") as step:
        step(1, 2)
        step(2, 2)
    assert capsys.readouterr() == ("", "")
