from __future__ import annotations

import itertools

import numpy as np
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots.theme import THEMES, Theme, counterparts, dress, pane, plain, themed

both = pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))


def linear(colour: str) -> np.ndarray:
    """Linear-light sRGB (IEC 61966-2-1)."""
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2."""
    bright, dim = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


#: Machado, Oliveira and Fernandes (2009), severity 1.0, on linear light.
DEFICIENCIES = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@both
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_gains_and_losses_stay_apart_for_every_colour_vision(theme: Theme, deficiency: str) -> None:
    seen = [
        np.clip(np.array(DEFICIENCIES[deficiency]) @ linear(c), 0, 1) ** (1 / 2.2) for c in (theme.gain, theme.loss)
    ]
    assert (
        np.linalg.norm(seen[0] - seen[1]) > 0.35
    )  # of at most sqrt(3); red #cc3333 and green #339933 give 0.07 for deutan


def test_red_and_green_would_fail_that_check() -> None:
    matrix = np.array(DEFICIENCIES["deutan"])
    seen = [np.clip(matrix @ linear(colour), 0, 1) ** (1 / 2.2) for colour in ("#cc3333", "#339933")]
    assert np.linalg.norm(seen[0] - seen[1]) < 0.35


@both
def test_text_and_marks_are_readable_on_the_paper(theme: Theme) -> None:
    assert contrast(theme.ink, theme.paper) > 7
    assert contrast(theme.muted, theme.paper) > 4.5
    for colour in (theme.gain, theme.loss, theme.mark, *theme.series):
        assert contrast(colour, theme.paper) > 3, colour


@both
def test_numbers_are_readable_on_every_shade_of_the_calendar(theme: Theme) -> None:
    assert min(contrast(theme.ink, shade) for shade in theme.ramp("diverging")) > 4.3


def test_no_colour_of_one_theme_means_something_else_in_the_other() -> None:
    for one, other in itertools.permutations(THEMES.values(), 2):
        foreign = {colour: role for role, colour in other.colours.items()}
        for role, colour in one.colours.items():
            assert foreign.get(colour, role) == role, (one.name, role, colour)


@both
def test_a_theme_names_no_colour_twice_where_the_other_has_two(theme: Theme) -> None:
    (other,) = (each for each in THEMES.values() if each is not theme)
    for one, two in itertools.combinations(theme.colours, 2):
        if theme.colours[one] == theme.colours[two]:
            assert other.colours[one] == other.colours[two], (one, two)


def test_going_to_the_other_theme_and_back_restores_each_colour() -> None:
    there, back = counterparts("dark"), counterparts("light")
    for role, colour in THEMES["light"].colours.items():
        assert back.get(there[colour], there[colour]) == colour, role


def test_a_ramp_begins_and_ends_with_its_anchors() -> None:
    ramp = THEMES["light"].ramp("sequential")
    assert (ramp[0], ramp[-1]) == (THEMES["light"].sequential[0], THEMES["light"].sequential[-1])
    brightness = [float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in ramp]
    assert np.all(np.diff(brightness) >= -1e-3)  # a black-and-white print keeps the order


def test_an_unknown_theme_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"no theme 'drak'\. Did you mean 'dark'"):
        themed("drak")


@both
def test_a_dressed_figure_has_the_colours_of_its_theme_and_no_logo(theme: Theme) -> None:
    made = dress(pane(theme, height=100, title="T"), theme)
    assert (made.background_fill_color, made.border_fill_color) == (theme.paper, theme.paper)
    assert made.title.text_color == theme.ink
    assert made.toolbar.logo is None
    assert "http" not in made.title.text_font


def test_formula_marks_in_a_title_are_parted_so_that_no_typesetter_is_loaded() -> None:
    assert "$$" not in plain("a $$b$$")
    assert r"\(" not in plain(r"a \(b\)")
    assert plain("cost $5") == "cost $5"


def test_a_title_that_is_not_text_is_refused() -> None:
    with pytest.raises(DataError, match="must be text, not 5"):
        plain(5)  # type: ignore[arg-type]
