"""jobs you can trust

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "job_attempt",
        sa.Column("job_id", sa.String(length=26), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("exit_reason", sa.String(length=32), nullable=True),
        sa.Column("start_mode", sa.String(length=16), nullable=True),
        sa.Column("start_reason", sa.Text(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("checkpoint", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "number"),
    )
    op.create_table(
        "job_usage",
        sa.Column("job_id", sa.String(length=26), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cpus", sa.Double(), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("processes", sa.Integer(), nullable=False),
        sa.Column("gpu_utilization", sa.Double(), nullable=True),
        sa.Column("gpu_memory_bytes", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "at"),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "schedule",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("cron", sa.String(length=200), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("submission", JSON, nullable=False),
        sa.Column("follow", sa.Boolean(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("missed", sa.String(length=8), nullable=False),
        sa.Column("overlap", sa.String(length=8), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("schedule", schema=None) as batch_op:
        batch_op.create_index("ix_schedule_due", ["paused", "next_at"], unique=False)
        batch_op.create_index("ix_schedule_project", ["project", "id"], unique=False)

    op.create_table(
        "schedule_firing",
        sa.Column("schedule_id", sa.String(length=26), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("project", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("manual", sa.Boolean(), nullable=False),
        sa.Column("job_id", sa.String(length=26), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "due_at"),
    )
    with op.batch_alter_table("schedule_firing", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_schedule_firing_job_id"), ["job_id"], unique=False)
        batch_op.create_index("ix_schedule_firing_state", ["state", "due_at"], unique=False)

    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.add_column(sa.Column("gpu_share", sa.Double(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("retries", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("max_memory_bytes", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("raised_memory_bytes", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("after", JSON, nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("variables", JSON, nullable=False, server_default="{}"))
        batch_op.add_column(
            sa.Column("cold", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("start_mode", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("start_reason", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("account", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("worker", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("run_key", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("schedule", sa.String(length=26), nullable=True))
        batch_op.add_column(sa.Column("retry_of", sa.String(length=26), nullable=True))
        batch_op.add_column(sa.Column("checkpoint_sha", sa.String(length=64), nullable=True))
        batch_op.drop_index("ix_job_queue")
        batch_op.create_index("ix_job_queue", ["state", "id", "revision"], unique=False)
        batch_op.create_index(
            "ix_job_like", ["project", "source_hash", "state", "id"], unique=False
        )
        batch_op.create_index("ix_job_source", ["project", "source", "state", "id"], unique=False)
        batch_op.create_index("ix_job_state", ["project", "state", "id"], unique=False)
        batch_op.create_index("ix_job_finished", ["finished_at"], unique=False)
        batch_op.create_index("ix_job_run_key", ["project", "run_key"], unique=True)
        batch_op.create_index("ix_job_schedule", ["schedule", "id"], unique=False)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index("ix_job_schedule")
        batch_op.drop_index("ix_job_run_key")
        batch_op.drop_index("ix_job_like")
        batch_op.drop_index("ix_job_source")
        batch_op.drop_index("ix_job_state")
        batch_op.drop_index("ix_job_finished")
        batch_op.drop_index("ix_job_queue")
        batch_op.create_index("ix_job_queue", ["state", "priority", "id"], unique=False)
        batch_op.drop_column("checkpoint_sha")
        batch_op.drop_column("retry_of")
        batch_op.drop_column("schedule")
        batch_op.drop_column("run_key")
        batch_op.drop_column("worker")
        batch_op.drop_column("account")
        batch_op.drop_column("start_reason")
        batch_op.drop_column("start_mode")
        batch_op.drop_column("cold")
        batch_op.drop_column("variables")
        batch_op.drop_column("after")
        batch_op.drop_column("not_before")
        batch_op.drop_column("raised_memory_bytes")
        batch_op.drop_column("max_memory_bytes")
        batch_op.drop_column("retries")
        batch_op.drop_column("gpu_share")

    with op.batch_alter_table("schedule_firing", schema=None) as batch_op:
        batch_op.drop_index("ix_schedule_firing_state")
        batch_op.drop_index(batch_op.f("ix_schedule_firing_job_id"))

    op.drop_table("schedule_firing")
    with op.batch_alter_table("schedule", schema=None) as batch_op:
        batch_op.drop_index("ix_schedule_project")
        batch_op.drop_index("ix_schedule_due")

    op.drop_table("schedule")
    op.drop_table("lease")
    op.drop_table("job_usage")
    op.drop_table("job_attempt")
