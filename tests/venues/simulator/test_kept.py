"""What is kept is kept for all threads: a market that many ask at once answers each as it would answer alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.venues.market import MINUTE, SECOND
from qtw_lab.venues.simulator.kept import Kept
from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.synthetic import SyntheticMarket
from qtw_lab.venues.ticks import BAR

COUNT = 40


@given(st.integers(1, 5), st.lists(st.integers(0, 9), max_size=60))
def test_what_was_asked_for_last_is_kept(most, questions):
    kept, order = Kept(most), []
    for question in questions:
        assert kept.get(question) == (question + 1 if question in order else None)
        kept.put(question, question + 1)
        order = [*(one for one in order if one != question), question][-most:]
        assert len(kept) == len(order)
    kept.clear()
    assert len(kept) == 0


def test_threads_that_use_it_at_once_do_not_break_it():
    kept: Kept[int, int] = Kept(3)
    start = threading.Barrier(8)

    def hammer(number: int) -> int:
        start.wait()
        wrong = 0
        for turn in range(4000):
            question = (turn * number) % 7
            found = kept.get(question)
            wrong += found not in {None, question * question}
            kept.put(question, question * question)
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(hammer, range(1, 9))) == 0
    assert len(kept) == 3


def synthetic():
    return SyntheticMarket(seed=3, date="2024-01-05", symbols=COUNT, events_per_second=COUNT)


def recorded():
    market = synthetic()
    opening = market.hours.begin + market.hours.opens * SECOND
    return RecordedMarket.from_rows(market.events(opening, opening + 5 * MINUTE), market.symbols)


def said(rows):
    """What rows say: bars have bytes between their columns that mean nothing, and events have NaN."""
    return rows.tolist() if rows.dtype == BAR else rows.tobytes()


@pytest.mark.parametrize("kind", [synthetic, recorded])
def test_a_market_that_eight_threads_ask_at_once_answers_each_as_it_would_alone(kind):
    shared = kind()
    first = synthetic().hours.begin + synthetic().hours.opens * SECOND
    chance = np.random.default_rng(5)

    def question(number: int):
        some = np.sort(chance.choice(COUNT, 10, replace=False)) if number % 3 else np.arange(COUNT)
        at = first + int(chance.integers(30, 280)) * SECOND
        return [
            lambda market: market.arrivals(at, at + SECOND // 2, some).rows,
            lambda market: market.bars(some, "1Day", first - 10**15, at, at),
            lambda market: market.bars(some, 60, first, at, at),
            lambda market: market.published(at // MINUTE * MINUTE, at // MINUTE * MINUTE + 2 * SECOND, some).rows,
            lambda market: market.latest_trades(some, at),
        ][number % 5]

    questions = [question(number) for number in range(60)]
    alone = [said(ask(kind())) if number % 6 == 0 else None for number, ask in enumerate(questions)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda ask: said(ask(shared)), questions))
        again = list(pool.map(lambda ask: said(ask(shared)), reversed(questions)))[::-1]
    assert together == again
    assert all(found in [None, told] for found, told in zip(alone, together, strict=True))
