"""Each operator is known by its trace, drawn here by hand."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.research.leak_causes import CAUSES, RULES, Case, Cause, Response, agreed, classified

LENGTH = 120
INDEX = pd.date_range("2024-01-01", periods=LENGTH, tz="UTC")
VALUES = np.random.default_rng(5).normal(size=LENGTH)
CUTS = (*range(10, 118, 9), *range(60, 72))


def case_of(answer, *, kinds=("truncated",), echo=(), missing=None) -> Case:
    """A case in which `answer(cut)` is said about the first `cut` bars, and all of it without a cut."""
    full = answer(None)
    responses = []
    for cut in sorted(set(CUTS)):
        for kind in kinds:
            known = answer(cut if kind == "truncated" else None)[:cut]
            same = (known == full[:cut]) | (np.isnan(known) & np.isnan(full[:cut]))
            responses.append(Response(kind, "bars", cut, known[:, None], ~same[:, None]))
    heard = np.zeros(2 * LENGTH - 1)
    for distance in echo:
        heard[LENGTH - 1 + distance] = 1.0
    return Case(full, np.zeros(LENGTH, dtype=bool) if missing is None else missing, INDEX, responses, heard)


def ending(values, cut, count):
    """The values, the last `count` before the cut missing."""
    out = values.copy()
    if cut is not None:
        out[cut - count : cut] = np.nan
    return out


def test_the_last_bars_that_follow_one_later_bar_are_a_shift():
    case = case_of(lambda cut: ending(VALUES, cut, 3), echo=(-3,))
    assert (case.lead, case.lag) == (3, -3)
    assert classified(case).name == "future shift"


def test_the_last_bars_that_follow_both_sides_of_a_bar_are_a_centred_window():
    case = case_of(lambda cut: ending(VALUES, cut, 3), echo=range(-3, 4))
    assert (case.lead, case.lag) == (3, 3)
    assert classified(case).name == "centred window"


def test_values_that_change_only_where_bars_are_missing_are_filled_from_later():
    missing = np.zeros(LENGTH, dtype=bool)
    missing[60:65] = True

    def filled(cut):
        out = VALUES.copy()
        out[60:65] = VALUES[65]
        if cut is not None and cut <= 65:
            out[60:cut] = np.nan
        return out

    cause = classified(case_of(filled, missing=missing))
    assert (cause.name, cause.confidence) == ("back-fill", 0.98)


def test_a_warm_up_that_repeats_its_first_value_is_filled_from_later():
    def filled(cut):
        out = VALUES.copy()
        out[:30] = VALUES[30]
        return out if cut is None or cut > 30 else np.full(LENGTH, np.nan)

    assert classified(case_of(filled)).name == "back-fill"


def test_values_that_change_only_inside_a_month_are_a_label():
    month = INDEX.month.to_numpy()

    def monthly(cut):
        last = pd.Series(VALUES[:cut]).groupby(month[:cut]).transform("mean").to_numpy()
        return np.pad(last, (0, LENGTH - len(last)))

    case = case_of(monthly, echo=range(-12, 10))
    between = [int(row) + 1 for row in np.flatnonzero(np.diff(month))]
    clean = [Response("truncated", "bars", cut, monthly(None)[:cut, None], np.zeros((cut, 1), bool)) for cut in between]
    kept = [response for response in case.responses if response.cut not in between]
    assert classified(Case(case.full, case.missing, INDEX, [*kept, *clean], case.echo)).name == "resample label"


def test_blocks_of_any_length_are_a_label_too():
    def blocks(cut):
        values = VALUES[:cut]
        last = pd.Series(values).groupby(np.arange(len(values)) // 7).transform("last").to_numpy()
        return np.pad(last, (0, LENGTH - len(last)))

    assert classified(case_of(blocks, echo=range(-6, 1))).name == "resample label"


@pytest.mark.parametrize("scale", [lambda x: (x - x.mean()) / x.std(), lambda x: pd.Series(x).rank(pct=True)])
def test_everything_in_the_same_order_is_scaling(scale):
    def scaled(cut):
        found = np.asarray(scale(VALUES[:cut]))
        return np.pad(found, (0, LENGTH - len(found)))

    assert classified(case_of(scaled, echo=range(-60, 60))).name == "whole-sample scaling"


def test_everything_in_another_order_is_a_fit():
    def fitted(cut):
        known = VALUES[:cut]
        line = np.polyfit(np.arange(len(known)), known, 1)
        return np.pad(known - np.polyval(line, np.arange(len(known))), (0, LENGTH - len(known)))

    assert classified(case_of(fitted, echo=range(-60, 60))).name == "fit on all"


def test_values_that_change_with_the_length_alone_know_later_times():
    def share(cut):
        return np.arange(LENGTH) / (cut or LENGTH)

    case = case_of(share, kinds=("truncated", "future higher", "future lower", "future missing"))
    assert classified(case).name == "later times"


def test_a_trace_of_no_operator_is_called_other():
    """All values from the first on move with the cut, rising in time whatever it is: no order to judge by."""
    case = case_of(lambda cut: np.arange(LENGTH) ** (1 + (cut or LENGTH) / LENGTH), echo=range(-60, 60))
    assert classified(case).name == "other"
    assert classified(case).others


def test_the_cause_of_a_table_is_that_of_most_columns():
    shift, fill = Cause("future shift", 0.9), Cause("back-fill", 0.8, (("future shift", 0.4),))
    cause = agreed([shift, shift, fill])
    assert cause.name == "future shift"
    assert cause.confidence == pytest.approx(0.6)
    assert cause.others == (("back-fill", pytest.approx(0.267)),)


def test_every_rule_has_words():
    assert set(RULES) | {"other"} == set(CAUSES)
    assert str(Cause("back-fill", 0.9)).startswith("back-fill (missing values are filled from later bars")
