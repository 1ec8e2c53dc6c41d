"""A few lines above every page, for a time, by leads and administrators. At most one is shown: the newest in force."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor, require
from core import audit, markup
from core.errors import Invalid
from core.text import is_blank, normalise
from core.vocabulary import Action
from moderation.models import Announcement

TEXT_CHARS = 1_000


@dataclass(frozen=True)
class Shown:
    """`author` None: a former member. `until` None: until somebody ends it."""

    id: int
    source: str
    html: str
    since: datetime
    until: datetime | None
    author: str | None = None


def current(session: Session, *, now: datetime) -> Shown | None:
    """What stands above every page now, the same for everybody. One query by an index."""
    row = session.execute(
        select(Announcement.id, Announcement.source, Announcement.html, Announcement.since, Announcement.until)
        .where(_in_force(now))
        .order_by(Announcement.id.desc())
        .limit(1)
    ).one_or_none()
    return Shown(**row._mapping) if row else None


def _in_force(now: datetime) -> ColumnElement[bool]:
    return or_(Announcement.until.is_(None), Announcement.until > now)


def latest(session: Session, *, by: Actor, limit: int = 10) -> list[Shown]:
    """The latest ones, those that ended too. One query."""
    require(by, Action.ANNOUNCE)
    rows = session.execute(
        select(Announcement, Member.handle, Member.closed_at)
        .join(Member, Member.id == Announcement.author_id)
        .order_by(Announcement.id.desc())
        .limit(limit)
    )
    return [
        Shown(a.id, a.source, a.html, a.since, a.until, None if closed_at else handle) for a, handle, closed_at in rows
    ]


def announce(session: Session, *, by: Actor, text: str, until: datetime | None, now: datetime) -> Announcement:
    """Put a text above every page, instead of the one that stands there. Raises Forbidden, Invalid on text or until."""
    require(by, Action.ANNOUNCE)
    said = normalise(text, field="text")
    errors = []
    if is_blank(said):
        errors.append(("text", "Please write something here."))
    elif len(said) > TEXT_CHARS:
        errors.append(("text", f"At most {TEXT_CHARS:,} characters; this has {len(said):,}."))
    if until is not None and until <= now:
        errors.append(("until", "This moment is over. Choose a later one, or none."))
    if errors:
        raise Invalid("invalid-field", "This cannot be announced yet. Nothing is lost.", errors=errors)
    _end(session, now)
    row = Announcement(source=said, html=markup.render(said, "post").html, since=now, until=until, author_id=by.id)
    session.add(row)
    session.flush()  # the audit row names it by its id
    audit.record(
        session,
        actor_id=by.id,
        action="announce",
        subject=("announcement", row.id),
        details={"text": said, "until": until},
        now=now,
    )
    return row


def end(session: Session, *, by: Actor, now: datetime) -> bool:
    """Take it away; False where nothing stands there."""
    require(by, Action.ANNOUNCE)
    if not _end(session, now):
        return False
    audit.record(session, actor_id=by.id, action="announce.end", subject=("announcement", None), now=now)
    return True


def _end(session: Session, now: datetime) -> bool:
    ended = session.execute(
        update(Announcement)
        .where(_in_force(now))
        .values(until=now)
        .returning(Announcement.id)
        .execution_options(synchronize_session=False)
    ).all()
    return bool(ended)
