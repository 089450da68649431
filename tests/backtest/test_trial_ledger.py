"""The ledger of trials: nothing counted twice, nothing lost, not even by processes killed or all at once."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from qtw_lab.backtest import connections
from qtw_lab.backtest.trials import Batch, sketch
from qtw_lab.core import DataError, SetupError
from qtw_lab.research.trials import Trial, TrialLedger

DATA, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def ledger(tmp_path) -> TrialLedger:
    return TrialLedger(tmp_path / "deep" / "trials.sqlite")


def run(script: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_new_ledger_counts_nothing(ledger):
    assert ledger.count(DATA) == 0
    assert ledger.table().empty
    assert list(ledger.table().columns) == ["fingerprint", "strategy", "trials", "best_sharpe", "mean_sharpe", "last"]


def test_a_configuration_counts_once_for_each_data_and_strategy(ledger):
    trial = Trial(DATA, "x", {"fast": 1, "slow": 2})
    assert ledger.add([trial, trial, Trial(DATA, "x", {"slow": 2, "fast": 1})]) == 1
    assert ledger.add([trial]) == 0
    assert ledger.add([Trial(OTHER, "x", {"fast": 1, "slow": 2}), Trial(DATA, "y", {"fast": 1, "slow": 2})]) == 2
    assert (ledger.count(DATA), ledger.count(OTHER)) == (2, 1)
    assert ledger.add([]) == 0


def test_numbers_of_numpy_are_the_same_configuration(ledger):
    plain = {"n": 3, "x": 0.5, "on": True, "name": "a"}
    strange = {"n": np.int64(3), "x": np.float64(0.5), "on": np.array([True])[0], "name": np.str_("a")}
    assert ledger.add([Trial(DATA, "x", plain), Trial(DATA, "x", strange)]) == 1


def test_a_value_that_is_no_plain_one_is_refused_and_nothing_entered(ledger):
    with pytest.raises(DataError, match="plain values, not Timestamp"):
        ledger.add([Trial(DATA, "x", {"n": 1}), Trial(DATA, "x", {"day": pd.Timestamp("2024-01-02")})])
    assert not ledger.path.exists()


def test_the_table_gives_counts_and_sharpe_ratios_by_hand(ledger):
    for number, sharpe in enumerate((1.0, 0.5, float("nan"), None, float("inf"), -0.3)):
        ledger.add([Trial(DATA, "x", {"n": number}, sharpe)])
    ledger.add([Trial(DATA, "idle", {}, float("nan"))])
    table = ledger.table().set_index("strategy")
    assert table["trials"].to_dict() == {"x": 6, "idle": 1}
    assert table.loc["x", "best_sharpe"] == 1.0
    assert table.loc["x", "mean_sharpe"] == pytest.approx((1.0 + 0.5 - 0.3) / 3)  # what is undefined is left out
    assert np.isnan(table.loc["idle", "best_sharpe"])
    assert table.dtypes["best_sharpe"] == np.float64


def test_a_ledger_of_undefined_ratios_alone_still_gives_numbers(ledger):
    ledger.add([Trial(DATA, "idle", {}, None)])
    assert ledger.table().dtypes["mean_sharpe"] == np.float64


def grid(fast, slow, *, fingerprint=DATA, sharpes=None, strategy="x", **fixed):
    """A batch of every pair of two lists."""
    codes = np.unravel_index(np.arange(len(fast) * len(slow)), (len(fast), len(slow)))
    ratios = np.full(len(codes[0]), np.nan) if sharpes is None else np.asarray(sharpes, dtype=float)
    values = {"fast": fast, "slow": slow}
    return Batch(fingerprint=fingerprint, strategy=strategy, fixed=fixed, values=values, codes=codes, sharpes=ratios)


def test_a_batch_counts_each_configuration_once_with_those_already_known(ledger):
    assert ledger.add([Trial(DATA, "x", {"fast": 2, "slow": 10}), Trial(DATA, "x", {"fast": 9, "slow": 10})]) == 2
    for _ in range(2):
        ledger.add_batches([grid([1, 2], [10, 20])])
        assert ledger.count(DATA) == 5  # fast 2, slow 10 was known
    ledger.add_batches([grid([2, 3], [20]), grid([1], [5], fingerprint=OTHER)])
    assert ledger.add([Trial(DATA, "x", {"fast": 3, "slow": 20})]) == 0  # known from a batch
    assert (ledger.count(DATA), ledger.count(OTHER)) == (6, 1)


def test_what_is_fixed_and_the_strategy_make_other_configurations(ledger):
    ledger.add_batches([grid([1], [2]), grid([1], [2], cost=1.0), grid([1], [2], strategy="y")])
    assert ledger.count(DATA) == 3


def test_a_batch_with_a_value_that_is_no_plain_one_is_refused_and_nothing_entered(ledger):
    with pytest.raises(DataError, match="plain values, not Timestamp"):
        ledger.add_batches([grid([1], [2]), grid([pd.Timestamp("2024-01-02")], [2])])
    assert not ledger.path.exists()


def test_the_table_joins_batches_and_single_trials(ledger):
    ledger.add_batches([grid([1, 2], [10, 20], sharpes=[1.0, 0.5, np.nan, -0.5])])
    ledger.add([Trial(DATA, "x", {"fast": 1, "slow": 10}, 1.0), Trial(DATA, "x", {"fast": 2, "slow": 10}, 2.0)])
    (row,) = ledger.table().to_dict("records")
    assert (row["trials"], row["best_sharpe"], row["mean_sharpe"]) == (4, 2.0, pytest.approx((1 + 0.5 - 0.5 + 2) / 4))
    assert pd.Timestamp.now("UTC") - row["last"] < pd.Timedelta(minutes=5)


def test_a_ratio_that_becomes_known_later_is_kept(ledger):
    ledger.add([Trial(DATA, "x", {"n": 1})])
    ledger.add([Trial(DATA, "x", {"n": 1}, 0.7)])
    ledger.add([Trial(DATA, "x", {"n": 1}, None)])
    assert ledger.table()["best_sharpe"].tolist() == [0.7]


def test_what_was_tried_is_count_spread_and_correlation_by_hand(ledger):
    course = np.random.default_rng(1).normal(size=640)
    ratios = [1.6, 0.8, 0.0]
    ledger.add(Trial(DATA, "x", {"n": n}, ratio, sketch=sketch(course)) for n, ratio in enumerate(ratios))
    tried = ledger.tried(DATA, 256)
    assert tried.count == 3
    assert tried.sharpe_std == pytest.approx(0.8 / 16)  # 0.8 a year, 256 bars a year
    assert tried.correlation == pytest.approx(1.0, abs=1e-6)  # three copies of one
    assert tried.effective == pytest.approx(1.0, abs=1e-6)
    assert ledger.tried(OTHER, 256) == type(tried)()


def test_a_ledger_of_the_first_form_is_taken_over(ledger):
    ledger.path.parent.mkdir()
    db = sqlite3.connect(ledger.path)
    db.execute(
        "CREATE TABLE trials (fingerprint TEXT, configuration BLOB, strategy TEXT, parameters TEXT, sharpe REAL, "
        "PRIMARY KEY (fingerprint, configuration)) WITHOUT ROWID"
    )
    old = [(DATA, bytes([n]), "x", json.dumps({"n": n}), 0.5 * n) for n in range(3)]
    db.executemany("INSERT INTO trials VALUES (?, ?, ?, ?, ?)", old)
    db.commit()
    db.close()
    assert ledger.add([Trial(DATA, "x", {"n": 2}, 1.0), Trial(DATA, "x", {"n": 3})]) == 1
    assert ledger.count(DATA) == 4
    assert ledger.table()["best_sharpe"].tolist() == [1.0]


def test_the_parameters_can_be_read_back(ledger):
    ledger.add([Trial(DATA, "x", {"fast": 1, "terms": {"cash": 1000.0}})])
    db = sqlite3.connect(ledger.path)
    ((text,),) = db.execute("SELECT parameters FROM configurations").fetchall()
    db.close()
    assert json.loads(text) == {"fast": 1, "terms": {"cash": 1000.0}}


CROWD = """
    import os, sys, time
    from pathlib import Path
    from qtw_lab.research.trials import Trial, TrialLedger

    for round in range(4):  # the ledger is made anew each time: that is when processes get into each other's way
        ledger = TrialLedger(Path(sys.argv[1]) / str(round) / "trials.sqlite")
        begin = time.time() + 0.1
        crowd = []
        for who in range(8):
            process = os.fork()
            if process == 0:
                time.sleep(max(0.0, begin - time.time()))
                new = [ledger.add([Trial("a" * 64, "x", {"who": who, "n": n}), Trial("a" * 64, "x", {"n": n})])
                       for n in range(10)]
                os._exit(0 if all(1 <= count <= 2 for count in new) else 1)
            crowd.append(process)
        assert [os.waitpid(process, 0)[1] for process in crowd] == [0] * 8
        assert ledger.count("a" * 64) == 8 * 10 + 10, ledger.count("a" * 64)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked to start at the same moment")
def test_several_processes_at_once_lose_nothing_and_count_nothing_twice(tmp_path):
    done = run(CROWD, tmp_path)
    assert done.returncode == 0, done.stderr


HAMMER = """
    import os, sys
    from pathlib import Path
    from qtw_lab.research.trials import Trial, TrialLedger

    ledger, crowd = TrialLedger(Path(sys.argv[1])), []
    for who in range(8):
        process = os.fork()
        if process == 0:
            new = sum(ledger.add([Trial("a" * 64, "x", {"who": who, "n": n}, 0.1)]) for n in range(1000))
            os._exit(0 if new == 1000 else 1)
        crowd.append(process)
    assert [os.waitpid(process, 0)[1] for process in crowd] == [0] * 8
    print(ledger.count("a" * 64))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked to write at the same time")
def test_eight_processes_that_add_a_thousand_trials_each_count_eight_thousand(tmp_path):
    done = run(HAMMER, tmp_path / "trials.sqlite")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "8000\n"


KILLED = """
    import os, random, signal, sys, time
    from pathlib import Path
    from qtw_lab.research.trials import Trial, TrialLedger

    ledger, chance, acknowledged = TrialLedger(Path(sys.argv[1])), random.Random(7), 0
    for trial in range(15):
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            number = 0
            while True:
                new = ledger.add(Trial("a" * 64, "x", {"trial": trial, "n": 10 * number + k}) for k in range(10))
                os.write(writing, b"%d\\n" % new)
                number += 1
        os.close(writing)
        with os.fdopen(reading) as pipe:
            acknowledged += int(pipe.readline())
            time.sleep(chance.uniform(0, 0.02))
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            acknowledged += sum(map(int, pipe.read().split()))
        count = ledger.count("a" * 64)
        assert count % 10 == 0, count  # all of an addition, or none of it
        assert acknowledged <= count <= acknowledged + 10 * (trial + 1), (acknowledged, count)
    print(acknowledged)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such end there")
def test_a_process_killed_at_any_moment_keeps_what_it_acknowledged(tmp_path):
    done = run(KILLED, tmp_path / "trials.sqlite")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 150


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"no database at all" * 100,
        lambda content: content[:100],
        lambda content: content[:20_000],
        lambda content: content[:8192] + b"\x55" * (len(content) - 8192),
    ],
    ids=["another file", "header only", "cut off", "overwritten"],
)
def test_a_damaged_ledger_is_named_with_the_way_out(ledger, damage):
    ledger.add(Trial(DATA, "x", {"n": number}) for number in range(2000))
    connections.forget(ledger.path)  # at rest, as a file is that is found damaged later
    ledger.path.write_bytes(damage(ledger.path.read_bytes()))
    before = ledger.path.read_bytes()
    for use in (ledger.table, lambda: ledger.count(DATA)):
        with pytest.raises(DataError, match=r"trials\.sqlite is damaged: .* Move it away"):
            use()
    assert ledger.path.read_bytes() == before
    for file in ledger.path.parent.glob("trials.sqlite*"):
        file.rename(file.with_name(f"damaged.{file.name}"))
    assert ledger.add([Trial(DATA, "x", {})]) == 1


def test_a_database_of_something_else_is_not_touched(ledger):
    ledger.path.parent.mkdir()
    db = sqlite3.connect(ledger.path)
    db.execute("CREATE TABLE batches (patient TEXT)")
    db.commit()
    db.close()
    with pytest.raises(SetupError, match="cannot be used: "):
        ledger.add([Trial(DATA, "x", {})])


def test_a_place_that_cannot_be_written_is_a_setup_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "trials.sqlite", tmp_path):
        with pytest.raises(SetupError, match="QTW_STORAGE_DIR"):
            TrialLedger(path).add([Trial(DATA, "x", {})])


def test_a_ledger_held_by_another_process_is_waited_for(ledger):
    ledger.add([Trial(DATA, "x", {})])
    script = """
        import sqlite3, sys, time
        db = sqlite3.connect(sys.argv[1], isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        print("held", flush=True)
        time.sleep(0.5)
        db.execute("COMMIT")
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(ledger.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert ledger.add([Trial(DATA, "x", {"n": 1})]) == 1
    assert ledger.count(DATA) == 2
