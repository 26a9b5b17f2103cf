"""Bucket folder names as partition keys, and back.

Dagster and its UI refuse brackets, control characters and `...` in a partition key, and accept `../../evil`. A key
therefore holds only letters and digits (of any script), space, `_`, `-` and inner dots; every other byte of the name's
UTF-8 (or undecodable) form is written `%XX`, `%` included, so that the mapping is one to one.

This is the boundary where names from outside are checked: sensor and assets call `folder_name` before they touch a
disk.
"""

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

from facesets_dagster.errors import BucketError
from facesets_dagster.files.writing import write_text

HAND_SORTED = "@hand_sorted"
"""Stands for a bucket where faces come from the hand-sorted folders; no folder name gives this key."""
REFINED = "@refined"
"""The same for identities made of the whole library at once."""
LIBRARY = "@library"
"""The same for reports on the whole library."""
LEGACY = "@legacy"
"""The same for identities adopted from a legacy library."""
CALIBRATION = "@calibration"
"""The same for the faces of a folder that a pack's numbers are measured on."""
_TITLES = {
    HAND_SORTED: "hand-sorted folders",
    REFINED: "the refined library",
    LIBRARY: "the whole library",
    LEGACY: "a legacy library",
    CALIBRATION: "labelled folders",
}

_PLAIN = re.compile(r"[\w\- ]")
_MAX_FILE_NAME_BYTES = 255
_LONGEST_OF_FILES, _HEAD = 230, 180
"""Bytes: room for `.parquet` and for what a file is called until it is complete."""
_CUT = "~"
"""Stands in no key."""
_CUT_ESCAPE = re.compile(r"%[0-9A-F]?$")
_KEY_FILE = "bucket_key.txt"


def is_pseudo(bucket: str) -> bool:
    """Whether a key stands for no bucket folder."""
    return bucket in _TITLES


def partition_key(folder_name: str) -> str:
    """The partition key of a bucket folder, e.g. `osrc [Originaldateien]` -> `osrc %5BOriginaldateien%5D`."""
    if folder_name in ("", ".", "..") or "/" in folder_name or "\0" in folder_name:
        raise BucketError(f"{folder_name!r} is not the name of a folder. Expected one path component.")
    return "".join(char if _is_plain(folder_name, index) else _escaped(char) for index, char in enumerate(folder_name))


def folder_name(key: str) -> str:
    """The folder name of a partition key. Raises `BucketError` for a key that no folder name gives."""
    name = os.fsdecode(unquote_to_bytes(key.encode("utf-8", "surrogateescape")))
    try:
        canonical = partition_key(name)
    except BucketError:
        canonical = None
    if canonical != key or len(os.fsencode(name)) > _MAX_FILE_NAME_BYTES:
        expected = f"{canonical!r}, if the folder {name!r} is meant" if canonical else "the escaped name of a folder"
        raise BucketError(
            f"{key!r} is not a valid bucket key. Expected {expected}. The sensor `new_bucket_sensor` and "
            "`facesets run` make keys from the folders under the buckets root."
        )
    return name


def file_name(key: str) -> str:
    """What files and folders of a bucket are called: its key, or the beginning of a long one with a digest.

    A key is up to three times as long as the folder's name, and file systems take 255 bytes.
    """
    data = key.encode("utf-8", "surrogateescape")
    if len(data) <= _LONGEST_OF_FILES:
        return key
    head = data[:_HEAD].decode("utf-8", "ignore")
    return f"{_CUT_ESCAPE.sub('', head).rstrip(' .')}{_CUT}{hashlib.sha256(data).hexdigest()[:20]}"


def key_in(folder: Path) -> str:
    """The key of the bucket to which a folder of that name belongs; a long one stands in a file there (`note_key`)."""
    if _CUT not in folder.name:
        return folder.name
    try:
        return (folder / _KEY_FILE).read_text(encoding="utf-8")
    except OSError:
        return folder.name


def note_key(folder: Path, key: str) -> None:
    """Makes a bucket's folder, and writes down a key that is too long for its name."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.name != key and not (folder / _KEY_FILE).exists():
        write_text(folder / _KEY_FILE, key)


def bucket_title(key: str) -> str:
    """What people read: the folder name of a bucket's key, or words for what is no bucket."""
    return _TITLES.get(key) or folder_name(key)


def _is_plain(name: str, index: int) -> bool:
    char = name[index]
    if char == ".":
        # A leading or trailing dot, or two in a row, mean something to file systems and to Dagster.
        return 0 < index < len(name) - 1 and name[index - 1] != "."
    if char == " ":
        return 0 < index < len(name) - 1
    return _PLAIN.fullmatch(char) is not None


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(char))
