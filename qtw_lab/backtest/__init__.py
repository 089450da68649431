"""A whole history from signals. The room is also the function: ``qtw.backtest(strategy, bars, ...)``."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from qtw_lab.backtest.recording import backtest

if TYPE_CHECKING:
    from qtw_lab.backtest.result import Result as Result
    from qtw_lab.backtest.sweep import Sweep as Sweep

__all__ = ["Result", "Sweep", "backtest"]

#: Name -> the module it is fetched from: a first backtest should not wait for the parts of a sweep.
_HOMES = {"Result": "result", "Sweep": "sweep"}


class _CallableRoom(ModuleType):
    """A module that can be called, since the room and its main function share the name ``backtest``."""

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        return backtest(*args, **kwargs)


def __getattr__(name: str) -> Any:
    """Fetch a name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'qtw_lab.backtest' has no attribute {name!r}")
    found = getattr(import_module(f"qtw_lab.backtest.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


sys.modules[__name__].__class__ = _CallableRoom
sys.modules[__name__].__doc__ = backtest.__doc__
