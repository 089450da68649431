"""The figures and tables of a tear sheet: those of `qtw_lab.stats`, or derived by hand."""

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.lab import Lab
from qtw_lab.lab import tearsheet_tables as tables
from qtw_lab.stats import performance as p


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    return Lab.offline(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def result(lab):
    bars = lab.bars("AAPL", "2005-01-01", "2012-12-31")
    return qtw.backtest(qtw.strategies.SmaCross(fast=10, slow=50), bars, costs=qtw.Costs(commission_bps=5))


def frame(*closes: float) -> pd.DataFrame:
    close = pd.Series(closes, pd.bdate_range("2024-01-02", periods=len(closes)), dtype=float)
    return pd.DataFrame({"open": close, "high": close, "low": close, "close": close, "volume": close * 0 + 1_000})


def test_figures_against_buy_and_hold_are_those_of_stats(result):
    market = result.benchmark.pct_change().fillna(0.0)  # its first bar is bought at the close, so it returns nothing
    for name in ("alpha", "information_ratio", "tracking_error"):
        assert tables.against(tables.Track.of(result))[name] == pytest.approx(
            getattr(p, name)(result.returns, market, 252), rel=1e-12
        )
    found = tables.against(tables.Track.of(result))
    # by definition: a straight line of the account's returns on the market's
    slope = np.polyfit(market, result.returns, 1)[0]
    assert found["beta"] == pytest.approx(slope, rel=1e-9)


def test_the_deepest_drawdown_of_the_table_is_that_of_the_result(result):
    worst = tables.worst_drawdowns(tables.Track.of(result))
    assert worst["depth"].iloc[0] == pytest.approx(result.stats["max_drawdown"], rel=1e-12)
    assert (worst["fall"] + worst["climb"].fillna(0) <= worst["bars"]).all()


def test_yearly_returns_compound_to_the_total(result):
    years = tables.by_year(tables.Track.of(result))
    assert (1 + years["strategy"]).prod() - 1 == pytest.approx(result.stats["total_return"], rel=1e-9)
    assert (1 + years["buy_and_hold"]).prod() - 1 == pytest.approx(result.stats["benchmark_return"], rel=1e-9)


def test_turnover_by_year_adds_up_to_half_of_all_amounts(result):
    shares = tables.turnover(result)["turnover"]
    mean = result.equity.groupby(result.equity.index.strftime("%Y")).mean()
    traded = (result.orders["quantity"] * result.orders["price"]).sum()
    assert (shares * mean).sum() == pytest.approx(traded / 2, rel=1e-12)


def test_the_tail_is_told_by_four_methods(result):
    found = tables.tails(tables.Track.of(result))
    assert len(found) == 8
    assert found["value_at_risk"] == result.stats["value_at_risk"]
    # Gaussian by hand: mean + z(5%) x deviation
    r = result.returns
    assert found["value_at_risk_gaussian"] == pytest.approx(r.mean() - 1.6448536269514722 * r.std(), rel=1e-9)


def test_crises_are_those_the_bars_cover_and_part_of_one_has_no_figure(result):
    table = tables.crises(tables.Track.of(result))
    assert list(table.index) == ["Financial crisis", "After Lehman", "Flash crash", "US downgrade"]
    cut = tables.Track(result.returns["2008-01-01":], tables.Track.of(result).market["2008-01-01":], 252.0)
    partly = tables.crises(cut).loc["Financial crisis"]
    assert partly["coverage"] == "partly covered"
    assert np.isnan(partly["return"])
    assert np.isnan(partly["buy_and_hold_return"])


def test_intervals_hold_their_estimate_and_are_the_same_each_time(result):
    first, again = (tables.intervals(tables.Track.of(result)) for _ in range(2))
    assert first == again
    assert first["sharpe"].estimate == pytest.approx(result.stats["sharpe"], rel=1e-12)
    assert first["sharpe"].low < first["sharpe"].estimate < first["sharpe"].high
    assert first["max_drawdown"].estimate == pytest.approx(result.stats["max_drawdown"], rel=1e-12)


def test_no_interval_is_told_of_returns_that_never_vary():
    index = pd.bdate_range("2024-01-01", periods=50, tz="UTC")
    still = tables.Track(pd.Series(0.0, index), pd.Series(0.0, index), 252.0)
    assert all(isinstance(reason, str) for reason in tables.intervals(still).values())


def test_statistics_of_trades_by_hand():
    """A hundred shares gain one each, then lose 0.55 each."""
    bars = qtw.Bars.from_frame(frame(10, 10, 11, 11, 11, 10.45, 10.45), symbol="X")
    day = bars.index
    orders = [
        qtw.Order("X", side, 100, time, "market")
        for side, time in (("buy", day[0]), ("sell", day[1]), ("buy", day[3]), ("sell", day[4]))
    ]
    result = qtw.backtest(qtw.OrderList(orders), bars, cash=10_000.0)
    found = tables.trading(result)
    profits = result.trades["pnl"].tolist()
    assert profits == pytest.approx([100.0, -55.0])
    assert found["closed_trades"] == 2
    assert found["expectancy"] == pytest.approx(22.5)
    assert found["payoff_ratio"] == pytest.approx(100 / 55)
    assert found["win_rate"] == 0.5
    assert found["max_consecutive_wins"] == found["max_consecutive_losses"] == 1
    moves = tables.excursions(result)
    assert moves["mfe"].tolist() == pytest.approx([0.10, 0.0])
    assert moves["mae"].tolist() == pytest.approx([0.0, -0.05])


def test_capacity_counts_amounts_as_fractions_of_the_equity_before_them():
    """One purchase of all the cash against 10 x 1,000 a day: a tenth of 10,000 is what the trade may be."""
    bars = qtw.Bars.from_frame(frame(*(10.0,) * 40), symbol="X")
    order = qtw.Order("X", "buy", 500, bars.index[30], "market")
    found = tables.capacity(qtw.backtest(qtw.OrderList([order]), bars, cash=10_000.0))
    assert found["capacity_estimate"] == pytest.approx(0.10 * 10_000 / 0.5)
    assert found["over_cap"] == 1.0
    assert found["unmeasured_trades"] == 0


def test_trades_across_a_split_have_no_excursions(lab):
    bars = lab.bars("MSFT", "2002-06-01", "2003-12-31", adjustment="raw")
    actions = lab.actions("MSFT", "2002-06-01", "2003-12-31")
    result = qtw.backtest(qtw.strategies.SmaCross(fast=5, slow=20), bars, actions=actions)
    assert tables.excursions(result).empty
    assert len(result.trades) > 3
