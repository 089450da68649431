"""What a paper session is opened with: its strategy, its bars, its part of the account, and the rules of its money."""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from numbers import Real
from typing import Any, Final, TypeVar

from qtw_lab.core import DataError, Timeframe, parse_symbols
from qtw_lab.ledger import Account, Costs, Sizing
from qtw_lab.strategies import STRATEGIES, Strategy
from qtw_lab.strategies import strategy as bundled

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTerms:
    """What a paper session is opened with.

    Parameters
    ----------
    name : str
        Lower case letters, digits, "-" and "_"; unique at a desk for ever, for its orders are named after it.
    strategy : Strategy
        What decides: a bundled one, or one of your own whose class can be imported by its name, so that the session can
        start again after a crash.
    symbols : tuple of str
        What it may hold.
    interval : str
        Length of the bars it decides on, such as "1min" or "1D".
    allocation : float
        Its part of the account: a fraction of the equity at its beginning up to 1, or dollars above 1.
    sizing : Sizing
        How large positions are, as a part of the session's own equity; one that needs nothing but the decision.
    costs : Costs
        What trading is expected to cost, so that no order asks for more than there is. Spread counts only where the
        quotes have none.
    account : Account
        What the session may do with its money. What the whole account may do is the broker's business.

    Raises
    ------
    DataError
        If a term does not fit.

    Examples
    --------
    >>> terms = SessionTerms.given("first", "sma_cross", ["AAPL"], "1D", parameters={"fast": 5, "slow": 20})
    >>> SessionTerms.read(terms.written()) == terms
    True
    """

    name: str
    strategy: Strategy
    symbols: tuple[str, ...]
    interval: str = "1min"
    allocation: float = 1.0
    sizing: Sizing = field(default_factory=Sizing.all_in)
    costs: Costs = field(default_factory=Costs)
    account: Account = field(default_factory=Account)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise DataError(
                f"A session cannot be named {self.name!r}: use up to 40 lower case letters, digits, '-' and '_'."
            )
        Timeframe.parse(self.interval)
        if not self.symbols:
            raise DataError(f"The session {self.name} needs symbols to trade.")
        reference_of(self.strategy)
        if self.sizing.measured:
            raise DataError(
                f"The session {self.name}: the sizing rule {self.sizing.rule} looks at past prices, which sessions "
                "do not do yet; use all_in, fixed_cash, fixed_shares or fraction."
            )
        number = isinstance(self.allocation, Real) and not isinstance(self.allocation, bool)
        if not number or not 0 < float(self.allocation) < math.inf:
            raise DataError(f"The session {self.name}: the allocation {self.allocation!r} must be above 0.")

    @classmethod
    def given(
        cls,
        name: str,
        strategy: str | Strategy,
        symbols: Any,
        interval: str = "1min",
        *,
        parameters: Mapping[str, Any] | None = None,
        allocation: float = 1.0,
        sizing: Sizing | None = None,
        costs: Costs | None = None,
        account: Account | None = None,
    ) -> SessionTerms:
        """The terms with defaults in place of None, a strategy by its name, and symbols as a list or one text.

        Raises
        ------
        DataError
            If a term does not fit, or there is no such strategy.
        """
        built = strategy_of(strategy, parameters or {}) if isinstance(strategy, str) else strategy
        return cls(
            name=name,
            strategy=built,
            symbols=tuple(parse_symbols(symbols)),
            interval=str(Timeframe.parse(interval)),
            allocation=allocation,
            sizing=Sizing.all_in() if sizing is None else sizing,
            costs=Costs() if costs is None else costs,
            account=Account() if account is None else account,
        )

    @property
    def timeframe(self) -> Timeframe:
        """The interval."""
        return Timeframe.parse(self.interval)

    def written(self) -> dict[str, Any]:
        """The terms as JSON can hold them; `read` reads them."""
        return {
            "name": self.name,
            "strategy": reference_of(self.strategy),
            "parameters": self.strategy.parameters,
            "symbols": list(self.symbols),
            "interval": self.interval,
            "allocation": self.allocation,
            **{part: _written(getattr(self, part)) for part in ("sizing", "costs", "account")},
        }

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> SessionTerms:
        """From what was `written`.

        Raises
        ------
        DataError
            If something is missing, unknown or does not fit.
        """
        known = {"name", "strategy", "parameters", "symbols", "interval", "allocation", "sizing", "costs", "account"}
        if not isinstance(said, Mapping):
            raise DataError(f"A session's terms are a mapping of names to values, not {type(said).__name__}.")
        unknown = sorted(set(said) - known)
        missing = sorted({"name", "strategy", "symbols"} - set(said))
        if unknown or missing:
            raise DataError(f"A session's terms: {_fault(unknown, missing)}; they are {', '.join(sorted(known))}.")
        if not isinstance(said["strategy"], str):
            raise DataError(f"A session's strategy is named by a text such as 'sma_cross', not {said['strategy']!r}.")
        if not isinstance(said.get("parameters") or {}, Mapping):
            raise DataError(f"A session's parameters are a mapping of names to values, not {said['parameters']!r}.")
        rest = {name: said[name] for name in ("interval", "allocation", "parameters") if name in said}
        made = (("sizing", Sizing), ("costs", Costs), ("account", Account))
        rest |= {part: _read(kind, said[part]) for part, kind in made if said.get(part) is not None}
        return cls.given(said["name"], said["strategy"], said["symbols"], **rest)


def reference_of(strategy: Strategy) -> str:
    """The name by which a strategy's class is found again: of a bundled one its own, of others ``module:Class``.

    Raises
    ------
    DataError
        If it is defined inside a function, where nobody finds it.

    Examples
    --------
    >>> from qtw_lab.strategies import SmaCross
    >>> reference_of(SmaCross())
    'sma_cross'
    """
    kind = type(strategy)
    if STRATEGIES.get(strategy.name) is kind:
        return strategy.name
    if "<" in kind.__qualname__:
        raise DataError(
            f"The strategy {kind.__qualname__} is defined inside a function, so a session could not find it again "
            "after a crash; define it at the top of a module or notebook."
        )
    return f"{kind.__module__}:{kind.__qualname__}"


def strategy_of(name: str, parameters: Mapping[str, Any]) -> Strategy:
    """The strategy that `reference_of` named, with these parameters.

    Raises
    ------
    DataError
        If there is none of that name, or a parameter does not fit.
    """
    module, _, path = name.partition(":")
    if not path:
        return bundled(name, **parameters)
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError, TypeError) as err:
        raise DataError(
            f"The strategy {name} cannot be found here ({err}). Put it into a module that this process can import, "
            "such as a .py file beside the notebook."
        ) from err
    if not (isinstance(found, type) and issubclass(found, Strategy)):
        raise DataError(f"{name} is no strategy; it must be a class made from qtw.Strategy.")
    return found(**parameters)


def _fault(unknown: list[str], missing: list[str]) -> str:
    found = [f"{name} is not known" for name in unknown] + [f"{name} is missing" for name in missing]
    return ", ".join(found)


def _written(part: Any) -> dict[str, Any]:
    """A part's fields that are not as by default."""
    defaults = {entry.name: entry.default for entry in fields(part)}
    return {name: value for name, value in asdict(part).items() if value != defaults[name]}


def _read(kind: type[T], said: Mapping[str, Any]) -> T:
    try:
        return kind(**said)
    except TypeError as err:
        raise DataError(f"A session's {kind.__name__.lower()} cannot be read: {err}.") from err
