"""How Alpaca's REST side words things: moments, amounts, identities and refusals.

Codes and messages are those that public reports of users show (the issue threads of alpacahq/alpaca-py and
alpacahq/Alpaca-API, and Alpaca's article "How to fix common trading API errors at Alpaca"); where the venue words a
refusal in a way that could not be found, the simulator says so in words of its own under the code of its kind.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5
from zoneinfo import ZoneInfo

from qtw_lab.core import VenueError
from qtw_lab.venues.simulator.asking import Answer

#: Where the exchanges are.
EASTERN: Final = ZoneInfo("America/New_York")

SECOND: Final = 10**9
DAY: Final = 86_400 * SECOND

_MOMENT: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?([Zz]|[+-]\d\d:?\d\d))?"
)
_ROOT: Final = uuid5(NAMESPACE_URL, "qtw-lab:simulator")


class RefusedError(VenueError):
    """A request that is refused, in the venue's own words.

    Parameters
    ----------
    status : int
        The HTTP status.
    message : str
        The venue's sentence.
    code : int, optional
        The venue's eight-digit code; market data has none.
    more : mapping, optional
        Further fields of the body.

    Examples
    --------
    >>> RefusedError(404, "position does not exist", 40410000).answer().content()
    b'{"code":40410000,"message":"position does not exist"}'
    """

    def __init__(
        self, status: int, message: str, code: int | None = None, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.content = {**(more or {}), **({} if code is None else {"code": code}), "message": message}

    def answer(self) -> Answer:
        """The refusal as an answer."""
        return Answer(self.status, dict(self.content))


def unprocessable(message: str) -> RefusedError:
    """422, the code of an order or a field that cannot be."""
    return RefusedError(422, message, 42210000)


def malformed(message: str) -> RefusedError:
    """422, the code of a request that is not formed as it should be."""
    return RefusedError(422, message, 40010001)


def forbidden(message: str, **more: Any) -> RefusedError:
    """403, the code of what the account may not do now."""
    return RefusedError(403, message, 40310000, more)


def absent(message: str) -> RefusedError:
    """404, the code of what is not there."""
    return RefusedError(404, message, 40410000)


def invalid(name: str, given: str | None, mend: str = "") -> RefusedError:
    """400 of the market-data side, which has no codes."""
    return RefusedError(400, f"invalid {name}: {given}{'; ' + mend if mend else ''}")


#: What the two sides say to a request without good keys; the server asks for the keys.
UNAUTHORIZED: Final = Answer(401, {"message": "unauthorized."})
FORBIDDEN: Final = Answer(403, {"message": "forbidden."})


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


def plain(amount: Decimal) -> str:
    """An amount in plain digits, without zeros at its end.

    Examples
    --------
    >>> plain(Decimal("1E+5")), plain(Decimal("10.500")), plain(Decimal("-0"))
    ('100000', '10.5', '0')
    """
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def number(value: Any) -> Decimal | None:
    """The amount that a JSON number or a text of digits stands for; None where it is no finite number.

    A JSON number is taken by the digits it is written with: 0.1 is one tenth, not the binary fraction next to it.

    Examples
    --------
    >>> number("10.50"), number(0.1), number("ten"), number(True)
    (Decimal('10.50'), Decimal('0.1'), None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def price(value: float) -> Decimal:
    """A market's price as an amount, to the millionth of a dollar.

    Examples
    --------
    >>> price(10.1)
    Decimal('10.1')
    """
    return Decimal(str(round(float(value), 6)))


def truth(text: str | None) -> bool:
    """Whether a query's field says yes; clients write true, True or 1."""
    return (text or "").lower() in {"true", "1", "t"}


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
