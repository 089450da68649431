"""Who else is told what the engine concludes: exports by the reference's names, metrics, and Redis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qtw_lab.live.engine import Engine
from qtw_lab.live.exports import Exports
from qtw_lab.live.journal import Journal
from qtw_lab.live.metrics import LagHistogram, Metrics
from qtw_lab.live.outcome import Event, Stances
from qtw_lab.live.redis_out import RedisOut
from qtw_lab.live.rows import ROW, SIGNAL
from qtw_lab.live.selection import reasons
from qtw_lab.venues.ticks import Rows

#: How many symbols of the ranked universe are exported.
_SHOWN = 1000


@dataclass
class Outlets:
    """Everybody who is told, beside the journal.

    Parameters
    ----------
    exports : Exports, optional
        JSON and NDJSON files.
    metrics : Metrics, optional
        Figures of the run.
    redis : RedisOut, optional
        Streams for other machines.
    """

    exports: Exports | None = None
    metrics: Metrics | None = None
    redis: RedisOut | None = None
    lags: LagHistogram = field(default_factory=LagHistogram)
    _before: tuple[int, dict[str, int]] = (0, {})

    def took(self, engine: Engine, now: int) -> None:
        """The engine took something in: how long after it happened."""
        if engine.fresh is not None:
            self.lags.add((now - engine.received + engine.fresh) / 1e9)

    def step(self, received: int, step: Rows | Stances | Event, engine: Engine) -> None:
        """Pass on one step of an outcome."""
        names = engine.symbols.names
        if isinstance(step, np.ndarray):
            for outlet in (self.exports, self.redis):
                if outlet is not None and len(step):
                    (outlet.bars if step.dtype == ROW else outlet.signals)(step, names)
        elif isinstance(step, Event):
            self._event(received, step, engine)

    def _event(self, received: int, event: Event, engine: Engine) -> None:
        if event.kind == "focus" and event.change is not None:
            entered, left = reasons(event.change.entered), reasons(event.change.left)
            if self.exports is not None:
                self.exports.focus(received, event.change.focus, {"entered": entered, "left": left})
            if self.redis is not None:
                self.redis.focus({"focus": event.change.focus, "entered": dict(entered), "left": dict(left)})
        elif event.kind == "universe" and self.exports is not None and engine.selection.ranked is not None:
            table = engine.selection.ranked.table().head(_SHOWN).reset_index()
            shown = [{str(name): _finite(value) for name, value in row.items()} for row in table.to_dict("records")]
            self.exports.universe(received, shown, len(engine.selection.assets))
        elif event.kind == "link" and self.exports is not None:
            self.exports.stream(received, str(event.content["state"]), str(event.content.get("reason", "")))
        if self.metrics is not None and event.kind != "universe":
            self.metrics.record(f"realtime.{event.kind}", received, event.content)

    def tell(self, now: int, status: Mapping[str, Any], engine: Engine) -> None:
        """Once a second: write what was gathered."""
        counts = engine.counts
        before, last = self._before
        seconds = max((now - before) / 1e9, 1e-9)
        rates = {name: round((counts[name] - last.get(name, 0)) / seconds, 1) for name in ("trades", "quotes")}
        self._before = (now, counts)
        if self.exports is not None:
            self.exports.stream(now, str(engine.link.get("state")), str(engine.link.get("reason", "")))
            self.exports.write()
        if self.metrics is not None:
            fields = {"rates": rates, "lag": self.lags.summary(), "counts": counts, "gaps": len(engine.gaps.open)}
            self.metrics.record("realtime.heartbeat", now, fields)
            self.metrics.flush()
        if self.redis is not None:
            self.redis.status(status)
        self.lags.clear()


def _finite(value: Any) -> Any:
    """The value as JSON can hold it: what is not known of a symbol, such as a new one's last close, is null."""
    return None if isinstance(value, float) and not np.isfinite(value) else value


def written(journal: Journal, received: int, step: Rows | Stances | Event) -> None:
    """Write one step of an outcome into the journal."""
    if isinstance(step, Stances):
        said = np.flatnonzero(~np.isnan(step.decisions))
        journal.write_decisions(received, step.level, step.time, step.numbers[said], step.decisions[said])
    elif isinstance(step, Event):
        _event(journal, received, step)
    elif step.dtype == SIGNAL:
        journal.write_signals(received, step)
    else:
        journal.write_rows(received, step)


def _event(journal: Journal, received: int, event: Event) -> None:
    content = dict(event.content)
    if event.kind == "focus" and event.change is not None:
        journal.write_focus(received, event.change.focus, reasons(event.change.entered), reasons(event.change.left))
    elif event.kind == "gap":
        journal.write_gap(received, content.pop("state"), content.pop("start"), content.pop("end"), **content)
    elif event.kind == "universe":
        journal.write_universe(received, content)
    elif event.kind == "link":
        journal.write_link(received, content)
    else:
        journal.write_warning(received, str(content.get("message", content)))
