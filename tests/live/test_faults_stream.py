"""Faults between the engine and the venue: nothing is missing, nothing comes twice, and every bar is exact."""

from __future__ import annotations

import pytest
from fault_cases import EVENTS, LINKS, QUESTIONS
from faults import Drill, small_market, struck

from qtw_lab.live.journal_kinds import Entry
from qtw_lab.live.replay import replayed
from qtw_lab.live.running import Ending
from qtw_lab.venues.backoff import Backoff
from qtw_lab.venues.feeds import steady
from qtw_lab.venues.simulator.stream import Terms

#: In tests pauses are short and everything lasts for a quarter of its time.
SHORT = 0.25


def quick():
    return Backoff(seed=1, first=0.1, most=0.4, cool_down=0.3)


def through(drill, cases):
    """Let one fault after the other strike a running engine, then judge all its bars."""
    with drill:
        drill.running()
        for case in cases:
            blow = struck(drill, case.shorter(SHORT).faults, case.lasting * SHORT, gap=case.gap)
            print(f"{case.name}: detected after {blow.detected}, recovered after {blow.recovered:.2f} s")
            assert case.silent or blow.detected is not None, case.name
            assert (blow.detected or 0.0) <= case.detected or case.silent, case.name
        drill.pass_market(12)
        drill.halt()
    verdict = drill.verdict()
    print(verdict)
    assert verdict.perfect, verdict
    again = replayed(next(drill.places.recordings.iterdir()))
    assert again.same, again.difference
    return verdict


def test_whatever_happens_to_the_link_no_bar_is_missing_twice_or_wrong(tmp_path):
    verdict = through(Drill(tmp_path, backoff=quick()), LINKS)
    assert verdict.filled > 0


def test_whatever_happens_to_the_events_every_bar_is_exact_even_if_our_clock_is_an_hour_wrong(tmp_path):
    verdict = through(Drill(tmp_path, backoff=quick(), now=lambda: steady() - 3600 * 10**9), EVENTS)
    assert verdict.revised > 0


def test_whatever_happens_to_the_questions_about_a_gap_it_is_filled_in_the_end(tmp_path):
    verdict = through(Drill(tmp_path, backoff=quick()), QUESTIONS)
    assert verdict.filled > 0


def test_a_reader_that_is_too_slow_is_cut_off_and_comes_back_without_a_loss(tmp_path):
    drill = Drill(tmp_path, small_market(), backoff=quick())
    drill.simulator.terms = Terms({drill.key: "secret"}, buffer_bytes=20_000)
    with drill:
        drill.running()
        struck(drill, [{"kind": "drip", "bytes_per_second": 1000, "for": 1.0}], 1.0, gap=True)
        drill.halt()
    told = [str(entry.content) for entry in drill.entries() if entry.kind == Entry.LINK]
    assert any("407" in word or "ended" in word or "broke" in word for word in told), told
    verdict = drill.verdict()
    assert verdict.perfect, verdict


@pytest.mark.parametrize(
    ("code", "words"), [(401, "does not know"), (402, "keys are wrong"), (409, "plan does not have")]
)
def test_a_refusal_for_good_ends_the_engine_after_one_attempt_and_says_why(tmp_path, code, words):
    drill = Drill(tmp_path, backoff=quick())
    drill.simulator.start()
    drill.simulator.fault({"kind": "auth", "code": code})
    began = drill.moment()
    with drill:
        ending = drill.until(lambda: drill.ending, 15.0, "ended")
        assert drill.simulator.state()["data"]["accepted"] == 1
    assert isinstance(ending, Ending)
    assert ending.failed
    assert str(code) in ending.reason
    assert words in ending.reason
    assert drill.links() == ["connecting", "fatal"]
    assert drill.told(began) is not None
    assert drill.entries()[-1].kind == Entry.STOP


def test_a_place_that_is_taken_is_asked_for_again_only_after_a_growing_pause(tmp_path):
    drill = Drill(tmp_path, backoff=Backoff(cool_down=0.4))
    drill.simulator.start()
    drill.simulator.fault({"kind": "auth", "code": 406})
    with drill:
        drill.until(lambda: drill.links().count("refused") >= 2, 15.0, "been refused twice")
        drill.simulator.clear()
        drill.until(lambda: "up" in drill.links(), 15.0, "come in")
        refused = [e for e in drill.entries() if e.kind == Entry.LINK and e.content["state"] == "refused"]
        pauses = [e.content["seconds"] for e in refused]
        assert pauses == pytest.approx([0.4 * k for k in range(1, len(pauses) + 1)])
        drill.running()
