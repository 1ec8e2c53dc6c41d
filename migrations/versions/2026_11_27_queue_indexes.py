"""Indexes that keep "next" equally quick however many cases were ever decided or are leased at the moment.

Why: the queue's order was indexed over all states and all boards only; a moderator of one quiet board read the whole
queue to find its few cases, and whoever came behind many leases read through all of them.
That a moderator reported the post, or posted in its thread, is asked of every case considered, so it has indexes too.
Locks: writes to `case`, `report` and `post` wait while the indexes are built (about 2 s for 1,000,000 rows each).
"""

import sqlalchemy as sa
from alembic import op

revision = "queue_indexes"
down_revision = "moderation_chain"
branch_labels = None
depends_on = None

WAITS = "state IN ('open', 'claimed')"
ORDER = ["lane", "due_at"]


def _create(name: str, columns: list, where: str) -> None:
    op.create_index(name, "case", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    op.drop_index("ix_case_queue", table_name="case")
    _create("ix_case_queue", ORDER, WAITS)
    op.create_index("ix_case_state", "case", ["state", *ORDER])
    op.drop_index("ix_case_board_id", table_name="case")
    op.create_index("ix_case_board", "case", ["board_id", "state", *ORDER])
    _create("ix_case_claimed", ["state", "claimed_until"], "state = 'claimed'")
    op.create_index("ix_report_post", "report", ["post_id", "reporter_id"])
    op.create_index("ix_post_thread_author", "post", ["thread_id", "author_id"])
    _create("ix_case_late", ["breach_level", "due_at"], f"{WAITS} AND breach_level < 3")


def downgrade() -> None:
    op.drop_index("ix_post_thread_author", table_name="post")
    op.drop_index("ix_report_post", table_name="report")
    for name in ("ix_case_late", "ix_case_claimed", "ix_case_board", "ix_case_state", "ix_case_queue"):
        op.drop_index(name, table_name="case")
    op.create_index("ix_case_queue", "case", ["state", "lane", "due_at", "score", "id"])
    op.create_index("ix_case_board_id", "case", ["board_id"])
