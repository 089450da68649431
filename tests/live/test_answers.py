"""Questions, answers, and trades in the words of REST."""

import math

import pytest

from qtw_lab.core import DataError, VenueError
from qtw_lab.live.answers import Answer, Question, asked, trade_rows, void_rows
from qtw_lab.venues.ticks import CANCEL, CORRECTION, TRADE, Symbols, condition_mask

TRADE_SAID = {"t": "2024-01-02T14:30:00.5Z", "p": 10.5, "s": 100, "i": 7, "x": "V", "z": "A", "c": ["@", "I"]}


class Said:
    """A venue that says what it was asked."""

    def __init__(self):
        self.heard = []

    def assets(self):
        return [{"symbol": "A"}]

    def clock(self):
        raise VenueError("no clock today")

    def calendar(self, start, end):
        return [start, end]

    def snapshots(self, symbols):
        self.heard.append(len(symbols))
        return {symbol: {} for symbol in symbols}

    def trades(self, symbols, start, end):
        if start == 1:
            raise KeyError("secret")
        return {symbol: [TRADE_SAID] for symbol in symbols}


def test_each_question_goes_to_its_place():
    venue = Said()
    assert asked(venue, Question(1, "assets")).data == [{"symbol": "A"}]
    day = 1_704_205_800 * 10**9
    assert asked(venue, Question(2, "calendar", (), day, day + 86_400 * 10**9)).data == ["2024-01-02", "2024-01-03"]
    many = tuple(f"S{number}" for number in range(450))
    assert len(asked(venue, Question(3, "snapshots", many)).data) == 450
    assert venue.heard == [200, 200, 50]
    assert asked(venue, Question(4, "trades", ("A",), 2, 3)).data == {"A": [TRADE_SAID]}


def test_what_goes_wrong_is_the_answer_and_tells_nothing_that_was_sent():
    assert asked(Said(), Question(1, "clock")).error == "no clock today"
    answer = asked(Said(), Question(2, "trades", ("A",), 1, 3))
    assert answer.data is None
    assert "KeyError" in answer.error
    assert "secret" not in answer.error


def test_an_answer_is_recorded_and_read_back():
    answer = Answer(Question(5, "trades", ("A", "B"), 10, 20), {"A": [TRADE_SAID]})
    assert Answer.of(answer.payload()) == answer
    assert Answer.of(memoryview(answer.payload())) == answer


def test_a_trade_has_its_columns():
    row = trade_rows({"X": [TRADE_SAID]}, symbols := Symbols(["A"]))[0]
    assert symbols.names == ["A", "X"]
    assert (row["kind"], row["symbol"], row["time"]) == (TRADE, 1, 1_704_205_800_500_000_000)
    assert (row["price"], row["size"], row["id"]) == (10.5, 100.0, 7)
    assert (row["exchange"], row["tape"], row["conditions"]) == (ord("V"), ord("A"), condition_mask(["@", "I"]))
    assert math.isnan(row["other_price"])


def test_trades_come_by_time_whatever_the_order_of_symbols():
    """Bars are closed as time goes on: a symbol's first trade must not come after another's last."""
    said = {
        "B": [{**TRADE_SAID, "t": f"2024-01-02T14:30:{s:02}Z", "i": s} for s in (1, 9)],
        "A": [{**TRADE_SAID, "t": f"2024-01-02T14:30:{s:02}Z", "i": s} for s in (0, 5)],
        "C": None,
    }
    assert trade_rows(said, Symbols())["id"].tolist() == [0, 1, 5, 9]


def test_what_was_taken_back_is_left_out_and_can_be_had_as_the_stream_would_have_said_it():
    said = {
        "A": [
            {**TRADE_SAID, "i": 1, "u": "canceled"},
            {**TRADE_SAID, "i": 2, "u": "incorrect"},
            {**TRADE_SAID, "i": 3, "u": "corrected", "p": 10.4},
            {**TRADE_SAID, "i": 4, "t": "2024-01-02T14:31:00Z", "u": "incorrect"},
            {**TRADE_SAID, "i": 5},
        ]
    }
    symbols = Symbols()
    assert trade_rows(said, symbols)["id"].tolist() == [3, 5]
    void = void_rows(said, symbols)
    assert void["kind"].tolist() == [CANCEL, CORRECTION, CANCEL]
    assert void["id"].tolist() == [1, 2, 4]
    assert void["second_id"].tolist() == [0, 3, 0]
    assert void["price"][1] == 10.4
    assert len(void_rows({"A": []}, symbols)) == len(trade_rows({"A": None}, symbols)) == 0


@pytest.mark.parametrize("wrong", [{"t": "yesterday"}, {"p": None}, {"i": "x"}, {"s": "many"}])
def test_a_trade_that_cannot_be_read_is_refused(wrong):
    with pytest.raises(DataError, match="cannot be read"):
        trade_rows({"A": [{**TRADE_SAID, **wrong}]}, Symbols())
