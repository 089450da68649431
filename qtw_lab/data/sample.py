"""Real prices that come with installed packages, read where they lie: nothing is downloaded and nothing is copied."""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import importlib.util
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from qtw_lab.core import Bars, DataError, SeriesRef, SetupError, Timeframe, lookup, parse_symbols
from qtw_lab.core.bars import FIELDS
from qtw_lab.data.resampling import resample
from qtw_lab.data.sources import Source, SourceInfo

_DAILY: Final = Timeframe(1, "D")


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A data file inside an installed package, found without importing the package.

    Parameters
    ----------
    package : str
        Name to import, also the name to install.
    path : str
        Path inside the package.
    remedy : str
        The command that installs it.
    """

    package: str
    path: str
    remedy: str

    def locate(self) -> Path:
        """Where the file lies.

        Raises
        ------
        SetupError
            If the package is not installed or lacks the file.
        """
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise SetupError(
                f"{self.package}, which ships this data set, is not installed. Install it with: {self.remedy}"
            )
        path = Path(next(iter(spec.submodule_search_locations)), *self.path.split("/"))
        if not path.is_file():
            raise SetupError(
                f"{self.package} {self.version} is installed without {self.path}, where this data set should be. "
                f"Reinstall it with: {self.remedy}"
            )
        return path

    @property
    def version(self) -> str:
        """Version of the installed package."""
        return importlib.metadata.version(self.package.replace("_", "-"))


@cache
def _table(file: PackagedFile) -> pd.DataFrame:
    """The file as a table, read once in a process; callers must not write into it."""
    try:
        content = gzip.decompress(file.locate().read_bytes())
        return pd.read_csv(io.BytesIO(content), parse_dates=["Date"])
    except (OSError, EOFError, ValueError) as err:
        raise SetupError(
            f"{file.path} of {file.package} cannot be read ({err}). Reinstall it with: {file.remedy}"
        ) from err


@cache
def _content(file: PackagedFile) -> str:
    """Package, version and the first half of the file's SHA-256: what the numbers were read from."""
    digest = hashlib.sha256(file.locate().read_bytes()).hexdigest()
    return f"{file.package} {file.version} sha256:{digest[:32]}"


@dataclass(frozen=True)
class Dataset:
    """A bundled data set: a `Source` of daily bars that needs no network.

    Parameters
    ----------
    name, title, licence : str
        As `SourceInfo`.
    files : mapping of str to PackagedFile
        Which file holds each symbol.
    read : callable
        From symbol, file and adjustment to that symbol's table of the five bar fields, indexed by session date (UTC).
    adjustments : mapping of str to str
        What may be asked for; an empty text permits it, any other says why not.
    caveats : tuple of str
        Notes on every `Bars`.
    symbol_caveats : mapping of str to tuple of str
        Notes on bars that hold that symbol.
    """

    name: str
    title: str
    licence: str
    files: Mapping[str, PackagedFile]
    read: Callable[[str, PackagedFile, str], pd.DataFrame]
    adjustments: Mapping[str, str]
    caveats: tuple[str, ...]
    symbol_caveats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def symbols(self) -> tuple[str, ...]:
        """Every symbol of the data set; known without reading a file."""
        return tuple(self.files)

    def bars(
        self,
        symbols: str | Iterable[str],
        start: Any = None,
        end: Any = None,
        timeframe: str | Timeframe = "1D",
        adjustment: str = "all",
    ) -> Bars:
        """Bars of those symbols; see `sample_bars`.

        Raises
        ------
        DataError
            If a symbol is unknown, the adjustment is not to be had, the timeframe is intraday, or no bar is in the
            range.
        SetupError
            If the package that ships the data is missing.
        """
        wanted = parse_symbols(symbols)
        for symbol in wanted:
            lookup(symbol, self.files, f"symbol in data set {self.name!r}")
        self._refuse(Timeframe.parse(timeframe), adjustment)
        parts = {symbol: self.read(symbol, self.files[symbol], adjustment) for symbol in wanted}
        index = pd.DatetimeIndex(sorted(set().union(*(part.index for part in parts.values()))), name="timestamp")
        aligned = [part.reindex(index) for part in parts.values()]
        daily = Bars(
            index=index.as_unit("ns"),
            symbols=wanted,
            values={name: np.column_stack([part[name] for part in aligned]) for name in FIELDS},
            timeframe=_DAILY,
            calendar="XNYS",
            adjustment=adjustment,
            source=f"sample:{self.name}",
            notes=self._caveats(wanted),
            series=tuple(SeriesRef(f"sample:{self.name}", s, "1D", _content(self.files[s])) for s in wanted),
        ).between(start, end)
        return resample(daily.noting(*_late(daily, parts)), timeframe)

    def info(self) -> SourceInfo:
        """What the data set holds; reads it."""
        dates = [self.read(symbol, file, "all").index for symbol, file in self.files.items()]
        file = next(iter(self.files.values()))
        return SourceInfo(
            name=self.name,
            title=self.title,
            licence=self.licence,
            origin=file.package,
            version=file.version,
            symbols=self.symbols(),
            first=min(index[0] for index in dates),
            last=max(index[-1] for index in dates),
            timeframe=_DAILY,
            adjustments=tuple(name for name, refusal in self.adjustments.items() if not refusal),
            caveats=self._caveats(self.symbols()),
        )

    def _caveats(self, symbols: tuple[str, ...]) -> tuple[str, ...]:
        own = (caveat for symbol in symbols for caveat in self.symbol_caveats.get(symbol, ()))
        return tuple(dict.fromkeys((*self.caveats, *own)))

    def _refuse(self, timeframe: Timeframe, adjustment: str) -> None:
        refusal = lookup(adjustment, self.adjustments, "adjustment")
        if refusal:
            raise DataError(refusal)
        if timeframe.intraday:
            raise DataError(f"Data set {self.name!r} holds daily bars; {timeframe} is finer. Ask for 1D, 1W or 1ME.")


def sample_bars(
    symbols: str | Iterable[str],
    start: Any = None,
    end: Any = None,
    adjustment: str = "all",
    dataset: str | None = None,
    timeframe: str | Timeframe = "1D",
) -> Bars:
    """Bundled real prices of those symbols from `start` to `end`, both included; NaN before a symbol's listing.

    Parameters
    ----------
    symbols : str or iterable of str
        Such as "AAPL,IBM" or ["sp500:AAPL", "JNJ"]; a prefix names the data set for all of them.
    start, end : date-like, optional
        The whole history by default.
    adjustment : {"all", "raw"}
        Prices adjusted for splits and dividends, or as traded.
    dataset : str, optional
        A name in `SAMPLES`; by default the first data set that has all the symbols.
    timeframe : str or Timeframe
        "1D", or longer by resampling: "1W", "1ME".

    Returns
    -------
    Bars
        Sessions of XNYS. `notes` carry the caveats of the data set (hindsight choice of symbols, missing fields).

    Raises
    ------
    DataError
        If a symbol or data set is unknown (near misses are named), no data set has all of them, or as `Dataset.bars`.
    SetupError
        If the package that ships the data is not installed.

    Examples
    --------
    >>> sample_bars("AAPL", "2012-10-26", "2012-10-31").close["AAPL"].round(2).to_dict()
    {Timestamp('2012-10-26 00:00:00+0000', tz='UTC'): 77.95, Timestamp('2012-10-31 00:00:00+0000', tz='UTC'): 76.83}
    """
    wanted, named = _unqualified(symbols, dataset)
    if named is not None:
        return lookup(named, SAMPLES, "bundled data set").bars(wanted, start, end, timeframe, adjustment)
    known = {symbol: name for name, source in reversed(SAMPLES.items()) for symbol in source.symbols()}
    for symbol in wanted:
        lookup(symbol, known, "bundled symbol")
    for source in SAMPLES.values():
        if set(wanted) <= set(source.symbols()):
            return source.bars(wanted, start, end, timeframe, adjustment)
    held = "; ".join(f"{name}: {', '.join(s for s in wanted if s in src.symbols())}" for name, src in SAMPLES.items())
    raise DataError(f"No bundled data set has all of {', '.join(wanted)} ({held}). Ask for each data set separately.")


def _unqualified(symbols: str | Iterable[str], dataset: str | None) -> tuple[tuple[str, ...], str | None]:
    """Bare symbols, and the one data set that an argument or a prefix names."""
    pieces = symbols.split(",") if isinstance(symbols, str) else [p for s in symbols for p in str(s).split(",")]
    prefixes = {piece.partition(":")[0].strip() for piece in pieces if ":" in piece}
    named = prefixes | ({dataset} if dataset is not None else set())
    if len(named) > 1:
        raise DataError(
            f"One request reads one data set, but {', '.join(sorted(named))} are named. Ask for each separately."
        )
    return parse_symbols([piece.rpartition(":")[2] for piece in pieces]), next(iter(named), None)


def _late(bars: Bars, parts: dict[str, pd.DataFrame]) -> list[str]:
    """A note for every symbol whose history begins inside or after the range asked for."""
    first = bars.index[0]
    return [
        f"{symbol} is first quoted on {part.index[0].date()}" for symbol, part in parts.items() if part.index[0] > first
    ]


def _dated(table: pd.DataFrame) -> pd.DataFrame:
    index = pd.DatetimeIndex(table["Date"], name="timestamp").tz_localize("UTC").as_unit("ns")
    return table.drop(columns="Date").set_axis(index, axis=0)


@cache
def _stock(symbol: str, file: PackagedFile, adjustment: str) -> pd.DataFrame:
    """One stock with all five fields; "all" multiplies the four prices by adjusted over raw close."""
    table = _table(file)
    part = _dated(table[table["Ticker"] == symbol]).drop(columns="Ticker")
    factor = part["Adj Close"] / part["Close"] if adjustment == "all" else 1.0
    prices = {name: part[name.capitalize()] * factor for name in ("open", "high", "low", "close")}
    return pd.DataFrame(prices | {"volume": part["Volume"].astype(np.float64)})


@cache
def _closes(symbol: str, file: PackagedFile, _adjustment: str) -> pd.DataFrame:
    """One column of closes standing for all four prices; volume is not known. There is one adjustment only."""
    close = _dated(_table(file)[["Date", symbol]])[symbol].astype(np.float64)
    return pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), close) | {"volume": np.nan})


_STOCKS: Final = PackagedFile("bokeh_sampledata", "_data/stocks.csv.gz", "pip install bokeh-sampledata")
_SP500: Final = PackagedFile("skfolio", "datasets/data/sp500_dataset.csv.gz", "pip install 'qtw-lab[backtest]'")
_SP500_INDEX: Final = replace(_SP500, path="datasets/data/sp500_index.csv.gz")
_LARGE_CAPS: Final = (
    "AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO",
    "LLY", "MRK", "MSFT", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM",
)  # fmt: skip

#: The bundled data sets by name, in the order in which they are searched for a symbol.
SAMPLES: Final[dict[str, Source]] = {
    "stocks": Dataset(
        name="stocks",
        title="Five US technology stocks, daily, 2000 to 2013",
        licence="BSD-3-Clause (package)",
        files=MappingProxyType(dict.fromkeys(("AAPL", "FB", "GOOG", "IBM", "MSFT"), _STOCKS)),
        read=_stock,
        adjustments=MappingProxyType(
            {
                "all": "",
                "raw": "",
                "split": "Data set 'stocks' has raw prices and fully adjusted ones. Ask for raw or all.",
            }
        ),
        caveats=("survivors only: the stocks were chosen with hindsight, so buying them looks better than it was",),
    ),
    "sp500": Dataset(
        name="sp500",
        title="Twenty large US companies and the S&P 500, daily closes, 1990 to 2022",
        licence="BSD-3-Clause (package)",
        files=MappingProxyType(dict.fromkeys(_LARGE_CAPS, _SP500) | {"SP500": _SP500_INDEX}),
        read=_closes,
        adjustments=MappingProxyType(
            {"all": ""}
            | dict.fromkeys(
                ("raw", "split"),
                "Data set 'sp500' ships adjusted closes only; the prices as traded are not in it and cannot be worked "
                "out without its dividends and splits. Ask for adjustment='all', or use data set 'stocks'.",
            )
        ),
        caveats=("closes only: the close stands for open, high and low, and volume is not known",),
        symbol_caveats=MappingProxyType(
            dict.fromkeys(
                _LARGE_CAPS,
                (
                    "survivors only: companies that were large in the end, so buying them looks better than it was",
                    "prices are rounded to a tenth of a cent, which blurs returns where they are below a dollar",
                ),
            )
            | {"SP500": ("SP500 is the price index: without dividends, unlike adjusted stocks",)}
        ),
    ),
}
