"""The house: where the code of an asset lies, and that benchmarks, scripts and tests share through `testing`.

The layers of the package are contracts of import-linter (`make check`).
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from facesets_dagster.definitions import ASSETS
from testing.paths import REPOSITORY

ROOMS = ("benchmarks", "scripts", "tests")
PACKAGE = REPOSITORY / "facesets_dagster"
ASSET_NAMES = sorted(
    asset.key.to_user_string() for asset in ASSETS if isinstance(asset, dg.AssetsDefinition) and asset.is_executable
)
"""Without `bucket_folder` and `library`, which nothing materializes."""


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


def modules_in(room: str) -> set[str]:
    """Names of the modules and packages in a folder of the package."""
    paths = (PACKAGE / room).iterdir()
    return {path.stem for path in paths if path.suffix == ".py" or (path / "__init__.py").exists()}


@pytest.mark.parametrize("name", ASSET_NAMES)
def test_the_work_of_an_asset_lies_in_one_module_of_its_name(name: str) -> None:
    rooms = [room for room in ("publishing", "analysis", "faces") if name in modules_in(room)]
    assert len(rooms) == 1, rooms


@pytest.mark.parametrize("name", ASSET_NAMES)
def test_an_asset_and_its_tests_lie_in_modules_of_its_name(name: str) -> None:
    assert (PACKAGE / "assets" / f"{name}.py").exists()
    assert (REPOSITORY / "tests" / "assets" / f"test_{name}.py").exists()


def test_sections_of_pages_are_made_in_reports() -> None:
    makers = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Section"
    }
    assert makers
    assert {path for path in makers if not path.startswith("reports/")} == set()
