"""What the library and the buckets hold twice."""

from pathlib import Path

import dagster as dg
import polars as pl
from dagster import AssetExecutionContext
from pydantic import Field

from facesets_dagster.analysis.inventory import Inventory, inventory_of
from facesets_dagster.analysis.library_duplicates import DUPLICATE_COLUMNS, Duplicates, find_duplicates
from facesets_dagster.assets._asset import Check, Result, library_asset
from facesets_dagster.assets._config import PhotoConfig, Share, given_or
from facesets_dagster.assets._page import Page
from facesets_dagster.assets.top_manifest import top_manifest
from facesets_dagster.embedding.thresholds import PackThresholds
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.reports.duplicates_page import duplicate_sections, duplicates_sheet, pairs_of, pairs_table
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource

NOBODY_IN_TWO_IDENTITIES = Check(
    "one_identity_per_face",
    "No face is a member of two identities; an identity and its eras count as one.",
    severity=dg.AssetCheckSeverity.ERROR,
)
COPIES_IN_ONE_IDENTITY = Check(
    "copies_in_one_identity", "All copies of a photo's face that are members belong to one identity."
)


class LibraryDuplicatesConfig(PhotoConfig):
    """How similar two faces must be for their photos to count as copies."""

    min_similarity: Share | None = Field(
        default=None,
        description=(
            "Smallest cosine similarity of the embeddings. null = the pack's near_duplicate_similarity (ArcFace 0.95)."
        ),
    )
    max_hash_bits: int = Field(
        default=8,
        ge=0,
        le=64,
        description=(
            "Bits of 64 by which the perceptual hashes of two faces may differ. 8 finds 95 % of the copies, "
            "and no different photo (docs/assets/library_duplicates.md)."
        ),
    )

    @classmethod
    def of_pack(cls, pack: PackThresholds) -> dict[str, float]:
        """Field -> the pack's number."""
        return {"min_similarity": pack.near_duplicate_similarity}


@library_asset(
    kinds={"parquet"},
    deps=[top_manifest],
    table="DuplicatesTable",
    checks=[NOBODY_IN_TWO_IDENTITIES, COPIES_IN_ONE_IDENTITY],
)
def library_duplicates(
    context: AssetExecutionContext, config: LibraryDuplicatesConfig, home: HomeResource, embedder: EmbedderResource
) -> Result:
    """Copies in the whole library and all buckets: of bytes, and of photos that were resized, re-encoded or cropped.

    Two photos are copies if two of their faces are near by embedding and by perceptual hash, so that two photos of one
    pose are not taken for copies. Copies in eras are intended and only counted; a face that belongs to two identities
    is reported. Nothing is deleted or changed.
    """
    page, pack, cache = Page(context, home, embedder), embedder.pack(), Path(home.cache_dir)
    similarity = given_or(config.min_similarity, embedder.thresholds().near_duplicate_similarity)
    numbers: dict[str, float] = {"min_similarity": similarity, "max_hash_bits": config.max_hash_bits}
    inventory = inventory_of(home.library(), home.store_of(pack), cache, pack)
    page.say(f"{len(inventory.faces)} faces, {len(inventory.files)} files")
    load_photo = photo_loader(home.folders(), inventory.faces, config.max_pixels)
    found = find_duplicates(
        inventory, pack, load_photo, cache, min_similarity=similarity, max_hash_bits=config.max_hash_bits
    )
    page.say(f"{found.copies('bytes')} copies of bytes, {found.copies('visual')} of photos")
    pairs = pairs_of(found.table)
    sheet = duplicates_sheet(pairs, inventory.faces, load_photo, cache)
    sections = duplicate_sections(found, pairs, sheet, numbers)
    page.write("Duplicates", sections, "the duplicates, side by side", sheet=sheet)
    first = {"visual_duplicates": pairs_table(pairs), **_counts(found, inventory)}
    return page.table(found.table, DUPLICATE_COLUMNS, first, {"parameters": numbers}, checks=_checks(found))


def _counts(found: Duplicates, inventory: Inventory) -> dict[str, int]:
    wasted = found.table.filter((pl.col("kind") == "bytes") & ~pl.col("best"))["size"].sum()
    return {
        "visual_duplicate_copies": found.copies("visual"),
        "visual_duplicate_sets": found.sets("visual"),
        "byte_duplicates": found.copies("bytes"),
        "byte_duplicates_bytes": int(wasted or 0),
        "byte_duplicate_sets": found.sets("bytes"),
        "faces_in_two_identities": len(found.twice),
        "era_copies": found.era_copies,
        "faces": len(inventory.faces),
        "files": len(inventory.files),
        "faces_not_compared": found.not_compared,
    }


def _checks(found: Duplicates) -> list[dg.AssetCheckResult]:
    split = found.split_sets().select("set", "face_id", "families").rows()
    return [
        NOBODY_IN_TWO_IDENTITIES.result(
            not found.twice,
            faces=[f"{face_id}: {', '.join(names)}" for face_id, names in found.twice[:100]],
            count=len(found.twice),
            what_to_do="Probably one person: look at both facesets and merge them.",
        ),
        COPIES_IN_ONE_IDENTITY.result(
            not split,
            copies=[f"set {number}: {face_id}: {', '.join(names)}" for number, face_id, names in split[:100]],
        ),
    ]
