"""Lengths of time and sizes of memory as people write them in a schedule."""

from __future__ import annotations

import re
from typing import Any, Final

import pandas as pd

from qtw_lab.core.errors import DataError

_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_PART: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(min|[smhdw])", re.IGNORECASE)
_BYTES: Final = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?b)\s*", re.IGNORECASE)


def length(value: Any) -> pd.Timedelta:
    """The length of time written as ``"5m"``, ``"1h30m"``, ``"90s"`` or ``"2d"``.

    Raises
    ------
    DataError
        If it is anything else, a bare number included: it does not say what it counts.

    Examples
    --------
    >>> length("1h30m"), length("0s")
    (Timedelta('0 days 01:30:00'), Timedelta('0 days 00:00:00'))
    """
    parts = _PART.findall(value) if isinstance(value, str) else []
    if not parts or _PART.sub("", value).strip():
        raise DataError(f"{value!r} is not a length of time. Write it as 30s, 5m, 2h, 1h30m or 1d.")
    seconds = sum(float(count) * _UNITS[unit.lower()] for count, unit in parts)
    return pd.Timedelta(milliseconds=round(seconds * 1_000)).as_unit("ns")


def shown_length(span: pd.Timedelta) -> str:
    """The length of time as it would be written in a schedule.

    Examples
    --------
    >>> shown_length(pd.Timedelta(minutes=90)), shown_length(pd.Timedelta(0))
    ('1h30m', '0s')
    """
    left, text = round(span.total_seconds()), ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def size(value: Any) -> int:
    """The number of bytes written as ``"2GB"``, ``"500MB"`` or ``"1.5GiB"``.

    Raises
    ------
    DataError
        If it is anything else.

    Examples
    --------
    >>> size("2GB"), size("512 MiB")
    (2000000000, 536870912)
    """
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise DataError(f"{value!r} is not a size of memory. Write it as 500MB, 2GB or 1.5GiB.")
    return round(float(match[1]) * _BYTES[match[2].lower()])
