"""Watchlists of the simulator's account: named lists of assets, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from qtw_lab.ledger.refusals import absent, malformed, unprocessable
from qtw_lab.venues.moments import identity
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.wire.values import moment_text

_LONGEST: Final = 64


@dataclass
class _List:
    id: str
    name: str
    created: int
    updated: int
    symbols: list[str] = field(default_factory=list)


class Watchlists:
    """The watchlists of an account; methods give what the wire says and raise `RefusedError`.

    Parameters
    ----------
    exchange : PaperBroker
        Whose assets and clock they use.
    """

    def __init__(self, exchange: PaperBroker) -> None:
        self._exchange = exchange
        self._lists: dict[str, _List] = {}
        self._made = 0

    def all(self) -> list[dict[str, Any]]:
        """Every list, without its assets."""
        return [self._said(one, assets=False) for one in self._lists.values()]

    def one(self, name: str, *, by_name: bool = False) -> dict[str, Any]:
        """A list with its assets, by its id or its name."""
        return self._said(self._find(name, by_name=by_name))

    def create(self, name: Any, symbols: Sequence[str]) -> dict[str, Any]:
        """A new list."""
        self._check_name(name)
        known = self._symbols(symbols)
        now = self._exchange.now()
        self._made += 1
        made = _List(identity("watchlist", self._exchange.account_id, self._made), name, now, now, known)
        self._lists[made.id] = made
        return self._said(made)

    def change(self, found: str, name: Any, symbols: Sequence[str] | None, *, by_name: bool = False) -> dict[str, Any]:
        """A list with another name, other assets, or both."""
        one = self._find(found, by_name=by_name)
        if name is not None and name != one.name:
            self._check_name(name)
        known = one.symbols if symbols is None else self._symbols(symbols)
        one.name, one.symbols, one.updated = one.name if name is None else name, known, self._exchange.now()
        return self._said(one)

    def add(self, found: str, symbol: Any, *, by_name: bool = False) -> dict[str, Any]:
        """A list with one asset more."""
        one = self._find(found, by_name=by_name)
        known = self._symbols([symbol])[0]
        if known in one.symbols:
            raise unprocessable(f"duplicate symbol: {known}")
        one.symbols, one.updated = [*one.symbols, known], self._exchange.now()
        return self._said(one)

    def remove(self, name: str, symbol: str) -> dict[str, Any]:
        """A list, by its id, with one asset less."""
        one = self._find(name, by_name=False)
        asset = self._exchange.asset(symbol)
        if asset is None or asset["symbol"] not in one.symbols:
            raise absent(f"{symbol} is not in the watchlist")
        one.symbols = [known for known in one.symbols if known != asset["symbol"]]
        one.updated = self._exchange.now()
        return self._said(one)

    def delete(self, found: str, *, by_name: bool = False) -> None:
        """A list is gone."""
        del self._lists[self._find(found, by_name=by_name).id]

    def _find(self, found: str, *, by_name: bool) -> _List:
        for one in self._lists.values():
            if (one.name if by_name else one.id) == found:
                return one
        raise absent("watchlist not found")

    def _check_name(self, name: Any) -> None:
        if not isinstance(name, str) or not 1 <= len(name) <= _LONGEST:
            raise malformed(f"a watchlist needs a name of 1 to {_LONGEST} characters")
        if any(one.name == name for one in self._lists.values()):
            raise unprocessable("watchlist name must be unique")

    def _symbols(self, given: Any) -> list[str]:
        if not isinstance(given, (list, tuple)) or not all(isinstance(one, str) for one in given):
            raise malformed("symbols is a list of symbols")
        assets = {name: self._exchange.asset(name) for name in given}
        for name, asset in assets.items():
            if asset is None:
                raise unprocessable(f'asset "{name}" not found')
        return list(dict.fromkeys(str(asset["symbol"]) for asset in assets.values() if asset))

    def _said(self, one: _List, *, assets: bool = True) -> dict[str, Any]:
        said: dict[str, Any] = {
            "id": one.id,
            "account_id": self._exchange.account_id,
            "created_at": moment_text(one.created),
            "updated_at": moment_text(one.updated),
            "name": one.name,
        }
        if assets:
            said["assets"] = [self._exchange.assets[symbol] for symbol in one.symbols]
        return said
