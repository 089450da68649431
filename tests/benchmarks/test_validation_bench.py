"""The instruments of the validation cases: what is compared, with which distance, and what is told."""

import json
import os
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path

import cases
import counting
import numpy as np
import ours
import processes
import pytest
import rules
import run
import tables
import validation
import verdicts
from rules import Size

TINY = Size(market="returns", bars=300, symbols=30, reps=200, parts=4)


def inputs():
    return ours.inputs(TINY)


def test_every_side_of_every_validation_case_is_there_to_be_prepared():
    import oracles

    homes = {"ours": ours, "verdicts": verdicts, "oracles": oracles}
    for case in validation.CASES:
        for side in case.sides:
            assert callable(getattr(homes[side.module], side.function)), (case.name, side.label)


def test_the_sizes_are_those_the_page_speaks_of():
    shapes = {case.name: case.shape_of(case.full) for case in validation.CASES}
    table = "1,000 strategies × 2,000 bars × 1,000 resamples"
    assert shapes["spa"].startswith(table)
    assert shapes["step_m"].startswith(table)
    assert shapes["pbo"] == "100 strategies × 2,000 bars × 16 partitions"
    assert shapes["cpcv"] == "10 groups by 2 on 5,000 rows"
    assert shapes["counting"] == "4,950 combinations × 2,148 bars"
    assert [len(case.full.pairs) for case in validation.CASES if case.name == "validate"] == [1_035]


def test_one_name_of_the_command_line_takes_the_whole_validation_lab():
    names = run.chosen_names(["sma_grid", "validation"])
    assert names == ["sma_grid", *(case.name for case in validation.CASES), "ledger"]
    assert run.chosen_names(None) == list(run.NAMES)
    assert len(set(run.NAMES)) == len(run.NAMES)


def test_a_standard_error_apart_is_what_the_binomial_says():
    # Shares of 1,000 draws near one half: a difference has the deviation sqrt(2 * 0.25 / 1000) = 0.02236.
    size = replace(TINY, reps=1000)
    one, other = np.array(0.5), np.array(0.5 + np.sqrt(0.5 / 1000))
    assert float(rules.standard_errors(one, other, size)) == pytest.approx(1.0, rel=2e-3)
    assert float(rules.standard_errors(one, one, size)) == 0.0


def test_two_draws_of_the_same_share_are_as_far_apart_as_standard_errors_say():
    rng = np.random.default_rng(3)
    for share in (0.02, 0.3, 0.9):
        draws = rng.binomial(500, share, (2, 20_000)) / 500
        apart = rules.standard_errors(draws[0], draws[1], replace(TINY, reps=500))
        assert np.sqrt((apart**2).mean()) == pytest.approx(1.0, abs=0.06)


def test_p_values_further_apart_than_chance_allows_are_not_equal():
    size = replace(TINY, reps=1000)
    compared = [
        processes.compare("x", {"upper": np.array(p)}, {"upper": np.array(0.30)}, 4.0, rules.standard_errors, size)
        for p in (0.33, 0.40)
    ]
    assert [one.equal for one in compared] == [True, False]
    assert compared[0].text() == "x: equal (upper 1.4; tolerance 4 standard errors)"


def test_the_p_values_of_both_sides_are_equal_within_their_errors():
    import oracles

    case = next(case for case in validation.CASES if case.name == "spa")
    ours_found, check = verdicts.spa(TINY, inputs())(), verdicts.reality_check(TINY, inputs())()
    for found in (oracles.spa(TINY, inputs())(), check):
        assert processes.compare("x", found, ours_found, case.tolerance, case.apart, TINY).equal
    assert set(check) < set(ours_found)
    assert check["upper"] == ours_found["upper"]


def test_the_strategies_made_good_are_named_by_both_sides_and_no_others():
    import oracles

    wanted = rules.members(range(rules.SKILLED), TINY.symbols)
    assert verdicts.step_m(TINY, inputs())()["superior"].tolist() == wanted.tolist()
    assert oracles.step_m(TINY, inputs())()["superior"].tolist() == wanted.tolist()


@pytest.mark.parametrize("function", ["overfitting", "combinatorial"])
def test_overfitting_and_splits_are_equal_to_the_last_figure(function):
    import oracles

    ours_found = getattr(verdicts, function)(TINY, inputs())()
    found = getattr(oracles, function)(TINY, inputs())()
    assert set(found) == set(ours_found)
    assert processes.compare(function, found, ours_found, 1e-12).equal


def test_another_split_is_noticed():
    splits = [(np.array([0, 1]), np.array([2, 3])), (np.array([2, 3]), np.array([0, 1]))]
    paths = np.array([[1, 0]])
    one = rules.splits_as_arrays(splits, paths)
    other = rules.splits_as_arrays([splits[0], (np.array([2, 3]), np.array([1, 0]))], paths)
    shifted = rules.splits_as_arrays(
        [(np.array([0]), np.array([2, 3])), (np.array([1, 2, 3]), np.array([0, 1]))], paths
    )
    assert processes.compare("x", one, one, 0.0).equal
    assert not processes.compare("x", other, one, 0.0).equal
    assert processes.compare("x", shifted, one, 0.0).worst["counts"] == 0.5  # 1 beside 2 and 3 beside 2, relative


def test_a_benchmark_counts_in_a_folder_of_its_own():
    program = "import os; print(os.environ['QTW_STORAGE_DIR'])"
    folders = [processes.timed([sys.executable, "-c", program])[1].strip() for _ in range(2)]
    assert len({*folders, os.environ["QTW_STORAGE_DIR"]}) == 3
    assert not any(Path(folder).exists() for folder in folders)


def test_a_sweep_for_the_ledger_leaves_no_trace_where_it_is_not_counted():
    swept = ours.sweeping("sma_cross", Size(windows=5), ours.uncounted_sweep)()
    counted = ours.sweeping("sma_cross", Size(windows=5))()
    assert swept.ledger is None
    assert counted.ledger is not None
    assert swept.table.equals(counted.table)


def test_the_pace_of_the_ledger_is_told_only_of_a_right_count(tmp_path):
    from qtw_lab.backtest.trial_ledger import TrialLedger

    ledger = TrialLedger(tmp_path / "trials.sqlite")
    ledger.add(counting._trials("f" * 64, 0, 3))
    counting._expected(ledger, "f" * 64, 3)
    with pytest.raises(RuntimeError, match="counts 3 trials where 4"):
        counting._expected(ledger, "f" * 64, 4)


def test_sweeps_are_entered_once_and_counted_beside_single_trials(tmp_path):
    paces = counting._sweeps(tmp_path, replace(counting.QUICK, windows=(5, 7)))
    assert [(pace.name, pace.items) for pace in paces] == [
        ("a sweep, new to the ledger", 6), ("the same sweep again", 6), ("count of it", 6),
        ("a sweep, new to the ledger", 15), ("the same sweep again", 15), ("count of it", 15),
        ("adds one by one beside 15 swept", 10),
    ]  # fmt: skip


def test_a_line_of_several_runs_is_their_median():
    line = counting.median([asdict(counting.Pace("adds", seconds, 100)) for seconds in (4.0, 1.0, 2.0)])
    assert line == {"name": "adds", "seconds": 2.0, "items": 100, "rate": 50.0, "fastest": 1.0, "slowest": 4.0}
    text = "\n".join(tables.ledger_lines([line]))
    assert "| adds | 100 | 2.00 s | 20.0 ms | 50 |" in text


def test_the_page_tells_what_our_side_found_and_the_size_in_words():
    case = next(case for case in validation.CASES if case.name == "tear_sheet")
    samples = {"qtw_lab": processes.Samples([1.0], [2.0], [1.0], [300.0], [290.0])}
    outcome = processes.Outcome(case, case.full, samples, [], {}, {"html_mb": np.array(1.234)})
    record = json.loads(json.dumps(tables.record(outcome)))
    assert "seconds_per_combination" not in record["sides"]["qtw_lab"]
    text = "\n".join(tables.case_lines(case.name, record))
    assert "1 page of 2,520 bars." in text
    assert "- the page is 1.23 MB" in text


def test_the_portfolio_is_no_grid_and_keeps_its_words():
    portfolio = next(case for case in cases.CASES if case.name == "portfolio")
    assert not portfolio.grid
    assert portfolio.shape_of(portfolio.full) == "1 combinations × 2,520 bars × 500 symbols"
    assert all(case.grid for case in cases.CASES if case is not portfolio)


def test_the_validation_peers_come_with_the_project_and_stay_out_of_the_other_environment():
    pinned = (Path(__file__).parent / "requirements.txt").read_text()
    assert not re.search(r"^(arch|ffn|skfolio)\b", pinned, flags=re.MULTILINE)
    project = (Path(__file__).resolve().parents[2] / "requirements.lock").read_text()
    assert {"arch", "ffn", "skfolio"} <= {line.partition("==")[0] for line in project.splitlines()}
