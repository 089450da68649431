"""`Live`: an engine in a process of its own, started, watched, broken and stopped from here."""

import os
import signal

import pytest

from qtw_lab import Lab
from qtw_lab.core import SetupError
from qtw_lab.live.client import Live
from qtw_lab.live.profile import checked, template
from qtw_lab.live.replay import replayed
from qtw_lab.live.running import Places
from qtw_lab.live.status import Status

PROFILE = {
    "universe": {"max_symbols": 100, "min_dollar_volume": 0, "min_volume": 0, "top_n": 20},
    "focus": {"size": 5},
    "signals": {"entry_threshold": 1e-4, "exit_threshold": 0.0, "min_volume": 0},
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Lab.offline(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def simulator(lab):
    with lab.simulator(symbols=30, seed=3, speed=10.0, rate_limit=0) as served:
        yield served


@pytest.fixture
def idle(tmp_path):
    """A client of an engine that never ran."""
    return Live(template("retail_second"), Places(tmp_path / "state", tmp_path / "data"), ("--feed", "simulator"))


def test_an_engine_that_never_ran_is_stopped_and_empty(idle):
    facts = idle.facts()
    assert (facts["state"], facts["trades"], facts["age"]) == ("stopped", None, None)
    assert facts.notes == (f"No engine has run in {idle.places.state} yet.",)
    assert idle.bars().empty
    assert idle.recordings() == []
    assert idle.stop().state == "stopped"
    assert "stopped" in idle._repr_mimebundle_()["text/html"]


def test_to_wait_for_an_engine_that_does_not_run_ends_at_once(idle):
    with pytest.raises(SetupError, match=r"The engine has ended. Its last words: none"):
        idle.wait(lambda: False, 30)


def test_one_that_cannot_start_says_why(idle):
    idle.arguments = ("--feed", "sip")
    idle.environment = {"ALPACA_API_KEY_ID": "", "ALPACA_API_SECRET_KEY": "", "QTW_KEYRING": ""}
    with pytest.raises(SetupError, match=r"has ended. Its last words: .*needs ALPACA_API_KEY_ID"):
        idle.start()


def test_an_engine_that_is_not_well_says_what_to_do(idle, monkeypatch):
    content = {"caveat": "it forgets", "faults_of_writing": {"journal": "no space"}, "gaps": [{}], "gaps_mended": 2}
    monkeypatch.setattr(Live, "status", lambda self: Status("dead", 70.0, None, content))
    facts = idle.facts()
    assert (facts["state"], facts["gaps_open"], facts["gaps_mended"]) == ("dead", 1, 2)
    assert "goes on from there" in facts.notes[0]
    assert facts.notes[1:] == ("it forgets", "no space")
    assert idle.table().loc["state", "value"] == "dead"


def test_a_whole_life(lab, simulator):
    live = lab.live(PROFILE, simulator=simulator)
    with live:
        live.wait(lambda: len(live.signals()) > 3)
        assert live.facts()["state"] == "running"
        live.wait(lambda: live.facts()["focus"] == 5)  # the status is written once a second
        assert {"start", "link", "universe", "focus"} <= set(live.events()["event"])
        assert set(live.bars(last=1)["symbol"]) <= set(simulator.market.symbols.names)
        with pytest.raises(SetupError, match=r"works in .* already"):
            lab.live(PROFILE, simulator=simulator).start()

        simulator.fault({"kind": "drop"})
        live.wait(lambda: live.facts()["gaps_mended"] >= 1 and live.facts()["gaps_open"] == 0)
        assert live.bars()["flags"].str.contains("backfill").any()

        another = lab.live(PROFILE, simulator=simulator)  # as a second notebook would
        assert another.facts()["state"] == "running"
        assert len(another.bars(interval=60)) <= len(another.bars())
    assert live.status().state == "stopped"
    assert live.events()["event"].iloc[-1] == "stop"
    assert not live.bars().duplicated(["time", "symbol"]).any()
    closes = live.panel().close  # a symbol has no price before its first trade, and one in every bar after it
    assert all(closes[name].loc[closes[name].first_valid_index() :].notna().all() for name in closes)
    assert live.parity().holds
    assert replayed(live.recordings()[-1]).same is True


@pytest.mark.slow  # starts two processes
def test_one_that_was_killed_is_dead_and_goes_on_when_started_again(lab, simulator):
    live = lab.live(PROFILE, simulator=simulator).start()
    live.wait(lambda: live.facts()["trades"] > 50)
    os.kill(live.status().holder.pid, signal.SIGKILL)
    live._process.wait(10)
    assert live.status().state == "dead"
    before = len(live.bars())
    with live.start():
        live.wait(lambda: len(live.bars()) > before and live.facts()["gaps_open"] == 0)
    assert live.status().state == "stopped"
    assert not live.bars().duplicated(["time", "symbol"]).any()
    assert replayed(live.recordings()[-1]).same is True


def test_the_profile_is_kept_beside_the_engine(lab):
    kept = lab.settings.qtw_storage_dir / "realtime" / "state" / "realtime_profile.json"
    assert checked(PROFILE).to_json() == kept.read_text()
