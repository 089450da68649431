"""Reports of several sessions at one desk, of symbols with few bars, and of a desk's folder."""

import json
from decimal import Decimal

import pytest
from desk_folder import opened_then_filled, session_in_minutes, written
from lived import TERMS, TRIO, Lived, Refusing, effects, lived, stocks, terms_of, told, without
from typer.testing import CliRunner

from qtw_lab.cli.app import app
from qtw_lab.core import DataError, Settings, SetupError
from qtw_lab.lab.divergence import compared, diverge
from qtw_lab.ledger import Costs, Sizing
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.live.trading.state import DeskState
from qtw_lab.venues.paper.models import FillModel

D = Decimal


def test_several_sessions_each_have_their_own_report():
    def named(name, **terms):
        return terms_of(name, allocation=0.3, sizing=Sizing.fixed_shares(20), **terms)

    three = [named("one"), named("two", symbols=("IBM", "AAPL")), named("three", parameters={"fast": 5})]
    made = Lived(stocks(*TRIO), *three)
    made.run(30)
    made.desk.change("two", "paused")
    made.run(15)
    made.desk.change("two", "running")
    made.run()
    assert not made.desk.state.faults()
    for terms, causes in zip(three, ((), ("manual",), ()), strict=True):
        told(made, *causes, terms=terms, cash=30_000.0)


@pytest.mark.parametrize("bar", [25, 38, 60])
def test_a_session_opened_in_the_middle_is_compared_from_there(bar):
    first, later = terms_of("first", allocation=0.4, sizing=Sizing.fixed_shares(20)), terms_of(allocation=0.5)
    made = Lived(stocks(), first)
    made.run(bar)
    made.desk.open(later)
    made.run()
    cash = float(made.desk.state.sleeves["one"].start)
    assert told(made, terms=later, start=bar, cash=cash).bars == 150 - bar
    assert told(made, terms=first, cash=40_000.0).bars == 150


def test_orders_by_hand_do_not_touch_a_report():
    given = terms_of(allocation=0.5)
    made = Lived(stocks(), given)
    for place, side in enumerate(("buy", "sell", "buy")):
        made.run(20)
        made.trader.submit(Ticket("AAPL", side, "market", "day", qty=D(7), client_order_id=f"hand-{place}"))
    made.run()
    told(made, terms=given, cash=50_000.0)


def test_sessions_on_bars_of_two_lengths_at_one_desk():
    events, bars = opened_then_filled()
    named = effects(compared(DeskState.of(events), events, "slow", bars))
    assert named == {"fill price": pytest.approx(-10.0)}


# Symbols with few bars


def test_a_symbol_that_is_listed_later():
    given = terms_of(symbols=TRIO, sizing=Sizing.fixed_shares(40))
    bars = without(stocks(*TRIO), slice(0, 60), 1)
    told(lived(given, bars=bars), terms=given)
    told(lived(given, bars=bars, model=FillModel.backtest(Costs(commission_bps=9))), "fee", terms=given)


def test_a_symbol_that_has_no_bar_yet():
    given = terms_of(symbols=TRIO[:2])
    made = Lived(without(stocks(*TRIO[:2]), slice(0, 100), 1), given)
    made.run(90)
    told(made, terms=given)


def test_a_symbol_without_a_bar_after_the_decision():
    given = terms_of(symbols=TRIO[:2])
    first = lived(given, bars=stocks(*TRIO[:2])).report().backtest.orders.query("symbol == 'IBM'").iloc[3]
    place = stocks().index.get_loc(first["time"])
    told(lived(given, bars=without(stocks(*TRIO[:2]), slice(place, place + 2), 1)), terms=given)


# In a folder


def test_the_command_tells_what_the_report_does(tmp_path, monkeypatch):
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path))
    made = session_in_minutes(rules=Refusing(2))
    written(tmp_path, made)
    said = CliRunner().invoke(app, ["paper", "diverge", "one", "--json"])
    assert said.exit_code == 0, said.output
    answer = json.loads(said.stdout, parse_constant=pytest.fail)
    found = diverge(Settings.load(), "one")
    assert answer["causes"] == found.table().to_dict("records")
    assert {one["name"]: one["value"] for one in answer["facts"]}["total"] == float(found.total)
    assert found.total == made.report().total
    assert set(effects(found)) - {"rounding"} == {"reject"}
    for words in ([], ["--details"]):
        assert "eject" in CliRunner().invoke(app, ["paper", "diverge", "one", *words]).stdout


def test_what_cannot_be_compared_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path))
    with pytest.raises(SetupError, match="no desk here yet"):
        diverge(Settings.load(), "one")
    made = Lived(stocks(), TERMS)
    with pytest.raises(DataError, match="has not heard of any bar yet"):
        made.report()
    with pytest.raises(DataError, match="two"):
        made.report("two")
    made.run(5)
    with pytest.raises(DataError, match="needs at least"):
        made.report()
