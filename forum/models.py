"""Tables of the forum: boards, threads, posts with their revisions, and what members leave beside them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime, enum_column
from core.vocabulary import PostKind, PostState, RevisionState, ThreadKind, Visibility


class Board(Base):
    """One board per condition, and one Unsorted. The row is made with the first thread; open once one is published."""

    __tablename__ = "board"
    __table_args__ = (
        CheckConstraint("mode IN ('post', 'first_n', 'pre', 'closed')", name="mode"),
        CheckConstraint("thread_count >= 0 AND post_count >= 0", name="counts"),
        Index("ix_board_popular", "thread_count", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(120), unique=True)
    name: Mapped[str] = mapped_column(String(300))
    condition_id: Mapped[int | None] = mapped_column(ForeignKey("condition.id", ondelete="RESTRICT"), unique=True)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    mode: Mapped[str] = mapped_column(String(16), default="first_n")
    moderation_statement: Mapped[str] = mapped_column(Text, default="")
    # Published threads and posts only; moved by lifecycle, recounted by `ops check`.
    thread_count: Mapped[int] = mapped_column(default=0)
    post_count: Mapped[int] = mapped_column(default=0)
    last_activity_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    version: Mapped[int] = mapped_column(default=1)
    # A few lines by the moderators above the list; empty: none.
    notice: Mapped[str] = mapped_column(Text, default="")
    notice_html: Mapped[str] = mapped_column(Text, default="")
    # On a sensitive board a person must look in half the usual time.
    is_sensitive: Mapped[bool] = mapped_column(default=False)


class Thread(Base):
    """`state` repeats the opening post's state (moved together by lifecycle), so that lists need no join.

    A thread that was merged into another has no posts and is `erased`: nobody is shown it; its address leads on.
    """

    __tablename__ = "thread"
    __table_args__ = (
        CheckConstraint("answer_count >= 0 AND comment_count >= 0 AND helpful_count >= 0", name="counts"),
        CheckConstraint("NOT was_misdiagnosed OR kind = 'experience'", name="misdiagnosed_is_experience"),
        Index("ix_thread_board_active", "board_id", "state", "last_activity_at", "id"),
        Index("ix_thread_board_new", "board_id", "state", "created_at", "id"),
        Index("ix_thread_board_helpful", "board_id", "state", "helpful_count", "id"),
        Index("ix_thread_board_unanswered", "board_id", "kind", "state", "answer_count", "created_at", "id"),
        Index("ix_thread_unanswered", "kind", "state", "answer_count", "created_at", "id"),
        Index("ix_thread_author", "author_id", "id"),
        # The few that stand first on their board.
        Index(
            "ix_thread_pinned",
            "board_id",
            "pinned_at",
            sqlite_where=text("pinned_at IS NOT NULL"),
            postgresql_where=text("pinned_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    board_id: Mapped[int] = mapped_column(ForeignKey("board.id", ondelete="RESTRICT"))
    kind: Mapped[ThreadKind] = mapped_column(enum_column(ThreadKind))
    title: Mapped[str] = mapped_column(Text)
    slug: Mapped[str] = mapped_column(String(120))
    author_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"))
    state: Mapped[PostState] = mapped_column(enum_column(PostState))
    was_misdiagnosed: Mapped[bool] = mapped_column(default=False)
    is_locked: Mapped[bool] = mapped_column(default=False)
    language: Mapped[str] = mapped_column(String(8), default="en")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # The instant of the newest published post.
    last_activity_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # The next position to give; positions are never reused.
    next_position: Mapped[int] = mapped_column(default=1)
    # Published answers and comments, and helpful marks on published answers.
    answer_count: Mapped[int] = mapped_column(default=0)
    comment_count: Mapped[int] = mapped_column(default=0)
    helpful_count: Mapped[int] = mapped_column(default=0)
    # Raised by every visible change of anything on its page.
    version: Mapped[int] = mapped_column(default=1)
    pinned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Its posts went there; this row only leads old addresses on.
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("thread.id", ondelete="RESTRICT"), index=True)


class Post(Base):
    """Opening post, answer or comment. Only `forum.lifecycle` writes `state`."""

    __tablename__ = "post"
    __table_args__ = (
        UniqueConstraint("thread_id", "position"),
        CheckConstraint("(kind = 'opening') = (position = 0)", name="opening_is_first"),
        CheckConstraint("helpful_count >= 0", name="helpful_count"),
        Index("ix_post_author", "author_id", "id"),
        # Whether somebody posted in the thread: asked of each case that a moderator may be offered.
        Index("ix_post_thread_author", "thread_id", "author_id"),
        Index("ix_post_thread_helpful", "thread_id", "kind", "state", "helpful_count", "position"),
        Index("ix_post_state", "state", "id"),
        Index("ix_post_published", "published_at", "kind"),
        Index("ix_post_author_published", "author_id", "published_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    thread_id: Mapped[int] = mapped_column(ForeignKey("thread.id", ondelete="RESTRICT"))
    kind: Mapped[PostKind] = mapped_column(enum_column(PostKind))
    # A comment on the opening post or on an answer has it as parent; answers have none.
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("post.id", ondelete="RESTRICT"), index=True)
    position: Mapped[int]
    author_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"))
    state: Mapped[PostState] = mapped_column(enum_column(PostState))
    # Raised by every change of state or text; what a decision or edit must name.
    version: Mapped[int] = mapped_column(default=1)
    # What the page shows: a copy of the live revision's text (of the newest one while never published).
    source: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    excerpt: Mapped[str] = mapped_column(String(300))
    renderer: Mapped[str] = mapped_column(String(16))
    live_revision_id: Mapped[int | None] = mapped_column(
        ForeignKey("revision.id", ondelete="RESTRICT", use_alter=True), index=True
    )
    language: Mapped[str] = mapped_column(String(8), default="en")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # True once others could read it: then a tombstone stands where it was.
    was_visible: Mapped[bool] = mapped_column(default=False)
    helpful_count: Mapped[int] = mapped_column(default=0)


class Revision(Base):
    """One text of a post. What is reviewed is a revision, so a decision names the text that was read."""

    __tablename__ = "revision"
    __table_args__ = (
        UniqueConstraint("post_id", "number"),
        # At most one text of a post waits for a person.
        Index(
            "uq_revision_waiting",
            "post_id",
            unique=True,
            sqlite_where=text("state IN ('held', 'changes_requested')"),
            postgresql_where=text("state IN ('held', 'changes_requested')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="RESTRICT"))
    number: Mapped[int]
    # Opening posts only.
    title: Mapped[str | None] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    excerpt: Mapped[str] = mapped_column(String(300))
    renderer: Mapped[str] = mapped_column(String(16))
    state: Mapped[RevisionState] = mapped_column(enum_column(RevisionState))
    author_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # When readers first got it; None: only its author and moderators ever saw it, and it stays so.
    live_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Redaction(Base):
    """Words taken out of one copy of a text, kept so that the decision can be taken back; only moderators read them."""

    __tablename__ = "redaction"
    __table_args__ = (Index("ix_redaction_decision", "decision_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id", ondelete="RESTRICT"))
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id", ondelete="RESTRICT"), index=True)
    # "title" or "source", and the place of the replacement in it as it now stands.
    part: Mapped[str] = mapped_column(String(8))
    start: Mapped[int]
    original: Mapped[str] = mapped_column(Text)
    replacement: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    lifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PostLabel(Base):
    """A caution beside a post, with a section of the reference that says what is known. At most one is live."""

    __tablename__ = "post_label"
    __table_args__ = (
        Index(
            "uq_post_label_live",
            "post_id",
            unique=True,
            sqlite_where=text("lifted_at IS NULL"),
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="RESTRICT"), index=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id", ondelete="RESTRICT"), index=True)
    text: Mapped[str] = mapped_column(Text)
    # "backache#treatments", and the version of that article at the time.
    reference: Mapped[str] = mapped_column(String(200))
    article_version: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    lifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class HelpfulMark(Base):
    __tablename__ = "helpful_mark"

    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="CASCADE"), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True, index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReadMark(Base):
    """How far a member has read a thread: the highest position seen."""

    __tablename__ = "read_mark"

    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    thread_id: Mapped[int] = mapped_column(ForeignKey("thread.id", ondelete="CASCADE"), primary_key=True, index=True)
    position: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class BoardFollow(Base):
    """One of a member's own choice of boards ("my boards")."""

    __tablename__ = "board_follow"

    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    board_id: Mapped[int] = mapped_column(ForeignKey("board.id", ondelete="CASCADE"), primary_key=True, index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Draft(Base):
    """A member's unfinished text, kept on the server for 30 days after the last change."""

    __tablename__ = "draft"
    __table_args__ = (Index("ix_draft_author", "author_id", "updated_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    # Where its composer stands, for example "/boards/backache/ask".
    path: Mapped[str] = mapped_column(String(300))
    title: Mapped[str] = mapped_column(Text, default="")
    body: Mapped[str] = mapped_column(Text, default="")
    extra: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class IntakeAnswer(Base):
    """One answer to a question a doctor would ask. `private` ones never leave their author's page."""

    __tablename__ = "intake_answer"
    __table_args__ = (UniqueConstraint("thread_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    thread_id: Mapped[int] = mapped_column(ForeignKey("thread.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(32))
    label: Mapped[str] = mapped_column(String(300))
    # A list of chosen values, or one text or number in a list.
    values: Mapped[list[Any]] = mapped_column(JSON)
    # The same for people: the options' labels, joined.
    shown: Mapped[str] = mapped_column(Text)
    visibility: Mapped[Visibility] = mapped_column(enum_column(Visibility))
    position: Mapped[int]


class Guidance(Base):
    """What the gate wanted to tell the writer at once: help lines, red flags. Shown with the post to its author."""

    __tablename__ = "guidance"

    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    urgency: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(Text)
    # [{"name", "phone", "url", "hours"}]
    resources: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
