"""The state machine of a case: opened or joined, claimed for a while, given back, waiting for its author, moot.

Rows are locked in the order post, case; whoever writes both takes the post first (`forum.lifecycle.lock`).
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor, Subject, allowed, moderates, require
from content.models import condition_category
from core.db import is_sqlite
from core.errors import AppError, Conflict, NotFound
from core.vocabulary import LIVE_CASE_STATES, Action, CaseState, Priority, SubjectKind
from forum.models import Board, Post, Thread
from moderation import eligibility
from moderation.models import Case, Report

CLAIM_LEASE = timedelta(minutes=15)  # docs/moderation.md, claims

# Priority -> how soon a person must look, within the hours of moderation and outside them.
# Source: docs/moderation.md, priorities.
DUE = {
    Priority.P0: (timedelta(minutes=15), timedelta(minutes=60)),
    Priority.P1: (timedelta(hours=1), timedelta(hours=4)),
    Priority.P2: (timedelta(hours=12), timedelta(hours=12)),
    Priority.P3: (timedelta(hours=24), timedelta(hours=24)),
    Priority.P4: (timedelta(hours=72), timedelta(hours=72)),
}
CLAIMABLE = (CaseState.OPEN, CaseState.CLAIMED)
# "Next" looks again when rivals held the very rows that it wanted.
NEXT_TRIES = 5


def due(priority: Priority, *, now: datetime, hours: tuple[int, int]) -> datetime:
    """When a person must have looked. `hours` are the hours of moderation, in UTC."""
    staffed, unstaffed = DUE[priority]
    return now + (staffed if hours[0] <= now.hour < hours[1] else unstaffed)


def lane(priority: Priority) -> int:
    """0 for P0, 1 for P1, 2 for the rest: the first key of the queue's order."""
    return {Priority.P0: 0, Priority.P1: 1}.get(priority, 2)


def live_case(session: Session, post_id: int) -> Case | None:
    """The one live case about this post, locked until the commit. Take the post's row first."""
    return session.execute(
        select(Case)
        .where(Case.post_id == post_id, Case.state.in_(LIVE_CASE_STATES))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()


def open_or_join(
    session: Session,
    *,
    post_id: int,
    revision_id: int,
    board_id: int,
    author_id: int,
    priority: Priority,
    score: float,
    hours: tuple[int, int],
    now: datetime,
) -> Case:
    """The live case about this post with the new text or report in it, or a new one.

    Joining raises the version, so a decision that was being written meanwhile is refused. A more urgent priority moves
    the case up; it never moves down. A case that waited for its author is open again, with a new due time.
    """
    case = live_case(session, post_id)
    if case is None:
        case = Case(
            subject_kind=SubjectKind.POST,
            post_id=post_id,
            revision_id=revision_id,
            board_id=board_id,
            author_id=author_id,
            state=CaseState.OPEN,
            priority=priority,
            lane=lane(priority),
            due_at=due(priority, now=now, hours=hours),
            score=score,
            opened_at=now,
        )
        session.add(case)
        session.flush()  # findings and reports name it by its id
        return case
    urgent = min(priority, case.priority)
    soon = due(urgent, now=now, hours=hours)
    waited = case.state is CaseState.AWAITING_AUTHOR
    session.execute(
        update(Case)
        .where(Case.id == case.id)
        .values(
            revision_id=revision_id,
            state=CaseState.OPEN if waited else case.state,
            priority=urgent,
            lane=lane(urgent),
            due_at=soon if waited else min(case.due_at, soon),
            score=max(case.score, score) if waited else case.score + score,
            version=Case.version + 1,
        )
        .execution_options(synchronize_session=False)
    )
    return session.get_one(Case, case.id, populate_existing=True)


def close_as_moot(session: Session, case: Case, *, now: datetime) -> None:
    """Nothing is left to decide: the author withdrew the post."""
    session.execute(
        update(Case)
        .where(Case.id == case.id)
        .values(state=CaseState.MOOT, claimed_by=None, claimed_until=None, decided_at=now, version=Case.version + 1)
        .execution_options(synchronize_session=False)
    )


# --- Who is asking -----------------------------------------------------------------------------------------------


def subject_of(session: Session, case_id: int, actor: Actor, *, now: datetime) -> tuple[Case, Subject]:
    """The case, fresh, and the facts that the policy reads. One query, and one more for a moderator of a category.

    `reporter_ids` and `poster_ids` hold this actor or nobody: others are not asked about.
    """
    reported = exists().where(Report.post_id == Case.post_id, Report.reporter_id == actor.id)
    posted = exists().where(Post.thread_id == Thread.id, Post.author_id == actor.id).correlate(Thread)
    judged = select(Post).subquery()
    found = session.execute(
        select(Case, judged.c.state, judged.c.was_visible, Board.condition_id, reported, posted)
        .outerjoin(judged, judged.c.id == Case.post_id)
        .outerjoin(Thread, Thread.id == judged.c.thread_id)
        .outerjoin(Board, Board.id == Thread.board_id)
        .where(Case.id == case_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound()
    case, state, was_visible, condition_id, has_reported, has_posted = found
    me = frozenset() if actor.id is None else frozenset({actor.id})
    nobody: frozenset[int] = frozenset()
    subject = Subject(
        author_id=case.author_id,
        state=state,
        was_visible=bool(was_visible),
        board_id=case.board_id,
        category_ids=_categories(session, condition_id, actor),
        reporter_ids=me if has_reported else nobody,
        poster_ids=me if has_posted else nobody,
        case_state=case.state,
        claimed_by=case.claimed_by,
        claim_is_live=is_claim_live(case, now),
        needs_lead=case.needs_lead,
        member_id=case.author_id if case.subject_kind is SubjectKind.MEMBER else None,
    )
    return case, subject


def _categories(session: Session, condition_id: int | None, actor: Actor) -> frozenset[int]:
    if condition_id is None or not actor.category_ids:
        return frozenset()
    stmt = select(condition_category.c.category_id).where(condition_category.c.condition_id == condition_id)
    return frozenset(session.execute(stmt).scalars())


def admit(session: Session, case_id: int, actor: Actor, action: Action, *, now: datetime) -> tuple[Case, Subject]:
    """The case for somebody who may do this to it; else NotFound or Forbidden.

    A case of a board that one does not moderate does not exist for one.
    """
    case, subject = subject_of(session, case_id, actor, now=now)
    if actor.is_signed_in and not moderates(actor, subject):
        raise NotFound()
    require(actor, action, subject)
    return case, subject


def policy_refuses(actor: Actor, subject: Subject) -> bool:
    return not allowed(actor, Action.DECIDE_CASE, subject)


def is_claim_live(case: Case, now: datetime) -> bool:
    return case.claimed_until is not None and case.claimed_until > now


# --- Claims ------------------------------------------------------------------------------------------------------


def claim(session: Session, case_id: int, *, by: Actor, now: datetime) -> Case:
    """Take the case for 15 minutes, or renew one's own claim. Raises Conflict("claim-taken") with holder and end."""
    admit(session, case_id, by, Action.CLAIM_CASE, now=now)
    taken = session.execute(
        update(Case)
        .where(Case.id == case_id, Case.state.in_(CLAIMABLE), _free_for(by, now))
        .values(state=CaseState.CLAIMED, claimed_by=by.id, claimed_until=now + CLAIM_LEASE)
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    ).first()
    if taken is None:
        raise why_not(session, case_id, by=by, now=now)
    return session.get_one(Case, case_id, populate_existing=True)


def _free_for(by: Actor, now: datetime) -> ColumnElement[bool]:
    return or_(Case.claimed_by.is_(None), Case.claimed_by == by.id, Case.claimed_until <= now)


def why_not(session: Session, case_id: int, *, by: Actor, now: datetime) -> AppError:
    """Why this case cannot be claimed or decided by this moderator at this moment."""
    case = session.get_one(Case, case_id, populate_existing=True)
    if case.state is CaseState.MOOT:
        return Conflict("case-moot", "The author withdrew this post; nothing is left to decide.", version=case.version)
    if case.state is CaseState.DECIDED:
        return Conflict("case-decided", "This case has been decided already.", version=case.version)
    if case.state is CaseState.AWAITING_AUTHOR:
        return Conflict("case-awaits-author", "This case waits for its author.", version=case.version)
    if is_claim_live(case, now) and case.claimed_by != by.id:
        return claim_taken(session, case)
    return Conflict("case-changed", "This case has changed meanwhile. Please read it again.", version=case.version)


def claim_taken(session: Session, case: Case) -> Conflict:
    """The 409 that names who holds the case and until when."""
    handle = session.execute(select(Member.handle).where(Member.id == case.claimed_by)).scalar_one()
    until = case.claimed_until
    assert until is not None  # a CHECK of the table: a claim has an end
    return Conflict(
        "claim-taken",
        f"This case is taken by {handle} until {until:%H:%M} UTC.",
        claimed_by=handle,
        claimed_until=until.isoformat().replace("+00:00", "Z"),
        version=case.version,
    )


def renew(session: Session, case_id: int, *, by: Actor, now: datetime) -> None:
    """Give one's own claim its whole time again; nothing happens to anybody else's."""
    session.execute(
        update(Case)
        .where(Case.id == case_id, Case.claimed_by == by.id)
        .values(claimed_until=now + CLAIM_LEASE)
        .execution_options(synchronize_session=False)
    )


def release(session: Session, case_id: int, *, by: Actor, now: datetime) -> Case:
    """Give one's own claim back; doing it twice changes nothing. Raises Conflict for a live claim of another."""
    case, _ = admit(session, case_id, by, Action.CLAIM_CASE, now=now)
    if is_claim_live(case, now) and case.claimed_by != by.id:
        raise claim_taken(session, case)
    session.execute(
        update(Case)
        .where(Case.id == case_id, Case.claimed_by == by.id)
        .values(state=CaseState.OPEN, claimed_by=None, claimed_until=None)
        .execution_options(synchronize_session=False)
    )
    return session.get_one(Case, case_id, populate_existing=True)


def claim_next(session: Session, *, by: Actor, now: datetime) -> Case | None:
    """Claim the first case in queue order that this moderator may decide and nobody holds; None if there is none.

    One statement: on PostgreSQL rivals skip each other's rows, on SQLite the write lock keeps them apart.
    """
    require(by, Action.SEE_QUEUE)
    first = (
        select(Case.id)
        .where(
            Case.state.in_(CLAIMABLE),
            or_(Case.claimed_by.is_(None), Case.claimed_until <= now),
            eligibility.may_decide(by),
        )
        .order_by(*eligibility.queue_order())
        .limit(1)
    )
    waits = first.order_by(None).limit(1)
    for _ in range(NEXT_TRIES):
        chosen = first if is_sqlite(session) else first.with_for_update(skip_locked=True, of=Case)
        case_id = session.execute(
            update(Case)
            .where(Case.id == chosen.scalar_subquery())
            .values(state=CaseState.CLAIMED, claimed_by=by.id, claimed_until=now + CLAIM_LEASE)
            .returning(Case.id)
            .execution_options(synchronize_session=False)
        ).scalar_one_or_none()
        if case_id is not None:
            return session.get_one(Case, case_id, populate_existing=True)
        if is_sqlite(session) or session.execute(waits).first() is None:
            return None
    return None
