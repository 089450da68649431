"""QTW Lab: one trading strategy from real data to an honest report.

Importing this package is light: every name below is fetched from its room when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from qtw_lab import data as data
    from qtw_lab import indicators as indicators
    from qtw_lab import stats as stats
    from qtw_lab import strategies as strategies
    from qtw_lab.backtest.actions import Actions as Actions
    from qtw_lab.backtest.counting import search as search
    from qtw_lab.backtest.counting import sweep as sweep
    from qtw_lab.backtest.recording import backtest as backtest
    from qtw_lab.backtest.result import Result as Result
    from qtw_lab.backtest.sweep import Sweep as Sweep
    from qtw_lab.core import Bars as Bars
    from qtw_lab.core import DataError as DataError
    from qtw_lab.core import Fact as Fact
    from qtw_lab.core import Facts as Facts
    from qtw_lab.core import LabError as LabError
    from qtw_lab.core import Order as Order
    from qtw_lab.core import RunError as RunError
    from qtw_lab.core import Settings as Settings
    from qtw_lab.core import SetupError as SetupError
    from qtw_lab.core import Timeframe as Timeframe
    from qtw_lab.core import VenueError as VenueError
    from qtw_lab.lab import Lab as Lab
    from qtw_lab.ledger import Account as Account
    from qtw_lab.ledger import Costs as Costs
    from qtw_lab.ledger import Entry as Entry
    from qtw_lab.ledger import Sizing as Sizing
    from qtw_lab.ledger import Stops as Stops
    from qtw_lab.strategies.base import Panel as Panel
    from qtw_lab.strategies.base import Strategy as Strategy
    from qtw_lab.strategies.base import param as param
    from qtw_lab.strategies.order_list import OrderList as OrderList

#: Public name -> the room it is fetched from; a name equal to its room's last part is the room itself.
_HOMES = {
    "Bars": "core", "DataError": "core", "Fact": "core", "Facts": "core", "LabError": "core", "RunError": "core",
    "Settings": "core", "SetupError": "core", "Timeframe": "core", "VenueError": "core",
    "Order": "core", "Account": "ledger", "Entry": "ledger",
    "Costs": "ledger", "Sizing": "ledger", "Stops": "ledger",
    "OrderList": "strategies.order_list", "Panel": "strategies.base", "Strategy": "strategies.base",
    "param": "strategies.base",
    "Actions": "backtest.actions", "Result": "backtest.result", "Sweep": "backtest.sweep", "sweep": "backtest.counting",
    "search": "backtest.counting",
    "Lab": "lab",
    "backtest": "backtest", "data": "data", "indicators": "indicators", "stats": "stats", "strategies": "strategies",
}  # fmt: skip

__all__ = [  # noqa: PLE0604  (names are fetched by __getattr__)
    *_HOMES,
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Fetch a public name from its room on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'qtw_lab' has no attribute {name!r}")
    room = import_module(f"qtw_lab.{_HOMES[name]}")
    found = room if _HOMES[name] == name else getattr(room, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
