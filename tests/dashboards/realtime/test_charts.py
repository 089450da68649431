"""The live charts of the realtime page, without a browser."""

from functools import partial

from dashboards.realtime.charts import Chart
from qtw_lab.plots import stream_lines


def made(theme):
    return lambda source: partial(stream_lines, {"y": "Y"}, theme=theme)(source=source)


def test_a_chart_keeps_its_source_and_rows_when_its_figure_is_made_anew():
    chart = Chart(3)
    chart.draw(made("light"), {"time": [], "y": []})
    assert not chart.view.visible, "axes without anything on them say nothing"
    chart.show({"time": [1.0, 2.0, 3.0, 4.0], "y": [1.0] * 4})
    assert chart.view.visible
    first, source = chart._pane.object, chart._series.source
    chart.draw(made("dark"), {"time": [2.0, 3.0, 4.0, 5.0], "y": [1.0] * 4})
    assert chart._pane.object is not first
    assert chart._series.source is source, "a browser knows it already"
    assert chart._pane.object.renderers[0].data_source is source
    assert list(source.data["time"]) == [3.0, 4.0, 5.0]


def test_a_figure_that_is_new_brings_its_rows_along():
    chart = Chart(3)
    chart.draw(made("light"), {"time": [1.0, 2.0], "y": [1.0, 1.0]})
    assert list(chart._pane.object.renderers[0].data_source.data["time"]) == [1.0, 2.0]


def test_every_row_is_sent_again_to_a_browser_that_comes_back():
    chart = Chart(3)
    chart.draw(made("light"), {"time": [1.0, 2.0], "y": [1.0, 1.0]})
    chart._series.source.data = {"time": [], "y": []}
    chart.resend()
    assert list(chart._series.source.data["time"]) == [1.0, 2.0]
