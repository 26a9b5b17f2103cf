"""Writes a legacy library of the reference shape, its face cache and its photos, drawn with the fake faces.

Every person has a range of looks of their own, so that two people are never within reach of each other; 18 hues with
two ends each make up to 36 people.
"""

import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facesets_dagster.embedding.embedder import Detections
from testing.fakes import HUES, FakeEmbedder, FakeFace, draw_photo, png_bytes

MODEL = FakeEmbedder()


@dataclass(frozen=True)
class Shape:
    """How many of what."""

    auto: int = 2
    hand_sorted: int = 1
    discovered: int = 1
    eras: int = 1
    thin_eras: int = 2
    photos: int = 5
    """Portraits of each person."""
    era_faces: int = 3
    group_photos: int = 1
    """Each shows the first two people."""

    @property
    def people(self) -> int:
        """Facesets that are no eras."""
        return self.auto + self.hand_sorted + self.discovered


REFERENCE = Shape(auto=12, hand_sorted=7, discovered=6, eras=6, thin_eras=68, photos=4)
"""31 facesets and 68 thin eras."""


@dataclass
class Record:
    """A face record of the legacy cache."""

    source: str
    bbox: list[float]
    kps: np.ndarray
    det_score: float
    embedding: np.ndarray


@dataclass
class Legacy:
    """What was written."""

    root: Path
    photos: Path
    cache: Path
    shape: Shape
    faces: dict[str, list[Record]] = field(default_factory=dict)
    """Faceset -> the faces that its manifest names."""
    aliases: dict[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, tuple[bytes, int, int]]:
        """Every file of library, photos and cache: bytes, mtime, inode."""
        paths = [path for top in (self.root, self.photos) for path in top.rglob("*") if path.is_file()]
        stats = {path: os.stat(path) for path in [*paths, self.cache]}
        return {str(path): (path.read_bytes(), stat.st_mtime_ns, stat.st_ino) for path, stat in stats.items()}


def look(person: int, share: float) -> tuple[int, float]:
    """Hue and variant of a look, `share` 0..1: people 0..17 at one end of a hue's looks, 18..35 at the other."""
    variant = 0.65 + 0.33 * share
    return person % HUES, variant if person < HUES else -variant


def write_legacy(
    folder: Path,
    shape: Shape,
    *,
    photos: Path | None = None,
    spread: Callable[[int, int], tuple[int, float]] | None = None,
    normalised: bool = False,
    extra_members: dict[str, np.ndarray] | None = None,
) -> Legacy:
    """Writes `folder/facesets_swap_ready/`, `folder/nl_full.npz` and photos (`folder/photos/` or elsewhere).

    `spread`: (person, photo) -> hue and variant, for tests that want looks of their own.
    """
    legacy = Legacy(folder / "facesets_swap_ready", photos or folder / "photos", folder / "nl_full.npz", shape)
    spread = spread or (lambda person, photo: look(person, photo / max(shape.photos - 1, 1)))
    kinds = ["auto"] * shape.auto + ["hand_sorted"] * shape.hand_sorted + ["discovered"] * shape.discovered
    records: list[Record] = []
    entries = []
    for person, kind in enumerate(kinds):
        name = f"faceset_{person + 1:03d}"
        legacy.faces[name] = [
            record
            for photo in range(shape.photos)
            for record in _portrait(
                legacy.photos / f"person {person:02d}" / f"{photo:03d}.png",
                *spread(person, photo),
                person * 100 + photo,
            )
        ]
        entries.append(
            {
                "name": name,
                "kind": kind,
                "label": f"Person {person}" if kind == "hand_sorted" else None,
                "odd": person,
                "exported": ["0001.png"],
            }
        )
    for group in range(shape.group_photos):
        first, second = _group(legacy.photos / "groups" / f"{group}.png", spread(0, group), spread(1, group), group)
        legacy.faces["faceset_001"].append(first)
        legacy.faces["faceset_002"].append(second)
    records = [record for found in legacy.faces.values() for record in found]
    entries += _eras(legacy, shape.eras, "era", 2000)
    thin = _eras(legacy, shape.thin_eras, "thin_era", 1900)
    for entry in [*entries, *thin]:
        _write_faceset(legacy, entry, is_thin=entry in thin)
    (legacy.root / "manifest.json").write_text(
        json.dumps({"made_by": "legacy", "facesets": entries, "thin_eras": thin}, indent=1)
    )
    _write_alias(legacy)
    write_cache(legacy, records, normalised=normalised, extra_members=extra_members or {})
    return legacy


def write_cache(
    legacy: Legacy,
    records: Sequence[Record],
    *,
    normalised: bool = False,
    extra_members: dict[str, np.ndarray] | None = None,
) -> None:
    """Writes `nl_full.npz`: face records, byte aliases, files without faces, keys nobody knows, and an object array."""
    vectors = np.array([record.embedding for record in records], np.float32)
    if normalised:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    arrays = {
        "embeddings": vectors,
        "path": np.array([record.source for record in records]),
        "bbox": np.array([record.bbox for record in records], np.float32),
        "det_score": np.array([record.det_score for record in records], np.float32),
        "kps": np.array([record.kps for record in records], np.float32),
        "path_aliases": np.array(sorted(legacy.aliases.items()), str).reshape(-1, 2),
        "noface": np.array([str(legacy.photos / "empty.png")]),
        "odd_numbers": np.arange(7),
        "meta": np.array([{"why": "objects are pickled"}], object),
        **(extra_members or {}),
    }
    np.savez(legacy.cache, **arrays)


def records_of(legacy: Legacy) -> list[Record]:
    """Every face once: eras are copies."""
    return [record for name, found in legacy.faces.items() if "_era_" not in name for record in found]


def _portrait(path: Path, hue: int, variant: float, seed: int) -> list[Record]:
    return _write_photo(path, [FakeFace(hue, variant)], seed)


def _group(path: Path, first: tuple[int, float], second: tuple[int, float], seed: int) -> list[Record]:
    faces = [FakeFace(*first, x=20), FakeFace(*second, x=300)]
    return sorted(_write_photo(path, faces, 90_000 + seed), key=lambda record: record.bbox[0])


def _write_photo(path: Path, faces: list[FakeFace], seed: int) -> list[Record]:
    image = draw_photo(faces, seed=seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(image))
    found: Detections = MODEL.detect(image)
    vectors = MODEL.embed(image, found.kps)
    return [
        Record(str(path), found.bbox[index].tolist(), found.kps[index], float(found.det_score[index]), vectors[index])
        for index in range(len(found))
    ]


def _eras(legacy: Legacy, count: int, kind: str, first_year: int) -> list[dict]:
    """Eras of the people in turn: copies of some of their faces."""
    entries = []
    people = legacy.shape.people
    for number in range(count):
        parent, turn = f"faceset_{number % people + 1:03d}", number // people
        start = first_year + 5 * turn
        name = f"{parent}_era_{start}-{start + 3}"
        size = legacy.shape.era_faces if kind == "era" else 1
        source = legacy.faces[parent]
        legacy.faces[name] = [source[(turn + step) % len(source)] for step in range(min(size, len(source)))]
        entries.append({"name": name, "parent": parent} if kind == "era" else {"name": name})
    return entries


def _write_faceset(legacy: Legacy, entry: dict, *, is_thin: bool) -> None:
    name = entry["name"]
    folder = legacy.root / "_thin" / name if is_thin else legacy.root / name
    folder.mkdir(parents=True)
    faces = [
        {"rank": rank, "file": f"{rank:04d}.png", "source": record.source, "bbox": record.bbox, "sharpness": 7.5}
        for rank, record in enumerate(legacy.faces[name], start=1)
    ]
    (folder / "manifest.json").write_text(json.dumps({"name": name, "faces": faces, "odd": True}))
    (folder / "NAME.txt").write_text(f"{entry.get('label') or name}\n")
    (folder / "osrc.txt").write_text("found in osrc\n")
    picture = png_bytes(np.full((8, 8, 3), 120, np.uint8))
    with zipfile.ZipFile(folder / f"{name}.fsz", "w") as archive:
        for face in faces:
            (folder / face["file"]).write_bytes(picture)
            archive.writestr(face["file"], picture)


def _write_alias(legacy: Legacy) -> None:
    """A byte copy of the first photo; the first faceset names the copy."""
    first = legacy.faces["faceset_001"][0]
    copy = Path(first.source).with_name("copy of 000.png")
    copy.write_bytes(Path(first.source).read_bytes())
    legacy.aliases[str(copy)] = first.source
    manifest = legacy.root / "faceset_001" / "manifest.json"
    found = json.loads(manifest.read_text())
    found["faces"][0]["source"] = str(copy)
    manifest.write_text(json.dumps(found))
