"""The list of all runs: `reports/runs.jsonl`, one line appended per run, and `reports/index.html` made of it.

The page also shows the people and the buckets of the home: who was found where, and what the last run of each bucket
gave.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any

from facesets_dagster.errors import LibraryError
from facesets_dagster.files.parsing import parse_json
from facesets_dagster.files.states import Kept, State, state_of
from facesets_dagster.files.writing import write_text
from facesets_dagster.photos.bucket_key import file_name
from facesets_dagster.reports.links import Link, on_disk, served
from facesets_dagster.reports.people import Person, people_in, title_of
from facesets_dagster.reports.template import template
from facesets_dagster.settings import library_folder, library_names
from facesets_dagster.wording import counted

MAX_SHOWN = 2000
"""The newest runs on the page; the file keeps all."""
_MAIN_JOBS = ("", "discover_identities", "full_pipeline")
"""Jobs of which a failure is one of the bucket; a page of the main chain names no job."""
_JOINS = "extended_facesets"
"""The asset of the main chain by which known people's new faces join them."""
MAX_PEOPLE = 200
"""Of each library; the library's own page has all."""


@dataclass(frozen=True)
class RunLine:
    """A run in a line. A run that failed has its reason in `error` and no report."""

    bucket: str
    run_id: str
    finished_at: str
    changes: str = ""
    faces: int | None = None
    exported: int | None = None
    error: str | None = None
    system: str | None = None
    """Asset whose page this is; None for the report of the main chain."""
    job: str = ""
    """Of a run that failed or was ended: what was run."""

    @property
    def what(self) -> str:
        """What was run, as people call it."""
        return self.system or self.job or "main chain"

    @property
    def result(self) -> str:
        """What changed, or why it did not end well."""
        if self.error is None:
            return self.changes or ("library unchanged" if self.system else "nothing new")
        return self.error if self.error.startswith("ended ") else f"failed: {self.error}"

    @property
    def bucket_name(self) -> str:
        """As people call it."""
        return title_of(self.bucket)

    @property
    def page(self) -> str:
        """Where the report lies below `reports/`."""
        name = f"{self.run_id}.{self.system}.html" if self.system else f"{self.run_id}.html"
        return f"{file_name(self.bucket)}/{name}"


@dataclass(frozen=True)
class ListedRun:
    """A run on the page."""

    line: RunLine
    report: Link | None
    """None where there is none, or none any more."""


@dataclass(frozen=True)
class ListedLibrary:
    """The people of one library of the home."""

    title: str
    page: Link
    people: Sequence[Person]
    problem: str = ""
    """Why its people are not known."""


def add_run(reports_dir: Path, line: RunLine) -> None:
    """Appends the line and makes the index again; a run that is listed already with the same result is left alone."""
    known = {(run.run_id, run.system, run.error is None) for run in _lines(reports_dir)}
    if (line.run_id, line.system, line.error is None) in known:
        return
    reports_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(reports_dir / "runs.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:  # one write: lines of two runs at once do not mix
        os.write(descriptor, (json.dumps(asdict(line)) + "\n").encode())
    finally:
        os.close(descriptor)
    write_index(reports_dir)


def write_index(reports_dir: Path) -> Path:
    """Makes `index.html`; a line that was cut off by a kill is passed over, a report that is gone is not linked."""
    lines = _lines(reports_dir)[::-1]
    path, made_of = reports_dir / "index.html", _made_of(reports_dir)
    content = {
        "title": "Runs, people, buckets",
        "runs": [ListedRun(line, _report(reports_dir, line)) for line in lines[:MAX_SHOWN]],
        "total": len(lines),
        "buckets": _last_of_buckets(reports_dir, lines),
        "libraries": _libraries(reports_dir),
        "most_people": MAX_PEOPLE,
    }
    write_text(path, template("index.html").render(content))
    _WRITTEN.put(path, state_of(path), made_of)
    return path


def bring_up_index(reports_dir: Path) -> None:
    """Makes `index.html` again unless this process has made it of the same runs and libraries."""
    if _WRITTEN.get(reports_dir / "index.html") != _made_of(reports_dir):
        write_index(reports_dir)


_WRITTEN = Kept[tuple[State | None, ...]]()


def _made_of(reports_dir: Path) -> tuple[State | None, ...]:
    """States of the files that the page is made of; reports that are gone are not seen."""
    manifests = [folder / "manifest.json" for folder in _library_folders(reports_dir).values()]
    return tuple(map(state_of, [reports_dir / "runs.jsonl", *manifests]))


def last_report(reports_dir: Path, bucket: str) -> Link | None:
    """The newest report of the main chain on a bucket, for a page that is only served."""
    for line in reversed(_lines(reports_dir)):
        if line.bucket == bucket and line.system is None and _exists(reports_dir / line.page):
            return Link("", served("reports", *line.page.split("/")))
    return None


def _report(reports_dir: Path, line: RunLine) -> Link | None:
    if not _exists(reports_dir / line.page):
        return None
    return Link(on_disk(reports_dir / line.page, reports_dir), served("reports", *line.page.split("/")))


def _exists(page: Path) -> bool:
    """False also for a page that no file system can have: one line costs no other."""
    try:
        return page.exists()
    except (OSError, ValueError):
        return False


def _last_of_buckets(reports_dir: Path, newest_first: Sequence[RunLine]) -> list[ListedRun]:
    """The newest run of the main chain on each bucket with who joined in it, by the name of the bucket."""
    found: dict[str, RunLine] = {}
    joined = {line.run_id: line.changes for line in newest_first if line.system == _JOINS}
    for line in newest_first:
        is_main = line.system is None and line.job in _MAIN_JOBS and not line.bucket.startswith("@")
        if is_main and (line.faces is not None or line.error is not None):
            found.setdefault(line.bucket, replace(line, changes=_listed_changes(line.changes, joined.get(line.run_id))))
    return [ListedRun(line, _report(reports_dir, line)) for line in sorted(found.values(), key=_by_name)]


def _listed_changes(*changes: str | None) -> str:
    return "; ".join(change for change in changes if change)


def _by_name(line: RunLine) -> tuple[str, str]:
    return line.bucket_name.casefold(), line.bucket


def _libraries(reports_dir: Path) -> list[ListedLibrary]:
    """All libraries of the home in which the reports lie."""
    found = [_listed(name, folder, reports_dir) for name, folder in _library_folders(reports_dir).items()]
    return [library for library in found if library.people or library.problem]


def _library_folders(reports_dir: Path) -> dict[str | None, Path]:
    home = reports_dir.parent
    return {None: library_folder(home, None)} | {name: library_folder(home, name) for name in library_names(home)}


def _listed(name: str | None, folder: Path, reports_dir: Path) -> ListedLibrary:
    page = Link(f"{on_disk(folder, reports_dir)}/", served(folder.name, folder=True))
    try:
        people = people_in(folder, reports_dir)
    except LibraryError as error:
        return ListedLibrary("People", page, (), str(error))
    title = counted(len(people), "faceset")
    return ListedLibrary(f"{title} of the library {name}" if name else f"People: {title}", page, people)


def _lines(reports_dir: Path) -> list[RunLine]:
    path = reports_dir / "runs.jsonl"
    found = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        try:
            found.append(_line(parse_json(text)))
        except (ValueError, TypeError):
            continue  # cut off by a kill
    return found


def _line(entry: object) -> RunLine:
    """Keys of a later release are passed over. Raises `ValueError` or `TypeError` for what is no line."""
    if not isinstance(entry, Mapping):
        raise TypeError(entry)
    found = {name: value for name, value in entry.items() if name in _LINE}
    wrong = [name for name, value in found.items() if not isinstance(value, _LINE[name])]
    if wrong:
        raise ValueError(wrong)
    return RunLine(**found)


_LINE: Mapping[str, Any] = {
    **dict.fromkeys(("bucket", "run_id", "finished_at", "changes", "job"), str),
    **dict.fromkeys(("faces", "exported"), int | NoneType),
    **dict.fromkeys(("error", "system"), str | NoneType),
}
"""Field of a line -> its type."""
