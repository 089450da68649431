import numpy as np
import pytest
from small_exchange import daily, quote, trade

from qtw_lab.venues.market import CANCELED, CORRECTED, INCORRECT
from qtw_lab.venues.simulator import wording_rows
from qtw_lab.venues.simulator.wording_codes import EXCHANGES, QUOTE_CONDITIONS, TRADE_CONDITIONS, conditions


@pytest.mark.parametrize(("flag", "word"), [(CANCELED, "canceled"), (INCORRECT, "incorrect"), (CORRECTED, "corrected")])
def test_what_became_of_a_trade_is_said(flag, word):
    row = trade(0, 1, 10.5, 3, number=4, letters="@I")
    row["flag"] = flag
    assert wording_rows.trades(row) == [
        {"t": "2024-01-02T14:30:01Z", "x": "V", "p": 10.5, "s": 3, "c": ["I", "@"], "i": 4, "z": "C", "u": word}
    ]


def test_whole_sizes_are_whole_and_others_are_not():
    said = wording_rows.quotes(quote(0, 0, 1.5, 1.6, size=0.25)) + wording_rows.quotes(
        quote(0, 0, 1.5, 1.6, size=100.0)
    )
    assert [(one["bs"], type(one["as"])) for one in said] == [(0.25, float), (100, int)]


def test_a_bar_without_a_price_has_nulls():
    row = daily(0, "2024-01-02", 10.0)
    row["vwap"] = np.nan
    assert wording_rows.bars(row)[0]["vw"] is None


def test_letters_that_mean_nothing_are_said_as_nothing():
    row = trade(0, 1, 10.0)
    row["exchange"] = row["tape"] = 0
    assert (wording_rows.trades(row)[0]["x"], wording_rows.trades(row)[0]["z"]) == ("", "")


def test_every_exchange_of_alpaca_py_has_a_name():
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # alpaca-py imports websockets.legacy
        from alpaca.data.enums import Exchange
    assert set(EXCHANGES) == {exchange.value for exchange in Exchange}


def test_conditions_are_told_by_tape():
    assert conditions("trade", "A") == conditions("trade", "B") == TRADE_CONDITIONS["AB"]
    assert conditions("quote", "C") == QUOTE_CONDITIONS["C"]
    assert conditions("trade", "AB") is conditions("other", "A") is None
