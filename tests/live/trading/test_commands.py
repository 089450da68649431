"""Commands to a desk in another process: each is answered once, whatever is in it."""

import json
import threading

import pytest
from by_hand import Rig, bars_of, terms

from qtw_lab.core import DataError, LabError, SetupError
from qtw_lab.live.trading.commands import Commands
from qtw_lab.live.trading.running import do
from qtw_lab.live.trading.working import Working


@pytest.fixture
def inbox(tmp_path):
    return Commands(tmp_path / "commands")


@pytest.fixture
def desk():
    """Carries commands out on a desk with one session."""
    working = Working(Rig(bars_of(X=[10, 11]), terms("first")).desk)
    return lambda said: do(working, said)


def asked(inbox, said, work, now=1):
    name = inbox.put(said, now)
    inbox.take(work)
    return inbox.answer(name, 0.0)


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "commands").glob("*"))


def test_a_command_is_done_and_answered_and_nothing_stays_behind(inbox, tmp_path):
    assert asked(inbox, {"do": "this"}, lambda said: f"done: {said['do']}") == "done: this"
    assert left(tmp_path) == []
    inbox.take(pytest.fail)  # there is none left


def test_commands_are_done_in_the_order_they_were_given(inbox):
    names = [inbox.put({"number": number}, 10**number) for number in (9, 1, 5)]
    done = []
    inbox.take(lambda said: str(done.append(said["number"])))
    assert done == [1, 5, 9]
    assert [inbox.answer(name, 0.0) for name in names] == ["None"] * 3


def test_two_commands_of_one_moment_are_two(inbox):
    names = {inbox.put({"do": what}, 7) for what in ("pause", "stop")}
    done = []
    inbox.take(lambda said: str(done.append(said["do"])))
    assert (len(names), sorted(done)) == (2, ["pause", "stop"])


@pytest.mark.parametrize(
    "error", [DataError("not so"), SetupError("not so"), ValueError("not so"), TypeError("not so")]
)
def test_why_something_cannot_be_done_is_said_to_who_asked(inbox, error, tmp_path):
    def fails(said):
        raise error

    with pytest.raises(LabError, match=r"^not so$"):
        asked(inbox, {"do": "this"}, fails)
    assert left(tmp_path) == []


def test_one_that_cannot_be_done_does_not_keep_the_next_back(inbox, desk):
    first, second = inbox.put({"do": "dance"}, 1), inbox.put({"do": "pause", "session": "first"}, 2)
    inbox.take(desk)
    with pytest.raises(LabError, match="cannot 'dance'; it can open, pause, continue, close, stop"):
        inbox.answer(first, 0.0)
    assert inbox.answer(second, 0.0) == "The session first is paused."


def test_what_nobody_answers_is_taken_back(inbox, tmp_path):
    name = inbox.put({"do": "this"}, 1)
    with pytest.raises(SetupError, match="The desk does not answer; is `qtw paper run` at work"):
        inbox.answer(name, 0.1)
    assert left(tmp_path) == []


def test_an_answer_is_waited_for(inbox):
    name = inbox.put({"do": "this"}, 1)
    later = threading.Timer(0.2, inbox.take, [lambda said: "done"])
    later.start()
    assert inbox.answer(name, 10.0) == "done"
    later.join()


def test_a_file_that_is_no_json_is_answered(inbox, tmp_path):
    name = inbox.put({}, 1)
    (tmp_path / "commands" / f"{name}.json").write_text("{")
    inbox.take(pytest.fail)
    with pytest.raises(LabError):
        inbox.answer(name, 0.0)


def test_sessions_are_opened_and_changed(inbox, desk):
    said = {"do": "open", "terms": terms("second", allocation=0.25).written()}
    assert asked(inbox, said, desk) == "The session second begins with 25,000.00."
    changes = [("pause", "paused"), ("continue", "running"), ("close", "stopped")]
    for what, status in changes:
        assert asked(inbox, {"do": what, "session": "second"}, desk) == f"The session second is {status}."
    assert asked(inbox, {"do": "stop", "session": "first", "why": "enough"}, desk) == "The session first is stopped."


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"do": "open", "terms": {"name": "first"}}, "strategy is missing, symbols is missing"),
        ({"do": "open", "terms": terms("first").written()}, "There was a session first before"),
        ({"do": "open", "terms": terms("more", allocation=0.75).written()}, "50,000.00 of the account's"),
        ({"do": "continue", "session": "first"}, "The session first is running and cannot become running"),
        ({"do": "pause", "session": "frist"}, "There is no session 'frist'. Did you mean 'first'?"),
        ({"do": "pause", "session": ["first"]}, "There is no session"),
        ({"do": 5}, "A desk cannot 5"),
        ({}, "A desk cannot None"),
    ],
)
def test_what_is_refused(inbox, desk, said, why):
    with pytest.raises(LabError) as caught:
        asked(inbox, said, desk)
    assert why in str(caught.value)


@pytest.mark.parametrize("said", [{"do": "pause"}, {"do": "open"}])
def test_what_a_command_lacks_is_said(inbox, desk, said):
    with pytest.raises(LabError, match=f"The command '{said['do']}' needs"):
        asked(inbox, said, desk)


STRANGE = [
    [1], "pause", 5, {"do": "open", "terms": {**terms("second").written(), "strategy": 5}},
    {"do": "open", "terms": {**terms("second").written(), "allocation": True}},
]  # fmt: skip


@pytest.mark.parametrize("said", STRANGE, ids=["list", "text", "number", "strategy", "allocation"])
def test_a_strange_command_is_answered_and_does_not_end_the_desk(inbox, desk, said, tmp_path):
    name = inbox.put({}, 1)
    (tmp_path / "commands" / f"{name}.json").write_text(json.dumps(said))
    inbox.take(desk)
    with pytest.raises(LabError):
        inbox.answer(name, 0.0)
