"""What the lab asks of an edge: options pass through, and everything counts in its own ledger and no other."""

import sqlite3

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.sweep import sweep
from qtw_lab.core import DataError
from qtw_lab.lab import Lab
from qtw_lab.research.checks import VERDICTS

REPS = 100


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Where a ledger would be that is not the lab's own."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(autouse=True)
def _default_storage(elsewhere, monkeypatch):
    monkeypatch.setenv("QTW_STORAGE_DIR", str(elsewhere))


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Lab:
    return Lab.offline(tmp_path_factory.mktemp("lab"))


@pytest.fixture
def lab(tmp_path) -> Lab:
    return Lab.offline(tmp_path / "lab")


@pytest.fixture(scope="module")
def bars(shared) -> qtw.Bars:
    return shared.bars("AAPL", "2010-01-01", "2011-12-31")


@pytest.fixture(scope="module")
def five() -> qtw.Bars:
    """Five symbols of 300 bars that wander apart."""
    steps = np.random.default_rng(4).normal(0.0003, 0.01, (300, 5))
    close = pd.DataFrame(
        50 * np.exp(np.cumsum(steps, axis=0)), pd.bdate_range("2022-01-03", periods=300), list("ABCDE")
    )
    frame = pd.concat(dict.fromkeys(("open", "high", "low", "close"), close), axis=1)
    return qtw.Bars.from_frame(frame)


def newest(lab: Lab, kind: str):
    return lab.registry.get(lab.registry.list(kind=kind, limit=1)["id"].iloc[0])


# Validation


def test_a_backtest_its_record_and_its_id_have_one_verdict(lab, bars):
    result = lab.backtest("sma_cross", bars, fast=5, slow=20, costs=qtw.Costs(commission_bps=5))
    recorded = newest(lab, "backtest").id
    reports = [lab.validate(subject, reps=REPS) for subject in (result, recorded, recorded[:20])]
    assert len({report.facts().to_json() for report in reports}) == 1
    assert reports[0].verdict in VERDICTS
    assert reports[0].facts()["trials"] == lab.trials.count(bars.fingerprint) == 1
    assert [one.parameters["judged"] for one in map(lab.registry.get, lab.registry.list(kind="validation")["id"])] == [
        recorded, recorded, None,
    ]  # fmt: skip


def test_a_sweep_and_its_id_have_one_verdict(lab, bars):
    swept = lab.sweep("sma_cross", bars, grid={"fast": [5, 10], "slow": [20, 50]})
    first, second = lab.validate(swept, reps=REPS), lab.validate(newest(lab, "sweep").id, reps=REPS)
    assert first.facts().to_json() == second.facts().to_json()
    assert first.facts()["trials"] == lab.trials.count(bars.fingerprint) == 4


def test_options_reach_the_validation_and_its_record(lab, bars):
    swept = lab.sweep("sma_cross", bars, grid={"fast": [5, 10], "slow": [20, 50]})
    row = swept.table.index[3]
    report = lab.validate(swept, row=row, level=0.2, reps=REPS, seed=np.int64(3))
    assert (report.result.strategy.fast, report.result.strategy.slow) == (row[0], row[1])
    assert (report.evidence.level, report.evidence.reps, report.evidence.seed) == (0.2, REPS, 3)
    options = newest(lab, "validation").parameters["options"]
    assert options == {"row": [10, 50, "AAPL"], "level": 0.2, "reps": REPS, "seed": 3}


def test_a_validation_is_a_run_of_its_own_with_its_facts_and_data(lab, bars):
    result = lab.backtest("sma_cross", bars, fast=5, slow=20)
    report = lab.validate(result, reps=REPS)
    run = newest(lab, "validation")
    assert (run.kind, run.name, run.status) == ("validation", "sma_cross", "ok")
    assert run.parameters["verdict"] == run.facts()["verdict"] == report.verdict
    assert run.facts().to_json() == report.facts().to_json()
    assert run.manifest["inputs"]["data"][0]["fingerprint"] == bars.fingerprint
    with pytest.raises(DataError, match="is a validation; only a recorded backtest or sweep"):
        lab.validate(run.id, reps=REPS)


def test_what_was_made_elsewhere_counts_once_it_is_judged(lab, bars):
    """Five of another strategy are known; the result is the sixth, and the sweep's other three make nine."""
    lab.sweep("ema_cross", bars, grid={"fast": [3, 4, 5, 6, 7]})
    result = backtest("sma_cross", bars)
    assert lab.validate(result, reps=REPS).facts()["trials"] == 6
    swept = sweep("sma_cross", bars, grid={"fast": [10, 12], "slow": [50, 60]})
    assert lab.validate(swept, reps=REPS).facts()["trials"] == 9
    assert lab.trials.count(bars.fingerprint) == 9


def test_a_ledger_that_is_named_is_the_one_that_counts(lab, bars, tmp_path):
    other = Lab.offline(tmp_path / "other").trials
    lab.sweep("ema_cross", bars, grid={"fast": [3, 4, 5]})
    assert lab.validate(backtest("sma_cross", bars), ledger=other, reps=REPS).facts()["trials"] == 1
    assert (other.count(bars.fingerprint), lab.trials.count(bars.fingerprint)) == (1, 3)


@pytest.mark.parametrize(
    ("subject", "options", "said"),
    [(5, {}, "Only a backtest's Result or a Sweep"), ("1999", {}, "There is no run '1999'"),
     ("result", {"level": 0.7}, "level=0.7"), ("result", {"reps": 5}, "reps"), ("few", {}, "too few to judge")],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused_and_not_recorded(lab, bars, subject, options, said):
    subjects = {"result": lambda: backtest("sma_cross", bars), "few": lambda: backtest("buy_and_hold", bars.head(40))}
    with pytest.raises(DataError, match=said):
        lab.validate(subjects[subject]() if subject in subjects else subject, **options)
    assert lab.registry.list(kind="validation").empty


# Studies


def walked(lab, five):
    return lab.walk_forward("sma_cross", five, grid={"fast": [3, 5], "slow": [10, 20]}, train=100, test=50)


def combined(lab, five):
    return lab.combinatorial("sma_cross", five, {"fast": [3, 5], "slow": [10, 20]})


def factored(lab, five):
    return lab.factor_study("reversal", five, horizons=(1, 5))


def divided(lab, five):
    return lab.portfolios(five, ("equal_weight", "inverse_volatility"), train=100, reps=REPS)


#: How it is asked for, as what it is counted, and how many tries of that kind it is.
STUDIES = {
    "walk_forward": (walked, 1),
    "combinatorial": (combined, 1),
    "factor": (factored, 1),
    "portfolio": (divided, 2),
}


@pytest.mark.parametrize("kind", STUDIES)
def test_a_study_counts_in_the_labs_own_ledger_and_once(lab, five, elsewhere, kind):
    study, tries = STUDIES[kind]
    first = study(lab, five)
    with sqlite3.connect(lab.trials.path) as connection:
        kinds = [row[0] for row in connection.execute("SELECT kind FROM configurations")]
    assert kinds == [kind] * tries
    assert [fact.name for fact in first.facts()][:2] == ["trials", "deflated_sharpe"]
    before = lab.trials.table()
    again = study(lab, five)
    assert again.facts().to_json() == first.facts().to_json()
    assert lab.trials.table()["trials"].tolist() == before["trials"].tolist()
    assert list(elsewhere.rglob("*.sqlite")) == []


def test_everything_tried_is_listed(lab, five):
    lab.backtest("buy_and_hold", five)
    walked(lab, five)
    assert set(lab.tried()["strategy"]) >= {"buy_and_hold", "sma_cross"}
    pd.testing.assert_frame_equal(lab.tried(), lab.trials.table())


def test_a_screen_and_the_movers_are_those_of_research(lab, five):
    from qtw_lab.research.screener import screen, top_movers

    assert lab.screen(five, ["close", "change_5"], sort_by="change_5", top=2).table.equals(
        screen(five, ["close", "change_5"], sort_by="change_5", top=2).table
    )
    assert lab.top_movers(five, 2, 5).gainers.equals(top_movers(five, 2, 5).gainers)
    assert not lab.settings.qtw_storage_dir.exists()
