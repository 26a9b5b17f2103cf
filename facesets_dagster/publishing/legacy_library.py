"""Legacy libraries as identities of this one: the domain call behind `legacy_library`.

    read libraries and caches -> find photos, read what is new -> match faces -> lock -> plan -> adopt -> top manifest

Nothing below a legacy root is opened for writing; the states of its files are compared before and after.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.errors import SettingsError
from facesets_dagster.faces.blocked import Blocked
from facesets_dagster.faces.face_cache import ReportProgress
from facesets_dagster.files.states import changed_files, file_states
from facesets_dagster.legacy.cache_file import find_caches, read_cache
from facesets_dagster.legacy.claims import Lost
from facesets_dagster.legacy.library_folder import LegacyLibrary, read_library
from facesets_dagster.legacy.match_library import CacheFate, LegacyInputs, LibraryMatcher, Matched
from facesets_dagster.legacy.matching import Fate
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf
from facesets_dagster.library.next_number import next_number
from facesets_dagster.publishing.adoption.plan import AdoptionPlan, make_plan, require_free_names
from facesets_dagster.publishing.adoption.transaction import adopt
from facesets_dagster.publishing.top_manifest import merge_top_manifest


@dataclass(frozen=True)
class LegacyResult:
    """What came of it."""

    libraries: list[LegacyLibrary]
    caches: list[CacheFate]
    fates: list[Fate]
    """Of every face that a legacy faceset names."""
    states: dict[str, str]
    """Faceset -> `adopted`, `changed`, `stands`, `published` or `out_of_use`."""
    lost: list[Lost]
    """Claims that another had the better right to."""
    gone: list[str]
    """Adopted earlier, in no legacy library now; they stay."""
    touched: list[str]
    """Legacy files that differ from before; must be empty."""
    number_problems: list[str]
    next_number: int


def adopt_legacy(
    inputs: LegacyInputs,
    library: Library,
    store_of: StoreOf,
    embedder: Callable[[], Embedder],
    *,
    report: ReportProgress,
    say: Callable[[str], None],
) -> LegacyResult:
    """Adopts what is new, completes what was not matched before, and leaves the rest as it is."""
    roots, holder = library.legacy_roots, f"run {inputs.run_id}"
    _require_apart(roots, inputs.written)
    library.finish_moves(holder, say)
    paths = list(dict.fromkeys(path for root in roots for path in find_caches(root, inputs.columns)))
    before = file_states([*roots, *paths])
    libraries = [_remembered(read_library(root, inputs.columns), inputs.blocked) for root in roots]
    require_free_names(library, libraries)
    caches = [read_cache(path, inputs.columns) for path in paths]
    say(f"{sum(len(found.facesets) for found in libraries)} legacy facesets, {sum(map(len, caches))} cached faces")
    matched = LibraryMatcher(inputs, caches, store_of, embedder, report, say).match(libraries)
    with library.held(holder, say):
        require_free_names(library, libraries)
        plan = make_plan(library, libraries, matched, store_of)
        if plan.adoptions:
            adopt(library.registry, plan.adoptions, model_id=inputs.pack.model_id, run_id=inputs.run_id)
    merge_top_manifest(library, holder, say)
    names = {faceset.name for found in libraries for faceset in found.facesets}
    return LegacyResult(
        libraries=libraries,
        caches=matched.caches,
        fates=_settled(matched, plan, library),
        states=plan.states,
        lost=plan.lost,
        gone=sorted(library.registry.adopted().keys() - names),
        touched=changed_files(before, file_states([*roots, *paths])),
        number_problems=_number_problems(library, libraries),
        next_number=next_number(library),
    )


def _remembered(found: LegacyLibrary, blocked: Blocked) -> LegacyLibrary:
    """Without the facesets that were forgotten here: they are not adopted again."""
    return replace(found, facesets=[one for one in found.facesets if not blocked.has_name(f"{found.root}/{one.name}")])


def _require_apart(roots: Sequence[Path], written: Sequence[Path]) -> None:
    """Raises `SettingsError` if the platform would write into a legacy root."""
    for root in roots:
        for folder in written:
            legacy, ours = Path(os.path.realpath(root)), Path(os.path.realpath(folder))
            if legacy.is_relative_to(ours) or ours.is_relative_to(legacy):
                raise SettingsError(
                    f"FACESETS_LEGACY names {root}, and the platform writes to {folder}: one lies in the other. A "
                    "legacy library is never written to, so the two must be apart. Move the legacy library to a folder "
                    "of its own, name that in FACESETS_LEGACY, and leave FACESETS_HOME to the platform. Nothing was "
                    "changed."
                )


def _settled(matched: Matched, plan: AdoptionPlan, library: Library) -> list[Fate]:
    """The fates after the claims were settled."""
    lost = {(entry.name, entry.face_id): entry.reason for entry in plan.lost}
    members = library.registry.members(list(plan.states))
    found = []
    for fate in matched.fates:
        reason = lost.get((fate.owner, fate.face_id)) if fate.face_id else None
        if fate.face_id and fate.face_id not in members.get(fate.owner, {}):
            reason = reason or plan.states[fate.owner]  # left as it is: published here since, or out of use
        found.append(fate.lost(reason) if reason else fate)
    return found


def _number_problems(library: Library, libraries: Sequence[LegacyLibrary]) -> list[str]:
    """Legacy facesets that are not here under their own name and number, and numbers with two owners."""
    known = {identity.name: identity for identity in library.registry.identities()}
    used = library.registry.used_numbers()
    problems = []
    for faceset in (faceset for found in libraries for faceset in found.facesets):
        identity = known.get(faceset.name)
        if identity is None or identity.number != faceset.number or faceset.number not in used:
            problems.append(f"{faceset.name} is not here under its own name and number")
    owners = Counter(identity.number for identity in known.values() if not identity.is_era)
    return problems + [f"the number {number} has {count} owners" for number, count in owners.items() if count > 1]
