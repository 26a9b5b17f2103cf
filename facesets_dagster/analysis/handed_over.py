"""A person's exported files copied into a folder of another program, named by the person."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facesets_dagster.export.consumers.consumer import ExportFile, file_names
from facesets_dagster.export.consumers.owned_folder import FolderOutcome, files_of, held_in, update_folder


@dataclass(frozen=True)
class HandedOver:
    """What became of the files for one program."""

    consumer: str
    folder: Path
    outcome: FolderOutcome


def hand_over(exports_dir: Path, consumers: Sequence[str], faceset: str, title: str, target: Path) -> list[HandedOver]:
    """Copies what `exports_dir` holds of a faceset into `target`, or into a folder there for each of several programs.

    Files that were changed or put there by hand stay as they are; so do those of other facesets.
    """
    done = []
    for consumer in consumers:
        files = [_named(file, faceset, title) for file in files_of(exports_dir / consumer, faceset)]
        folder = target / consumer if len(consumers) > 1 else target
        provenance = {name: {"exported_for": consumer} for file in files for name in file.facesets}
        outcome = update_folder(folder, files, provenance, unnamed=held_in(folder) - {faceset})
        done.append(HandedOver(consumer, folder, outcome))
    return done


def _named(file: ExportFile, faceset: str, title: str) -> ExportFile:
    """The same file under the person's name; one that several facesets share keeps its own."""
    first, slash, rest = file.path.partition("/")
    stem, dot, suffix = (first, "", "") if slash else first.partition(".")
    if len(file.facesets) > 1 or stem not in (faceset, title):
        return file
    return replace(file, path=f"{file_names({faceset: title})[faceset]}{dot}{suffix}{slash}{rest}")
