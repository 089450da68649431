from __future__ import annotations

import re

from qtw_lab.plots.page import script, style
from qtw_lab.plots.theme import THEMES


def test_every_variable_the_style_uses_is_set_in_both_themes() -> None:
    used = set(re.findall(r"var\(--([a-z]+)\)", style()))
    for block in re.findall(r":root(?:\[data-theme=dark\])?\{(.*?)\}", style())[:2]:
        assert used <= set(re.findall(r"--([a-z-]+):", block))


def test_print_is_light_whatever_the_screen_shows() -> None:
    rules = style().rpartition("@media print")[2]
    assert ":root[data-theme=dark]" in rules
    assert f"--paper:{THEMES['light'].paper}" in rules
    assert THEMES["dark"].paper not in rules


def test_style_and_script_fit_into_their_elements_and_fetch_nothing() -> None:
    for text in (style(), script()):
        assert "</" not in text
        assert "//" not in re.sub(r"(?m)^\s*//.*$", "", text)
