"""Adopted legacy facesets: whose files lie where."""

from facesets_dagster.identities.identity import Identity
from facesets_dagster.photos.bucket_key import LEGACY


def lies_elsewhere(identity: Identity, manifest_sha256: str | None) -> bool:
    """True for one that was never published here: its files are those of the legacy library.

    `manifest_sha256`: the digest that the registry has of its manifest.
    """
    return manifest_sha256 is None and identity.bucket == LEGACY
