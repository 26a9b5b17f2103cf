"""`facesets status` and `facesets verify`: contents of the home, flaws of the library."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from facesets_dagster.analysis.bucket_states import bucket_standings
from facesets_dagster.analysis.known_people import known_people_of
from facesets_dagster.analysis.no_faceset import why_no_faceset
from facesets_dagster.analysis.ruling_flaws import every_flaw
from facesets_dagster.cli.rulings import unapplied_words
from facesets_dagster.cli.tables import print_json, text_table
from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.identities.ruling_words import said
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.library.top_manifest import entries_by_name
from facesets_dagster.photos.bucket_key import LEGACY, bucket_title, file_name
from facesets_dagster.photos.listing import BucketListing
from facesets_dagster.publishing.consent.judging import withheld_now
from facesets_dagster.publishing.extended_facesets import joined_words, waiting_words
from facesets_dagster.registry.merges import redirects
from facesets_dagster.registry.rulings import all_rulings, swallowed
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted

_ADVICE = {"unfinished": "; `facesets run` finishes it"}
"""After the problem of a bucket in this state."""
_NOT_SHOWN = ("run_id", "bucket_name", "passed_over", "problem", "joined", "waiting", "why_no_faceset")
_MOST_LINES = 12
_NOBODY: dict[str, object] = {"joined": {}, "waiting": {}, "why_no_faceset": None}


def print_status(settings: Settings, *, as_json: bool) -> None:
    """Buckets with their state, live facesets, tombstones."""
    home = Home.of(settings)
    library = home.library()
    buckets = _buckets(home, library, settings.tables_dir / "osrc_clusters")
    facesets = _facesets(library)
    ends = redirects(library.registry)
    tombstones = [{**asdict(stone), "leads_to": ends.get(stone.name)} for stone in library.registry.tombstones()]
    rulings = _rulings(library)
    if as_json:
        identities = sum(identity.live for identity in library.registry.identities())
        value = {"buckets": buckets, "identities": identities, "facesets": facesets, "tombstones": tombstones}
        print_json({**value, "rulings": rulings, "withheld": _withheld(library)})
        return
    console = Console(highlight=False)
    console.print(text_table("Buckets", [_shown(row) for row in buckets]))
    for row in buckets:
        if row["problem"]:
            title, advice = row["bucket_name"], _ADVICE.get(str(row["state"]), "")
            console.print(f"{title}: {row['problem']}{advice}", style="yellow", markup=False, soft_wrap=True)
        if not row["files"] and row["passed_over"]:
            what = counted(int(str(row["passed_over"])), "file or folder is", "files and folders are")
            line = (
                f"{row['bucket_name']}: no photo that can be read, {what} passed over; the report says which and why."
            )
            console.print(line, style="yellow", markup=False, soft_wrap=True)
    for root in home.roots():
        if root.advice:
            console.print(f"\n{root.advice}", style="yellow", markup=False, soft_wrap=True)
    _print_known_people(console, library, buckets)
    console.print(library_table(library))
    if tombstones:
        console.print(text_table("Out of use", [_shown(row) for row in tombstones]))
    withheld = _withheld(library)
    if withheld:
        console.print(
            f"\nconsent.yaml withholds faces of {counted(len(withheld), 'faceset')}; `facesets consent` lists them"
        )
    for line in _lines_on_rulings(rulings):
        console.print(line, markup=False, soft_wrap=True)


def _withheld(library: Library) -> dict[str, tuple[str, ...]]:
    """None by a broken table of contents, which `verify` reports."""
    try:
        return withheld_now(library)
    except LibraryCorrupt:
        return {}


def print_verification(settings: Settings, *, as_json: bool) -> int:
    """Prints the flaws of the library; 1 if there is one."""
    library = Home.of(settings).library()
    flaws = [asdict(flaw) for flaw in every_flaw(library)]
    if as_json:
        print_json({"sound": not flaws, "flaws": flaws})
    elif flaws:
        Console(highlight=False).print(text_table(counted(len(flaws), "flaw"), flaws))
    else:
        typer.echo(f"The library is sound: {counted(len(_facesets(library)), 'faceset')}, every file as published.")
    return 1 if flaws else 0


def _rulings(library: Library) -> dict[str, Any]:
    """Rulings by state, those that wait to be applied, and what each ignore has taken besides the faces it names."""
    every, taken = all_rulings(library.registry), swallowed(library.registry)
    ignored = [one for one in every if one.kind in ("ignore", "not_a_face") and one.state == "in_force"]
    return {
        "in_force": sum(one.state == "in_force" for one in every),
        "dormant": sum(one.state == "dormant" for one in every),
        "waiting": sum((one.state == "in_force") != one.published for one in every),
        "ignored": [
            {"ruling_id": one.ruling_id, "says": said(one), "swallowed": taken.get(one.ruling_id, 0)} for one in ignored
        ],
    }


def _lines_on_rulings(rulings: Mapping[str, Any]) -> list[str]:
    """What is in force, what waits, and which ignored people took faces."""
    if not rulings["in_force"] and not rulings["waiting"] and not rulings["dormant"]:
        return []
    dormant = f", {rulings['dormant']} dormant" if rulings["dormant"] else ""
    lines = [f"\n{counted(rulings['in_force'], 'ruling')} in force{dormant}; `facesets rulings` lists them"]
    if rulings["waiting"]:
        lines.append(unapplied_words(rulings["waiting"]))
    took = [one for one in rulings["ignored"] if one["swallowed"]]
    return lines + [
        f"{one['says']}: {counted(one['swallowed'], 'later face')} too; `facesets rulings show {one['ruling_id']}`"
        for one in took
    ]


def library_table(library: Library) -> Table:
    """Live facesets as a table."""
    return text_table("Facesets", [_shown(row) for row in _facesets(library)])


def _shown(row: dict[str, object]) -> dict[str, object]:
    """A row for the terminal: the bucket by the name of its folder, times to the minute, without run ids."""
    shown = {key: value for key, value in row.items() if key not in _NOT_SHOWN}
    if "bucket" in shown:
        shown["bucket"] = row["bucket_name"]
    if shown.get("last_run"):
        moment = datetime.fromisoformat(str(row["last_run"])).astimezone()
        shown["last_run"] = f"{moment:%Y-%m-%d %H:%M}"
    return shown


def _print_known_people(console: Console, library: Library, buckets: Sequence[Mapping[str, Any]]) -> None:
    """`press: 10 faces joined faceset_007 (Anna)`, and who waits."""
    labels = {identity.name: identity.label for identity in library.registry.identities()}
    lines = [
        f"{row['bucket_name']}: {joined_words(name, labels.get(name), faces)}"
        for row in buckets
        for name, faces in row["joined"].items()
    ]
    for line in lines[:_MOST_LINES]:
        console.print(line, markup=False, soft_wrap=True)
    if len(lines) > _MOST_LINES:
        console.print(f"and {len(lines) - _MOST_LINES} more (--json lists all)")
    for row in buckets:
        if row["why_no_faceset"]:
            why = f"no faceset of its own: {row['why_no_faceset']}"
            console.print(f"{row['bucket_name']}: {why}", markup=False, soft_wrap=True)
        if row["waiting"]:
            words = waiting_words(str(row["bucket"]), row["waiting"])
            console.print(f"{row['bucket_name']}: {words}", markup=False, soft_wrap=True)


def _buckets(home: Home, library: Library, clusters: Path) -> list[dict[str, object]]:
    runs, faces = {run.bucket: run for run in library.registry.bucket_runs()}, library.registry.face_counts()
    rows: list[dict[str, object]] = []
    folders = home.folders()
    buckets = sorted((folders.keys() | runs.keys()) - {LEGACY})  # legacy photos lie anywhere: nothing to list
    for bucket, standing in bucket_standings(buckets, folders, home.listing, library.registry).items():
        run = runs.get(bucket)
        rows.append(
            {
                "bucket": bucket,
                "bucket_name": bucket_title(bucket),
                "files": None if standing.listing is None else len(standing.listing),
                "passed_over": None if standing.listing is None else len(standing.listing.foreign),
                "faces": faces.get(bucket, 0) if run else None,
                "last_run": run.finished_at if run else None,
                "run_id": run.run_id if run else None,
                "state": standing.state,
                "problem": standing.problem or None,
                **(_people(library, clusters, bucket, standing.listing) if run else _NOBODY),
            }
        )
    return rows


def _people(library: Library, clusters: Path, bucket: str, listing: BucketListing | None) -> dict[str, object]:
    """Who joined, who waits, and why the bucket has no faceset of its own."""
    decisions = library.registry.decisions(bucket)
    people, table, why = known_people_of(library, bucket, decisions), clusters / f"{file_name(bucket)}.parquet", None
    if listing is not None and table.exists() and not library.snapshot().own(bucket, retired=False):
        why = why_no_faceset(bucket, len(listing), decisions, pl.read_parquet(table, columns=["face_id", "cluster"]))
    return {"joined": people.joined, "waiting": people.waiting, "why_no_faceset": why}


def _facesets(library: Library) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    listed, digests = _entries(library), library.registry.manifest_digests()
    for identity in sorted(library.registry.identities(), key=lambda identity: identity.name):
        if identity.live:
            entry, digest = listed.get(identity.name, {}), digests.get(identity.name)
            folder = library.folder / faceset_folder(identity.name, identity.kind)
            exported, faces = _listed(entry) if digest and entry.get("sha256") == digest else _counts(folder)
            rows.append(
                {
                    "faceset": identity.name,
                    "person": identity.label,
                    "kind": identity.kind,
                    "bucket": identity.bucket,
                    "bucket_name": bucket_title(identity.bucket) if identity.bucket else None,
                    "input": faces,
                    "exported": exported,
                }
            )
    return rows


def _entries(library: Library) -> dict[str, dict[str, Any]]:
    """Of the top manifest by name; none if it is broken (`facesets verify` says how)."""
    try:
        return entries_by_name(library.folder)
    except LibraryCorrupt:
        return {}


def _listed(entry: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Faces that a faceset exports and has, by the top manifest, where that is up to it."""
    return entry["exported"], entry["input"]


def _counts(folder: Path) -> tuple[int | None, int | None]:
    """The same by its own manifest; unknown if its manifest is broken (`facesets verify` says how)."""
    try:
        manifest = read_faceset(folder)
    except LibraryCorrupt:
        return None, None
    return (len(manifest.faces), len(manifest.faces) + len(manifest.excluded)) if manifest else (0, 0)
