"""The page docs/worlds.md: that it holds, and that it is what the worlds give."""

from __future__ import annotations

import re

import measures as m
import publish
import pytest
from figures import Figure, rate

TEXT = publish.PAGE.read_text(encoding="utf-8")


def outside(text):
    return [name for name, (measured, low, high) in publish.rows(text).items() if not low <= measured <= high]


def test_every_figure_of_the_page_lies_within_its_bounds():
    assert outside(TEXT) == []
    assert len(publish.rows(TEXT)) > 60


def test_the_page_has_every_section_and_the_text_of_the_program():
    assert re.findall(r"^## (.+)$", TEXT, flags=re.MULTILINE) == list(m.SECTIONS) == list(publish.NOTES)
    assert TEXT.startswith(publish.HEAD)
    assert all(note in TEXT for note in publish.NOTES.values())


def test_a_figure_out_of_bounds_is_noticed():
    figure = Figure("share", 0.2, 0.0, 0.1, "why")
    assert not figure.holds
    assert outside(publish.row(figure)) == ["share"]
    assert outside(publish.row(rate("share", [True, False]))) == []
    assert publish.row(rate("share", [True, False])) == "| share | 0.500 |  |  | for information |"


@pytest.mark.slow
@pytest.mark.parametrize(
    "measure", [one for asked in m.SECTIONS.values() for one in asked], ids=lambda one: one.__name__
)
def test_measuring_again_gives_what_the_page_says(measure):
    """Within 0.02, as rounding differs between processors and can move a p-value by one resample."""
    page = publish.rows(TEXT)
    for figure in measure():
        assert figure.holds, figure
        measured, *bounds = page[figure.name]
        assert measured == pytest.approx(figure.measured, abs=0.02), figure
        if figure.bounded:
            assert bounds == pytest.approx([figure.low, figure.high], abs=0.02), figure
