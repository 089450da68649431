"""`qtw paper`: the trading account that the settings point to, a simulator's or Alpaca's paper account."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from qtw_lab.cli.printing import Json, pairs, print_facts, print_json, print_table, stdout
from qtw_lab.core import Settings

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Option(help="Client order id; made up if left out.")]
Amount = str | None
Session = Annotated[str, typer.Argument(help="Name of the session.")]


def register(parent: typer.Typer) -> None:
    """Add the commands to the command line."""
    parent.add_typer(app, name="paper", help="A paper account, its trading desk and the sessions that trade on it.")


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
    """Send an order straight to the account, past a desk and its limits.

    If the answer is lost, send the same --name again: it is never doubled.
    """
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


@app.command("run")
def run(
    session: Annotated[list[Path] | None, typer.Option(help="JSON file of sessions to open; may be repeated.")] = None,
    feed: Annotated[str | None, typer.Option(help="sip, iex, delayed_sip or simulator.")] = None,
    speed: Annotated[float, typer.Option(help="Of a simulator: venue seconds in a second.")] = 1.0,
    max_seconds: Annotated[float | None, typer.Option(help="End by itself after so long.")] = None,
) -> None:
    """Run the trading desk: its sessions trade on the account until Ctrl-C or SIGTERM."""
    from qtw_lab.lab import desk

    opening = [terms for path in session or () for terms in desk.terms_from(path)]
    ending = desk.run(
        Settings.load(), feed=feed, speed=speed, seconds=max_seconds, sessions=opening,
        say=lambda text: stdout.print(text, soft_wrap=True),
    )  # fmt: skip
    stdout.print(f"The desk ended: {ending.reason}.")
    if ending.failed:
        raise typer.Exit(1)


@app.command("sessions")
def sessions(json: Json = False) -> None:
    """Sessions of the desk: what they are, hold and are worth."""
    from qtw_lab.lab import desk_tables

    _show(desk_tables.sessions(desk_tables.state(Settings.load())), "No sessions.", json=json)


@app.command("open")
def open_session(
    name: Annotated[str, typer.Argument(help="Of the session; lower case, never used before.")],
    strategy: Annotated[str, typer.Argument(help="A bundled strategy.")],
    symbols: Annotated[str, typer.Argument(help="Separated by commas.")],
    interval: Annotated[str, typer.Option(help="Length of its bars, such as 5s, 1min or 1h.")] = "1min",
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="A parameter, such as -p fast=10.")] = None,
    allocation: Annotated[float, typer.Option(help="Part of the account up to 1, or dollars.")] = 1.0,
    lot: Annotated[float, typer.Option(help="Smallest quantity; 1 for whole shares.")] = 1.0,
) -> None:
    """Open a session on the desk; it trades while `qtw paper run` is at work."""
    from qtw_lab.lab import desk

    terms = desk.plain_terms(name, strategy, symbols, interval, pairs(param, "-p"), allocation, lot)
    stdout.print(desk.ask(Settings.load(), {"do": "open", "terms": terms.written()}))


@app.command("pause")
def pause(name: Session) -> None:
    """Let a session keep what it holds and trade no more, until `continue`."""
    _change("pause", name)


@app.command("continue")
def go_on(name: Session) -> None:
    """Let a session that was paused trade again."""
    _change("continue", name)


@app.command("close")
def close(name: Session) -> None:
    """Let a session close what it holds, and end."""
    _change("close", name)


@app.command("stop")
def stop(name: Session) -> None:
    """End a session as it is; what it holds stays in the account."""
    _change("stop", name)


@app.command("halt")
def halt(
    reason: Annotated[str, typer.Option(help="Why.")],
    by: Annotated[str, typer.Option(help="Your name.")],
    flatten: Annotated[bool, typer.Option("--flatten", help="Close every position as well.")] = False,
) -> None:
    """Halt trading at once: nothing is sent any more, open orders are canceled. It lasts until `resume`."""
    from qtw_lab.lab import desk_halting

    settings = Settings.load()
    stdout.print(desk_halting.halt(settings, by=by, reason=reason, flatten=flatten))


@app.command("watch")
def watch(
    flatten: Annotated[bool, typer.Option("--flatten", help="Close every position when it halts.")] = False,
    calendar: Annotated[str, typer.Option(help="Whose sessions count; 24/7 for a simulator.")] = "XNYS",
) -> None:
    """Watch the desk from a small process of its own, which halts trading when the desk hangs or loses too much."""
    from qtw_lab.lab import desk_halting

    desk_halting.watch(Settings.load(), flatten=flatten, calendar=calendar)


@app.command("resume")
def resume(
    reason: Annotated[str, typer.Option(help="Why it is safe again.")],
    by: Annotated[str, typer.Option(help="Your name.")],
) -> None:
    """Let trading go on after a halt; a person has to say so."""
    from qtw_lab.lab import desk_halting

    stdout.print(desk_halting.resume(Settings.load(), by=by, reason=reason))


@app.command("refusals")
def refusals(json: Json = False) -> None:
    """Orders of the desk that were not sent, or that the broker refused, with the reasons."""
    from qtw_lab.lab import desk_tables

    table = desk_tables.refusals(Settings.load())
    _show(table.assign(time=table["time"].astype(str)), "No order was refused.", json=json)


@app.command("reconcile")
def reconcile(json: Json = False) -> None:
    """Compare what the sessions hold with the broker's account."""
    from qtw_lab.lab import desk_tables

    settings = Settings.load()
    _show(desk_tables.reconcile(_broker(), desk_tables.state(settings)), "Nobody holds anything.", json=json)


@app.command("diverge")
def diverge(
    session: Session,
    details: Annotated[bool, typer.Option("--details", help="Every difference, not only the causes.")] = False,
    json: Json = False,
) -> None:
    """Why a session and its backtest differ: every cause with its effect, which add up exactly."""
    from qtw_lab.lab.divergence import diverge as compare

    found = compare(Settings.load(), session)
    if json:
        print_json({**found.facts().as_dict(), "causes": found.table().to_dict("records")})
    elif details:
        _show(found.details(), "No differences.", json=False)
    else:
        print_facts(found.facts())


def _change(what: str, name: str) -> None:
    from qtw_lab.lab import desk

    stdout.print(desk.ask(Settings.load(), {"do": what, "session": name}))


def _broker() -> Any:
    from qtw_lab.lab import paper

    return paper.remote(Settings.load())


def _show(table: pd.DataFrame, empty: str, *, json: bool) -> None:
    if json:
        print_json(table.astype(object).where(table.notna(), None).to_dict("records"))
    else:
        print_table(table, empty)
