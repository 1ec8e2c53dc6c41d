"""Notes of the team about a member: short, dated, never changed. The member does not see them on the site."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor, Subject, require
from core import audit
from core.errors import NotFound, invalid
from core.text import is_blank, normalise
from core.vocabulary import Action
from moderation.models import MemberNote

NOTE_CHARS = 2_000
SHOWN = 100


@dataclass(frozen=True)
class NoteView:
    """`author` None: a former member."""

    id: int
    author: str | None
    text: str
    at: datetime


def add(session: Session, member_id: int, *, by: Actor, text: str, now: datetime) -> MemberNote:
    """Note something about a member. Raises Forbidden (about oneself too), NotFound, Invalid on `text`."""
    require(by, Action.SEE_MEMBER_RECORD, Subject(member_id=member_id))
    if session.execute(select(Member.id).where(Member.id == member_id)).first() is None:
        raise NotFound("no-such-member", "There is no such member.")
    said = normalise(text, field="text")
    if is_blank(said):
        raise invalid("text", "Please write something here.")
    if len(said) > NOTE_CHARS:
        raise invalid("text", f"At most {NOTE_CHARS:,} characters; this has {len(said):,}.")
    note = MemberNote(member_id=member_id, author_id=by.id, text=said, at=now)
    session.add(note)
    session.flush()  # the door answers with it
    audit.record(
        session,
        actor_id=by.id,
        action="member.note",
        subject=("member", member_id),
        details={"note": note.id},
        now=now,
    )
    return note


def about(session: Session, member_id: int, *, by: Actor, limit: int = SHOWN) -> list[NoteView]:
    """What the team noted about a member, newest first. One query."""
    require(by, Action.SEE_MEMBER_RECORD, Subject(member_id=member_id))
    rows = session.execute(
        select(MemberNote.id, Member.handle, Member.closed_at, MemberNote.text, MemberNote.at)
        .join(Member, Member.id == MemberNote.author_id)
        .where(MemberNote.member_id == member_id)
        .order_by(MemberNote.id.desc())
        .limit(limit)
    )
    return [NoteView(row.id, None if row.closed_at else row.handle, row.text, row.at) for row in rows]
