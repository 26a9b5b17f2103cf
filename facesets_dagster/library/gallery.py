"""What the exports of a bucket's identities would hold: curated and rendered once, remembered by membership.

Lives for one publication. The resolution asks for centroids, the publication for contents; both outside and under the
lock, so that a crop is made once.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.export.curation import ExportParameters, curate
from facesets_dagster.export.folder import FacesetContent
from facesets_dagster.export.png import read_lineage
from facesets_dagster.export.rendering import LoadPhoto, render
from facesets_dagster.identities.gates import Verdict


class Gallery:
    """Contents of facesets by membership."""

    def __init__(
        self,
        faces: pl.DataFrame,
        bucket: str,
        embedder: Callable[[], Embedder],
        load_photo: LoadPhoto,
        *,
        export: ExportParameters,
        parameters: Mapping[str, Mapping[str, object]],
        model: Mapping[str, object],
        published: Mapping[str, Path],
        say: Callable[[str], None],
    ) -> None:
        """`faces`: rows of the face table of every face that may be a member; `published`: face_id -> PNG."""
        self._faces = faces
        self._bucket = bucket
        self._embedder = embedder
        self._load_photo = load_photo
        self._export = export
        self._parameters = parameters
        self._model = model
        self._published = {face_id: _Published(path) for face_id, path in published.items()}
        self._say = say
        self._boxes = _boxes_by_photo(faces)
        self._contents: dict[tuple[tuple[str, str], ...], FacesetContent] = {}

    def content(self, members: Mapping[str, str], kind: str = "discovered") -> FacesetContent:
        """What the faceset of these members (face_id -> how it joined) holds."""
        key = tuple(sorted(members.items()))
        if key not in self._contents:
            self._contents[key] = self._made(members, kind)
        return self._contents[key]

    def curated_centroid(self, members: Mapping[str, str]) -> NDArray[np.float32] | None:
        """Centroid (dim,) of the exportable members; None if there is none."""
        content = self.content(members)
        return content.centroid() if content.faces else None

    def _made(self, members: Mapping[str, str], kind: str) -> FacesetContent:
        rows = self._faces.filter(pl.col("face_id").is_in(list(members)))
        curated = curate(rows, self._export)
        rendered = render(
            curated.candidates,
            self._export,
            self._embedder,
            self._load_photo,
            {
                row["face_id"]: self._neighbours(row)
                for row in curated.candidates.select("face_id", "sha256").to_dicts()
            },
            self._published,
        )
        excluded = {**curated.excluded, **rendered.excluded}
        self._say(f"crops for {len(members)} members: {len(rendered.faces)} exported, {len(excluded)} excluded")
        return FacesetContent(
            kind,
            self._bucket,
            rendered.faces,
            excluded,
            _members_table(rows, members, excluded),
            self._parameters,
            self._export,
            self._model,
        )

    def _neighbours(self, row: Mapping[str, str]) -> NDArray[np.float32]:
        others = [box for face_id, box in self._boxes[row["sha256"]] if face_id != row["face_id"]]
        return np.array(others, np.float32).reshape(-1, 4)


class _Published:
    """A PNG of an earlier run, given out again only if its lineage is the one asked for."""

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


def _boxes_by_photo(faces: pl.DataFrame) -> dict[str, list[tuple[str, list[float]]]]:
    boxes: dict[str, list[tuple[str, list[float]]]] = {}
    for sha256, face_id, bbox in faces.select("sha256", "face_id", "bbox").iter_rows():
        boxes.setdefault(sha256, []).append((face_id, bbox))
    return boxes


def _members_table(rows: pl.DataFrame, members: Mapping[str, str], excluded: Mapping[str, Verdict]) -> pl.DataFrame:
    rows = rows.sort("face_id")
    ids = rows["face_id"].to_list()
    return rows.with_columns(
        joined_by=pl.Series([members[face_id] for face_id in ids], dtype=pl.String),
        state=pl.Series(
            [excluded[face_id].state if face_id in excluded else "exported" for face_id in ids], dtype=pl.String
        ),
    )
