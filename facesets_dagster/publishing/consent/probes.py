"""Photos of people who are never exported: the face that each shows, by the home's own recogniser.

    cache/consent/<model_id>/<sha256 of the photo>.npy    unit embedding (dim,)

Nothing else of a photo is kept, and what the policy does not name any more goes. May be deleted: it is made again.
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.embedding.embedder import Embedder
from facesets_dagster.errors import PhotoError, SettingsError
from facesets_dagster.faces.looking import look_at
from facesets_dagster.files.writing import sha256_of, write_bytes
from facesets_dagster.identities.consent import Rule
from facesets_dagster.identities.geometry import normalised
from facesets_dagster.library.consent import FILE, refusal
from facesets_dagster.photos.workers.decoders import photo_decoders

KEPT = Path("cache", "consent")
"""Below the home."""


def probe_faces(
    home: Path, rules: Sequence[Rule], model_id: str, embedder: Callable[[], Embedder], max_pixels: int
) -> dict[str, NDArray[np.float32]]:
    """Words of each `photo` rule -> its face. Raises `SettingsError` for a photo that shows none or several."""
    folder, found, files = home / KEPT / model_id, dict[str, NDArray[np.float32]](), set[Path]()
    for rule in rules:
        photo = home / Path(rule.value).expanduser()
        try:
            kept = folder / f"{sha256_of(photo)}.npy"
        except OSError as error:
            raise _wrong(home, rule, f"{photo} cannot be read ({error.strerror or error})") from error
        files.add(kept)
        vector = _read(kept)
        if vector is None:
            vector = _face_in(photo, home, rule, embedder(), max_pixels)
            stream = io.BytesIO()
            np.save(stream, vector, allow_pickle=False)
            write_bytes(kept, stream.getvalue())
        found[rule.words] = vector
    for file in (home / KEPT).glob("*/*.npy"):
        if file not in files:
            file.unlink(missing_ok=True)
    return found


def _read(path: Path) -> NDArray[np.float32] | None:
    """None where there is none that can be used; it is made again then."""
    try:
        vector = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vector if vector.ndim == 1 and vector.dtype == np.float32 and np.isfinite(vector).all() else None


def _face_in(photo: Path, home: Path, rule: Rule, embedder: Embedder, max_pixels: int) -> NDArray[np.float32]:
    try:
        with photo_decoders().photo(photo) as opened:
            image = opened.decode(max_pixels).image
    except PhotoError as error:
        raise _wrong(home, rule, f"{photo} cannot be read ({error})") from error
    look = look_at(image, embedder)
    if len(look.found) != 1:
        count = f"{len(look.found)} faces" if len(look.found) else "no face"
        raise _wrong(home, rule, f"{photo} shows {count}, expected one; crop it to the person who is meant")
    return np.asarray(normalised(embedder.embed(look.image, look.found.kps))[0], np.float32)


def _wrong(home: Path, rule: Rule, what: str) -> SettingsError:
    return refusal(home / FILE, rule.line, f"`photo`: {what}")
