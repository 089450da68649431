"""From the workbench to a desk: at a real simulator, with a real desk's books."""

from dataclasses import replace

import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.lab import Lab, realtime
from qtw_lab.lab.workbench_paper import hindrance, send, session_terms
from qtw_lab.lab.workbench_setup import Prices, Setup
from qtw_lab.ledger import Costs, Sizing, Stops
from qtw_lab.strategies import SmaCross
from qtw_lab.venues.simulator.choosing import chosen_market
from qtw_lab.venues.simulator.server import Simulator

TESTED = Setup(
    prices=Prices(symbols=("SAAAA", "SAAAB")), strategy=SmaCross(fast=3, slow=8), costs=Costs(commission_bps=1.0),
    sizing=Sizing.fraction(0.4),
)  # fmt: skip


@pytest.fixture
def lab(tmp_path):
    offline = Lab.offline(tmp_path)
    start = pd.Timestamp("2024-01-05 15:00", tz="UTC")
    with Simulator(chosen_market(symbols=3), start=start, rate_limit=0) as served:
        yield replace(offline, settings=realtime.pointed_to(offline.settings, served))


def test_without_keys_it_says_how_to_get_an_account(tmp_path):
    bare = Lab.offline(tmp_path)
    assert "qtw simulator serve" in hindrance(bare.settings, TESTED)
    with pytest.raises(DataError, match="There are no keys to a trading account"):
        session_terms(bare, TESTED, "first", 0.5, "1D")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stops": Stops(stop_loss=0.05)}, "protective stops"),
        ({"execution": "next_close"}, "'next_open'"),
        ({"sizing": Sizing.kelly()}, "looks at past prices"),
    ],
)
def test_what_sessions_do_not_have_yet_is_not_sent(lab, change, words):
    setup = replace(TESTED, **change)
    assert words in hindrance(lab.settings, setup)
    with pytest.raises(DataError, match=words):
        session_terms(lab, setup, "first", 0.5, "1D")


def test_a_session_has_the_terms_that_were_tested_and_is_opened_at_the_desk(lab):
    assert hindrance(lab.settings, None) == hindrance(lab.settings, TESTED) == ""
    terms = session_terms(lab, TESTED, "first", 0.5, "5s")
    assert (terms.strategy, terms.sizing, terms.costs) == (TESTED.strategy, TESTED.sizing, TESTED.costs)
    assert (terms.symbols, terms.interval, terms.allocation) == (("SAAAA", "SAAAB"), "5s", 0.5)
    said = send(lab, terms)
    assert "first" in said
    assert said.endswith("start it with `qtw paper run`.")
    assert set(lab.desk().state().sleeves) == {"first"}
    with pytest.raises(DataError, match="first"):
        send(lab, terms)


@pytest.mark.parametrize(
    ("name", "part", "interval", "words"),
    [("", 0.5, "1D", "cannot be named"), ("first", 0, "1D", "must be above 0"), ("first", 0.5, "soon", "timeframe")],
)
def test_terms_that_do_not_fit_are_answered_before_anything_is_sent(lab, name, part, interval, words):
    with pytest.raises(DataError, match=words):
        session_terms(lab, TESTED, name, part, interval)
