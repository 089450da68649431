"""A sample of the rows is run again by the slow engine, the same sample every time, and a wrong row is found."""

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.spotcheck import Sampling, spot_check
from qtw_lab.core import DataError

BARS = qtw.Lab.offline().bars("AAPL", start="2009-01-01", end="2010-12-31")
GRID = {"fast": range(2, 12), "slow": range(20, 30)}


@pytest.mark.parametrize(
    ("verify", "rows", "cells", "count"),
    [
        (0.01, 4_950, 2_148, 50),
        (0.01, 4_900, 2_148, 49),
        (0.01, 1, 2_148, 1),
        (0.01, 4_950, 40_000, 10),  # 400,000 bars times symbols
        (0.01, 4_950, 10**8, 1),
        (1.0, 4_950, 2_148, 50),
        (1, 4_950, 2_148, 1),
        (300, 4_950, 2_148, 300),
        (300, 20, 2_148, 20),
        (0, 4_950, 2_148, 0),
        (0.01, 0, 2_148, 0),
    ],
)
def test_how_many_rows_are_run_again_follows_from_the_rule(verify, rows, cells, count):
    places = Sampling(verify).places(rows, cells)
    assert len(places) == count == len(set(places.tolist()))


def test_the_seed_decides_which_rows():
    one, same, other = (Sampling(20, seed).places(1_000, 1) for seed in (3, 3, 4))
    assert one.tolist() == same.tolist() != other.tolist()


@pytest.mark.parametrize(
    "given", [{"verify": -0.1}, {"verify": 1.5}, {"verify": True}, {"verify": "all"}, {"seed": -1}]
)
def test_a_sampling_that_makes_no_sense_is_refused(given):
    with pytest.raises(DataError, match="must be a"):
        Sampling(**given)


def test_agreement_is_found_when_first_asked_for_and_then_kept():
    s = qtw.sweep("sma_cross", BARS, grid=GRID, costs=qtw.Costs(commission_bps=5), verify=7, seed=5)
    assert "not re-run yet" in repr(s)
    assert s.agreement is s.agreement
    assert s.agreement.agrees
    assert str(s.agreement) == "7 of 100 rows re-run by the reference engine (seed 5): all agree to 1e-09"
    assert str(s.agreement) in repr(s)
    assert s.facts()["agreement"] == s.agreement.text


def test_a_row_that_is_not_what_the_reference_engine_says_is_named():
    s = qtw.sweep("sma_cross", BARS, grid=GRID, verify=100)
    s.table.iloc[42, 0] += 1e-6
    check = s.agreement
    assert check.agrees is False
    assert not check
    assert check.disagreeing == (s.table.index[42],)
    assert f"1 disagree, first {s.table.index[42]!r}: total_return is" in check.text


def test_no_verification_says_so():
    s = qtw.sweep("sma_cross", BARS, grid=GRID, verify=0)
    assert s.agreement.agrees is None
    assert s.facts()["agreement"] == "none of 100 rows re-run by the reference engine (verify=0)"
    assert "none re-run" in repr(s)


def test_undefined_metrics_agree_with_undefined_ones():
    s = qtw.sweep("sma_cross", BARS, grid={"fast": [2], "slow": [400]}, metrics=("sharpe", "calmar", "trades"))
    flat = s.table.copy()
    flat[["sharpe", "calmar"]] = np.nan
    result = qtw.backtest("buy_and_hold", BARS)
    still = spot_check(flat, lambda key: result, Sampling(1), 1)
    assert still.agrees is False
    assert "sharpe is nan" in still.text
