"""Interactive figures from plain tables, and a report that holds them in one file."""

from qtw_lab.plots.calendar import return_calendar
from qtw_lab.plots.candles import candles
from qtw_lab.plots.columns import columns
from qtw_lab.plots.dots import dots
from qtw_lab.plots.equity import equity
from qtw_lab.plots.explorer import Choice, Slider, explore
from qtw_lab.plots.heatmap import heatmap
from qtw_lab.plots.lines import histogram, lines
from qtw_lab.plots.picture import Picture, show
from qtw_lab.plots.report import Banner, FactTable, Section, report_html
from qtw_lab.plots.stream import Streamed, candle_columns, stream_candles, stream_lines
from qtw_lab.plots.theme import THEMES, Theme
from qtw_lab.plots.underwater import underwater

__all__ = [
    "THEMES", "Banner", "Choice", "FactTable", "Picture", "Section", "Slider", "Streamed", "Theme", "candle_columns",
    "candles", "columns", "dots", "equity", "explore", "heatmap", "histogram", "lines", "report_html",
    "return_calendar", "show", "stream_candles", "stream_lines", "underwater",
]  # fmt: skip
