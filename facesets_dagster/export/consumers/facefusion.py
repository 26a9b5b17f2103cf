"""FaceFusion: a plain folder of pictures per faceset, the best first; it averages the faces of its source paths.

Copies, not hard links: an edit of an export must not change the library.
"""

from collections.abc import Sequence

from facesets_dagster.export.consumers.consumer import Consumer, ExportFile, FacesetSource


def _files(facesets: Sequence[FacesetSource]) -> list[ExportFile]:
    return [
        ExportFile(f"{faceset.file_name}/{rank:04d}.png", picture.sha256, picture.read, (faceset.name,))
        for faceset in facesets
        for rank, picture in enumerate(faceset.pictures, start=1)
    ]


FACEFUSION = Consumer("facefusion", "FaceFusion folders", _files)
