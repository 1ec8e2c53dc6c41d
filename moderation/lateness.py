"""A case that nobody decided in time calls the next person: first the board's moderators, then leads, then admins.

Cases that cannot wait (P0, P1) call within the minute; of the others everybody hears once an hour, in one mail.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, literal, or_, select, update
from sqlalchemy.orm import Session

from auth.models import Member, RoleGrant
from core import audit, outbox
from core.config import Settings
from core.db import is_sqlite
from core.vocabulary import CaseState, Role
from moderation import desk, eligibility, on_call
from moderation.models import Case

# How long one level is given before the next is called, by lane. Source: docs/moderation.md, late cases.
NEXT_CALL = {0: timedelta(minutes=10), 1: timedelta(minutes=30), 2: timedelta(hours=4)}
URGENT_LANES = (0, 1)
# 1 the board's moderators but for who holds the case, 2 the leads, 3 the administrators.
LAST_LEVEL = 3
MOST_AT_ONCE = 100


def call_for_late(session: Session, *, settings: Settings, now: datetime) -> int:
    """Call the next people for every case that is late; returns how many cases that were. Each level is called once.

    Cost: three short reads by an index where nothing is late.
    """
    late = [case for level in range(LAST_LEVEL) for case in _late(session, level, now=now)]
    mails: dict[int, list[Case]] = defaultdict(list)
    for case in late:
        level, called = _whom(session, case, now=now)
        session.execute(
            update(Case)
            .where(Case.id == case.id)
            .values(breach_level=level, breached_at=now)
            .execution_options(synchronize_session=False)
        )
        for member_id in called:
            mails[member_id].append(case)
        if case.lane in URGENT_LANES:
            on_call.call_webhook(session, case, settings=settings, now=now, late=True)
        audit.record(
            session,
            actor_id=None,
            action="case.late",
            subject=("case", case.id),
            details={"level": level, "called": len(called)},
            now=now,
        )
    for member_id, cases in sorted(mails.items()):
        outbox.put(session, "mail", _mail(member_id, cases), now=now)
    return len(late)


def _late(session: Session, level: int, *, now: datetime) -> Sequence[Case]:
    """Cases at this level for which the next one is due now."""
    stmt = (
        select(Case)
        .where(
            eligibility.is_state(CaseState.OPEN, CaseState.CLAIMED),
            Case.breach_level == level,
            # Written out, so that the database sees that the partial index fits.
            Case.breach_level < literal(LAST_LEVEL, literal_execute=True),
            _is_time(level, now),
        )
        .order_by(Case.lane, Case.due_at, Case.id)
        .limit(MOST_AT_ONCE)
        .execution_options(populate_existing=True)
    )
    if not is_sqlite(session):
        stmt = stmt.with_for_update(of=Case, skip_locked=True)
    return session.execute(stmt).scalars().all()


def _is_time(level: int, now: datetime) -> ColumnElement[bool]:
    hour = now.replace(minute=0, second=0, microsecond=0)
    since = Case.due_at if level == 0 else Case.breached_at
    wait = {lane: timedelta(0) if level == 0 else NEXT_CALL[lane] for lane in NEXT_CALL}
    # What is less urgent is told once an hour, all together.
    bound = {lane: (now if lane in URGENT_LANES else hour) - wait[lane] for lane in wait}
    return or_(*(and_(Case.lane == lane, since <= bound[lane]) for lane in bound))


def _whom(session: Session, case: Case, *, now: datetime) -> tuple[int, list[int]]:
    """The next level that has anybody, and who that is; the last one where there is nobody at all."""
    for level in range(case.breach_level + 1, LAST_LEVEL + 1):
        found = _people(session, case, level, now=now)
        if found:
            return level, found
    return LAST_LEVEL, []


def _people(session: Session, case: Case, level: int, *, now: datetime) -> list[int]:
    involved = {case.author_id, case.claimed_by if case.claimed_until and case.claimed_until > now else None}
    if level == 1:
        leads = set(_with_role(session, Role.LEAD))
        team = [member_id for member_id, _ in desk.team(session, case.board_id) if member_id not in leads]
    else:
        team = _with_role(session, Role.LEAD if level == 2 else Role.ADMIN)
    return [member_id for member_id in team if member_id not in involved][: on_call.MOST_MAILS]


def _with_role(session: Session, role: Role) -> list[int]:
    rows = session.execute(
        select(Member.id)
        .join(RoleGrant, RoleGrant.member_id == Member.id)
        .where(RoleGrant.role == role, Member.closed_at.is_(None))
        .distinct()
        .order_by(Member.id)
    )
    return list(rows.scalars())


def _mail(member_id: int, cases: Sequence[Case]) -> dict[str, Any]:
    """Nothing of the posts, nor of their boards: a mail box is not a safe place."""
    listed = [
        {"priority": case.priority.value, "due_at": case.due_at.isoformat(), "path": f"/moderation/cases/{case.id}"}
        for case in cases
    ]
    return {"template": "late", "member_id": member_id, "to": None, "cases": listed}
