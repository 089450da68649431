"""The life of an order: the statuses it can have, which may follow which, and what a status that nobody knows means.

Source: Alpaca's document "Orders at Alpaca", section on order lifecycle (docs.alpaca.markets), as of 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: Nothing changes any more.
FINAL: Final = frozenset({"filled", "canceled", "expired", "replaced", "rejected"})
#: It waits for another order, or for its session, and cannot fill.
WAITING: Final = frozenset({"accepted", "pending_new", "held", "accepted_for_bidding", "pending_review"})
#: It can fill.
WORKING: Final = frozenset({"new", "partially_filled", "pending_cancel", "pending_replace", "stopped"})
#: It is over for the day, or stopped by the venue, and may work again.
RESTING: Final = frozenset({"done_for_day", "suspended", "calculated"})
#: Every status that is known.
KNOWN: Final = FINAL | WAITING | WORKING | RESTING

_WORKED: Final = frozenset({"new", "partially_filled", "pending_cancel", "pending_replace", "stopped", "suspended"})

#: What may come after each status. Final ones are followed by nothing.
FOLLOWS: Final[Mapping[str, frozenset[str]]] = MappingProxyType({
    **dict.fromkeys(WAITING, _WORKED | WAITING | RESTING | FINAL),
    **dict.fromkeys(("new", "pending_cancel", "pending_replace", "stopped"), _WORKED | RESTING | FINAL),
    **dict.fromkeys(RESTING, _WORKED | RESTING | FINAL),
    "partially_filled": (_WORKED | RESTING | FINAL) - {"new", "rejected"},
    **dict.fromkeys(FINAL, frozenset()),
})  # fmt: skip


def open_status(status: str) -> bool:
    """Whether an order may still be filled: one with a status that nobody knows may.

    Examples
    --------
    >>> open_status("held"), open_status("expired"), open_status("pending_something_new")
    (True, False, True)
    """
    return status not in FINAL


def may_follow(before: str, after: str) -> bool:
    """Whether a status may come after another; what is not known may come after all that is not final.

    Examples
    --------
    >>> may_follow("new", "filled"), may_follow("filled", "canceled"), may_follow("pending_cancel", "filled")
    (True, False, True)
    >>> may_follow("new", "pending_something_new"), may_follow("pending_something_new", "filled")
    (True, True)
    """
    if before == after:
        return True
    if before not in FOLLOWS or after not in FOLLOWS:
        return before not in FINAL
    return after in FOLLOWS[before]
