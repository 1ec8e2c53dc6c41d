"""What the account pages and the API read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.errors import NotFound
from core.keyset import Key, Page, page
from core.notifications import Notification
from core.vocabulary import NotificationKind


@dataclass(frozen=True)
class NotificationRow:
    """One thing that happened. `url` is a path on this site."""

    id: int
    kind: NotificationKind
    url: str
    post_id: int | None
    created_at: datetime
    read_at: datetime | None


_COLUMNS: tuple[Any, ...] = (
    Notification.id,
    Notification.kind,
    Notification.link.label("url"),
    Notification.post_id,
    Notification.created_at,
    Notification.read_at,
)


def notifications(session: Session, member_id: int, *, after: str | None, limit: int) -> Page[NotificationRow]:
    """A member's notifications, newest first. One query."""
    stmt: Select[Any] = select(*_COLUMNS).where(Notification.member_id == member_id)
    keys = [Key(Notification.id.expression, "id", descending=True)]
    return page(session, stmt, keys, after=after, limit=limit).map(lambda row: NotificationRow(**row._mapping))


def notification(session: Session, member_id: int, notification_id: int) -> NotificationRow:
    """One of this member's own; raises NotFound for anybody else's."""
    stmt: Select[Any] = select(*_COLUMNS).where(Notification.id == notification_id, Notification.member_id == member_id)
    row = session.execute(stmt).one_or_none()
    if row is None:
        raise NotFound()
    return NotificationRow(**row._mapping)
