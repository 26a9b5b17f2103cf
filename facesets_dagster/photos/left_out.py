"""Folders that hold no photos of a person's own: recycle bins, snapshots, thumbnails, caches, what this platform makes.

What belongs here: their names and what they are. They are not entered, only counted and said (`listing`, `roots`).
"""

import fnmatch
import re
from collections.abc import Iterable
from pathlib import Path

from facesets_dagster.files.parsing import parse_json

_BIN, _SNAPSHOTS, _SYSTEM = "a recycle bin", "snapshots of a file system", "a folder of the system"
_THUMBNAILS, _CACHE, _BUNDLE = "thumbnails or previews", "a program's cache", "a program's own files"

_NAMES = {
    **dict.fromkeys(("#recycle", "@recycle", "$recycle.bin", "recycler", "recycled", "trash-1000"), _BIN),
    **dict.fromkeys(("files_trashbin", "network trash folder", "temporary items"), _BIN),
    **dict.fromkeys(("#snapshot", "@snapshot", "@recently-snapshot", "~snapshot", "files_versions"), _SNAPSHOTS),
    **dict.fromkeys(("system volume information", "lost+found", "found.000", "__macosx", "msocache"), _SYSTEM),
    **dict.fromkeys(("@eadir", "@__thumb", "thumbnails", "thumbs", "_thumbs", "_thumbnails"), _THUMBNAILS),
    **dict.fromkeys(("adobe bridge cache", "media cache", "media cache files", "peak files"), _CACHE),
    **dict.fromkeys(("camera raw cache", "__pycache__", "node_modules"), _CACHE),
    **dict.fromkeys(("#trash", "@tmp", "@transcode", "@sharebin"), _SYSTEM),
}
_PATTERNS = {
    **dict.fromkeys(("*.lrdata", "*.lrcat-data", "*.cocatalogdb", "mipmaps-*.d"), _THUMBNAILS),
    **dict.fromkeys(("*.lrlibrary", "*.theater", "*.photoslibrary", "*.photolibrary"), _BUNDLE),
    **dict.fromkeys(("*.aplibrary", "*.migratedphotolibrary", "*.imovielibrary", "*.fcpbundle"), _BUNDLE),
}
_PATTERN = re.compile("|".join(fnmatch.translate(pattern) for pattern in _PATTERNS))
_BUNDLES = (".photoslibrary", ".photolibrary", ".aplibrary", ".migratedphotolibrary")
_ORIGINALS = ("originals", "masters")
"""Folders of such a bundle that hold the photos themselves."""

HIDDEN_FILES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "zbthumbnail.info", "picasa.ini"})
"""Files that systems leave in folders, in small letters. They are counted with the hidden ones."""

OWN, HOME = "written by this platform", "a home of this platform"
WRITTEN = (OWN, HOME)
LIBRARY_FOLDER = "facesets_swap_ready"
HOME_MARKER = "home.json"


def why_left_out(name: str, parent: str = "") -> str | None:
    """What a folder of this name is, if it holds no photos of a person's own; `parent`: name of the folder it is in."""
    folded, parent = name.casefold(), parent.casefold()
    if folded in _NAMES:
        return _NAMES[folded]
    if folded == "cache" and parent == "captureone":
        return _CACHE
    if parent.endswith(_BUNDLES):
        return None if folded in _ORIGINALS else _BUNDLE
    if folded.endswith(_BUNDLES):
        return None  # it is entered, for its originals
    if folded.startswith(LIBRARY_FOLDER):
        return "a library of face sets"
    match = _PATTERN.match(folded)
    return next(why for pattern, why in _PATTERNS.items() if fnmatch.fnmatch(folded, pattern)) if match else None


def is_home(folder: Path) -> bool:
    """Whether a folder is a home of this platform."""
    try:
        record = parse_json((folder / HOME_MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and "model_pack" in record and "schema_version" in record


def is_within(folder: Path, places: Iterable[Path]) -> bool:
    """Whether a folder is one of these places or lies in one."""
    return any(folder == place or place in folder.parents for place in places)
