"""A setup is written to plain JSON and read again; what does not fit is refused with one sentence."""

import json
from dataclasses import replace

import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.lab import workbench_fields as made
from qtw_lab.lab.workbench_setup import Prices, Setup, schedule_of
from qtw_lab.ledger import Account, Costs, Sizing, Stops
from qtw_lab.strategies import STRATEGIES, Blend, Macd, SmaCross, strategy

USUAL = Setup.usual()


def again(setup: Setup, own=None) -> Setup:
    return Setup.read(json.loads(json.dumps(setup.written(), allow_nan=False)), own)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_setup_of_any_strategy_is_the_same_again(name):
    setup = replace(USUAL, strategy=strategy(name))
    assert again(setup) == setup


@pytest.mark.parametrize(
    "change",
    [
        {"strategy": Blend(members=(SmaCross(fast=5), Macd()), shares=(0.3, 0.7))},
        {"costs": replace(Costs.interactive_brokers_tiered(), spread_bps=2.5)},
        {"costs": Costs.crypto(maker_bps=10, taker_bps=20)},
        {"sizing": Sizing.kelly(0.25, cap=2.0)},
        {"stops": Stops(stop_loss=0.05, trailing_amount=2.0)},
        {"account": Account.reg_t(lot=1)},
        {"execution": "same_close", "cash": 5_000},
        {"prices": Prices(symbols=("KO",), timeframe="1W", adjustment="split", end="2001-02-03")},
    ],
)
def test_every_part_is_the_same_again(change):
    setup = replace(USUAL, **change)
    assert again(setup) == setup


@pytest.mark.parametrize("rule", made.SIZINGS)
def test_every_rule_of_sizing_is_the_same_again(rule):
    setup = replace(USUAL, sizing=made.SIZINGS[rule])
    assert again(setup) == setup


@pytest.mark.parametrize("name", made.SCHEDULES)
def test_fees_of_a_schedule_are_written_by_its_name_alone(name):
    costs = replace(made.SCHEDULES[name](), slippage_bps=3.0)
    assert schedule_of(costs) == name
    assert replace(USUAL, costs=costs).written()["costs"] == {"schedule": name, "slippage_bps": 3.0}


class Mine(qtw.Strategy):
    depth: float = qtw.param(0.5, low=0, high=1)

    def signals(self, prices):
        return prices.close * 0


def test_a_strategy_of_ones_own_is_found_where_it_is_given():
    setup = replace(USUAL, strategy=Mine(depth=0.25))
    assert again(setup, {"mine": Mine}) == setup
    with pytest.raises(DataError, match="There is no strategy 'mine'"):
        again(setup)


def changed(path: str, value) -> dict:
    said = USUAL.written()
    *parts, last = path.split(".")
    place = said
    for part in parts:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return said


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("parameters.fast", 0, r"sma_cross: fast=0 is out of range; it must lie between 1 and 5000\."),
        ("parameters.fast", 2.5, r"sma_cross: fast must be a whole number, not 2\.5\."),
        ("parameters.fast", 60, "fast"),
        ("parameters.fats", 5, "entry of the parameters of sma_cross 'fats'. Did you mean 'fast'"),
        ("parameters", [1], "must be a table of names and values, not list"),
        ("strategy", "sma_crss", "Did you mean 'sma_cross'"),
        ("strategy", None, "The setup lacks 'strategy'"),
        ("data", None, "The setup lacks 'data'"),
        ("data.symbols", None, "names no symbols"),
        ("data.symbols", "", "No symbol was given"),
        ("data.symbols", ["../x"], "x"),
        ("data.start", "yesterday-ish", "The start 'yesterday-ish' is no date. Write it as 2024-01-31"),
        ("data.start", 20040101, "is no date"),
        ("data.start", "2013-01-01", "lies after the last one"),
        ("data.timeframe", "1M", "may mean minutes or months"),
        ("data.adjustment", "none", "adjustment"),
        ("data.source", 5, "named by a text"),
        ("costs.spread", 5, "entry of the costs 'spread'"),
        ("costs.spread_bps", -1, "spread_bps=-1 must be zero or more"),
        ("costs.schedule", "bank", "schedule of fees"),
        ("sizing.rule", "half", "Sizing rule 'half' is not known"),
        ("sizing.amount", "much", "must be a positive, finite number"),
        ("execution", "now", "execution"),
        ("execution", 5, "execution"),
        ("cash", 0, "cash=0 must be a finite number above 0"),
        ("cash", "much", "cash='much'"),
        ("stops.stop_loss", 2, "stop_loss=2 must be above 0 and below 1"),
        ("account.leverage", 0.5, "leverage=0.5 must be at least 1"),
        ("colour", "red", "entry of the setup 'colour'"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(path, value, words):
    with pytest.raises(DataError, match=words):
        Setup.read(changed(path, value))


def test_a_setup_is_a_table():
    with pytest.raises(DataError, match="The setup must be a table of names and values, not NoneType"):
        Setup.read(None)


def test_stops_of_nothing_are_none_and_empty_texts_count_as_left_out():
    said = USUAL.written() | {"stops": {"stop_loss": 0.0, "trailing": 0}}
    said["data"] |= {"source": "", "start": "", "end": None}
    read = Setup.read(said)
    assert read.stops == Stops()
    assert (read.prices.source, read.prices.start, read.prices.end) == (None, None, None)


def test_parts_may_be_left_out():
    read = Setup.read({"data": {"symbols": "ko, pep"}, "strategy": "macd"})
    assert read == Setup(prices=Prices(symbols=("KO", "PEP")), strategy=Macd())


def test_other_parameters_are_checked_like_any():
    assert USUAL.with_parameters(fast=5).strategy == SmaCross(fast=5)
    with pytest.raises(DataError, match="out of range"):
        USUAL.with_parameters(fast=0)
