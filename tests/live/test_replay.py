"""A recorded session run again gives the same bytes; one that was tampered with does not."""

import shutil

import pytest
from engine_session import places_in, session_in, what_came

from qtw_lab.core import DataError
from qtw_lab.live.journal import read_journal
from qtw_lab.live.journal_kinds import Entry
from qtw_lab.live.log import segments
from qtw_lab.live.replay import replayed


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two sessions in one place, with a break in each."""
    folder = tmp_path_factory.mktemp("session")
    whole = what_came(seconds=90, down=((28, 30), (60, 63)))
    half = len(whole) // 2
    for part in (whole[:half], whole[half:]):
        session_in(folder, part).run()
    return places_in(folder)


def recordings(where):
    return sorted(where.recordings.glob("*"))


def test_every_session_comes_out_the_same_to_the_last_byte(done):
    first, second = (replayed(folder) for folder in recordings(done))
    assert (first.same, second.same) == (True, True)
    assert first.bars > 50
    assert first.decisions >= 3
    assert (first.difference, first.missing, first.journal) == (None, 0, None)
    assert first.digest != second.digest
    assert first.digest == replayed(recordings(done)[0]).digest
    assert first.span == pytest.approx(45, abs=1)


def test_the_facts_say_it(done):
    facts = replayed(recordings(done)[0]).facts()
    assert facts["same"] == "yes"
    assert facts["faster"] == pytest.approx(facts["span"] / facts["seconds"])
    assert "yes" in replayed(recordings(done)[0])._repr_mimebundle_()["text/html"]


def test_the_new_journal_can_be_kept_once(done, tmp_path):
    found = replayed(recordings(done)[0], tmp_path)
    assert found.journal == tmp_path
    assert sum(len(entry.content) for entry in read_journal(tmp_path) if entry.kind == Entry.ROWS) == found.bars
    with pytest.raises(DataError, match="There is a journal in"):
        replayed(recordings(done)[0], tmp_path)


def test_without_the_sessions_journal_nothing_is_claimed(done, tmp_path):
    shutil.copytree(done.recordings, tmp_path / "recordings")
    found = replayed(recordings(done)[0].parent.parent.joinpath("recordings", recordings(done)[0].name))
    assert found.same is True
    alone = replayed(tmp_path / "recordings" / recordings(done)[0].name)
    assert alone.same is None
    assert alone.facts()["same"] == "no journal"


def test_a_journal_of_other_sessions_is_no_confirmation(done, tmp_path):
    shutil.copytree(done.recordings, tmp_path / "recordings")
    other = tmp_path / "other"
    session_in(other, what_came(seed=2, seconds=20)).run()
    shutil.copytree(places_in(other).journal, tmp_path / "journal")
    assert replayed(tmp_path / "recordings" / recordings(done)[0].name).same is None


def test_a_killed_session_lacks_what_was_not_written_and_is_the_same_until_there(done, tmp_path):
    shutil.copytree(done.state, tmp_path / "state")
    journal = tmp_path / "state" / "journal"
    rows = [entry for entry in read_journal(journal) if entry.kind == Entry.ROWS]
    (number,) = segments(journal, "journal")
    path = next(journal.glob("*.log"))
    assert rows[9].place.segment == number
    with path.open("r+b") as file:
        file.truncate(rows[9].place.offset + 11)  # torn in the middle of an entry
    found = replayed(tmp_path / "state" / "recordings" / recordings(done)[0].name)
    assert found.same is True
    assert found.missing > 0


def test_another_rule_gives_other_results_and_the_place_is_named(done, tmp_path, monkeypatch):
    from qtw_lab.live.momentum import MomentumThreshold

    shutil.copytree(done.state, tmp_path / "state")
    as_it_was = MomentumThreshold.signals
    monkeypatch.setattr(MomentumThreshold, "signals", lambda self, prices: -as_it_was(self, prices))
    found = replayed(tmp_path / "state" / "recordings" / recordings(done)[0].name)
    assert found.same is False
    assert found.difference.startswith("the decisions of entry ")
    assert found.facts().notes == (found.difference,)


def test_a_folder_without_a_recording_is_refused(tmp_path):
    with pytest.raises(DataError, match="no recording in"):
        replayed(tmp_path)
