"""What the library and the buckets hold twice: the domain call behind `library_duplicates`. Nothing is changed.

Byte duplicates: one content under several paths. Visual duplicates: two contents whose faces are near by their
embeddings and by their perceptual hashes; the hashes keep two photos of one pose apart, which embeddings cannot.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.analysis.inventory import Inventory
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.faces.hash_store import hashes_of
from facesets_dagster.faces.photo_loader import LoadPhoto
from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.identities.pairs import have_partner, stars
from facesets_dagster.photos.perceptual_hash import bits_apart

_DUPLICATE = {
    "kind": (pl.String(), "bytes: one content under several paths; visual: two contents that show one photo"),
    "set": (pl.Int32(), "number of the set of copies inside its kind, for this table only"),
    "best": (
        pl.Boolean(),
        "the copy that the others are compared with: bytes: the first path; visual: the largest face",
    ),
    "bucket": (pl.String(), "bucket of the file"),
    "path": (pl.String(), "the file, relative to the bucket"),
    "sha256": (pl.String(), "digest of its bytes"),
    "size": (pl.Int64(), "bytes of the file; null where the file is gone"),
    "face_id": (pl.String(), "visual: the face"),
    "similarity": (pl.Float64(), "visual: cosine similarity to the best copy's face"),
    "bits": (pl.Int32(), "visual: bits of 64 by which the perceptual hashes differ from the best copy's"),
    "facesets": (pl.List(pl.String()), "identities that have this face, or a face of this content, eras aside"),
    "families": (pl.List(pl.String()), "the same, eras counted as their parent"),
}
DUPLICATE_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _DUPLICATE.items()})
DUPLICATE_COLUMNS = {name: words for name, (_, words) in _DUPLICATE.items()}


@dataclass(frozen=True)
class Duplicates:
    """What was found."""

    table: pl.DataFrame
    """Rows of `DUPLICATE_SCHEMA`."""
    twice: list[tuple[str, list[str]]]
    """Faces that are members of two families, and of which: a fault."""
    era_copies: int
    not_compared: int
    """Faces with a partner by their embeddings whose photo cannot be read now."""

    def sets(self, kind: str) -> int:
        """Sets of copies of this kind."""
        return self.table.filter(pl.col("kind") == kind)["set"].n_unique()

    def copies(self, kind: str) -> int:
        """Files or faces that are one more of the same."""
        return len(self.table.filter((pl.col("kind") == kind) & ~pl.col("best")))

    def split_sets(self) -> pl.DataFrame:
        """Visual copies whose set lies in two families and more."""
        visual = self.table.filter(pl.col("kind") == "visual")
        families = visual.group_by("set").agg(pl.col("families").explode().drop_nulls().n_unique().alias("families"))
        return visual.filter(pl.col("set").is_in(families.filter(pl.col("families") > 1)["set"].implode()))


def find_duplicates(
    inventory: Inventory,
    pack: ModelPack,
    load_photo: LoadPhoto,
    cache_dir: Path,
    *,
    min_similarity: float,
    max_hash_bits: int,
) -> Duplicates:
    """Looks through everything; decodes only photos of faces that are near to another and have no hash on record."""
    require_one_model(inventory.faces, pack.model_id, "the face cache")
    visual, not_compared = _visual(
        inventory.faces, pack, load_photo, cache_dir, min_similarity=min_similarity, max_hash_bits=max_hash_bits
    )
    people, families = inventory.people_of(), inventory.families_of()
    found = pl.concat([_by_bytes(inventory.files), visual], how="diagonal")
    contents = inventory.faces.select("face_id", "sha256").group_by("sha256").agg(pl.col("face_id").sort())
    faces_of = dict(contents.iter_rows())
    ids = [
        [face_id] if face_id is not None else faces_of.get(sha256, [])
        for face_id, sha256 in found.select("face_id", "sha256").iter_rows()
    ]
    table = found.with_columns(
        facesets=pl.Series([_names(faces, people) for faces in ids], dtype=pl.List(pl.String)),
        families=pl.Series([_names(faces, families) for faces in ids], dtype=pl.List(pl.String)),
    )
    return Duplicates(
        table.select(DUPLICATE_SCHEMA.names()).cast(DUPLICATE_SCHEMA),
        [(face_id, names) for face_id, names in sorted(families.items()) if len(names) > 1],
        inventory.era_copies(),
        not_compared,
    )


def _names(face_ids: list[str], known: dict[str, list[str]]) -> list[str]:
    return sorted({name for face_id in face_ids for name in known.get(face_id, ())})


def _by_bytes(files: pl.DataFrame) -> pl.DataFrame:
    """Contents under several paths of all buckets: most wasted bytes first."""
    copied = files.select("bucket", "path", "sha256", "size").sort("bucket", "path")
    copied = copied.filter(pl.len().over("sha256") > 1)
    order = copied.group_by("sha256").agg(wasted=pl.col("size").first() * (pl.len() - 1))
    order = order.sort("wasted", "sha256", descending=[True, False]).select("sha256").with_row_index("set")
    return (
        copied.join(order, on="sha256", how="left")
        .sort("set", "bucket", "path")
        .with_columns(
            kind=pl.lit("bytes"),
            set=pl.col("set").cast(pl.Int32),
            best=pl.int_range(pl.len()).over("set") == 0,
            face_id=pl.lit(None, pl.String),
        )
    )


def _visual(
    faces: pl.DataFrame,
    pack: ModelPack,
    load_photo: LoadPhoto,
    cache_dir: Path,
    *,
    min_similarity: float,
    max_hash_bits: int,
) -> tuple[pl.DataFrame, int]:
    """Sets of copies around their largest face, and how many faces could not be compared."""
    ranks = ["face_short", "det_score", "blur", "face_id"]
    ranked = faces.sort(ranks, descending=[True, True, True, False])
    unit = normalised(ranked["embedding"].to_numpy().reshape(-1, pack.dim))
    near = ranked.filter(pl.Series(have_partner(unit, min_similarity, _photo_numbers(ranked)), dtype=pl.Boolean))
    hashes = hashes_of(near, load_photo, cache_dir, pack.model_id)
    hashed = near.join(hashes, on="face_id", how="inner", maintain_order="left")
    unit = normalised(hashed["embedding"].to_numpy().reshape(-1, pack.dim))
    photo, face, head = _photo_numbers(hashed), hashed["face"].to_numpy(), hashed["head"].to_numpy()

    def bits(rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.maximum(bits_apart(face[rows], face[others]), bits_apart(head[rows], head[others]))

    found = stars(
        unit,
        min_similarity,
        lambda rows, others: (photo[rows] != photo[others]) & (bits(rows, others) <= max_hash_bits),
    )
    entries: list[tuple[int, int, bool, float | None, int | None]] = []
    for number, (best, copies) in enumerate(found):
        entries.append((best, number, True, None, None))
        for copy in copies:
            apart = bits(np.array([best]), np.array([copy]))[0]
            entries.append((copy, number, False, float(unit[best] @ unit[copy]), int(apart)))
    columns = {"row": pl.Int64, "set": pl.Int32, "best": pl.Boolean, "similarity": pl.Float64, "bits": pl.Int32}
    table = pl.DataFrame(entries, schema=columns, orient="row")
    places = hashed.select("bucket", "path", "sha256", "face_id").with_row_index("row").cast({"row": pl.Int64})
    table = table.join(places, on="row", how="left", maintain_order="left").drop("row")
    return table.with_columns(kind=pl.lit("visual")), len(near) - len(hashed)


def _photo_numbers(rows: pl.DataFrame) -> NDArray[np.int64]:
    """(n,): equal for faces of one content."""
    return rows["sha256"].rank("dense").to_numpy().astype(np.int64)
