"""A sweep that was killed goes on where it was, and only its own work is taken for its own."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest import checkpoints
from qtw_lab.backtest.checkpoints import Checkpoint, Part, missing
from qtw_lab.backtest.sweep import sweep
from qtw_lab.core import DataError, SetupError

BARS = qtw.Lab.offline().bars("AAPL", start="2009-01-01", end="2010-12-31")
GRID = {"fast": range(2, 30), "slow": range(30, 60)}

#: A rule in a file of its own, so that two processes know the same one; it is slow and counts its evaluations.
RULE = """
import time
import numpy as np
from qtw_lab.strategies import Strategy, param

calls = []

class Slow(Strategy):
    window: int = param(5, low=2, high=2000)

    def signals(self, prices):
        calls.append(int(self.window))  # not for arrays: evaluated one by one
        time.sleep(0.002)
        return (prices.close > np.nanmean(prices.close[: self.window])).astype(float)
"""

RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import qtw_lab as qtw
from qtw_lab.backtest import checkpoints
from slow_rule import Slow
checkpoints.SECONDS_A_PART = 0.05
bars = qtw.Lab.offline().bars("AAPL", start="2009-01-01", end="2010-12-31")
print("started", flush=True)
qtw.sweep(Slow, bars, grid={"window": range(2, 602)}, resume=sys.argv[2], top=int(sys.argv[3]) or None)
"""


@pytest.fixture
def slow(tmp_path, monkeypatch):
    (tmp_path / "slow_rule.py").write_text(RULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slow_rule", raising=False)
    import slow_rule

    return slow_rule


@pytest.mark.parametrize("top", [None, 20])
def test_a_sweep_killed_by_the_system_is_finished_by_a_second_run(tmp_path, slow, top):
    folder = tmp_path / "checkpoint"
    command = [sys.executable, "-c", RUN, str(tmp_path), str(folder), str(top or 0)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(list(folder.glob("part-*.npz"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    grid = {"window": range(2, 602)}
    resumed = sweep(slow.Slow, BARS, grid=grid, resume=folder, top=top, workers=1)
    evaluated = len(slow.calls)
    slow.calls.clear()
    whole = sweep(slow.Slow, BARS, grid=grid, top=top, workers=1)
    pd.testing.assert_frame_equal(resumed.table, whole.table, check_exact=True)
    assert resumed.trials == whole.trials == 600
    taken = int(resumed.remarks[0].split(" rows")[0])
    assert taken >= 3
    assert evaluated == len(slow.calls) - taken
    assert not resumed.partial


def test_a_finished_sweep_is_read_back_without_evaluating_anything(tmp_path, slow):
    grid = {"window": range(2, 30)}
    first = qtw.sweep(slow.Slow, BARS, grid=grid, resume=tmp_path / "c")
    slow.calls.clear()
    steps = []
    again = qtw.sweep(slow.Slow, BARS, grid=grid, resume=tmp_path / "c", progress=lambda *step: steps.append(step))
    assert len(slow.calls) <= 5  # what finds out how the strategy is evaluated
    assert steps[-1] == (28, 28)
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)
    assert again.remarks == (f"28 rows come from the checkpoint {tmp_path / 'c'}",)


@pytest.mark.parametrize("cut", ["short", "flipped", "empty"])
def test_a_damaged_part_is_found_removed_and_redone(tmp_path, cut):
    whole = qtw.sweep("sma_cross", BARS, grid=GRID, resume=tmp_path / "c")
    (part,) = (tmp_path / "c").glob("part-*.npz")
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes({"short": bytes(content[: len(content) // 2]), "flipped": bytes(content), "empty": b""}[cut])
    again = qtw.sweep("sma_cross", BARS, grid=GRID, resume=tmp_path / "c")
    pd.testing.assert_frame_equal(whole.table, again.table, check_exact=True)
    assert again.remarks == ("1 damaged part of the checkpoint had to be redone",)
    assert "damaged" in " ".join(again.facts().notes)
    third = qtw.sweep("sma_cross", BARS, grid=GRID, resume=tmp_path / "c")
    assert third.remarks[0].startswith("840 rows come from")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"grid": {"fast": range(2, 31), "slow": range(30, 60)}}, "grid"),
        ({"where": lambda fast, slow: fast != 5}, "grid"),
        ({"costs": qtw.Costs(commission_bps=1)}, "terms"),
        ({"execution": "same_close"}, "terms"),
        ({"metrics": ("sharpe",)}, "metrics"),
        ({"top": 10}, "rows kept"),
        ({"strategy": qtw.strategies.SmaCross(short=True)}, "fixed parameters"),
        ({"strategy": "ema_cross"}, "strategy"),
        ({"bars": BARS.head(400)}, "data"),
    ],
)
def test_the_checkpoint_of_another_sweep_is_refused(tmp_path, change, named):
    given = {"strategy": "sma_cross", "bars": BARS, "grid": GRID, "resume": tmp_path / "c"}
    qtw.sweep(**given)
    with pytest.raises(DataError, match=f"is of another sweep: it differs in {named}. Name another folder"):
        qtw.sweep(**(given | change))


def test_a_rule_that_was_edited_is_another_strategy(tmp_path, slow, monkeypatch):
    qtw.sweep(slow.Slow, BARS, grid={"window": [5]}, resume=tmp_path / "c")
    (tmp_path / "slow_rule.py").write_text(RULE.replace(">", "<"))
    monkeypatch.delitem(sys.modules, "slow_rule")
    import importlib
    import linecache

    importlib.invalidate_caches()
    linecache.clearcache()
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    edited = importlib.import_module("slow_rule")
    sys.dont_write_bytecode = before
    with pytest.raises(DataError, match="differs in strategy's code"):
        qtw.sweep(edited.Slow, BARS, grid={"window": [5]}, resume=tmp_path / "c")


def test_a_rule_typed_into_a_console_is_told_from_another():
    def typed(body):
        space = {"Strategy": qtw.Strategy, "param": qtw.param, "__name__": "console"}
        text = f"class R(Strategy):\n    n = param(5)\n    def signals(self, prices):\n        return {body}\n"
        exec(compile(text, "<stdin>", "exec"), space)
        return space["R"]

    assert checkpoints._code(typed("prices.close")) == checkpoints._code(typed("prices.close"))
    assert checkpoints._code(typed("prices.close")) != checkpoints._code(typed("prices.open"))


def test_a_folder_that_is_no_checkpoint_is_left_alone(tmp_path):
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(DataError, match=r"other things in it \(thesis.docx"):
        qtw.sweep("sma_cross", BARS, grid=GRID, resume=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]
    with pytest.raises(DataError, match="is a file"):
        qtw.sweep("sma_cross", BARS, grid=GRID, resume=tmp_path / "thesis.docx")
    with pytest.raises(DataError, match="path of a folder"):
        qtw.sweep("sma_cross", BARS, grid=GRID, resume=7)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "sweep": 3}'])
def test_a_damaged_manifest_is_refused(tmp_path, text):
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(DataError, match="is damaged"):
        Checkpoint(tmp_path, {"data": "x"})


def test_a_manifest_of_another_format_is_refused(tmp_path):
    (tmp_path / "sweep.json").write_text(json.dumps({"format": 99, "sweep": {"data": "x"}}))
    with pytest.raises(DataError, match="differs in its format"):
        Checkpoint(tmp_path, {"data": "x"})


def test_a_folder_that_cannot_be_made_is_a_matter_of_setup(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError):
        Checkpoint(tmp_path / "file" / "below", {"data": "x"})


def test_a_part_with_the_right_name_and_pickled_content_is_not_opened(tmp_path):
    point = Checkpoint(tmp_path, {"data": "x"})
    part = Part(((0, 1),), np.array([0]), np.array([[1.0]]))
    point.save(part)
    np.savez(tmp_path / "evil.npz", spans=np.array([object()], dtype=object))
    content = (tmp_path / "evil.npz").read_bytes()
    (tmp_path / f"part-{point._digest(content)}.npz").write_bytes(content)
    assert len(list(point.parts())) == 1
    assert len(point.damaged) == 1


def test_parts_that_overlap_count_once(tmp_path):
    """Two runs that shared a folder may both have done the same block."""
    whole = qtw.sweep("sma_cross", BARS, grid=GRID, resume=tmp_path / "c", top=30)
    identity = json.loads((tmp_path / "c" / "sweep.json").read_text())["sweep"]
    numbers = np.arange(100, 300)
    full = qtw.sweep("sma_cross", BARS, grid=GRID)
    Checkpoint(tmp_path / "c", identity).save(Part(((100, 300),), numbers, full.table.to_numpy(float)[100:300]))
    again = qtw.sweep("sma_cross", BARS, grid=GRID, resume=tmp_path / "c", top=30)
    pd.testing.assert_frame_equal(whole.table, again.table, check_exact=True)
    assert again.trials == 840


@pytest.mark.parametrize(
    ("spans", "length", "gaps"),
    [([], 5, [(0, 5)]), ([(0, 5)], 5, []), ([(1, 2), (1, 4)], 5, [(0, 1), (4, 5)]), ([(3, 5), (0, 1)], 5, [(1, 3)])],
)
def test_what_is_missing_is_the_complement(spans, length, gaps):
    assert missing(spans, length) == gaps
