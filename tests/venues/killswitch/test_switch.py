"""A switch that is tripped in any doubt, whatever happens to its files, and stays so until a person resets it."""

import itertools
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError, SetupError, VenueError
from qtw_lab.venues.killswitch import HaltedError, KillSwitch, disk
from qtw_lab.venues.killswitch import switch as switches

NOW = 1_704_205_800 * 10**9


@pytest.fixture
def switch(tmp_path):
    return KillSwitch(tmp_path / "stop")


def again(switch):
    """The same switch, as another process sees it."""
    return KillSwitch(switch.folder).status()


def test_a_new_switch_lets_orders_pass(switch):
    switch.guard()
    status = switch.status()
    assert (status.tripped, status.readable, status.reason) == (False, True, "first use")
    assert again(switch) == status


def test_a_trip_is_seen_by_everybody_with_who_when_and_why(switch):
    other = KillSwitch(switch.folder)
    other.guard()
    status = switch.trip("ann", "prices look wrong", at=NOW)
    assert (status.tripped, status.since, status.by, status.reason) == (True, NOW, "ann", "prices look wrong")
    assert (status.flatten, status.readable) == (False, True)
    assert again(switch) == other.status() == status
    with pytest.raises(HaltedError) as halted:
        other.guard()
    assert str(halted.value) == (
        "Trading is halted since 2024-01-02 14:30:00 UTC by ann: prices look wrong. No order is sent. Find out why, "
        "look at the account, and then reset it by hand: python -m qtw_lab.venues.killswitch reset --folder "
        f"{switch.folder} --by YOUR_NAME --reason WHY"
    )
    assert isinstance(halted.value, VenueError)
    assert halted.value.status == status


def test_tripping_again_changes_nothing_but_may_add_that_positions_are_closed(switch):
    first = switch.trip("ann", "once", at=NOW)
    assert switch.trip("bob", "twice", at=NOW + 1) == first
    assert len(switch.history()) == 2
    both = switch.trip("bob", "all of it", flatten=True, at=NOW + 2)
    assert (both.since, both.by, both.reason, both.flatten) == (NOW, "ann", "once", True)
    assert switch.trip("ann", "no, not all", at=NOW + 3) == both == again(switch)
    assert len(switch.history()) == 3


def test_a_reset_is_named_and_recorded_and_a_trip_after_it_counts_anew(switch):
    other = KillSwitch(switch.folder)
    switch.trip("ann", "once", flatten=True, at=NOW)
    status = other.reset("Bob Ray", "the feed was mended", at=NOW + 5)
    assert (status.tripped, status.since, status.by, status.reason) == (
        False,
        NOW + 5,
        "Bob Ray",
        "the feed was mended",
    )
    switch.guard()
    other.guard()
    assert not switch.trip("ann", "again", at=NOW + 9).flatten
    assert [(one.kind, one.by) for one in switch.history()] == [
        ("made", "KillSwitch"), ("tripped", "ann"), ("reset", "Bob Ray"), ("tripped", "ann"),
    ]  # fmt: skip


@pytest.mark.parametrize(("by", "reason"), [("", "why"), ("  ", "why"), ("42", "why"), ("ann", ""), ("ann", " \n")])
def test_a_reset_without_a_name_or_a_reason_is_refused(switch, by, reason):
    switch.trip("ann", "once")
    with pytest.raises(DataError, match="give your name and say what was found out"):
        switch.reset(by, reason)
    assert switch.status().tripped


def test_a_reset_of_a_switch_that_is_not_tripped_changes_nothing(switch):
    before = switch.status()
    assert switch.reset("ann", "to be sure") == before
    assert len(switch.history()) == 1


def test_what_the_venue_confirmed_is_recorded_once_for_each_trip(switch):
    switch.confirm("canceled", "watch", "not tripped yet")
    switch.trip("ann", "once")
    for kind in ("canceled", "canceled", "flat"):
        switch.confirm(kind, "watch", "confirmed")
    switch.reset("ann", "fine")
    switch.trip("ann", "again")
    switch.confirm("canceled", "watch", "confirmed")
    kinds = ["made", "tripped", "canceled", "flat", "reset", "tripped", "canceled"]
    assert [record.kind for record in switch.history()] == kinds


# Damage


def story(name):
    """The files of a switch with a past, their names, and its status."""
    with tempfile.TemporaryDirectory() as place:
        switch = KillSwitch(Path(place) / "stop")
        for step in name.split():
            if step == "reset":
                switch.reset("ann", "fine", at=NOW + 9)
            else:
                switch.trip("bob", "wrong", flatten=step == "flatten", at=NOW)
        files = {path.name: path.read_bytes() for path in switch.folder.iterdir()}
        return files, switch.status()


STORIES = [story(name) for name in ("", "trip", "trip flatten", "trip reset", "trip reset trip")]


def found(files):
    """How a switch with these files stands, as one that was made before and as another."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "stop"
        switch = KillSwitch(folder)
        shutil.rmtree(folder)
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        one, other = switch.status(), KillSwitch(folder).status()
        assert one == other
        return one


def flipped(byte, data):
    return bytes(one ^ 1 << data.draw(st.integers(0, 7)) for one in byte)


@given(st.sampled_from(STORIES), st.data())
def test_damage_at_any_byte_reads_as_tripped_or_as_the_exact_state(past, data):
    files, status = dict(past[0]), past[1]
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(files)))
        content = files[name]
        place = data.draw(st.integers(0, max(0, len(content) - 1)))
        kind = data.draw(st.sampled_from(("cut", "flip", "insert", "delete", "zero", "lose")))
        if kind == "lose":
            del files[name]
            if not files:
                break
            continue
        files[name] = {
            "cut": content[:place],
            "flip": content[:place] + flipped(content[place : place + 1], data) + content[place + 1 :],
            "insert": content[:place] + data.draw(st.binary(min_size=1, max_size=5)) + content[place:],
            "delete": content[:place] + content[place + data.draw(st.integers(1, 9)) :],
            "zero": content[:place] + bytes(len(content) - place),
        }[kind]  # fmt: skip
    seen = found(files)
    assert seen.tripped or seen == status
    assert seen.readable or seen.tripped


def test_every_cut_and_every_flip_of_a_bit_reads_as_tripped_or_as_the_exact_state(tmp_path):
    for place, (files, status) in enumerate((STORIES[1], STORIES[3])):
        switch = KillSwitch(tmp_path / f"stop{place}")
        for name, content in files.items():
            (switch.folder / name).write_bytes(content)
        if status.tripped:
            (switch.folder / "switch.armed").unlink()
        assert switch.status() == status
        for name, content in files.items():
            changes = [content[:length] for length in range(len(content))]
            changes += [
                content[:at] + bytes([content[at] ^ 1 << (at % 8)]) + content[at + 1 :] for at in range(len(content))
            ]
            for changed in changes:
                (switch.folder / name).write_bytes(changed)
                seen = switch.status()
                assert seen.tripped
                assert not seen.readable or status.tripped
            (switch.folder / name).write_bytes(content)


def test_a_line_that_was_torn_by_a_crash_reads_as_tripped(switch):
    log = switch.folder / "switch.log"
    switch.trip("ann", "once")
    line = log.read_bytes().splitlines(keepends=True)[1]
    switch.reset("ann", "fine")
    with log.open("ab") as file:
        file.write(line[:40])
    status = switch.status()
    assert (status.tripped, status.readable, status.reason) == (True, False, "switch.log is damaged: line 4 is damaged")
    assert again(switch) == status


@pytest.mark.parametrize("names", [["switch.log"], ["switch.armed"], ["switch.log", "switch.armed"], []])
def test_a_file_or_the_whole_folder_that_is_gone_reads_as_tripped(switch, names):
    switch.guard()
    for name in names:
        (switch.folder / name).unlink()
    if not names:
        shutil.rmtree(switch.folder)
    for status in (switch.status(), again(switch)):
        assert (status.tripped, status.readable, status.flatten) == (True, False, False)
    with pytest.raises(HaltedError, match="--acknowledge-damage"):
        switch.guard()


def test_a_new_switch_begins_only_where_nothing_tells_of_an_old_one(switch):
    switch.trip("ann", "once")
    shutil.rmtree(switch.folder)
    assert again(switch).tripped
    (switch.folder.parent / "stop.made").unlink()
    assert not again(switch).tripped


def test_a_file_that_cannot_be_read_reads_as_tripped(switch):
    for name in ("switch.log", "switch.armed"):
        path = switch.folder / name
        content = path.read_bytes()
        path.unlink()
        path.mkdir()
        status = switch.status()
        assert (status.tripped, status.readable) == (True, False)
        assert f"{name} cannot be read (Is a directory)" in status.reason
        path.rmdir()
        path.write_bytes(content)
    assert not switch.status().tripped


def test_a_switch_that_cannot_be_made_is_tripped(tmp_path):
    (tmp_path / "file").write_text("in the way")
    status = KillSwitch(tmp_path / "file" / "stop").status()
    assert (status.tripped, status.readable) == (True, False)
    assert "it could not be made (Not a directory)" in status.reason


def test_an_old_state_that_is_put_back_does_not_pass_for_the_present_one(switch):
    old = {path: path.read_bytes() for path in switch.folder.iterdir()}
    switch.trip("ann", "once")
    switch.reset("ann", "fine")
    for path, content in old.items():
        now = path.read_bytes()
        path.write_bytes(content)
        assert "does not fit" in switch.status().reason
        path.write_bytes(now)
    assert not switch.status().tripped


def test_damage_has_to_be_acknowledged_and_is_kept(switch):
    log = switch.folder / "switch.log"
    switch.trip("ann", "once", at=NOW)
    damaged = log.read_bytes()[:-3]
    log.write_bytes(damaged)
    with pytest.raises(SetupError, match=r"cannot say what happened: once \(switch\.log .*line 2 .*acknowledge_damage"):
        switch.reset("Bob", "looks fine")
    assert switch.status().tripped
    assert not switch.reset("Bob", "looked at the account", acknowledge_damage=True, at=NOW + 7).tripped
    assert (switch.folder / f"switch.log.damaged-{NOW + 7}").read_bytes() == damaged
    assert [(record.kind, record.by) for record in switch.history()] == [("made", "Bob"), ("reset", "Bob")]
    assert switch.status().reason == (
        "looked at the account (damage acknowledged: once (switch.log is damaged: line 2 is damaged))"
    )
    switch.guard()


def test_a_deleted_folder_can_be_acknowledged_too(switch):
    switch.guard()
    shutil.rmtree(switch.folder)
    assert not switch.reset("Bob", "somebody tidied up", acknowledge_damage=True).tripped
    switch.guard()
    assert again(switch) == switch.status()


# A full disk, and one that cannot be written at all


def in_child(switch, code):
    """What a child process prints that does something with the switch."""
    begin = f"""
import os, resource
from qtw_lab.venues.killswitch import HaltedError, KillSwitch

def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

switch = KillSwitch({str(switch.folder)!r})
size = os.stat(switch.folder / "switch.log").st_size
"""
    done = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("room", [0, 20])
def test_a_trip_on_a_full_disk_is_seen_by_everybody_and_known_in_full_where_it_was_made(switch, room):
    switch.guard()
    code = f"""
room(size + {room})
status = switch.trip("ann", "no space", flatten=True, at={NOW})
print(status.tripped, status.since, status.by, status.flatten, status.readable)
"""
    assert in_child(switch, code) == [f"True {NOW} ann True False"]
    for status in (switch.status(), again(switch)):
        assert (status.tripped, status.readable) == (True, False)
        assert "without a record (a full disk?)" in status.reason
    with pytest.raises(HaltedError):
        switch.guard()
    with pytest.raises(SetupError, match="acknowledge_damage"):
        switch.reset("ann", "freed some space")
    assert not switch.reset("ann", "freed some space", acknowledge_damage=True).tripped
    assert [record.kind for record in switch.history()] == ["made", "reset"]


def test_a_trip_is_recorded_later_if_the_disk_takes_it_then(switch):
    switch.guard()
    code = f"""
room(size)
print(switch.trip("ann", "no space", at={NOW}).readable)
room(10**6)
print(switch.trip("ann", "no space", at={NOW}).readable)
"""
    assert in_child(switch, code) == ["False", "True"]
    assert (switch.status().since, switch.status().by, switch.status().readable) == (NOW, "ann", True)


def test_a_reset_that_does_not_fit_on_the_disk_leaves_the_switch_tripped(switch):
    switch.trip("ann", "once")
    code = """
room(size)
try:
    switch.reset("ann", "fine")
except Exception as err:
    print(type(err).__name__, err)
print(switch.status().tripped)
"""
    said, tripped = in_child(switch, code)
    assert said.startswith("SetupError The kill switch in ")
    assert said.endswith("Free some space or permit writing there. It is still tripped.")
    assert tripped == "True"
    assert again(switch).readable


def test_on_a_disk_that_cannot_be_written_the_one_who_tripped_it_knows():
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    try:
        switch = KillSwitch(place / "stop")
        switch.folder.chmod(0o555)
        (switch.folder / "switch.log").chmod(0o444)
        code = f"""
if not os.getuid():
    os.setuid(65534)
switch.guard()
status = switch.trip("ann", "a fault", flatten=True, at={NOW})
try:
    switch.guard()
except HaltedError:
    print(status.tripped, status.flatten, status.readable, status.reason)
"""
        assert in_child(switch, code) == ["True True False a fault (the disk could not be told)"]
        assert not again(switch).tripped
        switch.folder.chmod(0o755)
    finally:
        shutil.rmtree(place)


def test_a_switch_that_only_one_object_knows_of_is_forgotten_by_its_reset(switch):
    armed, log = switch.folder / "switch.armed", switch.folder / "switch.log"
    before = armed.read_bytes(), log.read_bytes()
    switch.trip("ann", "once")
    armed.write_bytes(before[0])  # as if the disk had taken nothing
    log.write_bytes(before[1])
    assert not again(switch).tripped
    assert switch.status().reason == "once (the disk could not be told)"
    assert not switch.reset("ann", "mended", acknowledge_damage=True).tripped
    switch.guard()


# Several at once


def test_many_processes_that_come_first_make_one_switch(tmp_path):
    code = f"""
from qtw_lab.venues.killswitch import KillSwitch
print(KillSwitch({str(tmp_path / "stop")!r}).status().tripped)
"""
    children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert [child.communicate()[0] for child in children] == ["False\n"] * 6
    assert [record.kind for record in KillSwitch(tmp_path / "stop").history()] == ["made"]


def test_trips_and_resets_at_the_same_time_leave_whole_records(switch):
    def work(name):
        mine = KillSwitch(switch.folder)
        for turn in range(15):
            mine.trip(name, f"trip {turn}")
            if name == "ann":
                mine.reset(name, f"reset {turn}", acknowledge_damage=True)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("ann", "bob", "cat")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert switch.status().readable
    assert again(switch) == switch.status()
    switch.trip("ann", "the end")
    kinds = [record.kind for record in switch.history()]
    assert all(one != other for one, other in itertools.pairwise(kinds))
    assert kinds[-1] == "tripped"


def test_a_trip_does_not_wait_for_somebody_who_hangs_in_the_middle_of_writing(switch, monkeypatch):
    monkeypatch.setattr(switches, "_PATIENTLY", 0.1)
    other = KillSwitch(switch.folder)
    with disk.held(switch.folder, 0):
        began = time.monotonic()
        assert switch.trip("ann", "once").readable
        assert time.monotonic() - began < 10
        with pytest.raises(HaltedError):
            other.guard()
        with pytest.raises(SetupError, match="Another process is writing"):
            other.reset("ann", "fine")


def test_who_looks_while_somebody_writes_waits_for_the_whole_record(switch):
    other = KillSwitch(switch.folder)
    with disk.held(switch.folder, 0):
        (switch.folder / "switch.armed").unlink()  # a trip has begun, and its line is not written yet
        seen = []
        waiting = threading.Thread(target=lambda: seen.append(other.status()))
        waiting.start()
        time.sleep(0.1)
        line = other._reading().following("tripped", NOW, "ann", "once").line
        disk.append(switch.folder / "switch.log", line)
    waiting.join()
    assert (seen[0].by, seen[0].readable) == ("ann", True)


def test_a_guard_costs_microseconds_where_nothing_changed(switch):
    switch.guard()
    best = min(timeit.repeat(switch.guard, number=2000, repeat=5)) / 2000
    print(f"guard: {best * 1e6:.1f} microseconds")
    assert best < 100e-6


def test_a_guard_sees_a_change_that_another_process_made_a_moment_ago(switch):
    other = KillSwitch(switch.folder)
    for turn in range(20):
        switch.guard()
        other.trip("ann", f"trip {turn}")
        with pytest.raises(HaltedError):
            switch.guard()
        other.reset("ann", f"reset {turn}")
