"""How a kill switch stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Status:
    """How a kill switch stands.

    Parameters
    ----------
    tripped : bool
        Whether nothing may be sent.
    since : int or None
        When it was tripped, or else armed, nanoseconds since 1970, UTC; None where nobody can say.
    by, reason : str
        Who did that, and why; where the records are damaged, the damage.
    flatten : bool
        Whether positions are to be closed as well.
    readable : bool
        Whether the records are whole and say so themselves. Where they are not, the switch counts as tripped.

    Examples
    --------
    >>> Status(tripped=True, since=10**18, by="ann", reason="a test").readable
    True
    """

    tripped: bool
    since: int | None = None
    by: str = ""
    reason: str = ""
    flatten: bool = False
    readable: bool = True
