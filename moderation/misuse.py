"""Misuse of the forum, of reports, of objections: counted here, judged by people. Source: DSA Art. 23.

Counted are the last 180 days: how many were bad, of how many in all. What a member means by it and how grave it is
only a moderator can say.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, not_, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from core.vocabulary import AppealOutcome, PostState, ReportStatus, Verdict
from forum.models import Post
from moderation.models import Appeal, Case, Confirmation, Decision, Report

WINDOW = timedelta(days=180)
POSTS, REPORTS, APPEALS = "posts", "reports", "appeals"
KINDS = (POSTS, REPORTS, APPEALS)
GRAVITIES = ("low", "medium", "high")
INTENTS = ("mistake", "careless", "on_purpose")

_AGAINST = (Verdict.REJECT, Verdict.HIDE, Verdict.REMOVE)
_UNFOUNDED = (AppealOutcome.UPHELD, AppealOutcome.INADMISSIBLE)


@dataclass(frozen=True)
class Count:
    """`items` of `total` were bad: posts refused, hidden or removed; reports or objections found to be unfounded.

    `total` counts posts written, and reports and objections that are decided.
    """

    of: str
    items: int
    total: int
    window_days: int = WINDOW.days

    @property
    def share(self) -> float:
        return self.items / self.total if self.total else 0.0


def was_decided() -> ColumnElement[bool]:
    """SQL: somebody judged this report. One whose post was withdrawn before says nothing about its sender."""
    return or_(
        Report.status == ReportStatus.ACTED,
        and_(Report.status == ReportStatus.NOT_ACTED, Report.decision_id.is_not(None)),
    )


def count(session: Session, member_id: int, of: str, *, now: datetime) -> Count:
    """One kind, in one query."""
    total, items = session.execute(_numbers(member_id, of, since=now - WINDOW)).one()
    return Count(of, items, total)


def counts(session: Session, member_id: int, *, now: datetime) -> tuple[Count, ...]:
    """All three kinds, for the member's record and the form of a sanction. One query."""
    parts = [_numbers(member_id, of, since=now - WINDOW).add_columns(literal(of).label("of")) for of in KINDS]
    found = {row.of: Count(row.of, row.bad, row.total) for row in session.execute(union_all(*parts))}
    return tuple(found[of] for of in KINDS)


def _numbers(member_id: int, of: str, *, since: datetime) -> Select[*tuple[Any, ...]]:
    """(total, items): always one row."""
    if of == POSTS:
        return _posts(member_id, since)
    if of == REPORTS:
        unfounded = func.count(Report.id).filter(Report.status == ReportStatus.NOT_ACTED)
        return select(func.count(Report.id).label("total"), unfounded.label("bad")).where(
            Report.reporter_id == member_id, Report.decided_at > since, was_decided()
        )
    unfounded = func.count(Appeal.id).filter(Appeal.outcome.in_(_UNFOUNDED))
    return select(func.count(Appeal.id).label("total"), unfounded.label("bad")).where(
        Appeal.appellant_id == member_id, Appeal.decided_at > since
    )


def _posts(member_id: int, since: datetime) -> Select[*tuple[Any, ...]]:
    later = aliased(Decision)
    confirmed = exists().where(Confirmation.decision_id == Decision.id, Confirmation.agrees)
    against = exists().where(
        Case.post_id == Post.id,
        Decision.case_id == Case.id,
        Decision.verdict.in_(_AGAINST),
        Decision.moderator_id.is_not(None),
        not_(exists().where(later.undoes_id == Decision.id)),
        or_(not_(Decision.needs_second), confirmed),
    )
    return select(func.count(Post.id).label("total"), func.count(Post.id).filter(against).label("bad")).where(
        Post.author_id == member_id, Post.created_at > since, Post.state != PostState.DRAFT
    )
