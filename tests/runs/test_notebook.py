"""Real notebooks through real papermill and real kernels; runs are shared between tests because each costs seconds."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from qtw_lab.core import DataError, RunError, SetupError, SystemClock
from qtw_lab.runs import NotebookError, Registry, execute
from qtw_lab.runs.engine import Pulse
from qtw_lab.runs.latest import latest_folder, named
from qtw_lab.runs.process import start_of

SECRET = 'hunter2/"quoted"-é+secret&value'
LYING_AROUND = "ambient-0123456789"

GOOD = """
import json
from pathlib import Path
from qtw_lab.core import Fact, Facts
from qtw_lab.runs import DataUse, write_data
from qtw_lab.core import SeriesRef
write_data(Path(run_folder), [DataUse("f" * 64, ("AAPL",), "stocks", (SeriesRef("stocks", "AAPL", "1D", "c1"),))])
Path(run_folder, "report.html").write_text("<h1>report</h1>")
display(Facts("Night", (Fact("fast_used", fast, "count"),)))
"""
LEAK = """
import base64, json, os, sys, urllib.parse
from pathlib import Path
from IPython.display import JSON, HTML
from qtw_lab.core.settings import secret_from_reference
value = secret_from_reference(broker_key).get_secret_value()
print(value); print(repr(value), file=sys.stderr); print(json.dumps({"k": value}))
print(base64.b64encode(value.encode()).decode(), base64.b64encode(f"user:{value}".encode()).decode())
print(urllib.parse.quote(value), urllib.parse.quote_plus(value), os.environ["SOME_PASSWORD"])
print(value[:9], end="", flush=True); print(value[9:])
display(JSON({"k": [value], value: 1})); display(HTML(f"<b>{value}</b>"))
display({"text/plain": "a picture", "image/png": base64.b64encode(b"\\x89PNG" + value.encode()).decode()}, raw=True)
display("shown", metadata={"hint": value})
display({"application/json": {"deep": {"text": json.dumps({"k": value})}}, "text/plain": value}, raw=True)
Path(run_folder, "log.txt").write_text("key " + value)
Path(run_folder, "report.json").write_text(json.dumps({"key": value}))
Path(run_folder, "model.bin").write_bytes(b"\\0\\xff" + value.encode())
Path(run_folder, "of " + os.environ["SOME_PASSWORD"]).write_text("nothing")
value
"""

RUNNER = """
import sys
from pathlib import Path
from qtw_lab.core import SystemClock
from qtw_lab.runs import Registry, execute
root = Path(sys.argv[2])
execute(Path(sys.argv[1]), {}, root=root, registry=Registry(root / "runs.sqlite", SystemClock()), clock=SystemClock())
"""


def write(folder: Path, name: str, parameters: str, *cells: str, **metadata: object) -> Path:
    """A small notebook whose second cell declares the parameters."""
    first = [new_markdown_cell("# Title"), new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=[*first, *map(new_code_cell, cells)], metadata=metadata), path)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder whose name papermill would take for a template."""
    return tmp_path_factory.mktemp("work {braces} é")


@pytest.fixture(scope="module")
def root(place):
    return place / "runs"


@pytest.fixture(scope="module")
def registry(root):
    return Registry(root / "runs.sqlite", SystemClock())


@pytest.fixture(scope="module")
def run_one(root, registry):
    def run(notebook, parameters=None, **options):
        return execute(notebook, parameters, root=root, registry=registry, clock=SystemClock(), **options)

    return run


@pytest.fixture(scope="module")
def good(place, run_one):
    """A run that goes well, started from inside a running event loop as in a notebook, and what its caller was told."""
    lock = place / "requirements.lock"
    lock.write_text("numpy==2\n")
    told = []
    notebook = write(place, "nightly", "fast = 10\nmodel_seed = 3\nrun_folder = None", GOOD, "assert fast == 5")

    async def inside() -> object:
        return run_one(notebook, {"fast": 5}, environment_lock=lock, progress=lambda *heard: told.append(heard))

    return asyncio.run(inside()), told


@pytest.fixture(scope="module")
def leaked(place, run_one, good):
    """A later run of the same name that spills a secret in every way, then raises with it."""
    notebook = write(
        place, "leaky", "broker_key = 'env:BROKER_TEST'\nrun_folder = ''", LEAK, "raise ValueError(value)", "1"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BROKER_TEST", SECRET)
        patch.setenv("SOME_PASSWORD", LYING_AROUND)
        with pytest.raises(NotebookError) as caught:
            run_one(notebook, {"broker_key": "env:BROKER_TEST"}, name="nightly")
    return caught.value


def statuses(run):
    cells = json.loads(run.notebook.read_text())["cells"]
    return [
        cell["metadata"]["papermill"]["status"]
        for cell in cells
        if cell["cell_type"] == "code" and "injected-parameters" not in cell["metadata"].get("tags", [])
    ]


def top_of(run):
    """What the executed notebook says on top, without its markup."""
    return re.sub(r"<[^>]+>", "", nbformat.read(run.notebook, as_version=4).cells[0].source)


def test_a_good_run_is_recorded(good, registry, root):
    run, _ = good
    assert (run.status, run.error, run.name, run.kind) == ("ok", None, "nightly", "notebook")
    assert run.parameters == {"fast": 5, "model_seed": 3}
    assert run.folder == root / f"{run.id}-nightly"
    assert registry.get(run.id) == run
    assert sorted(p.name for p in run.folder.iterdir()) == [
        "data.json", "facts.json", "manifest.json", "notebook.ipynb", "report.html", "source.ipynb"
    ]  # fmt: skip


def test_displayed_facts_and_the_report_are_collected(good):
    run, _ = good
    assert run.facts()["fast_used"] == 5
    assert run.report.read_text() == "<h1>report</h1>"


def test_data_used_by_a_good_run_can_be_traced(good, registry):
    run, _ = good
    assert registry.users_of("stocks", "AAPL", "1D", ["c1"])["id"].tolist() == [run.id]


def test_progress_is_told_after_every_cell(good):
    _, told = good
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]  # a title, three cells, and the injected parameters


def test_the_manifest_of_a_good_run_is_complete(good):
    run, _ = good
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest == run.manifest
    assert manifest["run"]["status"] == "ok"
    assert manifest["inputs"]["notebook"]["path"] == "nightly.ipynb"
    assert manifest["inputs"]["seeds"] == {"model_seed": 3}
    assert manifest["inputs"]["data"][0]["series"][0]["content"] == "c1"
    assert len(manifest["inputs"]["environment"]["lock_sha256"]) == 64
    assert [entry["cell"] for entry in manifest["timing"]["cells"]] == [2, 3, 4, 5]
    assert manifest["outputs"]["redacted"] == manifest["outputs"]["leaks"] == []
    assert manifest["execution"] == {
        "folder": str(run.folder.parents[1]), "file": "nightly.ipynb", "timeout": None, "passed": ["fast"]
    }  # fmt: skip
    assert str(run.folder) not in json.dumps(manifest)


def test_a_cell_that_raises_fails_the_run(leaked, registry):
    run = leaked.run
    assert isinstance(leaked, RunError)
    assert "cell 4" in str(leaked)
    assert "ValueError" in str(leaked)
    assert str(run.notebook) in str(leaked)
    assert (run.status, run.manifest["run"]["failed_cell"]) == ("failed", 4)
    assert registry.get(run.id).error.startswith("ValueError")
    assert "leaked: the value of BROKER_TEST came out in cell 3, cell 4, log.txt" in run.error
    assert "the value of SOME_PASSWORD came out in cell 3, of ***SOME_PASSWORD*** (deleted)" in run.error
    assert json.loads((run.folder / "manifest.json").read_text())["run"]["status"] == "failed"
    assert statuses(run) == ["completed", "completed", "failed", "pending"]


def test_a_failed_run_never_replaces_the_last_good_one(leaked, good, registry, root):
    run, _ = good
    assert leaked.run.name == run.name
    assert leaked.run.id > run.id
    assert named("nightly", root) == run.id
    assert latest_folder("nightly", root) == run.folder
    assert registry.latest_good("nightly").id == run.id


def test_a_secret_reaches_no_byte_of_the_run_the_registry_or_the_error(leaked, root):
    whole = SECRET.encode()
    spellings = {
        whole, base64.b64encode(whole), urllib.parse.quote(SECRET).encode(), urllib.parse.quote_plus(SECRET).encode(),
        json.dumps(SECRET)[1:-1].encode(), json.dumps(SECRET, ensure_ascii=False)[1:-1].encode(),
        base64.b64encode(b"user:" + whole), LYING_AROUND.encode(), b"hunter2", b"secret&value",
    }  # fmt: skip
    files = [p for p in root.rglob("*") if p.is_file()]
    assert {"notebook.ipynb", "runs.sqlite", "log.txt", "report.json"} <= {p.name for p in files}
    for path in files:
        content = path.read_bytes()
        assert [s for s in spellings if s in content] == [], path
    chain = f"{leaked} {leaked.__cause__} {leaked.__context__}"
    assert "hunter2" not in chain


def test_what_was_masked_names_its_variable(leaked):
    run = leaked.run
    text = run.notebook.read_text()
    assert text.count("***BROKER_TEST***") >= 12
    assert "***SOME_PASSWORD***" in text
    assert (run.folder / "log.txt").read_text() == "key ***BROKER_TEST***"
    assert json.loads((run.folder / "report.json").read_text()) == {"key": "***BROKER_TEST***"}
    redacted = run.manifest["outputs"]["redacted"]
    assert redacted == [
        "log.txt", "model.bin (deleted)", "notebook.ipynb", "of ***SOME_PASSWORD*** (deleted)", "report.json"
    ]  # fmt: skip
    assert {"name": "BROKER_TEST", "file": "notebook.ipynb", "cell": 3} in run.manifest["outputs"]["leaks"]
    assert run.parameters == {"broker_key": "env:BROKER_TEST"}


def test_a_run_that_goes_through_and_lets_a_secret_out_fails(place, run_one, good, root, monkeypatch):
    monkeypatch.setenv("BROKER_TEST", SECRET)
    notebook = write(place, "careless", "broker_key = ''\nrun_folder = ''", "import os", "os.environ['BROKER_TEST']")
    with pytest.raises(
        NotebookError, match="failed in cell 4 with leaked: the value of BROKER_TEST came out"
    ) as caught:
        run_one(notebook, {"broker_key": "env:BROKER_TEST"}, name="nightly")
    run = caught.value.run
    assert (run.status, run.error) == ("failed", "leaked: the value of BROKER_TEST came out in cell 4")
    assert top_of(run) == f"This run failed: {run.error}"
    assert named("nightly", root) == good[0].id, "the last good run stays"
    assert "hunter2" not in run.notebook.read_text() + f"{caught.value}{caught.value.__context__}"


def test_a_secret_that_is_only_used_does_no_harm(place, run_one, monkeypatch):
    monkeypatch.setenv("BROKER_TEST", SECRET)
    use = "from qtw_lab.core.settings import secret_from_reference as secret\nprint(len(str(secret(key_name))))"
    run = run_one(write(place, "careful", "key_name = None", use), {"key_name": "env:BROKER_TEST"})
    assert (run.status, run.parameters) == ("ok", {"key_name": "env:BROKER_TEST"})


def test_a_secret_never_touches_the_disk_while_the_run_goes_on(place, root, run_one, monkeypatch):
    """Every version of every file that is written is looked at, by whoever is told of the cells."""
    monkeypatch.setenv("BROKER_TEST", SECRET)
    seen = []

    def look(pulse):
        seen.append(pulse.kind)
        for path in root.rglob("*"):
            assert not path.is_file() or b"hunter2" not in path.read_bytes()

    cells = ("import os\nvalue = os.environ['BROKER_TEST']", "print(value)", "value", "1 / 0")
    with pytest.raises(NotebookError, match="ZeroDivisionError"):
        run_one(write(place, "watched", "a = 'env:BROKER_TEST'", *cells), pulse=look)
    assert seen == ["kernel", *["start", "end"] * 6]


def test_a_secret_in_a_cell_is_refused_before_anything_runs(tmp_path, run_one, registry, monkeypatch):
    monkeypatch.setenv("SOME_PASSWORD", LYING_AROUND)
    message = refused(run_one, registry, write(tmp_path, "typed", "x = 1", f"login = {LYING_AROUND!r}"))
    assert "Cell 3 of typed.ipynb contains the value of SOME_PASSWORD" in message
    assert LYING_AROUND not in message


def test_signs_of_life_name_the_kernel_and_the_cells(place, run_one):
    heard = []
    run_one(write(place, "alive", "x = 1", "import os\nprint(os.getpid())"), pulse=heard.append)
    kernel = heard[0].kernel
    assert heard[0] == Pulse("kernel", kernel, None, 3)
    assert heard[1:] == [Pulse(kind, kernel, cell, 3) for cell in (1, 2, 3) for kind in ("start", "end")]
    (folder,) = {run.parent for run in (place / "runs").glob("*-alive/notebook.ipynb")}
    assert str(kernel) in (folder / "notebook.ipynb").read_text()


def test_a_kernel_that_dies_fails_the_run(place, run_one):
    notebook = write(
        place, "dying", "x = 1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "print('after')"
    )
    with pytest.raises(NotebookError, match=r"cell 3 with DeadKernelError.*died") as caught:
        run_one(notebook)
    assert statuses(caught.value.run) == ["completed", "failed", "pending"]
    assert caught.value.run.status == "failed"
    assert top_of(caught.value.run).startswith("This run failed: DeadKernelError: the kernel died")


def test_a_cell_over_its_time_fails_the_run(place, run_one):
    notebook = write(place, "slow", "x = 1", "import time\ntime.sleep(60)", "print('after')")
    with pytest.raises(NotebookError, match=r"cell 3 with CellTimeoutError.*longer than 1 s") as caught:
        run_one(notebook, timeout=0.5)
    assert statuses(caught.value.run) == ["completed", "failed", "pending"]


def test_a_notebook_that_hands_over_nonsense_fails_the_run(place, run_one):
    notebook = write(place, "nonsense", "run_folder = ''", "open(run_folder + '/data.json', 'w').write('{}')")
    with pytest.raises(NotebookError, match=r"data\.json that cannot be read") as caught:
        run_one(notebook)
    assert caught.value.run.status == "failed"


def test_two_notebooks_run_side_by_side_in_threads(place, run_one):
    runs = {}

    def work(number: int) -> None:
        code = f"import os, time\ntime.sleep(0.5)\nprint({number}, os.getcwd())"
        runs[number] = run_one(write(place, f"side{number}", "x = 0", code), {"x": number})

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, run in runs.items():
        assert run.status == "ok"
        assert f"{number} {place}" in run.notebook.read_text()


def test_an_old_notebook_without_cell_ids_and_with_an_early_exit_is_run(place, run_one):
    path = write(place, "old Notebook (1)", "x = 1", "import sys\nsys.exit(0)", "print('after')")
    plain = json.loads(path.read_text())
    for cell in plain["cells"]:
        cell.pop("id")
    path.write_text(json.dumps(plain | {"nbformat_minor": 2}))
    run = run_one(path)
    assert (run.status, run.name) == ("ok", "old-Notebook-1")
    assert statuses(run)[-1] == "pending", "the copy must not claim that a cell ran which did not"
    again = json.loads(path.read_text())
    assert again["nbformat_minor"] == 2, "the notebook itself is never changed"


#: A second cell that takes long; the last one inside a library that lets no other thread have its turn.
SLEEPING, GREEDY = "import time\ntime.sleep(60)", "import re\nre.match('(a+)+$', 'a' * 60 + 'b')"


@pytest.fixture(params=[SLEEPING])
def sleeping(place, tmp_path, request):
    """A runner process of its own, inside a long cell, and the kernel's process number."""
    mark = tmp_path / "kernel"
    told = f"import os\nopen({str(mark)!r}, 'w').write(str(os.getpid()))"
    notebook = write(tmp_path, "sleeping", "x = 1", f"{told}\n{request.param}")
    child = subprocess.Popen(
        [sys.executable, "-c", RUNNER, notebook, tmp_path / "runs"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    deadline = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.05)
    yield child, int(mark.read_text()), tmp_path / "runs"
    child.kill()
    child.communicate()


def test_a_killed_runner_is_recorded_as_failed_when_the_registry_is_next_opened(sleeping):
    child, kernel, root = sleeping
    running = Registry(root / "runs.sqlite", SystemClock()).list()
    assert running["status"].tolist() == ["running"]
    child.send_signal(signal.SIGKILL)
    child.wait()
    run = Registry(root / "runs.sqlite", SystemClock()).get(running["id"].item())
    assert (run.status, run.error) == ("failed", "killed")
    assert json.loads((run.folder / "manifest.json").read_text())["run"]["error"] == "killed"
    assert top_of(run) == "This run failed: killed"
    assert statuses(run) == ["completed", "failed"]
    assert named("sleeping", root) is None
    deadline = time.monotonic() + 10
    while start_of(kernel) is not None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert start_of(kernel) is None, "the kernel outlived its runner"


@pytest.mark.parametrize("sleeping", [GREEDY], indirect=True)
def test_a_kernel_that_cannot_notice_ends_when_its_run_is_found(sleeping):
    child, kernel, root = sleeping
    time.sleep(0.5)  # it is in the library
    child.send_signal(signal.SIGKILL)
    child.wait()
    time.sleep(2.5)
    assert start_of(kernel) is not None, "it would have ended by itself"
    (run,) = Registry(root / "runs.sqlite", SystemClock()).list().itertuples()
    deadline = time.monotonic() + 5
    while start_of(kernel) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert start_of(kernel) is None
    assert (run.error, [path.name for path in Path(run.folder).glob(".*")]) == ("killed", [])


def test_an_interrupted_runner_records_the_failure_and_stays_interrupted(sleeping):
    child, kernel, root = sleeping
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert child.returncode in (-signal.SIGINT, 130, 1)
    assert "KeyboardInterrupt" in errors
    run = Registry(root / "runs.sqlite", SystemClock()).list()
    assert run["status"].tolist() == ["failed"]
    assert run["error"].item().startswith("KeyboardInterrupt")
    assert start_of(kernel) is None
    run = Registry(root / "runs.sqlite", SystemClock()).get(run["id"].item())
    assert top_of(run).startswith("This run failed: KeyboardInterrupt")
    assert statuses(run) == ["completed", "failed"]


def refused(run_one, registry, notebook, parameters=None, **options):
    before = len(registry.list(limit=None))
    with pytest.raises((DataError, SetupError)) as caught:
        run_one(notebook, parameters, **options)
    assert len(registry.list(limit=None)) == before, "a refused run must leave no record"
    return str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"fsat": 5}, "'fast'"),
        ({"fast": "five"}, "is int"),
        ({"api_key": "abc"}, "env:NAME"),
        ({"api_key": "env:NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE is not set"),
        ({"symbols": 3}, "is list"),
        ({"fast": float("nan")}, "finite"),
        ({"run_folder": "/tmp"}, "filled in by the run"),
        ({"api_key": "env:TINY"}, "fewer than 4"),
    ],
)
def test_unfit_parameters_are_refused_before_anything_runs(tmp_path, run_one, registry, monkeypatch, parameters, says):
    monkeypatch.setenv("TINY", "ab")
    notebook = write(tmp_path, "a", "fast = 10\napi_key = None\nsymbols = ['IBM']\nrun_folder = None")
    assert says in refused(run_one, registry, notebook, parameters)


def test_a_secret_written_into_the_parameters_cell_is_refused(tmp_path, run_one, registry):
    message = refused(run_one, registry, write(tmp_path, "a", "api_key = 'abcdef'"))
    assert "In the parameters cell of a.ipynb" in message
    assert "abcdef" not in message


def test_a_known_secret_under_an_innocent_name_is_refused(tmp_path, run_one, registry, monkeypatch):
    monkeypatch.setenv("SOME_PASSWORD", LYING_AROUND)
    assert "SOME_PASSWORD" in refused(run_one, registry, write(tmp_path, "a", "note = ''"), {"note": LYING_AROUND})


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "\0"]
)
def test_a_file_that_is_no_notebook_is_refused(tmp_path, run_one, registry, content):
    (tmp_path / "a.ipynb").write_text(content)
    assert "not a notebook that can be read" in refused(run_one, registry, tmp_path / "a.ipynb")


def test_a_missing_notebook_or_folder_is_refused(tmp_path, run_one, registry):
    assert "There is no notebook" in refused(run_one, registry, tmp_path / "none.ipynb")
    assert "There is no notebook" in refused(run_one, registry, tmp_path)


def test_a_notebook_in_another_language_or_kernel_is_refused(tmp_path, run_one, registry):
    other = write(tmp_path, "a", "x = 1", kernelspec={"name": "ir", "language": "R", "display_name": "R"})
    assert "only Python" in refused(run_one, registry, other)
    assert "'no-such'" in refused(run_one, registry, write(tmp_path, "b", "x = 1"), kernel="no-such")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_a_senseless_timeout_is_refused(tmp_path, run_one, registry, timeout):
    assert "timeout=" in refused(run_one, registry, write(tmp_path, "a", "x = 1"), timeout=timeout)


def test_a_missing_environment_lock_is_refused(tmp_path, run_one, registry):
    assert "environment lock" in refused(
        run_one, registry, write(tmp_path, "a", "x = 1"), environment_lock=tmp_path / "no"
    )


def test_two_parameters_cells_are_refused(tmp_path, run_one, registry):
    cells = [new_code_cell("x = 1", metadata={"tags": ["parameters"]}) for _ in range(2)]
    nbformat.write(new_notebook(cells=cells), tmp_path / "a.ipynb")
    assert "2 cells tagged" in refused(run_one, registry, tmp_path / "a.ipynb")


def test_a_folder_that_cannot_be_written_is_a_setup_error(tmp_path, registry):
    (tmp_path / "file").write_text("in the way")
    notebook = write(tmp_path, "a", "x = 1")
    with pytest.raises(SetupError, match="Cannot make the folder"):
        execute(notebook, root=tmp_path / "file", registry=registry, clock=SystemClock())


def test_the_environment_of_the_tests_holds_no_leftover_secret():
    assert "BROKER_TEST" not in os.environ
