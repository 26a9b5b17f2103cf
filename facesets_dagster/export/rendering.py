"""Crops of an identity's candidates, in rank order, each looked at as its consumer will.

A crop is accepted if it shows this face and no other (`crop_check`). One that fails is made again (others painted out,
tighter); if none passes, the face is excluded with the reason. A candidate too similar to an accepted one is a
near-duplicate. The reserve is asked, in the same way, where so few others are accepted that the set is to be filled up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.export.ahead import CropsAhead, Reserve
from facesets_dagster.export.curation import Curated, ExportParameters
from facesets_dagster.export.face_crop import LoadPhoto, face_crop, lineage
from facesets_dagster.export.pictures import Picture
from facesets_dagster.export.selection import order_of_export
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import centroid, normalised
from facesets_dagster.identities.looks import Pictures, looks_of


@dataclass(frozen=True)
class RenderedFace:
    """An exported face: its picture and where it came from."""

    row: dict[str, object]
    """Its row of the candidates (face table plus `rank_score`)."""
    picture: Picture
    missed: Verdict | None = None
    """The export gate that it does not pass: it fills the set up. None for a face that passes all."""


@dataclass(frozen=True)
class Rendered:
    """Exported faces in the order of the export and the verdicts on the other candidates."""

    faces: tuple[RenderedFace, ...]
    excluded: dict[str, Verdict]


def render(
    curated: Curated,
    parameters: ExportParameters,
    embedder: Callable[[], Embedder],
    load_photo: LoadPhoto,
    neighbours: Mapping[str, NDArray[np.float32]],
    published: Mapping[str, Callable[[dict[str, object]], bytes | None]],
    keep: Callable[[bytes], Picture],
    pictures: Pictures,
) -> Rendered:
    """Renders candidates.

    `neighbours`: face_id -> boxes (m, 4) of the photo's other faces. `published`: face_id -> a function that gives
    the PNG published earlier if it has the same lineage, so that nothing is rendered twice and a face
    whose photo is gone keeps its picture. `keep`: where PNGs go that are exported. `pictures`: of faces that may be
    copies of one photo.
    """
    candidates = curated.candidates
    accepted: dict[int, RenderedFace] = {}

    def crop(place: int) -> bytes | Verdict:
        row = candidates.row(place, named=True)
        reuse = published.get(row["face_id"])
        png = reuse(lineage(row, parameters, None)) if reuse else None
        return face_crop(row, person, parameters, embedder, load_photo, neighbours[row["face_id"]], png)

    if candidates.is_empty():
        return Rendered((), {})
    unit, photos = normalised(candidates["embedding"].to_numpy()), candidates["sha256"].to_list()
    person = centroid(unit)
    reserve = Reserve(curated.strict, parameters.fill_to)
    looks = looks_of(candidates, unit, parameters.look_similarity, pictures)
    crops = CropsAhead(crop, unit, photos, parameters.near_duplicate_similarity, looks, reserve)

    def refused(place: int) -> Verdict | None:
        outcome = crops(place)
        if isinstance(outcome, Verdict):
            return outcome
        row = candidates.row(place, named=True)
        row["embedding"] = np.array(row["embedding"], np.float32)  # as a list it takes eight times as much
        accepted[place] = RenderedFace(row, keep(outcome), curated.missed.get(row["face_id"]))
        return None

    order, excluded = choose(curated, parameters, looks, refused)
    return Rendered(tuple(accepted[place] for place in order), excluded)


def choose(
    curated: Curated,
    parameters: ExportParameters,
    looks: NDArray[np.int64],
    refused: Callable[[int], Verdict | None],
) -> tuple[list[int], dict[str, Verdict]]:
    """Positions of the candidates that are exported, in the order of the export, and the verdicts on the others.

    `looks` (n,): equal for copies of one photo. `refused`: asked for each one that is no near-duplicate of an accepted
    one and of another photo, in rank order, and of the reserve only until the set is full; gives the verdict on a face
    without a good crop, None for one that is accepted.
    """
    ids, unit = curated.candidates["face_id"].to_list(), normalised(curated.candidates["embedding"].to_numpy())
    accepted: list[int] = []
    vectors = np.empty_like(unit)
    excluded: dict[str, Verdict] = {}
    for place, face_id in enumerate(ids):
        if face_id in curated.missed and len(accepted) >= parameters.fill_to:
            excluded[face_id] = curated.missed[face_id]
            continue
        alike = vectors[: len(accepted)] @ unit[place]
        verdict = _like_one_of(alike, looks[accepted] == looks[place], parameters) or refused(place)
        if verdict is not None:
            excluded[face_id] = verdict
            continue
        vectors[len(accepted)] = unit[place]
        accepted.append(place)
    return order_of_export(curated, accepted, parameters), excluded


def _like_one_of(alike: NDArray[np.float32], copies: NDArray[np.bool_], parameters: ExportParameters) -> Verdict | None:
    """`alike` (k,): cosine similarity to each of the accepted faces; `copies` (k,): those that show the same photo."""
    limit = parameters.near_duplicate_similarity
    if alike.max(initial=-1) >= limit:
        return Verdict("near_duplicate", float(alike.max()), limit)
    if copies.any():
        return Verdict("near_duplicate:copy", float(alike[copies].max()), parameters.look_similarity)
    return None


def as_filled(missed: Verdict) -> Verdict:
    """The terminal verdict on a face that fills a set up although it does not pass this gate."""
    return replace(missed, state="exported")
