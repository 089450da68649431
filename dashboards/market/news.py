"""The news of the market page."""

from __future__ import annotations

import html
from typing import Any, Final

from dashboards import parts
from dashboards.market.card import Card, muted
from qtw_lab.lab.market_news import News as Headlines
from qtw_lab.lab.market_news import mark, news

_EXAMPLE: Final = (
    '{"time": "2024-05-02T20:31:00Z", "symbol": "AAPL", "headline": "...", "source": "...", "url": "https://..."}'
)


class News(Card):
    """Headlines, where a source is configured."""

    key = "news"

    def made(self) -> Any:
        """Its layout."""
        self._of = self.select("news_of", "news_of", ("watchlist", "symbol", "all"), 190, "news_")
        self._asked: Any = None
        return parts.card(self._of, self.said, title=self.t("news"), least=360)

    def show(self) -> None:
        """Show the last headlines, or how to configure a source; the file is read only where something changed."""
        page = self.page
        whose = {"watchlist": page.lab.keepsakes.watchlist(), "symbol": (page.symbol,), "all": ()}[page.news_of]
        asked = (mark(page.lab.settings), page.news_of, whose)
        if asked == self._asked:
            return
        self._asked = asked
        nobody = page.news_of != "all" and not any(whose)
        found = news(page.lab.settings, whose, 0 if nobody else 30)
        self._of.visible = found.configured
        self.say(self._markup(found))

    def _markup(self, found: Headlines) -> str:
        if not found.configured:
            return parts.message(self.t("news_none", folder=str(found.path.parent), example=_EXAMPLE))
        below = muted(self.t("news_unread", count=found.unread)) if found.unread else ""
        if found.table.empty:
            return parts.message(self.t("news_empty")) + below
        items = "".join(_item(row) for row in found.table.itertuples())
        name = html.escape(self.t("news"), quote=True)
        return f'<ul class="qtw-news" tabindex="0" aria-label="{name}">{items}</ul>{below}'


def _item(row: Any) -> str:
    """A headline. Its address is text: of a link, a browser looks up the host before anybody presses it."""
    about = " · ".join(word for word in (f"{row.time:%Y-%m-%d %H:%M} UTC", row.symbol, row.source, row.url) if word)
    return f"<li><p>{html.escape(row.headline)}</p>{muted(about)}</li>"
