"""In which condition an engine is, told from its status."""

import pytest

from qtw_lab.lab.monitor_condition import LIMIT, Condition, condition_of
from qtw_lab.live.lease import Lease
from qtw_lab.live.status import Status, read_status, write_status

NOW = 1_700_000_000.0


def holder(since=NOW - 1000):
    from qtw_lab.live.lease import Holder

    return Holder(4711, "here", int(since * 1e9))


def live(**link):
    return {"link": {"state": "subscribed", **link}}


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (Status("stopped", None, None, {}), Condition("never")),
        (Status("stopped", 9.0, None, {}), Condition("stopped", "", "SIGTERM", 9.0)),
        (Status("dead", 2.0, None, live()), Condition("stale", "dead", "", 2.0)),
        (Status("hung", 7.0, holder(), live()), Condition("stale", "hung", "", 7.0, 4711)),
        (Status("hung", None, holder(NOW - 500), {}), Condition("stale", "hung", "", None, 4711)),
        (Status("hung", 900.0, holder(NOW - 3), live()), Condition("starting", "", "", 3.0, 4711)),
        (Status("hung", None, holder(NOW - 3), {}), Condition("starting", "", "", 3.0, 4711)),
        (Status("running", 4.0, holder(NOW - 3), live()), Condition("starting", "", "", 3.0, 4711)),
        (Status("running", 0.4, holder(), live()), Condition("running", "", "", 0.4, 4711)),
        (Status("running", 0.4, holder(), {}), Condition("reconnecting", "connecting", "", 0.4, 4711)),
        (
            Status("running", 0.4, holder(), live(state="waiting", reason="closed by the server")),
            Condition("reconnecting", "waiting", "closed by the server", 0.4, 4711),
        ),
    ],
)
def test_a_status_tells_the_condition(status, wanted):
    assert condition_of(status, NOW, "SIGTERM") == wanted


def test_only_one_with_a_process_can_be_asked_to_stop_and_each_has_its_mood():
    moods = {
        name: Condition(name).mood for name in ("running", "reconnecting", "starting", "stale", "stopped", "never")
    }
    assert moods == {
        "running": "good", "reconnecting": "warn", "starting": "busy", "stale": "bad", "stopped": "", "never": "",
    }  # fmt: skip
    assert not Condition("stale", "dead").alive
    assert Condition("starting", pid=0).alive, "one that has not said its number yet is there all the same"


def test_a_status_is_stale_when_it_is_older_than_the_limit(tmp_path):
    with Lease(tmp_path, int((NOW - 1000) * 1e9)):
        written = write_status(tmp_path, live()).stat().st_mtime

        def after(seconds):
            now = written + seconds
            return condition_of(read_status(tmp_path, fresh_seconds=LIMIT, now=now), now).state

        assert after(LIMIT - 0.1) == "running"
        assert after(LIMIT + 0.1) == "stale"
    assert condition_of(read_status(tmp_path), NOW).cause == "dead", "at once, when its process has ended"
