"""The coverage of a bucket as it lies on disk: ids and flags at once, embeddings a stretch at a time.

The rules are those of `identities.coverage`; here is only where its arguments come from.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.faces.embedding_files import EmbeddingFiles
from facesets_dagster.faces.schema import require_one_model
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.identities.bindings import Bindings
from facesets_dagster.identities.coverage import Coverage, cover
from facesets_dagster.identities.coverage_table import as_of_now, coverage_table
from facesets_dagster.identities.geometry import UnitRows
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.bindings import bindings_of
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import judged_faces, lost_members
from facesets_dagster.library.model import require_model
from facesets_dagster.photos.bucket_key import bucket_title


def cover_bucket(
    library: Library,
    store: FaceStore,
    bucket: str,
    identities: Sequence[Identity],
    *,
    model_id: str,
    dim: int,
    bindings: Bindings | None = None,
) -> tuple[list[str], Coverage]:
    """The faces of a bucket that a run decides on, by face_id, and their coverage.

    `bindings`: what rulings say of them; None: as the registry has it now.
    """
    known = library.snapshot()
    members = known.members_of(bucket)
    with store.open_faces("source_missing", "model_id") as (table, files):
        kept = lost_members(library, bucket, members, table["face_id"])
        embeddings = np.empty((0, dim), np.float32)
        if kept is not None:
            places = kept.with_columns(file=pl.lit(len(files), pl.UInt32), row=pl.int_range(pl.len(), dtype=pl.UInt32))
            table = pl.concat([table, places.select(table.columns)]).sort("face_id")
            embeddings = kept["embedding"].to_numpy().reshape(-1, dim)
        table = judged_faces(table, members)
        require_one_model(table, model_id, f"the face cache of {bucket_title(bucket)}")
        ids = table["face_id"].to_list()
        copies = known.copies(bucket, ids)
        unit = UnitRows(EmbeddingFiles(table, files, embeddings))
        said = bindings_of(library, bucket, model_id, dim, ids) if bindings is None else bindings
        return ids, cover(unit, ids, bucket, identities, members, copies, said)


def coverage_now(
    library: Library, store: FaceStore, bucket: str, coverage: pl.DataFrame, pack: ModelPack
) -> pl.DataFrame:
    """The coverage of the same faces by library and rulings as they are now; `coverage` if neither has moved on since.

    So a face that has joined somebody in the meantime is a member, and people who have grown reach as far as they do
    now. `coverage`: an older table of the bucket (`COVERAGE_SCHEMA`), which gives the distance. It is given back too if
    the cache holds some of its faces no longer: publishing says so.
    """
    known, coverage = library.snapshot(), as_of_now(coverage)
    if coverage.is_empty():
        return coverage
    bindings = bindings_of(library, bucket, pack.model_id, pack.dim, coverage["face_id"].to_list())
    if coverage["generation"][0] == known.generation and coverage["bindings"][0] == bindings.digest():
        return coverage
    identities = [identity for identity in known.live() if identity.kind != "thin_era"]
    require_model(identities, pack)
    ids, found = cover_bucket(
        library, store, bucket, identities, model_id=pack.model_id, dim=pack.dim, bindings=bindings
    )
    distance = float(coverage["cover_distance"][0])
    table = coverage_table(ids, found, cover_distance=distance, generation=known.generation, model_id=pack.model_id)
    same = table.filter(pl.col("face_id").is_in(coverage["face_id"].implode()))
    return same if len(same) == len(coverage) else coverage
