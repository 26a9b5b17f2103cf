"""`facesets consent`: what the policy withholds, by the library as it is now; changes nothing but in `apply`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from facesets_dagster.analysis.withheld import WithheldFaceset, withheld_facesets
from facesets_dagster.assets._consent import consent_here
from facesets_dagster.cli import ruling_job
from facesets_dagster.cli.program import console
from facesets_dagster.cli.tables import print_json, text_table
from facesets_dagster.errors import LibraryError
from facesets_dagster.export.consumers.owned_folder import remove_facesets
from facesets_dagster.identities.handles import described
from facesets_dagster.identities.identity import Identity
from facesets_dagster.library.consent import consent_file
from facesets_dagster.publishing.consent.judging import Consent
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted

_STATES = {"withheld": "withheld", "to_withhold": "not withheld yet", "to_let_out": "not given back yet"}


def print_consent(settings: Settings, *, as_json: bool) -> None:
    """The policy, and the face sets that it concerns. Raises `SettingsError` for a file that cannot be used."""
    consent = _consent(settings)
    facesets = withheld_facesets(consent, settings.exports_dir)
    if as_json:
        print_json(_as_json(consent, facesets))
    else:
        _print(settings, consent, facesets)


def apply_consent(settings: Settings, *, as_json: bool) -> None:
    """Brings library and exports up to the policy."""
    consent = _consent(settings)
    before = withheld_facesets(consent, settings.exports_dir)
    run_id = ruling_job.apply_now(settings, command="facesets consent apply")
    removed = []
    for program in sorted({program for one in before for program in one.exports}):
        names = [one.name for one in before if program in one.exports]
        removed += [f"{program}/{path}" for path in remove_facesets(settings.exports_dir / program, names)]
    after = withheld_facesets(consent, settings.exports_dir)
    if as_json:
        print_json({**_as_json(consent, after), "removed_exports": removed, "run_id": run_id})
        return
    _print(settings, consent, after)
    if removed:
        files = counted(len(removed), "file")
        console().print(f"{files} removed from {settings.exports_dir}; `facesets export` makes files of others again.")


def require_let_out(settings: Settings, person: Identity) -> None:
    """Raises `LibraryError` if the policy withholds every face of a person."""
    for one in withheld_facesets(_consent(settings), settings.exports_dir):
        if one.name == person.name and one.rules and (one.state == "to_withhold" or not one.exported):
            raise LibraryError(
                f"consent.yaml withholds {described(person)} ({', '.join(one.rules)}), so nothing of this person is "
                "exported. `facesets consent` lists what is withheld. Nothing was changed."
            )


def _consent(settings: Settings) -> Consent:
    return consent_here(HomeResource.of(settings), ruling_job.embedder_of(settings))


def _as_json(consent: Consent, facesets: Sequence[WithheldFaceset]) -> dict[str, Any]:
    policy = consent.policy
    return {
        "policy": None if policy is None else {"export": policy.export, "digest": policy.digest},
        "rules": [] if policy is None else [asdict(rule) for rule in policy.rules],
        "facesets": [asdict(one) for one in facesets],
        "rules_without_anybody": [rule.words for rule in consent.unmatched()],
    }


def _print(settings: Settings, consent: Consent, facesets: Sequence[WithheldFaceset]) -> None:
    out, path, policy = console(), consent_file(settings.library_dir), consent.policy
    if policy is None:
        out.print(f"There is no {path}: everything may be exported.", markup=False, soft_wrap=True)
    else:
        rules = counted(len(policy.rules), "rule")
        out.print(f"{path}: export {policy.export}, {rules} of never", markup=False, soft_wrap=True)
    rows = [
        {
            "faceset": one.name,
            "person": one.label or "",
            "withheld": one.withheld,
            "exported": one.exported,
            "state": _STATES[one.state],
            "rules": ", ".join(one.rules),
            "in exports of": ", ".join(one.exports),
        }
        for one in facesets
    ]
    if rows:
        out.print(text_table("Withheld", rows))
    for rule in consent.unmatched():
        line = f"line {rule.line}: {rule.words} is nobody and nothing that is known now; it holds for who comes later"
        out.print(line, style="yellow", markup=False, soft_wrap=True)
    if any(one.state != "withheld" or one.exports for one in facesets):
        out.print("The next run makes it true in the library; `facesets consent apply` does it now, in exports too.")
