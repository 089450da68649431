"""A browser and servers of pages, shared by the tests of a module."""

import pytest
from browsing import Served, Visit, chromium
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium; no longer than a module, since Playwright keeps a loop running in the test's thread."""
    with sync_playwright() as playwright:
        found = chromium(playwright)
        yield found
        found.close()


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    """Where the pages of a module of tests keep everything; a module fills it by a fixture of its own."""
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module", params=["panel", "voila"])
def served(request, storage):
    """A server of pages over `storage`: one after the other, Panel's and Voila."""
    with Served(request.param, storage) as server:
        yield server


@pytest.fixture
def visit(browser):
    """Opens pages, and closes them after the test."""
    opened = []

    def to(url, **options):
        opened.append(Visit.to(browser, url, **options))
        return opened[-1]

    yield to
    for one in opened:
        one.close()
