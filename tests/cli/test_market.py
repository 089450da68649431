"""`qtw market screen` and `movers`: the figures of Python, written as their units are, on a screen of 80 columns."""

import pandas as pd
import pytest

import qtw_lab
from qtw_lab.cli.market import _short, limits
from qtw_lab.core import DataError
from qtw_lab.research.screener_movers import LISTS

STOCKS = ("--source", "stocks")


def test_a_screen_is_that_of_python(qtw, storage):
    words = ("--columns", "close,volume,rsi_14", "--sort", "change_21", "--ascending", "--top", "4")
    answer = qtw("market", "screen", *STOCKS, *words, "--asof", "2010-06-30", "--json")
    assert (answer.code, answer.err) == (0, "")
    lab = qtw_lab.Lab.offline(storage)
    symbols = qtw_lab.data.SAMPLES["stocks"].info().symbols
    found = lab.screen(
        lab.bars(symbols, source="stocks"), ["close", "volume", "rsi_14"], sort_by="change_21", descending=False, top=4,
        asof="2010-06-30",
    )  # fmt: skip
    assert [row["symbol"] for row in answer.json["table"]] == list(found.table.index)
    for name in ("close", "volume", "rsi_14", "change_21"):
        assert [row[name] for row in answer.json["table"]] == found.table[name].to_list()
    assert {fact["name"]: fact["value"] for fact in answer.json["facts"]}["as_of"] == "2010-06-30 00:00:00+00:00"
    assert answer.json["notes"] == list(found.notes)


def test_figures_are_written_as_their_units_and_fit_80_columns(qtw):
    answer = qtw("market", "screen", *STOCKS, "--top", "3", "--asof", "2010-06-30")
    assert (answer.code, answer.err) == (0, "")
    assert max(map(len, answer.out.splitlines())) <= 80
    head, _, table = answer.out.partition("\n\n")
    assert "Sorted by" in head
    assert "change_1_" not in head  # the figures of the symbols stand in the table alone
    shown = qtw("market", "screen", *STOCKS, "--top", "3", "--asof", "2010-06-30", "--json").json["table"]
    for row in shown:
        line = next(line.split() for line in table.splitlines() if line.startswith(row["symbol"]))
        assert line[1:4] == [f"{row['close']:,.2f}", f"{row['change_1']:,.2%}", f"{row['change_5']:,.2%}"]
    assert "stale" not in table


def test_columns_that_do_not_fit_are_named_and_json_has_them(qtw):
    columns = "volatility_21,volatility_63,dollar_volume_21,relative_volume,drawdown_252,from_low_252,average_50_200"
    words = ("market", "screen", *STOCKS, "--columns", f"{columns},gap_mean_21,close", "--sort", "beta_252")
    answer = qtw(*words)
    assert max(map(len, answer.out.splitlines())) <= 80
    said = " ".join(answer.out.split())
    assert "Left out for want of room: " in said
    out = said.partition("Left out for want of room: ")[2].partition(". A wider screen or --json shows them.")[0]
    row = qtw(*words, "--json").json["table"][0]
    assert {name.replace(" ", "_") for name in out.split(", ")} < set(row)
    assert "beta 252" not in out  # what ranks is never left out
    assert "volatility 21" not in out  # the first that were asked for stay


def test_a_column_without_any_figure_takes_no_room(qtw):
    answer = qtw("market", "screen", "--columns", "close,volume", "--sort", "change_21")
    table = answer.out.partition("\n\n")[2]
    assert "volume" not in table
    assert "volume is missing" in " ".join(answer.out.split())
    assert all(row["volume"] is None for row in qtw("market", "screen", "--columns", "volume", "--json").json["table"])


def test_a_score_weighs_ranks_and_a_filter_lets_through(qtw):
    words = ("-w", "momentum_12_1=1", "-w", "volatility_21=-0.5", "-f", "close=30:", "-f", "volatility_21=:0.4")
    answer = qtw("market", "screen", *STOCKS, *words, "--json")
    assert (answer.code, answer.err) == (0, "")
    rows = answer.json["table"]
    assert rows
    assert all(row["close"] >= 30 and row["volatility_21"] <= 0.4 for row in rows)
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert "score" in qtw("market", "screen", *STOCKS, *words).out


def test_a_filter_that_lets_nothing_through_says_so(qtw):
    answer = qtw("market", "screen", *STOCKS, "-f", "close=1e9:")
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "No symbol passes.")


def test_a_symbol_that_is_behind_is_marked(qtw, prices):
    qtw("data", "import", prices("LONG.csv", *range(10, 40)))
    qtw("data", "import", prices("ENDS.csv", *range(10, 30)))
    answer = qtw("market", "screen", "--source", "import", "--columns", "close", "--sort", "close")
    rows = {line.split()[0]: line.split()[1:] for line in answer.out.partition("\n\n")[2].splitlines()[1:]}
    assert rows == {"LONG": ["39.00"], "ENDS": ["29.00", "stale"]}
    assert qtw("market", "movers", "--source", "import").code == 0


def test_the_movers_are_those_of_python(qtw, storage):
    answer = qtw("market", "movers", *STOCKS, "--window", "5", "--count", "3", "--asof", "2010-06-30", "--json")
    assert (answer.code, answer.err) == (0, "")
    lab = qtw_lab.Lab.offline(storage)
    bars = lab.bars(qtw_lab.data.SAMPLES["stocks"].info().symbols, source="stocks")
    found = lab.top_movers(bars, 3, 5, asof="2010-06-30")
    for name, table in found.lists.items():
        assert [row["symbol"] for row in answer.json[name]] == list(table.index)
        assert [row["change"] for row in answer.json[name]] == table["change"].to_list()


def test_every_list_of_movers_has_its_title_and_an_empty_one_says_so(qtw):
    answer = qtw("market", "movers", "--count", "2")
    assert (answer.code, answer.err) == (0, "")
    assert max(map(len, answer.out.splitlines())) <= 80
    parts = dict(part.split("\n", 1) for part in answer.out.strip().split("\n\n"))
    assert set(parts) == {one.title for one in LISTS.values()} | {"Movers"}
    assert parts["Most active by shares"].strip() == "None."  # the set has closes only
    cells = [line.split() for line in parts["Losers"].splitlines()[1:]]
    assert len(cells) == 2
    assert all(change.startswith("-") and change.endswith("%") for _, _, change in cells)


@pytest.mark.parametrize("command", ["screen", "movers"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--source", "stoks"), "Did you mean 'stocks'?"),
        (("-s", "APPL", "--source", "stocks"), "Did you mean 'AAPL'"),
        (("-f", "clos=5:"), "Did you mean 'close'?"),
        (("-f", "close"), "is not a filter"),
        (("-f", "close=9:5"), "low 9 exceeds high 5; swap them"),
        (("--asof", "whenever"), "is not a date or time"),
        (("--asof", "1900-01-01"), "No bar lies up to 1900-01-01"),
    ],
)
def test_what_is_not_known_is_refused_with_near_misses(qtw, command, words, said):
    answer = qtw("market", command, *words)
    assert (answer.code, answer.out) == (2, "")
    assert said in " ".join(answer.err.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--columns", "clsoe"), "Did you mean 'close'?"),
        (("--columns", ","), "at least one"),
        (("--sort", "momentum"), "no column 'momentum'"),
        (("-w", "rsi_14=big"), "must be a finite number"),
        (("-w", "rsi_14"), "such as -w momentum_12_1=1"),
        (("--top", "0"), "--top"),
    ],
)
def test_a_screen_of_unknown_columns_is_refused(qtw, words, said):
    answer = qtw("market", "screen", *STOCKS, *words)
    assert (answer.code, answer.out) == (2, "")
    assert said in " ".join(answer.err.split())


@pytest.mark.parametrize(
    ("text", "bounds"),
    [("close=5:500", (5.0, 500.0)), ("close=5:", (5.0, None)), ("close=:500", (None, 500.0)),
     (" close = -1.5 : 2e3 ", (-1.5, 2000.0)), ("close=0:0", (0.0, 0.0))],
)  # fmt: skip
def test_a_filter_says_its_ends(text, bounds):
    assert limits([text]) == {"close": bounds}


@pytest.mark.parametrize(
    "text",
    [
        "close",
        "close=",
        "close=5",
        "close=:",
        "=5:6",
        "close=a:b",
        "close=1:2:3",
        "close=nan:",
        "close=:inf",
        "",
        "5:6",
    ],
)
def test_a_filter_of_no_sense_is_refused(text):
    with pytest.raises(DataError, match=r"is not a filter\. Write -f close=5:500"):
        limits([text])


def test_a_filter_named_twice_is_refused_and_none_is_none():
    with pytest.raises(DataError, match="names close twice"):
        limits(["close=5:", "close=:9"])
    assert limits(None) is None
    assert limits([]) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(12.345, "12.35"), (-999_999.0, "-999,999.00"), (1_000_000.0, "1.00M"), (-2.5e9, "-2.50B"), (3.14159e12, "3.14T")],
)
def test_large_numbers_are_written_short(value, text):
    assert _short(value, 2) == text


def test_all_symbols_of_a_source_are_looked_at_unless_some_are_named(qtw):
    everything = qtw("market", "screen", *STOCKS, "--json").json
    named = qtw("market", "screen", *STOCKS, "-s", "AAPL,IBM", "--json").json
    universe = [{fact["name"]: fact["value"] for fact in one["facts"]}["universe"] for one in (everything, named)]
    assert universe == [len(qtw_lab.data.SAMPLES["stocks"].info().symbols), 2]
    assert pd.Index([row["symbol"] for row in named["table"]]).isin(["AAPL", "IBM"]).all()
