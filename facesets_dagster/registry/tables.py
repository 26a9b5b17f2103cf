"""Tables of the registry. One schema for SQLite and PostgreSQL; the version stands in `meta`."""

import sqlalchemy as sa

SCHEMA_VERSION = "2"

LAYOUT = "6"
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
    # Of the ruling that decided.
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

# What people decided, append-only: nothing but the state of a row and who took it back ever changes. `sequence` is the
# order in which they were written; the id is made by the writer, so that one that is sent twice is one row.
# `published`: whether the library obeys it.
rulings = sa.Table(
    "rulings",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("ruling_id", sa.String, nullable=False, unique=True),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("made_at", sa.String, nullable=False),
    sa.Column("made_by", sa.String, nullable=False),
    sa.Column("via", sa.String, nullable=False),
    sa.Column("reason", sa.String),
    sa.Column("payload", sa.String, nullable=False),
    sa.Column("seen_generation", sa.Integer),
    sa.Column("seen_digest", sa.String),
    sa.Column("state", sa.String, nullable=False, index=True),
    sa.Column("published", sa.Boolean, nullable=False),
    sa.Column("undone_at", sa.String),
    sa.Column("undone_by", sa.String),
    sa.Column("superseded_by", sa.String),
)

# The faces that a ruling speaks of. `embedding`: unit length, float16, of `model_id`.
ruling_faces = sa.Table(
    "ruling_faces",
    metadata,
    sa.Column("ruling_id", sa.String, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("role", sa.String, nullable=False),
    sa.Column("photo_sha256", sa.String, nullable=False, index=True),
    sa.Column("x1", sa.Float, nullable=False),
    sa.Column("y1", sa.Float, nullable=False),
    sa.Column("x2", sa.Float, nullable=False),
    sa.Column("y2", sa.Float, nullable=False),
    sa.Column("photo_width", sa.Integer, nullable=False),
    sa.Column("photo_height", sa.Integer, nullable=False),
    sa.Column("face_id", sa.String, nullable=False, index=True),
    sa.Column("bucket", sa.String, nullable=False),
    sa.Column("model_id", sa.String, nullable=False),
    sa.Column("embedding", sa.LargeBinary),
)

# Face sets that a ruling speaks of, as they were called then.
ruling_names = sa.Table(
    "ruling_names",
    metadata,
    sa.Column("ruling_id", sa.String, primary_key=True),
    sa.Column("role", sa.String, primary_key=True),
    sa.Column("name", sa.String, nullable=False, index=True),
)

# Identities that the rulings in force touch. `made_by` and `part`: of one that a split made; its row stays for good, so
# that the same split gives the same name again.
ruled_identities = sa.Table(
    "ruled_identities",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("touched", sa.Boolean, nullable=False),
    sa.Column("made_by", sa.String),
    sa.Column("part", sa.String),
)

# Members of touched identities as runs alone would have them: what undoing a ruling leads back to.
unruled_members = sa.Table(
    "unruled_members",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("bucket", sa.String, primary_key=True),
    sa.Column("face_id", sa.String, primary_key=True, index=True),
    sa.Column("joined_by", sa.String, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
)

# Merges that are true in the library, in the order in which they were published; `undone_by` names the run that took
# one back. They follow from the rulings.
merges = sa.Table(
    "merges",
    metadata,
    sa.Column("merge_id", sa.Integer, primary_key=True),
    sa.Column("merged", sa.String, nullable=False),
    sa.Column("keeper", sa.String, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("undone_by", sa.String),
)

# How an identity stood when a ruling first touched it; what undoing needs beside the kept folders.
stood_before = sa.Table(
    "stood_before",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("label", sa.String),
    sa.Column("unpublished", sa.String),
    sa.Column("centroid", sa.LargeBinary),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("entry", sa.String),
    sa.Column("listed", sa.String),
    sa.Column("section", sa.String),
    sa.Column("before", sa.String),
)

# Folders under `_retired/_merged/` that undoing gives out again, by name and digest of their manifest.
kept_folders = sa.Table(
    "kept_folders",
    metadata,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("manifest_sha256", sa.String, primary_key=True),
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
