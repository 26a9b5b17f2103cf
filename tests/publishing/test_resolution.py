"""What clusters become: own identities first, then everybody's, then new ones."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from facesets_dagster.identities.gates import Verdict
from facesets_dagster.identities.geometry import centroid
from facesets_dagster.identities.identity import Identity
from facesets_dagster.publishing.proposal import Proposal
from facesets_dagster.publishing.resolution import resolve

AXES = np.eye(6, dtype=np.float32)


def identity(number: int, axis: int, *, bucket: str = "here", live: bool = True) -> Identity:
    name = f"faceset_{number:03d}"
    return Identity(number, name, number, "discovered", None, bucket, None, live, number, "m", AXES[axis])


def faces(prefix: str, count: int) -> set[str]:
    return {f"{prefix}{i}" for i in range(count)}


def propose(
    clusters: dict[int, tuple[set[str], int]], *, mode: str = "grow", min_faces: int = 2, **more: object
) -> Proposal:
    unit = {face: AXES[axis] for members, axis in clusters.values() for face in members}
    verdicts = {face: Verdict("candidate") for face in unit}
    verdicts.update(more.get("verdicts", {}))  # type: ignore[call-overload]
    return Proposal(
        bucket="here",
        mode=mode,
        min_faces=min_faces,
        rematch_distance=0.45,
        verdicts=verdicts,
        clusters={label: members for label, (members, _) in clusters.items()},
        photo_of={face: str(more.get("photo", face)) for face in verdicts},
        unit=unit,
    )


def builder(proposal: Proposal) -> object:
    def build(members: Mapping[str, str], name: str | None) -> np.ndarray | None:
        known = [proposal.unit[face] for face in members if face in proposal.unit and not face.startswith("tiny")]
        return (
            centroid(np.array(known))
            if known
            else (AXES[5] if not any(m.startswith("tiny") for m in members) else None)
        )

    return build


def outcome(proposal: Proposal, identities: list[Identity], members: dict[str, dict[str, str]] | None = None):
    return resolve(proposal, identities, members or {}, {}, builder(proposal))  # type: ignore[arg-type]


def test_new_people_are_founded_by_size_then_by_smallest_face_id() -> None:
    result = outcome(propose({0: (faces("b", 3), 0), 1: (faces("a", 3), 1), 2: (faces("c", 5), 2)}), [])
    assert [min(group.members) for group in result.groups] == ["c0", "a0", "b0"]


def test_byte_aliases_and_two_faces_of_one_photo_count_once() -> None:
    result = outcome(propose({0: (faces("a", 3), 0)}, photo="same"), [])
    assert result.groups == []
    assert result.overrides["a0"] == Verdict("small_cluster", 1.0, 2.0)


def test_a_cluster_near_a_live_identity_founds_nothing() -> None:
    result = outcome(propose({0: (faces("a", 3), 0)}), [identity(20, 0, bucket="there")])
    assert result.groups == []
    assert (result.overrides["a0"].state, result.overrides["a0"].identity) == ("covered", "faceset_020")


def test_two_clusters_of_one_run_within_reach_do_not_found_two() -> None:
    result = outcome(propose({0: (faces("a", 5), 0), 1: (faces("b", 3), 0)}), [])
    assert len(result.groups) == 1
    assert result.overrides["b0"].state == "covered"


def test_a_cluster_without_an_exportable_face_founds_nothing_and_covers_nobody() -> None:
    result = outcome(propose({0: (faces("tiny", 5), 0), 1: (faces("b", 3), 0)}), [])
    assert [min(group.members) for group in result.groups] == ["b0"]
    assert [min(group.members) for group in result.empty] == ["tiny0"]


def test_growing_keeps_members_and_adds_the_joining() -> None:
    joining = {"new": Verdict("joining", 0.2, 0.45, "faceset_020")}
    result = outcome(propose({}, verdicts=joining), [identity(20, 0)], {"faceset_020": {"old": "founded"}})
    assert [(group.identity.name, dict(group.members)) for group in result.groups if group.identity] == [
        ("faceset_020", {"new": "grown", "old": "founded"})
    ]


def test_rebuilding_matches_by_overlap_and_retires_what_is_not_found() -> None:
    identities = [identity(20, 0), identity(21, 1)]
    members = {
        "faceset_020": dict.fromkeys(faces("a", 4), "founded"),
        "faceset_021": dict.fromkeys(faces("b", 4), "founded"),
    }
    result = outcome(propose({0: (faces("a", 3), 0)}, mode="rebuild"), identities, members)
    assert [group.identity and group.identity.name for group in result.groups] == ["faceset_020"]
    assert [gone.name for gone in result.vanished] == ["faceset_021"]


def test_a_live_identity_found_again_with_fewer_than_min_faces_stays() -> None:
    members = {"faceset_020": dict.fromkeys(faces("a", 4), "founded")}
    result = outcome(propose({0: (faces("a", 3), 0)}, mode="rebuild", min_faces=9), [identity(20, 0)], members)
    assert result.vanished == []
    assert len(result.groups) == 1


def test_a_retired_identity_found_again_gets_its_own_number_back() -> None:
    members = {"faceset_020": dict.fromkeys(faces("a", 4), "founded")}
    result = outcome(propose({0: (faces("a", 4), 0)}), [identity(20, 0, live=False)], members)
    assert [group.identity and group.identity.number for group in result.groups] == [20]


def test_a_retired_identity_of_another_bucket_does_not_come_back_here() -> None:
    members = {"faceset_020": dict.fromkeys(faces("a", 4), "founded")}
    result = outcome(propose({0: (faces("a", 4), 0)}), [identity(20, 0, live=False, bucket="there")], members)
    assert [group.identity for group in result.groups] == [None]


def found_again_empty(*left: str, live: bool = True):
    """`faceset_020` is found again in a cluster of which nothing can be exported; `left`: members that go elsewhere."""
    tiny = faces("tiny", 4)
    proposal = propose({0: (tiny, 0), 1: (faces("a", 3), 0)}, mode="rebuild")
    members = {"faceset_020": dict.fromkeys([*sorted(tiny), *left], "founded")}
    return outcome(proposal, [identity(20, 0, live=live)], members)


def test_a_published_faceset_of_which_nothing_can_be_exported_stays_while_its_members_do() -> None:
    result = found_again_empty()
    assert [group.identity and group.identity.name for group in result.groups] == ["faceset_020"]
    assert (result.vanished, result.empty) == ([], [])
    assert result.overrides["a0"].identity == "faceset_020"


def test_one_whose_members_went_elsewhere_vanishes_and_covers_nobody() -> None:
    result = found_again_empty("a0")
    assert [set(group.members) for group in result.groups] == [faces("a", 3)]
    assert result.groups[0].identity is None
    assert [gone.name for gone in result.vanished] == ["faceset_020"]
    assert [set(group.members) for group in result.empty] == [faces("tiny", 4)]


def test_a_retired_one_of_which_nothing_can_be_exported_stays_retired() -> None:
    result = found_again_empty("a0", live=False)
    assert [group.identity for group in result.groups] == [None]
    assert result.vanished == []
    assert [set(group.members) for group in result.empty] == [faces("tiny", 4)]


def test_copies_of_one_photo_neither_found_nor_revive_anybody() -> None:
    proposal = replace(propose({0: (faces("a", 4), 0)}, min_faces=3), look_of={"a0": 0, "a1": 0, "a2": 0, "a3": 1})
    result = outcome(proposal, [])
    assert result.groups == []
    assert {(verdict.state, verdict.value) for verdict in result.overrides.values()} == {("small_cluster", 2.0)}
    retired = [identity(7, 0, live=False)]
    before = {"faceset_007": dict.fromkeys(faces("a", 4), "founded")}
    assert outcome(proposal, retired, before).groups == []
    assert [group.name for group in outcome(replace(proposal, look_of={}), retired, before).groups] == ["faceset_007"]
