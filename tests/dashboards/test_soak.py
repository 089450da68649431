"""The realtime page stands for long over an engine of a thousand symbols, and nothing grows and nothing is lost."""

import time
from dataclasses import dataclass, field

import psutil
import pytest
from browsing import Served, Visit
from listened import Listened
from soaking import HOUR, Growth, Samples, page_process, stays

SYMBOLS = 1000
#: Seconds between two looks.
EVERY = 5.0


@dataclass
class Standing:
    """A page that is left alone, and what is measured of it."""

    kind: str
    seen: Visit
    process: psutil.Process
    sockets: list = field(default_factory=list)
    samples: Samples = field(default_factory=Samples)

    def __post_init__(self):
        self.cdp = self.seen.page.context.new_cdp_session(self.seen.page)
        self.cdp.send("HeapProfiler.enable")
        for event in ("webSocketCreated", "webSocketClosed"):
            self.cdp.on(f"Network.{event}", lambda told, event=event: self.sockets.append((event, told["requestId"])))
        self.cdp.send("Network.enable")

    def look(self, now):
        for _ in range(2):  # what the first one finds out of use may be let go of by the second only
            self.cdp.send("HeapProfiler.collectGarbage")
        samples, page, counted = self.samples, self.seen.page, self.cdp.send("Memory.getDOMCounters")
        samples.nodes.append(counted["nodes"])
        samples.listeners.append(counted["jsEventListeners"])
        samples.seconds.append(now)
        samples.browser.append(self.cdp.send("Runtime.getHeapUsage")["usedSize"])
        samples.process.append(self.process.memory_info().rss)
        samples.updates.append(int(page.locator("[data-updates]").get_attribute("data-updates")))
        assert page.locator("[data-state]").get_attribute("data-state") == "running"

    def judge(self, seconds, shares):
        samples = self.samples
        steps = [after - before for before, after in zip(samples.updates, samples.updates[1:], strict=False)]
        assert min(steps) > 0, "the view was dropped"
        rate = (samples.updates[-1] - samples.updates[0]) / (samples.seconds[-1] - samples.seconds[0])
        assert 0.4 < rate <= 4.0
        assert self.sockets == [], "the connection was made anew"
        assert self.seen.errors == []
        assert self.seen.outside == []
        assert stays(samples.nodes), samples.nodes
        assert stays(samples.listeners), samples.listeners
        for what, sizes in (("process", samples.process), ("browser", samples.browser)):
            growth = Growth.of(samples.seconds, sizes)
            print(f"{self.kind}, {what}, {len(sizes)} looks in {seconds:.0f} s: {growth}; {rate:.2f} updates a second")
            assert growth.near_zero(shares[what]), f"{what} of {self.kind}: {growth}"


#: Of the level of memory: what it may rise by while it is measured. A page that keeps its tables, 20 kB a second, would
#: add 1.5% to its process and 28% to its browser in five minutes, and twelve times that in an hour. A browser compiles
#: scripts and forgets what it compiled in waves of some minutes, a twentieth of its heap: a short run sees but one.
SHORT, LONG = {"process": 0.01, "browser": 0.08}, {"process": 0.03, "browser": 0.03}


@pytest.mark.parametrize(
    ("kinds", "seconds", "shares"),
    [(("panel",), 300.0, SHORT), pytest.param(("panel", "voila"), HOUR, LONG, marks=pytest.mark.slow)],
    ids=["five-minutes", "an-hour"],
)
def test_a_page_over_a_thousand_symbols_stands_and_nothing_grows(browser, tmp_path, kinds, seconds, shares):
    with Listened(tmp_path, symbols=SYMBOLS, focus=SYMBOLS, speed=1.0) as market:
        market.listen()
        servers = [Served(kind, tmp_path, variables=market.variables()) for kind in kinds]
        standing = []
        try:
            for server in servers:
                server.__enter__()
                standing.append(opened(browser, server))
            began, due = time.monotonic(), 0.0
            while due <= seconds:
                for one in standing:
                    one.look(time.monotonic() - began)
                due = time.monotonic() - began + EVERY
                standing[0].seen.page.wait_for_timeout(EVERY * 1000)
            assert len(market.live.bars(interval=5, last=1)) == SYMBOLS
            for one in standing:
                one.judge(seconds, shares)
        finally:
            for one in standing:
                one.seen.close()
            for server in servers:
                if server.process is not None:
                    server.__exit__()


def opened(browser, server):
    """The page in the browser, once it shows bars."""
    seen = Visit.to(browser, server.url("realtime"), height=1400)
    seen.page.wait_for_selector("[data-bar]")
    process = page_process(psutil.Process(server.process.pid), server.kind)
    return Standing(server.kind, seen, process)
