"""What a strategy is: a frozen object with bounded parameters and one vectorised rule."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from qtw_lab.core import Bars, DataError
from qtw_lab.core.lookup import lookup
from qtw_lab.indicators.compiled import compiled

FloatArray = npt.NDArray[np.float64]
TimeArray = npt.NDArray[np.int64]
Scope = Literal["symbol", "universe"]
Kind = Literal["signals", "weights"]


@dataclass(frozen=True, slots=True)
class Panel:
    """The arrays a strategy sees: prices up to now, nothing else.

    Parameters
    ----------
    open, high, low, close, volume : ndarray
        float64 of shape (T, N), NaN where a symbol has no bar. In a sweep N is 1 and the strategy's parameters are
        arrays of shape (K,): the same NumPy code then gives (T, K).
    times : ndarray
        int64 of shape (T,): the start of each bar in nanoseconds since 1970, UTC.
    periods_per_year : float
        Bars a year, for strategies that annualise.
    """

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    times: TimeArray
    periods_per_year: float

    @classmethod
    def of(cls, bars: Bars) -> Panel:
        """The arrays of `bars`; they are read-only."""
        values = bars.values
        times = bars.index.as_unit("ns").asi8.copy()
        times.flags.writeable = False
        return cls(
            values["open"],
            values["high"],
            values["low"],
            values["close"],
            values["volume"],
            times,
            bars.periods_per_year,
        )

    def columns(self, start: int, stop: int) -> Panel:
        """The symbols from `start` up to `stop`."""
        part = slice(start, stop)
        return replace(
            self,
            open=self.open[:, part],
            high=self.high[:, part],
            low=self.low[:, part],
            close=self.close[:, part],
            volume=self.volume[:, part],
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """What values a parameter may take, both ends included."""

    low: float
    high: float
    label: str

    def check(self, owner: type[Strategy], name: str, value: Any, default: Any) -> Any:
        """The value in its declared type.

        Raises
        ------
        DataError
            If it has another type or lies outside the bounds.
        """
        kind = type(default)
        if isinstance(value, np.generic):
            value = value.item()
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise DataError(f"{named(owner)}: {name} must be {_article(kind)}, not {value!r}.")
        if isinstance(value, (int, float)) and not self.low <= value <= self.high:
            raise DataError(
                f"{named(owner)}: {name}={value!r} is out of range; it must lie between {self.low:g} and {self.high:g}."
            )
        return value


def param(default: Any, low: float = -np.inf, high: float = np.inf, label: str = "") -> Any:
    """Declare a parameter of a strategy: its default value (which also sets its type) and its bounds.

    Parameters
    ----------
    default : int, float, bool or str
        Value when none is given.
    low, high : float
        Bounds, both allowed.
    label : str
        What people read; the name by default.

    Examples
    --------
    >>> class Dip(Strategy):
    ...     window: int = param(20, low=2, high=500)
    ...     def signals(self, prices):
    ...         return np.where(np.diff(prices.close, axis=0, prepend=np.nan) < 0, 1.0, 0.0)
    >>> Dip(window=1)
    Traceback (most recent call last):
    ...
    qtw_lab.core.errors.DataError: dip: window=1 is out of range; it must lie between 2 and 500.
    """
    return dataclasses.field(default=default, metadata={"bounds": Bounds(low, high, label)})


class Strategy:
    """Base of every strategy, ours and yours.

    A subclass declares parameters with `param` and writes one of two methods over a `Panel`:

    - `signals`: the stance in each bar from -1 (fully short) over 0 (flat) to 1 (fully long). The engine trades when
      the stance *changes*; NaN means "no new decision, keep the stance".
    - `weights`: target weights of equity. The engine rebalances at every bar with a finite weight; NaN leaves the
      holding alone.

    A decision at bar t may use bars up to and including t, never later ones; the engine decides when it trades.

    Attributes
    ----------
    scope : {"symbol", "universe"}
        A "symbol" strategy treats each column on its own; a "universe" strategy compares columns, so that a sweep
        evaluates it one parameter set at a time.
    holds : bool
        Whether NaN ("keep") may follow the warm-up.

    Examples
    --------
    >>> class Above(Strategy):
    ...     '''Long while the close is above where it was `lag` bars ago.'''
    ...     lag: int = param(3, low=1, high=50)
    ...     def signals(self, prices):
    ...         from qtw_lab import indicators as ind
    ...         past = ind.lag(prices.close, self.lag)
    ...         return np.where(np.isnan(past), np.nan, prices.close > past)
    ...     @property
    ...     def warmup(self):
    ...         return self.lag
    >>> Above(lag=5).parameters
    {'lag': 5}
    """

    scope: ClassVar[Scope] = "symbol"
    holds: ClassVar[bool] = False
    _declared: ClassVar[dict[str, dataclasses.Field[Any]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Turn the subclass into a frozen dataclass; an unannotated `param` takes its type from its default."""
        super().__init_subclass__(**kwargs)
        annotations = dict(inspect.get_annotations(cls))
        for name, value in list(vars(cls).items()):
            if isinstance(value, dataclasses.Field) and name not in annotations:
                annotations[name] = type(value.default)
        for name, annotation in annotations.items():
            if name not in vars(cls) and "ClassVar" not in str(annotation):
                raise DataError(f"{cls.__name__}: {name} has no default. Write {name} = param(default, low, high).")
        cls.__annotations__ = annotations
        dataclass(frozen=True, kw_only=True, repr=False, init=False)(cls)
        cls._declared = {entry.name: entry for entry in dataclasses.fields(cls)}  # type: ignore[arg-type]  # now it is one

    def __init__(self, **values: Any) -> None:
        for name, entry in self._declared.items():
            object.__setattr__(self, name, _fitting(type(self), entry, values.pop(name, entry.default)))
        for name in values:
            lookup(name, self._declared, f"parameter of {self.name}")
        self.check()

    @classmethod
    def checked(cls, name: str, value: Any) -> Any:
        """The value in the type that parameter `name` declares.

        Raises
        ------
        DataError
            If there is no such parameter, or the value has another type or lies out of bounds.
        """
        return _fitting(cls, lookup(name, cls._declared, f"parameter of {named(cls)}"), value)

    @classmethod
    def declared(cls) -> dict[str, dataclasses.Field[Any]]:
        """The parameters by name, in order of declaration."""
        return dict(cls._declared)

    def check(self) -> None:
        """Refuse parameters that do not fit together; raise `DataError`. The base class has nothing to refuse."""

    @property
    def name(self) -> str:
        """The class name in lower case with underscores: `SmaCross` is "sma_cross"."""
        return named(type(self))

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameter values by name, ready for JSON."""
        return self._held()

    @property
    def exposure(self) -> float:
        """The largest absolute signal or weight the strategy ever gives."""
        return 1.0

    @property
    def warmup(self) -> int:
        """How many of a symbol's own bars pass before its first decision; those bars give NaN."""
        return 0

    @property
    def memory(self) -> int | None:
        """How many of a symbol's last bars decide the next decision alone; None if the whole history does."""
        return None

    def signals(self, prices: Panel) -> Any:
        """The stance in each bar, (T, N); see the class. Overridden by a subclass that gives signals."""
        raise NotImplementedError  # chosen between in `decide`, which says what is missing

    def weights(self, prices: Panel) -> Any:
        """Target weights in each bar, (T, N); see the class. Overridden by a subclass that gives weights."""
        raise NotImplementedError  # chosen between in `decide`, which says what is missing

    @property
    def kind(self) -> Kind:
        """Whether the strategy gives signals or weights.

        Raises
        ------
        DataError
            If it has neither method, or both.
        """
        has = {kind: getattr(type(self), kind) is not getattr(Strategy, kind) for kind in ("signals", "weights")}
        if has["signals"] == has["weights"]:
            raise DataError(f"{self.name} must define exactly one of signals(self, prices) and weights(self, prices).")
        return "signals" if has["signals"] else "weights"

    def decide(self, prices: Panel, *, copied: bool = True) -> FloatArray:
        """The strategy's signals or weights as checked float64 (T, K); the engine and the tests call this.

        Parameters
        ----------
        prices : Panel
            What the strategy sees.
        copied : bool
            Whether the answer is an array of its own. If not, it may be the one the strategy gave, and must only be
            read, before the strategy is asked again.

        Raises
        ------
        DataError
            If the result has the wrong shape, is infinite, or goes beyond `exposure`.
        """
        raw = self.signals(prices) if self.kind == "signals" else self.weights(prices)
        given = np.asarray(raw, dtype=np.float64)
        rows = prices.close.shape[0]
        width = max(prices.close.shape[1], self._width())
        if given.shape != (rows, width):
            raise DataError(
                f"{self.name} gave an array of shape {given.shape} for prices that call for ({rows}, {width})."
            )
        limits = np.broadcast_to(np.asarray(self.exposure, dtype=np.float64) + 1e-12, (width,))
        if prices.close.shape[1] == 1:
            decisions, beyond = _by_columns(given, prices.close, limits, copied=copied)
        else:
            with np.errstate(invalid="ignore"):
                beyond = bool((np.abs(given) > limits).any())
            decisions = np.where(np.isnan(prices.close), np.nan, given)
        if beyond:
            sizes = np.where(np.isnan(given), 0.0, np.abs(given))
            k = int((sizes.max(axis=0) - limits).argmax())
            stated = float(np.broadcast_to(self.exposure, (width,))[k])
            raise DataError(f"{self.name} gave {sizes[:, k].max():g}, beyond its stated exposure of {stated:g}.")
        return decisions

    def replaced(self, **changes: Any) -> Self:
        """The strategy with some parameters replaced, checked like any other.

        Raises
        ------
        DataError
            If a parameter is not known or its value does not fit.
        """
        return type(self)(**{**self._held(), **changes})

    def with_columns(self, columns: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The strategy with some parameters replaced by arrays of shape (K,), one entry a column of the result.

        The values are not checked here: a sweep builds (and so checks) every single strategy of its grid first.
        """
        clone = object.__new__(type(self))
        for name, value in {**self._held(), **columns}.items():
            object.__setattr__(clone, name, value)
        return clone

    def _width(self) -> int:
        """How many parameter columns the strategy carries; 1 outside a sweep."""
        return max((v.shape[0] for v in self._held().values() if isinstance(v, np.ndarray)), default=1)

    def _held(self) -> dict[str, Any]:
        """The declared attributes as they are; `parameters` may show them in another form."""
        return {name: getattr(self, name) for name in self._declared}

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self._held().items())
        return f"{type(self).__name__}({inside})"


def _by_columns(given: FloatArray, close: FloatArray, limits: FloatArray, *, copied: bool) -> tuple[FloatArray, bool]:
    """Decisions (T, K) with NaN where there is no close, stored by column; and whether one is beyond its limit."""
    columns = np.ascontiguousarray(given.T)
    fresh = copied or bool(np.isnan(close).any())
    out = np.empty(columns.shape if fresh else (0, 0))
    beyond = _copy(_fixed(columns), _fixed(close[:, 0]), _fixed(limits), out)
    return (out if fresh else columns).T, beyond > 0


def _fixed(array: FloatArray) -> FloatArray:
    """A contiguous view to read only: compiled functions then see one kind of array and are compiled once."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


@compiled
def _copy(given: FloatArray, close: FloatArray, limits: FloatArray, out: FloatArray) -> int:
    """Copy columns with NaN where there is no close, unless there is no room; how many are larger than their limit."""
    beyond = 0
    for k in range(given.shape[0]):
        column, limit = given[k], limits[k]
        for t in range(column.shape[0]):
            beyond += (column[t] > limit) | (column[t] < -limit)
        if out.shape[0] > 0:
            row = out[k]
            for t in range(column.shape[0]):
                row[t] = column[t] if close[t] == close[t] else np.nan  # NaN alone differs from itself
    return beyond


def _fitting(owner: type[Strategy], entry: dataclasses.Field[Any], value: Any) -> Any:
    """The value in the declared type, once known to lie within its bounds."""
    bounds = entry.metadata.get("bounds")
    return bounds.check(owner, entry.name, value, entry.default) if isinstance(bounds, Bounds) else value


def named(strategy: type[Strategy]) -> str:
    """The name of a strategy class: its class name in lower case with underscores.

    Examples
    --------
    >>> class FastTrend(Strategy):
    ...     pass
    >>> named(FastTrend)
    'fast_trend'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", strategy.__name__).lower()


def _article(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "True or False", str: "text"}.get(
        kind, f"a {kind.__name__}"
    )
