"""Decisions of an engine beside those of one pass over its bars, and what cannot be compared."""

from dataclasses import dataclass

import numpy as np
import pytest
from engine_session import places_in, session_in, session_profile, what_came

from qtw_lab.core import DataError
from qtw_lab.live.journal import Journal
from qtw_lab.live.momentum import MomentumThreshold
from qtw_lab.live.parity import parity
from qtw_lab.live.rows import ROW, Flag
from qtw_lab.strategies import Strategy

OPEN = 1_704_205_800 * 10**9
STEP = 5 * 10**9
RULE = MomentumThreshold(lookback=1, entry=0.01, exit=0.005)


@dataclass
class Written:
    """A journal written bar by bar for one symbol; the decisions are those of a plain loop over the known closes."""

    journal: Journal
    closes: list

    def bar(self, place, close, *, revision=0, flags=0):
        rows = np.zeros(1, ROW)
        rows["level"], rows["time"], rows["volume"] = 5, OPEN + place * STEP, 100
        rows["revision"], rows["flags"] = revision, flags
        for name in ("open", "high", "low", "close"):
            rows[name] = close
        self.journal.write_rows(OPEN, rows)
        self.closes[place:] = [close, *self.closes[place + 1 :]]

    def decided(self, place, stance):
        self.journal.write_decisions(OPEN, 5, OPEN + place * STEP, np.array([0]), np.array([stance]))


@pytest.fixture
def written(tmp_path):
    with Journal(tmp_path, sync_seconds=None) as journal:
        journal.write_start(OPEN, {})
        journal.write_symbols(OPEN, ["AAA"])
        yield Written(journal, [])


def compared(written, rule=RULE, **options):
    written.journal.flush()
    return parity(written.journal.folder, rule, 5, **options)


def climb(written, count=6, wrong=()):
    """Each bar 2 % above the last: long from the third on, when the return before is known too."""
    for place in range(count):
        written.bar(place, 100 * 1.02**place)
        if place >= 2:
            written.decided(place, -1.0 if place in wrong else 1.0)


def test_equal_decisions_are_counted(written):
    climb(written)
    found = compared(written)
    assert (found.bars, found.compared, found.said, found.same) == (6, 4, 4, 4)
    assert (found.changed, found.barred, found.beyond) == (0, 2, 0)  # too few bars for the first two
    assert found.holds
    assert found.facts()["different"] == 0


def test_another_decision_is_shown_with_both(written):
    climb(written, wrong=(4,))
    found = compared(written)
    assert not found.holds
    assert found.same == found.compared - 1
    (row,) = found.different.to_dict("records")
    assert (row["symbol"], row["live"], row["afterwards"]) == ("AAA", -1.0, 1.0)
    assert row["time"].value == OPEN + 4 * STEP


def test_a_decision_that_is_missing_differs(written):
    climb(written, 4)
    written.bar(4, 120.0)  # 13 % up, and nothing was said
    found = compared(written)
    assert np.isnan(found.different["live"].item())
    assert found.different["afterwards"].item() == 1.0


def test_bars_that_changed_after_the_decision_are_set_aside(written):
    climb(written)
    written.bar(3, 90.0, revision=1, flags=int(Flag.LATE))
    found = compared(written)
    assert found.changed == 3  # the bar itself and the two whose memory of three bars reaches back to it
    assert found.holds


def test_a_revision_without_other_prices_changes_nothing(written):
    climb(written)
    written.bar(3, 100 * 1.02**3, revision=1, flags=int(Flag.BACKFILL))
    assert compared(written).changed == 0


def test_a_change_known_before_the_decision_is_compared(written):
    climb(written, 3)
    written.bar(2, 103.0, revision=1, flags=int(Flag.LATE))
    written.bar(3, 103.0)  # unchanged since: the stance ends
    written.decided(3, 0.0)
    found = compared(written)
    assert (found.changed, found.holds, found.compared) == (1, True, 1)


def test_a_hole_bars_the_decisions_that_rest_on_it(written):
    climb(written, 3)
    written.bar(3, 106.0, flags=int(Flag.HOLE))
    written.bar(4, 108.0)
    written.bar(5, 110.0)
    found = compared(written)
    assert found.barred == 5
    assert found.holds


def test_what_a_strategy_remembers_beyond_the_engines_bars_is_set_aside(written):
    class Above(Strategy):
        """Long above the first close."""

        def signals(self, prices):
            return np.where(prices.close > prices.close[0], 1.0, 0.0)

    for place in range(6):
        written.bar(place, 100.0 + place)
        written.decided(place, float(place > 0))
    found = compared(written, Above(), bar_limit=4)
    assert (found.beyond, found.compared, found.holds) == (2, 4, True)


def test_a_journal_without_decisions_cannot_be_compared(written):
    written.bar(0, 10.0)
    with pytest.raises(DataError, match="no decisions on bars of 5 s"):
        compared(written)


def test_a_strategy_that_compares_symbols_needs_one_focus(written):
    class Best(Strategy):
        """Long the best."""

        scope = "universe"

        def signals(self, prices):
            return np.ones_like(prices.close)

    climb(written, 3)
    past = np.zeros(2, ROW)
    past["level"], past["symbol"], past["time"], past["close"] = 5, 1, (OPEN, OPEN + STEP), 10.0
    written.journal.write_symbols(OPEN, ["AAA", "BBB"])
    written.journal.write_rows(OPEN, past)
    with pytest.raises(DataError, match="compares symbols, and the focus changed"):
        compared(written, Best())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_session_with_late_trades_corrections_and_a_break_decided_as_a_backtest(tmp_path, seed):
    session_in(tmp_path, what_came(seed=seed, seconds=120, down=((70, 73),))).run()
    found = parity(places_in(tmp_path).journal, session_profile().built(), 5, calendar="24/7")
    assert found.holds, found.different
    assert found.said >= 10
    assert found.bars == found.compared + found.changed + found.barred + found.beyond
