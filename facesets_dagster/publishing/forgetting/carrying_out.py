"""Forgetting carried out: the domain call behind `facesets forget` and the job `forget`.

    plan written down -> block list -> publication without it (each library) -> rulings obeyed again -> caches, folders,
    exports, lists, reports, Dagster's database -> registry and copies written anew -> search of the home -> receipt

Each step can be repeated. A call that was cut off is finished by the next run of any bucket, or the next call: the
plan stays written down until the search has found nothing. Forgetting stands above rulings: a ruling of which a side
is forgotten goes, and the library is brought up to those that stay.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facesets_dagster.errors import LibraryCorrupt, LibraryError
from facesets_dagster.library import forget_files
from facesets_dagster.library.audit import note_deed, user_here
from facesets_dagster.library.block_list import FOLDER, Additions, block
from facesets_dagster.library.home import Home
from facesets_dagster.library.notes import renew_notes
from facesets_dagster.photos.bucket_key import HAND_SORTED, bucket_title
from facesets_dagster.photos.listing import PhotoFile
from facesets_dagster.publishing.forgetting.plan import ForgetPlan
from facesets_dagster.publishing.forgetting.planner import ForgetPlanner
from facesets_dagster.publishing.forgetting.remains import (
    Swept,
    clear_exports,
    clear_face_caches,
    clear_library,
    clear_lists,
    clear_other_caches,
    remaining,
)
from facesets_dagster.publishing.forgetting.subjects import Subjects
from facesets_dagster.publishing.forgetting.traces import Traces, words_of
from facesets_dagster.publishing.publisher import publish
from facesets_dagster.publishing.rulings.planner import RulingsPlanner
from facesets_dagster.publishing.run import Run
from facesets_dagster.registry.backups import backups_of, renew_backups
from facesets_dagster.registry.forgotten import purge
from facesets_dagster.registry.rulings import rulings_written

Clear = Callable[[ForgetPlan, Traces, Swept], None]
"""Takes what is forgotten out of a place that this layer does not know."""

_SHORTEST_WORD = 3
"""Shorter names are found in tables, and in texts nowhere."""


@dataclass(frozen=True)
class Forgetting:
    """A home in which something is forgotten."""

    subjects: Subjects
    run: Run
    """Its library is each of the home's in turn."""
    exports: Sequence[Path]
    """Folders of exports."""
    elsewhere: Sequence[Clear]
    """Reports, and Dagster's database."""
    via: str
    """`cli` or `job`."""
    passed_over: Sequence[Path]
    """Folders in the home that are never written to: buckets, models."""

    @property
    def home(self) -> Home:
        """Where."""
        return self.subjects.home


@dataclass(frozen=True)
class Forgotten:
    """What was done."""

    plan: ForgetPlan
    receipt: Path
    counts: dict[str, int]
    """Files and rows removed or written anew, by kind."""
    removed: list[str]
    """Face sets that went."""
    changed: list[str]
    """Face sets that have fewer faces."""


def begin(forgetting: Forgetting, plan: ForgetPlan) -> None:
    """Writes the plan down. Raises `LibraryError` if another one is not finished, or there is nothing to forget."""
    home = forgetting.home.folder
    if forget_files.begun(home) is not None:
        raise LibraryError("Something else is being forgotten and is not finished. Run `facesets forget` to finish it.")
    if plan.is_empty:
        raise LibraryError("There is nothing to forget: no face, photo or face set of it is on record.")
    forget_files.begin(home, plan.as_json())
    note_deed(home, "forget", who=user_here(), via=forgetting.via, kind=plan.kind, plan=plan.digest())


def finish(forgetting: Forgetting) -> Forgotten | None:
    """Carries out the plan that is written down; None if there is none.

    Raises `LibraryCorrupt` if something of it is found afterwards, or if another face set than the plan's was touched.
    """
    home = forgetting.home.folder
    begun = forget_files.begun(home)
    if begun is None:
        return None
    plan, blocked = ForgetPlan.of_json(begun[0]), begun[1]
    if not blocked:
        if plan.block:
            block(home, additions(forgetting.subjects, plan))
        forget_files.begin(home, plan.as_json(), blocked=True)
    swept, removed, changed = Swept(), list[str](), list[str]()
    for position, library in enumerate(forgetting.subjects.libraries):
        own = plan if position == 0 else replace(plan, names=())
        gone, fewer = _publish(replace(forgetting.run, library=library), own, swept)
        removed, changed = removed + gone, changed + fewer
    clear_face_caches(forgetting.home, forgetting.subjects.model_id, plan, swept, forgetting.run.say)
    traces = traces_of(forgetting.subjects, plan)
    clear_other_caches(forgetting.home, plan, traces, swept)
    for library in forgetting.subjects.libraries:
        with library.held(forgetting.run.holder, forgetting.run.say):
            clear_library(library, plan, traces, swept)
            renew_notes(library.folder, library.registry)
    for exports_dir in forgetting.exports:
        clear_exports(exports_dir, {*plan.names, *plan.touched, *removed}, swept)
    clear_lists(forgetting.home, plan, traces, swept)
    for clear in forgetting.elsewhere:
        clear(plan, traces, swept)
    for library in forgetting.subjects.libraries:
        purge(library.registry)
        copies = 1 if backups_of(library.registry) else 0
        swept.counts["registry copies"] += len(renew_backups(library.registry, copies))
    _require_nothing_left(forgetting, traces)
    counts = {**plan.counts, **{kind: count for kind, count in sorted(swept.counts.items()) if count}}
    receipt = {
        "kind": plan.kind,
        "plan": plan.digest(),
        "blocked": plan.block,
        "counts": counts,
        "facesets_removed": len(set(removed)),
        "facesets_changed": len(set(changed)),
    }
    path = forget_files.finish(home, receipt)
    return Forgotten(plan, path, counts, sorted(set(removed)), sorted(set(changed)))


def _publish(run: Run, plan: ForgetPlan, swept: Swept) -> tuple[list[str], list[str]]:
    update = publish(run, ForgetPlanner(run, plan).plan)
    if update.outcome.touched_undeclared:
        names = ", ".join(update.outcome.touched_undeclared)
        raise LibraryCorrupt(f"Forgetting touched other face sets: {names}. Report this as a defect.")
    swept.counts.update({f"rows of {table}": count for table, count in update.notes.rows.items()})
    if rulings_written(run.library.registry):
        publish(run, RulingsPlanner(run).plan)
    return update.notes.names, update.notes.changed


def additions(subjects: Subjects, plan: ForgetPlan) -> Additions:
    """What the block list gets of a plan, read before anything is removed."""
    library = subjects.libraries[0]
    elsewhere = {
        sha256
        for bucket in subjects.buckets
        if bucket not in plan.buckets
        for store in subjects.stores(bucket)
        for sha256 in store.columns("contents", "sha256")["sha256"]
    }
    contents = {sha256 for _, sha256 in plan.photos}
    if plan.buckets:
        contents -= elsewhere  # the same bytes belong to another bucket too
    files = [
        (bucket, PhotoFile(path, size, mtime_ns, inode, ctime_ns))
        for bucket in sorted({bucket for bucket, _ in plan.photos} - {*plan.buckets})
        for store in subjects.stores(bucket)
        for path, size, mtime_ns, ctime_ns, inode, sha256 in store.columns("files")
        .select("path", "size", "mtime_ns", "ctime_ns", "inode", "sha256")
        .iter_rows()
        if sha256 in contents and size is not None
    ]
    people = [one for one in library.registry.identities() if one.name in plan.names]
    sorted_by_hand = {one.label for one in people if one.label and one.bucket == HAND_SORTED}
    adopted = {f"{one.root}/{name}" for name, one in library.registry.adopted(plan.names).items()}
    faces = {face for _, face in plan.faces} if plan.names else set()
    stands = subjects.exemplars(faces, plan.names) if plan.names else None
    return Additions(
        contents, files, faces, plan.buckets, sorted_by_hand | adopted, [stands] if stands is not None else []
    )


def traces_of(subjects: Subjects, plan: ForgetPlan) -> Traces:
    """What nothing may hold any more: all of the plan but what is also somebody else's or another bucket's."""
    others = [bucket for bucket in subjects.buckets if bucket not in plan.buckets]
    faces, photos, paths, spoken = set[str](), set[str](), set[str](), [*others, *map(bucket_title, others)]
    for bucket in others:
        faces |= subjects.known_faces(bucket)
        for store in subjects.stores(bucket):
            photos |= set(store.columns("contents", "sha256")["sha256"])
            paths |= set(store.columns("files", "path")["path"])
    for library in subjects.libraries:
        spoken += [one.label for one in library.registry.identities() if one.label]
    text = "\n".join([*spoken, *sorted(paths)])
    words = {
        word
        for word in words_of(plan.labels, plan.buckets)
        if len(word) >= _SHORTEST_WORD and not re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)
    }
    return Traces(
        frozenset(sha256 for _, sha256 in plan.photos) - photos,
        frozenset(face for _, face in plan.faces) - faces,
        frozenset(words),
        frozenset(path for _, path in plan.paths) - paths,
    )


def _require_nothing_left(forgetting: Forgetting, traces: Traces) -> None:
    """Raises `LibraryCorrupt` with the files of the home that still hold something."""
    home = forgetting.home.folder
    left = remaining(home, traces, [home / FOLDER, *forgetting.passed_over])
    if left:
        kinds = Counter(path.relative_to(home).parts[0] for path in left)
        listed = ", ".join(f"{path.relative_to(home)}" for path in left[:5])
        raise LibraryCorrupt(
            f"{sum(kinds.values())} files of the home still hold something of what is forgotten, e.g. {listed}. "
            "Stop what else writes there (runs, `make dev`), remove files that are your own, and run "
            "`facesets forget` again: it goes on from here."
        )
