"""axe-core in a page: which rules of WCAG 2.2 A and AA it breaks. The page's own policy stays in force."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def violations(page: "Page") -> list[str]:
    """One line for each rule that is broken: its name, and the first element. Skips the test without axe-core."""
    package = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed (`make setup`)")
    script = next(Path(package.__file__).parent.rglob("axe.min.js"))
    if not page.evaluate("'axe' in window"):
        page.evaluate(script.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("rules => axe.run({runOnly: rules})", list(RULES))
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]
