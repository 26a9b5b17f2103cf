"""`facesets forget`: a plan in numbers first, then everything of it removed, then what was done."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from facesets_dagster.analysis.asked_photos import asked_photos
from facesets_dagster.analysis.explanation import is_face_id
from facesets_dagster.assets._forgetting import forgetting_of
from facesets_dagster.automation.attempts import require_rest
from facesets_dagster.cli.asking import at_a_terminal, bucket_named, person_called
from facesets_dagster.cli.dagster_instance import instance_of
from facesets_dagster.cli.program import say
from facesets_dagster.cli.tables import print_json
from facesets_dagster.errors import LibraryError, SettingsError
from facesets_dagster.identities.handles import described
from facesets_dagster.library import forget_files
from facesets_dagster.library.home import Home
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.forgetting.carrying_out import Forgetting, Forgotten, begin, finish
from facesets_dagster.publishing.forgetting.plan import ForgetPlan
from facesets_dagster.publishing.forgetting.subjects import Subjects
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted


@dataclass(frozen=True)
class Wishes:
    """What the command line says."""

    what: str | None
    """A face set, a person's name, or a photo."""
    bucket: str | None
    gone: bool
    dry_run: bool
    yes: bool
    as_json: bool


def embedder_of(settings: Settings) -> EmbedderResource:
    """The home's models."""
    return EmbedderResource.of(settings)


def print_forgotten(settings: Settings, wishes: Wishes, confirm: Callable[[str], bool]) -> None:
    """Shows the plan and, unless it is a dry run, carries it out. What was begun before is finished first.

    Raises `SettingsError` if not exactly one thing is named, `LibraryError` if nothing of it is on record.
    """
    named = [one for one in (wishes.what, wishes.bucket, wishes.gone or None) if one is not None]
    if len(named) > 1 or (not named and forget_files.begun(settings.home) is None):
        raise SettingsError(
            "Name one thing to forget: a FACESET, a PERSON, a PHOTO, --bucket NAME or --gone. Nothing was changed."
        )
    with instance_of(settings) as instance:
        home = HomeResource.of(settings)
        forgetting = forgetting_of(home, embedder_of(settings), instance, str(uuid.uuid4()), say, via="cli")
        if not wishes.dry_run:
            require_rest(instance)
            _finished_first(forgetting, wishes, alone=not named)
        if not named:
            return
        title, plan = _planned(settings, forgetting.subjects, wishes)
        if plan.is_empty and wishes.gone:
            _show(wishes, title, plan, None)
            return
        if wishes.dry_run:
            _show(wishes, title, plan, None)
            return
        if not wishes.yes and not _agreed(title, plan, confirm):
            raise LibraryError("Nothing was changed.")
        begin(forgetting, plan)
        _show(wishes, title, plan, finish(forgetting))


def _finished_first(forgetting: Forgetting, wishes: Wishes, *, alone: bool) -> None:
    done = finish(forgetting)
    if done is not None and alone:
        _show(wishes, "what was begun before", done.plan, done)
    elif done is not None:
        say(f"finished what was begun before; receipt: {done.receipt}")


def _planned(settings: Settings, subjects: Subjects, wishes: Wishes) -> tuple[str, ForgetPlan]:
    """What it is called, and what goes."""
    if wishes.gone:
        return "what is gone from its place", subjects.gone()
    if wishes.bucket is not None:
        return _bucket(subjects, wishes.bucket)
    what, home = str(wishes.what), Home.of(settings)
    try:
        person = person_called(subjects.libraries[0], what)
    except LibraryError as error:
        if "/" not in what and not is_face_id(what):
            raise error
        contents = {str(one) for asked in asked_photos(home, what) for one in asked.contents}
        return f"the photo {what}", subjects.photos(contents)
    return described(person), subjects.person(person)


def _bucket(subjects: Subjects, text: str) -> tuple[str, ForgetPlan]:
    """A bucket by its name, also one whose folder is gone."""
    folders = dict.fromkeys(subjects.buckets, subjects.home.folder / "absent") | subjects.home.buckets()
    key = bucket_named(text, folders)
    return f"the bucket {bucket_title(key)}", subjects.bucket(key)


def _agreed(title: str, plan: ForgetPlan, confirm: Callable[[str], bool]) -> bool:
    if not at_a_terminal():
        raise SettingsError("Forgetting cannot be taken back. Add --yes, or --dry-run to see what would go.")
    return confirm(f"Forget {title} for ever: {_numbers(plan)}?")


def _numbers(plan: ForgetPlan) -> str:
    words = {"facesets": "face set", "faces": "face", "photos": "photo", "buckets": "bucket"}
    return (
        ", ".join(counted(plan.counts[key], word) for key, word in words.items() if plan.counts.get(key)) or "nothing"
    )


def _show(wishes: Wishes, title: str, plan: ForgetPlan, done: Forgotten | None) -> None:
    if wishes.as_json:
        print_json(
            {
                "kind": plan.kind,
                "plan": plan.digest(),
                "dry_run": wishes.dry_run,
                "counts": dict(plan.counts) if done is None else done.counts,
                "facesets": {"named": plan.names, "with_such_faces": plan.touched},
                "receipt": str(done.receipt) if done else None,
            }
        )
        return
    if done is None:
        say(f"{title}: {_numbers(plan)} would go. Face sets with such faces: {', '.join(plan.touched) or 'none'}.")
        say("Nothing was changed.")
        return
    say(f"forgotten: {title} ({_numbers(plan)})")
    kinds = ", ".join(f"{kind} {count}" for kind, count in done.counts.items() if kind not in plan.counts)
    say(f"removed or written anew: {kinds or 'nothing else'}")
    say(f"face sets removed: {len(done.removed)}, with fewer faces: {len(done.changed)}; receipt: {done.receipt}")
