import asyncio

from bokeh.models import ColumnDataSource
from hypothesis import given
from hypothesis import strategies as st
from looped import finished

from dashboards.presence import LIFE, Presence
from dashboards.streams import FASTEST, Series, Ticker


def laid_out(presence):
    """What a browser tells when it has laid out the page: the property is its own, Python may not set it."""
    presence._figure.set_from_json("inner_width", 300)


class Hand:
    """A clock moved by hand."""

    now = 0.0

    def __call__(self):
        return self.now


@given(st.lists(st.lists(st.integers(), max_size=7), max_size=12), st.integers(1, 9))
def test_a_series_keeps_its_last_rows_whatever_comes(pieces, length):
    series = Series(ColumnDataSource({"x": []}), length)
    for piece in pieces:
        series.add({"x": piece})
    last = [value for piece in pieces for value in piece][-length:]
    assert list(series.source.data["x"]) == last
    series.source.data = {"x": []}
    series.resend()
    assert list(series.source.data["x"]) == last


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 6), st.booleans()), max_size=12), st.integers(1, 9))
def test_a_series_that_is_shown_whole_tables_draws_them_whatever_changed(steps, length):
    series, rows = Series(ColumnDataSource({"time": [], "y": []}), length), []
    for added, dropped, revised in steps:
        after = rows[-1][0] if rows else 0
        rows = [*rows[dropped:], *((after + n, float("nan") if n % 2 else 1.0) for n in range(1, added + 1))]
        if revised:
            rows[len(rows) // 2] = (rows[len(rows) // 2][0], 7.0)
        series.show({"time": [time for time, _ in rows], "y": [y for _, y in rows]})
        drawn = list(zip(series.source.data["time"], map(str, series.source.data["y"]), strict=True))
        wanted = [(time, str(y)) for time, y in rows]
        assert drawn[-min(len(drawn), len(wanted)) :] == wanted[-min(len(drawn), len(wanted)) :]
        assert len(drawn) >= min(length, len(wanted))
        assert len(drawn) <= length


def test_only_what_is_new_is_sent_while_the_rest_stays_as_it_was():
    series, sent = Series(ColumnDataSource({"time": [], "y": []}), 4), []
    series.add = lambda rows: (sent.append(("new", rows["time"])), Series.add(series, rows))
    series.replace = lambda columns: sent.append(("all", list(columns["time"])))
    series._kept = {"time": [1, 2, 3], "y": [5.0, float("nan"), 6.0]}
    series.show({"time": [1, 2, 3], "y": [5.0, float("nan"), 6.0]})
    assert sent == []
    series.show({"time": [2, 3, 4, 5], "y": [float("nan"), 6.0, 1.0, 2.0]})
    assert sent == [("new", [4, 5])]
    series.show({"time": [4, 5], "y": [1.0, 9.0]})
    assert sent[-1] == ("all", [4, 5])
    series.show({"time": [90], "y": [1.0]})
    assert sent[-1] == ("all", [90])
    series.show({"time": [], "y": []})
    assert sent[-1] == ("all", [])


def test_nobody_is_there_until_a_browser_says_so_and_is_gone_when_it_says_no_more():
    clock, arrivals = Hand(), []
    presence = Presence(lambda: arrivals.append(clock.now), clock)
    assert not presence.here
    laid_out(presence)
    assert presence.here
    clock.now = LIFE + 1
    assert not presence.here
    presence._figure.tags = [1]
    assert presence.here
    assert arrivals == [0.0, LIFE + 1]


def test_a_ticker_works_only_while_somebody_looks_and_never_after_its_stop():
    calls, presence = [], Presence(lambda: None)

    async def life():
        ticker = Ticker(lambda: calls.append(1), presence, 1)
        assert ticker.period == FASTEST
        ticker.start()
        await asyncio.sleep(0.6)
        assert calls == []
        laid_out(presence)
        await asyncio.sleep(0.6)
        assert len(calls) in (2, 3)
        ticker.stop()
        stopped_at = len(calls)
        await asyncio.sleep(0.6)
        assert len(calls) == stopped_at

    finished(life())


def test_a_cell_that_runs_again_has_its_old_callbacks_stopped():
    presence = Presence(lambda: None)

    async def life():
        first, second, elsewhere = (Ticker(lambda: None, presence) for _ in range(3))
        first.start("cell 1")
        elsewhere.start("cell 2")
        second.start("cell 1")
        assert [one.running for one in (first, second, elsewhere)] == [False, True, True]
        second.stop()
        elsewhere.stop()

    finished(life())
