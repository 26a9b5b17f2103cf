"""Data versions made of content, and column schemas, so that "stale" and the columns in the UI are true."""

import hashlib

import dagster as dg
import numpy as np
import polars as pl

_DATA_VERSION_TAG = "dagster/data_version"
_ROWS_IN_WORDS = 65_536
"""Rows that are text at a time."""


def frame_version(frame: pl.DataFrame) -> dg.DataVersion:
    """A data version that changes exactly when the rows do."""
    vectors = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Array)]
    hasher = hashlib.sha256(b"[")
    for number, rows in enumerate(frame.drop(vectors).iter_slices(_ROWS_IN_WORDS)):
        hasher.update((b"," if number else b"") + rows.write_json().encode()[1:-1])
    hasher.update(b"]")
    for name in vectors:  # as bytes: in words they take seconds
        hasher.update(name.encode() + frame[name].is_null().to_numpy().tobytes())
        hasher.update(np.ascontiguousarray(frame[name].drop_nulls().to_numpy()).data)
    return _version_of(hasher.hexdigest())


def text_version(text: str) -> dg.DataVersion:
    """The data version of a text."""
    return _version_of(hashlib.sha256(text.encode()).hexdigest())


def _version_of(digest: str) -> dg.DataVersion:
    return dg.DataVersion(digest[:32])


def observe_folder(context: dg.AssetExecutionContext, digest: str) -> None:
    """Says which state of the bucket folder this run saw."""
    context.log_event(folder_observation(context.partition_key, digest))


def folder_observation(bucket: str, digest: str) -> dg.AssetObservation:
    """The state of a bucket's folder.

    Dagster takes down what a step read before the step runs: what starts a run reports this first, or `face_cache`
    would be marked as out of date by its own run.
    """
    return dg.AssetObservation("bucket_folder", partition=bucket, tags={_DATA_VERSION_TAG: digest})


def table_columns(frame: pl.DataFrame, descriptions: dict[str, str]) -> dg.TableSchema:
    """Column names, types and descriptions of a frame."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, str(dtype), description=descriptions.get(name)) for name, dtype in frame.schema.items()
        ]
    )
