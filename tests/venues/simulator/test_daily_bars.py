"""Daily bars of many symbols: the same as those of few, worked out once a minute, and ready before anybody asks."""

import asyncio
import contextlib
import threading

import numpy as np
import pytest

from qtw_lab.venues.market import MINUTE, SECOND
from qtw_lab.venues.simulator.clock import MarketClock
from qtw_lab.venues.simulator.daily_bars import Days, keep_ready, period, periods
from qtw_lab.venues.simulator.synthetic import SyntheticMarket
from qtw_lab.venues.ticks import BAR

COUNT = 120
WEEK = 7 * 24 * 60 * MINUTE


class Counted(SyntheticMarket):
    """A market that counts how often it is asked for bars of all its symbols."""

    asked = 0

    def bars(self, numbers, *given):
        self.asked += len(numbers) == COUNT
        return super().bars(numbers, *given)


@pytest.fixture
def market():
    return Counted(seed=2, date="2024-01-05", symbols=COUNT, events_per_second=COUNT)


@pytest.fixture
def now(market):
    return market.hours.begin + (market.hours.opens + 90) * SECOND


def test_many_have_the_bars_that_each_has_alone_in_the_order_asked(market, now):
    days, numbers = Days(market), list(range(COUNT))[::-1][:110]
    found = days.bars(numbers, now - WEEK, now + 1, now)
    plain = SyntheticMarket(seed=2, date="2024-01-05", symbols=COUNT, events_per_second=COUNT)
    assert found.tolist() == plain.bars(numbers, "1Day", now - WEEK, now + 1, now).tolist()


def test_all_are_worked_out_once_a_minute_however_many_ask(market, now):
    days, answers = Days(market), []

    def ask():
        answers.append(days.bars(range(COUNT), now - WEEK, now + 1, now).tolist())

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert market.asked == 1
    assert all(answer == answers[0] for answer in answers)
    days.bars(range(COUNT), now - WEEK, now + MINUTE, now + MINUTE)
    assert market.asked == 2
    days.bars(range(100), now - WEEK, now + 5 * MINUTE, now + 5 * MINUTE)  # few are always as of now
    assert market.asked == 2


def test_bars_are_ready_before_anybody_asks_and_nobody_waits_for_the_end(market, now):
    days, clock = Days(market), MarketClock(now, running=False)

    async def wait() -> None:
        work = asyncio.ensure_future(keep_ready(days, clock))
        async with asyncio.timeout(20):
            while days.kept_until(now) is None:
                await asyncio.sleep(0.01)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work

    asyncio.run(wait())
    asked = market.asked
    assert len(days.bars(range(COUNT), now - WEEK, now + 1, now)) == 4 * COUNT
    assert market.asked == asked


def test_for_few_symbols_there_is_nothing_to_prepare():
    days = Days(SyntheticMarket(seed=2, date="2024-01-05", symbols=5))
    asyncio.run(asyncio.wait_for(keep_ready(days, MarketClock(0, running=False)), 1))
    assert not days.many


def test_a_week_has_its_first_open_its_extremes_its_last_close_and_its_sums():
    monday = 1_704_085_200 * SECOND  # 2024-01-01 00:00 in New York
    rows = np.zeros(3, dtype=BAR)
    rows["time"] = monday + np.array([1, 2, 7]) * 24 * 60 * MINUTE
    rows["open"], rows["high"], rows["low"], rows["close"] = [1, 2, 3], [5, 9, 4], [0.5, 1, 2], [2, 3, 4]
    rows["volume"], rows["vwap"], rows["count"] = [100, 300, 50], [2.0, 4.0, 3.0], [1, 2, 3]
    week, later = periods(rows, 1, "Week")
    assert week[["time", "open", "high", "low", "close", "volume", "count"]].item() == (monday, 1, 9, 0.5, 3, 400, 3)
    assert week["vwap"] == (100 * 2 + 300 * 4) / 400
    assert later["time"] == monday + WEEK == period(monday + WEEK + 5, 1, "Week")
