"""Sale conditions: which parts of a bar a trade with them updates, by the rules of the vendor whose bars ours equal.

The table is that of Alpaca's market data FAQ, "How are bars aggregated?" (docs.alpaca.markets/docs/market-data-faq). It
follows the specifications of the tapes: the CTS Pillar Output Specification for tapes A and B, the UTP Binary Output
Specification for tape C and FINRA's TDDS for over-the-counter trades. Where the footnotes of those specifications are
finer, Alpaca drops them, and so do we.

What to know of it:

* A trade can have several conditions; the strictest rule wins. A trade without any is a regular one, and a condition
  that the table does not name takes nothing away.
* **Form T** (an extended-hours trade): in a minute bar it sets open, high, low and close like any other, by Alpaca's
  rule, and bars before 09:30 and after 16:00 New York time live by it; in a daily bar it adds volume only. The tapes'
  own rule is that a Form T trade never sets a consolidated price. `effects` takes the choice as `extended`: True is
  Alpaca's minute bar, and what equals the vendor's bars; False is the tapes' rule. Condition U, an extended-hours trade
  sold out of sequence, never sets a price.
* The vwap of Alpaca's bars weighs only trades that update both range and volume; its trade count counts those that
  update the volume.
* Alpaca makes no bar where open, high, low, close or volume would be 0.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from qtw_lab.venues.compiled import compiled
from qtw_lab.venues.ticks import condition_bit, condition_mask

#: Bits of `effects`: the trade may set open and close, may set high and low, counts in the volume.
LAST: Final = 1
RANGE: Final = 2
VOLUME: Final = 4
#: A further bit of `daily_effects`, only beside LAST: it may set open and close only where no trade has yet.
ONLY_FIRST: Final = 8

#: The conditions of each row of the vendor's table that say less than "updates everything":
#: letters, tapes, what is left in a minute bar, and in a daily bar.
_NOTHING: Final = 0
_LATE: Final = LAST | RANGE | VOLUME | ONLY_FIRST
_ROWS: Final[tuple[tuple[str, str, int, int], ...]] = (
    ("B", "AB", VOLUME, VOLUME),  # average price trade; on tape C a bunched trade, which is regular
    ("W", "CO", VOLUME, VOLUME),  # average price trade
    ("C", "ABCO", VOLUME, VOLUME),  # cash sale
    ("N", "ABCO", VOLUME, VOLUME),  # next day
    ("R", "ABCO", VOLUME, VOLUME),  # seller
    ("I", "ABCO", VOLUME, VOLUME),  # odd lot
    ("U", "ABCO", VOLUME, VOLUME),  # extended hours, sold out of sequence
    ("H", "ABC", VOLUME, VOLUME),  # price variation trade
    ("V", "ABC", VOLUME, VOLUME),  # contingent trade
    ("7", "ABC", VOLUME, VOLUME),  # qualified contingent trade
    ("G", "C", VOLUME, _LATE),  # bunched sold trade
    ("P", "ABCO", VOLUME, _LATE),  # prior reference price
    ("Z", "ABC", VOLUME, _LATE),  # sold out of sequence
    ("4", "ABC", VOLUME, _LATE),  # derivatively priced
    ("T", "ABCO", LAST | RANGE | VOLUME, VOLUME),  # extended hours (Form T)
    ("M", "ABC", _NOTHING, _NOTHING),  # market center official close
    ("Q", "ABC", _NOTHING, _NOTHING),  # market center official open
    ("9", "ABC", _NOTHING, LAST | RANGE),  # corrected consolidated close
)


def _mask(tape: str, part: int, *, daily: bool = False) -> int:
    """Conditions that keep a trade of that tape from updating that part."""
    rows = (row for row in _ROWS if tape in row[1])
    return condition_mask(row[0] for row in rows if not (row[3] if daily else row[2]) & part)


#: Conditions, as bits, that keep a trade out of a part of a minute bar: first those of tapes A and B, then those of all
#: others. What the table has for over-the-counter trades (tape O) is a part of what it has for tape C.
NO_LAST: Final = (_mask("A", LAST), _mask("C", LAST))
NO_RANGE: Final = (_mask("A", RANGE), _mask("C", RANGE))
NO_VOLUME: Final = (_mask("A", VOLUME), _mask("C", VOLUME))

_DAILY: Final = np.array(
    [[_mask(tape, part, daily=True) for part in (LAST, RANGE, VOLUME)] for tape in "AC"], dtype=np.uint64
)
_LATER: Final = np.array(
    [condition_mask(row[0] for row in _ROWS if tape in row[1] and row[3] & ONLY_FIRST) for tape in "AC"],
    dtype=np.uint64,
)
_MINUTE: Final = np.array([[NO_LAST[k], NO_RANGE[k], NO_VOLUME[k]] for k in range(2)], dtype=np.uint64)
_FORM_T: Final = np.uint64(1 << condition_bit("T"))
_NONE: Final = np.uint64(0)


class Rules(NamedTuple):
    """Masks of conditions that keep a trade from setting open and close, from high and low, out of the volume."""

    no_last: int
    no_range: int
    no_volume: int


def rules(tape: int) -> Rules:
    """What conditions forbid in a minute bar to a trade of a tape.

    Parameters
    ----------
    tape : int
        The tape's letter as a byte; 0 or an unknown one is taken as tape C.

    Examples
    --------
    >>> odd_lot = condition_mask(["I"])
    >>> [bool(mask & odd_lot) for mask in rules(ord("C"))]
    [True, True, False]
    """
    place = 0 if tape in (ord("A"), ord("B")) else 1
    return Rules(NO_LAST[place], NO_RANGE[place], NO_VOLUME[place])


@compiled
def effects(conditions: int, tape: int, extended: bool) -> int:
    """What a trade updates in a minute bar: bits 1 for open and close, 2 for high and low, 4 for volume and count.

    Compiled, to be called from compiled code.

    Parameters
    ----------
    conditions : int
        Its conditions as bits (`TICK.conditions`, 64 bits without sign). Those that the table does not know update all.
    tape : int
        The tape's letter as a byte; 0 or an unknown one is taken as tape C.
    extended : bool
        Whether a Form T trade sets prices. True is the vendor's rule for minute bars, and holds at any hour of the day.

    Examples
    --------
    >>> effects(np.uint64(condition_mask(["@", "T"])), ord("C"), True)
    7
    >>> effects(np.uint64(condition_mask(["@", "T", "I"])), ord("C"), True)
    4
    """
    place = 0 if tape == 65 or tape == 66 else 1  # noqa: PLR1714  (a set is slow in compiled code)
    held = np.uint64(conditions)
    bits = 0
    if held & _MINUTE[place, 0] == _NONE and (extended or held & _FORM_T == _NONE):
        bits |= 1
    if held & _MINUTE[place, 1] == _NONE and (extended or held & _FORM_T == _NONE):
        bits |= 2
    if held & _MINUTE[place, 2] == _NONE:
        bits |= 4
    return bits


@compiled
def daily_effects(conditions: int, tape: int) -> int:
    """What a trade updates in a daily bar: the bits of `effects`, and 8 where it sets a close only if none is set.

    Open is set by the first trade with bit 1. Close is set by every trade with bit 1 but not bit 8, and by one with bit
    8 only where no close is set yet.

    Parameters
    ----------
    conditions, tape : int
        As for `effects`.

    Examples
    --------
    >>> daily_effects(np.uint64(condition_mask(["@", "4"])), ord("C"))
    15
    >>> daily_effects(np.uint64(condition_mask(["@", "T"])), ord("C"))
    4
    """
    place = 0 if tape == 65 or tape == 66 else 1  # noqa: PLR1714  (a set is slow in compiled code)
    held = np.uint64(conditions)
    bits = 0
    for part in range(3):
        if held & _DAILY[place, part] == _NONE:
            bits |= 1 << part
    if bits & 1 and held & _LATER[place] != _NONE:
        bits |= 8
    return bits
