"""`facesets recover` and `facesets upgrade`: a registry that was lost, and a home of an older release."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from facesets_dagster.cli.program import console, say
from facesets_dagster.cli.tables import print_json, text_table
from facesets_dagster.errors import SettingsError
from facesets_dagster.home import require_library
from facesets_dagster.publishing.recovery.recovery import Recovery, recover, recovery, restore
from facesets_dagster.publishing.upgrading import upgrade, upgrade_steps
from facesets_dagster.registry.backups import Backup, backups_of
from facesets_dagster.registry.registry import registry_at
from facesets_dagster.settings import Settings
from facesets_dagster.wording import counted


def print_recovery(settings: Settings, *, dry_run: bool, as_json: bool) -> None:
    """Rebuilds the registry, or says what that would come to."""
    require_library(settings)
    folder, url = settings.library_dir, settings.database_url
    found = recovery(folder, url) if dry_run else recover(folder, url, say)
    if as_json:
        print_json({**_numbers(found), "dry_run": dry_run})
        return
    for line in _lines(found, dry_run=dry_run):
        typer.echo(line)


def print_upgrade(settings: Settings, *, dry_run: bool, as_json: bool) -> None:
    """Brings a home of an older release up to this one, or says what that would come to."""
    require_library(settings)
    steps = upgrade_steps(settings) if dry_run else upgrade(settings, say)
    if as_json:
        print_json({"steps": steps, "dry_run": dry_run})
        return
    for line in steps or ["The home is of this release: there is nothing to upgrade."]:
        typer.echo(line)
    if steps:
        typer.echo("Nothing was written." if dry_run else "Done. No faceset was touched.")


def print_restored(settings: Settings, name: str, *, as_json: bool) -> None:
    """Puts a copy in the registry's place."""
    require_library(settings)
    chosen, kept = restore(settings.library_dir, settings.database_url, name, say)
    if as_json:
        print_json({"restored": chosen.name, "generation": chosen.generation, "kept": kept})
        return
    typer.echo(f"The registry is the copy {chosen.name} (generation {chosen.generation}).{_kept(kept)}")


def print_backups(settings: Settings, *, as_json: bool) -> None:
    """Lists the copies of the registry."""
    require_library(settings)
    rows = [_row(one) for one in backups_of(registry_at(settings.database_url))]
    if as_json:
        print_json({"backups": rows})
    elif rows:
        console().print(text_table(counted(len(rows), "copy", "copies"), rows))
        typer.echo("`facesets recover --from-backup NAME` puts one in the registry's place; `latest` is the newest.")
    else:
        typer.echo("There is no copy of the registry. `facesets recover` rebuilds it from the facesets.")


def require_no_name(name: str | None) -> None:
    """Raises `SettingsError` for a name without the option that it belongs to."""
    if name is not None:
        raise SettingsError(
            f"{name!r} names a copy of the registry: write `--from-backup {name}`. Nothing was changed."
        )


def _lines(found: Recovery, *, dry_run: bool) -> Sequence[str]:
    if not found.why:
        return ["Registry and library belong together, and the registry can be read: there is nothing to recover."]
    numbers = _numbers(found)
    what = (
        f"{counted(found.rows.live, 'faceset')} in use, {numbers['out_of_use']} out of use, "
        f"{counted(len(found.rows.members), 'member')}, {counted(found.rulings, 'ruling')}, "
        f"{counted(len(found.rows.bucket_runs), 'bucket')}"
    )
    lines = [found.why, f"{'It would be rebuilt' if dry_run else 'It was rebuilt'} from the library: {what}."]
    lines += [f"Not known: {line}" for line in found.unknown]
    if dry_run:
        return [*lines, "Nothing was written."]
    return [*lines, f"No faceset was touched.{_kept(found.kept)} `facesets verify` checks every file."]


def _kept(kept: Path | None) -> str:
    return f" What lay in its place is now {kept}." if kept else ""


def _numbers(found: Recovery) -> dict[str, Any]:
    rows = found.rows
    return {
        "found": found.why or None,
        "facesets": rows.live,
        "out_of_use": len(rows.identities) - rows.live,
        "members": len(rows.members),
        "rulings": found.rulings,
        "buckets": len(rows.bucket_runs),
        "not_known": list(found.unknown),
        "kept": found.kept,
    }


def _row(one: Backup) -> dict[str, Any]:
    made = one.made_at.isoformat(timespec="seconds")
    return {"name": one.name, "made": made, "generation": one.generation, "bytes": one.path.stat().st_size}
