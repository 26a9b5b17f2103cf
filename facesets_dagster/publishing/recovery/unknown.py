"""What a recovery could not know, in sentences."""

from facesets_dagster.identities.identity import ERA_KINDS
from facesets_dagster.library.remains import Remains
from facesets_dagster.photos.bucket_key import LEGACY, bucket_title
from facesets_dagster.publishing.recovery.rebuilt import RebuiltRows, notes_of_the_model

_MOST_NAMED = 5


def unknown_words(remains: Remains, rows: RebuiltRows) -> list[str]:
    """Files that cannot be read first, then what no file says."""
    lines = list(remains.problems)
    notes = notes_of_the_model(remains)
    noted = {note.run.bucket for note in notes}
    unnoted = sorted({row["bucket"] for row in rows.members} - noted - {LEGACY})
    if unnoted:
        lines.append(
            f"How the faces of {_named(list(map(bucket_title, unnoted)))} were judged that have no faceset: nothing is "
            "noted of these buckets, so their next run judges those faces anew, and people may grow by it."
        )
    open_runs = sorted(note.run.bucket for note in notes if not note.folder_digest)
    if open_runs:
        lines.append(f"Whether the last run of {_named(list(map(bucket_title, open_runs)))} ended: run it again.")
    members = {row["name"] for row in rows.members}
    empty = sorted(row["name"] for row in rows.identities if not row["live"] and row["name"] not in members)
    if empty:
        lines.append(
            f"The members of {_named(empty)}, out of use: no folder is left. The numbers stay taken; if these people "
            "are found again, they get new ones."
        )
    anchored = {str(row.get("name")) for row in remains.kept.get("tables", {}).get("eras", [])}
    eras = sorted(row["name"] for row in rows.identities if row["live"] and row["kind"] in ERA_KINDS)
    if lost := [name for name in eras if name not in anchored]:
        lines.append(
            f"What {_named(lost)} began with: later photos do not join them. Materialize era_facesets to split anew."
        )
    if remains.adopted:
        names = [str(one.entry.get("name")) for one in remains.adopted]
        lines.append(f"The members of {_named(names)}, of a legacy library: materialize legacy_library.")
    if remains.mark is None:
        lines.append(
            "Rulings, and the order in which people were founded: the library was last published by an older release, "
            "which noted neither. Numbers stand for the order."
        )
    else:
        lines.append("Rulings that were made after the last publication, if there were any.")
    return lines


def _named(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
