"""The runs page through a real browser: history, one run, comparison, papers, replay, schedule, on both servers."""

import re
import urllib.error
import urllib.request

import nbformat
import pytest
from browsing import ONCE, Served
from playwright.sync_api import expect

from qtw_lab.core import Fact, Facts
from qtw_lab.core.settings import Settings
from qtw_lab.lab import Lab


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    """A registry with runs of several kinds."""
    folder = tmp_path_factory.mktemp("runs")
    lab = Lab.offline(folder)
    bars = lab.bars("AAPL", start="2010-01-01", end="2012-12-31")
    lab.backtest("sma_cross", bars, fast=5, slow=20)
    lab.backtest("sma_cross", bars, fast=10, slow=50)
    lab.sweep("sma_cross", bars, grid={"fast": [5, 10], "slow": [20, 50]})
    for n in range(30):
        lab.registry.record("validation", f"study {n}", Facts("F", (Fact("sharpe", n / 10),)), {"n": n}, ())
    notebook(folder / "small.ipynb", "from qtw_lab.core import Fact, Facts\nFacts('Small', (Fact('sharpe', 1.25),))")
    lab.run(folder / "small.ipynb")
    notebook(folder / "broken.ipynb", "1/0")
    with pytest.raises(Exception, match="ZeroDivisionError"):
        lab.run(folder / "broken.ipynb")
    return folder


def notebook(path, code):
    """A notebook that writes a report and ends with `code`."""
    cells = [
        nbformat.v4.new_markdown_cell("# A small notebook\n\nWith $x^2$ in it."),
        nbformat.v4.new_code_cell("run_folder = ''", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(
            "from pathlib import Path\n"
            "page = '<h1>Report</h1><script>try { document.title = document.cookie + localStorage.length }"
            ' catch (err) { document.title = "shut off" }</script>\'\n'
            "Path(run_folder, 'report.html').write_text(page)"
        ),
        nbformat.v4.new_code_cell(code),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def choose(seen, name):
    """Choose the newest run of a name."""
    seen.page.get_by_label("Search", exact=True).fill(name)
    seen.page.get_by_label("Search", exact=True).press("Enter")
    rows = seen.page.locator(".tabulator-row")
    expect(rows.filter(has_not_text=name)).to_have_count(0)  # until then the browser shows the rows of before
    rows.filter(has_text=name).first.locator("[tabulator-field=name]").click()
    seen.page.locator(".qtw-message strong", has_text=name).first.wait_for()


def test_runs_are_listed_filtered_searched_and_shown_in_full(served, visit):
    seen = visit(served.url("runs"))
    seen.page.get_by_text(re.compile(r"\d of \d+ runs")).wait_for()
    seen.page.get_by_label("Kind", exact=True).select_option("backtest")
    seen.page.get_by_text(re.compile(r"^2 of \d+ runs")).wait_for()
    seen.page.get_by_label("Kind", exact=True).select_option("All")
    seen.page.get_by_label("Status", exact=True).select_option("failed")
    seen.page.get_by_text(re.compile(r"^1 of \d+ runs")).wait_for()
    choose(seen, "broken")
    assert seen.page.get_by_text("ZeroDivisionError").count() >= 1
    seen.page.get_by_label("Status", exact=True).select_option("All")
    choose(seen, "small")
    seen.page.locator("dd", has_text="1.25").wait_for()
    seen.page.get_by_text("Open the report").wait_for()
    assert seen.page.get_by_text("package_sha256").count() == 1
    seen.picture(f"runs-{served.kind}")
    assert (seen.outside, seen.errors) == ([], [])


@ONCE
def test_a_new_run_appears_by_itself(served, storage, visit):
    seen = visit(served.url("runs"))
    seen.page.get_by_label("Search", exact=True).fill(f"fresh{served.kind}")
    seen.page.get_by_label("Search", exact=True).press("Enter")
    seen.page.get_by_text("No run is like that").wait_for()
    made = Lab.offline(storage).registry.record("backtest", f"fresh{served.kind}", None, {}, ())
    seen.page.get_by_text(made.id).first.wait_for(timeout=15_000)
    with Lab.offline(storage).registry._database.writing() as connection:
        connection.execute("DELETE FROM runs WHERE id = ?", (made.id,))


@ONCE
def test_two_runs_stand_side_by_side_with_their_accounts(served, visit):
    seen = visit(served.url("runs"))
    seen.page.get_by_text(re.compile(r"\d of \d+ runs")).wait_for()
    picks = seen.page.get_by_label("Runs to compare")
    options = picks.locator("option").all_inner_texts()
    wanted = [text for text in options if "(backtest)" in text] + [text for text in options if "small" in text]
    picks.select_option(label=wanted)
    seen.page.get_by_role("button", name="Compare", exact=True).click()
    table = seen.page.get_by_role("region", name="Figures side by side")
    table.wait_for()
    assert "Sharpe ratio" in table.inner_text()
    assert "fast" in seen.page.get_by_role("region", name="What was given differently").inner_text()
    seen.page.get_by_text("keeps no account of its own").first.wait_for()
    seen.page.locator(".bk-Figure canvas, canvas").first.wait_for()
    seen.page.get_by_label("Theme").select_option("Dark")
    seen.page.wait_for_timeout(1500)
    seen.picture(f"runs-compared-{served.kind}-dark")
    seen.page.get_by_label("Theme").select_option("Light")
    assert (seen.outside, seen.errors) == ([], [])


@ONCE
def test_report_and_notebook_are_open_to_readers_and_shut_off_from_the_pages(served, browser, visit):
    seen = visit(served.url("runs"))
    choose(seen, "small")
    paths = {}
    for name, title in (("report", "Report"), ("notebook", "A small notebook")):
        link = seen.page.get_by_text(f"Open the {'report' if name == 'report' else 'executed notebook'}")
        with seen.page.context.expect_page() as opened:
            link.click()
        paper, asked, wrong = opened.value, [], []
        paper.get_by_role("heading", name=title).wait_for()
        paper.on("request", lambda request, asked=asked: asked.append(request.url))
        paper.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
        paper.reload()
        paper.get_by_role("heading", name=title).wait_for()
        assert len(asked) == 1, asked
        assert wrong == []
        paths[name] = paper.url
        if name == "report":
            assert paper.title() == "shut off"
        paper.screenshot(path=seen.picture(f"runs-paper-{name}-{served.kind}"))
        paper.close()
    with urllib.request.urlopen(paths["report"], timeout=30) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy


@pytest.mark.parametrize(
    "path",
    ["nothing/report", "../../etc/passwd", "{id}/file/../../../runs.sqlite", "{id}/file/..%2F..%2F..%2Fruns.sqlite",
     "{id}/file/%2Fetc%2Fpasswd", "{id}/manifest", "{id}/file/"],
)  # fmt: skip
def test_nothing_but_a_runs_own_files_is_given_out(served, storage, path):
    run = Lab.offline(storage).registry.latest_good("small").id
    root = served.url("x").partition("/voila")[0].removesuffix("/x")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{root}/papers/{path.format(id=run)}", timeout=30)
    refused.value.close()
    assert refused.value.code == 404
    with urllib.request.urlopen(f"{root}/papers/{run}/file/manifest.json", timeout=30) as given:
        assert run.encode() in given.read()


@ONCE
def test_a_run_is_replayed_from_the_page(served, visit):
    seen = visit(served.url("runs"))
    choose(seen, "small")
    seen.page.get_by_role("button", name="Replay").click()
    seen.page.get_by_text(re.compile(r"^\s*identical")).or_(seen.page.get_by_text("identical")).first.wait_for()
    assert seen.errors == []


@ONCE
def test_the_schedule_says_what_is_due_next_and_that_nobody_keeps_it(served, visit):
    seen = visit(served.url("runs"))
    entries = seen.page.get_by_role("region", name="Entries of the schedule")
    entries.wait_for()
    assert "nightly_report" in entries.inner_text()
    assert seen.page.get_by_text("qtw schedule start").count() == 1
    assert "America/New_York" in seen.page.get_by_role("region", name="What is due next").inner_text()


def test_it_can_be_read_at_any_width_and_axe_finds_no_serious_fault(served, visit):
    seen = visit(served.url("runs"))
    choose(seen, "small")
    seen.page.get_by_role("region", name="Entries of the schedule").wait_for()
    for theme in ("Dark", "Light"):
        seen.page.get_by_label("Theme").select_option(theme)
        for width in (390, 1280):
            seen.page.set_viewport_size({"width": width, "height": 900})
            seen.page.wait_for_timeout(700)
            seen.picture(f"runs-{served.kind}-{width}-{theme.lower()}")
            assert seen.page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert seen.faults() == []


@ONCE
def test_it_speaks_chinese_and_keeps_what_was_chosen(served, visit):
    seen = visit(served.url("runs"))
    choose(seen, "small")
    seen.page.get_by_label("Language").select_option("中文")
    seen.page.wait_for_selector("h1:has-text('运行')")
    seen.page.get_by_text("打开报告").wait_for()
    assert seen.page.get_by_label("搜索", exact=True).input_value() == "small"
    seen.picture(f"runs-zh-{served.kind}")
    seen.page.get_by_label("语言").select_option("English")
    seen.page.wait_for_selector("h1:has-text('Runs')")
    assert seen.errors == []


def test_without_any_run_it_says_what_to_do_and_read_only_it_replays_nothing(tmp_path, visit):
    assert Settings.model_fields["qtw_dashboards_read_only"]
    with Served("panel", tmp_path, variables={"QTW_DASHBOARDS_READ_ONLY": "1"}) as server:
        seen = visit(server.url("runs"))
        seen.page.get_by_text("No run is recorded yet").wait_for()
        seen.picture("runs-empty")
        notebook(tmp_path / "small.ipynb", "1")
        Lab.offline(tmp_path).run(tmp_path / "small.ipynb")
        choose(seen, "small")
        expect(seen.page.get_by_role("button", name="Replay")).to_be_disabled()
        assert (seen.outside, seen.errors) == ([], [])
