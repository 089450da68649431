"""A log is readable whatever happens to its writer, its disk and its bytes."""

import errno
import json
import os
import pickle
import random
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError, SetupError
from qtw_lab.live import log as log_module
from qtw_lab.live import log_format
from qtw_lab.live.log import DAMAGE, LogWriter, Place, read_log, segments

NAME = "notes"


def written(folder: Path, payloads: list[bytes], **options: Any) -> None:
    with LogWriter(folder, NAME, **options) as log:
        for number, payload in enumerate(payloads):
            log.append(1 + number % 255, number, payload)


def payloads(folder: Path, start: Place | None = None) -> list[bytes]:
    return [record.payload for record in read_log(folder, NAME, start)]


def segment(folder: Path, number: int = 1) -> Path:
    return folder / f"{NAME}.{number:06d}.log"


def numbered(log: LogWriter, first: int, last: int, size: int = 100) -> None:
    for number in range(first, last):
        log.append(1, number, number.to_bytes(8, "little") + b"x" * size)


def numbers(folder: Path) -> list[int]:
    return [int.from_bytes(payload[:8], "little") for payload in payloads(folder)]


def in_child(work: Callable[[], Any]) -> Any:
    """What `work` gives in a forked process, so that limits set there stay there."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        try:
            result = pickle.dumps(work())
        except BaseException as err:  # noqa: BLE001 -- nothing may leave the child but through the pipe
            result = pickle.dumps(repr(err))
        with os.fdopen(into, "wb") as pipe:
            pipe.write(result)
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(content)


def test_records_come_back_as_they_were_written(tmp_path):
    written(tmp_path, [b"first", b"", b"\0" * 5000])
    records = list(read_log(tmp_path, NAME))
    assert [(r.kind, r.received, r.payload) for r in records] == [(1, 0, b"first"), (2, 1, b""), (3, 2, b"\0" * 5000)]
    assert [r.place for r in records] == [Place(1, 16), Place(1, 38), Place(1, 55)]
    assert records[0].after == records[1].place


def test_a_log_that_was_never_written_has_no_records(tmp_path):
    assert payloads(tmp_path / "nowhere") == []


def test_a_record_has_the_bytes_that_are_documented(tmp_path):
    with LogWriter(tmp_path, NAME) as log:
        log.append(3, -5, b"abc")
    content = segment(tmp_path).read_bytes()
    # zlib's CRC-32 of the covered bytes, written out: length, kind, received, payload.
    import zlib

    covered = (3).to_bytes(4, "little") + bytes([3]) + (-5).to_bytes(8, "little", signed=True) + b"abc"
    start = b"QTWLOG" + (1).to_bytes(2, "little") + (1).to_bytes(4, "little")
    assert content[:16] == start + zlib.crc32(start).to_bytes(4, "little")
    assert content[16:] == covered[:4] + zlib.crc32(covered).to_bytes(4, "little") + covered[4:]


def test_reading_starts_at_any_place_and_goes_on_from_the_last(tmp_path):
    with LogWriter(tmp_path, NAME, segment_bytes=1024) as log:
        numbered(log, 0, 50)
        log.flush()
        seen = list(read_log(tmp_path, NAME))
        assert list(read_log(tmp_path, NAME, seen[-1].after)) == []
        numbered(log, 50, 60)
        log.flush()
        assert [r.received for r in read_log(tmp_path, NAME, seen[-1].after)] == list(range(50, 60))
    assert [r.received for r in read_log(tmp_path, NAME, seen[20].place)] == list(range(20, 60))


def test_segments_are_numbered_kept_and_never_touched_again(tmp_path):
    written(tmp_path, [b"x" * 100] * 50, segment_bytes=1024)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.log")}
    assert segments(tmp_path, NAME) == list(range(1, len(before) + 1))
    assert max(len(content) for content in before.values()) <= 1024
    sealed = sorted(before)[:-1]
    for path in sealed:
        path.chmod(0o444)
    stamps = [path.stat().st_mtime_ns for path in sealed]
    written(tmp_path, [b"y" * 100] * 50, segment_bytes=1024)
    assert [path.stat().st_mtime_ns for path in sealed] == stamps
    assert all(path.read_bytes() == before[path] for path in sealed)
    assert payloads(tmp_path) == [b"x" * 100] * 50 + [b"y" * 100] * 50


def test_a_record_larger_than_a_segment_gets_one_for_itself(tmp_path):
    written(tmp_path, [b"a", b"b" * 9000, b"c"], segment_bytes=1024)
    assert [(r.segment, len(r.payload)) for r in read_log(tmp_path, NAME)] == [(1, 1), (2, 9000), (3, 1)]


def test_every_new_segment_begins_with_what_the_opening_gives(tmp_path):
    count = iter(range(100))
    with LogWriter(tmp_path, NAME, segment_bytes=1024, opening=lambda: (9, next(count), b"state")) as log:
        numbered(log, 0, 30)
    firsts = {}
    for record in read_log(tmp_path, NAME):
        firsts.setdefault(record.segment, (record.kind, record.payload))
    assert len(firsts) > 3
    assert set(firsts.values()) == {(9, b"state")}


def test_a_log_cut_at_any_byte_keeps_all_whole_records_and_goes_on(tmp_path):
    written(tmp_path / "whole", [b"one", b"", b"three" * 20, b"four"])
    content = segment(tmp_path / "whole").read_bytes()
    ends = [(r.end, r.payload) for r in read_log(tmp_path / "whole", NAME)]
    for cut in range(len(content) + 1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        segment(folder).write_bytes(content[:cut])
        kept = [payload for end, payload in ends if end <= cut]
        assert payloads(folder) == kept, cut
        with LogWriter(folder, NAME, sync_seconds=None) as log:
            log.append(1, 99, b"later")
        assert payloads(folder) == [*kept, b"later"], cut
        assert segments(folder, NAME) == [1], cut
        assert segment(folder).read_bytes()[:16] == content[:16], cut


def test_any_flipped_byte_costs_only_its_own_record_and_is_told(tmp_path):
    whole = [b"one", b"two" * 10, b"", b"four", b"five"]
    written(tmp_path / "whole", whole)
    content = segment(tmp_path / "whole").read_bytes()
    ends = [r.end for r in read_log(tmp_path / "whole", NAME)]
    for place in range(16, len(content)):
        folder = tmp_path / str(place)
        folder.mkdir()
        segment(folder).write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        hit = sum(end <= place for end in ends)
        last = hit == len(whole) - 1
        records = list(read_log(folder, NAME))
        assert [r.payload for r in records if r.kind] == whole[:hit] + whole[hit + 1 :], place
        assert [r.kind for r in records].count(DAMAGE) == (0 if last else 1), place
        with LogWriter(folder, NAME, sync_seconds=None) as log:
            log.append(1, 99, b"later")
        # A torn end is cut; where whole records lie behind the damage, the segment is left as it is.
        assert segments(folder, NAME) == ([1] if last else [1, 2]), place
        assert [r.payload for r in read_log(folder, NAME) if r.kind] == [*whole[:hit], *whole[hit + 1 :], b"later"]


def test_damage_says_where_and_how_much(tmp_path):
    written(tmp_path, [b"a" * 50, b"b" * 50, b"c" * 50])
    content = bytearray(segment(tmp_path).read_bytes())
    content[100] ^= 1
    segment(tmp_path).write_bytes(content)
    damage = list(read_log(tmp_path, NAME))[1]
    assert json.loads(damage.payload) == {"bytes": 67, "segment": 1, "offset": 16 + 67}
    assert damage.after == Place(1, 16 + 2 * 67)


def test_a_broken_header_costs_no_record(tmp_path):
    written(tmp_path, [b"a", b"b"])
    content = segment(tmp_path).read_bytes()
    segment(tmp_path).write_bytes(b"\0" * 16 + content[16:])
    assert payloads(tmp_path) == [b"a", b"b"]
    written(tmp_path, [b"c"])
    assert payloads(tmp_path) == [b"a", b"b", b"c"]
    assert segment(tmp_path).read_bytes()[:16] == content[:16]


def test_zeros_at_the_end_as_a_power_cut_leaves_them_are_cut(tmp_path):
    written(tmp_path, [b"a", b"b"])
    size = segment(tmp_path).stat().st_size
    with segment(tmp_path).open("ab") as file:
        file.write(b"\0" * 100_000)
    assert payloads(tmp_path) == [b"a", b"b"]
    LogWriter(tmp_path, NAME).close()
    assert segment(tmp_path).stat().st_size == size


def test_a_torn_end_of_a_sealed_segment_is_told_and_the_next_is_read(tmp_path):
    written(tmp_path, [b"x" * 400] * 4, segment_bytes=1024)
    content = segment(tmp_path, 1).read_bytes()
    segment(tmp_path, 1).write_bytes(content[:-1])
    kinds = [(r.segment, bool(r.kind)) for r in read_log(tmp_path, NAME)]
    assert kinds == [(1, True), (1, False), (2, True), (2, True)]


@given(
    contents=st.lists(st.binary(max_size=60), min_size=1, max_size=12),
    noise=st.binary(max_size=40),
    cut=st.integers(0, 10**6),
    chunk=st.integers(1, 64),
)
def test_noise_in_the_midst_never_costs_what_stands_around_it(tmp_path_factory, contents, noise, cut, chunk):
    folder = tmp_path_factory.mktemp("noise")
    written(folder, contents, sync_seconds=None)
    content = segment(folder).read_bytes()
    places = [16, *(r.end for r in read_log(folder, NAME))]
    place = places[cut % len(places)]
    segment(folder).write_bytes(content[:place] + noise + content[place:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_format, "_CHUNK", chunk)
        assert [r.payload for r in read_log(folder, NAME) if r.kind] == contents


def test_a_newer_format_is_refused_by_reader_and_writer(tmp_path):
    written(tmp_path, [b"a"])
    content = segment(tmp_path).read_bytes()
    import zlib

    start = b"QTWLOG" + (2).to_bytes(2, "little") + (1).to_bytes(4, "little")
    segment(tmp_path).write_bytes(start + zlib.crc32(start).to_bytes(4, "little") + content[16:])
    with pytest.raises(DataError, match="format 2"):
        payloads(tmp_path)
    with pytest.raises(DataError, match="format 2"):
        LogWriter(tmp_path, NAME)


def test_there_is_one_writer_at_a_time(tmp_path):
    with LogWriter(tmp_path, NAME), pytest.raises(SetupError, match="being written by another"):
        LogWriter(tmp_path, NAME)
    LogWriter(tmp_path, NAME).close()


@pytest.mark.parametrize("name", ["", "a b", "../x", "A", "1x"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="no name for a log"):
        LogWriter(tmp_path, name)


@pytest.mark.parametrize("options", [{"segment_bytes": 10}, {"flush_bytes": 0}, {"waiting_bytes": 1.5}])
def test_sizes_that_make_no_sense_are_refused(tmp_path, options):
    with pytest.raises(DataError, match="whole number of bytes"):
        LogWriter(tmp_path, NAME, **options)


@pytest.mark.parametrize("kind", [0, 256, -1])
def test_a_kind_out_of_bounds_is_refused(tmp_path, kind):
    with LogWriter(tmp_path, NAME) as log, pytest.raises(DataError, match="1 to 255"):
        log.append(kind, 0, b"")


def test_a_closed_log_takes_nothing(tmp_path):
    log = LogWriter(tmp_path, NAME)
    log.close()
    log.close()
    with pytest.raises(SetupError, match="closed"):
        log.append(1, 0, b"")
    with pytest.raises(SetupError, match="closed"):
        log.flush()


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="Cannot write"):
        LogWriter(tmp_path / "file", NAME)


def test_records_are_written_together_and_no_later_than_promised(tmp_path):
    now = [0.0]
    with LogWriter(tmp_path, NAME, flush_seconds=0.5, flush_bytes=2048, monotonic=lambda: now[0]) as log:
        numbered(log, 0, 1)
        assert numbers(tmp_path) == [0]  # the first is due at once
        numbered(log, 1, 5)
        assert numbers(tmp_path) == [0]
        now[0] = 0.6
        numbered(log, 5, 6)
        assert numbers(tmp_path) == list(range(6))
        numbered(log, 6, 30)
        assert len(numbers(tmp_path)) == 23  # 17 records of 125 bytes fill 2,048
        log.flush()
        assert numbers(tmp_path) == list(range(30))
        assert log.waiting == 0


def test_short_writes_of_the_system_are_continued(tmp_path, monkeypatch):
    real = os.pwrite
    monkeypatch.setattr(log_module.os, "pwrite", lambda handle, data, at: real(handle, bytes(data)[:16], at))
    with LogWriter(tmp_path, NAME, segment_bytes=1024) as log:
        numbered(log, 0, 40)
    assert numbers(tmp_path) == list(range(40))


@pytest.mark.parametrize("room", range(0, 260, 13))
def test_a_full_disk_leaves_whole_records_and_what_waits_is_written_later(tmp_path, monkeypatch, room):
    real, left = os.pwrite, [16 + room]

    def limited(handle: int, data: bytes, at: int) -> int:
        size = min(len(data), left[0])
        if not size:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= size
        return real(handle, bytes(data)[:size], at)

    monkeypatch.setattr(log_module.os, "pwrite", limited)
    log = LogWriter(tmp_path, NAME, segment_bytes=1024, sync_seconds=None, flush_seconds=99)
    log._due = 10**9
    numbered(log, 0, 12)
    with pytest.raises(SetupError, match="No space left"):
        log.flush()
    assert log.fault is not None
    assert numbers(tmp_path) == list(range(room // 125))
    assert segment(tmp_path).stat().st_size == 16 + room // 125 * 125
    numbered(log, 12, 14)
    left[0] = 10**9
    log.flush()
    assert log.fault is None
    log.close()
    assert numbers(tmp_path) == list(range(14))


def test_when_too_much_waits_records_are_refused_and_counted_and_none_twice(tmp_path, monkeypatch):
    real, full = os.pwrite, [False]

    def limited(handle: int, data: bytes, at: int) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data, at)

    monkeypatch.setattr(log_module.os, "pwrite", limited)
    log = LogWriter(tmp_path, NAME, sync_seconds=None, waiting_bytes=1250)
    taken, told = [], set()
    for number in range(40):
        full[0] = 5 <= number < 30
        if number == 30:
            log._due = 0  # patience is over
        try:
            numbered(log, number, number + 1)
            taken.append(number)
        except SetupError as err:
            told.add(str(err).partition(":")[0])
    log.close()
    assert numbers(tmp_path) == taken
    assert told == {"A record for the log 'notes' was not taken"}
    assert log.refused == 40 - len(taken) > 0
    assert taken[:5] == list(range(5))
    assert taken[-10:] == list(range(30, 40))


def test_a_limit_of_file_size_is_a_full_disk_that_ends_when_it_is_lifted(tmp_path):
    def work() -> tuple[str, list[int], list[int]]:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        log = LogWriter(tmp_path, NAME, sync_seconds=None, flush_seconds=99)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
        numbered(log, 0, 100)
        try:
            log.flush()
            told = ""
        except SetupError as err:
            told = str(err)
        between = numbers(tmp_path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        log.close()
        return told, between, numbers(tmp_path)

    told, between, after = in_child(work)
    assert "File too large" in told
    assert between == list(range((5000 - 16) // 125))
    assert after == list(range(100))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], check=False, capture_output=True
    )
    if made.returncode:
        pytest.skip("a file system can only be mounted by root; the limit of file size stands in for it above")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_really_full_disk_loses_no_record_over_many_segments(small_disk):
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 150_000)
    log = LogWriter(small_disk, NAME, segment_bytes=8192, flush_seconds=99)
    numbered(log, 0, 3000)
    with pytest.raises(SetupError, match="No space left"):
        log.flush()
    between = numbers(small_disk)
    assert 0 < len(between) < 1500
    assert between == list(range(len(between)))
    filler.write_bytes(b"")
    with pytest.raises(SetupError, match="No space left"):  # 375 kB do not fit at all
        log.close()
    after = numbers(small_disk)
    assert after == list(range(len(after)))
    assert len(after) > len(between) + 1000


def write_for_ever(folder: Path, acks: int, first: int) -> None:
    """Write numbers and tell each that is flushed, until killed."""
    with LogWriter(folder, NAME, segment_bytes=20_000, sync_seconds=None) as log:
        number = first
        while True:
            for _ in range(random.randrange(1, 20)):
                numbered(log, number, number + 1, size=random.randrange(2000))
                number += 1
            log.flush()
            os.write(acks, number.to_bytes(8, "little"))


def killed_once(folder: Path, first: int, seconds: float) -> int:
    """Start a writer, kill it after a while, and return how many numbers it said it had written."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        write_for_ever(folder, into, first)
    os.close(into)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(out, "rb") as pipe:
        return max((int.from_bytes(pipe.read()[-8:], "little"), first))


@pytest.mark.parametrize("trials", [25, pytest.param(300, marks=pytest.mark.slow)])
def test_kill_9_at_any_moment_loses_nothing_that_was_flushed(tmp_path, trials):
    chance, count, place = random.Random(1), 0, None
    for _ in range(trials):
        said = killed_once(tmp_path, count, chance.uniform(0.005, 0.05))
        for record in read_log(tmp_path, NAME, place):
            assert int.from_bytes(record.payload[:8], "little") == count
            count, place = count + 1, record.after
        assert count >= said
    assert count > trials
    assert len(segments(tmp_path, NAME)) > 3


def test_readers_beside_the_writer_see_whole_records_in_order_and_all_of_them(tmp_path):
    total, seen, done = 1500, [[], []], threading.Event()

    def follow(into: list[int]) -> None:
        place = None
        while True:
            last = done.is_set()
            for record in read_log(tmp_path, NAME, place):
                into.append(int.from_bytes(record.payload[:8], "little") if record.kind else -1)
                place = record.after
            if last:
                return
            time.sleep(0.001)

    readers = [threading.Thread(target=follow, args=(into,)) for into in seen]
    with LogWriter(tmp_path, NAME, segment_bytes=30_000, flush_bytes=1024) as log:
        for reader in readers:
            reader.start()
        for number in range(total):
            numbered(log, number, number + 1, size=number % 500)
    done.set()
    for reader in readers:
        reader.join()
    assert all(each == list(range(total)) for each in seen)


def test_a_disk_that_fails_to_keep_is_told_at_the_next_flush(tmp_path, monkeypatch):
    from qtw_lab.live import log_sync

    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    log = LogWriter(tmp_path, NAME, sync_seconds=0)
    log.append(1, 0, b"a")
    monkeypatch.setattr(log_sync, "_to_disk", broken)
    log.append(1, 0, b"b")
    with pytest.raises(SetupError, match="Input/output"):
        log.flush()
    monkeypatch.undo()
    log.close()
    assert payloads(tmp_path) == [b"a", b"b"]


def test_records_become_lasting_in_a_thread_of_their_own(tmp_path, monkeypatch):
    from qtw_lab.live import log_sync

    by: set[str] = set()
    monkeypatch.setattr(log_sync, "_to_disk", lambda handle: by.add(threading.current_thread().name))
    log = LogWriter(tmp_path, NAME, sync_seconds=0.01)
    log.append(1, 0, b"a")
    log.flush()
    time.sleep(0.1)
    assert by == {"log-sync"}
    log.close()
