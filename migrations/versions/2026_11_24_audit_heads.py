"""Heads of the audit chain, and a digest of each entry's reason, so that the reason can be emptied later.

Why: a chain that was computed anew shows only against a head published before; and words about people must be able to
go while the chain still verifies. The two indexes on decisions carry the filters of the public log.
Locks: audit_entry is read and written once (about 10 s for 1,000,000 entries); no entry can be added meanwhile.
"""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "audit_heads"
down_revision = "first_house"
branch_labels = None
depends_on = None

CHUNK = 1_000


def upgrade() -> None:
    op.create_table(
        "audit_head",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_audit_head")),
    )
    op.add_column("audit_entry", sa.Column("reason_hash", sa.String(length=64), nullable=True))
    _fill_digests()
    with op.batch_alter_table("audit_entry") as batch_op:
        batch_op.alter_column("reason_hash", existing_type=sa.String(length=64), nullable=False)
        batch_op.alter_column("reason", existing_type=sa.Text(), nullable=True)
    with op.batch_alter_table("decision") as batch_op:
        batch_op.create_index("ix_decision_rule", ["rule_code", "id"])
        batch_op.create_index("ix_decision_verdict", ["verdict", "id"])


def _fill_digests() -> None:
    """As the chain itself computes them: SHA-256 over the reason written as JSON."""
    entry = sa.table(
        "audit_entry",
        sa.column("id", sa.Integer()),
        sa.column("reason", sa.Text()),
        sa.column("reason_hash", sa.String()),
    )
    connection, last = op.get_bind(), 0
    change = entry.update().where(entry.c.id == sa.bindparam("row")).values(reason_hash=sa.bindparam("digest"))
    while True:
        part = connection.execute(
            sa.select(entry.c.id, entry.c.reason).where(entry.c.id > last).order_by(entry.c.id).limit(CHUNK)
        ).all()
        if not part:
            return
        connection.execute(change, [{"row": row.id, "digest": _digest(row.reason)} for row in part])
        last = part[-1].id


def _digest(reason: str) -> str:
    return hashlib.sha256(json.dumps(reason, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def downgrade() -> None:
    with op.batch_alter_table("decision") as batch_op:
        batch_op.drop_index("ix_decision_verdict")
        batch_op.drop_index("ix_decision_rule")
    op.execute("UPDATE audit_entry SET reason = '' WHERE reason IS NULL")
    with op.batch_alter_table("audit_entry") as batch_op:
        batch_op.alter_column("reason", existing_type=sa.Text(), nullable=False)
        batch_op.drop_column("reason_hash")
    op.drop_table("audit_head")
