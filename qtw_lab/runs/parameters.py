"""The parameters of a run: what a notebook declares, and what may be passed to it."""

from __future__ import annotations

import ast
import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from qtw_lab.core.errors import DataError, SetupError
from qtw_lab.core.lookup import lookup
from qtw_lab.core.settings import secret_from_reference
from qtw_lab.runs.secrecy import Redactor, looks_secret

#: The parameter that the run itself fills with the folder a notebook may write to.
RUN_FOLDER: Final = "run_folder"

#: Default of a parameter -> what a caller may pass for it. Numbers are one kind: cash = 100_000 may be given 99_999.5.
_ACCEPTED: Final[dict[type, tuple[type, ...]]] = {
    bool: (bool,),
    int: (int, float),
    float: (int, float),
    str: (str,),
    list: (list,),
    tuple: (list,),
    dict: (dict,),
}
_NAMED: Final = {kind.__name__: kind for kind in _ACCEPTED}
_UNKNOWN: Final = object()
_CREDENTIALS_IN_URL: Final = re.compile(r"://[^/\s:@]*:[^/\s@]+@")


@dataclass(frozen=True, slots=True)
class Declared:
    """One parameter as its notebook declares it.

    Parameters
    ----------
    name : str
        Name of the variable.
    kind : type or None
        Type of its default, or of its annotation; None where neither tells.
    default : str
        Source text of the default.
    value : any
        The default itself where it is a literal, else None.
    """

    name: str
    kind: type | None
    default: str
    value: Any = None


def declared_parameters(source: str) -> dict[str, Declared]:
    r"""The parameters that the source of a ``parameters`` cell declares, by name.

    The cell is read as Python, not executed, so that chained and many-line assignments are understood.

    Raises
    ------
    DataError
        If the cell is not plain Python.

    Examples
    --------
    >>> cell = declared_parameters("symbols = ['AAPL']\nfast: int = 10  # days")
    >>> [(p.name, p.kind.__name__, p.default) for p in cell.values()]
    [('symbols', 'list', "['AAPL']"), ('fast', 'int', '10')]
    """
    try:
        body = ast.parse(source).body
    except SyntaxError as err:
        raise DataError(
            f"The parameters cell is not plain Python (line {err.lineno}: {err.msg}). "
            "Keep it to assignments such as fast = 10."
        ) from err
    found: dict[str, Declared] = {}
    for statement in body:
        hint = ast.unparse(statement.annotation) if isinstance(statement, ast.AnnAssign) else ""
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        for name in _targets(statement):
            literal = _literal(value)
            kind = type(literal) if type(literal) in _ACCEPTED else _NAMED.get(hint.partition("[")[0])
            text = ast.unparse(value) if value is not None else ""
            found[name] = Declared(name, kind, text, None if literal is _UNKNOWN else literal)
    return found


def checked(parameters: Mapping[str, Any], known_secrets: Mapping[str, str]) -> dict[str, Any]:
    """The parameters as plain JSON values, holding references instead of secrets.

    Parameters
    ----------
    parameters : mapping
        Names and values: text, finite numbers, booleans, None, and lists and mappings of these.
    known_secrets : mapping of str to str
        Secrets that must not appear in any value.

    Raises
    ------
    DataError
        If a value is not JSON, if a name looks like a secret and its value is not ``env:NAME``, or if a value contains
        a known secret or a URL with a password. The value is never repeated.

    Examples
    --------
    >>> checked({"fast": 10, "api_key": "env:BROKER_KEY"}, {})
    {'fast': 10, 'api_key': 'env:BROKER_KEY'}
    >>> checked({"api_key": "abc"}, {})
    Traceback (most recent call last):
    ...
    qtw_lab.core.errors.DataError: The parameter 'api_key' looks like a secret, and values are recorded...
    """
    plain = {}
    redactor = Redactor(known_secrets)
    for name, value in parameters.items():
        if not isinstance(name, str):
            raise DataError(f"Parameter names are text, not {name!r}.")
        plain[name] = _plain(value, name)
        for path, leaf in _leaves(plain[name], name):
            _refuse_secret(path, leaf, redactor)
    return plain


def references(parameters: Mapping[str, Any], *, missing_ok: bool = False) -> dict[str, str]:
    """The secrets that ``env:NAME`` values among the parameters point to, by variable name.

    Parameters
    ----------
    parameters : mapping
        Names and values.
    missing_ok : bool
        Whether to leave out what cannot be looked up.

    Raises
    ------
    DataError
        If a reference is malformed.
    SetupError
        If a variable is not set.
    """
    found = {}
    for name, value in parameters.items():
        for _, leaf in _leaves(value, name):
            if isinstance(leaf, str) and leaf.startswith("env:"):
                with contextlib.suppress(*((DataError, SetupError) if missing_ok else ())):
                    found[leaf.removeprefix("env:")] = secret_from_reference(leaf).get_secret_value()
    return found


def listed(given: Mapping[str, Any], declared: Mapping[str, Declared]) -> dict[str, Any]:
    """The parameters with a text such as ``"AAPL,IBM"`` made the list that its parameter wants.

    Examples
    --------
    >>> listed({"symbols": "AAPL, IBM", "fast": 5}, declared_parameters("symbols = ['KO']"))
    {'symbols': ['AAPL', 'IBM'], 'fast': 5}
    """
    lists = {name for name, wanted in declared.items() if wanted.kind is list}
    return {
        name: [part.strip() for part in value.split(",") if part.strip()]
        if name in lists and isinstance(value, str) and not value.startswith("env:")
        else value
        for name, value in given.items()
    }


def refuse_unfit(given: Mapping[str, Any], declared: Mapping[str, Declared], notebook: str) -> None:
    """Refuse parameters that the notebook does not declare, or whose type is clearly wrong.

    Raises
    ------
    DataError
        With near misses for an unknown name, and the default for a wrong type.
    """
    if given and not declared:
        raise DataError(
            f"{notebook} has no parameters, but {', '.join(sorted(given))} was passed. Tag one of its cells "
            "'parameters' and give each parameter a default there."
        )
    for name, value in given.items():
        if name == RUN_FOLDER:
            raise DataError(f"{RUN_FOLDER} is filled in by the run with its own folder; do not pass it.")
        wanted = lookup(name, declared, f"parameter of {notebook} called")
        if wanted.kind is None or value is None:
            continue
        fits = isinstance(value, _ACCEPTED[wanted.kind]) and (wanted.kind is bool or not isinstance(value, bool))
        if not fits:
            raise DataError(
                f"The parameter {name!r} of {notebook} is {wanted.kind.__name__} (default {wanted.default}), "
                f"but {type(value).__name__} was passed."
            )


def seeds_among(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that seed chance: ``seed`` and ``..._seed``."""
    return {name: value for name, value in parameters.items() if name == "seed" or name.endswith("_seed")}


def _targets(statement: ast.stmt) -> Iterator[str]:
    """Names that a top-level assignment binds."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id
    if isinstance(statement, ast.Assign):
        yield from (target.id for target in statement.targets if isinstance(target, ast.Name))


def _literal(value: ast.expr | None) -> Any:
    """The value of a literal, or a mark that it is none."""
    if value is None:
        return _UNKNOWN
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _UNKNOWN


def _plain(value: Any, path: str) -> Any:
    """The value in JSON's own types."""
    if value is None or isinstance(value, bool | str):
        return value
    if type(value) in (int, float):
        if not math.isfinite(value):
            raise DataError(f"The parameter {path!r} is {value}, which JSON cannot hold. Pass a finite number or None.")
        return value
    if isinstance(value, list | tuple):
        return [_plain(entry, f"{path}[{place}]") for place, entry in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(entry, f"{path}.{key}") for key, entry in value.items()}
    raise DataError(
        f"The parameter {path!r} is a {type(value).__name__}, which cannot be written to a run's record. Pass text, "
        "numbers, booleans, None, or lists and mappings of these (a date as '2020-01-31', a path as text)."
    )


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every single value inside a parameter and the dotted path to it."""
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _leaves(entry, path)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _leaves(entry, f"{path}.{key}")
    else:
        yield path, value


def _refuse_secret(path: str, leaf: Any, redactor: Redactor) -> None:
    if isinstance(leaf, str) and leaf.startswith("env:"):
        return
    if looks_secret(path) and leaf is not None and leaf != "" and not isinstance(leaf, bool):
        raise DataError(
            f"The parameter {path!r} looks like a secret, and values are recorded. Put it into an environment variable "
            f"and pass its name: {path.rpartition('.')[2]}='env:NAME'."
        )
    text = leaf if isinstance(leaf, str) else json.dumps(leaf)
    name = redactor.finds(text)
    if name is not None:
        raise DataError(f"The parameter {path!r} contains the value of {name}, a secret. Pass env:{name} instead.")
    if _CREDENTIALS_IN_URL.search(text):
        raise DataError(
            f"The parameter {path!r} is a URL with a password in it. Put it into a variable and pass env:NAME."
        )
