from __future__ import annotations

import asyncio
from typing import Any

import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import Choice, Slider, explore, lines
from qtw_lab.plots.explorer import REST

FRAME = pd.DataFrame({"x": range(50)}, index=pd.date_range("2024-01-02", periods=50), dtype=float)


class Drawing:
    """Draws a rolling mean, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, window: int, theme: str = "light") -> Any:
        self.asked.append({"window": window, "theme": theme})
        if window == 13:
            raise DataError("Thirteen is <unlucky>.")
        if window == 14:
            raise ZeroDivisionError("fourteen")
        if window == 15:
            return "no figure"
        return lines(FRAME.rolling(window).mean(), f"window {window}", theme)


@pytest.fixture
def page() -> tuple[Drawing, Any, Any, Any, Any]:
    drawing = Drawing()
    made = explore(drawing, [Slider("window", 2, 20, 5), Choice("theme", ("light", "dark"))])
    panel, message, _, screen = made.children
    return drawing, panel.children[0], panel.children[1], message, screen


def shown(screen: Any) -> str:
    (output,) = screen.outputs
    return str(output["data"]["text/html"])


def test_the_first_picture_is_there_at_once(page: Any) -> None:
    drawing, _, _, message, screen = page
    assert drawing.asked == [{"window": 5, "theme": "light"}]
    assert "window 5" in shown(screen)
    assert message.value == ""
    assert screen.layout.min_height == "320px"


def test_moving_a_control_draws_again_with_every_value(page: Any) -> None:
    drawing, window, theme, _, screen = page
    window.value = 7
    theme.value = "dark"
    assert drawing.asked[-1] == {"window": 7, "theme": "dark"}
    assert "window 7" in shown(screen)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (13, "Thirteen is &lt;unlucky&gt;."),
        (14, "ZeroDivisionError: fourteen (in __call__"),
        (15, "not str"),
    ],
)
def test_a_failure_is_a_sentence_and_the_last_good_picture_stays(page: Any, value: int, sentence: str) -> None:
    _, window, _, message, screen = page
    window.value = value
    assert sentence in message.value
    assert "Traceback" not in message.value
    assert "window 5" in shown(screen)
    window.value = 6
    assert message.value == ""
    assert "window 6" in shown(screen)


def test_a_drawing_that_fails_at_first_still_gives_its_controls() -> None:
    made = explore(Drawing(), [Slider("window", 2, 20, 13)])
    assert made.children[3].outputs == ()
    made.children[0].children[0].value = 4
    assert "window 4" in shown(made.children[3])


def test_a_moving_slider_is_drawn_once_it_rests(page: Any) -> None:
    drawing, window, _, _, screen = page

    async def slide() -> None:
        for value in (6, 7, 8, 9):
            window.value = value
        assert len(drawing.asked) == 1
        await asyncio.sleep(REST * 3)

    asyncio.run(slide())
    assert [asked["window"] for asked in drawing.asked] == [5, 9]
    assert "window 9" in shown(screen)


def test_the_library_is_sent_once_and_apart_from_the_pictures() -> None:
    made = explore(Drawing(), [Slider("window", 2, 20, 5)])
    _, _, library, screen = made.children
    made.children[0].children[0].value = 6
    assert len(library.outputs) == 1
    assert len(library.outputs[0]["data"]["text/html"]) > 1_000_000
    assert len(shown(screen)) < 100_000


def test_pictures_of_one_explorer_share_a_slot_and_those_of_two_do_not() -> None:
    one, two = (explore(Drawing(), [Slider("window", 2, 20, 5)]).children[3] for _ in range(2))
    slots = [shown(screen).partition('drawn["')[2].partition('"')[0] for screen in (one, two)]
    assert all(slots)
    assert slots[0] != slots[1]


def test_fractions_make_a_fractional_slider() -> None:
    assert type(Slider("x", 0.0, 1.0, 0.5, 0.1).widget()).__name__ == "FloatSlider"
    assert type(Slider("x", 0, 10, 5).widget()).__name__ == "IntSlider"


def test_a_choice_may_hold_any_value() -> None:
    assert Choice("x", (None, 3)).widget().value is None
    assert Choice("x", (1, 3), 3).widget().value == 3


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Slider("x", 5, 2, 3), "does not lie in a range"),
        (lambda: Slider("x", 2, 5, 9), "9 does not lie"),
        (lambda: Slider("x", 2, 5, "3"), "are numbers, not"),  # type: ignore[arg-type]
        (lambda: Slider("x", float("nan"), 5, 3), "does not lie"),
        (lambda: Slider("x", 2, 5, 3, 0), "step 0 must be above zero"),
        (lambda: Choice("x", ()), "at least one option"),
        (lambda: Choice("x", "abc"), "at least one option"),  # type: ignore[arg-type]
        (lambda: Choice("x", ("a",), "b"), "'b' is not one of"),
        (lambda: explore(Drawing(), []), "not none"),
        (lambda: explore(Drawing(), ["window"]), "not 'window'"),  # type: ignore[list-item]
        (lambda: explore(Drawing(), [Slider("x", 1, 2, 1), Choice("x", ("a",))]), "named 'x'"),
    ],
)
def test_controls_that_make_no_sense_are_refused(build: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        build()
