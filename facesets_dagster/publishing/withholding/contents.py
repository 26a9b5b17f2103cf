"""What a face set's folder holds of a content of which a policy withholds faces."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl

from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.files.writing import link_folder, sha256_of
from facesets_dagster.identities.consent import WITHHELD, Withheld
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.library.faceset_manifest import MANIFEST, read_faceset
from facesets_dagster.library.moves import STAGING, Move
from facesets_dagster.library.withheld import KEPT_WHOLE
from facesets_dagster.publishing.transaction import BucketRecord


def shown_of(content: FacesetContent, withheld: Withheld | None) -> FacesetContent:
    """The content without the faces that are withheld, which are excluded with the rank that they would have."""
    if withheld is None:
        return content
    ranks = {str(face.row["face_id"]): rank for rank, face in enumerate(content.faces, start=1)}
    out = {face: Verdict(WITHHELD, float(rank)) for face, rank in ranks.items() if face in withheld.faces}
    state = pl.when(pl.col("face_id").is_in(list(out))).then(pl.lit(WITHHELD)).otherwise("state")
    return replace(
        content,
        faces=tuple(face for face in content.faces if face.row["face_id"] not in out),
        excluded={**content.excluded, **out},
        members=content.members.with_columns(state=state.alias("state")),
        withheld=withheld.rules,
    )


def shown_in(record: BucketRecord, withheld: Mapping[str, Mapping[str, Verdict]]) -> BucketRecord:
    """The funnel with the faces that are withheld. `withheld`: face set -> face_id -> verdict."""
    flat = {(name, face): one.value for name, faces in withheld.items() for face, one in faces.items()}
    if not flat:
        return record
    names, faces = zip(*flat, strict=True)
    out = pl.DataFrame(
        {"identity": names, "face_id": faces, "rank": list(flat.values())},
        schema={"identity": pl.String, "face_id": pl.String, "rank": pl.Float64},
    )
    joined = record.funnel.join(out, on=["identity", "face_id"], how="left", maintain_order="left")
    hit = pl.col("rank").is_not_null() & (pl.col("state") == "exported")
    funnel = joined.with_columns(
        state=pl.when(hit).then(pl.lit(WITHHELD)).otherwise("state"),
        value=pl.when(hit).then("rank").otherwise("value"),
        threshold=pl.when(hit).then(None).otherwise("threshold"),
    )
    return replace(record, funnel=funnel.select(record.funnel.columns).cast(record.funnel.schema))


def moves_beside(
    library_dir: Path, staging: str, name: str, place: str, content: FacesetContent
) -> tuple[list[Move], list[Move]]:
    """Moves before and after the folder of `content` comes to its place: the whole folder is kept while faces of it are
    withheld, and goes when none are any more.
    """
    kept = str(KEPT_WHOLE / name)
    if not content.withheld:
        return [], [Move(staging, "drop", kept, None)] if (library_dir / kept).exists() else []
    current = read_faceset(library_dir / place)
    if current is None or current.withheld:
        return [], []
    link_folder(library_dir / place, library_dir / STAGING / staging / kept)
    return [Move(staging, "install", kept, sha256_of(library_dir / place / MANIFEST))], []
