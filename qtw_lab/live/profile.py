"""The realtime profile: one JSON file with everything that decides what the engine watches and what it says."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails

from qtw_lab.core import DataError, Timeframe, lookup, near_misses, parse_symbols
from qtw_lab.live.momentum import MomentumThreshold
from qtw_lab.strategies import STRATEGIES, Strategy
from qtw_lab.strategies import strategy as bundled

Feed = Literal["sip", "iex", "delayed_sip", "test", "simulator", "replay"]

T = TypeVar("T")

#: How a bound of a field is said.
_BOUNDS: Final[dict[type, str]] = {Ge: "from {0.ge:.12g}", Gt: "above {0.gt:.12g}", Le: "up to {0.le:.12g}"}

#: Longest bars that are built of events, seconds.
_LONGEST: Final = 3600

_STRICT: Final = ConfigDict(
    extra="forbid",
    frozen=True,
    strict=True,
    allow_inf_nan=False,
    validate_default=True,  # a default may not fit what was given beside it
    hide_input_in_errors=True,
)


def _refuse(wrong: bool, reason: str, value: T) -> T:
    """The value, unless something is wrong with it."""
    if wrong:
        raise ValueError(reason)
    return value


def _unmade(levels: set[int]) -> tuple[bool, str]:
    """Whether bars of these lengths cannot be made of one another, and what to say then."""
    ordered = sorted(levels)
    wrong = any(longer % shorter for shorter, longer in pairwise(ordered))
    return wrong, f"bars of {ordered} seconds cannot be made of one another; there are always 60"


class Weights(BaseModel):
    """How much each measure counts in a symbol's score; see `qtw_lab.live.universe.ranked`."""

    model_config = _STRICT
    dollar_volume: float = Field(default=1.0, ge=0, le=1000)
    change_pct: float = Field(default=0.15, ge=0, le=1000)
    volume: float = Field(default=0.05, ge=0, le=1000)


class Universe(BaseModel):
    """Which symbols are considered at all."""

    model_config = _STRICT
    max_symbols: int = Field(default=1200, ge=100, le=20_000, description="symbols asked for snapshots")
    top_n: int = Field(default=1000, ge=1, le=20_000, description="symbols kept after ranking")
    min_price: float = Field(default=2.0, ge=0, le=1e6, description="dollars")
    min_dollar_volume: float = Field(default=5e6, ge=0, le=1e15, description="dollars a day")
    min_volume: float = Field(default=200_000, ge=0, le=1e15, description="shares a day")
    score_weights: Weights = Weights()
    symbols: tuple[str, ...] | None = Field(default=None, description="only these; null for all active assets")

    @field_validator("symbols", mode="before")
    @classmethod
    def _parsed(cls, value: Any) -> Any:
        """A list, or one text with commas; an empty one is null."""
        return None if value is None or value in ("", [], ()) else parse_symbols(value)

    @field_validator("top_n")
    @classmethod
    def _fits(cls, value: int, info: ValidationInfo) -> int:
        most = info.data.get("max_symbols", value)
        return _refuse(value > most, f"{value} is above max_symbols={most}", value)


class Focus(BaseModel):
    """Which symbols of the universe are listened to."""

    model_config = _STRICT
    size: int = Field(default=200, ge=1, le=10_000)
    max_churn_per_refresh: int = Field(default=20, ge=0, le=10_000, description="symbols that may enter at a refresh")
    min_residence_seconds: float = Field(default=300, ge=0, le=86_400)


class Engine(BaseModel):
    """How the engine runs: refreshes, the stream, and bars."""

    model_config = _STRICT
    universe_refresh_seconds: float = Field(default=900, ge=1, le=86_400)
    focus_refresh_seconds: float = Field(default=60, ge=1, le=86_400)
    bar_timeframe: str = Field(default="1Min", description="bars asked for by REST")
    bar_limit: int = Field(default=300, ge=10, le=5000, description="bars kept for each symbol and length")
    feed: Feed = "sip"
    log_every_seconds: float = Field(default=30, ge=1, le=86_400)
    stream_enabled: bool = True
    stream_trades: bool = True
    stream_quotes: bool = True
    stream_url: str | None = Field(default=None, description="ws:// or wss:// address; null for the feed's own")
    bar_interval_seconds: int = Field(default=1, ge=1, le=60)
    bar_aggregate_seconds: int = Field(default=5, ge=1, le=3600, description="length of the bars signals are made from")
    more_levels: tuple[int, ...] = Field(default=(), description="further lengths of bars, seconds, for paper sessions")
    stale_seconds: float = Field(default=2.5, ge=0.1, le=3600)
    reconnect_seconds: float = Field(default=5, ge=0.1, le=600)
    late_seconds: float = Field(default=0.25, ge=0, le=60, description="a bar waits that long for late trades")
    empty: Literal["carry", "hole"] = Field(default="carry", description="a bar without a trade repeats or has none")
    window: Literal["all", "memory"] = Field(
        default="all", description="bars a strategy is shown: all that are kept, or as few as it needs"
    )
    extended_hours: bool = False
    backfill: bool = True

    @field_validator("bar_timeframe")
    @classmethod
    def _timeframe(cls, value: str) -> str:
        Timeframe.parse(value)
        return value

    @field_validator("stream_url")
    @classmethod
    def _websocket(cls, value: str | None) -> str | None:
        wrong = value is not None and not value.startswith(("ws://", "wss://"))
        return _refuse(wrong, "it must begin with ws:// or wss://", value)

    @field_validator("bar_aggregate_seconds")
    @classmethod
    def _nested(cls, value: int, info: ValidationInfo) -> int:
        short = info.data.get("bar_interval_seconds", value)
        _refuse(value % short != 0, f"{value} is no multiple of bar_interval_seconds={short}", value)
        return _refuse(*_unmade({short, value, 60}), value)

    @field_validator("more_levels", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("more_levels")
    @classmethod
    def _made(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        wrong = [length for length in value if not 1 <= length <= _LONGEST]
        _refuse(bool(wrong), f"{wrong} must lie between 1 and {_LONGEST} seconds", value)
        given = {info.data.get("bar_interval_seconds", 1), info.data.get("bar_aggregate_seconds", 60), 60}
        return _refuse(*_unmade(given | set(value)), value)

    @property
    def levels(self) -> tuple[int, ...]:
        """Lengths of the bars that are built, in seconds, shortest first: interval, aggregate, a minute, and more."""
        return tuple(sorted({self.bar_interval_seconds, self.bar_aggregate_seconds, 60, *self.more_levels}))


class Signals(BaseModel):
    """Thresholds of the default rule, and the gates that hold any strategy's decision back."""

    model_config = _STRICT
    lookback_bars: int = Field(default=3, ge=1, le=5000)
    entry_threshold: float = Field(default=0.002, ge=1e-6, le=1, description="return as a fraction")
    exit_threshold: float = Field(default=0.001, ge=0, le=1, description="return as a fraction")
    min_volume: float = Field(default=10_000, ge=0, le=1e12, description="shares in the bar")
    max_spread_bps: float = Field(default=25, gt=0, le=10_000, description="of the midpoint")

    @field_validator("exit_threshold")
    @classmethod
    def _ordered(cls, value: float, info: ValidationInfo) -> float:
        high = info.data.get("entry_threshold", value)
        return _refuse(value > high, f"{value} is above entry_threshold={high}", value)


class Chosen(BaseModel):
    """A strategy by name."""

    model_config = _STRICT
    name: str = "momentum_threshold"
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Self:
        _built(self)
        return self


class Profile(BaseModel):
    """A realtime profile.

    Parameters
    ----------
    universe, focus, engine, signals
        The sections, each with the defaults that its fields state.
    strategy : Chosen or None
        The strategy that decides, by name and parameters; None for `MomentumThreshold` made from `signals`. A file may
        also give its name alone, ``"strategy": "sma_cross"``, and its parameters beside it, ``"parameters": {...}``.

    Raises
    ------
    DataError
        From `load` and `checked`, which are the ways to make one; it names every fault at once.

    Examples
    --------
    >>> profile = checked({"focus": {"size": 50}, "strategy": {"name": "sma_cross", "parameters": {"fast": 5}}})
    >>> profile.focus.size, profile.engine.levels, profile.built()
    (50, (1, 5, 60), SmaCross(fast=5, slow=50, short=False))
    >>> checked({"focus": {"sise": 50, "max_churn_per_refresh": -1}})
    Traceback (most recent call last):
    ...
    qtw_lab.core.errors.DataError: The realtime profile has 2 faults:
    - focus.max_churn_per_refresh is -1; it must be a whole number from 0 up to 10000.
    - focus.sise is not known. Did you mean 'size'?
    """

    model_config = _STRICT
    universe: Universe = Universe()
    focus: Focus = Focus()
    engine: Engine = Engine()
    signals: Signals = Signals()
    strategy: Chosen | None = None

    def built(self) -> Strategy:
        """The strategy that decides."""
        if self.strategy is not None:
            return _built(self.strategy)
        s = self.signals
        return MomentumThreshold(lookback=s.lookback_bars, entry=s.entry_threshold, exit=s.exit_threshold)

    def to_json(self) -> str:
        """The whole profile as JSON that `load` reads back."""
        return self.model_dump_json(indent=2) + "\n"


def load(path: str | Path) -> Profile:
    """The profile in a JSON file.

    Raises
    ------
    DataError
        If there is no such file, it is no JSON object, or anything in it does not fit; every fault is named at once.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise DataError(f"The realtime profile {path} cannot be read: {err}.") from err
    try:
        content = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as err:
        raise DataError(f"{path} is not JSON: {err.msg} in line {err.lineno}, column {err.colno}.") from err
    return checked(content, str(path))


def checked(content: Any, source: str = "The realtime profile") -> Profile:
    """The profile made from plain values, as JSON has them.

    Raises
    ------
    DataError
        Naming every fault: the key, the value given, and what would fit; an unknown key with the name most like it.
    """
    if not isinstance(content, dict):
        raise DataError(f"{source} must be an object with sections {', '.join(Profile.model_fields)}, not {content!r}.")
    if isinstance(content.get("strategy"), str):
        content = {**content, "strategy": {"name": content["strategy"]}}
        if "parameters" in content:
            content["strategy"]["parameters"] = content.pop("parameters")
    try:
        return Profile.model_validate(content)
    except ValidationError as err:
        faults = [_fault(detail) for detail in err.errors(include_url=False)]
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise DataError(f"{source} has {count}:\n" + "\n".join(f"- {fault}" for fault in faults))


#: Profiles to start from.
_TEMPLATES: Final[dict[str, dict[str, Any]]] = {
    "retail_minute": {
        "engine": {"bar_aggregate_seconds": 60, "stale_seconds": 30.0},
        "signals": {"lookback_bars": 5, "entry_threshold": 0.004, "exit_threshold": 0.001},
    },
    "retail_second": {"signals": {"min_volume": 500.0}},
}


def template(name: str) -> Profile:
    """A profile to start from: "retail_minute" decides on minute bars, "retail_second" on bars of five seconds.

    Raises
    ------
    DataError
        If there is no such template.

    Examples
    --------
    >>> template("retail_minute").engine.levels
    (1, 60)
    """
    return checked(lookup(name, _TEMPLATES, "profile template"))


def _built(chosen: Chosen) -> Strategy:
    """The strategy of that name: one of the house, or the default rule."""
    if chosen.name == "momentum_threshold":
        return MomentumThreshold(**chosen.parameters)
    lookup(chosen.name, {**STRATEGIES, "momentum_threshold": MomentumThreshold}, "strategy")
    return bundled(chosen.name, **chosen.parameters)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, once known to have each key once: the reader would otherwise keep the last without a word."""
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"The realtime profile gives {', '.join(twice)} more than once; keep one of each.")
    return dict(pairs)


def _no_constant(text: str) -> float:
    raise DataError(f"The realtime profile has {text}, which is no JSON number; give a finite one.")


def _fault(detail: ErrorDetails) -> str:
    """One fault in words: where, what was given, and what would fit."""
    place = tuple(str(part) for part in detail["loc"])
    shown = ".".join(place)
    if detail["type"] == "extra_forbidden":
        if shown == "parameters":
            return 'parameters belong to a strategy that is named beside them, as "strategy": "sma_cross".'
        close = near_misses(place[-1], _fields(place[:-1]))
        hint = f"Did you mean {close[0]!r}?" if close else f"Known here: {', '.join(_fields(place[:-1]))}."
        return f"{shown} is not known. {hint}"
    if detail["type"] == "value_error":
        reason = str(detail.get("ctx", {}).get("error", detail["msg"]))
        return f"{shown}: {reason}" + ("" if reason.endswith((".", "?")) else ".")
    return f"{shown} is {detail['input']!r:.80}; it must be {_wanted(place, detail)}."


def _fields(place: tuple[str, ...]) -> dict[str, Any]:
    """The fields of the section at a place."""
    model: Any = Profile
    for part in place:
        inner = model.model_fields[part].annotation
        model = Chosen if part == "strategy" else inner
    return dict(model.model_fields)


def _wanted(place: tuple[str, ...], detail: ErrorDetails) -> str:
    """What would fit at a place, in words."""
    parents = _fields(place[:-1])
    field = parents.get(place[-1])
    if field is None or detail["type"] in ("model_type", "model_attributes_type"):
        return "an object with keys and values"
    if detail["type"] == "literal_error":
        return f"one of {detail['ctx']['expected']}"
    kind = {int: "a whole number", float: "a finite number", bool: "true or false"}.get(field.annotation, "text")
    bounds = " ".join(_BOUNDS[type(bound)].format(bound) for bound in field.metadata if type(bound) in _BOUNDS)
    return f"{kind} {bounds}".strip()
