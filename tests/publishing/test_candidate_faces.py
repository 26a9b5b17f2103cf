"""The domain call behind `candidate_faces`: what happens when the library moves on while crops are made."""

import json
from typing import Any

import pytest

from facesets_dagster.assets.candidate_faces import CandidateFacesConfig
from facesets_dagster.assets.swap_ready_facesets import SwapReadyFacesetsConfig
from facesets_dagster.embedding.thresholds import ARCFACE
from facesets_dagster.export.candidate_folder import SCHEMA_VERSION
from facesets_dagster.publishing import candidate_faces as candidates
from facesets_dagster.publishing.candidate_faces import Candidates, publish_candidates
from facesets_dagster.publishing.run import Run
from facesets_dagster.reports.candidate_sheet import draw_candidates
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome
from testing.fakes import PACK, FakeEmbedder, write_looks
from tests.test_file_formats import tables_of

pytestmark = pytest.mark.both_databases

STRANGER = [-0.9, -0.5, -0.1, 0.3, 0.7]


def publish(home: FakeHome) -> Candidates:
    resource = HomeResource.of(home.settings)
    run = Run(
        library=home.library,
        store_of=resource.store_of(PACK),
        embedder=FakeEmbedder,
        pack=PACK,
        folders=resource.folders(),
        max_pixels=10**8,
        pictures=resource.pictures(PACK, 10**8),
        export=SwapReadyFacesetsConfig().resolved(ARCFACE),
        run_id="run",
        code_version="1",
        say=lambda _: None,
    )
    return publish_candidates(run, CandidateFacesConfig().resolved(ARCFACE), draw_candidates)


def test_a_library_that_moved_on_meanwhile_is_looked_at_again(
    fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_looks(fake_home.buckets / "b", 2, STRANGER)
    fake_home.run("b")
    fill, calls = candidates._fill, []

    def found_meanwhile(*arguments: Any) -> Any:
        done = fill(*arguments)
        calls.append([offer.folder for offer in done[0].offers])
        if len(calls) == 1:
            write_looks(fake_home.buckets / "b", 2, [1.0])  # a sixth photo: the stranger becomes a faceset
            fake_home.run("b")
        return done

    monkeypatch.setattr(candidates, "_fill", found_meanwhile)
    found = publish(fake_home)
    assert calls == [["new_001"], []]
    assert found.written == []
    assert found.touched == []
    assert not (fake_home.settings.library_dir / "_candidates").exists()
    assert [identity.name for identity in fake_home.library.registry.identities()] == ["faceset_001"]
    assert fake_home.flaws() == []


def test_a_photo_that_is_gone_keeps_its_picture_and_a_new_one_without_a_picture_is_left_out(
    fake_home: FakeHome,
) -> None:
    write_looks(fake_home.buckets / "b", 2, [-0.9, -0.4, 0.1, 0.6])
    fake_home.run("b")
    publish(fake_home)
    folder = fake_home.settings.library_dir / "_candidates" / "new_001"
    once = (folder / "manifest.json").read_bytes()
    for photo in (fake_home.buckets / "b").iterdir():
        photo.unlink()
    assert publish(fake_home).changed is False
    assert (folder / "manifest.json").read_bytes() == once
    (folder / "faces" / "0001.png").unlink()
    gone = json.loads(once)["faces"][0]["face_id"]
    written = publish(fake_home).written[0]
    assert written.excluded[gone].state == "crop_failed:source_missing"
    assert len(written.faces) == 3


def test_the_documented_keys_are_those_of_the_manifest(fake_home: FakeHome) -> None:
    write_looks(fake_home.buckets / "b", 2, STRANGER)
    fake_home.run("b")
    publish(fake_home)
    found = json.loads((fake_home.settings.library_dir / "_candidates" / "new_001" / "manifest.json").read_text())
    assert tables_of("Candidates") == [set(found)]
    assert found["schema_version"] == SCHEMA_VERSION
