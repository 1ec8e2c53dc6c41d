"""Talk: a private conversation between the team and one member, shared by the whole team.

There are no private messages between members. The member sees "the moderation team", never who of them wrote. A talk
is tied to a case, to a follow-up, or to nothing; a follow-up is a day on which somebody should look after the member.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select
from sqlalchemy import case as when
from sqlalchemy.orm import Session, aliased

from auth.models import Member, Restriction
from auth.policy import Actor, Subject, require
from core import audit, keyset, limits, markup
from core.config import Settings
from core.errors import Conflict, Invalid, NotFound
from core.notifications import notify
from core.text import is_blank, normalise
from core.vocabulary import Action, NotificationKind, RestrictionKind
from moderation import eligibility
from moderation.models import Case, Talk, TalkMessage

SUBJECT_CHARS = 200
TEXT_CHARS = 5_000
FOLLOW_UP = "Looking after a member"
LISTS = ("open", "awaiting", "due", "closed")
# Lists and counters of what waits stop here; pages show "99+".
COUNTED = 100
# A conversation is read as a whole; the oldest words of a very long one are left out.
MESSAGES_SHOWN = 500


# --- What is shown -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Message:
    """`author` is for the team alone: who of them wrote, None for a former member (and for what the member wrote)."""

    id: int
    by_team: bool
    author: str | None
    html: str
    at: datetime


@dataclass(frozen=True)
class TalkRow:
    """One conversation in a list. `handle` None: a former member."""

    id: int
    handle: str | None
    subject: str
    case_id: int | None
    awaits_team: bool
    follow_up_at: datetime | None
    is_due: bool
    closed_at: datetime | None
    opened_at: datetime
    last_message_at: datetime


@dataclass(frozen=True)
class TalkPage:
    """One conversation. `last_message` is the number that an answer names, so that nobody talks past the others."""

    row: TalkRow
    member_id: int
    messages: tuple[Message, ...]
    last_message: int
    # Why nothing can be written: "closed", "former", "suspended"; empty: it can.
    silent: str


@dataclass(frozen=True)
class Waiting:
    """What the queue's page reminds of; 100 stands for more."""

    awaiting: int
    due: int


# --- The team ----------------------------------------------------------------------------------------------------


def open_talk(
    session: Session,
    member_id: int,
    *,
    by: Actor,
    subject: str,
    text: str,
    now: datetime,
    case_id: int | None = None,
    follow_up_at: datetime | None = None,
) -> Talk:
    """Write to a member for the team: they hear of it on the site and by mail, which holds nothing of the text.

    Raises NotFound for a member that is not there or a case that is not about them, Forbidden towards oneself, Invalid
    on subject, text or follow_up_at, Conflict ("member-gone", "member-suspended").
    """
    _require_team(by, member_id)
    silent = _silent(session, member_id, now=now)
    if silent is None:
        raise NotFound("no-such-member", "There is no such member.")
    _check_case(session, by, member_id, case_id)
    errors: list[tuple[str, str]] = []
    said_subject = _checked("subject", subject, SUBJECT_CHARS, errors)
    said = _checked("text", text, TEXT_CHARS, errors)
    if follow_up_at is not None and follow_up_at <= now:
        errors.append(("follow_up_at", "This day is over. Choose a later one, or none."))
    _raise_all(errors)
    _refuse_silent(silent)
    talk = Talk(
        member_id=member_id,
        case_id=case_id,
        subject=" ".join(said_subject.split()),
        opened_by=by.id,
        opened_at=now,
        last_message_at=now,
        awaits_team=False,
        follow_up_at=follow_up_at,
    )
    session.add(talk)
    session.flush()  # its messages and the notice name it by its id
    _add_message(session, talk, by=by, by_team=True, text=said, now=now)
    _tell(session, talk, now=now)
    _audit(session, talk, by=by, action="talk.open", now=now)
    return talk


def follow_up(session: Session, member_id: int, *, case_id: int | None, at: datetime, now: datetime) -> Talk:
    """Remind the team to look after a member (after a crisis): the earliest wish counts, and nobody is written to.

    Joins the open talk about the same case, else any open one that the site began for this member; the member sees it
    only once somebody has written in it.
    """
    about = Talk.case_id == case_id if case_id is not None else Talk.opened_by.is_(None)
    known = session.execute(
        select(Talk)
        .where(Talk.member_id == member_id, Talk.closed_at.is_(None), about)
        .order_by(Talk.id.desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if known is not None:
        if known.follow_up_at is None or at < known.follow_up_at:
            known.follow_up_at = at
            session.flush()
        return known
    talk = Talk(
        member_id=member_id,
        case_id=case_id,
        subject=FOLLOW_UP,
        opened_by=None,
        opened_at=now,
        last_message_at=now,
        awaits_team=False,
        follow_up_at=at,
    )
    session.add(talk)
    session.flush()
    return talk


def write(
    session: Session, talk_id: int, *, by: Actor, text: str, now: datetime, last_message: int | None = None
) -> TalkMessage:
    """Answer for the team. `last_message` is the newest one that was read.

    Raises NotFound, Forbidden, Invalid on text, Conflict ("talk-changed", "talk-closed", "member-gone",
    "member-suspended").
    """
    talk = _take(session, talk_id)
    _require_team(by, talk.member_id)
    errors: list[tuple[str, str]] = []
    said = _checked("text", text, TEXT_CHARS, errors)
    _raise_all(errors)
    _refuse_closed(talk)
    _refuse_silent(_silent(session, talk.member_id, now=now))
    newest = _newest(session, talk_id)
    if last_message is not None and last_message != newest:
        raise Conflict(
            "talk-changed",
            "Somebody has written meanwhile. Please read that first. Your text is not lost.",
            last_message=newest,
        )
    message = _add_message(session, talk, by=by, by_team=True, text=said, now=now)
    _tell(session, talk, now=now)
    _audit(session, talk, by=by, action="talk.write", now=now)
    return message


def set_follow_up(session: Session, talk_id: int, *, by: Actor, at: datetime | None, now: datetime) -> Talk:
    """The day on which somebody should look again; None: it is done, or not needed."""
    talk = _take(session, talk_id)
    _require_team(by, talk.member_id)
    if at is not None and at <= now:
        message = "This day is over. Choose a later one, or none."
        raise Invalid("invalid-field", message, errors=[("follow_up_at", message)])
    if talk.follow_up_at != at:
        talk.follow_up_at = at
        _audit(session, talk, by=by, action="talk.follow_up", now=now)
    return talk


def close(session: Session, talk_id: int, *, by: Actor, now: datetime) -> Talk:
    """End a conversation; what stood in it stays. Its follow-up falls. Raises Conflict("talk-closed")."""
    talk = _take(session, talk_id)
    _require_team(by, talk.member_id)
    _refuse_closed(talk)
    talk.closed_at, talk.follow_up_at, talk.awaits_team = now, None, False
    _audit(session, talk, by=by, action="talk.close", now=now)
    return talk


def reopen(session: Session, talk_id: int, *, by: Actor, now: datetime) -> Talk:
    """Open an ended conversation again. Raises Conflict("talk-open")."""
    talk = _take(session, talk_id)
    _require_team(by, talk.member_id)
    if talk.closed_at is None:
        raise Conflict("talk-open", "This conversation is open already.")
    talk.closed_at = None
    _audit(session, talk, by=by, action="talk.reopen", now=now)
    return talk


# --- The member --------------------------------------------------------------------------------------------------


def answer(session: Session, talk_id: int, *, by: Actor, text: str, settings: Settings, now: datetime) -> TalkMessage:
    """The member's answer. Somebody else's talk, or one in which nobody has written yet, does not exist for them.

    Raises NotFound, Forbidden("suspended"), Invalid on text, Conflict("talk-closed"), TooMany.
    """
    talk = _take(session, talk_id)
    if by.id != talk.member_id or _newest(session, talk_id) == 0:
        raise NotFound()
    require(by, Action.TALK_AS_MEMBER, Subject(member_id=talk.member_id))
    errors: list[tuple[str, str]] = []
    said = _checked("text", text, TEXT_CHARS, errors)
    _raise_all(errors)
    _refuse_closed(talk)
    limits.spend(session, talk.member_id, "talk", now=now, enforced=settings.limits)
    message = _add_message(session, talk, by=by, by_team=False, text=said, now=now)
    _audit(session, talk, by=by, action="talk.answer", now=now)
    return message


# --- Shared ------------------------------------------------------------------------------------------------------


def _require_team(by: Actor, member_id: int) -> None:
    require(by, Action.TALK_AS_TEAM, Subject(member_id=member_id))


def _take(session: Session, talk_id: int) -> Talk:
    """The talk, ours until the commit."""
    talk = session.execute(
        select(Talk).where(Talk.id == talk_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if talk is None:
        raise NotFound()
    return talk


def _silent(session: Session, member_id: int, *, now: datetime) -> str | None:
    """Why nobody can be written to: "former", "suspended"; empty where they can, None where there is no such member."""
    suspended = exists().where(
        Restriction.member_id == Member.id,
        Restriction.kind == RestrictionKind.SUSPENDED,
        Restriction.lifted_at.is_(None),
        Restriction.since <= now,
        or_(Restriction.until.is_(None), Restriction.until > now),
    )
    found = session.execute(select(Member.closed_at, suspended).where(Member.id == member_id)).one_or_none()
    if found is None:
        return None
    return "former" if found[0] is not None else "suspended" if found[1] else ""


def _refuse_silent(why: str | None) -> None:
    if why == "former":
        raise Conflict("member-gone", "This member has closed the account, so nobody would read it.")
    if why == "suspended":
        raise Conflict(
            "member-suspended",
            "This member is suspended and reads only decisions. They answer by an objection.",
        )


def _refuse_closed(talk: Talk) -> None:
    if talk.closed_at is not None:
        raise Conflict("talk-closed", "This conversation was ended. Your text is not lost.")


def _check_case(session: Session, by: Actor, member_id: int, case_id: int | None) -> None:
    """A case that this moderator may read, about something that this member wrote or about themselves."""
    if case_id is None:
        return
    mine = select(Case.id).where(Case.id == case_id, Case.author_id == member_id, eligibility.may_read(by))
    if session.execute(mine).first() is None:
        raise NotFound("no-such-case", "There is no such case about this member.")


def _checked(field: str, typed: str, most: int, errors: list[tuple[str, str]]) -> str:
    text = normalise(typed, field=field)
    if is_blank(text):
        errors.append((field, "Please write something here."))
    elif len(text) > most:
        errors.append((field, f"At most {most:,} characters; this has {len(text):,}."))
    return text


def _raise_all(errors: list[tuple[str, str]]) -> None:
    if errors:
        raise Invalid("invalid-field", "This cannot be sent yet. Nothing is lost.", errors=errors)


def _newest(session: Session, talk_id: int) -> int:
    stmt = select(func.coalesce(func.max(TalkMessage.id), 0)).where(TalkMessage.talk_id == talk_id)
    return session.execute(stmt).scalar_one()


def _add_message(session: Session, talk: Talk, *, by: Actor, by_team: bool, text: str, now: datetime) -> TalkMessage:
    message = TalkMessage(
        talk_id=talk.id, by_team=by_team, author_id=by.id, source=text, html=markup.render(text, "post").html, at=now
    )
    session.add(message)
    talk.last_message_at, talk.awaits_team = now, not by_team
    session.flush()  # the door answers with it
    return message


def _tell(session: Session, talk: Talk, *, now: datetime) -> None:
    notify(session, talk.member_id, NotificationKind.TALK, link=f"/me/talk/{talk.id}", now=now)


def _audit(session: Session, talk: Talk, *, by: Actor, action: str, now: datetime) -> None:
    """That it happened, never what was said."""
    session.flush()
    audit.record(
        session,
        actor_id=by.id,
        action=action,
        subject=("talk", talk.id),
        details={"member": talk.member_id, "case": talk.case_id, "follow_up_at": talk.follow_up_at},
        now=now,
    )


# --- Reading -----------------------------------------------------------------------------------------------------

_COLUMNS: tuple[Any, ...] = (
    Talk.id,
    Talk.member_id,
    Talk.subject,
    Talk.case_id,
    Talk.awaits_team,
    Talk.follow_up_at,
    Talk.closed_at,
    Talk.opened_at,
    Talk.last_message_at,
    when((Member.closed_at.is_(None), Member.handle), else_=None).label("handle"),
)


def _rows() -> Select[Any]:
    return select(*_COLUMNS).join(Member, Member.id == Talk.member_id)


def _row(row: Row[Any], now: datetime) -> TalkRow:
    return TalkRow(
        id=row.id,
        handle=row.handle,
        subject=row.subject,
        case_id=row.case_id,
        awaits_team=row.awaits_team,
        follow_up_at=row.follow_up_at,
        is_due=row.follow_up_at is not None and row.follow_up_at <= now,
        closed_at=row.closed_at,
        opened_at=row.opened_at,
        last_message_at=row.last_message_at,
    )


def _of_list(name: str, now: datetime) -> ColumnElement[bool]:
    if name == "closed":
        return Talk.closed_at.is_not(None)
    parts = {"awaiting": Talk.awaits_team, "due": Talk.follow_up_at <= now}
    return and_(Talk.closed_at.is_(None), parts[name]) if name in parts else Talk.closed_at.is_(None)


def team_list(
    session: Session, by: Actor, *, now: datetime, which: str = "open", after: str | None = None, limit: int = 20
) -> keyset.Page[TalkRow]:
    """All conversations of the team but those with this moderator themselves; `which` is one of LISTS. One query.

    The latest word first; what is due, the longest due first.
    """
    require(by, Action.TALK_AS_TEAM)
    if which not in LISTS:
        raise Invalid("invalid-field", "Unknown list.", errors=[("list", f"one of {', '.join(LISTS)}")])
    stmt = _rows().where(_of_list(which, now), Talk.member_id != by.id)
    by_time = (
        keyset.Key(Talk.follow_up_at.expression, "follow_up_at")
        if which == "due"
        else keyset.Key(Talk.last_message_at.expression, "last_message_at", descending=True)
    )
    keys = (by_time, keyset.Key(Talk.id.expression, "id", descending=which != "due"))
    return keyset.page(session, stmt, keys, after=after, limit=limit).map(lambda row: _row(row, now))


def waiting(session: Session, by: Actor, *, now: datetime) -> Waiting:
    """How many conversations wait for the team, and how many follow-ups are due. Two bounded queries."""
    counts = []
    for name in ("awaiting", "due"):
        some = select(Talk.id).where(_of_list(name, now), Talk.member_id != by.id).limit(COUNTED).subquery()
        counts.append(session.execute(select(func.count()).select_from(some)).scalar_one())
    return Waiting(*counts)


def talks_with(session: Session, by: Actor, member_id: int, *, now: datetime, limit: int = 20) -> list[TalkRow]:
    """The latest conversations with one member, for their record. One query."""
    _require_team(by, member_id)
    stmt = _rows().where(Talk.member_id == member_id).order_by(Talk.id.desc()).limit(limit)
    return [_row(row, now) for row in session.execute(stmt)]


def page(session: Session, by: Actor, talk_id: int, *, now: datetime) -> TalkPage:
    """One conversation for the team. Three queries."""
    row = session.execute(_rows().where(Talk.id == talk_id)).one_or_none()
    if row is None:
        raise NotFound()
    _require_team(by, row.member_id)
    return _page(session, row, with_names=True, now=now)


def own_list(
    session: Session, member: Actor, *, now: datetime, after: str | None = None, limit: int = 20
) -> keyset.Page[TalkRow]:
    """A member's own conversations, the latest word first. One query."""
    require(member, Action.TALK_AS_MEMBER, Subject(member_id=member.id))
    said = exists().where(TalkMessage.talk_id == Talk.id)
    keys = (
        keyset.Key(Talk.last_message_at.expression, "last_message_at", descending=True),
        keyset.Key(Talk.id.expression, "id", descending=True),
    )
    stmt = _rows().where(Talk.member_id == member.id, said)
    return keyset.page(session, stmt, keys, after=after, limit=limit).map(lambda row: _row(row, now))


def own_page(session: Session, member: Actor, talk_id: int, *, now: datetime) -> TalkPage:
    """One of a member's own conversations, without a name of the team; NotFound for anybody else's."""
    require(member, Action.TALK_AS_MEMBER, Subject(member_id=member.id))
    row = session.execute(_rows().where(Talk.id == talk_id, Talk.member_id == member.id)).one_or_none()
    if row is None:
        raise NotFound()
    found = _page(session, row, with_names=False, now=now)
    if not found.messages:
        raise NotFound()
    return found


def _page(session: Session, row: Row[Any], *, with_names: bool, now: datetime) -> TalkPage:
    writer = aliased(Member)
    stmt = (
        select(TalkMessage, writer.handle, writer.closed_at)
        .outerjoin(writer, writer.id == TalkMessage.author_id)
        .where(TalkMessage.talk_id == row.id)
        .order_by(TalkMessage.id.desc())
        .limit(MESSAGES_SHOWN)
    )
    messages = [
        Message(
            id=found.TalkMessage.id,
            by_team=found.TalkMessage.by_team,
            author=found.handle if with_names and found.TalkMessage.by_team and found.closed_at is None else None,
            html=found.TalkMessage.html,
            at=found.TalkMessage.at,
        )
        for found in session.execute(stmt.execution_options(populate_existing=True))
    ]
    silent = "closed" if row.closed_at is not None else _silent(session, row.member_id, now=now) or ""
    return TalkPage(
        row=_row(row, now),
        member_id=row.member_id,
        messages=tuple(reversed(messages)),
        last_message=messages[0].id if messages else 0,
        silent=silent,
    )


def member_of(session: Session, handle: str) -> tuple[int, str]:
    """(id, handle) of the member of this very name; NotFound for a former one."""
    stmt = select(Member.id, Member.handle).where(Member.handle == handle, Member.closed_at.is_(None))
    found = session.execute(stmt).one_or_none()
    if found is None:
        raise NotFound("no-such-member", "There is no member of this name.")
    return found.id, found.handle
