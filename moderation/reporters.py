"""How far a reporter's word goes: how often they were right, and what follows when they hardly ever are."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from auth.models import Member
from core.config import Settings
from core.errors import TooMany
from core.vocabulary import ReportStatus
from moderation import misuse
from moderation.models import Report

# Source of all these numbers: docs/moderation.md, reports.
# Whoever was right in at least 7 of 10, and in 3 decided reports at least, is taken at their word when nobody is there.
RELIABLE_LEAST = 3
RELIABLE_SHARE = 0.7
# Whoever was wrong in at least 8 of 10, of 10 decided reports at least, reports little for a while.
UNFOUNDED_LEAST = 10
UNFOUNDED_SHARE = 0.8
UNFOUNDED_LIMIT = 3
UNFOUNDED_WINDOW = timedelta(hours=24)


@dataclass(frozen=True)
class Accuracy:
    """Of `decided` reports, `upheld` led to something. Withdrawn ones and those nobody had to decide do not count."""

    decided: int = 0
    upheld: int = 0

    @property
    def share(self) -> float:
        """Smoothed: one right and one wrong report more, so that nobody begins at nothing or at everything."""
        return (self.upheld + 1) / (self.decided + 2)

    @property
    def weight(self) -> float:
        """What one report adds to the score of its case: 1 for who is not known yet, less than 2 at the most."""
        return round(2 * self.share, 3)

    @property
    def is_reliable(self) -> bool:
        return self.decided >= RELIABLE_LEAST and self.upheld >= RELIABLE_SHARE * self.decided


UNKNOWN = Accuracy()


def accuracies(session: Session, member_ids: Collection[int]) -> dict[int, Accuracy]:
    """How often each of these was right, over all their reports. One query; who never reported is UNKNOWN."""
    rows = session.execute(
        select(
            Report.reporter_id,
            func.count(Report.id),
            func.count(Report.id).filter(Report.status == ReportStatus.ACTED),
        )
        .where(Report.reporter_id.in_(sorted(member_ids)), misuse.was_decided())
        .group_by(Report.reporter_id)
    )
    known = {reporter: Accuracy(decided, upheld) for reporter, decided, upheld in rows}
    return {member_id: known.get(member_id, UNKNOWN) for member_id in member_ids}


def is_mostly_unfounded(counted: misuse.Count) -> bool:
    """Whether so many of so many reports were unfounded that only a few more are taken, and leads are pointed to it."""
    return counted.total >= UNFOUNDED_LEAST and counted.items >= UNFOUNDED_SHARE * counted.total


def check_limit(session: Session, member_id: int, *, settings: Settings, now: datetime) -> None:
    """Raises TooMany("reports-unfounded") where most reports of late were unfounded and the day's few are used up.

    Cost: one query, and one more for those whom it concerns.
    """
    if not settings.limits:
        return
    counted = misuse.count(session, member_id, misuse.REPORTS, now=now)
    if not is_mostly_unfounded(counted):
        return
    sent = (
        session.execute(
            select(Report.created_at)
            .where(Report.reporter_id == member_id, Report.created_at > now - UNFOUNDED_WINDOW)
            .order_by(Report.created_at.desc())
            .limit(UNFOUNDED_LIMIT)
        )
        .scalars()
        .all()
    )
    if len(sent) >= UNFOUNDED_LIMIT:
        wait = sent[-1] + UNFOUNDED_WINDOW - now
        raise TooMany(
            "reports-unfounded",
            f"{counted.items} of your last {counted.total} reports turned out to be unfounded, so we take at most "
            f"{UNFOUNDED_LIMIT} from you in 24 hours. This changes by itself as your reports are right more often. "
            "A worry about somebody's life is always taken.",
            retry_after=max(1, int(wait.total_seconds())),
        )


@dataclass(frozen=True)
class Hint:
    """A member whose reports are mostly unfounded: somebody may want to look. Nothing happens by itself."""

    member_id: int
    handle: str
    items: int
    total: int


def hints(session: Session, *, now: datetime, limit: int = 20) -> list[Hint]:
    """Who misuses reports, by the numbers; the most unfounded first. One query."""
    total = func.count(Report.id)
    items = func.count(Report.id).filter(Report.status == ReportStatus.NOT_ACTED)
    rows = session.execute(
        select(Member.id, Member.handle, items, total)
        .join(Report, Report.reporter_id == Member.id)
        .where(Report.decided_at > now - misuse.WINDOW, misuse.was_decided(), Member.closed_at.is_(None))
        .group_by(Member.id, Member.handle)
        .having(total >= UNFOUNDED_LEAST, items >= UNFOUNDED_SHARE * total)
        .order_by(items.desc(), Member.id)
        .limit(limit)
    )
    return [Hint(*row) for row in rows]
