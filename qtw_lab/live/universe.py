"""The symbols worth watching: active assets, filtered by what they trade and ranked by how much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from qtw_lab.core import DataError
from qtw_lab.live.profile import Universe

FloatArray = npt.NDArray[np.float64]

#: A measure further from the mean than that many standard deviations counts as that many: one stock that tripled, or a
#: split in the previous close, must not outweigh everything else.
FURTHEST: Final = 3.0

_MEASURES: Final = ("price", "dollar_volume", "volume", "change_pct")

_FORMATS: Final = {
    "score": "{:.2f}".format,
    "price": "{:,.2f}".format,
    "dollar_volume": "{:,.0f}".format,
    "volume": "{:,.0f}".format,
    "change_pct": "{:+.2%}".format,
}


@dataclass(frozen=True, slots=True)
class Ranked:
    """Symbols in order of rank, the best first, with what they were ranked by.

    Parameters
    ----------
    symbols : tuple of str
        At most `top_n`.
    score : ndarray
        float64 (n,), falling.
    measures : dict of str to ndarray
        float64 (n,) each: `price` (dollars), `dollar_volume` (dollars) and `volume` (shares) of today or of the
        previous session, whichever is more, and `change_pct` (fraction of the previous close).
    excluded : dict of str to int
        How many symbols are not in it, by the first reason that applied.
    places : dict of str to int
        The rank of each symbol, from 1.
    """

    symbols: tuple[str, ...]
    score: FloatArray
    measures: dict[str, FloatArray]
    excluded: dict[str, int]
    places: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {symbol: rank for rank, symbol in enumerate(self.symbols, start=1)})

    def __len__(self) -> int:
        return len(self.symbols)

    def table(self) -> pd.DataFrame:
        """One row a symbol, indexed by `symbol`: `rank`, `score`, and the measures."""
        names = pd.Index(self.symbols, name="symbol")
        ranks = np.arange(1, len(self.symbols) + 1)
        return pd.DataFrame({"rank": ranks, "score": self.score, **self.measures}, index=names)

    def _repr_html_(self) -> str:
        shown: str = self.table().head(30).to_html(formatters=_FORMATS)
        left = ", ".join(f"{count} {reason}" for reason, count in self.excluded.items() if count)
        return f"<p>{len(self)} symbols ranked; left out: {left or 'none'}.</p>{shown}"


def active(assets: Iterable[Mapping[str, Any]]) -> list[str]:
    """Symbols of the assets that are active and tradable, in alphabetical order, each once.

    An asset that does not say is taken to be: `Reference.assets` gives such assets only.

    Raises
    ------
    DataError
        If an asset has no symbol.

    Examples
    --------
    >>> active([{"symbol": "IBM"}, {"symbol": "GONE", "status": "inactive"}, {"symbol": "AAPL", "tradable": True}])
    ['AAPL', 'IBM']
    """
    names = set()
    for asset in assets:
        symbol = asset.get("symbol")
        if not isinstance(symbol, str) or not symbol:
            raise DataError(f"An asset needs a symbol; one given is {dict(asset)!r:.120}.")
        if asset.get("status", "active") == "active" and asset.get("tradable", True) is True:
            names.add(symbol)
    return sorted(names)


def candidates(assets: Iterable[Mapping[str, Any]], dollars: Mapping[str, float], rules: Universe) -> list[str]:
    """Symbols to ask snapshots for: the `max_symbols` active ones that traded most dollars in the previous session.

    Parameters
    ----------
    assets : iterable of mapping
        The asset master, in the venue's words.
    dollars : mapping of str to float
        Dollars each symbol traded in the previous session, as `previous_dollars` gives them from snapshots of all
        active assets. Symbols it does not have come last.
    rules : Universe
        If it names symbols, those of them that are active are the answer, in the order named.

    Examples
    --------
    >>> assets = [{"symbol": name} for name in ("AA", "BB", "CC")]
    >>> candidates(assets, {"BB": 2e9, "CC": 1e9}, Universe())
    ['BB', 'CC', 'AA']
    """
    names = active(assets)
    if rules.symbols is not None:
        there = set(names)
        return [symbol for symbol in rules.symbols if symbol in there]
    return sorted(names, key=lambda name: (-_number(dollars.get(name)), name))[: rules.max_symbols]


def previous_dollars(snapshots: Mapping[str, Mapping[str, Any] | None]) -> dict[str, float]:
    """Dollars traded in the last whole session by symbol, 0 where a snapshot has none.

    Examples
    --------
    >>> previous_dollars({"AA": {"prevDailyBar": {"c": 10.0, "v": 300, "vw": 9.5}}, "BB": {}})
    {'AA': 2850.0, 'BB': 0.0}
    """
    return {symbol: _traded((shot or {}).get("prevDailyBar"))[0] for symbol, shot in snapshots.items()}


def ranked(symbols: Sequence[str], snapshots: Mapping[str, Mapping[str, Any] | None], rules: Universe) -> Ranked:
    """Symbols that pass the filters, ranked by score, at most `top_n`.

    The score is the sum over dollar volume, change and volume of weight times z-score. A z-score is the distance from
    the mean of all symbols that pass, in their standard deviations and at most `FURTHEST`: of the logarithm of dollar
    volume, of the absolute change, and of the logarithm of volume. So the weights compare like with like, where dollars
    times a weight and percent times a weight would leave the dollars alone to decide. Equal scores go to the symbol
    that comes first in the alphabet.

    Volume and dollar volume are those of today or of the previous session, whichever is more: shortly after the opening
    today's alone would exclude everything.

    Parameters
    ----------
    symbols : sequence of str
        Whom to rank; see `candidates`.
    snapshots : mapping of str to mapping
        In the venue's words (`Reference.snapshots`): latestTrade, minuteBar, dailyBar, prevDailyBar.
    rules : Universe
        Filters, weights and `top_n`.

    Examples
    --------
    >>> bar = {"c": 10.0, "v": 1_000_000, "vw": 10.0}
    >>> shots = {"AA": {"dailyBar": bar, "prevDailyBar": bar}, "BB": {"dailyBar": {**bar, "v": 5e6}}, "CC": None}
    >>> found = ranked(["AA", "BB", "CC"], shots, Universe())
    >>> found.symbols, found.excluded["no snapshot"]
    (('BB', 'AA'), 1)
    """
    names = list(dict.fromkeys(symbols))
    known = [name for name in names if snapshots.get(name)]
    rows = np.array([_measured(snapshots[name] or {}) for name in known], dtype=np.float64).reshape(-1, len(_MEASURES))
    price, dollars, volume, _ = rows.T
    failures = {
        "no price": ~(price > 0),
        "price below min_price": price < rules.min_price,
        "dollar volume below min_dollar_volume": dollars < rules.min_dollar_volume,
        "volume below min_volume": volume < rules.min_volume,
    }
    excluded = {"no snapshot": len(names) - len(known)}
    passing = np.ones(len(known), dtype=bool)
    for reason, failed in failures.items():
        excluded[reason] = int((passing & failed).sum())
        passing &= ~failed
    kept = [name for name, passed in zip(known, passing, strict=True) if passed]
    score = _scores(rows[passing], rules)
    order = np.lexsort((np.array(kept, dtype=np.str_), -score))[: rules.top_n]
    excluded["rank beyond top_n"] = len(kept) - len(order)
    measures = dict(zip(_MEASURES, rows[passing][order].T.copy(), strict=True))
    return Ranked(tuple(kept[place] for place in order), score[order], measures, excluded)


def _scores(rows: FloatArray, rules: Universe) -> FloatArray:
    """The score of each row of measures."""
    _, dollars, volume, change = rows.T
    weights = rules.score_weights
    parts = (
        (weights.dollar_volume, np.log1p(dollars)),
        (weights.change_pct, np.abs(change)),
        (weights.volume, np.log1p(volume)),
    )
    score: FloatArray = np.zeros(len(rows))
    for weight, measure in parts:
        score = score + weight * _standing(measure)
    return score


def _standing(values: FloatArray) -> FloatArray:
    """Cross-sectional z-scores, clipped; 0 where a value is unknown or all are equal."""
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    spread = float(values[known].std())
    if spread <= 1e-12 * max(1.0, float(np.abs(values[known]).max())):
        return np.zeros(len(values))
    scores = np.where(known, (values - values[known].mean()) / spread, 0.0)
    return np.asarray(np.clip(scores, -FURTHEST, FURTHEST), dtype=np.float64)


def _measured(shot: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Price, dollar volume, volume and change of one snapshot; NaN for a price or change it does not tell."""
    today, before = shot.get("dailyBar") or {}, shot.get("prevDailyBar") or {}
    latest, minute = shot.get("latestTrade") or {}, shot.get("minuteBar") or {}
    prices = (latest.get("p"), minute.get("c"), today.get("c"), before.get("c"))
    price = next((number for number in map(_number, prices) if number > 0), float("nan"))
    dollars, volume = (max(pair) for pair in zip(_traded(today), _traded(before), strict=True))
    close = _number(before.get("c"))
    return price, dollars, volume, price / close - 1.0 if close > 0 else float("nan")


def _traded(bar: Mapping[str, Any] | None) -> tuple[float, float]:
    """Dollars and shares of a bar: volume times its average price, or times its close if it has none."""
    if not bar:
        return 0.0, 0.0
    volume = _number(bar.get("v"))
    return volume * (_number(bar.get("vw")) or _number(bar.get("c"))), volume


def _number(value: Any) -> float:
    """A number from outside if it is one, finite and not negative; else 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    return float(value) if 0.0 <= value < float("inf") else 0.0
