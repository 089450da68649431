"""Where two accounts of the same strategy part: trade by trade, each difference with its cause and its effect.

What an account gains is a sum over its trades: each adds ``quantity x (last price - price paid) - fee``. So the gains
of two accounts differ by a sum over pairs of trades, and each pair splits without a rest: what was paid for the shares
that both traded, what was traded more or less, and the fees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from qtw_lab.ledger.amounts import ZERO

#: Effects are told to this part of a dollar, so that sums of them are exact.
EXACT: Final = Decimal("0.000000000001")
#: Fewer shares than this come of rounding.
_FLAT: Final = Decimal("0.000001")
#: What is less than this, in dollars, comes of rounding.
_LEAST: Final = Decimal("0.000001")

#: Every cause, with what it means.
CAUSES: Final[dict[str, str]] = {
    "bar differed": "the strategy saw other bars than those that are known now",
    "late bar": "a trade came after its bar had closed, or was corrected, and the strategy had decided by then",
    "fill price": "the market paid another price than the open of the next bar",
    "partial": "the order was not, or not wholly, filled",
    "reject": "the broker or a limit refused the order",
    "fee": "fees differed",
    "restart": "the desk was not at work, or the account not reconciled, when the bar closed",
    "clock": "the hours of trading, or how old the data was, held the decision back",
    "manual": "somebody paused or closed the session, or halted trading",
    "size": "equity or price differed when the order was sized, which follows from the differences before",
    "carry": "interest, borrow fees and dividends differed",
    "rounding": "the backtest reckons in binary fractions",
}


class Key(NamedTuple):
    """A decision: of which symbol, on the bar that started when (nanoseconds since 1970, UTC)."""

    bar: int
    symbol: str


@dataclass(frozen=True, slots=True)
class Trade:
    """What became of a decision in one account.

    Parameters
    ----------
    qty : Decimal
        Signed shares that were traded.
    price : Decimal
        Mean price paid for a share; 0 where nothing was traded.
    fee : Decimal
        What it cost beside that.
    asked : Decimal
        Signed shares that were wanted.
    cause : str
        Why less was traded than wanted, or later, if that is known: a key of `CAUSES`.
    """

    qty: Decimal
    price: Decimal
    fee: Decimal
    asked: Decimal
    cause: str = ""

    def gain(self, last: Decimal) -> Decimal:
        """What it added to the account, valued at a last price."""
        return self.qty * (last - self.price) - self.fee


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: on which decision, for which cause, and what it did to the session's gain, in dollars."""

    key: Key
    cause: str
    effect: Decimal
    note: str = ""


_NOTHING: Final = Trade(ZERO, ZERO, ZERO, ZERO)


def differences(
    planned: Mapping[Key, Trade], done: Mapping[Key, Trade], last: Mapping[str, Decimal],
    why: Callable[[Key], tuple[str, str]],
) -> list[Difference]:  # fmt: skip
    """Every difference between the trades of a backtest and those of a session; their effects add up to the whole.

    Parameters
    ----------
    planned, done : mapping of Key to Trade
        Trades of the backtest, and of the session.
    last : mapping of str to Decimal
        Prices at the end, by symbol, for both.
    why : callable
        The cause, in a word of `CAUSES` and in a sentence, why the decisions themselves differed; an empty word where
        they did not.

    Examples
    --------
    >>> ten, paid, more = Decimal(10), Decimal(5), Decimal("5.1")
    >>> both = {Key(1, "X"): Trade(ten, paid, ZERO, ten)}, {Key(1, "X"): Trade(ten, more, Decimal(1), ten)}
    >>> found = differences(*both, {"X": Decimal(7)}, lambda key: ("", ""))
    >>> [(one.cause, float(one.effect)) for one in found]
    [('fill price', -1.0), ('fee', -1.0)]
    """
    found: list[Difference] = []
    follows: dict[str, str] = {}
    held: dict[str, list[Decimal]] = {}
    for key in sorted({*planned, *done}):
        plan, trade = planned.get(key, _NOTHING), done.get(key, _NOTHING)
        found += _split(key, plan, trade, last[key.symbol], *_cause(key, plan, trade, follows, why))
        both = held.setdefault(key.symbol, [ZERO, ZERO])
        both[0], both[1] = both[0] + plan.qty, both[1] + trade.qty
        if abs(both[0]) < _FLAT and abs(both[1]) < _FLAT:
            follows.pop(key.symbol, None)  # both are flat: what went before is over
    return found


def _cause(
    key: Key, plan: Trade, trade: Trade, follows: dict[str, str], why: Callable[[Key], tuple[str, str]]
) -> tuple[str, str]:  # fmt: skip
    """Why quantities differ: by the order's own fate, by the decision, or by what went before in that symbol."""
    if plan.qty == trade.qty:
        return trade.cause, ""
    if trade.cause:
        cause, note = trade.cause, ""
    else:
        cause, note = why(key)
    if cause:
        follows[key.symbol] = cause
        return cause, note
    return follows.get(key.symbol, "size"), note


def _split(key: Key, plan: Trade, trade: Trade, last: Decimal, cause: str, note: str) -> Iterator[Difference]:
    """The parts of one pair; those that are next to nothing are left out."""
    parts: list[tuple[str, Decimal]] = [(cause or "size", trade.gain(last) - plan.gain(last))]
    if plan.qty and trade.qty:
        late = trade.cause if trade.cause in ("restart", "manual") else ""
        due = plan.fee * max(trade.qty / plan.qty, ZERO)  # what the plan's fee would be for as many shares
        parts = [
            (late or "fill price", -trade.qty * (trade.price - plan.price)),
            (cause or "size", (trade.qty - plan.qty) * (last - plan.price) + plan.fee - due),
            ("fee", due - trade.fee),
        ]
    for name, effect in parts:
        if abs(effect) >= _LEAST:
            yield Difference(key, name, effect.quantize(EXACT), note)


def by_cause(found: Iterable[Difference]) -> dict[str, tuple[int, Decimal]]:
    """How many differences there are of each cause, and what they come to; in the order of `CAUSES`."""
    counts: dict[str, tuple[int, Decimal]] = {}
    for one in found:
        count, effect = counts.get(one.cause, (0, ZERO))
        counts[one.cause] = (count + 1, effect + one.effect)
    return {name: counts[name] for name in CAUSES if name in counts}
