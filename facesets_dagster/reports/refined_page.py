"""The page of `refined_library`: its faces, the numbers, the joined clusters, the people."""

from collections.abc import Mapping

from facesets_dagster.library.faceset_manifest import read_faceset
from facesets_dagster.library.library import Library
from facesets_dagster.photos.bucket_key import bucket_title
from facesets_dagster.publishing.refined_library import RefineResult
from facesets_dagster.reports.system_page import Section, row_of_faceset
from facesets_dagster.reports.units import UNITS
from facesets_dagster.wording import counted


def refined_sections(
    result: RefineResult, numbers: Mapping[str, object], library: Library, sizes: Mapping[str, int]
) -> list[Section]:
    """The page. `numbers`: the resolved run config; `sizes`: faceset -> members, by number."""
    manifests = {name: read_faceset(library.folder / name) for name in sizes}
    exported = {name: len(manifest.faces) if manifest else 0 for name, manifest in manifests.items()}
    people = [[name, members, exported[name]] for name, members in sizes.items()]
    rows = [[bucket_title(bucket), count] for bucket, count in result.buckets.items()]
    parameters: list[list[object]] = [[name, value, UNITS.get(name, "")] for name, value in numbers.items()]
    joined: list[list[object]] = [list(pair) for pair in result.refined.joined] if result.refined else []
    states: dict[str, int] = {}
    for verdict in result.refined.verdicts.values() if result.refined else ():
        states[verdict.state] = states.get(verdict.state, 0) + 1
    return [
        Section("Source", f"{counted(result.faces, 'distinct face')} of all buckets.", ("bucket", "faces"), rows),
        Section("Pipeline", "Resolved numbers.", ("parameter", "value", "unit"), parameters),
        Section(
            "Joined clusters",
            "Raw clusters whose centroids all lie within merge_distance are one person.",
            ("raw clusters", "faces"),
            joined,
        ),
        Section("Left-over faces", "By reason.", ("state", "faces"), [list(pair) for pair in sorted(states.items())]),
        Section(
            "People",
            "Largest first.",
            ("faceset", "members", "exported"),
            people,
            [row_of_faceset(library.folder / name, name) for name in sizes],
        ),
        Section(
            "How to run it again", "Materialize refined_library. With the same photos and numbers nothing changes."
        ),
    ]
