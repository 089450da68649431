"""Everything decided about a run of a notebook before a kernel is started, and refused where it does not fit."""

from __future__ import annotations

import hashlib
import json
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qtw_lab.core.errors import DataError, SetupError
from qtw_lab.core.extras import need
from qtw_lab.runs.manifest import Execution, Inputs, project_path, sha256_of
from qtw_lab.runs.parameters import (
    RUN_FOLDER,
    Declared,
    checked,
    declared_parameters,
    listed,
    references,
    refuse_unfit,
)
from qtw_lab.runs.secrecy import Redactor, redactor_for

_EXTRA: Final = "dashboards"

#: What an execution leaves in a notebook beside its outputs.
_TRACES: Final = ("execution", "papermill", "widgets")


@dataclass(frozen=True)
class Origin:
    """Where a notebook comes from that is executed from a copy.

    Parameters
    ----------
    folder : pathlib.Path
        Where the kernel works.
    file : str
        Name of the notebook there.
    shown : str
        Its path within its project.
    replay_of : str
        The run whose copy it is.
    """

    folder: Path
    file: str
    shown: str
    replay_of: str

    @classmethod
    def of(cls, notebook: Path) -> Origin:
        """That of a notebook which is executed where it lies."""
        return cls(notebook.resolve().parent, notebook.name, project_path(notebook), "")


@dataclass(frozen=True)
class Options:
    """What a caller may choose beside the parameters; None means the usual.

    Parameters
    ----------
    timeout : float, optional
        Seconds any one cell may take.
    kernel, name : str, optional
        What executes it, and what the run is called.
    lock : pathlib.Path, optional
        The file that pins the environment.
    origin : Origin, optional
        Where the notebook comes from, if not from where it lies.
    """

    timeout: float | None = None
    kernel: str | None = None
    name: str | None = None
    lock: Path | None = None
    origin: Origin | None = None


@dataclass(frozen=True)
class Plan:
    """Everything decided about a run before it starts.

    Parameters
    ----------
    source : str
        The notebook as text, in the current notebook format and without outputs.
    name, kernel : str
        What the run is called, and which kernel executes it.
    passed : mapping
        Parameters to inject.
    wants_folder : bool
        Whether the notebook asks for its ``run_folder``.
    redactor : Redactor
        Secrets to keep out.
    inputs : Inputs
        For the manifest.
    execution : Execution
        For the manifest too: where the kernel works, and how long a cell may take.
    """

    source: str
    name: str
    kernel: str
    passed: Mapping[str, Any]
    wants_folder: bool
    redactor: Redactor
    inputs: Inputs
    execution: Execution


def prepared(
    notebook: Path, parameters: Mapping[str, Any], ambient: Mapping[str, str], options: Options | None = None
) -> Plan:
    """The plan of a run; everything is checked that can be checked before a kernel is started.

    Parameters
    ----------
    notebook : pathlib.Path
        The notebook.
    parameters : mapping
        What is passed to it.
    ambient : mapping of str to str
        Secrets that may come out.
    options : Options, optional
        What else was chosen.

    Raises
    ------
    DataError
        No such notebook, not Python, unknown or ill-typed parameters, a secret by value in a parameter or a cell.
    SetupError
        The kernel or a referenced variable is missing.
    """
    chosen = options or Options()
    origin = chosen.origin or Origin.of(notebook)
    node = _load(notebook)
    declared = _declared(node, origin.file)
    passed = listed(checked(parameters, ambient), declared)
    refuse_unfit(passed, declared, origin.file)
    whole = {**_defaults(declared, ambient, origin.file), **passed}
    if chosen.lock is not None and not chosen.lock.is_file():
        raise DataError(
            f"There is no environment lock {chosen.lock}; give the file that pins the environment, or None."
        )
    redactor = redactor_for(references(whole), ambient)
    _refuse_secrets(node, redactor, origin.file)
    kernel, source = _kernel(node, chosen.kernel), _written(node)
    slug = re.sub(r"[^\w.+-]+", "-", chosen.name or notebook.stem).strip("-.+")[:60]
    return Plan(
        source=source,
        name=slug or "notebook",
        kernel=kernel,
        passed=passed,
        wants_folder=RUN_FOLDER in declared,
        redactor=redactor,
        inputs=Inputs(
            parameters=whole,
            notebook=origin.shown,
            notebook_sha256=hashlib.sha256(source.encode()).hexdigest(),
            lock_sha256=None if chosen.lock is None else sha256_of(chosen.lock),
            kernel=kernel,
        ),
        execution=Execution(
            str(origin.folder), origin.file, _whole_seconds(chosen.timeout), tuple(passed), origin.replay_of or None
        ),
    )


def declared_by(notebook: Path) -> dict[str, Declared]:
    """The parameters that a notebook declares, by name.

    Raises
    ------
    DataError
        If there is no such notebook, or its parameters cell cannot be read.
    """
    return _declared(_load(notebook), notebook.name)


def source_sha256(notebook: Path) -> str:
    """SHA-256 of a notebook without its outputs, as a run of it would record.

    Raises
    ------
    DataError
        If there is no such notebook.
    """
    return hashlib.sha256(_written(_load(notebook)).encode()).hexdigest()


def _load(notebook: Path) -> Any:
    """The notebook in the current format, without outputs."""
    nbformat = need("nbformat", _EXTRA)
    if not notebook.is_file():
        raise DataError(f"There is no notebook {notebook}. Check the path; ours lie in the folder notebooks/.")
    try:
        text = notebook.read_text("utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old notebooks lack cell ids; nbformat adds them and says so
            node = nbformat.reads(text, as_version=4)
            node = nbformat.v4.upgrade(node)
            nbformat.validate(node)
        _strip(node, {cell.get("id") for cell in json.loads(text).get("cells", ())})
    except (ValueError, KeyError, TypeError, AttributeError, nbformat.ValidationError) as err:
        raise DataError(
            f"{notebook} is not a notebook that can be read ({type(err).__name__}: {str(err).splitlines()[0][:200]}). "
            "Open and save it in JupyterLab, or restore it."
        ) from err
    spec, info = node.metadata.get("kernelspec", {}), node.metadata.get("language_info", {})
    language = str(spec.get("language") or info.get("name") or "python")
    if not language.lower().startswith(("python", "ipython")):
        raise DataError(f"{notebook} is written in {language}; only Python notebooks are run.")
    return node


def _strip(node: Any, ids: set[str | None]) -> None:
    """Leave of a notebook what two people who wrote the same would have: no outputs, no counts, no ids by chance."""
    for place, cell in enumerate(node.cells, start=1):
        if cell.id not in ids:
            cell.id = f"cell-{place}"
        for trace in _TRACES:
            cell.metadata.pop(trace, None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    for trace in _TRACES:
        node.metadata.pop(trace, None)


def _written(node: Any) -> str:
    return f"{need('nbformat', _EXTRA).v4.writes(node)}\n"


def _refuse_secrets(node: Any, redactor: Redactor, shown: str) -> None:
    for place, cell in enumerate(node.cells, start=1):
        for name in redactor.names(cell):
            raise DataError(
                f"Cell {place} of {shown} contains the value of {name}, a secret, and cells are copied into every run. "
                f"Take it out and let a parameter pass env:{name}."
            )


def _declared(node: Any, shown: str) -> dict[str, Declared]:
    cells = [cell for cell in node.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) > 1:
        raise DataError(f"{shown} has {len(cells)} cells tagged 'parameters'; leave the tag on one.")
    try:
        return declared_parameters(cells[0].source) if cells else {}
    except DataError as err:
        raise DataError(f"{shown}: {err}") from err


def _defaults(declared: Mapping[str, Declared], ambient: Mapping[str, str], shown: str) -> dict[str, Any]:
    """The defaults that are plain values, with secrets among them refused: they would be copied into every run."""
    literal = {p.name: p.value for p in declared.values() if p.name != RUN_FOLDER and (p.kind or p.default == "None")}
    try:
        return checked(literal, ambient)
    except DataError as err:
        raise DataError(f"In the parameters cell of {shown}: {err}") from err


def _kernel(node: Any, wanted: str | None) -> str:
    """The name of an installed kernel."""
    specs = need("jupyter_client.kernelspec", _EXTRA)
    name = str(wanted or node.metadata.get("kernelspec", {}).get("name") or "python3")
    manager = specs.KernelSpecManager()
    try:
        manager.get_kernel_spec(name)
    except specs.NoSuchKernel as err:
        known = ", ".join(sorted(manager.find_kernel_specs())) or "none at all"
        raise SetupError(
            f"There is no Jupyter kernel {name!r} here; there is {known}. Choose one with kernel=..."
        ) from err
    return name


def _whole_seconds(timeout: float | None) -> int | None:
    if timeout is None:
        return None
    if not (math.isfinite(timeout) and timeout > 0):
        raise DataError(f"timeout={timeout!r} must be a number of seconds above 0, or None for no limit.")
    return math.ceil(timeout)
