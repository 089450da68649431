"""The files of the store under fire: processes killed, crowds, full and read-only disks, leftovers."""

import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from stored import KEY, frame

from qtw_lab.core import DataError, SetupError
from qtw_lab.data.series import SeriesKey
from qtw_lab.data.store import Store


def run(script: str, *arguments: str, **options) -> subprocess.CompletedProcess:
    code = textwrap.dedent(script)
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False, **options
    )


KILLER = """
    import os, random, signal, sys, time
    from pathlib import Path
    import numpy as np, pandas as pd
    from qtw_lab.data.series import SeriesKey
    from qtw_lab.data.store import Store

    KEY = SeriesKey("files", "AAPL")

    def frame(days):
        closes = 100.0 + np.arange(days)
        index = pd.date_range("2000-01-03", periods=days, tz="UTC")
        columns = {"open": closes, "high": closes + 1, "low": closes - 1, "close": closes, "volume": 1.0}
        return pd.DataFrame(columns, index=index)

    def survives(told):
        table = Store(folder).table(KEY)  # verifies the SHA-256
        assert len(table) >= told, (len(table), told)
        assert table["close"].tolist() == frame(len(table))["close"].tolist()
        assert len(Store(folder).query("SELECT * FROM bars")) == len(table)
        return len(table)

    def child(work):
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            work(writing)
            os._exit(0)
        os.close(writing)
        return process, os.fdopen(reading)

    folder = Path(sys.argv[1])
    store = Store(folder)
    days = store.write(KEY, frame(500), calendar="24/7").rows
"""

EVERY_STEP = """
    def fatal_at(step):
        # Python announces every open, rename, removal and folder it makes; die just before the one numbered `step`
        count = 0
        def hook(event, arguments):
            nonlocal count
            if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(folder) in str(arguments[0]):
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(hook)

    step, ended, left = 0, None, 0
    while ended != 0:
        step += 1
        def work(writing):
            fatal_at(step)
            store.write(KEY, frame(days + 1))
        process, _ = child(work)
        _.close()
        ended = os.waitpid(process, 0)[1]
        left += any(folder.rglob("*.part"))
        days = survives(days)
    assert ended == 0 and step > 6, (ended, step)  # the last child met no such step and finished
    assert not list(folder.rglob("*.part"))
    print(step - 1, left)
"""

AT_RANDOM = """
    chance = random.Random(7)
    began = days
    for trial in range(40):
        def work(writing):
            told = days
            while True:
                begin = time.monotonic()
                told = store.write(KEY, frame(told + 1)).rows
                os.write(writing, b"%d %f\\n" % (told, time.monotonic() - begin))
        process, pipe = child(work)
        told, seconds = pipe.readline().split()  # one whole write, and how long it takes just now
        time.sleep(chance.uniform(0, 1.5 * min(float(seconds), 0.1)))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        days = survives(max([int(told), *(int(line.split()[0]) for line in pipe)]))
        pipe.close()
    assert days >= began + 40
    Store(folder, patience=5).write(KEY, frame(days + 1))  # a stale lock does not stop it
    assert not list(folder.rglob("*.part"))
    print(days - began)
"""


def test_a_writer_killed_before_any_step_on_a_file_leaves_the_old_version_or_the_new_one(tmp_path):
    done = run(KILLER + EVERY_STEP, str(tmp_path / "store"))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) > 0  # some of them left a part behind, which the last one swept


def test_a_writer_killed_at_random_moments_loses_nothing_it_acknowledged(tmp_path):
    done = run(KILLER + AT_RANDOM, str(tmp_path / "store"))
    assert done.returncode == 0, done.stderr


IMPORTER = """
    import sys
    from pathlib import Path
    import numpy as np, pandas as pd
    from qtw_lab.data.series import SeriesKey
    from qtw_lab.data.store import Store

    folder, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    closes = 100.0 + np.arange(60)
    index = pd.date_range("2024-01-01", periods=60, tz="UTC")
    whole = pd.DataFrame({"open": closes, "high": closes, "low": closes, "close": closes, "volume": 1.0}, index=index)
    print("ready", flush=True)
    sys.stdin.readline()
    for place in range(first, last, 3):
        Store(folder).write(SeriesKey("files", "AAPL"), whole.iloc[place : place + 5], calendar="24/7")
"""


def test_two_processes_importing_one_series_lose_nothing(tmp_path):
    spans = (("0", "35"), ("20", "60"))
    code = textwrap.dedent(IMPORTER)
    importers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), *span],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for span in spans
    ]  # fmt: skip
    for importer in importers:
        importer.stdout.readline()
    for importer in importers:
        importer.stdin.write("go\n")
        importer.stdin.flush()
    for importer in importers:
        _, errors = importer.communicate(timeout=60)
        assert importer.returncode == 0, errors
    table = Store(tmp_path).table(KEY)
    assert table["close"].tolist() == (100.0 + np.arange(60)).tolist()


def test_readers_never_see_a_half_while_threads_write(store):
    store.write(KEY, frame(5))
    faults, done = [], threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                assert len(store.bars("AAPL")) >= 5
                assert store.query("SELECT count(*) AS n FROM bars")["n"].iloc[0] >= 5
            except Exception as err:  # noqa: BLE001  (collected and shown by the assertion below)
                faults.append(err)

    def write(place: int) -> None:
        store.write(KEY, frame(30).iloc[place : place + 4])

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(place,)) for place in range(0, 26, 2)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert not faults
    assert len(store.table(KEY)) == 28


def test_a_held_lock_ends_in_a_clear_error(tmp_path):
    from filelock import FileLock

    Store(tmp_path).write(KEY, frame(2))
    with (
        FileLock(tmp_path / "series" / "files" / "1D" / "AAPL.lock"),
        pytest.raises(SetupError, match="Another process"),
    ):
        Store(tmp_path, patience=0.1).write(KEY, frame(3))
    assert Store(tmp_path).write(KEY, frame(3)).rows == 3


def test_leftovers_of_dead_writers_are_harmless_and_swept(store):
    store.write(KEY, frame(3))
    leftovers = [
        store.folder / "objects" / ".abc.parquet.1-2.part",
        store.folder / "series" / "files" / "1D" / ".AAPL.json.1-2.part",
    ]
    for path in leftovers:
        path.write_bytes(b"half")
    (store.folder / "series" / "files" / "1D" / "AAPL.lock").write_text("stale")
    assert store.keys() == (KEY,)
    assert len(store.bars("AAPL")) == 3
    store.write(KEY, frame(4))
    assert not any(path.exists() for path in leftovers)


LIMITED = """
    import resource, sys
    from pathlib import Path
    import numpy as np, pandas as pd
    from qtw_lab.core import SetupError
    from qtw_lab.data.series import SeriesKey
    from qtw_lab.data.store import Store

    def frame(days):
        closes = 100.0 + np.random.default_rng(days).random(days)
        index = pd.date_range("2000-01-03", periods=days, tz="UTC")
        return pd.DataFrame({"open": closes, "high": 200.0, "low": 1.0, "close": closes, "volume": closes}, index=index)

    store = Store(Path(sys.argv[1]))
    key = SeriesKey("files", "AAPL")
    store.write(key, frame(50), calendar="24/7")
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # Python ignores SIGXFSZ: writing gives EFBIG
    try:
        store.write(key, frame(5000))
    except SetupError as err:
        print(err)
    else:
        raise SystemExit("the write went through")
    assert len(store.table(key)) == 50
    assert not list(store.folder.rglob("*.part"))
"""


def test_a_file_too_large_for_the_disk_leaves_the_old_version(tmp_path):
    done = run(LIMITED, str(tmp_path / "store"))
    assert done.returncode == 0, done.stderr
    assert "Free some space" in done.stdout


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 200 kB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root; the RLIMIT_FSIZE test covers the short write")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_a_setup_error_and_leaves_nothing_half_written(small_disk):
    store = Store(small_disk / "store")
    store.write(KEY, frame(20))
    rng = np.random.default_rng(0)
    big = frame(12_000, start="1950-01-02").assign(open=1 + rng.random(12_000), low=0.5, high=1e6)
    with pytest.raises(SetupError, match="No space left"):
        store.write(KEY, big)
    assert len(store.table(KEY)) == 20
    assert not list(store.folder.rglob("*.part"))
    store.write(KEY, frame(21))
    assert len(store.table(KEY)) == 21


def test_a_folder_that_cannot_be_written_can_still_be_read(tmp_path, request):
    folder = tmp_path / "store"
    store = Store(folder)
    store.write(KEY, frame(3))
    if os.geteuid() == 0:  # permissions do not stop root: a read-only mount does
        if subprocess.run(["mount", "--bind", str(folder), str(folder)], capture_output=True, check=False).returncode:
            pytest.skip("root without the right to mount")
        request.addfinalizer(lambda: subprocess.run(["umount", str(folder)], check=True))
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
    else:
        for place in (folder, *folder.rglob("*")):
            place.chmod(0o555 if place.is_dir() else 0o444)
        request.addfinalizer(lambda: [p.chmod(0o755) for p in (folder, *folder.rglob("*")) if p.is_dir()])
    assert len(store.bars("AAPL")) == 3
    assert store.query("SELECT max(close) AS top FROM bars")["top"].iloc[0] == 102.0
    with pytest.raises(SetupError, match="QTW_STORAGE_DIR"):
        store.write(KEY, frame(4))
    with pytest.raises(SetupError, match="QTW_STORAGE_DIR"):
        store.write(SeriesKey("files", "NEW"), frame(4))


def test_garbage_is_listed_first_and_removed_only_when_asked(store):
    for days in (3, 4, 5):
        store.write(KEY, frame(days))
    (store.folder / "objects" / ".x.parquet.1-2.part").write_bytes(b"half")
    plan = store.collect_garbage(keep_versions=1)
    assert (len(plan.files), plan.removed) == (3, False)
    assert all(path.exists() for path in plan.files)
    assert store.collect_garbage(keep_versions=1, apply=True).files == plan.files
    assert not any(path.exists() for path in plan.files)
    assert len(store.bars("AAPL")) == 5
    assert len(store.versions(KEY)) == 3
    with pytest.raises(DataError, match="collected"):
        store.table(KEY, store.versions(KEY)[0].content)


def test_garbage_is_not_collected_while_a_list_is_damaged(store):
    store.write(KEY, frame(3))
    store.write(KEY, frame(4))
    (store.folder / "series" / "files" / "1D" / "AAPL.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        store.collect_garbage(keep_versions=1, apply=True)
    assert len(list((store.folder / "objects").iterdir())) == 2
