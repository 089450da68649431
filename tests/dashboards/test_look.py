"""Text can be read on every surface: the contrast that WCAG 2.1 asks of small text, reckoned from the colours."""

import re

import pytest

from dashboards.look import colours


def luminance(colour):
    """Relative luminance of an sRGB colour, as WCAG 2.1 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("surface", ["paper", "raised"])
@pytest.mark.parametrize("words", ["ink", "muted", "accent", "good", "bad", "warn", "gain", "loss"])
def test_words_stand_out_from_what_they_stand_on(theme, surface, words):
    given = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", colours(theme)))
    assert contrast(given[words], given[surface]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_on_a_button_stand_out(theme):
    given = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", colours(theme)))
    assert contrast(given["on-accent"], given["accent"]) >= 4.5
    assert contrast(given["paper"], given["bad"]) >= 4.5
