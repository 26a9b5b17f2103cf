"""Tables of the registry. One schema for SQLite and PostgreSQL; the version stands in `meta`."""

import sqlalchemy as sa

SCHEMA_VERSION = "1"

LAYOUT = "5"
"""Counts tables, columns and indexes that were added within a schema version; releases without them read on."""

metadata = sa.MetaData()

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("value", sa.String, nullable=False),
)

# Every generation that this release made, with a mark that no other has: a registry that was restored from a backup
# counts on from there, so a generation alone does not say which one it is.
generations = sa.Table(
    "generations",
    metadata,
    sa.Column("generation", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("mark", sa.String, nullable=False),
)

_generation = sa.select(sa.cast(meta.c.value, sa.Integer)).where(meta.c.key == "generation").scalar_subquery()

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("identity_id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String, nullable=False, unique=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("parent", sa.String),
    sa.Column("bucket", sa.String, index=True),
    sa.Column("label", sa.String),
    sa.Column("live", sa.Boolean, nullable=False),
    sa.Column("founded", sa.Integer, nullable=False),
    sa.Column("model_id", sa.String),
    sa.Column("centroid", sa.LargeBinary),
    sa.Column("manifest_sha256", sa.String),
    sa.Column("run_id", sa.String, nullable=False),
    # Generation of the last change, set by every insert and update that SQLAlchemy makes of this table.
    sa.Column("changed", sa.Integer, default=_generation, onupdate=_generation, index=True),
    sa.Index("ix_identities_number_kind", "number", "kind"),
)

# A number is allocated once, for ever: the row stays when the identity goes.
numbers = sa.Table(
    "numbers",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
)

members = sa.Table(
    "members",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("bucket", sa.String, primary_key=True, index=True),
    sa.Column("face_id", sa.String, primary_key=True, index=True),
    sa.Column("joined_by", sa.String, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
)

tombstones = sa.Table(
    "tombstones",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("merged_into", sa.String),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("changed", sa.Integer, default=_generation, onupdate=_generation, index=True),
)

bucket_runs = sa.Table(
    "bucket_runs",
    metadata,
    sa.Column("bucket", sa.String, primary_key=True),
    sa.Column("inputs_digest", sa.String, nullable=False),
    sa.Column("identity_parameters", sa.String, nullable=False),
    sa.Column("model_id", sa.String, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("finished_at", sa.String, nullable=False),
)

# The state of a bucket's folder that the library was last brought up to; tells news from old.
bucket_folders = sa.Table(
    "bucket_folders",
    metadata,
    sa.Column("bucket", sa.String, primary_key=True),
    sa.Column("folder_digest", sa.String, nullable=False),
)

# A bucket whose last run did not come to its end, and what it published that stands in no report yet: JSON, lists of
# names by what became of them.
unfinished_runs = sa.Table(
    "unfinished_runs",
    metadata,
    sa.Column("bucket", sa.String, primary_key=True),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("unreported", sa.String, nullable=False),
)

# What the faces of a bucket were last judged from: with the same, nobody joins, whatever the library learnt since.
# `route_distance` is that of `extended_facesets`, null if the bucket was published without it.
bucket_extensions = sa.Table(
    "bucket_extensions",
    metadata,
    sa.Column("bucket", sa.String, primary_key=True),
    sa.Column("inputs_digest", sa.String, nullable=False),
    sa.Column("route_distance", sa.Float),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("bucket", sa.String, primary_key=True),
    sa.Column("face_id", sa.String, primary_key=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("value", sa.Float),
    sa.Column("threshold", sa.Float),
    sa.Column("identity", sa.String),
    sa.Column("nearest", sa.String),
    sa.Column("nearest_distance", sa.Float),
    sa.Column("ambiguous_with", sa.String),
    sa.Column("ruling", sa.String),
    sa.Column("source_missing", sa.Boolean, nullable=False),
    sa.Column("truncated", sa.Boolean, nullable=False),
)

# Faces that came to their cluster by the second stage of clustering: how far the means of the two pieces lay apart, how
# far they were allowed to, and how many faces were in the smaller and in the larger one.
joins = sa.Table(
    "joins",
    metadata,
    sa.Column("bucket", sa.String, primary_key=True),
    sa.Column("face_id", sa.String, primary_key=True),
    sa.Column("distance", sa.Float, nullable=False),
    sa.Column("threshold", sa.Float, nullable=False),
    sa.Column("faces", sa.Integer, nullable=False),
    sa.Column("others", sa.Integer, nullable=False),
)

# What an era was seeded with, frozen: later photos are judged by it.
eras = sa.Table(
    "eras",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("year", sa.Float, nullable=False),
    sa.Column("first_year", sa.Integer, nullable=False),
    sa.Column("last_year", sa.Integer, nullable=False),
    sa.Column("centroid", sa.LargeBinary, nullable=False),
)

# Facesets of a legacy library that are live here under their own name; `entry` is theirs in its manifest, JSON.
adopted = sa.Table(
    "adopted",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("root", sa.String, nullable=False),
    sa.Column("entry", sa.String, nullable=False),
)

# Identities that were merged into another, in the order in which it was done; `undone_by` names the run that took one
# back. The members of the merged one stay in `members` under its own name, as they were.
merges = sa.Table(
    "merges",
    metadata,
    sa.Column("merge_id", sa.Integer, primary_key=True),
    sa.Column("merged", sa.String, nullable=False),
    sa.Column("keeper", sa.String, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("undone_by", sa.String),
)

# How an identity stood when it was first merged or merged into; what undoing needs beside the archived folders.
merge_records = sa.Table(
    "merge_records",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("label_given", sa.String),
    sa.Column("unpublished", sa.String),
    sa.Column("centroid", sa.LargeBinary),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("entry", sa.String),
    sa.Column("listed", sa.String),
    sa.Column("section", sa.String),
    sa.Column("before", sa.String),
)

# Folders under `_retired/_merged/` that undoing gives out again, by name and digest of their manifest.
merge_archives = sa.Table(
    "merge_archives",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("manifest_sha256", sa.String, primary_key=True),
)

# Pairs that somebody said are two people; no proposal names them again.
rejected_merges = sa.Table(
    "rejected_merges",
    metadata,
    sa.Column("first", sa.String, primary_key=True),
    sa.Column("second", sa.String, primary_key=True),
    sa.Column("run_id", sa.String, nullable=False),
)

# Moves of folders that a committed publication still owes to the disk; empty when the library is at rest.
pending_moves = sa.Table(
    "pending_moves",
    metadata,
    sa.Column("step", sa.Integer, primary_key=True),
    sa.Column("staging", sa.String, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("manifest_sha256", sa.String),
)
