"""What the realtime page says: the engine's condition and tables as markup, in the reader's language."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from dashboards import parts
from qtw_lab.core import Facts
from qtw_lab.lab.monitor import Monitor
from qtw_lab.lab.monitor_condition import LIMIT, Condition

#: Figures of the engine that are shown, in order.
_FACTS: Final = (
    "venue_time", "universe", "focus", "trades", "quotes", "gaps_open", "gaps_mended", "long", "short",
)  # fmt: skip

_CAUSES: Final = ("connecting", "up", "down", "waiting", "refused", "fatal", "ended")


class Words:
    """Markup of what a monitor has.

    Parameters
    ----------
    t : callable
        Gives a label of the page, in the reader's language.
    monitor : Monitor
        What is shown.
    """

    def __init__(self, t: Callable[..., str], monitor: Monitor) -> None:
        self.t, self.monitor = t, monitor

    # The engine

    def state(self, condition: Condition) -> str:
        """Its condition, what that means, and what to do."""
        name = f"say_{condition.state}" + (f"_{condition.cause}" if condition.state == "stale" else "")
        cause = condition.cause if condition.cause in _CAUSES else "other"
        cause = self.t(f"cause_{cause}", state=condition.cause) if condition.state == "reconnecting" else ""
        words = self.t(name, cause=cause, pid=condition.pid or "?", limit=f"{LIMIT:g}")
        if condition.reason:
            words = f"{words} {self.t('reason', reason=condition.reason)}"
        said = parts.message(words, condition.mood, self.t(f"state_{condition.state}"))
        return f'<div role="status" aria-live="polite" data-state="{condition.state}">{said}</div>'

    def age(self, condition: Condition, count: int) -> str:
        """How long ago it was heard of, and how often the page was brought up to date."""
        age = self.t("age_none") if condition.age is None else self.t("age", age=self.lasted(condition.age))
        said = [age, *([self.t("process", pid=condition.pid)] if condition.pid else [])]
        updates = f'<span data-updates="{count}">{html.escape(self.t("updates", count=f"{count:,}"))}</span>'
        return f'<p class="muted"><span data-age>{html.escape(" · ".join(said))}</span> · {updates}</p>'

    def facts(self, condition: Condition) -> str:
        """Its figures, and what is to be known of them."""
        found = self.monitor.facts()
        chosen = (one for one in found if one.name in _FACTS)
        named = Facts(found.title, tuple(replace(one, label=self.t(f"fact_{one.name}")) for one in chosen))
        notes = found.notes if condition.state == "running" else ()
        said = "".join(f'<p class="muted">{html.escape(note)}</p>' for note in notes)
        return parts.figures(named, _FACTS) + said

    def rates(self, condition: Condition) -> str:
        """What comes in now, in words."""
        if not self.monitor.beats.kept:
            return parts.message(self.t("no_beats"))
        _, trades, quotes, *_ = self.monitor.beats.kept[-1]
        if condition.state not in ("running", "reconnecting"):
            return f"<p class='muted'>{html.escape(self.t('nothing_now'))}</p>"
        said = self.t("rates_now", trades=f"{trades:,.0f}", quotes=f"{quotes:,.0f}")
        return f"<p class='muted'>{html.escape(said)}</p>"

    def lag(self, condition: Condition) -> str:
        """How late things arrive now, in words."""
        if not self.monitor.beats.kept:
            return parts.message(self.t("no_beats"))
        *_, median, p99 = self.monitor.beats.kept[-1]
        if condition.state not in ("running", "reconnecting") or median != median:  # noqa: PLR0124  (NaN)
            return f"<p class='muted'>{html.escape(self.t('nothing_now'))}</p>"
        said = self.t("lag_now", median=f"{median:,.1f}", p99=f"{p99:,.1f}")
        if self.monitor.speed != 1:
            said = f"{said} {self.t('lag_speed', speed=f'{self.monitor.speed:g}')}"
        return f"<p class='muted'>{html.escape(said)}</p>"

    def log(self) -> str:
        """The last lines it printed."""
        lines = list(self.monitor.log.lines)[-12:]
        if not lines:
            return parts.message(self.t("no_words"))
        head = f"<p class='muted'>{html.escape(self.t('words'))}</p>"
        return f"{head}<pre class='qtw'>{html.escape(chr(10).join(lines))}</pre>"

    # Focus and bars

    def lengths(self) -> dict[str, int]:
        """Lengths of bars by what they are called."""
        found = self.monitor.levels or (self.monitor.decided_on,)
        return {self.length(seconds): seconds for seconds in found}

    def length(self, seconds: int) -> str:
        """A length of bars in words."""
        whole = seconds % 60 == 0
        return self.t("minutes" if whole else "seconds", value=seconds // 60 if whole else seconds)

    def lasted(self, seconds: float) -> str:
        """A time that passed, in the unit that suits it."""
        for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
            if seconds >= 2 * size:
                return self.t(unit, value=f"{seconds / size:.0f}")
        return self.t("seconds", value=f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}")

    def bar(self, symbol: str, bars: pd.DataFrame) -> str:
        """The last bar of a symbol, in words."""
        if bars.empty:
            gone = bool(symbol) and symbol not in self.monitor.symbols
            return parts.message(self.t("left_focus", symbol=symbol) if gone else self.t("no_bars"))
        last = bars.iloc[-1]
        said = self.t(
            "last_bar", symbol=symbol, close=f"{last['close']:,.2f}", time=parts.clock(last["time"]),
            volume=f"{last['volume']:,.0f}", trades=f"{last['trades']:,}",
            flags=self.t("flagged", flags=last["flags"]) if last["flags"] else "",
        )  # fmt: skip
        return f"<p class='muted' data-bar>{html.escape(said)}</p>"

    def focus(self, seconds: int, find: str, order: str, first: int, rows: int) -> tuple[int, str]:
        """How many symbols there are to be shown, and some of them as a table."""
        table = self.monitor.focus(seconds, find, order)
        count = len(table)
        if not count:
            return 0, parts.message(self.t("no_match", find=find) if self.monitor.symbols else self.t("no_focus"))
        some = table.iloc[first : first + rows]
        caption = self.t(
            "focus_caption", first=f"{min(first + 1, count):,}", last=f"{min(first + rows, count):,}",
            count=f"{count:,}", length=self.length(seconds),
        )  # fmt: skip
        written: dict[str, Callable[[Any], str]] = {
            "stance": self._stance, "change": _signed, "spread_bps": lambda value: _places(value, 1),
            "volume": lambda value: _places(value, 0), "bar": parts.clock,
            "in_focus": lambda span: self.lasted(span.total_seconds()),
        }  # fmt: skip
        some = some[["symbol", *(name for name in some.columns if name != "symbol")]]
        return count, self._table(some, caption, "no_focus", written, signed=("change",))

    def universe(self) -> str:
        """How many were ranked, and who was left out why."""
        ranked, excluded = self.monitor.universe()
        if ranked is None:
            return f"<p class='muted'>{html.escape(self.t('no_universe'))}</p>"
        said = self.t("ranked", count=f"{ranked:,}")
        if excluded:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in excluded.items())
            said = f"{said} {self.t('excluded', reasons=reasons)}"
        return f"<p>{html.escape(said)}</p>"

    # What happened

    def signals(self, *, held: bool) -> str:
        """The last changes of stance."""
        written: dict[str, Callable[[Any], str]] = {
            "time": parts.clock, "previous": self._stance, "stance": self._stance,
        }  # fmt: skip
        table = self.monitor.signals(25, held=held)
        table = table if held else table.drop(columns="gate")
        table = table[["symbol", *(name for name in table.columns if name != "symbol")]]
        return self._table(table, self.t("signals_caption"), "no_signals", written)

    def churn(self) -> str:
        """The last changes of the focus."""
        written: dict[str, Callable[[Any], str]] = {"time": parts.clock}
        return self._table(
            self.monitor.churn(12), self.t("churn_caption"), "no_churn", written, wide=("entered", "left")
        )

    def gaps(self) -> str:
        """The last gaps."""
        written: dict[str, Callable[[Any], str]] = {
            "start": parts.clock, "seconds": lambda value: _places(value, 1),
            "state": lambda state: self.t(f"gap_{state}"),
        }  # fmt: skip
        return self._table(self.monitor.gaps(12), self.t("gaps_caption"), "no_gaps", written, wide=("reason",))

    def events(self) -> str:
        """What happened lately."""
        written: dict[str, Callable[[Any], str]] = {
            "time": parts.shown, "event": lambda event: self.t(f"event_{event}"),
        }  # fmt: skip
        return self._table(self.monitor.events(20), self.t("events_caption"), "no_events", written, wide=("what",))

    def _table(
        self, frame: pd.DataFrame, caption: str, empty: str, written: parts.Written, *, signed: tuple[str, ...] = (),
        wide: tuple[str, ...] = (),
    ) -> str:  # fmt: skip
        named = {str(name): self.t(f"col_{name}") for name in frame}
        return parts.table(
            frame, caption, empty=self.t(empty), written=written, named=named, signed=signed, wide=wide, bare=True
        )

    def _stance(self, stance: float) -> str:
        return self.t("long" if stance > 0 else "short" if stance < 0 else "flat")


def _signed(value: Any) -> str:
    return "" if parts.shown(value) == "" else f"{value:+.2%}"


def _places(value: Any, places: int) -> str:
    return "" if parts.shown(value) == "" else f"{value:,.{places}f}"
