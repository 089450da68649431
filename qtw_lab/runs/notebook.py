"""Executing a notebook with papermill so that a recorded, reproducible run is left behind."""

from __future__ import annotations

import contextlib
import json
import logging
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from qtw_lab.core.clock import Clock
from qtw_lab.core.errors import RunError
from qtw_lab.core.extras import need
from qtw_lab.core.files import write_text
from qtw_lab.runs.engine import Pulse, Pulses, registered
from qtw_lab.runs.eventloop import with_own_loop
from qtw_lab.runs.latest import point_to
from qtw_lab.runs.manifest import compose, write_manifest
from qtw_lab.runs.outlet import Progress, Sheet
from qtw_lab.runs.parameters import RUN_FOLDER
from qtw_lab.runs.preparing import Options, Plan, prepared
from qtw_lab.runs.process import Process, start_of
from qtw_lab.runs.registry import Registry
from qtw_lab.runs.results import data_used, facts_of
from qtw_lab.runs.run import KERNEL_FILE, NOTEBOOK_FILE, SOURCE_FILE, DataUse, Run
from qtw_lab.runs.secrecy import LEAKED, Leak, spelled
from qtw_lab.runs.sweeping import sweep

__all__ = ["NotebookError", "Pulse", "Watching", "carry_out", "execute"]

_EXTRA: Final = "dashboards"
_LONGEST_MESSAGE: Final = 2_000


class NotebookError(RunError):
    """A notebook run failed; `run` is its record."""

    def __init__(self, message: str, run: Run) -> None:
        super().__init__(message)
        self.run = run


@dataclass(frozen=True)
class Watching:
    """Who is told how far a run is.

    Parameters
    ----------
    progress : callable, optional
        Called after every cell with how many are done and how many there are.
    pulse : callable, optional
        Called with a `Pulse` once the kernel lives, and as each cell starts and ends.
    """

    progress: Progress | None = None
    pulse: Pulses | None = None


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


def execute(  # noqa: PLR0913  (two more than ten: who is told, and how)
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
    pulse: Pulses | None = None,
) -> Run:
    """Execute a notebook in a new kernel and record the run.

    The run gets a folder ``<root>/<id>-<name>/`` with the executed copy (replaced after every cell), the notebook as it
    was given without outputs (``source.ipynb``), ``manifest.json``, and ``facts.json`` with every `Facts` the notebook
    displayed. A notebook whose parameters cell has a ``run_folder`` is told that folder and may leave files there:
    ``facts.json``, ``data.json`` (see `write_data`), ``report.html`` and others. The kernel works in the notebook's own
    folder, as Jupyter would have it.

    A secret is passed as ``env:NAME``; the notebook reads it with `qtw_lab.core.settings.secret_from_reference`. Its
    value, and that of any variable of this process whose name looks like one, may not come out: where it does, it is
    masked in all files of the folder, and the run fails.

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
    pulse : callable, optional
        Called with a `Pulse` once the kernel lives (its process number is in it), and as each cell starts and ends.

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
    options = Options(timeout, kernel, name, environment_lock)
    plan = prepared(Path(notebook), parameters or {}, registry.known_secrets(), options)
    return carry_out(plan, root, registry, clock, Watching(progress, pulse))


def carry_out(plan: Plan, root: Path, registry: Registry, clock: Clock, watching: Watching | None = None) -> Run:
    """Execute what was planned and record the run; see `execute`.

    Raises
    ------
    SetupError
        If the folder cannot be written.
    NotebookError
        If the notebook failed.
    """
    root = Path(root).resolve()
    run = registry.begin("notebook", plan.name, plan.inputs.parameters, root=root)
    job = _Job(run, plan, registry, clock, watching or Watching())
    try:
        write_text(job.folder / SOURCE_FILE, plan.source)
        write_manifest(job.folder, compose(run, plan.inputs, plan.execution))
        outcome = job.perform() or job.close()
        if isinstance(outcome, Run):
            point_to(outcome, root)
            return outcome
    except BaseException as err:
        # Whatever stops us, an interrupt included, the record must not stay "running".
        job.give_up(Failure(type(err).__name__, plan.redactor.text(str(err))))
        raise
    raise job.give_up(outcome)


class _Job:
    """One run on its way from begun to ended."""

    def __init__(self, run: Run, plan: Plan, registry: Registry, clock: Clock, watching: Watching) -> None:
        if run.folder is None:
            raise RunError(f"Run {run.id} has no folder to execute a notebook in.")
        self.run, self.plan, self.registry, self.clock = run, plan, registry, clock
        self.folder, self.tell = run.folder, watching.pulse
        self.sheet = Sheet(plan.inputs.notebook, self.folder / NOTEBOOK_FILE, plan.redactor, watching.progress)
        self.spilled: dict[Leak, None] = {}
        self.ended = False

    def perform(self) -> Failure | None:
        """Execute every cell; a failure is returned, not raised, so that no traceback carries what it says unmasked."""
        import papermill
        from nbclient.exceptions import CellTimeoutError, DeadKernelError
        from papermill.exceptions import PapermillException, PapermillExecutionError

        # At level DEBUG it logs every message of the kernel, before anything in it is masked.
        papermill_log = logging.getLogger("papermill")
        papermill_log.setLevel(max(logging.INFO, papermill_log.level))
        given = {**self.plan.passed, **({RUN_FOLDER: str(self.folder)} if self.plan.wants_folder else {})}
        seconds = self.plan.execution.timeout
        try:
            with_own_loop(
                lambda: papermill.execute_notebook(
                    need("nbformat", _EXTRA).v4.reads(self.plan.source),
                    None,  # the engine hands what there is to write to the sheet
                    parameters=given,
                    engine_name=registered(papermill),
                    kernel_name=self.plan.kernel,
                    language="python",
                    progress_bar=False,
                    sheet=self.sheet,
                    pulse=self._felt,
                    execution_timeout=seconds,
                    client={
                        # the kernel's own log is about sockets and signals; what a cell says is in the notebook
                        "extra_arguments": ["--IPKernelApp.log_level=50"],
                        # papermill's own cwd= would move the whole process, other threads included
                        "resources": {"metadata": {"path": self.plan.execution.folder}},
                    },
                )
            )
        except PapermillExecutionError as err:
            self.sheet.current = err.cell_index
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
            (self.folder / KERNEL_FILE).unlink(missing_ok=True)
        return None

    def close(self) -> Run | Failure:
        """Collect the results of a run that went through; what the notebook handed over may still fail it."""
        if leaks := self._leaks():
            return Failure(LEAKED, spelled(leaks))
        try:
            facts_of(self.folder, self.sheet.read(), self.plan.name)
            data = data_used(self.folder)
        except RunError as err:
            return self._failure("RunError", str(err))
        good = replace(self.run, status="ok", finished=self.clock.now())
        inputs = replace(self.plan.inputs, data=data)
        manifest = self.plan.redactor.tree(compose(good, inputs, self.plan.execution, cells=self.sheet.times()))
        write_manifest(self.folder, manifest)
        done = self.registry.succeed(good, manifest, data)
        self.ended = True
        return done

    def give_up(self, failure: Failure) -> RunError:
        """Record the failure in the copy, the manifest and the registry, and return the error to raise."""
        reason = failure.sentence
        if self.ended:
            return RunError(reason)
        cell = self.sheet.stopped_at()
        bad = replace(self.run, status="failed", finished=self.clock.now(), error=reason)
        manifest: Mapping[str, Any] = self.run.manifest
        try:
            leaks = self._leaks()
            if leaks and failure.error == LEAKED:
                cell = next((leak.cell for leak in leaks if leak.cell is not None), cell)
            elif leaks:
                reason = f"{reason}; {LEAKED}: {spelled(leaks)}"
            bad = replace(bad, error=reason)
            self.sheet.fail(reason)
            inputs = replace(self.plan.inputs, data=self._data_if_readable())
            whole = compose(bad, inputs, self.plan.execution, cells=self.sheet.times(), leaks=leaks, failed_cell=cell)
            manifest = self.plan.redactor.tree(whole)
            write_manifest(self.folder, manifest)
        finally:
            self.registry.fail(bad, reason, manifest)
        where = f"in cell {cell}" if cell is not None else "before its first cell"
        kept = f" The notebook up to there is {self.sheet.target}." if self.sheet.target.exists() else ""
        message = f"{self.plan.inputs.notebook} failed {where} with {reason} (run {self.run.id}).{kept}"
        return NotebookError(message, self.registry.get(self.run.id))

    def _felt(self, pulse: Pulse) -> None:
        """Leave word of the kernel for whoever finds this run without its process, and pass the sign of life on."""
        if pulse.kind == "kernel" and pulse.kernel is not None:
            kernel = Process(platform.node(), pulse.kernel, start_of(pulse.kernel) or "")
            write_text(self.folder / KERNEL_FILE, json.dumps(asdict(kernel)))
        if self.tell is not None:
            self.tell(pulse)

    def _failure(self, error: str, message: str) -> Failure:
        return Failure(error, self.plan.redactor.text(message))

    def _leaks(self) -> tuple[Leak, ...]:
        """Every secret that came out, after the folder was swept of them."""
        found = (leak for spill in sweep(self.folder, self.plan.redactor) for leak in spill.leaks)
        self.spilled |= dict.fromkeys(found)
        return (*self.sheet.leaks, *self.spilled)

    def _data_if_readable(self) -> tuple[DataUse, ...]:
        with contextlib.suppress(RunError):
            return data_used(self.folder)
        return ()
