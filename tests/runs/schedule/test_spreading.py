"""What comes back from elsewhere is entered whole or not at all; a real cluster is in tests/lab/test_scheduling.py."""

from concurrent.futures import CancelledError, Future
from dataclasses import replace

import pandas as pd
import pytest

from qtw_lab.core import RunError, SetupError
from qtw_lab.runs.manifest import fingerprint_of
from qtw_lab.runs.preparing import Options, prepared
from qtw_lab.runs.schedule.errands import Outcome, packed
from qtw_lab.runs.schedule.spreading import SpreadPool, entered


@pytest.fixture
def outcome(tmp_path):
    """What a good run elsewhere sends back."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "report.html").write_text("<p>whole</p>")
    manifest = {
        "run": {"id": "theirs", "status": "ok"},
        "inputs": {"notebook": {"path": "night.ipynb"}, "platform": "Elsewhere"},
        "fingerprint": "", "outputs": {}, "timing": {}, "execution": {"folder": "/tmp/elsewhere"},
    }  # fmt: skip
    return Outcome("ok", None, manifest, packed(folder))


@pytest.fixture
def pool(records):
    """A pool of one place whose promise is kept by hand."""
    promises: list[Future] = []

    def submit(errand):
        promises.append(Future())
        promises[-1].errand = errand
        return promises[-1]

    return SpreadPool(records, submit, lambda: 1), promises


def test_an_attempt_goes_out_with_its_run_begun_and_comes_back_published(records, due, entry, pool, outcome):
    one = due(records, entry(parameters={"fast": 5}))
    made, promises = pool
    out = made.start(one)
    assert not out.look()
    run = records.registry.get(records.agenda.get(one.id).run_id)
    assert (run.status, run.parameters["fast"], made.places()) == ("running", 5, 1)
    assert promises[0].errand.file == "night.ipynb"
    promises[0].set_result(outcome)
    assert out.look()
    assert records.agenda.get(one.id).state == "ok"
    assert records.registry.get(run.id).status == "ok"
    assert (records.root / "published" / "night.html").read_text() == "<p>whole</p>"


def test_signs_of_life_are_given_while_it_is_out(records, due, entry, pool):
    one = due(records, entry())
    out = pool[0].start(one)
    records.clock.sleep(5)
    out.look()
    assert records.agenda.get(one.id).beat == records.clock.now()


def test_the_manifest_names_our_run_and_notebook_and_their_machine(records, entry, outcome):
    made = entry()
    plan = prepared(made.notebook, {}, {}, Options(name="night"))
    run = records.registry.begin("notebook", "night", root=records.root)
    manifest = entered(records, run, plan, outcome).manifest
    assert manifest["run"]["id"] == run.id
    assert manifest["inputs"] == {"notebook": {"path": plan.inputs.notebook}, "platform": "Elsewhere"}
    assert manifest["fingerprint"] == fingerprint_of(manifest["inputs"])
    assert manifest["execution"]["folder"] == str(made.notebook.parent)
    assert sorted(path.name for path in run.folder.iterdir()) == ["manifest.json", "report.html"]
    assert [path.name for path in records.root.iterdir()] == [run.folder.name]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (CancelledError("lost"), r"the cluster lost it \(lost\)"),
        (ValueError("killed too often"), "the cluster could not do it: ValueError: killed too often"),
    ],
)
def test_what_never_comes_back_fails_its_run_and_its_attempt(records, due, entry, pool, fault, reason):
    one = due(records, entry())
    made, promises = pool
    out = made.start(one)
    promises[0].set_exception(fault)
    assert out.look()
    now = records.agenda.get(one.id)
    assert now.state == "failed"
    assert pd.Series([now.reason]).str.fullmatch(reason).all()
    assert records.registry.get(now.run_id).status == "failed"


def test_what_comes_back_broken_leaves_no_half_run(records, due, entry, pool, outcome):
    one = due(records, entry())
    made, promises = pool
    out = made.start(one)
    promises[0].set_result(replace(outcome, files=outcome.files[: len(outcome.files) // 2]))
    assert out.look()
    now = records.agenda.get(one.id)
    assert (now.state, "cannot be unpacked" in now.reason) == ("failed", True)
    run = records.registry.get(now.run_id)
    assert run.status == "failed"
    assert run.report is None
    assert not (records.root / "published").exists()


def test_a_failure_elsewhere_is_entered_as_one_with_its_files(records, due, entry, pool, outcome):
    one = due(records, entry())
    made, promises = pool
    out = made.start(one)
    promises[0].set_result(replace(outcome, status="failed", reason="it broke"))
    assert out.look()
    run = records.registry.get(records.agenda.get(one.id).run_id)
    assert (run.status, run.error, run.folder.is_dir()) == ("failed", "it broke", True)
    assert records.agenda.get(one.id).reason == "it broke"


def test_a_secret_that_only_this_machine_knows_does_not_come_in_with_what_comes_back(records, entry, tmp_path, outcome):
    (tmp_path / "elsewhere" / "report.html").write_text("<p>s3cret-of-ours</p>")
    plan = prepared(entry().notebook, {}, {"BROKER_TOKEN": "s3cret-of-ours"}, Options(name="night"))
    run = records.registry.begin("notebook", "night", root=records.root)
    made = entered(records, run, plan, replace(outcome, files=packed(tmp_path / "elsewhere")))
    assert made.error == "leaked: the value of BROKER_TOKEN came out in report.html"
    assert made.status == "failed"
    assert (made.folder / "report.html").read_text() == "<p>***BROKER_TOKEN***</p>"


def test_one_that_came_to_no_run_elsewhere_fails_ours(records, due, entry, pool):
    one = due(records, entry())
    made, promises = pool
    out = made.start(one)
    promises[0].set_result(Outcome("failed", "the kernel is not there"))
    assert out.look()
    assert records.agenda.get(one.id).reason == "the kernel is not there"


def test_one_that_takes_for_ever_is_called_back(records, due, entry, pool):
    one = due(records, entry(timeout="10m"))
    made, promises = pool
    out = made.start(one)
    records.clock.sleep(80 * 60)
    assert out.look()
    assert promises[0].cancelled()
    assert records.agenda.get(one.id).reason == "the cluster gave no answer in time"


def test_one_that_was_taken_away_is_called_back(records, due, entry, pool):
    one = due(records, entry())
    made, promises = pool
    out = made.start(one)
    records.agenda.end(one, "failed", "given up", records.clock.now())
    records.clock.sleep(5)
    assert out.look()
    assert promises[0].cancelled()
    assert records.registry.get(records.agenda.get(one.id).run_id).error == "somebody else answers for it now"


def test_a_cluster_that_takes_nothing_fails_the_run(records, due, entry):
    one = due(records, entry())

    def refuses(_):
        raise SetupError("nobody there")

    with pytest.raises(SetupError, match="nobody there"):
        SpreadPool(records, refuses, lambda: 1).start(one)
    assert records.registry.get(records.agenda.get(one.id).run_id).error == "nobody there"


def test_what_cannot_be_written_is_an_error_that_says_so(records, entry, outcome):
    plan = prepared(entry().notebook, {}, {}, Options(name="night"))
    run = records.registry.begin("notebook", "night", root=records.root)
    (run.folder / "in the way").touch()
    with pytest.raises(RunError, match=r"cannot be written to .*Free some space"):
        entered(records, run, plan, outcome)
    assert [path.name for path in records.root.iterdir()] == [run.folder.name]
