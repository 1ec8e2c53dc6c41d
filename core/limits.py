"""Rolling limits per member. (Flask-Limiter guards addresses and sign-in.)"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, String, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, UtcDateTime
from core.errors import TooMany


class Spending(Base):
    __tablename__ = "spending"
    __table_args__ = (Index("ix_spending_member_action_at", "member_id", "action", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    action: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Limit:
    count: int
    window: timedelta
    what: str


# A person writing with care stays far below these; a script does not.
LIMITS = {
    "thread": Limit(10, timedelta(hours=24), "new threads in 24 hours"),
    "post": Limit(60, timedelta(hours=1), "answers and comments in an hour"),
    "edit": Limit(60, timedelta(hours=1), "edits in an hour"),
    "helpful": Limit(200, timedelta(hours=1), "helpful marks in an hour"),
    "report": Limit(30, timedelta(hours=24), "reports in 24 hours"),
    "talk": Limit(30, timedelta(hours=1), "messages to the team in an hour"),
    "draft": Limit(600, timedelta(hours=1), "saved drafts in an hour"),
}


def spend(session: Session, member_id: int, action: str, *, now: datetime, enforced: bool) -> None:
    """Use one unit of a rolling limit; raises TooMany with `retry_after` seconds. Cost: one count, one insert."""
    if not enforced:
        return
    limit = LIMITS[action]
    since = now - limit.window
    used, oldest = session.execute(
        select(func.count(Spending.id), func.min(Spending.at)).where(
            Spending.member_id == member_id, Spending.action == action, Spending.at > since
        )
    ).one()
    if used >= limit.count:
        if oldest.tzinfo is None:
            oldest = oldest.replace(tzinfo=now.tzinfo)
        wait = max(1, int((oldest + limit.window - now).total_seconds()))
        raise TooMany(
            "limit-reached",
            f"You have reached the limit of {limit.count} {limit.what}.",
            retry_after=wait,
        )
    session.add(Spending(member_id=member_id, action=action, at=now))


def forget_old(session: Session, *, now: datetime) -> None:
    """Housekeeping: nothing older than the longest window is needed."""
    longest = max(limit.window for limit in LIMITS.values())
    session.execute(delete(Spending).where(Spending.at < now - longest).execution_options(synchronize_session=False))
