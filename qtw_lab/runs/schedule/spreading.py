"""Attempts spread over other machines: sent out as errands, and entered in the registry whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any, Final, Protocol

import pandas as pd

from qtw_lab.core.errors import LabError, RunError
from qtw_lab.core.files import flush_folder
from qtw_lab.runs.manifest import fingerprint_of, write_manifest
from qtw_lab.runs.preparing import Options, prepared
from qtw_lab.runs.preparing import Plan as Prepared
from qtw_lab.runs.results import data_used
from qtw_lab.runs.run import Run
from qtw_lab.runs.schedule.entries import Entry
from qtw_lab.runs.schedule.errands import Errand, Outcome, unpack
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.settling import Records, fail, succeed
from qtw_lab.runs.secrecy import LEAKED, spelled
from qtw_lab.runs.sweeping import sweep

_BEAT: Final = pd.Timedelta(seconds=2)
#: How much longer than its own limit an errand may take, with waiting for a free worker and being begun anew.
_SLACK: Final = pd.Timedelta(hours=1)


class Promise(Protocol):
    """An outcome that is yet to come, such as a future of Dask."""

    def done(self) -> bool:
        """Whether it has come, or never will."""
        ...

    def result(self) -> Outcome:
        """The outcome; raises what kept it from coming."""
        ...

    def cancel(self) -> object:
        """Say that nobody waits for it."""
        ...


class SpreadPool:
    """Other machines.

    Parameters
    ----------
    records : Records
        Where everything is kept.
    submit : callable
        Sends an errand out.
    size : callable
        How many can be out at once, as things are.
    """

    def __init__(self, records: Records, submit: Callable[[Errand], Promise], size: Callable[[], int]) -> None:
        self._records, self._submit, self._size = records, submit, size

    def places(self) -> int:
        """How many attempts at once."""
        return self._size()

    def start(self, one: Occurrence) -> Out:
        """Begin the run of an attempt and send it out.

        Raises
        ------
        LabError
            If the notebook, its parameters or the cluster do not permit it.
        """
        entry = self._records.entry(one)
        registry = self._records.registry
        plan = prepared(entry.notebook, entry.parameters, registry.known_secrets(), Options(name=entry.name))
        run = registry.begin("notebook", plan.name, plan.inputs.parameters, root=self._records.root)
        self._records.agenda.note_run(one, run.id)
        try:
            promise = self._submit(Errand.of(entry, plan.source))
        except LabError as err:
            registry.bury_run(run.id, str(err))
            raise
        return Out(self._records, one, entry, plan, run, promise)


class Out:
    """An attempt that is out.

    Parameters
    ----------
    records : Records
        Where everything is kept.
    one : Occurrence
        The attempt.
    entry : Entry
        Its entry.
    plan : Prepared
        What was decided about its run.
    run : Run
        The run, begun here.
    promise : Promise
        The outcome.
    """

    def __init__(
        self, records: Records, one: Occurrence, entry: Entry, plan: Prepared, run: Run, promise: Promise
    ) -> None:
        self.one = one
        self._records, self._entry, self._plan, self._run, self._promise = records, entry, plan, run, promise
        self._began = self._beat = records.clock.now()

    def look(self) -> bool:
        """Whether it is over; what came of it is entered."""
        now = self._records.clock.now()
        if self._promise.done():
            self._take_in()
            return True
        if now - self._began > self._entry.timeout + _SLACK:
            self._promise.cancel()
            self._give_up("the cluster gave no answer in time")
            return True
        if now - self._beat >= _BEAT:
            self._beat = now
            if not self._records.agenda.beat(self.one, now):
                self._promise.cancel()
                self._records.registry.bury_run(self._run.id, "somebody else answers for it now")
                return True
        return False

    def _take_in(self) -> None:
        try:
            outcome = self._promise.result()
            run = entered(self._records, self._run, self._plan, outcome)
        except CancelledError as err:
            self._give_up(f"the cluster lost it ({err})")
        except Exception as err:  # noqa: BLE001  (whatever the cluster raised over there is why this attempt failed)
            self._give_up(f"the cluster could not do it: {type(err).__name__}: {err}")
        else:
            if run.status == "ok":
                succeed(self._records, self.one, run)
            else:
                fail(self._records, self.one, run.error or "it failed")

    def _give_up(self, reason: str) -> None:
        run = self._records.registry.bury_run(self._run.id, reason)
        fail(self._records, self.one, run.error or reason)


def entered(records: Records, run: Run, plan: Prepared, outcome: Outcome) -> Run:
    """Let a run that was begun here have ended as it did elsewhere, and return it.

    Its files are unpacked beside its folder, swept of the secrets that this machine knows (over there others may be
    known), and take its place in one step; only then the registry says how it ended. A kill in between leaves a run
    that still counts as running, and is buried as any other.

    Raises
    ------
    RunError
        If what came back cannot be unpacked.
    SetupError
        If it cannot be written.
    """
    finished = records.clock.now()
    if run.folder is None or not outcome.files or outcome.manifest is None:
        return records.registry.bury_run(run.id, outcome.reason or "it came to nothing")
    manifest = _ours(outcome.manifest, run, plan)
    arriving = run.folder.with_name(f".arriving-{run.folder.name}")
    shutil.rmtree(arriving, ignore_errors=True)
    try:
        arriving.mkdir()
        unpack(outcome.files, arriving)
        leaks = [leak for spill in sweep(arriving, plan.redactor) for leak in spill.leaks]
        write_manifest(arriving, manifest)
        arriving.replace(run.folder)  # which is empty
        flush_folder(run.folder.parent)
    except OSError as err:
        raise RunError(f"What came back cannot be written to {run.folder}: {err}. Free some space.") from err
    finally:
        shutil.rmtree(arriving, ignore_errors=True)
    if leaks:
        return records.registry.bury_run(run.id, f"{LEAKED}: {spelled(leaks)}")
    if outcome.status == "ok":
        good = replace(run, status="ok", finished=finished)
        return records.registry.succeed(good, manifest, data_used(run.folder))
    reason = outcome.reason or "it failed"
    return records.registry.fail(replace(run, status="failed", finished=finished, error=reason), reason, manifest)


def _ours(manifest: Mapping[str, Any], run: Run, plan: Prepared) -> dict[str, Any]:
    """The manifest in our terms: the run and the notebook are those of this machine, all else is as it was there."""
    made: dict[str, Any] = json.loads(json.dumps(manifest))
    made["run"]["id"] = run.id
    made["inputs"]["notebook"]["path"] = plan.inputs.notebook
    made["fingerprint"] = fingerprint_of(made["inputs"])
    made["execution"] = plan.execution.as_dict()
    return made
