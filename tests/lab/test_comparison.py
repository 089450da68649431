"""Results side by side: figures of the common bars, the best of each, and differences that chance could have made."""

import re

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError, SetupError
from qtw_lab.lab import Lab
from qtw_lab.lab.comparison import compare


@pytest.fixture(scope="module")
def bars():
    return Lab.offline().bars("AAPL", "2009-01-01", "2012-12-31")


@pytest.fixture(scope="module")
def results(bars):
    costs = qtw.Costs(commission_bps=5)
    return [
        qtw.backtest("buy_and_hold", bars, costs=costs),
        qtw.backtest(qtw.strategies.SmaCross(fast=5, slow=20), bars, costs=costs),
        qtw.backtest(qtw.strategies.SmaCross(fast=10, slow=50), bars, costs=costs),
    ]


@pytest.fixture(scope="module")
def comparison(results):
    return compare(results)


def test_on_the_same_bars_the_figures_are_those_of_each_result(results, comparison):
    for result, facts in zip(results, comparison.figures.columns.values(), strict=True):
        for name in ("total_return", "cagr", "sharpe", "max_drawdown", "trades", "turnover", "value_at_risk"):
            assert facts[name] == pytest.approx(result.stats[name], rel=1e-9)
            assert facts.fact(name).definition == result.facts().fact(name).definition


def test_results_of_one_strategy_are_named_by_what_differs(comparison):
    assert comparison.names == ("buy_and_hold", "sma_cross (fast=5, slow=20)", "sma_cross (fast=10, slow=50)")


def test_the_best_of_each_row_is_marked(results, comparison):
    sharpe = [result.stats["sharpe"] for result in results]
    volatility = [result.stats["volatility"] for result in results]
    assert comparison.figures.best["sharpe"] == [comparison.names[int(np.argmax(sharpe))]]
    assert comparison.figures.best["volatility"] == [comparison.names[int(np.argmin(volatility))]]
    assert "skewness" not in comparison.figures.best


def test_equals_are_marked_by_none(results):
    twice = compare([results[0], results[0]])
    assert twice.names == ("buy_and_hold, no. 1", "buy_and_hold, no. 2")
    assert twice.figures.best == {}
    row = twice.differences.iloc[0]
    assert row.tolist() == pytest.approx([0.0] * 4, abs=1e-12)


def test_curves_begin_with_one_and_end_with_the_total_return(results, comparison):
    first = 1.0 + comparison.returns.iloc[0]
    pd.testing.assert_series_equal(comparison.growth.iloc[0], first, check_names=False)
    for name, result in zip(comparison.names, results, strict=True):
        assert comparison.growth[name].iloc[-1] == pytest.approx(1 + result.stats["total_return"], rel=1e-9)


def test_correlation_is_that_of_pandas(comparison):
    pd.testing.assert_frame_equal(comparison.correlation, comparison.returns.corr(), check_names=False, rtol=1e-9)


def test_only_the_common_bars_count(bars, results):
    late = qtw.backtest("buy_and_hold", bars.between("2011-01-01"))
    found = compare([results[0], late], ["long", "late"])
    assert found.returns.index[0] == late.returns.index[0]
    equity = results[0].equity
    before = equity.index.get_loc(late.returns.index[0]) - 1
    assert found.growth["long"].iloc[-1] == pytest.approx(equity.iloc[-1] / equity.iloc[before], rel=1e-12)
    notes = " ".join(found.notes)
    assert "different span: long: 2009-01-02 to 2012-12-31; late: 2011-01-03 to 2012-12-31" in notes
    assert "different costs" in notes
    assert "different data" in notes
    assert "late: no costs" in notes


def test_a_bar_that_one_result_lacks_is_bridged_by_the_others(results):
    from dataclasses import replace

    holed = results[1].bars.index.delete(range(100, 110))
    part = qtw.backtest("buy_and_hold", replace(
        results[1].bars, index=holed,
        values={name: np.delete(array, range(100, 110), axis=0) for name, array in results[1].bars.values.items()},
    ))  # fmt: skip
    found = compare([results[0], part], ["whole", "holed"])
    assert len(found.returns) == len(holed)
    assert found.growth["whole"].iloc[-1] == pytest.approx(1 + results[0].stats["total_return"], rel=1e-9)


def test_the_interval_of_a_difference_agrees_with_resampling_by_another_library(comparison):
    """`arch` resamples the pair with the same block; two thousand resamples of its own random numbers."""
    bootstrap = pytest.importorskip("arch.bootstrap")
    from qtw_lab.stats.bootstrap import optimal_block_length

    block = max(1.0, float(np.nanmax(np.asarray(optimal_block_length(comparison.returns.to_numpy()).stationary))))
    pair = comparison.returns.iloc[:, :2].to_numpy()

    def apart(sample):
        ratios = sample.mean(axis=0) / sample.std(axis=0, ddof=1) * np.sqrt(252)
        return ratios[1] - ratios[0]

    drawn = bootstrap.StationaryBootstrap(block, pair, seed=7).apply(apart, 2_000)[:, 0]
    row = comparison.differences.iloc[0]
    assert row["standard_error"] == pytest.approx(drawn.std(ddof=1), rel=0.10)
    assert row["low"] == pytest.approx(np.quantile(drawn, 0.025), abs=0.15 * drawn.std())
    assert row["high"] == pytest.approx(np.quantile(drawn, 0.975), abs=0.15 * drawn.std())
    sharpe = [facts["sharpe"] for facts in comparison.figures.columns.values()]
    assert row["difference"] == pytest.approx(sharpe[1] - sharpe[0], rel=1e-9)


def test_an_account_that_never_moves_has_no_difference(bars, results):
    flat = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), 10.0), index=bars.index)
    idle = qtw.backtest(qtw.strategies.SmaCross(fast=5, slow=20), qtw.Bars.from_frame(flat, symbol="X"))
    row = compare([results[0], idle], ["a", "b"]).differences.iloc[0]
    assert row.isna().all()


def test_the_page_is_standalone_and_holds_every_part(comparison, tmp_path):
    path = comparison.write(tmp_path / "c.html")
    page = path.read_text("utf-8")
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert headings[:5] == ["Figures", "Growth of one", "Drawdowns", "Sharpe ratio against buy_and_hold",
                            "Correlation of returns"]  # fmt: skip
    assert "★" in page
    assert 'href="#def-sharpe"' in page
    outside_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert set(re.findall(r'(?:src|href)="([^"#]*)', outside_scripts)) <= {"", "data:,"}
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError, match="Cannot write"):
        comparison.write(tmp_path / "file" / "c.html")


def test_a_notebook_shows_the_table_the_picture_and_the_facts(comparison):
    bundle = comparison._repr_mimebundle_()
    assert "buy_and_hold" in bundle["text/html"]
    assert "data-picture" in bundle["text/html"]
    assert comparison.facts["sharpe: buy_and_hold"] == comparison.figures.columns["buy_and_hold"]["sharpe"]
    assert bundle["text/plain"].startswith("Comparison(buy_and_hold, ")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a"], "3 results need as many names"),
        (["a", "b", " "], "3 results need as many names"),
        (["a", "b", "a"], "Two results are called 'a'"),
        ("abc", "3 results need as many names"),
    ],
)
def test_names_that_do_not_tell_results_apart_are_refused(results, names, message):
    with pytest.raises(DataError, match=message):
        compare(results, names)


def test_what_cannot_be_compared_is_refused(bars, results):
    with pytest.raises(DataError, match="Between 2 and 12 results can be compared, not 1"):
        compare(results[:1])
    with pytest.raises(DataError, match="not 13"):
        compare(results[:1] * 13)
    apart = [
        qtw.backtest("buy_and_hold", part) for part in (bars.between(end="2010-06-30"), bars.between("2011-01-01"))
    ]
    with pytest.raises(DataError, match="share 0 bars"):
        compare(apart)
    weekly = qtw.backtest("buy_and_hold", Lab.offline().bars("AAPL", "2009-01-01", "2012-12-31", timeframe="1W"))
    with pytest.raises(DataError, match="bars of different kinds"):
        compare([results[0], weekly])
