"""Switches that staff turn while the site runs: at present the panic switch only."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, UtcDateTime

PANIC = "panic"


class Switch(Base):
    __tablename__ = "switch"
    __table_args__ = (CheckConstraint("name IN ('panic')", name="name"),)

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    is_on: Mapped[bool] = mapped_column(default=False)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)


def is_on(session: Session, name: str) -> bool:
    """Panic on: every submission waits for a person, and nobody can register."""
    return bool(session.execute(select(Switch.is_on).where(Switch.name == name)).scalar())


def turn(session: Session, name: str, *, on: bool, by: int | None, now: datetime) -> None:
    """Turn a switch; the door records it in the audit chain."""
    row = session.get(Switch, name)
    if row is None:
        row = Switch(name=name)
        session.add(row)
    row.is_on, row.changed_at, row.changed_by = on, now, by
