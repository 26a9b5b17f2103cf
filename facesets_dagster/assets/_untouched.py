"""The check that every publishing asset has: what it did not name is byte for byte what it was."""

from collections.abc import Collection

import dagster as dg

NAME = "others_untouched"


def untouched_spec(
    asset: str, description: str = "No faceset that the run did not name differs by one byte."
) -> dg.AssetCheckSpec:
    """The blocking check of `asset`."""
    return dg.AssetCheckSpec(NAME, asset=asset, blocking=True, description=description)


def untouched_result(touched: Collection[str], **metadata: list[str]) -> dg.AssetCheckResult:
    """`touched`: facesets that differ although they should not."""
    return dg.AssetCheckResult(check_name=NAME, passed=not touched, metadata={"touched": sorted(touched), **metadata})
