"""Face sets of which a policy withholds faces: where their whole folder is kept, and what it was made of.

    _retired/_withheld/<name>/    the folder as it was when nothing of it was withheld

Housekeeping removes it like every retired folder; the pictures are cropped anew then when the rule goes.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesets_dagster.errors import LibraryCorrupt
from facesets_dagster.identities.consent import WITHHELD
from facesets_dagster.identities.geometry import centroid
from facesets_dagster.library.faceset_manifest import FacesetManifest
from facesets_dagster.library.member_table import read_members
from facesets_dagster.library.moves import RETIRED

KEPT_WHOLE = Path(RETIRED, "_withheld")


def centroid_in(manifest: FacesetManifest) -> NDArray[np.float32] | None:
    """Centroid (dim,) of all faces that the folder holds or would hold, which stands for the person in the registry.

    None where it would hold none.
    """
    if not manifest.withheld:
        # An archived folder has a digest for its name, its files keep theirs.
        own = next((file for file in manifest.files if file.endswith(".npz")), f"{manifest.folder.name}.npz")
        with np.load(manifest.folder / own, allow_pickle=False) as vectors:
            return np.asarray(vectors["centroid"], np.float32)
    ranks = {int(one.value or 0): one.face_id for one in manifest.excluded if one.state == WITHHELD}
    exported = iter(face.face_id for face in manifest.faces)
    total = len(ranks) + len(manifest.faces)
    order = [ranks[rank] if rank in ranks else next(exported, "") for rank in range(1, total + 1)]
    rows = read_members(manifest.folder / "members.parquet").unique("face_id", keep="first")
    vector_of = dict(rows.select("face_id", "embedding").iter_rows())
    if not order:
        return None
    if not set(order) <= vector_of.keys():
        raise LibraryCorrupt(
            f"{manifest.folder / 'members.parquet'} lacks faces that its manifest names. Restore it from a backup."
        )
    return centroid(np.array([vector_of[face] for face in order], np.float32))
