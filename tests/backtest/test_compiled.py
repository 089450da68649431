"""The disk cache of compiled code: it serves a second process, and never the rules of yesterday."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from numba.core.dispatcher import Dispatcher

import qtw_lab as qtw
from qtw_lab.backtest import book, compiled, kernel, walk

PACKAGE = Path(qtw.__file__).parent

#: A function of our kind, small enough to compile in a moment, with a money rule of another room inside.
PROBE = """
from qtw_lab.backtest.compiled import compiled, inlined
from qtw_lab.ledger import costs

_commission = inlined(costs.commission)

@compiled
def fee(amount: float) -> float:
    return _commission(amount, 1.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0)

if __name__ != "__main__":
    print(fee(10_000.0), sum(fee.stats.cache_hits.values()))
"""

BACKTEST = """
import pandas as pd, qtw_lab as qtw
from qtw_lab.backtest.kernel import simulate
frame = pd.DataFrame({"close": [10.0, 10.0, 10.0]}, index=pd.date_range("2024-01-02", periods=3))
bars = qtw.Bars.from_frame(frame, symbol="X")
costs = qtw.Costs(commission_bps=10)
result = qtw.backtest("buy_and_hold", bars, sizing=qtw.Sizing.fixed_shares(100), costs=costs)
print(result.orders["commission"].sum(), sum(simulate.stats.cache_hits.values()))
"""


@pytest.fixture
def house(tmp_path) -> Path:
    """A copy of the package to change."""
    shutil.copytree(PACKAGE, tmp_path / "qtw_lab", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _python(house: Path, code: str) -> tuple[float, int]:
    """What a fresh process with the copied package prints: a fee, and how often the cache served."""
    settings = {"PYTHONPATH": str(house), "NUMBA_CACHE_DIR": str(house / "cache")}
    check = f"import qtw_lab; assert qtw_lab.__file__.startswith({str(house)!r}), qtw_lab.__file__\n"
    done = subprocess.run(
        [sys.executable, "-c", check + code], env=os.environ | settings, cwd=house, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    fee, hits = done.stdout.split()
    return float(fee), int(hits)


def _double_the_commission(house: Path) -> None:
    rule = house / "qtw_lab" / "ledger" / "costs.py"
    text = rule.read_text("utf-8")
    assert text.count("per_order + amount * bps * 1e-4") == 1
    rule.write_text(text.replace("per_order + amount * bps * 1e-4", "per_order + amount * bps * 2e-4"), "utf-8")


def test_a_second_process_is_served_and_a_changed_rule_of_another_file_is_not(house):
    (house / "qtw_lab" / "backtest" / "probe.py").write_text(PROBE, "utf-8")
    code = "import qtw_lab.backtest.probe"
    assert _python(house, code) == (10.0, 0)
    assert _python(house, code) == (10.0, 1)
    _double_the_commission(house)
    assert _python(house, code) == (20.0, 0)
    assert _python(house, code) == (20.0, 1)


@pytest.mark.slow  # compiles the kernel twice
def test_a_backtest_follows_a_changed_rule_at_once(house):
    assert _python(house, BACKTEST) == (1.0, 0)
    assert _python(house, BACKTEST) == (1.0, 1)
    _double_the_commission(house)
    assert _python(house, BACKTEST) == (2.0, 0)


def _ours() -> dict[str, Dispatcher]:
    """Every function compiled in the modules of the kernel."""
    return {
        f"{module.__name__}.{name}": thing
        for module in (book, walk, kernel)
        for name, thing in vars(module).items()
        if isinstance(thing, Dispatcher)
    }


def test_the_state_of_all_sources_is_in_the_index_on_disk_of_a_compiled_function(bars_of):
    qtw.backtest("buy_and_hold", bars_of(X=[1.0, 2.0, 3.0]))  # compiles, or finds compiled
    store = kernel.simulate._cache._cache_file
    with Path(store._index_path).open("rb") as index:
        pickle.load(index)  # the version of Numba
        stamp, overloads = pickle.loads(index.read())
    assert overloads
    assert stamp == store._source_stamp
    assert stamp[1] == compiled.sources()


def test_every_kept_function_carries_the_stamp():
    kept = {name: f for name, f in _ours().items() if type(f._cache).__name__ != "NullCache"}
    assert "qtw_lab.backtest.kernel.simulate" in kept
    assert "qtw_lab.backtest.book.trade" in kept
    for name, function in kept.items():
        assert function._cache._cache_file._source_stamp[1] == compiled.sources(), name


def test_every_function_that_is_compiled_lives_in_a_watched_file():
    watched = {name for name, _, _ in compiled.sources()}
    for name, function in _ours().items():
        path = Path(function.py_func.__code__.co_filename)
        assert f"{path.parent.name}/{path.name}" in watched, name


def test_the_stamp_names_each_file_with_its_time_and_size():
    found = {name: (time, size) for name, time, size in compiled.sources()}
    rule = PACKAGE / "ledger" / "costs.py"
    assert found["ledger/costs.py"] == (rule.stat().st_mtime_ns, rule.stat().st_size)
    assert {"backtest/kernel.py", "backtest/walk.py", "ledger/account.py", "ledger/fills.py"} <= set(found)
    assert list(found) == sorted(found)


def test_compiled_code_divides_by_zero_as_numpy_does():
    @compiled.inlined
    def ratio(one: float, two: float) -> float:
        return one / two

    assert ratio(1.0, 0.0) == float("inf")
    assert pd.isna(ratio(0.0, 0.0))
