"""The reference's files: latest states as JSON, bars and signals as JSON lines. Written for others, never read here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from qtw_lab.core import DataError, SetupError
from qtw_lab.live.journal_kinds import Rows, packed_json
from qtw_lab.live.metrics import append_whole
from qtw_lab.live.rows import flag_names, gate_text
from qtw_lab.live.status import replace_quickly

#: Rows in bars_latest.json and signals_latest.json at most.
LATEST: Final = 200

#: What may wait in memory while the disk is full, for each file.
_WAITING: Final = 8 << 20

_DAY: Final = 86_400 * 10**9


class Exports:
    """Files by the names of the reference, for programs that know them.

    State folder, each replaced in one step: ``stream_state.json``, ``bars_latest.json``, ``signals_latest.json``,
    ``universe_state.json``, ``universe_ranked.json``, ``focus_state.json``, ``focus_summary.json``. Data folder,
    appended to: ``bars_1s_YYYYMMDD.ndjson``, ``bars_5s_YYYYMMDD.ndjson`` and so on by level, and
    ``signals_YYYYMMDD.ndjson``; the day is the UTC day of the bar. A file that would exceed `max_bytes` is set aside as
    ``NAME.1``, the next as ``NAME.2`` and so on: 1 is the oldest, and none is ever deleted.

    Methods gather; `write`, once a second, writes. A missing number is null.

    Parameters
    ----------
    state_folder, data_folder : pathlib.Path
        REALTIME_STATE_DIR and REALTIME_DATA_DIR; made if missing.
    max_bytes : int
        REALTIME_NDJSON_MAX_BYTES.

    Raises
    ------
    DataError
        If `max_bytes` is below 1,024.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     exports = Exports(Path(folder), Path(folder))
    ...     exports.stream(1_704_205_800 * 10**9, "connected", "iex")
    ...     exports.write()
    ...     (Path(folder) / "stream_state.json").read_text()
    '{"updated_at":"2024-01-02T14:30:00.000Z","status":"connected","detail":"iex"}'
    """

    def __init__(self, state_folder: Path, data_folder: Path, max_bytes: int = 10_000_000) -> None:
        if max_bytes < 1024:
            raise DataError(f"REALTIME_NDJSON_MAX_BYTES is {max_bytes}; give at least 1024.")
        self.state_folder, self.data_folder, self._max_bytes = Path(state_folder), Path(data_folder), max_bytes
        self._states: dict[str, dict[str, Any]] = {}
        self._lines: dict[str, list[str]] = {}
        self._sizes: dict[str, int] = {}
        self._bars: list[str] = []
        self._signals: list[str] = []
        #: Lines that were given up because the disk was full for too long.
        self.dropped = 0

    def stream(self, now: int, status: str, detail: str = "") -> None:
        """How the stream is."""
        self._states["stream_state.json"] = {"updated_at": moment(now), "status": status, "detail": detail}

    def universe(self, now: int, ranked: Sequence[Mapping[str, Any]], total: int) -> None:
        """The ranked universe, best first; `total` is how many there were to choose from."""
        self._states["universe_state.json"] = {"updated_at": moment(now), "count": len(ranked)}
        self._states["universe_ranked.json"] = {"updated_at": moment(now), "total": total, "entries": list(ranked)}

    def focus(self, now: int, focus: Mapping[str, int], summary: Mapping[str, Any] | None = None) -> None:
        """The focus: since when by symbol (nanoseconds), and what its last change was."""
        since = [{"symbol": symbol, "since_ts": time / 1e9} for symbol, time in focus.items()]
        self._states["focus_state.json"] = {"updated_at": moment(now), "symbols": since}
        self._states["focus_summary.json"] = {"updated_at": moment(now), "size": len(focus), **(summary or {})}

    def bars(self, rows: Rows, names: Sequence[str]) -> None:
        """Finished or changed bars, rows of `qtw_lab.live.rows.ROW`; `names` are the symbols by number."""
        lines = bar_lines(rows, names)
        self._bars = [*self._bars, *lines][-LATEST:]
        self._gather("bars_{}_", rows, lines)

    def signals(self, rows: Rows, names: Sequence[str]) -> None:
        """Changes of stance, rows of `qtw_lab.live.rows.SIGNAL`."""
        lines = signal_lines(rows, names)
        self._signals = [*self._signals, *lines][-LATEST:]
        self._gather("signals_", rows, lines)

    def write(self) -> None:
        """Write all that was gathered.

        Raises
        ------
        SetupError
            If something cannot be written; lines wait for the next time, the newest beyond 8 MiB a file are dropped.
        """
        try:
            self._write_lines()
        except OSError as err:
            raise SetupError(
                f"Cannot write exports to {self.data_folder}: {err.strerror or err}. Free some space or permit "
                "writing there."
            ) from err
        for name, state in self._states.items():
            self._replace(name, packed_json(state))
        self._states = {}
        for name, lines in (("bars_latest.json", self._bars), ("signals_latest.json", self._signals)):
            if lines:
                self._replace(name, ('{"rows":[' + ",\n".join(lines) + "]}").encode())

    def _replace(self, name: str, content: bytes) -> None:
        self.state_folder.mkdir(parents=True, exist_ok=True)
        replace_quickly(self.state_folder / name, content)

    def _gather(self, name: str, rows: Rows, lines: Sequence[str]) -> None:
        """Put lines into the files of their level and day."""
        keys = rows["level"].astype(np.int64) * 10**6 + rows["time"] // _DAY
        for key in np.unique(keys).tolist():
            level, day = divmod(key, 10**6)
            date = str(np.datetime64(int(day), "D")).replace("-", "")
            file = f"{name.format(level_name(level))}{date}.ndjson"
            chosen = [lines[place] for place in np.flatnonzero(keys == key).tolist()] if (keys != key).any() else lines
            size = sum(map(len, chosen)) + len(chosen)
            if self._sizes.get(file, 0) + size > _WAITING:
                self.dropped += len(chosen)
                continue
            self._lines.setdefault(file, []).extend(chosen)
            self._sizes[file] = self._sizes.get(file, 0) + size

    def _write_lines(self) -> None:
        self.data_folder.mkdir(parents=True, exist_ok=True)
        for name in list(self._lines):
            path, content = self.data_folder / name, ("\n".join(self._lines[name]) + "\n").encode()
            if path.exists() and path.stat().st_size + len(content) > self._max_bytes:
                path.rename(self._free(path))
            append_whole(path, content)
            del self._lines[name], self._sizes[name]

    @staticmethod
    def _free(path: Path) -> Path:
        """The first name with a number that is not taken."""
        taken = [int(other.suffix[1:]) for other in path.parent.glob(path.name + ".*") if other.suffix[1:].isdigit()]
        return path.with_name(f"{path.name}.{max(taken, default=0) + 1}")


def moment(time: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 in UTC, to the millisecond.

    Examples
    --------
    >>> moment(1_704_205_800_250_000_000)
    '2024-01-02T14:30:00.250Z'
    """
    return str(np.datetime64(time, "ns").astype("datetime64[ms]")) + "Z"


def level_name(seconds: int) -> str:
    """The name of a level in a file's name.

    Examples
    --------
    >>> level_name(5), level_name(60), level_name(900)
    ('5s', '1m', '15m')
    """
    return f"{seconds // 60}m" if seconds % 60 == 0 and seconds else f"{seconds}s"


def bar_lines(rows: Rows, names: Sequence[str]) -> list[str]:
    """A JSON object for each bar; what is missing is null."""
    times = _moments(rows)
    flags = {int(flag): json.dumps(flag_names(int(flag))) for flag in np.unique(rows["flags"])}
    fields = ("level", "symbol", "time", "open", "high", "low", "close", "volume", "vwap", "count", "bid", "ask")
    columns = [rows[name].tolist() for name in (*fields, "flags", "revision")]
    lines = [
        f'{{"symbol":"{names[n]}","ts":"{times[t]}","interval":{level},"open":{o!r},"high":{h!r},"low":{low!r},'
        f'"close":{c!r},"volume":{v!r},"vwap":{w!r},"trades":{k},"bid":{b!r},"ask":{a!r},"flags":{flags[f]},'
        f'"revision":{r}}}'
        for level, n, t, o, h, low, c, v, w, k, b, a, f, r in zip(*columns, strict=True)
    ]
    return _without_nan(lines, rows, ("open", "high", "low", "close", "volume", "vwap", "bid", "ask"))


def signal_lines(rows: Rows, names: Sequence[str]) -> list[str]:
    """A JSON object for each change of stance; what is missing is null."""
    times = _moments(rows)
    columns = [
        rows[name].tolist() for name in ("level", "symbol", "time", "stance", "previous", "wanted", "price", "gate")
    ]
    lines = [
        f'{{"symbol":"{names[n]}","ts":"{times[t]}","interval":{level},"stance":{s!r},"previous":{p!r},"wanted":{w!r},'
        f'"price":{x!r},"gate":{json.dumps(gate_text(g))}}}'
        for level, n, t, s, p, w, x, g in zip(*columns, strict=True)
    ]
    return _without_nan(lines, rows, ("stance", "previous", "wanted", "price"))


def _moments(rows: Rows) -> dict[int, str]:
    return {time: moment(time) for time in np.unique(rows["time"]).tolist()}


def _without_nan(lines: list[str], rows: Rows, fields: Sequence[str]) -> list[str]:
    """Put null for numbers that are not; names of symbols stand in quotes, so that `:nan` is never one of them."""
    odd = ~np.all([np.isfinite(rows[name]) for name in fields], axis=0)
    for place in np.flatnonzero(odd).tolist():
        lines[place] = lines[place].replace(":nan", ":null").replace(":inf", ":null").replace(":-inf", ":null")
    return lines
