"""`Run`: one recorded piece of work, as it stood when it was looked up."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd

from qtw_lab.core.bars import Bars, SeriesRef
from qtw_lab.core.errors import DataError
from qtw_lab.core.facts import Facts

Status = Literal["running", "ok", "failed"]

#: Files of a run's folder that have a meaning of their own.
NOTEBOOK_FILE: Final = "notebook.ipynb"
SOURCE_FILE: Final = "source.ipynb"
FACTS_FILE: Final = "facts.json"
DATA_FILE: Final = "data.json"
REPORT_FILE: Final = "report.html"
MANIFEST_FILE: Final = "manifest.json"
#: Which process executes the notebook; there while it does.
KERNEL_FILE: Final = ".kernel.json"

_NAME: Final = re.compile(r"[\w][\w .+-]{0,59}")


def checked_name(name: str) -> str:
    """The name, which may become part of a file's.

    Raises
    ------
    DataError
        If it may not.

    Examples
    --------
    >>> checked_name("nightly report")
    'nightly report'
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DataError(
            f"{name!r} cannot name a run: use letters, digits, spaces and . _ + -, at most 60, "
            "starting with a letter or digit."
        )
    return name


@dataclass(frozen=True, slots=True)
class DataUse:
    """Data that a piece of work was done on.

    Parameters
    ----------
    fingerprint : str
        `Bars.fingerprint`: equal data, equal fingerprint.
    symbols : tuple of str
        What it holds.
    source : str
        Where it came from, for people.
    series : tuple of SeriesRef
        Stored versions behind it, if any.
    """

    fingerprint: str
    symbols: tuple[str, ...]
    source: str
    series: tuple[SeriesRef, ...] = ()

    @classmethod
    def of(cls, bars: Bars) -> DataUse:
        """What is worth recording about `bars`."""
        return cls(bars.fingerprint, bars.symbols, bars.source, bars.series)

    def as_dict(self) -> dict[str, Any]:
        """Plain values ready for JSON."""
        series = [
            {name: getattr(ref, name) for name in ("source", "symbol", "timeframe", "content")} for ref in self.series
        ]
        return {"fingerprint": self.fingerprint, "symbols": list(self.symbols), "source": self.source, "series": series}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> DataUse:
        """The value that `as_dict` made plain; other entries are left aside.

        Raises
        ------
        DataError
            If the fingerprint is missing or an entry has the wrong shape.
        """
        try:
            refs = [
                (ref["source"], ref["symbol"], ref["timeframe"], ref["content"]) for ref in plain.get("series") or ()
            ]
            symbols, source = tuple(plain.get("symbols") or ()), plain.get("source") or ""
            texts = (plain["fingerprint"], source, *symbols, *(text for ref in refs for text in ref))
        except (KeyError, TypeError, AttributeError) as err:
            raise DataError(f"This is not a record of data used ({err!r}); see qtw_lab.runs.DataUse.as_dict.") from err
        if not all(isinstance(text, str) for text in texts) or isinstance(plain.get("symbols"), str):
            raise DataError(
                "A record of data used holds text only, and symbols as a list; see qtw_lab.runs.DataUse.as_dict."
            )
        return cls(plain["fingerprint"], symbols, source, tuple(SeriesRef(*ref) for ref in refs))


@dataclass(frozen=True)
class Run:
    """One recorded piece of work: a notebook executed, or a backtest made by hand.

    Parameters
    ----------
    id : str
        Start time in UTC and a random ending; ids sort by time.
    kind : str
        "notebook", "backtest", ...
    name : str
        What was run.
    status : {"running", "ok", "failed"}
        How it stood when it was looked up.
    started, finished : pandas.Timestamp
        In UTC; `finished` is None while it runs.
    folder : pathlib.Path or None
        Where its files are, if it has any; None once they were removed to make room (`pruned`).
    parameters : mapping
        What it was given; secrets as ``env:NAME``.
    error : str or None
        Why it failed.
    manifest : mapping
        The record of inputs, outputs and timing; see `qtw_lab.runs.manifest`.
    """

    id: str
    kind: str
    name: str
    status: Status
    started: pd.Timestamp
    finished: pd.Timestamp | None
    folder: Path | None
    parameters: Mapping[str, Any]
    error: str | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def seconds(self) -> float | None:
        """How long it took, in seconds; None while it runs."""
        return None if self.finished is None else (self.finished - self.started).total_seconds()

    @property
    def pruned(self) -> pd.Timestamp | None:
        """When the run's files were removed to make room, in UTC; None if they were not."""
        gone = self.manifest.get("pruned")
        return None if gone is None else pd.Timestamp(gone["at"])

    @property
    def notebook(self) -> Path | None:
        """The executed notebook, if there is one."""
        return self._file(NOTEBOOK_FILE)

    @property
    def report(self) -> Path | None:
        """The report the run wrote, if it did."""
        return self._file(REPORT_FILE)

    def facts(self) -> Facts:
        """The figures the run recorded.

        Raises
        ------
        DataError
            If it recorded none.
        """
        path = self._file(FACTS_FILE)
        if path is not None:
            return Facts.from_json(path.read_text("utf-8"))
        if "facts" in self.manifest:
            return Facts.from_json(json.dumps(self.manifest["facts"]))
        raise DataError(
            f"Run {self.id} ({self.name}, {self.status}) recorded no figures. A notebook records those it displays as "
            f"Facts, or the file {FACTS_FILE} it writes into its run_folder."
        )

    def _file(self, name: str) -> Path | None:
        path = None if self.folder is None else self.folder / name
        return path if path is not None and path.is_file() else None

    def _repr_html_(self) -> str:
        took = "" if self.seconds is None else f"{self.seconds:,.1f} s"
        rows = {
            "run": self.id,
            "name": f"{self.name} ({self.kind})",
            "status": self.status if self.error is None else f"{self.status}: {self.error}",
            "started": f"{self.started:%Y-%m-%d %H:%M:%S} UTC",
            "took": took,
            "parameters": json.dumps(self.parameters, ensure_ascii=False),
            "folder": "" if self.folder is None else str(self.folder),
            "files": "" if self.pruned is None else f"removed {self.pruned:%Y-%m-%d %H:%M:%S} UTC to make room",
        }
        cells = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in rows.items() if v)
        return f'<table class="qtw-run">{cells}</table>'
