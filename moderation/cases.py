"""The state machine of a case: opened or joined, claimed for a while, given back, waiting for its author, moot.

Rows are locked in the order post, case; whoever writes both takes the post first (`forum.lifecycle.lock`).
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, union_all, update
from sqlalchemy.orm import Session, aliased

from auth.models import Member
from auth.policy import Actor, Subject, allowed, moderates, moderates_everywhere, require
from content.models import condition_category
from core.db import is_sqlite
from core.errors import AppError, Conflict, NotFound
from core.vocabulary import LIVE_CASE_STATES, Action, CaseState, Priority, SubjectKind
from forum.models import Board, Post, Thread
from moderation import eligibility
from moderation.models import Case, DeskSetting, Report

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
# "Next" looks again when rivals held the very rows that it wanted; each time at least one of them gets on.
NEXT_TRIES = 20


def due(priority: Priority, *, now: datetime, hours: tuple[int, int], sensitive: bool = False) -> datetime:
    """When a person must have looked. `hours` are the hours of moderation, in UTC; sensitive boards: half the time."""
    staffed, unstaffed = DUE[priority]
    wait = staffed if hours[0] <= now.hour < hours[1] else unstaffed
    return now + (wait / 2 if sensitive else wait)


def due_on(
    session: Session, board_id: int | None, priority: Priority, *, now: datetime, hours: tuple[int, int]
) -> datetime:
    """The same for a case on this board (None: on no board). One short read."""
    sensitive = (
        board_id is not None and session.execute(select(Board.is_sensitive).where(Board.id == board_id)).scalar()
    )
    return due(priority, now=now, hours=hours, sensitive=bool(sensitive))


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
    the case up; it never moves down. A case that waited for its author is open again, with a new due time. `score` adds
    to its severity until `scoring.rescore` counts anew.
    """
    case = live_case(session, post_id)
    if case is None:
        # Its thread may have been moved since the caller read it; who holds the post's row keeps it where it is.
        stands = select(Thread.board_id).join(Post, Post.thread_id == Thread.id).where(Post.id == post_id)
        board_id = session.execute(stands).scalar_one()
        case = Case(
            subject_kind=SubjectKind.POST,
            post_id=post_id,
            revision_id=revision_id,
            board_id=board_id,
            author_id=author_id,
            state=CaseState.OPEN,
            priority=priority,
            lane=lane(priority),
            due_at=due_on(session, board_id, priority, now=now, hours=hours),
            score=score,
            score_terms={"severity": score},
            opened_at=now,
        )
        session.add(case)
        session.flush()  # findings and reports name it by its id
        return case
    urgent = min(priority, case.priority)
    soon = due_on(session, board_id, urgent, now=now, hours=hours)
    # A text or report that came meanwhile also undoes what only waited for a second person.
    waited = case.state in (CaseState.AWAITING_AUTHOR, CaseState.AWAITING_SECOND)
    session.execute(
        update(Case)
        .where(Case.id == case.id)
        .values(
            revision_id=revision_id,
            state=CaseState.OPEN if waited else case.state,
            priority=urgent,
            lane=lane(urgent),
            due_at=soon if waited else min(case.due_at, soon),
            score=case.score + score,
            score_terms={**case.score_terms, "severity": round(case.score_terms.get("severity", 0.0) + score, 3)},
            breach_level=0 if waited else case.breach_level,
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

    `reporter_ids`, `poster_ids` and `overruled_ids` hold this actor or nobody: others are not asked about.
    """
    reported = exists().where(Report.post_id == Case.post_id, Report.reporter_id == actor.id)
    posted = exists().where(Post.thread_id == Thread.id, Post.author_id == actor.id).correlate(Thread)
    judged = select(Post).subquery()
    found = session.execute(
        select(
            Case,
            judged.c.state,
            judged.c.was_visible,
            Board.condition_id,
            reported,
            posted,
            Case.id.in_(eligibility.overruled(actor)),
        )
        .outerjoin(judged, judged.c.id == Case.post_id)
        .outerjoin(Thread, Thread.id == judged.c.thread_id)
        .outerjoin(Board, Board.id == Case.board_id)
        .where(Case.id == case_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound()
    case, state, was_visible, condition_id, has_reported, has_posted, was_overruled = found
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
        overruled_ids=me if was_overruled else nobody,
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
    """Claim the first case in queue order that is offered to this moderator; None if there is none.

    Passed over: cases that others hold, that this moderator may not decide, skipped, was not given, or opted out of.
    On PostgreSQL rivals skip each other's rows, on SQLite the write lock keeps them apart. Cost does not grow with
    the cases that were decided or are leased (bench/queue.py).
    """
    require(by, Action.SEE_QUEUE)
    wants = eligibility.offered(by, opted_out(session, by))
    for turn in range(NEXT_TRIES):
        # Whom rivals left nothing waits for them from the second time on, and looks again.
        chosen = _first(by, wants, now, lock=None if is_sqlite(session) else {"skip_locked": turn == 0})
        case_id = session.execute(
            update(Case)
            .where(Case.id == chosen.scalar_subquery(), _is_free(Case, now))
            .values(state=CaseState.CLAIMED, claimed_by=by.id, claimed_until=now + CLAIM_LEASE)
            .returning(Case.id)
            .execution_options(synchronize_session=False)
        ).scalar_one_or_none()
        if case_id is not None:
            return session.get_one(Case, case_id, populate_existing=True)
        if is_sqlite(session) or session.execute(_first(by, wants, now)).first() is None:
            return None
    return None


def peek_next(
    session: Session, *, by: Actor, opted_out_of: Collection[str], now: datetime, besides: int | None = None
) -> int | None:
    """The case that "next" would claim, without claiming it; `besides` is the case that is open already."""
    wants = eligibility.offered(by, opted_out_of)
    first = _first(by, and_(wants, Case.id != besides) if besides else wants, now)
    found: int | None = session.execute(first).scalar_one_or_none()
    return found


def opted_out(session: Session, actor: Actor) -> tuple[str, ...]:
    """The kinds of findings that this moderator does not want to be offered."""
    stmt = select(DeskSetting.opted_out).where(DeskSetting.member_id == actor.id)
    return tuple(session.execute(stmt).scalar_one_or_none() or ())


def _is_free(of: Any, now: datetime) -> ColumnElement[bool]:
    lapsed = and_(eligibility.is_state(CaseState.CLAIMED, of=of), of.claimed_until <= now)
    return or_(eligibility.is_state(CaseState.OPEN, of=of), lapsed)


def _first(by: Actor, wants: ColumnElement[bool], now: datetime, lock: dict[str, bool] | None = None) -> Select[Any]:
    """SQL: the id of the first free case in queue order that is wanted and that `by` may decide."""
    may = and_(wants, eligibility.may_decide_here(by))
    if moderates_everywhere(by):
        return _first_of_all(may, now, lock)
    return _first_of_boards(by, may, now, lock)


def _first_of_all(may: ColumnElement[bool], now: datetime, lock: dict[str, bool] | None) -> Select[Any]:
    """The better of two heads, each read off its own index: the open cases, and the leases that ran out."""
    heads = []
    for free in (
        eligibility.is_state(CaseState.OPEN),
        and_(eligibility.is_state(CaseState.CLAIMED), Case.claimed_until <= now),
    ):
        head = select(Case.id, Case.lane, Case.due_at, Case.score).where(free, may)
        head = head.order_by(*eligibility.queue_order()).limit(1).correlate(None)
        # Locked where it is found: a row that a rival holds is passed over, and the next one is the head.
        found = (head.with_for_update(of=Case, **lock) if lock else head).subquery()
        heads.append(select(found))
    both = union_all(*heads).subquery()
    return select(both.c.id).order_by(*eligibility.queue_order(both.c)).limit(1).correlate(None)


_BEST = aliased(Case)


def _first_of_boards(by: Actor, may: ColumnElement[bool], now: datetime, lock: dict[str, bool] | None) -> Select[Any]:
    """The best of the heads of each of this moderator's boards, however long the other boards' queues are."""
    open_head = (
        select(Case.id)
        .where(Case.board_id == Board.id, eligibility.is_state(CaseState.OPEN), may)
        .order_by(*eligibility.queue_order())
        .limit(1)
        .correlate(Board)
        .scalar_subquery()
    )
    heads = select(open_head).select_from(Board).where(eligibility.board_in_scope(by)).correlate(None)
    lapsed = (
        select(Case.id)
        .where(eligibility.in_scope(by), eligibility.is_state(CaseState.CLAIMED), Case.claimed_until <= now, may)
        .order_by(*eligibility.queue_order())
        .limit(1)
        .correlate(None)
    )
    best = _BEST
    first = (
        select(best.id)
        .where(best.id.in_(union_all(heads, select(lapsed.subquery().c.id))))
        .order_by(*eligibility.queue_order(best))
        .limit(1)
        .correlate(None)
    )
    # Whoever waited for a rival looks again at what the rival left.
    return first.where(_is_free(best, now)).with_for_update(of=best, **lock) if lock else first
