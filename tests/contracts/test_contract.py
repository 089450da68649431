"""The check itself: planted faults are found and named, honest strategies of users pass."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import Bars, DataError
from qtw_lab.strategies import Panel, SmaCross, Strategy, check, param


def crossing(fast, slow):
    """1 or 0 where both are known."""
    return np.where(np.isnan(fast) | np.isnan(slow), np.nan, fast > slow)


class Tomorrow(Strategy):
    """shift(-1)."""

    def signals(self, prices):
        close = pd.DataFrame(prices.close)
        return np.where(close.shift(-1) > close, 1.0, 0.0)


class FilledBothWays(Strategy):
    """ffill().bfill(): looks ahead only before a listing, so bars without a late listing do not show it."""

    @property
    def warmup(self):
        return 9

    def signals(self, prices):
        close = pd.DataFrame(prices.close).ffill().bfill()
        return crossing(close.to_numpy(), close.rolling(10).mean().to_numpy())


class FilledBothWaysAcrossSymbols(Strategy):
    """The same where it costs money: others are judged by the price of a symbol that is not listed yet."""

    scope = "universe"

    @property
    def warmup(self):
        return 9

    def signals(self, prices):
        close = pd.DataFrame(prices.close).ffill().bfill()
        strength = (close / close.shift(9)).to_numpy()
        return crossing(strength, (close / close.shift(9)).mean(axis=1).to_numpy()[:, None])


class BackFilled(Strategy):
    """bfill alone: a hole is known before it ends."""

    @property
    def warmup(self):
        return 9

    def signals(self, prices):
        close = pd.DataFrame(prices.close).bfill()
        return crossing(close.to_numpy(), close.rolling(10).mean().to_numpy())


class WholeSampleScore(Strategy):
    """A z-score with mean and deviation of all bars."""

    def signals(self, prices):
        close = pd.DataFrame(prices.close)
        score = (close - close.mean()) / close.std()
        return (score < 0).where(score.notna())


class Centred(Strategy):
    """A moving average centred on the bar."""

    @property
    def warmup(self):
        return 5

    def signals(self, prices):
        close = pd.DataFrame(prices.close)
        return crossing(prices.close, close.rolling(11, center=True).mean().to_numpy())


class GlobalRank(Strategy):
    """Ranks over all bars."""

    def signals(self, prices):
        return (pd.DataFrame(prices.close).rank(pct=True) < 0.5).to_numpy()


class GlobalMaximum(Strategy):
    """Prices relative to the highest of all bars."""

    def weights(self, prices):
        return prices.close / pd.DataFrame(prices.close).max().to_numpy()


class Interpolated(Strategy):
    """Holes drawn through as a line to the price after them."""

    @property
    def warmup(self):
        return 1

    def signals(self, prices):
        close = pd.DataFrame(prices.close).interpolate(limit_area="inside")
        return crossing(close.to_numpy(), close.shift(1).to_numpy())


LEAKS = (
    Tomorrow, FilledBothWays, FilledBothWaysAcrossSymbols, BackFilled, WholeSampleScore, Centred, GlobalRank,
    GlobalMaximum, Interpolated,
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(stocks) -> Bars:
    """Three stocks without a late listing or a hole."""
    return stocks.select(["AAPL", "IBM", "MSFT"]).head(600)


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_found_and_its_first_bar_named(leak, whole):
    report = check(leak(), whole)
    finding = report["causal"]
    assert finding.passed is False
    assert any(symbol in finding.evidence for symbol in whole.symbols)
    assert "looks ahead" in finding.evidence
    with pytest.raises(AssertionError, match="causal broken"):
        report.raise_if_broken()


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found_on_one_symbol_alone(leak, whole):
    if leak.scope == "symbol":
        assert check(leak(), whole.select("IBM"))["causal"].passed is False


def test_a_leak_of_filled_prices_is_only_seen_where_a_symbol_lists_late(whole, stocks):
    assert "a copy with a late listing" in check(FilledBothWays(), whole)["causal"].evidence
    real = stocks.select(["AAPL", "GOOG"]).between("2003-06-01", "2005-12-31")  # GOOG lists in 2004
    assert "GOOG" in check(FilledBothWays(), real)["causal"].evidence
    assert "the bars as given" in check(FilledBothWays(), real)["causal"].evidence


def test_the_evidence_names_the_very_bar_at_which_a_shift_looks_ahead():
    close = np.r_[np.full(49, 10.0), 11.0, np.full(50, 10.0)]  # a rise to bar 49, seen at bar 48
    index = pd.date_range("2024-01-01", periods=100, tz="UTC", name="timestamp")
    bars = Bars.from_frame(pd.DataFrame({"close": close}, index=index), symbol="X")
    finding = check(Tomorrow(), bars, cuts=[30, 49, 80])["causal"]
    assert finding.evidence.startswith("X at 2024-02-18 00:00:00+00:00 (bar 48 of the bars as given) is 1")
    assert "0 when only the first 49 are" in finding.evidence


class Dip(Strategy):
    """A user's ten lines of plain pandas: buy below the moving average, sell above it."""

    window: int = param(20, low=2, high=200)

    @property
    def warmup(self):
        return self.window - 1

    @property
    def memory(self):
        return self.window

    def signals(self, prices):
        close = pd.DataFrame(prices.close)
        mean = close.rolling(self.window).mean()
        return (close < mean).where(mean.notna())


def test_ten_lines_of_a_user_pass_and_are_told_that_a_sweep_is_slower(stocks):
    report = check(Dip(), stocks.head(1500))
    report.raise_if_broken()
    assert report.ok
    columns = report["parameter columns"]
    assert columns.passed is None
    assert "one parameter set at a time" in columns.evidence
    assert {f.law for f in report.findings if f.passed} == {f.law for f in report.findings} - {"parameter columns"}


class Forgetful(Dip):
    """States a memory shorter than it has."""

    @property
    def memory(self):
        return self.window - 5


class Cumulative(Strategy):
    """Compares with the mean since the first bar, and states a window."""

    @property
    def memory(self):
        return 100

    def signals(self, prices):
        close = pd.DataFrame(prices.close)
        return np.where(np.isnan(prices.close), np.nan, prices.close > close.expanding().mean().to_numpy())


class LateByItsWord(Dip):
    """States a warm-up longer than it has."""

    @property
    def warmup(self):
        return self.window + 10


class EarlyByItsWord(Dip):
    """States no warm-up."""

    @property
    def warmup(self):
        return 0


class Ranked(Strategy):
    """Compares symbols without saying so."""

    def signals(self, prices):
        return (pd.DataFrame(prices.close).rank(axis=1) > 1).where(pd.DataFrame(prices.close).notna())


class Writer(Strategy):
    """Fills the holes of the caller's prices."""

    def signals(self, prices):
        prices.close[np.isnan(prices.close)] = 1.0
        return np.ones_like(prices.close)


class Leveraged(Strategy):
    """Gives more than it says."""

    def weights(self, prices):
        return np.full_like(prices.close, 1.5)


class Endless(Strategy):
    """Divides by nothing."""

    def weights(self, prices):
        return np.full_like(prices.close, np.inf)


class Moody(Strategy):
    """Chooses by chance."""

    def signals(self, prices):
        return np.random.default_rng().choice([0.0, 1.0], prices.close.shape)


class ReadsFirstColumnOnly(Strategy):
    """Takes arrays of parameters, and uses the first."""

    lag: int = param(5, low=1, high=50)

    @property
    def warmup(self):
        return self.lag

    @property
    def memory(self):
        return self.lag + 1

    def signals(self, prices):
        first = int(np.ravel(self.lag)[0])
        past = pd.DataFrame(prices.close).shift(first).to_numpy()
        return np.broadcast_to(crossing(prices.close, past), (len(past), max(past.shape[1], np.size(self.lag))))


@pytest.mark.parametrize(
    ("fault", "law", "words"),
    [
        (Forgetful, "window-invariant", "state a longer memory"),
        (Cumulative, "window-invariant", "None if it has no end"),
        (LateByItsWord, "warmup", "state a shorter warmup"),
        (EarlyByItsWord, "warmup", "state a longer warmup"),
        (Ranked, "symbols apart", "scope = 'universe'"),
        (Writer, "bars unmodified", "wrote into prices.close"),
        (Leveraged, "exposure", "1.5, beyond the stated exposure of 1"),
        (Endless, "exposure", "inf, beyond"),
        (Moody, "deterministic", "in one run"),
        (ReadsFirstColumnOnly, "parameter columns", "a sweep would be wrong"),
    ],
)
def test_a_broken_law_is_named_with_its_mend(fault, law, words, whole):
    report = check(fault(), whole)
    assert report[law].passed is False
    assert words in report[law].evidence
    assert not report.ok


def test_a_result_of_the_wrong_shape_is_reported_and_nothing_else_is_tried(whole):
    class Short(Strategy):
        def signals(self, prices):
            return prices.close[1:] > prices.close[:-1]

    report = check(Short(), whole)
    assert report["shape"].passed is False
    assert "(599, 3)" in report["shape"].evidence
    assert {finding.passed for finding in report.findings[1:]} == {None}


def test_what_a_strategy_raises_comes_through_with_a_note_on_the_occasion(whole):
    class Impatient(Strategy):
        def signals(self, prices):
            return np.full_like(prices.close, prices.close[50, 0] > 0)

    with pytest.raises(IndexError) as caught:
        check(Impatient(), whole)
    assert "on the first 1 bars of the bars as given" in caught.value.__notes__[0]


def test_a_strategy_that_holds_may_give_nan_but_one_that_never_decides_is_said_to(whole):
    class Never(Strategy):
        holds = True

        def signals(self, prices):
            return np.full_like(prices.close, np.nan)

    finding = check(Never(), whole)["warmup"]
    assert finding.passed is None
    assert "decided nothing" in finding.evidence


def test_too_few_bars_and_cuts_outside_are_refused(whole):
    with pytest.raises(DataError, match="give at least 69"):
        check(SmaCross(), whole.head(60))
    for cuts in ([0], [601], []):
        with pytest.raises(DataError, match="from 1 to 600"):
            check(SmaCross(), whole, cuts=cuts)


def test_a_memory_longer_than_the_bars_is_said_to_be_untested(whole):
    finding = check(SmaCross(fast=20, slow=560), whole)["window-invariant"]
    assert finding.passed is True  # 40 bars are left to test on
    short = dataclasses.replace(whole, notes=("the same",))
    finding = check(Dip(window=200), short.head(220), cuts=[50, 100])["window-invariant"]
    assert finding.passed is None
    assert "too few" in finding.evidence


def test_the_report_reads_as_a_table_and_as_text(whole):
    report = check(SmaCross(), whole)
    table = report.table()
    assert list(table.columns) == ["verdict", "evidence"]
    assert table.loc["causal", "verdict"] == "kept"
    assert str(report).startswith("SmaCross(fast=10, slow=50, short=False) keeps its contract.")
    with pytest.raises(DataError, match="Did you mean 'causal'"):
        report["casual"]


def test_the_given_bars_are_left_as_they_were(whole):
    before = whole.fingerprint
    check(Writer(), whole)
    assert Bars(whole.index, whole.symbols, whole.values, whole.timeframe, adjustment="all").fingerprint == before


def test_a_window_reaches_back_over_a_hole_until_it_holds_the_memory(whole):
    holed = {name: values.copy() for name, values in whole.values.items()}
    for values in holed.values():
        values[300:340] = np.nan
        values[310] = whole.values["close"][310]
    bars = dataclasses.replace(whole, values={**holed, "volume": np.where(np.isnan(holed["close"]), np.nan, 1.0)})
    finding = check(SmaCross(fast=3, slow=20), bars, cuts=range(290, 360))["window-invariant"]
    assert finding.passed is True, finding.evidence


def test_panels_given_to_a_rule_have_only_bars_up_to_now(whole):
    seen = []

    class Witness(Strategy):
        def signals(self, prices: Panel):
            seen.append((len(prices.close), len(prices.times), prices.periods_per_year))
            return np.ones_like(prices.close)

    check(Witness(), whole, cuts=[7])
    assert (7, 7, 252.0) in seen
    assert all(bars == times for bars, times, _ in seen)
