"""Who may read a home: its user alone whatever the umask, or a group; and homes that were open are closed."""

import grp
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facesets_dagster.errors import SettingsError
from facesets_dagster.files.access import Access, keep_access, tighten, usual_access
from facesets_dagster.files.writing import write_text
from facesets_dagster.home import init_home
from facesets_dagster.settings import Settings, load_settings
from testing.fake_home import FakeHome
from testing.fakes import write_person
from testing.paths import MODELS, REPOSITORY


@pytest.fixture
def any_umask() -> Iterator[None]:
    """The umask of this process is open and comes back."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes_below(*folders: Path) -> dict[str, str]:
    found = {}
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                found[str(path)] = f"{stat.S_IMODE(path.stat().st_mode):o}"
    return found


def open_to_others(*folders: Path) -> list[str]:
    return [f"{path} {mode}" for path, mode in modes_below(*folders).items() if not mode.endswith("00")]


def test_what_a_command_makes_is_its_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    environment = {**os.environ, "FACESETS_HOME": str(tmp_path / "home"), "FACESETS_MODEL_PACK": "embedded"}
    environment["FACESETS_MODELS"] = str(MODELS)
    command = [sys.executable, "-m", "facesets_dagster.cli.main", "init"]
    subprocess.run(command, cwd=REPOSITORY, env=environment, umask=0, check=True)
    assert open_to_others(tmp_path / "home") == []
    assert (tmp_path / "home" / "dagster" / "dagster.yaml").exists()


@pytest.mark.usefixtures("any_umask")
def test_what_a_run_writes_is_its_users_alone(fake_home: FakeHome) -> None:
    keep_access(Access())
    write_person(fake_home.buckets / "trip", 1, 7)
    fake_home.run("trip")
    settings = fake_home.settings
    written = [settings.cache_dir, settings.library_dir, settings.reports_dir, settings.home / "registry.db"]
    assert open_to_others(*written) == []
    assert len(modes_below(*written)) > 20


@pytest.mark.usefixtures("any_umask")
def test_closing_a_home_makes_nothing_out_of_date(fake_home: FakeHome) -> None:
    write_person(fake_home.buckets / "trip", 1, 7)
    fake_home.run("trip")
    before = fake_home.files()
    settings = fake_home.settings
    done = tighten(Access(), [settings.home], settings.bucket_roots)
    assert done.changed > 20
    fake_home.run("trip")
    assert fake_home.files() == before
    assert fake_home.flaws() == []


@pytest.mark.usefixtures("any_umask")
def test_an_open_home_is_closed_once_and_one_line_says_so(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    for folder in ("cache/trip", "buckets/trip", "facesets_swap_ready"):
        (settings.home / folder).mkdir(parents=True)
    (settings.home / "home.json").write_text(
        '{"schema_version": 1, "model_pack": "embedded", "dagster_ready": true, "automation": false}'
    )
    face, photo = settings.cache_dir / "trip" / "faces.parquet", settings.home / "buckets" / "trip" / "a.jpg"
    for path in (face, photo):
        path.write_bytes(b"x")
    (settings.home / "elsewhere").symlink_to(tmp_path)
    said: list[str] = []
    init_home(settings, say=said.append)
    assert said == [
        "6 files and folders of the home can be read by you alone now; FACESETS_SHARE_GROUP names a group that may"
    ]
    assert open_to_others(settings.home, settings.cache_dir, face) == [
        f"{settings.home}/{rest}" for rest in ("buckets 777", "buckets/trip 777", "buckets/trip/a.jpg 666")
    ]
    assert stat.S_IMODE(tmp_path.stat().st_mode) & 0o022 == stat.S_IMODE(tmp_path.parent.stat().st_mode) & 0o022
    face.chmod(0o640)  # by a person, who knows why
    init_home(settings, say=said.append)
    assert len(said) == 1
    assert stat.S_IMODE(face.stat().st_mode) == 0o640


@pytest.mark.usefixtures("any_umask")
def test_a_group_gets_what_the_user_has(tmp_path: Path) -> None:
    group = grp.getgrgid(os.getegid()).gr_name
    init_home(_settings(tmp_path, FACESETS_SHARE_GROUP=group), say=lambda _: None)
    write_text(tmp_path / "home" / "reports" / "new" / "page.html", "x")
    found = modes_below(tmp_path / "home")
    folders = {mode for path, mode in found.items() if Path(path).is_dir() and Path(path).name != "buckets"}
    files = {mode for path, mode in found.items() if Path(path).is_file()}
    assert (folders, files) == ({"2770"}, {"660"})


@pytest.mark.usefixtures("any_umask")
def test_databases_of_a_shared_home_can_be_written_by_the_group(fake_home: FakeHome) -> None:
    keep_access(Access.of(str(os.getegid())))
    assert fake_home.library.registry.bucket_runs() == []
    assert {mode for path, mode in modes_below(fake_home.settings.home).items() if "registry.db" in path} == {"660"}


@pytest.mark.usefixtures("any_umask")
def test_files_that_cannot_be_changed_are_counted_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    outside = tmp_path / "photo.jpg"
    outside.write_bytes(b"x")
    (tmp_path / "home" / "link").symlink_to(outside)
    assert tighten(Access(), [tmp_path / "home"], []).changed == 1
    assert stat.S_IMODE(outside.stat().st_mode) == 0o666


def test_a_group_that_is_not_there_is_refused_with_a_sentence() -> None:
    with pytest.raises(SettingsError, match=r"this machine has no such group. Expected the name"):
        Access.of("no-such-group-here")


@pytest.mark.usefixtures("any_umask")
def test_models_keep_the_permissions_of_other_programs(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from facesets_dagster.files.access import Access, keep_access, usual_access\n"
        "os.umask(0o022); keep_access(Access()); keep_access(Access())\n"
        "with usual_access(): pathlib.Path('model').write_bytes(b'x')\n"
        "pathlib.Path('face').write_bytes(b'x')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    found = {Path(path).name: mode for path, mode in modes_below(tmp_path).items()}
    assert (found["model"], found["face"]) == ("644", "600")
    with usual_access():  # also in a process that never chose
        pass


def _settings(tmp_path: Path, **more: str) -> Settings:
    environment = {
        "FACESETS_HOME": str(tmp_path / "home"),
        "FACESETS_MODELS": str(MODELS),
        "FACESETS_MODEL_PACK": "embedded",
        **more,
    }
    return load_settings(environment, tmp_path)
