"""Looking ahead is found, wherever it hides, and what is clean is left in peace."""

import importlib.util
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.core import Bars, DataError
from qtw_lab.research import leaks
from qtw_lab.strategies import STRATEGIES, Strategy

# pytest imports tests by path, so a module beside them is not found by name
_SPEC = importlib.util.spec_from_file_location("leak_zoo", Path(__file__).with_name("leak_zoo.py"))
zoo = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(zoo)

EVIDENCE = ["probe", "data", "cut", "bar", "column", "full", "prefix", "bars_changed"]


@pytest.fixture(scope="module")
def bars() -> Bars:
    return qtw.Lab.offline().bars(["AAPL", "IBM", "MSFT"], start="2005-01-03", end="2007-01-05")


@pytest.fixture(scope="module")
def listing() -> Bars:
    """Bars of which FB has none before 18 May 2012."""
    return qtw.Lab.offline().bars(["AAPL", "IBM", "FB"], start="2011-09-01", end="2013-03-01")


@pytest.fixture(scope="module")
def found(bars) -> dict:
    """A report on every leak of the zoo."""
    return {fn: leaks.detect(fn, bars) for fn in zoo.LEAKS}


def a_walk(length: int = 120, symbols: str = "XY", seed: int = 1) -> Bars:
    """Random walks on every day from 1 January 2024."""
    rng = np.random.default_rng(seed)
    times = pd.date_range("2024-01-01", periods=length, tz="UTC")
    close = pd.DataFrame(
        100 * np.exp(np.cumsum(rng.normal(0, 0.02, (length, len(symbols))), axis=0)), times, list(symbols)
    )
    table = pd.concat(dict.fromkeys(("open", "high", "low", "close"), close), axis=1)
    return Bars.from_frame(table)


# --- the zoo


def test_nearly_every_planted_leak_is_found(found):
    caught = [fn.__name__ for fn, report in found.items() if report.leaking]
    print(f"\nrecall {len(caught)}/{len(found)}; missed: {sorted({fn.__name__ for fn in found} - set(caught))}")
    assert len(found) >= 60
    assert len(caught) >= 0.95 * len(found)


def test_the_cause_is_named_where_one_name_applies(found):
    named = {fn: report for fn, report in found.items() if zoo.LEAKS[fn] and report.leaking}
    confusion = Counter((zoo.LEAKS[fn][0], report.cause.name) for fn, report in named.items())
    right = sum(report.cause.name in zoo.LEAKS[fn] for fn, report in named.items())
    print(f"\ncause right for {right}/{len(named)}")
    print("\n".join(f"{planted:>22} named {name}: {count}" for (planted, name), count in sorted(confusion.items())))
    print([(fn.__name__, report.cause.name) for fn, report in named.items() if report.cause.name not in zoo.LEAKS[fn]])
    assert len(named) >= 60
    assert right >= 0.9 * len(named)


def test_no_clean_function_raises_an_alarm(bars):
    alarms = [fn.__name__ for fn in zoo.CLEAN if leaks.detect(fn, bars)]
    print(f"\nfalse alarms {len(alarms)}/{len(zoo.CLEAN)}")
    assert len(zoo.CLEAN) >= 45
    assert not alarms


def test_no_strategy_of_the_house_raises_an_alarm(bars):
    for name, kind in STRATEGIES.items():
        given_bars = bars.select(["AAPL", "IBM"]) if name == "pairs" else bars
        assert not leaks.detect(kind(), given_bars), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("symbols", "start", "end"),
    [
        (["AAPL", "IBM", "FB"], "2011-01-03", "2013-03-01"),
        (["MSFT", "GOOG"], "2003-06-02", "2006-06-01"),
        (["GOOG", "IBM"], "2007-06-01", "2009-06-01"),
        (["MSFT", "AAPL", "GOOG", "IBM"], "2009-01-02", "2012-12-31"),
    ],
)
def test_recall_and_silence_hold_on_other_bars(symbols, start, end):
    others = qtw.Lab.offline().bars(symbols, start=start, end=end)
    gaps = (~others.present).any()
    missed, wrong, named = [], [], 0
    for fn, causes in zoo.LEAKS.items():
        if gaps and fn is zoo.savgol:
            continue  # refuses missing prices
        report = leaks.detect(fn, others)
        if not report:
            missed.append(fn.__name__)
        elif causes:
            named += 1
            wrong += [(fn.__name__, report.cause.name)] * (report.cause.name not in causes)
    alarms = [fn.__name__ for fn in zoo.CLEAN if leaks.detect(fn, others)]
    print(f"\n{symbols}: missed {missed}, wrong causes {wrong} of {named}, false alarms {alarms}")
    assert len(missed) <= 0.05 * len(zoo.LEAKS)
    assert len(wrong) <= 0.2 * named
    assert not alarms


# --- what a report says


def test_the_first_bar_of_a_mean_shifted_back_is_known_on_paper():
    """A mean of 10 bars first exists at bar 9; shifted back by 3 it stands at bar 6."""
    walk = a_walk()
    report = leaks.detect(lambda bars: bars.close.rolling(10).mean().shift(-3), walk)
    assert report.first_bar == walk.index[6]
    assert report.columns == ("X", "Y")
    assert report.cause.name == "future shift"


def test_evidence_shows_the_values_with_and_without_the_future():
    walk = a_walk(60, "X")
    report = leaks.detect(lambda bars: bars.close.shift(-1), walk, cuts=[30])
    assert list(report.evidence.columns) == EVIDENCE
    row = report.evidence.query("probe == 'truncated' and data == 'bars as given'").iloc[0]
    assert row["cut"] == row["bar"] == walk.index[29]
    assert row["full"] == walk.close["X"].iloc[30]
    assert np.isnan(row["prefix"])
    assert row["bars_changed"] == 1


@pytest.mark.parametrize(
    "fn",
    [zoo.sma_shifted_back, zoo.centred_mean, zoo.z_score, zoo.weekly_close_on_monday, zoo.warm_up_back_filled,
     zoo.savgol, zoo.quintiles, zoo.next_return],
    ids=lambda fn: fn.__name__,
)  # fmt: skip
def test_the_first_bar_is_the_one_an_exhaustive_search_finds(bars, fn):
    some = bars.head(120)
    assert leaks.detect(fn, some).first_bar == leaks.detect(fn, some, exhaustive=True).first_bar


def test_only_the_leaking_column_of_a_table_is_named(bars):
    report = leaks.detect(zoo.label_among_features, bars)
    assert report.columns == ("target",)
    assert list(report.causes.index) == ["target"]


def test_a_late_listing_filled_backwards_leaks_from_the_first_bar(listing):
    report = leaks.detect(lambda bars: bars.close.ffill().bfill(), listing)
    assert report.first_bar == listing.index[0]
    assert "FB" in report.columns
    assert report.cause.name == "back-fill"
    assert report.evidence["full"].isin([listing.close["FB"].dropna().iloc[0]]).any()


def test_back_filling_shows_although_the_bars_have_no_gap():
    report = leaks.detect(lambda bars: bars.close.bfill(), a_walk())
    assert report.leaking
    assert set(report.evidence["data"]) == {"a copy with a late listing and holes"}
    assert any("only where bars are missing" in note for note in report.notes)


def test_a_report_is_true_when_it_found_a_leak_and_reads_so(bars):
    leak, clean = leaks.detect(zoo.next_return, bars), leaks.detect(zoo.last_return, bars)
    assert leak
    assert not clean
    assert "next_return looks ahead from 2005-01-03" in repr(leak)
    assert "future shift" in repr(leak)
    assert repr(clean).startswith("LeakReport(last_return: no leak found at ")
    assert clean.first_bar is None
    assert clean.cause is None
    assert clean.columns == ()
    assert clean.evidence.empty


def test_facts_state_verdict_cause_and_effort(bars):
    facts = leaks.detect(zoo.centred_mean, bars).facts()
    assert facts["leaking"] == "yes"
    assert facts["cause"] == "centred window"
    assert facts["first_bar"] == "2005-01-18"  # the mean of 21 bars stands at bar 10
    assert facts["leaking_columns"] == 3
    clean = leaks.detect(zoo.last_return, bars)
    assert (clean.facts()["leaking"], clean.facts()["cause"]) == ("no leak found", "none")
    assert clean.facts().to_json()
    assert clean.facts().notes == bars.notes
    assert "text/html" in clean._repr_mimebundle_()


def test_a_clean_function_is_run_about_fifty_times(bars):
    assert leaks.detect(zoo.last_return, bars).runs < 60
    assert leaks.detect(zoo.next_return, bars).runs < 130


def test_the_same_seed_gives_the_same_report(bars):
    first, second = (leaks.detect(zoo.rank_of_all, bars, seed=4) for _ in range(2))
    pd.testing.assert_frame_equal(first.evidence, second.evidence)


def test_sensitivity_to_the_start_is_reported_and_is_no_leak():
    walk = a_walk(200)
    window = leaks.detect(lambda bars: bars.close.rolling(5).mean(), walk)
    total = leaks.detect(lambda bars: bars.close.cumsum(), walk)
    assert window.warmup_sensitivity < 1e-9
    assert not total
    # the sum of 200 closes misses those of the first 50, about a quarter
    assert 0.15 < total.warmup_sensitivity < 0.45
    late = leaks.detect(lambda bars: bars.close.rolling(170).mean(), walk)
    assert late.warmup_sensitivity == np.inf


# --- strategies


class Peek(Strategy):
    """Long before a rise."""

    def signals(self, prices):
        return np.where(np.roll(prices.close, -1, axis=0) > prices.close, 1.0, 0.0)


def test_a_strategy_that_peeks_is_caught_by_its_decisions(bars):
    report = leaks.detect(Peek(), bars)
    assert report.leaking
    assert report.columns == bars.symbols
    assert report.cause.name == "future shift"
    assert report.name == "Peek()"


# --- kinds of answers


def test_labels_are_compared_as_labels():
    walk = a_walk()
    clean = leaks.detect(lambda bars: bars.close["X"].diff().gt(0).map({True: "up", False: "down"}), walk)
    peeking = leaks.detect(lambda bars: bars.close["X"].diff().shift(-1).gt(0).map({True: "up", False: "down"}), walk)
    assert not clean
    assert peeking.leaking


def test_arrays_are_read_by_symbol_or_by_number():
    walk = a_walk()
    assert leaks.detect(lambda bars: np.roll(bars.values["close"], -1, axis=0), walk).columns == ("X", "Y")
    assert leaks.detect(lambda bars: np.roll(bars.values["close"][:, 0], -1), walk).columns == (0,)


def test_a_column_that_comes_with_its_label_is_noted_and_is_no_leak(bars):
    report = leaks.detect(zoo.weekday_dummies, bars)
    assert not report
    assert any("column 4 is not there before its label" in note for note in report.notes)


def test_a_column_that_later_bars_take_away_is_a_leak(listing):
    report = leaks.detect(lambda bars: bars.close.dropna(axis=1, how="any"), listing)
    assert report.leaking


# --- cuts and tolerance


def test_chosen_cuts_are_the_only_places_cut_for_a_clean_function(bars):
    seen = []

    def noting(given_bars):
        seen.append(len(given_bars))
        return given_bars.close

    leaks.detect(noting, bars, cuts=[40, 80])
    assert set(seen) - {len(bars), len(bars) - len(bars) // 4} == {40, 80}


def test_exhaustive_search_finds_a_leak_of_one_single_bar():
    def once(bars):
        close = bars.close["X"].copy()
        if len(close) > 78:
            close.iloc[77] = close.iloc[78]
        return close

    walk = a_walk(150)
    report = leaks.detect(once, walk, exhaustive=True)
    assert report.leaking
    assert report.first_bar == walk.index[77]


def test_rounding_raises_no_alarm_but_a_larger_change_does():
    def drifting(size):
        return lambda bars: bars.close * (1 + size * len(bars))

    walk = a_walk()
    assert not leaks.detect(drifting(1e-14), walk)
    assert leaks.detect(drifting(1e-9), walk)
    assert not leaks.detect(drifting(1e-9), walk, tolerance=1e-5)


# --- what cannot be tested


def test_a_random_function_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match=r"for the same bars .* fixed seed"):
        leaks.detect(lambda bars: rng.normal(size=len(bars)), a_walk())


def test_values_computed_beforehand_are_refused_or_noted():
    walk = a_walk()
    ready = walk.close["X"].shift(-1)
    with pytest.raises(DataError, match=r"failed at every cut.*not among the bars"):
        leaks.detect(lambda _: ready, walk)
    report = leaks.detect(lambda bars: ready.reindex(bars.index), walk)
    assert not report
    assert any("computed from prices beforehand" in note for note in report.notes)


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (lambda _: 3.0, "one row a bar"),
        (lambda bars: np.zeros(len(bars) - 1), "one row a bar"),
        (lambda bars: bars.close.resample("W").last(), "not among the bars"),
        (lambda bars: bars.close.reset_index(drop=True), "must carry the times"),
        (lambda bars: bars.close * np.nan, "only missing ones"),
        (lambda bars: pd.concat([bars.close, bars.close], axis=1), "twice"),
        (lambda bars: bars.close * 1j, "complex"),
        (3, "a function of bars or a strategy"),
        (Peek, "a function of bars or a strategy"),
    ],
)
def test_an_answer_that_cannot_be_read_says_why(fn, message):
    with pytest.raises(DataError, match=message):
        leaks.detect(fn, a_walk())


def test_bad_cuts_tolerance_and_too_few_bars_are_refused():
    walk = a_walk()
    for cuts in ([0], [120], [2.5], [], [True], 5):
        with pytest.raises(DataError, match="whole numbers from 1 to 119"):
            leaks.detect(zoo.last_return, walk, cuts=cuts)
    for tolerance in (-1.0, 1.0, float("nan")):
        with pytest.raises(DataError, match="share of a value"):
            leaks.detect(zoo.last_return, walk, tolerance=tolerance)
    with pytest.raises(DataError, match="give at least 30"):
        leaks.detect(zoo.last_return, walk.head(29))


def test_an_error_on_the_whole_history_comes_through():
    with pytest.raises(KeyError, match="Z"):
        leaks.detect(lambda bars: bars.close["Z"], a_walk())


def test_a_function_that_refuses_short_or_holed_bars_is_tested_on_the_others():
    def strict(bars):
        if len(bars) < 20 or not bars.present.all():
            raise ValueError("at least 20 whole bars")
        return bars.close.shift(-1)

    report = leaks.detect(strict, a_walk())
    assert report.leaking
    assert any("could not be run on bars as given, truncated after" in note for note in report.notes)
    assert any("filling from later bars was not looked for" in note for note in report.notes)


# --- for any window and shift


@settings(max_examples=8, deadline=None)
@given(window=st.integers(1, 15), ahead=st.integers(1, 8))
def test_any_shift_back_is_found_from_its_first_value_on(window, ahead):
    walk = a_walk(90, "X")
    report = leaks.detect(lambda bars: bars.close.rolling(window).mean().shift(-ahead), walk)
    assert report.leaking
    assert report.first_bar == walk.index[max(0, window - 1 - ahead)]
    truncated = report.evidence.query("probe == 'truncated' and data == 'bars as given'")
    assert truncated["bars_changed"].max() == ahead


@settings(max_examples=8, deadline=None)
@given(window=st.integers(2, 40), lag=st.integers(0, 10), seed=st.integers(0, 99))
def test_no_past_window_raises_an_alarm(window, lag, seed):
    walk = a_walk(90, seed=seed)
    assert not leaks.detect(lambda bars: bars.close.rolling(window, min_periods=1).std().shift(lag), walk, seed=seed)
