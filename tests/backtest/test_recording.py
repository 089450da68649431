"""What is written down of a backtest and of a sweep, so that equal configurations count once and none is forgotten."""

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.backtest import recording
from qtw_lab.backtest.batches import batches_of, with_sketches
from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.sweep import sweep
from qtw_lab.research.trials import TrialLedger


@pytest.fixture(scope="module")
def bars():
    return qtw.Lab.offline().bars("IBM", start="2008-01-01", end="2010-12-31", source="stocks")


def test_a_row_of_a_sweep_is_the_same_trial_as_its_backtest(bars):
    swept = qtw.sweep("sma_cross", bars, grid={"fast": [5, 10], "slow": [50]}, costs=qtw.Costs(commission_bps=10))
    alone = recording.trial_of(swept.result((10, 50, "IBM")))
    (rows,) = batches_of(swept)
    assert len(rows) == 2
    assert alone.fingerprint == rows.fingerprint
    assert alone.identity == rows.identities[1] != rows.identities[0]
    assert alone.sharpe == pytest.approx(rows.sharpes[1], abs=1e-12)


def test_ten_and_ten_point_nought_are_one_configuration(bars):
    one = qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=10), cash=1000)
    other = qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=10.0), cash=np.float64(1000))
    assert recording.trial_of(one).identity == recording.trial_of(other).identity


def test_other_costs_are_another_configuration(bars):
    one, other = (qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=n)) for n in (10, 11))
    assert recording.trial_of(one).identity != recording.trial_of(other).identity


@pytest.fixture
def ledger(tmp_path, monkeypatch) -> TrialLedger:
    """The ledger that `qtw.backtest` writes into here."""
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path))
    return TrialLedger(tmp_path / "trials.sqlite")


def test_what_people_call_is_counted_and_what_rooms_call_is_not(bars, ledger):
    backtest("sma_cross", bars)
    sweep("sma_cross", bars, grid={"fast": [5, 10], "slow": [50]})
    assert not ledger.path.exists()
    one = qtw.backtest("sma_cross", bars)
    two = qtw.sweep("sma_cross", bars, grid={"fast": [5, 10], "slow": [50]})  # fast 10, slow 50 is the one before
    qtw.search("sma_cross", bars, space={"fast": (20, 30), "slow": (60, 90)}, trials=7)
    assert ledger.count(bars.fingerprint) == 2 + 7
    for facts in (one.facts(), two.facts(), two.result((5, 50, "IBM")).facts()):
        assert [fact.name for fact in facts][:2] == ["trials", "deflated_sharpe"]
        assert facts["trials"] == 9
    assert two.facts()["rows"] == 2


def test_each_symbol_of_a_sweep_is_counted_on_its_own_bars_too(ledger):
    both = qtw.Lab.offline().bars(["IBM", "MSFT"], start="2008-01-01", end="2010-12-31", source="stocks")
    found = qtw.sweep("sma_cross", both, grid={"fast": [5, 10, 15], "slow": [50]})
    assert ledger.count(both.fingerprint) == 6
    for symbol in both.symbols:
        row = found.result((10, 50, symbol))
        assert row.facts()["trials"] == 6  # it was the best of all of them
        assert ledger.count(both.select(symbol).fingerprint) == 3
        assert ledger.add([recording.trial_of(row)]) == 0


def test_the_first_line_falls_as_more_is_tried(bars, ledger):
    result = qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=5))
    alone = result.facts()
    assert alone["deflated_sharpe"] == pytest.approx(
        qtw.stats.significance.probabilistic_sharpe_ratio(result.returns.to_numpy())
    )
    qtw.search("sma_cross", bars, space={"fast": (2, 40), "slow": (41, 200)}, trials=200)
    assert result.facts()["deflated_sharpe"] < alone["deflated_sharpe"]
    assert result.facts()["trials"] == 201


def test_a_sweep_that_kept_only_its_best_rows_still_knows_the_spread_of_all(bars):
    grid = {"fast": range(2, 30), "slow": range(40, 60)}
    whole, best = sweep("sma_cross", bars, grid=grid).known, sweep("sma_cross", bars, grid=grid, top=5).known
    assert best.count == whole.count == 28 * 20
    assert best.correlation == whole.correlation
    assert best.sharpe_std == pytest.approx(whole.sharpe_std, rel=0.5)  # 32 rows drawn by chance stand for 560


def test_rows_kept_in_order_of_rank_do_not_lend_their_ratios_to_others(bars):
    grid = {"fast": [3, 5, 8, 13], "slow": [20, 30]}
    whole = batches_of(sweep("sma_cross", bars, grid=grid, verify=0))[0]
    ranked = batches_of(sweep("sma_cross", bars, grid=grid, top=8, by="sharpe", verify=0))[0]
    known = ~np.isnan(ranked.sharpes)
    assert known.any()
    np.testing.assert_allclose(ranked.sharpes[known], whole.sharpes[known], rtol=1e-12)


def test_a_sweep_that_is_known_is_not_looked_into_again(bars, ledger, monkeypatch):
    grid = {"fast": [5, 10, 15], "slow": [50, 60]}
    first = qtw.sweep("sma_cross", bars, grid=grid)
    monkeypatch.setattr("qtw_lab.backtest.batches.returns_at", None)  # running a row again would fail
    again = qtw.sweep("sma_cross", bars, grid={"slow": [60, 50], "fast": [15, 10, 5]})
    assert again.known == first.known


def test_sketches_can_be_drawn_later_and_are_the_same(bars):
    both = qtw.Lab.offline().bars(["IBM", "MSFT"], start="2008-01-01", end="2010-12-31", source="stocks")
    grid = {"fast": range(2, 12), "slow": [40, 50]}
    for market, top in ((bars, None), (bars, 5), (both, None), (both, 5)):
        swept = sweep("sma_cross", market, grid=grid, top=top)
        plain = batches_of(swept, sketched=False)
        assert not any(len(batch.sketches) for batch in plain)
        for later, at_once in zip(with_sketches(swept, plain), batches_of(swept), strict=True):
            assert (later.fingerprint, later.digest, later.fixed) == (
                at_once.fingerprint,
                at_once.digest,
                at_once.fixed,
            )
            for name in ("identities", "sharpes", "sketches"):
                np.testing.assert_array_equal(getattr(later, name), getattr(at_once, name))
            assert len(later.sketches)


def test_a_ledger_that_cannot_be_written_is_said_and_stops_nobody(bars, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path / "file"))
    result = qtw.backtest("sma_cross", bars)
    found = qtw.sweep("sma_cross", bars, grid={"fast": [5]})
    for notes in (result.notes, found.notes, result.facts().notes):
        assert any(note.startswith("not counted as a trial: ") and "QTW_STORAGE_DIR" in note for note in notes)
    assert result.facts()["trials"] == 1


class Rule(qtw.Strategy):
    """One rule."""

    lag: int = qtw.param(1, low=1, high=9)

    def signals(self, prices):
        """Long, always."""
        return np.ones(prices.close.shape)


class Same(qtw.Strategy):
    lag: int = qtw.param(1, low=1, high=9)

    def signals(self, prices):
        return np.ones(prices.close.shape)  # another remark


class Edited(qtw.Strategy):
    lag: int = qtw.param(1, low=1, high=9)

    def signals(self, prices):
        return np.full(prices.close.shape, 0.5)


def test_edited_rules_are_another_configuration_and_other_remarks_are_not():
    digests = [recording.code_digest(kind) for kind in (Rule, Same, Edited)]
    assert digests[0] == digests[1] != digests[2]


def test_the_rules_of_a_strategy_of_yours_are_part_of_its_configuration(bars):
    assert "code" in recording.trial_of(backtest(Rule, bars)).parameters
    assert "code" not in recording.trial_of(backtest("sma_cross", bars)).parameters
