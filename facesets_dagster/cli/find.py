"""`facesets find`: every photo of a person, or of those who are in a photo; copied or linked into a folder as well."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from facesets_dagster.analysis.asked_photos import asked_photos
from facesets_dagster.analysis.explanation import is_face_id
from facesets_dagster.analysis.photos_of_people import FoundFace, photos_of
from facesets_dagster.cli.asking import person_called
from facesets_dagster.cli.outside import require_outside
from facesets_dagster.cli.program import console, say
from facesets_dagster.cli.tables import print_json, print_lines
from facesets_dagster.errors import BucketError, LibraryError, SettingsError
from facesets_dagster.files.writing import sha256_of
from facesets_dagster.identities.handles import described
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.home import Home
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.photos.listing import unescape_path
from facesets_dagster.registry.registry import NOT_THEIRS
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted


def print_photos(settings: Settings, who: str, *, copy_to: Path | None, link: bool, as_json: bool) -> None:
    """A line for each face; `copy_to`: a folder that gets the photos, `link`: as symbolic links."""
    if link and copy_to is None:
        raise SettingsError("--link says how --copy-to DIR fills its folder. Add --copy-to DIR.")
    home = Home.of(settings)
    library = home.library()
    people = _people(home, who)
    found = photos_of(library, home.cached, people)
    if copy_to is not None:
        require_outside(copy_to, settings)
        said = _fill(copy_to, found, home, link=link)
        say(said)
    if as_json:
        print_json({"people": [one.name for one in people], "faces": [asdict(face) for face in found]})
        return
    for person in people:
        own = [face for face in found if face.person == person.name]
        photos = len({(face.bucket, face.path) for face in own})
        print_lines(console(), f"{described(person)}: {counted(photos, 'photo')}", [_row(face) for face in own])


def _people(home: Home, who: str) -> list[Identity]:
    """The person of that name, or those who are in the photo. A name that nobody has may be a photo."""
    library = home.library()
    if not (is_face_id(who) or Path(who).expanduser().is_file()):
        try:
            return [person_called(library, who)]
        except LibraryError:
            if "/" not in who:
                raise
    return _people_in(home, who)


def _people_in(home: Home, photo: str) -> list[Identity]:
    """Those who are in a photo, or whose face it is. Raises `BucketError` if nobody known is."""
    library = home.library()
    names = set[str]()
    for asked in asked_photos(home, photo):
        faces = asked.tables.faces.filter(asked.tables.faces["sha256"].is_in(asked.contents.implode()))
        wanted = {photo} if is_face_id(photo) else set(faces["face_id"])
        decided = library.registry.decisions(asked.bucket).drop_nulls("identity")
        decided = decided.filter(~decided["state"].is_in(NOT_THEIRS))
        names |= {str(row["identity"]) for row in decided.iter_rows(named=True) if row["face_id"] in wanted}
    leads, known = library.snapshot().redirects, {one.name: one for one in library.registry.identities()}
    families = {known[leads.get(name, name)].family for name in names if leads.get(name, name) in known}
    people = [known[name] for name in sorted(families) if name in known and known[name].live]
    if not people:
        raise BucketError(f"Nobody in {photo} has a faceset. `facesets explain {photo}` says why of each face.")
    return people


def _row(face: FoundFace) -> dict[str, object]:
    x1, y1, x2, y2 = (round(side) for side in face.bbox)
    more = f" (and {', '.join(face.aliases)})" if face.aliases else ""
    gone = " (not there any more)" if face.source_missing else ""
    return {
        "state": face.state,
        "box": f"{x2 - x1} x {y2 - y1} at {x1}, {y1}",
        "photo": f"{face.bucket_name}/{face.path}{more}{gone}{_by_hand(face.joined_by)}",
    }


def _by_hand(how: str | None) -> str:
    """The ruling that made a face a member, or the face set that it came with."""
    way, _, rest = (how or "").partition(":")
    return {"ruled": f" (put there by ruling {rest})", "merged": f" (came with {rest})"}.get(way, "")


def _fill(folder: Path, found: Sequence[FoundFace], home: Home, *, link: bool) -> str:
    """Copies or links each photo once to BUCKET/PATH; what is there stays as it is."""
    folder, folders = folder.expanduser(), home.folders()
    counts = dict.fromkeys(("new", "there", "different", "absent"), 0)
    seen = set[str]()
    for face in found:
        if face.sha256 in seen:
            continue
        seen.add(face.sha256)
        source = folders.get(face.bucket, Path("/absent")) / unescape_path(face.path)
        target = folder / Path(bucket_title(face.bucket)) / unescape_path(face.path.lstrip("/"))
        counts[_put(source, target, link=link)] += 1
    words = [f"{counted(counts['new'], 'photo')} {'linked' if link else 'copied'} to {folder}"]
    words += [f"{counts['there']} there already"] if counts["there"] else []
    words += [f"{counts['different']} not replaced: another file has the name"] if counts["different"] else []
    words += [f"{counts['absent']} not found where they were"] if counts["absent"] else []
    return ", ".join(words)


def _put(source: Path, target: Path, *, link: bool) -> str:
    if target.exists() or target.is_symlink():
        same = source.is_file() and target.is_file() and sha256_of(target) == sha256_of(source)
        return "there" if same else "different"
    if not source.is_file():
        return "absent"
    target.parent.mkdir(parents=True, exist_ok=True)
    if link:
        target.symlink_to(source.absolute())
    else:
        shutil.copy2(source, target)
    return "new"
