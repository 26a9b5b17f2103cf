"""`facesets explain` and `facesets show`: the states of a photo's faces, and the contents of a faceset."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from facesets_dagster.analysis.existing_centroids import centroid_table, identities_of
from facesets_dagster.analysis.explanation import (
    FaceExplanation,
    PhotoExplanation,
    contents_of,
    explain_contents,
    explain_unread,
    is_face_id,
)
from facesets_dagster.cli.tables import print_json, text_table
from facesets_dagster.errors import BucketError, LibraryError
from facesets_dagster.files.writing import sha256_of
from facesets_dagster.library.library import Library
from facesets_dagster.library.numbering import faceset_folder, read_manifest
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.photos.listing import escape_path
from facesets_dagster.registry.merges import redirects
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings

_RANKED = {
    "": "rank",
    "score": "rank_score",
    "det": "det_score",
    "px": "face_short",
    "blur": "blur",
    "front": "frontality",
    "symm": "symmetry",
    "dist": "cosine_distance",
}
"""Column of the table -> key of the manifest."""


def explain(settings: Settings, target: str, *, as_json: bool) -> None:
    """Every face of the photo that `target` names: a file, `BUCKET/PATH`, or a face_id (its photo)."""
    photos = _explanations(settings, target)
    if as_json:
        print_json({"photos": [asdict(photo) for photo in photos]})
        return
    console = Console(highlight=False)
    for photo in photos:
        lines = ["", f"{bucket_title(photo.bucket)}/{photo.path}"]
        if photo.aliases:
            lines.append(f"the same bytes: {', '.join(photo.aliases)}")
        if not photo.faces:
            said = "no face was found" if photo.status == "noface" else photo.status
            lines.append(f"{said}: {photo.detail}" if photo.detail else said)
        for number, face in enumerate(photo.faces, start=1):
            lines += [f"{number}. {face.state}", *(f"   {line}" for line in _lines(face))]
        console.print("\n".join(lines), markup=False, soft_wrap=True)


def _lines(face: FaceExplanation) -> list[str]:
    x1, y1, x2, y2 = (round(side) for side in face.bbox)
    lines = [face.why, f"{x2 - x1} x {y2 - y1} px at {x1}, {y1}; face_id {face.face_id}"]
    if face.nearest:
        other = "nearest other" if face.identity and face.state != "covered" else "nearest"
        lines.append(f"{other}: {face.nearest}, cos-dist {face.nearest_distance:.3f}")
    return [*lines, *face.flags]


def _explanations(settings: Settings, target: str) -> list[PhotoExplanation]:
    home, pack = HomeResource.of(settings), EmbedderResource.of(settings).pack()
    folders = home.folders()
    face_id = target if is_face_id(target) else None
    path_given = Path(target).expanduser()
    file = path_given.absolute() if face_id is None and path_given.is_file() else None
    sha256 = sha256_of(file) if file else None
    inside = _places(file, target, folders)
    library, found = home.library(), list[PhotoExplanation]()
    merged = redirects(library.registry)
    identities = identities_of(centroid_table(library, pack))
    for bucket in sorted(folders.keys() | {run.bucket for run in library.registry.bucket_runs()}):
        tables = home.face_store(bucket, pack.model_id, pack.dim).read()
        path = inside.get(bucket)
        contents = contents_of(tables, sha256=sha256, path=path, face_id=face_id)
        if len(contents):
            found += explain_contents(bucket, tables, library.registry.decisions(bucket), contents, merged, identities)
        elif path is not None:
            found += explain_unread(bucket, tables, path)
    if not found:
        raise BucketError(
            f"{target!r} is unknown. Expected a photo of a bucket that was run, as a file or as BUCKET/PATH, "
            "or a face_id (0123456789abcdef-0500-0500). If it was added after the last run, run `facesets run` first. "
            f"Buckets here: {', '.join(folders) or 'none'}."
        )
    return found


def _places(file: Path | None, target: str, folders: dict[str, Path]) -> dict[str, str]:
    """Bucket -> path inside it, for what the target may mean."""
    places: dict[str, str] = {}
    for bucket, folder in folders.items():
        if file is not None and file.is_relative_to(folder.absolute()):
            places[bucket] = escape_path(file.relative_to(folder.absolute()).as_posix())
        for name in (bucket_title(bucket), bucket):
            if file is None and target.startswith(f"{name}/"):
                places[bucket] = target.removeprefix(f"{name}/")
    return places


def show(settings: Settings, faceset: str, *, as_json: bool) -> None:
    """Members, rank components and provenance of a faceset."""
    library = HomeResource.of(settings).library()
    asked, faceset = faceset, redirects(library.registry).get(faceset, faceset)
    value = _described(library, faceset)
    value["merged_from"] = asked if asked != faceset else None
    if as_json:
        print_json(value)
        return
    console = Console(highlight=False)
    manifest = value["manifest"]
    if asked != faceset:
        console.print(f"{asked} was merged into {faceset}.", markup=False)
    console.print(f"{faceset}: {value['label'] or 'no name'}", style="bold", markup=False)
    if value["merged_into_it"]:
        console.print(f"merged into it: {', '.join(value['merged_into_it'])}", markup=False, soft_wrap=True)
    if not manifest and value["legacy_root"]:
        where = f"adopted from {value['legacy_root']}; its files stay there until extended_facesets adds a face to it"
        console.print(where, markup=False, soft_wrap=True)
        return
    console.print(
        f"{manifest['kind']}, from {bucket_title(manifest['bucket'])}, model {manifest['model']['pack']}, "
        f"last changed by run {manifest['run_id']} at {manifest['created_at']}\n{library.folder / faceset}",
        markup=False,
        soft_wrap=True,
    )
    faces = [
        {**{name: _short(face[key]) for name, key in _RANKED.items()}, "photo": face["source"]["path"]}
        for face in manifest["faces"]
    ]
    console.print(text_table("Exported", faces))
    excluded = [
        {"face": entry["face_id"], "state": entry["state"], "value": _short(entry["value"])}
        for entry in manifest["excluded"]
    ]
    if excluded:
        console.print(text_table("Members that are not exported", excluded))
    joined = pl.DataFrame(value["members"]).group_by("joined_by").len().sort("joined_by").rows()
    console.print("\nmembers: " + ", ".join(f"{count} {how}" for how, count in joined), markup=False)


def _described(library: Library, faceset: str) -> dict[str, Any]:
    found = {identity.name: identity for identity in library.registry.identities()}.get(faceset)
    grave = next((stone for stone in library.registry.tombstones() if stone.name == faceset), None)
    if found is None or not found.live:
        state = f"is out of use ({grave.reason})" if grave else "does not exist"
        raise LibraryError(f"The faceset {faceset!r} {state}. `facesets status` lists those that exist.")
    members, adopted = library.member_rows([faceset]), library.registry.adopted().get(faceset)
    columns = ["face_id", "path", "joined_by", "state"]
    return {
        "name": faceset,
        "label": found.label,
        "merged_into_it": sorted(name for name, end in redirects(library.registry).items() if end == faceset),
        "manifest": read_manifest(library.folder / faceset_folder(found.name, found.kind)),
        "legacy_root": str(adopted.root) if adopted else None,
        "members": [] if members is None else members.select(columns).to_dicts(),
    }


def _short(value: object) -> object:
    if not isinstance(value, float):
        return value
    return f"{value:.0f}" if value >= 10 else f"{value:.2f}"
