"""Assets in the words of Alpaca's trading API."""

from __future__ import annotations

import uuid
from typing import Any, Final

from qtw_lab.core import DataError

#: Names of listing exchanges, the letter under which they report, and their tape: A and B by the plan of the
#: Consolidated Tape Association, C by that for Unlisted Trading Privileges.
LISTINGS: Final = {
    "NYSE": (ord("N"), ord("A")),
    "ARCA": (ord("P"), ord("B")),
    "NASDAQ": (ord("Q"), ord("C")),
    "AMEX": (ord("A"), ord("B")),
    "BATS": (ord("Z"), ord("B")),
}

_FAMILY: Final = uuid.UUID("6d9f6f3a-0f0e-5b9c-9a53-7a1cbb1e2f10")


def asset(symbol: str, name: str, exchange: str, *, seed: int = 0, borrow: str = "easy_to_borrow") -> dict[str, Any]:
    """One active, tradable US stock as ``GET /v2/assets`` describes it.

    Parameters
    ----------
    symbol, name : str
        Ticker and title.
    exchange : str
        A key of `LISTINGS`.
    seed : int
        Of the market; with the symbol it makes the id.
    borrow : {"easy_to_borrow", "hard_to_borrow", "not_shortable"}
        Whether shares are to be had for a short sale; `easy_to_borrow`, the older word, says the same.

    Raises
    ------
    DataError
        If the exchange is unknown.

    Examples
    --------
    >>> described = asset("IBM", "International Business Machines", "NYSE")
    >>> described["id"], described["shortable"]
    ('5f9d237b-3103-55dc-9c1a-e9200fd59c18', True)
    """
    if exchange not in LISTINGS:
        raise DataError(f"{symbol} cannot be listed at {exchange!r}; choose one of {', '.join(LISTINGS)}.")
    return {
        "id": str(uuid.uuid5(_FAMILY, f"{seed}/{symbol}")),
        "class": "us_equity",
        "exchange": exchange,
        "symbol": symbol,
        "name": name,
        "status": "active",
        "tradable": True,
        "marginable": True,
        "maintenance_margin_requirement": 30,
        "margin_requirement_long": "30",
        "margin_requirement_short": "30",
        "shortable": borrow != "not_shortable",
        "easy_to_borrow": borrow == "easy_to_borrow",
        "borrow_status": borrow,
        "fractionable": True,
        "min_order_size": None,
        "min_trade_increment": None,
        "price_increment": None,
        "attributes": [],
    }
