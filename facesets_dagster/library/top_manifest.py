"""The library's `manifest.json`: merged, never rewritten.

Entries of facesets that did not change keep their bytes, whoever wrote them; keys that someone added are kept; facesets
that the registry does not know (a legacy library's) are kept as they are.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.library.numbering import read_manifest
from facesets_dagster.storage import write_text

SCHEMA_VERSION = 1
_LISTS = ("facesets", "thin_eras", "tombstones")


def merge_manifest(
    library_dir: Path,
    facesets: Iterable[Mapping[str, object]],
    thin_eras: Iterable[Mapping[str, object]],
    tombstones: Iterable[Mapping[str, object]],
) -> bool:
    """Merges entries into `manifest.json` by name; True if the file changed.

    The lists are complete: an entry of a name with a tombstone leaves the facesets, a tombstone of
    a name that lives again leaves the tombstones.
    """
    path = library_dir / "manifest.json"
    old_text = path.read_text(encoding="utf-8") if path.exists() else ""
    old = read_manifest(library_dir)
    raw = {key: _raw_entries(old_text, old, key) for key in _LISTS}
    live = {str(entry["name"]): entry for entry in facesets}
    thin = {str(entry["name"]): entry for entry in thin_eras}
    dead = {str(entry["name"]): entry for entry in tombstones}
    merged = {
        "facesets": _merged(raw["facesets"], live, drop={*dead, *thin}),
        "thin_eras": _merged(raw["thin_eras"], thin, drop={*dead, *live}),
        "tombstones": _merged(raw["tombstones"], dead, drop={*live, *thin}),
    }
    text = _render(old, merged)
    if text == old_text:
        return False
    write_text(path, text)
    return True


def entries_by_name(library_dir: Path) -> dict[str, dict[str, object]]:
    """Name -> entry of every faceset and thin era that `manifest.json` lists; raises `LibraryCorrupt`."""
    manifest = read_manifest(library_dir)
    found: dict[str, dict[str, object]] = {}
    for key in ("facesets", "thin_eras"):
        entries = manifest.get(key, [])
        if not isinstance(entries, list):
            raise LibraryCorrupt(f"`{key}` in {library_dir / 'manifest.json'} is not a list. Mend the file.")
        found.update({str(entry.get("name")): entry for entry in entries if isinstance(entry, dict)})
    return found


def _raw_entries(text: str, manifest: Mapping[str, object], key: str) -> list[tuple[dict[str, object], str]]:
    """The entries of a list with the very text that stands in the file."""
    wanted = manifest.get(key, [])
    if not isinstance(wanted, list):
        raise LibraryCorrupt(f"`{key}` in manifest.json is a {type(wanted).__name__}, expected a list. Mend the file.")
    if not wanted:
        return []
    position = _list_start(text, key)
    decoder = json.JSONDecoder()
    entries: list[tuple[dict[str, object], str]] = []
    while len(entries) < len(wanted):
        while text[position] in " \t\r\n,":
            position += 1
        value, end = decoder.raw_decode(text, position)
        if not isinstance(value, dict):
            raise LibraryCorrupt(f"`{key}` in manifest.json holds {value!r}, expected objects with a `name`.")
        entries.append((value, text[position:end]))
        position = end
    return entries


def _list_start(text: str, key: str) -> int:
    """Position after the `[` of a top-level list."""
    decoder = json.JSONDecoder()
    position = text.index("{") + 1
    while True:
        while text[position] in " \t\r\n,":
            position += 1
        name, position = decoder.raw_decode(text, position)
        while text[position] in " \t\r\n:":
            position += 1
        if name == key:
            return position + 1
        _, position = decoder.raw_decode(text, position)


def _merged(
    raw: list[tuple[dict[str, object], str]], wanted: Mapping[str, Mapping[str, object]], drop: set[str]
) -> list[str]:
    """Texts of the entries: old ones in their place, new ones after them in name order."""
    texts: list[str] = []
    seen: set[str] = set()
    for old, text in raw:
        name = str(old.get("name", ""))
        seen.add(name)
        if name in drop and name not in wanted:
            continue
        entry = wanted.get(name)
        if entry is None or all(key in old and old[key] == value for key, value in entry.items()):
            texts.append(text)
        else:
            texts.append(_entry_text({**old, **entry}))
    texts.extend(_entry_text(dict(wanted[name])) for name in sorted(set(wanted) - seen, key=_by_number))
    return texts


def _by_number(name: str) -> tuple[int, str]:
    digits = name.removeprefix("faceset_").split("_")[0]
    return (int(digits) if digits.isdigit() else 0, name)


def _entry_text(entry: Mapping[str, object]) -> str:
    return json.dumps(entry, indent=2, ensure_ascii=False).replace("\n", "\n    ")


def _render(old: Mapping[str, object], merged: Mapping[str, list[str]]) -> str:
    parts = []
    for key in ["schema_version", *(key for key in old if key not in ("schema_version", *_LISTS)), *_LISTS]:
        if key in _LISTS:
            body = ",\n    ".join(merged[key])
            value = f"[\n    {body}\n  ]" if merged[key] else "[]"
        else:
            default = SCHEMA_VERSION if key == "schema_version" else None
            value = json.dumps(old.get(key, default), indent=2, ensure_ascii=False).replace("\n", "\n  ")
        parts.append(f"  {json.dumps(key)}: {value}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
