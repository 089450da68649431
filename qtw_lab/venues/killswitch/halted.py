"""`HaltedError`: what an order gets to hear once the switch is tripped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from qtw_lab.core.errors import VenueError
from qtw_lab.venues.killswitch.status import Status


class HaltedError(VenueError):
    """Trading is halted: nothing may be sent until a person resets the switch.

    Parameters
    ----------
    status : Status
        How the switch stands.
    folder : pathlib.Path
        Where it is kept.

    Examples
    --------
    >>> str(HaltedError(Status(tripped=True, since=10**18, by="ann", reason="a test"), Path("stop"))).split(". ")[0]
    'Trading is halted since 2001-09-09 01:46:40 UTC by ann: a test'
    """

    def __init__(self, status: Status, folder: Path) -> None:
        self.status = status
        told = f" since {_moment(status.since)} by {status.by}" if status.since is not None else ""
        damaged = "" if status.readable else " --acknowledge-damage"
        super().__init__(
            f"Trading is halted{told}: {status.reason}. No order is sent. Find out why, look at the account, and then "
            f"reset it by hand: python -m qtw_lab.venues.killswitch reset --folder {folder} --by YOUR_NAME --reason "
            f"WHY{damaged}"
        )


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 10**9, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"
