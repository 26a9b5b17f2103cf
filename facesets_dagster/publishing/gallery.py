"""What the exports of a bucket's identities would hold: curated and rendered once, remembered by membership.

Members may come from any bucket. Lives for one publication. The resolution reads centroids, the publication
contents; both outside and under the lock, so that a crop is made once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.export.curation import ExportParameters, curate
from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.export.pictures import PictureFile
from facesets_dagster.export.png import read_lineage
from facesets_dagster.export.rendering import RenderedFace, render
from facesets_dagster.faces.photo_loader import photo_loader
from facesets_dagster.identities.gates import Verdict
from facesets_dagster.library.marks import marks_of
from facesets_dagster.library.membership import rows_of_members
from facesets_dagster.publishing.member_rows import FindRows, MemberRows, Places, boxes_by_photo, neighbours
from facesets_dagster.publishing.run import Run


@dataclass(frozen=True)
class Terms:
    """What a faceset is made under."""

    kind: str
    bucket: str
    """The bucket that founded it, or a pseudo bucket (`photos.bucket_key`)."""
    parameters: Mapping[str, Mapping[str, object]]
    """Resolved numbers per asset, as in run config."""
    export: ExportParameters


class Gallery:
    """Contents of facesets by membership."""

    def __init__(
        self,
        run: Run,
        faces: pl.DataFrame,
        terms: Terms,
        names: Sequence[str],
        *,
        find_rows: FindRows | None = None,
        places: Places | None = None,
        pictures: Mapping[str, Path] | None = None,
    ) -> None:
        """`faces`: rows of the face table at hand; `terms`: of a faceset for which the plan gives none.

        `names`: the identities whose pictures are taken over; `pictures`: face_id -> PNG of further ones. `find_rows`,
        `places`: in place of what caches and registry say of members.
        """
        self._run = run
        self._rows = MemberRows(faces, find_rows or (lambda wanted: rows_of_members(run.library, run.store_of, wanted)))
        self._places = places or (lambda name: run.library.snapshot().places(name))
        self.terms, self._model, self._marks = terms, run.pack.recorded(), marks_of(run.library)
        published = {**(pictures or {}), **run.library.published_faces(list(names))}
        self._published = {face_id: _Published(path) for face_id, path in published.items()}
        # Pictures lie on the library's own disk until they are written.
        self._pictures = PictureFile(run.library.folder)
        self._curated: dict[tuple[tuple[tuple[str, str, str], ...], ExportParameters], _Curated] = {}
        self._look_at(faces)

    def content(self, members: Mapping[str, str], name: str | None, terms: Terms | None = None) -> FacesetContent:
        """What the faceset of these members (face_id -> how it joined) holds.

        `name`: the identity that has them as members or copies; None for a new one, which has the faces at hand.
        """
        terms = terms or self.terms
        places = self._places(name) if name is not None else {}
        key = (tuple((face, how, places.get(face, "")) for face, how in sorted(members.items())), terms.export)
        if key not in self._curated:
            self._curated[key] = self._made(members, places, terms.export)
        made = self._curated[key]
        return FacesetContent(
            terms.kind,
            terms.bucket,
            made.faces,
            made.excluded,
            made.members,
            terms.parameters,
            terms.export,
            self._model,
            made.feature,
        )

    def curated_centroid(self, members: Mapping[str, str], name: str | None) -> NDArray[np.float32] | None:
        """Centroid (dim,) of the exportable members; None if there is none."""
        content = self.content(members, name)
        return content.centroid() if content.faces else None

    def _look_at(self, faces: pl.DataFrame) -> None:
        self._seen = len(faces)
        self._load_photo = photo_loader(self._run.folders, faces, self._run.max_pixels)
        self._boxes = boxes_by_photo(faces)

    def _made(self, members: Mapping[str, str], places: Mapping[str, str], export: ExportParameters) -> "_Curated":
        rows = self._rows.of(members, places)
        if len(self._rows.faces) != self._seen:
            self._look_at(self._rows.faces)
        curated = curate(rows, export, self._marks)
        rendered = render(
            curated,
            export,
            self._run.embedder,
            self._load_photo,
            neighbours(curated.candidates, self._boxes),
            self._published,
            self._pictures.keep,
            self._run.pictures.of(rows),
        )
        excluded = {**curated.excluded, **rendered.excluded}
        self._run.say(f"crops for {len(members)} members: {len(rendered.faces)} exported, {len(excluded)} excluded")
        chosen = [face for face in self._marks.features if any(one.row["face_id"] == face for one in rendered.faces)]
        table = _members_table(rows, members, excluded)
        return _Curated(rendered.faces, excluded, table, chosen[-1] if chosen else None)


@dataclass(frozen=True)
class _Curated:
    """What does not depend on a faceset's name, kind and run."""

    faces: tuple[RenderedFace, ...]
    excluded: dict[str, Verdict]
    members: pl.DataFrame
    feature: str | None


class _Published:
    """A PNG of an earlier run, used again only if it has the same lineage."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, wanted: dict[str, object]) -> bytes | None:
        try:
            found = read_lineage(self._path)
            if found is None or {key: found.get(key) for key in wanted} != wanted:
                return None
            return self._path.read_bytes()
        except (OSError, ValueError, SyntaxError):  # A damaged picture is rendered again.
            return None


def _members_table(rows: pl.DataFrame, members: Mapping[str, str], excluded: Mapping[str, Verdict]) -> pl.DataFrame:
    rows = rows.sort("face_id")
    ids = rows["face_id"].to_list()
    return rows.with_columns(
        joined_by=pl.Series([members[face_id] for face_id in ids], dtype=pl.String),
        state=pl.Series(
            [excluded[face_id].state if face_id in excluded else "exported" for face_id in ids], dtype=pl.String
        ),
    )
