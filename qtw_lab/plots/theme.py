"""One look for every figure, in a light and a dark variant."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from qtw_lab.core import DataError, lookup
from qtw_lab.core.extras import need

#: A ``bokeh.plotting.figure``; its own annotations name base classes only, which hide most of what is set on it.
Figure: TypeAlias = Any

#: Fonts every desktop and phone already has; nothing is fetched.
FONTS: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'DejaVu Sans', sans-serif"

#: How many steps a continuous colour scale has.
STEPS: Final = 255

Ramp = Literal["sequential", "diverging"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of one variant, as ``#rrggbb``.

    Gains are blue and losses orange, which people with any of the three colour-vision deficiencies tell apart. A colour
    of one theme never appears in the other under another name, so a finished figure can be restyled by replacing
    colours (`counterparts`).

    Parameters
    ----------
    name : str
        What the caller writes: "light" or "dark".
    paper, ink, muted, grid, edge : str
        Background, text, secondary text, grid lines, axes and frames.
    gain, loss : str
        Rising bars and profits, falling bars and losses.
    missing : str
        Cells without a value.
    mark : str
        What should be found first, such as the best cell of a map.
    series : tuple of str
        Accent colours of lines, in order of use; the first is the subject, the second its benchmark.
    sequential, diverging : tuple of str
        Anchors of the two continuous scales, low to high; the diverging one has its neutral colour in the middle.
    """

    name: str
    paper: str
    ink: str
    muted: str
    grid: str
    edge: str
    gain: str
    loss: str
    missing: str
    mark: str
    series: tuple[str, ...]
    sequential: tuple[str, ...]
    diverging: tuple[str, ...]

    @property
    def colours(self) -> dict[str, str]:
        """Every colour by its role; roles of tuples are numbered."""
        found: dict[str, str] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, tuple):
                found |= {f"{entry.name}.{place}": colour for place, colour in enumerate(value)}
            elif entry.name != "name":
                found[entry.name] = value
        return found

    def ramp(self, kind: Ramp) -> list[str]:
        """The `STEPS` colours of a continuous scale, interpolated linearly in sRGB between its anchors.

        Examples
        --------
        >>> ramp = THEMES["light"].ramp("diverging")
        >>> len(ramp), ramp[0] == THEMES["light"].diverging[0]
        (255, True)
        """
        anchors = np.array([_channels(colour) for colour in getattr(self, kind)])
        at = np.linspace(0, len(anchors) - 1, STEPS)
        mixed = [np.interp(at, np.arange(len(anchors)), channel) for channel in anchors.T]
        return [
            "#{:02x}{:02x}{:02x}".format(*(round(float(part)) for part in step)) for step in zip(*mixed, strict=True)
        ]


#: The sequential scale runs from dark blue to yellow with even steps of lightness in both themes.
_SEQUENTIAL: Final = ("#0b2a5b", "#2f4a72", "#5b6577", "#878478", "#b9a663", "#f4da45")

#: Every theme by name.
THEMES: Final = {
    "light": Theme(
        name="light", paper="#ffffff", ink="#1c2430", muted="#566172", grid="#e9ecf0", edge="#c3cad4",
        gain="#1769aa", loss="#cc5500", missing="#d3d8df", mark="#b3005e",
        series=("#0f5fa8", "#c8540c", "#00806a", "#99467f", "#3a8fcc", "#8a6d00", "#6a7482", "#6b4fb3"),
        sequential=_SEQUENTIAL,
        diverging=("#d9722a", "#f0b384", "#f7f5f2", "#9cc4e4", "#4a93cc"),
    ),
    "dark": Theme(
        name="dark", paper="#12161d", ink="#e5e9ef", muted="#9aa6b6", grid="#222934", edge="#3c4655",
        gain="#56b4e9", loss="#ef8a3c", missing="#090b0f", mark="#ff7ac0",
        series=("#5ab0ec", "#f39a4d", "#35c3a3", "#dc93c6", "#9db8ff", "#e3c04a", "#a4aebb", "#b9a0f2"),
        sequential=_SEQUENTIAL,
        diverging=("#a84d15", "#6a4530", "#323a46", "#2a5075", "#2069a3"),
    ),
}  # fmt: skip


def themed(name: str) -> Theme:
    """The theme called `name`.

    Raises
    ------
    DataError
        If there is none; the message names those there are.

    Examples
    --------
    >>> themed("dark").name
    'dark'
    """
    return lookup(name, THEMES, "theme")


def counterparts(name: str) -> dict[str, str]:
    """Colours of the other themes, ramps included, and what stands in their place in the theme called `name`.

    Examples
    --------
    >>> counterparts("dark")["#ffffff"] == THEMES["dark"].paper
    True
    """
    target = themed(name)
    swaps: dict[str, str] = {}
    for theme in THEMES.values():
        if theme is not target:
            swaps |= dict(zip(theme.ramp("diverging"), target.ramp("diverging"), strict=True))
            swaps |= {colour: target.colours[role] for role, colour in theme.colours.items()}
    return swaps


def pane(
    theme: Theme, *, height: int, title: str = "", tools: str = "xpan,xwheel_zoom,box_zoom,reset,save", **options: Any
) -> Figure:
    """An empty figure as wide as its place, with the usual tools; the wheel zooms only once chosen, so pages scroll.

    Parameters
    ----------
    theme : Theme
        Its look; call `dress` again after adding glyphs.
    height : int
        In pixels.
    title : str
        Drawn above, left.
    tools : str
        Bokeh tool names, without hover.
    **options
        Passed on to ``bokeh.plotting.figure``.
    """
    chosen: dict[str, Any] = {
        "active_drag": None,
        "active_scroll": None,
        "sizing_mode": "stretch_width",
        "min_width": 260,
        "min_border_right": 14,
    } | options
    made = need("bokeh.plotting", "dashboards").figure(
        height=height, title=plain(title), tools=tools, toolbar_location="above", **chosen
    )
    made.toolbar.logo = None
    return dress(made, theme)


def dress(figure: Figure, theme: Theme) -> Figure:
    """The same figure in the colours and fonts of `theme`; legends that exist by now included."""
    figure.background_fill_color = theme.paper
    figure.border_fill_color = theme.paper
    figure.outline_line_color = None
    figure.title.update(text_color=theme.ink, text_font=FONTS, text_font_size="15px", text_font_style="bold")
    for axis in figure.axis:
        axis.update(
            axis_line_color=theme.edge, major_tick_line_color=theme.edge, minor_tick_line_color=None,
            major_label_text_color=theme.muted, major_label_text_font=FONTS, major_label_text_font_size="12px",
            axis_label_text_color=theme.muted, axis_label_text_font=FONTS, axis_label_text_font_size="12px",
            axis_label_text_font_style="normal", major_tick_in=0, major_tick_out=4,
        )  # fmt: skip
    for grid in figure.grid:
        grid.grid_line_color = theme.grid
    for legend in figure.legend:
        legend.update(
            background_fill_color=theme.paper, background_fill_alpha=0.85, border_line_color=None, padding=4, spacing=2,
            label_text_color=theme.ink, label_text_font=FONTS, label_text_font_size="12px", label_standoff=6,
            inactive_fill_color=theme.paper, inactive_fill_alpha=0.6, glyph_width=20, glyph_height=20, margin=4,
            label_height=14,
        )  # fmt: skip
    return figure


def plain(text: str) -> str:
    """Text that Bokeh will not take for a formula: TeX delimiters would make it load a formula typesetter.

    Examples
    --------
    >>> "$$" in plain("$$x$$")
    False
    """
    if not isinstance(text, str):
        raise DataError(f"A title or label must be text, not {text!r}.")
    mark = "\u200b"  # a zero-width space parts the delimiters without being seen
    return text.replace("$$", f"${mark}$").replace("\\(", f"\\{mark}(").replace("\\[", f"\\{mark}[")


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
