"""The table of docs/known_answers.md, computed again."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

WRITER = Path(__file__).with_name("known_answers.py")


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("known_answers", WRITER)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # dataclasses look themselves up there
    spec.loader.exec_module(loaded)
    yield loaded
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def known(module):
    return module.answers()


def test_every_known_answer_is_met(known):
    wrong = [answer for rows in known.values() for answer in rows if not answer.holds]
    assert not wrong, "\n".join(f"{a.figure}: {a.ours} instead of {a.expected}" for a in wrong)


def test_no_answer_stands_there_twice(known):
    named = [(answer.figure, answer.source) for rows in known.values() for answer in rows]
    assert len(named) == len(set(named)) > 40


def test_the_page_is_what_the_program_writes(module, known):
    assert module.PAGE.read_text(encoding="utf-8") == module.page(known), (
        "docs/known_answers.md is not what these answers give: run `python tests/stats/known_answers.py` and look at "
        "the difference before you commit it."
    )


def test_an_answer_outside_its_tolerance_is_noticed(module):
    assert not module.Answer("x", "y", 1.0, 1.01, 1e-3).holds
    assert not module.Answer("x", "y", 1.0, float("nan"), 1.0).holds
    assert module.printed("x", "y", 0.982, 0.98249, 3).holds
    assert not module.counted("x", "y", 4, 5).holds
    assert module.Answer("x", "y", 1.0, 1.0 + 1e-12).row().split(" | ")[4] == "rounding"
