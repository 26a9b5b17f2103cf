"""The library's `manifest.json`: merged, never rewritten.

Entries of facesets that did not change keep their bytes, whoever wrote them; keys that someone added are kept; facesets
that the registry does not know (a legacy library's) are kept as they are. An entry that left because its faceset was
merged comes back with the text and at the place that it had.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.files.states import Kept, state_of
from facesets_dagster.files.writing import write_text
from facesets_dagster.library.numbering import read_manifest
from facesets_dagster.registry.ruled import KeptEntry

SCHEMA_VERSION = 1
CONSENT = "consent"
"""Key of the digest of the home's policy; absent without one."""
LATER_KEYS = frozenset({"filled", "withheld"})
"""Keys of ours that entries of older releases and of adopted facesets lack; every other key is in each entry."""
_LISTS = ("facesets", "thin_eras", "tombstones")


@dataclass(frozen=True)
class TopManifest:
    """The file as it stands. Kept between calls: read it, change nothing in it."""

    text: str
    others: Mapping[str, object]
    """Keys beside the lists; `{}` without a file."""
    entries: Mapping[str, Sequence["Entry"]]
    """Key of a list -> its entries."""

    def listed(self, key: str) -> list[dict[str, object]]:
        """The entries of `facesets`, `thin_eras` or `tombstones` without their texts."""
        return [entry for entry, _ in self.entries[key]]


Entry = tuple[dict[str, object], str]
"""An entry and its very text in the file."""

_KNOWN = Kept[TopManifest]()
"""A process that publishes a thousand buckets reads the file once."""


def read_top_manifest(library_dir: Path) -> TopManifest:
    """The top-level manifest; raises `LibraryCorrupt` if it cannot be read."""
    path = library_dir / "manifest.json"
    state = state_of(path)
    if state is None:
        return TopManifest("", {}, dict.fromkeys(_LISTS, ()))
    known = _KNOWN.get(path)
    if known is None:
        value = read_manifest(library_dir)
        text = path.read_text(encoding="utf-8")
        entries = {key: _raw_entries(text, value, key) for key in _LISTS}
        known = TopManifest(text, {key: value[key] for key in value if key not in _LISTS}, entries)
        _KNOWN.put(path, state, known)
    return known


def merge_manifest(
    library_dir: Path,
    facesets: Iterable[Mapping[str, object]],
    thin_eras: Iterable[Mapping[str, object]],
    tombstones: Iterable[Mapping[str, object]],
    kept: Mapping[str, KeptEntry] | None = None,
    *,
    policy: str | None = None,
) -> bool:
    """Merges entries into `manifest.json` by name; True if the file changed.

    An entry of a name with a tombstone leaves the facesets, a tombstone of a name that lives again leaves the
    tombstones; names that are not given stay as they stand. `kept`: entries that get their text and place back where
    they say the same again. `policy`: digest of the home's.
    """
    old = read_top_manifest(library_dir)
    beside = {key: value for key, value in old.others.items() if key != CONSENT}
    beside |= {CONSENT: policy} if policy else {}
    live = {str(entry["name"]): entry for entry in facesets}
    thin = {str(entry["name"]): entry for entry in thin_eras}
    dead = {str(entry["name"]): entry for entry in tombstones}
    merged = {
        "facesets": _merged(old.entries["facesets"], live, {*dead, *thin}, _of_section(kept, "facesets")),
        "thin_eras": _merged(old.entries["thin_eras"], thin, {*dead, *live}, _of_section(kept, "thin_eras")),
        "tombstones": _merged(old.entries["tombstones"], dead, {*live, *thin}, {}),
    }
    text = _render(beside, merged)
    if text == old.text:
        return False
    path = library_dir / "manifest.json"
    write_text(path, text)
    others = {"schema_version": SCHEMA_VERSION, **beside}
    _KNOWN.put(path, state_of(path), TopManifest(text, others, merged))
    return True


def entries_by_name(library_dir: Path) -> dict[str, dict[str, object]]:
    """Name -> entry of every faceset and thin era that `manifest.json` lists; raises `LibraryCorrupt`."""
    entries = read_top_manifest(library_dir).entries
    return {str(entry.get("name")): entry for key in ("facesets", "thin_eras") for entry, _ in entries[key]}


def entries_as_they_stand(library_dir: Path, merged: Mapping[str, KeptEntry]) -> dict[str, KeptEntry]:
    """Name -> text and place of every faceset and thin era that is listed. `merged`: those who are merged now."""
    entries = read_top_manifest(library_dir).entries
    found = {}
    for section in ("facesets", "thin_eras"):
        texts = {str(entry.get("name", "")): raw for entry, raw in entries[section]}
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


def _raw_entries(text: str, manifest: Mapping[str, object], key: str) -> list[Entry]:
    """The entries of a list with the very text that stands in the file."""
    wanted = manifest.get(key, [])
    if not isinstance(wanted, list):
        raise LibraryCorrupt(f"`{key}` in manifest.json is a {type(wanted).__name__}, expected a list. Fix the file.")
    if not wanted:
        return []
    position = _list_start(text, key)
    decoder = json.JSONDecoder()
    entries: list[Entry] = []
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
    old: Sequence[Entry],
    wanted: Mapping[str, Mapping[str, object]],
    drop: set[str],
    kept: Mapping[str, KeptEntry],
) -> list[Entry]:
    """The entries: old ones in their place, those that come back where they were, new ones after them."""
    named = [(str(entry[0].get("name", "")), entry) for entry in old]
    seen = {name for name, _ in named}
    stay = [(name, entry) for name, entry in named if name in wanted or name not in drop]
    names = [name for name, _ in stay]
    found = [_entry_now(entry, wanted[name], kept.get(name)) if name in wanted else entry for name, entry in stay]
    for name in sorted(wanted.keys() - seen, key=_by_number):
        known = kept.get(name)
        if known is None:
            place, now = len(names), (dict(wanted[name]), _entry_text(wanted[name]))
        else:
            place = _place(names, known.before)
            now = _entry_now((json.loads(known.last), known.last), wanted[name], known)
        names.insert(place, name)
        found.insert(place, now)
    return found


def _entry_now(old: Entry, wanted: Mapping[str, object], kept: KeptEntry | None) -> Entry:
    """Says what is wanted, with the keys that someone added: the text that stands where it is true."""
    entry, _ = old
    gone = LATER_KEYS & entry.keys() - wanted.keys()
    if not gone and all(key in entry and entry[key] == value for key, value in wanted.items()):
        return old
    now = {**{key: value for key, value in entry.items() if key not in gone}, **wanted}
    if kept is not None and json.loads(kept.first) == now:
        return now, kept.first
    return now, _entry_text(now)


def _by_number(name: str) -> tuple[int, str]:
    digits = name.removeprefix("faceset_").split("_")[0]
    return (int(digits) if digits.isdigit() else 0, name)


def _entry_text(entry: Mapping[str, object]) -> str:
    return json.dumps(dict(entry), indent=2, ensure_ascii=False).replace("\n", "\n    ")


def _render(old: Mapping[str, object], merged: Mapping[str, Sequence[Entry]]) -> str:
    parts = []
    for key in ["schema_version", *(key for key in old if key != "schema_version"), *_LISTS]:
        if key in _LISTS:
            body = ",\n    ".join(text for _, text in merged[key])
            value = f"[\n    {body}\n  ]" if merged[key] else "[]"
        else:
            default = SCHEMA_VERSION if key == "schema_version" else None
            value = json.dumps(old.get(key, default), indent=2, ensure_ascii=False).replace("\n", "\n  ")
        parts.append(f"  {json.dumps(key)}: {value}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
