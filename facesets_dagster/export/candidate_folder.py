"""A folder of candidates: crops made like those of a faceset, a manifest, a contact sheet.

    _candidates/to_faceset_007/faces/0001.png ...      the nearest first
    _candidates/to_faceset_007/{manifest.json,contact_sheet.jpg}

No run id and no date: the same candidates give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.export.face_crop import source_of
from facesets_dagster.export.png import read_lineage
from facesets_dagster.export.rendering import Rendered
from facesets_dagster.files.parsing import parse_json
from facesets_dagster.files.writing import sha256_of, write_bytes, write_json
from facesets_dagster.identities.candidates import Offer
from facesets_dagster.identities.gates import Verdict

SCHEMA_VERSION = 1
_COLUMNS = ("det_score", "face_short", "blur", "frontality", "symmetry")


@dataclass(frozen=True)
class WrittenFolder:
    """What a folder came to hold."""

    offer: Offer
    faces: list[dict[str, object]]
    """Entries of its manifest."""
    excluded: dict[str, Verdict]
    """Offered faces of which no picture was made: near-duplicates of one that is there, or no clean crop."""


def write_candidates(
    folder: Path, offer: Offer, rendered: Rendered, provenance: Mapping[str, object], sheet: bytes
) -> WrittenFolder:
    """Writes the folder. `provenance`: model, parameters and code version; `sheet`: a JPEG."""
    offered = {face.face_id: face for face in offer.faces}
    entries = []
    for number, face in enumerate(rendered.faces, start=1):
        row, file = face.row, f"faces/{number:04d}.png"
        write_bytes(folder / file, face.picture.read())
        this = offered[str(row["face_id"])]
        entries.append(
            {
                "file": file,
                "sha256": face.picture.sha256,
                "face_id": row["face_id"],
                "source": source_of(row),
                "bbox": row["bbox"],
                "distance": this.distance,
                "group_distance": this.group_distance,
                **{column: row[column] for column in _COLUMNS},
            }
        )
    write_bytes(folder / "contact_sheet.jpg", sheet)
    excluded = [
        {"face_id": face_id, "state": verdict.state, "value": verdict.value, "threshold": verdict.threshold}
        for face_id, verdict in sorted(rendered.excluded.items())
    ]
    head = {"schema_version": SCHEMA_VERSION, "folder": offer.folder, "faceset": offer.faceset}
    write_json(folder / "manifest.json", {**head, **provenance, "faces": entries, "excluded": excluded})
    return WrittenFolder(offer, entries, dict(rendered.excluded))


class PictureInPlace:
    """A candidate's PNG of an earlier run: used again if it is intact and has the same lineage."""

    def __init__(self, path: Path, sha256: str) -> None:
        self._path = path
        self._sha256 = sha256

    def __call__(self, wanted: dict[str, object]) -> bytes | None:
        """Its bytes, or None where it has to be made again."""
        try:
            if sha256_of(self._path) != self._sha256:
                return None
        except OSError:
            return None
        found = read_lineage(self._path) or {}
        return self._path.read_bytes() if {key: found.get(key) for key in wanted} == wanted else None


def pictures_in_place(folder: Path) -> dict[str, PictureInPlace]:
    """face_id -> picture of all folders of candidates; a folder without a manifest that can be read gives none."""
    found: dict[str, PictureInPlace] = {}
    for path in sorted(folder.glob("*/manifest.json")):
        for entry in _entries(path):
            found[str(entry["face_id"])] = PictureInPlace(path.parent / str(entry["file"]), str(entry["sha256"]))
    return found


def _entries(manifest: Path) -> Sequence[Mapping[str, object]]:
    """A folder that people work in: what they broke is made again, not mended."""
    try:
        found = parse_json(manifest.read_text(encoding="utf-8"))["faces"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    keys = {"face_id", "file", "sha256"}
    return (
        [entry for entry in found if isinstance(entry, dict) and keys <= entry.keys()]
        if isinstance(found, list)
        else []
    )
