"""What a sweep answers about its own table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.plan import planned
from qtw_lab.backtest.swept import Sweep, undominated
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import DataError

BARS = qtw.Lab.offline().bars("AAPL", start="2010-01-01", end="2010-12-31")


def made(values, **changes) -> Sweep:
    """A sweep with the given table of two metrics over `fast`."""
    fast, strategy = range(2, 2 + len(values)), qtw.strategies.SmaCross()
    index = pd.MultiIndex.from_arrays([fast], names=["fast"])
    table = pd.DataFrame(values, index=index, columns=["sharpe", "cagr"], dtype=float)
    given = {
        "table": table, "strategy": strategy, "bars": BARS, "terms": Terms.given(), "names": ("fast",),
        "evaluated": "columns", "trials": len(values), "planned": len(values), "by": "sharpe",
        "plan": planned(strategy, {"fast": fast}),
    }  # fmt: skip
    return Sweep(**(given | changes))


def test_the_best_come_first_equal_ones_in_the_order_of_the_table_and_undefined_ones_never():
    s = made([[1, 0], [np.nan, 9], [3, 0], [3, 1], [2, 0]])
    assert s.best("sharpe", 3).index.to_list() == [(4,), (5,), (6,)]
    assert s.best("sharpe", 99).index.to_list() == [(4,), (5,), (6,), (2,)]
    assert s.best().index.to_list() == [(4,)]


def test_a_metric_that_is_defined_nowhere_has_no_best():
    with pytest.raises(DataError, match="not defined for any row"):
        made([[np.nan, 1], [np.nan, 2]]).best()
    with pytest.raises(DataError, match="Did you mean 'sharpe'"):
        made([[1, 1]]).best("sharp")


def test_the_pareto_front_is_what_nothing_beats():
    s = made([[1, 5], [2, 4], [2, 3], [3, 1], [0, 5], [np.nan, 9], [3, 1]])
    assert s.pareto(["sharpe", "cagr"]).index.to_list() == [(2,), (3,), (5,), (8,)]
    assert s.pareto(["cagr"]).index.to_list() == [(7,)]
    for wrong, fault in (("sharpe", "as a list"), ([], "as a list"), (["sharp"], "Did you mean")):
        with pytest.raises(DataError, match=fault):
            s.pareto(wrong)


def test_the_front_equals_the_one_found_by_comparing_all_pairs():
    values = np.random.default_rng(3).integers(0, 12, (400, 3)).astype(float)

    def beaten(one):
        return ((values >= one).all(axis=1) & (values > one).any(axis=1)).any()

    assert undominated(values).tolist() == [k for k, one in enumerate(values) if not beaten(one)]


def test_remarks_and_interrupts_stand_in_the_notes():
    s = made([[1, 1]], planned=4, remarks=("made by hand",))
    assert s.partial
    assert s.notes[1:3] == ("partial: 1 of 4 rows, the rest was interrupted", "made by hand")
    assert "partial: 1 of 4" in repr(s)


def test_what_was_tried_is_every_evaluated_combination_kept_or_not():
    s = made([[1, 0], [2, 0], [3, 0]])
    assert list(s.tried()) == [(2,), (3,), (4,)]
    assert list(replace(s, table=s.table.iloc[[2]], top=1).tried()) == [(2,), (3,), (4,)]
    assert list(replace(s, spans=((0, 1), (2, 3))).tried()) == [(2,), (4,)]
