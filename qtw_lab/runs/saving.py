"""A hook for Jupyter's contents manager: no notebook is saved with a known secret in its outputs.

``make lab`` passes it as ``--ContentsManager.pre_save_hook=qtw_lab.runs.saving.masked``. Outputs are masked and the
save goes on: refusing it would leave the author's work unsaved at every autosave until the output is found and cleared,
and an output can be made again while a lost cell cannot. What was masked, and in which cell, stands in the server's
log. A secret in the source of a cell is the author's own text, which is saved as it is and named in the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from qtw_lab.core.errors import DataError
from qtw_lab.core.extras import need
from qtw_lab.core.settings import Settings
from qtw_lab.runs.secrecy import Leak, Redactor, ambient_secrets, spelled


def masked(model: dict[str, Any], path: str, contents_manager: Any, **_: Any) -> None:
    """Mask the outputs of a notebook that is about to be saved.

    Parameters
    ----------
    model : dict
        What Jupyter is about to save; changed in place.
    path : str
        Where.
    contents_manager : jupyter_server.services.contents.manager.ContentsManager
        Whose log is written to.
    **_
        What later versions may pass.

    Raises
    ------
    tornado.web.HTTPError
        If the notebook cannot be looked through: Jupyter would log any other error and save it unmasked.
    """
    try:
        notebook, as_text = _notebook(model, path)
        if notebook is None:
            return
        redactor = Redactor(_known(contents_manager.log))
        leaks = tuple(_mask_outputs(notebook, redactor))
        if leaks and as_text:
            model["content"] = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        if leaks:
            contents_manager.log.warning("Masked before %s was saved: %s.", path, spelled(leaks))
        typed = tuple(_in_sources(notebook, redactor))
        if typed:
            contents_manager.log.warning("In the source of a cell of %s: %s. Take it out.", path, spelled(typed))
    except Exception as err:  # noqa: BLE001  (whatever goes wrong here, the notebook must not be saved unmasked)
        fault = type(err).__name__
    else:
        return
    raise need("tornado.web", "dashboards").HTTPError(
        400, f"{path} was not saved: it could not be looked through for secrets ({fault}). Clear its outputs and save."
    )


def _notebook(model: Mapping[str, Any], path: str) -> tuple[dict[str, Any] | None, bool]:
    """The notebook in a model, and whether it is there as text, as from the text editor; None if there is none."""
    content = model.get("content")
    if model.get("type") == "notebook" and isinstance(content, dict):
        return content, False
    if not (path.endswith(".ipynb") and isinstance(content, str) and model.get("format") != "base64"):
        return None, False
    try:
        plain = json.loads(content)
    except ValueError:
        return None, True  # not a notebook yet, or no longer
    return (plain if isinstance(plain, dict) and isinstance(plain.get("cells"), list) else None), True


def _known(log: Any) -> dict[str, str]:
    """The secrets of this process's variables and of the settings."""
    try:
        settings = Settings.load().secrets()
    except DataError as err:
        log.warning("Secrets in .env are not masked: %s", err)
        settings = {}
    return ambient_secrets() | ambient_secrets(settings, any_name=True)


def _mask_outputs(notebook: dict[str, Any], redactor: Redactor) -> Iterator[Leak]:
    for place, cell in enumerate(notebook.get("cells", ()), start=1):
        if cell.get("outputs"):
            yield from (Leak(name, "outputs", place) for name in redactor.names(cell["outputs"]))
            cell["outputs"] = redactor.tree(cell["outputs"])
    widgets = notebook.get("metadata", {}).get("widgets")
    if widgets:
        yield from (Leak(name, "the states of widgets") for name in redactor.names(widgets))
        notebook["metadata"]["widgets"] = redactor.tree(widgets)


def _in_sources(notebook: Mapping[str, Any], redactor: Redactor) -> Iterator[Leak]:
    for place, cell in enumerate(notebook.get("cells", ()), start=1):
        yield from (Leak(name, "source", place) for name in redactor.names(_joined(cell.get("source", ""))))


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)
