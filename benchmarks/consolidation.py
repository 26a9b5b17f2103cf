"""Consolidation: which facesets are proposed as one person, and whether undoing gives back every byte.

Two measurements. Labelled photos: people are split between two buckets on purpose, with the cover and rematch
distances at 0, so that the second bucket founds everybody again; counted are the first 20, by number of photos, whom
both buckets know (of some nearly all photos are crops in which no detector finds a face). All proposals are applied,
and taken back one by one in a shuffled order. Made-up facesets, as many as in the legacy library: 311, of which 74 are
duplicates and 60 a chain of look-alikes, each near to the next one. The peer is what chained them there: single
linkage of centroids at a cosine of 0.45 and more.
"""

import hashlib
import random
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from numpy.typing import NDArray

from benchmarks.made_up_library import CHAIN, DUPLICATES, FACESETS, MadeUpLibrary
from facesets_dagster.assets.merge_proposals import MergeProposalsConfig
from facesets_dagster.embedding.thresholds import ARCFACE
from facesets_dagster.identities.consolidation import groups_of_one, near_identities
from facesets_dagster.identities.geometry import centroid
from facesets_dagster.identities.pairs import components
from facesets_dagster.library.verification import verify_library
from testing.homes import RealHome, link_photos
from testing.measurements.labels import labelled_faces, read_labels
from testing.measurements.row import Row
from testing.measurements.systems import PEOPLE, photos_of_people
from testing.paths import REPOSITORY, SHARED

HALVES = ("first half", "second half")
OTHERS = "others"
SMALL = {
    "osrc_clusters": {"min_face_short_px": 40.0, "min_faces": 3},
    "swap_ready_facesets": {"min_face_short_px": 40.0},
}
SPLIT = {
    "osrc_uncovered": {"cover_distance": 0.0},
    "osrc_clusters": {**SMALL["osrc_clusters"], "rematch_distance": 0.0},
    "swap_ready_facesets": SMALL["swap_ready_facesets"],
}
"""Run config under which nobody is known from another bucket."""
PEER_DISTANCE = 0.55
"""Cosine 0.45, the legacy threshold."""
PEER = "single linkage at cosine >= 0.45"
SPLIT_PEOPLE = 30
"""Those with the most photos; enough that 20 of them have a faceset in both buckets."""


def measure_consolidation(pack: str, models_root: Path) -> list[Row]:
    """Labelled people split on purpose, and the made-up library."""
    with tempfile.TemporaryDirectory() as scratch:
        home = RealHome(Path(scratch) / "home", pack, models_root)
        return [*split_rows(home), *made_up_rows()]


def split_rows(home: RealHome) -> list[Row]:
    """People in two buckets each, everybody else in a third one: propose, apply all, undo in a shuffled order."""
    split = _split(home)
    owner = _people_of_facesets(home)
    _dagster(home, "asset", "materialize", "-m", "facesets_dagster.definitions", "--select", "merge_proposals")
    table = pl.read_parquet(home.settings.tables_dir / "merge_proposals" / "all.parquet")
    groups = table.filter(pl.col("state") == "proposed")["names"].to_list()
    left = table.filter(pl.col("state") != "proposed")
    told = ", ".join(f"{count} {state}" for state, count in sorted(Counter(left["state"].to_list()).items()))
    identities = {one.name: one for one in home.library.registry.identities() if one.live}
    names = [name for name, one in sorted(identities.items()) if one.centroid is not None]
    chained = _groups(components(np.array([identities[name].centroid for name in names]), PEER_DISTANCE))
    chains = [[names[index] for index in group] for group in chained]
    bucket_of = {name: one.bucket for name, one in identities.items()}
    twice = [who for who in split if _joined([sorted(bucket_of)], owner, bucket_of, who)]
    people = twice[:PEOPLE]
    found = [who for who in people if _joined(groups, owner, bucket_of, who)]
    peer = sum(_joined(chains, owner, bucket_of, who) for who in people)
    wrong, peer_wrong = (
        sum(len({owner.get(name) for name in group}) > 1 for group in all_) for all_ in (groups, chains)
    )
    missed = sorted({*people} - {*found})
    return [
        Row("people split on purpose who have a faceset in both buckets", len(twice), f"of {len(split)}",
            note=f"the first {len(people)} are counted; {len(names)} facesets in all, the others' photos in a third "
            "bucket"),
        Row("split people proposed as one", len(found), f"of {PEOPLE}", PEER, peer, target=f"{PEOPLE}",
            met=len(found) == PEOPLE, note=f"not proposed: {', '.join(missed) or 'nobody'}; near and not proposed: "
            f"{told or 'nobody'}"),
        Row("proposals that mix two people", wrong, "groups", PEER, peer_wrong, target="0", met=wrong == 0,
            note=f"of {len(groups)} proposals"),
        *_there_and_back(home, groups),
    ]  # fmt: skip


def _there_and_back(home: RealHome, groups: Sequence[Sequence[str]]) -> list[Row]:
    """Applies every proposal in one run and undoes each merge in a run of its own."""
    before = _digests(home.library.folder)
    _job(home, "apply_merges", "applied_rulings", {"merges": [list(group) for group in groups]})
    live = {one.name for one in home.library.registry.identities() if one.live}
    merged = sorted(name for group in groups for name in group if name not in live)
    flaws = len(verify_library(home.library))
    differed = len(dict(before.items() ^ _digests(home.library.folder).items()))
    random.Random(6).shuffle(merged)
    flaws_on_the_way = 0
    for name in merged:
        _job(home, "undo_merges", "applied_rulings", {"undo": [name]})
        flaws_on_the_way += len(verify_library(home.library))
    after = _digests(home.library.folder)
    differ = sorted(dict(before.items() ^ after.items()))
    return [
        Row("flaws that `facesets verify` finds after all were applied", flaws, "", target="0", met=flaws == 0,
            note=f"{len(merged)} facesets merged into {len(groups)} in one run; {differed} files differ"),
        Row("flaws after each undo, in a shuffled order", flaws_on_the_way, "", target="0", met=flaws_on_the_way == 0,
            note=f"{len(merged)} runs of undo_merges"),
        Row("files of the library that differ after undoing", len(differ), "files", target="0", met=not differ,
            note=f"of {len(before)}, by sha256" + (f": {', '.join(differ[:3])}" if differ else "")),
    ]  # fmt: skip


def _split(home: RealHome) -> list[str]:
    """Fills and runs the buckets; gives the people who are in two of them."""
    photos = photos_of_people()
    people = list(photos)[:SPLIT_PEOPLE]
    buckets = home.folder / "buckets"
    for who, paths in photos.items():
        parts = zip(HALVES, (paths[::2], paths[1::2]), strict=True) if who in people else [(OTHERS, paths)]
        for bucket, part in parts:
            link_photos(buckets / bucket, {path: SHARED / "data" / path for path in part})
    home.facesets("init")
    for bucket, ops in ((HALVES[0], SPLIT), (HALVES[1], SPLIT), (OTHERS, SMALL)):
        home.facesets("run", bucket, "--config", str(_config(home, ops)))
    return people


def _people_of_facesets(home: RealHome) -> dict[str, str]:
    """Faceset -> the person of most of its labelled members."""
    labels = read_labels(SHARED / "data")
    person_of = {
        face: who
        for bucket in (*HALVES, OTHERS)
        for face, who in labelled_faces(home.cached(bucket).faces, labels).items()
    }
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, face_id in home.library.registry.memberships().select("name", "face_id").iter_rows():
        if face_id in person_of:
            counts[name][person_of[face_id]] += 1
    return {name: count.most_common(1)[0][0] for name, count in counts.items()}


def _joined(groups: Sequence[Sequence[str]], owner: dict[str, str], bucket_of: dict[str, str | None], who: str) -> bool:
    """Whether one group holds a faceset of the person from each of the two buckets."""
    found = [{bucket_of.get(name) for name in group if owner.get(name) == who} for group in groups]
    return any(buckets >= {*HALVES} for buckets in found)


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _job(home: RealHome, job: str, asset: str, config: dict[str, object]) -> None:
    path = _config(home, {asset: config})
    _dagster(home, "job", "execute", "-m", "facesets_dagster.definitions", "-j", job, "-c", str(path))


def _config(home: RealHome, ops: object) -> Path:
    assert isinstance(ops, dict)
    path = home.folder.with_suffix(".yaml")
    path.write_text(yaml.safe_dump({"ops": {asset: {"config": config} for asset, config in ops.items()}}))
    return path


def _dagster(home: RealHome, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dagster", *arguments, "-a", "defs"],
        cwd=REPOSITORY, env={**home.environment, "DAGSTER_HOME": str(home.settings.dagster_home)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"dagster {' '.join(arguments)}: exit {done.returncode}\n{done.stdout[-4000:]}")


def made_up_rows() -> list[Row]:
    """The legacy case, without a look at the faces, and with duplicates that look less alike."""
    rows = []
    for words, share, alike in (
        ("", 0.5, (0.9, 1.0)),
        (", by centroids alone", 0.0, (0.9, 1.0)),
        (", who changed more", 0.5, (0.75, 0.9)),
    ):
        numbers = MergeProposalsConfig(min_near_share=share).resolved(ARCFACE)
        library = MadeUpLibrary.drawn(0, alike)
        centroids = np.array([centroid(faces) for faces in library.faces], np.float32)
        pairs = near_identities(centroids, library.faces, [{}] * FACESETS, set(), numbers)
        groups = groups_of_one(FACESETS, pairs, numbers.merge_distance)
        chains = _groups(components(centroids, PEER_DISTANCE))
        found, peer = (_found(joined, library.person) for joined in (groups, chains))
        wrong, peer_wrong = (_mixed(joined, library.person) for joined in (groups, chains))
        linked = max((len(library.chain & {*group}) for group in chains), default=0)
        held = max((len(library.chain & {*group}) for group in groups), default=0)
        refused = Counter(pair.state for pair in pairs)
        target = not words
        rows += [
            Row(f"made-up facesets: duplicates proposed{words}", found, f"of {DUPLICATES}", PEER, peer,
                target=f"{DUPLICATES}" if target else "", met=found == DUPLICATES if target else None,
                note=f"{FACESETS} facesets, directions of one person alike to {alike[0]} to {alike[1]}; near pairs: "
                f"{dict(sorted(refused.items()))}"),
            Row(f"made-up facesets: groups that mix people{words}", wrong, "groups", PEER, peer_wrong,
                target="0" if target else "", met=wrong == 0 if target else None),
            Row(f"made-up facesets: most of the chain in one group{words}", held, f"of {CHAIN}", PEER, linked,
                target="0" if target else "", met=held == 0 if target else None),
        ]  # fmt: skip
    return rows


def _groups(labels: NDArray[np.int64]) -> list[list[int]]:
    """Sets of two and more rows with one label."""
    found = [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]
    return [group for group in found if len(group) > 1]


def _found(groups: Sequence[Sequence[int]], person: Sequence[int]) -> int:
    """People of whom two facesets are in one group."""
    counts = [Counter(person[index] for index in group) for group in groups]
    return sum(count > 1 for counted in counts for count in counted.values())


def _mixed(groups: Sequence[Sequence[int]], person: Sequence[int]) -> int:
    return sum(len({person[index] for index in group}) > 1 for group in groups)
