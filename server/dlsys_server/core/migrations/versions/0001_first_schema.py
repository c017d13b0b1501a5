"""first schema

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "dataset",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("head", sa.Integer(), nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("removed", sa.String(length=26), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("dataset", schema=None) as batch_op:
        batch_op.create_index("ix_dataset_name", ["project", "name", "removed"], unique=True)
        batch_op.create_index("ix_dataset_updated", ["project", "updated_at"], unique=False)

    op.create_table(
        "dataset_chunk",
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=90), nullable=False),
        sa.PrimaryKeyConstraint("project", "sha256", "holder"),
    )
    op.create_table(
        "deployment",
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=250), nullable=False),
        sa.Column("model_ref", sa.String(length=250), nullable=False),
        sa.Column("target_version", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("previous_version", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("trust", sa.String(length=8), nullable=False),
        sa.Column("max_batch", sa.Integer(), nullable=False),
        sa.Column("slo_ms", sa.Double(), nullable=True),
        sa.Column("contract", JSON, nullable=True),
        sa.Column("golden", JSON, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project", "name"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "event",
        sa.Column("seq", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index("ix_event_project", ["project", "seq"], unique=False)
        batch_op.create_index("ix_event_subject", ["subject", "seq"], unique=False)

    op.create_table(
        "idempotency",
        sa.Column("principal", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("answer", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("principal", "key"),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("exit_reason", sa.String(length=32), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("source_hash", sa.String(length=80), nullable=False),
        sa.Column("bundle_sha", sa.String(length=64), nullable=False),
        sa.Column("environment_sha", sa.String(length=64), nullable=True),
        sa.Column("parameters", JSON, nullable=False),
        sa.Column("inputs", JSON, nullable=False),
        sa.Column("cpus", sa.Double(), nullable=False),
        sa.Column("gpus", sa.Integer(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("gpu_ids", JSON, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("timeout_seconds", sa.Double(), nullable=True),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("experiment", sa.String(length=200), nullable=True),
        sa.Column("progress_done", sa.Integer(), nullable=False),
        sa.Column("progress_total", sa.Integer(), nullable=False),
        sa.Column("spool_offset", sa.BigInteger(), nullable=False),
        sa.Column("run_closed", sa.Boolean(), nullable=False),
        sa.Column("notebook_sha", sa.String(length=64), nullable=True),
        sa.Column("log_sha", sa.String(length=64), nullable=True),
        sa.Column("artifacts", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index("ix_job_project", ["project", "id"], unique=False)
        batch_op.create_index("ix_job_queue", ["state", "priority", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_job_run_closed"), ["run_closed"], unique=False)

    op.create_table(
        "lineage_node",
        sa.Column("id", BIG_ID, autoincrement=True, nullable=False),
        sa.Column("urn", sa.String(length=400), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("properties", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("urn"),
    )
    with op.batch_alter_table("lineage_node", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lineage_node_project"), ["project"], unique=False)

    op.create_table(
        "model_version",
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("model", sa.String(length=250), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=True),
        sa.Column("job_id", sa.String(length=26), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project", "model", "version"),
    )
    with op.batch_alter_table("model_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_model_version_job_id"), ["job_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_model_version_run_id"), ["run_id"], unique=False)

    op.create_table(
        "project",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run_id", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("job_id", sa.String(length=26), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id"),
    )
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_run_job_id"), ["job_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_run_project"), ["project"], unique=False)

    op.create_table(
        "token",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("properties", JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sha256"),
    )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_token_subject"), ["subject"], unique=False)

    op.create_table(
        "dataset_tag",
        sa.Column("dataset_id", sa.String(length=26), nullable=False),
        sa.Column("tag", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
        ),
        sa.PrimaryKeyConstraint("dataset_id", "tag"),
    )
    op.create_table(
        "dataset_version",
        sa.Column("dataset_id", sa.String(length=26), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column("statistics", sa.String(length=64), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("operation", sa.String(length=16), nullable=False),
        sa.Column("tags", JSON, nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rows", BIG_ID, nullable=False),
        sa.Column("rows_added", BIG_ID, nullable=False),
        sa.Column("rows_removed", BIG_ID, nullable=False),
        sa.Column("bytes", BIG_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
        ),
        sa.PrimaryKeyConstraint("dataset_id", "version"),
    )
    with op.batch_alter_table("dataset_version", schema=None) as batch_op:
        batch_op.create_index(
            "ix_dataset_version_manifest", ["dataset_id", "manifest"], unique=False
        )

    op.create_table(
        "lineage_edge",
        sa.Column("source", BIG_ID, nullable=False),
        sa.Column("target", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["source"],
            ["lineage_node.id"],
        ),
        sa.ForeignKeyConstraint(
            ["target"],
            ["lineage_node.id"],
        ),
        sa.PrimaryKeyConstraint("source", "target", "kind"),
    )
    with op.batch_alter_table("lineage_edge", schema=None) as batch_op:
        batch_op.create_index("ix_lineage_edge_target", ["target", "source"], unique=False)

    op.create_table(
        "metric_key",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("last_step", BIG_ID, nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        sa.Column("last_value", sa.Float(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run"],
            ["run.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("metric_key", schema=None) as batch_op:
        batch_op.create_index("ix_metric_key_run", ["run", "key"], unique=True)

    op.create_table(
        "snapshot",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("dataset_id", sa.String(length=26), nullable=False),
        sa.Column("dataset", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("request", JSON, nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=71), nullable=False),
        sa.Column("manifest", sa.String(length=64), nullable=False),
        sa.Column("rows", BIG_ID, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["dataset.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("snapshot", schema=None) as batch_op:
        batch_op.create_index("ix_snapshot_hash", ["project", "hash"], unique=False)
        batch_op.create_index(
            "ix_snapshot_request", ["dataset_id", "version", "request_hash"], unique=True
        )

    op.create_table(
        "metric_point",
        sa.Column("metric", sa.Integer(), nullable=False),
        sa.Column("step", BIG_ID, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["metric"],
            ["metric_key.id"],
        ),
        sa.PrimaryKeyConstraint("metric", "step", "at"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("metric_point")
    with op.batch_alter_table("snapshot", schema=None) as batch_op:
        batch_op.drop_index("ix_snapshot_request")
        batch_op.drop_index("ix_snapshot_hash")

    op.drop_table("snapshot")
    with op.batch_alter_table("metric_key", schema=None) as batch_op:
        batch_op.drop_index("ix_metric_key_run")

    op.drop_table("metric_key")
    with op.batch_alter_table("lineage_edge", schema=None) as batch_op:
        batch_op.drop_index("ix_lineage_edge_target")

    op.drop_table("lineage_edge")
    with op.batch_alter_table("dataset_version", schema=None) as batch_op:
        batch_op.drop_index("ix_dataset_version_manifest")

    op.drop_table("dataset_version")
    op.drop_table("dataset_tag")
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_token_subject"))

    op.drop_table("token")
    with op.batch_alter_table("run", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_run_project"))
        batch_op.drop_index(batch_op.f("ix_run_job_id"))

    op.drop_table("run")
    op.drop_table("project")
    with op.batch_alter_table("model_version", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_model_version_run_id"))
        batch_op.drop_index(batch_op.f("ix_model_version_job_id"))

    op.drop_table("model_version")
    with op.batch_alter_table("lineage_node", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lineage_node_project"))

    op.drop_table("lineage_node")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_job_run_closed"))
        batch_op.drop_index("ix_job_queue")
        batch_op.drop_index("ix_job_project")

    op.drop_table("job")
    op.drop_table("idempotency")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index("ix_event_subject")
        batch_op.drop_index("ix_event_project")

    op.drop_table("event")
    op.drop_table("deployment")
    op.drop_table("dataset_chunk")
    with op.batch_alter_table("dataset", schema=None) as batch_op:
        batch_op.drop_index("ix_dataset_updated")
        batch_op.drop_index("ix_dataset_name")

    op.drop_table("dataset")
