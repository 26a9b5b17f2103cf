"""`facesets consent`, and what other commands say of who is withheld, over a home with the fake model."""

import json

import pytest
from typer.testing import CliRunner

from facesets_dagster.cli import ruling_job
from facesets_dagster.cli.commands import check, look
from facesets_dagster.cli.commands import consent as commands
from facesets_dagster.cli.main import app
from testing.fake_home import FakeHome
from testing.fakes import write_looks

LOOKS = [-0.9, -0.45, 0.0, 0.45, 0.9, 1.0]


def filled(home: FakeHome) -> None:
    for bucket, person in (("a", 1), ("b", 5)):
        write_looks(home.buckets / bucket, person, LOOKS)
        home.run(bucket)


def facesets(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, done.output
    return done.stderr.strip() if code else done.stdout


@pytest.mark.slow
def test_what_is_withheld_is_listed_applied_and_told(fake_home: FakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    home = fake_home
    home.begin(filled)
    monkeypatch.setattr(ruling_job, "instance_of", home.instance_of)
    monkeypatch.setattr(ruling_job, "embedder_of", lambda _: home.embedder)
    for module in (commands, look, check):
        monkeypatch.setattr(module, "existing_home", lambda: home.settings)
    monkeypatch.setenv("COLUMNS", "120")
    assert "everything may be exported" in facesets("consent")
    home.materialize("consumer_exports", consumer_exports={"consumers": ["facefusion"]})
    policy = home.settings.home / "consent.yaml"
    policy.write_text("never:\n- faceset: faceset_001\n- person: Kim\n")

    before = facesets("consent")
    assert "not withheld yet" in before
    assert "facefusion" in before
    assert "line 3: person: Kim is nobody" in before
    assert (home.settings.library_dir / "faceset_001" / "faceset_001.npz").exists(), "listing changes nothing"

    applied = json.loads(facesets("consent", "apply", "--json"))
    assert [(one["name"], one["state"], one["exported"], one["exports"]) for one in applied["facesets"]] == [
        ("faceset_001", "withheld", 0, [])
    ]
    assert applied["removed_exports"]
    assert not (home.settings.library_dir / "faceset_001" / "faceset_001.npz").exists()
    assert not [path for path in home.settings.exports_dir.rglob("*") if "faceset_001" in path.name]
    assert [path for path in home.settings.exports_dir.rglob("*") if "faceset_002" in path.name]

    assert "consent.yaml withholds faces of 1 faceset" in facesets("status")
    assert "withheld by consent.yaml: faceset: faceset_001" in facesets("show", "faceset_001")
    assert "sound: 2 facesets" in facesets("verify")
    (home.settings.library_dir / "faceset_001" / "faceset_001.fsz").write_bytes(b"put back by hand")
    done = CliRunner().invoke(app, ["verify", "--json"])
    assert done.exit_code == 1
    assert "faceset: faceset_001 withholds it" in done.stdout
