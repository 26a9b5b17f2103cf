"""All faces and files of every cache, with the live identity of each member."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.faces.schema import FILE_SCHEMA, face_schema
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import StoreOf, bucket_faces
from facesets_dagster.photos.bucket_key import key_in


@dataclass(frozen=True)
class Inventory:
    """The library and the caches as they stand now."""

    faces: pl.DataFrame
    """Face table over all buckets, one row per face_id: of the first bucket that still has the photo."""
    files: pl.DataFrame
    """`bucket` and the columns of `FILE_SCHEMA`, of files whose content is known."""
    memberships: pl.DataFrame
    """`MEMBERSHIP_SCHEMA`, of live identities."""
    identities: dict[str, Identity]
    """Live identities by name."""

    def people_of(self) -> dict[str, list[str]]:
        """face_id -> names of the identities that have it, eras aside."""
        return self._names(name for name, identity in self.identities.items() if not identity.is_era)

    def families_of(self) -> dict[str, list[str]]:
        """face_id -> families that have it; a parent and its eras are one."""
        names = self._names(self.identities)
        return {face_id: sorted({self.identities[name].family for name in found}) for face_id, found in names.items()}

    def era_copies(self) -> int:
        """Faces of eras that their parent has too, as it should be; a face in two eras counts twice."""
        kinds = {name: identity for name, identity in self.identities.items() if identity.is_era}
        people = {(name, face_id) for name, face_id in self.memberships.select("name", "face_id").iter_rows()}
        return sum((kinds[name].family, face_id) in people for name, face_id in people if name in kinds)

    def _names(self, chosen: Iterable[str]) -> dict[str, list[str]]:
        rows = self.memberships.filter(pl.col("name").is_in(list(chosen)))
        grouped = rows.group_by("face_id").agg(pl.col("name").unique().sort())
        return dict(grouped.sort("face_id").iter_rows())


def inventory_of(library: Library, store_of: StoreOf, cache_dir: Path, pack: ModelPack) -> Inventory:
    """Reads all caches of this model and the registry; opens no photo."""
    live = {identity.name: identity for identity in library.registry.identities() if identity.live}
    memberships = library.registry.memberships().filter(pl.col("name").is_in(list(live)))
    cached = {key_in(path.parent) for path in (cache_dir / "faces").glob(f"*/{pack.model_id}")}
    faces, files = (
        [pl.DataFrame(schema=face_schema(pack.dim))],
        [pl.DataFrame(schema={"bucket": pl.String, **FILE_SCHEMA})],
    )
    for bucket in sorted(cached | set(memberships["bucket"])):
        store = store_of(bucket)
        faces.append(bucket_faces(store, library, bucket))
        found = store.read().files.drop_nulls("sha256")
        files.append(found.select(pl.lit(bucket).alias("bucket"), *FILE_SCHEMA.names()))
    rows = pl.concat(faces).sort("source_missing", "bucket", maintain_order=True)
    return Inventory(rows.unique("face_id", keep="first", maintain_order=True), pl.concat(files), memberships, live)
