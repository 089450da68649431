"""Codes of the tapes in words, as the market-data side's ``/meta`` answers list them.

Exchange letters and their names are those of alpaca-py's `Exchange`; sale conditions are those of the CTS and UTP
specifications whose effects `qtw_lab.venues.conditions` knows, quote conditions the regular ones of CQS and UQDF.
"""

from __future__ import annotations

from typing import Final

EXCHANGES: Final = {
    "A": "NYSE American (AMEX)", "B": "NASDAQ OMX BX", "C": "National Stock Exchange", "D": "FINRA ADF",
    "E": "Market Independent", "H": "MIAX", "I": "International Securities Exchange", "J": "Cboe EDGA",
    "K": "Cboe EDGX", "L": "Long Term Stock Exchange", "M": "Chicago Stock Exchange", "N": "New York Stock Exchange",
    "P": "NYSE Arca", "Q": "NASDAQ OMX", "S": "NASDAQ Small Cap", "T": "NASDAQ Int", "U": "Members Exchange",
    "V": "IEX", "W": "CBOE", "X": "NASDAQ OMX PSX", "Y": "Cboe BYX", "Z": "Cboe BZX",
}  # fmt: skip

_TRADE_COMMON: Final = {
    "C": "Cash Sale", "F": "Intermarket Sweep", "H": "Price Variation Trade", "I": "Odd Lot Trade",
    "M": "Market Center Official Close", "N": "Next Day", "O": "Opening Trade", "P": "Prior Reference Price",
    "Q": "Market Center Official Open", "R": "Seller", "T": "Form T",
    "U": "Extended Trading Hours (Sold Out of Sequence)", "V": "Contingent Trade", "X": "Cross Trade",
    "Z": "Sold (Out of Sequence)", "4": "Derivatively Priced",
    "5": "Market Center Reopening Trade", "6": "Market Center Closing Trade", "7": "Qualified Contingent Trade",
    "9": "Corrected Consolidated Close",
}  # fmt: skip

#: Sale conditions by the kind of tape.
TRADE_CONDITIONS: Final = {
    "AB": {" ": "Regular Sale", "B": "Average Price Trade", "E": "Automatic Execution", "K": "Rule 127 (NYSE only)",
           "L": "Sold Last", **_TRADE_COMMON},
    "C": {"@": "Regular Sale", "A": "Acquisition", "B": "Bunched Trade", "D": "Distribution", "G": "Bunched Sold Trade",
          "K": "Rule 155 Trade (AMEX)", "L": "Sold Last", "S": "Split Trade", "W": "Average Price Trade",
          "Y": "Yellow Flag Regular Trade", "1": "Stopped Stock (Regular Trade)", **_TRADE_COMMON},
}  # fmt: skip

#: Quote conditions by the kind of tape.
QUOTE_CONDITIONS: Final = {
    "AB": {"A": "Slow Quote on Offer Side", "B": "Slow Quote on Bid Side", "C": "Closing Quote",
           "H": "Slow Quote on Bid and Offer Sides", "O": "Opening Quote", "R": "Regular Market Maker Open"},
    "C": {"A": "Manual Ask Automated Bid", "B": "Manual Bid Automated Ask", "F": "Fast Trading",
          "H": "Manual Bid and Ask", "L": "Closed Quote", "N": "Non-Firm Quote", "O": "Opening Quote Automated",
          "R": "Regular Two-Sided Open"},
}  # fmt: skip


def conditions(kind: str, tape: str) -> dict[str, str] | None:
    """Conditions of trades or quotes on a tape; None where there is no such kind or tape.

    Parameters
    ----------
    kind : {"trade", "quote"}
        Of what.
    tape : {"A", "B", "C"}
        Where.

    Examples
    --------
    >>> conditions("trade", "C")["@"], conditions("trade", "X")
    ('Regular Sale', None)
    """
    table = {"trade": TRADE_CONDITIONS, "quote": QUOTE_CONDITIONS}.get(kind)
    if table is None or len(tape) != 1:
        return None
    return next((dict(words) for letters, words in table.items() if tape in letters), None)
