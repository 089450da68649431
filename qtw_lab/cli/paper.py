"""`qtw paper`: the trading account that the settings point to, a simulator's or Alpaca's paper account."""

from __future__ import annotations

from typing import Annotated, Any

import pandas as pd
import typer

from qtw_lab.cli.printing import Json, print_facts, print_json, print_table, stdout
from qtw_lab.core import Settings

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Option(help="Client order id; made up if left out.")]
Amount = str | None


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app, name="paper", help="A paper account: status, orders, positions, submit, cancel, flatten.")


@app.command("status")
def status(json: Json = False) -> None:
    """What the account is worth and may spend."""
    from qtw_lab.lab import paper

    found = paper.status(_broker())
    if json:
        print_json(found.as_dict())
    else:
        print_facts(found)


@app.command("orders")
def orders(
    which: Annotated[str, typer.Option("--status", help="open, closed or all.")] = "open", json: Json = False
) -> None:
    """Its orders, oldest first."""
    from qtw_lab.lab import paper

    _show(paper.orders(_broker(), which), "No orders.", json=json)


@app.command("positions")
def positions(json: Json = False) -> None:
    """Shares by symbol, negative where sold short."""
    from qtw_lab.lab import paper

    _show(paper.positions(_broker()), "No positions.", json=json)


@app.command("submit")
def submit(
    side: Annotated[str, typer.Argument(help="buy or sell.")],
    symbol: Annotated[str, typer.Argument(help="What.")],
    qty: Annotated[Amount, typer.Argument(help="Shares; leave out with --notional.")] = None,
    notional: Annotated[Amount, typer.Option(help="Dollars instead of shares.")] = None,
    kind: Annotated[str, typer.Option("--type", help="market, limit, stop, stop_limit, trailing_stop.")] = "market",
    limit: Annotated[Amount, typer.Option(help="Limit price.")] = None,
    stop: Annotated[Amount, typer.Option(help="Stop price.")] = None,
    trail_price: Annotated[Amount, typer.Option(help="Distance of a trailing stop in dollars.")] = None,
    trail_percent: Annotated[Amount, typer.Option(help="Distance of a trailing stop in percent.")] = None,
    time_in_force: Annotated[str, typer.Option("--tif", help="day, gtc, opg, cls, ioc or fok.")] = "day",
    name: Name = "",
    json: Json = False,
) -> None:
    """Send an order. If the answer is lost, send the same --name again: it is never doubled."""
    from qtw_lab.lab import paper

    wish = paper.ticket(
        symbol, side, name, qty=qty, notional=notional, kind=kind, limit_price=limit, stop_price=stop,
        trail_price=trail_price, trail_percent=trail_percent, time_in_force=time_in_force,
    )  # fmt: skip
    sent = _broker().submit(wish)
    if json:
        print_json({"id": sent.id, "client_order_id": sent.client_order_id, "status": sent.status})
    else:
        stdout.print(f"{sent.status}: order {sent.id}, client order id {sent.client_order_id}", soft_wrap=True)


@app.command("cancel")
def cancel(order: Annotated[str, typer.Argument(help="Id or client order id.")]) -> None:
    """Cancel an order, and with it its legs."""
    broker = _broker()
    known = broker.find(order)
    broker.cancel(order if known is None else known.id)
    stdout.print("Canceled.")


@app.command("flatten")
def flatten(json: Json = False) -> None:
    """Cancel every open order and close every position at the market."""
    from qtw_lab.lab import paper

    sent = paper.flatten(_broker())
    if json:
        print_json({"orders": sent})
    else:
        stdout.print(f"Canceled what was open; {len(sent)} positions are being closed.")


def _broker() -> Any:
    from qtw_lab.lab import paper

    return paper.remote(Settings.load())


def _show(table: pd.DataFrame, empty: str, *, json: bool) -> None:
    if json:
        print_json(table.astype(object).where(table.notna(), None).to_dict("records"))
    else:
        print_table(table, empty)
