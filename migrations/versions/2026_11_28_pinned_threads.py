"""An index over the few threads that stand first on their board.

Why: every first page of a board asks for them, and without it the whole board would be read.
Locks: on PostgreSQL `thread` takes no writes while the index is built; none is pinned yet, so it reads the table once.
"""

import sqlalchemy as sa
from alembic import op

revision = "pinned_threads"
down_revision = "queue_indexes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("thread") as batch_op:
        batch_op.create_index(
            "ix_thread_pinned",
            ["board_id", "pinned_at"],
            unique=False,
            sqlite_where=sa.text("pinned_at IS NOT NULL"),
            postgresql_where=sa.text("pinned_at IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("thread") as batch_op:
        batch_op.drop_index("ix_thread_pinned")
