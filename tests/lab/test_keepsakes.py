"""Small things that the pages keep: preferences, lists of symbols, presets."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from qtw_lab.core import DataError, LabError, Settings, SetupError
from qtw_lab.lab import Lab
from qtw_lab.lab.keepsakes import Keepsakes, Preferences


@pytest.fixture
def kept(tmp_path):
    return Keepsakes(tmp_path / "pages")


def test_nothing_kept_is_no_file_and_the_defaults(kept):
    assert kept.preferences() == Preferences("light", "en")
    assert kept.watchlist() == ()
    assert kept.names("preset") == []
    assert not kept.folder.exists()


def test_a_lab_keeps_them_in_its_storage_folder_in_the_language_of_the_settings(tmp_path):
    settings = Settings.load(qtw_storage_dir=tmp_path, qtw_language="zh")
    found = Lab(settings).keepsakes
    assert found.folder == tmp_path / "pages"
    assert found.preferences().language == "zh"
    found.prefer(theme="dark")
    assert Lab(settings).keepsakes.preferences() == Preferences("dark", "zh")


def test_a_preference_is_kept_beside_the_others(kept):
    kept.prefer(theme="dark")
    assert kept.prefer(language="zh") == Preferences("dark", "zh") == kept.preferences()


@pytest.mark.parametrize("change", [{"theme": "blue"}, {"language": "fr"}, {"colour": "dark"}, {"theme": None}])
def test_a_preference_that_there_is_not_is_refused_and_nothing_changes(kept, change):
    kept.prefer(theme="dark")
    with pytest.raises(DataError):
        kept.prefer(**change)
    assert kept.preferences().theme == "dark"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "5", '"x"', "{}", '{"theme": "blue", "language": "en"}',
     '{"theme": "dark", "language": null}', '{"theme": ["dark"], "language": "en"}', "[" * 100_000],
)  # fmt: skip
def test_preferences_that_cannot_be_read_count_as_none(kept, content):
    kept.folder.mkdir(parents=True)
    (kept.folder / "preferences.json").write_text(content)
    assert kept.preferences() == Preferences()
    kept.prefer(theme="dark")
    assert kept.preferences() == Preferences("dark", "en")


def test_preferences_in_another_encoding_count_as_none(kept):
    kept.folder.mkdir(parents=True)
    (kept.folder / "preferences.json").write_bytes(b"\xff\xfe{")
    assert kept.preferences() == Preferences()


def test_a_watchlist_is_kept_in_order_without_repeats(kept):
    assert kept.watch("ibm, aapl,IBM") == ("IBM", "AAPL") == kept.watchlist()
    assert kept.watch(["MSFT"], "other") == kept.watchlist("other")
    assert kept.watchlist() == ("IBM", "AAPL")
    assert kept.names("watchlist") == ["other", "watchlist"]


@pytest.mark.parametrize("nothing", ["", (), [], None])
def test_an_empty_watchlist_is_forgotten(kept, nothing):
    kept.watch("IBM")
    assert kept.watch(nothing) == ()
    assert kept.watchlist() == ()
    assert kept.names("watchlist") == []
    assert kept.watch(nothing) == ()


@pytest.mark.parametrize("wrong", ["../x", "A B C D E F " * 10, ["AAPL", 5], 5, "<b>"])
def test_what_cannot_be_a_symbol_is_refused_and_the_list_stays(kept, wrong):
    kept.watch("IBM")
    with pytest.raises(DataError):
        kept.watch(wrong)
    assert kept.watchlist() == ("IBM",)


@pytest.mark.parametrize("content", ['{"watchlist": "AAPL"}', '{"watchlist": 5}', '{"watchlist": [["A"]]}'])
def test_a_watchlist_that_is_no_list_of_symbols_is_said_to_be_damaged(kept, content):
    kept.folder.mkdir(parents=True)
    (kept.folder / "watchlist.json").write_text(content)
    with pytest.raises(DataError, match=r"watchlist.json"):
        kept.watchlist()


def test_values_are_kept_by_name_and_kind(kept):
    kept.keep("preset", "Crossing 20/50"[:11], {"fast": 20, "slow": None, "名": "均线"})
    kept.keep("preset", "b", [1, 2])
    kept.keep("chart", "b", 3)
    assert kept.names("preset") == ["Crossing 20", "b"]
    assert kept.kept("preset", "Crossing 20") == {"fast": 20, "slow": None, "名": "均线"}
    kept.forget("preset", "b")
    assert kept.names("preset") == ["Crossing 20"]
    assert kept.kept("chart", "b") == 3


def test_what_was_never_kept_is_refused_with_near_misses(kept):
    kept.keep("preset", "crossing", 1)
    for ask in (kept.kept, kept.forget):
        with pytest.raises(DataError, match="Did you mean 'crossing'"):
            ask("preset", "crosing")


@pytest.mark.parametrize("name", ["", " x", "../x", "a/b", "x" * 61, "-x", "a\nb", "a\n", 5, None])
def test_a_name_that_does_not_fit_is_refused(kept, name):
    with pytest.raises(DataError, match="cannot name a preset"):
        kept.keep("preset", name, 1)
    assert kept.names("preset") == []


@pytest.mark.parametrize("name", ["x" * 60, "均线", "a.b_c+d-e f"])
def test_names_in_any_script_fit(kept, name):
    kept.keep("preset", name, 1)
    assert kept.names("preset") == [name]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), {"a": b"x"}, "\ud800"])
def test_what_json_cannot_hold_is_refused_and_nothing_changes(kept, value):
    kept.keep("preset", "a", 1)
    with pytest.raises(DataError, match="what a file cannot"):
        kept.keep("preset", "b", value)
    assert kept.names("preset") == ["a"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100_000])
def test_a_damaged_file_is_an_error_and_is_not_written_over(kept, content):
    kept.folder.mkdir(parents=True)
    path = kept.folder / "preset.json"
    path.write_bytes(content)
    for ask in (lambda: kept.names("preset"), lambda: kept.keep("preset", "a", 1), lambda: kept.forget("preset", "a")):
        with pytest.raises(DataError, match="Mend it, or move it away"):
            ask()
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path):
    (tmp_path / "pages").write_text("a file")
    with pytest.raises(SetupError, match="Cannot write"):
        Keepsakes(tmp_path / "pages").prefer(theme="dark")
    with pytest.raises(LabError):
        Keepsakes(tmp_path / "pages").keep("preset", "a", 1)


def test_two_pages_that_keep_at_once_lose_nothing(kept):
    def keep(number):
        kept.keep("preset", f"of {number}", number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keep, range(40)))
    assert kept.names("preset") == sorted(f"of {number}" for number in range(40))


def test_two_processes_that_keep_at_once_lose_nothing(kept):
    code = (
        "import sys; from pathlib import Path; from qtw_lab.lab.keepsakes import Keepsakes\n"
        "for n in range(15): Keepsakes(Path(sys.argv[1])).keep('preset', f'{sys.argv[2]} {n}', n)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(kept.folder), name]) for name in ("a", "b")]
    assert [one.wait(60) for one in running] == [0, 0]
    assert len(kept.names("preset")) == 30


def test_a_file_is_whole_and_readable_by_people(kept):
    kept.watch("AAPL,IBM")
    text = (kept.folder / "watchlist.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"watchlist": ["AAPL", "IBM"]}
    assert [path.name for path in kept.folder.iterdir() if path.suffix == ".part"] == []
