"""The live charts of the realtime page, without a browser."""

from dashboards.realtime_charts import Chart
from qtw_lab.plots import stream_lines


def test_a_chart_keeps_its_rows_when_its_figure_is_made_anew():
    chart = Chart(3)
    chart.draw(stream_lines({"y": "Y"}), {"time": [], "y": []})
    assert not chart.view.visible, "axes without anything on them say nothing"
    chart.show({"time": [1.0, 2.0, 3.0, 4.0], "y": [1.0] * 4})
    assert chart.view.visible
    first = chart._pane.object
    chart.draw(stream_lines({"y": "Y"}, theme="dark"), {"time": [1.0, 2.0, 3.0, 4.0], "y": [1.0] * 4})
    assert chart._pane.object is not first
    assert list(chart._series.source.data["time"]) == [2.0, 3.0, 4.0]
    chart.show({"time": [2.0, 3.0, 4.0, 5.0], "y": [1.0] * 4})
    assert list(chart._series.source.data["time"]) == [3.0, 4.0, 5.0]


def test_rows_are_sent_again_only_to_a_browser_that_was_sent_some():
    chart = Chart(3)
    chart.draw(stream_lines({"y": "Y"}), {"time": [1.0], "y": [1.0]})
    chart._series.source.data = {"time": [], "y": []}
    chart.resend()
    assert list(chart._series.source.data["time"]) == [], "a figure that is new to a browser brings its rows along"
    chart.show({"time": [1.0, 2.0], "y": [1.0, 1.0]})
    chart._series.source.data = {"time": [], "y": []}
    chart.resend()
    assert list(chart._series.source.data["time"]) == [1.0, 2.0]
