"""Answers kept by `Idempotency-Key`, so that a repeated POST does its work once.

The key's row is written in the very transaction that does the work; the answer is added to it afterwards. A process
killed in between leaves a row without an answer: the repeat is then refused instead of done twice.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Index, String, Text, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, UtcDateTime

KEEP = timedelta(hours=24)


class IdempotentAnswer(Base):
    __tablename__ = "idempotent_answer"
    __table_args__ = (Index("ix_idempotent_answer_created_at", "created_at"),)

    # SHA-256 over who, route and key: the key itself may be anything.
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    body: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


def find(session: Session, key_hash: str) -> IdempotentAnswer | None:
    return session.execute(
        select(IdempotentAnswer).where(IdempotentAnswer.key_hash == key_hash).execution_options(populate_existing=True)
    ).scalar_one_or_none()


def keep(session: Session, key_hash: str, *, status: int, headers: dict[str, str], body: str) -> None:
    """Add the answer to the row that the work's transaction wrote."""
    session.execute(
        update(IdempotentAnswer)
        .where(IdempotentAnswer.key_hash == key_hash)
        .values(status=status, headers=headers, body=body)
        .execution_options(synchronize_session=False)
    )


def forget_old(session: Session, *, now: datetime) -> None:
    session.execute(
        delete(IdempotentAnswer)
        .where(IdempotentAnswer.created_at < now - KEEP)
        .execution_options(synchronize_session=False)
    )
