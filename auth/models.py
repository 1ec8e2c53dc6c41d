"""Tables of accounts. Flask-Security owns the verbs on `Member`; nothing outside this room calls them."""

from datetime import datetime

from flask_security import AsaList, UserMixin
from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime, enum_column
from core.vocabulary import RestrictionKind, Role


class Member(Base, UserMixin):
    """One account. A closed account keeps its row without anything personal; its posts show "Former member"."""

    __tablename__ = "member"

    id: Mapped[int] = mapped_column(primary_key=True)
    handle: Mapped[str] = mapped_column(String(32), unique=True)
    # Two handles that look alike have the same skeleton; unique, so they cannot both exist.
    handle_skeleton: Mapped[str] = mapped_column(String(64), unique=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    birth_year: Mapped[int | None] = mapped_column(SmallInteger)
    age_ok_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    country: Mapped[str | None] = mapped_column(String(2))
    language: Mapped[str] = mapped_column(String(8), default="en")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Mail about one's own posts and answers; mail about the account itself is always sent.
    wants_mail: Mapped[bool] = mapped_column(default=True)
    # Raised when a post of this member is approved or published; the gate reads it, `ops check` recounts it.
    approved_count: Mapped[int] = mapped_column(default=0)
    upheld_report_count: Mapped[int] = mapped_column(default=0)
    is_demo: Mapped[bool] = mapped_column(default=False)

    tf_primary_method: Mapped[str | None] = mapped_column(String(64))
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    # The time step of the last code that was accepted, so that nobody can use it a second time.
    tf_last_counter: Mapped[int | None]
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(AsaList()))

    __table_args__ = (
        CheckConstraint("approved_count >= 0", name="approved_count"),
        Index("ix_member_created_at", "created_at"),
    )


class RoleGrant(Base):
    """One trust given to one member: everywhere (both scopes None), on one board, or on one medical category."""

    __tablename__ = "role_grant"
    __table_args__ = (
        CheckConstraint("board_id IS NULL OR category_id IS NULL", name="one_scope"),
        CheckConstraint(
            "role = 'moderator' OR (board_id IS NULL AND category_id IS NULL)", name="only_moderators_have_a_scope"
        ),
        CheckConstraint("role <> 'member'", name="member_is_no_grant"),
        UniqueConstraint("member_id", "role", "board_id", "category_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    role: Mapped[Role] = mapped_column(enum_column(Role))
    board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id", ondelete="CASCADE"), index=True)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("category.id", ondelete="CASCADE"), index=True)
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"), index=True)


class Restriction(Base):
    """What a member may not do at present: the enforced fact, read with every request."""

    __tablename__ = "restriction"
    __table_args__ = (
        Index("ix_restriction_member_until", "member_id", "until"),
        CheckConstraint("(kind = 'posting_limit') = (daily_limit IS NOT NULL)", name="limit_has_number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    kind: Mapped[RestrictionKind] = mapped_column(enum_column(RestrictionKind))
    board_id: Mapped[int | None] = mapped_column(ForeignKey("board.id", ondelete="CASCADE"), index=True)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    # None: without end.
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lifted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Posts in 24 hours; of a posting limit only.
    daily_limit: Mapped[int | None]
    # The reference of the statement of reasons that explains it: a refusal leads there.
    reference: Mapped[str | None] = mapped_column(String(32))


class Consent(Base):
    """That a member agreed to something, with the version of the text that they saw."""

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(32))
    text_version: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MemberSession(Base):
    """One sign-in on one device: can be listed and ended by its owner."""

    __tablename__ = "member_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_agent: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ApiToken(Base):
    """A bearer token for programs; only its hash is stored. Scopes: read, write, moderate."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
