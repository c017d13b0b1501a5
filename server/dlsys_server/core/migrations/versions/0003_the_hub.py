"""the hub

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "project_member",
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("added_by", sa.String(length=200), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project", "kind", "name"),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("behalf_of", sa.String(length=200), nullable=True),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("ix_audit_operation", "audit", ["operation"])
    op.create_index("ix_audit_project", "audit", ["project"])
    op.create_table(
        "platform",
        sa.Column("worker", sa.String(length=200), nullable=False),
        sa.Column("tag", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("cpus", sa.Double(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("gpus", JSON, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("worker"),
    )
    op.create_table(
        "quota",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("gpu_hours", sa.Double(), nullable=True),
        sa.Column("jobs", sa.Integer(), nullable=True),
        sa.Column("storage_bytes", sa.BigInteger(), nullable=True),
        sa.Column("endpoints", sa.Integer(), nullable=True),
        sa.Column("set_by", sa.String(length=200), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name"),
    )
    with op.batch_alter_table("job") as table:
        table.add_column(sa.Column("gpu_hours", sa.Double(), nullable=True))
        table.add_column(sa.Column("quota_told", sa.String(7), nullable=False, server_default=""))
        table.add_column(
            sa.Column("kept_bytes", sa.BigInteger(), nullable=False, server_default="0")
        )
        table.create_index("ix_job_kept", ["project", "owner", "kept_bytes"])
    op.create_index("ix_job_attempt_finished", "job_attempt", ["finished_at"])
    with op.batch_alter_table("dataset_chunk") as table:
        table.add_column(sa.Column("bytes", sa.BigInteger(), nullable=True))
        table.add_column(sa.Column("owner", sa.String(200), nullable=False, server_default=""))
        table.create_index("ix_dataset_chunk_owner", ["owner"])
    op.create_table(
        "dataset_policy",
        sa.Column("dataset_id", sa.String(length=26), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("policy", JSON, nullable=False),
        sa.Column("set_by", sa.String(length=200), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"]),
        sa.PrimaryKeyConstraint("dataset_id"),
    )
    op.create_index("ix_dataset_policy_visibility", "dataset_policy", ["visibility"])
    with op.batch_alter_table("snapshot") as table:
        table.add_column(sa.Column("view", JSON, nullable=False, server_default="{}"))
    with op.batch_alter_table("project") as table:
        table.add_column(sa.Column("kind", sa.String(16), nullable=False, server_default="shared"))
        table.add_column(sa.Column("title", sa.String(200), nullable=False, server_default=""))
    with op.batch_alter_table("token") as table:
        table.add_column(sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        """UPDATE token SET kind = 'program', properties = '{"scopes": ["predict"]}' """
        "WHERE kind = 'endpoint'"
    )


def downgrade() -> None:
    """Undo."""
    op.execute("UPDATE token SET kind = 'endpoint' WHERE subject LIKE 'deployment/%'")
    op.execute("DELETE FROM token WHERE kind = 'program'")
    with op.batch_alter_table("token") as table:
        table.drop_column("last_used_at")
    with op.batch_alter_table("project") as table:
        table.drop_column("title")
        table.drop_column("kind")
    with op.batch_alter_table("dataset_chunk") as table:
        table.drop_index("ix_dataset_chunk_owner")
        table.drop_column("owner")
        table.drop_column("bytes")
    op.drop_index("ix_job_attempt_finished", "job_attempt")
    with op.batch_alter_table("job") as table:
        table.drop_index("ix_job_kept")
        table.drop_column("kept_bytes")
        table.drop_column("quota_told")
        table.drop_column("gpu_hours")
    op.drop_table("quota")
    with op.batch_alter_table("snapshot") as table:
        table.drop_column("view")
    op.drop_table("dataset_policy")
    op.drop_table("platform")
    op.drop_table("audit")
    op.drop_table("project_member")
