"""Executing a notebook with papermill so that a recorded, reproducible run is left behind."""

from __future__ import annotations

import contextlib
import logging
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from qtw_lab.core.clock import Clock
from qtw_lab.core.errors import DataError, RunError, SetupError
from qtw_lab.core.extras import need
from qtw_lab.runs.eventloop import with_own_loop
from qtw_lab.runs.latest import point_to
from qtw_lab.runs.manifest import Inputs, compose, project_path, sha256_of, write_manifest
from qtw_lab.runs.outlet import OUTLET, Progress, Sheet
from qtw_lab.runs.parameters import (
    RUN_FOLDER,
    Declared,
    checked,
    declared_parameters,
    listed,
    references,
    refuse_unfit,
)
from qtw_lab.runs.registry import Registry
from qtw_lab.runs.results import data_used, facts_of
from qtw_lab.runs.run import NOTEBOOK_FILE, DataUse, Run
from qtw_lab.runs.secrecy import Redactor, redactor_for

_EXTRA: Final = "dashboards"
_LONGEST_MESSAGE: Final = 2_000


class NotebookError(RunError):
    """A notebook run failed; `run` is its record."""

    def __init__(self, message: str, run: Run) -> None:
        super().__init__(message)
        self.run = run


@dataclass(frozen=True)
class Plan:
    """Everything decided about a run before it starts.

    Parameters
    ----------
    source : str
        The notebook as text, in the current notebook format.
    name, kernel : str
        What the run is called, and which kernel executes it.
    folder : pathlib.Path
        Where the kernel works: the notebook's own folder.
    passed : mapping
        Parameters to inject.
    wants_folder : bool
        Whether the notebook asks for its ``run_folder``.
    redactor : Redactor
        Secrets to keep out.
    inputs : Inputs
        For the manifest.
    """

    source: str
    name: str
    kernel: str
    folder: Path
    passed: Mapping[str, Any]
    wants_folder: bool
    redactor: Redactor
    inputs: Inputs


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a notebook stopped."""

    error: str
    message: str

    @property
    def sentence(self) -> str:
        """Error name and message in one line of bounded length."""
        text = f"{self.error}: {self.message}" if self.message else self.error
        return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]} ..."


def execute(
    notebook: Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    root: Path,
    registry: Registry,
    clock: Clock,
    timeout: float | None = None,
    kernel: str | None = None,
    name: str | None = None,
    progress: Progress | None = None,
    environment_lock: Path | None = None,
) -> Run:
    """Execute a notebook in a new kernel and record the run.

    The run gets a folder ``<root>/<id>-<name>/`` with the executed copy (replaced after every cell), ``manifest.json``,
    and ``facts.json`` with every `Facts` the notebook displayed. A notebook whose parameters cell has a ``run_folder``
    is told that folder and may leave files there: ``facts.json``, ``data.json`` (see `write_data`), ``report.html`` and
    others. The kernel works in the notebook's own folder, as Jupyter would have it.

    A secret is passed as ``env:NAME``; the notebook reads it with `qtw_lab.core.settings.secret_from_reference`. Its
    value, and that of any variable of this process whose name looks like one, is masked in all files of the folder.

    Parameters
    ----------
    notebook : pathlib.Path
        The notebook; its cell tagged ``parameters`` declares what can be passed.
    parameters : mapping, optional
        Values for it.
    root : pathlib.Path
        Folder of all runs. ``latest/<name>.json`` below it names the last good run.
    registry : Registry
        Where the run is recorded.
    clock : Clock
        Tells when the run ended.
    timeout : float, optional
        Seconds that any one cell may take (rounded up); no limit by default.
    kernel : str, optional
        Jupyter kernel; the notebook's own by default, else "python3".
    name : str, optional
        What the run is called; the notebook's file name by default.
    progress : callable, optional
        Called after every cell with how many are done and how many there are.
    environment_lock : pathlib.Path, optional
        The file that pins the environment; its hash is recorded.

    Returns
    -------
    Run
        With status "ok".

    Raises
    ------
    DataError
        Before anything is run: no such notebook, not Python, unknown or ill-typed parameters, a secret by value.
    SetupError
        papermill, the kernel or a referenced variable is missing, or the folder cannot be written.
    NotebookError
        A `RunError` naming the cell and the error; the run is recorded as failed and the last good one stays.
    """
    need("papermill", _EXTRA)
    plan = _plan(Path(notebook), parameters or {}, registry.known_secrets(), kernel, name, environment_lock)
    seconds = _whole_seconds(timeout)
    root = Path(root).resolve()
    run = registry.begin("notebook", plan.name, plan.inputs.parameters, root=root)
    job = _Job(run, plan, registry, clock, progress)
    try:
        write_manifest(job.folder, compose(run, plan.inputs))
        outcome = job.perform(seconds) or job.close()
        if isinstance(outcome, Run):
            point_to(outcome, root)
            return outcome
    except BaseException as err:
        # Whatever stops us, an interrupt included, the record must not stay "running".
        job.give_up(Failure(type(err).__name__, plan.redactor.text(str(err))))
        raise
    raise job.give_up(outcome)


def _plan(
    notebook: Path,
    parameters: Mapping[str, Any],
    ambient: Mapping[str, str],
    kernel: str | None,
    name: str | None,
    lock: Path | None,
) -> Plan:
    """Check everything that can be checked before a kernel is started."""
    node = _load(notebook)
    declared = _declared(node, notebook.name)
    passed = listed(checked(parameters, ambient), declared)
    refuse_unfit(passed, declared, notebook.name)
    defaults = _defaults(declared, ambient, notebook.name)
    whole = {**defaults, **passed}
    if lock is not None and not lock.is_file():
        raise DataError(f"There is no environment lock {lock}; give the file that pins the environment, or None.")
    chosen = _kernel(node, kernel)
    slug = re.sub(r"[^\w.+-]+", "-", name or notebook.stem).strip("-.+")[:60]
    return Plan(
        source=need("nbformat", _EXTRA).v4.writes(node),
        name=slug or "notebook",
        kernel=chosen,
        folder=notebook.resolve().parent,
        passed=passed,
        wants_folder=RUN_FOLDER in declared,
        redactor=redactor_for(references(whole), ambient),
        inputs=Inputs(
            parameters=whole,
            notebook=project_path(notebook),
            notebook_sha256=sha256_of(notebook),
            lock_sha256=None if lock is None else sha256_of(lock),
            kernel=chosen,
        ),
    )


def _load(notebook: Path) -> Any:
    """The notebook in the current format."""
    nbformat = need("nbformat", _EXTRA)
    if not notebook.is_file():
        raise DataError(f"There is no notebook {notebook}. Check the path; ours lie in the folder notebooks/.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old notebooks lack cell ids; nbformat adds them and says so
            node = nbformat.reads(notebook.read_text("utf-8"), as_version=4)
            node = nbformat.v4.upgrade(node)
            nbformat.validate(node)
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


class _Job:
    """One run on its way from begun to ended."""

    def __init__(self, run: Run, plan: Plan, registry: Registry, clock: Clock, progress: Progress | None) -> None:
        if run.folder is None:
            raise RunError(f"Run {run.id} has no folder to execute a notebook in.")
        self.run, self.plan, self.registry, self.clock = run, plan, registry, clock
        self.folder = run.folder
        self.sheet = Sheet(plan.source, plan.inputs.notebook, self.folder / NOTEBOOK_FILE, plan.redactor, progress)
        self.ended = False

    def perform(self, seconds: int | None) -> Failure | None:
        """Execute every cell; a failure is returned, not raised, so that no traceback carries what it says unmasked."""
        import papermill
        from nbclient.exceptions import CellTimeoutError, DeadKernelError
        from papermill.exceptions import PapermillException, PapermillExecutionError
        from papermill.iorw import papermill_io

        # At level DEBUG it logs every message of the kernel, before anything in it is masked.
        papermill_log = logging.getLogger("papermill")
        papermill_log.setLevel(max(logging.INFO, papermill_log.level))
        address = OUTLET.add(self.run.id, self.sheet, papermill_io)
        given = {**self.plan.passed, **({RUN_FOLDER: str(self.folder)} if self.plan.wants_folder else {})}
        try:
            with_own_loop(
                lambda: papermill.execute_notebook(
                    address,
                    address,
                    parameters=given,
                    kernel_name=self.plan.kernel,
                    language="python",
                    progress_bar=False,
                    execution_timeout=seconds,
                    # the kernel's own log is about sockets and signals; what goes wrong in a cell is in the notebook
                    extra_arguments=["--IPKernelApp.log_level=50"],
                    # papermill's own cwd= would move the whole process, other threads included
                    resources={"metadata": {"path": str(self.plan.folder)}},
                )
            )
        except PapermillExecutionError as err:
            return self._failure(err.ename, err.evalue)
        except CellTimeoutError:
            return self._failure("CellTimeoutError", f"the cell took longer than {seconds} s")
        except DeadKernelError:
            return self._failure(
                "DeadKernelError", "the kernel died while the cell ran (killed, crashed, or out of memory)"
            )
        except (PapermillException, RuntimeError, TimeoutError) as err:
            return self._failure(type(err).__name__, str(err))
        finally:
            OUTLET.remove(address)
        return None

    def close(self) -> Run | Failure:
        """Collect the results of a run that went through; what the notebook handed over may still fail it."""
        redacted = self._cleaned()
        try:
            self.sheet.own_up(failed=False)
            facts_of(self.folder, self.sheet.read(), self.plan.name)
            data = data_used(self.folder)
        except RunError as err:
            return self._failure("RunError", str(err))
        good = replace(self.run, status="ok", finished=self.clock.now())
        inputs = replace(self.plan.inputs, data=data)
        manifest = self.plan.redactor.tree(compose(good, inputs, cells=self.sheet.times(), redacted=redacted))
        write_manifest(self.folder, manifest)
        done = self.registry.succeed(good, manifest, data)
        self.ended = True
        return done

    def give_up(self, failure: Failure) -> RunError:
        """Record the failure in the copy, the manifest and the registry, and return the error to raise."""
        if self.ended:
            return RunError(failure.sentence)
        cell = self.sheet.stopped_at()
        bad = replace(self.run, status="failed", finished=self.clock.now(), error=failure.sentence)
        manifest: Mapping[str, Any] = self.run.manifest
        try:
            redacted = self._cleaned()
            self.sheet.own_up(failed=True)
            times = self.sheet.times() if self.sheet.target.exists() else ()
            inputs = replace(self.plan.inputs, data=self._data_if_readable())
            whole = compose(bad, inputs, cells=times, redacted=redacted, failed_cell=cell)
            manifest = self.plan.redactor.tree(whole)
            write_manifest(self.folder, manifest)
        finally:
            self.registry.fail(bad, failure.sentence, manifest)
        where = f"in cell {cell}" if cell is not None else "before its first cell"
        kept = f" The notebook up to there is {self.sheet.target}." if self.sheet.target.exists() else ""
        message = f"{self.plan.inputs.notebook} failed {where} with {failure.sentence} (run {self.run.id}).{kept}"
        return NotebookError(message, self.registry.get(self.run.id))

    def _failure(self, error: str, message: str) -> Failure:
        return Failure(error, self.plan.redactor.text(message))

    def _cleaned(self) -> tuple[str, ...]:
        others = self.plan.redactor.clean(self.folder)
        return (NOTEBOOK_FILE, *others) if self.sheet.masked else others

    def _data_if_readable(self) -> tuple[DataUse, ...]:
        with contextlib.suppress(RunError):
            return data_used(self.folder)
        return ()
