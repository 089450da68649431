"""The cards of a setup: widgets made from the lab's fields, which write into the draft and say what does not fit."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import panel as pn

from dashboards import labels, parts
from qtw_lab.lab import workbench as bench

if TYPE_CHECKING:
    from dashboards.workbench.page import Workbench

_WIDTH: Final = 138
_WIDE: Final = 304


class SetupCards:
    """The left side of the workbench.

    `typed` holds the widgets that show what was typed as it was, even where it does not fit.

    Parameters
    ----------
    page : Workbench
        Whose draft is edited.
    changed : callable
        Called after each change of the draft.
    """

    def __init__(self, page: Workbench, changed: Callable[[], None]) -> None:
        self._page, self._changed = page, changed
        self._faults = {card: parts.text("") for card in ("data", "strategy", "terms")}
        self._parameters, self._fees, self._sizes = (parts.row() for _ in range(3))
        self._about = parts.text("")
        self.view = [
            parts.card(*self._data(), title=page.t("data")),
            parts.card(*self._strategy(), title=page.t("strategy")),
            parts.card(*self._costs(), title=page.t("costs")),
            parts.card(*self._terms(), title=page.t("terms")),
        ]
        self.show_faults()

    def show_faults(self) -> None:
        """Say in each card what does not fit."""
        for card, pane in self._faults.items():
            fault = self._page.state.problems.get(card, "")
            markup = f'<div role="alert">{parts.message(fault, "bad")}</div>' if fault else ""
            if pane.object != markup:
                pane.object = markup

    def _put(self, part: str, name: str, value: Any) -> None:
        self._page.state.put(part, name, value)
        self._changed()

    def _say(self, name: str, value: Any) -> None:
        self._page.state.say(name, value)
        self._changed()

    def _data(self) -> list[Any]:
        t, data = self._page.t, self._page.state.draft["data"]
        known = self._page.sources
        options = {t("any_source"): "", **{f"{name}": name for name in known["source"]}}
        source = pn.widgets.Select(label=t("source"), options=options, value=data["source"] or "", width=_WIDTH)
        listed = data["symbols"]  # as somebody typed them, or as a setup has them
        typed = listed if isinstance(listed, str) else ", ".join(listed)
        symbols = pn.widgets.TextInput(label=t("symbols"), value=typed, width=_WIDE)
        timeframe = pn.widgets.TextInput(label=t("timeframe"), value=data["timeframe"] or "", width=_WIDTH)
        kinds = {t(f"adjustment_{name}"): name for name in bench.ADJUSTMENTS}
        adjustment = pn.widgets.Select(label=t("adjustment"), options=kinds, value=data["adjustment"], width=_WIDTH)
        dates = [
            pn.widgets.TextInput(label=t(name), value=data[name] or "", placeholder="2004-01-31", width=_WIDTH)
            for name in ("start", "end")
        ]
        source.param.watch(lambda event: self._other_source(event.new), "value")
        symbols.param.watch(lambda event: self._put("data", "symbols", event.new), "value")
        pairs = zip(("timeframe", "adjustment", "start", "end"), (timeframe, adjustment, *dates), strict=True)
        for name, widget in pairs:
            widget.param.watch(lambda event, name=name: self._put("data", name, event.new or None), "value")
        self._show_source()
        self.typed: list[Any] = [symbols, timeframe]
        return [parts.row(source, timeframe, symbols, *dates, adjustment), self._about, self._faults["data"]]

    def _other_source(self, name: str) -> None:
        self._put("data", "source", name or None)
        self._show_source()

    def _show_source(self) -> None:
        """Say what the chosen source has."""
        known, chosen = self._page.sources.set_index("source"), self._page.state.draft["data"]["source"]
        words = ""
        if chosen in known.index:
            row = known.loc[chosen]
            words = self._page.t(
                "source_has", title=row["title"], count=row["symbols"], first=f"{row['first']:%Y-%m-%d}",
                last=f"{row['last']:%Y-%m-%d}",
            )  # fmt: skip
        self._about.object = f'<p class="muted">{html.escape(words)}</p>' if words else ""

    def _strategy(self) -> list[Any]:
        page = self._page
        names = list(bench.strategies(page.state.own))
        options = {self._named("strategies", name, name.replace("_", " ")): name for name in names}
        chosen = page.state.draft["strategy"]
        pick = pn.widgets.Select(label=page.t("rule"), options=options, value=chosen, width=_WIDE)
        pick.param.watch(lambda event: self._other_strategy(event.new), "value")
        self._show_parameters()
        return [pick, self._parameters, self._faults["strategy"]]

    def _other_strategy(self, name: str) -> None:
        """Another strategy: its own parameters, where they stand by default."""
        state = self._page.state
        state.draft = {**state.draft, "strategy": name, "parameters": {}}
        state.check()
        self._show_parameters()
        self._changed()

    def _show_parameters(self) -> None:
        state = self._page.state
        kind = bench.strategies(state.own).get(state.draft["strategy"])
        found = () if kind is None else bench.fields(kind)
        self._parameters[:] = self._controls(found, "parameters", state.draft["strategy"])

    def _costs(self) -> list[Any]:
        page = self._page
        names = {page.t(f"schedule_{name}"): name for name in bench.SCHEDULES}
        chosen = page.state.draft["costs"].get("schedule", "own")
        pick = pn.widgets.Select(label=page.t("schedule"), options=names, value=chosen, width=_WIDE)

        def other(event: Any) -> None:
            known = {field.name for field in bench.cost_fields(event.new)}
            kept = {name: value for name, value in page.state.draft["costs"].items() if name in known}
            self._say("costs", {"schedule": event.new, **kept})
            self._show_costs()

        pick.param.watch(other, "value")
        self._show_costs()
        return [pick, self._fees]

    def _show_costs(self) -> None:
        schedule = self._page.state.draft["costs"].get("schedule", "own")
        self._fees[:] = self._controls(bench.cost_fields(schedule), "costs", "costs")

    def _terms(self) -> list[Any]:
        page, draft = self._page, self._page.state.draft
        ways = {page.t(f"execution_{name}"): name for name in bench.executions()}
        execution = pn.widgets.Select(label=page.t("execution"), options=ways, value=draft["execution"], width=_WIDE)
        execution.param.watch(lambda event: self._say("execution", event.new), "value")
        cash = pn.widgets.FloatInput(label=page.t("cash"), value=draft["cash"], step=1000, width=_WIDTH)
        self.typed.append(cash)
        cash.param.watch(lambda event: self._say("cash", event.new), "value")
        rules = {page.t(f"sizing_{name}"): name for name in bench.SIZINGS}
        rule = pn.widgets.Select(label=page.t("sizing"), options=rules, value=draft["sizing"]["rule"], width=_WIDE)
        rule.param.watch(lambda event: self._other_sizing(event.new), "value")
        self._show_sizing()
        account = self._controls(bench.account_fields(), "account", "account")
        stops = self._controls(bench.stop_fields(), "stops", "stops")
        return [
            parts.row(execution, cash, *account), parts.row(rule), self._sizes, self._sub(page.t("stops")),
            parts.row(*stops), self._faults["terms"],
        ]  # fmt: skip

    def _other_sizing(self, rule: str) -> None:
        usual = bench.SIZINGS[rule]
        self._say("sizing", {"rule": rule, **{field.name: field.default for field in bench.sizing_fields(rule)}})
        self._page.state.put("sizing", "amount", usual.amount)
        self._show_sizing()
        self._changed()

    def _show_sizing(self) -> None:
        rule = self._page.state.draft["sizing"]["rule"]
        self._sizes[:] = self._controls(bench.sizing_fields(rule), "sizing", rule)

    def _sub(self, words: str) -> Any:
        return parts.text(f"<h3>{html.escape(words)}</h3>")

    def _controls(self, fields: Sequence[bench.Field], part: str, group: str) -> list[Any]:
        """A widget for each field, standing where the draft stands."""
        draft = self._page.state.draft[part]
        return [self._control(field, part, group, draft.get(field.name, field.default)) for field in fields]

    def _control(self, field: bench.Field, part: str, group: str, value: Any) -> Any:
        name = self.field_label(field, group, part)
        made: Any
        if field.kind == "bool":
            # a list to choose from, since Bokeh gives check boxes no name that a screen reader finds
            options = {self._page.t("no"): False, self._page.t("yes"): True}
            made = pn.widgets.Select(label=name, options=options, value=bool(value), width=_WIDTH)
        elif field.kind == "choice":
            made = pn.widgets.Select(label=name, options=list(field.options), value=value, width=_WIDTH)
        else:
            shown = f"{name}, {field.span}" if field.span and part == "parameters" else name
            kind = pn.widgets.IntInput if field.kind == "int" else pn.widgets.FloatInput
            # without bounds of its own: a value that does not fit is answered in the strategy's words, not bent
            made = kind(label=shown, value=value, step=field.step, width=_WIDTH)
        made.css_classes = ["qtw-field"]
        made.param.watch(lambda event: self._put(part, field.name, event.new), "value")
        return made

    def field_label(self, field: bench.Field, group: str, part: str = "") -> str:
        """What a field is called: by its group, by its part, or in its own words."""
        found = self._named(f"field.{group}", field.name, "")
        return found or self._named(f"field.{part}", field.name, field.label)

    def _named(self, group: str, name: str, otherwise: str) -> str:
        key = f"workbench.{group}.{name}"
        return self._page.t(key) if key in labels.table() else otherwise
