"""A desk's folder as `qtw paper diverge` reads it, made of a session that was lived through; and a desk by hand."""

import numpy as np
import pandas as pd
from lived import Lived, stocks, terms_of

from qtw_lab.core import Bars, Settings
from qtw_lab.lab.desk_places import DeskPlaces
from qtw_lab.ledger import Sizing
from qtw_lab.live.journal import Journal
from qtw_lab.live.rows import ROW
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.store import SqliteStore

MINUTE = 60 * 10**9
OPEN = pd.Timestamp("2024-01-02 14:30", tz="UTC")


def minutes():
    """Bundled daily prices as if they were those of the minutes of a day."""
    days = stocks()
    index = pd.date_range(OPEN, periods=len(days), freq="min")
    frame = pd.DataFrame({name: days.values[name][:, 0] for name in days.values}, index=index)
    return Bars.from_frame(frame, symbol="AAPL", timeframe="1min")


def session_in_minutes(**how):
    made = Lived(minutes(), terms_of(interval="1min"), **how)
    made.run()
    return made


def written(storage, made):
    """Write a lived session into a desk's folder, with the journal of an engine that made its bars."""
    places = DeskPlaces.of(Settings.load(), "11111111-2222-3333-4444-555555555555")
    places.root.mkdir(parents=True, exist_ok=True)
    with SqliteStore(places.file("desk")) as store:
        store.append(list(made.notes.read()))
    starts = made.bars.index.as_unit("ns").asi8
    rows = np.zeros(len(starts), ROW)
    rows["level"], rows["time"] = 60, starts
    for name, values in made.bars.values.items():
        rows[name] = values[:, 0]
    with Journal(places.root / "engine" / "journal", sync_seconds=None) as journal:
        journal.write_start(int(starts[0]), {"calendar": "XNYS"})
        journal.write_symbols(int(starts[0]), ["AAPL"])
        journal.write_rows(int(starts[-1]) + MINUTE, rows)


def opened_then_filled():
    """A session on bars of five minutes whose order was sent with that of one on minutes; a dollar a share dearer."""
    first = int(OPEN.value)
    slow = terms_of("slow", "buy_and_hold", ("X",), "5min", allocation=0.5, sizing=Sizing.fixed_shares(10))
    fast = terms_of("fast", "buy_and_hold", ("X",), "1min", allocation=0.5, sizing=Sizing.fixed_shares(5))
    events = [
        Event("opened", first, one.name, {"terms": one.written(), "cash": "5000"}) for one in (slow, fast)
    ]  # fmt: skip

    def heard(name, start, length, decisions):
        end = first + (start + length) * MINUTE
        events.append(Event("marked", end, name, {"prices": {"X": "100.0"}}))
        events.append(Event("heard", end, name, {"bar": first + start * MINUTE, "decisions": decisions}))

    for minute in range(5):
        heard("fast", minute, 1, {} if minute < 4 else {"X": 1.0})
    heard("slow", 0, 5, {"X": 1.0})
    now = first + 5 * MINUTE
    events += [
        Event("tried", now, "", {"symbols": {"slow": ["X"], "fast": ["X"]}}),
        Event("ordered", now, "a", {"symbol": "X", "parts": {"slow": "10", "fast": "5"}, "bar": first + 4 * MINUTE}),
        Event("filled", now, "a", {"execution": "b", "qty": "15", "price": "101", "fee": "0", "time": now}),
        Event("ended", now, "a", {"status": "filled"}),
    ]
    heard("slow", 5, 5, {})
    index = pd.date_range(OPEN, periods=2, freq="5min")
    return events, Bars.from_frame(pd.DataFrame({"close": [100.0, 100.0]}, index=index), symbol="X", timeframe="5min")
