"""How breaches are said: with the figures, and what would mend them."""

from dataclasses import fields
from decimal import Decimal

import pytest

from qtw_lab.ledger.breach import Breach, judged
from qtw_lab.ledger.limits import Limits

D = Decimal
FIGURES = [one.name for one in fields(Limits) if one.name.startswith(("max_", "price"))]


@pytest.mark.parametrize("rule", FIGURES)
def test_every_figure_that_can_be_limited_has_words(rule):
    assert judged(rule, D("0.5"), D("0.5"), D(1)) is None
    over = judged(rule, D("0.5"), D("0.75"), D(1))
    assert (over.rule, over.limit, over.value) == (rule, "0.5", "0.75")
    assert "over the limit of" in over.message
    for value, base in ((None, D(1)), (D(0), None)):
        unknown = judged(rule, D("0.5"), value, base)
        assert (unknown.value, unknown.limit) == ("unknown", "0.5")
        assert "cannot be known" in unknown.message


def test_a_figure_is_measured_in_multiples_of_its_base():
    assert judged("max_leverage", D(2), D(2000), D(1000)) is None
    assert judged("max_daily_loss", D("0.02"), D(30), D(1000)) == Breach(
        "max_daily_loss", "0.02", "0.03",
        "The loss of the session comes to 3%, over the limit of 2%. Only reduce positions until the next session.",
    )  # fmt: skip
