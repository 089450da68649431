"""The market page: prices of what somebody watches, candles, movers, a screener, and news where there are some."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, TypeVar

import panel as pn
import param

from dashboards import parts
from dashboards.market.candles import Candles
from dashboards.market.card import Card
from dashboards.market.movers import Movers
from dashboards.market.news import News
from dashboards.market.screener import Screener
from dashboards.market.top import Top
from dashboards.market.watch import Watch
from dashboards.shell import Page
from qtw_lab.core import LabError
from qtw_lab.lab import market_bars, market_offers
from qtw_lab.lab.market_studies import Choice

T = TypeVar("T")

_CARDS: Final[tuple[type[Card], ...]] = (Top, Watch, Candles, Movers, Screener, News)

#: Calls of `refresh` after which prices are read again although the store is still being written.
_PATIENCE: Final = 10


class Market(Page):
    """Watchlist, candles, movers, screener and news of one source of prices.

    Parameters
    ----------
    source : str
        Name of a bundled data set, or of a source in the store.
    symbol : str
        Whose candles; by default the first of the watchlist that the source has.
    asof : str
        The last day that is known; the last bar by default.
    """

    key: ClassVar[str] = "market"

    source: Any = param.String(default="stocks", doc="Whose prices.")
    symbol: Any = param.String(default="", doc="Whose candles.")
    asof: Any = param.String(default="", doc="The last day that is known.")
    timeframe: Any = param.String(default="1D", doc="Length of a candle.")
    span: Any = param.String(default="1Y", doc="How far back the candles reach.")
    adjustment: Any = param.String(default="all", doc="Whether prices are adjusted.")
    studies: Any = param.Parameter(
        default=(Choice.of("sma", window=20), Choice.of("sma", window=50), Choice.of("volume")),
        doc="Indicators of the candles.",
    )
    window: Any = param.Integer(default=1, doc="Bars of the movers' move.")
    lists: Any = param.String(default="price", doc="Which lists of movers.")
    columns: Any = param.String(default="overview", doc="Which columns of the screener.")
    bounds: Any = param.Parameter(default=(), doc="Filters of the screener.")
    tradable: Any = param.Boolean(default=False, doc="Whether the screener leaves out what hardly trades.")
    news_of: Any = param.String(default="watchlist", doc="Whose news.")

    #: The source that is open; None until it was read.
    opened: market_bars.Opened | None = None

    def __init__(self, *arguments: Any, **values: Any) -> None:
        self.held: dict[str, Any] = {}
        self._turns: dict[str, int] = {}
        self._stamp: Any = None
        self._asked: Any = None
        self._waited = 0
        super().__init__(*arguments, **values)
        for names, key in (
            (["symbol", "timeframe", "span", "adjustment", "studies"], "candles"), (["window"], "movers"),
            (["bounds", "tradable"], "screener"),
        ):  # fmt: skip
            self.param.watch(self._reading(key), names)
        self.param.watch(self._load, ["source"])
        self.param.watch(self._recount, ["asof"])
        self.param.watch(lambda _: self._show("news"), ["symbol", "news_of"])

    # Its parts

    def content(self) -> Sequence[Any]:
        """The parts of the page, filled with what was read already."""
        self.cards = {kind.key: kind(self) for kind in _CARDS}
        for key in self.cards:
            self._show(key)
        views = {key: card.view for key, card in self.cards.items()}
        return [
            views["top"], parts.grid(parts.stack(views["watch"], views["news"], least=470), views["candles"]),
            parts.grid(views["movers"]), parts.grid(views["screener"]),
        ]  # fmt: skip

    def arrived(self) -> None:
        """Read the prices, once somebody looks."""
        if self.opened is None and not self.busy:
            pn.state.execute(self.load)

    def refresh(self) -> None:
        """Read again what changed on disk: prices, the watchlist, news."""
        if self.opened is None or self.busy:
            return
        now = market_offers.stamp(self.lab)
        quiet, self._stamp = now == self._stamp, now
        self._waited = 0 if now in (self.opened.stamp, self._asked) else self._waited + 1
        if self._waited and (quiet or self._waited > _PATIENCE):
            self._asked = now  # what cannot be read is not asked for again until it changes
            pn.state.execute(self.load)
        elif self.cards["watch"].stale():
            pn.state.execute(self.cards["watch"].read)
        self._show("news")

    def rethemed(self) -> None:
        """Draw the candles in other colours."""
        self._show("candles")

    def chosen(self, symbol: str) -> None:
        """Show the candles of a symbol."""
        self.symbol = symbol

    # What it reads

    @property
    def said(self) -> tuple[str, parts.Mood]:
        """What the status line says."""
        return self._said

    async def latest(self, what: str, label: str, task: Callable[[], T]) -> T | None:
        """What a task of `work` returns, unless it was asked for again meanwhile."""
        turn = self._turns[what] = self._turns.get(what, 0) + 1
        found = await self.work(self.t(label), task)
        return found if self._turns[what] == turn else None

    async def load(self) -> None:
        """Open the source, then fill every card."""
        source = self.source
        found = await self.latest("load", "prices", lambda: market_bars.opened(self.lab, source))
        if found is None:
            if source == self.source and self.opened is None:
                for card in self.cards.values():
                    card.failed()
            return
        self.opened = found
        if self.symbol not in found.offer.contents:
            with param.parameterized.discard_events(self):
                self.symbol = self._first(found.offer)
        await self.cards["top"].settle()
        await self.recount()

    async def recount(self) -> None:
        """Fill every card from the bars that are open."""
        for key in ("candles", "watch", "movers", "screener"):
            await self.cards[key].read()

    # Details

    def _first(self, offer: market_offers.Offer) -> str:
        """The symbol to begin with."""
        try:
            watched = self.lab.keepsakes.watchlist()
        except LabError:  # the watchlist's card says so
            watched = ()
        return next((symbol for symbol in watched if symbol in offer.contents), offer.symbols[0])

    def _reading(self, key: str) -> Callable[[Any], Any]:
        async def read(_: Any) -> None:
            await self.cards[key].read()

        return read

    async def _load(self, _: Any) -> None:
        await self.load()

    async def _recount(self, _: Any) -> None:
        await self.recount()

    def _show(self, key: str) -> None:
        self.attempt(self.cards[key].show)
