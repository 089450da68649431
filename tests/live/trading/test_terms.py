"""What a session is opened with: it comes back from JSON as it went, and what does not fit is said."""

import json
import math
from decimal import Decimal

import numpy as np
import pytest
from by_hand import Own, Rig, bars_of

from qtw_lab.core import DataError, Timeframe
from qtw_lab.ledger import Account, Costs, Sizing
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.strategies import STRATEGIES, SmaCross

COSTS = Costs(
    commission_bps=5, commission_per_share=0.001, commission_min=1.0, commission_per_order=0.25, spread_bps=4,
    slippage_bps=1, sell_fee_bps=0.206, sell_fee_per_share=0.000166, sell_fee_per_share_max=8.3, fees_per_share=3e-6,
)  # fmt: skip
SIZINGS = [Sizing.all_in(), Sizing.fixed_cash(5000.5), Sizing.fixed_shares(7), Sizing.fraction(0.1),
           Sizing.target_weights(0.05)]  # fmt: skip
ACCOUNTS = [Account(), Account.cash(settlement=2, lot=1), Account.reg_t(lot=10, min_notional=500.0),
            Account(shorting=False)]  # fmt: skip


def again(terms):
    return SessionTerms.read(json.loads(json.dumps(terms.written())))


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_comes_back(name):
    terms = SessionTerms.given("one", name, ["AAA", "BBB"])
    assert again(terms) == terms
    assert again(terms).strategy.parameters == terms.strategy.parameters


@pytest.mark.parametrize("sizing", SIZINGS)
@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize("costs", [Costs(), COSTS])
def test_every_rule_of_money_comes_back(sizing, account, costs):
    terms = SessionTerms.given("one", "macd", "AAA", "5min", sizing=sizing, account=account, costs=costs)
    assert again(terms) == terms


@pytest.mark.parametrize("interval", ["5s", "1min", "2h", "1D"])
@pytest.mark.parametrize("allocation", [1e-9, 0.1, 1, 1.0, 1.5, 25_000, 1e9])
def test_intervals_and_allocations_come_back(interval, allocation):
    terms = SessionTerms.given("a-b_9", SmaCross(fast=3, slow=8), "aaa, BBB,AAA", interval, allocation=allocation)
    assert again(terms) == terms
    assert (terms.symbols, terms.timeframe) == (("AAA", "BBB"), Timeframe.parse(interval))


def test_what_is_left_out_is_as_by_default():
    said = {"name": "one", "strategy": "sma_cross", "symbols": ["AAA"], "sizing": None, "costs": {}, "parameters": None}
    assert SessionTerms.read(said) == SessionTerms.given("one", "sma_cross", "AAA")
    assert SessionTerms.given("one", "sma_cross", "AAA").written()["sizing"] == {}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": ""}, "A session cannot be named ''"),
        ({"name": "First"}, "use up to 40 lower case letters, digits, '-' and '_'"),
        ({"name": "-a"}, "cannot be named '-a'"),
        ({"name": "a\n"}, "cannot be named"),
        ({"name": "x" * 41}, "up to 40"),
        ({"name": 5}, "cannot be named 5"),
        ({"interval": "soon"}, "'soon' is not a timeframe"),
        ({"symbols": ""}, "No symbol was given"),
        ({"symbols": ["A A"]}, "'A A'"),
        ({"strategy": "nix"}, "There is no strategy 'nix'"),
        ({"strategy": "no_such_module:Own"}, "The strategy no_such_module:Own cannot be found here"),
        ({"strategy": "by_hand:Nothing"}, "The strategy by_hand:Nothing cannot be found here"),
        ({"strategy": "by_hand:Rig"}, "by_hand:Rig is no strategy; it must be a class made from qtw.Strategy"),
        ({"strategy": "by_hand:bars_of"}, "by_hand:bars_of is no strategy"),
        ({"parameters": {"fast": "x"}}, "fast must be a whole number"),
        ({"parameters": {"fats": 1}}, "There is no parameter of sma_cross 'fats'"),
        ({"sizing": Sizing.kelly()}, "the sizing rule kelly looks at past prices"),
        ({"sizing": Sizing.volatility_target(0.1)}, "use all_in, fixed_cash, fixed_shares or fraction"),
        ({"allocation": 0}, "The session one: the allocation 0 must be above 0"),
        ({"allocation": -0.5}, "-0.5 must be above 0"),
        ({"allocation": math.nan}, "nan must be above 0"),
        ({"allocation": math.inf}, "inf must be above 0"),
        ({"allocation": "half"}, "'half' must be above 0"),
        ({"allocation": None}, "None must be above 0"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(changed, said):
    with pytest.raises(DataError) as caught:
        SessionTerms.given(**{"name": "one", "strategy": "sma_cross", "symbols": "AAA", **changed})
    assert said in str(caught.value)


def test_a_strategy_of_ones_own_comes_back_by_its_place():
    terms = SessionTerms.given("one", Own(fast=2, slow=5), "AAA")
    assert terms.written()["strategy"] == "by_hand:Own"
    assert (again(terms), type(again(terms).strategy)) == (terms, Own)


def test_a_strategy_that_cannot_be_found_again_is_refused():
    class Local(SmaCross):
        """One that nobody can import."""

    with pytest.raises(DataError, match="is defined inside a function, so a session could not find it again"):
        SessionTerms.given("one", Local(), "AAA")


@pytest.mark.parametrize("place", [":Own", "..by_hand:Own"])
def test_a_place_that_is_none_is_said(place):
    with pytest.raises(DataError):
        SessionTerms.given("one", place, "AAA")


def test_a_session_without_symbols_is_none():
    with pytest.raises(DataError, match="The session one needs symbols to trade"):
        SessionTerms(name="one", strategy=SmaCross(), symbols=())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"colour": "red"}, "A session's terms: colour is not known; they are account, allocation, costs"),
        ({"sizing": {"rule": "martingale"}}, "Sizing rule 'martingale' is not known"),
        ({"sizing": {"size": 5}}, "A session's sizing cannot be read"),
        ({"costs": {"spread": 5}}, "A session's costs cannot be read"),
        ({"costs": [5]}, "A session's costs cannot be read"),
        ({"account": {"lots": 5}}, "A session's account cannot be read"),
        ({"account": {"lot": -1}}, "Account: lot=-1 must be at least 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(changed, said):
    with pytest.raises(DataError) as caught:
        SessionTerms.read({"name": "one", "strategy": "sma_cross", "symbols": ["AAA"], **changed})
    assert said in str(caught.value)


def test_everything_that_is_missing_is_named():
    with pytest.raises(DataError, match="name is missing, strategy is missing, symbols is missing"):
        SessionTerms.read({})


@pytest.mark.parametrize("changed", [{"strategy": 5}, {"parameters": [1]}])
def test_terms_of_the_wrong_kind_are_said(changed):
    with pytest.raises(DataError):
        SessionTerms.read({"name": "one", "strategy": "sma_cross", "symbols": ["AAA"], **changed})


def test_terms_that_are_no_mapping_are_said():
    with pytest.raises(DataError):
        SessionTerms.read(5)


@pytest.mark.parametrize("allocation", [np.float64(0.5), np.float32(0.5)])
def test_any_number_can_be_an_allocation(allocation):
    rig = Rig(bars_of(X=[10, 11]), SessionTerms.given("one", "sma_cross", "X", "1D", allocation=allocation))
    assert rig.state.sleeves["one"].book.cash == Decimal(50_000)


def test_true_is_no_allocation():
    with pytest.raises(DataError):
        SessionTerms.given("one", "sma_cross", "X", allocation=True)
