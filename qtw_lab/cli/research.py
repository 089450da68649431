"""`qtw strategies`, `qtw backtest`, `qtw sweep` and `qtw validate`."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import pandas as pd
import typer
from rich.padding import Padding

from qtw_lab.cli.printing import Json, pairs, print_facts, print_json, print_table, progress, scalar, stdout
from qtw_lab.core import Bars, DataError, Facts, lookup
from qtw_lab.lab import Lab
from qtw_lab.ledger import Account, Costs, Stops
from qtw_lab.strategies import STRATEGIES, Strategy, strategy
from qtw_lab.strategies.base import Bounds

#: How a program that was interrupted ends.
_INTERRUPTED: Final = 130
#: Longest range a -g option may spell: a slip of the keyboard must not fill the memory.
_MOST_VALUES: Final = 1_000_000

#: Costs of real brokers, and kinds of account, by the names typed.
_PRESETS: Final = {
    "alpaca_equities": Costs.alpaca_equities,
    "interactive_brokers_tiered": Costs.interactive_brokers_tiered,
    "alpaca_crypto": Costs.alpaca_crypto,
}
_ACCOUNTS: Final = {"simple": Account, "cash": Account.cash, "reg_t": Account.reg_t}

Name = Annotated[str, typer.Argument(help="Strategy name; `qtw strategies` lists them.")]
Symbols = Annotated[str, typer.Option("--symbols", "-s", help="Symbols, such as AAPL,IBM.")]
Start = Annotated[str | None, typer.Option(help="First date, such as 2005-01-01.")]
End = Annotated[str | None, typer.Option(help="Last date.")]
Span = Annotated[str, typer.Option("--timeframe", help="Length of a bar: 1D, 1W, 1h ...")]
Source = Annotated[str | None, typer.Option(help="Bundled data set or stored source; see `qtw data list`.")]
Cost = Annotated[list[str] | None, typer.Option("--cost", "-c", help="A cost, such as -c commission_bps=10.")]
Stop = Annotated[list[str] | None, typer.Option("--stop", help="A stop, such as --stop stop_loss=0.1.")]
Execution = Annotated[str, typer.Option(help="next_open, next_close, next_typical or same_close.")]
Preset = Annotated[str | None, typer.Option(help="A broker's costs: " + ", ".join(_PRESETS) + ".")]
Kind = Annotated[str, typer.Option("--account", help="The account: " + ", ".join(_ACCOUNTS) + ".")]
Part = Annotated[float, typer.Option(help="Most of a bar's volume a fill may be, such as 0.1; 0 for no limit.")]
Cash = Annotated[float, typer.Option(help="Starting cash.")]
ReportFile = Annotated[
    Path | None, typer.Option("--report", help="Write the tear sheet to this file: .html, .pdf or .png.")
]


#: How a file of a tear sheet may end.
_ENDINGS: Final = (".html", ".pdf", ".png")
#: Metrics of a sweep that are fractions, shown in percent.
_FRACTIONS: Final = ("total_return", "cagr", "volatility", "max_drawdown")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("strategies")(strategies)
    app.command("backtest")(backtest)
    app.command("sweep")(sweep)
    app.command("validate")(validate)


def strategies(json: Json = False) -> None:
    """List the bundled strategies with their parameters and bounds."""
    if json:
        print_json([_about(name, kind) for name, kind in STRATEGIES.items()])
        return
    for name, kind in STRATEGIES.items():
        about = _about(name, kind)
        stdout.print(name, style="bold")
        stdout.print(Padding(f"{about['does']} ({kind.scope})", (0, 0, 0, 2)))
        for entry, default in about["parameters"].items():
            bounds = about["bounds"].get(entry)
            span = f"  ({bounds[0]:g} to {bounds[1]:g})" if bounds else ""
            stdout.print(Padding(f"{entry}={default}{span}", (0, 0, 0, 4)), style="dim")


def backtest(
    name: Name,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="A parameter, such as -p fast=10.")] = None,
    symbols: Symbols = "AAPL",
    start: Start = None,
    end: End = None,
    timeframe: Span = "1D",
    source: Source = None,
    cost: Cost = None,
    stop: Stop = None,
    execution: Execution = "next_open",
    cash: Cash = 100_000.0,
    preset: Preset = None,
    account: Kind = "simple",
    participation: Part = 0.0,
    report: ReportFile = None,
    json: Json = False,
) -> None:
    """Backtest a strategy and print its figures."""
    lab, chosen = Lab.from_settings(), _strategy(name, param)
    _refuse_ending(report, _ENDINGS)
    bars = lab.bars(symbols, start, end, timeframe, source=source)
    result = lab.backtest(
        chosen, bars, costs=_costs(cost, preset), stops=_stops(stop), execution=execution, cash=cash,
        account=_account(account), participation=participation,
    )  # fmt: skip
    facts = result.facts()
    if report is not None:
        made = lab.report(result)
        {".pdf": made.pdf, ".png": made.png}.get(report.suffix.lower(), made.write)(report)
    if json:
        print_json(result.to_dict() | facts.as_dict() | {"stats": result.stats, "trials": facts["trials"]})
    else:
        print_facts(facts)
    if report is not None and not json:
        stdout.print(f"Report: {report}", soft_wrap=True)


def sweep(
    name: Name,
    grid: Annotated[
        list[str], typer.Option("--grid", "-g", help="Values: -g fast=5:50:5 (ends included) or fast=5,10.")
    ],
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="A fixed parameter.")] = None,
    metric: Annotated[str, typer.Option(help="What the best rows are picked by.")] = "sharpe",
    top: Annotated[int, typer.Option(min=1, help="How many rows to print.")] = 10,
    symbols: Symbols = "AAPL",
    start: Start = None,
    end: End = None,
    timeframe: Span = "1D",
    source: Source = None,
    cost: Cost = None,
    stop: Stop = None,
    execution: Execution = "next_open",
    cash: Cash = 100_000.0,
    preset: Preset = None,
    account: Kind = "simple",
    participation: Part = 0.0,
    memory_limit: Annotated[str, typer.Option(help="Most memory to use, such as 256MB.")] = "1GB",
    json: Json = False,
) -> None:
    """Backtest every combination of a parameter grid and print the best."""
    lab, chosen = Lab.from_settings(), _strategy(name, param)
    bars: Bars = lab.bars(symbols, start, end, timeframe, source=source)
    metrics = tuple(dict.fromkeys((metric, "total_return", "sharpe", "max_drawdown", "trades")))
    with progress(f"sweep {name}") as step:
        done = lab.sweep(
            chosen, bars, grid=_grid(grid), metrics=metrics, costs=_costs(cost, preset),
            stops=_stops(stop), execution=execution, cash=cash, account=_account(account),
            participation=participation, memory_limit=memory_limit, progress=step,
        )  # fmt: skip
    best = done.best(metric, top).reset_index()
    if json:
        print_json(done.facts(metric).as_dict() | {"best": best})
    else:
        print_facts(done.facts(metric))
        stdout.print()
        print_table(best, fractions=_FRACTIONS)
    if done.partial:
        raise typer.Exit(_INTERRUPTED)


def validate(
    run: Annotated[str, typer.Argument(help="Id of a recorded backtest or sweep; `qtw runs list` shows them.")],
    level: Annotated[float, typer.Option(min=0, max=0.5, help="How often luck may pass each of its tests.")] = 0.05,
    reps: Annotated[int, typer.Option(min=100, help="Resamples of the bootstrap.")] = 1000,
    report: Annotated[Path | None, typer.Option("--report", help="Write the page to this .html file.")] = None,
    json: Json = False,
) -> None:
    """Judge a recorded backtest or sweep: supported, fragile, or not distinguishable from luck."""
    _refuse_ending(report, (".html",))
    found = Lab.from_settings().validate(run, level=level, reps=reps)
    if report is not None:
        found.to_html(report)
    if json:
        answers = [{"name": c.name, "question": c.title, "answer": c.word, "why": c.reason} for c in found.checks]
        more = {"verdict": found.verdict, "reasons": list(found.reasons), "checks": answers}
        print_json(found.facts().as_dict() | more)
        return
    facts = found.facts()
    print_facts(Facts(facts.title, tuple(fact for fact in facts if fact.name in {f.name for f in found.lead})))
    stdout.print()
    stdout.print(f"Verdict: {found.verdict}", style="bold")
    for reason in found.reasons:
        stdout.print(Padding(f"- {reason}", (0, 0, 0, 2)))
    stdout.print()
    print_table(pd.DataFrame([{"question": check.title, "answer": check.word} for check in found.checks]))
    if report is not None:
        stdout.print(f"Report: {report}", soft_wrap=True)


def _refuse_ending(report: Path | None, endings: tuple[str, ...]) -> None:
    """Refuse, before any work, a file whose ending promises what will not be in it."""
    if report is not None and report.suffix.lower() not in endings:
        raise DataError(f"--report {str(report)!r} does not end with {' or '.join(endings)}. Name such a file.")


def _strategy(name: str, texts: list[str] | None) -> Strategy:
    """The strategy with its parameters; what is asked of it is looked up first, since any word can be typed."""
    declared = lookup(name, STRATEGIES, "strategy").declared()
    given = pairs(texts, "-p")
    for entry in given:
        lookup(entry, declared, f"parameter of {name} called")
    return strategy(name, **given)


def _costs(texts: list[str] | None, preset: str | None) -> Costs:
    """The preset's costs with single figures replaced."""
    given = _known(pairs(texts, "--cost"), Costs)
    return replace(Costs() if preset is None else lookup(preset, _PRESETS, "preset of costs")(), **given)


def _account(name: str) -> Account:
    return lookup(name, _ACCOUNTS, "account")()


def _stops(texts: list[str] | None) -> Stops:
    return Stops(**_known(pairs(texts, "--stop"), Stops))


def _known(given: dict[str, Any], kind: type[Costs | Stops]) -> dict[str, Any]:
    names = {entry.name: entry for entry in fields(kind)}
    for name in given:
        lookup(name, names, f"entry of {kind.__name__}")
    return given


def _grid(texts: list[str]) -> dict[str, list[Any]]:
    """The grid that ``fast=5:50:5`` (ends included) and ``slow=20,50`` spell."""
    grid: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not (name and equals and values) or name in grid:
            raise DataError(f"-g {text!r} is not a grid. Write -g fast=5:50:5 or -g fast=5,10,20, each name once.")
        grid[name] = _values(values, text)
    return grid


def _values(values: str, text: str) -> list[Any]:
    if ":" not in values:
        return [scalar(value.strip()) for value in values.split(",") if value.strip()]
    ends = [scalar(part) for part in values.split(":")]
    numbers = all(isinstance(end, (int, float)) and not isinstance(end, bool) and abs(end) < 1e15 for end in ends)
    if not numbers or len(ends) not in (2, 3) or (len(ends) == 3 and ends[2] <= 0) or ends[0] > ends[1]:
        raise DataError(
            f"-g {text!r} is not a range. Write low:high or low:high:step with low at most high, step above 0."
        )
    low, high, step = (*ends, 1)[:3]
    steps = (high - low) / step + 1e-9
    if not steps < _MOST_VALUES:
        raise DataError(f"-g {text!r} has more than {_MOST_VALUES:,} values. Widen the step, or narrow the range.")
    if all(isinstance(end, int) for end in (low, high, step)):
        return list(range(low, high + 1, step))
    return [round(float(low + step * place), 12) for place in range(int(steps) + 1)]


def _about(name: str, kind: type[Strategy]) -> dict[str, Any]:
    """A bundled strategy in plain words and numbers."""
    declared = kind.declared()
    bounds = {entry: field.metadata.get("bounds") for entry, field in declared.items()}
    return {
        "name": name,
        "scope": kind.scope,
        "parameters": {entry: field.default for entry, field in declared.items()},
        "bounds": {
            entry: [given.low, given.high]
            for entry, given in bounds.items()
            if isinstance(given, Bounds) and np.isfinite([given.low, given.high]).any()
        },
        "does": (kind.__doc__ or "").strip().partition("\n")[0],
    }
