"""Face sets in the formats of other programs: the domain call behind `consumer_exports`. The library is only read.

choose consumers -> lock -> finish moves -> read the facesets -> release
                 -> compute what their best faces still lack
                 -> lock -> finish moves -> read again if the library moved on -> bring the folders up

Where facesets are named, files of other live ones stay as they are; only a file that they share is made anew with them.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from facesets_dagster.analysis.published_facesets import Published, PublishedFaceset, published_facesets
from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.embedding.landmarks import Values
from facesets_dagster.errors import SettingsError
from facesets_dagster.export.consumers import CONSUMERS, LEFT_OUT
from facesets_dagster.export.consumers.consumer import Consumer, FacesetSource, file_names, unique_titles
from facesets_dagster.export.consumers.owned_folder import INDEX, FolderOutcome, held_in, sources_in, update_folder
from facesets_dagster.export.pictures import Picture
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.consent.judging import Consent, withheld_now

SWAPPERS_RECOGNISER = "w600k_r50.onnx"
"""ArcFace of `buffalo_l` and `buffalo_m`, whose embeddings Inswapper was trained with."""
_OTHER_LOSSES = ("adaface", "cosface", "curricularface", "elasticface", "facenet", "magface", "sphereface")

Describe = Callable[[Sequence[PublishedFaceset], Sequence[str]], Mapping[str, Values]]
"""Facesets and tasks -> values of the best face of each; a face is missing if its photo cannot be read."""


@dataclass(frozen=True)
class ExportInputs:
    """What the asset hands over."""

    consumers: Sequence[str] | None
    """None = everything that the pack can feed."""
    facesets: Sequence[str]
    """Empty = all live ones."""
    remove_others: bool
    """Where facesets are named: files of the others go."""
    pack: ModelPack
    tasks: Sequence[str]
    """What the pack's further models can compute."""
    exports_dir: Path
    run_id: str
    by_person: bool = False
    """Files are named by the person instead of the faceset."""
    filled: bool = True
    """Faces that fill a set up are exported too."""
    consent: Consent | None = None
    """The home's policy; None: it has none."""

    def withheld(self) -> dict[str, str]:
        """Faceset -> why not, of those that the policy withholds and the library does not yet."""
        every = self.consent.concerned() if self.consent else []
        return {one.identity.name: _withheld(one.wanted.rules) for one in every if one.lets_out and one.wanted}

    @property
    def policy(self) -> str | None:
        """Digest of the policy."""
        return self.consent.policy.digest if self.consent and self.consent.policy else None


@dataclass(frozen=True)
class ConsumerExport:
    """What became of one consumer's folder."""

    consumer: Consumer
    folder: Path
    facesets: list[str]
    """Brought up now, as far as its files were free to write."""
    unnamed: list[str]
    """Live facesets that were not named; their files stay as they are."""
    left_out: dict[str, str]
    """Faceset -> why it is not."""
    outcome: FolderOutcome


@dataclass(frozen=True)
class Exports:
    """What came of it."""

    exports: list[ConsumerExport]
    refused: dict[str, str]
    """Consumer -> why it does not fit the model pack, of those that were not named."""
    facesets: list[PublishedFaceset]
    not_published_here: dict[str, Path]
    """As in `Published`."""
    titles: dict[str, str]
    withheld: dict[str, str]
    """Faceset -> by which rules the home's policy withholds it."""


def export_consumers(
    inputs: ExportInputs, library: Library, describe: Describe, *, say: Callable[[str], None]
) -> Exports:
    """Updates the folders of the chosen consumers. Raises `SettingsError` if a named one does not fit the pack."""
    chosen, refused = choose_consumers(inputs)
    tasks = sorted({task for consumer in chosen for task in consumer.tasks})
    holder = f"run {inputs.run_id}"
    with library.held(holder, say):
        generation = library.registry.generation()
        published, too_small, withheld = _published(library, inputs, inputs.facesets)
    values = describe(published.facesets, tasks) if tasks else {}
    with library.held(holder, say):
        if library.registry.generation() != generation:
            published, too_small, withheld = _published(library, inputs, inputs.facesets)
            values = describe(published.facesets, tasks) if tasks else {}
        titles = titles_of(published.known)
        others = {identity.name for identity in published.known} - {one.name for one in published.facesets}
        others -= too_small.keys() | withheld.keys()
        stems = file_names(titles) if inputs.by_person else {name: name for name in titles}
        sources = _sources(published.facesets, titles, stems, inputs.pack)
        exports = []
        for consumer in chosen:
            folder = inputs.exports_dir / consumer.name
            unnamed = set() if inputs.remove_others else (held_in(folder) & others) - _with_more(library, folder)
            mine = sources
            if consumer.shared_file and unnamed:
                beside, unnamed = _published(library, inputs, sorted(unnamed))[0].facesets, set[str]()
                mine = {**sources, **_sources(beside, titles, stems, inputs.pack)}
            made = _export(consumer, folder, [mine[name] for name in sorted(mine)], values, unnamed, say, inputs.policy)
            exports.append(replace(made, left_out={**made.left_out, **too_small}))
    return Exports(exports, refused, published.facesets, published.not_published_here, titles, withheld)


def _published(
    library: Library, inputs: ExportInputs, names: Sequence[str]
) -> tuple[Published, dict[str, str], dict[str, str]]:
    """These facesets, or all, with the faces that are wanted; faceset -> why it has none; faceset -> by which rules the
    home's policy withholds it, others that the library does not withhold yet among them.
    """
    published = published_facesets(library, inputs.pack, names)
    withheld = {name: _withheld(rules) for name, rules in published.withheld.items()} | inputs.withheld()
    published = replace(published, facesets=[one for one in published.facesets if one.name not in withheld])
    if inputs.filled:
        return published, {}, withheld
    strict = {faceset.name: faceset.without_filled() for faceset in published.facesets}
    kept = [faceset for faceset in strict.values() if faceset is not None]
    none = "none of its faces passes the export gates, and `filled` is false"
    too_small = {name: none for name, faceset in strict.items() if faceset is None}
    return replace(published, facesets=kept), too_small, withheld


def _with_more(library: Library, folder: Path) -> set[str]:
    """Facesets of which faces are withheld now, and whose files in a folder may be of a time before that."""
    digests, sources = library.registry.manifest_digests(), sources_in(folder)
    return {name for name in withheld_now(library) if sources.get(name, set()) - {str(digests.get(name))}}


def _withheld(rules: Sequence[str]) -> str:
    return f"consent.yaml withholds it ({', '.join(rules)})"


def choose_consumers(inputs: ExportInputs) -> tuple[list[Consumer], dict[str, str]]:
    """The consumers of this run, and why others do not fit the model pack; for a named one that is an error."""
    reasons = {name: reason for name, consumer in CONSUMERS.items() if (reason := refusal(consumer, inputs))}
    if inputs.consumers is None:
        return [consumer for name, consumer in CONSUMERS.items() if name not in reasons], reasons
    for name in inputs.consumers:
        if name not in CONSUMERS:
            why = f": {LEFT_OUT[name]}" if name in LEFT_OUT else ""
            raise SettingsError(f"There is no export for {name!r}{why}. Expected some of: {', '.join(CONSUMERS)}.")
        if name in reasons:
            raise SettingsError(f"{name} does not fit this model pack: {reasons[name]}. Leave it out of `consumers`.")
    return [consumer for name, consumer in CONSUMERS.items() if name in inputs.consumers], {}


def refusal(consumer: Consumer, inputs: ExportInputs) -> str | None:
    """Why the pack cannot feed a consumer; None if it can."""
    pack, dim = inputs.pack, consumer.embedding_dim
    if dim is not None and pack.dim != dim:
        return (
            f"it takes {dim}-d ArcFace embeddings, and the pack {pack.name} of this home makes {pack.dim}-d ones. A "
            "new FACESETS_HOME with buffalo_l makes them"
        )
    if dim is not None and any(word in pack.recogniser.lower() for word in _OTHER_LOSSES):
        return f"it takes ArcFace embeddings, and {pack.recogniser} of the pack {pack.name} is no ArcFace model"
    missing = [task for task in consumer.tasks if task not in inputs.tasks]
    if missing:
        return (
            f"its files hold {', '.join(missing)}, and the pack {pack.name} has no model for that. buffalo_l, "
            "buffalo_m, buffalo_s and antelopev2 have"
        )
    return None


def other_recogniser(consumers: Sequence[Consumer], pack: ModelPack) -> str | None:
    """What to know where embeddings go to a swapper that was trained with another recogniser's."""
    if pack.recogniser == SWAPPERS_RECOGNISER or all(consumer.embedding_dim is None for consumer in consumers):
        return None
    return (
        f"The embeddings are those of {pack.recogniser}. Inswapper, which these programs swap with, was trained with "
        f"{SWAPPERS_RECOGNISER} (buffalo_l, buffalo_m): another model's embeddings are read, and show another person. "
        "The .fsz files and exports/facefusion/ hold pictures and do not depend on it."
    )


def indexes_of(exports: Exports) -> str:
    """What the folders hold now, by their indexes, as JSON."""
    paths = [export.folder / INDEX for export in exports.exports]
    return json.dumps([json.loads(path.read_text(encoding="utf-8")) if path.exists() else None for path in paths])


def titles_of(identities: Sequence[Identity]) -> dict[str, str]:
    """Faceset -> its label on one line, or its name; the name stands behind a label that several have."""
    return unique_titles({identity.name: _one_line(identity.label) or identity.name for identity in identities})


def _one_line(label: str | None) -> str:
    words = " ".join((label or "").split())
    return "".join(char for char in words if char.isprintable()).strip()


def _sources(
    facesets: Sequence[PublishedFaceset], titles: Mapping[str, str], stems: Mapping[str, str], pack: ModelPack
) -> dict[str, FacesetSource]:
    return {faceset.name: _source(faceset, titles[faceset.name], stems[faceset.name], pack) for faceset in facesets}


def _source(faceset: PublishedFaceset, title: str, stem: str, pack: ModelPack) -> FacesetSource:
    best = faceset.faces[0]
    return FacesetSource(
        name=faceset.name,
        title=title,
        file_name=stem,
        manifest_sha256=faceset.manifest_sha256,
        model_id=pack.model_id,
        face_ids=tuple(face.face_id for face in faceset.faces),
        pictures=tuple(Picture(face.sha256, partial(faceset.picture, face)) for face in faceset.faces),
        bbox=np.asarray(best.bbox, np.float32),
        kps=np.asarray(best.kps, np.float32),
        det_score=best.det_score,
        embedding=faceset.embedding(),
    )


def _export(
    consumer: Consumer,
    folder: Path,
    sources: Sequence[FacesetSource],
    values: Mapping[str, Values],
    unnamed: Collection[str],
    say: Callable[[str], None],
    policy: str | None,
) -> ConsumerExport:
    left_out: dict[str, str] = {}
    if consumer.tasks:
        left_out = {
            source.name: "the photo of its best face cannot be read now"
            for source in sources
            if source.name not in values
        }
        sources = [replace(source, values=values[source.name]) for source in sources if source.name in values]
    provenance = {
        source.name: {"manifest_sha256": source.manifest_sha256, "model_id": source.model_id} for source in sources
    }
    outcome = update_folder(folder, consumer.files(sources), provenance, unnamed={*left_out, *unnamed}, policy=policy)
    say(f"{folder}: {len(outcome.written)} written, {len(outcome.removed)} removed, {len(outcome.kept)} as they were")
    return ConsumerExport(consumer, folder, [source.name for source in sources], sorted(unnamed), left_out, outcome)
