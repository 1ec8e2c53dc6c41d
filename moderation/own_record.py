"""What members read about themselves: their standing and the reports that they sent. Read-only."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.policy import Actor
from content.models import RuleText
from core import keyset
from core.vocabulary import PostState, ReportStatus, SanctionKind
from forum.models import Post, Thread
from moderation import ladder, member_cases, sanctions
from moderation.member_cases import SanctionRow
from moderation.models import Report


@dataclass(frozen=True)
class Standing:
    """How a member stands: what binds now, which strikes count and until when, what would come next.

    `next_step` is what would be proposed after one strike more; a person decides, so it may be something else.
    """

    strikes: int
    in_force: tuple[SanctionRow, ...]
    counting: tuple[SanctionRow, ...]
    # Over, fallen away or taken back.
    past: tuple[SanctionRow, ...]
    next_kind: SanctionKind | None
    next_days: int | None

    @property
    def to_acknowledge(self) -> tuple[SanctionRow, ...]:
        return tuple(row for row in self.in_force if row.needs_acknowledging)

    @property
    def is_good(self) -> bool:
        return not self.in_force and not self.counting


@dataclass(frozen=True)
class MyReport:
    """One report that the reader sent. `title` is None where the thread is not public (any more)."""

    reference: str
    status: ReportStatus
    rule_code: str
    rule_title: str
    title: str | None
    post_id: int
    created_at: datetime
    decided_at: datetime | None


def standing(session: Session, actor: Actor, *, now: datetime) -> Standing:
    """One's own standing. Five queries at most."""
    assert actor.id is not None  # the door asks who it is
    rows = member_cases.sanction_rows(session, actor.id, now=now)
    strikes = sanctions.live_strikes(session, actor.id, board_id=None, now=now)
    in_force = tuple(row for row in rows if row.is_in_force)
    counting = tuple(row for row in rows if row.is_live and row.strikes and not row.is_in_force)
    shown = {row.id for row in in_force + counting}
    ended = any(row.kind is SanctionKind.TERMINATION for row in in_force)
    following = None if ended else ladder.propose(session, actor.id, board_id=None, now=now)
    return Standing(
        strikes=strikes,
        in_force=in_force,
        counting=counting,
        past=tuple(row for row in rows if row.id not in shown),
        next_kind=following.kind if following else None,
        next_days=following.days if following else None,
    )


def my_reports(session: Session, actor: Actor, *, after: str | None = None, limit: int = 20) -> keyset.Page[MyReport]:
    """The reports that the reader sent, newest first. Two queries."""
    stmt = (
        select(
            Report.id.label("report_id"),
            Report.reference,
            Report.status,
            Report.rule_code,
            Report.post_id,
            Report.created_at,
            Report.decided_at,
            Thread.title,
            Thread.state,
        )
        .join(Post, Post.id == Report.post_id)
        .join(Thread, Thread.id == Post.thread_id)
        .where(Report.reporter_id == actor.id)
    )
    keys = [keyset.Key(Report.id.expression, "report_id", descending=True)]
    found = keyset.page(session, stmt, keys, after=after, limit=limit)
    codes = {row.rule_code for row in found.items}
    titles: dict[str, str] = {}
    for code, title in session.execute(
        select(RuleText.code, RuleText.title).where(RuleText.code.in_(codes)).order_by(RuleText.version)
    ):
        titles[code] = title
    return found.map(
        lambda row: MyReport(
            reference=row.reference,
            status=row.status,
            rule_code=row.rule_code,
            rule_title=titles.get(row.rule_code, row.rule_code),
            title=row.title if row.state is PostState.PUBLISHED else None,
            post_id=row.post_id,
            created_at=row.created_at,
            decided_at=row.decided_at,
        )
    )


def is_reporter(session: Session, reference: str, actor: Actor) -> bool:
    """Whether the reader sent this report."""
    if actor.id is None:
        return False
    return session.execute(select(Report.reporter_id).where(Report.reference == reference)).scalar() == actor.id
