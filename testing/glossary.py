"""The tables of `docs/glossary.md`."""

import re

from testing.paths import REPOSITORY

PAGE = (REPOSITORY / "docs" / "glossary.md").read_text()


def rows_of(section: str) -> dict[str, str]:
    """First cell -> second cell of the table of a section."""
    text = re.split(r"^## ", PAGE.split(f"\n## {section}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert len({first for first, *_ in rows}) == len(rows), f"a word stands twice in {section}"
    return {first: second for first, second, *_ in rows}


def codes_of(section: str) -> set[str]:
    """The code words in the first cells, without what follows a colon."""
    return {code.split(":")[0] for cell in rows_of(section) for code in re.findall(r"`([^`]+)`", cell)}
