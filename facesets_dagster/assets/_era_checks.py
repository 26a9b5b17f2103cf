"""Checks of `era_facesets`: declared here, judged where the numbers are in hand."""

import dagster as dg

from facesets_dagster.assets._asset import UNTOUCHED, Check
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.era_facesets import EraResult
from facesets_dagster.reports.era_report import dated_by

PARENT_UNTOUCHED = Check("parent_untouched", "No identity changed by one byte because it was split.", blocking=True)
ONE_ERA_PER_FACE = Check(
    "one_era_per_face",
    "Every member is in at most one era of its identity, and every face of an era is a member.",
    blocking=True,
)
DATES_KNOWN = Check("photos_dated", "Most photos of these identities have a date.")
CHECKS = (PARENT_UNTOUCHED, ONE_ERA_PER_FACE, DATES_KNOWN, UNTOUCHED)


def members_of_eras(library: Library) -> dict[str, dict[str, str]]:
    """Members of every live era."""
    return library.registry.members([era.name for era in library.registry.identities() if era.live and era.is_era])


def check_results(result: EraResult, library: Library, min_dated_share: float) -> list[dg.AssetCheckResult]:
    """Results of `CHECKS`."""
    eras = {era.name: era.family for era in library.registry.identities() if era.live and era.is_era}
    people = set(eras.values())
    touched = result.update.outcome.touched_undeclared
    split = {family.parent.name for family in result.families}
    seeded_here = {era.name for family in result.families for era in family.eras}
    members, places = library.registry.members(sorted(people)), dict[tuple[str, str], list[str]]()
    strangers = []
    for name, faces in members_of_eras(library).items():
        for face_id in faces:
            places.setdefault((eras[name], face_id), []).append(name)
            if name in seeded_here and face_id not in members.get(eras[name], {}):
                strangers.append(f"{face_id} in {name}")
    # Adopted legacy eras are as their library made them.
    twice = [
        f"{face_id} in {', '.join(names)}"
        for (_, face_id), names in sorted(places.items())
        if len(names) > 1 and seeded_here & set(names)
    ]
    sources = dated_by(result)
    photos = sum(sources.values())
    share = 1 - sources["undated"] / photos if photos else 1.0
    others = sorted(set(touched) - split)
    return [
        PARENT_UNTOUCHED.result(not split & set(touched), touched=sorted(split & set(touched))),
        ONE_ERA_PER_FACE.result(not twice and not strangers, in_two_eras=twice[:100], no_members=strangers[:100]),
        DATES_KNOWN.result(
            share >= min_dated_share,
            dated_share=round(share, 4),
            what_to_do="Put the year into the EXIF, the file name or the folder name of undated photos.",
        ),
        UNTOUCHED.result(not others, touched=others),
    ]
