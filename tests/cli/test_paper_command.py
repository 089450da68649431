"""`qtw paper` against a simulator over real sockets."""

import json

import pandas as pd
import pytest

from qtw_lab.venues.simulator.choosing import chosen_market
from qtw_lab.venues.simulator.server import Simulator


@pytest.fixture
def account(monkeypatch):
    start = pd.Timestamp("2024-01-05 15:00", tz="UTC")
    with Simulator(chosen_market(symbols=3), start=start, rate_limit=0) as simulator:
        monkeypatch.setenv("ALPACA_TRADING_REST_URL", simulator.url)
        monkeypatch.setenv("ALPACA_API_KEY_ID", "sim-key")
        monkeypatch.setenv("ALPACA_API_SECRET_KEY", "sim-secret")
        yield simulator


def said(answer):
    assert (answer.code, answer.err) == (0, ""), answer
    return json.loads(answer.out)


def test_an_account_is_traded_watched_and_flattened(qtw, account):
    symbol = account.market.symbols.names[0]
    assert said(qtw("paper", "orders", "--json")) == []
    first = said(qtw("paper", "submit", "buy", symbol.lower(), "10", "--name", "mine", "--json"))
    assert first["client_order_id"] == "mine"
    words = ("--type", "limit", "--limit", "1", "--tif", "gtc", "--json")
    resting = said(qtw("paper", "submit", "buy", symbol, "1", *words))
    assert said(qtw("paper", "positions", "--json")) == [{"symbol": symbol, "shares": "10"}]
    assert [order["id"] for order in said(qtw("paper", "orders", "--json"))] == [resting["id"]]
    shown = qtw("paper", "status").out
    assert "Equity" in shown or "equity" in shown
    assert qtw("paper", "orders", "--status", "all").out.count(symbol) == 2
    assert len(said(qtw("paper", "flatten", "--json"))["orders"]) == 1
    assert said(qtw("paper", "orders", "--json")) == []
    assert said(qtw("paper", "positions", "--json")) == []
    assert said(qtw("paper", "flatten", "--json"))["orders"] == []


def test_an_order_is_canceled_by_either_name(qtw, account):
    symbol = account.market.symbols.names[0]
    words = ("paper", "submit", "buy", symbol, "1", "--type", "limit", "--limit", "1", "--json")
    mine, other = said(qtw(*words, "--name", "mine")), said(qtw(*words))
    assert qtw("paper", "cancel", "mine").out == "Canceled.\n"
    assert qtw("paper", "cancel", other["id"]).code == 0
    assert said(qtw("paper", "orders", "--json")) == []
    again = qtw("paper", "cancel", mine["id"])
    assert (again.code, again.out) == (1, "")
    assert 'already in "canceled" state' in again.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("submit", "hold", "AAA", "1"), 2, "invalid side: hold"),
        (("submit", "buy", "AAA", "many"), 2, "qty='many' is no number"),
        (("submit", "buy", "AAA"), 2, "qty or notional is required"),
        (("submit", "buy", "NONE", "1"), 1, 'asset "NONE" not found'),
    ],
)
def test_what_cannot_be_ordered_is_said(qtw, account, words, code, said):
    answer = qtw("paper", *words)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err


def test_without_keys_it_says_how_to_get_an_account(qtw, monkeypatch):
    monkeypatch.delenv("ALPACA_API_KEY_ID", raising=False)
    answer = qtw("paper", "status")
    assert answer.code != 0
    assert "qtw simulator serve" in answer.err
