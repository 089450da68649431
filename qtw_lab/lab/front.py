"""`Lab`: picks real parts by name and setting, and joins them. Its methods are a few lines each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import pandas as pd

from qtw_lab.backtest.trial_ledger import TrialLedger
from qtw_lab.core import Bars, Clock, Fact, Settings, SystemClock, Timeframe, parse_symbols
from qtw_lab.core.places import environment_lock
from qtw_lab.core.settings import secret_from_reference
from qtw_lab.data import SAMPLES, QualityReport
from qtw_lab.data.store import Store
from qtw_lab.data.writing import WriteReport
from qtw_lab.lab import prices, records
from qtw_lab.lab.present import Present
from qtw_lab.lab.studies import Studies
from qtw_lab.strategies import Strategy, strategy

if TYPE_CHECKING:
    from pydantic import SecretStr

    from qtw_lab.backtest.actions import Actions
    from qtw_lab.backtest.result import Result
    from qtw_lab.backtest.sweep import Sweep
    from qtw_lab.lab.comparison import Comparison
    from qtw_lab.lab.keepsakes import Keepsakes
    from qtw_lab.lab.report import Report
    from qtw_lab.runs import Registry, Run
    from qtw_lab.runs.replay import Replay

#: Arguments of `backtest` that are terms of the simulation and not parameters of the strategy.
_TERMS = (
    "costs", "sizing", "execution", "cash", "stops", "leverage", "account", "entry", "participation", "orders",
    "actions", "vwap", "verify", "engine",
)  # fmt: skip


@dataclass(frozen=True)
class Download:
    """What a download or an import brought.

    Parameters
    ----------
    written : tuple of WriteReport
        One for each series.
    affected : pandas.DataFrame
        Saved runs that used bars which this write changed: run id, name, symbol and how many bars changed.
    """

    written: tuple[WriteReport, ...]
    affected: pd.DataFrame = field(repr=False)

    @property
    def alarms(self) -> tuple[str, ...]:
        """One sentence for each series whose past the vendor revised."""
        return tuple(one.revision.message for one in self.written if one.revision is not None and one.revision.alarm)


@dataclass(frozen=True)
class Lab(Studies, Present):
    """Everything joined: data, strategies, backtests, charts, reports and recorded runs.

    Parameters
    ----------
    settings : Settings
        Folders, addresses and secrets.
    clock : Clock
        What tells the time.

    Examples
    --------
    >>> lab = Lab.offline()
    >>> lab.bars("AAPL", start="2012-01-01", end="2012-12-31").shape
    (250, 1)
    """

    settings: Settings
    clock: Clock = field(default_factory=SystemClock)

    @classmethod
    def offline(cls, storage: str | Path | None = None) -> Self:
        """The lab on embedded parts alone: bundled prices, files and SQLite; no account, no network.

        Parameters
        ----------
        storage : str or pathlib.Path, optional
            Folder for data and runs, in place of `QTW_STORAGE_DIR`.
        """
        settings = Settings.load()
        bare: dict[str, Any] = {"alpaca_api_key_id": None, "alpaca_api_secret_key": None, "qtw_keyring": False}
        if storage is not None:
            bare["qtw_storage_dir"] = Path(storage)
        return cls(settings.model_copy(update=bare))

    @classmethod
    def from_settings(cls, **settings: Any) -> Self:
        """The lab on what the environment and `.env` configure; keywords override single settings."""
        return cls(Settings.load(**settings))

    # Data

    @cached_property
    def store(self) -> Store:
        """The price store of this lab."""
        return Store(self.settings.qtw_storage_dir / "data", clock=self.clock)

    def bars(
        self,
        symbols: str | Iterable[str],
        start: Any = None,
        end: Any = None,
        timeframe: str | Timeframe = "1D",
        adjustment: str = "all",
        source: str | None = None,
    ) -> Bars:
        """Prices of some symbols from `start` to `end`, both included.

        Parameters
        ----------
        symbols : str or iterable of str
            "AAPL,IBM" or a list; in any case.
        start, end : date-like, optional
            The whole history by default.
        timeframe : str or Timeframe
            Length of a bar; a longer one than the data has is made by resampling.
        adjustment : {"all", "split", "raw"}
            For which corporate actions prices are adjusted.
        source : str, optional
            A bundled data set ("stocks", "sp500") or a source in your store; "stocks:AAPL" says the same. By default
            your store if it has every symbol in bars short enough, else the bundled data: what was used stands in
            `Bars.source`.

        Raises
        ------
        DataError
            If a symbol or source is not known (near misses are named), the dates are reversed, or nothing lies between
            them.
        """
        wanted = prices.Wanted.parse(symbols, timeframe, source)
        return prices.find(self.store, wanted, start, end, adjustment)

    def actions(
        self,
        symbols: str | Iterable[str],
        start: Any = None,
        end: Any = None,
        timeframe: str | Timeframe = "1D",
        source: str | None = None,
    ) -> Actions:
        """Splits and dividends between the raw and the adjusted prices of some symbols, for ``backtest(actions=...)``.

        Parameters
        ----------
        symbols, start, end, timeframe, source
            As in `bars`; give ``bars(..., adjustment="raw")`` the same.

        Raises
        ------
        DataError
            As `bars`, or if the prices came without adjustment factors.
        """
        wanted = prices.Wanted.parse(symbols, timeframe, source)
        return prices.actions(self.store, wanted, start, end)

    def sources(self) -> pd.DataFrame:
        """Every bundled data set and stored source: symbols, span, licence, origin."""
        rows: list[dict[str, Any]] = []
        for sample in SAMPLES.values():
            about = sample.info()
            rows.append(
                {
                    "source": about.name, "title": about.title, "symbols": len(about.symbols), "first": about.first,
                    "last": about.last, "licence": about.licence, "origin": about.origin,
                }
            )  # fmt: skip
        stored = self.store.list()
        for name, part in stored.groupby("source"):
            rows.append(
                {
                    "source": name, "title": "your store", "symbols": part["symbol"].nunique(),
                    "first": part["first"].min(), "last": part["last"].max(), "licence": "yours",
                    "origin": prices.few(sorted(set(part["origin"].dropna()) - {""})),
                }
            )  # fmt: skip
        return pd.DataFrame(rows)

    def add(
        self, frame: pd.DataFrame, symbol: str, *, source: str = "import", timeframe: str = "1D", **details: Any
    ) -> Download:
        """Put your own raw prices into the store under a name, merged with what is there.

        Parameters
        ----------
        frame : pandas.DataFrame
            OHLCV by time, with optional `split_factor` and `factor` columns.
        symbol, source, timeframe : str
            The series they belong to.
        **details
            As `Store.write`: calendar, origin, notes, afresh.

        Raises
        ------
        DataError
            If the prices are unsound; nothing is then stored.
        """
        key = prices.own_key(source, symbol, timeframe)
        return self._delivered((self.store.write(key, frame, **details),))

    def download(self, symbols: str | Iterable[str], start: Any, end: Any, timeframe: str = "1D") -> Download:
        """Fetch bars from Alpaca into the store and say which of the past bars the vendor revised.

        Raises
        ------
        SetupError
            If no keys are set, or alpaca-py is not installed.
        VenueError
            If Alpaca did not deliver everything asked for; nothing is then stored.
        """
        from qtw_lab.data.alpaca import AlpacaSource

        source = AlpacaSource(self.settings, clock=self.clock)
        return self._delivered(tuple(source.download(self.store, parse_symbols(symbols), start, end, timeframe)))

    def import_file(
        self,
        path: str | Path,
        symbol: str | None = None,
        *,
        source: str = "import",
        timeframe: str | None = None,
        tz: str | None = None,
    ) -> Download:
        """Merge the prices of a CSV or Parquet file into the store, one series for each symbol in it.

        Parameters
        ----------
        path : str or pathlib.Path
            The file; an ``Adj Close`` column becomes the adjustment factor.
        symbol : str, optional
            Name of a single-symbol file; its file name by default.
        source : str
            Name of the source in the store.
        timeframe, tz : str, optional
            As `Bars.from_frame`.

        Raises
        ------
        DataError
            If the file or its prices are unsound; nothing is then stored.
        SetupError
            If the store cannot be written.
        """
        return self._delivered(
            prices.import_file(self.store, Path(path), symbol, source=source, timeframe=timeframe, tz=tz)
        )

    def _delivered(self, written: tuple[WriteReport, ...]) -> Download:
        return Download(written, prices.affected_runs(self.registry, written))

    def check(
        self,
        what: str | Path | pd.DataFrame | Bars,
        *,
        source: str | None = None,
        timeframe: str | None = None,
        adjustment: str = "all",
    ) -> QualityReport:
        """The quality report of symbols, of a price file, of a table or of bars. It flags and never mends.

        Raises
        ------
        DataError
            If there is nothing to look at.
        """
        if isinstance(what, str) and not prices.is_file(what):
            what = self.bars(what, timeframe=timeframe or "1D", adjustment=adjustment, source=source)
        return prices.inspect(what, timeframe)

    def revisions(self) -> pd.DataFrame:
        """Every time a vendor changed the past of a stored series, and the saved runs that rest on the old bars."""
        return prices.revisions(self.store, self.registry)

    # Research

    def strategy(self, name: str, **parameters: Any) -> Strategy:
        """A bundled strategy by name.

        Raises
        ------
        DataError
            If the name or a parameter is not known, or a value is out of range.
        """
        return strategy(name, **parameters)

    @cached_property
    def trials(self) -> TrialLedger:
        """The ledger that counts every configuration tried."""
        return TrialLedger(self.settings.qtw_storage_dir / "trials.sqlite")

    def backtest(self, strategy: str | Strategy | type[Strategy], bars: Bars, **options: Any) -> Result:
        """Backtest a strategy by name or object, have the second engine check it, and record the trial and the run.

        Parameters
        ----------
        strategy : str, Strategy or class
            What decides.
        bars : Bars
            Prices.
        **options
            The terms of `qtw.backtest` (costs, sizing, execution, account ...); every other keyword is a parameter of
            the strategy. What is recorded says whether the reference engine agrees; ``verify=False`` saves its time
            (some ten microseconds a bar and symbol), and the record says that too.

        Raises
        ------
        DataError
            As `qtw.backtest`.
        """
        from qtw_lab.backtest.engine import backtest
        from qtw_lab.backtest.recording import counted

        terms = {"verify": True} | {name: options.pop(name) for name in _TERMS if name in options}
        result = counted(backtest(_chosen(strategy, options), bars, **terms), self.trials)
        settings = records.settings_of(result)
        self.registry.record("backtest", result.strategy.name, result.facts(), settings, records.uses(bars))
        return result

    def sweep(self, strategy: str | Strategy | type[Strategy], bars: Bars, **options: Any) -> Sweep:
        """Sweep a parameter grid as `qtw.sweep`, and record every configuration as a trial, and the run.

        The cluster at `DASK_SCHEDULER` does the work if that is set; ``client=None`` keeps it on this machine.
        """
        from qtw_lab.backtest.counting import counted_sweep
        from qtw_lab.backtest.sweep import sweep

        done = sweep(strategy, bars, **{"client": self.settings.dask_scheduler} | options)
        return self._keep_sweep(counted_sweep(done, self.trials))

    def search(self, strategy: str | Strategy | type[Strategy], bars: Bars, **options: Any) -> Sweep:
        """Search a space of parameters as `qtw.search`, and record every configuration as a trial, and the run."""
        from qtw_lab.backtest.counting import counted_sweep
        from qtw_lab.backtest.search import search

        return self._keep_sweep(counted_sweep(search(strategy, bars, **options), self.trials))

    def _keep_sweep(self, found: Sweep) -> Sweep:
        """Write a sweep down as a run; one in which no row traded has no figures."""
        facts = found.facts() if found.table[found.by].notna().any() else None
        settings = records.settings_of_sweep(found)
        self.registry.record("sweep", found.strategy.name, facts, settings, records.uses(found.bars))
        return found

    @cached_property
    def keepsakes(self) -> Keepsakes:
        """Preferences, lists of symbols and presets of the pages."""
        from qtw_lab.lab.keepsakes import Keepsakes

        return Keepsakes.of(self.settings)

    # Runs

    @property
    def runs_folder(self) -> Path:
        """Where executed notebooks and their reports are kept."""
        return self.settings.qtw_storage_dir / "runs"

    @cached_property
    def registry(self) -> Registry:
        """The record of every run."""
        from qtw_lab.runs import Registry

        return Registry(self.settings.qtw_storage_dir / "runs.sqlite", self.clock, known=self.settings.secrets())

    def run(
        self,
        notebook: str | Path,
        *,
        timeout: float | None = None,
        progress: Callable[[int, int], None] | None = None,
        **parameters: Any,
    ) -> Run:
        """Execute a notebook with papermill and record the run; see `qtw_lab.runs.execute`.

        Parameters
        ----------
        notebook : str or pathlib.Path
            The notebook file.
        timeout : float, optional
            Seconds any one cell may take.
        progress : callable, optional
            Called after each cell with (cells done, cells in all).
        **parameters
            Values for its parameters cell. Pass a secret as ``env:NAME``.

        Raises
        ------
        DataError
            If the notebook or a parameter is not as it should be.
        RunError
            If a cell failed; the run is recorded as failed and the last good one stays.
        """
        from qtw_lab.runs import execute

        return execute(
            Path(notebook), parameters, root=self.runs_folder, registry=self.registry, clock=self.clock,
            timeout=timeout, progress=progress, environment_lock=environment_lock(),
        )  # fmt: skip

    def replay(self, run: str, progress: Callable[[int, int], None] | None = None) -> Replay:
        """Execute a recorded notebook run again from its record and compare; see `qtw_lab.runs.replay.replay`.

        Parameters
        ----------
        run : str
            Its id, or enough of its beginning.
        progress : callable, optional
            Called after each cell with (cells done, cells in all).

        Raises
        ------
        DataError
            If there is no such run, it is of another kind, or its files are gone or changed.
        """
        from qtw_lab.runs.notebook import Watching
        from qtw_lab.runs.replay import replay

        return replay(
            self.registry.get(run), root=self.runs_folder, registry=self.registry, clock=self.clock,
            environment_lock=environment_lock(), watching=Watching(progress),
        )  # fmt: skip

    def secret(self, reference: str) -> SecretStr:
        """The secret that ``env:NAME`` names; call `get_secret_value` on it only where it is used."""
        return secret_from_reference(reference)

    # Seeing

    def report(
        self,
        result: Result,
        sweep: Sweep | None = None,
        title: str | None = None,
        *,
        intervals: bool = False,
        lead: Iterable[Fact] = (),
    ) -> Report:
        """The tear sheet of a result, and of the sweep it came from if there was one: a page, a PDF or a picture.

        Both count as tried from now on if they did not before.

        Parameters
        ----------
        result : Result
            What is reported.
        sweep : Sweep, optional
            Where it was found.
        title : str, optional
            The heading.
        intervals : bool
            Whether to add confidence intervals of the main figures.
        lead : iterable of Fact
            Further figures for the head of the page.
        """
        from qtw_lab.backtest.counting import counted_sweep
        from qtw_lab.backtest.recording import counted
        from qtw_lab.lab.report import report

        found = None if sweep is None else counted_sweep(sweep, self.trials)
        return report(counted(result, self.trials), found, title, intervals=intervals, lead=lead)

    def compare(self, results: Iterable[Result], names: Sequence[str] | None = None) -> Comparison:
        """Results side by side: figures, growth, correlation, and how sure the differences are."""
        from qtw_lab.lab.comparison import compare

        return compare(results, names)

    def export(self, result: Result, path: str | Path, form: Literal["csv", "parquet"] = "csv") -> Path:
        """Write a result as .csv, .parquet or .json, or all its tables into a folder as `form`; the path written."""
        from qtw_lab.lab.exports import export

        return export(result, path, form)

    def chart(
        self, shown: Result | Bars, symbol: str | None = None, theme: str = "light", **overlays: pd.Series
    ) -> Any:
        """Candles of one symbol; of a result, with its trades marked. Keywords draw further lines over the prices."""
        from qtw_lab.lab.figures import chart

        return chart(shown, symbol, theme, overlays)

    def equity(self, result: Result, theme: str = "light", title: str | None = None) -> Any:
        """The account against buy and hold, with the drawdown below; titled by the strategy if not otherwise."""
        from qtw_lab.lab.figures import equity

        return equity(result, theme, title)

    def calendar(self, result: Result, theme: str = "light") -> Any:
        """Returns by month and year."""
        from qtw_lab.lab.figures import calendar

        return calendar(result, theme)

    def heatmap(self, sweep: Sweep, metric: str = "sharpe", symbol: str | None = None, theme: str = "light") -> Any:
        """One metric of a two-parameter sweep as a map."""
        from qtw_lab.lab.figures import heatmap

        return heatmap(sweep, metric, symbol, theme)

    def explore(self, strategy: str | Strategy | type[Strategy], bars: Bars, **options: Any) -> Any:
        """Sliders for every parameter of a strategy over its equity chart, for a notebook cell.

        Keywords are the terms of `backtest`, and parameters where the sliders stand at first.
        """
        from qtw_lab.lab.figures import explore

        terms = {"verify": True} | {name: options.pop(name) for name in _TERMS if name in options}
        first = _chosen(strategy, options)

        def trial(values: Mapping[str, Any]) -> tuple[Result, int]:
            return self.backtest(first.replaced(**values), bars, **terms), self.trials.count(bars.fingerprint)

        return explore(first, trial)

    def with_storage(self, folder: str | Path) -> Self:
        """The same lab on another storage folder."""
        return replace(self, settings=self.settings.model_copy(update={"qtw_storage_dir": Path(folder)}))


def _chosen(strategy_: str | Strategy | type[Strategy], parameters: Mapping[str, Any]) -> Strategy:
    """The strategy object for a name, class or object, with parameters replaced."""
    from qtw_lab.backtest.engine import resolve

    if isinstance(strategy_, str):
        return strategy(strategy_, **parameters)
    found = resolve(strategy_)
    return found.replaced(**parameters) if parameters else found
