"""The browser of tests and screenshots: the system's Chromium, and how to reach things in Dagster's UI."""

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LOCATION = "__repository__@facesets_dagster.definitions:defs"
"""How the UI's addresses name the code location."""
BROKEN_PICTURES = """Promise.all([...document.images].map(async one => {
    one.loading = 'eager';
    try { await one.decode(); } catch { return one.src; }
    return one.naturalWidth > 0 ? '' : one.src;
})).then(all => ({count: all.length, broken: all.filter(src => src)}))"""
"""To be evaluated in a page: how many pictures it has, and the addresses of those that do not show."""


def browser_path() -> str | None:
    """Chromium of the system, if there is one."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def open_sheet(page: "Page") -> None:
    """The contact sheet of the partition."""
    row = page.locator("tr", has_text="contact_sheet").filter(has_not_text="not_exported")
    row.get_by_text("[Show Markdown]").first.click()
