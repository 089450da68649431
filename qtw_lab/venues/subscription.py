"""What a stream and its reader say to each other beside the data: subscriptions, answers, errors."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import numpy as np

from qtw_lab.core import DataError
from qtw_lab.venues.compiled import compiled
from qtw_lab.venues.feeds import CHANNELS
from qtw_lab.venues.ticks import Rows
from qtw_lab.venues.wire.framing import TEXT
from qtw_lab.venues.wire.messages import pack
from qtw_lab.venues.wire.values import message_of

#: Messages of a stream about itself.
_CONTROL: Final = frozenset({"success", "error", "subscription"})

#: Codes of errors that are answers to a subscription: not understood, too many symbols.
_REFUSALS: Final = frozenset({400, 405})


@compiled
def _control_place(payload: Rows, begin: int) -> int:
    """Where in a payload the next message begins that is, by its first field T, about the stream itself; -1 for none.

    In all others that field has one letter. A symbol or a venue called T can make a message look like one: then it is
    read in vain.
    """
    at, size = begin, len(payload)
    while at + 5 <= size:
        length = payload[at] | payload[at + 1] << 8 | payload[at + 2] << 16 | payload[at + 3] << 24
        text = payload[at + 4] == 1
        end = min(at + 5 + int(length), size)
        place = at + 5
        while place + 2 < end:
            if text:
                found = payload[place] == 34 and payload[place + 1] == 84 and payload[place + 2] == 34
            else:
                found = payload[place] == 0xA1 and payload[place + 1] == 84
            place += 1
            if found:
                break
        else:
            place = end
        if text and place < end:  # past the quote that ends the name, a colon and spaces, to the first letter
            place += 2
            while place < end and payload[place] in (32, 58):
                place += 1
            if place + 2 < end and payload[place + 2] != 34:
                return at
        elif place < end and payload[place + 1] != 0xA1:
            return at
        at = end
    return -1


def control_messages(payload: bytes | memoryview) -> Iterator[dict[str, Any]]:
    """The messages of a payload that are about the stream itself: success, error, subscription.

    Examples
    --------
    >>> text = b'[{"T":"success","msg":"connected"}]'
    >>> list(control_messages(len(text).to_bytes(4, "little") + bytes([TEXT]) + text))
    [{'T': 'success', 'msg': 'connected'}]
    """
    content = np.frombuffer(payload, dtype=np.uint8)
    content.flags.writeable = False  # as that of bytes is: another kind of array would be compiled for once more
    place = _control_place(content, 0)
    while place >= 0:
        end = place + 5 + int.from_bytes(payload[place : place + 4], "little")
        message = bytes(payload[place + 5 : end])
        with suppress(ValueError, RecursionError):  # what cannot be read is counted where everything is read
            found = json.loads(message) if payload[place + 4] == TEXT else message_of(message)[0]
            for one in found if isinstance(found, list) else [found]:
                if isinstance(one, dict) and one.get("T") in _CONTROL:
                    yield one
        place = _control_place(content, end)


class Subscription:
    """What is wanted of a stream, and what it says it sends."""

    def __init__(self) -> None:
        self.wanted: dict[str, dict[str, None]] = {}  # in order of importance
        self.confirmed: dict[str, set[str]] = {}
        self.answers = 0  # that are still to come
        self.asked = 0  # so many were to come at first
        self.again = False  # whether what was not answered was asked once more
        self.since = 0.0
        self.changed = False

    @staticmethod
    def wish(wanted: Mapping[str, Collection[str]]) -> dict[str, dict[str, None]]:
        """What is asked for, checked: symbols by channel, each once, in the order given."""
        for channel, symbols in wanted.items():
            if channel not in CHANNELS:
                raise DataError(f"There is no channel {channel!r}; there are {', '.join(CHANNELS)}.")
            if isinstance(symbols, str):
                raise DataError(
                    f"The symbols of {channel} are the text {symbols!r}; give a list, such as [{symbols!r}]."
                )
        return {channel: dict.fromkeys(symbols) for channel, symbols in wanted.items()}

    def want(self, wish: dict[str, dict[str, None]]) -> None:
        """Make a wish the whole subscription."""
        self.wanted, self.changed = wish, True

    def renew(self) -> None:
        """Begin anew on a fresh link."""
        self.confirmed, self.answers, self.changed, self.again = {}, 0, bool(self.wanted), False

    def due(self, now: float, symbols: int) -> list[bytes]:
        """What to send now: nothing while answers are to come, for what is held is known only then."""
        if not self.changed or self.answers:
            return []
        questions = self.questions(symbols)
        self.changed, self.since, self.answers, self.asked = False, now, len(questions), len(questions)
        return questions

    def questions(self, symbols: int) -> list[bytes]:
        """What turns what is held into what is wanted: first what to leave, then what to take up, in parts."""
        nothing: Any = {}
        leave = {c: [s for s in held if s not in self.wanted.get(c, nothing)] for c, held in self.confirmed.items()}
        take = {c: [s for s in held if s not in self.confirmed.get(c, nothing)] for c, held in self.wanted.items()}
        messages = []
        for action, lists in (("unsubscribe", leave), ("subscribe", take)):
            for begin in range(0, max(map(len, lists.values()), default=0), symbols):
                some = {c: held[begin : begin + symbols] for c, held in lists.items() if held[begin : begin + symbols]}
                messages.append(pack({"action": action, **some}))
        return messages

    def confirm(self, message: Mapping[str, Any]) -> bool:
        """Take note of an answer, the whole list of what is sent now; whether there is something to say about it."""
        confirmed = {channel: set(message[channel]) for channel in CHANNELS if message.get(channel)}
        told = not self.answers and confirmed == self.confirmed
        self.again = False
        self.confirmed, self.answers = confirmed, max(0, self.answers - 1)
        if confirmed == {channel: set(held) for channel, held in self.wanted.items() if held}:
            self.answers = 0  # one answer may have been given to several questions
        return not told and not self.answers

    def refuse(self, code: int) -> bool:
        """Take note of an error; whether it was the last answer to come."""
        if code not in _REFUSALS or not self.answers:
            return False
        self.answers -= 1
        return not self.answers

    def late(self, now: float, patience: float) -> str:
        """What to say if answers did not come in time; else nothing."""
        if not self.answers or now - self.since < patience:
            return ""
        return f"a subscription was not answered within {patience:g} s"

    def ask_again(self) -> bool:
        """Wait for those answers no more, and ask once more if none came; False if that was done already.

        If some came, one may have been given to several questions, and nothing is asked.
        """
        unheard = self.answers == self.asked
        if unheard and self.again:
            return False
        self.answers, self.changed, self.again = 0, self.changed or unheard, unheard
        return True

    def news(self) -> dict[str, Any]:
        """Numbers of symbols by channel, and what is missing."""
        missing = {c: [s for s in held if s not in self.confirmed.get(c, ())] for c, held in self.wanted.items()}
        return {
            "channels": {c: len(held) for c, held in self.confirmed.items()},
            "missing": {c: held for c, held in missing.items() if held},
        }
