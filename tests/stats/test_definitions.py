from __future__ import annotations

from qtw_lab.stats import performance
from qtw_lab.stats.definitions import DEFINITIONS


def test_every_line_fits_beside_a_figure_and_none_is_written_twice():
    lines = [text for name, text in DEFINITIONS.items() if f"{name}_ratio" not in DEFINITIONS]
    assert len(lines) == len(set(lines))
    assert all(10 < len(text) < 120 and text[-1] not in ".;, " for text in lines)


def test_short_names_have_the_line_of_the_full_one():
    assert DEFINITIONS["sharpe"] is DEFINITIONS["sharpe_ratio"]
    assert DEFINITIONS is performance.DEFINITIONS


def test_no_definition_is_of_a_figure_that_is_gone():
    methods = {f"{figure}_{method}" for figure in ("value_at_risk", "expected_shortfall")
               for method in ("gaussian", "cornish_fisher", "filtered")}  # fmt: skip
    short = {name.removesuffix("_ratio") for name in performance.__all__}
    assert set(DEFINITIONS) <= set(performance.__all__) | methods | short
