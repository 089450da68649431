"""What the realtime page says."""

import pytest

from dashboards.labels import LANGUAGES, label, table
from dashboards.realtime.words import Words
from qtw_lab.core import Settings
from qtw_lab.lab.monitor import Monitor
from qtw_lab.lab.monitor_condition import Condition

STATES = [
    Condition("never"), Condition("stopped", "", "SIGTERM", 3.0), Condition("stale", "dead", "", 4.0),
    Condition("stale", "hung", "", 9.0, 7), Condition("starting", "", "", 2.0, 7), Condition("running", "", "", 0.1, 7),
    *(Condition("reconnecting", cause, "reset", 0.1, 7) for cause in
      ("connecting", "up", "down", "waiting", "refused", "fatal", "ended", "warning")),
]  # fmt: skip


def words(tmp_path, language="en"):
    monitor = Monitor(Settings(qtw_storage_dir=tmp_path, _env_file=None))
    return Words(lambda key, **values: label(f"realtime.{key}", language, **values), monitor)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_condition_is_said_in_every_language(tmp_path, language):
    said = words(tmp_path, language)
    for condition in STATES:
        markup = said.state(condition)
        assert f'data-state="{condition.state}"' in markup
        assert table()[f"realtime.state_{condition.state}"][language] in markup
        assert condition.reason in markup
        assert "{" not in markup


def test_what_is_not_well_says_what_to_do(tmp_path):
    said = words(tmp_path)
    assert "press Start" in said.state(Condition("stale", "dead"))
    assert "more than 5 s" in said.state(Condition("stale", "hung", "", 9.0, 4711))
    assert "process 4711" in said.state(Condition("stale", "hung", "", 9.0, 4711))
    assert "qtw realtime run --profile" in said.state(Condition("never"))


def test_a_reason_from_outside_is_text_and_no_markup(tmp_path):
    assert "<script>" not in words(tmp_path).state(Condition("reconnecting", "down", "<script>alert(1)</script>"))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.44, "0.4 s"), (12.4, "12 s"), (119, "119 s"), (125, "2 min"), (7300, "2 h"), (200_000, "2 d")],
)  # fmt: skip
def test_a_time_that_passed_is_said_in_the_unit_that_suits_it(tmp_path, seconds, said):
    assert words(tmp_path).lasted(seconds) == said


def test_before_any_engine_every_part_says_so(tmp_path):
    said = words(tmp_path)
    never = Condition("never")
    assert "Never heard of" in said.age(never, 3)
    assert 'data-updates="3"' in said.age(never, 3)
    for markup in (
        said.rates(never), said.lag(never), said.focus(5, "", "rank", 0, 20)[1], said.signals(held=True), said.churn(),
        said.gaps(), said.events(), said.log(), said.bar("", said.monitor.bars("", 5)),
    ):  # fmt: skip
        assert "qtw-message" in markup
    assert said.lengths() == {"5 s": 5}
    assert said.length(60) == "1 min"
