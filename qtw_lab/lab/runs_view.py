"""Recorded runs as tables for people: which there are, and all that is on record of one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from qtw_lab.core import DataError, Facts

if TYPE_CHECKING:
    from qtw_lab.core import Settings
    from qtw_lab.lab.front import Lab
    from qtw_lab.runs import Run

#: What would make a run again: for machines, and long.
_RECIPE: Final = "recipe"

STATUSES: Final = ("ok", "failed", "running")


@dataclass(frozen=True)
class Wanted:
    """Which runs are looked for.

    Parameters
    ----------
    kind, status : str
        Only runs that match; empty for all.
    words : str
        Only runs that hold every one of these words in id, name, kind, error or a parameter, in any case.
    """

    kind: str = ""
    status: str = ""
    words: str = ""


def runs_table(lab: Lab) -> pd.DataFrame:
    """Every recorded run, newest first.

    Returns
    -------
    pandas.DataFrame
        Columns id, kind, name, status, started (UTC), seconds, error ("" for none) and text, in which words are found.
    """
    found = lab.registry.list(limit=None)
    plain = [_searched(row) for row in found.itertuples(index=False)]
    table = found[["id", "kind", "name", "status", "started", "seconds", "error"]]
    return table.assign(error=table["error"].fillna(""), text=pd.Series(plain, index=table.index, dtype=object))


def found(table: pd.DataFrame, wanted: Wanted) -> pd.DataFrame:
    """The rows of `runs_table` that are looked for.

    Examples
    --------
    >>> rows = pd.DataFrame({"kind": ["sweep", "notebook"], "status": ["ok", "ok"], "text": ["a b", "b c"]})
    >>> found(rows, Wanted(words="B c")).kind.tolist()
    ['notebook']
    """
    fits = pd.Series(data=True, index=table.index)
    for name in ("kind", "status"):
        asked = getattr(wanted, name)
        if asked:
            fits &= table[name] == asked
    for word in wanted.words.casefold().split():
        fits &= table["text"].str.contains(word, regex=False)
    return table[fits]


def offered(table: pd.DataFrame, chosen: Sequence[str] = (), newest: int = 200) -> dict[str, str]:
    """The newest runs of `runs_table`, and others that were chosen, as words to choose from: words and id."""
    near = pd.Series(range(len(table)), index=table.index) < newest
    rows = table[near | table["id"].isin(list(chosen))]
    return {
        f"{started:%Y-%m-%d %H:%M:%S} {name} ({kind}) {one[-8:]}": one
        for one, name, kind, started in zip(rows["id"], rows["name"], rows["kind"], rows["started"], strict=True)
    }


def kinds(table: pd.DataFrame) -> list[str]:
    """The kinds of runs there are."""
    return sorted(table["kind"].unique())


def stamp(settings: Settings, book: str = "runs") -> tuple[tuple[str, int, int], ...]:
    """Something that differs once a book was written to: "runs" or "schedule"; reading leaves it as it is."""
    seen = []
    for name in (f"{book}.sqlite", f"{book}.sqlite-wal"):
        try:
            state = (settings.qtw_storage_dir / name).stat()
        except OSError:
            continue
        if state.st_size:  # who only reads makes and removes an empty log
            seen.append((name, state.st_mtime_ns, state.st_size))
    return tuple(seen)


@dataclass(frozen=True)
class Record:
    """All that is on record of a run, ready to be shown.

    Parameters
    ----------
    run : Run
        As it stood.
    facts : Facts or None
        Its figures, if it recorded some.
    about, parameters, inputs : DataFrame
        Columns name and value: how it stands, what it was given, what it was made from.
    data : DataFrame
        Data read: fingerprint, symbols and source.
    cells : DataFrame
        Time by cell of a notebook: cell and seconds.
    files : DataFrame
        What lies in its folder: path, bytes and the beginning of the hash.
    """

    run: Run
    facts: Facts | None
    about: pd.DataFrame
    parameters: pd.DataFrame
    inputs: pd.DataFrame
    data: pd.DataFrame
    cells: pd.DataFrame
    files: pd.DataFrame


def record(lab: Lab, run: str) -> Record:
    """What is on record of the run with this id, or enough of its beginning.

    Raises
    ------
    DataError
        If there is no such run; near misses are named.
    """
    one = lab.registry.get(run)
    try:
        facts: Facts | None = one.facts()
    except (DataError, OSError):
        facts = None
    inputs = one.manifest.get("inputs") or {}
    timing = one.manifest.get("timing") or {}
    return Record(
        one, facts, _pairs(_about(one)), _pairs(parameters_of(one)), _pairs(_inputs(one.manifest, inputs)),
        pd.DataFrame(
            [(use["fingerprint"], ", ".join(use["symbols"]), use["source"]) for use in inputs.get("data") or ()],
            columns=["fingerprint", "symbols", "source"],
        ),
        pd.DataFrame([(one["cell"], one["seconds"]) for one in timing.get("cells") or ()], columns=["cell", "seconds"]),
        _files(one),
    )  # fmt: skip


def parameters_of(run: Run) -> dict[str, str]:
    """What a run was given, in words."""
    return {name: _words(value) for name, value in run.parameters.items() if name != _RECIPE}


def _about(run: Run) -> dict[str, str]:
    leaks = run.manifest.get("outputs", {}).get("leaks") or ()
    said = run.manifest.get("run", {})
    found = {
        "id": run.id, "kind": run.kind, "name": run.name, "status": run.status, "error": run.error,
        "failed_cell": said.get("failed_cell"), "replay_of": said.get("replay_of"),
        "started": f"{run.started:%Y-%m-%d %H:%M:%S} UTC",
        "finished": run.finished and f"{run.finished:%Y-%m-%d %H:%M:%S} UTC",
        "seconds": run.seconds and f"{run.seconds:,.2f}",
        "leaks": ", ".join(sorted({f"{leak['name']} ({leak['file']})" for leak in leaks})),
        "pruned": run.pruned and f"{run.pruned:%Y-%m-%d %H:%M:%S} UTC",
        "folder": run.folder,
    }  # fmt: skip
    return {name: str(value) for name, value in found.items() if value not in (None, "")}


def _inputs(manifest: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, str]:
    notebook, package = inputs.get("notebook") or {}, inputs.get("package") or {}
    environment = inputs.get("environment") or {}
    found = {
        "fingerprint": manifest.get("fingerprint"),
        "notebook": notebook.get("path"), "notebook_sha256": notebook.get("sha256"), "kernel": notebook.get("kernel"),
        "package": package.get("version"), "package_sha256": package.get("sha256"), "python": inputs.get("python"),
        "platform": inputs.get("platform"), "lock_sha256": environment.get("lock_sha256"),
        "seeds": _words(inputs["seeds"]) if inputs.get("seeds") else None, **environment.get("versions", {}),
    }  # fmt: skip
    return {name: str(value) for name, value in found.items() if value}


def _files(run: Run) -> pd.DataFrame:
    listed = run.manifest.get("outputs", {}).get("files") or ()
    rows = [(one["path"], one["bytes"], one["sha256"][:16]) for one in listed]
    return pd.DataFrame(rows, columns=["path", "bytes", "sha256"])


def _pairs(values: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(list(values.items()), columns=["name", "value"], dtype=object)


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _searched(row: Any) -> str:
    given = {name: value for name, value in row.parameters.items() if name != _RECIPE}
    return f"{row.id} {row.kind} {row.name} {row.error or ''} {json.dumps(given, ensure_ascii=False)}".casefold()
