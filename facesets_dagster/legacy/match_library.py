"""Faces of legacy libraries to faces of ours: photos are found or read, boxes matched, caches used last."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from facesets_dagster.embedding.embedder import Embedder, ModelPack
from facesets_dagster.faces.blocked import NOTHING, Blocked, allowed_tables
from facesets_dagster.faces.face_cache import Reading, ReportProgress, Say, read_files, scan_bucket
from facesets_dagster.faces.store import FaceStore
from facesets_dagster.legacy.cache_faces import CacheRow, CacheRows
from facesets_dagster.legacy.cache_file import LegacyCache
from facesets_dagster.legacy.column_map import ColumnMap
from facesets_dagster.legacy.library_folder import LegacyLibrary
from facesets_dagster.legacy.matching import Fate, match_faces
from facesets_dagster.legacy.photos import Caches, PhotoFinder
from facesets_dagster.legacy.same_model import ModelVerdict, compare_models
from facesets_dagster.legacy.sources import BucketFolders, SourcePaths, photo_files
from facesets_dagster.photos.bucket_key import LEGACY
from facesets_dagster.photos.listing import BucketListing

USED = "used_without_photo"
"""A row of a legacy cache of which a face of ours was made."""


@dataclass(frozen=True)
class LegacyInputs:
    """What an import of legacy libraries is made with."""

    columns: ColumnMap
    min_iou: float
    """Intersection over union, 0..1, from which two boxes mean one face."""
    min_model_similarity: float
    """Median cosine similarity from which a legacy cache is of our model."""
    min_shared_faces: int
    """Faces that it takes to say so."""
    pack: ModelPack
    folders: Mapping[str, Path]
    """Bucket -> where its photos lie, the pseudo bucket `LEGACY` among them."""
    written: Sequence[Path]
    """Folders that the platform writes to; a legacy root must not lie in one, nor one in a root."""
    max_pixels: int
    workers: int
    run_id: str
    blocked: Blocked = NOTHING
    """What was forgotten and is not stored."""


@dataclass(frozen=True)
class CacheFate:
    """A legacy cache and what became of its rows."""

    cache: LegacyCache
    verdict: ModelVerdict
    fates: list[Fate]
    """Per row; the reason `USED` where a face of ours was made of it."""


@dataclass(frozen=True)
class Matched:
    """What the matching found."""

    fates: list[Fate]
    """Of every face that a legacy faceset names."""
    superseded: Mapping[str, set[str]]
    """Faceset -> ids that its faces had while only a legacy cache knew them."""
    caches: list[CacheFate]


class LibraryMatcher:
    """Matches all faces of all legacy libraries in one go."""

    def __init__(
        self,
        inputs: LegacyInputs,
        caches: Sequence[LegacyCache],
        store_of: Callable[[str], FaceStore],
        embedder: Callable[[], Embedder],
        report: ReportProgress,
        say: Say,
    ) -> None:
        self._inputs, self._legacy_caches, self._store_of = inputs, caches, store_of
        self._embedder, self._report, self._say = embedder, report, say
        aliases = {alias: path for cache in caches for alias, path in cache.aliases.items()}
        self._paths = SourcePaths(inputs.columns.path_prefixes, aliases)
        self._caches = Caches(store_of, list(inputs.folders))
        self._finder = PhotoFinder(self._paths, BucketFolders(inputs.folders), self._caches, _digests(caches))

    def match(self, libraries: Sequence[LegacyLibrary]) -> Matched:
        """Matches, and adds to our cache what only a legacy cache of our model knows."""
        faces = [
            Fate(faceset.name, face.source, face.bbox, face.problem)
            for library in libraries
            for faceset in library.facesets
            for face in faceset.faces
        ]
        sources = {face.source for face in faces if face.reason is None}
        self._finder.read(sources, self._read)
        photos = {source: self._finder.photo(source) for source in sources}
        # A photo that is there and was looked at above, but is in no cache now, cannot be opened.
        photos = {
            source: replace(photo, problem="unreadable_file") if photo.problem == "not_read" else photo
            for source, photo in photos.items()
        }
        fates = match_faces(faces, photos.__getitem__, self._caches, self._inputs.pack.dim, self._inputs.min_iou)
        compared = [self._compared(cache) for cache in self._legacy_caches]
        rows = CacheRows([(fate.cache, fate.verdict) for fate in compared], self._paths)
        fates, taken, superseded = self._from_caches(fates, rows)
        self._keep(rows, taken)
        used = {(row.cache.path, row.row) for row in taken}
        return Matched(fates, superseded, [_marked(fate, used) for fate in compared])

    def _compared(self, cache: LegacyCache) -> CacheFate:
        inputs = self._inputs
        rows = [
            Fate(str(cache.path), source, cache.bbox[row], cache.problems[row])
            for row, source in enumerate(cache.sources)
        ]
        fates = match_faces(rows, self._finder.photo, self._caches, inputs.pack.dim, inputs.min_iou)
        verdict = compare_models(
            cache,
            fates,
            inputs.pack.dim,
            min_similarity=inputs.min_model_similarity,
            min_shared=inputs.min_shared_faces,
        )
        return CacheFate(cache, verdict, fates)

    def _from_caches(
        self, fates: Sequence[Fate], rows: CacheRows
    ) -> tuple[list[Fate], list[CacheRow], dict[str, set[str]]]:
        """Faces without a photo by the legacy caches; the rows taken; ids that are out of date now, by faceset."""
        found, taken, superseded = list(fates), list[CacheRow](), dict[str, set[str]]()
        seen: set[tuple[str, str]] = set()
        for index, fate in enumerate(fates):
            if fate.face_id is None and fate.reason != "source_missing":
                continue
            row = rows.find(fate.source, fate.bbox, self._inputs.min_iou)
            if row is None:
                continue
            if fate.face_id is not None:
                superseded.setdefault(fate.owner, set()).add(row.face_id)
            elif row.verdict.reason is not None:
                found[index] = fate.lost(row.verdict.reason)
            elif (fate.owner, row.face_id) in seen:
                found[index] = fate.lost("duplicate")
            else:
                seen.add((fate.owner, row.face_id))
                taken.append(row)
                vector = row.cache.embeddings[row.row]
                found[index] = replace(
                    fate, reason=None, way="legacy_cache", bucket=LEGACY, face_id=row.face_id, embedding=vector
                )
        return found, taken, superseded

    def _keep(self, rows: CacheRows, taken: Sequence[CacheRow]) -> None:
        store = self._store_of(LEGACY)
        with store.alone(self._say):
            known = set(store.columns("faces", "face_id")["face_id"])
            new = [row for row in taken if row.face_id not in known]
            if new:
                tables = rows.tables(new, self._inputs.pack.dim, self._inputs.pack.model_id)
                store.append(allowed_tables(tables, self._inputs.blocked, self._inputs.pack.model_id))

    def _read(self, bucket: str, paths: list[str]) -> None:
        """Files of a bucket as a part of its cache; those of no bucket as the whole of `LEGACY`."""
        store = self._store_of(bucket)
        with store.alone(self._say):
            if bucket == LEGACY:
                paths = sorted({*paths, *store.columns("files", "path")["path"].to_list()})
            if paths:
                inputs, folder = self._inputs, self._inputs.folders[bucket]
                read = scan_bucket if bucket == LEGACY else read_files
                reading = Reading(
                    self._embedder,
                    inputs.workers,
                    inputs.max_pixels,
                    False,
                    report=self._report,
                    say=self._say,
                    blocked=inputs.blocked,
                )
                read(BucketListing.of_files(folder, photo_files(folder, paths)), store, reading)


def _digests(caches: Sequence[LegacyCache]) -> dict[str, str]:
    """Legacy path -> digest of its bytes, where a cache says so."""
    return {
        source: digest.lower()
        for cache in caches
        if cache.sha256 is not None
        for source, digest in zip(cache.sources, cache.sha256, strict=True)
    }


def _marked(compared: CacheFate, used: Set[tuple[Path, int]]) -> CacheFate:
    fates = [fate.lost(USED) if (compared.cache.path, row) in used else fate for row, fate in enumerate(compared.fates)]
    return CacheFate(compared.cache, compared.verdict, fates)
