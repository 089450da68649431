"""The front door: what is tried is counted, what is done is recorded, and what rests on changed bars is found."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.engine import backtest
from qtw_lab.core import DataError, Fact, SetupError, VirtualClock
from qtw_lab.lab import Lab
from qtw_lab.strategies.order_list import OrderList

NOW = pd.Timestamp("2024-06-03 12:00", tz="UTC")


@pytest.fixture
def lab(tmp_path) -> Lab:
    made = Lab.offline(tmp_path / "store")
    return Lab(made.settings, VirtualClock(NOW))


@pytest.fixture(scope="module")
def bars() -> qtw.Bars:
    return Lab.offline().bars("AAPL", "2010-01-01", "2011-12-31")


@pytest.fixture(scope="module")
def pair() -> qtw.Bars:
    return Lab.offline().bars("AAPL,IBM", "2010-01-01", "2011-12-31")


def daily(*closes: float) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"close": [float(close) for close in closes]}, pd.bdate_range("2024-01-02", periods=len(closes))
    )
    return frame.assign(open=frame["close"], high=frame["close"] + 1, low=frame["close"] - 1, volume=100.0)


def tried(lab: Lab, bars: qtw.Bars) -> int:
    return lab.trials.count(bars.fingerprint)


def test_a_backtest_by_name_is_the_plain_backtest_and_is_recorded(lab, bars):
    costs = qtw.Costs(commission_bps=10)
    result = lab.backtest("sma_cross", bars, fast=5, slow=20, costs=costs)
    plain = qtw.backtest(qtw.strategies.SmaCross(fast=5, slow=20), bars, costs=costs)
    assert result.order_hash == plain.order_hash
    pd.testing.assert_series_equal(result.stats, plain.stats)
    (row,) = lab.registry.list().to_dict("records")
    assert (row["kind"], row["name"], row["status"], row["started"]) == ("backtest", "sma_cross", "ok", NOW)
    run = lab.registry.get(row["id"])
    assert run.facts()["sharpe"] == result.stats["sharpe"]
    assert run.facts()["trials"] == 1
    assert run.parameters["parameters"] == {"fast": 5, "slow": 20, "short": False}
    assert run.parameters["order_hash"] == result.order_hash
    (use,) = run.manifest["inputs"]["data"]
    assert (use["fingerprint"], use["symbols"], use["source"]) == (bars.fingerprint, ["AAPL"], "sample:stocks")


@pytest.mark.parametrize(
    "same",
    [
        {"strategy": "sma_cross", "fast": 5, "slow": 20},
        {"strategy": qtw.strategies.SmaCross(fast=5, slow=20)},
        {"strategy": qtw.strategies.SmaCross, "fast": np.int64(5), "slow": 20.0},
        {"strategy": qtw.strategies.SmaCross(fast=7), "fast": 5, "slow": 20},
        {"strategy": "sma_cross", "fast": 5, "slow": 20, "cash": 100_000},
        {"strategy": "sma_cross", "fast": 5, "slow": 20, "costs": qtw.Costs(commission_bps=0)},
        {"strategy": "sma_cross", "fast": 5, "slow": 20, "stops": qtw.Stops(), "sizing": qtw.Sizing.all_in()},
        {"strategy": "sma_cross", "fast": 5, "slow": 20, "leverage": 1},
    ],
    ids=lambda given: ", ".join(map(str, given)),
)
def test_the_same_configuration_counts_once_however_it_is_spelled(lab, bars, same):
    lab.backtest("sma_cross", bars, fast=5, slow=20)
    lab.backtest(same.pop("strategy"), bars, **same)
    assert tried(lab, bars) == 1
    assert len(lab.registry.list()) == 2


def test_costs_of_10_and_of_10_point_0_are_one_configuration(lab, bars):
    for bps in (10, 10.0, np.float64(10)):
        lab.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=bps))
    assert tried(lab, bars) == 1


@pytest.mark.parametrize(
    "other",
    [{"fast": 6}, {"short": True}, {"cash": 1000.0}, {"execution": "same_close"}, {"leverage": 2.0},
     {"account": qtw.Account.reg_t()}, {"entry": qtw.Entry.limit(0.01)}, {"participation": 0.1},
     {"orders": [qtw.Order("AAPL", "buy", 5, pd.Timestamp("2010-03-01", tz="UTC"))]},
     {"costs": qtw.Costs(spread_bps=1)}, {"stops": qtw.Stops(stop_loss=0.1)}, {"sizing": qtw.Sizing.fixed_cash(500)}],
    ids=lambda given: next(iter(given)),
)  # fmt: skip
def test_whatever_changes_the_result_is_another_configuration(lab, bars, other):
    lab.backtest("sma_cross", bars, fast=5, slow=20)
    lab.backtest("sma_cross", bars, **{"fast": 5, "slow": 20, **other})
    assert tried(lab, bars) == 2


def test_a_row_of_a_sweep_and_its_backtest_are_one_configuration(lab, bars):
    done = lab.sweep("sma_cross", bars, grid={"fast": range(5, 8), "slow": [20, 30]})
    assert tried(lab, bars) == done.trials == 6
    lab.backtest("sma_cross", bars, fast=6, slow=30)
    assert tried(lab, bars) == 6
    table = lab.trials.table()
    assert table["best_sharpe"].iloc[0] == pytest.approx(done.table["sharpe"].max(), abs=1e-15)
    lab.sweep("sma_cross", bars, grid={"slow": [30], "fast": [7.0, 8.0]})
    assert tried(lab, bars) == 7  # fast=8 is the only news


def test_symbols_of_a_sweep_count_apart_and_a_joint_account_is_another_trial(lab, pair):
    lab.sweep("sma_cross", pair, grid={"fast": [5, 10], "slow": [20]})
    assert tried(lab, pair) == 4
    lab.backtest("sma_cross", pair, fast=5, slow=20)
    assert tried(lab, pair) == 5


def test_a_sweep_over_the_universe_counts_a_row_once(lab, pair):
    lab.sweep("pairs", pair, grid={"window": [20, 40]})
    lab.backtest("pairs", pair, window=20)
    assert tried(lab, pair) == 2


def test_a_sweep_without_a_sharpe_ratio_is_counted_all_the_same(lab, bars):
    lab.sweep("sma_cross", bars, grid={"fast": [5], "slow": [20]}, metrics=("total_return",))
    assert tried(lab, bars) == 1
    expected = lab.backtest("sma_cross", bars, fast=5, slow=20).stats["sharpe"]  # the rows looked into tell it
    assert lab.trials.table()["best_sharpe"].iloc[0] == pytest.approx(expected, abs=1e-15)


def test_every_bundled_strategy_is_recorded_with_its_parameters(lab, pair):
    for name in qtw.strategies.STRATEGIES:
        result = lab.backtest(name, pair)
        run = lab.registry.get(lab.registry.list(name=name)["id"].iloc[0])
        assert run.parameters["parameters"].keys() == result.strategy.parameters.keys()
    assert tried(lab, pair) == len(qtw.strategies.STRATEGIES)


def test_a_strategy_of_your_own_is_recorded_like_a_bundled_one(lab, bars):
    class Always(qtw.Strategy):
        level: float = qtw.param(1.0, low=0.0, high=1.0)

        def signals(self, prices):
            return np.full(prices.close.shape, self.level)

    lab.backtest(Always(level=0.5), bars)
    lab.backtest(Always, bars, level=0.5)
    assert tried(lab, bars) == 1
    assert set(lab.registry.list()["name"]) == {"always"}


def test_a_blend_keeps_its_members_when_a_parameter_is_replaced(lab, pair):
    blend = qtw.strategies.Blend(members=(qtw.strategies.SmaCross(), qtw.strategies.Macd()))
    result = lab.backtest(blend, pair, window=30)
    assert (result.strategy.members, result.strategy.window) == (blend.members, 30)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strategy": "sma_cros"}, "Did you mean 'sma_cross'"),
        ({"strategy": 5}, "not int"),
        ({"strategy": "sma_cross", "fats": 5}, "Did you mean 'fast'"),
        ({"strategy": "sma_cross", "fast": 0}, "between 1 and 5000"),
        ({"strategy": "sma_cross", "fast": "5"}, "whole number"),
        ({"strategy": "sma_cross", "fast": 50, "slow": 10}, "below slow"),
        ({"strategy": "sma_cross", "costs": 10}, "qtw.Costs"),
        ({"strategy": "sma_cross", "cash": -1}, "above 0"),
        ({"strategy": "sma_cross", "execution": "now"}, "no execution 'now'"),
        ({"strategy": "sma_cross", "engine": "fast"}, "no engine 'fast'"),
        ({"strategy": "sma_cross", "slow": 5000}, "at least"),
    ],
)
def test_wrong_input_is_refused_and_neither_counted_nor_recorded(lab, bars, given, said):
    with pytest.raises(DataError, match=said):
        lab.backtest(given.pop("strategy"), bars, **given)
    assert not lab.settings.qtw_storage_dir.exists()


@pytest.mark.parametrize("bars", [None, 5, "AAPL", pd.DataFrame({"close": [1.0, 2.0]})])
def test_what_is_not_bars_is_refused(lab, bars):
    with pytest.raises(DataError, match="Bars are needed"):
        lab.backtest("sma_cross", bars)


def test_a_changed_bar_names_the_runs_that_rest_on_it_and_only_those(lab):
    lab.add(daily(10, 11, 12, 13), "X")
    lab.add(daily(10, 11, 12, 13), "Y")
    lab.backtest("buy_and_hold", lab.bars("X"))
    (first,) = lab.registry.list()["id"]
    lab.backtest("buy_and_hold", lab.bars("Y"))
    assert lab.add(daily(10, 11, 12, 13, 14), "X").affected.empty  # a bar more changes nothing
    done = lab.add(daily(10, 11, 12.5, 13, 14), "X")
    assert done.affected[["id", "name", "symbol", "changed_bars"]].to_numpy().tolist() == [
        [first, "buy_and_hold", "X", 1]
    ]
    assert "the vendor revised" in done.alarms[0]
    told = lab.revisions()
    assert told[["series", "changed_bars", "runs"]].to_numpy().tolist() == [["import/X 1D", 1, first]]
    assert Lab.offline(lab.settings.qtw_storage_dir).revisions()["runs"].tolist() == [first]  # not only in this process


def test_a_run_on_the_corrected_bars_is_not_blamed(lab):
    lab.add(daily(10, 11, 12), "X")
    lab.add(daily(10, 11.5, 12), "X")
    lab.backtest("buy_and_hold", lab.bars("X"))
    assert lab.revisions()["runs"].tolist() == [""]
    assert lab.registry.list()["name"].tolist() == ["buy_and_hold"]


def test_a_run_on_resampled_bars_is_traced_to_the_stored_series(lab):
    lab.add(daily(*range(10, 30)), "X")
    lab.backtest("buy_and_hold", lab.bars("X", timeframe="1W"))
    done = lab.add(daily(*range(10, 29), 35), "X")
    assert done.affected["name"].tolist() == ["buy_and_hold"]


def test_a_new_split_readjusts_the_past_without_an_alarm(lab):
    lab.add(daily(10, 11, 12).assign(split_factor=1.0, factor=1.0), "X")
    lab.backtest("buy_and_hold", lab.bars("X"))
    later = daily(10, 11, 12, 6).assign(split_factor=[0.5, 0.5, 0.5, 1.0], factor=[0.5, 0.5, 0.5, 1.0])
    done = lab.add(later, "X")
    assert done.alarms == ()
    assert done.affected.empty


def test_another_storage_folder_is_another_lab(lab, tmp_path, bars):
    lab.backtest("buy_and_hold", bars)
    other = lab.with_storage(tmp_path / "other")
    assert (other.clock, other.store.folder) == (lab.clock, tmp_path / "other" / "data")
    assert tried(other, bars) == 0
    assert other.registry.list().empty
    assert other.runs_folder == tmp_path / "other" / "runs"
    assert tried(lab, bars) == 1


def test_offline_means_without_keys_whatever_the_environment_holds(monkeypatch, tmp_path):
    monkeypatch.setenv("ALPACA_API_KEY_ID", "PKTEST")
    monkeypatch.setenv("ALPACA_API_SECRET_KEY", "secret")
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path))
    lab = Lab.offline()
    assert lab.settings.secrets() == {}
    assert lab.settings.qtw_storage_dir == tmp_path
    assert set(Lab.from_settings().settings.secrets()) == {"ALPACA_API_KEY_ID", "ALPACA_API_SECRET_KEY"}
    assert Lab.from_settings(alpaca_data_feed="sip").settings.alpaca_data_feed == "sip"
    with pytest.raises(SetupError, match="ALPACA_API_KEY_ID is not set"):
        lab.download("AAPL", "2024-01-02", "2024-01-03")


def test_a_secret_is_fetched_by_name_and_shows_nowhere(lab, monkeypatch):
    monkeypatch.setenv("SOME_KEY", "very-secret")
    secret = lab.secret("env:SOME_KEY")
    assert secret.get_secret_value() == "very-secret"
    assert "very-secret" not in f"{secret} {secret!r}"
    with pytest.raises(DataError, match="never as its value") as caught:
        lab.secret("very-secret")
    assert "very-secret" not in str(caught.value)
    with pytest.raises(SetupError, match="ABSENT_KEY"):
        lab.secret("env:ABSENT_KEY")


def test_a_lab_shows_no_secret(monkeypatch):
    monkeypatch.setenv("ALPACA_API_SECRET_KEY", "very-secret")
    assert "very-secret" not in repr(Lab.from_settings())


def test_a_strategy_comes_by_name(lab):
    assert lab.strategy("sma_cross", fast=5) == qtw.strategies.SmaCross(fast=5)
    with pytest.raises(DataError, match="Did you mean"):
        lab.strategy("smacross")


def test_what_is_recorded_says_whether_the_second_engine_agrees(lab, bars):
    result = lab.backtest("sma_cross", bars, fast=5, slow=20, stops=qtw.Stops(stop_loss=0.05))
    assert result.agreement.agrees
    run = lab.registry.get(lab.registry.list()["id"].iloc[0])
    assert run.facts()["agreement"] == f"agrees with the reference engine on all {len(result.orders)} fills"


def test_a_run_that_was_not_checked_is_recorded_as_such(lab, bars):
    result = lab.backtest("sma_cross", bars, fast=5, slow=20, verify=False)
    assert result.agreement is None
    run = lab.registry.get(lab.registry.list()["id"].iloc[0])
    assert run.facts()["agreement"].startswith("not asked")


def test_two_lists_of_orders_are_two_configurations(lab, bars):
    at = pd.Timestamp("2010-03-01", tz="UTC")
    for quantity in (5, 50):
        lab.backtest(OrderList([qtw.Order("AAPL", "buy", quantity, at)]), bars)
    assert tried(lab, bars) == 2


def test_the_record_of_a_run_holds_every_term_that_would_make_it_again(lab, bars):
    lab.backtest(
        "sma_cross", bars, account=qtw.Account.reg_t(lot=1), entry=qtw.Entry.limit(0.01, good_for=3), participation=0.25
    )
    terms = lab.registry.get(lab.registry.list()["id"].iloc[0]).parameters
    said = str({name: value for name, value in terms.items() if name != "order_hash"})
    for words in ("gross", "0.01", "0.25"):
        assert words in said


def test_a_search_is_recorded_trial_by_trial(lab):
    bars = lab.bars("IBM", start="2010-01-01", end="2011-12-31")
    found = lab.search("sma_cross", bars, space={"fast": (2, 20), "slow": (30, 90)}, method="random", trials=12)
    assert lab.trials.count(bars.fingerprint) == found.trials > 0


def test_sweeps_go_to_the_cluster_that_the_settings_name(lab, monkeypatch):
    monkeypatch.setattr("qtw_lab.backtest.cluster._PATIENCE", 1)  # nobody answers there, however long one waits
    named = replace(lab, settings=lab.settings.model_copy(update={"dask_scheduler": "tcp://127.0.0.1:9"}))
    bars = lab.bars("IBM", start="2010-01-01", end="2011-12-31")
    with pytest.raises(SetupError, match=r"127\.0\.0\.1:9"):
        named.sweep("sma_cross", bars, grid={"fast": [2, 3], "slow": [20]})
    assert named.sweep("sma_cross", bars, grid={"fast": [2, 3], "slow": [20]}, client=None).trials == 2


def test_a_sweep_that_keeps_the_best_rows_counts_all_it_tried(lab):
    bars = lab.bars("IBM", start="2010-01-01", end="2011-12-31")
    grid = {"fast": range(2, 12), "slow": range(5, 30)}
    kept = lab.sweep("sma_cross", bars, grid=grid, where=lambda fast, slow: fast < slow, top=3, by="total_return")
    assert len(kept.table) == 3
    assert lab.trials.count(bars.fingerprint) == kept.trials > 200
    whole = lab.sweep("sma_cross", bars, grid=grid, where=lambda fast, slow: fast < slow)
    assert lab.trials.count(bars.fingerprint) == whole.trials == kept.trials, "the same configurations, counted once"
    assert "Best of the sweep" in lab.report(kept.result(kept.table.index[0]), kept).html


def test_a_sweep_is_recorded_with_its_facts(lab, bars):
    done = lab.sweep("sma_cross", bars, grid={"fast": [5, 6], "slow": [20]})
    (row,) = lab.registry.list(kind="sweep").to_dict("records")
    run = lab.registry.get(row["id"])
    assert (run.name, run.status, run.parameters["rows"]) == ("sma_cross", "ok", 2)
    assert run.facts().to_json() == done.facts().to_json()
    assert run.manifest["inputs"]["data"][0]["fingerprint"] == bars.fingerprint


def test_a_report_counts_what_it_shows_and_takes_figures_for_its_head(lab, bars):
    result = backtest("sma_cross", bars)
    assert tried(lab, bars) == 0
    page = lab.report(result, title="Mine", lead=[Fact("idea", "from a book", "text")])
    assert tried(lab, bars) == page.facts["trials"] == 1
    assert page.facts["idea"] == "from a book"
    assert page.html.index("from a book") < page.html.index("Result after costs")
    assert lab.registry.list().empty


def test_results_are_compared_under_their_names(lab, bars):
    results = [lab.backtest(name, bars) for name in ("buy_and_hold", "sma_cross")]
    compared = lab.compare(results, ["market", "cross"])
    assert compared.names == ("market", "cross")
    for one, name in zip(results, compared.names, strict=True):
        assert compared.growth[name].iloc[-1] == pytest.approx(one.equity.iloc[-1] / one.terms.cash, rel=1e-12)
    with pytest.raises(DataError):
        lab.compare(results, ["market"])


def test_a_result_is_written_as_the_file_its_name_says(lab, bars, tmp_path):
    result = lab.backtest("sma_cross", bars)
    for name in ("a.csv", "a.parquet", "a.json"):
        path = lab.export(result, tmp_path / "new" / name)
        assert path.is_file()
    folder = lab.export(result, tmp_path / "folder", "parquet")
    assert folder.is_dir()
    assert {file.suffix for file in folder.iterdir()} <= {".parquet", ".json"}
    with pytest.raises(DataError):
        lab.export(result, tmp_path / "folder2", "excel")
