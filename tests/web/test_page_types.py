"""The type check of the review page's modules: pinned, skipped in so many words without npm, strict."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from facesets_dagster.web.review.words import STATIC

REPOSITORY = Path(__file__).parents[2]
CHECK = REPOSITORY / "scripts" / "page_types"


def test_without_npm_it_says_so_and_ends_well(tmp_path: Path) -> None:
    (tmp_path / "dirname").symlink_to(str(shutil.which("dirname")))
    shell = str(shutil.which("sh"))
    done = subprocess.run(
        [shell, CHECK / "check.sh"], env={**os.environ, "PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "types of the review page: not checked, no npm was found")


def test_the_compiler_is_pinned_by_version_and_digest() -> None:
    wanted = json.loads((CHECK / "package.json").read_text())["devDependencies"]
    locked = json.loads((CHECK / "package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(one["integrity"].startswith("sha512-") for path, one in locked.items() if path)


def test_every_module_is_checked_and_strictly() -> None:
    options = json.loads((CHECK / "tsconfig.json").read_text())["compilerOptions"]
    assert options["strict"]
    assert options["checkJs"]
    for module in STATIC.glob("*.js"):
        text = module.read_text(encoding="utf-8")
        assert text.startswith("// @ts-check\n"), module.name
        assert not re.search(r"@ts-(ignore|nocheck|expect-error)", text), module.name


def test_the_types_of_the_vendored_module_name_what_it_gives() -> None:
    given = (STATIC / "vendor" / "lit-html.js").read_text(encoding="utf-8")
    (exported,) = re.findall(r"export\{([^}]+)\}", given)
    names = {part.split(" as ")[-1] for part in exported.split(",")}
    typed = (STATIC / "vendor" / "lit-html.d.ts").read_text(encoding="utf-8")
    assert set(re.findall(r"export declare const (\w+)", typed)) <= names
