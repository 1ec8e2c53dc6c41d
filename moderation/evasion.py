"""Whether somebody who was suspended may have come back under another name: hints with reasons, never an act.

Each can be an accident: a family shares a device, two people like one name. A moderator looks and judges.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import SequenceMatcher

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from auth.models import Member, MemberSession
from core.vocabulary import SanctionKind
from forum.models import Revision
from moderation.models import Sanction, TextPrint

# So long after a suspension or termination an account is compared with it.
KEEP = timedelta(days=365)
# Devices tell something only of accounts made soon after.
SOON = timedelta(days=14)
TEXT_LEAST = 80
ALIKE = 0.85
NAME_LEAST = 5
MOST_COMPARED = 500
# Where dots in the name before the @ mean nothing.
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True)
class Hint:
    """Why two accounts may belong to one person. `kind`: mail handle text device. No address is ever shown."""

    kind: str
    other_id: int
    other_handle: str
    sanction: SanctionKind
    sanctioned_at: datetime


def plain_address(email: str) -> str:
    """The mailbox behind an address: without what follows a plus, without dots where they mean nothing."""
    name, _, host = email.strip().casefold().rpartition("@")
    name = name.partition("+")[0]
    if host in _DOTLESS:
        name, host = name.replace(".", ""), "gmail.com"
    return f"{name}@{host}"


def plain_handle(handle: str) -> str:
    """A handle without the digits and signs that people add when theirs is taken."""
    return "".join(c for c in handle.casefold() if c.isalpha())


def are_alike(one: str, other: str) -> bool:
    """Whether two handles look like one name with small changes."""
    a, b = plain_handle(one), plain_handle(other)
    if min(len(a), len(b)) < NAME_LEAST:
        return a == b and len(a) >= 3
    return a == b or SequenceMatcher(None, a, b).ratio() >= ALIKE


def hints(session: Session, member_id: int, *, now: datetime) -> tuple[Hint, ...]:
    """Accounts suspended or ended within a year that this one is like, each with the reason. Four queries at most."""
    me = session.get_one(Member, member_id)
    rows = session.execute(
        select(Member.id, Member.handle, Member.email, Sanction.kind, Sanction.imposed_at)
        .join(Sanction, Sanction.member_id == Member.id)
        .where(
            Member.id != member_id,
            Member.closed_at.is_(None),
            Sanction.kind.in_((SanctionKind.SUSPENSION, SanctionKind.TERMINATION)),
            Sanction.voided_at.is_(None),
            Sanction.imposed_at > now - KEEP,
        )
        .order_by(Sanction.id.desc())
        .limit(MOST_COMPARED)
    ).all()
    others = {row.id: row for row in reversed(rows)}
    if not others or me.closed_at is not None:
        return ()
    found: list[tuple[str, int]] = []
    for other in others.values():
        if plain_address(other.email) == plain_address(me.email):
            found.append(("mail", other.id))
        if are_alike(other.handle, me.handle):
            found.append(("handle", other.id))
    found += [("text", other_id) for other_id in _same_texts(session, member_id, list(others))]
    soon = [row.id for row in others.values() if row.imposed_at <= me.created_at <= row.imposed_at + SOON]
    found += [("device", other_id) for other_id in _same_devices(session, member_id, soon)]
    return tuple(
        Hint(kind, other_id, others[other_id].handle, others[other_id].kind, others[other_id].imposed_at)
        for kind, other_id in found
    )


def _same_texts(session: Session, member_id: int, others: list[int]) -> list[int]:
    """Who wrote the same longer text."""
    mine, theirs = aliased(TextPrint), aliased(TextPrint)
    stmt = (
        select(theirs.author_id)
        .join(mine, mine.digest == theirs.digest)
        .join(Revision, Revision.id == mine.revision_id)
        .where(
            mine.author_id == member_id,
            theirs.author_id.in_(others),
            func.length(Revision.source) >= TEXT_LEAST,
        )
        .distinct()
        .order_by(theirs.author_id)
    )
    return list(session.execute(stmt).scalars())


def _same_devices(session: Session, member_id: int, others: list[int]) -> list[int]:
    """Who signed in with the same browser, to the letter."""
    if not others:
        return []
    mine, theirs = aliased(MemberSession), aliased(MemberSession)
    stmt = (
        select(theirs.member_id)
        .join(mine, mine.user_agent == theirs.user_agent)
        .where(mine.member_id == member_id, theirs.member_id.in_(others), mine.user_agent != "")
        .distinct()
        .order_by(theirs.member_id)
    )
    return list(session.execute(stmt).scalars())
