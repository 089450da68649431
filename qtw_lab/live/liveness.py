"""Whether anything is listened to, up to when it is known that nothing is missing, and when silence is an alarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from qtw_lab.live.common import SECOND
from qtw_lab.live.sessions import Sessions
from qtw_lab.live.watchdog import Watchdog

#: Seconds within which something comes on a channel in a busy market.
EXPECTED: Final = {"trades": 1.0, "quotes": 1.0}

#: Until a channel has been heard so many times its cadence is not known, and its silence means nothing for so long: few
#: quiet symbols must not look like a broken link, or one link after the other is made in vain.
_KNOWN: Final = 20
_UNKNOWN: Final = 10 * SECOND

#: The longest pause of a channel that can be learned, in those: a minute, for a focus of few quiet symbols.
_PATIENCE: Final = 60.0


class Listening:
    """What is known of the stream.

    All times are the venue's, nanoseconds since 1970, UTC.

    Parameters
    ----------
    sessions : Sessions
        When to expect something.
    extended : bool
        Whether also before and after the regular session.

    Examples
    --------
    >>> listening = Listening(Sessions("24/7"), extended=False)
    >>> listening.confirmed({"trades": 5, "quotes": 5}, 10**18)
    True
    >>> [second for second in range(1, 12) if listening.silence(10**18 + second * 10**9)]
    [10, 11]
    """

    def __init__(self, sessions: Sessions, *, extended: bool) -> None:
        self.dog = Watchdog(sessions, EXPECTED, extended=extended, patience=_PATIENCE)
        self._sessions, self._extended = sessions, extended
        self._channels: tuple[str, ...] = ()
        self._since: int | None = None
        self._spoke: set[str] = set()
        self._times = dict.fromkeys(EXPECTED, 0)
        self._halted = False

    @property
    def on(self) -> bool:
        """Whether the venue has confirmed that it sends something."""
        return bool(self._channels)

    def confirmed(self, channels: Mapping[str, Any], now: int) -> bool:
        """The venue says what it sends; whether it did not send anything before."""
        names = tuple(name for name in EXPECTED if channels.get(name))
        if not names:
            self.down()
            return False
        began = not self.on
        if began:
            self._since, self._spoke = now, set()
        if names != self._channels:
            self._channels = names
            self.dog.watch(names, now)
        return began

    def down(self) -> None:
        """Nothing comes any more."""
        self._channels = ()
        self.dog.down()

    def heard(self, now: int, **counts: int) -> None:
        """So many things came, by channel."""
        for channel, count in counts.items():
            if count:
                self._spoke.add(channel)
                self._times[channel] += 1
                self.dog.heard(channel, now, count)

    def halt(self, now: int, *, halted: bool) -> bool:
        """Nothing is to be expected because of a halt, or something is again; whether that is news."""
        if halted == self._halted:
            return False
        self._halted = halted
        self.dog.halt(now, halted=halted)
        return True

    def proof(self, latest: int | None) -> int | None:
        """Up to when nothing is missing: the newest event, or the beginning of listening; None if neither is known."""
        return max((one for one in (latest, self._since) if one is not None), default=None)

    def expecting(self, now: int) -> bool:
        """Whether an event is sure to come soon."""
        return self.on and not self._halted and self._sessions.trading(now, extended=self._extended)

    def silence(self, now: int) -> str | None:
        """Why the link should be made anew; None if it should not.

        A channel that is silent while another is not is a reason only if it was heard on this link: a new link would
        not make quiet symbols trade.
        """
        verdict = self.dog.check(now)
        sure = {
            name for name, at in verdict.silent.items() if self._times[name] >= _KNOWN or now - at >= _UNKNOWN
        }  # fmt: skip
        dead = verdict.dead and sure == verdict.silent.keys()
        ceased = "trades" in sure and "trades" in self._spoke
        return verdict.reason if self.on and (dead or ceased) else None


def complete(
    channels: Mapping[str, int], missing: Mapping[str, Sequence[str]], wanted: Mapping[str, Sequence[str]]
) -> bool:
    """Whether the venue confirms what is wanted now, and not what was wanted a moment before."""
    return all(
        channels.get(name, 0) + len(missing.get(name, ())) == len(wanted[name]) for name in EXPECTED if name in wanted
    )
