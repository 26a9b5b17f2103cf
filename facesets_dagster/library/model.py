"""One library, one model: embeddings of two models are never compared."""

from collections.abc import Iterable

from facesets_dagster.embedding.embedder import ModelPack
from facesets_dagster.errors import ModelMismatch
from facesets_dagster.identities.identity import Identity


def require_model(identities: Iterable[Identity], pack: ModelPack) -> None:
    """Raises `ModelMismatch` if an identity was made with another model."""
    for identity in identities:
        if identity.model_id not in (None, pack.model_id):
            raise ModelMismatch(
                f"{identity.name} was made with the model {identity.model_id}, this run uses {pack.model_id} "
                f"({pack.name}). Distances between two models mean nothing. Use the pack that the home was made with "
                "(FACESETS_MODEL_PACK); `facesets reembed PACK` gives the home another one."
            )
