"""What rulings in force say of single faces for exports, read from the registry."""

from facesets_dagster.export.marks import NO_MARKS, Marks
from facesets_dagster.library.bindings import known_rulings
from facesets_dagster.library.library import Library


def marks_of(library: Library) -> Marks:
    """`NO_MARKS` where no ruling features a face or allows two in one photo."""
    features: dict[str, bool] = {}
    together: list[frozenset[str]] = []
    for ruling in known_rulings(library.registry):
        faces = [face.face_id for face in ruling.of_role("face")]
        if ruling.kind == "feature":
            features.update(dict.fromkeys(faces, ruling.payload.get("lead") is True))
        elif ruling.kind == "allow_together":
            together.append(frozenset(faces))
    return Marks(features, tuple(together)) if features or together else NO_MARKS
