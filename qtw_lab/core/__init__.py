"""The words everybody uses: values, errors, time, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtw_lab.core.bars import Bars, SeriesRef
from qtw_lab.core.clock import Clock, SystemClock, VirtualClock
from qtw_lab.core.errors import DataError, LabError, RunError, SetupError, VenueError
from qtw_lab.core.facts import Fact, Facts
from qtw_lab.core.lookup import lookup, near_misses
from qtw_lab.core.orders import Fill, Order, Position
from qtw_lab.core.symbols import parse_symbols
from qtw_lab.core.timeframe import Timeframe

if TYPE_CHECKING:
    from qtw_lab.core.settings import Settings

__all__ = [
    "Bars", "Clock", "DataError", "Fact", "Facts", "Fill", "LabError", "Order", "Position", "RunError", "SeriesRef",
    "Settings", "SetupError", "SystemClock", "Timeframe", "VenueError", "VirtualClock", "lookup", "near_misses",
    "parse_symbols",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Fetch `Settings` when they are first asked for: pydantic is a tenth of a first backtest's time."""
    if name != "Settings":
        raise AttributeError(f"module 'qtw_lab.core' has no attribute {name!r}")
    from qtw_lab.core.settings import Settings

    return Settings
