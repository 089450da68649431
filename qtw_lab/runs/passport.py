"""What a notebook run was made from, read from its record alone, and how two such records differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtw_lab.core.errors import DataError
from qtw_lab.runs.likeness import Difference
from qtw_lab.runs.manifest import sha256_of
from qtw_lab.runs.preparing import Origin, source_sha256
from qtw_lab.runs.run import SOURCE_FILE, Run


@dataclass(frozen=True)
class Passport:
    """All it takes to execute a notebook run again.

    Parameters
    ----------
    source : pathlib.Path
        The notebook as it was executed, in the run's folder.
    parameters : mapping
        What was passed; the others are the notebook's own defaults.
    kernel : str
        What executed it.
    timeout : int or None
        Seconds that any one cell could take.
    origin : Origin
        Where the notebook lay; where its folder is gone, the run's own folder.
    """

    source: Path
    parameters: Mapping[str, Any]
    kernel: str
    timeout: int | None
    origin: Origin

    @classmethod
    def of(cls, run: Run) -> Passport:
        """That of a recorded run.

        Raises
        ------
        DataError
            If the run is of another kind, still runs, or its files are gone or were changed.
        """
        folder, execution = _folder(run), run.manifest.get("execution")
        source = folder / SOURCE_FILE
        recorded = (run.manifest.get("inputs", {}).get("notebook") or {}).get("sha256")
        if not execution or recorded is None:
            raise DataError(
                f"Run {run.id} was recorded by an older version, or ended before it began, without what would execute "
                "it again. Run the notebook once more and use the new id."
            )
        if not source.is_file() or sha256_of(source) != recorded:
            raise DataError(
                f"{SOURCE_FILE} in {folder} is missing or was changed after the run, so it cannot be executed again as "
                "it was. Restore it, or run the notebook once more."
            )
        place = Path(execution["folder"])
        return cls(
            source=source,
            parameters={name: run.parameters[name] for name in execution["passed"]},
            kernel=run.manifest["inputs"]["notebook"]["kernel"],
            timeout=execution["timeout"],
            origin=Origin(
                place if place.is_dir() else folder,
                execution["file"],
                run.manifest["inputs"]["notebook"]["path"],
                run.id,
            ),
        )


def inputs_apart(old: Run, new: Run) -> tuple[Difference, ...]:
    """What differs of that which two runs were made from, and whether the notebook's own file is no longer the same."""
    before, after = (dict(_flat(run.manifest.get("inputs", {}))) for run in (old, new))
    found = [
        Difference("input", name, before.get(name, "none"), after.get(name, "none"))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
    return (*found, *_file_since(old))


def _folder(run: Run) -> Path:
    if run.kind != "notebook":
        raise DataError(
            f"Run {run.id} is a {run.kind}, not a notebook that was executed. A recorded backtest or sweep is made "
            f"again, and judged, by `qtw validate {run.id}`."
        )
    if run.status == "running":
        raise DataError(f"Run {run.id} is still running. Wait for its end.")
    if run.folder is None or not run.folder.is_dir():
        raise DataError(
            f"The files of run {run.id} are gone{'' if run.pruned is None else ', removed to make room'}; a run is "
            "executed again from them. `qtw runs list --status ok` shows newer ones."
        )
    return run.folder


def _file_since(run: Run) -> Iterator[Difference]:
    """Whether the notebook's own file is still what was executed."""
    execution, recorded = run.manifest["execution"], run.manifest["inputs"]["notebook"]["sha256"]
    try:
        now = source_sha256(Path(execution["folder"]) / execution["file"])
    except DataError:
        now = "gone"
    if now != recorded:
        yield Difference("input", "notebook file since the run", recorded, now)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every single input by a dotted name, as text; data by where it came from and what it holds."""
    if name == "data":
        for place, use in enumerate(value, start=1):
            head = f"data {place} ({use['source']} {','.join(use['symbols'])[:40]})"
            yield head, use["fingerprint"]
            yield from ((f"{head} {ref['symbol']} {ref['timeframe']}", ref["content"]) for ref in use["series"])
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            inner = re.sub(r"^environment\.versions\.", "", f"{name}.{key}" if name else str(key))
            yield from _flat(entry, inner)
    else:
        yield name, str(value)
