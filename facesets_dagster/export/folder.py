"""A faceset's folder: pictures, archives, vectors, members, marker, manifest (formats in `docs/file-formats.md`).

Writes into a folder that the caller will move into place; the manifest is written last.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

from facesets_dagster.export.curation import ExportParameters
from facesets_dagster.export.face_crop import source_of
from facesets_dagster.export.pictures import Picture
from facesets_dagster.export.rendering import RenderedFace, as_filled
from facesets_dagster.export.selection import influences
from facesets_dagster.files.writing import sha256_of, write_bytes, write_json, write_parquet, write_stream, write_text
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import centroid, cosine_distance, normalised
from facesets_dagster.photos.bucket_key import bucket_title, file_name
from facesets_dagster.threads import in_threads

SCHEMA_VERSION = 1
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_RANK_COLUMNS = ("det_score", "face_short", "blur", "frontality", "symmetry", "rank_score")


@dataclass(frozen=True)
class FacesetContent:
    """Everything a faceset's folder is made of, but for its name and the run that makes it."""

    kind: str
    bucket: str
    faces: tuple[RenderedFace, ...]
    excluded: Mapping[str, Verdict]
    members: pl.DataFrame
    """Rows of the face table of all members plus `joined_by` and `state`."""
    parameters: Mapping[str, Mapping[str, object]]
    """Numbers of the run per asset, as in run config."""
    export: ExportParameters
    model: Mapping[str, object]
    feature: str | None = None
    """face_id of the exported face that stands for the person, if somebody chose one."""
    withheld: tuple[str, ...] = ()
    """Rules of the home's policy by which faces are withheld; `faces` lacks them, `excluded` names them."""

    def vectors(self) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        """Raw embeddings (n, dim) of the exported faces in rank order."""
        return np.array([face.row["embedding"] for face in self.faces], np.float32)

    def centroid(self) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """(dim,), unit length, of the exported faces."""
        return centroid(self.vectors())

    def verdicts(self) -> dict[str, Verdict]:
        """Terminal verdicts on members that are not exported, and on those that fill up."""
        filled = {str(face.row["face_id"]): as_filled(face.missed) for face in self.faces if face.missed is not None}
        return {**self.excluded, **filled}

    def digest(self) -> str:
        """Equal digests mean equal files, apart from run id and date; independent of the faceset's number."""
        numbers = ", ".join(f"{name}={value!r}" for name, value in self.export.recorded().items())
        head = f"{self.kind!r}, {self.bucket!r}, {json.dumps(self.parameters, sort_keys=True)!r}"
        hasher = hashlib.sha256(f"({head}, ExportParameters({numbers}))".encode())
        hasher.update(repr(sorted(self.model.items())).encode())
        for face in self.faces:
            hasher.update(bytes.fromhex(face.picture.sha256) + repr(_face_entry(face, 0, "", 0.0)).encode())
            hasher.update(repr(face.missed).encode() if face.missed else b"")
        hasher.update(repr(sorted(self.excluded.items())).encode())
        hasher.update(repr(self.members.drop("embedding").rows()).encode())
        hasher.update(self.feature.encode() if self.feature else b"")
        hasher.update(repr(self.withheld).encode() if self.withheld else b"")
        return hasher.hexdigest()


def write_faceset(
    folder: Path, name: str, content: FacesetContent, *, run_id: str, created_at: str, code_version: str
) -> str:
    """Writes the folder and returns the sha256 of its manifest.

    Of a face set of which every face is withheld there are no pictures, archives and vectors.
    """
    if content.faces:
        pictures = {f"{rank:04d}.png": face.picture for rank, face in enumerate(content.faces, start=1)}
        _write_pictures(folder, name, pictures, content.export.top_n)
        write_bytes(folder / f"{name}.npz", _vectors_file(content))
    write_parquet(folder / "members.parquet", content.members, {"schema_version": str(SCHEMA_VERSION)})
    write_text(folder / f"{file_name(content.bucket)}.txt", _marker(name, content, run_id, created_at))
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "kind": content.kind,
        "bucket": content.bucket,
        "run_id": run_id,
        "code_version": code_version,
        "created_at": created_at,
        "model": dict(content.model),
        "parameters": dict(content.parameters),
        **_feature(content),
        **({"withheld": list(content.withheld)} if content.withheld else {}),
        "faces": _face_entries(content),
        "excluded": [_excluded_entry(face_id, verdict) for face_id, verdict in sorted(content.excluded.items())],
        "files": {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.is_file()},
        "content_digest": content.digest(),
    }
    write_json(folder / "manifest.json", manifest)
    return sha256_of(folder / "manifest.json")


def _write_pictures(folder: Path, name: str, pictures: Mapping[str, Picture], top_n: int) -> None:
    """The archives and the pictures themselves, side by side; the archive of all takes longest and comes first."""
    top = dict(list(pictures.items())[:top_n])
    files: dict[Path, Callable[[IO[bytes]], object]] = {
        folder / f"{name}.fsz": partial(flat_zip, pictures),
        folder / f"{name}_top.fsz": partial(flat_zip, top),
        **{folder / "faces" / file: partial(_copy, picture) for file, picture in pictures.items()},
    }
    in_threads(lambda path: write_stream(path, files[path]), list(files))


def _copy(picture: Picture, stream: IO[bytes]) -> None:
    stream.write(picture.read())


def flat_zip(pictures: Mapping[str, Picture], stream: IO[bytes]) -> None:
    """A zip without folders, fixed times and order, stored uncompressed (PNGs do not shrink), one picture at a time."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(pictures):
            entry = zipfile.ZipInfo(file, _ZIP_TIME)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, pictures[file].read())


def _vectors_file(content: FacesetContent) -> bytes:
    vectors = content.vectors()
    stream = io.BytesIO()
    np.savez(
        stream,
        embedding=vectors.astype(np.float64).mean(axis=0).astype(np.float32),
        centroid=content.centroid(),
        embeddings=vectors,
        face_ids=np.array([face.row["face_id"] for face in content.faces]),
    )
    return stream.getvalue()


def _feature(content: FacesetContent) -> dict[str, str]:
    """The picture that stands for the person; no key where nobody chose one."""
    ids = [face.row["face_id"] for face in content.faces]
    return {"feature": f"faces/{ids.index(content.feature) + 1:04d}.png"} if content.feature in ids else {}


def _face_entries(content: FacesetContent) -> list[dict[str, object]]:
    if not content.faces:
        return []
    vectors = content.vectors()
    distances = cosine_distance(normalised(vectors), content.centroid()[None])[:, 0]
    numbers = zip(content.faces, distances, influences(vectors), strict=True)
    return [
        {
            **_face_entry(face, rank, face.picture.sha256, float(distance)),
            "influence": influence,
            "filled": face.missed is not None,
        }
        for rank, (face, distance, influence) in enumerate(numbers, start=1)
    ]


def _face_entry(face: RenderedFace, rank: int, digest: str, distance: float) -> dict[str, object]:
    row = face.row
    return {
        "rank": rank,
        "file": f"faces/{rank:04d}.png",
        "sha256": digest,
        "face_id": row["face_id"],
        "source": source_of(row),
        "bbox": row["bbox"],
        "kps": row["kps"],
        **{column: row[column] for column in _RANK_COLUMNS},
        "cosine_distance": distance,
    }


def _excluded_entry(face_id: str, verdict: Verdict) -> dict[str, object]:
    return {"face_id": face_id, "state": verdict.state, "value": verdict.value, "threshold": verdict.threshold}


def _origins(content: FacesetContent) -> list[tuple[str, int]]:
    """Bucket and members from it, sorted."""
    return content.members.group_by("bucket").len().sort("bucket").rows()


def _filled_line(content: FacesetContent) -> list[str]:
    filled = sum(face.missed is not None for face in content.faces)
    return [f"filled up with: {filled}"] if filled else []


def _marker(name: str, content: FacesetContent, run_id: str, created_at: str) -> str:
    lines = [
        f"{name} was founded by: {bucket_title(content.bucket)}.",
        f"run: {run_id}",
        f"date: {created_at}",
        f"model: {content.model['pack']} ({content.model['model_id']}, det_size {content.model['det_size']})",
        f"members: {len(content.members)}, exported: {len(content.faces)}, excluded: {len(content.excluded)}",
        *_filled_line(content),
        *(f"withheld by consent.yaml: {rule}" for rule in content.withheld),
        "photos from: " + ", ".join(f"{bucket_title(bucket)} ({count})" for bucket, count in _origins(content)),
        "parameters:",
        *(
            f"  {asset}.{key}: {value}"
            for asset, values in content.parameters.items()
            for key, value in sorted(values.items())
        ),
    ]
    return "\n".join(lines) + "\n"
