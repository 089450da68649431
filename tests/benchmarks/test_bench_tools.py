"""The instruments themselves: a benchmark that measures wrongly is worse than none."""

import ast
import itertools
import re
import tomllib
from pathlib import Path

import cases
import numpy as np
import processes
import pytest
import rules
import soak
import tables

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def outcome(comparisons, seconds=(1.0, 300.0)):
    case = next(case for case in cases.CASES if case.name == "sma_grid")
    samples = {
        side.label: processes.Samples([took], [took + 1], [took], [100.0 * place], [50.0])
        for place, (side, took) in enumerate(zip(case.sides, seconds, strict=True), start=1)
    }
    return processes.Outcome(case, case.full, samples, comparisons, {})


def comparison(distance):
    return processes.Comparison("vectorbt (Rust)", {"total_return": distance}, 1e-9)


def test_the_grids_have_the_sizes_the_targets_speak_of():
    sizes = {case.name: (len(case.full.pairs), case.full.bars) for case in cases.CASES}
    assert sizes["sma_grid"] == (4_950, 2_148)
    assert sizes["long_grid"] == (4_851, 20_000)
    assert sizes["large_grid"] == (499_500, 2_148)


def test_results_that_differ_give_no_ratio_and_judge_no_target():
    record = tables.record(outcome([comparison(1e-3)]))
    assert (record["equal"], record["ratios"], record["targets"]) == (False, {}, [])
    assert any("no ratios" in line for line in tables.case_lines("sma_grid", record))


def test_equal_results_give_the_ratios_of_the_medians():
    record = tables.record(outcome([comparison(1e-13)]))
    assert record["ratios"]["vectorbt (Rust)"] == {"time": 300.0, "memory": 2.0, "work_memory": 3.0}
    verdicts = [(target["value"], target["met"]) for target in record["targets"]]
    assert verdicts == [(300.0, True), (2.0, False), (3.0, False)]


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        ([1.0, np.nan, 1000.0], True),
        ([1.0, np.nan, 1000.0 + 1e-7], True),  # 1e-10 of it
        ([1.0, np.nan, 1000.1], False),
        ([1.0, 2.0, 1000.0], False),  # defined on one side only
        ([1.0, np.nan], False),
    ],
)
def test_figures_agree_to_the_tolerance_and_in_what_is_undefined(other, equal):
    reference = {"sharpe": np.array([1.0, np.nan, 1000.0])}
    assert processes.compare("x", {"sharpe": np.array(other)}, reference, 1e-9).equal is equal


def test_nothing_in_common_is_not_equal():
    assert not processes.compare("x", {"a": np.ones(1)}, {"b": np.ones(1)}, 1e-9).equal


def test_the_statistics_are_those_of_a_path_worked_by_hand():
    # 100,000 -> 110,000 -> 99,000: returns 10% and -10%, mean 0; a fall of a tenth from the peak.
    total, sharpe, drawdown = rules.statistics(np.array([110_000.0, 99_000.0]), 252)
    assert (round(total, 12), round(sharpe, 12), round(drawdown, 12)) == (-0.01, 0.0, -0.1)


def test_the_running_sum_mean_takes_symbols_and_parameter_columns():
    close = np.array([[1.0], [2.0], [4.0]])
    assert rules.cumulative_mean(close, np.array([1, 2])).tolist()[1:] == [[2.0, 1.5], [4.0, 3.0]]
    assert np.isnan(rules.cumulative_mean(close, np.array([1, 2]))[0, 1])
    two = rules.cumulative_mean(np.hstack([close, close * 10]), 3)
    assert two[-1].tolist() == [pytest.approx(7 / 3), pytest.approx(70 / 3)]


def test_the_portfolio_is_renewed_in_each_months_first_bar_with_the_strongest():
    days = np.array(["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"], "datetime64[ns]").astype(np.int64)
    close = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 2.0], [1.0, 1.0]])
    weights = rules.monthly_weights(close, days, 1, 1)
    assert weights[2].tolist() == [0.0, rules.INVESTED]
    assert np.isnan(np.delete(weights, 2, axis=0)).all()


def test_steady_growth_is_found_and_noise_is_not():
    seconds = list(np.arange(300.0))
    noise = np.random.default_rng(1).normal(0, 1, 300)
    assert soak.fitted(seconds, list(200 + noise)).held
    leaking = soak.fitted(seconds, list(200 + noise + 0.05 * np.arange(300.0)))
    assert not leaking.held
    assert leaking.slope_per_hour == pytest.approx(180, rel=0.1)


def test_a_leap_during_the_warm_up_is_forgiven():
    memory = [200.0 + (50.0 if second > 30 else 0.0) for second in range(300)]
    assert soak.fitted([float(second) for second in range(300)], memory).held


def test_the_docs_keep_what_stands_outside_the_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    report = {"date": "2026-01-02", "quick": True, "repeats": 1, "cases": {}, "start": None, "growth": None,
              "machine": {"cores": 2, "cpu": "a", "system": "b", "python": "c", "versions": {}}}  # fmt: skip
    tables.write_docs(page, report)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "2026-01-02 (a quick run" in text
    assert "old" not in text


def test_machine_facts_name_no_machine():
    import platform

    facts = str(tables.machine(HERE))
    assert platform.node() not in facts
    assert str(Path.home()) not in facts


def test_the_agpl_tool_is_neither_imported_nor_depended_on():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    declared += (ROOT / "requirements.lock").read_text().splitlines()
    assert [line for line in declared if re.match(r"(backtesting|backtrader)\b", line)] == []
    for path in (ROOT / "qtw_lab").rglob("*.py"):
        names = {
            name.partition(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            for name in (
                [alias.name for alias in node.names] if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            )
        }  # fmt: skip
        assert not names & {"backtesting", "backtrader"}, path
