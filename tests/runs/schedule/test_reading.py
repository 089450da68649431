import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.data.calendars import sessions
from qtw_lab.runs.schedule.entries import KEYS
from qtw_lab.runs.schedule.reading import read_schedule

GOOD = """
[defaults]
timeout = "20m"
calendar = "XLON"
timezone = "Europe/London"
missed = "skip"

[data]
notebook = "night.ipynb"
trigger = "close+5m"
missed = "all"

[night]
notebook = "night.ipynb"
trigger = "30 18 * * mon-fri"
parameters = { fast = 5 }
depends_on = "data"
"""


@pytest.fixture
def read(notebook, schedule):
    notebook("night", "1")
    return lambda text, **known: read_schedule(schedule(text), sessions, known)


def test_entries_come_in_the_order_of_the_file_with_what_they_share(read):
    data, night = read(GOOD)
    assert (data.name, data.timeout, data.policy.missed) == ("data", pd.Timedelta(minutes=20), "all")
    assert (night.name, night.policy.missed, night.depends_on) == ("night", "skip", ("data",))


def test_a_calendar_for_all_says_nothing_about_cron_and_a_time_zone_nothing_about_sessions(read):
    data, night = read(GOOD)
    assert data.trigger.text == "close+5m (XLON)"
    assert night.trigger.text == "cron 30 18 * * mon-fri (Europe/London)"


def test_notebooks_are_relative_to_the_schedule(read, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    assert read(GOOD)[0].notebook == tmp_path / "night.ipynb"


ENTRY = '[night]\nnotebook = "night.ipynb"\ntrigger = "close"\n'


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("[night", "is not TOML"),
        ('fast = 5\n[night]\nnotebook = "night.ipynb"\ntrigger = "close"', "fast = 5 stands outside of every entry"),
        ('[night]\nnotebook = "day.ipynb"\ntrigger = "close"', r"\[night\] there is no notebook .*day.ipynb"),
        (ENTRY + "parameters = { fst = 5 }", "no parameter of night.ipynb called 'fst'. Did you mean 'fast'"),
        (ENTRY + 'parameters = { fast = "5" }', "'fast' of night.ipynb is int .default 10., but str was passed"),
        (ENTRY + 'parameters = { run_folder = "x" }', "run_folder is filled in by the run"),
        (ENTRY + 'parameters = { api_key = "abc" }', "looks like a secret"),
        (ENTRY + 'depends_on = ["nigth"]', r"\[night\] depends_on: There is no entry 'nigth'. Did you mean 'night'"),
        (ENTRY + 'depends_on = "night"', "wait for each other in a circle: night -> night"),
        (ENTRY + "[defaults]\nnotebook = 'x'", r"\[defaults\] There is no key for all entries 'notebook'"),
        ("defaults = 5\n" + ENTRY, r"\[defaults\] must be a table"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_entry_and_what_would_work(read, text, answer):
    with pytest.raises(DataError, match=answer):
        read(text)


def test_a_circle_of_three_is_named(read):
    parts = [
        f'[{one}]\nnotebook = "night.ipynb"\ntrigger = "close"\ndepends_on = "{other}"'
        for one, other in ("ab", "bc", "ca")
    ]
    with pytest.raises(DataError, match="in a circle"):
        read("\n".join(parts))


def test_what_is_switched_off_cannot_be_depended_on(read):
    off = '[data]\nnotebook = "night.ipynb"\ntrigger = "close"\nenabled = false\n'
    with pytest.raises(DataError, match=r"\[night\] depends_on: data is not enabled"):
        read(off + ENTRY + 'depends_on = "data"')


def test_the_value_of_a_secret_is_refused_and_not_repeated(read):
    with pytest.raises(DataError, match="contains the value of BROKER") as told:
        read(ENTRY + 'parameters = { run = "x-hunter22-x", fast = 1 }'.replace("run =", "label ="), BROKER="hunter22")
    assert "hunter22" not in str(told.value)


def test_every_fault_of_the_file_comes_in_one_answer(read):
    text = '[a]\nnotebook = "no.ipynb"\ntrigger = "close"\n[b]\nnotebook = "night.ipynb"\ntrigger = "noon"\nkeep = 0\n'
    with pytest.raises(DataError) as told:
        read(text + '[c]\nnotebook = "night.ipynb"\ntrigger = "close"\ndepends_on = "x"')
    assert "has 3 faults" in str(told.value)
    for fault in ("[a] there is no notebook", "[b] keep: 0", "trigger: 'noon'", "[c] depends_on"):
        assert fault in str(told.value)


def test_a_schedule_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"There is no schedule .*Make it \(see docs/schedule.md\)"):
        read_schedule(tmp_path / "none.toml", sessions)
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"cannot be read: .*save it as UTF-8"):
        read_schedule(tmp_path / "odd.toml", sessions)
    (tmp_path / "broken.ipynb").write_text("{")
    (tmp_path / "s.toml").write_text(ENTRY.replace("night.ipynb", "broken.ipynb"))
    with pytest.raises(DataError, match="is not a notebook that can be read"):
        read_schedule(tmp_path / "s.toml", sessions)


def test_the_schedule_of_the_project_is_sound():
    root = Path(__file__).parents[3]
    entries = read_schedule(root / "notebooks" / "runs" / "schedule.toml", sessions)
    assert [entry.name for entry in entries] == ["nightly_report", "daily_paper_report", "weekly_sweep"]
    assert all(entry.enabled for entry in entries)


def test_the_schedule_that_the_paper_shows_is_sound(tmp_path):
    root = Path(__file__).parents[3]
    paper = (root / "docs" / "schedule.md").read_text("utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", paper, flags=re.DOTALL)
    for notebook in (root / "notebooks" / "runs").glob("*.ipynb"):
        shutil.copy(notebook, tmp_path)
    (tmp_path / "schedule.toml").write_text(text)
    nightly, weekly = read_schedule(tmp_path / "schedule.toml", sessions)
    assert [channel.way for channel in nightly.notify] == ["mail", "command"]
    assert (weekly.depends_on, weekly.policy.missed) == (("nightly_report",), "all")
    for key in KEYS:
        assert f"`{key}`" in paper
