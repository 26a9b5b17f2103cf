"""What rulings say, in words. Pure."""

from facesets_dagster.identities.rulings import STANDS_FOR, Ruling
from facesets_dagster.wording import counted


def said(ruling: Ruling) -> str:
    """What a ruling says, with the names of its day: `faceset_031 and faceset_020 are one person`."""
    person, faces = ruling.identity or "", counted(len(ruling.of_role("face")), "face")
    one = len(ruling.of_role("face")) == 1
    sentences = {
        "name": f"{person} is called {ruling.text('text')}" if ruling.text("text") else f"{person} has no name",
        "same": f"{_sides(ruling)} are one person",
        "different": f"{_sides(ruling)} are two people",
        "not_person": f"{faces} {'does' if one else 'do'} not belong to {person}",
        "assign": f"{faces} {'belongs' if one else 'belong'} to {person}",
        "split": f"{ruling.names.get('a', person)} holds {counted(len(ruling.parts()), 'person', 'people')}",
        "ignore": f"{person or faces} {'is' if person or one else 'are'} ignored",
        "not_a_face": f"{faces} {'is' if one else 'are'} no face{'' if one else 's'}",
        "approve": f"{person} is right as it stands",
        "feature": f"1 face stands for {person}{', and leads its export' if ruling.payload.get('lead') else ''}",
        "allow_together": f"{faces} of one photo may be one person's",
        "threshold": f"{ruling.text('number')} is {_number(ruling, 'new')}, not {_number(ruling, 'old')}",
    }
    return sentences[ruling.kind]


def about(ruling: Ruling) -> str:
    """What a ruling speaks of, in a few words: names, faces, the text of a name."""
    names = " and ".join(dict.fromkeys(ruling.names.values()))
    faces, text, number = ruling.of_role("face"), ruling.text("text"), ruling.text("number")
    of_faces = counted(len(faces), "face") if faces else "" if names or number else counted(len(ruling.faces), "face")
    return ", ".join(part for part in (names, of_faces, number or "", f'"{text}"' if text else "") if part)


def in_short(ruling: Ruling) -> str:
    """Kind, who and when."""
    return f"{ruling.kind} by {ruling.made_by}, {ruling.made_at[:10]}"


def names_face(ruling: Ruling, face_id: str) -> bool:
    """Whether a ruling speaks of this very face, and not of a person for whom the face stands."""
    return any(
        face.face_id == face_id and face.role not in ruling.names and face.role not in (STANDS_FOR, "exemplar")
        for face in ruling.faces
    ) or (ruling.kind == "split" and any(face.face_id == face_id for face in ruling.faces))


def _sides(ruling: Ruling) -> str:
    return " and ".join(ruling.names.get(role) or _faces_of(ruling, role) for role in ("a", "b"))


def _faces_of(ruling: Ruling, role: str) -> str:
    faces = ruling.of_role(role)
    return f"face {faces[0].face_id}" if len(faces) == 1 else counted(len(faces), "face")


def _number(ruling: Ruling, key: str) -> str:
    number = ruling.number(key)
    return "?" if number is None else f"{number:g}"
