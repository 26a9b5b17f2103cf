"""What was seen, judged: a row per archive and detector size, and what is wrong with it. Pure; nothing is read."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.analysis.consumer_simulation import SeenFaceset, Simulation
from facesets_dagster.export.as_roop import SeenArchive, SeenPicture
from facesets_dagster.export.crop_check import CONSUMER_DET_SIZES
from facesets_dagster.identities.geometry import cosine_distance, distance_between, normalised
from facesets_dagster.identities.identity import Identity
from facesets_dagster.wording import counted

_SIMULATION = {
    "faceset": (pl.String(), "name of the faceset"),
    "kind": (pl.String(), "auto, hand_sorted, discovered, era or thin_era"),
    "archive": (pl.String(), "all exported faces, or the top ones"),
    "det_size": (pl.Int64(), "detector size of the consumer, px"),
    "pngs": (pl.Int64(), "pictures in the archive"),
    "without_face": (pl.Int64(), "pictures in which no face is found"),
    "with_several": (pl.Int64(), "pictures in which more than one face is found"),
    "faces": (pl.Int64(), "faces found, all of which are averaged"),
    "mean_distance": (pl.Float64(), "cosine distance of their raw mean to the faceset's centroid"),
    "nearest_other": (pl.String(), "the nearest live faceset of another person"),
    "margin": (pl.Float64(), "distance to that one's centroid minus the own one's"),
    "largest_face_distance": (pl.Float64(), "of a single found face to the faceset's centroid"),
    "pictures_wrong": (pl.String(), "why not exactly one face is found in every picture; null if it is"),
    "mean_wrong": (pl.String(), "why the mean does not stand for this person; null if it does"),
}
SIMULATION_SCHEMA = pl.Schema({name: dtype for name, (dtype, _) in _SIMULATION.items()})
SIMULATION_COLUMNS = {name: words for name, (_, words) in _SIMULATION.items()}


@dataclass(frozen=True)
class Limits:
    """The limits for a mean."""

    max_mean_distance: float
    """Cosine distance from the faceset's centroid."""
    min_margin: float
    """By how much it is nearer to that than to any other person's."""


@dataclass(frozen=True)
class Judged:
    """A row of `SIMULATION_SCHEMA`: one archive at one detector size."""

    faceset: str
    kind: str
    archive: str
    det_size: int
    pngs: int
    without_face: int
    with_several: int
    faces: int
    mean_distance: float | None
    nearest_other: str | None
    margin: float | None
    largest_face_distance: float | None
    pictures_wrong: str | None
    """Why not exactly one face is found in every picture; None if it is."""
    mean_wrong: str | None
    """Why the mean does not stand for this person; None if it does."""

    @property
    def passed(self) -> bool:
        """Nothing is wrong."""
        return self.pictures_wrong is None and self.mean_wrong is None


def judge(simulation: Simulation, limits: Limits) -> list[Judged]:
    """Every archive at every size, by faceset."""
    return [
        _judged(seen, archive, size, simulation.people, limits)
        for seen in simulation.facesets
        for archive in ("all", "top")
        for size in CONSUMER_DET_SIZES
    ]


def simulation_table(rows: Sequence[Judged]) -> pl.DataFrame:
    """Frame of `SIMULATION_SCHEMA`."""
    return pl.DataFrame([asdict(row) for row in rows], schema=SIMULATION_SCHEMA)


@dataclass(frozen=True)
class FailingPicture:
    """A picture in which not exactly one face is found at a size; the same bytes of both archives are one."""

    file: str
    archive: str
    """`all` where it has it, else `top`."""
    at: dict[int, SeenPicture]
    """Detector size -> what is seen in it."""


def failing_pictures(seen: SeenFaceset) -> list[FailingPicture]:
    """By name; where the archives differ, that of `all` first."""
    found: dict[tuple[str, str], FailingPicture] = {}
    for archive in ("all", "top"):
        looks = {size: seen.looks.get((seen.archives[archive], size)) for size in CONSUMER_DET_SIZES}
        for size, look in looks.items():
            for picture in look.pictures if look else ():
                key = picture.file, picture.sha256
                found.setdefault(key, FailingPicture(picture.file, archive, {})).at.setdefault(size, picture)
    failing = [one for one in found.values() if any(picture.faces != 1 for picture in one.at.values())]
    return sorted(failing, key=lambda one: (one.file, one.archive))


def _judged(seen: SeenFaceset, archive: str, size: int, people: Sequence[Identity], limits: Limits) -> Judged:
    identity, look = seen.faceset.identity, seen.looks.get((seen.archives[archive], size))
    look = look or SeenArchive((), ())
    counts = [picture.faces for picture in look.pictures]
    mean, faces = look.mean(), normalised(look.embeddings()) if any(counts) else None
    distance = largest = None
    if mean is not None and faces is not None and identity.centroid is not None:
        distance = distance_between(normalised(mean), identity.centroid)
        largest = float(cosine_distance(faces, identity.centroid[None]).max())
    other, away = _nearest_other(mean, identity, people)
    margin = None if distance is None or away is None else away - distance
    return Judged(
        identity.name,
        identity.kind,
        archive,
        size,
        len(counts),
        sum(count == 0 for count in counts),
        sum(count > 1 for count in counts),
        sum(counts),
        distance,
        other,
        margin,
        largest,
        _pictures_wrong(look, counts, seen.why_not.get(archive)),
        _mean_wrong(distance, margin, other, limits),
    )


def _pictures_wrong(look: SeenArchive, counts: Sequence[int], why_not: str | None) -> str | None:
    if why_not is not None:
        return f"the archive cannot be opened ({why_not})"
    unreadable = sum(not picture.readable for picture in look.pictures)
    blank, several = sum(count == 0 for count in counts) - unreadable, sum(count > 1 for count in counts)
    wrong = [
        f"{counted(unreadable, 'picture')} not readable" if unreadable else "",
        f"no face in {counted(blank, 'picture')}" if blank else "",
        f"several faces in {counted(several, 'picture')}" if several else "",
        "" if counts else "no .png at all",
        f"{counted(len(look.passed_over), 'entry is', 'entries are')} no .png at the top" if look.passed_over else "",
    ]
    return "; ".join(text for text in wrong if text) or None


def _mean_wrong(distance: float | None, margin: float | None, other: str | None, limits: Limits) -> str | None:
    if distance is None:
        return "there is no mean"
    if distance > limits.max_mean_distance:
        return f"the mean lies {distance:.3f} from the centroid, over {limits.max_mean_distance:g}"
    if margin is not None and margin < limits.min_margin:
        return (
            f"the mean lies {distance:.3f} from its own centroid and {distance + margin:.3f} from that of {other}: a "
            f"margin of {margin:.3f}, under {limits.min_margin:g}"
        )
    return None


def _nearest_other(
    mean: NDArray[np.float32] | None, identity: Identity, people: Sequence[Identity]
) -> tuple[str | None, float | None]:
    """The person of another family whose centroid is nearest to the mean (dim,), and its distance."""
    others = [person for person in people if person.family != identity.family]
    if mean is None or not others:
        return None, None
    centroids = np.array([person.centroid for person in others], np.float32)
    distances = cosine_distance(normalised(mean)[None], centroids)[0]
    nearest = int(distances.argmin())
    return others[nearest].name, float(distances[nearest])
