"""From asset master to focus: what is asked when, and what a bad answer does."""

from qtw_lab.live.answers import Answer, Question
from qtw_lab.live.profile import checked
from qtw_lab.live.selection import Selection, reasons

SECOND = 10**9
RULES = {"universe": {"min_price": 0, "min_dollar_volume": 0, "min_volume": 0}, "focus": {"size": 2}}


def shot(volume):
    bar = {"o": 10.0, "h": 11.0, "l": 9.0, "c": 10.0, "v": volume, "vw": 10.0}
    return {"latestTrade": {"p": 10.0}, "dailyBar": bar, "prevDailyBar": bar}


class Asked:
    """Notes questions, and answers them."""

    def __init__(self, selection):
        self.selection, self.questions = selection, []

    def ask(self, about, symbols):
        self.questions.append(Question(len(self.questions) + 1, about, symbols))
        return self.questions[-1].number

    def turn(self, at, data=None, error=None):
        """Let it ask; answer its question, if there is one; what that was about and whether the universe is new."""
        count = len(self.questions)
        self.selection.due(int(at * SECOND), self.ask)
        if len(self.questions) == count:
            return None
        question = self.questions[-1]
        return question.about, self.selection.answered(Answer(question, data, error), int(at * SECOND))


ASSETS = [{"symbol": name} for name in ("AA", "BB", "CC")]
SHOTS = {"AA": shot(1e6), "BB": shot(3e6), "CC": shot(2e6)}


def begun(**rules):
    asked = Asked(Selection(checked({**RULES, **rules})))
    assert asked.turn(0, ASSETS) == ("assets", False)
    assert asked.turn(0, SHOTS) == ("snapshots", True)
    return asked


def test_assets_then_snapshots_make_the_universe_and_the_best_of_it_the_focus():
    asked = begun()
    selection = asked.selection
    assert selection.ranked.symbols[:2] == ("BB", "CC")
    change = selection.refocused(SECOND, new=True)
    assert list(selection.focus) == ["BB", "CC"]
    assert dict(reasons(change.entered)) == {"BB": "first fill", "CC": "first fill"}
    assert selection.refocused(2 * SECOND) is None


def test_nothing_more_is_asked_while_an_answer_is_to_come():
    selection = Selection(checked(RULES))
    asked = Asked(selection)
    selection.due(0, asked.ask)
    selection.due(10**12, asked.ask)
    assert len(asked.questions) == 1


def test_the_universe_is_refreshed_by_the_clock():
    asked = begun(engine={"universe_refresh_seconds": 900})
    assert asked.turn(899.9) is None
    assert asked.turn(900, SHOTS) == ("snapshots", True)
    assert asked.questions[-1].symbols == ("BB", "CC", "AA")  # by dollars of the day before


def test_after_an_error_it_is_asked_again_five_seconds_later():
    asked = Asked(Selection(checked(RULES)))
    assert asked.turn(0, error="busy") == ("assets", False)
    assert asked.turn(4.9) is None
    assert asked.turn(5, ASSETS) == ("assets", False)
    assert asked.turn(5, error="busy") == ("snapshots", False)
    assert asked.selection.fault == "busy"
    assert asked.turn(9.9) is None
    assert asked.turn(10, SHOTS) == ("snapshots", True)
    assert asked.selection.fault is None


def test_an_answer_that_cannot_be_used_is_a_fault_and_asked_for_again():
    asked = Asked(Selection(checked(RULES)))
    asked.turn(0, ASSETS)
    assert asked.turn(0, ["nonsense"]) == ("snapshots", False)
    assert "cannot be used" in asked.selection.fault
    assert asked.turn(4) is None
    assert asked.turn(5, SHOTS) == ("snapshots", True)


def test_a_saved_asset_master_makes_the_first_universe_and_is_then_renewed():
    asked = Asked(Selection(checked(RULES), assets=list(ASSETS)))
    assert asked.turn(0, SHOTS) == ("snapshots", True)
    more = [*ASSETS, {"symbol": "DD"}]
    assert asked.turn(1, more) == ("assets", False)
    assert asked.turn(2) is None
    assert asked.turn(900, {**SHOTS, "DD": shot(9e6)}) == ("snapshots", True)
    assert asked.selection.ranked.symbols[0] == "DD"
    assert asked.turn(86_401, more) == ("assets", False)


def test_an_answer_of_others_is_not_taken():
    selection = Selection(checked(RULES))
    assert not selection.answered(Answer(Question(9, "trades"), {}), 0)


def test_a_focus_named_by_hand_keeps_who_was_there():
    selection = Selection(checked(RULES), focus={"AA": 5, "BB": 6})
    change = selection.fixed(["BB", "CC"], 10)
    assert selection.focus == {"BB": 6, "CC": 10}
    assert [move.symbol for move in change.entered] == ["CC"]
    assert [move.symbol for move in change.left] == ["AA"]
    assert not selection.fixed(["BB", "CC"], 11).changed
