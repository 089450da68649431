"""The watcher as a process of its own: it halts a hung engine, outlives what kills others, and starts fast."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from small_exchange import quote

from qtw_lab.venues.killswitch import Heartbeat, KillSwitch
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.terms import AccountTerms

KEYS = {"ALPACA_API_KEY_ID": "sim-key", "ALPACA_API_SECRET_KEY": "sim-secret"}
MODULE = [sys.executable, "-m", "qtw_lab.venues.killswitch"]
#: Runs what follows with no file longer than the first word says.
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""
#: An engine that does nothing but beat.
ENGINE = """
import sys, time
from qtw_lab.venues.killswitch import Heartbeat
heart = Heartbeat(sys.argv[1])
while True:
    heart.beat(time.time_ns())
    time.sleep(0.05)
"""
HEAVY = ("numpy", "pandas", "numba", "pydantic", "requests", "exchange_calendars")


def command(*words, environment=None):
    """What a command printed and its exit code."""
    done = subprocess.run(
        [*MODULE, *map(str, words)], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, **(KEYS if environment is None else environment)},
    )  # fmt: skip
    return done.returncode, done.stdout.strip(), done.stderr.strip()


class Watcher:
    """The process."""

    def __init__(self, ground, folder, *words, limit=None):
        begin = [] if limit is None else [sys.executable, "-c", LIMITED, limit]
        words = [*begin, *MODULE, "run", "--folder", folder, "--url", ground.url, "--calendar", "24/7", *words]
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **KEYS}
        )

    def ready(self):
        line = self.process.stdout.readline()
        assert line.startswith("Watching "), line + self.process.stderr.read()
        return time.monotonic() - self.began

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        return self.process.communicate()

    def end(self):
        """Its exit code, and what it said since it was ready, after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        said, wrong = self.process.communicate(timeout=20)
        return self.process.returncode, said + wrong


@pytest.fixture
def watcher():
    """Starts watchers, and kills those that are left."""
    begun = []

    def start(*given, **more):
        begun.append(Watcher(*given, **more))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture
def folder(tmp_path):
    return KillSwitch(tmp_path / "stop").folder


def halted(folder, kind, seconds=15.0):
    """What was recorded when the venue confirmed a halt."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for record in reversed(KillSwitch(folder).history()):
            if record.kind == kind:
                return record.reason
            if record.kind == "reset":
                break
        time.sleep(0.02)
    raise AssertionError(f"not {kind}: {KillSwitch(folder).history()}")


def test_the_process_loads_no_heavy_library_before_it_knows_what_to_do():
    code = (
        "import sys, time; began = time.perf_counter(); import qtw_lab.venues.killswitch.__main__; "
        f"print(time.perf_counter() - began, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, _, loaded = done.stdout.strip().partition(" ")
    print(f"import of the process: {float(seconds) * 1e3:.0f} ms")
    assert loaded == "[]"


def test_an_engine_that_hangs_is_halted_by_the_process(ground, watcher, folder):
    ground.trade()
    beat = folder / "engine.json"
    engine = subprocess.Popen([sys.executable, "-c", ENGINE, str(beat)])
    try:
        ground.until(beat.exists)
        watch = watcher(ground, folder, "--beat", beat, "--heartbeat", 1, "--interval", 0.05)
        started = watch.ready()
        time.sleep(1.5)
        assert not KillSwitch(folder).status().tripped
        engine.send_signal(signal.SIGSTOP)
        hung = time.monotonic()
        said = halted(folder, "canceled")
        print(f"start to watching: {started:.2f} s; {said}; {time.monotonic() - hung:.2f} s after the engine hung")
    finally:
        engine.kill()
        engine.wait()
    assert ground.open() == 0
    assert ground.shares() == {"AAA": 10, "BBB": -5}
    assert f"no heartbeat of process {engine.pid} for 1." in KillSwitch(folder).status().reason
    code, words = watch.end()
    assert (code, words.splitlines()[-1]) == (0, "Ended.")


def test_a_trip_by_hand_is_carried_out_and_a_reset_ends_it(ground, watcher, folder):
    ground.trade()
    watch = watcher(ground, folder, "--interval", 0.05, "--heartbeat", 100, "--unread", 100)
    watch.ready()
    began = time.monotonic()
    assert command("trip", "--folder", folder, "--by", "ann", "--reason", "a test", "--flatten") == (
        0, "tripped by ann: a test", "",
    )  # fmt: skip
    took = time.monotonic() - began
    print(f"the command took {took:.2f} s; {halted(folder, 'flat')}")
    assert (ground.open(), ground.shares()) == (0, {})
    code, said, wrong = command("reset", "--folder", folder, "--by", "Ann Lee", "--reason", "it was a test")
    assert (code, said, wrong) == (0, "armed by Ann Lee: it was a test", "")
    assert command("status", "--folder", folder)[1] == "armed by Ann Lee: it was a test"
    time.sleep(0.3)
    ground.rest()
    time.sleep(0.3)
    assert ground.open() == 1
    assert "Reset by Ann Lee" in watch.end()[1]


def test_sigterm_ends_it_at_any_time_and_leaves_no_lock(ground, watcher, folder):
    for _ in range(2):
        watch = watcher(ground, folder, "--interval", 30)
        watch.ready()
        began = time.monotonic()
        assert watch.end()[0] == 0
        assert time.monotonic() - began < 20
    watch = watcher(ground, folder)
    time.sleep(0.2)
    assert watch.end()[0] in (0, -signal.SIGTERM)  # before it could listen to signals there was nothing to end


def test_one_process_watches_a_folder_and_a_killed_one_lets_go_of_it(ground, watcher, folder):
    first = watcher(ground, folder)
    first.ready()
    second = watcher(ground, folder)
    _, wrong = second.process.communicate(timeout=20)
    assert second.process.returncode == 1
    assert f"A watcher already works in {folder}." in wrong
    first.kill()
    watcher(ground, folder).ready()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--calendar", "XNYZ"], 2, "no exchange calendar 'XNYZ'"),
        (["--heartbeat", "0"], 2, "A watch with heartbeat=0.0"),
        (["--max-daily-loss", "2"], 2, "max_daily_loss='2' must be a fraction"),
        (["--url", "http://example.com"], 2, "is none for keys"),
        (["--interval", "soon"], 2, "invalid float value"),
    ],
)
def test_wrong_input_is_refused_and_trips_nothing(folder, words, code, said):
    found, _, wrong = command("run", "--folder", folder, "--url", "http://127.0.0.1:1", *words)
    assert found == code
    assert said in wrong
    assert not KillSwitch(folder).status().tripped


def test_missing_keys_are_named(folder):
    environment = dict.fromkeys(KEYS, "")
    code, _, wrong = command("run", "--folder", folder, "--url", "http://127.0.0.1:1", environment=environment)
    assert (code, "ALPACA_API_KEY_ID" in wrong) == (1, True)


def test_a_reset_that_is_refused_says_why(folder):
    KillSwitch(folder).trip("ann", "a test")
    (folder / "switch.log").unlink()
    words = ["reset", "--folder", folder, "--by", "ann", "--reason", "looked at it"]
    code, _, wrong = command(*words)
    assert (code, "--acknowledge-damage" in wrong) == (1, True)
    assert command(*words, "--acknowledge-damage")[0] == 0


def test_a_trip_that_nobody_else_can_see_is_a_failure():
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    folder = KillSwitch(place / "stop").folder
    (folder / "switch.log").chmod(0o444)
    folder.chmod(0o555)
    code = f"""
import os
from qtw_lab.venues.killswitch.__main__ import _parser, main
_parser().parse_args(["status", "--folder", "x"])  # loads what it takes while that can be read
if not os.getuid():
    os.setuid(65534)
raise SystemExit(main(["trip", "--folder", {str(folder)!r}, "--by", "ann", "--reason", "a test"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    folder.chmod(0o755)
    shutil.rmtree(place)
    assert (done.returncode, done.stdout) == (1, "armed by KillSwitch: first use\n")


def test_a_terminal_that_is_closed_does_not_end_it(ground, watcher, folder):
    ground.trade()
    watch = watcher(ground, folder, "--interval", 0.05, "--heartbeat", 100, "--unread", 100)
    watch.ready()
    watch.process.stdout.close()
    watch.process.send_signal(signal.SIGHUP)
    KillSwitch(folder).trip("ann", "a test", flatten=True)
    halted(folder, "flat")
    assert watch.process.poll() is None
    watch.process.send_signal(signal.SIGTERM)
    assert watch.process.wait(20) in (0, 120)  # 120: what was to be printed had nowhere to go
    watch.process.stderr.close()


def test_on_a_full_disk_the_process_trips_and_halts_all_the_same(ground, watcher, folder):
    ground.trade()
    limit = (folder / "switch.log").stat().st_size
    Heartbeat(folder / "heartbeat.json").beat(time.time_ns())
    watch = watcher(ground, folder, "--heartbeat", 0.5, "--interval", 0.05, "--flatten", limit=limit)
    watch.ready()
    ground.until(lambda: not ground.open() and not ground.shares())
    status = KillSwitch(folder).status()
    assert (status.tripped, status.readable) == (True, False)
    assert "without a record (a full disk?)" in status.reason
    lines = iter(watch.process.stdout.readline, "")
    assert any(line.startswith("Halted: no order is open and nothing is held") for line in lines)
    assert watch.end()[0] == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "rest_5xx", "code": 500, "for": 1.0},
        {"kind": "rest_429", "retry_after": 1, "for": 1.0},
        {"kind": "rest_hang", "for": 1.0},
        {"kind": "partial_page", "for": 1.0},
        {"kind": "restart", "for": 1.0},
    ],
    ids=lambda fault: fault["kind"],
)
def test_the_process_halts_once_a_venue_that_fails_answers_again(ground, watcher, folder, fault):
    ground.trade()
    watch = watcher(ground, folder, "--interval", 0.05, "--heartbeat", 100, "--unread", 100)
    watch.ready()
    ground.fault(fault)
    KillSwitch(folder).trip("ann", "a test", flatten=True)
    said = halted(folder, "flat")
    print(f"{fault['kind']} for 1 s: {said}")
    assert (ground.open(), ground.shares()) == (0, {})
    assert sorted(ground.closed()) == [("AAA", -10), ("BBB", 5)]
    assert watch.end()[0] == 0


def test_a_request_of_a_killed_watcher_that_the_venue_does_at_last_closes_nothing_twice(ground, watcher, folder):
    ground.trade()
    ground.fault({"kind": "rest_hang", "match": "DELETE /v2/positions"})
    KillSwitch(folder).trip("ann", "a test", flatten=True)
    first = watcher(ground, folder, "--interval", 0.05)
    first.ready()
    halted(folder, "canceled")
    time.sleep(0.2)  # it waits for the answer to its question to close everything
    first.kill()
    assert len(ground.shares()) == 2
    watcher(ground, folder, "--interval", 0.05).ready()
    time.sleep(0.3)
    ground.clear()  # both are done now, one after the other
    halted(folder, "flat")
    time.sleep(0.3)
    assert (ground.open(), ground.shares()) == (0, {})
    assert sorted(ground.closed()) == [("AAA", -10), ("BBB", 5)]


def thin_quotes(seconds=300):
    """Quotes of four shares, five a second from 10:00:01 on, so that orders fill in parts."""
    return [quote(place, 1801 + step / 5, 99.9, 100.1, 4) for place in (0, 1) for step in range(seconds * 5)]


@pytest.mark.parametrize("kills", [2, pytest.param(25, marks=pytest.mark.slow)])
def test_a_watcher_that_is_killed_while_it_flattens_goes_on_and_closes_nothing_twice(serve, watcher, folder, kills):
    ground = serve("10:00", more=thin_quotes(), account=AccountTerms(model=FillModel(sized=True)))
    long, short = 20 * kills, 15 * kills
    ground.trade(long, short)
    chance = random.Random(1)
    opened, held = len(ground.exchange.book.fills), []
    ground.later(1801)
    KillSwitch(folder).trip("ann", "a test", flatten=True)
    for _ in range(kills):
        if not ground.shares():
            break
        watch = watcher(ground, folder, "--interval", 0.05)
        watch.ready()
        time.sleep(chance.uniform(0.0, 0.25))
        watch.kill()
        held.append(ground.shares())
    watcher(ground, folder, "--interval", 0.05).ready()
    said = halted(folder, "flat", seconds=30)
    print(f"{len(held)} kills, held after each: {held}; {said}")
    assert (ground.open(), ground.shares()) == (0, {})
    sold = [shares for symbol, shares in ground.closed(opened) if symbol == "AAA"]
    bought = [shares for symbol, shares in ground.closed(opened) if symbol == "BBB"]
    assert (sum(sold), sum(bought)) == (-long, short)
    assert max(sold) < 0 < min(bought)
    assert len(sold) > len(held) > 0
