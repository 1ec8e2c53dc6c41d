"""Rows for the outside world, written in the caller's transaction and delivered later, at least once.

A row is marked sent only after its handler returned. A handler that raises is tried again, later each time; after
`MAX_ATTEMPTS` the row stays visible as failed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Index, String, Text, delete, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, UtcDateTime

LEASE = timedelta(minutes=2)
MAX_ATTEMPTS = 8
FIRST_RETRY = timedelta(seconds=30)
# How long a delivered message is kept, for questions about mail that did not arrive.
KEEP = timedelta(days=30)

Handler = Callable[[Mapping[str, Any]], None]


class OutboxMessage(Base):
    __tablename__ = "outbox_message"
    __table_args__ = (Index("ix_outbox_message_due", "sent_at", "failed_at", "due_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str | None] = mapped_column(Text)


@dataclass(frozen=True)
class Delivery:
    """One leased row, read out of the session so that sending holds no transaction."""

    id: int
    kind: str
    payload: Mapping[str, Any]
    attempts: int


def put(session: Session, kind: str, payload: Mapping[str, Any], *, now: datetime) -> None:
    """Leave a message for the worker; it goes out only if the caller's transaction commits."""
    session.add(OutboxMessage(kind=kind, payload=dict(payload), created_at=now, due_at=now, attempts=0))


def forget_old(session: Session, *, now: datetime) -> None:
    """Housekeeping: a delivered message holds an address that nobody needs any more. Failed ones stay visible."""
    session.execute(
        delete(OutboxMessage).where(OutboxMessage.sent_at < now - KEEP).execution_options(synchronize_session=False)
    )


def lease_next(session: Session, *, now: datetime) -> Delivery | None:
    """Take the oldest due message for `LEASE`, or None. Two workers never take the same one."""
    due = (
        select(OutboxMessage.id)
        .where(
            OutboxMessage.sent_at.is_(None),
            OutboxMessage.failed_at.is_(None),
            OutboxMessage.due_at <= now,
            or_(OutboxMessage.leased_until.is_(None), OutboxMessage.leased_until <= now),
        )
        .order_by(OutboxMessage.due_at, OutboxMessage.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == due.scalar_subquery())
        .values(leased_until=now + LEASE, attempts=OutboxMessage.attempts + 1)
        .returning(OutboxMessage.id, OutboxMessage.kind, OutboxMessage.payload, OutboxMessage.attempts)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return Delivery(*row) if row else None


def mark_sent(session: Session, message_id: int, *, now: datetime) -> None:
    session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == message_id)
        .values(sent_at=now, leased_until=None, last_error=None)
        .execution_options(synchronize_session=False)
    )


def mark_failed(session: Session, delivery: Delivery, error: str, *, now: datetime) -> None:
    """Plan the next attempt (30 s, 1 min, 2 min …) or give up visibly."""
    dead = delivery.attempts >= MAX_ATTEMPTS
    session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == delivery.id)
        .values(
            leased_until=None,
            last_error=error[:2000],
            failed_at=now if dead else None,
            due_at=now + FIRST_RETRY * 2 ** (delivery.attempts - 1),
        )
        .execution_options(synchronize_session=False)
    )
