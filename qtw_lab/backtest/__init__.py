"""A whole history from signals. The room is also the function: ``qtw.backtest(strategy, bars, ...)``."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.result import Result
from qtw_lab.backtest.sweep import Sweep, sweep

__all__ = ["Result", "Sweep", "backtest", "sweep"]


class _CallableRoom(ModuleType):
    """A module that can be called, since the room and its main function share the name ``backtest``."""

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        return backtest(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableRoom
sys.modules[__name__].__doc__ = backtest.__doc__
