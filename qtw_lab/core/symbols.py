"""How a list of symbols is written; the only place that parses one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from qtw_lab.core.errors import DataError

_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=/_\-]{0,31}")


def parse_symbols(symbols: str | Iterable[str]) -> tuple[str, ...]:
    """Symbols in the order given, without repeats, upper case.

    Parameters
    ----------
    symbols : str or iterable of str
        "AAPL", "AAPL,IBM", or a list of such.

    Raises
    ------
    DataError
        If there is none, or one has characters no exchange uses (they also end up in file names).

    Examples
    --------
    >>> parse_symbols("aapl, IBM,AAPL")
    ('AAPL', 'IBM')
    """
    if not isinstance(symbols, Iterable):
        raise DataError(f"A symbol must be text such as 'AAPL', not {symbols!r}.")
    parts = [symbols] if isinstance(symbols, str) else list(symbols)
    names: dict[str, None] = {}
    for part in parts:
        if not isinstance(part, str):
            raise DataError(f"A symbol must be text such as 'AAPL', not {part!r}.")
        for name in part.split(","):
            if name.strip():
                names[checked_symbol(name.strip()).upper()] = None
    if not names:
        raise DataError("No symbol was given. Name at least one, such as 'AAPL' or 'AAPL,IBM'.")
    return tuple(names)


def checked_symbol(symbol: str) -> str:
    """The symbol itself, once known to be harmless in a file name and a query.

    Raises
    ------
    DataError
        If it is empty, longer than 32 characters or has characters other than letters, digits and ``.^=/_-``.
    """
    if not _SYMBOL.fullmatch(symbol) or ".." in symbol:
        raise DataError(
            f"{symbol[:40]!r} is not a symbol: use 1 to 32 letters, digits and the characters . ^ = / _ - only."
        )
    return symbol
