"""Columns of the face table and the file table, with units; `docs/file-formats.md` is the page for readers.

The schema version is stored in each Parquet file's metadata; a file with another version is refused with what to do.
"""

import polars as pl

from facesets_dagster.errors import ModelMismatch
from facesets_dagster.photos.formats import overcome_advice

SCHEMA_VERSION = 1


def face_schema(dim: int) -> pl.Schema:
    """One row per detected face of one content (byte aliases share it)."""
    columns: dict[str, pl.DataType | type[pl.DataType]] = {
        "face_id": pl.String,
        "bucket": pl.String,
        "sha256": pl.String,
        "path": pl.String,
        "aliases": pl.List(pl.String),
        "photo_width": pl.Int32,
        "photo_height": pl.Int32,
        "turn": pl.Int16,
        "bbox": pl.Array(pl.Float32, 4),
        "kps": pl.Array(pl.Float32, (5, 2)),
        "det_score": pl.Float32,
        "face_short": pl.Float32,
        "blur": pl.Float32,
        "sharpness": pl.Float32,
        "frontality": pl.Float32,
        "symmetry": pl.Float32,
        "truncated": pl.Boolean,
        "source_missing": pl.Boolean,
        "model_id": pl.String,
        "embedding": pl.Array(pl.Float32, dim),
    }
    return pl.Schema(columns)


FACE_COLUMNS = {
    "face_id": "content digest and the face's position in the photo; stable over paths and buckets",
    "bucket": "partition key",
    "sha256": "digest of the photo's bytes",
    "path": "canonical path of the photo, relative to the bucket",
    "aliases": "other paths with the same bytes",
    "photo_width": "px, upright",
    "photo_height": "px, upright",
    "turn": "degrees by which the photo was turned clockwise beyond its EXIF orientation: 0, 90, 180, 270; null = 0",
    "bbox": "x1, y1, x2, y2, px of the upright photo at full resolution",
    "kps": "five landmarks (left eye, right eye, nose, left and right mouth corner), px",
    "det_score": "detector's confidence, 0..1",
    "face_short": "shorter side of the bbox, px",
    "blur": "variance of the Laplacian of the grey bbox crop; higher is sharper",
    "sharpness": "the same at one face size (shorter side 112 px, or its own if smaller); null in older caches",
    "frontality": "1 = nose midway between the eyes, 0 = profile",
    "symmetry": "left-right symmetry of the landmarks, 0..1",
    "truncated": "the photo decoded in part only",
    "source_missing": "no file of the bucket holds this content any more",
    "model_id": "digest of the weights and det_size",
    "embedding": "raw (not normalised) embedding",
}

FILE_SCHEMA = pl.Schema(
    {
        "path": pl.String,
        "size": pl.Int64,
        "mtime_ns": pl.Int64,
        "ctime_ns": pl.Int64,
        "inode": pl.UInt64,
        "sha256": pl.String,
        "status": pl.String,
        "detail": pl.String,
    }
)
"""One row per file of the bucket but ignored ones. `status`: `faces`, `noface`, `foreign` (no photo by its name or
content, or a folder that is not entered; without a size where it was not opened), or the reason why the photo was not
used (`empty`, `not_an_image`, `unreadable`, `too_large`, `unsupported`, `unreadable_file`, `changing`,
`needs_too_much_memory`, `too_slow`, `crashed`)."""

READ = ("faces", "noface")
"""The status of photos that were read; every other but `foreign` is a failure."""


def failed_photos(files: pl.DataFrame) -> pl.DataFrame:
    """The rows (`FILE_SCHEMA`) of photos that could not be used."""
    return files.filter(~pl.col("status").is_in([*READ, "foreign"]))


CONTENT_SCHEMA = pl.Schema(
    {
        "sha256": pl.String,
        "status": pl.String,
        "detail": pl.String,
        "faces": pl.Int32,
        "format": pl.String,
        "photo_width": pl.Int32,
        "photo_height": pl.Int32,
        "turn": pl.Int16,
        "truncated": pl.Boolean,
        "model_id": pl.String,
        "look": pl.Int16,
    }
)
"""One row per distinct content that was read with this model, faces or not."""

LOOK = 1
"""Version of the rules of `faces.looking`; older ones found less: photos without a face are read once more."""

LATER_COLUMNS = frozenset({"turn", "sharpness", "look"})
"""Columns that files of older releases lack; they read as null."""


def is_readable(found: pl.Schema, schema: pl.Schema) -> bool:
    """Whether a file with the columns `found` holds a table of `schema`, but for later columns."""
    return found == pl.Schema(
        {name: dtype for name, dtype in schema.items() if name in found or name not in LATER_COLUMNS}
    )


def completed(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The frame with the later columns of `schema` that it lacks, in the schema's order; its others come after."""
    later = LATER_COLUMNS & schema.keys()
    absent = {name: pl.lit(None, schema[name]) for name in later - set(frame.columns)}
    others = [name for name in frame.columns if name not in schema]
    known = [name for name in schema if name in absent or name in frame.columns]
    return frame.with_columns(**absent).select(*known, *others) if absent else frame


def settled_contents(contents: pl.DataFrame, *, retry_failed: bool) -> pl.DataFrame:
    """Those of the contents (with `status`, `detail` and `look`) that are not to be read again."""
    contents = contents.filter((pl.col("status") != "noface") | (pl.col("look").fill_null(0) >= LOOK))
    if retry_failed:
        return contents.filter(pl.col("status").is_in(READ))
    overcome = [pl.col("detail").str.ends_with(advice) for advice in overcome_advice()]
    return contents.filter(~pl.any_horizontal(pl.col("detail") == _OUTDATED, *overcome))


_OUTDATED = "truncated, no face in the intact part"
"""What was written, once, of whole photos too, with a video behind them: such contents are read again."""


def require_one_model(frame: pl.DataFrame, model_id: str, what: str) -> None:
    """Raises `ModelMismatch` unless every row of `frame` was made by `model_id`."""
    others = sorted(set(frame["model_id"].unique().to_list()) - {model_id})
    if others:
        raise ModelMismatch(
            f"{what} was made with the model {', '.join(others)}, this run uses {model_id}. Distances between two "
            "models mean nothing. Use the home's own pack; `facesets reembed PACK` gives it another one."
        )
