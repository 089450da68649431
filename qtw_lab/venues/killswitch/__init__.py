"""A kill switch for paper and live trading, whose state and process are its own so that it works while all else hangs.

The switch and the heartbeat need nothing but Python's standard library; everything else is loaded when it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtw_lab.venues.killswitch.heartbeat import Heartbeat
from qtw_lab.venues.killswitch.status import Status
from qtw_lab.venues.killswitch.switch import KillSwitch

if TYPE_CHECKING:
    from qtw_lab.venues.killswitch.halted import HaltedError

__all__ = ["HaltedError", "Heartbeat", "KillSwitch", "Status"]


def __getattr__(name: str) -> Any:
    """Fetch `HaltedError` when it is first asked for: the errors of the package come with pandas."""
    if name != "HaltedError":
        raise AttributeError(f"module 'qtw_lab.venues.killswitch' has no attribute {name!r}")
    from qtw_lab.venues.killswitch.halted import HaltedError

    return HaltedError
