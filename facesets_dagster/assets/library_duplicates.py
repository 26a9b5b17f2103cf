"""What the library and the buckets hold twice."""

from pathlib import Path

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.holdings import Holdings, holdings_of
from facesets_dagster.analysis.library_duplicates import DUPLICATE_COLUMNS, Duplicates, find_duplicates
from facesets_dagster.assets._asset import teaching
from facesets_dagster.assets._links import link
from facesets_dagster.assets._publishers import PUBLISH_PEOPLE
from facesets_dagster.assets._shape import CODE_VERSION, GROUP, OWNERS
from facesets_dagster.assets._story import Story
from facesets_dagster.assets._versions import frame_version, table_columns
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.photos.bucket_key import LIBRARY
from facesets_dagster.reports.contact_sheet import sheet_markdown
from facesets_dagster.reports.duplicates_page import duplicate_sections, pairs_of, pairs_table, side_by_side
from facesets_dagster.reports.system_page import write_system_page
from facesets_dagster.reports.thumbnails import of_faces
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource

SHOWN_PAIRS = 250


class LibraryDuplicatesConfig(dg.Config):
    """How alike two faces must be for their photos to be copies of each other."""

    min_similarity: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Cosine similarity of the embeddings. null = the pack's near_duplicate_similarity (ArcFace 0.95).",
    )
    max_hash_bits: int = Field(
        default=8,
        ge=0,
        le=64,
        description=(
            "Bits of 64 by which the perceptual hashes of the two faces may differ: 8 finds 95 % of copies and took no "
            "different photo for one (docs/assets/library_duplicates.md)."
        ),
    )
    max_pixels: int = Field(
        default=300_000_000, gt=0, description="Photos with more pixels (decoded) are not compared."
    )


@dg.asset(
    deps=PUBLISH_PEOPLE,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"parquet"},
    code_version=CODE_VERSION,
    io_manager_key="tables",
    dagster_type=dg.PythonObjectDagsterType(pl.DataFrame, name="DuplicatesTable"),
    check_specs=[
        dg.AssetCheckSpec(
            "nobody_in_two_identities",
            asset="library_duplicates",
            description="No face is a member of two identities; an identity and its eras count as one.",
        ),
        dg.AssetCheckSpec(
            "copies_in_one_identity",
            asset="library_duplicates",
            description="All copies of a photo's face that are members are members of one identity.",
        ),
    ],
)
@teaching
def library_duplicates(
    context: AssetExecutionContext, config: LibraryDuplicatesConfig, home: HomeResource, embedder: EmbedderResource
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Copies in the whole library and all buckets: of bytes, and of photos that were resized, re-encoded or cropped.

    A photo is a visual duplicate of another if two of their faces are near by embedding and by perceptual hash, so that
    two photos of one pose are told apart. Copies in eras are intended and only counted; a face that two identities have
    is reported. Nothing is deleted or changed.
    """
    story, pack, given = Story(context), embedder.pack(), config.min_similarity
    holdings = holdings_of(home.library(), home.store_of(pack), Path(home.cache_dir), pack)
    story.tell(f"{len(holdings.faces)} faces, {len(holdings.files)} files")
    load_photo = photo_loader(home.folders(), holdings.faces, config.max_pixels)
    numbers = {
        "min_similarity": embedder.thresholds().near_duplicate_similarity if given is None else given,
        "max_hash_bits": config.max_hash_bits,
    }
    found = find_duplicates(
        holdings,
        pack,
        load_photo,
        Path(home.cache_dir),
        min_similarity=float(numbers["min_similarity"]),
        max_hash_bits=config.max_hash_bits,
    )
    story.tell(f"{found.copies('bytes')} copies of bytes, {found.copies('visual')} of photos")
    pairs = pairs_of(found.table)
    shown = pairs.head(SHOWN_PAIRS)
    ids = pl.concat([shown["face_id"], shown["best_face_id"]])
    pictures = of_faces(holdings.faces.filter(pl.col("face_id").is_in(ids.implode())), load_photo, Path(home.cache_dir))
    sheet = side_by_side(shown, pictures)
    page = write_system_page(
        home.reports(),
        LIBRARY,
        context.run.run_id,
        "library_duplicates",
        "Duplicates",
        duplicate_sections(found, pairs, sheet, numbers),
        changes="",
    )
    return dg.MaterializeResult(
        value=found.table,
        data_version=frame_version(found.table),
        metadata={
            "dagster/row_count": len(found.table),
            "dagster/column_schema": table_columns(found.table, DUPLICATE_COLUMNS),
            "report": link("the duplicates, side by side", "reports", LIBRARY, page.name),
            **_counts(found, holdings),
            "visual_duplicates": dg.MetadataValue.md(pairs_table(pairs)),
            **({"contact_sheet": dg.MetadataValue.md(sheet_markdown(sheet))} if home.pictures_in_ui else {}),
            "parameters": numbers,
            "seconds": story.seconds(),
            **embedder.describe(),
        },
        check_results=_checks(found),
    )


def _counts(found: Duplicates, holdings: Holdings) -> dict[str, int]:
    wasted = found.table.filter((pl.col("kind") == "bytes") & ~pl.col("best"))["size"].sum()
    return {
        "faces": len(holdings.faces),
        "files": len(holdings.files),
        "byte_duplicate_sets": found.sets("bytes"),
        "byte_duplicates": found.copies("bytes"),
        "byte_duplicates_bytes": int(wasted or 0),
        "visual_duplicate_sets": found.sets("visual"),
        "visual_duplicate_copies": found.copies("visual"),
        "era_copies": found.era_copies,
        "faces_in_two_identities": len(found.twice),
        "faces_not_compared": found.not_compared,
    }


def _checks(found: Duplicates) -> list[dg.AssetCheckResult]:
    split = found.split_sets().select("set", "face_id", "families").rows()
    return [
        dg.AssetCheckResult(
            check_name="nobody_in_two_identities",
            passed=not found.twice,
            metadata={
                "faces": [f"{face_id}: {', '.join(names)}" for face_id, names in found.twice[:100]],
                "count": len(found.twice),
                "what_to_do": "Probably one person: look at both facesets and merge them.",
            },
        ),
        dg.AssetCheckResult(
            check_name="copies_in_one_identity",
            passed=not split,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "copies": [f"set {number}: {face_id}: {', '.join(names)}" for number, face_id, names in split[:100]]
            },
        ),
    ]
