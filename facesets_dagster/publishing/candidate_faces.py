"""`_candidates/` in the library, replaced as a whole by each run: the domain call behind `candidate_faces`.

    choose and render into `.candidates/` (no lock) -> lock -> finish moves -> choose again if the library moved on
                              -> swap with `_candidates/`, or throw it away where it holds the same

Not `.staging/`: the next holder of the lock clears that, and rendering does not hold the lock. Two runs of this call
take turns by a lock of their own. A run that dies leaves the old folder or the new one, and `.candidates/`, which the
next run clears.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import polars as pl
from filelock import FileLock

from facesets_dagster.export.candidate_folder import WrittenFolder, pictures_in_place, write_candidates
from facesets_dagster.export.curation import Curated
from facesets_dagster.export.pictures import in_memory
from facesets_dagster.export.rendering import RenderedFace, render
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.faces.schema import face_schema, require_one_model
from facesets_dagster.files.writing import exchange_folders, sha256_of, sync_folder
from facesets_dagster.identities.bindings import united
from facesets_dagster.identities.candidates import CandidateParameters, Offer, Offers, offer_candidates
from facesets_dagster.identities.consent import WITHHELD
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.library.bindings import bindings_of
from facesets_dagster.library.in_place import folders_in_place
from facesets_dagster.library.library import Library
from facesets_dagster.library.membership import bucket_faces
from facesets_dagster.library.model import require_model
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.publishing.consent.judging import Consent, subject_of
from facesets_dagster.publishing.member_rows import boxes_by_photo, neighbours
from facesets_dagster.publishing.run import Run

CANDIDATES = "_candidates"
_WORK, _ASIDE, _TURN = ".candidates", ".candidates.old", ".lock.candidates"

DrawSheet = Callable[[Offer, Path | None, tuple[RenderedFace, ...]], bytes]
"""A folder, that of its faceset, its pictures -> contact sheet, JPEG."""


def numbers_of_run(run: Run, parameters: CandidateParameters) -> dict[str, dict[str, object]]:
    """As in run config; of the export's numbers those that a crop depends on."""
    crops = ("near_duplicate_similarity", "look_similarity", "crop_px", "crop_padding")
    export = {name: value for name, value in run.export.recorded().items() if name in crops}
    return {"candidate_faces": asdict(parameters), "swap_ready_facesets": export}


@dataclass(frozen=True)
class Candidates:
    """What came of it."""

    offers: Offers
    written: list[WrittenFolder]
    considered: int
    """Faces with the state `small_cluster` in the funnel of a bucket that are members of no identity."""
    changed: bool
    touched: list[str]
    """Facesets that differ from before; must be empty."""


def publish_candidates(run: Run, parameters: CandidateParameters, draw: DrawSheet) -> Candidates:
    """Brings `_candidates/` up to what the funnels, caches and identities say now."""
    library = run.library
    library.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(library.folder / _TURN):
        _clear_up(library.folder)
        library.finish_moves(run.holder, run.say)
        generation = library.registry.generation()
        faces = small_cluster_faces(run)
        offers, written = _fill(run, parameters, faces, draw)
        with library.held(run.holder, run.say):
            if library.registry.generation() != generation:
                _clear_up(library.folder)
                faces = small_cluster_faces(run)
                offers, written = _fill(run, parameters, faces, draw)
            before = folders_in_place(library.folder)
            changed = _put_in_place(library.folder)
            after = folders_in_place(library.folder)
    touched = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    run.say(f"{sum(len(folder.faces) for folder in written)} candidates in {len(written)} folders")
    return Candidates(offers, written, int(faces["is_candidate"].sum()), changed, touched)


def small_cluster_faces(run: Run) -> pl.DataFrame:
    """The face table's rows of photos with a candidate; `is_candidate` tells those from the other faces of the photos.

    A candidate ended `small_cluster` in a bucket's funnel and is a member of no live identity. A face that several
    buckets have comes from the first one.
    """
    library, pack = run.library, run.pack
    live = {identity.name for identity in library.registry.identities() if identity.live}
    members = library.registry.memberships().filter(pl.col("name").is_in(list(live)))["face_id"]
    frames = [pl.DataFrame(schema={**face_schema(pack.dim), "is_candidate": pl.Boolean()})]
    for bucket in (last.bucket for last in library.registry.bucket_runs()):
        small = library.registry.decisions(bucket).filter(pl.col("state") == "small_cluster")["face_id"]
        wanted = sorted(set(small) - set(members))
        if wanted:
            faces = bucket_faces(run.store_of(bucket), library, bucket)
            faces = faces.with_columns(is_candidate=pl.col("face_id").is_in(wanted))
            photos = faces.filter("is_candidate")["sha256"].unique()
            frames.append(faces.filter(pl.col("sha256").is_in(photos.implode())))
    found = pl.concat(frames)
    require_one_model(found, pack.model_id, "the face cache")
    found = found.sort("face_id", "is_candidate", descending=[False, True], maintain_order=True)
    return found.unique("face_id", keep="first", maintain_order=True)


def _fill(
    run: Run, parameters: CandidateParameters, faces: pl.DataFrame, draw: DrawSheet
) -> tuple[Offers, list[WrittenFolder]]:
    """Writes all folders below `.candidates/`; pictures that are in place are taken over, not made again."""
    library = run.library
    identities = [identity for identity in library.registry.identities() if identity.live]
    require_model(identities, run.pack)
    candidates = faces.filter("is_candidate").drop("is_candidate")
    ids, pack = candidates["face_id"].to_list(), run.pack
    buckets = sorted(set(candidates["bucket"]))
    bindings = united(bindings_of(library, bucket, pack.model_id, pack.dim, ids) for bucket in buckets)
    offers = offer_candidates(candidates, identities, _photos_of(library), parameters, bindings)
    offers = _let_out(offers, run.consent(), candidates)
    load_photo = photo_loader(run.folders, faces, run.max_pixels)
    in_place = pictures_in_place(library.folder / CANDIDATES)
    boxes = boxes_by_photo(faces)
    kinds = {identity.name: identity.kind for identity in identities}
    provenance = {
        "code_version": run.code_version,
        "model": run.pack.recorded(),
        "parameters": numbers_of_run(run, parameters),
    }
    export = replace(run.export, variety=0)  # nearest first, as they are offered
    written = []
    for offer in offers.offers:
        order = pl.DataFrame({"face_id": [face.face_id for face in offer.faces]})
        rows = order.join(candidates, on="face_id", how="left", maintain_order="left")
        beside = neighbours(rows, boxes)
        rendered = render(
            Curated(rows), export, run.embedder, load_photo, beside, in_place, in_memory, run.pictures.of(rows)
        )
        if not rendered.faces:
            offers.left_out.update(rendered.excluded)
            continue
        place = library.folder / faceset_folder(offer.faceset, kinds[offer.faceset]) if offer.faceset else None
        sheet = draw(offer, place, rendered.faces)
        folder = library.folder / _WORK / offer.folder
        written.append(write_candidates(folder, offer, rendered, provenance, sheet))
    run.pictures.kept.write()
    return offers, written


def _let_out(offers: Offers, consent: Consent, candidates: pl.DataFrame) -> Offers:
    """The offers without faces that the home's policy withholds, and without those to people of whom it withholds all.

    Whoever approves faces approves a face set; so under `export: approved` there are no candidates.
    """
    judge = consent.judge()
    if judge is None:
        return offers
    unit = dict(zip(candidates["face_id"], normalised(candidates["embedding"].to_numpy()), strict=True))
    people = {one.name: subject_of(one, consent.model_id) for one in consent.library.registry.identities() if one.live}
    kept, left_out = list[Offer](), dict(offers.left_out)
    for offer in offers.offers:
        ids = [face.face_id for face in offer.faces]
        found = judge.on(people[offer.faceset], ids) if offer.faceset in people else None
        out = {face for face in ids if judge.on_nobody(face, unit[face])} | (found.faces if found else set())
        left_out.update(dict.fromkeys(out, Verdict(WITHHELD)))
        faces = tuple(face for face in offer.faces if face.face_id not in out)
        kept += [replace(offer, faces=faces)] if faces else []
    return Offers(tuple(kept), left_out)


def _photos_of(library: Library) -> dict[str, set[str]]:
    """Family -> photos of its members, each by the part of its digest that a face_id has."""
    family = {identity.name: identity.family for identity in library.registry.identities() if identity.live}
    found: dict[str, set[str]] = {}
    for name, face_id in library.registry.memberships().select("name", "face_id").iter_rows():
        if name in family:
            found.setdefault(family[name], set()).add(face_id.split("-")[0])
    return found


def _put_in_place(library_dir: Path) -> bool:
    """Swaps `.candidates/` and `_candidates/`; False if they hold the same. The caller holds the library's lock."""
    work, final = library_dir / _WORK, library_dir / CANDIDATES
    wanted = _digests(work)
    if _digests(final) == wanted:
        shutil.rmtree(work, ignore_errors=True)
        return False
    if not wanted:
        os.rename(final, work)  # no candidate is left
    elif not final.exists():
        os.rename(work, final)
    elif not exchange_folders(work, final):
        os.rename(final, library_dir / _ASIDE)
        os.rename(work, final)
    sync_folder(library_dir)
    _clear_up(library_dir)
    return True


def _clear_up(library_dir: Path) -> None:
    """Removes what a run left that died; a folder that it had put aside goes back where no other took its place."""
    aside = library_dir / _ASIDE
    if aside.exists() and not (library_dir / CANDIDATES).exists():
        os.rename(aside, library_dir / CANDIDATES)
    for folder in (library_dir / _WORK, aside):
        if folder.exists():
            shutil.rmtree(folder)


def _digests(folder: Path) -> dict[str, str]:
    """Relative path -> sha256 of every file below a folder, {} where there is none."""
    return {str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}
