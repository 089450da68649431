import pandas as pd

from dashboards import parts
from qtw_lab.core import Fact, Facts


def test_a_table_is_markup_that_people_and_screen_readers_read():
    frame = pd.DataFrame({"symbol": ["A", "B"], "gain": [1.5, -2.0]})
    markup = parts.table(frame, "Positions", empty="None.", signed=("gain",), named={"gain": "Gain"})
    assert "<caption>Positions</caption>" in markup
    assert '<th scope="row">A</th>' in markup
    assert '<td class="number gain">1.50</td>' in markup
    assert '<td class="number loss">-2.00</td>' in markup
    assert ">Gain</th>" in markup


def test_an_empty_table_says_what_to_do():
    assert "Open a session first." in parts.table(pd.DataFrame({"a": []}), "x", empty="Open a session first.")


def test_nothing_that_was_written_elsewhere_becomes_markup():
    evil = "<script>alert(1)</script>"
    frame = pd.DataFrame({evil: [evil]})
    facts = Facts(evil, (Fact("x", 1.0, "ratio", evil, evil),))
    for markup in (
        parts.table(frame, evil, empty=evil), parts.message(evil, title=evil), parts.figures(facts),
        parts.table(frame.head(0), "x", empty=evil),
    ):  # fmt: skip
        assert "<script" not in markup


def test_what_is_missing_is_left_blank_and_what_is_text_keeps_its_mood_to_itself():
    frame = pd.DataFrame({"name": ["x"], "time": [pd.NaT], "gain": pd.Series([None], dtype=object)})
    markup = parts.table(frame, "x", empty="", signed=("gain",))
    assert "NaT" not in markup
    assert "None" not in markup


def test_values_are_written_as_people_read_them():
    assert [parts.shown(v) for v in (True, 12_345, 0.5, None, "x")] == ["yes", "12,345", "0.50", "", "x"]
    assert parts.percent(float("nan")) == ""
    assert parts.clock(pd.Timestamp("2024-01-02 14:30:05", tz="UTC")) == "14:30:05"


def test_a_region_scrolls_in_place_of_the_table_in_it():
    frame = pd.DataFrame({"symbol": ["AAPL"]})
    markup = parts.table(frame, "Prices", empty="None.", bare=True)
    assert markup.startswith('<table class="qtw"><caption>Prices</caption>')
    assert markup in parts.table(frame, "Prices", empty="None.")
    region = parts.Region("Prices", markup, tall=200)
    assert region.get_root().html_attributes == {"role": "region", "tabindex": "0", "aria-label": "Prices"}
