"""Rulings for programs, and their faces, named and decided, as rows of a table."""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from facesets_dagster.identities.ruling_words import said
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.home import Home
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.registry.rulings import DecidedFace

Paths = Mapping[tuple[str, str], str]
"""(bucket, face_id) -> bucket and path of the photo, as people see them."""


def summary(ruling: Ruling) -> dict[str, object]:
    """A ruling in a list, for programs."""
    return {
        "ruling_id": ruling.ruling_id,
        "kind": ruling.kind,
        "says": said(ruling),
        "names": dict(ruling.names),
        "faces": len({face.face_id for face in ruling.faces}),
        "state": ruling.state,
        "published": ruling.published,
        "made_at": ruling.made_at,
        "made_by": ruling.made_by,
        "via": ruling.via,
        "reason": ruling.reason,
    }


def photo_paths(home: Home, ruling: Ruling, decided: Iterable[DecidedFace]) -> Paths:
    """Of the faces of a ruling, those whose photos the caches know."""
    wanted: dict[str, set[str]] = {}
    for bucket, face_id in [*((face.bucket, face.face_id) for face in ruling.faces), *(one[:2] for one in decided)]:
        wanted.setdefault(bucket, set()).add(face_id)
    found: dict[tuple[str, str], str] = {}
    for bucket, ids in wanted.items():
        rows = home.cached(bucket).columns("faces", "face_id", "path").filter(pl.col("face_id").is_in(list(ids)))
        found.update(((bucket, face), f"{bucket_title(bucket)}/{path}") for face, path in rows.iter_rows())
    return found


def face_rows(ruling: Ruling, paths: Paths) -> list[dict[str, object]]:
    """Each face of each role, for a terminal."""
    rows: list[dict[str, object]] = []
    for face in ruling.faces:
        x1, y1, x2, y2 = (round(side) for side in face.bbox)
        absent = f"a photo that no bucket holds now ({face.photo_sha256[:16]})"
        box = f"{x2 - x1} x {y2 - y1} at {x1}, {y1}"
        photo = paths.get((face.bucket, face.face_id), absent)
        rows.append({"role": face.role, "face": face.face_id, "box": box, "photo": photo})
    return rows


def face_values(ruling: Ruling, paths: Paths) -> list[dict[str, object]]:
    """The same for programs."""
    return [
        {
            "role": face.role,
            "face_id": face.face_id,
            "photo_sha256": face.photo_sha256,
            "bbox": list(face.bbox),
            "bucket": face.bucket,
            "model_id": face.model_id,
            "photo": paths.get((face.bucket, face.face_id)),
        }
        for face in ruling.faces
    ]


def swallowed_values(decided: Sequence[DecidedFace], paths: Paths) -> list[dict[str, object]]:
    """Faces that ended by a ruling, the nearest first; without a distance: those that it names."""
    return [
        {
            "face": face_id,
            "state": state,
            "distance": None if value is None else round(value, 3),
            "photo": paths.get((bucket, face_id), bucket_title(bucket)),
        }
        for bucket, face_id, state, value in sorted(decided, key=lambda one: (one[3] is not None, one[3] or 0, one[:2]))
    ]
