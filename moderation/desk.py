"""A moderator's desk: what they pass over, hand over or are given, how they want to work, what they can take."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from auth import members
from auth.models import Member, RoleGrant
from auth.policy import NOTHING, Actor, allowed, require
from content.models import condition_category
from core import audit
from core.errors import Conflict, Invalid, NotFound
from core.text import is_blank, normalise
from core.vocabulary import Action, NoteKind, Role
from forum.models import Board
from moderation import cases, eligibility
from moderation.models import Case, CaseNote, CaseSkip, CaseView, DeskSetting, SavedView

NOTE_CHARS = 2_000
SKIP_CHARS = 500
# Somebody who opened the case so short a time ago may still be reading it.
STILL_READING = timedelta(minutes=15)
# Views are kept for questions about who read what. Source: docs/moderation.md, care.
KEEP_VIEWS = timedelta(days=90)
MOST_VIEWS = 20
VIEW_NAME_CHARS = 60

# Texts of these kinds are blurred until they are asked for, and counted.
HARD_KINDS = eligibility.CRISIS_KINDS | {"hostile", "minor"}
MOST_BREAK_AFTER = 100


@dataclass(frozen=True)
class Settings:
    """How one moderator works; these are the defaults."""

    opted_out: tuple[str, ...] = ()
    blurs: bool = True
    break_after: int = 10


@dataclass(frozen=True)
class Reader:
    """Somebody else who opened the case lately. `handle` is None for a former member."""

    handle: str | None
    at: datetime


@dataclass(frozen=True)
class Note:
    kind: NoteKind
    author: str | None
    text: str
    at: datetime


# --- Passing over, handing over, giving --------------------------------------------------------------------------


def skip(session: Session, case_id: int, *, by: Actor, reason: str | None, now: datetime) -> CaseSkip:
    """Let a case pass: "next" offers it to this moderator again only when it has changed. One's own claim ends.

    Raises NotFound, Forbidden, Conflict for a case that is over, Invalid on reason.
    """
    case, _ = cases.admit(session, case_id, by, Action.CLAIM_CASE, now=now)
    assert by.id is not None  # the policy lets no visitor claim
    if case.state not in cases.CLAIMABLE:
        raise cases.why_not(session, case_id, by=by, now=now)
    said = _said(reason, "reason", SKIP_CHARS, "Say in a few words why you let it pass.")
    skipped = CaseSkip(case_id=case_id, moderator_id=by.id, case_version=case.version, reason=said, at=now)
    session.add(skipped)
    session.flush()  # the door answers with it
    if case.claimed_by == by.id:
        cases.release(session, case_id, by=by, now=now)
    audit.record(
        session,
        actor_id=by.id,
        action="case.skip",
        subject=("case", case_id),
        details={"version": skipped.case_version},
        reason=said,
        now=now,
    )
    return skipped


def note(
    session: Session, case_id: int, *, by: Actor, text: str | None, now: datetime, kind: NoteKind = NoteKind.NOTE
) -> CaseNote:
    """Leave a note on a case for the other moderators. Raises NotFound, Forbidden, Invalid on text."""
    cases.admit(session, case_id, by, Action.READ_CASE, now=now)
    assert by.id is not None  # as above
    said = _said(text, "text", NOTE_CHARS, "Write the note first.")
    made = CaseNote(case_id=case_id, author_id=by.id, kind=kind, text=said, at=now)
    session.add(made)
    cases.renew(session, case_id, by=by, now=now)
    session.flush()  # the door answers with it
    return made


def hand_over(session: Session, case_id: int, *, by: Actor, text: str | None, now: datetime) -> Case:
    """Give one's own claim back, with a word for whoever takes the case next (blank: without one)."""
    if not is_blank(text or ""):
        note(session, case_id, by=by, text=text, kind=NoteKind.HAND_OVER, now=now)
    return cases.release(session, case_id, by=by, now=now)


def assign(session: Session, case_id: int, *, by: Actor, handle: str | None, now: datetime) -> Case:
    """Give a case to one moderator, so that "next" offers it to nobody else; None: to nobody in particular.

    Raises NotFound, Forbidden, Conflict for a case that is over, Invalid where that person may not decide it.
    """
    require(by, Action.ASSIGN_CASE)
    case, _ = cases.admit(session, case_id, by, Action.READ_CASE, now=now)
    if case.state not in cases.CLAIMABLE:
        raise cases.why_not(session, case_id, by=by, now=now)
    chosen = _assignee(session, case_id, handle, now=now) if handle else None
    session.execute(
        update(Case)
        .where(Case.id == case_id)
        .values(assigned_to=chosen.id if chosen else None)
        .execution_options(synchronize_session=False)
    )
    audit.record(
        session,
        actor_id=by.id,
        action="case.assign",
        subject=("case", case_id),
        details={"to": chosen.id if chosen else None},
        now=now,
    )
    return session.get_one(Case, case_id, populate_existing=True)


def _assignee(session: Session, case_id: int, handle: str, *, now: datetime) -> Member:
    message = "Choose a moderator who may decide this case."
    try:
        member = members.find_by_handle(session, handle.strip())
    except NotFound as error:
        raise Invalid("invalid-field", message, errors=[("handle", message)]) from error
    theirs = members.actor_of_member(session, member, now=now)
    _, subject = cases.subject_of(session, case_id, theirs, now=now)
    if not allowed(theirs, Action.DECIDE_CASE, subject):
        raise Invalid("invalid-field", message, errors=[("handle", message)])
    return member


def team(session: Session, board_id: int | None) -> list[tuple[int, str]]:
    """(id, handle) of those who moderate this board, everywhere or lead, by name. Not all may decide each case."""
    condition = select(Board.condition_id).where(Board.id == board_id).scalar_subquery()
    categories = select(condition_category.c.category_id).where(condition_category.c.condition_id == condition)
    everywhere = (RoleGrant.board_id.is_(None)) & (RoleGrant.category_id.is_(None))
    rows = session.execute(
        select(Member.id, Member.handle)
        .join(RoleGrant, RoleGrant.member_id == Member.id)
        .where(
            RoleGrant.role.in_((Role.MODERATOR, Role.LEAD)),
            or_(everywhere, RoleGrant.board_id == board_id, RoleGrant.category_id.in_(categories)),
            Member.closed_at.is_(None),
            Member.tf_totp_secret.is_not(None),
        )
        .distinct()
        .order_by(Member.handle, Member.id)
    ).all()
    return [(member_id, handle) for member_id, handle in rows]


def notes(session: Session, case_id: int, *, by: Actor, now: datetime) -> tuple[Note, ...]:
    """The same for whoever may read the case. Raises NotFound, Forbidden."""
    cases.admit(session, case_id, by, Action.READ_CASE, now=now)
    return notes_of(session, case_id)


def notes_of(session: Session, case_id: int) -> tuple[Note, ...]:
    """What moderators wrote to each other about a case, oldest first."""
    rows = session.execute(
        select(CaseNote.kind, Member.handle, Member.closed_at, CaseNote.text, CaseNote.at)
        .join(Member, Member.id == CaseNote.author_id)
        .where(CaseNote.case_id == case_id)
        .order_by(CaseNote.id)
    )
    return tuple(Note(kind, None if closed else handle, text, at) for kind, handle, closed, text, at in rows)


def _said(text: str | None, field: str, most: int, missing: str) -> str:
    said = normalise(text or "", field=field)
    if is_blank(said):
        raise Invalid("invalid-field", missing, errors=[(field, missing)])
    if len(said) > most:
        message = f"At most {most:,} characters; this has {len(said):,}."
        raise Invalid("invalid-field", message, errors=[(field, message)])
    return said


def mark_sensitive(session: Session, slug: str, *, sensitive: bool, now: datetime) -> None:
    """Whether cases of this board are looked at in half the usual time. Raises NotFound."""
    board_id = session.execute(
        update(Board).where(Board.slug == slug).values(is_sensitive=sensitive).returning(Board.id)
    ).scalar_one_or_none()
    if board_id is None:
        raise NotFound()
    action = "board.sensitive" if sensitive else "board.usual"
    audit.record(session, actor_id=None, action=action, subject=("board", board_id), now=now)


# --- Who reads what ----------------------------------------------------------------------------------------------


def is_hard(kinds: Collection[str], reported_rules: Collection[str] = ()) -> bool:
    """Whether a text may be hard to read: by what was found in it, or by why it was reported."""
    return not HARD_KINDS.isdisjoint(kinds) or eligibility.CRISIS_RULE in reported_rules


def opened(session: Session, case_id: int, *, by: Actor, hard: bool, now: datetime) -> None:
    """Write down that a moderator opened a case: at most once in a quarter of an hour for each."""
    assert by.id is not None  # only moderators read cases
    again = select(CaseView.id).where(
        CaseView.case_id == case_id, CaseView.member_id == by.id, CaseView.at > now - STILL_READING
    )
    if session.execute(again.limit(1)).first() is None:
        session.add(CaseView(case_id=case_id, member_id=by.id, is_hard=hard, at=now))


def others_reading(session: Session, case_id: int, *, by: Actor, now: datetime) -> tuple[Reader, ...]:
    """Who else opened this case in the last quarter of an hour, the latest first."""
    latest = func.max(CaseView.at)
    rows = session.execute(
        select(Member.handle, Member.closed_at, latest)
        .join(Member, Member.id == CaseView.member_id)
        .where(CaseView.case_id == case_id, CaseView.at > now - STILL_READING, CaseView.member_id != by.id)
        .group_by(Member.id, Member.handle, Member.closed_at)
        .order_by(latest.desc())
    )
    return tuple(Reader(None if closed else handle, at) for handle, closed, at in rows)


def hard_today(session: Session, by: Actor, *, now: datetime) -> int:
    """How many cases with hard texts this moderator has opened since midnight (UTC)."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    stmt = select(func.count(CaseView.case_id.distinct())).where(
        CaseView.member_id == by.id, CaseView.at >= midnight, CaseView.is_hard
    )
    return session.execute(stmt).scalar_one()


def forget_old(session: Session, *, now: datetime) -> None:
    """Housekeeping: who opened which case is not kept for good."""
    session.execute(delete(CaseView).where(CaseView.at < now - KEEP_VIEWS).execution_options(synchronize_session=False))


# --- How one wants to work ---------------------------------------------------------------------------------------


def settings_of(session: Session, actor: Actor) -> Settings:
    row = session.execute(
        select(DeskSetting.opted_out, DeskSetting.blurs, DeskSetting.break_after).where(
            DeskSetting.member_id == actor.id
        )
    ).one_or_none()
    return Settings(tuple(row.opted_out), row.blurs, row.break_after) if row else Settings()


def keep_settings(
    session: Session, *, by: Actor, opted_out: Sequence[str], blurs: bool, break_after: int | None, known: Sequence[str]
) -> Settings:
    """Store how this moderator wants to work. `known` are the kinds there are. Raises Invalid."""
    require(by, Action.SEE_QUEUE)
    unknown = [kind for kind in opted_out if kind not in known]
    errors = [("opted_out", "Choose from the list.")] if unknown else []
    if break_after is None or not 1 <= break_after <= MOST_BREAK_AFTER:
        errors.append(("break_after", f"A whole number from 1 to {MOST_BREAK_AFTER}."))
    if errors or break_after is None:
        raise Invalid("invalid-field", "The settings cannot be stored yet.", errors=errors)
    row = session.get(DeskSetting, by.id) or DeskSetting(member_id=by.id)
    row.opted_out = sorted(set(opted_out))
    row.blurs = blurs
    row.break_after = break_after
    session.add(row)
    return Settings(tuple(row.opted_out), blurs, break_after)


def views_of(session: Session, actor: Actor) -> list[tuple[int, str, str]]:
    """(id, name, query) of the saved views of the queue, oldest first."""
    stmt = select(SavedView.id, SavedView.name, SavedView.query).where(SavedView.member_id == actor.id)
    return [(view_id, name, query) for view_id, name, query in session.execute(stmt.order_by(SavedView.id))]


def save_view(session: Session, *, by: Actor, name: str | None, query: str) -> SavedView:
    """Keep a filter of the queue under a name; a name that is taken already gets the new filter. Raises Invalid."""
    require(by, Action.SEE_QUEUE, NOTHING)
    assert by.id is not None  # the policy lets no visitor see the queue
    said = _said(name, "name", VIEW_NAME_CHARS, "Give the view a name.")
    mine = select(SavedView).where(SavedView.member_id == by.id)
    known = session.execute(mine.where(SavedView.name == said)).scalar_one_or_none()
    if known is not None:
        known.query = query[:500]
        return known
    if len(session.execute(mine).all()) >= MOST_VIEWS:
        raise Conflict("too-many-views", f"You can keep {MOST_VIEWS} views. Delete one first.")
    made = SavedView(member_id=by.id, name=said, query=query[:500])
    session.add(made)
    return made


def drop_view(session: Session, view_id: int, *, by: Actor) -> None:
    """Delete one of one's own views. Raises NotFound."""
    gone = session.execute(
        delete(SavedView).where(SavedView.id == view_id, SavedView.member_id == by.id).returning(SavedView.id)
    ).first()
    if gone is None:
        raise NotFound()
