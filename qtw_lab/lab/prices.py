"""Where prices are found, and prices on their way into the store, under inspection and under suspicion of revision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pandas as pd

from qtw_lab.core import Bars, DataError, Timeframe, lookup, parse_symbols
from qtw_lab.data import SAMPLES, QualityReport, check, read_bars, read_table, resample, sample_bars
from qtw_lab.data.merging import incoming
from qtw_lab.data.series import Pointer, SeriesKey
from qtw_lab.data.store import Store
from qtw_lab.data.writing import Stored, WriteReport, refuse_mismatch

if TYPE_CHECKING:
    from qtw_lab.backtest.actions import Actions
    from qtw_lab.data.store import Adjustment
    from qtw_lab.runs import Registry

#: File endings that tell a path from a list of symbols.
_FILES: Final = (".csv", ".csv.gz", ".tsv", ".txt", ".parquet", ".pq")

#: How many origins a line for people names.
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which series are asked for.

    Parameters
    ----------
    symbols : tuple of str
        Without a prefix, in upper case.
    timeframe : Timeframe
        Length of a bar.
    source : str or None
        The one source that an argument or a prefix names.
    """

    symbols: tuple[str, ...]
    timeframe: Timeframe
    source: str | None

    @classmethod
    def parse(cls, symbols: str | Iterable[str], timeframe: str | Timeframe, source: str | None) -> Wanted:
        """What "AAPL,IBM", "stocks:AAPL" or a list of such asks for.

        Raises
        ------
        DataError
            If two sources are named, or a symbol or the timeframe cannot be read.

        Examples
        --------
        >>> Wanted.parse("stocks:aapl", "1D", None)
        Wanted(symbols=('AAPL',), timeframe=Timeframe(count=1, unit='D'), source='stocks')
        """
        given = list(symbols) if isinstance(symbols, Iterable) and not isinstance(symbols, str) else [symbols]
        pieces = [piece for text in given for piece in (text.split(",") if isinstance(text, str) else [text])]
        texts = [piece for piece in pieces if isinstance(piece, str) and ":" in piece]
        named = {text.rpartition(":")[0].strip() for text in texts} | ({source} if source is not None else set())
        if len(named) > 1:
            listed = ", ".join(sorted(map(str, named)))
            raise DataError(f"One request reads one source, but {listed} are named. Ask for each separately.")
        bare = [piece.rpartition(":")[2] if isinstance(piece, str) else piece for piece in pieces]
        return cls(parse_symbols(bare), Timeframe.parse(timeframe), next(iter(named), None))


def find(store: Store, wanted: Wanted, start: Any, end: Any, adjustment: str) -> Bars:
    """The bars asked for: from the store if it has every symbol, else from the bundled data.

    Raises
    ------
    DataError
        As `Lab.bars`.
    """
    stored = store.keys()
    if wanted.source is not None:
        lookup(wanted.source, dict.fromkeys((*SAMPLES, *(key.source for key in stored))), "source of prices")
    keys = [key for key in stored if wanted.source in (None, key.source)]
    span = None if wanted.source in SAMPLES else _stored_span(keys, wanted)
    if span is None and wanted.source not in (None, *SAMPLES):
        span = wanted.timeframe  # the store says what it has instead
    if span is not None:
        found = store.bars(wanted.symbols, span, wanted.source, start, end, cast("Adjustment", adjustment))
        return resample(found, wanted.timeframe)
    if wanted.source is None:
        _refuse_unknown(keys, wanted.symbols)
    return sample_bars(wanted.symbols, start, end, adjustment, wanted.source, wanted.timeframe)


def actions(store: Store, wanted: Wanted, start: Any, end: Any) -> Actions:
    """The splits and dividends between the raw and the adjusted prices of those symbols.

    Raises
    ------
    DataError
        As `Lab.actions`.
    """
    from qtw_lab.backtest.actions import Actions

    raw, everything = (find(store, wanted, start, end, adjustment) for adjustment in ("raw", "all"))
    if everything.adjustment != "all":
        raise DataError(
            f"No adjustment factors came with {few(wanted.symbols)}, so splits and dividends are not known. Import "
            "prices with an 'Adj Close' or 'factor' column."
        )
    try:
        split = find(store, wanted, start, end, "split")
    except DataError:  # splits are not known apart from dividends: they are recognised by their size
        split = None
    return Actions.from_prices(raw, split, everything)


def _stored_span(keys: Iterable[SeriesKey], wanted: Wanted) -> Timeframe | None:
    """The length of the stored bars to use: that asked for, else the longest from which it can be made."""
    held: dict[str, set[Timeframe]] = {symbol: set() for symbol in wanted.symbols}
    for key in keys:
        if key.symbol in held:
            held[key.symbol].add(Timeframe.parse(key.timeframe))
    whole = set.intersection(*held.values())
    if wanted.timeframe in whole:
        return wanted.timeframe
    fitting = [span for span in whole if _adds_up(span, wanted.timeframe)]
    return max(fitting, key=lambda span: span.seconds, default=None)


def _adds_up(short: Timeframe, long: Timeframe) -> bool:
    """Whether bars of one length make up bars of another."""
    if short.intraday:
        return short.seconds < long.seconds and not (long.intraday and long.seconds % short.seconds)
    return short == Timeframe(1, "D") and long.unit in ("W", "ME")


def _refuse_unknown(keys: Iterable[SeriesKey], symbols: tuple[str, ...]) -> None:
    """Refuse symbols that nobody has, and symbols of which some are only stored and some only bundled."""
    bundled = {symbol for sample in SAMPLES.values() for symbol in sample.symbols()}
    stored = {key.symbol: key.timeframe for key in keys}
    for symbol in symbols:
        lookup(symbol, dict.fromkeys((*sorted(bundled), *stored)), "symbol")
    lone = [symbol for symbol in symbols if symbol not in bundled]
    others = [symbol for symbol in symbols if symbol in bundled]
    if lone and others:
        raise DataError(
            f"No one source has all of {', '.join(symbols)}: {few(lone)} is in your store and {few(others)} comes with "
            "the package. Ask for them separately, or import the missing ones into your store."
        )
    if lone:
        spans = few(sorted({f"{symbol} in bars of {stored[symbol]}" for symbol in lone}))
        raise DataError(f"The store has {spans}, from which the bars asked for cannot be made. Ask for one of those.")


def few(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are.

    Examples
    --------
    >>> few(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def own_key(source: str, symbol: str, timeframe: str | Timeframe) -> SeriesKey:
    """The series that prices of your own are stored as.

    Raises
    ------
    DataError
        If it cannot be named so, or the source is called like a bundled data set and could not be told from it.
    """
    if source in SAMPLES:
        raise DataError(f"{source!r} is a bundled data set. Give your source another name, such as 'import'.")
    return SeriesKey(source, parse_symbols(symbol)[0], str(Timeframe.parse(timeframe)))


def import_file(
    store: Store, path: Path, symbol: str | None, *, source: str, timeframe: str | None, tz: str | None
) -> tuple[WriteReport, ...]:
    """Merge the prices of a file into the store, one series a symbol.

    Everything is read, checked and named before the first series is written. An ``Adj Close`` column becomes the
    adjustment factor; the raw prices are stored as they are.
    """
    raw = read_bars(path, symbol, timeframe=timeframe, tz=tz)
    adjusted = any("Adj Close" in note for note in raw.notes)
    factors = read_bars(path, symbol, timeframe=timeframe, tz=tz, adjust=True).close / raw.close if adjusted else None
    notes = tuple(note for note in raw.notes if "Adj Close" not in note)
    frames: dict[SeriesKey, pd.DataFrame] = {}
    for place, name in enumerate(raw.symbols):
        frame = pd.DataFrame({field: array[:, place] for field, array in raw.values.items()}, index=raw.index)
        if factors is not None:
            frame["factor"] = factors[name]
        key = own_key(source, name, raw.timeframe)
        if key in frames:
            raise DataError(f"{path.name} has two symbols that differ in case only, {name} among them. Rename one.")
        frames[key] = frame[raw.present[:, place]]
    _refuse_mismatches(store, frames, raw.calendar)
    return tuple(
        store.write(key, frame, calendar=raw.calendar, origin=path.name, notes=notes) for key, frame in frames.items()
    )


def _refuse_mismatches(store: Store, frames: Mapping[SeriesKey, pd.DataFrame], calendar: str) -> None:
    """Refuse what a write of any series would refuse: all series of a file are stored, or none."""
    for key in set(frames) & set(store.keys()):
        stored = Stored(Pointer(key, store.versions(key), ()), store.table(key))
        refuse_mismatch(stored, incoming(frames[key], key, calendar))


def is_file(text: str) -> bool:
    """Whether the text names a price file rather than symbols."""
    return text.lower().endswith(_FILES) or (Path(text).suffix != "" and Path(text).is_file())


def inspect(what: str | Path | pd.DataFrame | Bars, timeframe: str | None) -> QualityReport:
    """The quality report of a price file, a table or bars."""
    if isinstance(what, (pd.DataFrame, Bars)):
        return check(what, timeframe=timeframe)
    if not isinstance(what, (str, Path)):
        raise DataError(f"Symbols, a price file, a table or bars can be checked, not {type(what).__name__}.")
    return check(read_table(what), symbol=Path(what).name.partition(".")[0], timeframe=timeframe)


def affected_runs(registry: Registry, written: Iterable[WriteReport]) -> pd.DataFrame:
    """Saved runs that used a stored version whose bars these writes changed."""
    parts = [
        registry.users_of(one.key.source, one.key.symbol, one.key.timeframe, one.revision.affected).assign(
            symbol=one.key.symbol, changed_bars=one.revision.changed_bars
        )
        for one in written
        if one.revision is not None and one.revision.alarm
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def revisions(store: Store, registry: Registry) -> pd.DataFrame:
    """One row for each time a vendor changed the past of a stored series, with the saved runs on the old bars."""
    rows = []
    stored = store.keys()
    for key in stored:
        for report in store.revisions(key):
            if report.alarm:
                users = registry.users_of(key.source, key.symbol, key.timeframe, report.affected)
                rows.append(
                    {
                        "series": str(key), "found": report.written_at, "changed_bars": report.changed_bars,
                        "changed_values": report.changed, "runs": ", ".join(users.get("id", pd.Series(dtype=str))),
                        "message": report.message,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)
