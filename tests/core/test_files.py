"""Readers see the old file or the new one, never a half, whatever happens to the writer."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from qtw_lab.core import SetupError
from qtw_lab.core.files import replacing, write_bytes, write_text


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".part")]


def python(code: str, *arguments: object, **options) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_text_is_written_as_utf_8_with_its_line_ends(tmp_path):
    path = write_text(tmp_path / "a.txt", "ä€\r\n\n")
    assert path == tmp_path / "a.txt"
    assert path.read_bytes() == "ä€\r\n\n".encode()
    assert leftovers(tmp_path) == []


def test_parent_folders_are_made(tmp_path):
    assert write_bytes(tmp_path / "a" / "b" / "c.bin", b"x").read_bytes() == b"x"


def test_a_file_is_replaced_whole(tmp_path):
    path = write_text(tmp_path / "a.txt", "a long first text")
    write_text(path, "short")
    assert path.read_text() == "short"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_until_the_block_ends_the_old_file_is_there(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)])
@pytest.mark.parametrize("before", [None, "old"])
def test_a_block_that_raises_leaves_everything_as_it_was(tmp_path, error, before):
    path = tmp_path / "a.txt"
    if before is not None:
        path.write_text(before)

    def fail_half_way(temporary: Path) -> None:
        temporary.write_text("half")
        raise error

    with pytest.raises(type(error)), replacing(path) as temporary:
        fail_half_way(temporary)
    assert (path.read_text() if path.exists() else None) == before
    assert leftovers(tmp_path) == []


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old_file(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")
    with pytest.raises(SetupError, match=r"Cannot write a\.txt"), replacing(path):
        pass
    assert path.read_text() == "old"


def blocked_by_a_file(folder: Path) -> Path:
    (folder / "file").write_text("not a folder")
    return folder / "file" / "a.txt"


def blocked_by_a_folder(folder: Path) -> Path:
    (folder / "a.txt").mkdir()
    return folder / "a.txt"


def too_long_a_name(folder: Path) -> Path:
    return folder / ("a" * 255)


def on_the_process_table(folder: Path) -> Path:
    return Path("/proc/a.txt")


@pytest.mark.parametrize("place", [blocked_by_a_file, blocked_by_a_folder, too_long_a_name, on_the_process_table])
def test_a_place_nobody_can_write_to_is_a_matter_of_setup(tmp_path, place):
    """Each of these stops the superuser too, whom permissions do not."""
    path = place(tmp_path)
    with pytest.raises(SetupError, match="QTW_STORAGE_DIR") as caught:
        write_text(path, "new")
    assert str(caught.value).startswith(f"Cannot write {path.name} in {path.parent}: ")
    assert isinstance(caught.value.__cause__, OSError)
    assert leftovers(tmp_path) == []


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from qtw_lab.core import SetupError
from qtw_lab.core.files import write_bytes
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_bytes(Path(sys.argv[1]), b"n" * 100_000)
except SetupError as err:
    print(err.__cause__.errno, err)
"""


def test_a_disk_that_fills_up_leaves_the_old_file_and_no_litter(tmp_path):
    """A limit on the size of files stands for the full disk: the write fails half way, with the system's own error."""
    path = write_text(tmp_path / "a.bin", "old")
    said, faults = python(FULL_DISK, path).communicate(timeout=60)
    assert faults == ""
    assert said.startswith(f"{errno.EFBIG} Cannot write a.bin in {tmp_path}: ")
    assert "Free some space" in said
    assert path.read_text() == "old"
    assert leftovers(tmp_path) == []


WRITE_FOR_EVER = """
import sys
from pathlib import Path
from qtw_lab.core.files import replacing
with replacing(Path(sys.argv[1])) as temporary, temporary.open("wb", buffering=0) as handle:
    handle.write(b"half of it")
    print("writing", flush=True)
    while True:
        handle.write(b"n" * 1000)
        if handle.tell() > 10_000_000:
            handle.seek(0)
"""


def test_a_writer_killed_in_the_middle_leaves_the_old_file(tmp_path):
    path = write_text(tmp_path / "a.bin", "old")
    writer = python(WRITE_FOR_EVER, path)
    assert writer.stdout.readline() == "writing\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=60)
    assert writer.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(leftovers(tmp_path)) == 1  # nobody was left to remove it; the next writer has its own
    assert write_text(path, "new").read_text() == "new"


def test_writers_at_the_same_time_never_mix_and_readers_never_see_a_half(tmp_path):
    path = write_bytes(tmp_path / "a.bin", b"\0" * 200_000)
    stop, torn = threading.Event(), []

    def write(letter: bytes) -> None:
        for _ in range(25):
            write_bytes(path, letter * 200_000)

    def read() -> None:
        while not stop.is_set():
            content = path.read_bytes()
            if len(content) != 200_000 or len(set(content)) != 1:
                torn.append(content[:10])

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert torn == []
    assert path.read_bytes()[:1] in (b"a", b"b", b"c")
    assert leftovers(tmp_path) == []


WRITE_MANY = """
import sys
from pathlib import Path
from qtw_lab.core.files import write_bytes
for _ in range(20):
    write_bytes(Path(sys.argv[1]), sys.argv[2].encode() * 100_000)
"""


def test_processes_at_the_same_time_never_mix(tmp_path):
    path = write_bytes(tmp_path / "a.bin", b"0" * 100_000)
    writers = [python(WRITE_MANY, path, letter) for letter in "ab"]
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes()
        assert (len(content), len(set(content))) == (100_000, 1)
        time.sleep(0.005)
    for writer in writers:
        assert writer.communicate() == ("", "")
    assert leftovers(tmp_path) == []


def test_a_failed_flush_is_not_taken_for_success(tmp_path, monkeypatch):
    """A disk may accept a write and fail when it must keep it; only then is it known."""
    path = write_text(tmp_path / "a.txt", "old")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(SetupError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert leftovers(tmp_path) == []
