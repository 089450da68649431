"""The order ticket: filled in, looked at with every limit, and only then sent; any change asks for a new look."""

from __future__ import annotations

import html
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import panel as pn

from dashboards import parts
from qtw_lab.lab import order_ticket
from qtw_lab.lab.order_ticket import CHOICES, NEEDED, Draft, Preview

if TYPE_CHECKING:
    from dashboards.paper.page import Paper
    from qtw_lab.lab.desk_view import DeskSeen

_WIDTH: Final = 122


class TicketCard:
    """The card of an order by hand.

    What was looked at is kept with the draft it was made of and the order's name: `send` sends that very order, and
    only while the draft is still the same. So pressing twice sends one order, and a field that changed sends none.
    """

    def __init__(self, page: Paper) -> None:
        self._page, t = page, page.t
        self._looked: tuple[Draft, Preview] | None = page.kept.get("ticket.looked")
        self._busy = self._halted = False
        self._fields = self._made()
        self.look = pn.widgets.Button(label=t("preview"), color="primary", width=150, disabled=True)
        self.send = pn.widgets.Button(label=t("send"), color="danger", disabled=True, min_width=150)
        self.look.on_click(self._look)
        self.send.on_click(self._send)
        self._limits = parts.text("")
        self._found, self._told = parts.text(""), parts.text("", margin=(6, 0))
        self.view = parts.card(
            parts.row(*self._fields.values()), parts.row(self.look, self.send), self._told, self._found, self._limits,
            title=t("ticket"), least=380,
        )  # fmt: skip
        self._fit()
        self._draw()

    def show(self, seen: DeskSeen) -> None:
        """Let orders be sent only while they may be."""
        self._allow()
        if seen.halted != self._halted:
            self._halted = seen.halted
            self._draw()
        t = self._page.t
        if self._looked is not None or seen.stage == "none" or seen.limits_trouble:
            parts.put(self._limits, "")
        else:
            table = seen.limits.assign(rule=[t(f"rule.{rule}") for rule in seen.limits.get("rule", ())])
            named = {"rule": t("col.rule"), "bound": t("col.bound")}
            parts.put(self._limits, parts.table(table, t("limits_caption"), empty=t("limits_none"), named=named))

    # Fields

    def _made(self) -> dict[str, Any]:
        """A widget for every field of a draft."""
        t, hold = self._page.t, self._page.hold
        choices = {
            name: pn.widgets.Select(label=t(name), options={t(f"{name}.{one}"): one for one in found}, width=_WIDTH)
            for name, found in CHOICES.items()
        }
        texts = {
            name: pn.widgets.TextInput(label=t(name), width=_WIDTH, placeholder=hint)
            for name, hint in (
                ("symbol", "AAPL"), ("size", "10"), ("limit_price", "99.50"), ("stop_price", "95.00"), ("trail", "2"),
            )
        }  # fmt: skip
        order = (
            "symbol", "side", "kind", "size", "measure", "limit_price", "stop_price", "trail", "trail_measure",
            "time_in_force", "hours",
        )  # fmt: skip
        made = {**choices, **texts}
        for name in order:
            hold(f"ticket.{name}", made[name])
            made[name].param.watch(self._changed, "value")
            if name in texts:
                made[name].param.watch(self._typing, "value_input")
        return {name: made[name] for name in order}

    @property
    def draft(self) -> Draft:
        """What is filled in."""
        said: Any = {name: "" if field.value is None else field.value for name, field in self._fields.items()}
        return Draft(**said)

    def _fit(self) -> None:
        """Show the fields that the kind of order needs."""
        needed = NEEDED.get(self._fields["kind"].value, ())
        for name in ("limit_price", "stop_price", "trail"):
            self._fields[name].visible = name in needed
        self._fields["trail_measure"].visible = "trail" in needed

    def _changed(self, _: Any) -> None:
        self._fit()
        self._stale()

    def _typing(self, event: Any) -> None:
        if event.new != event.obj.value:
            self._stale()

    def _stale(self) -> None:
        """What was looked at is no longer what is filled in."""
        if self._looked is not None:
            self._keep(None)
            parts.put(self._told, parts.message(self._page.t("stale"), "warn"))
            self.show(self._page.seen)

    # Looking and sending

    async def _look(self, _: Any) -> None:
        page, draft = self._page, self.draft
        if page.forbidden() or self._busy:
            return
        found = await self._alone(page.t("preview"), lambda: order_ticket.preview(page.lab.settings, draft.ticket()))
        if found is not None and draft == self.draft:
            self._keep((draft, found))
            parts.put(self._told, "")
            self.show(page.seen)

    async def _send(self, _: Any) -> None:
        page, looked = self._page, self._looked
        if page.forbidden() or self._busy:
            return
        if looked is None or looked[0] != self.draft:
            parts.put(self._told, parts.message(page.t("stale"), "warn"))
        elif page.seen.halted or not looked[1].allowed:
            parts.put(self._told, parts.message(page.t("refused"), "bad"))
        else:
            task = partial(order_ticket.send, page.lab.settings, looked[1].ticket)
            if await self._alone(page.t("send"), task) is not None:
                self._keep(None)
                self.show(page.seen)

    async def _alone(self, what: str, task: Any) -> Any:
        """What a task returns, while no other button of the ticket does anything."""
        self._busy = True
        self._allow()
        try:
            return await self._page.act(what, task, self._told)
        finally:
            self._busy = False
            self._allow()

    def _keep(self, looked: tuple[Draft, Preview] | None) -> None:
        self._looked = self._page.kept["ticket.looked"] = looked
        self._draw()
        self._allow()

    def _allow(self) -> None:
        """Which buttons may be pressed now."""
        page, looked = self._page, self._looked
        able = not (page.read_only or self._busy) and page.seen.reachable and page.seen.link != "unknown"
        self.look.disabled = not able
        self.send.disabled = not (able and looked is not None and looked[1].allowed and not page.seen.halted)

    # What was found

    def _draw(self) -> None:
        t, looked = self._page.t, self._looked
        self.send.label = t("send") if looked is None else t("send_this", order=self._words(looked[1]))
        if looked is None:
            parts.put(self._found, "")
            return
        found = looked[1]
        notices = [parts.message(reason, "bad", t("not_sent")) for reason in found.reasons]
        notices += [parts.message(caution, "warn") for caution in found.cautions]
        if self._halted:
            notices = [parts.message(t("halted_ticket"), "bad", t("not_sent"))]
        elif found.allowed:
            notices.append(parts.message(t("would_be_sent"), "good"))
        table = order_ticket.limits_table(found)
        table = table.assign(
            rule=[t(f"rule.{rule}") for rule in table["rule"]], state=[t(f"limit.{one}") for one in table["state"]]
        )
        named = {name: t(f"col.{name}") for name in ("rule", "bound", "value", "state")}
        limits = parts.table(table, t("limits_judged"), empty=t("limits_none"), named=named)
        parts.put(
            self._found,
            f"<h3>{html.escape(self._words(found))}</h3>{self._page.figures(order_ticket.figures(found))}"
            f'<div role="status">{"".join(notices)}</div>{limits}',
        )

    def _words(self, found: Preview) -> str:
        """The order in a few words."""
        t, ticket = self._page.t, asdict(found.ticket)
        size = f"{ticket['qty']:f}" if ticket["qty"] is not None else f"${ticket['notional']:f}"
        return t("order_words", side=t(f"side.{ticket['side']}"), size=size, symbol=ticket["symbol"],
                 kind=t(f"kind.{ticket['kind']}"))  # fmt: skip
