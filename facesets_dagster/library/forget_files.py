"""Files of forgetting beside the block list: what was begun and is not finished, and receipts of what is done.

forgotten/pending.json                 the plan that is being carried out; it names what goes, and is removed last
forgotten/receipts/<time>-<digest>.json    counts and digests, no name
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.files.writing import sync_folder, write_json
from facesets_dagster.library.block_list import FOLDER

SCHEMA_VERSION = 1


def pending_file(home: Path) -> Path:
    """Where what was begun is written down."""
    return home / FOLDER / "pending.json"


def begin(home: Path, plan: Mapping[str, Any], *, blocked: bool = False) -> None:
    """Writes down what is to be carried out, durably: from now on the next call finishes it."""
    pending_file(home).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_json(pending_file(home), {"schema_version": SCHEMA_VERSION, "blocked": blocked, "plan": dict(plan)})
    pending_file(home).chmod(0o600)


def begun(home: Path) -> tuple[Mapping[str, Any], bool] | None:
    """The plan that was begun, and whether it is on the block list already; None if nothing was."""
    path = pending_file(home)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if value["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version {value['schema_version']}, expected {SCHEMA_VERSION}")
        return dict(value["plan"]), bool(value["blocked"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LibraryCorrupt(
            f"{path} cannot be read ({error}): what was begun to be forgotten is not known. Remove the file and run "
            "`facesets forget` again."
        ) from error


def finish(home: Path, receipt: Mapping[str, Any]) -> Path:
    """Writes the receipt and removes the plan; gives the receipt's path."""
    now = datetime.now(UTC)
    folder = home / FOLDER / "receipts"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{now.strftime('%Y%m%dT%H%M%S')}-{str(receipt['plan'])[:12]}.json"
    done = {"schema_version": SCHEMA_VERSION, "finished_at": now.isoformat(timespec="seconds"), **receipt}
    write_json(path, done)
    pending_file(home).unlink()
    sync_folder(pending_file(home).parent)
    return path
