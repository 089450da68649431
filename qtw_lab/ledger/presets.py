"""Fee schedules of brokers and regulators, each with its source and the days it counts for.

The names of the rates are the fields of `Costs`, which offers each schedule as a class method. Nothing here reads a
clock: what is current is a date written below, and a date beyond what is known is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from qtw_lab.core import DataError

Rates = dict[str, float]


@dataclass(frozen=True, slots=True)
class RegulatoryRates:
    """What regulators charge on trades in United States shares from one day until the next entry's.

    Parameters
    ----------
    since : datetime.date
        First trade date.
    section_31_per_million : float
        Fee of the Securities and Exchange Commission in dollars per million dollars sold.
    taf_per_share, taf_most : float
        Trading Activity Fee of FINRA in dollars per share sold, and its limit a trade (0 where the fee is 0).
    source : str
        Where the figures that changed on that day were published.
    """

    since: date
    section_31_per_million: float
    taf_per_share: float
    taf_most: float
    source: str


#: Section 31 and TAF, oldest first. The statute puts a new Section 31 rate 60 days after the year's appropriation.
REGULATORY: Final = (
    RegulatoryRates(date(2024, 5, 22), 27.80, 0.000166, 8.30, "SEC Release 34-99973; FINRA By-Laws, Schedule A, s. 1"),
    RegulatoryRates(date(2025, 5, 14), 0.0, 0.000166, 8.30, "SEC Release 34-102779"),
    RegulatoryRates(date(2026, 1, 1), 0.0, 0.000195, 9.79, "SR-FINRA-2024-019, schedule of fees"),
    RegulatoryRates(date(2026, 4, 4), 20.60, 0.000195, 9.79, "SEC Release 34-104909 (91 FR 10643)"),
    RegulatoryRates(date(2026, 10, 1), 20.60, 0.0, 0.0, "SR-FINRA-2026-021 (SEC Release 34-106409): TAF paused"),
)

#: The day whose rates count when none is asked for, and the last day this table knows. The TAF pause ends with that
#: day (FINRA means to resume the rate before it), and no Section 31 rate for fiscal year 2027 was announced yet.
CURRENT: Final = date(2026, 11, 22)
KNOWN_TO: Final = date(2026, 12, 31)

#: Consolidated Audit Trail fee, dollars per share bought or sold: Alpaca's schedules of July to October 2026 and
#: Interactive Brokers' page of third party fees of the same time. Confirmed for those months only; earlier ones were
#: higher (up to 0.00005), and are not modelled.
AUDIT_TRAIL_PER_SHARE: Final = 0.000003

#: Interactive Brokers Pro, United States, tiered, up to 300,000 shares a month.
_INTERACTIVE_BROKERS: Final[Mapping[str, float]] = {
    "commission_per_share": 0.0035,
    "commission_min": 0.35,
    "commission_max_fraction": 0.01,
}
_CLEARING_PER_SHARE: Final = 0.00020

#: Alpaca crypto, tier 1 (up to 100,000 dollars in 30 days), counting from 2023-03-13.
_ALPACA_CRYPTO: Final[Mapping[str, float]] = {"maker_bps": 15.0, "commission_bps": 25.0}


def regulatory(as_of: str | date | None = None) -> RegulatoryRates:
    """The regulators' rates of one trade date.

    Parameters
    ----------
    as_of : str or datetime.date, optional
        Trade date, such as "2026-09-30"; `CURRENT` if not given.

    Raises
    ------
    DataError
        If the date is not one, or lies outside what the table knows.

    Examples
    --------
    >>> regulatory("2026-09-30").taf_per_share, regulatory("2026-10-01").taf_per_share
    (0.000195, 0.0)
    """
    day = CURRENT if as_of is None else _day(as_of)
    if not REGULATORY[0].since <= day <= KNOWN_TO:
        raise DataError(
            f"Fee schedules are known from {REGULATORY[0].since} to {KNOWN_TO}, and {day} lies outside. Use a date "
            "between (or none: the rates current in 2026-11), or state the rates yourself with "
            "Costs(sell_fee_bps=..., sell_fee_per_share=..., sell_fee_per_share_max=...)."
        )
    return [entry for entry in REGULATORY if entry.since <= day][-1]


def alpaca_equities(as_of: str | date | None = None) -> Rates:
    """Rates of Alpaca's United States shares and funds, see `Costs.alpaca_equities`."""
    rates = regulatory(as_of)
    return {
        "fees_per_share": AUDIT_TRAIL_PER_SHARE,
        "sell_fee_bps": rates.section_31_per_million / 100.0,  # a basis point is 100 dollars a million
        "sell_fee_per_share": rates.taf_per_share,
        "sell_fee_per_share_max": rates.taf_most,
    }


def interactive_brokers_tiered(as_of: str | date | None = None) -> Rates:
    """Rates of Interactive Brokers' tiered plan, see `Costs.interactive_brokers_tiered`."""
    passed_on = alpaca_equities(as_of)
    passed_on["fees_per_share"] += _CLEARING_PER_SHARE
    return dict(_INTERACTIVE_BROKERS) | passed_on


def alpaca_crypto() -> Rates:
    """Rates of Alpaca's crypto in its first tier, see `Costs.alpaca_crypto`."""
    return dict(_ALPACA_CRYPTO)


def name_of(fees: Mapping[str, float]) -> str:
    """The schedule whose rates these are, with the day they count from; empty if they are nobody's.

    Parameters
    ----------
    fees : mapping of str to float
        The brokers' and regulators' rates that differ from nothing, by field of `Costs`.

    Examples
    --------
    >>> name_of(alpaca_crypto())
    'Alpaca crypto, tier 1 (from 2023-03-13)'
    >>> name_of({"commission_bps": 10.0})
    ''
    """
    known = {f"Alpaca equities (fees of {entry.since})": alpaca_equities(entry.since) for entry in REGULATORY}
    known |= {
        f"Interactive Brokers tiered (fees of {entry.since})": interactive_brokers_tiered(entry.since)
        for entry in REGULATORY
    }
    known["Alpaca crypto, tier 1 (from 2023-03-13)"] = alpaca_crypto()
    charged = {name: rate for name, rate in fees.items() if rate}
    return next((name for name, rates in known.items() if _charged(rates) == charged), "")


def _charged(rates: Rates) -> Rates:
    return {name: rate for name, rate in rates.items() if rate}


def _day(given: str | date) -> date:
    """A date as given or read; a time of day is not wanted, for fees change at midnight in New York."""
    if isinstance(given, str):
        try:
            return date.fromisoformat(given)
        except ValueError as err:
            raise DataError(f"as_of={given!r} is not a date such as '2026-09-30'.") from err
    if not isinstance(given, date) or isinstance(given, datetime):
        raise DataError(f"as_of={given!r} must be a date, such as '2026-09-30' or datetime.date(2026, 9, 30).")
    return given
