"""Numbers that a home has measured for its pack: `calibration.json`, written by the asset `pack_calibration`.

They hold for the models they were measured with, and for no others: with another `model_id` the file is passed over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facesets_dagster.embedding.thresholds import MEASURED_GATES, PackThresholds
from facesets_dagster.errors import SettingsError
from facesets_dagster.files.parsing import parse_json
from facesets_dagster.files.writing import write_json

SCHEMA_VERSION = 1
MEASURED = (
    "cover_distance",
    "cluster_distance",
    "outlier_distance",
    "export_outlier_distance",
    "near_duplicate_similarity",
    "join_two_faces",
    "join_face_and_group",
    "join_two_groups",
    "join_quality_gain",
    "good_norm",
)
"""Fields of `PackThresholds` that a calibration may hold."""


@dataclass(frozen=True)
class HomeNumbers:
    """What `calibration.json` holds."""

    model_id: str
    model_pack: str
    measured_at: str
    """UTC, ISO 8601."""
    data: dict[str, object]
    """Where the faces came from: `folder` (none: the home's own photos), `digest`, and counts."""
    numbers: dict[str, float]
    evidence: dict[str, object] = field(default_factory=dict)
    """Curves, and the scores on people who were not chosen on."""

    def write(self, path: Path) -> None:
        """Writes the file as a whole."""
        write_json(path, {"schema_version": SCHEMA_VERSION, **vars(self)})


def read_home_numbers(path: Path) -> HomeNumbers | None:
    """What the file holds, None if there is none. Raises `SettingsError` if it is no calibration."""
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(found, dict) or found.get("schema_version") != SCHEMA_VERSION:
        raise _unusable(path, f"its schema_version is not {SCHEMA_VERSION}")
    try:
        read = HomeNumbers(**{name: value for name, value in found.items() if name != "schema_version"})
        _require_numbers(read.numbers)
    except (TypeError, ValueError) as error:
        raise _unusable(path, str(error)) from error
    return read


def write_ruled_numbers(path: Path, model_id: str, numbers: Mapping[str, float]) -> None:
    """Makes these the numbers that people set for a pack; without any there is no file."""
    if numbers:
        write_json(path, {"schema_version": SCHEMA_VERSION, "model_id": model_id, "numbers": dict(numbers)})
    else:
        path.unlink(missing_ok=True)


def with_ruled_numbers(numbers: PackThresholds, path: Path | None, model_id: str) -> PackThresholds:
    """The numbers with those in their place that people set for these models (`facesets rule threshold`)."""
    try:
        found = parse_json(path.read_text(encoding="utf-8")) if path else {}
    except FileNotFoundError:
        return numbers
    except (OSError, ValueError) as error:
        raise _unruled(path, str(error)) from error
    if not found or found.get("model_id") != model_id:
        return numbers
    try:
        _require_numbers(found["numbers"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unruled(path, str(error)) from error
    return replace(numbers, **found["numbers"])


def _unruled(path: Path | None, why: str) -> SettingsError:
    return SettingsError(
        f"{path} cannot be used: {why}. It is made of the rulings in force: delete it and run the job apply_rulings."
    )


def _require_numbers(numbers: Mapping[str, object]) -> None:
    for name, value in numbers.items():
        if name not in MEASURED or isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f"`{name}` is {value!r}; expected numbers of {', '.join(MEASURED)}")


def _unusable(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"{path} cannot be used: {why}. Expected what `facesets calibrate` writes. `facesets calibrate FOLDER` "
        "measures again, `facesets calibrate --remove` goes back to the shipped numbers."
    )


def numbers_at_home(shipped: PackThresholds, path: Path | None, model_id: str) -> PackThresholds:
    """The pack's numbers with those of the home in their place, where they were measured with the same models.

    A pack that was not measured gets the gates of those that were: the legacy gates belong to the legacy distances.
    """
    measured = read_home_numbers(path) if path else None
    if measured is None or measured.model_id != model_id:
        return shipped
    gates: dict[str, Any] = {} if shipped.calibrated or not measured.data.get("folder") else MEASURED_GATES
    return replace(shipped, **{**gates, **measured.numbers, "calibrated": True})
