"""Why a bucket has no faceset of its own, in one sentence with the next step."""

import shlex
from collections import Counter
from collections.abc import Sequence

import polars as pl

from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.registry.registry import NOT_THEIRS
from facesets_dagster.wording import counted

_MOST = 3
"""Sizes of groups that are named."""


def why_no_faceset(bucket: str, photos: int, decisions: pl.DataFrame, clusters: pl.DataFrame) -> str:
    """`2 people with 5 photos each, 6 are needed; see ...`; for a bucket whose run founded nobody.

    `photos`: files that are no copies of a suffix that we do not read; `decisions`: the funnel; `clusters`: the cluster
    table, of which `face_id` and `cluster` are read. Empty if all faces belong to known people.
    """
    if not photos:
        return "there is no photo in it."
    if decisions.is_empty():
        return f"no face was found in {counted(photos, 'photo')}. `facesets explain PHOTO` says more of each."
    has_person = pl.col("identity").is_not_null() & ~pl.col("state").is_in(NOT_THEIRS)
    is_known = has_person | (pl.col("state") == "covered")
    others, known = decisions.filter(~is_known), decisions.filter(is_known)
    if others.is_empty():
        return ""
    reasons = [*_too_few(others, clusters), *_set_aside(others)]
    if len(known):
        reasons.append(f"{counted(len(known), 'face belongs', 'faces belong')} to known people")
    command = f"facesets what-if {shlex.quote(bucket_title(bucket))}"
    return f"{'; '.join(reasons)}. `{command}` shows what other numbers would give."


def _too_few(decisions: pl.DataFrame, clusters: pl.DataFrame) -> list[str]:
    """Groups that are too small to found anybody, the largest first."""
    small = decisions.filter(pl.col("state") == "small_cluster").join(
        clusters.select("face_id", "cluster"), on="face_id", how="left"
    )
    if small.is_empty():
        return []
    needed = int(float(str(small["threshold"].max())))
    groups = small.group_by("cluster").agg(pl.col("value").max())
    sizes = Counter(int(size) for size in groups["value"])
    largest = max(sizes)
    if largest == 1:
        return [f"nobody is on more than 1 photo, {needed} are needed"]
    named = [(size, sizes[size]) for size in sorted(sizes, reverse=True) if size > 1][:_MOST]
    words = [_people(size, count) for size, count in named]
    return [f"{_listed(words)}, {needed} are needed"]


def _people(size: int, count: int) -> str:
    each = " each" if count > 1 else ""
    return f"{counted(count, 'person', 'people')} with {size} photos{each}"


def _set_aside(decisions: pl.DataFrame) -> list[str]:
    """Faces that no group counts, for whatever reason."""
    gated = decisions.filter(pl.col("state").str.starts_with("below_gate"))
    far = decisions.filter(pl.col("state") == "outlier")
    rest = decisions.filter(~pl.col("state").str.contains(r"^(?:below_gate|outlier$|small_cluster$)"))
    words = []
    if len(gated):
        words.append(f"{counted(len(gated), 'face is', 'faces are')} below a quality gate ({_counts(gated)})")
    if len(far):
        words.append(f"{counted(len(far), 'face is', 'faces are')} too far from the others")
    if len(rest):
        words.append(f"{counted(len(rest), 'face is', 'faces are')} not counted ({_counts(rest)})")
    return words


def _counts(decisions: pl.DataFrame) -> str:
    counts = decisions["state"].value_counts().sort("count", "state", descending=[True, False]).rows()
    return ", ".join(f"{state.removeprefix('below_gate:')} {count}" for state, count in counts)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
