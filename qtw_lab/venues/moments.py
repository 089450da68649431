"""Moments in nanoseconds since 1970 (UTC), on the exchanges' clocks and as texts, and ids made of their parts."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

#: Where the exchanges are.
EASTERN: Final = ZoneInfo("America/New_York")

SECOND: Final = 10**9
DAY: Final = 86_400 * SECOND

_MOMENT: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?([Zz]|[+-]\d\d:?\d\d))?"
)
_ROOT: Final = uuid5(NAMESPACE_URL, "qtw-lab:simulator")


def eastern(moment: int) -> datetime:
    """A moment on the exchanges' clocks, to the microsecond."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment // 1000)).astimezone(EASTERN)


def midnight(moment: int) -> int:
    """When the day began on the exchanges' clocks, nanoseconds since 1970, UTC.

    Examples
    --------
    >>> midnight(1_704_205_800_000_000_000) == instant("2024-01-02")
    True
    """
    return int(eastern(moment).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()) * SECOND


def local(moment: int) -> str:
    """A moment as RFC 3339 with the exchanges' offset, as the venue's clock has it.

    Examples
    --------
    >>> local(1_704_205_800_000_000_000)
    '2024-01-02T09:30:00-05:00'
    """
    return eastern(moment).isoformat()


def instant(text: str, *, last: bool = False) -> int | None:
    """The moment that a text names, in nanoseconds since 1970 UTC; None where it names none.

    Parameters
    ----------
    text : str
        RFC 3339 (up to nanoseconds), or a date, which is its midnight in New York.
    last : bool
        Whether a date means its last nanosecond.

    Examples
    --------
    >>> instant("2024-01-02T09:30:00.5-05:00"), instant("2024-01-02"), instant("yesterday")
    (1704205800500000000, 1704171600000000000, None)
    """
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        if hour is None:
            midnight = datetime(int(year), int(month), int(day), tzinfo=EASTERN)
            if last:
                midnight = datetime.combine(midnight.date() + timedelta(days=1), midnight.timetz(), EASTERN)
            return calendar.timegm(midnight.utctimetuple()) * SECOND - (1 if last else 0)
        at = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    ahead = 0 if offset in "Zz" else int(offset[0] + "1") * (int(offset[1:3]) * 3600 + int(offset[-2:]) * 60)
    return (calendar.timegm(at.utctimetuple()) - ahead) * SECOND + int((fraction or "").ljust(9, "0"))


def day(text: str) -> date | None:
    """The date that a text begins with; None where it begins with none."""
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def identity(*parts: object) -> str:
    """A UUID that depends on nothing but its parts, so that a run can be run again.

    Examples
    --------
    >>> identity("order", 1) == identity("order", 1), identity("order", 1) == identity("order", 2)
    (True, False)
    """
    return str(uuid5(_ROOT, "\x1f".join(str(part) for part in parts)))


def is_identity(text: str) -> bool:
    """Whether a text is a UUID.

    Examples
    --------
    >>> is_identity(identity("order", 1)), is_identity("AAPL")
    (True, False)
    """
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
