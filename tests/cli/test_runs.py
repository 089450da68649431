"""`qtw run` and `qtw runs` on real notebooks, executed by real kernels."""

import re

import nbformat
import pytest

PARAMETERS = "fast = 10\nsymbols = ['AAPL']\napi_key = None\nrun_folder = ''"
WORK = """
from IPython.display import display
from qtw_lab.core import Fact, Facts
display(Facts("Tiny", (Fact("speed", float(fast)), Fact("names", len(symbols), "count"))))
"""


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook with a parameters cell and these cells after it."""

    def write(name: str, *cells: str):
        first = nbformat.v4.new_code_cell(PARAMETERS)
        first.metadata.tags = ["parameters"]
        node = nbformat.v4.new_notebook(cells=[first, *map(nbformat.v4.new_code_cell, cells)])
        nbformat.write(node, tmp_path / name)
        return tmp_path / name

    return write


def test_a_notebook_is_run_recorded_shown_and_compared(qtw, storage, notebook):
    path = notebook("tiny.ipynb", WORK)
    first = qtw("run", path, "-p", "fast=3", "-p", 'symbols=["A", "B"]', "--json")
    assert (first.code, first.err) == (0, "")
    assert (first.json["status"], first.json["manifest"]["inputs"]["parameters"]["symbols"]) == ("ok", ["A", "B"])
    assert (storage / "runs" / f"{first.json['id']}-tiny" / "notebook.ipynb").is_file()
    second = qtw("run", path)
    assert (second.code, second.err) == (0, "")
    name = re.fullmatch(r"Run (\S+): ok\n(\S+)\n", second.out)[1]
    listed = qtw("runs", "list", "--json").json
    assert [row["id"] for row in listed] == [name, first.json["id"]]
    assert [row["status"] for row in qtw("runs", "list", "--kind", "notebook", "--limit", "1", "--json").json] == ["ok"]
    shown = qtw("runs", "show", first.json["id"])
    assert "Speed" in shown.out
    assert "3.000" in shown.out
    assert qtw("runs", "show", first.json["id"], "--json").json["run"]["id"] == first.json["id"]
    compared = qtw("runs", "compare", first.json["id"], name, "--json").json
    assert compared == {first.json["id"]: {"speed": 3.0, "names": 2}, name: {"speed": 10.0, "names": 1}}
    table = qtw("runs", "compare", first.json["id"], name)
    assert all(word in table.out for word in (first.json["id"], name, "3.000", "10.000"))


def test_a_failed_notebook_is_failed_work_and_stays_on_record(qtw, notebook):
    answer = qtw("run", notebook("bad.ipynb", "raise ValueError('one line\\n\\nand another')"))
    assert (answer.code, answer.out) == (1, "")
    assert "bad.ipynb failed in cell 2 with ValueError: one line and another" in answer.err
    assert answer.err.count("\n") == 1
    (row,) = qtw("runs", "list", "--status", "failed", "--json").json
    assert "ValueError" in row["error"]
    printed = qtw("runs", "list").out
    assert f"{row['id']} failed: ValueError" in printed
    shown = qtw("runs", "show", row["id"])
    assert (shown.code, "ValueError" in shown.out) == (0, True)
    assert qtw("runs", "compare", row["id"], row["id"]).code == 2


def test_a_run_without_figures_is_shown_as_such(qtw, notebook):
    answer = qtw("run", notebook("quiet.ipynb", "pass"), "--json")
    shown = qtw("runs", "show", answer.json["id"])
    assert shown.code == 0
    assert "recorded no figures" in " ".join(shown.out.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-p", "fats=3"), "Did you mean 'fast'?"),
        (("-p", "fast=quick"), "is int (default 10)"),
        (("-p", "symbols=3"), "is list"),
        (("-p", "fast"), "not of the form name=value"),
        (("-p", "fast=1", "-p", "fast=2"), "names fast twice"),
        (("-p", "timeout=3"), "Rename it"),
        (("-p", "run_folder=x"), "do not pass it"),
        (("-p", "api_key=sk-1234567890"), "api_key='env:NAME'"),
        (("-p", "fast=NaN"), "finite"),
        (("--timeout", "0"), "--timeout"),
    ],
)
def test_a_wrong_parameter_is_refused_before_a_kernel_starts(qtw, storage, notebook, words, said):
    answer = qtw("run", notebook("tiny.ipynb", WORK), *words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert "sk-1234567890" not in answer.err
    assert not (storage / "runs").exists()


def test_a_secret_goes_in_by_name_and_never_into_the_record(qtw, storage, notebook, monkeypatch):
    use = "from qtw_lab.core.settings import secret_from_reference\nvalue = secret_from_reference(api_key)"
    path = notebook("tiny.ipynb", f"{use}\nprint(len(value))")
    missing = qtw("run", path, "-p", "api_key=env:SOME_BROKER_KEY")
    assert (missing.code, "SOME_BROKER_KEY is not set" in missing.err) == (1, True)
    monkeypatch.setenv("SOME_BROKER_KEY", "very-secret-value-123")
    assert qtw("run", path, "-p", "api_key=env:SOME_BROKER_KEY").code == 0
    careless = notebook("careless.ipynb", f"{use}\nprint(value.get_secret_value())")
    leaked = qtw("run", careless, "-p", "api_key=env:SOME_BROKER_KEY")
    assert (leaked.code, leaked.out) == (1, "")
    assert "leaked: the value of SOME_BROKER_KEY came out in cell 2" in leaked.err
    written = [file for file in storage.rglob("*") if file.is_file()]
    assert written
    assert not [file for file in written if b"very-secret-value-123" in file.read_bytes()]


def test_a_replay_is_identical_or_says_what_differs_and_where(qtw, storage, notebook):
    mark = storage.parent / "mark"
    mark.write_text("1.0")
    path = notebook("tiny.ipynb", WORK.replace("float(fast)", f"float(open({str(mark)!r}).read())"))
    name = qtw("run", path, "--json").json["id"]
    same = qtw("runs", "replay", name[:24])
    assert (same.code, same.err) == (0, "")
    assert re.fullmatch(rf"Replay (\S+) of {name}: identical\n", same.out)
    mark.write_text("2.0")
    other = qtw("runs", "replay", name)
    assert other.code == 1
    assert "differs: figure speed 1.000 -> 2.000; first at cell 2 (figures)" in other.out
    assert ["figure", "speed", "1.000", "2.000"] in map(str.split, other.out.splitlines())
    assert max(map(len, other.out.splitlines()[1:])) <= 80
    answer = qtw("runs", "replay", name, "--json")
    assert (answer.code, answer.json["identical"], answer.json["run"]) == (1, False, name)
    assert answer.json["figures"] == [
        {"what": "figure", "name": "speed", "old": "1.000", "new": "2.000", "cell": None}
    ]  # fmt: skip
    assert [cell["cell"] for cell in answer.json["cells"]] == [2]
    assert (answer.json["inputs"], answer.json["files"], answer.json["endings"]) == ([], [], [])
    shown = qtw("runs", "show", answer.json["replay"]).out
    assert "replay of" in shown
    assert name in shown


def test_what_cannot_be_replayed_is_wrong_input(qtw, notebook):
    assert "None has been recorded yet" in qtw("runs", "replay", "2026").err
    qtw("backtest", "buy_and_hold", "--end", "2000-06-30")
    (row,) = qtw("runs", "list", "--json").json
    answer = qtw("runs", "replay", row["id"])
    assert (answer.code, answer.out) == (2, "")
    assert f"qtw validate {row['id']}" in answer.err


def test_a_run_whose_files_were_removed_says_so_and_keeps_its_figures(qtw, notebook):
    from qtw_lab.lab import Lab
    from qtw_lab.runs.retention import prune

    path = notebook("tiny.ipynb", WORK)
    first = qtw("run", path, "--json").json["id"]
    qtw("run", path)
    assert prune(Lab.from_settings().registry, "tiny", 1) == (first,)
    shown = qtw("runs", "show", first)
    assert (shown.code, shown.err) == (0, "")
    assert "to make room" in shown.out
    assert "10.000" in shown.out
    answer = qtw("runs", "replay", first)
    assert (answer.code, "removed to make room" in answer.err) == (2, True)


def test_an_unknown_run_is_answered_with_the_known_ones(qtw):
    assert "None has been recorded yet" in qtw("runs", "show", "2026").err
    qtw("backtest", "buy_and_hold", "--end", "2000-06-30")
    (row,) = qtw("runs", "list", "--json").json
    answer = qtw("runs", "show", "nothing-like-it")
    assert (answer.code, answer.out) == (2, "")
    assert row["id"] in answer.err
    assert qtw("runs", "show", "").code == 2
    assert "two different runs" in qtw("runs", "compare", row["id"]).err
    assert "two different runs" in qtw("runs", "compare", row["id"], row["id"][:10]).err
    assert qtw("runs", "list", "--status", "done").code == 2


def test_without_runs_the_first_step_is_named(qtw):
    assert qtw("runs", "list").out == "No run is recorded yet. Make one with: qtw demo\n"
    assert qtw("runs", "list", "--kind", "paper").out == "No such run.\n"
    assert qtw("runs", "list", "--json").json == []
    assert qtw("runs", "trials").out == "No trial is recorded yet.\n"
    assert qtw("runs", "trials", "--json").json == []


def test_trials_are_counted_by_data_and_strategy(qtw):
    for words in (("-p", "fast=5"), ("-p", "fast=5"), ("-p", "fast=6")):
        qtw("backtest", "sma_cross", *words)
    (row,) = qtw("runs", "trials", "--json").json
    assert (row["strategy"], row["trials"], len(row["fingerprint"])) == ("sma_cross", 2, 64)
    printed = qtw("runs", "trials")
    assert row["fingerprint"][:16] in printed.out
    assert max(map(len, printed.out.splitlines())) <= 80


def test_a_run_of_many_words_fits_the_screen(qtw):
    qtw("backtest", "sma_cross", "-s", "AAPL,FB,GOOG,IBM,MSFT")
    listed = qtw("runs", "list")
    assert max(map(len, listed.out.splitlines())) <= 80
    (row,) = qtw("runs", "list", "--json").json
    assert row["id"] in listed.out  # whole, to be copied
    shown = qtw("runs", "show", row["id"][:12])
    assert row["id"] in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80


@pytest.fixture
def recorded(qtw):
    """The ids of a backtest, a sweep and a validation by their kinds."""
    span = ("--start", "2008-01-01", "--end", "2009-12-31")
    qtw("backtest", "sma_cross", "-p", "fast=5", "-p", "slow=20", *span)
    qtw("sweep", "sma_cross", "-g", "fast=5,10", "-g", "slow=20,40", *span)
    listed = qtw("runs", "list", "--json").json
    assert qtw("validate", listed[0]["id"], "--reps", "100").code == 0
    return {row["kind"]: row["id"] for row in qtw("runs", "list", "--json").json}


def test_runs_of_every_kind_are_listed_shown_and_compared(qtw, recorded):
    assert set(recorded) == {"backtest", "sweep", "validation"}
    listed = qtw("runs", "list").out
    for kind, name in recorded.items():
        assert re.search(rf"{name} +{kind} +sma_cross +ok", listed)
        assert [row["id"] for row in qtw("runs", "list", "--kind", kind, "--json").json] == [name]
        shown = qtw("runs", "show", name)
        assert (shown.code, shown.err) == (0, "")
        assert "Configurations tried on this data" in shown.out
        assert max(map(len, shown.out.splitlines())) <= 80
        assert "recipe" not in shown.out
        whole = qtw("runs", "show", name, "--json").json
        assert whole["inputs"]["parameters"]["recipe"]["strategy"] == "sma_cross"
        assert whole["facts"]["facts"][0]["name"] == "trials"
    assert recorded["sweep"] in qtw("runs", "show", recorded["validation"]).out  # which run was judged
    compared = qtw("runs", "compare", *recorded.values(), "--json").json
    figures = compared[recorded["sweep"]]
    assert list(figures)[:2] == ["trials", "deflated_sharpe"]
    assert (figures["trials"], figures["rows"], compared[recorded["validation"]]["trials"]) == (4, 4, 4)
    assert compared[recorded["backtest"]]["rows"] is None
    table = qtw("runs", "compare", recorded["sweep"], recorded["validation"])
    assert max(map(len, table.out.splitlines())) <= 80
    assert ["trials", "4", "4"] in map(str.split, table.out.splitlines())


def test_what_a_sweep_and_a_validation_tried_counts_once(qtw, recorded):
    (row,) = qtw("runs", "trials", "--json").json
    assert (row["strategy"], row["trials"]) == ("sma_cross", 4)  # the backtest is one of the sweep's rows
