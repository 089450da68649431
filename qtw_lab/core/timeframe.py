"""How long a bar lasts, and how many of them make a year."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from qtw_lab.core.errors import DataError

_SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "D": 86_400, "W": 604_800, "ME": 2_629_746}
_ALIASES: Final = {
    "s": "s", "sec": "s", "second": "s", "t": "min", "m": "min", "min": "min", "minute": "min",
    "h": "h", "hr": "h", "hour": "h", "d": "D", "day": "D", "w": "W", "wk": "W", "week": "W",
    "me": "ME", "mo": "ME", "month": "ME",
}  # fmt: skip

#: Trading sessions a year and trading hours a session; 252 is written here and nowhere else.
_SESSIONS: Final = {"24/7": (365.0, 24.0), "24/5": (260.0, 24.0)}
_EXCHANGE_SESSION: Final = (252.0, 6.5)


@dataclass(frozen=True, slots=True)
class Timeframe:
    """The length of a bar: a count of seconds, minutes, hours, days, weeks or months.

    Parameters
    ----------
    count : int
        How many units one bar lasts; at least 1.
    unit : {"s", "min", "h", "D", "W", "ME"}
        The unit, as pandas spells it.

    Examples
    --------
    >>> str(Timeframe.parse("5Min"))
    '5min'
    >>> Timeframe.parse("1D").periods_per_year("XNYS")
    252.0
    >>> Timeframe.parse("1h").periods_per_year("24/7")
    8760.0
    """

    count: int
    unit: str

    def __post_init__(self) -> None:
        whole = isinstance(self.count, int) and not isinstance(self.count, bool)
        if self.unit not in _SECONDS or not whole or self.count < 1:
            raise DataError(f"A bar cannot last {self.count} {self.unit!r}. Use a form such as 5min, 1h, 1D or 1W.")

    @classmethod
    def parse(cls, text: str | Timeframe) -> Timeframe:
        """The timeframe written as `text`: "1D", "5Min", "1h", "day", "1W", "1ME" in any case.

        Raises
        ------
        DataError
            If the text is not a count and a unit, or is "1M", which some read as a minute and others as a month.
        """
        if isinstance(text, Timeframe):
            return text
        match = re.fullmatch(r"\s*(\d{0,6})\s*([A-Za-z]+)\s*", text) if isinstance(text, str) else None
        if match is not None and match[2] == "M":
            raise DataError(f"{text!r} may mean minutes or months. Write {match[1]}min or {match[1]}ME.")
        unit = _unit(match[2].lower()) if match else None
        if match is None or unit is None:
            raise DataError(f"{str(text)[:40]!r} is not a timeframe. Use a form such as 5min, 1h, 1D or 1W.")
        return cls(int(match[1] or 1), unit)

    @property
    def seconds(self) -> int:
        """Length in seconds (a month counts as a twelfth of a mean year)."""
        return self.count * _SECONDS[self.unit]

    @property
    def intraday(self) -> bool:
        """Whether a bar is shorter than one trading session."""
        return self.unit in ("s", "min", "h")

    def periods_per_year(self, calendar: str) -> float:
        """How many such bars `calendar` has in a year, the factor that annualises statistics.

        Parameters
        ----------
        calendar : str
            An exchange code such as "XNYS" (252 sessions of 6.5 hours), or "24/7" or "24/5".
        """
        sessions, hours = _SESSIONS.get(calendar, _EXCHANGE_SESSION)
        if self.intraday:
            return sessions * hours * 3600 / self.seconds
        if self.unit == "D":
            return sessions / self.count
        return (52.0 if self.unit == "W" else 12.0) / self.count

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def _unit(word: str) -> str | None:
    """The unit a word means; only words of three letters and more have a plural ("ms" is not many minutes)."""
    singular = word.removesuffix("s")
    return _ALIASES.get(word) or (_ALIASES.get(singular) if len(singular) > 2 else None)
