"""What pages are labelled with, in every language, from one table."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import Final

from qtw_lab.core import DataError, lookup

#: Languages by the names they give themselves.
LANGUAGES: Final = {"en": "English", "zh": "中文"}

_FOLDER: Final = Path(__file__).parent / "labels"


@cache
def table() -> dict[str, dict[str, str]]:
    """Every label: key, then language, then text; of all files in `labels/`, one a page.

    Raises
    ------
    DataError
        If a key stands twice, a text is missing, or one with a comma in it is not quoted.
    """
    found: dict[str, dict[str, str]] = {}
    for path in sorted(_FOLDER.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                key = row.pop("key")
                missing = [language for language in LANGUAGES if not row.get(language)]
                if key in found or missing or None in row:
                    fault = "stands twice" if key in found else "lacks a text" if missing else "has a comma too many"
                    raise DataError(f"labels/{path.name}: {key} {fault}.")
                found[key] = row
    return found


def label(key: str, language: str = "en", **values: object) -> str:
    """A label, with values filled into its braces.

    Raises
    ------
    DataError
        If there is none of this key; near misses are named.

    Examples
    --------
    >>> label("page.market", "zh")
    '市场'
    """
    text: str = lookup(key, table(), "label")[language]
    return text.format(**values) if values else text


def titled(title: str, language: str = "en") -> str:
    """A figure's title in a language, by its English one; where `labels/fact.csv` has none of it, the title itself.

    Examples
    --------
    >>> titled("Sharpe ratio", "zh"), titled("A figure of my own", "zh")
    ('夏普比率', 'A figure of my own')
    """
    key = f"fact.{'_'.join(re.findall('[a-z0-9]+', title.lower()))}"
    return table()[key][language] if key in table() else title
