"""`qtw strategies`, `backtest`, `sweep` and `validate`: the numbers are Python's, and options mean what they say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import qtw_lab
from qtw_lab.cli.research import _account, _costs, _grid
from qtw_lab.core import DataError, Facts
from qtw_lab.strategies import STRATEGIES

WORDS = ("backtest", "sma_cross", "-p", "fast=10", "-p", "slow=50", "--symbols", "AAPL")


def same(shown: dict, stats: pd.Series) -> bool:
    """Whether JSON holds these very numbers, with null for what is not defined."""
    wanted = {name: (value if np.isfinite(value) else None) for name, value in stats.items()}
    return shown == wanted


def test_a_backtest_gives_exactly_the_numbers_of_both_python_calls(qtw, storage):
    answer = qtw(*WORDS, "--json")
    assert (answer.code, answer.err) == (0, "")
    lab = qtw_lab.Lab.offline(storage / "another")
    bars = lab.bars("AAPL")
    for result in (
        lab.backtest("sma_cross", bars, fast=10, slow=50),
        qtw_lab.backtest(qtw_lab.strategies.SmaCross(fast=10, slow=50), bars),
    ):
        assert same(answer.json["stats"], result.stats)
        assert answer.json["order_hash"] == result.order_hash
        assert answer.json["data_fingerprint"] == result.bars.fingerprint == bars.fingerprint
        assert answer.json["stats"]["trades"] == len(result.trades) == 40
        assert answer.json["parameters"] == result.strategy.parameters
        assert answer.json["notes"] == list(result.notes)


def test_every_term_reaches_the_simulation(qtw, storage):
    answer = qtw(
        *WORDS, "-c", "commission_bps=10", "-c", "spread_bps=4", "--stop", "stop_loss=0.1", "--execution", "next_close",
        "--cash", "5000", "--start", "2005-01-01", "--end", "2010-12-31", "--timeframe", "1W", "--source", "sp500",
        "--json",
    )  # fmt: skip
    assert answer.code == 0
    lab = qtw_lab.Lab.offline(storage)
    result = qtw_lab.backtest(
        qtw_lab.strategies.SmaCross(fast=10, slow=50),
        lab.bars("AAPL", "2005-01-01", "2010-12-31", "1W", source="sp500"),
        costs=qtw_lab.Costs(commission_bps=10, spread_bps=4), stops=qtw_lab.Stops(stop_loss=0.1),
        execution="next_close", cash=5000.0,
    )  # fmt: skip
    assert same(answer.json["stats"], result.stats)
    assert answer.json["order_hash"] == result.order_hash


def test_the_facts_state_how_many_configurations_were_tried(qtw):
    assert qtw("backtest", "buy_and_hold", "--json").json["trials"] == 1
    qtw("sweep", "sma_cross", "-g", "fast=5,10", "-g", "slow=50", "--json")
    again = qtw("backtest", "buy_and_hold", "--json").json
    assert again["trials"] == 3  # buy and hold counts once, however often it is run
    assert {fact["name"]: fact["value"] for fact in again["facts"]}["trials"] == 3
    assert "tried on this data" in qtw("backtest", "buy_and_hold").out.splitlines()[1]
    assert qtw("backtest", "buy_and_hold").out.splitlines()[1].split()[-1] == "3"


def test_people_read_the_same_figures_within_80_columns(qtw):
    answer = qtw(*WORDS)
    assert (answer.code, answer.err) == (0, "")
    assert "Sharpe ratio" in answer.out
    assert "1,147.94%" in answer.out
    assert "note: no costs" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80


def test_a_report_is_written_and_named(qtw, tmp_path):
    path = tmp_path / "new folder" / "report.html"
    answer = qtw(*WORDS, "--report", path)
    assert answer.out.splitlines()[-1] == f"Report: {path}"
    assert path.read_text("utf-8").lower().startswith("<!doctype html>")
    assert "Report" not in qtw(*WORDS, "--report", path, "--json").json


@pytest.mark.parametrize(("name", "start"), [("a.PDF", b"%PDF-"), ("a.png", b"\x89PNG")])
def test_a_report_is_what_its_name_says(qtw, tmp_path, name, start):
    answer = qtw(*WORDS, "--start", "2010-01-01", "--report", tmp_path / name)
    assert (answer.code, answer.out.splitlines()[-1]) == (0, f"Report: {tmp_path / name}")
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["report", "report.docx", "report.htm"])
def test_a_report_of_another_kind_is_refused_before_any_work(qtw, storage, tmp_path, name):
    answer = qtw(*WORDS, "--report", tmp_path / name)
    assert (answer.code, answer.out) == (2, "")
    assert "does not end with .html or .pdf or .png" in answer.err
    assert qtw("validate", "2026", "--report", tmp_path / "a.pdf").err.count("does not end with .html") == 1
    assert not storage.exists()
    assert list(tmp_path.glob("*")) == []


def test_a_report_that_cannot_be_written_is_failed_work(qtw, tmp_path):
    (tmp_path / "file").write_text("in the way")
    answer = qtw(*WORDS, "--report", tmp_path / "file" / "report.html")
    assert answer.code == 1
    assert "Cannot write report.html" in answer.err


def test_the_strategies_are_listed_with_parameters_bounds_and_purpose(qtw):
    answer = qtw("strategies")
    assert (answer.code, answer.err) == (0, "")
    for name in STRATEGIES:
        assert f"\n{name}\n" in f"\n{answer.out}"
    assert "fast=10  (1 to 5000)" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80
    listed = {row["name"]: row for row in qtw("strategies", "--json").json}
    assert list(listed) == list(STRATEGIES)
    assert listed["sma_cross"]["parameters"] == {"fast": 10, "slow": 50, "short": False}
    assert listed["sma_cross"]["bounds"]["slow"] == [2, 10000]
    assert all(row["does"] for row in listed.values())


def test_every_bundled_strategy_runs_from_the_shell(qtw):
    for name in STRATEGIES:
        answer = qtw("backtest", name, "-s", "AAPL,IBM", "--start", "2008-01-01", "--json")
        assert answer.code == 0, (name, answer.err)
        assert answer.json["strategy"] == name


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("fast=5:20:5", [5, 10, 15, 20]),
        ("fast=5:8", [5, 6, 7, 8]),
        ("fast=5:19:5", [5, 10, 15]),
        ("fast=7:7", [7]),
        ("width=0.5:2:0.5", [0.5, 1.0, 1.5, 2.0]),
        ("width=0:1:0.1", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        ("width=-1:1:0.5", [-1.0, -0.5, 0.0, 0.5, 1.0]),
        ("fast=5, 10,20", [5, 10, 20]),
        ("width=1.5,2", [1.5, 2]),
        ("short=true,False", [True, False]),
        ("rebalance=month,week", ["month", "week"]),
    ],
)
def test_a_grid_says_its_values_with_both_ends(text, values):
    ((name, found),) = _grid([text]).items()
    assert name == text.partition("=")[0]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    "text",
    ["fast", "fast=", "=5", "fast=9:5", "fast=1:5:0", "fast=1:5:-1", "fast=a:5", "fast=1:2:3:4", "fast=NaN:5",
     "fast=1:Infinity", "fast=true:5", "fast=1:10000000000", "fast=1:2:1e-300", f"fast=1:{10**400}"],
)  # fmt: skip
def test_a_grid_that_says_nothing_sensible_is_refused_at_once(text):
    with pytest.raises(DataError, match="-g"):
        _grid([text])


def test_a_sweep_gives_the_numbers_of_python_and_prints_the_best(qtw, storage):
    words = ("sweep", "sma_cross", "-g", "fast=5:20:5", "-g", "slow=50,100", "-c", "commission_bps=10", "--top", "3")
    answer = qtw(*words, "--json")
    assert (answer.code, answer.err) == (0, "")
    bars = qtw_lab.Lab.offline(storage).bars("AAPL")
    done = qtw_lab.sweep(
        "sma_cross", bars, grid={"fast": [5, 10, 15, 20], "slow": [50, 100]}, costs=qtw_lab.Costs(commission_bps=10)
    )
    best = done.best("sharpe", 3)
    shown = answer.json["best"]
    assert [(row["fast"], row["slow"], row["symbol"]) for row in shown] == best.index.to_list()
    for metric in ("sharpe", "total_return", "max_drawdown", "trades"):
        assert [row[metric] for row in shown] == best[metric].to_list()
    assert {fact["name"]: fact["value"] for fact in answer.json["facts"]}["trials"] == 8
    printed = qtw(*words)
    assert "2,407.49%" in printed.out
    assert "luck" in printed.out
    assert printed.err == ""
    assert max(map(len, printed.out.splitlines())) <= 80


def test_a_sweep_takes_bools_floats_and_fixed_parameters(qtw):
    rows = qtw(
        "sweep", "bollinger_reversion", "-g", "width=1:2:0.5", "-g", "short=true,false", "-p", "window=30", "--json"
    ).json["best"]
    assert sorted({row["width"] for row in rows}) == [1.0, 1.5, 2.0]
    assert {row["short"] for row in rows} == {True, False}
    assert len(rows) == 6


def test_a_metric_asked_for_picks_the_best_and_is_shown(qtw):
    rows = qtw("sweep", "sma_cross", "-g", "fast=5,10", "-g", "slow=50", "--metric", "calmar", "--json").json["best"]
    assert rows[0]["calmar"] >= rows[1]["calmar"]


@pytest.mark.parametrize("word", ["name", "self", "strategy", "bars", "costs", "leverage", "engine"])
def test_a_parameter_called_like_an_argument_is_refused_like_any_unknown_one(qtw, word):
    answer = qtw("backtest", "sma_cross", "-p", f"{word}=1")
    assert answer.code == 2
    assert f"no parameter of sma_cross called {word!r}" in answer.err


def test_a_blend_can_be_spelled_in_json(qtw):
    members = '[{"strategy": "sma_cross", "parameters": {"fast": 5}}, {"strategy": "macd", "parameters": {}}]'
    answer = qtw("backtest", "blend", "-p", f"members={members}", "--json")
    assert answer.code == 0, answer.err
    assert Facts.from_json(answer.out)["trials"] == 1
    assert [member["strategy"] for member in answer.json["parameters"]["members"]] == ["sma_cross", "macd"]


def test_a_brokers_costs_an_account_and_a_share_of_the_volume_reach_the_simulation(qtw, storage):
    words = ("--preset", "interactive_brokers_tiered", "-c", "spread_bps=2", "--account", "reg_t")
    answer = qtw(*WORDS, *words, "--participation", "0.001", "--cash", "10000000", "--json")
    assert (answer.code, answer.err) == (0, "")
    costs = replace(qtw_lab.Costs.interactive_brokers_tiered(), spread_bps=2)
    given = {"costs": costs, "account": qtw_lab.Account.reg_t(), "cash": 10_000_000.0}
    strategy, bars = qtw_lab.strategies.SmaCross(fast=10, slow=50), qtw_lab.Lab.offline(storage).bars("AAPL")
    result = qtw_lab.backtest(strategy, bars, participation=0.001, **given)
    assert same(answer.json["stats"], result.stats)
    assert answer.json["order_hash"] == result.order_hash
    assert result.order_hash != qtw_lab.backtest(strategy, bars, **given).order_hash  # the cap binds
    assert answer.json["agreement"] == f"agrees with the reference engine on all {len(result.orders)} fills"


@pytest.mark.parametrize(
    ("preset", "costs"),
    [
        ("alpaca_equities", qtw_lab.Costs.alpaca_equities()),
        ("interactive_brokers_tiered", qtw_lab.Costs.interactive_brokers_tiered()),
        ("alpaca_crypto", qtw_lab.Costs.alpaca_crypto()),
    ],
)
def test_a_preset_is_the_brokers_and_single_figures_replace_its_own(preset, costs):
    assert _costs(None, preset) == costs
    assert _costs(["commission_bps=3", "slippage_bps=1"], preset) == replace(costs, commission_bps=3, slippage_bps=1)
    assert _costs(["commission_bps=3"], None) == qtw_lab.Costs(commission_bps=3)
    assert _costs(None, None).free


@pytest.mark.parametrize(
    ("name", "account"),
    [("simple", qtw_lab.Account()), ("cash", qtw_lab.Account.cash()), ("reg_t", qtw_lab.Account.reg_t())],
)
def test_an_account_goes_by_its_name(name, account):
    assert _account(name) == account


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--preset", "alpaca_equites"), "Did you mean 'alpaca_equities'"),
        (("--preset", ""), "preset of costs"),
        (("--account", "reg-t"), "Did you mean 'reg_t'"),
        (("--account", "margin"), "account"),
        (("--participation", "1.5"), "participation=1.5 must be a fraction"),
        (("--participation", "-0.1"), "participation=-0.1 must be a fraction"),
        (("--participation", "nan"), "participation=nan"),
        (("--participation", "ten"), "participation"),
        (("--preset", "alpaca_equities", "-c", "comission_bps=1"), "Did you mean 'commission_bps'"),
        (("--execution", "next_vwap"), "vwap"),
    ],
)
@pytest.mark.parametrize("command", [("backtest",), ("sweep", "-g", "fast=5,10")], ids=["backtest", "sweep"])
def test_a_term_that_does_not_exist_or_fit_is_wrong_input(qtw, storage, command, words, said):
    answer = qtw(command[0], "sma_cross", *command[1:], *words)
    assert answer.code == 2
    assert said in " ".join(answer.err.split())
    assert answer.out == ""
    assert not (storage / "trials.sqlite").exists()


def test_the_terms_of_a_sweep_are_those_of_python(qtw, storage):
    words = ("--preset", "alpaca_equities", "--account", "cash", "--participation", "0.01")
    answer = qtw("sweep", "sma_cross", "-g", "fast=5,10", "-g", "slow=50", *words, "--json")
    assert (answer.code, answer.err) == (0, "")
    done = qtw_lab.sweep(
        "sma_cross", qtw_lab.Lab.offline(storage).bars("AAPL"), grid={"fast": [5, 10], "slow": [50]},
        costs=qtw_lab.Costs.alpaca_equities(), account=qtw_lab.Account.cash(), participation=0.01,
    )  # fmt: skip
    assert [row["total_return"] for row in answer.json["best"]] == done.best("sharpe", 2)["total_return"].to_list()


SWEEP = ("sweep", "sma_cross", "-g", "fast=5:20:5", "-g", "slow=30,60", "--start", "2008-01-01", "--end", "2010-12-31")


def newest(qtw, kind):
    return qtw("runs", "list", "--kind", kind, "--limit", "1", "--json").json[0]["id"]


def test_a_recorded_sweep_is_judged_as_python_judges_it(qtw, storage, tmp_path):
    qtw(*SWEEP, "-c", "commission_bps=5")
    run, page = newest(qtw, "sweep"), tmp_path / "new" / "verdict.html"
    answer = qtw("validate", run[:19], "--reps", "100", "--level", "0.1", "--report", page)
    assert (answer.code, answer.err) == (0, "")
    assert max(map(len, answer.out.splitlines()[:-1])) <= 80  # the last line is a path, whole, to be copied
    found = qtw_lab.Lab.offline(storage).validate(run, reps=100, level=0.1)
    said = " ".join(answer.out.split())
    assert f"Verdict: {found.verdict}" in said
    for reason in found.reasons:
        assert f"- {reason}" in said
    for check in found.checks:
        assert f"{check.title} {check.word}" in said
    assert said.index("Configurations tried on this data 8") < said.index("Deflated Sharpe ratio")
    assert answer.out.splitlines()[-1] == f"Report: {page}"
    text = page.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert found.verdict in text
    shown = qtw("validate", run, "--reps", "100", "--level", "0.1", "--json").json
    assert (shown["verdict"], shown["reasons"]) == (found.verdict, list(found.reasons))
    assert [(one["name"], one["question"], one["answer"], one["why"]) for one in shown["checks"]] == [
        (one.name, one.title, one.word, one.reason) for one in found.checks
    ]
    assert [one["name"] for one in shown["facts"]][:2] == ["trials", "deflated_sharpe"]
    assert shown["facts"] == found.facts().as_dict()["facts"]


def test_a_recorded_backtest_is_judged_on_its_own_terms(qtw, storage):
    qtw(*WORDS, "--start", "2008-01-01", "--preset", "alpaca_equities", "--stop", "stop_loss=0.1", "--json")
    answer = qtw("validate", newest(qtw, "backtest"), "--reps", "100", "--json")
    assert (answer.code, answer.err) == (0, "")
    facts = {one["name"]: one["value"] for one in answer.json["facts"]}
    assert facts["costs"] == qtw_lab.Costs.alpaca_equities().describe()
    assert facts["trials"] == 1
    assert newest(qtw, "validation") != newest(qtw, "backtest")


def test_what_cannot_be_judged_is_wrong_input(qtw, prices, monkeypatch):
    from qtw_lab.lab import remaking

    assert "None has been recorded yet" in qtw("validate", "2026").err
    monkeypatch.setattr(remaking, "MOST_LISTED", 3)
    qtw(*SWEEP)
    qtw("data", "import", prices("OWN.csv", *(100 + 10 * np.sin(np.arange(90) / 4))))
    qtw("backtest", "buy_and_hold", "-s", "OWN")
    sweep, backtest = newest(qtw, "sweep"), newest(qtw, "backtest")
    qtw("data", "import", prices("OWN.csv", *(100 + 10 * np.cos(np.arange(90) / 4))))
    for words, said in (
        (("2026-nothing",), "There is no run '2026-nothing'"),
        ((sweep,), "more than 3 combinations"),
        ((backtest,), "no longer the same: import was revised"),
        ((sweep, "--level", "0.9"), "level"),
        ((sweep, "--reps", "5"), "--reps"),
    ):
        answer = qtw("validate", *words)
        assert (answer.code, answer.out) == (2, "")
        assert said in " ".join(answer.err.split())
    assert qtw("runs", "list", "--kind", "validation", "--json").json == []
