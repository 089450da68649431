"""Real notebooks executed, executed again from their record, and compared."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from qtw_lab.core import DataError, SystemClock
from qtw_lab.runs import NotebookError, Registry, execute
from qtw_lab.runs.latest import named
from qtw_lab.runs.replay import replay

FACTS = "from qtw_lab.core import Fact, Facts\ndisplay(Facts('T', (Fact('sharpe', {}), Fact('days', 5, 'count'))))"
PAGE = """
from pathlib import Path
from bokeh.plotting import figure
from bokeh.embed import file_html
plot = figure()
_ = plot.line([1, 2], [1, 2])
Path(run_folder, 'report.html').write_text(file_html(plot, title=run_folder))
print(run_folder)
"""
STEADY = (
    "import numpy as np\nprint(np.random.default_rng(seed).normal(size=3))",
    FACTS.format("1.21"),
    PAGE,
    "import ipywidgets\nipywidgets.IntSlider(3)",
    "from IPython.display import Image\nimport base64\nImage(base64.b64decode('iVBORw0KGgo='))",
    "object()",
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("replay")


@pytest.fixture(scope="module")
def parts(place):
    return {"root": place / "runs", "registry": Registry(place / "runs.sqlite", SystemClock()), "clock": SystemClock()}


@pytest.fixture(scope="module")
def run_one(place, parts):
    """Write a notebook and execute it."""

    def run(name, *cells, folder=None, **parameters):
        declared = new_code_cell(
            "seed = 3\nwindow = (1, 2)\nkey = None\nrun_folder = ''", metadata={"tags": ["parameters"]}
        )
        path = (folder or place) / f"{name}.ipynb"
        node = new_notebook(cells=[new_markdown_cell("# T"), declared, *map(new_code_cell, cells)])
        nbformat.write(node, path)
        return execute(path, parameters, **parts)

    return run


@pytest.fixture(scope="module")
def steady(run_one):
    return run_one("steady", *STEADY, seed=7)


@pytest.fixture(scope="module")
def again(steady, parts):
    return replay(steady, **parts)


def test_a_run_of_what_is_determined_is_identical(again):
    assert again.table().to_dict("records") == []
    assert (again.identical, again.sentence) == (True, "identical")
    assert again.facts()["identical"] == "yes"
    assert again.facts()["first_cell"] is None


def test_the_replay_is_a_run_of_its_own_that_is_not_the_last_good_one(again, steady, parts):
    assert again.again.status == "ok"
    assert again.again.name == "replay-steady"
    assert again.again.manifest["run"]["replay_of"] == steady.id
    assert again.again.parameters == steady.parameters
    assert again.again.manifest["fingerprint"] == steady.manifest["fingerprint"]
    assert named("steady", parts["root"]) == steady.id
    assert parts["registry"].latest_good("steady") == steady
    assert parts["registry"].get(again.again.id) == again.again


def test_a_replay_can_be_replayed(again, parts):
    second = replay(again.again, **parts)
    assert second.identical
    assert second.again.manifest["inputs"]["notebook"] == again.run.manifest["inputs"]["notebook"]


def test_a_random_figure_is_told_with_both_values_and_its_cell(run_one, parts):
    run = run_one("random", "x = 1", f"import os\n{FACTS.format('float(int.from_bytes(os.urandom(4)))')}")
    found = replay(run, **parts)
    assert not found.identical
    (figure,) = found.of("figure")
    assert (figure.name, figure.old) == ("sharpe", run.facts().fact("sharpe").shown)
    assert figure.new == found.again.facts().fact("sharpe").shown
    assert [cell.cell for cell in found.of("cell")] == [4]
    assert found.sentence == f"differs: figure sharpe {figure.old} -> {figure.new}; first at {found.of('cell')[0].name}"
    assert found.facts()["first_cell"] == 4
    assert found.table()["what"].tolist() == ["figure", "cell"]
    assert found.inputs == ()


def test_a_figure_that_differs_below_what_is_shown_is_told_exactly(run_one, parts):
    run = run_one("close", f"import os\n{FACTS.format('1.21 + int.from_bytes(os.urandom(3)) * 1e-14')}")
    (figure,) = replay(run, **parts).of("figure")
    assert figure.old.startswith("1.21")
    assert len(figure.old) > 6


def test_a_notebook_that_changed_after_the_run_is_executed_as_it_was(run_one, parts, place):
    run = run_one("edited", "print('before')")
    path = place / "edited.ipynb"
    path.write_text(path.read_text().replace("before", "after"))
    found = replay(run, **parts)
    assert found.identical
    assert [one.name for one in found.inputs] == ["notebook file since the run"]
    assert found.sentence == "identical; made from other inputs: notebook file since the run"
    path.unlink()
    gone = replay(run, **parts)
    assert (gone.identical, gone.inputs[0].new) == (True, "gone")


def test_outputs_in_the_notebook_file_are_no_change(run_one, parts, place):
    run = run_one("opened", "1 + 1")
    node = nbformat.read(place / "opened.ipynb", as_version=4)
    node.cells[-1].outputs, node.cells[-1].execution_count = [nbformat.v4.new_output("stream", text="2")], 9
    nbformat.write(node, place / "opened.ipynb")
    assert replay(run, **parts).sentence == "identical"


def test_data_that_changed_is_an_input_and_shows_where_it_matters(run_one, parts, place):
    (place / "prices.csv").write_text("1.21")
    run = run_one(
        "data",
        "from pathlib import Path\nimport hashlib\nfrom qtw_lab.runs import DataUse, write_data\n"
        "text = Path('prices.csv').read_text()",
        "uses = [DataUse(hashlib.sha256(text.encode()).hexdigest(), ('AAPL',), 'import')]\n"
        "_ = write_data(Path(run_folder), uses)",
        FACTS.format("float(text)"),
    )
    (place / "prices.csv").write_text("1.25")
    found = replay(run, **parts)
    assert found.sentence == (
        "differs: figure sharpe 1.210 -> 1.250; first at cell 5 (figures); "
        "made from other inputs: data 1 (import AAPL)"
    )  # fmt: skip


def test_parameters_that_were_not_passed_stay_what_they_were_in_the_notebook(run_one, parts):
    run = run_one("kinds", "print(window, seed)", seed=9)
    assert run.parameters["window"] == [1, 2]
    found = replay(run, **parts)
    assert found.identical, "a tuple must not come back as a list"


def test_a_module_beside_the_notebook_is_found_again(run_one, parts, place):
    (place / "beside.py").write_text("VALUE = 3\n")
    run = run_one("importing", "import beside\nbeside.VALUE")
    assert replay(run, **parts).identical
    (place / "beside.py").write_text("VALUE = 4  # another\n")
    assert replay(run, **parts).sentence.startswith("differs: cell 3 (text output) 3 -> 4")


def test_where_the_folder_of_the_notebook_is_gone_the_run_has_its_own(run_one, parts, tmp_path):
    (tmp_path / "gone").mkdir()
    run = run_one("moved", "1 + 1", folder=tmp_path / "gone")
    shutil.rmtree(tmp_path / "gone")
    assert replay(run, **parts).identical


def test_a_failed_run_is_identical_if_it_fails_the_same_way(run_one, parts, place):
    with pytest.raises(NotebookError) as caught:
        run_one("failing", "raise ValueError(run_folder)")
    found = replay(caught.value.run, **parts)
    assert (found.again.status, found.sentence) == ("failed", "identical")


def test_a_run_that_ends_otherwise_differs_by_that_first(run_one, parts, place):
    (place / "mark").touch()
    run = run_one("moody", "import os\nassert os.path.exists('mark'), 'no mark'")
    (place / "mark").unlink()
    found = replay(run, **parts)
    assert found.sentence == (
        "differs: status ending ok -> failed: AssertionError: no mark; first at cell 3 (error)"
    )  # fmt: skip


def test_another_version_of_the_package_or_a_library_is_an_input(steady, parts):
    inputs = json.loads(json.dumps(steady.manifest["inputs"]))
    inputs["package"]["version"], inputs["environment"]["versions"]["pandas"] = "0.0.1", "1.0"
    inputs["python"] = "2.7"
    old = replace(steady, manifest={**steady.manifest, "inputs": inputs})
    found = replay(old, **parts)
    assert found.identical
    assert {one.name for one in found.inputs} == {"package.version", "pandas", "python"}


def test_a_run_whose_files_are_gone_or_changed_is_refused(steady, parts, tmp_path):
    with pytest.raises(DataError, match="are gone"):
        replay(replace(steady, folder=None), **parts)
    shutil.copytree(steady.folder, tmp_path / "copy")
    copy = replace(steady, folder=tmp_path / "copy")
    source = tmp_path / "copy" / "source.ipynb"
    source.write_text(source.read_text() + " ")
    with pytest.raises(DataError, match="was changed after the run"):
        replay(copy, **parts)
    source.unlink()
    with pytest.raises(DataError, match="is missing"):
        replay(copy, **parts)


def test_a_run_of_another_kind_is_refused_with_what_would_work(parts):
    run = parts["registry"].record("backtest", "sma_cross", None, {}, [])
    with pytest.raises(DataError, match=f"qtw validate {run.id}"):
        replay(run, **parts)
    with pytest.raises(DataError, match="still running"):
        replay(parts["registry"].begin("notebook", "a"), **parts)


def test_a_run_of_an_older_version_is_refused(steady, parts):
    manifest = {name: part for name, part in steady.manifest.items() if name != "execution"}
    with pytest.raises(DataError, match="older version"):
        replay(replace(steady, manifest=manifest), **parts)


def test_a_secret_is_looked_up_again_by_its_name(run_one, parts, monkeypatch):
    monkeypatch.setenv("BROKER_TEST", "quite-secret-1")
    run = run_one("secret", "print(key)", key="env:BROKER_TEST")
    assert replay(run, **parts).identical
    for path in Path(parts["root"]).rglob("*"):
        assert not path.is_file() or b"quite-secret-1" not in path.read_bytes()
