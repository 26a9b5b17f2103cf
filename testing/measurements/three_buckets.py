"""Overlapping buckets in every order and all at once: who is found, split, merged, and whether the library is sound."""

import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import polars as pl

from testing.homes import RealHome, link_photos
from testing.measurements.labels import labelled_faces, read_labels
from testing.measurements.row import Row
from testing.paths import SHARED

BUCKETS = ("east", "north", "west")
MIN_PHOTOS = 12
LENIENT = """\
ops:
  osrc_clusters: {config: {min_face_short_px: 40}}
  swap_ready_facesets: {config: {min_face_short_px: 40}}
"""
"""Portraits like these are small: with the default gates 20 of the 33 people are found, with these 29."""


@dataclass(frozen=True)
class LibraryOutcome:
    """A library at its end, as the labels see it."""

    identities: int
    numbers_used_twice: int
    near_pairs: int
    """Pairs of live facesets within the pack's `cover_distance`."""
    identities_of: dict[str, frozenset[str]]
    """Person -> facesets with exported faces of theirs."""
    people_in: dict[str, frozenset[str]]
    """Faceset -> people with exported faces in it."""

    @property
    def split(self) -> set[str]:
        """People in more than one faceset."""
        return {person for person, names in self.identities_of.items() if len(names) > 1}

    @property
    def merged(self) -> set[str]:
        """Facesets with faces of more than one person."""
        return {name for name, people in self.people_in.items() if len(people) > 1}

    def shape(self, person: str) -> tuple[int, frozenset[str]]:
        """In how many facesets somebody is, and with whom."""
        names = self.identities_of.get(person, frozenset())
        return len(names), frozenset(other for name in names for other in self.people_in[name]) - {person}


def fill_buckets(root: Path) -> int:
    """People with `MIN_PHOTOS` photos and more, each photo in two of the three buckets; gives the number of people."""
    photos: dict[str, list[str]] = defaultdict(list)
    for path, person in sorted(read_labels(SHARED / "data").items()):
        if path.startswith("labelled/"):
            photos[person].append(path)
    people = {person: paths for person, paths in photos.items() if len(paths) >= MIN_PHOTOS}
    for index, bucket in enumerate(BUCKETS):
        chosen = [path for paths in people.values() for place, path in enumerate(paths) if place % 3 != index]
        link_photos(root / bucket, {path: SHARED / "data" / path for path in chosen})
    return len(people)


def cached_home(folder: Path, pack: str, models_root: Path) -> RealHome:
    """A home with the three buckets, their faces cached and nothing published: what the orders start from."""
    home = RealHome(folder, pack, models_root)
    fill_buckets(folder / "buckets")
    home.facesets("run")
    shutil.rmtree(folder / "facesets_swap_ready")
    for left in (*folder.glob("registry.db*"), folder / "home.json", folder / ".init.lock"):
        left.unlink()
    shutil.rmtree(folder / "dagster")
    shutil.rmtree(folder / "cache" / "tables")
    return home


def run_in_order(start: RealHome, order: tuple[str, ...], folder: Path, config: str = "") -> LibraryOutcome:
    """One bucket after the other; the library is verified. `config`: run config in YAML."""
    home = _copy(start, folder)
    for bucket in order:
        home.facesets("run", bucket, *_config(home, config))
    return outcome(home)


def run_at_once(start: RealHome, folder: Path, config: str = "") -> LibraryOutcome:
    """A process per bucket, all started together; the library is verified."""
    home = _copy(start, folder)
    home.facesets("init")
    arguments = _config(home, config)
    children = {bucket: home.start("run", bucket, *arguments) for bucket in BUCKETS}
    for bucket, child in children.items():
        said, _ = child.communicate()
        if child.returncode:
            raise RuntimeError(f"facesets run {bucket}: exit {child.returncode}\n{said[-4000:]}")
    return outcome(home)


def _config(home: RealHome, config: str) -> tuple[str, ...]:
    if not config:
        return ()
    path = home.folder.with_suffix(".yaml")
    path.write_text(config)
    return "--config", str(path)


def _copy(start: RealHome, folder: Path) -> RealHome:
    shutil.copytree(start.folder, folder, symlinks=True)
    return RealHome(folder, start.pack, start.models_root)


def outcome(home: RealHome) -> LibraryOutcome:
    """Verifies the library and reads it with the labels."""
    home.facesets("verify")
    registry = home.library.registry
    labels = read_labels(SHARED / "data")
    person_of: dict[str, str] = {}
    exported = []
    for bucket in BUCKETS:
        person_of.update(labelled_faces(home.cached(bucket).faces, labels))
        exported.append(registry.decisions(bucket).filter(pl.col("state") == "exported"))
    identities_of: dict[str, set[str]] = defaultdict(set)
    people_in: dict[str, set[str]] = defaultdict(set)
    for face_id, name in pl.concat(exported).select("face_id", "identity").iter_rows():
        if face_id in person_of:
            identities_of[person_of[face_id]].add(name)
            people_in[name].add(person_of[face_id])
    live = [identity for identity in registry.identities() if identity.live]
    centroids = np.array([identity.centroid for identity in live])
    near = (1 - centroids @ centroids.T)[np.triu_indices(len(live), k=1)]
    from facesets_dagster.embedding.thresholds import thresholds_for

    return LibraryOutcome(
        identities=len(live),
        numbers_used_twice=sum(count > 1 for count in Counter(identity.number for identity in live).values()),
        near_pairs=int((near <= thresholds_for(home.model()).cover_distance).sum()),
        identities_of={person: frozenset(names) for person, names in identities_of.items()},
        people_in={name: frozenset(people) for name, people in people_in.items()},
    )


def measure_orders(pack: str, models_root: Path, scratch: Path, config: str = "") -> list[Row]:
    """All six orders and the race as rows; the first order is the peer."""
    start = cached_home(scratch / "start", pack, models_root)
    outcomes = {
        " ".join(order): run_in_order(start, order, scratch / "-".join(order), config)
        for order in permutations(BUCKETS)
    }
    outcomes["all at once"] = run_at_once(start, scratch / "race", config)
    first_name, first = next(iter(outcomes.items()))
    rows = []
    for name, result in outcomes.items():
        people = set(first.identities_of) | set(result.identities_of)
        differing = sum(first.shape(person) != result.shape(person) for person in people) / max(len(people), 1)
        note = (
            f"{result.identities} facesets of {len(result.identities_of)} people; split {len(result.split)}, "
            f"mixed {len(result.merged)}; numbers used twice {result.numbers_used_twice}; "
            f"pairs within cover_distance {result.near_pairs}; verify: sound"
        )
        rows.append(Row(f"people split or merged differently: {name}", round(differing, 4), "share",
                        peer=f"order {first_name}", note=note))  # fmt: skip
    return rows
