from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.simulator.wording import refusal, truth


def test_yes_is_written_in_several_ways():
    assert [truth(text) for text in ("true", "True", "1", "false", "", None)] == [True, True, True, False, False, False]


def test_a_refusal_is_an_answer_with_its_fields():
    answer = refusal(RefusedError(403, "insufficient buying power", 40310000, {"buying_power": "1"}))
    assert (answer.status, answer.body) == (
        403, {"buying_power": "1", "code": 40310000, "message": "insufficient buying power"},
    )  # fmt: skip
    assert refusal(RefusedError(400, "invalid limit")).body == {"message": "invalid limit"}
