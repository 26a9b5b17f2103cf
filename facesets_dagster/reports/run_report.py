"""What a run's report says: one record, gathered once, from which the page, the text and the UI's sheets are made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from facesets_dagster.analysis.explained_photos import with_rulings
from facesets_dagster.analysis.explanation import PhotoExplanation, explain_contents
from facesets_dagster.analysis.no_faceset import why_no_faceset
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.faces.store import CacheTables
from facesets_dagster.identities.coverage import stands_for_somebody
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.publishing.extended_facesets import joined_words, waiting_faces, waiting_words
from facesets_dagster.publishing.outcome import Outcome
from facesets_dagster.publishing.run import Run
from facesets_dagster.publishing.swap_ready_facesets import PublishInputs, PublishResult
from facesets_dagster.registry.joins import joins_of
from facesets_dagster.reports.contact_sheet import SheetRow, Tile
from facesets_dagster.reports.figures import Figure, histogram_figure, sizes_figure
from facesets_dagster.reports.funnel import Funnel, funnel_of, meaning_of, value_in_words
from facesets_dagster.reports.people import BEST_FACE
from facesets_dagster.reports.phases import Covered, Source, clustering_of, covered_of, source_of
from facesets_dagster.reports.system_page import best_tiles
from facesets_dagster.reports.thumbnails import of_faces, of_file, photo_by_face
from facesets_dagster.reports.units import UNITS
from facesets_dagster.wording import counted

MAX_FACESETS = 100
MAX_FACES = 24
"""Pictures per faceset."""
MAX_REASON_FACES = 12
"""Pictures per state of faces that are not exported."""
MAX_EXPLAINED = 300
"""Faces that are explained one by one; `facesets explain` knows all."""


@dataclass(frozen=True)
class FacesetSheet:
    """A faceset of the bucket: the row of the legacy write-up's table, and its best faces."""

    name: str
    label: str | None
    folder: Path
    input: int
    outliers: int
    other_drops: int
    exported: int
    filled: int
    """Of those exported, the ones that fill up."""
    tiles: list[Tile]
    """Best first, at most `MAX_FACES`."""

    @property
    def left_out(self) -> int:
        """Faces without a picture here."""
        return self.exported - len(self.tiles)


@dataclass(frozen=True)
class RunReport:
    """Everything that a report shows."""

    run: Run
    inputs: PublishInputs
    finished_at: str
    unchanged: bool
    changes: list[str]
    funnel: Funnel
    files: pl.DataFrame
    source: Source
    labels: dict[str, str | None]
    """Identity -> name that a person gave it."""
    coverage: list[Covered]
    decisions: pl.DataFrame
    """The funnel of the bucket."""
    waiting: dict[str, int]
    """Identity -> covered faces that could join it (`extended_facesets`)."""
    identities: int
    """Identities that could have covered a face: all that this bucket did not found."""
    clustering: list[tuple[str, object]]
    """Stage and count, from uncovered faces to people who may be founded."""
    clusters: list[int]
    """Sizes of the raw clusters, descending."""
    facesets: list[FacesetSheet]
    more_facesets: int
    reasons: list[tuple[str, str, int, list[Tile]]]
    """State, its meaning, faces, pictures."""
    photos: list[PhotoExplanation]
    """Photos with faces that are not exported, at most `MAX_EXPLAINED` faces."""
    unexplained: int
    ambiguous: list[tuple[str, str, str]]
    """face_id, nearest identity, the one that is also within reach; of all faces of the bucket."""
    pictures: dict[str, bytes]
    """face_id -> JPEG of the faces in `photos`."""
    figures: list[Figure]

    def why_nothing(self) -> str:
        """Why the bucket has no faceset of its own and what next; empty if it has some."""
        if self.facesets:
            return ""
        return why_no_faceset(self.inputs.bucket, self.funnel.files, self.decisions, self.inputs.clusters.frame)

    def waits(self) -> str:
        """Who waits to join whom, and the command for them; empty if nobody does."""
        return waiting_words(self.inputs.bucket, self.waiting)

    def parameters(self) -> list[tuple[str, str, object, str]]:
        """Asset, name, value, unit."""
        found = self.inputs.parameters_by_asset(self.run.export).items()
        return [(asset, name, value, UNITS[name]) for asset, values in found for name, value in values.items()]


def gather(run: Run, inputs: PublishInputs, result: PublishResult, cache_dir: Path) -> RunReport:
    """Reads registry, tables, manifests and photos; writes only the cache of thumbnails."""
    bucket, store, identities = inputs.bucket, run.store_of(inputs.bucket), run.library.registry.identities()
    tables, finished_at = store.read(), datetime.now(UTC).isoformat(timespec="seconds")
    labels = {identity.name: identity.label for identity in identities}
    own = {identity.name for identity in identities if identity.bucket == bucket and not identity.is_era}
    decisions, joins = result.funnel, joins_of(run.library.registry, bucket)
    missing = decisions.filter(pl.col("state") != "exported").sort("state", "face_id")
    shown = missing.filter(pl.int_range(pl.len()).over("state") < MAX_REASON_FACES)
    wanted = pl.concat([shown, missing.head(MAX_EXPLAINED)]).unique("face_id")
    rows = tables.faces.filter(pl.col("face_id").is_in(wanted["face_id"].implode()))
    pictures = of_faces(rows, photo_loader(run.folders, tables.faces, run.max_pixels), cache_dir)
    photos = photo_by_face(rows)
    explained = tables.faces.filter(pl.col("face_id").is_in(missing.head(MAX_EXPLAINED)["face_id"].implode()))
    ambiguous = decisions.filter(pl.col("ambiguous_with").is_not_null())
    sizes = inputs.clusters.frame.filter(pl.col("cluster") >= 0).group_by("cluster").len()["len"].sort(descending=True)
    return RunReport(
        run=run,
        inputs=inputs,
        finished_at=finished_at,
        unchanged=result.outcome.unchanged,
        changes=[*_joined(run, bucket, labels), *_changes(result.outcome, result.exported)],
        funnel=funnel_of(tables.files, decisions),
        files=tables.files,
        source=source_of(tables, store.scan_counts()),
        labels=labels,
        coverage=_with_faces(covered_of(decisions, own), run.library.folder),
        decisions=decisions,
        waiting=_waiting(run, inputs),
        identities=sum(stands_for_somebody(identity) and identity.name not in own for identity in identities),
        clustering=clustering_of(inputs.clusters.frame, dict(tables.faces.select("face_id", "sha256").iter_rows())),
        clusters=sizes.to_list(),
        facesets=[
            _faceset(result.library_dir / name, name, labels.get(name))
            for name in sorted(result.exported)[:MAX_FACESETS]
        ],
        more_facesets=max(len(result.exported) - MAX_FACESETS, 0),
        reasons=[
            (state, meaning_of(state), count, _tiles(shown.filter(pl.col("state") == state), pictures, photos))
            for state, count in missing.group_by("state").len().sort("len", descending=True).iter_rows()
        ],
        photos=with_rulings(
            explain_contents(bucket, tables, decisions, explained["sha256"].unique(), joins=joins), run.library
        ),
        ambiguous=ambiguous.select("face_id", "nearest", "ambiguous_with").rows(),
        unexplained=max(len(missing) - MAX_EXPLAINED, 0),
        pictures=pictures,
        figures=_figures(run, inputs, tables, sizes.to_list()),
    )


def sheet_of_facesets(report: RunReport) -> list[SheetRow]:
    """A row per faceset: rank and score below each face."""
    return [
        SheetRow(f"{sheet.name} {sheet.label or ''}".strip(), sheet.tiles, sheet.exported) for sheet in report.facesets
    ]


def sheet_of_reasons(report: RunReport) -> list[SheetRow]:
    """A row per state of the faces that are not exported: the number that decided below each face."""
    return [SheetRow(f"{state}, {meaning}", tiles, count) for state, meaning, count, tiles in report.reasons]


def _with_faces(coverage: list[Covered], library_dir: Path) -> list[Covered]:
    """With the best face of each of the first `MAX_FACESETS`."""
    shown = [
        replace(one, jpeg=of_file(picture) if (picture := library_dir / one.name / BEST_FACE).exists() else None)
        for one in coverage[:MAX_FACESETS]
    ]
    return shown + coverage[MAX_FACESETS:]


def _joined(run: Run, bucket: str, labels: Mapping[str, str | None]) -> list[str]:
    """What `extended_facesets` did in this run."""
    joined = run.library.registry.joined_in(run.run_id, bucket)
    return [joined_words(name, labels.get(name), count) for name, count in joined.items()]


def _waiting(run: Run, inputs: PublishInputs) -> dict[str, int]:
    if inputs.coverage.is_empty():
        return {}
    waiting = waiting_faces(run.library, inputs.coverage, float(inputs.coverage["cover_distance"][0]))
    return {name: len(face_ids) for name, face_ids in waiting.items()}


def _changes(outcome: Outcome, exported: dict[str, int]) -> list[str]:
    """One line per faceset that the run founded, changed, revived or retired."""
    groups = [
        ("founded", outcome.founded),
        ("changed", outcome.changed),
        ("found again, own number given back", outcome.revived),
        ("no longer found, moved to `_retired/`", outcome.retired),
    ]
    return [
        f"{name}: {word}" + (f", {counted(exported[name], 'face')} exported" if name in exported else "")
        for word, names in groups
        for name in sorted(names)
    ]


def _faceset(folder: Path, name: str, label: str | None) -> FacesetSheet:
    manifest = read_faceset(folder)
    faces, excluded = (manifest.faces, [entry.state for entry in manifest.excluded]) if manifest else ((), [])
    outliers = excluded.count("export_outlier")
    tiles, exported, filled = best_tiles(folder, faces[:MAX_FACES]), len(faces), sum(face.filled for face in faces)
    return FacesetSheet(
        name, label, folder, exported + len(excluded), outliers, len(excluded) - outliers, exported, filled, tiles
    )


def _tiles(rows: pl.DataFrame, pictures: dict[str, bytes], photos: dict[str, tuple[str, str]]) -> list[Tile]:
    return [
        Tile(pictures[face_id], value_in_words(state, value), photos[face_id])
        for face_id, state, value in rows.select("face_id", "state", "value").iter_rows()
        if face_id in pictures
    ]


def _figures(run: Run, inputs: PublishInputs, tables: CacheTables, sizes: list[int]) -> list[Figure]:
    numbers = inputs.identity_parameters()

    def gate(name: str) -> dict[str, float]:
        return {name: float(numbers[name])} if name in numbers else {}

    faces, nearest = inputs.clusters.parameters.judged(tables.faces), inputs.coverage["nearest_distance"].drop_nulls()
    export = {"export": run.export.min_face_short_px}
    wanted = [
        ("Size of the faces", "face_short, px", faces["face_short"], {**gate("min_face_short_px"), **export}),
        ("The detector's confidence", "det_score", faces["det_score"], gate("min_det_score")),
        ("Sharpness", "blur, variance of the Laplacian", faces["blur"], gate("min_blur")),
        ("Distance to the nearest identity", "cos-dist", nearest, gate("cover_distance")),
    ]
    figures = [histogram_figure(*plot[:2], plot[2].to_numpy(), plot[3]) for plot in wanted if len(plot[2])]
    return figures + ([sizes_figure(sizes, inputs.clusters.parameters.min_faces)] if sizes else [])
