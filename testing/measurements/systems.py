"""The legacy scripts' other systems against labelled photos: hand-sorted folders, extend, eras, candidates.

Each through `full_pipeline` by the command line, as a user would. Portraits like these are small, so the gates are set
to 40 px. A labelled face is the central one of a 250 x 250 file, else the largest.
"""

import json
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl

from testing.homes import RealHome, link_photos
from testing.measurements.labels import labelled_faces, read_labels, read_periods
from testing.measurements.row import Row
from testing.paths import SHARED

PEOPLE = 20
STEPS = ("first", "second", "third", "fourth")
LENIENT = """\
ops:
  hand_sorted_facesets: {config: {min_face_short_px: 40}}
  osrc_clusters: {config: {min_face_short_px: 40}}
  swap_ready_facesets: {config: {min_face_short_px: 40}}
  candidate_faces: {config: {min_face_short_px: 40}}
"""
ERAS = LENIENT + "  era_facesets: {config: {split: ['*'], min_era_faces: 3}}\n"


def measure_systems(pack: str, models_root: Path) -> list[Row]:
    """All four, each in a home of its own."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        for measure in (hand_sorted, extend, eras):
            rows += measure(Path(scratch) / measure.__name__, pack, models_root)
    return rows


def photos_of_people(part: str = "labelled/") -> dict[str, list[str]]:
    """Person -> photos, most photos first."""
    photos: dict[str, list[str]] = defaultdict(list)
    for path, person in sorted(read_labels(SHARED / "data").items()):
        if path.startswith(part):
            photos[person].append(path)
    return dict(sorted(photos.items(), key=lambda pair: (-len(pair[1]), pair[0])))


def hand_sorted(folder: Path, pack: str, models_root: Path) -> list[Row]:
    """20 people's first halves as folders, everything else of `labelled` and `groups` as one mixed bucket."""
    photos = photos_of_people()
    people = list(photos)[:PEOPLE]
    asserted = {path for person in people for path in photos[person][::2]}
    link_photos(folder / "people", {path.removeprefix("labelled/"): SHARED / "data" / path for path in asserted})
    rest = [path for paths in photos.values() for path in paths if path not in asserted]
    groups = [f"groups/{path.name}" for path in sorted((SHARED / "data" / "groups").iterdir())]
    link_photos(folder / "home" / "buckets" / "mixed", {path: SHARED / "data" / path for path in [*rest, *groups]})
    home = _home(folder, pack, models_root, FACESETS_HAND_SORTED=str(folder / "people"))
    _run(home, "mixed", LENIENT)
    registry = home.library.registry
    label = {i.name: i.label for i in registry.identities() if i.kind == "hand_sorted"}
    person_of = labelled_faces(home.cached("mixed").faces, read_labels(SHARED / "data"))
    routed = [
        (label[name], person_of.get(face_id))
        for name, face_id in registry.memberships(bucket="mixed").select("name", "face_id").iter_rows()
        if name in label
    ]
    known = [(owner, person) for owner, person in routed if person is not None]
    right = sum(owner == person for owner, person in known)
    wanted = sum(person in people for person in person_of.values())
    return [
        Row("hand-sorted folders that became an identity", len(label), "of 20"),
        Row("routing precision", right / max(len(known), 1), "share",
            note=f"{right} of {len(known)} labelled faces routed; {len(routed) - len(known)} routed without a label"),
        Row("routing recall", right / max(wanted, 1), "share",
            note=f"of {wanted} labelled faces of these people in the mixed bucket"),
        *candidates(home, "mixed"),
    ]  # fmt: skip


def candidates(home: RealHome, bucket: str) -> list[Row]:
    """Whose the faces are that are offered to facesets and as new groups."""
    person_of = labelled_faces(home.cached(bucket).faces, read_labels(SHARED / "data"))
    owner = _people_of_facesets(home, person_of)
    offered, pure, groups = Counter[bool](), 0, 0
    for folder in sorted((home.library.folder / "_candidates").glob("*")):
        if not (folder / "manifest.json").exists():
            continue
        faces = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["faces"]
        people = [person_of[face["face_id"]] for face in faces if face["face_id"] in person_of]
        if folder.name.startswith("to_"):
            faceset = folder.name.removeprefix("to_")
            offered.update(person == owner.get(faceset) for person in people if owner.get(faceset))
        elif people:
            groups += 1
            pure += len(set(people)) == 1
    total = offered.total()
    return [
        Row("candidates that belong to the faceset they are offered to", offered[True] / max(total, 1), "share",
            note=f"{offered[True]} of {total} labelled faces"),
        Row("new candidate groups of one person only", pure / max(groups, 1), "share", note=f"{pure} of {groups}"),
    ]  # fmt: skip


def _people_of_facesets(home: RealHome, person_of: dict[str, str]) -> dict[str, str]:
    """Faceset -> the person of most of its labelled members, or its label."""
    found = {i.name: str(i.label) for i in home.library.registry.identities() if i.label}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for name, face_id in home.library.registry.memberships().select("name", "face_id").iter_rows():
        if face_id in person_of:
            counts[name][person_of[face_id]] += 1
    return {**{name: count.most_common(1)[0][0] for name, count in counts.items()}, **found}


def extend(folder: Path, pack: str, models_root: Path) -> list[Row]:
    """20 people, a quarter of their photos founds them, the others come in three more buckets."""
    photos = photos_of_people()
    for person in list(photos)[:PEOPLE]:
        paths = photos[person]
        first = max(len(paths) // 2, 7)
        parts = [paths[:first], *(paths[first + step :: 3] for step in range(3))]
        for bucket, part in zip(STEPS, parts, strict=True):
            link_photos(folder / "home" / "buckets" / bucket, {path: SHARED / "data" / path for path in part})
    home = _home(folder, pack, models_root)
    labels = read_labels(SHARED / "data")
    moved = joined = 0
    owner: dict[tuple[str, str], str] = {}
    counts, wrong = [], 0
    for bucket in STEPS:
        _run(home, bucket, LENIENT)
        rows = home.library.registry.memberships().select("bucket", "face_id", "name").rows()
        now = {(place, face_id): name for place, face_id, name in rows}
        moved += sum(now.get(face) != name for face, name in owner.items())
        joined += len(now.keys() - owner.keys()) if owner else 0
        owner = now
        counts.append(len(set(now.values())))
    person_of = {face: who for step in STEPS for face, who in labelled_faces(home.cached(step).faces, labels).items()}
    people = _people_of_facesets(home, person_of)
    extended = home.library.registry.memberships().filter(pl.col("joined_by") == "extended")
    named = [(people[name], person_of[face]) for name, face in extended.select("name", "face_id").iter_rows()
             if face in person_of]  # fmt: skip
    wrong = sum(owner_name != person for owner_name, person in named)
    return [
        Row("extend: members that changed identity", moved, "faces", target="0", met=moved == 0,
            note=f"three steps, {joined} faces joined or founded, {counts[0]} to {counts[-1]} identities"),
        Row("extend: faces that joined the right person", 1 - wrong / max(len(named), 1), "share",
            note=f"{len(named) - wrong} of {len(named)} labelled faces that joined"),
    ]  # fmt: skip


def eras(folder: Path, pack: str, models_root: Path) -> list[Row]:
    """The people with two periods and many photos; each photo is dated by the middle year of its label's period."""
    periods = read_periods(SHARED / "data")
    photos = photos_of_people("eras/")
    many = [person for person in photos if len(photos[person]) >= 20]
    label_of: dict[str, tuple[str, str]] = {}
    links: dict[str, Path] = {}
    for person in many:
        for index, path in enumerate(photos[person]):
            first, last = (int(year) for year in periods[path].split("-"))
            place = f"{(first + last) // 2}/{person} {index:03d}{Path(path).suffix}"
            label_of[place], links[place] = (person, periods[path]), SHARED / "data" / path
    link_photos(folder / "home" / "buckets" / "lives", links)
    home = _home(folder, pack, models_root)
    _run(home, "lives", ERAS)
    faces = home.cached("lives").faces
    period_of = labelled_faces(faces, {place: label for place, (_, label) in label_of.items()})
    registry = home.library.registry
    members: dict[str, list[str]] = defaultdict(list)
    for name, face_id in registry.memberships().select("name", "face_id").iter_rows():
        if name in registry.anchors() and face_id in period_of:
            members[name].append(period_of[face_id])
    right = sum(Counter(labels).most_common(1)[0][1] for labels in members.values())
    placed = sum(map(len, members.values()))
    parents = {identity.parent for identity in registry.identities() if identity.is_era}
    return [
        Row("eras: faces in an era of their own label", right / max(placed, 1), "share",
            note=f"{right} of {placed} in {len(members)} eras of {len(parents)} of {len(many)} people; an era's label "
            "is that of most of its faces"),
        Row("eras: labelled faces that are in an era", placed / max(len(period_of), 1), "share",
            note=f"of {len(period_of)} labelled faces"),
    ]  # fmt: skip


def _home(folder: Path, pack: str, models_root: Path, **more: str) -> RealHome:
    home = RealHome(folder / "home", pack, models_root, {"FACESETS_JOB": "full_pipeline", **more})
    home.facesets("init")
    return home


def _run(home: RealHome, bucket: str, config: str) -> None:
    """The whole write-up of a bucket; the library is verified."""
    path = home.folder.with_suffix(".yaml")
    path.write_text(config)
    home.facesets("run", bucket, "--config", str(path))
    home.facesets("verify")
