"""The runner: one session from feed to files, its endings, and what it does when the disk or the venue fails."""

import json
import os
import signal
import threading
import time

import pytest
from engine_session import places_in, session_in, session_profile, what_came
from engine_venue import START, news

from qtw_lab.core import SetupError
from qtw_lab.live.exports import Exports
from qtw_lab.live.journal import read_journal
from qtw_lab.live.journal_kinds import Entry
from qtw_lab.live.lease import Lease
from qtw_lab.live.metrics import Metrics
from qtw_lab.live.outlets import Outlets
from qtw_lab.live.recording import read_recording, session_of
from qtw_lab.live.running import Runner
from qtw_lab.live.status import read_status
from qtw_lab.venues.feeds import Inbound, Kind, steady


class Endless:
    """A feed on which nothing ever comes."""

    name = "endless"

    def __init__(self):
        self.closed = False

    def open(self):
        """Begin."""

    def read(self, seconds):
        time.sleep(min(seconds, 0.01))
        return []

    def subscribe(self, wanted):
        self.wanted = wanted

    def reconnect(self, reason):
        raise AssertionError(reason)

    def close(self):
        self.closed = True


@pytest.fixture(scope="module")
def came():
    return what_came(seconds=30)


def kinds(folder):
    return [entry.kind for entry in read_journal(folder)]


def test_a_session_is_written_down_from_start_to_stop(tmp_path, came):
    ending = session_in(tmp_path, came, version="9.9").run()
    assert (ending.reason, ending.failed) == ("the feed ended", False)
    entries = list(read_journal(places_in(tmp_path).journal))
    assert [entries[0].kind, entries[-1].kind] == [Entry.START, Entry.STOP]
    start = entries[0].content
    assert (start["version"], start["feed"], start["calendar"], start["asking"]) == ("9.9", "replay", "24/7", False)
    assert start["strategy"]["name"] == "momentum_threshold"
    assert {Entry.ROWS, Entry.DECISIONS, Entry.SIGNALS, Entry.FOCUS, Entry.LINK} <= {entry.kind for entry in entries}
    status = read_status(places_in(tmp_path).state)
    assert (status.state, status.holder) == ("stopped", None)
    assert status.content["focus"] == 3
    assert status.content["counts"]["trades"] > 50


def test_everything_that_came_in_is_in_the_recording(tmp_path, came):
    session_in(tmp_path, came).run()
    (folder,) = places_in(tmp_path).recordings.glob("*")
    recorded = [(one.received, one.kind, bytes(one.payload)) for one in read_recording(folder)]
    assert recorded[: len(came)] == [(one.received, one.kind, bytes(one.payload)) for one in came]
    assert [json.loads(payload)["state"] for _, _, payload in recorded[len(came) :]] == ["ended"]
    assert session_of(folder)["profile"]["universe"]["symbols"] == ["AAA", "BBB", "CCC"]


def test_a_session_that_is_not_recorded_leaves_no_recording(tmp_path, came):
    session_in(tmp_path, came, recorded=False).run()
    assert not places_in(tmp_path).recordings.exists()


def test_a_refusal_for_good_ends_the_run_as_failed_and_says_why(tmp_path):
    things = [Inbound(news(START, "connecting").received, Kind.BEAT), news(START, "fatal", reason="keys refused")]
    ending = session_in(tmp_path, things).run()
    assert (ending.reason, ending.failed) == ("keys refused", True)
    assert list(read_journal(places_in(tmp_path).journal))[-1].content["reason"] == "keys refused"


def test_two_engines_never_work_in_one_place(tmp_path, came):
    with (
        Lease(places_in(tmp_path).state, time.time_ns()),
        pytest.raises(SetupError, match=f"already works in .*process {os.getpid()}"),
    ):
        session_in(tmp_path, came).run()
    assert not places_in(tmp_path).journal.exists()
    assert session_in(tmp_path, came).run().reason == "the feed ended"


def test_it_ends_when_it_is_told_to_from_another_thread(tmp_path):
    feed = Endless()
    runner = Runner(session_profile(), feed, None, places_in(tmp_path), calendar="24/7")
    threading.Timer(0.3, runner.stop, ["enough"]).start()
    assert runner.run(30).reason == "enough"
    assert feed.closed
    assert sorted(feed.wanted["trades"]) == ["AAA", "BBB", "CCC"]


def test_it_ends_when_its_time_is_over(tmp_path):
    runner = Runner(session_profile(), Endless(), None, places_in(tmp_path), calendar="24/7")
    assert runner.run(0.2).reason == "the time asked for is over"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_handlers_are_put_back(tmp_path, number):
    before = signal.getsignal(number)
    runner = Runner(session_profile(), Endless(), None, places_in(tmp_path), calendar="24/7")
    threading.Timer(0.3, os.kill, [os.getpid(), number]).start()
    with runner.signalled():
        assert runner.run(30).reason == number.name
    assert signal.getsignal(number) is before
    assert read_status(places_in(tmp_path).state).state == "stopped"


def test_the_next_session_goes_on_in_the_same_journal(tmp_path):
    whole = what_came(seconds=40)
    half = len(whole) // 2
    session_in(tmp_path, whole[:half]).run()
    session_in(tmp_path, whole[half:]).run()
    found = kinds(places_in(tmp_path).journal)
    assert (found.count(Entry.START), found.count(Entry.STOP)) == (2, 2)
    assert len(list(places_in(tmp_path).recordings.glob("*"))) == 2
    gaps = [entry.content for entry in read_journal(places_in(tmp_path).journal) if entry.kind == Entry.GAP]
    assert gaps[0]["state"] == "open"  # from the last trade of the first session on
    assert "the engine was not running" in {gap["reason"] for gap in gaps}


def test_exports_and_metrics_are_written_beside(tmp_path, came):
    where = places_in(tmp_path)
    outlets = Outlets(Exports(where.state, where.data), Metrics(where.data / "metrics.ndjson"))
    session_in(tmp_path, came, outlets=outlets).run()
    assert json.loads((where.state / "stream_state.json").read_text())["status"] == "ended"
    assert "AAA" in (where.state / "focus_state.json").read_text()
    lines = [json.loads(line) for file in where.data.glob("bars_5s_*.ndjson") for line in file.read_text().splitlines()]
    assert {line["symbol"] for line in lines} == {"AAA", "BBB", "CCC"}
    assert "realtime.heartbeat" in (where.data / "metrics.ndjson").read_text()


def test_a_status_that_cannot_be_written_is_told_and_does_not_end_the_run(tmp_path, came, monkeypatch):
    told = []

    def refuse(folder, content, *, stopped=False):
        told.append(dict(content["faults_of_writing"]))
        raise SetupError("no space left")

    monkeypatch.setattr("qtw_lab.live.running.write_status", refuse)
    assert session_in(tmp_path, came).run().reason == "the feed ended"
    assert told
    assert kinds(places_in(tmp_path).journal)[-1] == Entry.STOP


def test_the_asset_master_is_kept_and_read_back(tmp_path):
    where = places_in(tmp_path)
    assert where.assets() == []
    path = where.save_assets([{"symbol": "AAA"}], START)
    assert where.assets() == [{"symbol": "AAA"}]
    assert json.loads(path.read_text())["updated_at"] == "2024-01-02T14:30:00Z"
    path.write_text("{")
    assert where.assets() == []


def test_the_steady_clock_goes_with_the_time_of_day():
    clock = steady
    first = clock()
    assert abs(first - time.time_ns()) < 10**9
    assert clock() >= first
