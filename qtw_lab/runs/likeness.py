"""Two executions of one notebook compared: where their outputs and files differ, once what must differ is taken out.

Taken out is no more than this: the run's folder and id; memory addresses (``at 0x7f..``); the temporary files IPython
names in warnings; the lines of ``%time``; and in HTML, scripts, SVG and Bokeh documents also the ids that Bokeh and
ipywidgets draw by chance, which are numbered in the order they come. Execution counts and times of cells stand beside
the outputs and are not looked at. Pictures are compared by their bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from qtw_lab.core.facts import MEDIA_TYPE
from qtw_lab.runs.marking import own_cells
from qtw_lab.runs.run import DATA_FILE, FACTS_FILE, MANIFEST_FILE, NOTEBOOK_FILE, SOURCE_FILE, Run

_EXCERPT: Final = 60
_BEFORE: Final = 15

#: Files that are compared as what they hold, not as files.
_KNOWN: Final = frozenset({NOTEBOOK_FILE, SOURCE_FILE, MANIFEST_FILE, FACTS_FILE, DATA_FILE})

_ALWAYS: Final = (
    (re.compile(r"\bat 0x[0-9a-fA-F]{6,}"), "at 0x..."),
    (re.compile(r"\bipykernel_\d+[/\\]\d+\.py"), "<cell>"),
    (re.compile(r"^(CPU times: user|Wall time:|CPU times: total).*$", re.MULTILINE), r"\1 ..."),
)
_DRAWN: Final = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"  # UUIDs
    r"|(?<=IPY_MODEL_)[0-9a-f]{32}\b|(?<=\"model_id\": \")[0-9a-f]{32}\b"  # models of ipywidgets
)
_LABELS: Final = {"text/plain": "text output", "text/html": "HTML output", MEDIA_TYPE: "figures"}
_RICH: Final = ("html", "javascript", "svg", "bokeh", "jupyter.widget")
_RICH_FILES: Final = (".html", ".svg", ".js")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not what it was.

    Parameters
    ----------
    what : str
        "status", "input", "figure", "cell" or "file".
    name : str
        Which one.
    old, new : str
        What it was and is, cut short where it is long.
    cell : int or None
        The cell's number in the notebook as it was given, from 1.
    """

    what: str
    name: str
    old: str
    new: str
    cell: int | None = None


def cells_apart(old: tuple[Run, Mapping[str, Any]], new: tuple[Run, Mapping[str, Any]]) -> tuple[Difference, ...]:
    """The cells whose outputs differ, each with its first output that does.

    Parameters
    ----------
    old, new : tuple of Run and mapping
        Two runs of one notebook, and their executed copies as JSON.
    """
    found = []
    pairs: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]] = zip_longest(
        own_cells(old[1]), own_cells(new[1]), fillvalue={}
    )
    for number, (before, after) in enumerate(pairs, start=1):
        if before.get("outputs") == after.get("outputs"):
            continue  # the usual case, and the quick one
        outputs = zip_longest(_outputs(before, old[0]), _outputs(after, new[0]), fillvalue=("nothing", ""))
        for one, other in outputs:
            if one != other:
                label = one[0] if one[0] != "nothing" else other[0]
                found.append(Difference("cell", f"cell {number} ({label})", *_excerpts(one[1], other[1]), number))
                break
    return tuple(found)


def files_apart(old: Run, new: Run) -> tuple[Difference, ...]:
    """The files that only one of the runs left, or whose contents differ; those with a meaning of their own aside."""
    before, after = _files(old), _files(new)
    found = []
    for path in sorted(before | after):
        if path not in before or path not in after:
            there = ("there", "missing") if path in before else ("missing", "there")
            found.append(Difference("file", path, *there))
        elif before[path] != after[path]:
            one, other = _text(old, path), _text(new, path)
            if one is None or other is None:
                hashes = (f"sha256 {before[path][:12]}", f"sha256 {after[path][:12]}")
                found.append(Difference("file", path, *hashes))
            elif one != other:
                found.append(Difference("file", path, *_excerpts(one, other)))
    return tuple(found)


def normal(text: str, run: Run, *, rich: bool) -> str:
    """A text of a run without what must differ in another.

    Examples
    --------
    >>> import pandas as pd
    >>> now = pd.Timestamp("2024-01-02", tz="UTC")
    >>> run = Run("20240102T0-ab", "notebook", "a", "ok", now, now, Path("/r/20240102T0-ab-a"), {})
    >>> normal("<object at 0x7f3a12345678> in /r/20240102T0-ab-a/x", run, rich=False)
    '<object at 0x...> in <run folder>/x'
    """
    if run.folder is not None:
        for folder in (str(run.folder), run.folder.name):
            text = text.replace(folder, "<run folder>")
    text = text.replace(run.id, "<run>")
    for pattern, instead in _ALWAYS:
        text = pattern.sub(instead, text)
    if not rich:
        return text
    numbers: dict[str, int] = {}
    return _DRAWN.sub(lambda found: f"<id {numbers.setdefault(found[0], len(numbers) + 1)}>", text)


def _outputs(cell: Mapping[str, Any], run: Run) -> Iterator[tuple[str, str]]:
    """What a cell gave out, part by part: a label, and the text without what must differ."""
    for output in cell.get("outputs", ()):
        if output["output_type"] == "stream":
            yield output["name"], normal(_joined(output["text"]), run, rich=False)
        elif output["output_type"] == "error":
            said = "\n".join([f"{output['ename']}: {output['evalue']}", *output["traceback"]])
            yield "error", normal(said, run, rich=False)
        else:
            for kind, content in sorted(output["data"].items()):
                yield _part(kind, content, run)


def _part(kind: str, content: Any, run: Run) -> tuple[str, str]:
    text = _joined(content)
    if kind.startswith("image/") and "svg" not in kind:
        pixels = "".join(text.split())
        return "image", f"sha256 {hashlib.sha256(pixels.encode()).hexdigest()[:12]}"
    return _LABELS.get(kind, kind), normal(text, run, rich=any(word in kind for word in _RICH))


def _joined(content: Any) -> str:
    """Text, lines of text or JSON as one text."""
    if isinstance(content, list) and all(isinstance(line, str) for line in content):
        return "".join(content)
    return content if isinstance(content, str) else json.dumps(content, sort_keys=True, ensure_ascii=False)


def _excerpts(old: str, new: str) -> tuple[str, str]:
    """Both texts from just before the place where they part."""
    apart = next((place for place, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), None)
    start = max(0, (min(len(old), len(new)) if apart is None else apart) - _BEFORE)
    return _excerpt(old, start), _excerpt(new, start)


def _excerpt(text: str, start: int) -> str:
    part = " ".join(text[start : start + _EXCERPT].split())
    return f"{'... ' if start and part else ''}{part}{' ...' if start + _EXCERPT < len(text) else ''}" or "nothing"


def _files(run: Run) -> dict[str, str]:
    """SHA-256 by path of the files a run left."""
    entries = run.manifest.get("outputs", {}).get("files", ())
    return {entry["path"]: entry["sha256"] for entry in entries if entry["path"] not in _KNOWN}


def _text(run: Run, path: str) -> str | None:
    """A text file without what must differ; None if it is none, or is gone."""
    try:
        text = (Path(run.folder or "") / path).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return None if "\0" in text else normal(text, run, rich=path.endswith(_RICH_FILES))
