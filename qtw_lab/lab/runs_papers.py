"""What a run left to be read: its report, its executed notebook as a page, its files; read from its folder alone."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtw_lab.core import DataError
from qtw_lab.core.extras import need
from qtw_lab.runs.sweeping import files_below

if TYPE_CHECKING:
    from qtw_lab.runs import Run

#: nbconvert's page of a notebook without the scripts that it takes from other servers.
_TEMPLATE: Final = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock html_head_js -%}
{%- block html_head_js_mathjax -%}{%- endblock html_head_js_mathjax -%}
{%- block html_head_js_mermaidjs -%}{%- endblock html_head_js_mermaidjs -%}
"""


@dataclass(frozen=True)
class Paper:
    """Something to read.

    Parameters
    ----------
    name : str
        A file's name.
    kind : str
        Its media type.
    content : bytes
        What stands in it.
    """

    name: str
    kind: str
    content: bytes


def report_of(run: Run) -> Paper:
    """The report that a run wrote.

    Raises
    ------
    DataError
        If it wrote none, or its files are gone.
    """
    if run.report is None:
        raise DataError(f"Run {run.id} ({run.name}) has no report.{_gone(run)}")
    return Paper(f"{run.id}-report.html", "text/html; charset=utf-8", run.report.read_bytes())


def notebook_of(run: Run) -> Paper:
    """The executed notebook of a run as a page that asks nothing of the network.

    Raises
    ------
    DataError
        If there is none, its files are gone, or it cannot be read.
    SetupError
        If nbconvert is not installed.
    """
    if run.notebook is None:
        raise DataError(f"Run {run.id} ({run.name}) has no executed notebook.{_gone(run)}")
    formats = need("nbformat", "dashboards")
    exporters, loaders = need("nbconvert.exporters", "dashboards"), need("jinja2", "dashboards")
    try:
        notebook = formats.read(run.notebook, as_version=4)
    except (OSError, ValueError, formats.reader.NotJSONError) as err:
        raise DataError(f"The executed notebook of run {run.id} cannot be read: {err}") from err
    notebook.metadata.pop("widgets", None)  # they need scripts of another server, and a kernel to be of use
    exporter = exporters.HTMLExporter(extra_loaders=[loaders.DictLoader({"qtw": _TEMPLATE})], template_file="qtw")
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": f"{run.name}, run {run.id}"}})
    return Paper(f"{run.id}-notebook.html", "text/html; charset=utf-8", page.encode())


def file_of(run: Run, path: str) -> Paper:
    """One of the files in a run's folder.

    Parameters
    ----------
    run : Run
        Whose.
    path : str
        Its path within the folder, with forward slashes, as the manifest lists it.

    Raises
    ------
    DataError
        If there is no such file: what is not listed is not given, wherever the path leads.
    """
    listed = {} if run.folder is None else {one.relative_to(run.folder).as_posix(): one for one in _inside(run.folder)}
    if path not in listed:
        raise DataError(f"Run {run.id} ({run.name}) has no such file.{_gone(run)}")
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Paper(Path(path).name, kind, listed[path].read_bytes())


def _inside(folder: Path) -> list[Path]:
    """The files of a folder that really lie in it: what a link leads to elsewhere is not the run's."""
    home = folder.resolve()
    return [path for path in files_below(folder) if path.resolve().is_relative_to(home)]


def _gone(run: Run) -> str:
    return "" if run.pruned is None else f" Its files were removed {run.pruned:%Y-%m-%d %H:%M} UTC to make room."
