"""A run made again from its record alone: the same orders, the same table, or a sentence that says why not."""

import json
import sqlite3
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.plan import planned
from qtw_lab.core import DataError, Fact, Facts
from qtw_lab.lab import Lab, records, remaking
from qtw_lab.strategies import STRATEGIES, Blend, Macd, SmaCross


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    return Lab.offline(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def one(lab) -> qtw.Bars:
    return lab.bars("AAPL", "2009-01-01", "2011-12-31")


@pytest.fixture(scope="module")
def pair(lab) -> qtw.Bars:
    return lab.bars("AAPL,IBM", "2009-01-01", "2011-12-31")


def newest(lab: Lab, kind: str) -> str:
    return str(lab.registry.list(kind=kind, limit=1)["id"].iloc[0])


def reopened(lab: Lab) -> Lab:
    """Another lab on the same folder: what it knows of a run comes from the file."""
    return Lab(lab.settings, lab.clock)


def amended(lab: Lab, run: str, **changes: object) -> None:
    """Change or drop (None) entries of a run's recipe, as an older version would have written it."""
    written = lab.registry.get(run).parameters
    recipe = {name: value for name, value in (written["recipe"] | changes).items() if value is not None}
    with sqlite3.connect(lab.registry.path) as connection:
        given = json.dumps(written | {"recipe": recipe})
        connection.execute("UPDATE runs SET parameters = ? WHERE id = ?", (given, run))


def daily(*closes: float) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"close": [float(close) for close in closes]}, pd.bdate_range("2024-01-02", periods=len(closes))
    )
    return frame.assign(open=frame["close"], high=frame["close"] + 1, low=frame["close"] - 1, volume=100.0)


def zigzag(count: int) -> pd.DataFrame:
    return daily(*(100 + 10 * np.sin(np.arange(count) / 4)))


# Backtests


TERMS = {
    "costs of a broker": {"costs": qtw.Costs.interactive_brokers_tiered()},
    "costs by hand": {"costs": qtw.Costs(commission_bps=np.float64(10), spread_bps=2, impact=0.1)},
    "a fixed amount": {"sizing": qtw.Sizing.fixed_cash(500), "cash": 5000},
    "fixed shares": {"sizing": qtw.Sizing.fixed_shares(np.int64(7))},
    "a fraction": {"sizing": qtw.Sizing.fraction(0.3)},
    "target weights": {"sizing": qtw.Sizing.target_weights(0.05)},
    "volatility target": {"sizing": qtw.Sizing.volatility_target(0.1, window=30, most=1.5), "leverage": 2.0},
    "true ranges": {"sizing": qtw.Sizing.atr_risk(0.01, 3.0, 10)},
    "kelly": {"sizing": qtw.Sizing.kelly(0.4, window=np.int64(90), cap=0.8)},
    "equal risk": {"sizing": qtw.Sizing.equal_risk_contribution(40, shrinkage=0.2)},
    "stops": {"stops": qtw.Stops(stop_loss=0.05, take_profit=0.2, trailing=0.1)},
    "a trailing amount": {"stops": qtw.Stops(trailing_amount=3.0)},
    "a margin account": {"account": qtw.Account.reg_t(lot=1)},
    "a limit entry": {"entry": qtw.Entry.limit(0.01, good_for=3)},
    "a share of the volume": {"participation": np.float32(0.0001), "cash": np.int64(10_000_000)},
    "the next close": {"execution": "next_close"},
    "the same close": {"execution": "same_close"},
}  # fmt: skip


@pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS)
def test_a_backtest_on_any_terms_is_made_again_from_its_record(lab, pair, terms):
    result = lab.backtest("sma_cross", pair, fast=5, slow=20, short=True, verify=False, **terms)
    again = reopened(lab).made_again(newest(lab, "backtest"))
    assert again.order_hash == result.order_hash
    assert again.terms == result.terms
    pd.testing.assert_series_equal(again.equity, result.equity)


OTHER = {
    "sma_cross": {"fast": 7, "slow": 30, "short": True}, "ema_cross": {"fast": 7}, "macd": {"fast": 8},
    "rsi_reversion": {"window": 10}, "bollinger_reversion": {"width": 1.5}, "donchian_breakout": {"entry": 30},
    "time_series_momentum": {"lookback": 60}, "cross_sectional_momentum": {"rebalance": "week"},
    "pairs": {"window": 30}, "blend": {"members": (SmaCross(fast=3), Blend(members=(Macd(),))), "shares": (0.25, 0.5),
                                       "target_volatility": 0.1},
}  # fmt: skip


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_bundled_strategy_is_made_again_with_its_parameters(lab, pair, name):
    given = {key: value for key, value in OTHER.get(name, {}).items() if key in STRATEGIES[name].declared()}
    assert given or name in ("buy_and_hold", "volatility_trend"), "the table above names no parameter of it"
    costs = qtw.Costs.alpaca_equities()
    terms = {"costs": costs, "stops": qtw.Stops(stop_loss=0.2), "cash": 5e4, "verify": False}
    result = lab.backtest(lab.strategy(name, **given), pair, **terms)
    again = reopened(lab).made_again(newest(lab, "backtest"))
    assert again.strategy == result.strategy
    assert again.order_hash == result.order_hash
    pd.testing.assert_series_equal(again.stats, result.stats)


def test_to_make_a_run_again_is_no_further_try(lab, one):
    lab.backtest("ema_cross", one)
    count = lab.trials.count(one.fingerprint)
    lab.made_again(newest(lab, "backtest"))
    assert lab.trials.count(one.fingerprint) == count


# Bars


@pytest.mark.parametrize("timeframe", ["1W", "1ME"])
@pytest.mark.parametrize("span", [(None, None), ("2009-01-07", "2012-12-12"), ("2009-01-01", "2011-12-31")])
def test_longer_bars_are_cut_again_where_they_were_cut(lab, timeframe, span):
    bars = lab.bars("AAPL,IBM", *span, timeframe=timeframe)
    lab.backtest("sma_cross", bars, fast=2, slow=4, verify=False)
    again = lab.made_again(newest(lab, "backtest"))
    assert (again.bars.fingerprint, again.bars.notes) == (bars.fingerprint, bars.notes)


@pytest.fixture(scope="module")
def minutes(lab) -> Lab:
    """Eight sessions of minute bars in the store."""
    days = pd.bdate_range("2024-01-02", periods=8).strftime("%Y-%m-%d")
    index = pd.DatetimeIndex(
        np.concatenate([pd.date_range(f"{day} 14:30", f"{day} 20:59", freq="1min") for day in days]), tz="UTC"
    )
    close = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.001, len(index))))
    frame = pd.DataFrame(
        {"open": close, "high": close + 0.1, "low": close - 0.1, "close": close, "volume": 100.0}, index
    )
    lab.add(frame, "MIN", timeframe="1min")
    return lab


@pytest.mark.parametrize("timeframe", ["1min", "15min", "1h", "1D"])
@pytest.mark.parametrize("span", [(None, None), ("2024-01-03 15:07", "2024-01-10 17:11")])
def test_bars_made_of_minutes_are_cut_again_to_the_minute(minutes, timeframe, span):
    bars = minutes.bars("MIN", *span, timeframe=timeframe)
    minutes.backtest("sma_cross", bars, fast=1, slow=2, verify=False)
    assert minutes.made_again(newest(minutes, "backtest")).bars.fingerprint == bars.fingerprint


def test_raw_prices_are_asked_for_again_as_raw(lab):
    bars = lab.bars("AAPL", "2009-01-01", "2011-12-31", adjustment="raw")
    lab.backtest("sma_cross", bars, verify=False)
    assert lab.made_again(newest(lab, "backtest")).bars.adjustment == "raw"


def test_a_bar_more_in_the_store_changes_nothing_but_a_revised_one_is_told(lab):
    lab.add(zigzag(80), "REV")
    lab.backtest("sma_cross", lab.bars("REV"), fast=2, slow=5)
    lab.sweep("sma_cross", lab.bars("REV"), grid={"fast": [2, 3], "slow": [8]})
    runs = [newest(lab, kind) for kind in ("backtest", "sweep")]
    lab.add(zigzag(90), "REV")
    assert len(lab.made_again(runs[0]).bars) == 80
    changed = zigzag(90)
    changed.loc[changed.index[40], ["open", "high", "low", "close"]] = [150.0, 151.0, 149.0, 150.0]
    lab.add(changed, "REV")
    for run in runs:
        with pytest.raises(DataError, match=rf"bars of run {run} are no longer the same: import was revised"):
            lab.made_again(run)


def test_revised_days_of_a_weekly_run_are_told_too(lab):
    lab.add(zigzag(80), "WEEKLY")
    lab.backtest("sma_cross", lab.bars("WEEKLY", timeframe="1W"), fast=1, slow=2, verify=False)
    changed = zigzag(80)
    changed.loc[changed.index[0], ["open", "high", "low", "close"]] = [90.0, 91.0, 89.0, 90.0]
    lab.add(changed, "WEEKLY")
    with pytest.raises(DataError, match="no longer the same"):
        lab.made_again(newest(lab, "backtest"))


def test_bars_from_a_table_are_refused(lab):
    lab.backtest("sma_cross", qtw.Bars.from_frame(zigzag(80), symbol="X"), fast=2, slow=5)
    with pytest.raises(DataError, match=r"came from a table of yours, not from a source.*validate\(result\)"):
        lab.made_again(newest(lab, "backtest"))


# Sweeps


SWEEPS = {
    "a grid": ("sma_cross", {"grid": {"fast": [5, 10], "slow": [20, 50]}}),
    "a condition": ("sma_cross", {"grid": {"fast": range(5, 30, 3), "slow": range(10, 60, 10)},
                                  "where": lambda fast, slow: fast < slow}),
    "the best by another metric": ("sma_cross", {"grid": {"fast": range(5, 12), "slow": [20, 40]}, "top": 3,
                                                 "by": "total_return"}),
    "numbers and truth values": ("bollinger_reversion", {"grid": {"width": [1.0, np.float64(1.5)],
                                                                  "short": [True, False]},
                                                         "metrics": ("calmar", "trades")}),
    "words": ("cross_sectional_momentum", {"grid": {"rebalance": ["month", "week"], "lookback": [40, 60]}}),
    "tuples": ("blend", {"grid": {"shares": [(0.5, 0.5), (0.3, 0.7)]}}),
    "terms": ("donchian_breakout", {"grid": {"entry": [20, 40]}, "costs": qtw.Costs.alpaca_equities(),
                                    "account": qtw.Account.cash(), "stops": qtw.Stops(trailing=0.1), "cash": 2e4,
                                    "verify": 2, "seed": np.int64(5)}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "options"), SWEEPS.values(), ids=SWEEPS)
def test_a_sweep_is_made_again_with_an_equal_table(lab, pair, name, options):
    swept = lab.sweep(name, pair, **options)
    again = reopened(lab).made_again(newest(lab, "sweep"))
    pd.testing.assert_frame_equal(again.table, swept.table)
    assert (again.trials, again.planned, again.top, again.by) == (swept.trials, swept.planned, swept.top, swept.by)
    assert again.agreement.text == swept.agreement.text
    assert again.notes == swept.notes


def test_a_search_is_made_again_row_by_row_with_what_was_said_of_its_draws(lab, one):
    space = {"width": (0.5, 3.0), "window": (5, 60), "short": [True, False]}
    found = lab.search("bollinger_reversion", one, space=space, trials=15, seed=3)
    settings = records.settings_of_sweep(found)
    run = lab.registry.record("sweep", found.strategy.name, found.facts(), settings, records.uses(one))
    again = reopened(lab).made_again(run.id)
    pd.testing.assert_frame_equal(again.table, found.table)
    assert again.remarks == found.remarks != ()


def test_of_an_interrupted_sweep_the_rows_that_were_done_are_made_again(lab, one):
    whole = lab.sweep("sma_cross", one, grid={"fast": range(5, 11), "slow": [20]})
    cut = replace(whole, table=whole.table.iloc[[0, 1, 4]], trials=3, spans=((0, 2), (4, 5)))
    run = lab.registry.record("sweep", "sma_cross", cut.facts(), records.settings_of_sweep(cut), records.uses(one))
    again = lab.made_again(run.id)
    pd.testing.assert_frame_equal(again.table, cut.table)
    assert again.partial
    assert again.notes == cut.notes


def test_a_sweep_too_large_to_be_listed_is_refused(lab, one, monkeypatch):
    monkeypatch.setattr(remaking, "MOST_LISTED", 3)
    swept = lab.sweep("sma_cross", one, grid={"fast": [5, 6], "slow": [20, 21]})
    assert swept.trials == 4
    with pytest.raises(DataError, match=r"more than 3 combinations.*validate\(sweep\)"):
        lab.made_again(newest(lab, "sweep"))


def test_the_list_of_combinations_reads_back_as_it_was_written():
    plan = planned(SmaCross(), {"fast": range(2, 40), "slow": range(2, 40)}, lambda fast, slow: fast < slow)
    written = json.loads(json.dumps(remaking.listed(plan)))
    assert written["size"] == len(plan) == 38 * 37 // 2
    assert len(written["codes"]) < 4 * len(plan)  # two numbers of four bytes each, and base 64 on top, would be eleven
    read = remaking._planned("x", SmaCross(), written)
    assert [read.one(place) for place in (0, 99, len(plan) - 1)] == [plan.one(p) for p in (0, 99, len(plan) - 1)]
    assert read.longest.warmup == plan.longest.warmup


# Refusals


def test_a_strategy_of_your_own_is_refused_even_under_a_bundled_name(lab, one):
    class Own(qtw.Strategy):
        level: float = qtw.param(1.0, low=0.0, high=1.0)

        def signals(self, prices):
            return np.full(prices.close.shape, self.level)

    Own.__name__ = "Own"
    lab.backtest(Own(level=0.5), one)
    for kind in ("backtest", "sweep"):
        if kind == "sweep":
            lab.sweep(Own, one, grid={"level": [0.5, 1.0]})
        with pytest.raises(DataError, match=r"strategy 'own', which is none of the bundled ones"):
            lab.made_again(newest(lab, kind))
    bundled = type("BuyAndHold", (Own,), {"__module__": "mine"})
    lab.backtest(bundled(level=0.5), one)
    with pytest.raises(DataError, match=r"strategy 'buy_and_hold', which is none of the bundled ones"):
        lab.made_again(newest(lab, "backtest"))


def test_orders_by_hand_and_corporate_actions_and_average_prices_are_refused(lab, one):
    order = qtw.Order("AAPL", "buy", 5, pd.Timestamp("2010-03-01", tz="UTC"))
    lab.backtest("sma_cross", one, orders=[order])
    with pytest.raises(DataError, match="had orders given by hand, which its record does not hold"):
        lab.made_again(newest(lab, "backtest"))
    lab.backtest("sma_cross", one, execution="next_vwap", vwap=one.close)
    with pytest.raises(DataError, match="had average prices of its own"):
        lab.made_again(newest(lab, "backtest"))
    raw = lab.bars("AAPL", "2000-01-01", "2001-12-31", adjustment="raw")
    lab.backtest("buy_and_hold", raw, actions=lab.actions("AAPL", "2000-01-01", "2001-12-31"))
    with pytest.raises(DataError, match="had corporate actions"):
        lab.made_again(newest(lab, "backtest"))


def test_another_kind_of_run_and_an_unknown_one_are_refused(lab):
    run = lab.registry.record("notebook", "tour", Facts("Tour", (Fact("x", 1.0),)), {}, ())
    with pytest.raises(DataError, match="is a notebook; only a recorded backtest or sweep"):
        lab.made_again(run.id)
    with pytest.raises(DataError, match="There is no run '1999'"):
        lab.made_again("1999")


def test_a_record_of_an_older_version_is_told_as_such(lab, one):
    run = lab.registry.record("backtest", "sma_cross", None, {"strategy": "sma_cross"}, records.uses(one))
    with pytest.raises(DataError, match=r"recorded by an older version.*Run the backtest once more"):
        lab.made_again(run.id)


def test_a_record_without_the_newest_entries_is_still_made_again(lab, one):
    swept = lab.sweep("sma_cross", one, grid={"fast": [5, 6], "slow": [20]})
    run = newest(lab, "sweep")
    newer = ("top", "planned", "sampling", "remarks", "means", "bundled")
    amended(lab, run, **dict.fromkeys(newer))
    pd.testing.assert_frame_equal(lab.made_again(run).table, swept.table)


def test_a_parameter_that_no_longer_fits_is_told(lab, one):
    lab.backtest("sma_cross", one)
    run = newest(lab, "backtest")
    amended(lab, run, parameters={"fast": 10, "slow": 50, "gone": 1})
    with pytest.raises(DataError, match=f"Run {run} cannot be made again from its record:.*gone"):
        lab.made_again(run)


def test_other_orders_or_figures_than_those_recorded_are_refused(lab, one):
    lab.backtest("sma_cross", one)
    run = newest(lab, "backtest")
    amended(lab, run, parameters={"fast": 11, "slow": 50, "short": False})
    with pytest.raises(DataError, match="does not give the same orders again"):
        lab.made_again(run)
    lab.sweep("sma_cross", one, grid={"fast": [5, 6]})
    swept = newest(lab, "sweep")
    amended(lab, swept, parameters={"fast": 10, "slow": 60, "short": False})
    with pytest.raises(DataError, match=r"does not give the same figures again \(mean total_return"):
        lab.made_again(swept)


@pytest.mark.parametrize(
    ("value", "found"),
    [(np.float64(2.0), 2.0), (np.array([True])[0], True), ((1, (2, 3)), [1, [2, 3]]), ({"a": np.int64(1)}, {"a": 1}),
     (float("nan"), "nan"), (None, None), (SmaCross(), repr(SmaCross()))],
)  # fmt: skip
def test_what_is_written_is_json_and_nothing_else(value, found):
    assert remaking.plain(value) == found
    assert type(remaking.plain(value)) is type(found)
    json.dumps(remaking.plain(value), allow_nan=False)
