"""Formats of other programs, one module each; `CONSUMERS` names them, `LEFT_OUT` says what there is none of and why."""

from facesets_dagster.export.consumers.consumer import Consumer
from facesets_dagster.export.consumers.facefusion import FACEFUSION
from facesets_dagster.export.consumers.reactor import REACTOR
from facesets_dagster.export.consumers.rope import ROPE
from facesets_dagster.export.consumers.visomaster import VISOMASTER

CONSUMERS: dict[str, Consumer] = {consumer.name: consumer for consumer in (FACEFUSION, REACTOR, ROPE, VISOMASTER)}

LEFT_OUT = {
    "deepfacelab": (
        "its faceset.pak holds a pickle, which this platform neither writes nor reads, and wants faces aligned to "
        "68 landmarks of its own, which these crops are not. Let DeepFaceLab extract from exports/facefusion/<faceset>/"
    )
}
"""Word in run config -> why there is no such export."""
