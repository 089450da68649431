"""Keeping secrets out of what a run leaves behind: names that mean one, and the masking of values in every spelling."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote, quote_plus

from qtw_lab.core import settings
from qtw_lab.core.errors import DataError

#: Words that make a name the name of a secret, and endings that do so when words are run together.
_WORDS: Final = frozenset(
    {"key", "keys", "secret", "secrets", "token", "password", "passwords", "passwd", "passphrase", "pwd", "pw", "pin",
     "credential", "credentials", "bearer", "auth"}
)  # fmt: skip
_ENDINGS: Final = ("apikey", "secretkey", "privatekey", "accesskey", "password", "passwd", "secret", "token")

#: In a shell PWD is the working folder, not a password.
_FOLDERS: Final = ("PWD", "OLDPWD")

#: The bundled simulator's keys, which its documentation names: nobody's secret.
_PUBLIC: Final = frozenset({"sim-key", "sim-secret"})

#: Shorter values are too common in ordinary output to be masked without ruining it.
SHORTEST_REFERENCED: Final = 4
SHORTEST_AMBIENT: Final = 6
_SHORTEST_FRAGMENT: Final = 8
_SHORTEST_LINE: Final = 16


def looks_secret(name: str) -> bool:
    """Whether a parameter or variable of this name holds a secret.

    Examples
    --------
    >>> [looks_secret(name) for name in ("ALPACA_API_KEY_ID", "apiKey", "broker.token", "monkey", "max_tokens")]
    [True, True, True, False, False]
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    words = [word for word in re.split(r"[^A-Za-z]+", spaced.lower()) if word]
    return any(word in _WORDS or word.endswith(_ENDINGS) for word in words)


def ambient_secrets(environment: Mapping[str, str] | None = None, *, any_name: bool = False) -> dict[str, str]:
    """The variables of this process whose names look like secrets and whose values are long enough to be one.

    Parameters
    ----------
    environment : mapping of str to str, optional
        Variables to look through; those of this process by default.
    any_name : bool
        Whether every name counts as that of a secret.

    Examples
    --------
    >>> ambient_secrets({"BROKER_TOKEN": "abc-123-xyz", "HOME": "/home/me", "USE_TOKEN": "true"})
    {'BROKER_TOKEN': 'abc-123-xyz'}
    """
    variables = settings.environment() if environment is None else environment
    return {
        name: value
        for name, value in sorted(variables.items())
        if (any_name or (looks_secret(name) and name not in _FOLDERS))
        and len(value) >= SHORTEST_AMBIENT
        and value not in _PUBLIC
    }


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret that was found where none may be.

    Parameters
    ----------
    name : str
        What the secret is called, never its value.
    file : str
        Where, relative to the run's folder; secrets in it masked.
    cell : int, optional
        In which cell of a notebook, from 1.
    """

    name: str
    file: str
    cell: int | None = None

    @property
    def place(self) -> str:
        """Where, for people."""
        return self.file if self.cell is None else f"cell {self.cell}"


#: How the reason of a run begins that failed because a secret came out.
LEAKED: Final = "leaked"


def spelled(leaks: Iterable[Leak]) -> str:
    """All leaks in one sentence.

    Examples
    --------
    >>> spelled([Leak("TOKEN", "notebook.ipynb", 4), Leak("TOKEN", "log.txt"), Leak("PIN", "log.txt")])
    'the value of TOKEN came out in cell 4, log.txt; the value of PIN came out in log.txt'
    """
    places: dict[str, dict[str, None]] = {}
    for leak in leaks:
        places.setdefault(leak.name, {})[leak.place] = None
    return "; ".join(f"the value of {name} came out in {', '.join(where)}" for name, where in places.items())


@dataclass(frozen=True)
class Redactor:
    """Masks the values of secrets as ``***NAME***``.

    A value is found as it is, escaped for JSON (up to twice), for Python or for HTML, quoted for a URL, in hexadecimal,
    and in base64 at any of the three alignments it can have inside a longer text, broken into lines or not. Long lines
    of a secret of several lines are found one by one. A value taken apart in other ways (reversed, spaced out) is not.

    Parameters
    ----------
    secrets : mapping of str to str
        Name of each secret and its value; empty values are left out.

    Examples
    --------
    >>> redactor = Redactor({"TOKEN": "s3cr/t"})
    >>> redactor.text("plain s3cr/t, quoted s3cr%2Ft, base64 czNjci90")
    'plain ***TOKEN***, quoted ***TOKEN***, base64 ***TOKEN***'
    """

    secrets: Mapping[str, str] = field(repr=False)

    @cached_property
    def _masks(self) -> dict[str, str]:
        """What to look for, longest first, and what to put there."""
        forms: dict[str, str] = {}
        for name, value in self.secrets.items():
            for form in _forms(value) if value else ():
                forms.setdefault(form, f"***{name}***")
        return dict(sorted(forms.items(), key=lambda item: -len(item[0])))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self._masks:
            return None
        # A long run of base64 may be broken into lines; the break is a newline, or one escaped for JSON.
        branches = (
            r"(?:\s|\\n)*".join(map(re.escape, form))
            if len(form) > 56 and re.fullmatch(r"[\w+/=-]+", form)
            else re.escape(form)
            for form in self._masks
        )
        return re.compile("|".join(branches))

    def text(self, text: str) -> str:
        """The text with every secret masked."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._mask(found.group()), text)

    def tree(self, value: Any) -> Any:
        """A JSON value with every secret masked in keys, strings and numbers."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.tree(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(entry) for entry in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            shown = json.dumps(value)
            masked = self.text(shown)
            return value if masked == shown else masked
        return value

    def finds(self, text: str) -> str | None:
        """The name of a secret that the text contains, if any."""
        return next(self._found(text), None)

    def names(self, value: Any) -> tuple[str, ...]:
        """The names of all secrets in a JSON value: in its keys, strings and numbers, in the order they come.

        Examples
        --------
        >>> Redactor({"A": "abcdef", "B": "123456"}).names({"x": [123456, "abcdef"], "y": "abcdef"})
        ('B', 'A')
        """
        return tuple(dict.fromkeys(name for text in _texts(value) for name in self._found(text)))

    def _found(self, text: str) -> Iterator[str]:
        if self._pattern is not None:
            yield from (self._mask(found.group()).strip("*") for found in self._pattern.finditer(text))

    def _mask(self, found: str) -> str:
        return self._masks.get(found) or self._masks[re.sub(r"\s|\\n", "", found)]


def redactor_for(referenced: Mapping[str, str], ambient: Mapping[str, str]) -> Redactor:
    """The redactor of one run: the secrets its parameters refer to, and those that merely lie around.

    Raises
    ------
    DataError
        If a secret referred to is too short to be told from ordinary text.
    """
    for name, value in referenced.items():
        if len(value) < SHORTEST_REFERENCED:
            raise DataError(
                f"The value of {name} has fewer than {SHORTEST_REFERENCED} characters and cannot be kept out of the "
                "outputs without ruining them. Use a longer secret, or pass the value as an ordinary parameter."
            )
    return Redactor({**referenced, **{name: value for name, value in ambient.items() if name not in referenced}})


def _texts(value: Any) -> Iterator[str]:
    """Every key, string and number inside a JSON value, as text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield str(key)
            yield from _texts(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield json.dumps(value)


def _forms(value: str) -> Iterable[str]:
    """Every spelling of one secret that is looked for."""
    yield from _spellings(value)
    for line in value.splitlines():
        if len(line.strip()) >= _SHORTEST_LINE and not line.startswith("-----"):
            yield from _spellings(line.strip())
    raw = value.encode("utf-8", errors="surrogateescape")
    yield raw.hex()
    yield raw.hex().upper()
    for encoded in _base64_forms(raw):
        yield encoded
        yield encoded.replace("+", "-").replace("/", "_")


def _spellings(value: str) -> Iterable[str]:
    yield value
    escaped = {json.dumps(value, ensure_ascii=plain)[1:-1] for plain in (True, False)}
    escaped |= {form.replace("/", "\\/") for form in escaped}
    yield from escaped
    yield from (json.dumps(form)[1:-1] for form in sorted(escaped))
    yield repr(value)[1:-1]
    yield value.replace("\\", "\\\\").replace("'", "\\'")
    yield from (html.escape(value, quote=False), html.escape(value), html.escape(value).replace("&#x27;", "&#39;"))
    for quoted in (
        quote(value, safe="", errors="replace"),
        quote(value, errors="replace"),
        quote_plus(value, errors="replace"),
    ):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda triplet: triplet.group().lower(), quoted)


def _base64_forms(raw: bytes) -> Iterable[str]:
    """The encoding by itself, and the characters that depend on nothing else at each alignment."""
    whole = base64.b64encode(raw).decode("ascii")
    yield whole
    yield whole.rstrip("=")
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode("ascii").rstrip("=")
        tail = 1 if (offset + len(raw)) % 3 else 0
        core = encoded[(0, 2, 3)[offset] : len(encoded) - tail]
        if len(core) >= _SHORTEST_FRAGMENT:
            yield core
