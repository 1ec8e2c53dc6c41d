"""The whole chain of moderation: appeals, sanctions, second persons, talk, and what moderators keep beside a case.

Why: a decision had no second person, no appeal and no sanction, and a case no notes, skips or assignment.
Locks: `decision`, `case`, `thread`, `board`, `restriction` and `statement` are altered; on PostgreSQL the new columns
have constant defaults (no rewrite), the new CHECKs read each table once (about 2 s for 1,000,000 decisions).
"""

import sqlalchemy as sa
from alembic import op

revision = "moderation_chain"
down_revision = "dashboard_indexes"
branch_labels = None
depends_on = None

MEMBER_SUBJECT = "subject_kind <> 'member' OR author_id IS NOT NULL"
BOTH_STATES = "(state_before IS NULL) = (state_after IS NULL)"
LIMIT_HAS_NUMBER = "(kind = 'posting_limit') = (daily_limit IS NOT NULL)"

# The words that a column knew before, and those that it knows now.
WORDS = {
    ("decision", "verdict", "verdict"): (
        "approve reject request_changes redact label shield hide remove restore dismiss escalate",
        "sanction lock",
    ),
    ("restriction", "kind", "restrictionkind"): ("suspended read_only board", "warning posting_limit"),
    ("notification", "kind", "notificationkind"): (
        "published changes_requested rejected hidden removed restored answered replied report_decided",
        "redacted labelled shielded locked moved sanctioned sanction_ended appeal_decided talk",
    ),
}


def _know(words: dict[tuple[str, str, str], str]) -> None:
    """Replace the CHECK of each column by one over these words."""
    for (table, column, name), known in words.items():
        listed = ", ".join(f"'{word}'" for word in known.split())
        with op.batch_alter_table(table) as batch_op:
            batch_op.drop_constraint(batch_op.f(f"ck_{table}_{name}"), type_="check")
            batch_op.create_check_constraint(name, f"{column} IN ({listed})")


def upgrade() -> None:
    _know({key: f"{old} {new}" for key, (old, new) in WORDS.items()})
    op.create_table(
        "bulk_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("moderator_id", sa.Integer(), nullable=False),
        sa.Column(
            "verdict",
            sa.Enum(
                "approve",
                "reject",
                "request_changes",
                "redact",
                "label",
                "shield",
                "hide",
                "remove",
                "restore",
                "dismiss",
                "escalate",
                "sanction",
                "lock",
                name="verdict",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("rule_code", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("case_count", sa.Integer(), nullable=False),
        sa.Column("decided_count", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["moderator_id"], ["member.id"], name=op.f("fk_bulk_decision_moderator_id_member"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_decision")),
    )
    with op.batch_alter_table("bulk_decision") as batch_op:
        batch_op.create_index(batch_op.f("ix_bulk_decision_moderator_id"), ["moderator_id"], unique=False)
    with op.batch_alter_table("board") as batch_op:
        batch_op.add_column(sa.Column("notice", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("notice_html", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("is_sensitive", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("case") as batch_op:
        batch_op.add_column(sa.Column("score_terms", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("assigned_to", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("needs_lead", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("is_severe", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("breach_level", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("breached_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_check_constraint("member_subject", MEMBER_SUBJECT)
        batch_op.create_index(batch_op.f("ix_case_assigned_to"), ["assigned_to"], unique=False)
        batch_op.create_index(
            "uq_case_live_member",
            ["author_id"],
            unique=True,
            sqlite_where=sa.text(
                "subject_kind = 'member' AND state IN ('open', 'claimed', 'awaiting_author', 'awaiting_second')"
            ),
            postgresql_where=sa.text(
                "subject_kind = 'member' AND state IN ('open', 'claimed', 'awaiting_author', 'awaiting_second')"
            ),
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_case_assigned_to_member"), "member", ["assigned_to"], ["id"], ondelete="RESTRICT"
        )
    with op.batch_alter_table("decision") as batch_op:
        batch_op.add_column(sa.Column("terms", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("needs_second", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("bulk_id", sa.Integer(), nullable=True))
        batch_op.alter_column("state_before", existing_type=sa.VARCHAR(length=32), nullable=True)
        batch_op.alter_column("state_after", existing_type=sa.VARCHAR(length=32), nullable=True)
        batch_op.create_check_constraint("both_states", BOTH_STATES)
        batch_op.create_index(batch_op.f("ix_decision_bulk_id"), ["bulk_id"], unique=False)
        batch_op.create_unique_constraint(batch_op.f("uq_decision_id_moderator_id"), ["id", "moderator_id"])
        batch_op.create_foreign_key(
            batch_op.f("fk_decision_bulk_id_bulk_decision"), "bulk_decision", ["bulk_id"], ["id"], ondelete="RESTRICT"
        )
    with op.batch_alter_table("restriction") as batch_op:
        batch_op.add_column(sa.Column("daily_limit", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("reference", sa.String(length=32), nullable=True))
        batch_op.create_check_constraint("limit_has_number", LIMIT_HAS_NUMBER)
    with op.batch_alter_table("statement") as batch_op:
        batch_op.add_column(sa.Column("export", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("thread") as batch_op:
        batch_op.add_column(sa.Column("pinned_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("merged_into_id", sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f("ix_thread_merged_into_id"), ["merged_into_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_thread_merged_into_id_thread"), "thread", ["merged_into_id"], ["id"], ondelete="RESTRICT"
        )
    op.create_table(
        "canned_reason",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule_code", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_reason")),
    )
    with op.batch_alter_table("canned_reason") as batch_op:
        batch_op.create_index("ix_canned_reason_rule", ["rule_code", "position", "id"], unique=False)
    op.create_table(
        "announcement",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["member.id"], name=op.f("fk_announcement_author_id_member"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcement")),
    )
    with op.batch_alter_table("announcement") as batch_op:
        batch_op.create_index(batch_op.f("ix_announcement_author_id"), ["author_id"], unique=False)
        batch_op.create_index("ix_announcement_until", ["until", "since"], unique=False)
    op.create_table(
        "desk_setting",
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("opted_out", sa.JSON(), nullable=False),
        sa.Column("blurs", sa.Boolean(), nullable=False),
        sa.Column("break_after", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_desk_setting_member_id_member"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_desk_setting")),
    )
    op.create_table(
        "member_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["member.id"], name=op.f("fk_member_note_author_id_member"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_member_note_member_id_member"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member_note")),
    )
    with op.batch_alter_table("member_note") as batch_op:
        batch_op.create_index(batch_op.f("ix_member_note_author_id"), ["author_id"], unique=False)
        batch_op.create_index("ix_member_note_member", ["member_id", "id"], unique=False)
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("query", sa.String(length=500), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_saved_view_member_id_member"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("member_id", "name", name=op.f("uq_saved_view_member_id_name")),
    )
    op.create_table(
        "ladder_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("board_id", sa.Integer(), nullable=True),
        sa.Column("strikes", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "reminder",
                "warning",
                "posting_limit",
                "board_restriction",
                "suspension",
                "termination",
                name="sanctionkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.CheckConstraint("strikes > 0", name=op.f("ck_ladder_step_strikes")),
        sa.ForeignKeyConstraint(
            ["board_id"], ["board.id"], name=op.f("fk_ladder_step_board_id_board"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ladder_step")),
        sa.UniqueConstraint("board_id", "strikes", name=op.f("uq_ladder_step_board_id_strikes")),
    )
    op.create_table(
        "patrol_mark",
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("seen_by", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_patrol_mark_post_id_post"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["seen_by"], ["member.id"], name=op.f("fk_patrol_mark_seen_by_member"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_patrol_mark")),
    )
    with op.batch_alter_table("patrol_mark") as batch_op:
        batch_op.create_index(batch_op.f("ix_patrol_mark_seen_by"), ["seen_by"], unique=False)
    op.create_table(
        "case_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "note", "hand_over", "escalation", name="notekind", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["member.id"], name=op.f("fk_case_note_author_id_member"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_case_note_case_id_case"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_note")),
    )
    with op.batch_alter_table("case_note") as batch_op:
        batch_op.create_index(batch_op.f("ix_case_note_author_id"), ["author_id"], unique=False)
        batch_op.create_index("ix_case_note_case", ["case_id", "id"], unique=False)
    op.create_table(
        "case_skip",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("moderator_id", sa.Integer(), nullable=False),
        sa.Column("case_version", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_case_skip_case_id_case"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["moderator_id"], ["member.id"], name=op.f("fk_case_skip_moderator_id_member"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_skip")),
    )
    with op.batch_alter_table("case_skip") as batch_op:
        batch_op.create_index(batch_op.f("ix_case_skip_case_id"), ["case_id"], unique=False)
        batch_op.create_index("ix_case_skip_moderator", ["moderator_id", "case_id", "case_version"], unique=False)
    op.create_table(
        "case_view",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("is_hard", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_case_view_case_id_case"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_case_view_member_id_member"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_view")),
    )
    with op.batch_alter_table("case_view") as batch_op:
        batch_op.create_index("ix_case_view_case", ["case_id", "at"], unique=False)
        batch_op.create_index("ix_case_view_member", ["member_id", "at"], unique=False)
    op.create_table(
        "talk",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=True),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("opened_by", sa.Integer(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_message_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("awaits_team", sa.Boolean(), nullable=False),
        sa.Column("follow_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_talk_case_id_case"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_talk_member_id_member"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["opened_by"], ["member.id"], name=op.f("fk_talk_opened_by_member"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_talk")),
    )
    with op.batch_alter_table("talk") as batch_op:
        batch_op.create_index(batch_op.f("ix_talk_case_id"), ["case_id"], unique=False)
        batch_op.create_index("ix_talk_follow_up", ["follow_up_at"], unique=False)
        batch_op.create_index("ix_talk_member", ["member_id", "id"], unique=False)
        batch_op.create_index("ix_talk_open", ["closed_at", "last_message_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_talk_opened_by"), ["opened_by"], unique=False)
    op.create_table(
        "confirmation",
        sa.Column("decision_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_decider_id", sa.Integer(), nullable=False),
        sa.Column("confirmed_by", sa.Integer(), nullable=False),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("confirmed_by <> first_decider_id", name=op.f("ck_confirmation_another_person")),
        sa.ForeignKeyConstraint(
            ["confirmed_by"], ["member.id"], name=op.f("fk_confirmation_confirmed_by_member"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["decision_id", "first_decider_id"],
            ["decision.id", "decision.moderator_id"],
            name="fk_confirmation_first_decider",
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_confirmation")),
        sa.UniqueConstraint("decision_id", "confirmed_by", name=op.f("uq_confirmation_decision_id_confirmed_by")),
    )
    with op.batch_alter_table("confirmation") as batch_op:
        batch_op.create_index(batch_op.f("ix_confirmation_confirmed_by"), ["confirmed_by"], unique=False)
    op.create_table(
        "post_label",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("article_version", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name=op.f("fk_post_label_decision_id_decision"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_post_label_post_id_post"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_label")),
    )
    with op.batch_alter_table("post_label") as batch_op:
        batch_op.create_index(batch_op.f("ix_post_label_decision_id"), ["decision_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_post_label_post_id"), ["post_id"], unique=False)
        batch_op.create_index(
            "uq_post_label_live",
            ["post_id"],
            unique=True,
            sqlite_where=sa.text("lifted_at IS NULL"),
            postgresql_where=sa.text("lifted_at IS NULL"),
        )
    op.create_table(
        "redaction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("revision_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(length=8), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("original", sa.Text(), nullable=False),
        sa.Column("replacement", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name=op.f("fk_redaction_decision_id_decision"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["revision_id"], ["revision.id"], name=op.f("fk_redaction_revision_id_revision"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redaction")),
    )
    with op.batch_alter_table("redaction") as batch_op:
        batch_op.create_index("ix_redaction_decision", ["decision_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_redaction_revision_id"), ["revision_id"], unique=False)
    op.create_table(
        "sanction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Integer(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "reminder",
                "warning",
                "posting_limit",
                "board_restriction",
                "suspension",
                "termination",
                name="sanctionkind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("board_id", sa.Integer(), nullable=True),
        sa.Column("ladder_board_id", sa.Integer(), nullable=True),
        sa.Column("restriction_id", sa.Integer(), nullable=True),
        sa.Column("strikes", sa.Integer(), nullable=False),
        sa.Column("strikes_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("prior_warning_id", sa.Integer(), nullable=True),
        sa.Column("misuse", sa.JSON(), nullable=False),
        sa.Column("imposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("voided_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(kind = 'board_restriction') = (board_id IS NOT NULL)",
            name=op.f("ck_sanction_board_restriction_has_board"),
        ),
        sa.CheckConstraint(
            "kind <> 'suspension' OR prior_warning_id IS NOT NULL", name=op.f("ck_sanction_suspension_after_warning")
        ),
        sa.CheckConstraint("strikes >= 0", name=op.f("ck_sanction_strikes")),
        sa.ForeignKeyConstraint(
            ["board_id"], ["board.id"], name=op.f("fk_sanction_board_id_board"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name=op.f("fk_sanction_decision_id_decision"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["ladder_board_id"], ["board.id"], name=op.f("fk_sanction_ladder_board_id_board"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_sanction_member_id_member"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["prior_warning_id"],
            ["sanction.id"],
            name=op.f("fk_sanction_prior_warning_id_sanction"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["restriction_id"],
            ["restriction.id"],
            name=op.f("fk_sanction_restriction_id_restriction"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["voided_by_id"], ["decision.id"], name=op.f("fk_sanction_voided_by_id_decision"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sanction")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_sanction_decision_id")),
        sa.UniqueConstraint("restriction_id", name=op.f("uq_sanction_restriction_id")),
        sa.UniqueConstraint("voided_by_id", name=op.f("uq_sanction_voided_by_id")),
    )
    with op.batch_alter_table("sanction") as batch_op:
        batch_op.create_index(batch_op.f("ix_sanction_board_id"), ["board_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sanction_ladder_board_id"), ["ladder_board_id"], unique=False)
        batch_op.create_index("ix_sanction_member", ["member_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sanction_prior_warning_id"), ["prior_warning_id"], unique=False)
    op.create_table(
        "talk_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("talk_id", sa.Integer(), nullable=False),
        sa.Column("by_team", sa.Boolean(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["member.id"], name=op.f("fk_talk_message_author_id_member"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["talk_id"], ["talk.id"], name=op.f("fk_talk_message_talk_id_talk"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_talk_message")),
    )
    with op.batch_alter_table("talk_message") as batch_op:
        batch_op.create_index(batch_op.f("ix_talk_message_author_id"), ["author_id"], unique=False)
        batch_op.create_index("ix_talk_message_talk", ["talk_id", "id"], unique=False)
    op.create_table(
        "thread_operation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "move",
                "merge",
                "split",
                "lock",
                "unlock",
                "pin",
                "unpin",
                name="operation",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("thread_id", sa.Integer(), nullable=False),
        sa.Column("into_id", sa.Integer(), nullable=True),
        sa.Column("from_board_id", sa.Integer(), nullable=True),
        sa.Column("to_board_id", sa.Integer(), nullable=True),
        sa.Column("post_ids", sa.JSON(), nullable=False),
        sa.Column("rule_code", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=True),
        sa.Column("moderator_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name=op.f("fk_thread_operation_decision_id_decision"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["from_board_id"], ["board.id"], name=op.f("fk_thread_operation_from_board_id_board"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["into_id"], ["thread.id"], name=op.f("fk_thread_operation_into_id_thread"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["moderator_id"], ["member.id"], name=op.f("fk_thread_operation_moderator_id_member"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["thread.id"], name=op.f("fk_thread_operation_thread_id_thread"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["to_board_id"], ["board.id"], name=op.f("fk_thread_operation_to_board_id_board"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thread_operation")),
    )
    with op.batch_alter_table("thread_operation") as batch_op:
        batch_op.create_index(batch_op.f("ix_thread_operation_decision_id"), ["decision_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_thread_operation_from_board_id"), ["from_board_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_thread_operation_into_id"), ["into_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_thread_operation_moderator_id"), ["moderator_id"], unique=False)
        batch_op.create_index("ix_thread_operation_thread", ["thread_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_thread_operation_to_board_id"), ["to_board_id"], unique=False)
    op.create_table(
        "appeal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=32), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=True),
        sa.Column("appellant_id", sa.Integer(), nullable=False),
        sa.Column("first_decider_id", sa.Integer(), nullable=True),
        sa.Column("second_decider_id", sa.Integer(), nullable=True),
        sa.Column("grounds", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                "upheld",
                "overturned",
                "partly",
                "inadmissible",
                name="appealoutcome",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reversal_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(outcome IS NULL) = (decided_at IS NULL) AND (outcome IS NULL) = (decided_by IS NULL)",
            name=op.f("ck_appeal_decided_whole"),
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> appellant_id", name=op.f("ck_appeal_never_the_appellant")
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR first_decider_id IS NULL OR decided_by <> first_decider_id",
            name=op.f("ck_appeal_never_the_first_decider"),
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR second_decider_id IS NULL OR decided_by <> second_decider_id",
            name=op.f("ck_appeal_never_the_second_decider"),
        ),
        sa.CheckConstraint("length(grounds) > 0", name=op.f("ck_appeal_has_grounds")),
        sa.CheckConstraint("outcome IS NULL OR length(reasons) > 0", name=op.f("ck_appeal_has_reasons")),
        sa.ForeignKeyConstraint(
            ["appellant_id"], ["member.id"], name=op.f("fk_appeal_appellant_id_member"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["member.id"], name=op.f("fk_appeal_decided_by_member"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["decision_id", "first_decider_id"],
            ["decision.id", "decision.moderator_id"],
            name="fk_appeal_first_decider",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["decision_id", "second_decider_id"],
            ["confirmation.decision_id", "confirmation.confirmed_by"],
            name="fk_appeal_second_decider",
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decision.id"], name=op.f("fk_appeal_decision_id_decision"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["report_id"], ["report.id"], name=op.f("fk_appeal_report_id_report"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["reversal_id"], ["decision.id"], name=op.f("fk_appeal_reversal_id_decision"), ondelete="RESTRICT"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appeal")),
        sa.UniqueConstraint("decision_id", "appellant_id", name=op.f("uq_appeal_decision_id_appellant_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_appeal_reference")),
        sa.UniqueConstraint("reversal_id", name=op.f("uq_appeal_reversal_id")),
    )
    with op.batch_alter_table("appeal") as batch_op:
        batch_op.create_index(batch_op.f("ix_appeal_appellant_id"), ["appellant_id"], unique=False)
        batch_op.create_index("ix_appeal_decided", ["decided_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_appeal_decided_by"), ["decided_by"], unique=False)
        batch_op.create_index("ix_appeal_open", ["outcome", "due_at", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_appeal_report_id"), ["report_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("appeal") as batch_op:
        batch_op.drop_index(batch_op.f("ix_appeal_report_id"))
        batch_op.drop_index("ix_appeal_open")
        batch_op.drop_index(batch_op.f("ix_appeal_decided_by"))
        batch_op.drop_index("ix_appeal_decided")
        batch_op.drop_index(batch_op.f("ix_appeal_appellant_id"))
    op.drop_table("appeal")
    with op.batch_alter_table("thread_operation") as batch_op:
        batch_op.drop_index(batch_op.f("ix_thread_operation_to_board_id"))
        batch_op.drop_index("ix_thread_operation_thread")
        batch_op.drop_index(batch_op.f("ix_thread_operation_moderator_id"))
        batch_op.drop_index(batch_op.f("ix_thread_operation_into_id"))
        batch_op.drop_index(batch_op.f("ix_thread_operation_from_board_id"))
        batch_op.drop_index(batch_op.f("ix_thread_operation_decision_id"))
    op.drop_table("thread_operation")
    with op.batch_alter_table("talk_message") as batch_op:
        batch_op.drop_index("ix_talk_message_talk")
        batch_op.drop_index(batch_op.f("ix_talk_message_author_id"))
    op.drop_table("talk_message")
    with op.batch_alter_table("sanction") as batch_op:
        batch_op.drop_index(batch_op.f("ix_sanction_prior_warning_id"))
        batch_op.drop_index("ix_sanction_member")
        batch_op.drop_index(batch_op.f("ix_sanction_ladder_board_id"))
        batch_op.drop_index(batch_op.f("ix_sanction_board_id"))
    op.drop_table("sanction")
    with op.batch_alter_table("redaction") as batch_op:
        batch_op.drop_index(batch_op.f("ix_redaction_revision_id"))
        batch_op.drop_index("ix_redaction_decision")
    op.drop_table("redaction")
    with op.batch_alter_table("post_label") as batch_op:
        batch_op.drop_index(
            "uq_post_label_live",
            sqlite_where=sa.text("lifted_at IS NULL"),
            postgresql_where=sa.text("lifted_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_post_label_post_id"))
        batch_op.drop_index(batch_op.f("ix_post_label_decision_id"))
    op.drop_table("post_label")
    with op.batch_alter_table("confirmation") as batch_op:
        batch_op.drop_index(batch_op.f("ix_confirmation_confirmed_by"))
    op.drop_table("confirmation")
    with op.batch_alter_table("talk") as batch_op:
        batch_op.drop_index(batch_op.f("ix_talk_opened_by"))
        batch_op.drop_index("ix_talk_open")
        batch_op.drop_index("ix_talk_member")
        batch_op.drop_index("ix_talk_follow_up")
        batch_op.drop_index(batch_op.f("ix_talk_case_id"))
    op.drop_table("talk")
    with op.batch_alter_table("case_view") as batch_op:
        batch_op.drop_index("ix_case_view_member")
        batch_op.drop_index("ix_case_view_case")
    op.drop_table("case_view")
    with op.batch_alter_table("case_skip") as batch_op:
        batch_op.drop_index("ix_case_skip_moderator")
        batch_op.drop_index(batch_op.f("ix_case_skip_case_id"))
    op.drop_table("case_skip")
    with op.batch_alter_table("case_note") as batch_op:
        batch_op.drop_index("ix_case_note_case")
        batch_op.drop_index(batch_op.f("ix_case_note_author_id"))
    op.drop_table("case_note")
    with op.batch_alter_table("patrol_mark") as batch_op:
        batch_op.drop_index(batch_op.f("ix_patrol_mark_seen_by"))
    op.drop_table("patrol_mark")
    op.drop_table("ladder_step")
    op.drop_table("saved_view")
    with op.batch_alter_table("member_note") as batch_op:
        batch_op.drop_index("ix_member_note_member")
        batch_op.drop_index(batch_op.f("ix_member_note_author_id"))
    op.drop_table("member_note")
    op.drop_table("desk_setting")
    with op.batch_alter_table("announcement") as batch_op:
        batch_op.drop_index("ix_announcement_until")
        batch_op.drop_index(batch_op.f("ix_announcement_author_id"))
    op.drop_table("announcement")
    with op.batch_alter_table("canned_reason") as batch_op:
        batch_op.drop_index("ix_canned_reason_rule")
    op.drop_table("canned_reason")
    with op.batch_alter_table("thread") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_thread_merged_into_id_thread"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_thread_merged_into_id"))
        batch_op.drop_column("merged_into_id")
        batch_op.drop_column("pinned_at")
    with op.batch_alter_table("statement") as batch_op:
        batch_op.drop_column("export")
    with op.batch_alter_table("restriction") as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_restriction_limit_has_number"), type_="check")
        batch_op.drop_column("reference")
        batch_op.drop_column("daily_limit")
    with op.batch_alter_table("decision") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_decision_bulk_id_bulk_decision"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("uq_decision_id_moderator_id"), type_="unique")
        batch_op.drop_index(batch_op.f("ix_decision_bulk_id"))
        batch_op.alter_column("state_after", existing_type=sa.VARCHAR(length=32), nullable=False)
        batch_op.alter_column("state_before", existing_type=sa.VARCHAR(length=32), nullable=False)
        batch_op.drop_constraint(batch_op.f("ck_decision_both_states"), type_="check")
        batch_op.drop_column("bulk_id")
        batch_op.drop_column("needs_second")
        batch_op.drop_column("terms")
    with op.batch_alter_table("case") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_case_assigned_to_member"), type_="foreignkey")
        batch_op.drop_index(
            "uq_case_live_member",
            sqlite_where=sa.text(
                "subject_kind = 'member' AND state IN ('open', 'claimed', 'awaiting_author', 'awaiting_second')"
            ),
            postgresql_where=sa.text(
                "subject_kind = 'member' AND state IN ('open', 'claimed', 'awaiting_author', 'awaiting_second')"
            ),
        )
        batch_op.drop_index(batch_op.f("ix_case_assigned_to"))
        batch_op.drop_constraint(batch_op.f("ck_case_member_subject"), type_="check")
        batch_op.drop_column("breached_at")
        batch_op.drop_column("breach_level")
        batch_op.drop_column("is_severe")
        batch_op.drop_column("needs_lead")
        batch_op.drop_column("assigned_to")
        batch_op.drop_column("score_terms")
    with op.batch_alter_table("board") as batch_op:
        batch_op.drop_column("is_sensitive")
        batch_op.drop_column("notice_html")
        batch_op.drop_column("notice")
    with op.batch_alter_table("bulk_decision") as batch_op:
        batch_op.drop_index(batch_op.f("ix_bulk_decision_moderator_id"))
    op.drop_table("bulk_decision")
    _know({key: old for key, (old, _) in WORDS.items()})
