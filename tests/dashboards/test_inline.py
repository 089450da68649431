"""Pages and sliders in cells of a real JupyterLab: they stream, react, come back when a cell runs again, ask nobody."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from browsing import Visit, free_port
from playwright.sync_api import Error, expect

BEGINNING = """\
import qtw_lab as qtw
from dashboards.workbench import Workbench
from qtw_lab.lab import workbench as bench

lab = qtw.Lab.offline()
prices = bench.Prices(symbols=("AAPL", "AMD", "BAC", "GE", "KO", "XOM"), source="sp500")
setup = bench.Setup(prices=prices, strategy=qtw.strategies.SmaCross())
"""
CELLS = (
    BEGINNING,
    "page = Workbench(lab, setup=setup, inline=True)\npage",
    "lab.explore('sma_cross', lab.bars('IBM', '2010-01-01', '2012-12-31'))",
)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """A notebook with a page and an explorer, open in a JupyterLab of its own: its address."""
    folder = tmp_path_factory.mktemp("lab")
    cells = [nbformat.v4.new_code_cell(text) for text in CELLS]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "inline.ipynb")
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("jupyter")), "lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}", "--allow-root",
    ]  # fmt: skip
    own = {
        "QTW_STORAGE_DIR": str(folder / "storage"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"), "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
    }  # fmt: skip
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **own}, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        end = time.monotonic() + 90
        while time.monotonic() < end:
            assert process.poll() is None, (folder / "lab.log").read_text()
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=2).close()
                break
            time.sleep(0.3)
        yield f"http://127.0.0.1:{port}/doc/tree/inline.ipynb"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def seen(browser, notebook):
    """The notebook in Chromium, all its cells run."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    made = Visit(page)
    page.set_default_timeout(120_000)
    page.on("request", made._asked)
    page.on("console", made._complained)
    page.on("pageerror", lambda error: made.errors.append(str(error)))
    page.goto(notebook)
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    page.get_by_text("| Idle").wait_for()
    command(page, "Run All Cells")
    page.get_by_text("Nothing has been run yet").wait_for()
    yield made
    page.close()


def command(page, name):
    """An entry of JupyterLab's menu Run."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=name, exact=True).first.click()


def test_a_page_in_a_cell_reacts_and_streams(seen):
    page = seen.page
    page.get_by_label("Rule").select_option("Donchian breakout")
    page.get_by_label(re.compile("entry channel")).wait_for()
    page.get_by_label("Rule").select_option("Moving averages crossing")
    page.get_by_label("fast window (bars), 1–5,000").wait_for()
    page.locator(".qtw-inline").get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("What this rests on").first.wait_for()

    page.locator(".qtw-views button").nth(2).click()
    page.get_by_label("To (1)").wait_for()
    for label, value in (("To (1)", "60"), ("Step (1)", "1"), ("To (2)", "140"), ("Step (2)", "1")):
        page.get_by_label(label, exact=True).fill(value)
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Sweep", exact=True).last.click()
    shares = set()
    bar = page.locator(".qtw-track")
    while page.get_by_text("The best combinations").is_hidden():
        with contextlib.suppress(Error):  # it is gone as soon as it is done
            shares.add(bar.get_attribute("aria-valuenow", timeout=500))
        time.sleep(0.1)
    assert len(shares - {None}) >= 3, shares
    seen.picture("inline-workbench", whole=False)


def test_sliders_over_equity_draw_anew(seen):
    page = seen.page
    place = page.locator("[data-picture^=picture-]").first
    place.scroll_into_view_if_needed()
    before = place.get_attribute("data-picture")
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-picture^=picture-]").first).not_to_have_attribute("data-picture", before)
    seen.picture("inline-explorer", whole=False)


def test_a_cell_that_runs_again_shows_the_page_again(seen):
    page = seen.page
    page.locator(".jp-CodeCell").nth(1).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.get_by_text("Nothing has been run yet").wait_for()
    page.locator(".qtw-inline").get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("What this rests on").first.wait_for()


def test_nothing_was_asked_of_anybody_and_nothing_went_wrong(seen):
    assert (seen.outside, seen.errors) == ([], [])
