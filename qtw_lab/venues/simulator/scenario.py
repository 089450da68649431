"""What shall go wrong in a simulated market, and when: a small file of faults, checked before anything is served."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import pandas as pd

from qtw_lab.core import DataError, near_misses

_ZONE: Final = "America/New_York"
#: Kinds of links that a fault may be for.
ON: Final = ("data", "updates", "all")
#: Numbers without a bound of their own end here, which keeps infinity and NaN out.
_MOST: Final = 1e300
#: What a malformed frame may be.
MALFORMED: Final = ("garbage", "truncated", "text", "types", "number", "empty", "partly")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a kind of fault.

    Parameters
    ----------
    wanted : str
        What it has to be, for an error message.
    fits : callable
        Whether a value is that.
    default : any
        Where none is given; `...` if it must be given.
    """

    wanted: str
    fits: Callable[[Any], bool]
    default: Any = ...


@dataclass(frozen=True, slots=True)
class KindOfFault:
    """A kind of fault: what it does, whether it lasts, and its arguments."""

    effect: str
    lasts: bool
    arguments: Mapping[str, Argument] = field(default_factory=dict)


def _number(low: float, high: float, default: Any = ..., *, whole: bool = False) -> Argument:
    kinds: tuple[type, ...] = (int,) if whole else (int, float)
    what = "a whole number" if whole else "a number"
    span = f"from {low:g} up" if math.isinf(high) else f"from {low:g} to {high:g}"
    return Argument(f"{what} {span}", lambda value: type(value) in kinds and low <= value <= min(high, _MOST), default)


def _one_of(choices: tuple[Any, ...], default: Any = ...) -> Argument:
    listed = ", ".join(repr(choice) for choice in choices)
    return Argument(f"one of {listed}", lambda value: not isinstance(value, bool) and value in choices, default)


def _pattern(value: Any) -> bool:
    try:
        return isinstance(value, str) and re.compile(value) is not None
    except re.error:
        return False


_LINKS: Final = {"on": _one_of(ON, "data")}
_SHARE: Final = {"share": _number(0, 1, 1.0)}
_YES: Final = Argument("true or false", lambda value: isinstance(value, bool), default=False)
_WORDS: Final = Argument("text", lambda value: isinstance(value, str), "")
_ASKED: Final = {
    "times": Argument(
        "a whole number from 1 up", lambda value: value is None or (type(value) is int and value >= 1), None
    ),
    "match": Argument("a regular expression, such as '/orders' or 'POST '", _pattern, ""),
}  # fmt: skip

#: Every kind of fault by its name.
KINDS: Final[Mapping[str, KindOfFault]] = MappingProxyType({
    "drop": KindOfFault("ends connections by a TCP reset", lasts=False, arguments=_LINKS),
    "close": KindOfFault(
        "ends connections by a close frame", lasts=False,
        arguments=_LINKS | {"code": _number(1000, 4999, 1012, whole=True), "reason": _WORDS},
    ),
    "error": KindOfFault(
        "sends an error message on data links", lasts=False,
        arguments={"code": _number(400, 599, 500, whole=True), "message": _WORDS, "then_close": _YES},
    ),
    "malformed": KindOfFault(
        "sends frames that cannot be read to data links", lasts=False,
        arguments={"what": _one_of(MALFORMED, "garbage"), "times": _number(1, 1e6, 1, whole=True)},
    ),
    "mute": KindOfFault(
        "nothing goes out, pongs neither: links are half-open; what should have gone out is lost", lasts=True,
        arguments=_LINKS | {"fresh": _YES},
    ),
    "silent_accept": KindOfFault("accepts links and then says nothing", lasts=True, arguments=_LINKS),
    "drip": KindOfFault(
        "lets only so many bytes a second out", lasts=True,
        arguments=_LINKS | {"bytes_per_second": _number(1, 1e9)},
    ),
    "duplicate": KindOfFault("sends a share of the events twice", lasts=True, arguments=_SHARE),
    "late": KindOfFault(
        "holds a share of the events back by market seconds", lasts=True,
        arguments=_SHARE | {"seconds": _number(0, 86_400)},
    ),
    "reorder": KindOfFault(
        "delays each event by a random part of so many market seconds", lasts=True,
        arguments={"seconds": _number(0, 3600, 0.5)},
    ),
    "skew": KindOfFault(
        "sets the times of trades, quotes and notices wrong by seconds", lasts=True,
        arguments={"seconds": _number(-86_400 * 366 * 100, 86_400 * 366 * 100)},
    ),
    "auth": KindOfFault(
        "refuses those who sign in", lasts=True,
        arguments={"on": _one_of((*ON, "rest"), "data"), "code": _one_of((401, 402, 406, 409), 402)},
    ),
    "symbol_limit": KindOfFault(
        "allows only so many symbols of trades and quotes", lasts=True,
        arguments={"limit": _number(0, 1e6, 30, whole=True)},
    ),
    "rest_429": KindOfFault(
        "answers requests with 429", lasts=True, arguments=_ASKED | {"retry_after": _number(0, 3600, 1)},
    ),
    "rest_5xx": KindOfFault(
        "answers requests with a server's error, before or after the work was done", lasts=True,
        arguments=_ASKED | {
            "code": _one_of((500, 502, 503, 504), 503), "when": _one_of(("before", "after"), "before"), "html": _YES,
        },
    ),
    "partial_page": KindOfFault(
        "cuts answers short: the connection ends within one, or its JSON does", lasts=True,
        arguments=_ASKED | {"what": _one_of(("cut", "broken"), "cut")},
    ),
    "rest_hang": KindOfFault("answers requests only when the fault is over", lasts=True, arguments=_ASKED),
    "restart": KindOfFault(
        "resets every link, listens to nobody meanwhile, and forgets sessions and counts", lasts=True,
    ),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    at : float or str
        When it begins: seconds of real time after the server's start, or market time: a time of day in New York
        ("09:35:00") or a moment ("2024-01-02T14:35:00Z").
    seconds : float, optional
        How long it lasts, in real time; None: until the end, or until its `times` are used up.
    arguments : mapping
        By the names that `KINDS` has for the kind.
    """

    kind: str
    at: float | str = 0.0
    seconds: float | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def plain(self) -> dict[str, Any]:
        """As an entry of a scenario file."""
        lasting = {} if self.seconds is None else {"for": self.seconds}
        return {"kind": self.kind, "at": self.at} | lasting | dict(self.arguments)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Faults in the order they were written, and the seed of what is random in them.

    Examples
    --------
    >>> scenario = Scenario.of([{"at": 5, "kind": "mute", "for": 10}, {"at": "09:35", "kind": "drop"}])
    >>> [fault.kind for fault in scenario.faults], scenario.faults[0]["on"]
    (['mute', 'drop'], 'data')
    """

    faults: tuple[Fault, ...] = ()
    seed: int = 0

    @classmethod
    def of(cls, entries: Iterable[Mapping[str, Any]], seed: int = 0) -> Scenario:
        """The scenario that entries describe, as `fault_of` reads them."""
        return cls(tuple(fault_of(entry, f"entry {place}") for place, entry in enumerate(entries, 1)), seed)

    @classmethod
    def load(cls, path: str | Path) -> Scenario:
        """The scenario in a file.

        Parameters
        ----------
        path : str or Path
            JSON (a list of entries, or an object with ``faults`` and perhaps ``seed``), or TOML (tables ``[[faults]]``
            and perhaps ``seed``).

        Raises
        ------
        DataError
            If the file cannot be read or an entry is wrong; the message names the entry.
        """
        place = Path(path)
        try:
            text = place.read_text(encoding="utf-8")
            content = tomllib.loads(text) if place.suffix.lower() == ".toml" else json.loads(text)
        except (OSError, UnicodeDecodeError, ValueError) as err:
            raise DataError(f"The scenario {place} cannot be read: {err}. Give a JSON or TOML file of faults.") from err
        return cls.of(*_entries(content, place))


def _entries(content: Any, place: Path) -> tuple[list[Any], int]:
    seed = 0
    if isinstance(content, dict):
        unknown = sorted(set(content) - {"faults", "seed"})
        if unknown:
            raise DataError(f"The scenario {place} has {unknown[0]!r}; it may have faults and seed.")
        seed, content = content.get("seed", 0), content.get("faults", [])
    if not isinstance(content, list) or type(seed) is not int:
        raise DataError(f'The scenario {place} is no list of faults. Write [{{"at": 5, "kind": "drop"}}].')
    return content, seed


def fault_of(entry: Any, place: str = "entry") -> Fault:
    """The fault that an entry of a scenario file describes.

    Parameters
    ----------
    entry : mapping
        ``kind``, perhaps ``at`` and ``for``, and the kind's own arguments.
    place : str
        What to call the entry in an error.

    Raises
    ------
    DataError
        If the kind is unknown, an argument is unknown, missing or out of bounds, or a fault without duration is given
        one.

    Examples
    --------
    >>> fault_of({"kind": "drip", "bytes_per_second": 100, "for": 2}).arguments
    {'on': 'data', 'bytes_per_second': 100}
    """
    if not isinstance(entry, Mapping):
        raise DataError(f'The scenario\'s {place} is {entry!r}, not a fault such as {{"at": 5, "kind": "drop"}}.')
    name = entry.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        near = near_misses(str(name), KINDS)
        hint = f"Did you mean {near[0]!r}?" if near else f"Kinds are: {', '.join(KINDS)}."
        raise DataError(f"The scenario's {place} has the kind {name!r}, which there is not. {hint}")
    who = f"{place} ({name})"
    for given in entry:
        if given not in (*kind.arguments, "kind", "at", "for"):
            known = ", ".join((*kind.arguments, "at", *(["for"] if kind.lasts else [])))
            raise DataError(f"The scenario's {who} has {given!r}. It may have: {known}.")
    return Fault(str(name), _at(entry.get("at", 0), who), _for(entry, kind, who), _arguments(entry, kind, who))


def _arguments(entry: Mapping[str, Any], kind: KindOfFault, who: str) -> dict[str, Any]:
    found = {}
    for name, argument in kind.arguments.items():
        value = entry.get(name, argument.default)
        if value is ...:
            raise DataError(f"The scenario's {who} needs {name}: {argument.wanted}.")
        if not argument.fits(value):
            raise DataError(f"The scenario's {who} has {name} = {value!r}; it has to be {argument.wanted}.")
        found[name] = value
    return found


def _for(entry: Mapping[str, Any], kind: KindOfFault, who: str) -> float | None:
    seconds = entry.get("for")
    if seconds is None:
        return None
    if not kind.lasts:
        raise DataError(f"The scenario's {who} happens at once and has no duration; leave 'for' out.")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise DataError(f"The scenario's {who} lasts for {seconds!r}; give seconds above 0.")
    return float(seconds)


def _at(value: Any, who: str) -> float | str:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    if isinstance(value, str) and (re.fullmatch(r"\d\d:\d\d(:\d\d)?", value) or "-" in value):
        begins(value, 0)
        return value
    raise DataError(
        f"The scenario's {who} begins at {value!r}. Give seconds after the start, a time of day in New York such as "
        "'09:35:00', or a moment such as '2024-01-02T14:35:00Z'."
    )


def begins(at: str, start: int) -> int:
    """The market time, in nanoseconds since 1970, that an `at` in words means for a market that starts at `start`.

    Raises
    ------
    DataError
        If it cannot be read.

    Examples
    --------
    >>> start = pd.Timestamp("2024-01-02 09:30", tz="America/New_York").value
    >>> pd.Timestamp(begins("09:35", start), tz="America/New_York").isoformat()
    '2024-01-02T09:35:00-05:00'
    """
    try:
        dated = at if "-" in at else f"{pd.Timestamp(start, tz=_ZONE).date()} {at}"
        moment = pd.Timestamp(dated)
        return int((moment.tz_localize(_ZONE) if moment.tzinfo is None else moment).as_unit("ns").value)
    except (ValueError, TypeError) as err:
        raise DataError(f"{at!r} is no time. Write '09:35:00' (New York) or '2024-01-02T14:35:00Z'.") from err
