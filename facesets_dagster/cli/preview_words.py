"""What rulings make of the library, in lines for a terminal."""

from facesets_dagster.analysis.ruling_preview import PersonChange, Preview
from facesets_dagster.identities.projection import PART
from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.wording import counted

_MOST_EXAMPLES = 3


def preview_lines(found: Preview) -> list[str]:
    """A line for each face set that changes."""
    return [f"{_called(person)}: {_change(person)}" for person in found.people]


def division_lines(library: Library, ruling: Ruling, found: Preview) -> list[str]:
    """The parts of a split: the face set that each becomes, its size, some of its photos."""
    source = ruling.names["a"]
    rows = library.member_rows([source])
    places = (
        {}
        if rows is None
        else {face: (bucket, path) for face, bucket, path in rows.select("face_id", "bucket", "path").iter_rows()}
    )
    made = {person.name: set(person.faces_in) for person in found.people if person.what == "new"}
    left = set(places) - {face.face_id for part in ruling.parts()[1:] for face in ruling.of_role(part, PART + part)}
    lines = []
    for part in ruling.parts():
        examples = {face.face_id for face in ruling.of_role(part)}
        own = left if part == "a" else {face.face_id for face in ruling.of_role(part, PART + part)}
        becomes = (
            source if part == "a" else next((name for name, faces in made.items() if faces & own), "a new face set")
        )
        order = [*sorted(own & examples), *sorted(own - examples)][:_MOST_EXAMPLES]
        photos = ", ".join(f"{bucket_title(places[face][0])}/{places[face][1]}" for face in order if face in places)
        kept = " keeps number and name" if part == "a" else ""
        lines.append(f"{becomes}{kept}: {counted(len(own), 'face')}, e.g. {photos}")
    return lines


def _called(person: PersonChange) -> str:
    label = person.label if person.what == "back" else person.label_before
    return f"{label} ({person.name})" if label else person.name


def _change(person: PersonChange) -> str:
    faces = counted(person.faces, "face")
    if person.what == "merged":
        return f"merged into {person.leads_to}; the name leads there"
    out = {
        "ignored": f"out of use, its {counted(len(person.faces_out), 'face')} ignored",
        "emptied": f"out of use, {'no face of it can be exported' if person.faces else 'no face is left to it'}",
        "undone": "out of use, the split that made it is taken back",
        "new": f"new, out of {person.part_of}; {faces}",
        "back": f"in use again; {faces}",
    }
    if person.what in out:
        return out[person.what]
    come, go = (
        counted(len(person.faces_in), "face comes", "faces come"),
        counted(len(person.faces_out), "face goes", "faces go"),
    )
    moved = [words for words, moving in ((come, person.faces_in), (go, person.faces_out)) if moving]
    if person.label != person.label_before:
        moved.append(f"called {person.label}" if person.label else f"not called {person.label_before} any more")
    return f"{', '.join(moved) or 'its pictures are chosen again'}; {faces}"
