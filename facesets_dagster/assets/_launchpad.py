"""What the launchpad shows: the numbers that a run uses, the pack's filled in, instead of null."""

from collections.abc import Iterable
from copy import copy
from typing import Any

import dagster as dg
from pydantic import create_model

from facesets_dagster.assets._asset import config_of
from facesets_dagster.assets._config import NumbersConfig
from facesets_dagster.embedding.thresholds import PackThresholds


def with_pack_numbers(assets: Iterable[Any], pack: PackThresholds) -> list[Any]:
    """The same assets, in whose run config the numbers of this pack are the defaults."""
    return [_filled(asset, pack) for asset in assets]


def _filled(asset: Any, pack: PackThresholds) -> Any:
    config = config_of(asset.key)
    if config is None or not issubclass(config, NumbersConfig):
        return asset
    schema = config_with_pack_numbers(config, pack).to_config_schema()
    config.shown = config.of_pack(pack)
    op = asset.node_def.with_replaced_properties(name=asset.node_def.name, config_schema=schema)
    return dg.AssetsDefinition.dagster_internal_init(**{**asset.get_attributes_dict(), "node_def": op})


def config_with_pack_numbers(config: type[NumbersConfig], pack: PackThresholds) -> type[NumbersConfig]:
    """The class of a run config with the numbers of a pack as defaults."""
    fields: dict[str, Any] = {}
    for name, number in config.of_pack(pack).items():
        field = copy(config.model_fields[name])
        field.default = number
        fields[name] = (field.annotation, field)
    return create_model(config.__name__, __base__=config, __doc__=config.__doc__, **fields)
