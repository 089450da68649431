"""What a paper account is opened with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtw_lab.venues.paper.account_rules import AlpacaRules, Rules
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.store import MemoryStore, SqliteStore, Store

_PLAIN = FillModel()
_RULES = AlpacaRules()


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """What a paper account is opened with, and where its book is.

    Parameters
    ----------
    cash : float
        Dollars in a new account.
    book : path, optional
        The file of its book; one that is there goes on where it ended. Without it the account lasts as long as its
        process.
    model : FillModel
        How orders fill; by default a quote fills all that it reaches, free of charge.
    rules : Rules
        What the account may do; by default Alpaca's rules of a margin account. They are no part of the book, so a book
        can go on under others.

    Examples
    --------
    >>> AccountTerms(cash=25_000.0).model.sized
    False
    """

    cash: float = 100_000.0
    book: Path | None = None
    model: FillModel = _PLAIN
    rules: Rules = _RULES

    def opened(self) -> Store:
        """The book, opened for writing.

        Raises
        ------
        SetupError, DataError
            As `SqliteStore`.
        """
        if self.book is None:
            return MemoryStore()
        store = SqliteStore(self.book)
        try:
            store.renew()
        except BaseException:
            store.close()
            raise
        return store
