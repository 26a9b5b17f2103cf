"""Words that the shell completes. Read from names of folders and `manifest.json` alone: a key press must not wait."""

import json
from collections.abc import Iterator
from pathlib import Path

from facesets_dagster.errors import FacesetsError


def bucket_names(incomplete: str) -> list[str]:
    """Bucket folders of this home."""
    found = []
    for root in _roots():
        try:
            found += [path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
        except OSError:
            continue  # completion says nothing where the command would say why
    return _beginning(incomplete, found)


def person_names(incomplete: str) -> list[str]:
    """Facesets of this home and the people's names."""
    return _beginning(incomplete, list(_people()))


def consumer_names(incomplete: str) -> list[str]:
    """Programs that face sets are exported to."""
    return _beginning(incomplete, ["facefusion", "reactor", "rope", "visomaster"])


def pack_names(incomplete: str) -> list[str]:
    """Packs that can be downloaded."""
    return _beginning(incomplete, ["embedded", "buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2"])


def _beginning(incomplete: str, words: list[str]) -> list[str]:
    return sorted({word for word in words if word.startswith(incomplete)})


def _people() -> Iterator[str]:
    from facesets_dagster.settings import load_settings

    try:
        path = load_settings().library_dir / "manifest.json"
        entries = json.loads(path.read_text(encoding="utf-8"))["facesets"]
    except (FacesetsError, OSError, ValueError, KeyError):
        return
    for entry in entries:
        yield str(entry["name"])
        if entry.get("label"):
            yield str(entry["label"])


def _roots() -> tuple[Path, ...]:
    from facesets_dagster.settings import load_settings

    try:
        return load_settings().bucket_roots
    except FacesetsError:
        return ()
