"""Benchmarks, scripts and tests lie beside each other: what two of them need lies in `testing`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from testing.paths import REPOSITORY

ROOMS = ("benchmarks", "scripts", "tests")


def imported(path: Path) -> Iterator[str]:
    """The first names of all modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("room", [*ROOMS, "testing"])
def test_benchmarks_scripts_and_tests_share_only_what_lies_in_testing(room: str) -> None:
    files = sorted((REPOSITORY / room).rglob("*.py"))
    assert files
    others = {*ROOMS} - {room}
    assert {str(path): names for path in files if (names := others & {*imported(path)})} == {}
