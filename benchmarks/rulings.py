"""What becomes of rulings: 500 drawn ones through everything that happens later, and 50 ignored people in new photos.

A home is filled through the command line (`labelled` as one bucket, default numbers). Rulings of all kinds are drawn on
whoever is there, applied in blocks, and looked for again by their faces: after a scan, after a run, with other
thresholds, after the tables were made anew, with another model pack. Then, in a second home, people with many photos
are ignored after half of their photos; the others come in 20 instalments, among photos of people who are kept.
"""

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.ruling_cost import cost_row
from facesets_dagster.embedding.packs import EMBEDDED
from facesets_dagster.errors import FacesetsError
from facesets_dagster.identities.projection import PART
from facesets_dagster.identities.rulings import STANDS_FOR, Ruling
from facesets_dagster.publishing.rulings.requests import Requests
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author, enter
from facesets_dagster.registry.rulings import all_rulings, rulings_in_force
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from testing.homes import RealHome, files_below, link_photos
from testing.measurements.labels import labelled_faces, read_labels
from testing.measurements.row import Row
from testing.paths import SHARED

BUCKET = "people"
RULINGS, BLOCK = 500, 25
IGNORED, INSTALMENTS, LEAST_PHOTOS, FIRST_PHOTOS = 50, 20, 9, 7
MAX_SWALLOWED = 0.001
OTHER_NUMBERS = """\
ops:
  osrc_uncovered: {config: {cover_distance: 0.55}}
  osrc_clusters: {config: {cluster_distance: 0.7}}
"""
_OF_PEOPLE = ("name", "name", "different", "same", "split", "ignore", "approve")
_OF_FACES = ("not_person", "not_person", "assign", "assign", "feature", "not_a_face")


def measure_rulings(pack: str, models: Path) -> list[Row]:
    """Rulings that are forgotten or broken, and strangers who come back."""
    with tempfile.TemporaryDirectory() as scratch:
        return [
            *kept_rows(Path(scratch) / "kept", pack, models),
            *ignored_rows(Path(scratch) / "ignored", pack, models),
        ]


def kept_rows(folder: Path, pack: str, models: Path) -> list[Row]:
    """One row for each thing that happens to the rulings."""
    home = RealHome(folder, pack, models)
    link_photos(folder / "buckets" / BUCKET, files_below(SHARED / "data" / "labelled", "."))
    home.facesets("init")
    home.facesets("run", BUCKET)
    cost = cost_row(home, BUCKET)
    refused = draw(home, random.Random(18))
    rows = [_row("applied", home, note=f"{refused} drawn ones contradicted others and were refused")]
    photo = next((folder / "buckets" / BUCKET).rglob("*.jpg"))
    os.utime(photo, follow_symlinks=False)
    home.facesets("run", BUCKET)
    rows.append(_row("after a scan", home))
    home.facesets("run", BUCKET)
    rows.append(_row("after a run", home))
    config = folder.with_suffix(".yaml")
    config.write_text(OTHER_NUMBERS)
    home.facesets("run", BUCKET, "--config", str(config))
    rows.append(_row("with other thresholds", home))
    shutil.rmtree(home.settings.cache_dir / "tables")
    home.facesets("run", BUCKET)
    rows.append(_row("after tables made anew", home))
    home.facesets("reembed", EMBEDDED)
    again = RealHome(folder, EMBEDDED, models)
    again.facesets("run", BUCKET)
    return [*rows, _row("with another model pack", again), cost]


def _row(name: str, home: RealHome, note: str = "") -> Row:
    """How many are broken; the counts of states say whether any was forgotten."""
    broken, states = judged(home), Counter(ruling.state for ruling in all_rulings(home.library.registry))
    told = ", ".join(f"{states[state]} {state.replace('_', ' ')}" for state in ("in_force", "superseded", "dormant"))
    told += f"; {note}" if note else ""
    return Row(f"rulings broken, {name}", len(broken), "rulings", target="0", met=not broken, note=told)


def draw(home: RealHome, dice: random.Random) -> int:
    """Draws rulings until `RULINGS` are in force, and applies them in blocks; gives how many were refused."""
    refused = 0
    while len(rulings_in_force(home.library.registry)) < RULINGS:
        people = Living.of(home)
        for _ in range(BLOCK):
            try:
                enter(home.library, [people.drawn(dice)])
            except FacesetsError:
                refused += 1
        home.facesets("rulings", "apply")
    return refused


@dataclass(frozen=True)
class Living:
    """Who is there, and how rulings on them are made."""

    ask: Requests
    members: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, home: RealHome) -> "Living":
        """The live people of a home."""
        library, resource = home.library, HomeResource.of(home.settings)
        pack, distance = home.model(), EmbedderResource.of(home.settings).thresholds().cover_distance
        ask = Requests(Subjects(library, resource.store_of(pack)), Author("drawn", "cli"), distance)
        names = [one.name for one in library.snapshot().people() if one.live]
        members = library.registry.members(names)
        return cls(ask, {name: sorted(members[name]) for name in names if len(members.get(name, {})) >= 3})

    def drawn(self, dice: random.Random) -> Ruling:
        """A ruling on somebody."""
        first, second = dice.sample(sorted(self.members), 2)
        mine, kind = self.members[first], dice.choice(_OF_PEOPLE + _OF_FACES)
        face, ask = dice.choice(mine), self.ask
        makers: dict[str, Callable[[], Ruling]] = {
            "name": lambda: ask.name(first, f"Person {dice.randint(1, 999)}"),
            "different": lambda: ask.different(first, second),
            "same": lambda: self._same(first, second),
            "split": lambda: ask.split(first, [{mine[0]: None}, {mine[-1]: None}]),
            "ignore": lambda: ask.ignore(first),
            "approve": lambda: ask.approve(first),
            "not_person": lambda: ask.not_person({face: None}, first),
            "assign": lambda: ask.assign({face: None}, second),
            "feature": lambda: ask.feature(face, first, lead=True),
            "not_a_face": lambda: ask.ignore_faces({face: None}, are_faces=False),
        }
        return makers[kind]()

    def _same(self, first: str, second: str) -> Ruling:
        names = {"a": first, "b": second}
        faces = [face for role, name in names.items() for face in self.ask.subjects.of_identity(name, role)]
        return self.ask.author.ruling("same", names=names, faces=tuple(faces), payload={"keeper": "b"})


def judged(home: RealHome) -> list[str]:
    """Ids of rulings in force that the library does not obey, found by faces alone.

    What a later ruling says of the same face is not held against an earlier one.
    """
    library, model_id = home.library, home.model().model_id
    live = {one.name: one for one in library.snapshot().people() if one.live}
    owner = {face: name for name, rows in library.registry.members(list(live)).items() for face in rows}
    in_force = rulings_in_force(library.registry)
    last: dict[str, str] = {}
    for ruling in in_force:
        last.update((face, ruling.ruling_id) for face in _moved(ruling, model_id))
    return [one.ruling_id for one in in_force if not _holds(one, owner, last, model_id)]


def _moved(ruling: Ruling, model_id: str) -> list[str]:
    """Faces that a ruling gives to somebody or takes away."""
    roles = {"split": (*ruling.parts(), *(PART + part for part in ruling.parts()))}.get(ruling.kind, ("face",))
    taken = ("exemplar", STANDS_FOR) if ruling.kind == "ignore" else ()
    return [face.face_id for face in ruling.of_role(*roles, *taken) if face.model_id == model_id]


def _holds(ruling: Ruling, owner: Mapping[str, str], last: Mapping[str, str], model_id: str) -> bool:
    def whose(*roles: str) -> set[str]:
        faces = [face.face_id for face in ruling.of_role(*roles) if face.model_id == model_id]
        still = [face for face in faces if last.get(face, ruling.ruling_id) == ruling.ruling_id]
        return {owner[face] for face in still if face in owner}

    if ruling.kind == "different":
        return not whose("a") & whose("b")
    if ruling.kind == "same":
        return len(whose("a") | whose("b")) <= 1
    if ruling.kind == "split":
        return not whose("a") & whose("b")
    if ruling.kind == "assign":
        return len(whose("face")) <= 1 and (not whose(STANDS_FOR) or whose("face") <= whose(STANDS_FOR))
    if ruling.kind == "not_person":
        return not whose("face") & whose(STANDS_FOR)
    if ruling.kind in ("ignore", "not_a_face"):
        return not whose("face", "exemplar")
    return True


def ignored_rows(folder: Path, pack: str, models: Path) -> list[Row]:
    """People who are ignored after half of their photos, over instalments of the rest, among other people."""
    home, data = RealHome(folder, pack, models), SHARED / "data"
    labels = read_labels(data)
    photos: dict[str, list[Path]] = {}
    for path, person in sorted(labels.items()):
        if path.split("/")[0] in ("labelled", "eras", "crowd") and (data / path).is_file():
            photos.setdefault(person, []).append(data / path)
    many = sorted(person for person, files in photos.items() if len(files) >= LEAST_PHOTOS)
    ignored = set(random.Random(50).sample(many, IGNORED))
    first, later = list[Path](), list[Path]()
    for files in photos.values():
        half = max(FIRST_PHOTOS, len(files) // 2)
        first += files[:half] if len(files) >= LEAST_PHOTOS else []
        later += files[half:] if len(files) >= LEAST_PHOTOS else files
    random.Random(20).shuffle(later)
    _fill(folder, "first", first, data)
    home.facesets("init")
    home.facesets("run", "first")
    people = {name: person for name, person in _people(home, labels).items() if person in ignored}
    home.facesets("rule", "ignore", *sorted(people))
    for number in range(INSTALMENTS):
        _fill(folder, f"later {number:02d}", later[number::INSTALMENTS], data)
    home.facesets("run")
    back = sorted({person for person in _people(home, labels).values() if person in set(people.values())})
    ended = _later_faces(home, labels)
    swallowed = ended.filter((pl.col("state") == "ignored") & ~pl.col("person").is_in(sorted(ignored)))
    wrong = len(swallowed) / max(len(ended), 1)
    caught = ended.filter(pl.col("person").is_in(sorted(set(people.values()))))
    share = caught.filter(pl.col("state") == "ignored").height / max(len(caught), 1)
    met, told = wrong <= MAX_SWALLOWED, f"{len(swallowed)} of {len(ended)}"
    of = f"{len(people)} people ignored, {INSTALMENTS} instalments"
    return [
        Row("ignored people who come back", len(back), "people", target="0", met=not back, note=of),
        Row("faces wrongly swallowed", wrong, "share", target=f"<= {MAX_SWALLOWED}", met=met, note=told),
        Row("later faces of ignored people that end ignored", share, "share", note=f"of {len(caught)}"),
    ]


def _fill(folder: Path, bucket: str, photos: Sequence[Path], data: Path) -> None:
    link_photos(folder / "buckets" / bucket, {str(path.relative_to(data)): path for path in photos})


def _people(home: RealHome, labels: Mapping[str, str]) -> dict[str, str]:
    """Live face set -> the person that most of its labelled faces show."""
    whose = {face: person for bucket in _buckets(home) for face, person in _labelled(home, bucket, labels).items()}
    found: dict[str, str] = {}
    names = [one.name for one in home.library.snapshot().people() if one.live]
    for name, rows in home.library.registry.members(names).items():
        known = [whose[face] for face in rows if face in whose]
        if known:
            found[name] = max(sorted(set(known)), key=known.count)
    return found


def _later_faces(home: RealHome, labels: Mapping[str, str]) -> pl.DataFrame:
    """`person`, `state` of the labelled faces of the instalments."""
    frames = []
    for bucket in _buckets(home):
        if bucket != "first":
            whose = _labelled(home, bucket, labels)
            ended = home.library.registry.decisions(bucket).filter(pl.col("face_id").is_in(list(whose)))
            person = pl.col("face_id").replace_strict(whose, return_dtype=pl.String)
            frames.append(ended.select("state", person=person))
    return pl.concat(frames)


def _labelled(home: RealHome, bucket: str, labels: Mapping[str, str]) -> dict[str, str]:
    return labelled_faces(home.cached(bucket).faces, dict(labels))


def _buckets(home: RealHome) -> list[str]:
    return sorted(run.bucket for run in home.library.registry.bucket_runs())
