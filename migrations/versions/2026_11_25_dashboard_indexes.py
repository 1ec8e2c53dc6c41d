"""Indexes for the dashboard: when posts appeared.

Why: newcomers and answered questions are found by when a post first appeared, and every page of figures would
otherwise read all posts. Locks: writes to `post` wait while the indexes are built (seconds for a million posts).
"""

from alembic import op

revision = "dashboard_indexes"
down_revision = "audit_heads"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_post_published", "post", ["published_at", "kind"])
    op.create_index("ix_post_author_published", "post", ["author_id", "published_at"])


def downgrade() -> None:
    op.drop_index("ix_post_author_published", table_name="post")
    op.drop_index("ix_post_published", table_name="post")
