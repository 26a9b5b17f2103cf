"""What the home's policy withholds: what is so, what is not so yet, and what lies in exports for other programs."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from facesets_dagster.export.consumers import CONSUMERS
from facesets_dagster.export.consumers.owned_folder import sources_in
from facesets_dagster.identities.consent import WITHHELD
from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.numbering import faceset_folder
from facesets_dagster.publishing.consent.judging import Consent, withheld_now


@dataclass(frozen=True)
class WithheldFaceset:
    """A live face set of which the policy withholds faces, or did."""

    name: str
    label: str | None
    rules: tuple[str, ...]
    """By the policy as it is now."""
    withheld: int
    """Faces that it withholds now."""
    exported: int
    """Faces that its folder holds now."""
    state: str
    """`withheld`; `to_withhold`: its folder still holds some; `to_let_out`: it lacks faces that may be there."""
    exports: tuple[str, ...]
    """Programs for which files with more of it than the policy lets out lie in the exports."""


def withheld_facesets(consent: Consent, exports_dir: Path) -> list[WithheldFaceset]:
    """By name; what is to be let out again too."""
    library = consent.library
    concerned = {one.identity.name: one for one in consent.concerned()}
    withheld = withheld_now(library)
    if not (concerned or withheld):
        return []
    held = {program: sources_in(exports_dir / program) for program in sorted(CONSUMERS)}
    digests = library.registry.manifest_digests()
    live = {one.name: one for one in library.registry.identities() if one.live}
    found = []
    for name in sorted({*concerned, *withheld} & live.keys()):
        identity, one = live[name], concerned.get(name)
        manifest = one.manifest if one else read_faceset(library.folder / faceset_folder(name, identity.kind))
        if manifest is None:
            continue
        count = sum(entry.state == WITHHELD for entry in manifest.excluded)
        rules, state = manifest.withheld, "withheld"
        if one is not None:
            rules, count = (one.wanted.rules, len(one.wanted.faces)) if one.wanted else ((), 0)
            state = "to_withhold" if one.lets_out else "to_let_out"
        right = {str(digests.get(name))} if state == "withheld" and manifest.faces else set[str]()
        old = (program for program, sources in held.items() if sources.get(name, set()) - right)
        programs = tuple(old) if state != "to_let_out" else ()
        found.append(WithheldFaceset(name, identity.label, rules, count, len(manifest.faces), state, programs))
    return found


def left_to_do(facesets: Collection[WithheldFaceset]) -> list[WithheldFaceset]:
    """Those of which more is out than the policy lets out."""
    return [one for one in facesets if one.state == "to_withhold" or one.exports]
