"""`facesets show`: the contents of a faceset."""

from dataclasses import asdict
from typing import Any

import polars as pl

from facesets_dagster.analysis.rulings_on import rulings_on
from facesets_dagster.cli.asking import person_called
from facesets_dagster.cli.program import console
from facesets_dagster.cli.tables import print_json, print_lines
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.library.numbering import faceset_folder, read_manifest
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.registry.merges import redirects
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


def show(settings: Settings, faceset: str, *, as_json: bool) -> None:
    """Members, rank components and provenance of a faceset, named by faceset or person."""
    library = Home.of(settings).library()
    found = person_called(library, faceset)
    value = {**_described(library, found), "merged_from": faceset if _was_merged(library, faceset) else None}
    if as_json:
        print_json(value)
        return
    out = console()
    if value["merged_from"]:
        out.print(f"{faceset} was merged into {found.name}.", markup=False)
    out.print(f"{found.name}: {found.label or 'no name'}", style="bold", markup=False)
    if value["merged_into_it"]:
        out.print(f"merged into it: {', '.join(value['merged_into_it'])}", markup=False, soft_wrap=True)
    for ruling in value["rulings"]:
        out.print(f"ruling {ruling['ruling_id']}: {ruling['says']} ({ruling['by']})", markup=False, soft_wrap=True)
    manifest = value["manifest"]
    if not manifest and value["legacy_root"]:
        where = f"adopted from {value['legacy_root']}; its files stay there until extended_facesets adds a face to it"
        out.print(where, markup=False, soft_wrap=True)
        return
    out.print(
        f"{manifest['kind']}, from {bucket_title(manifest['bucket'])}, model {manifest['model']['pack']}, "
        f"last changed by run {manifest['run_id']} at {manifest['created_at']}\n{value['folder']}",
        markup=False,
        soft_wrap=True,
    )
    for rule in manifest.get("withheld", ()):
        out.print(f"withheld by consent.yaml: {rule}", style="yellow", markup=False, soft_wrap=True)
    print_lines(out, "Exported", [_ranked(face) for face in manifest["faces"]])
    filled = [face["rank"] for face in manifest["faces"] if face.get("filled")]
    if filled:
        out.print(f"\nfilled, smaller than the export gate: rank {filled[0]} to {filled[-1]}", markup=False)
    photos = {row["face_id"]: f"{bucket_title(row['bucket'])}/{row['path']}" for row in value["members"]}
    excluded = [
        {"state": entry["state"], "value": _short(entry["value"]), "photo": photos.get(entry["face_id"])}
        for entry in manifest["excluded"]
    ]
    if excluded:
        print_lines(out, "Members that are not exported", excluded)
    joined = pl.DataFrame(value["members"]).group_by("joined_by").len().sort("joined_by").rows()
    out.print("\nmembers: " + ", ".join(f"{count} {how}" for how, count in joined), markup=False, soft_wrap=True)
    out.print(f"\n`facesets find {found.name}` lists every photo.", markup=False)


def _was_merged(library: Library, faceset: str) -> bool:
    return faceset in library.snapshot().redirects


def _ranked(face: dict[str, Any]) -> dict[str, object]:
    source = face["source"]
    numbers = {name: _short(face[key]) for name, key in _RANKED.items()}
    return {**numbers, "photo": f"{bucket_title(source['bucket'])}/{source['path']}"}


def _described(library: Library, found: Identity) -> dict[str, Any]:
    members, adopted = library.member_rows([found.name]), library.registry.adopted().get(found.name)
    columns = ["face_id", "bucket", "path", "joined_by", "state"]
    folder = library.folder / faceset_folder(found.name, found.kind)
    return {
        "name": found.name,
        "label": found.label,
        "folder": str(folder),
        "merged_into_it": sorted(name for name, end in redirects(library.registry).items() if end == found.name),
        "rulings": [asdict(one) for one in rulings_on(library, found)],
        "manifest": read_manifest(folder),
        "legacy_root": str(adopted.root) if adopted else None,
        "members": [] if members is None else members.select(columns).to_dicts(),
    }


def _short(value: object) -> object:
    if not isinstance(value, float):
        return value
    return f"{value:.0f}" if value >= 10 else f"{value:.2f}"
