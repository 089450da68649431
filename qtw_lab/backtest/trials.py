"""What one configuration was, in the form that the ledger of trials counts and keeps."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.core import DataError

FloatArray = npt.NDArray[np.float64]
WordArray = npt.NDArray[np.uint64]

#: Stretches of a history whose returns a sketch keeps.
STRETCHES: Final = 64
_WORD: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration that was evaluated.

    Parameters
    ----------
    fingerprint : str
        `Bars.fingerprint` of the data.
    strategy : str
        Its name.
    parameters : mapping
        Everything that makes the configuration: the strategy's parameters and the terms it was simulated on, as JSON
        values.
    sharpe : float, optional
        Annualised Sharpe ratio it reached; NaN or None if undefined.
    kind : str
        What evaluated it: "backtest", "sweep", "walk_forward", "model" ...
    summary : mapping
        Other figures by name.
    sketch : ndarray, optional
        `sketch` of its returns, for its correlation with other trials.
    """

    fingerprint: str
    strategy: str
    parameters: Mapping[str, Any]
    sharpe: float | None = None
    kind: str = "backtest"
    summary: Mapping[str, float] = field(default_factory=dict)
    sketch: npt.NDArray[np.float32] | None = None

    @property
    def text(self) -> str:
        """The parameters in one spelling."""
        return spelled(self.parameters)

    @property
    def identity(self) -> int:
        """64 bits that equal configurations share and others do not."""
        return int(identities(self.strategy, self.parameters)[0])


@dataclass(frozen=True, eq=False)
class Known:
    """Trials that were recorded together.

    Parameters
    ----------
    identities : ndarray of uint64, (K,)
        Which configurations.
    sharpes : ndarray, (K,)
        Annualised Sharpe ratios; NaN where unknown.
    sketches : ndarray, (M, stretches)
        Sketches of the returns of M of them.
    weight : float
        How many trials the sketches speak for.
    """

    identities: WordArray
    sharpes: FloatArray
    sketches: npt.NDArray[np.float32]
    weight: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """Many configurations evaluated together: some parameters fixed, others each with a list of values.

    Parameters
    ----------
    fingerprint, strategy, kind
        As of `Trial`.
    fixed : mapping
        What all of them share.
    values : mapping of str to sequence
        The values of each parameter that varied.
    codes : sequence of ndarray
        For each of these, which of its values each configuration has; (K,).
    sharpes : ndarray
        Annualised Sharpe ratios (K,); NaN where unknown or undefined.
    sketches : ndarray
        Sketches (M, `STRETCHES`) of the returns of M of them, drawn by chance.
    """

    fingerprint: str
    strategy: str
    fixed: Mapping[str, Any]
    values: Mapping[str, Sequence[Any]]
    codes: Sequence[npt.NDArray[np.int64]]
    sharpes: FloatArray
    sketches: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty((0, STRETCHES), dtype=np.float32))
    kind: str = "sweep"

    def __len__(self) -> int:
        return len(self.sharpes)

    @cached_property
    def identities(self) -> WordArray:
        """The identity of each configuration, (K,): the one its `Trial` would have."""
        return identities(self.strategy, self.fixed, self.values, self.codes)

    @cached_property
    def digest(self) -> bytes:
        """What batches of the same configurations share, in whatever order these come."""
        return hashlib.sha256(np.sort(self.identities).tobytes()).digest()

    def measured(self, sharpes: FloatArray, sketches: npt.NDArray[np.float32]) -> Batch:
        """The same configurations with these figures; who they are is not worked out again."""
        made = replace(self, sharpes=sharpes, sketches=sketches)
        vars(made).update(identities=self.identities, digest=self.digest)
        return made

    @property
    def known(self) -> Known:
        """What is known of them together."""
        return Known(self.identities, self.sharpes, self.sketches, float(len(self)))


def identities(
    strategy: str,
    fixed: Mapping[str, Any],
    values: Mapping[str, Sequence[Any]] | None = None,
    codes: Sequence[npt.NDArray[np.int64]] = (),
) -> WordArray:
    """64 bits for each configuration: a hash for each named value, added up and mixed.

    A sum does not depend on the order of the parameters, and a whole grid is a few array additions. Two of a million
    different configurations share their bits once in some forty million such sets.

    Examples
    --------
    >>> one = identities("x", {"slow": 20, "fast": 5})
    >>> both = identities("x", {"slow": 20}, {"fast": [4, 5]}, [np.array([0, 1])])
    >>> len(both), bool(both[1] == one[0])
    (2, True)
    """
    total = sum((_hashed(name, value) for name, value in fixed.items()), _hashed("strategy", strategy)) % _WORD
    sums = np.full(len(codes[0]) if len(codes) else 1, total, dtype=np.uint64)
    for (name, choices), code in zip((values or {}).items(), codes, strict=True):
        sums += _hashes(name, choices)[code]
    return _mixed(sums)


def spelled(values: Mapping[str, Any]) -> str:
    """JSON text in which equal values are spelled the same.

    Raises
    ------
    DataError
        If a value is not a plain one.
    """
    return _ENCODER.encode(values)


def sketch(returns: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """The course of returns (T,) in `STRETCHES` numbers of which the dot product of two estimates their correlation.

    Sums of the returns, less their mean, over stretches of equal length, scaled to length 1; all 0 if they never vary.
    Sums over longer spans have the correlation of the bars themselves where returns are not correlated in time.

    Examples
    --------
    >>> r = np.random.default_rng(0).normal(size=6400)
    >>> float(np.round(sketch(r) @ sketch(2 * r + 1), 4)), float(np.round(sketch(r) @ sketch(-r), 4))
    (1.0, -1.0)
    """
    one: npt.NDArray[np.float32] = sketches(np.asarray(returns, dtype=np.float64)[:, None])[0]
    return one


def sketches(returns: FloatArray) -> npt.NDArray[np.float32]:
    """The sketch of each column of returns (T, K), as (K, `STRETCHES`)."""
    length, count = returns.shape
    sums = np.zeros((count, STRETCHES))
    if length:
        starts = np.unique(np.linspace(0, length, STRETCHES, endpoint=False).astype(np.int64))
        moving = np.isfinite(returns).all(axis=0) & (np.ptp(np.nan_to_num(returns), axis=0) > 0)
        apart = returns[:, moving] - returns[:, moving].mean(axis=0)
        sums[moving, : len(starts)] = np.add.reduceat(apart, starts, axis=0).T
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        sums = np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 0)
    return sums.astype(np.float32)


def finite(value: float | None) -> float | None:
    """The number, or None for one that is not defined."""
    return float(value) if value is not None and math.isfinite(value) else None


def _hashed(name: str, value: Any) -> int:
    return _word(_ENCODER.encode([name, value]))


def _hashes(name: str, choices: Sequence[Any]) -> WordArray:
    """`_hashed` of a name and each of many values; whole numbers, of which grids are full, are spelled directly."""
    before = f"[{_ENCODER.encode(name)}, "
    texts = (f"{before}{one}]" if type(one) is int else _ENCODER.encode([name, one]) for one in choices)
    return np.fromiter(map(_word, texts), dtype=np.uint64, count=len(choices))


def _word(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _mixed(words: WordArray) -> WordArray:
    """Each word with its bits spread by Steele, Lea and Flood's SplitMix finaliser, so that near sums lie far apart."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _plain(value: Any) -> Any:
    """JSON for the NumPy scalars that grids are full of."""
    if isinstance(value, np.generic):
        return value.item()
    raise DataError(f"A trial's parameters must be plain values, not {type(value).__name__}.")


#: One spelling for all values; `json.dumps` would make an encoder for each.
_ENCODER: Final = json.JSONEncoder(sort_keys=True, default=_plain)
