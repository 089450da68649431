"""`Setup`: everything that makes a backtest, as one frozen value that is written to and read from plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import pandas as pd

from qtw_lab.core import DataError, Timeframe, lookup, parse_symbols
from qtw_lab.lab.remaking import plain
from qtw_lab.lab.workbench_fields import SCHEDULES
from qtw_lab.ledger import Account, Costs, Sizing, Stops
from qtw_lab.strategies import STRATEGIES, SmaCross, Strategy, strategy

if TYPE_CHECKING:
    from qtw_lab.backtest.terms import Terms

T = TypeVar("T")
#: Strategies by name, beside the bundled ones.
Own = Mapping[str, type[Strategy]]

ADJUSTMENTS: Final = ("all", "split", "raw")

_PARTS: Final = (
    "data", "strategy", "parameters", "costs", "sizing", "execution", "cash", "stops", "account",
)  # fmt: skip
_DATA: Final = ("source", "symbols", "start", "end", "timeframe", "adjustment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Which prices.

    Parameters
    ----------
    symbols : tuple of str
        In upper case.
    source : str, optional
        A bundled data set or a source of the store; None for the store, or else what is bundled.
    start, end : str, optional
        First and last date, both included, as 2024-01-31; None for the whole history.
    timeframe : str
        Length of a bar.
    adjustment : {"all", "split", "raw"}
        For which corporate actions prices are adjusted.

    Raises
    ------
    DataError
        If one of them does not fit. Whether there are such prices is seen when they are fetched.
    """

    symbols: tuple[str, ...]
    source: str | None = None
    start: str | None = None
    end: str | None = None
    timeframe: str = "1D"
    adjustment: str = "all"

    def __post_init__(self) -> None:
        Timeframe.parse(self.timeframe)
        lookup(self.adjustment, dict.fromkeys(ADJUSTMENTS), "adjustment")
        if not (self.source is None or isinstance(self.source, str)):
            raise DataError(f"A source of prices is named by a text such as 'stocks', not {self.source!r}.")
        first, last = (_moment(name, getattr(self, name)) for name in ("start", "end"))
        if first is not None and last is not None and first > last:
            raise DataError(f"The first date {self.start} lies after the last one {self.end}. Exchange them.")

    @classmethod
    def read(cls, said: Any) -> Prices:
        """From what `Setup.written` has under "data"; an empty text counts as None.

        Raises
        ------
        DataError
            If something is missing, unknown or does not fit.
        """
        given = _mapping(said, _DATA, "data")
        if "symbols" not in given:
            raise DataError("The setup names no symbols. Give data.symbols, such as ['AAPL', 'IBM'].")
        rest = {name: value for name, value in given.items() if name != "symbols" and value not in (None, "")}
        return cls(symbols=parse_symbols(given["symbols"]), **rest)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything that makes a backtest: which prices, what decides, and on which terms.

    Parameters
    ----------
    prices : Prices
        What it trades on.
    strategy : Strategy
        What decides, with its parameters.
    costs : Costs
        What trading and holding cost.
    sizing : Sizing
        How large positions are.
    execution : str
        When and at which price orders fill.
    cash : float
        Starting cash.
    stops : Stops
        Protective exits.
    account : Account
        What the account may do.

    Raises
    ------
    DataError
        If a term does not fit.

    Examples
    --------
    >>> setup = Setup.usual()
    >>> Setup.read(setup.written()) == setup
    True
    """

    prices: Prices
    strategy: Strategy
    costs: Costs = field(default_factory=Costs)
    sizing: Sizing = field(default_factory=Sizing.all_in)
    execution: str = "next_open"
    cash: float = 100_000.0
    stops: Stops = field(default_factory=Stops)
    account: Account = field(default_factory=Account)

    def __post_init__(self) -> None:
        _ = self.terms  # which checks them

    @classmethod
    def usual(cls) -> Setup:
        """Something to begin with: moving averages on three bundled stocks, at costs of a small account."""
        prices = Prices(symbols=("AAPL", "IBM", "MSFT"), source="stocks", start="2004-01-01", end="2012-12-31")
        return cls(prices=prices, strategy=SmaCross(), costs=Costs(commission_bps=5.0, spread_bps=4.0))

    @property
    def terms(self) -> Terms:
        """The terms of the simulation."""
        from qtw_lab.backtest.terms import Terms

        return Terms.given(
            self.costs, self.sizing, self.execution, self.cash, self.stops, account=self.account
        )  # fmt: skip

    def with_parameters(self, **values: Any) -> Setup:
        """The same with some parameters of the strategy replaced.

        Raises
        ------
        DataError
            If a parameter is not known or its value does not fit.
        """
        return replace(self, strategy=self.strategy.replaced(**values))

    def written(self) -> dict[str, Any]:
        """The setup in JSON's own types; `read` reads it.

        Fees of a published schedule are written by its name, so they are those of this version when read.
        """
        p = self.prices
        return {
            "data": {
                "source": p.source, "symbols": list(p.symbols), "start": p.start, "end": p.end,
                "timeframe": p.timeframe, "adjustment": p.adjustment,
            },
            "strategy": self.strategy.name,
            "parameters": plain(self.strategy.parameters),
            "costs": _costs_written(self.costs),
            "sizing": {"rule": self.sizing.rule, "amount": self.sizing.amount, **_changed(self.sizing, Sizing())},
            "execution": self.execution,
            "cash": self.cash,
            "stops": _changed(self.stops, Stops()),
            "account": _changed(self.account, Account()),
        }  # fmt: skip

    @classmethod
    def read(cls, said: Any, own: Own | None = None) -> Setup:
        """From what was `written`, by this or by a person.

        Parameters
        ----------
        said : mapping
            Its parts; all but "data" and "strategy" may be left out. Stops of 0 are none.
        own : mapping of str to class, optional
            Strategies beside the bundled ones, by name.

        Raises
        ------
        DataError
            With one sentence on what is missing, unknown or does not fit.
        """
        given = _mapping(said, _PARTS, "setup")
        for name in ("data", "strategy"):
            if name not in given:
                raise DataError(f"The setup lacks {name!r}; a setup has {', '.join(_PARTS)}.")
        stops = {
            name: value for name, value in _mapping(given.get("stops", {}), _names(Stops), "stops").items() if value
        }
        return cls(
            prices=Prices.read(given["data"]),
            strategy=strategy_of(given["strategy"], given.get("parameters", {}), own),
            costs=_costs_read(given.get("costs", {})),
            sizing=_part(Sizing, given.get("sizing", {}), "sizing"),
            execution=given.get("execution", "next_open"),
            cash=given.get("cash", 100_000.0),
            stops=Stops(**{name: value for name, value in stops.items() if value != 0}),
            account=_part(Account, given.get("account", {}), "account"),
        )


def strategy_of(name: Any, parameters: Any, own: Own | None = None) -> Strategy:
    """The strategy of that name, bundled or one's own, with these parameters.

    Raises
    ------
    DataError
        In the strategy's own words if a value does not fit, or if a name is not known.
    """
    kinds = {**STRATEGIES, **(own or {})}
    kind = lookup(name, kinds, "strategy")
    given = _mapping(parameters, tuple(kind.declared()), f"parameters of {name}")
    return strategy(name, **given) if kind is STRATEGIES.get(name) else kind(**given)


def schedule_of(costs: Costs) -> str:
    """Whose published fees are in these costs; "own" if they are nobody's.

    Examples
    --------
    >>> schedule_of(replace(Costs.alpaca_equities(), spread_bps=2)), schedule_of(Costs(commission_bps=5))
    ('alpaca_equities', 'own')
    """
    from qtw_lab.lab.workbench_fields import MARKET

    bare = replace(costs, cash_rate=0.0, **dict.fromkeys(MARKET, 0.0))
    return next((name for name, made in SCHEDULES.items() if name != "own" and made() == bare), "own")


def _costs_written(costs: Costs) -> dict[str, Any]:
    schedule = schedule_of(costs)
    return {"schedule": schedule, **_changed(costs, SCHEDULES[schedule]())}


def _costs_read(said: Any) -> Costs:
    given = dict(_mapping(said, ("schedule", *_names(Costs)), "costs"))
    schedule = lookup(given.pop("schedule", "own"), SCHEDULES, "schedule of fees")
    return replace(schedule(), **given)


def _changed(part: Any, usual: Any) -> dict[str, Any]:
    """The fields of a part that are not as usual."""
    before = asdict(usual)
    return {name: plain(value) for name, value in asdict(part).items() if value != before[name]}


def _part(kind: type[T], said: Any, what: str) -> T:
    return kind(**_mapping(said, _names(kind), what))


def _names(kind: type) -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(kind))


def _mapping(said: Any, known: tuple[str, ...], what: str) -> Mapping[str, Any]:
    """The mapping, once it is one and has known names only."""
    if not isinstance(said, Mapping):
        raise DataError(f"The {what} must be a table of names and values, not {type(said).__name__}.")
    for name in said:
        lookup(name, dict.fromkeys(known), f"entry of the {what}")
    return cast("Mapping[str, Any]", said)


def _moment(name: str, text: Any) -> pd.Timestamp | None:
    if text is None:
        return None
    try:
        found = pd.Timestamp(text) if isinstance(text, str) else pd.NaT
    except ValueError:
        found = pd.NaT
    if not isinstance(found, pd.Timestamp):
        raise DataError(f"The {name} {text!r} is no date. Write it as 2024-01-31, or leave it empty.")
    return found.tz_localize(None) if found.tz is not None else found
