"""The command line as a whole: help, misuse, errors and exit codes."""

import os
import signal
import subprocess
import sys
import time

import pytest
from typer.main import get_command

import qtw_lab
from qtw_lab.cli.app import app


def every_command() -> list[tuple[str, ...]]:
    found = []
    for name, command in get_command(app).commands.items():
        found += [(name, inner) for inner in getattr(command, "commands", {})] or [(name,)]
    return found


def test_the_commands_that_are_promised_are_there():
    assert {" ".join(words) for words in every_command()} >= {
        "doctor", "demo", "strategies", "backtest", "sweep", "run", "data list", "data import", "data download",
        "data check", "data revisions", "data query", "data import-legacy-cache", "data clean-cache", "runs list",
        "runs show", "runs compare", "runs trials",
    }  # fmt: skip


@pytest.mark.parametrize("words", [(), ("data",), ("runs",), *every_command()], ids=" ".join)
def test_every_command_explains_itself_within_80_columns(qtw, words):
    answer = qtw(*words, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: {' '.join(('qtw', *words))}")
    first = answer.out.splitlines()[2].strip()
    assert first[0].isupper()
    assert max(map(len, answer.out.splitlines())) <= 80
    assert "`" not in answer.out or answer.out.count("`") % 2 == 0


def test_every_option_says_what_it_is_for():
    for words in every_command():
        command = get_command(app)
        for word in words:
            command = command.commands[word]
        silent = [parameter.name for parameter in command.params if not getattr(parameter, "help", None)]
        assert not silent, (words, silent)


@pytest.mark.parametrize("words", [(), ("data",), ("runs",)])
def test_a_group_without_a_command_shows_its_help_and_counts_as_misuse(qtw, words):
    answer = qtw(*words)
    assert (answer.code, answer.out) == (2, "")
    assert "Commands:" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bogus",), "No such command 'bogus'. See: qtw --help"),
        (("backtst",), "Did you mean 'backtest'? See: qtw --help"),
        (("data", "impor"), "Did you mean 'import'? See: qtw data --help"),
        (("backtest",), "Missing argument 'name'. See: qtw backtest --help"),
        (("backtest", "sma_cross", "--cash", "much"), "Invalid value for '--cash'"),
        (("backtest", "sma_cross", "--bogus"), "No such option: --bogus"),
        (("backtest", "sma_cross", "-p"), "requires an argument"),
        (("sweep", "sma_cross"), "Missing option '--grid'"),
        (("sweep", "sma_cross", "-g", "fast=5", "--top", "0"), "Invalid value for '--top'"),
        (("runs", "list", "--limit", "0"), "Invalid value for '--limit'"),
        (("data", "list", "extra"), "unexpected extra argument"),
    ],
)
def test_misuse_is_answered_in_one_paragraph_with_code_2(qtw, words, said):
    answer = qtw(*words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("Error: ")
    assert answer.err.count("\n") == 1
    assert said in answer.err


def test_the_version_is_the_packages(qtw):
    answer = qtw("--version")
    assert (answer.code, answer.out) == (0, f"qtw-lab {qtw_lab.__version__}\n")


def test_python_m_is_the_same_command(storage):
    command = [sys.executable, "-m", "qtw_lab", "backtst"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: No such command 'backtst'. Did you mean 'backtest'? See: qtw --help\n"


def test_brackets_and_colons_of_the_user_are_printed_as_they_are(qtw):
    answer = qtw("data", "check", "[red]:smile:.csv")
    assert "[red]:smile:.csv" in answer.err
    answer = qtw("data", "query", "SELECT '[bold]x[/bold] :smile: \\[y]' AS \"[red]head\"")
    assert "[red]head" in answer.out
    assert "[bold]x[/bold] :smile: \\[y]" in answer.out


def test_a_library_error_of_many_lines_becomes_one_paragraph(qtw):
    answer = qtw("data", "query", "SELEC 1")  # DuckDB answers with an empty line and a caret below the statement
    assert answer.code == 2
    assert "syntax error" in answer.err
    assert answer.err.count("\n") == 1


ANNOUNCED = """
import sys
from qtw_lab.cli import main
from qtw_lab.lab import Lab

sweep = Lab.sweep

def announced(*given, **options):
    print("begun", file=sys.stderr, flush=True)
    return sweep(*given, **options)

Lab.sweep = announced
sys.exit(main(["sweep", "sma_cross", "-g", "fast=1:500", "-g", "slow=501:1500"]))
"""


def test_an_interrupt_ends_with_130_and_no_traceback(storage):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", ANNOUNCED], **pipes) as work:
        assert work.stderr.readline() == "begun\n"
        time.sleep(0.5)
        work.send_signal(signal.SIGINT)
        out, err = work.communicate(timeout=60)
    assert work.returncode == 130
    assert "Traceback" not in err
    # Before its first block a sweep has nothing to show; after it, it shows what is done.
    assert "Of so many planned" in out or err == "Error: Interrupted. What was recorded before stays.\n"


@pytest.mark.skipif(os.name == "nt", reason="pipes close otherwise there")
def test_a_reader_that_stops_early_is_no_error(storage):
    command = f"{sys.executable} -m qtw_lab strategies --json | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[\n", "")
