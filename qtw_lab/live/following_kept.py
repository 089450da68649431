"""What a follower of a journal keeps beside bars, and how much."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept.

    Parameters
    ----------
    bars : int
        Of each length, for each symbol of the focus.
    signals, events, refreshes, gaps : int
        The last of each.
    """

    bars: int = 240
    signals: int = 300
    events: int = 300
    refreshes: int = 60
    gaps: int = 60


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened beside bars and signals.

    Parameters
    ----------
    time : int
        When it was entered, nanoseconds since 1970, UTC.
    event : str
        What kind: start, stop, focus, universe, gap, link, warning, note.
    what : str
        In words.
    """

    time: int
    event: str
    what: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """A change of the focus.

    Parameters
    ----------
    time : int
        When, nanoseconds since 1970, UTC.
    size : int
        Symbols in the focus after it.
    entered, left : tuple of (str, str)
        The first dozen of those that came and went, and why.
    came, went : int
        How many came and went.
    """

    time: int
    size: int
    entered: tuple[tuple[str, str], ...]
    left: tuple[tuple[str, str], ...]
    came: int
    went: int


@dataclass(frozen=True, slots=True)
class GapSeen:
    """A gap of the stream, as the journal tells it last.

    Parameters
    ----------
    start, end : int, int or None
        Event times; `end` is None while the stream is down.
    state : str
        "open", "filled" or "hole".
    reason : str
        What broke.
    """

    start: int
    end: int | None
    state: str
    reason: str
