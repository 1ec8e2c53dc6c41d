"""The audit chain: append-only; each entry carries the SHA-256 of the one before, so a changed or missing row shows.

What may hold personal words (`details`, `reason`) enters the chain only by its own digest, so it can be emptied later
while the chain still verifies. Whoever can write to the database could compute the whole chain anew; that shows against
a head published before.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text, func, null, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, UtcDateTime, is_sqlite
from core.errors import NotFound

GENESIS = "0" * 64
# Any fixed number will do: it names our lock among PostgreSQL's advisory locks.
CHAIN_LOCK = 7_205_117
# How many entries verify() holds at a time.
CHUNK = 500
# Of the entry that says that another one was emptied.
REDACTED, ENTRY = "audit.redacted", "audit_entry"
_HEAD = re.compile(r"(?<![0-9A-Za-z])([1-9][0-9]{0,17}):([0-9a-f]{64})(?![0-9A-Za-z])")


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
    # None once emptied, as are the details.
    reason: Mapped[str | None] = mapped_column(Text)
    reason_hash: Mapped[str] = mapped_column(String(64))
    prev_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)


class AuditHead(Base):
    """The end of the chain as it was published once on a day (UTC)."""

    __tablename__ = "audit_head"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    # A copy and no foreign key: a head must outlive the entry that it proves.
    entry_id: Mapped[int]
    count: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Head:
    """How many entries the chain had, and the hash of the last of them. Written `count:hash`."""

    count: int
    hash: str

    def __str__(self) -> str:
        return f"{self.count}:{self.hash}"


@dataclass(frozen=True)
class Broken:
    """The first entry that does not fit the chain; for an end that was cut off, the last that is there (0: none)."""

    entry_id: int
    why: str


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _entry_hash(entry: AuditEntry) -> str:
    at = entry.at.isoformat(timespec="microseconds")
    return _digest(
        [
            entry.prev_hash,
            at,
            entry.actor_id,
            entry.action,
            entry.subject_kind,
            entry.subject_id,
            entry.details_hash,
            entry.reason_hash,
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
    _lock(session)
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
        reason_hash=_digest(reason),
        prev_hash=last or GENESIS,
    )
    entry.hash = _entry_hash(entry)
    session.add(entry)
    # The next record() of this transaction must find this one's hash.
    session.flush()
    return entry


def _lock(session: Session) -> None:
    """One writer at a time. SQLite has no other kind."""
    if not is_sqlite(session):
        session.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": CHAIN_LOCK})


def redact_details(session: Session, entry_id: int, *, actor_id: int | None, reason: str, now: datetime) -> None:
    """Empty what an entry says in words: its details and its reason. Raises NotFound.

    The chain still verifies, because it holds their digests; a new entry says who emptied it, and why. An entry
    emptied in another way counts as changed.
    """
    entry = session.get(AuditEntry, entry_id)
    if entry is None:
        raise NotFound()
    if entry.details is not None or entry.reason is not None:
        entry.details, entry.reason = null(), None
        record(session, actor_id=actor_id, action=REDACTED, subject=(ENTRY, entry_id), reason=reason, now=now)


# --- Heads -------------------------------------------------------------------------------------------------------


def record_head(session: Session, *, now: datetime) -> AuditHead | None:
    """Keep the chain's head of this day (UTC); None where that is done already, or nothing was ever recorded."""
    _lock(session)
    day = now.astimezone(UTC).date()
    if session.get(AuditHead, day) is not None:
        return None
    count, last = session.execute(select(func.count(), func.max(AuditEntry.id)).select_from(AuditEntry)).one()
    if not count:
        return None
    end = session.execute(select(AuditEntry.hash).where(AuditEntry.id == last)).scalar_one()
    head = AuditHead(day=day, entry_id=last, count=count, hash=end, at=now)
    session.add(head)
    session.flush()
    return head


def recorded_heads(session: Session, *, limit: int | None = None) -> list[AuditHead]:
    """The heads that were published, newest first: one row a day."""
    return list(session.execute(select(AuditHead).order_by(AuditHead.day.desc()).limit(limit)).scalars())


def read_heads(given: str) -> list[Head]:
    """Every `count:hash` that stands in a text, such as a mail or the list of all heads."""
    return [Head(int(count), end) for count, end in _HEAD.findall(given)]


# --- Verifying ---------------------------------------------------------------------------------------------------


def verify(session: Session, against: Iterable[Head] = ()) -> tuple[int, Broken | None]:
    """Walk the chain; returns how many entries were read and the first broken one. Cost: reads every row once.

    It is compared with the heads that the database itself keeps, and with those `against` which it is to be proven.
    """
    heads = _by_count([*against, *(Head(head.count, head.hash) for head in recorded_heads(session))])
    previous, count, last = GENESIS, 0, 0
    emptied: dict[int, None] = {}
    for entry in _all(session):
        count, last = count + 1, entry.id
        why = _wrong(entry, previous)
        if why is None and heads.get(count, {entry.hash}) != {entry.hash}:
            why = f"the chain fits up to here, but not the head that was published for {count} entries"
        if why is not None:
            return count, Broken(entry.id, why)
        if entry.details is None or entry.reason is None:
            emptied[entry.id] = None
        if entry.action == REDACTED and entry.subject_kind == ENTRY and entry.subject_id is not None:
            emptied.pop(entry.subject_id, None)
        previous = entry.hash
    longest = max(heads, default=0)
    if longest > count:
        why = f"the chain ends after {count} entries, but a head was published for {longest}: the rest was cut off"
        return count, Broken(last, why)
    if emptied:
        return count, Broken(min(emptied), "its words were emptied, and no later entry says so")
    return count, None


def _by_count(heads: Iterable[Head]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for head in heads:
        found.setdefault(head.count, set()).add(head.hash)
    return found


def _wrong(entry: AuditEntry, previous: str) -> str | None:
    if entry.prev_hash != previous:
        return "the entry before it was changed, removed or inserted"
    if entry.hash != _entry_hash(entry):
        return "its own content was changed"
    if entry.details is not None and entry.details_hash != _digest(entry.details):
        return "its details were changed"
    if entry.reason is not None and entry.reason_hash != _digest(entry.reason):
        return "its reason was changed"
    return None


def _all(session: Session) -> Iterator[AuditEntry]:
    last = 0
    while True:
        stmt = select(AuditEntry).where(AuditEntry.id > last).order_by(AuditEntry.id).limit(CHUNK)
        part = session.execute(stmt.execution_options(populate_existing=True)).scalars().all()
        yield from part
        if len(part) < CHUNK:
            return
        last = part[-1].id
