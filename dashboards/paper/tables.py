"""Positions, orders, fills and refusals as they are now; and the two things that can be done there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import panel as pn

from dashboards import parts
from dashboards.paper.sessions import signed
from qtw_lab.lab import desk_rows, desk_view, order_ticket

if TYPE_CHECKING:
    import pandas as pd

    from dashboards.paper.page import Paper
    from qtw_lab.lab.desk_view import DeskSeen

#: Rows that are shown; the books have all of them.
_ROWS = 100


class _Table:
    """A card with one table of the desk."""

    #: Which table, how wide the card is at least, and how its columns are written.
    name = ""
    least = 480
    signed: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()

    def __init__(self, page: Paper) -> None:
        self._page, t = page, page.t
        self._frame: Any = None
        self._table = parts.Region(t(self.name), parts.message(t("loading"), "busy"))
        self.view = parts.card(*self.around(), title=t(self.name), least=self.least)

    def around(self) -> list[Any]:
        """The parts of the card."""
        return [self._table]

    def show(self, seen: DeskSeen) -> None:
        """Show the table, if it changed; an empty one says nothing while nothing is known."""
        frame = getattr(seen, self.name)
        if not seen.known:
            parts.put(self._table, parts.message(self._page.t("not_known")))
        elif frame is not self._frame:
            self._frame = frame
            self.draw()

    def draw(self) -> None:
        """Write the table."""
        t, frame = self._page.t, self.rows()
        parts.put(
            self._table,
            parts.table(
                frame, t(f"{self.name}_caption"), empty=t(f"{self.name}_none"), signed=self.signed, wide=self.wide,
                named={str(name): t(f"col.{name}") for name in frame}, written=self.written(), bare=True,
            ),
        )  # fmt: skip

    def rows(self) -> pd.DataFrame:
        """What is shown."""
        found: pd.DataFrame = self._frame.head(_ROWS)
        return found

    def written(self) -> dict[str, Any]:
        """How cells are written."""
        return {"time": self._time, "qty": size, "filled": size, "who": self._who, "side": self._side}

    def _time(self, value: Any) -> str:
        """A time of day; with its date where that is not the last one in the table."""
        last = self._frame["time"].max()
        return parts.clock(value) if value.date() == last.date() else f"{value:%m-%d %H:%M:%S}"

    def _who(self, value: str) -> str:
        known = {desk_rows.BY_HAND: "by_hand", desk_rows.ELSEWHERE: "elsewhere"}
        return self._page.t(f"who.{known[value]}") if value in known else value

    def _side(self, value: str) -> str:
        return self._page.t(f"side.{value}") if value else ""


class Positions(_Table):
    """What the account holds, whose it is, and what it gained."""

    name = "positions"
    signed = ("gain", "part")

    def around(self) -> list[Any]:
        """The table, and a button that compares it with the broker anew."""
        self._told = parts.text("")
        self._compare = pn.widgets.Button(label=self._page.t("reconcile"), width=200)
        self._compare.on_click(self._compared)
        return [self._table, parts.row(self._compare), self._told]

    def written(self) -> dict[str, Any]:
        """How cells are written."""
        sizes = dict.fromkeys(("shares", "sessions", "others"), size)
        return {**sizes, "gain": signed, "part": lambda value: parts.percent(value) and f"{value:+.2%}"}

    async def _compared(self, _: Any) -> None:
        page = self._page
        found = await page.act(page.t("reconcile"), lambda: desk_view.compared(page.lab.settings), self._told)
        if found is not None:
            words = page.t("reconciled_well" if found.agrees else "reconciled_ill", count=len(found.table))
            parts.put(self._told, parts.message(words, "good" if found.agrees else "bad"))


class Orders(_Table):
    """Orders with their states as they are now; those by hand can be canceled."""

    name = "orders"
    least = 620
    wide = ("reason",)

    def around(self) -> list[Any]:
        """The table, which orders it shows, and what cancels one."""
        page, t = self._page, self._page.t
        which = {t("orders_all"): "all", t("orders_open"): "open"}
        self._which = page.hold("orders.which", pn.widgets.Select(label=t("orders_which"), options=which, width=120))
        self._which.param.watch(lambda _: self.draw(), "value")
        self._pick = pn.widgets.Select(label=t("cancel_which"), options={t("cancel_nothing"): ""}, width=260)
        self._cancel = pn.widgets.Button(label=t("cancel"), width=90, disabled=True)
        self._cancel.on_click(self._canceled)
        self._told = parts.text("")
        return [self._table, parts.row(self._which, self._pick, self._cancel), self._told]

    def draw(self) -> None:
        """Write the table, and offer what can be canceled."""
        if self._frame is None:
            return
        super().draw()
        frame, t = self._frame, self._page.t
        found = frame[frame["cancel"]] if len(frame) else frame
        options = {self._order(one): one.order for one in found.itertuples()} or {t("cancel_nothing"): ""}
        if self._pick.options != options:
            kept = self._pick.value if self._pick.value in options.values() else next(iter(options.values()))
            self._pick.param.update(options=options, value=kept)
        self._cancel.disabled = self._page.read_only or found.empty

    def rows(self) -> pd.DataFrame:
        """Those that are asked for."""
        frame = self._frame
        if len(frame) and self._which.value == "open":
            frame = frame[frame["open"]]
        found: pd.DataFrame = frame.head(_ROWS)
        return found.drop(columns=["open", "cancel"], errors="ignore")

    def written(self) -> dict[str, Any]:
        """How cells are written."""
        t = self._page.t
        kinds = {name: t(f"kind.{name}") for name in order_ticket.CHOICES["kind"]}
        states = {name: t(f"order.{name}") for name in desk_rows.STATUSES}
        return {
            **super().written(), "type": lambda value: kinds.get(value, value),
            "status": lambda value: states.get(value, str(value).replace("_", " ")),
            "order": lambda value: str(value)[-6:],
        }  # fmt: skip

    def _order(self, one: Any) -> str:
        """An order in a few words."""
        return f"{self._side(one.side)} {size(one.qty)} {one.symbol} {parts.shown(one.price)} ({one.order[-6:]})"

    async def _canceled(self, _: Any) -> None:
        page, name = self._page, self._pick.value
        if page.forbidden() or not name:
            return
        await page.act(page.t("cancel"), lambda: order_ticket.cancel(page.lab.settings, name), self._told)


class Fills(_Table):
    """What was traded, and for whom."""

    name = "fills"
    least = 420

    def rows(self) -> pd.DataFrame:
        """The latest."""
        return super().rows().drop(columns=["order"], errors="ignore")


class Refusals(_Table):
    """Orders that were not sent, or that the broker refused, with the reasons."""

    name = "refusals"
    least = 480
    wide = ("reason",)

    def written(self) -> dict[str, Any]:
        """How cells are written."""
        t = self._page.t
        known = {"limits": t("by.limits"), "kill switch": t("by.switch"), "broker": t("by.broker")}
        return {
            **super().written(),
            "by": lambda value: known.get(value, value),
            "order": lambda value: str(value)[-6:],
        }


def size(value: Any) -> str:
    """Shares: whole ones without places, parts of one with up to four.

    Examples
    --------
    >>> size(5.0), size(-1200.0), size(0.25), size(float("nan"))
    ('5', '-1,200', '0.25', '')
    """
    return "" if parts.shown(value) == "" else f"{value:,.4f}".rstrip("0").rstrip(".")
