"""Tables of moderation: cases, decisions, statements, appeals, sanctions, and what the team keeps beside them."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime, enum_column
from core.vocabulary import (
    AppealOutcome,
    CaseState,
    NoteKind,
    Operation,
    PostState,
    Priority,
    ReportStatus,
    SanctionKind,
    SubjectKind,
    Verdict,
)

_LIVE = text("state IN ('open', 'claimed', 'awaiting_author', 'awaiting_second')")
_WAITS = text("state IN ('open', 'claimed')")
_CLAIMED = text("state = 'claimed'")
_CALLABLE = text("state IN ('open', 'claimed') AND breach_level < 3")
_MEMBER = text("subject_kind = 'member' AND state IN ('open', 'claimed', 'awaiting_author', 'awaiting_second')")


class Case(Base):
    """What waits for a person, or once did. At most one live case per subject: the database refuses a second."""

    __tablename__ = "case"
    __table_args__ = (
        CheckConstraint("(subject_kind = 'post') = (post_id IS NOT NULL)", name="post_subject"),
        CheckConstraint("(state = 'claimed') = (claimed_by IS NOT NULL)", name="claim_has_holder"),
        CheckConstraint("(claimed_by IS NULL) = (claimed_until IS NULL)", name="claim_has_end"),
        Index("uq_case_live_post", "post_id", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
        Index("uq_case_live_member", "author_id", unique=True, sqlite_where=_MEMBER, postgresql_where=_MEMBER),
        CheckConstraint("subject_kind <> 'member' OR author_id IS NOT NULL", name="member_subject"),
        # Queue order: P0, then P1, then the rest; within each by due time, then score.
        # Two cases are hardly ever due at the very same instant, so score and id need no place in an index.
        Index("ix_case_queue", "lane", "due_at", sqlite_where=_WAITS, postgresql_where=_WAITS),
        # "Next" reads the head of one of these two, however many cases are leased or were decided; a lease that ran
        # out is found by the third. Measured by bench/queue.py.
        Index("ix_case_state", "state", "lane", "due_at"),
        Index("ix_case_board", "board_id", "state", "lane", "due_at"),
        Index("ix_case_claimed", "state", "claimed_until", sqlite_where=_CLAIMED, postgresql_where=_CLAIMED),
        # Those about which somebody may have to be called.
        Index("ix_case_late", "breach_level", "due_at", sqlite_where=_CALLABLE, postgresql_where=_CALLABLE),
        Index("ix_case_post", "post_id", "id"),
        Index("ix_case_decided", "state", "decided_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subject_kind: Mapped[SubjectKind] = mapped_column(enum_column(SubjectKind))
    post_id: Mapped[int | None] = mapped_column(ForeignKey("post.id", ondelete="RESTRICT"))
    # The text to be judged: the waiting revision, else the live one.
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id", ondelete="RESTRICT"), index=True)
    board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id", ondelete="RESTRICT"))
    author_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    state: Mapped[CaseState] = mapped_column(enum_column(CaseState))
    priority: Mapped[Priority] = mapped_column(enum_column(Priority))
    # 0 for P0, 1 for P1, 2 for the rest: the first key of the queue's order.
    lane: Mapped[int]
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    score: Mapped[float] = mapped_column(Float, default=0.0)
    claimed_by: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Raised by each new revision, report, claim-independent change: a decision must name the one that was read.
    version: Mapped[int] = mapped_column(default=1)
    # The number of the decision to come; (case, round) is a decision's key.
    round: Mapped[int] = mapped_column(default=1)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # When it ended: decided, or moot. None while it is live.
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # What the score is made of: {"severity", "reach", "reporters", "standing"} -> points.
    score_terms: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    # A lead gave it to somebody: "next" offers it to nobody else.
    assigned_to: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    # Escalated: only leads decide it.
    needs_lead: Mapped[bool] = mapped_column(default=False)
    # Marked severe by a moderator or by its kind: a restriction needs a second person.
    is_severe: Mapped[bool] = mapped_column(default=False)
    # How often somebody was called because it was late, and when last.
    breach_level: Mapped[int] = mapped_column(default=0)
    breached_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Finding(Base):
    """One signal's observation on one revision: where and, in one sentence, why."""

    __tablename__ = "finding"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case.id", ondelete="RESTRICT"), index=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id", ondelete="RESTRICT"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    score: Mapped[float] = mapped_column(Float)
    holds: Mapped[bool]
    # Offsets in characters into title + "\n\n" + body (body alone where there is no title); None: the post as a whole.
    start: Mapped[int | None]
    end: Mapped[int | None]
    explanation: Mapped[str] = mapped_column(Text)
    rule_version: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class TextPrint(Base):
    """The digest of one folded text, so that the same text is found again however many there are."""

    __tablename__ = "text_print"
    __table_args__ = (Index("ix_text_print_digest", "digest", "revision_id"),)

    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id", ondelete="CASCADE"), primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="CASCADE"), index=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    digest: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Report(Base):
    """A member's report of a post, with the text as it stood then."""

    __tablename__ = "report"
    __table_args__ = (
        # A member has at most one open report on a post.
        Index(
            "uq_report_open",
            "post_id",
            "reporter_id",
            unique=True,
            sqlite_where=text("status = 'open'"),
            postgresql_where=text("status = 'open'"),
        ),
        Index("ix_report_reporter", "reporter_id", "id"),
        # Whether a moderator reported the very post: asked of each case that "next" considers.
        Index("ix_report_post", "post_id", "reporter_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # 128 random bits: whoever holds it may read the outcome.
    reference: Mapped[str] = mapped_column(String(32), unique=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="RESTRICT"))
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id", ondelete="RESTRICT"), index=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id", ondelete="RESTRICT"), index=True)
    reporter_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"))
    rule_code: Mapped[str] = mapped_column(String(32))
    note: Mapped[str] = mapped_column(Text, default="")
    status: Mapped[ReportStatus] = mapped_column(enum_column(ReportStatus))
    outcome: Mapped[str] = mapped_column(Text, default="")
    decision_id: Mapped[int | None] = mapped_column(ForeignKey("decision.id", ondelete="RESTRICT"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Decision(Base):
    """Immutable. `moderator_id` None is the system; the database refuses a second decision of the same round."""

    __tablename__ = "decision"
    __table_args__ = (
        UniqueConstraint("case_id", "round"),
        # What a confirmation and an appeal point at, so that the database itself knows the first decider.
        UniqueConstraint("id", "moderator_id"),
        CheckConstraint("(state_before IS NULL) = (state_after IS NULL)", name="both_states"),
        Index("ix_decision_moderator", "moderator_id", "at"),
        Index("ix_decision_at", "at"),
        Index("ix_decision_rule", "rule_code", "id"),
        Index("ix_decision_verdict", "verdict", "id"),
        CheckConstraint("length(reason) > 0", name="has_reason"),
        CheckConstraint("length(rule_code) > 0", name="has_rule"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id", ondelete="RESTRICT"))
    round: Mapped[int]
    # `restore` with `undoes_id`: what that decision changed is back as it was before.
    verdict: Mapped[Verdict] = mapped_column(enum_column(Verdict))
    rule_code: Mapped[str] = mapped_column(String(32))
    rule_version: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    moderator_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"))
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id", ondelete="RESTRICT"), index=True)
    # What was read and judged, kept even if the post changes.
    text_judged: Mapped[str] = mapped_column(Text)
    # None: a decision about a member moves no post.
    state_before: Mapped[PostState | None] = mapped_column(enum_column(PostState, "state_before"))
    state_after: Mapped[PostState | None] = mapped_column(enum_column(PostState, "state_after"))
    # What came with the verdict: {"redactions", "label", "until", "sanction", "duplicate_of"}, as far as given.
    terms: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    # Two people: it has no effect until somebody else has confirmed it.
    needs_second: Mapped[bool] = mapped_column(default=False)
    bulk_id: Mapped[int | None] = mapped_column(ForeignKey("bulk_decision.id", ondelete="RESTRICT"), index=True)
    # The decision that this one takes back.
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("decision.id", ondelete="RESTRICT"), unique=True)
    automated_detection: Mapped[bool] = mapped_column(default=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Statement(Base):
    """The statement of reasons of a decision: a permanent page, found by a 128-bit secret. Source: DSA Art. 17(3)."""

    __tablename__ = "statement"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(32), unique=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id", ondelete="RESTRICT"), unique=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    # What was done, in one stable word (the verdict's consequence), its scope and its end.
    restriction: Mapped[str] = mapped_column(String(32))
    # Facts, quote (at most 300 characters), source, automation, ground, options, redress: each a ready sentence.
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    # The same for the Transparency Database, free of personal data. Source: docs/moderation.md, export.
    export: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class BulkDecision(Base):
    """One press that decided several cases alike; each has a decision of its own that points here."""

    __tablename__ = "bulk_decision"

    id: Mapped[int] = mapped_column(primary_key=True)
    moderator_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    verdict: Mapped[Verdict] = mapped_column(enum_column(Verdict))
    rule_code: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(Text)
    case_count: Mapped[int]
    decided_count: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Confirmation(Base):
    """The second person's word on a decision that needs one. The database refuses the first decider."""

    __tablename__ = "confirmation"
    __table_args__ = (
        ForeignKeyConstraint(
            ["decision_id", "first_decider_id"],
            ["decision.id", "decision.moderator_id"],
            name="fk_confirmation_first_decider",
            ondelete="RESTRICT",
        ),
        CheckConstraint("confirmed_by <> first_decider_id", name="another_person"),
        UniqueConstraint("decision_id", "confirmed_by"),
    )

    decision_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_decider_id: Mapped[int]
    confirmed_by: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    # False: the second person disagrees, the decision never takes effect and the case is open again.
    agrees: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Appeal(Base):
    """An objection against a decision, by its author or a refused reporter. The database refuses the first deciders."""

    __tablename__ = "appeal"
    __table_args__ = (
        UniqueConstraint("decision_id", "appellant_id"),
        ForeignKeyConstraint(
            ["decision_id", "first_decider_id"],
            ["decision.id", "decision.moderator_id"],
            name="fk_appeal_first_decider",
            ondelete="RESTRICT",
        ),
        ForeignKeyConstraint(
            ["decision_id", "second_decider_id"],
            ["confirmation.decision_id", "confirmation.confirmed_by"],
            name="fk_appeal_second_decider",
            ondelete="RESTRICT",
        ),
        CheckConstraint(
            "decided_by IS NULL OR first_decider_id IS NULL OR decided_by <> first_decider_id",
            name="never_the_first_decider",
        ),
        CheckConstraint(
            "decided_by IS NULL OR second_decider_id IS NULL OR decided_by <> second_decider_id",
            name="never_the_second_decider",
        ),
        CheckConstraint("decided_by IS NULL OR decided_by <> appellant_id", name="never_the_appellant"),
        CheckConstraint(
            "(outcome IS NULL) = (decided_at IS NULL) AND (outcome IS NULL) = (decided_by IS NULL)",
            name="decided_whole",
        ),
        CheckConstraint("outcome IS NULL OR length(reasons) > 0", name="has_reasons"),
        CheckConstraint("length(grounds) > 0", name="has_grounds"),
        Index("ix_appeal_open", "outcome", "due_at", "id"),
        Index("ix_appeal_decided", "decided_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # 128 random bits: whoever holds it may read the outcome.
    reference: Mapped[str] = mapped_column(String(32), unique=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id", ondelete="RESTRICT"))
    # Set where a refused reporter objects.
    report_id: Mapped[int | None] = mapped_column(ForeignKey("report.id", ondelete="RESTRICT"), index=True)
    appellant_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    first_decider_id: Mapped[int | None]
    second_decider_id: Mapped[int | None]
    grounds: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Until when this decision could be objected to, and by when we want to have answered.
    deadline_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[AppealOutcome | None] = mapped_column(enum_column(AppealOutcome))
    reasons: Mapped[str] = mapped_column(Text, default="")
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # The decision that reversed the first one.
    reversal_id: Mapped[int | None] = mapped_column(ForeignKey("decision.id", ondelete="RESTRICT"), unique=True)


class Sanction(Base):
    """What was laid on a member, by which decision, until when, and how long it counts."""

    __tablename__ = "sanction"
    __table_args__ = (
        # Nobody is suspended without having been warned before. Source: DSA Art. 23(1); terminations take two people.
        CheckConstraint("kind <> 'suspension' OR prior_warning_id IS NOT NULL", name="suspension_after_warning"),
        CheckConstraint("(kind = 'board_restriction') = (board_id IS NOT NULL)", name="board_restriction_has_board"),
        CheckConstraint("strikes >= 0", name="strikes"),
        Index("ix_sanction_member", "member_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"))
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id", ondelete="RESTRICT"), unique=True)
    kind: Mapped[SanctionKind] = mapped_column(enum_column(SanctionKind))
    # Where it binds (board restriction); where its strikes count: on this board's ladder, None: everywhere.
    board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id", ondelete="RESTRICT"), index=True)
    ladder_board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id", ondelete="RESTRICT"), index=True)
    restriction_id: Mapped[int | None] = mapped_column(ForeignKey("restriction.id", ondelete="SET NULL"), unique=True)
    strikes: Mapped[int]
    strikes_until: Mapped[datetime] = mapped_column(UtcDateTime)
    # The warning that came before it.
    prior_warning_id: Mapped[int | None] = mapped_column(ForeignKey("sanction.id", ondelete="RESTRICT"), index=True)
    # Misuse: {"of": "posts|reports|appeals", "items", "total", "window_days", "gravity", "intent"}; empty: none.
    misuse: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    imposed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Taken back or overturned: it and its strikes count no more, and never did.
    voided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    voided_by_id: Mapped[int | None] = mapped_column(ForeignKey("decision.id", ondelete="RESTRICT"), unique=True)


class LadderStep(Base):
    """From so many live strikes on, this is what is proposed. `board_id` None: the ladder of boards without one."""

    __tablename__ = "ladder_step"
    __table_args__ = (
        UniqueConstraint("board_id", "strikes"),
        CheckConstraint("strikes > 0", name="strikes"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id", ondelete="CASCADE"))
    strikes: Mapped[int]
    kind: Mapped[SanctionKind] = mapped_column(enum_column(SanctionKind))
    days: Mapped[int | None]


class CannedReason(Base):
    """A reason in our words that a moderator starts from; leads edit them."""

    __tablename__ = "canned_reason"
    __table_args__ = (Index("ix_canned_reason_rule", "rule_code", "position", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rule_code: Mapped[str] = mapped_column(String(32))
    title: Mapped[str] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(default=0)
    is_active: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)


class CaseSkip(Base):
    """A moderator let this case pass: "next" does not offer it to them again while it stays as it was."""

    __tablename__ = "case_skip"
    __table_args__ = (Index("ix_case_skip_moderator", "moderator_id", "case_id", "case_version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id", ondelete="CASCADE"), index=True)
    moderator_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    case_version: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class CaseNote(Base):
    """What moderators tell each other about a case; nobody else reads it."""

    __tablename__ = "case_note"
    __table_args__ = (Index("ix_case_note_case", "case_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id", ondelete="RESTRICT"))
    author_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    kind: Mapped[NoteKind] = mapped_column(enum_column(NoteKind))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class CaseView(Base):
    """Who opened which case when: for the hint that somebody else reads it, and for the count of hard texts."""

    __tablename__ = "case_view"
    __table_args__ = (
        Index("ix_case_view_case", "case_id", "at"),
        Index("ix_case_view_member", "member_id", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id", ondelete="CASCADE"))
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    # Whether the text was of a hard kind.
    is_hard: Mapped[bool] = mapped_column(default=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class DeskSetting(Base):
    """How one moderator wants to work: kinds of findings not to be offered, blur, when to be told to rest."""

    __tablename__ = "desk_setting"

    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    opted_out: Mapped[list[str]] = mapped_column(JSON, default=list)
    blurs: Mapped[bool] = mapped_column(default=True)
    break_after: Mapped[int] = mapped_column(default=10)


class SavedView(Base):
    """A filter of the queue under a name of one's own."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("member_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(60))
    # "state=open&priority=P1": the filters of the queue's address.
    query: Mapped[str] = mapped_column(String(500))
    position: Mapped[int] = mapped_column(default=0)


class ThreadOperation(Base):
    """What moderators did to a whole thread, and why."""

    __tablename__ = "thread_operation"
    __table_args__ = (Index("ix_thread_operation_thread", "thread_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[Operation] = mapped_column(enum_column(Operation))
    thread_id: Mapped[int] = mapped_column(ForeignKey("thread.id", ondelete="RESTRICT"))
    # Merge: where it went. Split: the new thread.
    into_id: Mapped[int | None] = mapped_column(ForeignKey("thread.id", ondelete="RESTRICT"), index=True)
    from_board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id", ondelete="RESTRICT"), index=True)
    to_board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id", ondelete="RESTRICT"), index=True)
    post_ids: Mapped[list[int]] = mapped_column(JSON, default=list)
    rule_code: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(Text)
    # Locking takes something from its author, so it is a decision with a statement.
    decision_id: Mapped[int | None] = mapped_column(ForeignKey("decision.id", ondelete="RESTRICT"), index=True)
    moderator_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class PatrolMark(Base):
    """Somebody of the team has read this published post."""

    __tablename__ = "patrol_mark"

    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="CASCADE"), primary_key=True)
    seen_by: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Talk(Base):
    """A private conversation between the team and one member; the whole team reads and writes it."""

    __tablename__ = "talk"
    __table_args__ = (
        Index("ix_talk_member", "member_id", "id"),
        Index("ix_talk_open", "closed_at", "last_message_at", "id"),
        Index("ix_talk_follow_up", "follow_up_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"))
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case.id", ondelete="RESTRICT"), index=True)
    subject: Mapped[str] = mapped_column(String(200))
    opened_by: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_message_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # The last word is the member's: the team owes an answer.
    awaits_team: Mapped[bool] = mapped_column(default=False)
    # When somebody of the team should look after this member again.
    follow_up_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class TalkMessage(Base):
    __tablename__ = "talk_message"
    __table_args__ = (Index("ix_talk_message_talk", "talk_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    talk_id: Mapped[int] = mapped_column(ForeignKey("talk.id", ondelete="RESTRICT"))
    # The member sees "the team", never which of them wrote.
    by_team: Mapped[bool]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    source: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class MemberNote(Base):
    """What the team should know about a member; the member does not see it in the forum."""

    __tablename__ = "member_note"
    __table_args__ = (Index("ix_member_note_member", "member_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"))
    author_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Announcement(Base):
    """A few lines above every page, for a time."""

    __tablename__ = "announcement"
    __table_args__ = (Index("ix_announcement_until", "until", "since"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    author_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
