"""Figures leave the house labelled, in strict JSON and in harmless HTML."""

import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError, Fact, Facts
from qtw_lab.core.facts import MEDIA_TYPE

NASTY = '<script>alert("x")</script> & | \' "'


def strict(text: str):
    """JSON as any other program reads it: NaN and Infinity are no JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.1234, "fraction", "12.34%"),
        (12.5, "fraction", "1,250.00%"),
        (1234.5, "money", "1,234.50"),
        (-0.5, "ratio", "-0.500"),
        (1234, "count", "1,234"),
        (12.0, "bars", "12"),
        ("2024-01-02", "date", "2024-01-02"),
        ("XNYS", "text", "XNYS"),
        (None, "ratio", "–"),
        (math.nan, "money", "–"),
        (math.inf, "ratio", "∞"),
        (-math.inf, "fraction", "-∞"),
        (np.float64(0.5), "fraction", "50.00%"),
        (np.float64("nan"), "ratio", "–"),
        (np.int64(3), "count", "3"),
    ],
)
def test_a_figure_is_shown_in_the_scale_of_its_unit(value, unit, shown):
    assert Fact("x", value, unit).shown == shown


def test_a_label_is_the_name_made_readable_unless_given():
    assert Fact("max_drawdown", 0.1).title == "Max drawdown"
    assert Fact("max_drawdown", 0.1, label="Worst loss").title == "Worst loss"


@pytest.mark.parametrize("value", [[1.0], {"a": 1}, (1,), object(), 1j, b"x", np.array([1.0])])
def test_a_figure_is_a_number_text_or_none(value):
    with pytest.raises(DataError, match="'x' must be a number"):
        Fact("x", value)


def test_an_unknown_unit_is_refused_with_a_near_miss():
    with pytest.raises(DataError, match="Did you mean 'fraction'"):
        Fact("x", 1.0, "fractions")


def test_a_name_is_given_once():
    with pytest.raises(DataError, match="'Demo' name a, b twice"):
        Facts("Demo", tuple(Fact(name, 1) for name in "abcab"))
    with pytest.raises(DataError, match="twice"):
        Facts("Demo", (Fact("a", 1),)).adding([Fact("a", 2)])


def test_a_figure_is_found_by_name_or_refused_with_a_near_miss():
    facts = Facts("Demo", (Fact("sharpe", 1.5), Fact("trades", 3, "count")))
    assert facts["sharpe"] == 1.5
    assert facts.fact("trades").unit == "count"
    assert "sharpe" in facts
    assert "sharp" not in facts
    assert len(facts) == len(list(facts)) == 2
    with pytest.raises(DataError, match=r"no figure 'sharp'\. Did you mean 'sharpe'"):
        facts["sharp"]


def test_a_table_has_a_row_for_each_figure():
    table = Facts("Demo", (Fact("sharpe", 1.5, definition="mean over deviation"), Fact("from", "2024", "date"))).table()
    assert list(table.index) == ["sharpe", "from"]
    assert table.loc["sharpe"].tolist() == [1.5, "ratio", "Sharpe", "mean over deviation"]


def test_json_is_strict_where_figures_are_not_finite():
    facts = Facts("Demo", (Fact("a", math.nan), Fact("b", math.inf), Fact("c", -math.inf), Fact("d", None)))
    values = [entry["value"] for entry in strict(facts.to_json())["facts"]]
    assert values == [None, "inf", "-inf", None]
    again = Facts.from_json(facts.to_json())
    assert [again[name] for name in "abcd"] == [None, math.inf, -math.inf, None]


def test_numbers_of_numpy_are_written_as_numbers():
    facts = Facts("Demo", (Fact("n", np.int64(3), "count"), Fact("x", np.float32(0.5)), Fact("b", np.float64(2.5))))
    assert [entry["value"] for entry in strict(facts.to_json())["facts"]] == [3, 0.5, 2.5]


def test_the_word_inf_stays_a_word():
    facts = Facts("Demo", (Fact("a", "inf", "text"), Fact("b", "-inf", "date"), Fact("c", math.inf)))
    again = Facts.from_json(facts.to_json())
    assert [again[name] for name in "abc"] == ["inf", "-inf", math.inf]


FACT = st.builds(
    Fact,
    name=st.text(min_size=1, max_size=8),
    value=st.one_of(st.none(), st.integers(-(10**15), 10**15), st.floats(allow_nan=False), st.text(max_size=8)),
    unit=st.sampled_from(["money", "ratio", "count", "text"]),
    label=st.text(min_size=1, max_size=8),
    definition=st.text(max_size=8),
).filter(lambda fact: fact.value not in ((math.inf, -math.inf) if fact.unit == "text" else ("inf", "-inf")))


@given(st.text(max_size=8), st.lists(FACT, max_size=5, unique_by=lambda fact: fact.name), st.lists(st.text(max_size=8)))
def test_facts_read_back_as_they_were_written(title, facts, notes):
    written = Facts(title, tuple(facts), tuple(notes))
    text = written.to_json()
    strict(text)
    assert Facts.from_json(text) == written
    assert Facts.from_json(written.to_json(indent=2)) == written


def one(value: str, unit: str = '"ratio"') -> str:
    """Facts written by hand, right but for the value or the unit."""
    fact = f'{{"name": "a", "value": {value}, "unit": {unit}, "label": "", "definition": ""}}'
    return f'{{"title": "x", "facts": [{fact}], "notes": []}}'


def test_facts_written_by_hand_are_read():
    assert Facts.from_json(one("1.5"))["a"] == 1.5


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "[]", "{}", "3", "null", '"facts"', '{"title": "x", "facts": [], "notes": null}',
        '{"title": "x", "facts": [{"name": "a"}], "notes": []}', '{"title": "x", "facts": {"a": 1}, "notes": []}',
        one("NaN"), one("-Infinity"), one("[1]"), one("{}"), one("1", '"furlongs"'), one("1", "[]"), one("1", "null"),
        None,
    ],
)  # fmt: skip
def test_text_that_is_no_facts_is_refused(text):
    with pytest.raises(DataError, match="not a set of facts"):
        Facts.from_json(text)


class Tags(HTMLParser):
    """The tags and the text of a fragment, as a browser sees them."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.titles: list[str | None] = []
        self.shown = ""
        self.feed(fragment)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.titles += [value for name, value in attrs if name == "title"]
        assert {name for name, _ in attrs} <= {"class", "scope", "style", "title"}

    def handle_data(self, data):
        self.shown += data


def test_html_shows_nasty_text_and_never_runs_it():
    facts = Facts(NASTY, (Fact("a", NASTY, "text", label=NASTY, definition=NASTY),), (NASTY,))
    seen = Tags(facts.to_html())
    assert set(seen.tags) == {"table", "caption", "b", "tbody", "tr", "th", "td", "p", "small"}
    assert seen.shown == NASTY * 4
    assert seen.titles == [NASTY]


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_markdown_table_keeps_its_rows_whatever_the_text(title, label, value):
    rows = Facts("t", (Fact("a", value, "text", label=label), Fact("b", 1.0))).to_markdown().split("\n")
    assert rows[2:4] == ["| figure | value |", "|---|---:|"]
    assert len(rows) == 6
    assert rows[5] == "| B | 1.000 |"
    assert rows[4].replace("\\|", "").count("|") == 3


def test_markdown_ends_with_the_notes():
    text = Facts("Demo", (Fact("a|b", 1.0),), ("first", "second")).to_markdown()
    assert text.splitlines() == [
        "**Demo**", "", "| figure | value |", "|---|---:|", "| A\\|b | 1.000 |", "", "> first", "", "> second",
    ]  # fmt: skip


def test_a_notebook_gets_text_html_and_the_private_type():
    facts = Facts("Demo", (Fact("a", math.nan), Fact("b", 0.5, "fraction")), ("note",))
    bundle = facts._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/plain"] == "A: –\nB: 50.00%"
    assert bundle["text/html"] == facts.to_html()
    assert json.dumps(bundle[MEDIA_TYPE], allow_nan=False)


def test_adding_keeps_what_was_there():
    facts = Facts("Demo", (Fact("a", 1.0),), ("one",)).adding([Fact("b", 2.0)], ["two"])
    assert [fact.name for fact in facts] == ["a", "b"]
    assert facts.notes == ("one", "two")
