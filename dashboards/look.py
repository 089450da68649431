"""One look for every page: Panel's plain design, the house's style sheet, and the colours of the plots' themes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Final

from panel.theme.base import Inherit
from panel.theme.native import Native
from panel.viewable import Viewable

from qtw_lab.plots import THEMES

_SHEET: Final = (Path(__file__).parent / "house.css").read_text(encoding="utf-8")

#: Variables of Panel's and Bokeh's own sheets, and the roles of ours that they take.
_NAMES: Final = {
    "--design-background-color": "paper", "--design-background-text-color": "ink", "--design-surface-color": "raised",
    "--design-surface-text-color": "ink", "--design-primary-color": "accent",
    "--design-primary-text-color": "on-accent",
    "--panel-primary-color": "accent", "--panel-on-primary-color": "on-accent", "--panel-background-color": "paper",
    "--panel-on-background-color": "ink", "--panel-surface-color": "raised", "--panel-on-surface-color": "ink",
    "--text-color": "ink", "--border-color": "edge", "--color": "ink", "--inverted-color": "paper",
}  # fmt: skip

#: Surfaces, the colour of what can be pressed, and a loss dark enough for words: figures have none of these.
_SURFACES: Final = {
    "light": {"raised": "#f4f6f9", "accent": "#0f5fa8", "on-accent": "#ffffff", "good": "#0b6b43", "bad": "#a8321a",
              "warn": "#7a5200", "loss": "#ad4800", "scheme": "light"},
    "dark": {"raised": "#1b212b", "accent": "#7cc0f0", "on-accent": "#0b1118", "good": "#6fd6a4", "bad": "#ff9d85",
             "warn": "#f0c060", "scheme": "dark"},
}  # fmt: skip


class House(Native):
    """Panel's plain design with the house's style sheet in every part, which sits in a shadow tree of its own."""

    modifiers: ClassVar[dict[type[Viewable], dict[str, Any]]] = {Viewable: {"stylesheets": [Inherit, _SHEET]}}


def colours(theme: str) -> str:
    """The style sheet of a page's root that gives every part within it the colours of a theme.

    Examples
    --------
    >>> "--paper: #12161d" in colours("dark")
    True
    """
    plain = {name: value for name, value in THEMES[theme].colours.items() if "." not in name} | _SURFACES[theme]
    roles = "; ".join(f"--{name}: {value}" for name, value in plain.items())
    aliases = "; ".join(f"{name}: var(--{role})" for name, role in _NAMES.items())
    return f":host {{ {roles}; {aliases}; color-scheme: {plain['scheme']} }}"
