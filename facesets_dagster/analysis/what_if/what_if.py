"""What a bucket's run would come to at other numbers: the domain call behind `what_if`. Only reads.

Every point goes through the functions of the main chain (coverage, discovery, resolution, curation, endings); only
crops are not rendered. What is read of the library is read once, without its lock:

finish moves -> read and answer -> finish moves, read and answer once more if the library moved on
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from facesets_dagster.analysis.what_if.bucket import UNCHANGED, KnownBucket, WhatIfInputs
from facesets_dagster.analysis.what_if.points import REBUILT, Numbers, Point, points_of
from facesets_dagster.analysis.what_if.rehearsal import Rehearsed
from facesets_dagster.errors import BucketError
from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf, bucket_faces
from facesets_dagster.photos.bucket_key import bucket_title


@dataclass(frozen=True)
class Answer:
    """What a run at a point would do."""

    point: Point
    mode: str
    """`unchanged`, `grow` or `rebuild`."""
    result: Rehearsed


@dataclass(frozen=True)
class WhatIf:
    """All answers."""

    answers: list[Answer]
    """The base first, then (where a run with its numbers would change nothing) the same clustered again."""
    before: dict[str, frozenset[str]]
    """Live identity of the bucket -> members, as the library stands."""
    recorded: pl.DataFrame
    """The bucket's funnel on record, empty for one that never ran."""
    faces: pl.DataFrame
    """Face rows of the bucket."""
    rendered: frozenset[str]
    """Faces of which a run knows whether a good crop can be made."""
    generation: int

    @property
    def base(self) -> Answer:
        """What every other point is compared with."""
        return self.answers[0]

    @property
    def rebuilt(self) -> Answer | None:
        """The base clustered again; None where the base's own run does so, or the bucket never ran."""
        return next((answer for answer in self.answers if answer.point.parameter == REBUILT), None)


def ask(
    inputs: WhatIfInputs, library: Library, store_of: StoreOf, *, holder: str, say: Callable[[str], None]
) -> WhatIf:
    """Answers all points. Raises `BucketError` for a bucket whose faces are not cached."""
    if store_of(inputs.bucket).folder_digest() is None:
        raise BucketError(
            f"The bucket {inputs.bucket!r} was not read with the model {inputs.pack.name} yet, so it has no cached "
            "faces. Materialize face_cache of this bucket first."
        )
    # Read first: a later commit is noticed, the moves of an earlier one are finished below.
    generation = library.registry.generation()
    library.finish_moves(holder, say)
    found = _answer_all(inputs, library, store_of, say)
    if library.registry.generation() != generation:
        say("the library changed meanwhile: computed once more")
        library.finish_moves(holder, say)
        found = _answer_all(inputs, library, store_of, say)
    inputs.pictures.kept.write()
    return found


def _answer_all(inputs: WhatIfInputs, library: Library, store_of: StoreOf, say: Callable[[str], None]) -> WhatIf:
    faces = bucket_faces(store_of(inputs.bucket), library, inputs.bucket)
    require_one_model(faces, inputs.pack.model_id, f"the face cache of {inputs.bucket}")
    known = KnownBucket(inputs, library, store_of, faces)
    base = known.last.with_values(inputs.base)
    points = points_of(base, inputs.sweeps, inputs.points)
    known.prepare(max(point.numbers.discovery.cluster_distance for point in points))
    found = f"{len(known.rows)} faces, {len(known.standing.own())} identities, {len(points)} points"
    say(f"{bucket_title(inputs.bucket)}: {found}")
    wanted = [(point, known.mode(point.numbers)) for point in points]
    if wanted[0][1] == UNCHANGED:
        wanted.insert(1, (Point(REBUILT, None, base, "the base point clustered again"), "rebuild"))
    results: dict[tuple[Numbers, str], Rehearsed] = {}
    for numbers, mode in sorted({(point.numbers, mode) for point, mode in wanted}, key=_together):
        results[numbers, mode] = known.rehearse(numbers, mode)
    own = [identity.name for identity in known.standing.own()]
    return WhatIf(
        answers=[Answer(point, mode, results[point.numbers, mode]) for point, mode in wanted],
        before={name: frozenset(known.standing.members.get(name, {})) for name in own},
        recorded=known.decisions,
        faces=faces,
        rendered=known.rendered(),
        generation=known.generation,
    )


def _together(wanted: tuple[Numbers, str]) -> tuple[object, ...]:
    """Sort key: points that share the faces to be clustered stand together."""
    numbers, mode = wanted
    return (mode, numbers.cover_distance, tuple(numbers.flat().values()))
