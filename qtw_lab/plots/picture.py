"""Bokeh figures as HTML that needs nothing from outside: in a notebook, or inside a page."""

from __future__ import annotations

import hashlib
import html
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from qtw_lab.core import DataError
from qtw_lab.core.extras import need

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

#: Waits for the place and for the library, which an earlier cell may bring later, then draws; `__x__` are filled in.
_MOUNT: Final = """
(() => {
  const item = __ITEM__, name = "__NAME__", since = Date.now();
  const drawn = globalThis.qtwDrawn ??= {};
  const clock = setInterval(() => {
    const places = [...document.querySelectorAll(`[data-picture="${name}"]`)].filter((place) => !place.dataset.drawn);
    const waited = Date.now() - since;
    if (globalThis.Bokeh?.embed && places.length > 0) {
      clearInterval(clock);
      for (const view of drawn["__SLOT__"] ?? []) {
        const at = Bokeh.documents.indexOf(view.model.document);
        if (at >= 0) Bokeh.documents.splice(at, 1);
        try { view.remove(); } catch { /* gone with its cell */ }
      }
      for (const place of places) {
        place.dataset.drawn = "yes";
        place.replaceChildren();
        Bokeh.embed.embed_item(item, place).then((views) => {
          place.style.minHeight = "";
          if ("__SLOT__") drawn["__SLOT__"] = [...views];
        });
      }
    } else if (waited > 3000 && places.length > 0) {
      places.forEach((place) => { place.textContent = "__LATE__"; });
    }
    if (places.length == 0 && waited > 60000) clearInterval(clock);
  }, 60);
})();
"""

_LATE: Final = (
    "This picture waits for the drawing library, which the first picture of the notebook carries: "
    "run that cell again, or all cells."
)
_UNTRUSTED: Final = (
    "If you read this instead of seeing a picture, scripts are off here: trust the notebook or run the cell."
)

_numbers = itertools.count(1)


@dataclass(slots=True)
class Shelf:
    """Which parts of the drawing library this session has already sent into its notebook, and from which cell.

    A part is sent once, and again only when the cell that carried it runs again, because its old output goes then.

    Examples
    --------
    >>> shelf = Shelf()
    >>> shelf.unsent(["library"], "cell 1"), shelf.unsent(["library"], "cell 2"), shelf.unsent(["library"], "cell 1")
    (['library'], [], ['library'])
    """

    carriers: dict[str, str | None] = field(default_factory=dict)

    def unsent(self, parts: Sequence[str], cell: str | None) -> list[str]:
        """The parts that have to go along with what `cell` shows now; from now on they count as sent."""
        wanted = []
        for part in parts:
            key = hashlib.sha256(part.encode()).hexdigest()
            if key not in self.carriers or (cell is not None and self.carriers[key] == cell):
                self.carriers[key] = cell
                wanted.append(part)
        return wanted

    def scripts(self, figures: Sequence[LayoutDOM], cell: str | None = None) -> str:
        """Script elements with what these figures need and has not been sent; empty if all of it has."""
        return "".join(f"<script>{part}</script>" for part in self.unsent(library(figures), cell))


_SHELF: Final = Shelf()


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure that a notebook can display, save, reopen and convert without asking anything from the network.

    Its output is plain ``text/html``. The drawing library (over a megabyte) is written into the notebook once, with the
    first picture.

    Parameters
    ----------
    figure : bokeh.models.LayoutDOM
        What to draw.
    label : str
        What it shows, for people who cannot see it.
    slot : str
        Pictures of the same slot replace each other in the browser; empty for pictures that stay.

    Raises
    ------
    DataError
        If `figure` is not a Bokeh figure or layout.
    """

    figure: LayoutDOM
    label: str = ""
    slot: str = ""

    def __post_init__(self) -> None:
        checked(self.figure)

    def html(self, label: str = "") -> str:
        """The place and the script that draws into it, without the library; `label` stands in for an empty one."""
        name = f"picture-{next(_numbers)}-{self.figure.id}"
        script = _MOUNT.replace("__NAME__", name).replace("__SLOT__", self.slot).replace("__LATE__", _LATE)
        script = script.replace("__ITEM__", item_json(self.figure))
        label = html.escape(self.label or label or "Chart", quote=True)
        return (
            f'<div role="group" aria-label="{label}" data-picture="{name}" style="min-height:{height(self.figure)}px">'
            f"<p>{label}. {_UNTRUSTED}</p></div><script>{script}</script>"
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        shelf, cell = (_SHELF, _cell()) if _in_notebook() else (Shelf(), None)
        return {
            "text/plain": f"Picture: {self.label or 'chart'}",
            "text/html": shelf.scripts([self.figure], cell) + self.html(),
        }


def show(figure: LayoutDOM, label: str = "") -> None:
    """Display a figure in the running notebook, wherever in a cell this is called.

    Parameters
    ----------
    figure : bokeh.models.LayoutDOM
        From any function of this room, or any other Bokeh figure or layout.
    label : str
        What it shows, read aloud by screen readers; by default the titles inside.

    Raises
    ------
    DataError
        If `figure` is not a Bokeh figure or layout.
    SetupError
        If Bokeh or IPython is not installed.
    """
    picture = Picture(figure, label or titles(figure))
    need("IPython.display", "dashboards").display(picture)


def checked(figure: object) -> None:
    """Refuse what Bokeh cannot draw.

    Raises
    ------
    DataError
        If `figure` is not a Bokeh figure or layout.
    """
    if not isinstance(figure, need("bokeh.models", "dashboards").UIElement):
        raise DataError(
            f"Only a Bokeh figure or layout can be shown, not {type(figure).__name__}. "
            "Draw one first, for example with candles(...), equity(...) or heatmap(...)."
        )


def item_json(figure: LayoutDOM) -> str:
    """The figure as JSON that may stand inside a script element: no character of it can end the element."""
    text = json.dumps(_item(figure), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _item(figure: Any) -> dict[str, Any]:
    """What ``Bokeh.embed.embed_item`` takes.

    Bokeh's own ``json_item`` walks a new figure five times, to validate it and to look for callbacks in Python; a page
    of a dozen figures is made in half the time without.
    """
    if figure.document is not None:  # shown before, or a part of somebody's document
        found: dict[str, Any] = need("bokeh.embed", "dashboards").json_item(figure)
        return found
    document = need("bokeh.document", "dashboards").Document(title="")
    document.add_root(figure)
    whole = document.to_json(deferred=False)
    return {"target_id": None, "root_id": figure.id, "doc": whole, "version": whole["version"]}


def library(figures: Sequence[LayoutDOM]) -> tuple[str, ...]:
    """The scripts that draw these figures, complete and in order; widgets and tables only where a figure has some."""
    resources = need("bokeh.resources", "dashboards").Resources(mode="inline", log_level="error")
    bundle = need("bokeh.embed.bundle", "dashboards").bundle_for_objs_and_resources(list(figures), resources)
    return tuple(part.replace("</script", "<\\/script") for part in bundle.js_raw)


def height(figure: Any) -> int:
    """Height in pixels, panes of a column added up; 0 where a layout does not say."""
    children = getattr(figure, "children", None)
    if children is None:
        return int(getattr(figure, "height", None) or 0)
    parts = [height(child[0] if isinstance(child, tuple) else child) for child in children]
    return max(parts, default=0) if type(figure).__name__ == "Row" else sum(parts)


def titles(figure: LayoutDOM) -> str:
    """The titles inside a figure or layout, joined."""
    found: Any = figure.select({"type": need("bokeh.models", "dashboards").Plot})
    return "; ".join(plot.title.text for plot in found if getattr(plot.title, "text", ""))


def _shell() -> Any:
    return need("IPython", "dashboards").get_ipython()


def _in_notebook() -> bool:
    return getattr(_shell(), "kernel", None) is not None


def _cell() -> str | None:
    """The id of the cell that runs now, where the notebook's front end tells it."""
    parent = _shell().get_parent()
    cell = parent.get("metadata", {}).get("cellId") if parent else None
    return str(cell) if cell is not None else None
