"""Verdicts, figures side by side, and the definitions they link to."""

from __future__ import annotations

from typing import Any

import pytest

from qtw_lab.core import DataError, Fact, Facts
from qtw_lab.plots import Banner, FactTable, Section, report_html
from qtw_lab.plots.bodies import Glossary, body_html

LEAD = Facts("Basis", (Fact("trials", 3, "count"),))


@pytest.mark.parametrize(
    ("tone", "sign", "word"), [("good", "✓", "Good"), ("warn", "!", "Caution"), ("bad", "✗", "Bad")]
)
def test_a_banner_shows_its_tone_by_sign_and_word_too(tone: Any, sign: str, word: str) -> None:
    page = body_html(Banner("Not <enough>", tone, ["First & foremost.", "Second."]), "", Glossary())
    assert f'class="banner {tone}"' in page
    assert f">{sign}</span>" in page
    assert f">{word}: </span>Not &lt;enough&gt;</p>" in page
    assert "<ol><li>First &amp; foremost.</li><li>Second.</li></ol>" in page


def test_a_banner_needs_no_reasons() -> None:
    assert "<ol>" not in body_html(Banner("Fine", "good"), "", Glossary())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Banner(" ", "good"), "needs a verdict that is text"),
        (lambda: Banner("A", "green"), "no tone 'green'"),  # type: ignore[arg-type]
        (lambda: Banner("A", "good", "one sentence"), "put a single one into a list"),
        (lambda: Banner("A", "good", [1]), "are several sentences"),  # type: ignore[list-item]
        (lambda: FactTable("A", {}), "at least one column"),
        (lambda: FactTable("A", {"x": LEAD}, {"sharpe": ["x"]}), "no figure of this table 'sharpe'"),
        (lambda: FactTable("A", {"x": LEAD}, {"trials": ["y"]}), "no column of this table 'y'"),
        (lambda: Section("A", []), "is empty; leave it out"),
        (lambda: Section("A", ["text", 5]), "Only a Bokeh figure or layout"),  # type: ignore[list-item]
    ],
)
def test_what_makes_no_body_is_refused(build: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build()


def test_the_best_of_a_row_is_marked_and_a_missing_figure_is_a_dash() -> None:
    one = Facts("", (Fact("sharpe", 1.0), Fact("trades", 5, "count")))
    two = Facts("", (Fact("sharpe", 2.0),))
    page = body_html(FactTable("T", {"A": one, "B": two}, {"sharpe": ["B"]}), "T", Glossary())
    assert '<td class="number">1.000</td><td class="number best">2.000' in page
    assert '<td class="number">5</td><td class="number">–</td>' in page
    assert page.count("(best)") == 1


def test_every_defined_figure_links_to_one_definition() -> None:
    sharpe = Fact("sharpe", 1.0, definition="mean over deviation")
    lead = Facts("Basis", (Fact("trials", 3, "count", definition="all that were tried"),))
    page = report_html("A", lead, [Section("One", Facts("One", (sharpe,))), Section("Two", Facts("Two", (sharpe,)))])
    assert page.count('href="#def-sharpe"') == 2
    assert page.count('id="def-sharpe"') == 1
    assert page.index('href="#def-trials"') < page.index('id="def-trials"')
    assert page.rindex("<h2") == page.index('<h2 id="definitions">')  # nothing comes after it


def test_one_name_with_two_conventions_has_two_definitions() -> None:
    words = Glossary()
    links = [words.link(Fact("rate", 1.0, definition=text)) for text in ("of trades", "of bars", "of trades")]
    assert [link.split('"')[1] for link in links] == ["#def-rate", "#def-rate-2", "#def-rate"]
    strange = words.link(Fact("<b> \"&'", 1.0, definition="odd"))
    assert strange.startswith('<a href="#def-b">')


def test_a_page_without_definitions_has_no_such_section() -> None:
    page = report_html("A", LEAD, [Section("One", "text")])
    assert "Definitions" not in page


def test_a_long_page_lists_its_sections_and_a_short_one_does_not() -> None:
    sections = [Section(f"Part {number}", "text") for number in range(7)]
    page = report_html("A", LEAD, sections)
    assert '<nav aria-label="Contents">' in page
    assert all(f'<a href="#section-{k}">Part {k - 1}</a>' in page and f'id="section-{k}"' in page for k in range(1, 8))
    assert "<nav" not in report_html("A", LEAD, sections[:6])


def test_several_bodies_stand_under_one_heading_in_order() -> None:
    page = report_html("A", LEAD, [Section("Both", ("Some text.", Banner("Fine", "good"), LEAD))])
    assert page.count("<h2") == 1
    assert page.index("Some text.") < page.index('class="banner good"') < page.index("<caption>")


def test_the_deflated_sharpe_ratio_follows_the_trials() -> None:
    lead = Facts("Basis", (Fact("costs", "none", "text"), Fact("deflated_sharpe", 0.9, "fraction"), *LEAD))
    page = report_html("A", lead, [])
    assert page.index("Trials") < page.index("Deflated sharpe") < page.index("Costs")
