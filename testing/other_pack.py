"""A home that gets another fake pack by `facesets reembed`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from facesets_dagster.cli import reembed
from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.publishing.rulings.requests import Requests
from facesets_dagster.publishing.rulings.subjects import Subjects
from facesets_dagster.publishing.rulings.writing import Author
from facesets_dagster.resources.embedder import EmbedderResource
from facesets_dagster.resources.home import HomeResource
from testing.fake_home import FakeHome
from testing.fakes import FakeEmbedderResource, OtherFakeEmbedder

_OTHER = OtherFakeEmbedder()
_BLIND = OtherFakeEmbedder(blind_to=3)


class OtherResource(FakeEmbedderResource):
    """The other pack."""

    model_pack: str = "other"

    def embedder(self) -> Embedder:
        return _OTHER


class BlindResource(OtherResource):
    """The other pack, which finds no face of person 3."""

    def embedder(self) -> Embedder:
        return _BLIND


def put_on_record(home: Path) -> None:
    """What `facesets init` writes into the folder of a home."""
    record = {"schema_version": 1, "created_at": "", "model_pack": "fake", "automation": False, "dagster_ready": True}
    (home / "home.json").write_text(json.dumps(record))


def with_pack(home: FakeHome, monkeypatch: pytest.MonkeyPatch, other: EmbedderResource) -> None:
    """From now on the commands find `other` as any pack but `fake`, and this home's instance."""
    packs: Mapping[str, EmbedderResource] = {"fake": home.embedder}
    monkeypatch.setattr(reembed, "embedder_of", lambda _, pack: packs.get(pack, other))
    monkeypatch.setattr(reembed, "instance_of", home.instance_of)


def reembed_to_other(home: FakeHome) -> None:
    """The whole command, in a process that runs nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        with_pack(home, patch, OtherResource())
        wishes = reembed.Wishes(dry_run=False, despite_absent=False, remove_old=False)
        reembed.print_reembed(home.settings, "other", wishes, as_json=True)


def answer(home: FakeHome, capsys: pytest.CaptureFixture[str], pack: str = "other", **wishes: bool) -> dict[str, Any]:
    """What `facesets reembed PACK --json` says."""
    capsys.readouterr()
    options = {"dry_run": False, "despite_absent": False, "remove_old": False, **wishes}
    reembed.print_reembed(home.settings, pack, reembed.Wishes(**options), as_json=True)
    return json.loads(capsys.readouterr().out)


def requests(home: FakeHome) -> Requests:
    """What rulings of this home are made of."""
    pack = home.embedder.pack()
    subjects = Subjects(home.library, HomeResource.of(home.settings).store_of(pack))
    return Requests(subjects, Author("tester", "cli"), home.embedder.thresholds().cover_distance)
