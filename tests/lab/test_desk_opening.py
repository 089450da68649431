"""A session from what a person fills in."""

import pytest

from qtw_lab.core import DataError, Settings, SetupError
from qtw_lab.lab import desk_opening, workbench
from qtw_lab.lab.desk_opening import Wish
from qtw_lab.lab.front import Lab

KEYS = {"alpaca_api_key_id": "a", "alpaca_api_secret_key": "b"}


@pytest.fixture
def lab(tmp_path):
    return Lab(Settings(qtw_storage_dir=tmp_path, _env_file=None, **KEYS))


def test_terms_of_plain_words(lab):
    found = desk_opening.terms(lab, Wish("trend", "5s", "0.4", "", "sma_cross", "saaaa, saaab", "fast=3, slow=8", "1"))
    assert (found.name, found.symbols, found.interval, found.allocation) == ("trend", ("SAAAA", "SAAAB"), "5s", 0.4)
    assert (found.strategy.parameters["fast"], found.account.lot) == (3, 1.0)


def test_terms_of_a_preset_of_the_workbench(lab):
    assert desk_opening.presets(lab) == []
    setup = workbench.Setup.usual().with_parameters(fast=7)
    workbench.keep(lab, "mine", setup)
    assert desk_opening.presets(lab) == ["mine"]
    found = desk_opening.terms(lab, Wish("trend", "1min", "1,000", "mine"))
    assert (found.symbols, found.strategy, found.costs) == (("AAPL", "IBM", "MSFT"), setup.strategy, setup.costs)
    assert (found.allocation, found.interval) == (1000.0, "1min")
    assert desk_opening.told(lab, "mine", "").startswith("sma_cross (fast=7, slow=")
    assert "There is no preset 'other'" in desk_opening.told(lab, "other", "")


def test_what_parameters_a_strategy_has(lab):
    assert desk_opening.told(lab, "", "sma_cross").startswith("fast=")
    assert all(isinstance(desk_opening.told(lab, "", name), str) for name in desk_opening.strategies())


@pytest.mark.parametrize("text", ["fast", "fast=", "=3", "fast=3, fast=4"])
def test_parameters_that_cannot_be_read_are_said(text):
    with pytest.raises(DataError, match="Parameters are written as fast=10"):
        desk_opening.pairs(text)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (Wish("a", allocation="half", symbols="X"), "The allocation 'half' is no number"),
        (Wish("a", lot="", symbols="X"), "The smallest quantity '' is no number"),
        (Wish("A", symbols="X"), "cannot be named 'A'"),
        (Wish("a", symbols=""), "symbol"),
        (Wish("a", symbols="X", parameters="fats=3"), "Did you mean"),
        (Wish("a", preset="other"), "There is no preset 'other'"),
    ],
)
def test_terms_that_do_not_fit_are_said(lab, wish, why):
    with pytest.raises(DataError) as caught:
        desk_opening.terms(lab, wish)
    assert why in str(caught.value)


def test_where_there_is_no_desk_nothing_is_opened(tmp_path):
    bare = Lab(Settings(qtw_storage_dir=tmp_path, _env_file=None))
    with pytest.raises(SetupError, match="no keys to a trading account"):
        desk_opening.opened(bare, Wish("a", symbols="AAPL"))
