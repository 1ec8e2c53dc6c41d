"""A form sent before signing in, or after the session ended: kept for a day, so that no typed text is lost."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, UtcDateTime

KEEP = timedelta(days=1)
# A new member may confirm by mail some days later, on another device.
KEEP_FOR_MEMBER = timedelta(days=14)


class ParkedForm(Base):
    __tablename__ = "parked_form"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    path: Mapped[str] = mapped_column(String(500))
    fields: Mapped[list[Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def park(session: Session, path: str, fields: list[tuple[str, str]], *, now: datetime) -> str:
    """Keep a form; returns the secret token that finds it again. `fields` keep their order and repeats."""
    token = secrets.token_urlsafe(24)
    session.add(
        ParkedForm(
            token_hash=_hash(token),
            path=path[:500],
            fields=[list(f) for f in fields],
            created_at=now,
            expires_at=now + KEEP,
        )
    )
    return token


def find(session: Session, *, token: str | None, member_id: int | None, now: datetime) -> ParkedForm | None:
    """The newest form kept under this token or for this member."""
    for condition in (
        ParkedForm.token_hash == _hash(token) if token else None,
        ParkedForm.member_id == member_id if member_id else None,
    ):
        if condition is None:
            continue
        stmt = select(ParkedForm).where(condition, ParkedForm.expires_at > now).order_by(ParkedForm.id.desc()).limit(1)
        found = session.execute(stmt).scalar_one_or_none()
        if found is not None and found.member_id in (None, member_id):
            return found
    return None


def adopt(session: Session, token: str, *, member_id: int, now: datetime) -> None:
    """Tie a visitor's form to the account just made, so that it is found from any device."""
    session.execute(
        update(ParkedForm)
        .where(ParkedForm.token_hash == _hash(token), ParkedForm.member_id.is_(None))
        .values(member_id=member_id, expires_at=now + KEEP_FOR_MEMBER)
        .execution_options(synchronize_session=False)
    )


def drop(session: Session, *, token: str | None = None, member_id: int | None = None) -> None:
    """Forget the form: it was sent, thrown away, or its writer is under age."""
    if token:
        session.execute(delete(ParkedForm).where(ParkedForm.token_hash == _hash(token)))
    if member_id:
        session.execute(delete(ParkedForm).where(ParkedForm.member_id == member_id))


def forget_old(session: Session, *, now: datetime) -> None:
    session.execute(delete(ParkedForm).where(ParkedForm.expires_at <= now))
