"""The words everybody uses: values, errors, time, settings."""

from qtw_lab.core.bars import Bars, SeriesRef
from qtw_lab.core.clock import Clock, SystemClock, VirtualClock
from qtw_lab.core.errors import DataError, LabError, RunError, SetupError, VenueError
from qtw_lab.core.facts import Fact, Facts
from qtw_lab.core.lookup import lookup, near_misses
from qtw_lab.core.orders import Fill, Order, Position
from qtw_lab.core.settings import Settings
from qtw_lab.core.symbols import parse_symbols
from qtw_lab.core.timeframe import Timeframe

__all__ = [
    "Bars", "Clock", "DataError", "Fact", "Facts", "Fill", "LabError", "Order", "Position", "RunError", "SeriesRef",
    "Settings", "SetupError", "SystemClock", "Timeframe", "VenueError", "VirtualClock", "lookup", "near_misses",
    "parse_symbols",
]  # fmt: skip
