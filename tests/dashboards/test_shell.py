"""What every page shares, seen through a real browser."""

import pytest


def test_a_page_streams_and_changes_its_theme_and_language(served, visit):
    seen = visit(served.url("market"))
    seen.page.get_by_label("Theme").select_option("Dark")
    seen.page.get_by_label("Language").select_option("中文")
    seen.page.wait_for_selector("h1:has-text('市场')")
    seen.page.get_by_label("主题").select_option("浅色")
    seen.page.get_by_label("语言").select_option("English")
    seen.page.wait_for_selector("h1:has-text('Market')")
    seen.picture(f"shell-{served.kind}")
    assert seen.outside == []
    assert seen.errors == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_is_as_wide_as_the_window(served, visit, width):
    seen = visit(served.url("market"), width=width)
    assert seen.page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_axe_finds_no_serious_fault(served, visit):
    assert visit(served.url("market")).faults() == []
