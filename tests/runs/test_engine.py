"""The engine behind papermill's interface, with real kernels."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import papermill
import papermill.engines
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.exceptions import PapermillExecutionError

from qtw_lab.runs.engine import ENGINE, registered
from qtw_lab.runs.eventloop import with_own_loop
from qtw_lab.runs.outlet import Sheet
from qtw_lab.runs.process import start_of
from qtw_lab.runs.secrecy import Redactor

#: Executes a notebook and holds still; the number of its kernel stands in the file that is named.
RUNNER = """
import sys
from pathlib import Path
import nbformat, papermill
from qtw_lab.runs.engine import registered
from qtw_lab.runs.outlet import Sheet
from qtw_lab.runs.secrecy import Redactor
mark = Path(sys.argv[2])
def told(pulse):
    if pulse.kind == "start":
        mark.write_text(str(pulse.kernel))
node = nbformat.from_dict(nbformat.read(sys.argv[1], as_version=4))
papermill.execute_notebook(node, None, engine_name=registered(papermill), progress_bar=False, pulse=told,
                           sheet=Sheet("a", mark.with_name("notebook.ipynb"), Redactor({})))
"""


@pytest.fixture
def sheet(tmp_path):
    return Sheet("a.ipynb", tmp_path / "notebook.ipynb", Redactor({}))


@pytest.fixture
def run(sheet):
    """Execute these cells, and say what was told and how each cell ended."""

    def execute(*cells, error=None, **options):
        told = []
        node = new_notebook(cells=[new_markdown_cell("# Title"), *map(new_code_cell, cells)])
        node.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}

        def work():
            return papermill.execute_notebook(
                node, None, engine_name=registered(papermill), progress_bar=False, sheet=sheet, pulse=told.append,
                **options,
            )  # fmt: skip

        if error is None:
            with_own_loop(work)
        else:
            with pytest.raises(error):
                with_own_loop(work)
        return told, [cell.metadata.papermill.status for cell in sheet.read().cells]

    return execute


def test_it_is_an_engine_of_papermill_and_replaces_none():
    before = dict(papermill.engines.papermill_engines._engines)
    assert registered(papermill) == registered(papermill) == ENGINE
    table = papermill.engines.papermill_engines._engines
    assert issubclass(table[ENGINE], papermill.engines.NBClientEngine)
    assert table[ENGINE] is papermill.engines.papermill_engines.get_engine(ENGINE)
    assert {name: table[name] for name in before if name != ENGINE} == {n: e for n, e in before.items() if n != ENGINE}


def test_every_cell_that_ran_is_completed_and_was_told(run, sheet):
    told, states = run("x = 1", "x + 1")
    assert states == ["completed"] * 3
    assert [(pulse.kind, pulse.cell, pulse.cells) for pulse in told] == [
        ("kernel", None, 3), *[(kind, cell, 3) for cell in (1, 2, 3) for kind in ("start", "end")]
    ]  # fmt: skip
    assert {pulse.kernel for pulse in told} - {None} == {told[0].kernel}
    assert sheet.read().metadata.papermill.duration > 0
    assert start_of(told[0].kernel) is None, "the kernel is gone"


@pytest.mark.parametrize(
    ("cell", "error", "options"),
    [
        ("1 / 0", PapermillExecutionError, {}),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", DeadKernelError, {}),
        ("import time\ntime.sleep(60)", CellTimeoutError, {"execution_timeout": 1}),
    ],
)
def test_the_cell_that_did_not_end_well_is_failed_and_those_after_it_are_pending(run, cell, error, options):
    told, states = run("x = 1", cell, "after = 1", error=error, **options)
    assert states == ["completed", "completed", "failed", "pending"]
    assert [pulse.cell for pulse in told if pulse.kind == "end"] == [1, 2, 3]


def test_a_meant_exit_completes_its_cell_and_reaches_no_other(run):
    _, states = run("import sys\nsys.exit(0)", "after = 1")
    assert states == ["completed", "completed", "pending"]
    _, states = run("import sys\nsys.exit(3)", "after = 1", error=PapermillExecutionError)
    assert states == ["completed", "failed", "pending"]


def test_an_interrupt_leaves_the_cell_failed(sheet):
    def told(pulse):
        if pulse.kind == "start" and pulse.cell == 1:
            os.kill(os.getpid(), signal.SIGINT)

    node = new_notebook(cells=[new_code_cell("import time\ntime.sleep(60)"), new_code_cell("after = 1")])
    node.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    with pytest.raises(KeyboardInterrupt):
        with_own_loop(
            lambda: papermill.execute_notebook(
                node, None, engine_name=registered(papermill), progress_bar=False, sheet=sheet, pulse=told
            )
        )
    states = [cell.metadata.papermill.status for cell in sheet.read().cells]
    assert states[1] == "pending"
    assert states[0] in ("failed", "running")  # it came before the cell was begun, or in it


#: Cells in which a kernel may be busy when its run is killed: waiting, computing in Python, and inside a library.
BUSY = {
    "waiting": "import time\ntime.sleep(120)",
    "computing": "n = 0\nwhile True:\n    n += 1",
    "in a library": "import numpy as np\na = np.ones((4000, 4000))\nwhile True:\n    a @ a",
    "in a thread": "import threading, time\nt = threading.Thread(target=time.sleep, args=[120])\nt.start()\nt.join()",
}


@pytest.mark.parametrize("cell", BUSY.values(), ids=BUSY.keys())
def test_the_kernel_ends_within_seconds_when_its_run_is_killed(tmp_path, cell):
    path, mark = tmp_path / "a.ipynb", tmp_path / "kernel"
    node = new_notebook(cells=[new_code_cell(cell)])
    node.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(node, path)
    with subprocess.Popen([sys.executable, "-c", RUNNER, path, mark], cwd=Path(__file__).parents[2]) as child:
        deadline = time.monotonic() + 60
        while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)  # it is in its cell
        child.send_signal(signal.SIGKILL)
        child.wait()
        kernel, killed = int(mark.read_text()), time.monotonic()
        while start_of(kernel) is not None and time.monotonic() < killed + 15:
            time.sleep(0.05)
    assert start_of(kernel) is None, "the kernel outlived its run"
    assert time.monotonic() - killed < 10
