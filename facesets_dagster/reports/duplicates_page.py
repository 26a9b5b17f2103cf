"""The page of `library_duplicates`: pairs of copies side by side, copies of bytes, and what lies in two identities."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from facesets_dagster.analysis.library_duplicates import Duplicates
from facesets_dagster.faces.photo_loader import LoadPhoto
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.reports.contact_sheet import SheetRow, Tile
from facesets_dagster.reports.markdown import Markdown, markdown_table
from facesets_dagster.reports.system_page import Section
from facesets_dagster.reports.thumbnails import of_faces
from facesets_dagster.wording import counted

_COPIES = ("set", "similarity", "bits", "bucket", "photo", "best copy", "facesets")
SHOWN_PAIRS = 250


def pairs_of(table: pl.DataFrame) -> pl.DataFrame:
    """A row per visual copy with the best copy of its set beside it (`best_<column>`)."""
    visual = table.filter(pl.col("kind") == "visual")
    best = visual.filter(pl.col("best")).select(
        "set", pl.col("face_id", "bucket", "path", "facesets").name.prefix("best_")
    )
    return visual.filter(~pl.col("best")).join(best, on="set", how="left", maintain_order="left")


def duplicates_sheet(pairs: pl.DataFrame, faces: pl.DataFrame, load_photo: LoadPhoto, cache: Path) -> list[SheetRow]:
    """A row of two pictures per pair, of the first `SHOWN_PAIRS`; `faces`: face table over all buckets."""
    pairs = pairs.head(SHOWN_PAIRS)
    ids = pl.concat([pairs["face_id"], pairs["best_face_id"]])
    pictures = of_faces(faces.filter(pl.col("face_id").is_in(ids.implode())), load_photo, cache)
    rows = []
    for row in pairs.iter_rows(named=True):
        sides = [(row[f"{side}face_id"], row[f"{side}bucket"], row[f"{side}path"]) for side in ("best_", "")]
        tiles = [
            Tile(pictures[face], f"{bucket_title(bucket)}/{path}", (bucket, path))
            for face, bucket, path in sides
            if face in pictures
        ]
        names = " | ".join(", ".join(row[column]) or "no faceset" for column in ("best_facesets", "facesets"))
        rows.append(SheetRow(f"set {row['set']}: cos {row['similarity']:.3f}, {row['bits']} bits, {names}", tiles))
    return rows


def duplicate_sections(
    found: Duplicates, pairs: pl.DataFrame, sheet: list[SheetRow], numbers: Mapping[str, float]
) -> list[Section]:
    """`numbers`: `min_similarity` and `max_hash_bits` of the run."""
    files = found.table.filter(pl.col("kind") == "bytes")
    split = found.split_sets()
    return [
        Section(
            "Copies of photos",
            f"{counted(found.copies('visual'), 'face is a copy', 'faces are copies')} of a larger one: cosine "
            "similarity at least "
            f"{numbers['min_similarity']} and at most {numbers['max_hash_bits']} of 64 bits between their perceptual "
            f"hashes. Left the largest face, right its copy. "
            f"{counted(found.not_compared, 'face is', 'faces are')} near to another, but the "
            "photo cannot be read now.",
            _COPIES,
            _rows(pairs),
            sheet,
        ),
        Section(
            "Copies of bytes",
            f"{counted(found.copies('bytes'), 'file holds', 'files hold')} the bytes of another one. Faces are "
            "found and counted once.",
            ("set", "bucket", "photo", "bytes", "sha256", "facesets"),
            [
                (
                    row["set"],
                    bucket_title(row["bucket"]),
                    row["path"],
                    row["size"],
                    row["sha256"][:12],
                    ", ".join(row["facesets"]),
                )
                for row in files.iter_rows(named=True)
            ],
        ),
        Section(
            "One face in two identities",
            f"{counted(len(found.twice), 'face is a member', 'faces are members')} of two identities that are "
            "no eras of each other.",
            ("face", "identities"),
            [(face_id, ", ".join(names)) for face_id, names in found.twice],
        ),
        Section(
            "Copies of one photo in two identities",
            f"{counted(split['set'].n_unique(), 'set of copies lies', 'sets of copies lie')} in two identities.",
            ("set", "face", "bucket", "photo", "identities"),
            [
                (row["set"], row["face_id"], bucket_title(row["bucket"]), row["path"], ", ".join(row["families"]))
                for row in split.iter_rows(named=True)
            ],
        ),
        Section(
            "Copies in eras",
            f"{counted(found.era_copies, 'member', 'members')} of eras, each also of the parent. That is what "
            "eras are.",
        ),
    ]


def pairs_table(pairs: pl.DataFrame) -> Markdown:
    """The table for the UI."""
    return markdown_table(_COPIES, _rows(pairs), most=200, empty="There is none.")


def _rows(pairs: pl.DataFrame) -> list[tuple[object, ...]]:
    return [
        (
            row["set"],
            row["similarity"],
            row["bits"],
            bucket_title(row["bucket"]),
            row["path"],
            f"{bucket_title(row['best_bucket'])}/{row['best_path']}",
            ", ".join(sorted({*row["facesets"], *row["best_facesets"]})),
        )
        for row in pairs.iter_rows(named=True)
    ]
