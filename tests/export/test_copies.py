"""Of copies of one photo one is exported, whichever of them has the better crop."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.embedding.load import load_embedder
from facesets_dagster.embedding.packs import EMBEDDED
from facesets_dagster.embedding.thresholds import thresholds_for
from facesets_dagster.export.curation import Curated, ExportParameters
from facesets_dagster.export.rendering import choose
from facesets_dagster.faces.face_pictures import FacePictures, KeptPictures
from facesets_dagster.faces.looking import look_at
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.looks import looks_of
from facesets_dagster.photos.decode import decode_photo

PARAMETERS = ExportParameters(100, 0.45, 0.95, 8, 512, 0.5, look_similarity=0.8)
PEOPLE, PHOTOS = 4, 4


def three_faces() -> Curated:
    """Angles between them: cosine similarities .92 and less."""
    unit = np.array([[np.cos(angle), np.sin(angle)] for angle in (0.0, 0.4, 0.8)], np.float32)
    return Curated(pl.DataFrame({"face_id": ["a", "b", "c"], "embedding": unit}))


def test_a_copy_of_an_exported_photo_ends_with_the_similarity_to_it() -> None:
    order, excluded = choose(three_faces(), PARAMETERS, np.array([0, 1, 0]), lambda _: None)
    assert order == [0, 1]
    assert excluded["c"].state == "near_duplicate:copy"
    assert excluded["c"].value == pytest.approx(np.cos(0.8), abs=1e-6)
    assert excluded["c"].threshold == 0.8


def test_the_next_copy_takes_the_place_of_one_without_a_good_crop() -> None:
    failed = Verdict("crop_failed:no_face_found")
    order, excluded = choose(three_faces(), PARAMETERS, np.zeros(3, int), lambda place: failed if place == 0 else None)
    assert order == [1]
    assert [excluded[face].state for face in ("a", "c")] == ["crop_failed:no_face_found", "near_duplicate:copy"]


def copies(photo: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The photo in other sizes, recompressed, grey, mirrored, lighter, cropped."""
    for scale in (0.45, 0.6, 0.8, 1.3):
        yield np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    yield np.asarray(cv2.imdecode(cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], 1), np.uint8)
    grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    yield np.asarray(grey, np.uint8)
    yield np.ascontiguousarray(photo[:, ::-1])
    yield np.clip(photo.astype(np.int16) + 40, 0, 255).astype(np.uint8)
    height, width = photo.shape[:2]
    yield np.ascontiguousarray(photo[: -height // 12, : -width // 10])


@pytest.fixture(scope="module")
def people(shared: Path) -> list[list[NDArray[np.uint8]]]:
    """A few photos each of some people."""
    folders = [one for one in sorted((shared / "data" / "labelled").iterdir()) if len(list(one.iterdir())) >= PHOTOS]
    return [
        [decode_photo(path.read_bytes(), max_pixels=10**8).image for path in sorted(folder.iterdir())[:PHOTOS]]
        for folder in folders[:: len(folders) // PEOPLE][:PEOPLE]
    ]


def face_table(
    photos: list[NDArray[np.uint8]], embedder: Embedder
) -> tuple[pl.DataFrame, dict[str, NDArray[np.uint8]]]:
    """A row for each copy of each photo, with the number of its photo: the largest face, and in copies the same one.

    And the pixels by content.
    """
    images, rows = {}, []
    for number, photo in enumerate(photos):
        first: NDArray[np.float32] | None = None
        for image in (photo, *copies(photo)):
            look, sha256 = look_at(image, embedder), hashlib.sha256(image.tobytes()).hexdigest()
            vectors = embedder.embed(look.image, look.found.kps)
            sizes = (look.found.bbox[:, 2:] - look.found.bbox[:, :2]).min(axis=1)
            place = int(sizes.argmax() if first is None else (normalised(vectors) @ first).argmax())
            first = normalised(vectors[place]) if first is None else first
            if normalised(vectors[place]) @ first < 0.5:
                continue  # the detector finds another face only
            images[sha256] = look.image
            rows.append((f"{sha256[:16]}-0", sha256, number, look.found.kps[place].tolist(), vectors[place]))
    schema = {
        "face_id": pl.String,
        "sha256": pl.String,
        "photo": pl.Int64,
        "kps": pl.Array(pl.Float32, (5, 2)),
        "embedding": pl.Array(pl.Float32, embedder.pack.dim),
    }
    return pl.DataFrame(rows, schema=schema, orient="row"), images


def test_of_real_photos_in_ten_copies_each_one_is_exported(
    people: list[list[NDArray[np.uint8]]], embedded_models_root: Path, tmp_path: Path
) -> None:
    embedder = load_embedder(
        EMBEDDED, models_root=embedded_models_root, providers=("CPUExecutionProvider",), det_size=640, threads=2,
        recogniser_batch=1,
    )  # fmt: skip
    pack, kept = thresholds_for(embedder.pack), KeptPictures(tmp_path, embedder.pack.model_id)
    parameters = replace(PARAMETERS, near_duplicate_similarity=pack.near_duplicate_similarity)
    by_similarity = 0
    for photos in people:
        faces, images = face_table(photos, embedder)
        unit = normalised(faces["embedding"].to_numpy())
        looks = looks_of(faces, unit, pack.look_similarity, FacePictures(faces, images.__getitem__, kept))
        order, _ = choose(Curated(faces), parameters, looks, lambda _: None)
        assert sorted(faces["photo"][order].to_list()) == list(range(PHOTOS))
        by_similarity += len(choose(Curated(faces), parameters, np.arange(len(faces)), lambda _: None)[0])
    assert by_similarity > 1.5 * PEOPLE * PHOTOS  # what the limit of near-duplicates alone lets through
