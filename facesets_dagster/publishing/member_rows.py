"""Rows of the face table of an identity's members, wherever they come from; found once, kept for one publication.

Shared by `publishing.gallery`, which makes pictures of them, and `analysis.what_if.rehearsal`, which only counts.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

FindRows = Callable[[Mapping[str, str | None]], pl.DataFrame | None]
"""face_id -> bucket (None: any) to rows of the face table of these and of the other faces of their photos."""

Places = Callable[[str], Mapping[str, str]]
"""Identity -> face_id -> the bucket through which it is a member: byte copies elsewhere do not change that."""


class MemberRows:
    """Face rows at hand, and more when they are asked for."""

    def __init__(self, faces: pl.DataFrame, find_rows: FindRows) -> None:
        self.faces = faces
        """All rows that are known by now."""
        self._find_rows = find_rows
        self._know(faces)

    def of(self, members: Mapping[str, str], places: Mapping[str, str]) -> pl.DataFrame:
        """One row per member: from the bucket of its membership, for those who join from the first one at hand."""
        wanted = {face: places.get(face) for face in members}
        missing = {
            face: bucket
            for face, bucket in wanted.items()
            if (face not in self._any_row if bucket is None else (face, bucket) not in self._known)
        }
        found = self._find_rows(missing) if missing else None
        if found is not None:
            at_hand = self.faces.select("face_id", "bucket")
            found = found.join(at_hand, on=["face_id", "bucket"], how="anti")
            self.faces = pl.concat([self.faces, found.select(self.faces.columns)])
            self._know(self.faces)
        place = pl.DataFrame(
            {"face_id": list(wanted), "place": list(wanted.values())},
            schema={"face_id": pl.String, "place": pl.String},
        )
        rows = self.faces.join(place, on="face_id", how="inner", maintain_order="left")
        rows = rows.filter(pl.col("place").is_null() | (pl.col("place") == pl.col("bucket"))).drop("place")
        return rows.unique("face_id", keep="first", maintain_order=True)

    def _know(self, faces: pl.DataFrame) -> None:
        self._known = set(faces.select("face_id", "bucket").iter_rows())
        self._any_row = set(faces["face_id"])


def boxes_by_photo(faces: pl.DataFrame) -> dict[str, list[tuple[str, list[float]]]]:
    """Content digest -> (face_id, bbox) of its faces; a face of several buckets once."""
    boxes: dict[str, list[tuple[str, list[float]]]] = {}
    once = faces.unique("face_id", keep="first", maintain_order=True)
    for sha256, face_id, bbox in once.select("sha256", "face_id", "bbox").iter_rows():
        boxes.setdefault(sha256, []).append((face_id, bbox))
    return boxes


def neighbours(
    rows: pl.DataFrame, boxes: Mapping[str, Sequence[tuple[str, list[float]]]]
) -> dict[str, NDArray[np.float32]]:
    """face_id -> boxes (m, 4) of the other faces of its photo."""
    return {
        face_id: np.array([box for other, box in boxes[sha256] if other != face_id], np.float32).reshape(-1, 4)
        for face_id, sha256 in rows.select("face_id", "sha256").iter_rows()
    }
