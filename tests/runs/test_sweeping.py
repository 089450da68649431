"""A folder with secrets in every kind of file, swept."""

from __future__ import annotations

import gzip
import io
import zipfile

import numpy as np
import pytest

from qtw_lab.runs.secrecy import Leak, Redactor
from qtw_lab.runs.sweeping import Spill, files_below, sweep

TOKEN = "s3cret-value"


@pytest.fixture
def swept(tmp_path):
    """What a sweep of this folder finds."""
    return lambda: sweep(tmp_path, Redactor({"TOKEN": TOKEN, "OTHER": "another-value"}))


def test_no_secret_means_nothing_is_touched(tmp_path, swept):
    (tmp_path / "a.txt").write_text("text")
    (tmp_path / "b.zip").write_bytes(b"PK no archive at all")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert swept() == sweep(tmp_path, Redactor({})) == ()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_text_files_are_masked_and_other_files_holding_a_secret_deleted(tmp_path, swept):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log.txt").write_text(f"value {TOKEN} and another-value here")
    (tmp_path / "model.bin").write_bytes(b"\x00\xff s3cret-value \xfe")
    (tmp_path / "picture.bin").write_bytes(b"\x00\xff nothing \xfe")
    assert swept() == (
        Spill("deep/log.txt", ("TOKEN", "OTHER"), deleted=False), Spill("model.bin", ("TOKEN",), deleted=True)
    )  # fmt: skip
    assert (tmp_path / "deep" / "log.txt").read_text() == "value ***TOKEN*** and ***OTHER*** here"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep", "picture.bin"]
    assert swept() == ()


def test_leaks_name_the_secret_and_the_place(tmp_path, swept):
    (tmp_path / "model.bin").write_bytes(b"\x00 s3cret-value")
    assert [spill.leaks for spill in swept()] == [(Leak("TOKEN", "model.bin (deleted)"),)]


def test_names_of_files_folders_and_links_are_looked_at(tmp_path, swept):
    (tmp_path / f"of {TOKEN}").mkdir()
    (tmp_path / f"of {TOKEN}" / "inside.txt").write_text("nothing")
    (tmp_path / f"{TOKEN}.txt").write_text("nothing")
    (tmp_path / "link").symlink_to(f"/nowhere/{TOKEN}")
    (tmp_path / "harmless").symlink_to("/nowhere")
    assert [spill.shown for spill in swept()] == [
        "***TOKEN***.txt (deleted)", "link (deleted)", "of ***TOKEN*** (deleted)",
        "of ***TOKEN***/inside.txt (deleted)",
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["harmless"]


def zipped(name="inside.txt", content=b"- - - - s3cret-value"):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


ARCHIVES = {
    "zip": zipped(),
    "name in a zip": zipped(f"{TOKEN}.txt", b"nothing"),
    "gzip": gzip.compress(b"- " * 500 + TOKEN.encode()),
    "zip in gzip": gzip.compress(zipped()),
}


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES.keys())
def test_an_archive_with_a_secret_inside_is_deleted(tmp_path, swept, content):
    assert TOKEN.encode() not in content or b"txt" in content
    (tmp_path / "packed").write_bytes(content)
    assert swept() == (Spill("packed", ("TOKEN",), deleted=True),)
    assert list(tmp_path.iterdir()) == []


def test_compressed_arrays_are_archives(tmp_path, swept):
    np.savez_compressed(tmp_path / "a.npz", x=np.frombuffer(b"0" * 900 + TOKEN.encode(), dtype=np.uint8))
    np.savez_compressed(tmp_path / "b.npz", x=np.zeros(900))
    assert [spill.path for spill in swept()] == ["a.npz"]


@pytest.mark.parametrize("content", [zipped()[:-30], gzip.compress(b"x" * 100, mtime=0)[:-9], b"\x1f\x8b"])
def test_a_damaged_archive_is_left_alone(tmp_path, swept, content):
    (tmp_path / "packed").write_bytes(content)
    assert swept() == ()


def test_links_are_not_followed(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert list(files_below(tmp_path)) == [tmp_path / "file"]
