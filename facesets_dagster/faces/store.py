"""Where the faces of a bucket are kept between runs: append-only parts that survive a kill, compacted at the end.

    cache/faces/<bucket>/<model_id>/{faces,contents,files}.parquet      compacted tables
    cache/faces/<bucket>/<model_id>/parts/000001.{faces,contents,files}.parquet

A part is written faces first, contents second, files last, each by rename: a content row proves that its faces are
there. Reading takes compacted tables plus parts, so it does not matter where a run was cut off. Run-independent: the
store knows nothing of run ids.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.faces.schema import CONTENT_SCHEMA, FILE_SCHEMA, SCHEMA_VERSION, face_schema
from facesets_dagster.storage import remove_leftovers, write_json, write_parquet, write_text

_KINDS = ("faces", "contents", "files")
_KEYS = {"faces": ["face_id"], "contents": ["sha256"], "files": ["path"]}


@dataclass(frozen=True)
class CacheTables:
    """The three tables of a bucket and model; columns as in `faces.schema`."""

    faces: pl.DataFrame
    contents: pl.DataFrame
    files: pl.DataFrame


@dataclass(frozen=True)
class ScanCounts:
    """What a whole scan did with the photo files of a bucket; the first two add up to them."""

    known: int
    """Not opened: status and content as on record."""
    opened: int
    decoded: int
    """Of the opened ones, those that had to be read by the models."""
    byte_copies: int
    """Of the opened ones, those whose bytes were on record."""


class FaceStore:
    """The cached tables of one bucket and one model."""

    def __init__(self, cache_dir: Path, bucket: str, model_id: str, dim: int) -> None:
        self._root = cache_dir / "faces"
        self._bucket = bucket
        self._model_id = model_id
        self._schemas = {"faces": face_schema(dim), "contents": CONTENT_SCHEMA, "files": FILE_SCHEMA}
        self.folder = self._root / bucket / model_id
        self._parts = self.folder / "parts"

    def read(self) -> CacheTables:
        """Everything that is cached, empty tables for a new bucket."""
        return CacheTables(*(self._read_kind(kind) for kind in _KINDS))

    def append(self, tables: CacheTables) -> None:
        """Adds finished work as a new part, durable when this returns."""
        number = 1 + max((int(path.name.split(".")[0]) for path in self._parts.glob("*.parquet")), default=0)
        for kind in _KINDS:
            self._write(self._parts / f"{number:06d}.{kind}.parquet", getattr(tables, kind))

    def compact(self, tables: CacheTables) -> None:
        """Replaces the compacted tables and drops the parts that they now hold; unchanged tables are not rewritten."""
        remove_leftovers(self._parts)
        remove_leftovers(self.folder)
        parts = list(self._parts.glob("*.parquet"))
        for kind in _KINDS:
            path = self.folder / f"{kind}.parquet"
            frame = getattr(tables, kind)
            if parts or not path.exists() or not self._load(path, kind).equals(frame):
                self._write(path, frame)
        for part in parts:
            part.unlink()

    def folder_digest(self) -> str | None:
        """State of the bucket folder that the tables were last brought up to; None before the first whole scan."""
        path = self.folder / "folder_digest"
        return path.read_text() if path.exists() else None

    def note_folder(self, digest: str) -> None:
        """Records that the tables are up to this state of the folder."""
        if self.folder_digest() != digest:
            write_text(self.folder / "folder_digest", digest)

    def scan_counts(self) -> ScanCounts | None:
        """What the last whole scan that opened a file did; None if none was counted."""
        path = self.folder / "scan.json"
        return ScanCounts(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def note_scan(self, counts: ScanCounts) -> None:
        """Records what a scan did."""
        if self.scan_counts() != counts:
            write_json(self.folder / "scan.json", asdict(counts))

    def contents_elsewhere(self) -> dict[str, Path]:
        """Content digest -> folder of another bucket's cache that has read it with the same model."""
        found: dict[str, Path] = {}
        for path in sorted(self._root.glob(f"*/{self._model_id}/contents.parquet")):
            if path.parent != self.folder:
                for sha256 in self._load(path, "contents")["sha256"]:
                    found.setdefault(sha256, path.parent)
        return found

    def copy_from(self, folder: Path, digests: list[str]) -> CacheTables:
        """The rows of these contents out of another bucket's cache, made this bucket's own."""
        wanted = pl.col("sha256").is_in(digests)
        faces = self._load(folder / "faces.parquet", "faces").filter(wanted)
        faces = faces.with_columns(bucket=pl.lit(self._bucket), source_missing=pl.lit(False))
        contents = self._load(folder / "contents.parquet", "contents").filter(wanted)
        return CacheTables(faces, contents, pl.DataFrame(schema=FILE_SCHEMA))

    def _read_kind(self, kind: str) -> pl.DataFrame:
        paths = [self.folder / f"{kind}.parquet", *sorted(self._parts.glob(f"*.{kind}.parquet"))]
        frames = [self._load(path, kind) for path in paths if path.exists()]
        if not frames:
            return pl.DataFrame(schema=self._schemas[kind])
        return pl.concat(frames).unique(_KEYS[kind], keep="last", maintain_order=True)

    def _load(self, path: Path, kind: str) -> pl.DataFrame:
        try:
            version = pl.read_parquet_metadata(path).get("schema_version")
            frame = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise LibraryCorrupt(
                f"The cached table {path} cannot be read ({error}). Expected a Parquet file written by this platform. "
                "Delete that bucket's folder under cache/faces to have its photos read again; no face set is touched."
            ) from error
        if version != str(SCHEMA_VERSION) or frame.schema != self._schemas[kind]:
            raise LibraryCorrupt(
                f"The cached table {path} has schema version {version}, expected {SCHEMA_VERSION}. Delete that "
                "bucket's folder under cache/faces to have its photos read again; face sets are not touched."
            )
        return frame

    def _write(self, path: Path, frame: pl.DataFrame) -> None:
        write_parquet(path, frame, {"schema_version": str(SCHEMA_VERSION), "model_id": self._model_id})
