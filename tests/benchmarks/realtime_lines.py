"""The figures of the realtime engine as text for the terminal and, being Markdown, for the docs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import soak

#: The most that p99 of the lag may be at a million a second, milliseconds.
MOST_MS = 5.0
#: What the rate of a stream may fall short of the offered one, at its edges.
_SHORT = 0.98

_CALLED = {
    "free decoder": "the decoder alone, in memory", "free feed": "socket, frames and decoder, no engine",
    "free engine": "socket to bars, decisions and journal",
    "free alpaca-py raw": "alpaca-py, raw_data=True, two handlers",
    "free alpaca-py": "alpaca-py, two handlers",
}  # fmt: skip


def lines(found: Mapping[str, Any], *, judged: bool = True) -> list[str]:
    """Everything; targets are judged on the full sizes only."""
    streams = {stream["name"]: stream for stream in found["streams"]}
    told = ["### realtime: events from the socket to bars and decisions, on one core", ""]
    told += _paced(streams)
    told += _signals(streams)
    told += _free(streams)
    told += _memory(streams, found.get("day"))
    return [*told, *(_targets(streams) if judged else []), ""]


def _paced(streams: Mapping[str, Any]) -> list[str]:
    told = ["| symbols | offered/s | achieved/s | of the core | lost | lag p50 | p99 | p99.9 | max | p99 once sent |"]
    told += ["|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"]
    for name, stream in streams.items():
        if not stream["offered"] or stream["side"] != "engine" or name in ("soak", "signals"):
            continue
        lags = " | ".join(f"{value:,.1f} ms" for value in stream["lag_ms"])
        note = {"burst": " (for 1 s)", "recorded": " (recorded too)"}.get(name, "")
        told.append(
            f"| {stream['symbols']:,} | {stream['offered']:,}{note} | {stream['rate']:,.0f} | {stream['cpu']:.0%} "
            f"| {stream['lost']:,} | {lags} | {stream['sent_ms'][1]:,.1f} ms |"
        )
    bars = sum(stream.get("bars", 0) for stream in streams.values())
    starts = [f"{stream['start_ms']:,.0f} ms over {stream['symbols']:,}" for name, stream in streams.items()
              if name.startswith("pace") and stream["offered"] == 250_000]  # fmt: skip
    told += ["", f"- {bars:,} bars of 1 s and 5 s were those of plain sorting of what was sent, to the last bit"]
    return told + (
        [f"- the first events wait while symbols begin to be listened to: {', '.join(starts)}"] * bool(starts)
    )


def _signals(streams: Mapping[str, Any]) -> list[str]:
    stream = streams.get("signals")
    if stream is None or not stream["signals_ms"]:
        return []
    values = np.array(stream["signals_ms"])
    text = (
        f"- from the first event after a bar's end to its decisions of {stream['symbols']:,} symbols, at "
        f"{stream['offered']:,}/s: median {np.median(values):.1f} ms, most {values.max():.1f} ms of {len(values)} "
        "(late_seconds 0; a profile's own wait for late trades, 0.25 s by default, comes on top)"
    )
    return [text]


def _free(streams: Mapping[str, Any]) -> list[str]:
    free = {name: streams[name] for name in _CALLED if name in streams}
    if not free:
        return []
    ours = free.get("free engine")
    told = ["", "| as fast as it goes | messages/s | of socket to decisions | peak memory |", "|---|--:|--:|--:|"]
    for name, stream in free.items():
        share = f"{stream['rate'] / ours['rate']:.3g}×" if ours else ""
        told.append(f"| {_CALLED[name]} | {stream['rate']:,.0f} | {share} | {stream['peak_mb']:,.0f} MB |")
    return [
        *told,
        "",
        "- counts of trades and quotes, and sums of their prices, are those of what was sent, on every side",
    ]


def _memory(streams: Mapping[str, Any], day: Mapping[str, Any] | None) -> list[str]:
    told = []
    if "soak" in streams and len(streams["soak"]["memory_mb"]) > 20:
        stream = streams["soak"]
        growth = soak.fitted(list(map(float, range(len(stream["memory_mb"])))), stream["memory_mb"])
        told.append(
            f"- {stream['seconds']:,.0f} s of {stream['offered']:,}/s over {stream['symbols']:,} symbols: memory "
            f"{'stayed' if growth.held else 'GREW'} ({growth.rise:+.1f} MB by a fitted line after the warm-up, "
            f"{stream['memory_mb'][-1]:,.0f} MB at the end)"
        )
    if day:
        middle = [mb for second, mb in day["memory"] if second >= 0.3 * day["session"]]
        told.append(
            f"- a session of {day['session'] / 3600:.2g} hours, {day['symbols']:,} symbols, {day['rate']:,} messages a "
            f"second, into the engine without socket and journal: {day['messages']:,} messages within "
            f"{day['seconds']:,.0f} s, {day['lost']:,} lost; memory {middle[0]:,.0f} MB after a third, "
            f"{middle[-1]:,.0f} MB at the end, peak {day['peak_mb']:,.0f} MB; {day['rows']:,} bars, in a journal "
            f"{day['journal_gb']:.2g} GB"
        )
    return told


def _targets(streams: Mapping[str, Any]) -> list[str]:
    told = []
    for symbols in (1_000, 10_000):
        stream = streams.get(f"pace {symbols} 1000000")
        if stream:
            p99 = stream["lag_ms"][1]
            met = p99 < MOST_MS and not stream["lost"] and stream["rate"] >= _SHORT * stream["offered"]
            verdict = "met" if met else "NOT met"
            told.append(
                f"- target {verdict}: 1,000,000/s over {symbols:,} symbols with p99 {p99:.1f} ms "
                f"(bound {MOST_MS:g} ms, nothing lost)"
            )
    burst = streams.get("burst")
    if burst:
        verdict = "NOT met" if burst["lost"] else "met"
        told.append(f"- target {verdict}: 1,500,000/s for a second, {burst['lost']:,} of {burst['messages']:,} lost")
    return told
