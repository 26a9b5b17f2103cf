"""A person photographed young and old, for the tests of eras, and what a run of `era_facesets` said."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
from PIL import Image

from testing.fake_home import FakeHome
from testing.fakes import FakeFace, draw_photo, write_person, write_photo

YOUNG = [(2010, -0.95), (2011, -0.9), (2012, -0.5), (2012, -0.45)]
OLD = [(2020, 0.4), (2021, 0.45), (2022, 0.9), (2022, 0.95)]
FIRST, SECOND = "faceset_001_era_2010-2012", "faceset_001_era_2020-2022"


def write_dated(folder: Path, looks: Sequence[tuple[int, float]], *, person: int = 1) -> None:
    """A portrait for each (year, look), dated by its file name."""
    for year, variant in looks:
        seed = 100_000 * person + 1000 * (year - 1990) + round(500 * (1 + variant))
        write_photo(folder / f"{year}-05-04 p{person} {variant:+.3f}.png", [FakeFace(person, variant)], seed=seed)


def write_exif(path: Path, taken: str, variant: float, *, seed: int) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8769)[0x9003] = taken
    stream = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(draw_photo([FakeFace(1, variant)], seed=seed)[..., ::-1]))
    image.save(stream, "PNG", exif=exif.tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue())


def split(home: FakeHome, *names: str, **config: Any) -> dg.ExecuteInProcessResult:
    settings = {"min_era_faces": 2, **config, "split": list(names)}
    return home.materialize("era_facesets", "top_manifest", era_facesets=settings)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    found = result.asset_materializations_for_node("era_facesets")[0].metadata
    return {name: value.value for name, value in found.items()}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def manifest(home: FakeHome) -> dict[str, Any]:
    return json.loads((home.settings.library_dir / "manifest.json").read_text())


def names(home: FakeHome, *, live: bool = True) -> dict[str, str]:
    """Era -> kind."""
    eras = [era for era in home.library.registry.identities() if era.is_era and era.live == live]
    return {era.name: era.kind for era in eras}


def without_eras(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if "_era_" not in name and name != "manifest.json"}


def meet(home: FakeHome) -> FakeHome:
    """One person, young and old, and another one, discovered."""
    home.begin(_meet)
    assert home.library.registry.identities()[0].name == "faceset_001"
    return home


def _meet(home: FakeHome) -> None:
    write_dated(home.buckets / "a", [*YOUNG, *OLD])
    write_person(home.buckets / "a", 2, 6)
    home.run("a")
