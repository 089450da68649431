"""The live charts of the realtime page: figures in panes, and what they draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pandas as pd
import panel as pn

from dashboards.realtime.words import Words
from dashboards.streams import Series
from qtw_lab.plots import Streamed, candle_columns, stream_candles, stream_lines

#: Seconds of rates and delays, and bars, that are drawn.
BEATS: Final = 600
BARS: Final = 240


class Chart:
    """A figure in a pane, and the rows that it draws: they stay when the figure is made anew.

    Parameters
    ----------
    length : int
        Most rows.
    """

    def __init__(self, length: int) -> None:
        self._pane = pn.pane.Bokeh(None, sizing_mode="stretch_width", margin=0)
        self.view = pn.Column(self._pane, sizing_mode="stretch_width", margin=0)  # its pane would not be shown again
        self._length = length
        self._series: Series | None = None

    def draw(self, make: Callable[[Any], Streamed], columns: dict[str, Any]) -> None:
        """Show another figure from now on, over the same source: a browser that is told of rows has to know it already.

        Parameters
        ----------
        make : callable
            Makes a figure over a source, or over one of its own if it is given None.
        columns : dict
            The rows that it draws.
        """
        if self._series is None:
            made = make(None)
            made.source.data = {name: list(values)[-self._length :] for name, values in columns.items()}
            self._series = Series(made.source, self._length)
        else:
            made = make(self._series.source)
        self._pane.object = made.figure
        self.show(columns)

    def show(self, columns: dict[str, Any]) -> None:
        """Draw these rows; only what is new is sent."""
        self.view.visible = bool(columns["time"])  # axes without anything on them say nothing
        if self._series is not None:
            self._series.show(columns)

    def resend(self) -> None:
        """Send every row."""
        if self._series is not None:
            self._series.resend()


@dataclass(frozen=True)
class Drawn:
    """What the charts draw.

    Parameters
    ----------
    beats : dict of str to list of float
        Seconds of the engine, as `qtw_lab.lab.monitor_tail.Beats.columns` has them.
    bars : pandas.DataFrame
        Of a symbol.
    """

    beats: dict[str, list[float]]
    bars: pd.DataFrame

    def some(self, *names: str) -> dict[str, list[float]]:
        """Some columns of the seconds, and their time."""
        return {name: self.beats[name] for name in ("time", *names)}


class Charts:
    """Rates, delays, and the bars of a symbol."""

    def __init__(self) -> None:
        self.rates, self.lag, self.bars = Chart(BEATS), Chart(BEATS), Chart(BARS)

    def draw(self, drawn: Drawn, words: Words, theme: str, seconds: int, *, line: bool) -> None:
        """Make the figures anew, in the words and colours of now."""
        t = words.t
        rates, lag = {"trades": t("trades"), "quotes": t("quotes")}, {"median": t("median"), "p99": t("p99")}
        self.rates.draw(lambda source: stream_lines(rates, theme=theme, source=source), drawn.some(*rates))
        self.lag.draw(lambda source: stream_lines(lag, theme=theme, source=source), drawn.some(*lag))
        self.draw_bars(drawn, words, theme, seconds, line=line)

    def draw_bars(self, drawn: Drawn, words: Words, theme: str, seconds: int, *, line: bool) -> None:
        """Make the figure of the bars anew."""
        make = partial(stream_candles, seconds, theme=theme, line=line, volume=words.t("col_volume"))
        self.bars.draw(lambda source: make(source=source), candle_columns(drawn.bars))

    def show(self, drawn: Drawn) -> None:
        """Draw what there is now."""
        self.rates.show(drawn.some("trades", "quotes"))
        self.lag.show(drawn.some("median", "p99"))
        self.bars.show(candle_columns(drawn.bars))

    def resend(self) -> None:
        """Send every row of every chart."""
        for chart in (self.rates, self.lag, self.bars):
            chart.resend()
