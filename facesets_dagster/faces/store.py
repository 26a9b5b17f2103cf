"""Where the faces of a bucket are kept between runs: append-only parts that survive a kill, compacted when it pays.

    cache/faces/<bucket>/<model_id>/{faces,contents,files}.parquet      compacted tables
    cache/faces/<bucket>/<model_id>/parts/000001.{faces,contents,files}.parquet

A later row of the same key replaces an earlier one, parts come after the compacted tables. A part is written faces
first, contents second, files last, each by rename: a content row proves that its faces are there. Reading takes
compacted tables plus parts, so it does not matter where a run was cut off. After a scan a few small parts of faces and
contents may stay; the file table is whole. Run-independent: the store knows nothing of run ids.

Writers hold the store (`alone`); readers need not, they read again what was merged into a table meanwhile.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import ExitStack, contextmanager
from copy import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TypeVar

import polars as pl
from filelock import FileLock, Timeout

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.faces.elsewhere import Elsewhere
from facesets_dagster.faces.schema import (
    CONTENT_SCHEMA,
    FILE_SCHEMA,
    SCHEMA_VERSION,
    completed,
    face_schema,
    is_readable,
    settled_contents,
)
from facesets_dagster.files.parsing import parse_json
from facesets_dagster.files.writing import remove_leftovers, write_json, write_parquet, write_text
from facesets_dagster.photos.bucket_key import bucket_title, file_name, key_in, note_key

_KINDS = ("faces", "contents", "files")
_KEYS = {"faces": "face_id", "contents": "sha256", "files": "path"}
_MAX_PARTS = 16
"""Beyond that they are made one part, which costs what is in them."""
_MAX_SHARE_IN_PARTS = 0.1
"""Of the rows; beyond that the next scan writes the compacted tables again."""
_SAY_EVERY_SECONDS = 600.0


_Read = TypeVar("_Read")


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
        self.cache_dir, self._root = cache_dir, cache_dir / "faces"
        self.bucket, self.dim = bucket, dim
        self._model_id = model_id
        self._schemas = {"faces": face_schema(dim), "contents": CONTENT_SCHEMA, "files": FILE_SCHEMA}
        self.folder = self._root / file_name(bucket) / model_id
        self._parts = self.folder / "parts"
        self._lock = FileLock(self.folder / ".lock")

    @contextmanager
    def alone(self, say: Callable[[str], None]) -> Iterator[None]:
        """No other process writes here during the block; `say` gets a line if another run must be waited for.

        The system releases the lock when its process dies. The holder may enter again with the same store.
        """
        note_key(self.folder.parent, self.bucket)
        self.folder.mkdir(parents=True, exist_ok=True)
        since, patience = time.monotonic(), 0.0
        while True:
            try:
                self._lock.acquire(timeout=patience)
                break
            except Timeout:
                waited = time.monotonic() - since
                other = f"another run that reads this bucket's photos ({waited:.0f} s so far)"
                say(f"{bucket_title(self.bucket)}: waiting for {other}")
                patience = _SAY_EVERY_SECONDS
        try:
            yield
        finally:
            self._lock.release()

    @classmethod
    def cached(cls, cache_dir: Path, bucket: str, model_id: str | None) -> "FaceStore":
        """The store of a bucket as it lies on disk, for reading alone: without asking which model the home has.

        `model_id`: of the run that the bucket is up to; None for the one that wrote last.
        """
        folders = [path for path in (cache_dir / "faces" / file_name(bucket)).glob("*") if path.is_dir()]
        chosen = [path for path in folders if path.name == model_id]
        newest = sorted(chosen or folders, key=lambda path: path.stat().st_mtime_ns)[-1:]
        store = cls(cache_dir, bucket, newest[0].name if newest else model_id or "none", 1)
        files = [path for path in (store.folder / "faces.parquet", *store._parts_of("faces")) if path.exists()]
        if files:
            embedding = pl.read_parquet_schema(files[0]).get("embedding")
            return cls(cache_dir, bucket, store._model_id, embedding.size if isinstance(embedding, pl.Array) else 1)
        return store

    def read(self) -> CacheTables:
        """Everything that is cached, empty tables for a new bucket."""
        return CacheTables(*(self.columns(kind) for kind in _KINDS))

    def columns(self, kind: str, *names: str) -> pl.DataFrame:
        """The table `faces`, `contents` or `files`, or its key and these columns: most need no embedding."""
        key = _KEYS[kind]
        schema = {name: dtype for name, dtype in self._schemas[kind].items() if not names or name in (key, *names)}
        frames = self._of_one_moment(kind, lambda paths: [self._load(path, kind, set(schema)) for path in paths])
        return _latest(frames, key) if frames else pl.DataFrame(schema=schema)

    @contextmanager
    def open_faces(self, *names: str) -> Iterator[tuple[pl.DataFrame, list[IO[bytes]]]]:
        """The face table by face_id, its key and these columns plus `file` and `row`, and its files, held open.

        `file`, `row`: where each face's row lies, whatever a run that goes on beside this one does with the paths.
        """
        with ExitStack() as stack:

            def opened(paths: list[Path]) -> list[IO[bytes]]:
                stack.close()
                return [stack.enter_context(path.open("rb")) for path in paths]

            files = self._of_one_moment("faces", opened)
            wanted = {"face_id", *names}
            frames = [
                self._load(Path(file.name), "faces", wanted, file).with_columns(
                    file=pl.lit(number, pl.UInt32), row=pl.int_range(pl.len(), dtype=pl.UInt32)
                )
                for number, file in enumerate(files)
            ]
            if not frames:
                schema = {name: dtype for name, dtype in self._schemas["faces"].items() if name in wanted}
                frames = [pl.DataFrame(schema={**schema, "file": pl.UInt32, "row": pl.UInt32})]
            yield _latest(frames, "face_id").sort("face_id"), files

    def append(self, tables: CacheTables) -> None:
        """Adds finished work as a new part, durable when this returns."""
        number = self._next_part()
        for kind in _KINDS:
            frame: pl.DataFrame = getattr(tables, kind)
            once = frame.unique(_KEYS[kind], keep="last", maintain_order=True)
            self._write(self._parts / f"{number}.{kind}.parquet", once)

    def amend(self, faces: pl.DataFrame | None, files: pl.DataFrame) -> None:
        """Replaces these rows of the face table and the whole file table; the rest stays as it lies."""
        self._remove_leftovers()
        if faces is not None:
            self._write(self._parts / f"{self._next_part()}.faces.parquet", faces)
        if self.has_loose_files() or not self.columns("files").equals(files):
            self._write(self.folder / "files.parquet", files)
        for part in self._parts_of("files"):
            part.unlink()
        if len({path.name.split(".")[0] for path in self._parts.glob("*.parquet")}) > _MAX_PARTS:
            self._join_parts()

    def is_scattered(self) -> bool:
        """Whether so much lies in parts that the compacted tables should be written again."""
        compacted = {kind: self.folder / f"{kind}.parquet" for kind in _KINDS}
        return not all(path.exists() for path in compacted.values()) or any(
            _rows(self._parts_of(kind)) > _MAX_SHARE_IN_PARTS * _rows([compacted[kind]])
            for kind in ("faces", "contents")
        )

    def has_loose_files(self) -> bool:
        """Whether files were read that the file table does not have yet: a scan did not come to its end."""
        return any(self._parts.glob("*.files.parquet"))

    def has_parts(self) -> bool:
        """Whether anything lies beside the compacted tables."""
        return any(self._parts.glob("*.parquet"))

    def compact(self, tables: CacheTables) -> None:
        """Replaces the compacted tables and drops the parts that they now hold; unchanged tables are not rewritten.

        Cut off among the parts, oldest first, what stays of them has the newest rows that they had. Those may be older
        than the table's, but then the file table is not written yet, and the next scan brings all up to it again.
        """
        self._remove_leftovers()
        for kind in _KINDS:
            path, parts, frame = self.folder / f"{kind}.parquet", self._parts_of(kind), getattr(tables, kind)
            if parts or not path.exists() or not self._load(path, kind, set(frame.columns)).equals(frame):
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
        return ScanCounts(**parse_json(path.read_text(encoding="utf-8"))) if path.exists() else None

    def note_scan(self, counts: ScanCounts) -> None:
        """Records what a scan did."""
        if self.scan_counts() != counts:
            write_json(self.folder / "scan.json", asdict(counts))

    def contents_elsewhere(self) -> Elsewhere:
        """Content digest -> folder of another bucket's cache that has read it with the same model."""
        folders = [folder for folder in sorted(self._root.glob(f"*/{self._model_id}")) if folder != self.folder]
        columns = ("sha256", "status", "detail", "look")
        return Elsewhere(
            folders,
            lambda folder: settled_contents(self._store_in(folder).columns("contents", *columns), retry_failed=False),
        )

    def copy_from(self, folder: Path, digests: list[str]) -> CacheTables:
        """The rows of these contents out of another bucket's cache, made this bucket's own."""
        wanted, other = pl.col("sha256").is_in(digests), self._store_in(folder)
        faces = other.columns("faces").filter(wanted)
        faces = faces.with_columns(bucket=pl.lit(self.bucket), source_missing=pl.lit(False))
        return CacheTables(faces, other.columns("contents").filter(wanted), pl.DataFrame(schema=FILE_SCHEMA))

    def _store_in(self, folder: Path) -> "FaceStore":
        store = copy(self)
        store.bucket, store.folder, store._parts = key_in(folder.parent), folder, folder / "parts"
        store._lock = FileLock(folder / ".lock")
        return store

    def _parts_of(self, kind: str) -> list[Path]:
        """Oldest first."""
        return sorted(self._parts.glob(f"*.{kind}.parquet"))

    def _join_parts(self) -> None:
        """One part of faces and contents instead of many. It is the last one: beside it the others mean nothing."""
        number = self._next_part()
        for kind in ("faces", "contents"):
            parts = self._parts_of(kind)
            if parts:
                frames = [self._load(part, kind, set(self._schemas[kind])) for part in parts]
                self._write(self._parts / f"{number}.{kind}.parquet", _latest(frames, _KEYS[kind]))
            for part in parts:
                part.unlink()

    def _next_part(self) -> str:
        return f"{1 + max((int(path.name.split('.')[0]) for path in self._parts.glob('*.parquet')), default=0):06d}"

    def _remove_leftovers(self) -> None:
        remove_leftovers(self._parts)
        remove_leftovers(self.folder)

    def _of_one_moment(self, kind: str, read: Callable[[list[Path]], _Read]) -> _Read:
        """What `read` makes of a table's files, later rows last; again if some were taken into a table meanwhile."""
        compacted = self.folder / f"{kind}.parquet"
        while True:
            before = _state(compacted)
            try:
                found = read([*([compacted] if before else []), *self._parts_of(kind)])
            except FileNotFoundError:
                continue
            if _state(compacted) == before:  # else a part may be another run's by now, of the same number
                return found

    def _load(self, path: Path, kind: str, names: Set[str], file: IO[bytes] | None = None) -> pl.DataFrame:
        """Columns in the order of the schema; `file`: the same, held open.

        Raises `FileNotFoundError` if there is no such file.
        """
        schema = self._schemas[kind]
        try:
            version = pl.read_parquet_metadata(_source(path, file)).get("schema_version")
            found = pl.read_parquet_schema(_source(path, file))
            columns = [name for name in schema if name in names and name in found]
            frame = pl.read_parquet(_source(path, file), columns=columns)
        except FileNotFoundError:
            raise
        except (pl.exceptions.PolarsError, OSError) as error:
            raise LibraryCorrupt(
                f"The cached table {path} cannot be read ({error}). Expected a Parquet file written by this platform. "
                "Delete that bucket's folder under cache/faces to have its photos read again; no face set is touched."
            ) from error
        if version != str(SCHEMA_VERSION) or not is_readable(pl.Schema(found), schema):
            raise LibraryCorrupt(
                f"The cached table {path} has schema version {version}, expected {SCHEMA_VERSION}. Delete that "
                "bucket's folder under cache/faces to have its photos read again; face sets are not touched."
            )
        return completed(frame, pl.Schema({name: dtype for name, dtype in schema.items() if name in names}))

    def _write(self, path: Path, frame: pl.DataFrame) -> None:
        write_parquet(path, frame, {"schema_version": str(SCHEMA_VERSION), "model_id": self._model_id})


def _source(path: Path, file: IO[bytes] | None) -> Path | IO[bytes]:
    """What Polars reads, from its beginning."""
    if file is None:
        return path
    file.seek(0)
    return file


def _rows(paths: Iterable[Path]) -> int:
    return sum(pl.scan_parquet(path).select(pl.len()).collect().item() for path in paths)


def _latest(frames: Sequence[pl.DataFrame], key: str) -> pl.DataFrame:
    """Of rows with the same key the last one, sorted by it; no frame has a key twice.

    The first is by far the largest as a rule: of it only the rows that came again are looked for.
    """
    if len(frames) == 1:
        return frames[0]
    newer = pl.concat(frames[1:]).unique(key, keep="last")
    older = frames[0].join(newer.select(key), on=key, how="anti", maintain_order="left")
    return pl.concat([older, newer]).sort(key)


def _state(path: Path) -> tuple[int, int] | None:
    """Changes when the file is replaced; None = absent."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
