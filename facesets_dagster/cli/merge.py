"""`facesets merge`: facesets of one person made one by the job `apply_merges`; what speaks against it comes first."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from facesets_dagster.cli.asking import person_called
from facesets_dagster.cli.program import console
from facesets_dagster.cli.tables import print_json
from facesets_dagster.errors import FacesetsError, LibraryError
from facesets_dagster.identities.handles import described
from facesets_dagster.identities.identity import Identity
from facesets_dagster.identities.merging import Merge
from facesets_dagster.library.home import Home
from facesets_dagster.library.library import Library
from facesets_dagster.publishing.rulings.merging import Asked, MergeRequest, asked_for
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted

_OPTIONS = {
    "`despite_labels: true`": "`--despite-labels`",
    "`despite_veto: true`": "`--despite-veto`",
    "`accept_again` takes that back": (
        "`facesets rulings undo ID` takes that back; `facesets rulings list --kind different` lists the ids"
    ),
}
"""As the run config names it -> as the command line does."""


@dataclass(frozen=True)
class Despite:
    """What a person overrules."""

    veto: bool
    labels: bool


def print_merge(settings: Settings, names: Sequence[str], despite: Despite, *, dry_run: bool, as_json: bool) -> int:
    """Merges them, or says what that would do. Raises what speaks against it, in one sentence."""
    home = Home.of(settings)
    library = home.library()
    people = {one.name: one for one in (person_called(library, name) for name in names)}
    merges = ahead(library, list(people), despite).merges if len(people) > 1 else []
    run_id = _merge(settings, list(people), despite) if merges and not dry_run else None
    if as_json:
        print_json({"merges": [asdict(one) for one in merges], "dry_run": dry_run, "run_id": run_id})
        return 0
    for merge in merges:
        console().print(_sentence(library, people, merge, dry_run=dry_run), markup=False, soft_wrap=True)
    if not merges:
        (one,) = people.values()
        console().print(f"Nothing to do: all of these are {described(one)} already.", markup=False, soft_wrap=True)
    return 0


def ahead(library: Library, names: Sequence[str], despite: Despite) -> Asked:
    """What a request to merge these comes to; an error speaks of options as the command line has them."""
    request = MergeRequest([names], despite_veto=despite.veto, despite_labels=despite.labels)
    try:
        return asked_for(library, request, None)
    except FacesetsError as error:
        text = str(error)
        for in_config, on_command_line in _OPTIONS.items():
            text = text.replace(in_config, on_command_line)
        raise type(error)(text) from error


def _merge(settings: Settings, names: list[str], despite: Despite) -> str:
    """Runs the job; gives the id of the run."""
    from facesets_dagster.automation.in_process import run_job
    from facesets_dagster.automation.noted_end import note_end, why_it_failed
    from facesets_dagster.cli.dagster_instance import instance_of
    from facesets_dagster.definitions import build_defs

    config = {"merges": [names], "despite_veto": despite.veto, "despite_labels": despite.labels}
    with instance_of(settings) as instance:
        job = build_defs(settings).resolve_job_def("apply_merges")
        done = run_job(job, instance, config={"ops": {"applied_rulings": {"config": config}}})
    note_end(done, job.name, settings.reports_dir)
    if not done.success:
        raise LibraryError(f"The run {done.run_id} did not finish: {why_it_failed(done, 'see the Dagster UI')}")
    return done.run_id


def _sentence(library: Library, people: dict[str, Identity], merge: Merge, *, dry_run: bool) -> str:
    merged, keeper = people[merge.merged], people[merge.keeper]
    did = "would be merged" if dry_run else "was merged"
    faces = len(library.registry.members([merge.merged]).get(merge.merged, {}))
    label = f" {keeper.name} takes the name {merged.label}." if merged.label and not keeper.label else ""
    return f"{described(merged)} {did} into {described(keeper)}: {counted(faces, 'face')}.{label}"
