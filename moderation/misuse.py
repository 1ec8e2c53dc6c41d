"""Misuse of the forum, of reports, of objections: counted here, judged by people. Source: DSA Art. 23.

Counted are the last 180 days: how many were bad, of how many in all. What a member means by it and how grave it is
only a moderator can say.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select
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
    since = now - WINDOW
    if of == POSTS:
        later, confirmed = aliased(Decision), Confirmation
        stands = not_(exists().where(later.undoes_id == Decision.id))
        in_force = or_(
            not_(Decision.needs_second), exists().where(confirmed.decision_id == Decision.id, confirmed.agrees)
        )
        against = exists().where(
            Case.post_id == Post.id,
            Decision.case_id == Case.id,
            Decision.verdict.in_(_AGAINST),
            Decision.moderator_id.is_not(None),
            stands,
            in_force,
        )
        stmt = select(func.count(Post.id), func.count(Post.id).filter(against)).where(
            Post.author_id == member_id, Post.created_at > since, Post.state != PostState.DRAFT
        )
    elif of == REPORTS:
        stmt = select(
            func.count(Report.id), func.count(Report.id).filter(Report.status == ReportStatus.NOT_ACTED)
        ).where(
            Report.reporter_id == member_id,
            Report.decided_at > since,
            was_decided(),
        )
    else:
        stmt = select(func.count(Appeal.id), func.count(Appeal.id).filter(Appeal.outcome.in_(_UNFOUNDED))).where(
            Appeal.appellant_id == member_id, Appeal.decided_at > since
        )
    total, items = session.execute(stmt).one()
    return Count(of, items, total)


def counts(session: Session, member_id: int, *, now: datetime) -> tuple[Count, ...]:
    """All three kinds, for the member's record and the form of a sanction. Three queries."""
    return tuple(count(session, member_id, of, now=now) for of in KINDS)
