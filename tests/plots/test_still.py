"""Still pages: complete, in the colours of the theme, and the same bytes every time."""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from qtw_lab.core import DataError, Fact, Facts
from qtw_lab.plots.still import Still, still
from qtw_lab.plots.theme import THEMES


@pytest.fixture(scope="module")
def sheet() -> Still:
    days = pd.bdate_range("2020-01-01", periods=600, tz="UTC")
    returns = pd.Series(np.random.default_rng(5).normal(0.0005, 0.01, 600), index=days)
    growth = (1 + returns).cumprod()
    years = sorted(set(days.year))
    return Still(
        title="A $strategy$ with \\math{}", lead=Facts("Basis", (Fact("trials", 3, "count"),), ("a caveat",)),
        figures=Facts("F", (Fact("sharpe", 1.2), Fact("cagr", 0.1, "fraction"))), equity=growth * 1e5,
        benchmark=(growth * 9e4).rename("buy and hold"), drawdown=growth / growth.cummax() - 1.0, returns=returns,
        monthly=pd.DataFrame({m: 0.01 * m for m in range(1, 13)}, index=years),
        yearly=pd.DataFrame({"strategy": [0.1, -0.1, 0.2], "market": [0.0, 0.1, np.nan]}, index=years),
        rolling=pd.DataFrame({"Sharpe ratio": returns.rolling(60).mean()}),
        drawdowns=pd.DataFrame({"start": ["2020-01-01"], "depth": ["-10.00%"]}), marks={"VaR 95%": -0.02},
        notes=("Made of nothing.",),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["pdf", "png"])
def test_the_same_sheet_gives_the_same_bytes(sheet: Still, kind: str) -> None:
    first, second = (still(sheet, kind) for _ in range(2))  # type: ignore[arg-type]
    assert first == second


def test_a_pdf_has_two_pages_of_vectors_and_tells_no_time_unless_told(sheet: Still) -> None:
    plain = still(sheet, "pdf")
    assert plain.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", plain)) == 2
    assert b"CreationDate" not in plain
    assert b"Matplotlib" not in plain
    made = still(sheet, "pdf", datetime(2024, 5, 6, 7, 8, tzinfo=UTC))
    assert b"(D:20240506070800Z)" in made
    streams = [zlib.decompress(part) for part in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", plain, re.DOTALL)
               if part[:1] == b"x"]  # fmt: skip
    assert sum(stream.count(b" l\n") for stream in streams) > 600  # lines stay lines


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_holds_both_pages_on_the_theme_s_paper(sheet: Still, theme: str) -> None:
    opened = Image.open(io.BytesIO(still(sheet, "png", theme=theme)))
    assert "Software" not in opened.info
    picture = opened.convert("RGB")
    width, height = picture.size
    assert abs(height / width - 2 * 11.69 / 8.27) < 0.01
    assert picture.getpixel((3, 3)) == tuple(bytes.fromhex(THEMES[theme].paper[1:]))
    colours = {colour for _, colour in picture.getcolors(maxcolors=1 << 24)}
    for page in range(2):  # neither page is blank
        part = np.asarray(picture)[page * height // 2 : (page + 1) * height // 2]
        assert (part != part[0, 0]).any(axis=2).mean() > 0.02
    assert tuple(bytes.fromhex(THEMES[theme].series[0][1:])) in colours


def test_a_short_history_without_rolling_figures_or_drawdowns_is_drawn(sheet: Still) -> None:
    few = sheet.equity.index[:2]
    short = replace(
        sheet, equity=sheet.equity[:2], benchmark=sheet.benchmark[:2], drawdown=sheet.drawdown[:2] * 0.0,
        returns=sheet.returns[:2], rolling=pd.DataFrame(index=few), drawdowns=sheet.drawdowns.iloc[:0], marks={},
        notes=(), log=True, yearly=sheet.yearly.iloc[:1], monthly=sheet.monthly.iloc[:1] * np.nan,
    )  # fmt: skip
    assert len(still(short, "png")) > 10_000


def test_what_cannot_be_drawn_is_refused(sheet: Still) -> None:
    with pytest.raises(DataError, match="needs a title"):
        replace(sheet, title=" ")
    with pytest.raises(DataError, match="no value at all"):
        replace(sheet, equity=sheet.equity * np.nan)
    with pytest.raises(DataError, match="no kind of file 'svg'"):
        still(sheet, "svg")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no theme 'black'"):
        still(sheet, "png", theme="black")
