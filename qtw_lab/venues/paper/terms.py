"""What a paper account is opened with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.store import MemoryStore, SqliteStore, Store

_PLAIN = FillModel()


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

    Examples
    --------
    >>> AccountTerms(cash=25_000.0).model.sized
    False
    """

    cash: float = 100_000.0
    book: Path | None = None
    model: FillModel = _PLAIN

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
