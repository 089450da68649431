"""The terms of a simulation, checked before it runs."""

import dataclasses
from typing import get_type_hints

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.rules import EXECUTIONS as MODES
from qtw_lab.backtest.rules import Rules
from qtw_lab.backtest.terms import EXECUTIONS, PATHS, Terms
from qtw_lab.core import DataError
from qtw_lab.ledger import Account, Entry


def test_what_is_not_given_is_free_all_in_and_without_stops():
    terms = Terms.given(None, None, "next_open", 1000.0, None)
    assert terms.costs.free
    assert terms.sizing == qtw.Sizing.all_in()
    assert terms.stops == qtw.Stops()
    assert terms.account == Account()
    assert terms.entry == Entry.market()
    assert (terms.participation, terms.path, terms.leverage) == (0.0, "pessimistic", 1.0)
    assert Terms.given() == Terms.given(None, None, "next_open", 100_000.0, None)


#: Every scalar of the record, a different one each, beside the term it comes from.
COSTS = {
    "commission_bps": 1, "commission_per_share": 2, "commission_min": 3, "spread_bps": 4, "slippage_bps": 5,
    "impact": 6, "borrow_bps_per_year": 7, "margin_rate": 8, "commission_per_order": 9,
    "commission_max_fraction": 0.01, "maker_bps": 11, "fees_per_share": 12, "sell_fee_bps": 13,
    "sell_fee_per_share": 14, "sell_fee_per_share_max": 15, "cash_rate": 16,
}  # fmt: skip
RENAMED = {"borrow_bps_per_year": "borrow_bps", "sell_fee_per_share_max": "sell_fee_most"}
STOPS = {"stop_loss": 0.1, "take_profit": 0.2, "trailing": 0.3, "trailing_amount": 17}
ACCOUNT = {
    "leverage": 1.5, "maintenance": 0.21, "maintenance_short": 0.22, "lot": 18, "min_notional": 19,
}  # fmt: skip


def test_the_flat_record_carries_every_term():
    account = Account(buying_power="gross", **ACCOUNT)
    terms = Terms.given(
        qtw.Costs(**COSTS), qtw.Sizing.fraction(0.5), "same_close", 20.0, qtw.Stops(**STOPS), account=account,
        entry=Entry.stop_limit(0.23, 0.24, good_for=25), participation=0.26,
    )  # fmt: skip
    expected = {RENAMED.get(name, name): value for name, value in (COSTS | STOPS | ACCOUNT).items()} | {
        "cash": 20, "execution": 2, "weights": False, "sizing": 3, "amount": 0.5, "band": 0, "gross": True,
        "shorting": True, "settlement": 0, "participation": 0.26, "optimistic": False, "entry": 3,
        "entry_offset": 0.23, "entry_limit_offset": 0.24, "entry_bars": 25, "entry_day": False,
    }  # fmt: skip
    assert terms.rules("signals")._asdict() == expected


def test_what_the_first_record_leaves_at_nought_is_carried_too():
    terms = Terms.given(account=Account.cash(settlement=2), entry=Entry.limit(0.1, day=True))
    rules = dataclasses.replace(terms, path="optimistic").rules("weights")
    assert (rules.weights, rules.shorting, rules.settlement, rules.gross) == (True, False, 2, False)
    assert (rules.entry, rules.entry_day, rules.entry_bars, rules.optimistic) == (1, True, 0, True)


def test_every_number_of_the_record_is_of_one_kind_so_that_one_compiled_function_serves_all():
    kinds = [
        tuple(type(value) for value in Terms.given(**given).rules("signals"))
        for given in (
            {},
            {"cash": 1000, "leverage": 2, "costs": qtw.Costs(commission_bps=10, cash_rate=1)},
            {"cash": np.float64(5), "participation": 1, "account": Account(lot=1), "stops": qtw.Stops(take_profit=2)},
            {"entry": Entry.limit(0, good_for=3), "account": Account.cash()},
        )
    ]
    assert set(kinds) == {kinds[0]}
    assert kinds[0] == tuple(get_type_hints(Rules).values())


def test_a_maker_rate_that_is_not_given_is_the_rate_of_all_and_none_is_free():
    assert Terms.given(qtw.Costs(commission_bps=7)).rules("signals").maker_bps == 7.0
    assert Terms.given(qtw.Costs(commission_bps=7, maker_bps=0)).rules("signals").maker_bps == 0.0


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_every_execution_has_a_number(execution):
    assert Terms.given(execution=execution).rules("signals").execution == list(EXECUTIONS).index(execution)
    assert tuple(EXECUTIONS) == MODES


@pytest.mark.parametrize("leverage", [0, 0.9, float("inf"), float("nan"), "2", None, True])
def test_a_leverage_below_one_or_no_number_is_refused(leverage):
    with pytest.raises(DataError, match="leverage"):
        Terms.given(None, None, "next_open", 1000.0, None, leverage)


def test_leverage_is_short_for_an_account_and_is_not_given_twice():
    assert Terms.given(leverage=2).account == Account(leverage=2)
    with pytest.raises(DataError, match=r"leverage is part of the account; give Account\(leverage=\.\.\.\) alone"):
        Terms.given(leverage=2, account=Account.reg_t())
    assert Terms.given(account=Account.reg_t()).leverage == 2.0


@pytest.mark.parametrize("participation", [-0.01, 1.01, 10, float("nan"), "0.1", None, True])
def test_a_share_of_the_volume_is_a_fraction(participation):
    with pytest.raises(DataError, match=r"participation=.* fraction of a bar's volume from 0 \(no limit\) to 1"):
        Terms.given(participation=participation)


@pytest.mark.parametrize("cash", [0, -1, float("inf"), float("nan"), "1000", None, True])
def test_cash_is_a_finite_number_above_nought(cash):
    with pytest.raises(DataError, match=r"cash=.* must be a finite number above 0"):
        Terms.given(cash=cash)


@pytest.mark.parametrize("name", ["costs", "sizing", "stops", "account", "entry"])
def test_a_term_of_another_kind_is_refused_with_the_class_that_makes_it(name):
    for given in (0.1, "reg_t", {"leverage": 2}):
        with pytest.raises(DataError, match=rf"{name}=.* must be made with qtw\.{name.capitalize()}\("):
            Terms.given(**{name: given})
    made = qtw.Costs() if name != "costs" else qtw.Stops()
    with pytest.raises(DataError, match=f"{name}="):
        Terms.given(**{name: made})


def test_a_path_and_an_execution_that_do_not_exist_are_refused_with_those_that_do():
    assert PATHS == ("pessimistic", "optimistic")
    with pytest.raises(DataError, match="no path 'optimstic'"):
        dataclasses.replace(Terms.given(), path="optimstic")
    with pytest.raises(DataError, match="no execution 'next_opn'"):
        Terms.given(execution="next_opn")


def test_the_arguments_of_terms_give_them_again():
    terms = Terms.given(
        qtw.Costs(commission_bps=3), qtw.Sizing.fraction(0.5), "next_close", 5_000.0, qtw.Stops(stop_loss=0.1),
        account=qtw.Account(lot=1), entry=qtw.Entry.limit(0.01), participation=0.2,
    )  # fmt: skip
    assert Terms.given(**terms.arguments) == terms
    assert set(terms.arguments) == {field.name for field in dataclasses.fields(Terms)} - {"path"}
