"""An asset's body is a domain call and what is shown of it; what is long lies in the domain or in `reports`."""

import ast
from pathlib import Path

import pytest

import facesets_dagster.assets

MAX_LINES = 25
MODULES = sorted(Path(facesets_dagster.assets.__file__).parent.glob("[!_]*.py"))


def assets_of(module: Path) -> list[ast.FunctionDef]:
    """Functions that are decorated as assets."""
    return [
        node
        for node in ast.parse(module.read_text()).body
        if isinstance(node, ast.FunctionDef) and any("asset" in ast.unparse(by) for by in node.decorator_list)
    ]


def test_the_assets_are_found() -> None:
    assert sum(len(assets_of(module)) for module in MODULES) >= 23


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_body_is_short(module: Path) -> None:
    for function in assets_of(module):
        first = function.body[1] if ast.get_docstring(function) else function.body[0]
        assert function.end_lineno is not None
        assert function.end_lineno - first.lineno + 1 <= MAX_LINES, function.name


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_no_asset_builds_sections_or_markdown_itself(module: Path) -> None:
    text = module.read_text()
    assert "Section(" not in text
    assert "| ---" not in text
    assert "MetadataValue.md" not in text
