"""Sliders over a chart, in a notebook."""

from __future__ import annotations

import asyncio
import html
import itertools
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qtw_lab.core import DataError, LabError
from qtw_lab.core.extras import need
from qtw_lab.plots.picture import Picture, Shelf, height, titles

if TYPE_CHECKING:
    from bokeh.models import LayoutDOM

#: How long the controls must rest before the picture is drawn again, in seconds.
REST: Final = 0.15

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Slider:
    """A number to slide.

    Parameters
    ----------
    name : str
        The argument of the drawing function.
    low, high : int or float
        Ends, both allowed. Whole numbers make a whole slider.
    value : int or float
        Where it stands at first.
    step : int or float
        From one position to the next; above zero.
    label : str
        What people read; the name by default.

    Raises
    ------
    DataError
        If the ends are reversed, the value lies outside, or the step is not above zero.

    Examples
    --------
    >>> Slider("fast", 2, 50, 20).whole
    True
    """

    name: str
    low: float
    high: float
    value: float
    step: float = 1
    label: str = ""

    def __post_init__(self) -> None:
        given = (self.low, self.high, self.value, self.step)
        if not all(isinstance(number, Real) and not isinstance(number, bool) for number in given):
            raise DataError(
                f"Slider {self.name}: low, high, value and step are numbers, not {given}. Use a Choice for others."
            )
        if not self.low <= self.value <= self.high or self.low == self.high:
            raise DataError(
                f"Slider {self.name}: {self.value:g} does not lie in a range from {self.low:g} to {self.high:g}."
            )
        if not self.step > 0:
            raise DataError(f"Slider {self.name}: the step {self.step:g} must be above zero.")

    @property
    def whole(self) -> bool:
        """Whether all its positions are whole numbers."""
        return all(isinstance(number, Integral) for number in (self.low, self.high, self.value, self.step))

    def widget(self) -> Any:
        """The ipywidgets control."""
        widgets = need("ipywidgets", "dashboards")
        kind = widgets.IntSlider if self.whole else widgets.FloatSlider
        options = {} if self.whole else {"readout_format": ".4g"}
        return kind(
            value=self.value, min=self.low, max=self.high, step=self.step, description=self.label or self.name,
            style={"description_width": "initial"}, layout=widgets.Layout(width="340px", max_width="100%"), **options,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values.

    Parameters
    ----------
    name : str
        The argument of the drawing function.
    options : tuple
        What can be chosen, each once.
    value : object, optional
        What is chosen at first; the first option if None.
    label : str
        What people read; the name by default.

    Raises
    ------
    DataError
        If there is no option, or the value is none of them.

    Examples
    --------
    >>> Choice("theme", ("light", "dark")).first
    'light'
    """

    name: str
    options: tuple[Any, ...]
    value: Any = None
    label: str = ""

    def __post_init__(self) -> None:
        if not self.options or isinstance(self.options, str):
            raise DataError(f"Choice {self.name}: give a tuple of at least one option, not {self.options!r}.")
        if self.value is not None and self.value not in self.options:
            raise DataError(f"Choice {self.name}: {self.value!r} is not one of {list(self.options)}.")

    @property
    def first(self) -> Any:
        """What is chosen at first."""
        return self.options[0] if self.value is None else self.value

    def widget(self) -> Any:
        """The ipywidgets control."""
        widgets = need("ipywidgets", "dashboards")
        return widgets.Dropdown(
            options=[(str(option), option) for option in self.options], value=self.first,
            description=self.label or self.name, style={"description_width": "initial"},
            layout=widgets.Layout(width="340px", max_width="100%"),
        )  # fmt: skip


Control: TypeAlias = Slider | Choice


@dataclass(eq=False)
class Explorer:
    """What happens between the controls and the picture; `explore` makes one.

    Parameters
    ----------
    draw : callable
        Gives a Bokeh layout from the controls' values, by name.
    controls : dict of str to widget
        By the name of the argument.
    library, screen : ipywidgets.Output
        Where the drawing library and the picture go. The library has its own place because pictures come and go, and is
        not counted as sent into the notebook, because a converted notebook keeps no widgets.
    message : ipywidgets.HTML
        Where a sentence about a failure appears.
    """

    draw: Callable[..., LayoutDOM]
    controls: dict[str, Any]
    library: Any
    screen: Any
    message: Any
    shelf: Shelf = field(default_factory=Shelf)
    slot: str = field(default_factory=lambda: f"explorer-{next(_numbers)}")
    _waiting: asyncio.TimerHandle | None = None

    def changed(self, _: object = None) -> None:
        """Draw again once the controls have rested for `REST` seconds; at once where no event loop runs."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.redraw()
            return
        self._waiting = loop.call_later(REST, self.redraw)

    def redraw(self) -> None:
        """Show the picture for the present values, or say why there is none and leave the last one standing."""
        values = {name: control.value for name, control in self.controls.items()}
        try:
            figure = self.draw(**values)
            picture = Picture(figure, slot=self.slot)
            scripts, shown = self.shelf.scripts([figure]), picture.html(titles(figure))
        except Exception as err:  # noqa: BLE001  (the outermost loop of a page: whatever the drawing raises is told to the reader)
            self.message.value = f'<p role="alert"><b>Not drawn.</b> {html.escape(_sentence(err, values))}</p>'
            return
        self.message.value = ""
        # the place keeps its height while the browser swaps pictures, so the page does not jump
        self.screen.layout.min_height = f"{height(figure)}px"
        if scripts:
            self.library.outputs = (*self.library.outputs, _output(scripts))
        self.screen.outputs = (_output(shown),)


def explore(draw: Callable[..., LayoutDOM], controls: Sequence[Control]) -> Any:
    """Controls above a chart that is drawn again whenever they change.

    Parameters
    ----------
    draw : callable
        Called with one keyword argument a control; gives a Bokeh layout. What it raises appears as a sentence above the
        chart, and the last good chart stays.
    controls : sequence of Slider or Choice
        In the order shown; each has its own name.

    Returns
    -------
    ipywidgets.VBox
        Display it as the last expression of a cell.

    Raises
    ------
    DataError
        If there is no control, two have one name, or one is of another kind.
    SetupError
        If ipywidgets or Bokeh is not installed.

    Examples
    --------
    >>> from qtw_lab.plots import lines
    >>> import pandas as pd
    >>> days = pd.date_range("2024-01-02", periods=50)
    >>> page = explore(lambda window: lines(pd.DataFrame({"x": range(50)}, index=days).rolling(window).mean()),
    ...                [Slider("window", 2, 20, 5)])
    >>> [type(child).__name__ for child in page.children]
    ['HBox', 'HTML', 'Output', 'Output']
    """
    widgets = need("ipywidgets", "dashboards")
    strange = [control for control in controls if not isinstance(control, (Slider, Choice))]
    if strange or not controls:
        given = repr(strange[0]) if strange else "none"
        raise DataError(f"An explorer needs controls, each a Slider or a Choice, not {given}.")
    names = [control.name for control in controls]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"Two controls are named {twice!r}; every argument has one control.")
    made = {control.name: control.widget() for control in controls}
    library, screen = widgets.Output(), widgets.Output()
    explorer = Explorer(draw, made, library, screen, widgets.HTML())
    for control in made.values():
        control.observe(explorer.changed, names="value")
    explorer.redraw()
    panel = widgets.HBox(list(made.values()), layout=widgets.Layout(flex_flow="row wrap"))
    return widgets.VBox([panel, explorer.message, library, screen])


def _output(text: str) -> dict[str, Any]:
    """A display message, as Jupyter writes one."""
    return {"output_type": "display_data", "data": {"text/html": text, "text/plain": "Picture"}, "metadata": {}}


def _sentence(err: Exception, values: dict[str, Any]) -> str:
    """What went wrong, in one sentence: our own errors speak for themselves, others are named with their place."""
    if isinstance(err, LabError):
        return str(err)
    place = traceback.extract_tb(err.__traceback__)[-1]
    chosen = ", ".join(f"{name}={value!r}" for name, value in values.items())
    return f"With {chosen} the drawing raised {type(err).__name__}: {err} (in {place.name}, line {place.lineno})."
