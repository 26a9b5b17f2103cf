"""`consent.yaml` in the home: what is never exported. Its one reader; the form is in `docs/consent.md`.

A file that cannot be read, or says something that is not understood, stops what would publish or export: a rule with a
slip of the pen must not be a rule that is not there.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from facesets_dagster.errors import SettingsError
from facesets_dagster.identities.consent import ALL, EXPORT, KINDS, Policy, Rule

FILE = "consent.yaml"
_MOST_BYTES = 1_000_000
_KEYS = ("export", "never", "minimum_age")
_OLDEST = 120
_IN_RULES = (*KINDS, "reason")


def consent_file(library_dir: Path) -> Path:
    """The policy of the home that a library belongs to; all libraries of a home have one."""
    return library_dir.parent / FILE


def policy_of(library_dir: Path) -> Policy | None:
    """The policy of a library's home; None without a file. Raises `SettingsError`."""
    return read_policy(consent_file(library_dir))


def read_policy(path: Path) -> Policy | None:
    """None without a file. Raises `SettingsError` with line and key for what is not understood."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SettingsError(f"{path} is larger than {_MOST_BYTES:,} bytes. {_STOPPED}")
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        if path.is_symlink():
            raise SettingsError(f"{path} is a link to a file that is not there. {_STOPPED}") from None
        return None
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        what = (
            "its brackets are nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        )
        raise SettingsError(f"{path} cannot be read ({what[:300]}). {_STOPPED}") from error
    return Policy() if root is None or _is_null(root) else _Reader(path).policy(root)


_STOPPED = "Until it is mended nothing is published or exported. Nothing was changed."


def refusal(path: Path, line: int, what: str) -> SettingsError:
    """The error for a line of the file that cannot be obeyed."""
    return SettingsError(f"{path}, line {line}: {what}. {_STOPPED}")


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def policy(self, root: yaml.Node) -> Policy:
        values = dict(self._entries(root, _KEYS, "the file"))
        export = ALL
        if "export" in values:
            export = self._text(values["export"], "export")
            if export not in EXPORT:
                raise self._wrong(values["export"], f"`export` is {export!r}, expected {' or '.join(EXPORT)}")
        rules = tuple(self._rules(values["never"])) if "never" in values else ()
        return Policy(export, rules, self._age(values["minimum_age"]) if "minimum_age" in values else None)

    def _age(self, node: yaml.Node) -> float:
        text = self._text(node, "minimum_age")
        try:
            age = float(text)
        except ValueError:
            age = -1.0
        if not 0 < age <= _OLDEST:
            raise self._wrong(node, f"`minimum_age` is {text!r}, expected years between 0 and {_OLDEST}")
        return age

    def _rules(self, node: yaml.Node) -> Iterator[Rule]:
        if _is_null(node):
            return
        if not isinstance(node, yaml.SequenceNode):
            raise self._wrong(node, "`never` is no list; expected entries such as `- person: Anna`")
        for entry in node.value:
            values = dict(self._entries(entry, _IN_RULES, "an entry of `never`"))
            kinds = [key for key in values if key in KINDS]
            if len(kinds) != 1:
                found = " and ".join(f"`{key}`" for key in kinds) or "none of them"
                raise self._wrong(entry, f"an entry of `never` names one of {', '.join(KINDS)}, found {found}")
            reason = self._text(values["reason"], "reason") if "reason" in values else None
            yield Rule(kinds[0], self._text(values[kinds[0]], kinds[0]), reason, entry.start_mark.line + 1)

    def _entries(self, node: yaml.Node, keys: tuple[str, ...], where: str) -> Iterator[tuple[str, yaml.Node]]:
        """Keys and values of a mapping, each key known and given once."""
        if not isinstance(node, yaml.MappingNode):
            raise self._wrong(node, f"{where} holds {_shown(node)}, expected keys: {', '.join(keys)}")
        seen: set[str] = set()
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else _shown(key)
            if name not in keys:
                raise self._wrong(key, f"`{name}` is no key of {where}; expected {', '.join(keys)}")
            if name in seen:
                raise self._wrong(key, f"`{name}` is given twice in {where}")
            seen.add(name)
            yield name, value

    def _text(self, node: yaml.Node, key: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or _is_null(node) or not node.value.strip():
            raise self._wrong(node, f"`{key}` is {_shown(node)}, expected a text")
        return str(node.value).strip()

    def _wrong(self, node: yaml.Node, what: str) -> SettingsError:
        return refusal(self._path, node.start_mark.line + 1, what)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return "nothing" if _is_null(node) or not node.value.strip() else repr(str(node.value)[:60])
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
