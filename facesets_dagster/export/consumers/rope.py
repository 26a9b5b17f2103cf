"""Rope: all embeddings in one text file, `merged_embeddings.txt`.

Blocks of 513 lines: `Name: X`, then 512 numbers. Rope counts lines and cuts off six characters, so a name is one line.
Raw, because Rope normalises when it swaps. It opens the file in the system's encoding, and one byte that this does not
have would make the whole file unreadable: names are written in ASCII, accents dropped.
"""

import unicodedata
from collections.abc import Sequence

from facesets_dagster.export.consumers.consumer import Consumer, ExportFile, FacesetSource, unique_titles

FILE = "merged_embeddings.txt"


def _files(facesets: Sequence[FacesetSource]) -> list[ExportFile]:
    if not facesets:
        return []
    names = unique_titles({faceset.name: _ascii(faceset) for faceset in facesets})
    blocks = [f"Name: {names[faceset.name]}\n{_lines(faceset)}" for faceset in facesets]
    return [ExportFile.of(FILE, "".join(blocks).encode("ascii"), facesets)]


def _lines(faceset: FacesetSource) -> str:
    """Decimal numbers that give the same float32 when they are read."""
    return "".join(f"{value!r}\n" for value in faceset.embedding.tolist())


def _ascii(faceset: FacesetSource) -> str:
    """The title without accents; with the faceset's name where other letters are lost."""
    letters = [char for char in unicodedata.normalize("NFKD", faceset.title) if not unicodedata.combining(char)]
    kept = " ".join("".join(char for char in letters if char.isascii()).split())
    whole = all(char.isascii() for char in letters)
    return kept if whole or faceset.name in kept else f"{kept} ({faceset.name})".strip()


ROPE = Consumer("rope", "Rope embeddings", _files, embedding_dim=512, shared_file=True)
