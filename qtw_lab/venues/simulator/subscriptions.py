"""What a client of the market-data stream has subscribed to, and which rows that means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.venues.feeds import CHANNELS
from qtw_lab.venues.ticks import LONGEST, Rows, Symbols

Counts = npt.NDArray[np.int64]

#: Channels that come with trades and cannot be asked for alone.
_WITH_TRADES: Final = ("corrections", "cancelErrors")
_SYMBOL: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9./\- ]{{0,{LONGEST - 1}}}|\*")
#: What "*" counts as against a limit of symbols: more than any.
_ALL: Final = 1 << 30
#: The channel of each kind of row by its place in `CHANNELS`; corrections and cancels come with trades.
_CHANNEL_OF: Final = np.full(256, len(CHANNELS), dtype=np.uint8)
for _letter, _channel in zip("tcxqbudsl", (0, 0, 0, 1, 2, 3, 4, 5, 6), strict=True):
    _CHANNEL_OF[ord(_letter)] = _channel


def asked_for(message: Mapping[str, Any]) -> dict[str, set[str]] | int:
    """Symbols by channel as a subscribe or unsubscribe message lists them, or the code of what is wrong with it.

    Examples
    --------
    >>> asked_for({"action": "subscribe", "trades": ["AAPL"]})
    {'trades': {'AAPL'}}
    >>> asked_for({"action": "subscribe", "trades": "AAPL"}), asked_for({"action": "subscribe", "orderbooks": ["AAPL"]})
    (400, 410)
    """
    found: dict[str, set[str]] = {}
    for channel, symbols in message.items():
        if channel == "action":
            continue
        if not isinstance(symbols, list):
            return 400
        if channel not in CHANNELS and channel not in _WITH_TRADES:
            return 410
        if not all(isinstance(symbol, str) and _SYMBOL.fullmatch(symbol) for symbol in symbols):
            return 400
        found[channel] = set(symbols)
    return found


@dataclass
class Subscription:
    """Symbols by channel; "*" is all.

    Examples
    --------
    >>> wanted = Subscription().added({"trades": {"MSFT", "AAPL"}, "bars": {"*"}})
    >>> wanted.listed()["trades"], wanted.listed()["cancelErrors"], wanted.counted
    (['AAPL', 'MSFT'], ['AAPL', 'MSFT'], 2)
    """

    symbols: dict[str, set[str]] = field(default_factory=lambda: {channel: set() for channel in CHANNELS})
    _table: npt.NDArray[np.bool_] | None = None
    _everything: bool = False

    def __bool__(self) -> bool:
        return any(self.symbols.values())

    def added(self, asked: Mapping[str, set[str]]) -> Subscription:
        """Both what there was and what is asked for."""
        return Subscription({name: symbols | asked.get(name, set()) for name, symbols in self.symbols.items()})

    def without(self, asked: Mapping[str, set[str]]) -> Subscription:
        """What is left without what is named."""
        return Subscription({name: symbols - asked.get(name, set()) for name, symbols in self.symbols.items()})

    @property
    def counted(self) -> int:
        """Symbols of trades and of quotes, which a plan may limit."""
        both = (self.symbols["trades"], self.symbols["quotes"])
        return sum(_ALL if "*" in symbols else len(symbols) for symbols in both)

    def listed(self) -> dict[str, list[str]]:
        """The whole of it as the venue acknowledges it, in order of the alphabet."""
        lists = {channel: sorted(symbols) for channel, symbols in self.symbols.items()}
        return lists | dict.fromkeys(_WITH_TRADES, lists["trades"])

    def chosen(self, rows: Rows, symbols: Symbols) -> tuple[Rows, Counts]:
        """The rows that are wanted, and how many they are by channel (those of no channel last).

        Parameters
        ----------
        rows : TICK or BAR rows
            In any order.
        symbols : Symbols
            Numbers of the symbols; there may be more than the last time.
        """
        if self._table is None or self._table.shape[1] < len(symbols):
            self._choose(symbols)
        channels = _CHANNEL_OF[rows["kind"]]
        if not self._everything and self._table is not None:
            mask = self._table[channels, rows["symbol"]]
            rows, channels = rows[mask], channels[mask]
        return rows, np.bincount(channels, minlength=len(CHANNELS) + 1)

    def _choose(self, symbols: Symbols) -> None:
        table: npt.NDArray[np.bool_] = np.zeros((len(CHANNELS) + 1, len(symbols)), dtype=np.bool_)
        for place, channel in enumerate(CHANNELS):
            wanted = self.symbols[channel]
            if "*" in wanted:
                table[place] = True
            else:
                table[place, [symbols.number(name) for name in wanted if name in symbols]] = True
        self._table, self._everything = table, bool(table[:-1].all())
