"""What tells a member that something happened: one row in the page, one mail through the outbox."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import outbox
from core.db import Base, UtcDateTime, enum_column
from core.vocabulary import NotificationKind


class Notification(Base):
    __tablename__ = "notification"
    __table_args__ = (Index("ix_notification_member_unread", "member_id", "read_at", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    kind: Mapped[NotificationKind] = mapped_column(enum_column(NotificationKind))
    # A path on this site, never another site; no title or text of a post is copied here, so nothing can leak later.
    link: Mapped[str] = mapped_column(String(300))
    post_id: Mapped[int | None] = mapped_column(ForeignKey("post.id", ondelete="CASCADE"), index=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def notify(
    session: Session,
    member_id: int,
    kind: NotificationKind,
    *,
    link: str,
    now: datetime,
    post_id: int | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Tell one member, in the caller's transaction. Whether a mail goes out is decided when it is sent."""
    row = Notification(member_id=member_id, kind=kind, link=link, post_id=post_id, data=data or {}, created_at=now)
    session.add(row)
    # The mail's handler needs the row's id.
    session.flush()
    outbox.put(session, "notification", {"notification_id": row.id}, now=now)


def unread_count(session: Session, member_id: int) -> int:
    """Bounded: stops counting at 100, which pages show as "99+"."""
    ids = (
        select(Notification.id)
        .where(Notification.member_id == member_id, Notification.read_at.is_(None))
        .limit(100)
        .subquery()
    )
    return len(session.execute(select(ids.c.id)).all())


def mark_read(session: Session, member_id: int, *, now: datetime, ids: list[int] | None = None) -> None:
    """Mark all, or the given ones, of this member as read."""
    stmt = update(Notification).where(Notification.member_id == member_id, Notification.read_at.is_(None))
    if ids is not None:
        stmt = stmt.where(Notification.id.in_(ids))
    session.execute(stmt.values(read_at=now).execution_options(synchronize_session=False))
