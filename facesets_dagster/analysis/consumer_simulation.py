"""What a consumer makes of every live faceset: the domain call behind `consumer_simulation`. The library is only read.

lock -> finish moves -> read the facesets -> release -> look at their archives (what was looked at before is on record)
     -> lock -> finish moves -> read and look again if the library moved on -> compare with the centroids
"""

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from facesets_dagster.analysis.published_facesets import PublishedFaceset, published_facesets
from facesets_dagster.embedding.embedder import Embedder, ModelPack
from facesets_dagster.export.as_roop import SeenArchive, look_at_archive
from facesets_dagster.export.crop_check import CONSUMER_DET_SIZES
from facesets_dagster.export.look_store import Looks, LookStore
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.library import Library
from facesets_dagster.wording import counted


@dataclass(frozen=True)
class SimulationInputs:
    """What the asset hands over."""

    facesets: Sequence[str]
    """Empty = all live ones, thin eras too."""
    pack: ModelPack
    workers: int
    """Pictures that are looked at at once."""
    run_id: str


@dataclass(frozen=True)
class SeenFaceset:
    """A faceset as its consumers see it."""

    faceset: PublishedFaceset
    archives: dict[str, str]
    """`all`, `top` -> sha256 of the archive, empty where it cannot be opened."""
    looks: Looks
    why_not: dict[str, str] = field(default_factory=dict)
    """`all`, `top` -> why the archive cannot be opened."""
    simulated: int = 0
    """Pictures that were looked at now, at one size each."""


@dataclass(frozen=True)
class Simulation:
    """Everything that was seen, and all identities that a mean may resemble."""

    facesets: list[SeenFaceset]
    people: list[Identity]
    """Live identities with a centroid of this model, thin eras aside."""
    not_published_here: dict[str, Path]
    """As in `Published`."""
    generation: int


def simulate_facesets(
    inputs: SimulationInputs,
    library: Library,
    embedder: Callable[[], Embedder],
    store: LookStore,
    *,
    say: Callable[[str], None],
) -> Simulation:
    """Opens every archive. Raises `SettingsError` for a name that is no live faceset."""
    holder = f"run {inputs.run_id}"

    with library.held(holder, say):
        published = published_facesets(library, inputs.pack, inputs.facesets, thin=True)
        generation = library.registry.generation()
    seen = _look_at_all(published.facesets, inputs, embedder, store, say)
    with library.held(holder, say):
        published = published_facesets(library, inputs.pack, inputs.facesets, thin=True)
        if library.registry.generation() != generation:
            seen = _look_at_all(published.facesets, inputs, embedder, store, say)
        people = [
            identity
            for identity in library.registry.identities()
            if identity.live
            and identity.kind != "thin_era"
            and identity.centroid is not None
            and identity.model_id == inputs.pack.model_id
        ]
        return Simulation(seen, people, published.not_published_here, library.registry.generation())


def archive_path(faceset: PublishedFaceset, archive: str) -> Path:
    """The file of `all` or `top`."""
    return faceset.folder / f"{faceset.name}{'_top' if archive == 'top' else ''}.fsz"


def _look_at_all(
    facesets: Sequence[PublishedFaceset],
    inputs: SimulationInputs,
    embedder: Callable[[], Embedder],
    store: LookStore,
    say: Callable[[str], None],
) -> list[SeenFaceset]:
    seen = []
    for faceset in facesets:
        seen.append(_look_at(faceset, inputs, embedder, store))
        if seen[-1].simulated:
            say(f"{faceset.name}: {counted(seen[-1].simulated, 'picture')} analysed")
    return seen


def _look_at(
    faceset: PublishedFaceset, inputs: SimulationInputs, embedder: Callable[[], Embedder], store: LookStore
) -> SeenFaceset:
    before = store.read(faceset.name)
    archives: dict[str, str] = {}
    looks: Looks = {}
    why_not: dict[str, str] = {}
    simulated = 0
    for archive in ("all", "top"):
        try:
            with archive_path(faceset, archive).open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
                for size in CONSUMER_DET_SIZES:
                    key = (sha256, size)
                    if key in before:
                        looks[key] = before[key]
                        continue
                    known = [
                        picture
                        for (_, at), look in [*before.items(), *looks.items()]
                        if at == size
                        for picture in look.pictures
                    ]
                    stream.seek(0)
                    looks[key] = look_at_archive(
                        stream, _at(embedder, size), inputs.pack.dim, workers=inputs.workers, known=known
                    )
                    simulated += _unknown(looks[key], {picture.sha256 for picture in known})
            archives[archive] = sha256
        except (OSError, zipfile.BadZipFile) as error:
            archives[archive], why_not[archive] = "", f"{type(error).__name__}: {error}"
    if looks.keys() != before.keys():
        store.write(faceset.name, looks)
    return SeenFaceset(faceset, archives, looks, why_not, simulated)


def _at(embedder: Callable[[], Embedder], size: int) -> Callable[[], Embedder]:
    return lambda: embedder().at(size)


def _unknown(archive: SeenArchive, known: set[str]) -> int:
    return sum(picture.sha256 not in known for picture in archive.pictures)
