"""Tables of moderation: cases with their findings and reports, decisions, statements of reasons."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Float, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime, enum_column
from core.vocabulary import CaseState, PostState, Priority, ReportStatus, SubjectKind, Verdict

_LIVE = text("state IN ('open', 'claimed', 'awaiting_author', 'awaiting_second')")


class Case(Base):
    """What waits for a person, or once did. At most one live case per subject: the database refuses a second."""

    __tablename__ = "case"
    __table_args__ = (
        CheckConstraint("(subject_kind = 'post') = (post_id IS NOT NULL)", name="post_subject"),
        CheckConstraint("(state = 'claimed') = (claimed_by IS NOT NULL)", name="claim_has_holder"),
        CheckConstraint("(claimed_by IS NULL) = (claimed_until IS NULL)", name="claim_has_end"),
        Index("uq_case_live_post", "post_id", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
        # Queue order: P0, then P1, then the rest; within each by due time, then score.
        Index("ix_case_queue", "state", "lane", "due_at", "score", "id"),
        Index("ix_case_post", "post_id", "id"),
        Index("ix_case_decided", "state", "decided_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    subject_kind: Mapped[SubjectKind] = mapped_column(enum_column(SubjectKind))
    post_id: Mapped[int | None] = mapped_column(ForeignKey("post.id", ondelete="RESTRICT"))
    # The text to be judged: the waiting revision, else the live one.
    revision_id: Mapped[int | None] = mapped_column(ForeignKey("revision.id", ondelete="RESTRICT"), index=True)
    board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id", ondelete="RESTRICT"), index=True)
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
    state_before: Mapped[PostState] = mapped_column(enum_column(PostState, "state_before"))
    state_after: Mapped[PostState] = mapped_column(enum_column(PostState, "state_after"))
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
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
