"""What rulings say, for every language of the page: the key of a text and its values, put together where it is shown.

In English it comes to the words of `identities.ruling_words`.
"""

from dataclasses import dataclass

from facesets_dagster.identities.rulings import Ruling
from facesets_dagster.web.review.words import Words


@dataclass(frozen=True)
class Said:
    """A text that is not put into words yet; as JSON for the page's scripts."""

    key: str
    values: "dict[str, str | int | Said]"

    def in_words(self, words: Words) -> str:
        """The text."""
        values = {name: one.in_words(words) if isinstance(one, Said) else one for name, one in self.values.items()}
        return words(self.key, **values)


def said_of(ruling: Ruling) -> Said:
    """What a ruling says, with the names of its day."""
    person, count = ruling.identity or "", len(ruling.of_role("face"))
    match ruling.kind:
        case "name":
            text = ruling.text("text")
            return (
                Said("said.name", {"person": person, "text": text})
                if text
                else Said("said.no_name", {"person": person})
            )
        case "same" | "different":
            return Said(f"said.{ruling.kind}", {"first": _side(ruling, "a"), "second": _side(ruling, "b")})
        case "split":
            return Said("said.split", {"person": ruling.names.get("a", person), "count": len(ruling.parts())})
        case "ignore" if person:
            return Said("said.ignore_person", {"person": person})
        case "approve":
            return Said("said.approve", {"person": person})
        case "feature":
            return Said("said.lead" if ruling.payload.get("lead") else "said.feature", {"person": person})
        case "threshold":
            number = ruling.text("number") or ""
            return Said(
                "said.threshold", {"number": number, "new": _number(ruling, "new"), "old": _number(ruling, "old")}
            )
        case _:
            return Said(f"said.{ruling.kind}", {"person": person, "count": count})


def _side(ruling: Ruling, role: str) -> str | Said:
    faces = ruling.of_role(role)
    if role in ruling.names:
        return ruling.names[role]
    return (
        Said("said.face", {"face": faces[0].face_id})
        if len(faces) == 1
        else Said("people.faces", {"count": len(faces)})
    )


def _number(ruling: Ruling, key: str) -> str:
    number = ruling.number(key)
    return "?" if number is None else f"{number:g}"
