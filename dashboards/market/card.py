"""What the cards of the market page share."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import panel as pn

from dashboards import parts
from dashboards.sheet import Heading
from qtw_lab.lab.market_screen import Told

if TYPE_CHECKING:
    from dashboards.market.page import Market


class Card:
    """A part of the page: `read` works out what it shows, `show` shows what was read.

    Parameters
    ----------
    page : Market
        Whose part it is; it holds what was read, so that a card made anew in another language shows it at once.
    """

    key: ClassVar[str] = ""

    def __init__(self, page: Market) -> None:
        self.page, self.t = page, page.t
        self.said = parts.text(parts.message(self.t("loading"), "busy"))
        self.view = self.made()

    def made(self) -> Any:
        """Its layout."""
        raise NotImplementedError

    async def read(self) -> None:
        """Work out what it shows."""

    def show(self) -> None:
        """Show what was read."""

    def stale(self) -> bool:
        """Whether what it shows was changed elsewhere."""
        return False

    @property
    def held(self) -> Any:
        """What was read last; None if nothing was."""
        return self.page.held.get(self.key)

    @held.setter
    def held(self, found: Any) -> None:
        self.page.held[self.key] = found

    async def settle(self) -> None:
        """Show what was read in the card that stands there when its turn comes: the language may change meanwhile."""
        await self.page.apply(lambda: self.page.cards[self.key].show())  # noqa: PLW0108  (the card of that moment)

    def say(self, markup: str) -> None:
        """Put a notice above its table, if it is another one."""
        if self.said.object != markup:
            self.said.object = markup

    def failed(self) -> None:
        """Say why there is nothing, as the status line does."""
        self.say(parts.message(*self.page.said))

    def select(self, param: str, label: str, options: Sequence[Any], width: int, words: str = "") -> Any:
        """A list to choose a parameter of the page from; with `words`, each option has a label that begins so."""
        shown = {self.t(f"{words}{option}"): option for option in options} if words else list(options)
        value = getattr(self.page, param)
        made = pn.widgets.Select(label=self.t(label), options=shown, value=value, width=width)
        made.param.watch(self.sets(param), "value")
        return made

    def sets(self, param: str) -> Callable[[Any], None]:
        """What gives a parameter of the page the new value of a widget."""

        def given(event: Any) -> None:
            setattr(self.page, param, event.new)

        return given

    def chips(self, row: Any, words: Sequence[str], remove: Callable[[str], None]) -> None:
        """Fill a row with one button a word, which takes it away; a button whose word stays is left alone."""
        there = {chip.label: chip for chip in row}
        if list(there) == list(words):
            return
        for word in words:
            if word not in there:
                there[word] = pn.widgets.Button(label=word)
                there[word].on_click(partial(_removed, remove, word))
        row[:] = [there[word] for word in words]

    def heading(self, column: Told) -> Heading:
        """A column of the screener as a heading of a sheet."""
        return Heading(column.name, self.t(f"col_{column.name}"), column.kind, column.signed, column.definition)

    def pager(self) -> dict[str, str]:
        """Words of a sheet."""
        words = {name: self.t(name) for name in ("first", "previous", "next", "page", "find")}
        return words | {"last": self.t("last_page")}

    def notes(self, lines: Sequence[str]) -> str:
        """Markup of caveats that unfold; nothing where there are none."""
        if not lines:
            return ""
        title = html.escape(self.t("notes", count=len(lines)))
        items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
        return f'<details class="muted"><summary>{title}</summary><ul>{items}</ul></details>'


def muted(words: str) -> str:
    """Markup of a sentence beside the point."""
    return f'<p class="muted">{html.escape(words)}</p>' if words else ""


def _removed(remove: Callable[[str], None], word: str, _: Any) -> None:
    remove(word)
