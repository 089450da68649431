"""The workbench through a real browser on both servers, at a real simulator's account; and what it refuses."""

import asyncio
import json
from dataclasses import replace

import pytest
from browsing import Served
from looped import finished
from playwright.sync_api import expect

from dashboards.labels import label
from dashboards.workbench.page import VIEWS, Workbench
from qtw_lab.core import Settings
from qtw_lab.lab import Lab, realtime
from qtw_lab.lab import workbench as bench
from qtw_lab.lab.passing import environment_of
from qtw_lab.venues.simulator.choosing import beginning, chosen_market
from qtw_lab.venues.simulator.server import Simulator

RESTS = "What this rests on"
FAST, SLOW = "fast window (bars), 1–5,000", "slow window (bars), 2–10,000"


@pytest.fixture(scope="module")
def variables(storage):
    """Settings of a machine whose trading account is a simulator's."""
    settings = Settings(qtw_storage_dir=storage, _env_file=None)
    market = chosen_market(bundled=["AAPL", "IBM", "MSFT"])
    with Simulator(market, start=beginning(market, "auto"), rate_limit=0) as exchange:
        yield environment_of(realtime.pointed_to(settings, exchange))


@pytest.fixture(scope="module", params=["panel", "voila"])
def served(request, storage, variables):
    with Served(request.param, storage, variables=variables) as server:
        yield server


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A server of pages of its own, whose theme and language may be changed."""
    with Served("panel", tmp_path_factory.mktemp("shown")) as server:
        yield server


def press(page, name, place="first"):
    getattr(page.get_by_role("button", name=name, exact=True), place).click()


def put(page, label, value):
    page.get_by_label(label, exact=True).fill(value)
    page.keyboard.press("Enter")


def backtest(page):
    press(page, "Run")
    page.wait_for_selector(f"text={RESTS}")


def tapped(seen, across, up):
    """Press a place of the map, given as shares of its plotting area."""
    box = seen.page.evaluate(
        """() => {
          const named = (model) => model.name === "cells";
          for (const document of Bokeh.documents) for (const root of document.roots()) {
            for (const plot of root.references()) if (plot.renderers?.some(named)) {
              const view = Bokeh.index.find_one(plot) ?? Bokeh.index.find_one_by_id?.(plot.id);
              if (view?.frame) {
                view.el.scrollIntoView({block: "center"});
                const frame = view.frame.bbox, at = view.el.getBoundingClientRect();
                return [at.left + frame.left, at.top + frame.top, frame.width, frame.height];
              }
            }
          }
          return null;
        }"""
    )
    assert box is not None, "there is no map"
    left, top, width, height = box
    seen.page.mouse.click(left + across * width, top + (1.0 - up) * height)


def lay_out(page):
    """Another strategy has other widgets, and a value out of bounds is answered before anything runs."""
    page.wait_for_selector("text=Nothing has been run yet")
    page.get_by_label("Rule").select_option("RSI reversion")
    page.get_by_label("buy below, 0–100").wait_for()
    page.get_by_label("Rule").select_option("Moving averages crossing")
    put(page, FAST, "0")
    page.wait_for_selector("text=sma_cross: fast=0 is out of range; it must lie between 1 and 5000.")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()
    put(page, FAST, "20")
    page.wait_for_selector("text=out of range", state="detached")


def look(page):
    """What it rests on stands first; the band is there with stops; a changed setup is not what is shown."""
    backtest(page)
    assert page.locator("dl.qtw-figures dt").first.inner_text() == "Configurations tried on this data"
    page.wait_for_selector("text=commission bps 5, spread bps 4")
    page.wait_for_selector("text=1,000 resamples by the stationary bootstrap")
    put(page, "Stop loss (fraction)", "0.01")
    put(page, "Take profit (fraction)", "0.01")
    page.wait_for_selector("text=The setup has changed since this result was made")
    press(page, "Run")
    page.wait_for_selector("text=Both ways were simulated")
    put(page, "Stop loss (fraction)", "0")
    put(page, "Take profit (fraction)", "0")
    press(page, "Run")
    page.wait_for_selector("text=Nothing here depends on the order")
    press(page, "Trades")
    page.wait_for_selector("text=trades, the newest first")
    page.get_by_label("Symbol", exact=True).select_option("MSFT")
    page.wait_for_selector("text=Ready.")


def sweep(seen):
    """A cell of the map is taken into the setup, and judged among the others."""
    page = seen.page
    press(page, "Sweep")
    put(page, "To (1)", "9")
    press(page, "Sweep", "last")
    page.wait_for_selector("text=The best combinations")
    page.wait_for_timeout(1500)
    tapped(seen, 0.6, 0.6)
    page.wait_for_selector("text=Chosen: fast = 7, slow = 77")
    press(page, "Take these parameters")
    page.wait_for_selector("text=The setup now has SmaCross(fast=7, slow=77, short=False)")
    expect(page.get_by_label(SLOW)).to_have_value("77")
    press(page, "Verdict")
    page.get_by_label("What is judged").select_option("the chosen combination, among all of the sweep")
    press(page, "Judge")
    page.wait_for_selector("text=Not distinguishable from luck")
    page.wait_for_selector("text=Decides without looking ahead")


def keep(page, name, storage):
    """A setup is kept, and laid out again in place of another."""
    put(page, "Save as", name)
    press(page, "Save")
    page.wait_for_selector(f"text=Saved the preset {name}.")
    kept = json.loads((storage / "pages" / "preset.json").read_text())[name]
    assert kept["parameters"] == {"fast": 7, "slow": 77, "short": False}
    page.get_by_label("Rule").select_option("MACD")
    page.get_by_label("signal span (bars), 1–5,000").wait_for()
    press(page, "Load")
    page.wait_for_selector(f"text=Loaded the preset {name}.")
    expect(page.get_by_label(SLOW)).to_have_value("77")


def send(page, name, storage):
    """What was tested becomes a session at the desk."""
    put(page, "Symbols, with commas between", "AAPL, IBM")
    press(page, "Run")
    page.wait_for_selector("dd:has-text('AAPL, IBM'):not(:has-text('MSFT'))")
    press(page, "Send to paper")
    put(page, "Name (lower case, digits, -)", name)
    press(page, "Open the session")
    page.wait_for_selector("text=start it with `qtw paper run`")
    opened = Lab.from_settings(qtw_storage_dir=storage).desk().state().sleeves[name]
    assert opened is not None


def test_a_backtest_is_laid_out_run_swept_judged_kept_and_sent_to_paper(served, visit, storage):
    seen = visit(served.url("workbench"), timeout=40)
    lay_out(seen.page)
    look(seen.page)
    sweep(seen)
    keep(seen.page, f"of {served.kind}", storage)
    send(seen.page, f"of-{served.kind}", storage)
    assert seen.faults() == []
    assert (seen.outside, seen.errors) == ([], [])


@pytest.mark.parametrize(("width", "theme", "tongue"), [(1280, "dark", "zh"), (390, "light", "en")])
def test_it_is_readable_in_every_theme_language_and_width(shown, visit, width, theme, tongue):
    Lab.offline(shown.storage).keepsakes.prefer(theme=theme, language=tongue)
    seen = visit(shown.url("workbench"), width=width)
    page = seen.page
    press(page, {"en": "Run", "zh": "运行回测"}[tongue])
    page.wait_for_selector({"en": f"text={RESTS}", "zh": "text=结果依据"}[tongue])
    page.locator(".qtw-views button").nth(VIEWS.index("sweep")).click()
    page.get_by_label({"en": "To (1)", "zh": "结束（1）"}[tongue]).wait_for()
    press(page, {"en": "Sweep", "zh": "开始扫描"}[tongue], "last")
    page.wait_for_selector({"en": "text=The best combinations", "zh": "text=最优组合"}[tongue])
    heads = {"overview": "equity", "trades": "candles", "sweep": "map", "verdict": "verdict", "paper": "paper"}
    for place, name in enumerate(VIEWS):
        page.locator(".qtw-views button").nth(place).click()
        page.locator("h2", has_text=label(f"workbench.{heads[name]}", tongue)).first.wait_for()
        page.wait_for_timeout(300)
        seen.picture(f"workbench-{name}-{width}-{theme}")
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width, name
        assert seen.faults() == [], name
    assert (seen.outside, seen.errors) == ([], [])


def pressed(page):
    """Call what the buttons call, as a browser would that does not mind that they are disabled."""

    async def all_of_them():
        await page.run()
        await page.sweep()
        await page.judge()
        await page.send()

    finished(all_of_them())


def test_where_it_only_shows_nothing_can_be_pressed_and_nothing_happens_behind_the_buttons(tmp_path):
    lab = Lab.offline(tmp_path)
    bench.keep(lab, "there", bench.Setup.usual())
    page = Workbench(Lab(lab.settings.model_copy(update={"qtw_dashboards_read_only": True})))
    buttons = [page._run, page._presets._save, page._presets._delete, page._map._go, page._verdict._go, page._paper._go]
    assert all(button.disabled for button in buttons)
    pressed(page)
    page._presets.save("mine")
    page._presets.delete("there")
    assert page.state.outcome is None
    assert len(lab.registry.list()) == 0
    assert bench.presets(lab) == ["there"]
    assert "only show" in page._said[0]
    page._presets.load("there")  # which only shows
    assert "Loaded the preset there" in page._said[0]


def test_without_keys_the_way_to_paper_says_what_to_do(tmp_path):
    page = Workbench(Lab.offline(tmp_path))
    pressed(page)
    assert "qtw simulator serve" in page._paper.reason()
    assert page._paper._go.disabled
    assert page.state.sent == ""
    assert page.state.report is not None


def test_a_sweep_makes_the_backtest_that_is_shown_less_believable(tmp_path):
    page = Workbench(Lab.offline(tmp_path))
    finished(page.run())
    assert "<dd>1</dd>" in page._result._lead.object
    finished(page.sweep())
    assert f"<dd>{page.state.swept.sweep.trials + 1}</dd>" in page._result._lead.object


def test_what_came_of_it_stays_when_the_language_changes(tmp_path):
    page = Workbench(Lab.offline(tmp_path))
    pressed(page)
    page.state.put("parameters", "fast", 0)
    page.state.put("data", "symbols", "AAPL, KO")
    page.state.put("data", "timeframe", None)
    page.state.say("cash", None)

    async def in_chinese():
        page.language = "zh"
        await page._redraw()

    finished(in_chinese())
    assert page.state.draft["parameters"]["fast"] == 0
    assert [field.value for field in page.cards.typed] == ["AAPL, KO", "", None]
    assert "fast=0 is out of range" in page.cards._faults["strategy"].object
    assert "结果依据" in page._result._lead.object
    assert "夏普比率" in page._map._table.object
    assert "无法与运气区分" in page._verdict._words.object
    assert "设置已更改" in page._notice.object


def test_a_strategy_of_ones_own_has_its_widgets_in_a_cell(tmp_path):
    import qtw_lab as qtw

    class BuyTheDip(qtw.Strategy):
        depth: float = qtw.param(1.5, low=0.1, high=5.0, label="depth (deviations)")

        def signals(self, prices):
            return (prices.close < prices.open).astype(float)

    page = Workbench(Lab.offline(tmp_path), strategies=[BuyTheDip], inline=True)
    page.cards._other_strategy("buy_the_dip")
    assert [widget.name for widget in page.cards._parameters] == ["depth (deviations), 0.1–5"]
    assert page.state.setup.strategy == BuyTheDip()
    finished(page.run())
    assert page.state.outcome.result.strategy == BuyTheDip()


def test_labels_of_parameters_say_in_english_what_the_strategies_say():
    from dashboards.labels import table

    for name in bench.strategies():
        for field in bench.fields(name):
            assert table()[f"workbench.field.{name}.{field.name}"]["en"] == field.label
        assert f"workbench.strategies.{name}" in table()


def test_everything_that_can_be_set_has_a_label_of_its_own(tmp_path):
    from dashboards.labels import table

    known = table()
    groups = {
        "schedule": bench.SCHEDULES, "sizing": bench.SIZINGS, "execution": bench.executions(), "metric": bench.METRICS,
        "view": VIEWS,
    }  # fmt: skip
    assert [name for group, names in groups.items() for name in names if f"workbench.{group}_{name}" not in known] == []
    for field in (*bench.cost_fields(), *bench.account_fields(), *bench.stop_fields()):
        assert any(f"workbench.field.{part}.{field.name}" in known for part in ("costs", "account", "stops")), field
    for rule in bench.SIZINGS:
        for field in bench.sizing_fields(rule):
            assert {f"workbench.field.{rule}.{field.name}", f"workbench.field.sizing.{field.name}"} & set(known), field


def test_how_far_it_is_stands_there_in_words_and_as_a_bar(tmp_path):
    page = Workbench(Lab.offline(tmp_path))
    page.state.step = bench.Step("sweep", 1200, 4800)
    page.refresh()
    assert "Simulating combinations: 1,200 of 4,800" in page._bar.object
    assert 'aria-valuenow="25"' in page._bar.object
    page.state.step = bench.Step("verdict")
    page.refresh()
    assert "progressbar" not in page._bar.object
    page.state.step = None
    page.refresh()
    assert page._bar.object == ""


def test_a_sweep_that_is_canceled_shows_what_is_done(tmp_path):
    prices = bench.Prices(symbols=("AAPL", "AMD", "BAC", "GE", "HD", "JNJ", "KO", "MRK", "PG", "XOM"), source="sp500")
    page = Workbench(Lab.offline(tmp_path), setup=replace(bench.Setup.usual(), prices=prices))
    page.state.axes["sma_cross"] = [["fast", 2, 90, 1], ["slow", 2, 110, 1]]  # some seconds on a quiet machine

    async def canceled():
        work = asyncio.ensure_future(page.sweep())
        while page.state.step is None or page.state.step.name != "sweep":
            await asyncio.sleep(0.02)
        assert not page._cancel.disabled
        page._canceled(None)
        await work

    finished(canceled())
    assert page.state.swept.partial
    assert "partial" in page._map._lead.object
    assert page._cancel.disabled


def test_prices_that_are_not_there_are_said_in_the_status_line(tmp_path):
    page = Workbench(Lab.offline(tmp_path))
    page.state.put("data", "symbols", "NOPE")
    finished(page.run())
    assert page._said[1] == "bad"
    assert "NOPE" in page._said[0]
    assert not page._run.disabled
