"""What is left of the forgotten in files beside the registry: caches, folders of the library, exports, lists.

Everything here can be repeated. Tables that are made again at the next run are removed, tables that cost the reading of
photos are written anew without the rows.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.export.consumers import CONSUMERS
from facesets_dagster.export.consumers.owned_folder import remove_facesets
from facesets_dagster.faces.store import CacheTables, FaceStore
from facesets_dagster.faces.thumbnails import ThumbnailStore
from facesets_dagster.files.writing import write_json, write_parquet, write_text
from facesets_dagster.library import audit
from facesets_dagster.library.archive import MERGED
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.library.moves import RETIRED
from facesets_dagster.library.withheld import KEPT_WHOLE
from facesets_dagster.photos.bucket_key import file_name
from facesets_dagster.publishing.consent.probes import KEPT as PROBES
from facesets_dagster.publishing.forgetting.plan import ForgetPlan
from facesets_dagster.publishing.forgetting.planner import holds_forgotten
from facesets_dagster.publishing.forgetting.subjects import stores_of
from facesets_dagster.publishing.forgetting.traces import Traces
from facesets_dagster.registry.forgotten import purge_file

Say = Callable[[str], None]


@dataclass
class Swept:
    """How many files of each kind were removed or written anew."""

    counts: Counter[str] = field(default_factory=Counter)

    def remove(self, path: Path, kind: str) -> None:
        """Removes a file, or a folder with all that is in it."""
        if path.is_dir() and not path.is_symlink():
            self.counts[kind] += sum(1 for one in path.rglob("*") if one.is_file())
            shutil.rmtree(path)
        elif path.exists() or path.is_symlink():
            self.counts[kind] += 1
            path.unlink()


def clear_face_caches(home: Home, model_id: str, plan: ForgetPlan, swept: Swept, say: Say) -> None:
    """Takes contents, files and faces out of the tables of every bucket and model.

    Another model than `model_id` calls the same face otherwise: of a photo of which some faces go, all of its go.
    """
    for bucket in plan.buckets:
        swept.remove(home.cache_dir / "faces" / file_name(bucket), "cache")
    for bucket in sorted(plan.touched_buckets() - {*plan.buckets}):
        for store in stores_of(home.cache_dir, bucket):
            with store.alone(say):
                faces = plan.faces_of(bucket)
                whole = set() if store.folder.name == model_id else {face.partition("-")[0] for face in faces}
                swept.counts["cache"] += _clear(store, plan.photos_of(bucket), faces, whole)


def _clear(store: FaceStore, photos: set[str], faces: set[str], whole: set[str]) -> int:
    """1 if the tables were written anew, parts included. `whole`: photos that have no face from now on."""
    tables = store.read()
    prefixes = {face.partition("-")[0] for face in faces}
    gone = pl.col("sha256").is_in(list(photos))
    left = tables.faces.filter(
        ~gone & ~pl.col("face_id").is_in(list(faces)) & ~pl.col("sha256").str.slice(0, 16).is_in(list(whole))
    )
    contents = _recounted(tables.contents.filter(~gone), left, prefixes)
    files = tables.files.filter(~gone.fill_null(False))
    before, after = (tables.faces, tables.contents, tables.files), (left, contents, files)
    if [*map(len, before)] == [*map(len, after)] and not store.has_parts():
        return 0
    store.compact(CacheTables(left.sort("face_id"), contents.sort("sha256"), files.sort("path")))
    return 1


def _recounted(contents: pl.DataFrame, faces: pl.DataFrame, prefixes: Collection[str]) -> pl.DataFrame:
    """Photos that lose some of their faces: as many are on record as stay."""
    counts = faces.group_by("sha256").agg(left=pl.len().cast(pl.Int32))
    touched = pl.col("sha256").str.slice(0, 16).is_in(list(prefixes)) & (pl.col("status") == "faces")
    joined = contents.join(counts, on="sha256", how="left", maintain_order="left")
    left = pl.col("left").fill_null(0)
    status = pl.when(touched & (left == 0)).then(pl.lit("noface")).otherwise("status")
    return joined.with_columns(faces=pl.when(touched).then(left).otherwise("faces"), status=status).drop("left")


def clear_other_caches(home: Home, plan: ForgetPlan, traces: Traces, swept: Swept) -> None:
    """Tables beside the face tables: pictures, hashes, landmarks, dates, what runs hand on to each other."""
    cache = home.cache_dir
    swept.remove(cache / PROBES.name, "cache")
    for folder in sorted(cache.glob("tables*")):
        swept.remove(folder / "existing_centroids" / "all.parquet", "cache")
        swept.remove(folder / "existing_centroids" / "close_pairs.parquet", "cache")
        for bucket in plan.touched_buckets():
            for path in sorted(folder.glob(f"*/{_globbed(file_name(bucket))}.parquet")):
                swept.remove(path, "cache")
    for name in (*plan.names, *plan.touched):
        for path in sorted((cache / "consumer_simulation").glob(f"*/{_globbed(name)}.parquet")):
            swept.remove(path, "cache")
    for path in sorted(cache.rglob("*.parquet")):
        if not path.is_relative_to(cache / "faces") and not path.is_relative_to(cache / "sample"):
            _clear_table(path, traces, swept, remove=path.relative_to(cache).parts[0].startswith("tables"))
    for path in _others(cache):
        if path.suffix in (".txt", ".json", ".md") and traces.in_file(path):
            swept.remove(path, "cache")
    _clear_thumbnails(cache, traces, swept)


def _others(cache: Path) -> Iterator[Path]:
    """Small files of the cache that are no tables, beside those of buckets."""
    for folder in sorted(cache.iterdir()):
        if folder.is_dir() and folder.name not in ("faces", "sample", "thumbnails"):
            yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _clear_table(path: Path, traces: Traces, swept: Swept, *, remove: bool) -> None:
    try:
        frame, metadata = pl.read_parquet(path), pl.read_parquet_metadata(path)
    except (pl.exceptions.PolarsError, OSError):
        swept.remove(path, "cache")  # damaged: it can be made again
        return
    rows = traces.rows(frame)
    if not rows.any():
        return
    if remove:
        swept.remove(path, "cache")
        return
    kept = {key: value for key, value in metadata.items() if not key.startswith("ARROW")}
    write_parquet(path, frame.filter(~rows), kept)
    swept.counts["cache"] += 1


def _clear_thumbnails(cache: Path, traces: Traces, swept: Swept) -> None:
    swept.remove(cache / "thumbnails" / "people", "thumbnails")  # contact sheets of face sets
    for path in sorted((cache / "thumbnails").glob("*/*")):
        if path.stem in traces.faces or path.stem[:16] in traces.prefixes:
            swept.remove(path, "thumbnails")
    if (cache / "thumbnails.db").exists():
        store = ThumbnailStore(cache)
        gone = {one for one in store.face_ids() if one in traces.faces or one.partition("-")[0] in traces.prefixes}
        store.forget(gone)
        swept.counts["thumbnails"] += len(gone)
        purge_file(cache / "thumbnails.db")


def clear_library(library: Library, plan: ForgetPlan, traces: Traces, swept: Swept) -> None:
    """Folders that count as no face set: retired and kept ones, candidates. The caller holds the lock."""
    folder, names = library.folder, set(plan.names)
    for retired in sorted([*(folder / RETIRED).glob("*"), *(folder / KEPT_WHOLE).glob("*")]):
        if (
            retired.is_dir()
            and retired.name not in (MERGED.name, KEPT_WHOLE.name)
            and (retired.name in names or holds_forgotten(retired, plan))
        ):
            swept.remove(retired, "retired")
    for kept in sorted((folder / MERGED).glob("*/*")):
        if kept.is_dir() and (kept.parent.name in names or holds_forgotten(kept, plan)):
            swept.remove(kept, "retired")
    for named in (*(folder / MERGED).glob("*"), folder / MERGED, folder / KEPT_WHOLE, folder / RETIRED):
        if named.is_dir() and not any(named.iterdir()):
            named.rmdir()
    for candidates in (folder / "_candidates", folder / ".candidates"):
        texts = sorted(candidates.rglob("*.json"))
        if any(traces.in_file(path) for path in texts):
            swept.remove(candidates, "candidates")


def clear_exports(exports_dir: Path, names: Collection[str], swept: Swept) -> None:
    """Files for other programs that hold one of these face sets; what others had in the same file is exported anew."""
    for name in CONSUMERS:
        swept.counts["exports"] += len(remove_facesets(exports_dir / name, names))


def clear_lists(home: Home, plan: ForgetPlan, traces: Traces, swept: Swept) -> None:
    """Lists beside the caches: folders that are buckets where they lie, and JSON lines that people exported."""
    if home.folder_list is not None and home.folder_list.exists():
        value = json.loads(home.folder_list.read_text(encoding="utf-8"))
        singles = home.single_folders()
        gone = {str(singles[bucket]) for bucket in plan.buckets if bucket in singles}
        if gone:
            write_json(home.folder_list, {**value, "folders": [one for one in value["folders"] if one not in gone]})
            swept.counts["lists"] += 1
    for path in sorted(home.folder.glob("*.jsonl")):
        if path.name != audit.FILE:
            swept.counts["lists"] += drop_lines(path, traces)
    swept.counts["lists"] += audit.without(home.folder, lambda deed: _unnamed(deed, traces))


def _unnamed(deed: Mapping[str, Any], traces: Traces) -> dict[str, Any]:
    """What was done stays on record, and not to what."""
    return {key: "(forgotten)" if traces.in_text(json.dumps(value)) else value for key, value in deed.items()}


def drop_lines(path: Path, traces: Traces) -> int:
    """Writes a file of lines anew without those that hold a trace; 1 if any did."""
    if not path.exists():
        return 0
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    left = [line for line in lines if not traces.in_text(line)]
    if len(left) == len(lines):
        return 0
    write_text(path, "".join(left))
    return 1


def remaining(folder: Path, traces: Traces, passed_over: Collection[Path]) -> list[Path]:
    """Files below a folder that hold a trace, sorted; `passed_over`: folders that are not looked into."""
    found = []
    for path in sorted(folder.rglob("*")):
        if any(path.is_relative_to(one) for one in passed_over) or not path.is_file():
            continue
        try:
            if traces.in_file(path):
                found.append(path)
        except FileNotFoundError:
            continue
        except (OSError, pl.exceptions.PolarsError) as error:
            raise LibraryCorrupt(f"{path} cannot be read ({error}): nothing says whether it holds a trace.") from error
    return found


def _globbed(name: str) -> str:
    """A name as a glob that matches just it."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)
