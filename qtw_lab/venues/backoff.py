"""What to do after a link failed: never again, after a cool-down, or after a growing and random pause."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from qtw_lab.core import DataError

#: What a failure means: no attempt can succeed, somebody else has the place, or trying again may work.
Verdict = Literal["fatal", "refused", "waiting"]

#: Codes of the market-data stream after which the same attempt fails for ever: authentication failed, insufficient
#: subscription, invalid subscribe action for this feed, insufficient scope. Source: Alpaca's documentation of the
#: stream's errors (402, 409, 410), and the list of irrecoverable errors in its Go client (411).
FATAL_CODES: Final = frozenset({402, 409, 410, 411})

#: Connection limit exceeded: another connection of these keys has the place.
REFUSED_CODE: Final = 406

#: Codes of errors that an established link survives: a question was not understood, signed in already, too many
#: symbols, reader too slow, internal error.
SURVIVED: Final = frozenset({400, 403, 405, 407, 500})

#: HTTP answers to the handshake that say the keys are wrong or may not do this.
FATAL_STATUSES: Final = frozenset({401, 403})

#: Longest wait, in seconds, that the other side can ask for: a stream that waits longer would seem dead.
PATIENCE: Final = 300.0

#: What each code means, for sentences. Source: Alpaca's documentation of the market-data stream.
MEANINGS: Final = {
    400: "the stream did not understand what was sent",
    401: "the stream does not know who is asking",
    402: "the keys are wrong; check ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY",
    403: "the stream had already accepted the keys",
    404: "the keys were not sent in time",
    405: "the plan does not allow so many symbols",
    406: "another connection of these keys has the only place; end it",
    407: "the stream found this reader too slow",
    408: "this stream is not enabled for the account",
    409: "the plan does not have this feed; set ALPACA_DATA_FEED to one that it has",
    410: "this feed does not have one of the channels that were asked for",
    411: "the keys may not do this",
    500: "the stream has an internal error",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a link failed.

    Parameters
    ----------
    reason : str
        One sentence without keys.
    code : int
        The stream's own error code; 0 if it gave none.
    status : int
        The HTTP status of a handshake that was turned down; 0 if it was not.
    wait : float
        Seconds that the other side asked to wait; over `PATIENCE` it does not count.

    Examples
    --------
    >>> Trouble("auth failed", code=402).verdict, Trouble("reset by peer").verdict
    ('fatal', 'waiting')
    """

    reason: str
    code: int = 0
    status: int = 0
    wait: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """What it means for the next attempt."""
        if self.code in FATAL_CODES or self.status in FATAL_STATUSES:
            return "fatal"
        return "refused" if REFUSED_CODE in {self.code, self.status} else "waiting"

    @property
    def ends(self) -> bool:
        """Whether it ends a link that was established."""
        return self.code == 0 or self.code not in SURVIVED


def trouble_of_code(code: int, said: str) -> Trouble:
    """The trouble that an error message of the stream tells of.

    Examples
    --------
    >>> trouble_of_code(406, "connection limit exceeded").reason
    'error 406 (connection limit exceeded): another connection of these keys has the only place; end it'
    """
    meaning = MEANINGS.get(code)
    return Trouble(f"error {code} ({said})" + (f": {meaning}" if meaning else ""), code=code)


@dataclass
class Backoff:
    """Pauses before the attempts of one link.

    The n-th attempt in a row that fails is followed by a pause drawn evenly from 0 to ``first * 2 ** (n - 1)`` seconds,
    at most `most` ("full jitter"; M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), so that
    many clients do not come back all at once. The n-th refusal in a row is followed by ``cool_down * n`` seconds, at
    most `most_refused`: the place becomes free when the other side notices that its holder is gone, and haste does not
    help. A link that was good for `settled` seconds makes all forgotten.

    Parameters
    ----------
    seed : int or None
        For the draws; None takes it from the machine.
    first, most, cool_down, most_refused, settled : float
        Seconds.

    Raises
    ------
    DataError
        If a figure is no positive number, or `first` is over `most`.

    Examples
    --------
    >>> backoff = Backoff(seed=1)
    >>> [backoff.pause(Trouble("full", code=406)) for _ in range(3)]
    [5.0, 10.0, 15.0]
    >>> all(backoff.pause(Trouble("reset")) <= cap for cap in (0.5, 1.0, 2.0, 4.0))
    True
    """

    seed: int | None = None
    first: float = 0.5
    most: float = 30.0
    cool_down: float = 5.0
    most_refused: float = 60.0
    settled: float = 60.0
    failures: int = field(default=0, init=False)
    refusals: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for name in ("first", "most", "cool_down", "most_refused", "settled"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise DataError(f"A backoff with {name}={value!r} makes no sense; give a positive number of seconds.")
        if self.first > self.most:
            raise DataError(f"The first pause, {self.first} s, is over the longest, {self.most} s; give a shorter one.")
        self._draws = np.random.default_rng(self.seed)

    def pause(self, trouble: Trouble) -> float:
        """Seconds to wait before the next attempt; inf if there must be none."""
        verdict, asked = trouble.verdict, min(trouble.wait, PATIENCE)
        if verdict == "fatal":
            return float("inf")
        if verdict == "refused":
            self.refusals += 1
            return max(asked, min(self.most_refused, self.cool_down * self.refusals))
        longest = min(self.most, self.first * 2.0 ** min(self.failures, 62))
        self.failures += 1
        return asked + float(self._draws.uniform(0.0, longest))

    def good(self, seconds: float) -> None:
        """Take note that a link was up for that long."""
        if seconds >= self.settled:
            self.failures = self.refusals = 0
