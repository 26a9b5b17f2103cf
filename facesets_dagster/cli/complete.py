"""Words that the shell completes. Read from names of folders and `manifest.json` alone: a key press must not wait."""

from collections.abc import Iterator
from pathlib import Path

from facesets_dagster.errors import FacesetsError
from facesets_dagster.files.parsing import parse_json


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


def number_names(incomplete: str) -> list[str]:
    """Numbers that a home can set for its pack."""
    from facesets_dagster.embedding.home_numbers import MEASURED

    return _beginning(incomplete, list(MEASURED))


def kind_names(incomplete: str) -> list[str]:
    """Kinds of rulings."""
    from facesets_dagster.identities.rulings import KINDS

    return _beginning(incomplete, list(KINDS))


def state_names(incomplete: str) -> list[str]:
    """States of rulings."""
    from facesets_dagster.identities.rulings import STATES

    return _beginning(incomplete, list(STATES))


def ruling_ids(incomplete: str) -> list[str]:
    """Rulings that are not taken back."""
    from facesets_dagster.home import has_home
    from facesets_dagster.settings import load_settings

    try:
        settings = load_settings()
        if not has_home(settings):
            return []
        from facesets_dagster.library.home import Home
        from facesets_dagster.registry.rulings import all_rulings

        found = all_rulings(Home.of(settings).library().registry)
    except FacesetsError:
        return []
    return _beginning(incomplete, [one.ruling_id for one in found if one.state != "undone"])


def _beginning(incomplete: str, words: list[str]) -> list[str]:
    return sorted({word for word in words if word.startswith(incomplete)})


def _people() -> Iterator[str]:
    from facesets_dagster.settings import load_settings

    try:
        path = load_settings().library_dir / "manifest.json"
        entries = parse_json(path.read_text(encoding="utf-8"))["facesets"]
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
