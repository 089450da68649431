"""Whether anybody looks: a figure one pixel high, which the browser lets tell so every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import panel as pn
from bokeh.models import ColumnDataSource, CustomJS, Plot, Range1d, Scatter

#: Seconds between two signs of life of a browser, and how long one counts.
BEAT: Final = 3.0
LIFE: Final = 12.0

#: Told by the browser: the figure is laid out; from then on it says every few seconds that its page is seen.
_BEATING: Final = """
if (!cb_obj.qtw_clock) {
  const beat = () => {
    if (cb_obj.document == null) { clearInterval(cb_obj.qtw_clock); return; }
    if (!document.hidden) cb_obj.tags = [Date.now()];
  };
  cb_obj.qtw_clock = setInterval(beat, __BEAT__);
  document.addEventListener("visibilitychange", beat);
  beat();
}
"""


class Presence:
    """Tells whether a browser shows the page, and when one begins to.

    What is sent before a browser has laid out a page is lost; a page whose tab is hidden, or was closed, needs nothing.

    Parameters
    ----------
    arrived : callable
        Called whenever somebody begins to look: the first time, and after having been away.
    clock : callable
        Seconds that only grow.

    Examples
    --------
    >>> Presence(lambda: None).here
    False
    """

    def __init__(self, arrived: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._arrived, self._clock = arrived, clock
        self._seen: float | None = None
        self._figure = Plot(
            x_range=Range1d(start=0, end=1), y_range=Range1d(start=0, end=1), height=1, min_border=0,
            outline_line_color=None, toolbar_location=None, sizing_mode="stretch_width", background_fill_alpha=0,
            border_fill_alpha=0,
        )  # fmt: skip
        self._figure.add_glyph(ColumnDataSource({"x": [0], "y": [0]}), Scatter(size=0))  # Bokeh warns of empty figures
        self._figure.js_on_change("inner_width", CustomJS(code=_BEATING.replace("__BEAT__", str(int(BEAT * 1000)))))
        for name in ("inner_width", "tags"):
            self._figure.on_change(name, lambda attr, old, new: self._told())  # noqa: ARG005  (Bokeh asks for these names)
        self.view = pn.pane.Bokeh(self._figure, height=1, margin=0, sizing_mode="stretch_width")

    @property
    def here(self) -> bool:
        """Whether a browser said lately that it shows the page."""
        return self._seen is not None and self._clock() - self._seen <= LIFE

    def _told(self) -> None:
        was = self.here
        self._seen = self._clock()
        if not was:
            self._arrived()
