"""Every step goes to the journal, to the exports and to the metrics, in the words of each."""

import json

import numpy as np
from engine_venue import AHEAD, START, Driver, random_market, steps_of

from qtw_lab.live.engine import Engine
from qtw_lab.live.exports import Exports
from qtw_lab.live.journal import Journal
from qtw_lab.live.journal_kinds import Entry
from qtw_lab.live.metrics import Metrics
from qtw_lab.live.outcome import Event, Stances
from qtw_lab.live.outlets import Outlets, written
from qtw_lab.live.profile import checked
from qtw_lab.live.rows import ROW

NAMES = ["AAA", "BBB"]


def ran():
    content = {
        "universe": {"symbols": NAMES, "min_price": 0, "min_dollar_volume": 0, "min_volume": 0},
        "engine": {"stale_seconds": 3600},
        "signals": {"min_volume": 0, "max_spread_bps": 10_000},
        "strategy": "buy_and_hold",
    }
    engine = Engine(checked(content), calendar="24/7")
    return Driver(engine, random_market(1, NAMES), down=((20, 21),)).run(40)


def test_the_journal_has_every_step_in_order(tmp_path):
    driver = ran()
    steps = steps_of(driver.outcomes)
    with Journal(tmp_path, sync_seconds=None) as journal:
        journal.write_symbols(0, driver.engine.symbols.names)
        for step in steps:
            written(journal, 5, step)
    with Journal(tmp_path, sync_seconds=None) as journal:
        entries = [entry for entry in journal.read() if entry.kind != Entry.SYMBOLS]
    names = {
        "focus": Entry.FOCUS,
        "universe": Entry.UNIVERSE,
        "gap": Entry.GAP,
        "link": Entry.LINK,
        "warning": Entry.WARNING,
    }
    expected = []
    for step in steps:
        if isinstance(step, Event):
            expected.append(names[step.kind])
        elif isinstance(step, Stances):
            expected += [Entry.DECISIONS] if np.isfinite(step.decisions).any() else []
        else:
            expected.append(Entry.ROWS if step.dtype == ROW else Entry.SIGNALS)
    found = [entry.kind for entry in entries]
    assert found == expected
    rows = [entry.content for entry in entries if entry.kind == Entry.ROWS]
    arrays = [step for step in steps if isinstance(step, np.ndarray) and step.dtype == ROW]
    assert [some.tobytes() for some in rows] == [some.tobytes() for some in arrays]
    assert {Entry.ROWS, Entry.DECISIONS, Entry.SIGNALS, Entry.FOCUS, Entry.GAP, Entry.LINK} <= set(found)


def test_exports_and_metrics_tell_the_same(tmp_path):
    driver = ran()
    outlets = Outlets(Exports(tmp_path / "state", tmp_path / "data"), Metrics(tmp_path / "data" / "metrics.ndjson"))
    for one, outcome in zip(driver.came, driver.outcomes, strict=True):
        outlets.took(driver.engine, one.received)
        for step in outcome.steps:
            outlets.step(one.received, step, driver.engine)
    outlets.tell(START + AHEAD, {"state": "running"}, driver.engine)
    bars = [json.loads(line) for line in next((tmp_path / "data").glob("bars_5s_*.ndjson")).read_text().splitlines()]
    rows = [s for s in steps_of(driver.outcomes) if isinstance(s, np.ndarray) and s.dtype == ROW]
    assert len(bars) == sum(int((some["level"] == 5).sum()) for some in rows) > 10
    focus = json.loads((tmp_path / "state" / "focus_state.json").read_text())
    assert "AAA" in json.dumps(focus)
    beat = [json.loads(line) for line in (tmp_path / "data" / "metrics.ndjson").read_text().splitlines()]
    events = {one["event"] for one in beat}
    assert {"realtime.focus", "realtime.gap", "realtime.link", "realtime.heartbeat"} <= events
    last = beat[-1]
    assert last["counts"]["trades"] == driver.engine.counts["trades"]


def test_without_anybody_to_tell_nothing_happens():
    driver = ran()
    outlets = Outlets()
    for step in steps_of(driver.outcomes):
        outlets.step(1, step, driver.engine)
    outlets.tell(1, {}, driver.engine)
