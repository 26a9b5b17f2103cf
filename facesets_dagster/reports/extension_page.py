"""The page of `extended_facesets`: changes per faceset, the faces that joined, the face sets now."""

from pathlib import Path

import polars as pl

from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.extended_facesets import EXTENSION_SCHEMA, ExtendInputs, ExtendResult
from facesets_dagster.publishing.run import Run
from facesets_dagster.reports.contact_sheet import SheetRow, Tile
from facesets_dagster.reports.markdown import Markdown, faceset_link, markdown_table
from facesets_dagster.reports.system_page import Section, row_of_faceset
from facesets_dagster.reports.thumbnails import of_faces, photo_by_face


def extension_table(table: pl.DataFrame) -> Markdown:
    """The table for the UI."""
    shown = table.select("identity", "label", "faces", "joined", "exported_before", "exported")
    rows = [(faceset_link(name), *rest) for name, *rest in shown.iter_rows()]
    return markdown_table(
        ("faceset", "person", "faces from here", "joined in this run", "exported before", "exported now"),
        rows,
        most=200,
        empty="No face of this bucket belongs to a person that another bucket founded.",
    )


def extension_sections(result: ExtendResult, run: Run, inputs: ExtendInputs, cache_dir: Path) -> list[Section]:
    """The page: numbers, the faces that joined, the face sets as they are now."""
    names, folder = [name for name in EXTENSION_SCHEMA.names() if name != "run_id"], run.library.folder
    rows = result.table.filter(pl.col("joined") > 0).rows(named=True)
    load = {name: photo_loader(run.folders, faces, run.max_pixels) for name, faces in result.joined.items()}
    distance = result.distance
    who = [
        SheetRow(
            f"{name}, joined",
            [
                Tile(jpeg, f"{distance[face_id]:.3f}", photo_by_face(faces)[face_id])
                for face_id, jpeg in of_faces(faces.head(24), load[name], cache_dir).items()
            ],
            len(faces),
        )
        for name, faces in result.joined.items()
    ]
    return [
        Section(
            "What changed per faceset",
            f"Covered faces within a cosine distance of {inputs.route_distance} joined the identity that covers them. "
            "Joined: faces; exported: pictures in the faceset, before and now.",
            names,
            [[row[name] for name in names] for row in rows],
        ),
        Section("Faces that joined", "At most 24 a faceset; cos-dist to the centroid as it was.", pictures=who),
        Section(
            "The face sets now",
            "Rank and score below each face.",
            pictures=[
                row_of_faceset(folder / faceset_folder(row["identity"], row["kind"]), row["identity"]) for row in rows
            ],
        ),
        Section(
            "How to run it again",
            f"Materialize extended_facesets of {bucket_title(inputs.bucket)}, or full_pipeline; joined faces stay.",
        ),
    ]
