"""The library's `manifest.json`: merged, never rewritten.

Entries of facesets that did not change keep their bytes, whoever wrote them; keys that someone added are kept; facesets
that the registry does not know (a legacy library's) are kept as they are. An entry that left because its faceset was
merged comes back with the text and at the place that it had.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.files.writing import write_text
from facesets_dagster.library.numbering import read_manifest
from facesets_dagster.registry.merges import KeptEntry

SCHEMA_VERSION = 1
_LISTS = ("facesets", "thin_eras", "tombstones")


def merge_manifest(
    library_dir: Path,
    facesets: Iterable[Mapping[str, object]],
    thin_eras: Iterable[Mapping[str, object]],
    tombstones: Iterable[Mapping[str, object]],
    kept: Mapping[str, KeptEntry] | None = None,
) -> bool:
    """Merges entries into `manifest.json` by name; True if the file changed.

    The lists are complete: an entry of a name with a tombstone leaves the facesets, a tombstone of
    a name that lives again leaves the tombstones. `kept`: entries that get their text and place back where they say
    the same again.
    """
    path = library_dir / "manifest.json"
    old_text = path.read_text(encoding="utf-8") if path.exists() else ""
    old = read_manifest(library_dir)
    raw = {key: _raw_entries(old_text, old, key) for key in _LISTS}
    live = {str(entry["name"]): entry for entry in facesets}
    thin = {str(entry["name"]): entry for entry in thin_eras}
    dead = {str(entry["name"]): entry for entry in tombstones}
    merged = {
        "facesets": _merged(raw["facesets"], live, {*dead, *thin}, _of_section(kept, "facesets")),
        "thin_eras": _merged(raw["thin_eras"], thin, {*dead, *live}, _of_section(kept, "thin_eras")),
        "tombstones": _merged(raw["tombstones"], dead, {*live, *thin}, {}),
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
            raise LibraryCorrupt(f"`{key}` in {library_dir / 'manifest.json'} is not a list. Fix the file.")
        found.update({str(entry.get("name")): entry for entry in entries if isinstance(entry, dict)})
    return found


def entries_as_they_stand(library_dir: Path, merged: Mapping[str, KeptEntry]) -> dict[str, KeptEntry]:
    """Name -> text and place of every faceset and thin era that is listed. `merged`: those who are merged now."""
    path = library_dir / "manifest.json"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    manifest = read_manifest(library_dir)
    found = {}
    for section in ("facesets", "thin_eras"):
        texts = {str(entry.get("name", "")): raw for entry, raw in _raw_entries(text, manifest, section)}
        names = list(texts)
        for name, entry in sorted(_of_section(merged, section).items()):
            if name not in texts:
                names.insert(_place(names, entry.before), name)
        for index, name in enumerate(names):
            if name in texts:
                found[name] = KeptEntry(texts[name], texts[name], section, frozenset(names[:index]))
    return found


def _of_section(kept: Mapping[str, KeptEntry] | None, section: str) -> dict[str, KeptEntry]:
    return {name: entry for name, entry in (kept or {}).items() if entry.section == section}


def _place(names: Sequence[str], before: AbstractSet[str]) -> int:
    """Index after the last name that stood before."""
    return max((index for index, name in enumerate(names, start=1) if name in before), default=0)


def _raw_entries(text: str, manifest: Mapping[str, object], key: str) -> list[tuple[dict[str, object], str]]:
    """The entries of a list with the very text that stands in the file."""
    wanted = manifest.get(key, [])
    if not isinstance(wanted, list):
        raise LibraryCorrupt(f"`{key}` in manifest.json is a {type(wanted).__name__}, expected a list. Fix the file.")
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
    raw: list[tuple[dict[str, object], str]],
    wanted: Mapping[str, Mapping[str, object]],
    drop: set[str],
    kept: Mapping[str, KeptEntry],
) -> list[str]:
    """Texts of the entries: old ones in their place, those that come back where they were, new ones after them."""
    texts: list[str] = []
    names: list[str] = []
    seen: set[str] = set()
    for old, text in raw:
        name = str(old.get("name", ""))
        seen.add(name)
        if name in drop and name not in wanted:
            continue
        names.append(name)
        texts.append(_text_now(old, text, wanted.get(name), kept.get(name)))
    for name in sorted(set(wanted) - seen, key=_by_number):
        known = kept.get(name)
        if known is None:
            place, text = len(names), _entry_text(dict(wanted[name]))
        else:
            place = _place(names, known.before)
            text = _text_now(json.loads(known.last), known.last, wanted[name], known)
        names.insert(place, name)
        texts.insert(place, text)
    return texts


def _text_now(old: Mapping[str, object], text: str, entry: Mapping[str, object] | None, kept: KeptEntry | None) -> str:
    """The text that says what `entry` says, with the keys that someone added: the one that stands where it is true."""
    if entry is None or all(key in old and old[key] == value for key, value in entry.items()):
        return text
    now = {**old, **entry}
    if kept is not None and json.loads(kept.first) == now:
        return kept.first
    return _entry_text(now)


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
