"""Everyday mistakes, made for real: each is answered in one paragraph that names fault and remedy, and ruins nothing.

Every mistake goes through the command line and through Python on a storage folder that already holds prices and a run.
Afterwards that folder must hold byte for byte what it held before.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest import connections
from qtw_lab.cli import main
from qtw_lab.core import DataError, LabError, RunError, SetupError

DAYS = pd.bdate_range("2024-01-02", periods=6)


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


def sound(rows: int = 6) -> pd.DataFrame:
    """Six sound daily bars."""
    close = np.arange(20.0, 20.0 + rows)
    columns = {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 100.0}
    return pd.DataFrame(columns, index=DAYS[:rows].rename("date"))


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder by its hash; lock files and SQLite's side files carry nothing."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith((".lock", "-wal", "-shm"))
    }


@pytest.fixture(scope="module")
def seeded(tmp_path_factory) -> Path:
    """A storage folder with prices of GOOD and one recorded backtest."""
    storage = tmp_path_factory.mktemp("seeded") / "store"
    lab = qtw.Lab.offline(storage)
    lab.add(sound(), "GOOD")
    lab.backtest("buy_and_hold", lab.bars("GOOD"))
    return storage


@pytest.fixture
def storage(seeded, monkeypatch, tmp_path) -> Iterator[Path]:
    """That folder as the one in the settings; whatever happened, it must be the same afterwards."""
    monkeypatch.setenv("QTW_STORAGE_DIR", str(seeded))
    monkeypatch.chdir(tmp_path)
    before = content(seeded)
    yield seeded
    assert content(seeded) == before


@pytest.fixture
def lab(storage) -> qtw.Lab:
    return qtw.Lab.offline()


@pytest.fixture
def call(storage, capsys) -> Callable[..., Answer]:
    """The command line, in this process."""

    def run(*words: object) -> Answer:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Answer(code, *capsys.readouterr())

    return run


def refused(answer: Answer, code: int, *said: str) -> None:
    """The answer is one paragraph on standard error that says this, and nothing else."""
    assert answer.code == code, answer
    assert answer.out == ""
    assert answer.err.startswith("Error: ")
    assert answer.err.endswith("\n")
    assert answer.err.count("\n") == 1, answer.err
    assert "Traceback" not in answer.err
    assert len(answer.err) > 40  # a fault and a remedy take more than a word
    for words in said:
        assert words in answer.err


def raised(error: type[LabError], work: Callable[[], object], *said: str) -> None:
    """The work raises that error of the family, saying this in one paragraph."""
    with pytest.raises(error) as caught:
        work()
    assert "\n" not in str(caught.value)
    for words in said:
        assert words in str(caught.value)


# Names, parameters and dates


@pytest.mark.parametrize(
    ("words", "work", "said"),
    [
        (("sma_cross", "-s", "AAPLE"), lambda lab: lab.bars("AAPLE"), ("'AAPLE'", "Did you mean 'AAPL'")),
        (("sma_cross", "-s", "QQQQ"), lambda lab: lab.bars("QQQQ"), ("'QQQQ'", "Known: AAPL")),
        (("sma_cross", "-s", "A B"), lambda lab: lab.bars("A B"), ("'A B' is not a symbol", "letters, digits")),
        (("sma_cross", "-s", ","), lambda lab: lab.bars(","), ("No symbol", "such as 'AAPL'")),
        (("smacross",), lambda lab: lab.strategy("smacross"), ("'smacross'", "Did you mean 'sma_cross'")),
        (("sma_cross", "-p", "fats=3"), lambda lab: lab.strategy("sma_cross", fats=3), ("'fats'", "mean 'fast'")),
        (("sma_cross", "-p", "fast=0"), lambda lab: lab.strategy("sma_cross", fast=0), ("fast=0", "between 1 and")),
        (("sma_cross", "-p", "fast=1e9"), lambda lab: lab.strategy("sma_cross", fast=1e9), ("out of range",)),
        (("sma_cross", "-p", "fast=2.5"), lambda lab: lab.strategy("sma_cross", fast=2.5), ("a whole number",)),
        (("sma_cross", "-p", "fast=NaN"), lambda lab: lab.strategy("sma_cross", fast=np.nan), ("a whole number",)),
        (("sma_cross", "-p", "short=1"), lambda lab: lab.strategy("sma_cross", short=1), ("True or False",)),
        (("sma_cross", "-p", "fast=60", "-p", "slow=50"), lambda lab: lab.strategy("sma_cross", fast=60, slow=50),
         ("fast=60", "below slow=50")),
        (("sma_cross", "--start", "2012-01-02", "--end", "2011-01-01"),
         lambda lab: lab.bars("AAPL", "2012-01-02", "2011-01-01"), ("2012-01-02", "swap them")),
        (("sma_cross", "--start", "2012-02-31"), lambda lab: lab.bars("AAPL", "2012-02-31"), ("Write it as",)),
        (("sma_cross", "--start", "2040-01-01"), lambda lab: lab.bars("AAPL", "2040-01-01"), ("these bars run from",)),
        (("sma_cross", "--timeframe", "1M"), lambda lab: lab.bars("AAPL", timeframe="1M"), ("1min or 1ME",)),
        (("sma_cross", "--timeframe", "often"), lambda lab: lab.bars("AAPL", timeframe="often"), ("5min, 1h, 1D",)),
        (("sma_cross", "--timeframe", "1h"), lambda lab: lab.bars("AAPL", timeframe="1h"), ("Ask for 1D",)),
        (("sma_cross", "--source", "yahoo"), lambda lab: lab.bars("AAPL", source="yahoo"), ("Known: import",)),
        (("sma_cross", "-s", "yahoo:AAPL"), lambda lab: lab.bars("yahoo:AAPL"), ("'yahoo'", "Known: import")),
        (("sma_cross", "-s", "GOOD"), lambda lab: lab.backtest("sma_cross", lab.bars("GOOD")),
         ("at least 51 bars", "Give a longer history or shorter windows")),
        (("sma_cross", "--execution", "now"), lambda lab: lab.backtest("sma_cross", lab.bars("AAPL"), execution="now"),
         ("'now'", "Known: next_close")),
        (("sma_cross", "--cash", "-5"), lambda lab: lab.backtest("macd", lab.bars("AAPL"), cash=-5.0), ("above 0",)),
        (("sma_cross", "-c", "commission_bps=-1"), lambda lab: qtw.Costs(commission_bps=-1), ("zero or more",)),
        (("sma_cross", "--stop", "stop_loss=5"), lambda lab: qtw.Stops(stop_loss=5), ("such as 0.05",)),
        (("buy_and_hold", "-s", "GOOD", "--start", "2024-01-03", "--end", "2024-01-03"),
         lambda lab: lab.backtest("buy_and_hold", lab.bars("GOOD", "2024-01-03", "2024-01-03")),
         ("at least 2 bars", "there are 1")),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)  # fmt: skip
def test_a_wrong_name_value_or_date_is_refused(call, lab, words, work, said):
    refused(call("backtest", *words), 2, *said)
    raised(DataError, lambda: work(lab), *said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backtest", "sma_cross", "-p", "fast"), "-p 'fast' is not of the form name=value, such as -p fast=10"),
        (("backtest", "sma_cross", "-p", "=3"), "not of the form"),
        (("backtest", "sma_cross", "-p", "fast="), "not of the form"),
        (("backtest", "sma_cross", "-p", "fast=3", "-p", "fast=4"), "-p names fast twice"),
        (("backtest", "sma_cross", "-c", "10"), "such as --cost commission_bps=10"),
        (("backtest", "sma_cross", "-c", "fee=10"), "Known: borrow_bps_per_year, cash_rate, commission_bps"),
        (("backtest", "sma_cross", "-c", "commission_bps=ten"), "commission_bps='ten'"),
        (("backtest", "sma_cross", "-c", "commission_bps=Infinity"), "finite"),
        (("backtest", "sma_cross", "--stop", "0.1"), "such as --stop stop_loss=0.1"),
        (("backtest", "sma_cross", "--stop", "loss=0.1"), "stop_loss"),
        (("sweep", "sma_cross", "-g", "fast"), "Write -g fast=5:50:5"),
        (("sweep", "sma_cross", "-g", "fast=9:5"), "low at most high"),
        (("sweep", "sma_cross", "-g", "fast=1:99999999999"), "Widen the step"),
        (("sweep", "sma_cross", "-g", "fats=5"), "Did you mean 'fast'"),
        (("sweep", "sma_cross", "-g", "fast=0:5"), "out of range"),
        (("sweep", "sma_cross", "-g", "fast=60", "-g", "slow=50"), "None of the grid's 1 combinations"),
        (("sweep", "sma_cross", "-g", "fast=5", "--metric", "sharp"), "Did you mean 'sharpe'"),
        (("sweep", "sma_cross", "-g", "fast=5", "--memory-limit", "some"), "Write it as '256MB'"),
        (("sweep", "sma_cross", "-g", "fast=5", "--memory-limit", "1kB"), "Raise it to at least"),
        (("bactest", "sma_cross"), "Did you mean 'backtest'? See: qtw --help"),
        (("data", "lst"), "Did you mean 'list'? See: qtw data --help"),
        (("data", "query", "DELETE FROM bars"), "one SELECT"),
        (("data", "query", "SELECT * FROM prices"), "may read the view bars"),
        (("runs", "show", "19990101"), "Did you mean"),
        (("runs", "compare", "2"), "two different runs"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_a_malformed_command_line_is_refused(call, words, said):
    refused(call(*words), 2, said)


# Tables


def holes() -> pd.DataFrame:
    frame = sound()
    frame.iloc[2, :4] = np.nan
    return frame


def half_a_bar() -> pd.DataFrame:
    frame = sound()
    frame.iloc[2, 1] = np.nan
    return frame


def negative() -> pd.DataFrame:
    frame = sound()
    frame.iloc[3, 2] = -1.0
    return frame


def mixed_zones() -> pd.DataFrame:
    times = [f"{day:%Y-%m-%d} 10:00{zone}" for day, zone in zip(DAYS, ["-05:00", "+01:00"] * 3, strict=True)]
    return sound().set_axis(pd.Index(times, name="date"), axis=0)


def text_column() -> pd.DataFrame:
    return sound().assign(close=["20", "21", "n/a?", "23", "24", "25"])


#: Name -> the table, what is said of it, and how a quality check calls it.
TABLES: dict[str, tuple[Callable[[], pd.DataFrame], tuple[str, ...], str]] = {
    "empty": (lambda: sound().iloc[:0], (), "empty"),
    "duplicate times": (lambda: pd.concat([sound(), sound().tail(1)]).sort_index(),
                        ("2024-01-09", "Keep one row for each time"), "duplicate_times"),
    "out of order": (lambda: sound().iloc[::-1], ("out of order", "sort_index"), "unsorted_times"),
    "holes": (holes, ("2024-01-04", "holes='"), "missing_price"),
    "half a bar": (half_a_bar, ("2024-01-04", "Fill or drop"), "missing_price"),
    "negative price": (negative, ("2024-01-05", "negative price", "Drop the row"), "nonpositive_price"),
    "mixed zones": (mixed_zones, ("mix time zones", "utc=True"), "mixed_zones"),
    "text": (text_column, ("Column 'close'", "holds text", "pd.to_numeric"), "text_column"),
    "one bar": (lambda: sound(1), ("1 bar(s)", "at least 2 bars"), ""),
    "no close": (lambda: sound().drop(columns="close"), ("no close column", "Name one 'close'"), "no_close"),
}  # fmt: skip


#: `Lab.add` takes these: it is told the timeframe, so one bar will do, and leaves rows without a price out, counted.
MENDABLE = ("one bar", "holes")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_at_fault_is_refused_by_every_door(call, lab, tmp_path, name):
    make, said, _ = TABLES[name]
    frame = make()
    frame.to_csv(tmp_path / "bad.csv")
    frame.to_parquet(tmp_path / "bad.parquet")
    for file in ("bad.csv", "bad.parquet"):
        refused(call("data", "import", file), 2, *said)
        raised(DataError, lambda file=file: lab.import_file(tmp_path / file), *said)
    raised(DataError, lambda: qtw.Bars.from_frame(frame, symbol="BAD"), *said)
    if name not in MENDABLE:
        raised(DataError, lambda: lab.add(frame, "BAD"))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_at_fault_merged_into_good_prices_leaves_them_as_they_are(lab, tmp_path, name):
    make, _, _ = TABLES[name]
    frame = make()
    if name not in MENDABLE:
        raised(DataError, lambda: lab.add(frame, "GOOD"))
    frame.to_csv(tmp_path / "GOOD.csv")
    raised(DataError, lambda: lab.import_file(tmp_path / "GOOD.csv"))


@pytest.mark.parametrize("name", [name for name, (_, _, kind) in TABLES.items() if kind])
def test_the_quality_check_reports_the_fault_instead(lab, name):
    make, _, kind = TABLES[name]
    report = lab.check(make())
    assert not report.ok
    assert kind in {finding.kind for finding in report.of("error")}


@pytest.mark.parametrize("name", [name for name, (_, _, kind) in TABLES.items() if kind and name != "empty"])
def test_the_quality_check_of_a_file_at_fault_is_failed_work(call, tmp_path, name):
    TABLES[name][0]().to_csv(tmp_path / "bad.csv")
    answer = call("data", "check", "bad.csv")
    assert (answer.code, answer.err) == (1, "")
    assert "error: bad" in answer.out
    assert "Traceback" not in answer.out


def test_rows_without_a_price_that_are_added_are_left_out_and_counted(tmp_path):
    lab = qtw.Lab.offline(tmp_path / "own")
    (written,) = lab.add(holes(), "HOLED").written
    assert (written.rows, written.skipped) == (5, 1)
    assert DAYS[2].tz_localize("UTC") not in lab.bars("HOLED").index


def test_a_second_symbol_at_fault_keeps_the_first_out_too(call, tmp_path):
    whole = pd.concat([sound().assign(symbol="FIRST"), negative().assign(symbol="SECOND")])
    whole.to_csv(tmp_path / "two.csv")
    refused(call("data", "import", "two.csv"), 2, "SECOND", "negative price")


# Files


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        ("absent.csv", lambda path: None, ("no file absent.csv", "Look in")),
        ("empty.csv", lambda path: path.write_bytes(b""), ("empty (0 bytes)", "again")),
        ("heading.csv", lambda path: path.write_text("Date,Close\n"), ("no rows", "again")),
        ("prices.docx", lambda path: path.write_bytes(b"x"), ("'.docx'", "Use .csv")),
        ("folder.csv", lambda path: path.mkdir(), ("is a folder", "Name one file")),
        ("semicolons.csv", lambda path: path.write_text("Date;Close\n2024-01-02;1\n"), ("separator=';'",)),
        ("binary.csv", lambda path: path.write_bytes(bytes(range(256)) * 8), ("binary.csv",)),
        ("text.parquet", lambda path: path.write_text("no parquet"), ("not a Parquet file", "Check its kind")),
        ("two closes.csv", lambda path: path.write_text("Date,close,Close\n2024-01-02,1,1\n"), ("Keep one",)),
        ("ragged.csv", lambda path: path.write_text("Date,Close\n2024-01-02,1\n2024-01-03,1,2\n"), ("regular",)),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)  # fmt: skip
def test_a_file_that_is_no_price_table_is_refused(call, lab, tmp_path, name, write, said):
    write(tmp_path / name)
    refused(call("data", "import", tmp_path / name), 2, *said)
    refused(call("data", "check", tmp_path / name), 2, *said)
    raised(DataError, lambda: lab.import_file(tmp_path / name), name, *said)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95, 0.999])
def test_a_truncated_parquet_file_is_refused(call, lab, tmp_path, share):
    path = tmp_path / "cut.parquet"
    sound().to_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(6, int(len(whole) * share))])
    for command in ("import", "check"):
        refused(call("data", command, path), 2, "cut.parquet", "damaged or truncated", "Fetch or write it again")
    raised(DataError, lambda: lab.import_file(path), "damaged or truncated")


def test_a_truncated_file_inside_the_store_is_named_and_not_overwritten(seeded, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(seeded, tmp_path / "copy")
    (damaged,) = (folder / "data" / "objects").glob("*.parquet")
    damaged.write_bytes(damaged.read_bytes()[:-50])
    before = content(folder)
    monkeypatch.setenv("QTW_STORAGE_DIR", str(folder))
    lab = qtw.Lab.offline()
    raised(DataError, lambda: lab.bars("GOOD"), "damaged")
    raised(DataError, lambda: lab.add(sound(), "GOOD"), "damaged")
    assert main(["backtest", "buy_and_hold", "-s", "GOOD"]) == 2
    out, err = capsys.readouterr()
    refused(Answer(2, out, err), 2, "damaged")
    assert content(folder) == before


# Notebooks


@pytest.fixture
def notebook(tmp_path) -> Path:
    cell = nbformat.v4.new_code_cell("fast = 10\napi_key = None")
    cell.metadata.tags = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "tiny.ipynb")
    return tmp_path / "tiny.ipynb"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fats": 3}, ("'fats'", "Did you mean 'fast'")),
        ({"fast": "quick"}, ("'fast'", "int (default 10)")),
        ({"api_key": "sk-live-123456"}, ("looks like a secret", "api_key='env:NAME'")),
        ({"fast": "https://user:sk-live-123456@host/"}, ("fast", "password")),  # not a secret: made up to be refused
    ],
    ids=["unknown", "wrong type", "secret by value", "password in a URL"],
)
def test_a_parameter_a_notebook_cannot_take_is_refused_before_anything_runs(call, lab, notebook, given, said):
    words = [word for name, value in given.items() for word in ("-p", f"{name}={value}")]
    answer = call("run", notebook, *words)
    refused(answer, 2, *said)
    assert "sk-live" not in answer.err
    raised(DataError, lambda: lab.run(notebook, **given), *said)


def test_a_secret_that_is_not_set_is_a_matter_of_setup(call, lab, notebook, monkeypatch):
    monkeypatch.delenv("SOME_BROKER_KEY", raising=False)
    refused(call("run", notebook, "-p", "api_key=env:SOME_BROKER_KEY"), 1, "SOME_BROKER_KEY is not set")
    raised(SetupError, lambda: lab.run(notebook, api_key="env:SOME_BROKER_KEY"), "SOME_BROKER_KEY is not set")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("absent.ipynb", None, "no notebook absent.ipynb"), ("broken.ipynb", "{", "restore it"),
     ("list.ipynb", "[]", "restore it"), ("table.csv", "a,b\n1,2\n", "restore it")],
)  # fmt: skip
def test_a_notebook_that_is_none_is_refused(call, lab, tmp_path, name, text, said):
    if text is not None:
        (tmp_path / name).write_text(text)
    refused(call("run", name), 2, said)
    raised(DataError, lambda: lab.run(tmp_path / name), name)


# The storage folder


def shell(*words: object, storage: Path, folder: Path) -> Answer:
    """The command line in a process of its own."""
    environment = {**os.environ, "QTW_STORAGE_DIR": str(storage), "COLUMNS": "80"}
    command = [sys.executable, "-m", "qtw_lab", *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment, cwd=folder
    )  # fmt: skip
    return Answer(done.returncode, done.stdout, done.stderr)


def every_write(lab: qtw.Lab, folder: Path) -> dict[str, Callable[[], object]]:
    """Everything that writes below the storage folder."""
    sound().assign(close=20.5).to_csv(folder / "GOOD.csv")
    bars = qtw.Lab.offline(folder / "elsewhere").bars("AAPL", "2012-01-01", "2012-06-30")
    cell = nbformat.v4.new_code_cell("x = 1")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "quiet.ipynb")
    return {
        "import": lambda: lab.import_file(folder / "GOOD.csv"),
        "add": lambda: lab.add(sound(), "NEW"),
        "backtest": lambda: lab.backtest("buy_and_hold", bars),
        "sweep": lambda: lab.sweep("sma_cross", bars, grid={"fast": [2], "slow": [5]}),
        "run": lambda: lab.run(folder / "quiet.ipynb"),
    }


def commands(folder: Path) -> list[tuple[object, ...]]:
    return [
        ("data", "import", folder / "GOOD.csv"),
        ("backtest", "buy_and_hold", "--end", "2000-06-30"),
        ("sweep", "sma_cross", "-g", "fast=2", "-g", "slow=5", "--end", "2000-06-30"),
        ("run", folder / "quiet.ipynb"),
    ]


@pytest.fixture
def below_a_file(tmp_path, monkeypatch) -> Iterator[Path]:
    """A storage folder that cannot be, for anyone: its parent is a file."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path / "file" / "store"))
    yield tmp_path / "file" / "store"
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("kind", ["import", "add", "backtest", "sweep", "run"])
def test_a_storage_folder_below_a_file_is_a_matter_of_setup(below_a_file, tmp_path, capsys, kind):
    raised(SetupError, every_write(qtw.Lab.offline(), tmp_path)[kind], str(below_a_file))
    for words in (words for words in commands(tmp_path) if kind in words):
        capsys.readouterr()
        code = main([str(word) for word in words])
        refused(Answer(code, *capsys.readouterr()), 1, str(below_a_file))


def test_what_needs_no_storage_works_without_one(below_a_file, capsys):
    for words in (["data", "list"], ["data", "check", "AAPL"], ["strategies"], ["data", "query", "SELECT 1 AS one"]):
        assert main(words) == 0
        assert capsys.readouterr().err == ""


@pytest.fixture
def read_only(seeded, tmp_path) -> Iterator[Path]:
    """A copy of the storage folder that this user cannot write to."""
    folder = shutil.copytree(seeded, tmp_path / "read only")
    if os.geteuid() == 0:  # permissions do not stop root: a read-only mount does
        if subprocess.run(["mount", "--bind", folder, folder], capture_output=True, check=False).returncode:
            pytest.skip("root without the right to mount; the test below a file covers the errors")
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield folder
        subprocess.run(["umount", folder], check=True)
        return
    places = [folder, *folder.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    yield folder
    for place in places:
        place.chmod(0o755 if place.is_dir() else 0o644)


def test_a_read_only_storage_folder_can_be_read_and_refuses_the_rest(read_only, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QTW_STORAGE_DIR", str(read_only))
    monkeypatch.chdir(tmp_path)
    before = content(read_only)
    lab = qtw.Lab.offline()
    assert len(lab.bars("GOOD")) == 6
    assert main(["data", "check", "GOOD"]) == 0
    assert main(["data", "query", "SELECT count(*) AS n FROM bars", "--json"]) == 0
    for work in every_write(lab, tmp_path).values():
        raised(SetupError, work, str(read_only))
    for words in commands(tmp_path):
        capsys.readouterr()
        code = main([str(word) for word in words])
        refused(Answer(code, *capsys.readouterr()), 1, str(read_only))
    assert content(read_only) == before


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of one megabyte, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root; the test with a limit on file sizes covers the short write")
    yield place
    connections.forget(place / "store" / "trials.sqlite")  # else the disk is in use, also after a test that failed
    subprocess.run(["umount", place], check=True)


def fill(path: Path) -> None:
    """Write into a file until the disk is full."""
    with path.open("wb", buffering=0) as handle, contextlib.suppress(OSError):
        while True:
            handle.write(b"x" * 1024)


def test_a_full_disk_is_a_matter_of_setup_and_what_was_there_stays_usable(small_disk, tmp_path, monkeypatch, capsys):
    storage = small_disk / "store"
    monkeypatch.setenv("QTW_STORAGE_DIR", str(storage))
    lab = qtw.Lab.offline()
    lab.add(sound(), "GOOD")
    lab.backtest("buy_and_hold", lab.bars("GOOD"))
    connections.forget(storage / "trials.sqlite")  # what it keeps beside the file goes into it
    before = content(storage)
    filler = small_disk / "filler"
    fill(filler)
    for work in every_write(lab, tmp_path).values():
        raised(SetupError, work, "ree some space")
    for words in commands(tmp_path):
        capsys.readouterr()
        code = main([str(word) for word in words])
        refused(Answer(code, *capsys.readouterr()), 1, "ree some space")
    assert content(storage) == before
    assert len(qtw.Lab.offline().bars("GOOD")) == 6
    filler.unlink()
    again = qtw.Lab.offline()
    assert len(again.registry.list()) == 1
    for name, work in every_write(again, tmp_path).items():
        assert work() is not None, name
    assert not list(storage.rglob("*.part"))


LIMITED = """
import resource, sys
from qtw_lab.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))  # as a disk that is nearly full: Python gets EFBIG
sys.exit(main(sys.argv[1:]))
"""


def test_a_file_that_does_not_fit_leaves_the_old_prices(storage, tmp_path):
    size = 4000
    close = np.random.default_rng(0).uniform(10, 20, size)
    days = pd.date_range("2000-01-03", periods=size)
    pd.DataFrame({"close": close}, index=days.rename("date")).to_csv(tmp_path / "GOOD.csv")
    command = [sys.executable, "-c", LIMITED, "data", "import", "GOOD.csv", "--source", "other"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    refused(Answer(done.returncode, done.stdout, done.stderr), 1, "Cannot write", "Free some space", "untouched")


# From outside


def test_in_a_process_of_its_own_input_ends_with_2_and_failed_work_with_1(seeded, tmp_path):
    before = content(seeded)
    answer = shell("backtest", "sma_cros", storage=seeded, folder=tmp_path)
    refused(answer, 2, "There is no strategy 'sma_cros'. Did you mean 'sma_cross'")
    (tmp_path / "file").write_text("in the way")
    answer = shell("backtest", "buy_and_hold", storage=tmp_path / "file" / "store", folder=tmp_path)
    refused(answer, 1, "file/store")
    assert content(seeded) == before


def test_a_failing_notebook_is_failed_work_told_in_one_paragraph(seeded, tmp_path, monkeypatch, capsys):
    cell = nbformat.v4.new_code_cell("raise RuntimeError('first line\\n\\nsecond line')")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "bad.ipynb")
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path / "own"))
    code = main(["run", str(tmp_path / "bad.ipynb")])
    refused(Answer(code, *capsys.readouterr()), 1, "bad.ipynb failed in cell 1", "first line", "second line")
    with pytest.raises(RunError):
        qtw.Lab.offline().run(tmp_path / "bad.ipynb")
    assert not list((tmp_path / "own").rglob("*.part"))
