"""What a sweep has done so far, on disk, so that a run that was killed can be taken up again.

A checkpoint is a folder: `sweep.json` says which sweep it belongs to, and each ``part-<sha256>.npz`` holds some of its
rows. A part's name is the hash of its content, so a damaged one gives itself away; parts are written whole or not at
all, and no part depends on another.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import marshal
import types
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from qtw_lab.backtest.plan import GridPlan, ListPlan, Plan
from qtw_lab.core import Bars, DataError, SetupError
from qtw_lab.core.files import write_bytes, write_text

if TYPE_CHECKING:
    from qtw_lab.backtest.terms import Terms
    from qtw_lab.strategies import Strategy

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Span = tuple[int, int]

#: Seconds of work a kill may cost.
SECONDS_A_PART: Final = 2.0

_MANIFEST: Final = "sweep.json"
_FORMAT: Final = 1


@dataclass(frozen=True, eq=False)
class Part:
    """Some finished work.

    Parameters
    ----------
    spans : tuple of (int, int)
        The combinations that were evaluated, as places in the plan from start up to stop.
    numbers : ndarray of int64, (R,)
        Which rows are kept of them.
    values : ndarray, (R, M)
        Their metrics.
    """

    spans: tuple[Span, ...]
    numbers: IntArray
    values: FloatArray

    def content(self) -> bytes:
        """The part as the bytes of an npz file."""
        buffer = io.BytesIO()
        spans = np.array(self.spans, dtype=np.int64).reshape(-1, 2)
        np.savez(buffer, allow_pickle=False, spans=spans, numbers=self.numbers, values=self.values)
        return buffer.getvalue()

    @classmethod
    def read(cls, content: bytes) -> Part:
        """The part that `content` made bytes of."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            spans = tuple((int(start), int(stop)) for start, stop in arrays["spans"])
            return cls(spans, arrays["numbers"], arrays["values"])


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The folder of one sweep.

    Parameters
    ----------
    folder : pathlib.Path
        Where the parts are; made if it is not there.
    identity : mapping of str to str
        What the sweep is, entry by entry; a folder made by another sweep is refused.

    Raises
    ------
    DataError
        If the folder belongs to another sweep, is a file, or has a manifest that cannot be read.
    SetupError
        If the folder cannot be read or written.
    """

    folder: Path
    identity: Mapping[str, str]
    damaged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        manifest = self.folder / _MANIFEST
        if self.folder.exists() and not self.folder.is_dir():
            raise DataError(
                f"resume={str(self.folder)!r} is a file; a checkpoint is a folder. Name one, new or its own."
            )
        try:
            if manifest.exists():
                self._check(manifest.read_text(encoding="utf-8"))
                return
            strangers = [path.name for path in self.folder.iterdir()] if self.folder.exists() else []
        except (OSError, UnicodeDecodeError) as err:
            raise SetupError(f"The checkpoint {self.folder} cannot be read: {err}. Mend it, or name another.") from err
        if strangers:
            raise DataError(
                f"resume={str(self.folder)!r} is a folder with other things in it ({strangers[0]}, ...) and no "
                f"{_MANIFEST}. Name a new folder, or that of a sweep to go on with."
            )
        write_text(manifest, json.dumps({"format": _FORMAT, "sweep": dict(self.identity)}, indent=2) + "\n")

    @property
    def key(self) -> str:
        """SHA-256 of the identity."""
        return hashlib.sha256(json.dumps(dict(self.identity), sort_keys=True).encode()).hexdigest()

    def save(self, part: Part) -> None:
        """Write a part.

        Raises
        ------
        SetupError
            If the disk is full or the folder cannot be written.
        """
        content = part.content()
        write_bytes(self.folder / f"part-{self._digest(content)}.npz", content)

    def parts(self) -> Iterator[Part]:
        """The parts written so far; a damaged one is removed and noted in `damaged`, and its rows have to be redone.

        Raises
        ------
        SetupError
            If a part cannot be read at all.
        """
        for path in sorted(self.folder.glob("part-*.npz")):
            try:
                content = path.read_bytes()
            except OSError as err:
                raise SetupError(f"The checkpoint's {path.name} cannot be read: {err}. Mend it, or remove it.") from err
            part = self._whole(path, content)
            if part is None:
                self.damaged.append(path.name)
                path.unlink(missing_ok=True)
            else:
                yield part

    def _whole(self, path: Path, content: bytes) -> Part | None:
        """The part in a file; None if its content is not what its name says."""
        if path.name != f"part-{self._digest(content)}.npz":
            return None
        try:
            return Part.read(content)
        except (ValueError, KeyError, OSError, zipfile.BadZipFile):
            return None

    def _digest(self, content: bytes) -> str:
        return hashlib.sha256(self.key.encode() + content).hexdigest()

    def _check(self, text: str) -> None:
        """Refuse a manifest that is not of this sweep."""
        try:
            made = json.loads(text)
            theirs = {str(name): str(value) for name, value in made["sweep"].items()}
            known = made["format"] == _FORMAT
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise DataError(
                f"The checkpoint {self.folder} has a {_MANIFEST} that is damaged. Remove the folder, or name another."
            ) from err
        other = sorted(name for name in {*theirs, *self.identity} if theirs.get(name) != self.identity.get(name))
        if other or not known:
            raise DataError(
                f"The checkpoint {self.folder} is of another sweep: it differs in {', '.join(other) or 'its format'}. "
                "Name another folder, or repeat that sweep exactly to go on with it."
            )


def identity(
    strategy: Strategy, bars: Bars, terms: Terms, plan: Plan, metrics: Iterable[str], kept: str
) -> dict[str, str]:
    """What a sweep is, entry by entry: equal identities give equal tables.

    Parameters
    ----------
    strategy, bars, terms, plan
        Of the sweep.
    metrics : iterable of str
        Columns of the table.
    kept : str
        Which rows are kept, in words.
    """
    return {
        "package version": _version(),
        "data": bars.fingerprint,
        "calendar": f"{bars.calendar}, {bars.periods_per_year!r} bars a year",
        "strategy": f"{type(strategy).__module__}.{type(strategy).__qualname__}",
        "strategy's code": _code(type(strategy)),
        "fixed parameters": repr({n: v for n, v in strategy.parameters.items() if n not in plan.names}),
        "grid": _grid(plan),
        "terms": repr(terms),
        "metrics": ", ".join(metrics),
        "rows kept": kept,
    }


def missing(spans: Iterable[Span], length: int) -> list[Span]:
    """What no span covers of the places from 0 up to `length`, in order.

    Examples
    --------
    >>> missing([(4, 6), (0, 2), (5, 8)], 10)
    [(2, 4), (8, 10)]
    """
    gaps, reached = [], 0
    for start, stop in sorted(spans):
        if start > reached:
            gaps.append((reached, start))
        reached = max(reached, stop)
    return [*gaps, (reached, length)] if reached < length else gaps


def _version() -> str:
    try:
        return version("qtw-lab")
    except PackageNotFoundError:
        return "not installed"


def _grid(plan: Plan) -> str:
    """A hash of every combination."""
    digest = hashlib.sha256(repr((plan.names, plan.values)).encode())
    chosen = plan.kept if isinstance(plan, GridPlan) else plan.listed if isinstance(plan, ListPlan) else None
    digest.update(b"all" if chosen is None else np.ascontiguousarray(chosen).tobytes())
    return digest.hexdigest()


def _code(strategy: type[Strategy]) -> str:
    """A hash of the strategy's own code: a rule that was edited is another strategy."""
    digest = hashlib.sha256()
    for kind in strategy.__mro__:
        if kind is object or kind.__module__.startswith("qtw_lab."):
            continue  # the package's version speaks for them
        try:
            digest.update(inspect.getsource(kind).encode())
        except (OSError, TypeError):  # typed into a console: there is no source, but there is the compiled code
            for value in vars(kind).values():
                digest.update(_compiled(value))
    return digest.hexdigest()


def _compiled(value: Any) -> bytes:
    functions = [value.fget, value.fset] if isinstance(value, property) else [getattr(value, "__func__", value)]
    return b"".join(marshal.dumps(one.__code__) for one in functions if isinstance(one, types.FunctionType))
