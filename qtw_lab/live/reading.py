"""What an engine's journal says, as tables: for notebooks and dashboards, which never disturb the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import Bars, DataError, parse_symbols
from qtw_lab.live.journal import read_journal
from qtw_lab.live.journal_kinds import DECISION, Entry, JournalEntry
from qtw_lab.live.log import Place
from qtw_lab.live.resuming import standing_of
from qtw_lab.live.rows import ROW, SIGNAL, flag_names, gate_text

Rows = npt.NDArray[Any]

#: Kinds of entries that `events` tells.
_TOLD: Final = (
    Entry.START, Entry.STOP, Entry.FOCUS, Entry.UNIVERSE, Entry.GAP, Entry.LINK, Entry.WARNING, Entry.NOTE,
)  # fmt: skip


class JournalReader:
    """Follows a journal: every call takes in what was written since the last one.

    Parameters
    ----------
    folder : Path
        Of the journal. Nothing there yet is a journal without entries.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     JournalReader(Path(folder)).bars(5).empty
    True
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._place: Place | None = None
        self._tables: dict[Entry, list[Rows]] = {Entry.ROWS: [], Entry.DECISIONS: [], Entry.SIGNALS: []}
        self._events: list[JournalEntry] = []

    @property
    def symbols(self) -> list[str]:
        """Symbols by number."""
        return list(standing_of(self.folder)[0].symbols)

    def rows(self, interval: int | None = None) -> Rows:
        """Bars as rows of `ROW`, each in its last revision, by length, time and symbol; of one length or of all."""
        found = self._table(Entry.ROWS, ROW)
        if interval is not None:
            found = found[found["level"] == interval]
        order = np.lexsort((found["revision"], found["symbol"], found["time"], found["level"]))
        found = found[order]
        key = found[["level", "time", "symbol"]]
        last = np.append(key[1:] != key[:-1], True) if len(found) else np.zeros(0, dtype=bool)
        newest: Rows = found[last]
        return newest

    def bars(self, interval: int, symbols: str | Iterable[str] | None = None, last: int | None = None) -> pd.DataFrame:
        """Bars of a length as a table, newest last.

        Parameters
        ----------
        interval : int
            Seconds.
        symbols : str or iterable of str, optional
            Which; all by default.
        last : int, optional
            Only so many of the last times.

        Returns
        -------
        pandas.DataFrame
            One row a bar: ``time`` (UTC, its start), ``symbol``, prices, ``volume``, ``vwap``, ``count``, ``bid``,
            ``ask``, ``flags`` (text) and ``revision``.
        """
        rows = self.rows(interval)
        names = np.array([*self.symbols, ""], dtype=object)
        if symbols is not None:
            wanted = parse_symbols(symbols)
            rows = rows[np.isin(names[rows["symbol"]].astype(str), wanted)]
        if last is not None and len(rows):
            rows = rows[np.isin(rows["time"], np.unique(rows["time"])[-last:])]
        table = pd.DataFrame({name: rows[name] for name in ROW.names or () if name not in ("level", "flags")})
        table["time"] = pd.to_datetime(rows["time"], utc=True)
        table["symbol"] = names[rows["symbol"]]
        table["flags"] = [flag_text(flags) for flags in rows["flags"].tolist()]
        return table[["time", "symbol", *[c for c in table.columns if c not in ("time", "symbol")]]]

    @property
    def calendar(self) -> str:
        """The trading hours that the engine was given last; "XNYS" before any."""
        self._follow()
        starts = [entry.content for entry in self._events if entry.kind == Entry.START]
        return str(starts[-1].get("calendar", "XNYS")) if starts else "XNYS"

    def panel(self, interval: int, symbols: str | Iterable[str] | None = None) -> Bars:
        """The same as `Bars`, to be backtested like any others.

        Parameters
        ----------
        interval : int
            Seconds.
        symbols : str or iterable of str, optional
            Which; all by default.

        Raises
        ------
        DataError
            If there are none.
        """
        table = self.bars(interval, symbols)
        table = table[np.isfinite(table["close"])]
        if table.empty:
            raise DataError(f"The journal in {self.folder} has no bars of {interval} s yet.")
        tidy = table.rename(columns={"time": "timestamp"})
        columns = ["timestamp", "symbol", "open", "high", "low", "close", "volume"]
        return Bars.from_frame(
            tidy[columns], timeframe=f"{interval}s", calendar=self.calendar, source="realtime journal"
        )

    def signals(self) -> pd.DataFrame:
        """Changes of stance, and those held back: time of the bar, symbol, stance, previous, wanted, price and gate."""
        rows = self._table(Entry.SIGNALS, SIGNAL)
        table = self._named(rows, ("stance", "previous", "wanted", "price"))
        table["gate"] = pd.Series([gate_text(gate) for gate in rows["gate"].tolist()], dtype=object)
        return table

    def decisions(self) -> pd.DataFrame:
        """What the strategy decided: time of the bar, symbol and stance; without bars on which it kept its stance."""
        return self._named(self._table(Entry.DECISIONS, DECISION), ("stance",))

    def events(self) -> pd.DataFrame:
        """What happened beside: when, what (link, gap, focus, universe, warning), and in which words."""
        self._follow()
        lines = [(e.received, e.kind.name.lower(), said(e)) for e in self._events if isinstance(e.kind, Entry)]
        table = pd.DataFrame(lines, columns=["time", "event", "what"])
        table["time"] = pd.to_datetime(table["time"], utc=True)
        return table

    def _named(self, rows: Rows, fields: Iterable[str]) -> pd.DataFrame:
        names = np.array([*self.symbols, ""], dtype=object)
        columns: dict[str, Any] = {"time": pd.to_datetime(rows["time"], utc=True), "symbol": names[rows["symbol"]]}
        return pd.DataFrame(columns | {name: rows[name] for name in fields})

    def _table(self, kind: Entry, form: np.dtype[Any]) -> Rows:
        self._follow()
        held = self._tables[kind]
        if len(held) > 1:
            self._tables[kind] = held = [np.concatenate(held)]
        return held[0] if held else np.zeros(0, dtype=form)

    def _follow(self) -> None:
        for entry in self._new():
            self._place = entry.after
            if entry.kind in self._tables:
                self._tables[Entry(entry.kind)].append(entry.content)
            elif entry.kind in _TOLD:
                self._events.append(entry)

    def _new(self) -> Iterator[JournalEntry]:
        return read_journal(self.folder, self._place)


def flag_text(flags: int) -> str:
    """The names of a bar's flags, such as "backfill, late"; empty if it has none.

    Examples
    --------
    >>> from qtw_lab.live.rows import Flag
    >>> flag_text(int(Flag.BACKFILL | Flag.LATE))
    'backfill, late'
    """
    return ", ".join(flag_names(flags))


def said(entry: JournalEntry) -> str:
    """An entry that is no table, in words."""
    content = entry.content
    if entry.kind == Entry.FOCUS:
        moves = [f"+{one['symbol']} ({one['reason']})" for one in content["entered"][:5]]
        moves += [f"-{one['symbol']} ({one['reason']})" for one in content["left"][:5]]
        return f"{len(content['focus'])} symbols; {len(content['entered'])} entered, {len(content['left'])} left: " + (
            ", ".join(moves)
        )
    if entry.kind == Entry.GAP:
        length = "" if content["end"] is None else f" of {(content['end'] - content['start']) / 1e9:.1f} s"
        return f"{content['state']}{length}: {content['reason']}"
    if entry.kind == Entry.UNIVERSE:
        return f"{content['ranked']} symbols ranked"
    if entry.kind == Entry.START:
        strategy = content.get("strategy", {})
        return f"{strategy.get('name')} {strategy.get('parameters')} on {content.get('feed')}"
    words = [str(content[name]) for name in ("state", "reason", "message") if content.get(name)]
    return ": ".join(words)
