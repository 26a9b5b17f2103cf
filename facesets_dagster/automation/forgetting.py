"""The job `forget`: every trace of somebody or something removed, as `facesets forget` does."""

from collections.abc import Callable

import dagster as dg
from pydantic import Field

from facesets_dagster.assets._forgetting import forgetting_of
from facesets_dagster.automation.attempts import require_rest
from facesets_dagster.publishing.forgetting.carrying_out import begin, finish
from facesets_dagster.publishing.forgetting.plan import ForgetPlan
from facesets_dagster.publishing.forgetting.subjects import Subjects
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource


class ForgetConfig(dg.Config):
    """What is to be forgotten; without a name, what was begun is finished. The run's config goes with the rest."""

    person: str | None = Field(default=None, description="A face set, or a person's name.")
    photo: str | None = Field(default=None, description="sha256 of a photo's bytes.")
    bucket: str | None = Field(default=None, description="The partition key of a bucket.")
    dry_run: bool = Field(default=False, description="Say in numbers what would go; nothing is removed.")


@dg.op(description="Removes every trace of a person, a photo or a bucket, and keeps it out from now on.")
def forget_everywhere(
    context: dg.OpExecutionContext, config: ForgetConfig, home: HomeResource, embedder: EmbedderResource
) -> None:
    """Raises `LibraryError` if nothing of that name is there."""

    def chosen(subjects: Subjects) -> ForgetPlan | None:
        if config.person is not None:
            return subjects.person(subjects.person_called(config.person))
        if config.photo is not None:
            return subjects.photos({config.photo.lower()})
        return subjects.bucket(config.bucket) if config.bucket is not None else None

    forget_in_run(context, home, embedder, chosen, dry_run=config.dry_run)


def forget_in_run(
    context: dg.OpExecutionContext,
    home: HomeResource,
    embedder: EmbedderResource,
    chosen: Callable[[Subjects], ForgetPlan | None],
    *,
    dry_run: bool = False,
) -> None:
    """Forgets what `chosen` plans; what was begun before is finished first. Says numbers only: this run's log stays."""
    forgetting = forgetting_of(home, embedder, context.instance, context.run_id, context.log.debug)
    require_rest(context.instance, but=context.run_id)
    finish(forgetting)
    plan = chosen(forgetting.subjects)
    if plan is None or plan.is_empty:
        context.log.info("There is nothing to forget.")
        return
    context.log.info(f"to forget: {dict(plan.counts)}")
    if not dry_run:
        begin(forgetting, plan)
        done = finish(forgetting)
        context.log.info(f"forgotten: {done.counts if done else {}}")


@dg.job(description="Removes every trace of a person, a photo or a bucket, as `facesets forget` does.")
def forget() -> None:
    """One step."""
    forget_everywhere()
