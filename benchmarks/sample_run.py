"""The sample buckets through the main job: who is found, mixed, found twice; what a second run costs."""

import json
import tempfile
import time
from collections import Counter
from pathlib import Path

from facesets_dagster.embedding.packs import EMBEDDED
from facesets_dagster.sample.buckets import MARKER
from testing.homes import RealHome
from testing.measurements.row import Row


def measure_sample(models_root: Path) -> list[Row]:
    """What `make demo` does, in an empty home; needs nothing beside the repository."""
    with tempfile.TemporaryDirectory() as scratch:
        home = RealHome(Path(scratch), EMBEDDED, models_root)
        home.facesets("sample", str(home.folder / "buckets"))
        first, second = _seconds(home), _seconds(home)
        owners = people_of_facesets(home.folder)
    mixed = sum(len(people) > 1 for people in owners.values())
    alone = Counter(next(iter(people)) for people in owners.values() if len(people) == 1)
    return [
        Row("facesets", len(owners), "facesets", target=">= 5", met=len(owners) >= 5),
        Row("facesets of more than one person", mixed, "facesets", target="0", met=mixed == 0),
        Row("people in more than one faceset", sum(count > 1 for count in alone.values()), "people", target="0",
            met=max(alone.values(), default=0) <= 1),
        Row("second run", round(second, 1), "s", "first run", round(first, 1), round(first / second, 1),
            note="nothing to do; most of it is Python starting"),
    ]  # fmt: skip


def people_of_facesets(home: Path) -> dict[str, set[str]]:
    """Faceset -> the people that every one of its photos shows; more or fewer than one is a mixed faceset."""
    people_in = {
        entry["sha256"]: set(entry["people"])
        for entry in json.loads((home / "buckets" / MARKER).read_text(encoding="utf-8"))["files"].values()
    }
    library = home / "facesets_swap_ready"
    owners = {}
    for entry in json.loads((library / "manifest.json").read_text(encoding="utf-8"))["facesets"]:
        manifest = json.loads((library / entry["name"] / "manifest.json").read_text(encoding="utf-8"))
        photos = [people_in[face["source"]["sha256"]] for face in manifest["faces"]]
        common = set.intersection(*photos)
        owners[entry["name"]] = common or set.union(*photos)
    return owners


def _seconds(home: RealHome) -> float:
    started = time.monotonic()
    home.facesets("run")
    return time.monotonic() - started
