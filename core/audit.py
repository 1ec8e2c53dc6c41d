"""The audit chain: append-only; each entry carries the SHA-256 of the one before, so a changed or missing row shows.

What may hold personal words (`details`) enters the chain only by its own digest, so it can be emptied later while the
chain still verifies.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, UtcDateTime, is_sqlite

GENESIS = "0" * 64
# Any fixed number will do: it names our lock among PostgreSQL's advisory locks.
CHAIN_LOCK = 7_205_117
# How many entries verify() holds at a time.
CHUNK = 500


class AuditEntry(Base):
    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_subject", "subject_kind", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="RESTRICT"), index=True)
    action: Mapped[str] = mapped_column(String(64))
    subject_kind: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[int | None]
    details: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    details_hash: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(Text, default="")
    prev_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)


@dataclass(frozen=True)
class Broken:
    """The first entry that does not fit the chain."""

    entry_id: int
    why: str


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _entry_hash(entry: AuditEntry) -> str:
    at = entry.at.isoformat(timespec="microseconds")
    reason = _digest(entry.reason)
    return _digest(
        [
            entry.prev_hash,
            at,
            entry.actor_id,
            entry.action,
            entry.subject_kind,
            entry.subject_id,
            entry.details_hash,
            reason,
        ]
    )


def record(
    session: Session,
    *,
    actor_id: int | None,
    action: str,
    subject: tuple[str, int | None],
    now: datetime,
    details: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Append one entry in the caller's transaction. `actor_id` None is the system itself.

    Call it late: on PostgreSQL it takes the chain's lock until the commit, so writers pass one by one from here on.
    """
    if not is_sqlite(session):
        session.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": CHAIN_LOCK})
    last = session.execute(select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)).scalar()
    body = json.loads(json.dumps(dict(details or {}), default=str))
    entry = AuditEntry(
        at=now,
        actor_id=actor_id,
        action=action,
        subject_kind=subject[0],
        subject_id=subject[1],
        details=body,
        details_hash=_digest(body),
        reason=reason,
        prev_hash=last or GENESIS,
    )
    entry.hash = _entry_hash(entry)
    session.add(entry)
    # The next record() of this transaction must find this one's hash.
    session.flush()
    return entry


def verify(session: Session) -> tuple[int, Broken | None]:
    """Walk the chain; returns how many entries were read and the first broken one. Cost: reads every row once."""
    previous, count = GENESIS, 0
    for entry in _all(session):
        count += 1
        if entry.prev_hash != previous:
            return count, Broken(entry.id, "the entry before it was changed, removed or inserted")
        if entry.hash != _entry_hash(entry):
            return count, Broken(entry.id, "its own content was changed")
        if entry.details is not None and entry.details_hash != _digest(entry.details):
            return count, Broken(entry.id, "its details were changed")
        previous = entry.hash
    return count, None


def _all(session: Session) -> Iterator[AuditEntry]:
    last = 0
    while True:
        stmt = select(AuditEntry).where(AuditEntry.id > last).order_by(AuditEntry.id).limit(CHUNK)
        part = session.execute(stmt.execution_options(populate_existing=True)).scalars().all()
        yield from part
        if len(part) < CHUNK:
            return
        last = part[-1].id
