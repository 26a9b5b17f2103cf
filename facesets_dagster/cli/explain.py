"""`facesets explain`: the states of a photo's faces."""

from dataclasses import asdict

from rich.console import Console

from facesets_dagster.analysis.explained_photos import explained_photos
from facesets_dagster.analysis.explanation import FaceExplanation
from facesets_dagster.cli.tables import print_json
from facesets_dagster.library.home import Home
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.settings import Settings


def explain(settings: Settings, target: str, *, as_json: bool) -> None:
    """Every face of the photo that `target` names: a file, `BUCKET/PATH`, or a face_id (its photo)."""
    photos = explained_photos(Home.of(settings), target)
    if as_json:
        print_json({"photos": [{**asdict(photo), "bucket_name": bucket_title(photo.bucket)} for photo in photos]})
        return
    console = Console(highlight=False)
    for photo in photos:
        lines = ["", f"{bucket_title(photo.bucket)}/{photo.path}"]
        if photo.aliases:
            lines.append(f"the same bytes: {', '.join(photo.aliases)}")
        if not photo.faces:
            said = "no face was found" if photo.status == "noface" else photo.status
            lines.append(f"{said}: {photo.detail}" if photo.detail else said)
        for number, face in enumerate(photo.faces, start=1):
            lines += [f"{number}. {face.state}", *(f"   {line}" for line in _lines(face))]
        console.print("\n".join(lines), markup=False, soft_wrap=True)


def _lines(face: FaceExplanation) -> list[str]:
    x1, y1, x2, y2 = (round(side) for side in face.bbox)
    lines = [face.why, f"{x2 - x1} x {y2 - y1} px at {x1}, {y1}; face_id {face.face_id}"]
    if face.nearest:
        other = "nearest other" if face.identity and face.state != "covered" else "nearest"
        lines.append(f"{other}: {face.nearest}, cos-dist {face.nearest_distance:.3f}")
    return [*lines, *face.flags]
