"""No secret is in anything that a whole session with real processes prints or writes, nor in the process list."""

import base64
import contextlib
import gzip
import json
import re
import secrets
import sqlite3
import string
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import secret_story as story
from secret_echo import echo
from secret_session import KILLSWITCH, QTW, ProcessList, World, free_port, profile
from secret_traces import Needles, Search, search

KEY, SECRET, REDIS = "ALPACA_API_KEY_ID", "ALPACA_API_SECRET_KEY", "the password in REDIS_URL"


def drawn(*lengths: int) -> str:
    """Letters and digits in groups, with the signs between them that Alpaca's secrets have."""
    letters = string.ascii_letters + string.digits
    return "/".join("".join(secrets.choice(letters) for _ in range(length)) for length in lengths)


@pytest.fixture(scope="module")
def values() -> dict[str, str]:
    return {KEY: f"PK{drawn(18)}", SECRET: drawn(12, 13, 13), REDIS: drawn(24)}


@pytest.fixture(scope="module")
def needles(values) -> Needles:
    return Needles(values)


@pytest.fixture(scope="module")
def keys(values) -> dict[str, str]:
    """What is given to every process."""
    redis = f"redis://:{values[REDIS]}@127.0.0.1:{free_port()}/0"
    return {KEY: values[KEY], SECRET: values[SECRET], "REDIS_URL": redis}


@dataclass(frozen=True)
class Session:
    """A session that is over: its world, what was looked through, and every command line that was seen."""

    world: World
    search: Search
    commands: ProcessList
    notebook: str

    def found(self, *names: str, logs: bool = False) -> dict[str, set[str]]:
        """Files in which these secrets are; those of the debug logs alone, or all others."""
        some = {
            path: {one for one in found if one.startswith(names)}
            for path, found in self.search.found.items()
            if path.startswith("logs/") is logs
        }
        return {path: found for path, found in some.items() if found}


def over(world: World, needles: Needles, commands: ProcessList, notebook: str = "", left: tuple[Path, ...] = ()):
    return Session(world, search(world.root, needles, left), commands, notebook)


@pytest.fixture(scope="module")
def session(tmp_path_factory, keys, needles) -> Session:
    """A market, engines, orders, a watcher, a notebook; a venue with other keys, one that is not there, one killed."""
    world = World(tmp_path_factory.mktemp("session"), keys)
    with contextlib.closing(world), ProcessList(needles) as commands:
        market, port = story.begun(world, "market"), free_port()
        world.start("foreign", QTW, "simulator", "serve", "--port", port, "--symbols", 3)
        story.nowhere(world)
        story.engine(world, "own", market.variables, "--feed", "simulator")
        story.watcher(world, "watch", market.url)
        story.trader(world, "trader", "watch", market.symbols[0], market.variables)
        world.until("foreign", "Simulator at")
        story.refused(world, f"http://127.0.0.1:{port}")
        world.until("trader", "ready")
        story.careless(world, market, story.FIRST + story.WORK + story.LAST)
        story.by_hand(world, market)
        notebook = story.kept(world)
        story.halted(world, "watch")
        world.wait(lambda: story.worked(world, "own"), 40, "bars")
        story.bereft(world, market, "market", "trader")
        world.stop("own", "watch", "watch-nowhere", "foreign")
        world.ended("nowhere")
        world.ended("paper-nowhere", code=1)
    return over(world, needles, commands, notebook)


def test_nothing_that_a_session_prints_or_writes_holds_a_key(session):
    assert session.found(KEY, SECRET) == {}
    assert session.search.unreadable == ()


def test_the_process_list_shows_no_secret(session):
    assert session.commands.found == set()
    seen = b"\n".join(session.commands.seen)
    for program in (b"realtime\0run", b"killswitch\0run", b"paper\0submit", b"ipykernel_launcher", b"simulator\0serve"):
        assert program in seen


def test_the_session_was_a_whole_one(session):
    """It is no proof that nothing was found where nothing happened."""
    said = session.world.said
    wanted = {"sqlite", "parquet", "zip", ".log", ".ndjson", ".ipynb", ".json", ".sqlite-wal"}
    assert wanted <= set(session.search.kinds)
    assert session.search.read > 500_000
    assert "Halted: no order is open and nothing is held" in said("watch")
    assert "402" in said("refused")
    assert "401" in said("paper-refused")
    assert "ConnectionError" in said("paper-nowhere")
    assert "was sent, and the answer was none" in said("submit-bereft")
    for trace in ("trader", "refused-trader"):  # with the variables of each frame
        assert "settings = Settings(" in said(trace)
    debug = b"".join(path.read_bytes() for path in (session.world.root / "logs").iterdir())
    assert b"DEBUG:urllib3" in debug


def test_a_notebook_that_shows_its_keys_is_kept_without_them(session):
    ended = str(json.loads(session.notebook)["cells"][-1]["outputs"])
    assert session.notebook.count(f"***{SECRET}***") >= 4
    assert "LostAnswerError" in ended
    assert "self = <qtw_lab" in re.sub(r"\\x1b\[[0-9;]*m", "", ended)  # the variables of each frame, in colour


def test_no_library_logs_a_key_however_much_it_is_asked_to_log(session):
    assert session.found(KEY, SECRET, REDIS, logs=True) == {}


def test_a_password_in_the_address_of_redis_is_as_secret_as_a_key(session):
    assert session.found(REDIS) == {}


def test_keys_in_a_file_of_settings_stay_in_it(tmp_path, keys, needles):
    """The file is the one place where they are found, and the same search does find them there."""
    world = World(tmp_path / "world", {})
    settings = world.root / "cwd" / ".env"
    settings.write_text("".join(f"{name}={keys[name]}\n" for name in (KEY, SECRET)))
    with contextlib.closing(world), ProcessList(needles) as commands:
        market = story.begun(world, "market")
        story.engine(world, "own", market.variables, "--feed", "simulator", "--max-seconds", 4)
        story.careless(world, market, story.FIRST + story.LAST)
        story.watcher(world, "watch", market.url)  # takes its keys from the environment only
        world.run("submit", QTW, "paper", "submit", "buy", market.symbols[0], 1, **market.variables)
        assert story.kept(world).count(f"***{SECRET}***") >= 4
        world.ended("own")
        world.ended("watch", code=1)
        world.stop("market")
    found = over(world, needles, commands)
    assert found.found(KEY, SECRET).keys() == {"cwd/.env"}
    assert found.commands.found == set()


def test_a_venue_that_repeats_the_keys_has_them_written_nowhere(tmp_path, keys, needles):
    world = World(tmp_path / "world", keys)
    profile(world.root / "cwd" / "profile.json", ["AAA"])
    with contextlib.closing(world), ProcessList(needles) as commands, echo() as (rest, stream):
        given = story.pointed_to(rest) | {"ALPACA_DATA_WS_URL": stream}
        story.engine(world, "own", given, "--feed", "sip", "--max-seconds", 4)
        story.engine(world, "vendor", given, "--feed", "sip", "--client", "alpaca-py", "--max-seconds", 4)
        story.watcher(world, "watch", rest)
        world.run("submit", QTW, "paper", "submit", "buy", "AAA", "1", code=1, **given)
        world.run("trip", *KILLSWITCH, *story.tripping(world, "watch"))
        world.until("watch", "could not be closed")
        world.ended("own")
        world.ended("vendor")
        world.stop("watch")
    assert over(world, needles, commands).found(KEY, SECRET) == {}


# --- that the search finds what is there ----------------------------------------------------------------------------


def text(path: Path, secret: str) -> None:
    path.write_text("x" * 1001 + secret)


def database(path: Path, secret: str) -> None:
    """A value that is long enough to lie in several pages, and whose secret lies across two of them."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE events (content TEXT)")
        values = [["-" * size + secret] for size in range(3900, 4200, 9)]
        connection.executemany("INSERT INTO events VALUES (?)", values)


def write_ahead_log(path: Path, secret: str) -> None:
    """A database that was killed before its log was taken over."""
    code = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA journal_mode=WAL'); c.execute('CREATE TABLE t (x)')\n"
        "c.execute('INSERT INTO t VALUES (?)', [input()]); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], input=secret, text=True, check=True, timeout=30)


def table(path: Path, secret: str) -> None:
    pd.DataFrame({"number": range(1000), "words": ["none"] * 999 + [secret]}).to_parquet(path, compression="zstd")


def numbers(path: Path, secret: str) -> None:
    """As a recording keeps where its engine began."""
    with path.open("wb") as file:
        np.savez_compressed(file, standing=np.frombuffer(("a" * 500 + secret).encode(), dtype=np.uint8))


def packed(path: Path, secret: str) -> None:
    path.write_bytes(gzip.compress(b"date,close\n" * 100 + secret.encode()))


def archive(path: Path, secret: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("inside.txt", "a" * 500 + secret)


def encoded(path: Path, secret: str) -> None:
    path.write_text(base64.b64encode(f'{{"user": "{secret}"}}'.encode()).decode())


def swapped(path: Path, secret: str) -> None:
    path.write_text(secret.swapcase())


def spelled(path: Path, secret: str) -> None:
    path.write_text(f"binary 83 a6 {secret.encode()[-8:].hex(' ')} [87 bytes]")


def partly(path: Path, secret: str) -> None:
    path.write_text(f"key {secret[3:21]}...")


def named(path: Path, secret: str) -> None:
    path.with_name(secret.partition("/")[0] + secret.partition("/")[2].replace("/", "-")).write_text("")


PLANTED = (
    text, database, write_ahead_log, table, numbers, packed, archive, encoded, swapped, spelled, partly, named,
)  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_secret_that_was_planted_is_found(tmp_path, values, needles, plant):
    plant(tmp_path / "file", values[SECRET])
    found = search(tmp_path, needles).found
    assert any(one.startswith(SECRET) for names in found.values() for one in names), found


def test_a_secret_that_is_compressed_is_not_in_the_bytes_themselves(tmp_path, values, needles):
    """So it was the unpacking that found it."""
    for plant in (numbers, packed, archive):
        plant(tmp_path / "file", values[SECRET])
        assert needles.found((tmp_path / "file").read_bytes()) == set()


def test_what_nobody_here_can_read_is_told(tmp_path, needles):
    (tmp_path / "prices.zst").write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    assert search(tmp_path, needles).unreadable == ("prices.zst",)


def test_nothing_is_found_where_nothing_is(tmp_path, needles):
    (tmp_path / "noise").write_bytes(np.random.default_rng(1).bytes(1_000_000))
    assert search(tmp_path, needles).found == {}


def test_a_secret_in_the_process_list_is_seen(values, needles):
    with ProcessList(needles) as commands:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)", values[SECRET]])
        ends = time.monotonic() + 10
        while not commands.found and time.monotonic() < ends:
            time.sleep(0.02)
        process.kill()
        process.wait(10)
    assert f"{SECRET} (plain)" in commands.found
