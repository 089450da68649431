"""`Page`: what every page shares: head, navigation, theme, language, status line, and its life while somebody looks."""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, TypeVar

import panel as pn
import param
from panel.viewable import Viewer

from dashboards import parts, stage
from dashboards.labels import LANGUAGES, label, titled
from dashboards.look import colours
from dashboards.presence import Presence
from dashboards.streams import Ticker, cell_id
from qtw_lab.core import Facts, LabError
from qtw_lab.lab import Lab

T = TypeVar("T")

#: Every page by its key, in the order of the navigation.
PAGES: Final = ("market", "realtime", "paper", "workbench", "runs")

_LOG: Final = logging.getLogger("dashboards")


class Page(Viewer):
    """A page over a lab. It shows and asks; whatever is worked out comes from the lab.

    A page is one object for all places: Voila, Panel's server, and a cell in JupyterLab (`inline`, without navigation).

    Parameters
    ----------
    lab : Lab, optional
        What the page shows; the one that the settings describe by default.
    inline : bool
        Whether it stands in a notebook cell.

    Attributes
    ----------
    key : str
        Names the page, its labels and its address.
    period : int
        Milliseconds between two calls of `refresh` while somebody looks; never below 250.
    """

    key: ClassVar[str] = ""
    period: ClassVar[int] = 1000

    theme: Any = param.Selector(default="light", objects=["light", "dark"], doc="Colours.")
    language: Any = param.Selector(default="en", objects=list(LANGUAGES), doc="Language of the labels.")

    def __init__(self, lab: Lab | None = None, *, inline: bool = False, **values: Any) -> None:
        self._kernel = stage.ready()
        self.lab = Lab.from_settings() if lab is None else lab
        kept = self.lab.keepsakes.preferences()
        super().__init__(**({"theme": kept.theme, "language": kept.language} | values))
        self.inline = inline
        self.read_only = self.lab.settings.qtw_dashboards_read_only
        self._working = 0
        self._presence = Presence(self._somebody)
        self._ticker = Ticker(self._refreshed, self._presence, self.period)
        self._said: tuple[str, parts.Mood] = ("", "")
        self._line = parts.text("", css_classes=["qtw-line"])
        self._head = parts.text("", styles={"flex": "1 1 480px", "min-width": "min(480px, 100%)"})
        self._body = pn.Column(sizing_mode="stretch_width", margin=0)
        place = "qtw-inline" if inline else "qtw-page"
        self._root = pn.Column(css_classes=[place], sizing_mode="stretch_width", margin=0)
        self._build()

    # What a page gives

    def content(self) -> Sequence[Any]:
        """The parts of the page, made from its parameters; called again when the language changes."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show what is new; called every `period` milliseconds while somebody looks."""

    def arrived(self) -> None:
        """Send whole histories: a browser has just laid out the page."""

    def rethemed(self) -> None:
        """Draw figures again: the theme changed."""

    # What a page uses

    def t(self, key: str, **values: object) -> str:
        """A label of this page (`key` without the page's name), or of another where a dot stands in it."""
        return label(key if "." in key else f"{self.key}.{key}", self.language, **values)

    def titled(self, title: str) -> str:
        """The title of a figure in the page's language."""
        return titled(title, self.language)

    def figures(self, facts: Facts, names: Sequence[str] | None = None) -> str:
        """Markup of some figures of a set of facts, all by default; see `parts.figures`."""
        return parts.figures(facts, names, self.titled)

    def say(self, words: str, mood: parts.Mood = "") -> None:
        """Write into the status line."""
        self._said = (words, mood)
        dot = f'<span class="qtw-dot {mood}"></span>'
        shown = f"{dot}<span>{html.escape(words)}</span>"
        self._line.object = f'<div class="qtw-status" role="status" aria-live="polite">{shown}</div>'

    async def work(self, what: str, task: Callable[[], T]) -> T | None:
        """What a task returns that takes its time; meanwhile the page stays alive and says so.

        It runs in a thread. Where it fails, the status line says why and what to do, and None is returned.
        """
        self._working += 1
        self.say(self.t("shell.working", what=what), "busy")
        try:
            found = await asyncio.to_thread(task)
        except Exception as err:  # noqa: BLE001  (an outermost loop of a page: see `_failed`)
            self._failed(what, err)
            return None
        finally:
            self._working -= 1
        if not self.busy:
            self.say(self.t("shell.ready"), "good")
        return found

    async def apply(self, change: Callable[[], object]) -> None:
        """Make a change of the page after a `work`; needed for one that brings new parts or figures.

        Panel's server sends what an async callback changes at once, before what waits for its turn, so that the browser
        hears of new parts too late. The change is made when it is its turn.
        """
        doc = pn.state.curdoc
        if doc is None or not doc.session_context:
            self.attempt(change)
            return
        done = asyncio.get_running_loop().create_future()

        def made() -> None:
            try:
                self.attempt(change)
            finally:
                if not done.done():
                    done.set_result(None)

        pn.state.execute(made, schedule=True)
        await done

    def attempt(self, task: Callable[[], T]) -> T | None:
        """What a quick task returns; where it fails, the status line says why and what to do, and None is returned."""
        try:
            return task()
        except LabError as err:
            self.say(str(err), "bad")
        return None

    @property
    def busy(self) -> bool:
        """Whether a task of `work` is under way."""
        return self._working > 0

    def stop(self) -> None:
        """End the page's callbacks for good."""
        self._ticker.stop()

    # Its life

    def __panel__(self) -> Any:
        self._ticker.start(cell_id() if self._kernel else None)
        if not self._kernel:
            pn.state.on_session_destroyed(lambda _: self.stop())
        return self._root

    def _build(self) -> None:
        self._body[:] = list(self.content())
        self._head.object = self._heading()
        head = [parts.row(self._head, *([] if self.inline else self._controls()))]
        self._root[:] = [self._presence.view, *head, self._line, self._body]
        self._root.stylesheets = [colours(self.theme)]
        self.say(*(self._said if self._said[0] else (self.t("shell.ready"), "good")))

    def _heading(self) -> str:
        title = f"<h1>{html.escape(self.t(f'page.{self.key}'))}</h1>"
        if self.inline:
            return title
        suffix = ".ipynb" if self._kernel else ""
        links = "".join(
            f'<li><a href="{key}{suffix}" {"aria-current=page" if key == self.key else ""}>'
            f"{html.escape(self.t(f'page.{key}'))}</a></li>"
            for key in PAGES
        )
        name = html.escape(self.t("shell.navigation"), quote=True)
        notice = parts.message(self.t("shell.read_only"), "warn") if self.read_only else ""
        menu = f'<nav aria-label="{name}"><ul class="qtw-nav">{links}</ul></nav>'
        return f'<header class="qtw-bar">{title}{menu}</header>{notice}'

    def _controls(self) -> list[Any]:
        themes = {self.t(f"shell.{name}"): name for name in ("light", "dark")}
        theme = pn.widgets.Select(label=self.t("shell.theme"), options=themes, value=self.theme, width=110)
        tongues = {shown: name for name, shown in LANGUAGES.items()}
        language = pn.widgets.Select(label=self.t("shell.language"), options=tongues, value=self.language, width=110)
        theme.param.watch(lambda event: self.param.update(theme=event.new), "value")
        language.param.watch(lambda event: self.param.update(language=event.new), "value")
        return [theme, language]

    @param.depends("theme", watch=True)
    def _on_theme(self) -> None:
        self._root.stylesheets = [colours(self.theme)]
        self.lab.keepsakes.prefer(theme=self.theme)
        self.rethemed()

    @param.depends("language", watch=True)
    def _on_language(self) -> None:
        self.lab.keepsakes.prefer(language=self.language)
        self._said = ("", "")
        self._build()
        self._kept_going("arrived", self.arrived)

    def _somebody(self) -> None:
        if not pn.state.loaded:  # until then Panel's server may lose new parts
            pn.state.onload(lambda: pn.state.execute(self._somebody, schedule=True))  # it is loaded after that call
            return
        self._kept_going("arrived", self.arrived)
        self._refreshed()

    def _refreshed(self) -> None:
        if pn.state.loaded:
            self._kept_going("refresh", self.refresh)

    def _kept_going(self, what: str, step: Callable[[], None]) -> None:
        """Take a step of the page's life; one that fails does not end it."""
        try:
            step()
        except Exception as err:  # noqa: BLE001  (an outermost loop of a page: see `_failed`)
            self._failed(what, err)

    def _failed(self, what: str, err: Exception) -> None:
        """Tell the reader: an error of ours says itself what to do, of another the log has the details."""
        if isinstance(err, LabError):
            self.say(str(err), "bad")
            return
        said: tuple[str, parts.Mood] = (self.t("shell.failed", what=type(err).__name__), "bad")
        if self._said != said:  # once, not with every beat
            _LOG.error("%s of the page %s failed", what, self.key, exc_info=err)
        self.say(*said)
