"""An account's rules are refused where they contradict each other, and its sums are those of the rule book."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.ledger import Account
from qtw_lab.ledger.account import buying_power, requirement, rounded


def test_a_plain_account_is_what_most_backtesters_assume():
    account = Account()
    assert account.plain
    assert (account.leverage, account.buying_power, account.shorting, account.settlement) == (1.0, "cash", True, 0)
    assert (account.maintenance, account.maintenance_short, account.lot, account.min_notional) == (0, 0, 0, 0)
    assert not Account(lot=1).plain


def test_a_cash_account_neither_borrows_nor_sells_short_and_settles_a_session_later():
    assert Account.cash() == Account(shorting=False, settlement=1)
    assert Account.cash(settlement=2, lot=1, min_notional=5) == Account(
        shorting=False, settlement=2, lot=1, min_notional=5
    )


def test_a_margin_account_has_the_figures_of_regulation_t_and_rule_4210():
    account = Account.reg_t(lot=1)
    assert 1 / account.leverage == 0.5  # 12 CFR 220.12: half of a purchase or short sale
    assert (account.maintenance, account.maintenance_short) == (0.25, 0.30)  # FINRA 4210(c)(1) and (3)
    assert (account.buying_power, account.shorting, account.lot) == ("gross", True, 1)


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (Account(), "cash, fractions allowed"),
        (Account(leverage=1), "cash, fractions allowed"),
        (Account.cash(), "shorting False, settlement 1"),
        (Account(lot=0.5, min_notional=10), "lot 0.5, min notional 10"),
        (Account.reg_t(), "leverage 2.0, buying power gross, maintenance 0.25, maintenance short 0.3"),
    ],
)
def test_an_account_says_in_one_line_what_differs_from_the_plain_one(account, words):
    assert account.describe() == words


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("leverage", 0.99, "at least 1 and below inf"),
        ("leverage", math.inf, "leverage=inf"),
        ("maintenance", -0.01, "at least 0 and below 1"),
        ("maintenance", 1.0, "at least 0 and below 1"),
        ("maintenance_short", 10, "at least 0 and below 10"),
        ("settlement", -1, "at least 0 and below 6"),
        ("settlement", 6, "at least 0 and below 6"),
        ("settlement", 1.5, "whole number of sessions"),
        ("lot", -1, "at least 0"),
        ("lot", math.inf, "lot=inf"),
        ("min_notional", -0.01, "at least 0"),
        ("buying_power", "margin", "must be 'cash' or 'gross'"),
        ("buying_power", None, "must be 'cash' or 'gross'"),
        ("shorting", 1, "must be True or False"),
        ("shorting", None, "must be True or False"),
    ],
)
def test_a_rule_out_of_range_is_refused_by_name(name, value, said):
    with pytest.raises(DataError, match=f"Account: {name}=.*{said}|Account: {said}"):
        Account(**{name: value})


NUMBERS = ("leverage", "maintenance", "maintenance_short", "settlement", "lot", "min_notional")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, True, "2", None, [1], 1j])
def test_what_is_no_number_is_refused(name, value):
    with pytest.raises(DataError, match=f"Account: {name}="):
        Account(**{name: value})


def test_numbers_of_numpy_are_numbers():
    account = Account(leverage=np.float64(1), settlement=np.int64(1), shorting=False, lot=np.int32(1))
    assert account == Account.cash(lot=1)


@pytest.mark.parametrize(
    "given",
    [{"leverage": 2.0, "shorting": False}, {"shorting": True}, {"shorting": False, "buying_power": "gross"}],
    ids=["borrows", "sells short", "gross"],
)
def test_settlement_needs_an_account_that_only_spends_what_it_has(given):
    with pytest.raises(DataError, match=r"neither borrows nor sells short: use .* \(Account\.cash\(\)\)"):
        Account(settlement=1, **given)


@pytest.mark.parametrize(
    "given",
    [
        {"leverage": 2.0, "maintenance": 0.5},
        {"leverage": 4.0, "maintenance_short": 0.25},
        {"maintenance_short": 1.0},
    ],
)
def test_an_account_that_would_be_called_at_its_first_purchase_is_refused(given):
    with pytest.raises(DataError, match="maintenance fractions must be below that"):
        Account(**given)


def test_maintenance_of_shorts_does_not_matter_where_there_are_none():
    assert Account(maintenance_short=1.5, shorting=False).maintenance_short == 1.5
    assert Account(leverage=3.99, maintenance=0.25, maintenance_short=0.25).leverage == 3.99


def test_an_account_is_named_and_frozen():
    with pytest.raises(TypeError):
        Account(2.0)
    with pytest.raises(TypeError):
        Account(levrage=2.0)
    with pytest.raises(FrozenInstanceError):
        Account().leverage = 2.0


@pytest.mark.parametrize(
    ("quantity", "lot", "whole"),
    [
        (17.9, 5.0, 15.0), (-17.9, 5.0, -15.0), (4.99, 5.0, 0.0), (15.0, 5.0, 15.0), (0.3, 0.1, 0.3), (0.0, 1.0, 0.0),
        (2.5, 0.0, 2.5), (-2.5, 0.0, -2.5), (3 - 1e-10, 1.0, 3.0), (3 - 1e-8, 1.0, 2.0), (-(3 - 1e-10), 1.0, -3.0),
    ],
)  # fmt: skip
def test_a_quantity_is_cut_to_whole_lots_towards_zero(quantity, lot, whole):
    assert rounded(quantity, lot) == pytest.approx(whole, abs=1e-15)


@given(st.floats(-1e5, 1e5), st.sampled_from([0.01, 0.1, 1.0, 7.0, 100.0]))
def test_lots_never_add_more_than_a_hair_and_never_turn_an_order(quantity, lot):
    cut = rounded(quantity, lot)
    assert cut * quantity >= 0
    assert abs(cut) <= abs(quantity) + lot * 1e-8
    assert abs(quantity) - abs(cut) < lot * (1 + 1e-6)
    assert rounded(cut, lot) == cut


def test_the_requirement_is_the_two_fractions_of_the_two_sides():
    assert requirement(1000.0, 0.0, 0.25, 0.3) == 250.0
    assert requirement(0.0, 1000.0, 0.25, 0.3) == 300.0
    assert requirement(1000.0, 500.0, 0.25, 0.3) == 400.0
    assert requirement(0.0, 0.0, 0.25, 0.3) == 0.0


@pytest.mark.parametrize(
    ("gross", "leverage", "equity", "cash", "unsettled", "exposure", "power"),
    [
        (False, 1.0, 100.0, 60.0, 0.0, 40.0, 60.0),  # cash alone
        (False, 1.0, 100.0, 60.0, 60.0, 40.0, 0.0),  # none of it has settled
        (False, 2.0, 100.0, -60.0, 0.0, 160.0, 40.0),  # borrowed 60 of the 100 that leverage adds
        (False, 1.0, 100.0, 250.0, 0.0, 150.0, 250.0),  # proceeds of a short sale count as cash
        (False, 1.0, 50.0, -10.0, 0.0, 60.0, 0.0),
        (True, 2.0, 100.0, -60.0, 0.0, 160.0, 40.0),
        (True, 2.0, 100.0, 250.0, 0.0, 150.0, 50.0),  # a short of 150 takes as much room as a long
        (True, 1.0, 90.0, 0.0, 0.0, 100.0, 0.0),
    ],
)
def test_buying_power_follows_the_account(gross, leverage, equity, cash, unsettled, exposure, power):
    assert buying_power(gross, leverage, equity, cash, unsettled, exposure) == power
