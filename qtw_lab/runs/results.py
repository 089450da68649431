"""What an executed notebook hands back: the figures it showed and the data it used."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from qtw_lab.core.errors import DataError, RunError
from qtw_lab.core.facts import MEDIA_TYPE, Fact, Facts
from qtw_lab.core.files import write_text
from qtw_lab.runs.run import DATA_FILE, FACTS_FILE, DataUse


def write_data(folder: Path, uses: Iterable[DataUse]) -> Path:
    """Leave word in a run's folder of the data used; a notebook calls this with its ``run_folder``.

    Raises
    ------
    SetupError
        If the folder cannot be written.
    """
    return write_text(folder / DATA_FILE, json.dumps([use.as_dict() for use in uses], indent=1, ensure_ascii=False))


def data_used(folder: Path) -> tuple[DataUse, ...]:
    """What `write_data` left in `folder`; nothing if the notebook left no word.

    Raises
    ------
    RunError
        If there is such a file and it cannot be understood.
    """
    path = folder / DATA_FILE
    if not path.exists():
        return ()
    try:
        plain = json.loads(path.read_text("utf-8"))
        if not isinstance(plain, list):
            raise DataError("it is not a list")
        return tuple(DataUse.from_dict(entry) for entry in plain)
    except (ValueError, OSError) as err:
        raise RunError(
            f"The notebook wrote a {DATA_FILE} that cannot be read: {err} Write it with runs.write_data."
        ) from err


def facts_of(folder: Path, notebook: Mapping[str, Any], title: str) -> Facts | None:
    """The figures of a run: the file the notebook wrote, else every `Facts` it displayed; None if there are none.

    Displayed figures are written to the file. A figure shown twice with the same value counts once; one with the same
    name and another value gets a number behind its name, so that none is lost.

    Parameters
    ----------
    folder : pathlib.Path
        The run's folder.
    notebook : mapping
        The executed notebook as JSON.
    title : str
        Title where several sets are joined.

    Raises
    ------
    RunError
        If the file, or what was displayed under the facts media type, is not a set of facts.
    """
    path = folder / FACTS_FILE
    try:
        if path.exists():
            return Facts.from_json(path.read_text("utf-8"))
        shown = [Facts.from_json(json.dumps(bundle)) for bundle in _bundles(notebook)]
    except (DataError, UnicodeDecodeError, OSError) as err:
        raise RunError(f"The notebook handed over figures that cannot be read: {err}") from err
    if not shown:
        return None
    facts = joined(shown, title)
    write_text(path, facts.to_json(indent=1))
    return facts


def joined(sets: Iterable[Facts], title: str) -> Facts:
    """One set from several, none lost.

    Examples
    --------
    >>> first, second = Facts("Before", (Fact("sharpe", 1.0),)), Facts("After", (Fact("sharpe", 0.5),))
    >>> [(fact.name, fact.value, fact.title) for fact in joined([first, second, second], "Both")]
    [('sharpe', 1.0, 'Sharpe'), ('sharpe_2', 0.5, 'Sharpe (After)')]
    """
    given = list(sets)
    kept: dict[str, Fact] = {}
    origins: dict[str, Fact] = {}
    for facts in given:
        for fact in facts:
            name, count = fact.name, 1
            while name in kept and origins[name] != fact:
                count += 1
                name = f"{fact.name}_{count}"
            if name in kept:
                continue
            origins[name] = fact
            kept[name] = fact if name == fact.name else replace(fact, name=name, label=f"{fact.title} ({facts.title})")
    notes = tuple(dict.fromkeys(note for facts in given for note in facts.notes))
    titles = list(dict.fromkeys(facts.title for facts in given))
    return Facts(titles[0] if len(titles) == 1 else title, tuple(kept.values()), notes)


def _bundles(notebook: Mapping[str, Any]) -> Iterator[Any]:
    for cell in notebook.get("cells", ()):
        for output in cell.get("outputs", ()):
            bundle = output.get("data", {}).get(MEDIA_TYPE)
            if bundle is not None:
                yield bundle
