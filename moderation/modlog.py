"""The public log: what was decided, by which rule and where. No name, no text, no title and no reason stands in it.

The reason of a decision is written for the author and may repeat the author's words; the log shows the rule instead.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Row, String, and_, cast, exists, func, select
from sqlalchemy import case as when
from sqlalchemy.orm import Session, aliased

from content.models import RuleText
from core import keyset
from core.vocabulary import AppealOutcome, PostKind, ThreadKind, Verdict
from forum.models import Board, Post, Thread
from moderation.models import Appeal, Case, Decision
from moderation.rulings import effective

# Where a board has fewer published threads, its name could tell who is meant.
BOARD_THREADS = 5
# How many heads of the audit chain the page shows; all of them stand in /modlog/heads.txt.
SHOWN_HEADS = 7

# The answers to objections, from the one that changes most.
APPEALS = (AppealOutcome.OVERTURNED, AppealOutcome.PARTLY, AppealOutcome.UPHELD, AppealOutcome.INADMISSIBLE)

MONTH = re.compile(r"^2[0-9]{3}-(0[1-9]|1[0-2])\Z")


@dataclass(frozen=True)
class Entry:
    """One decision as everybody may see it. `board_*` is None on a small board; `rule_title` where it was forgotten."""

    id: int
    day: date
    verdict: Verdict
    rule_code: str
    rule_version: int
    rule_title: str | None
    board_slug: str | None
    board_name: str | None
    # question, experience, answer or comment; None for a decision about something else than a post.
    kind: str | None
    # A signal of the site pointed to the text, and no member.
    automated_detection: bool
    # The site itself decided, and no person.
    automated_decision: bool
    # The number of the decision that this one takes back.
    takes_back: int | None
    # The number of the decision that took this one back.
    taken_back_by: int | None
    # How an objection to it was answered; of several, the answer that changed most. None: nobody objected.
    appeal: AppealOutcome | None
    # It takes the other one back because an objection was right.
    by_appeal: bool


def is_month(given: str) -> bool:
    """Whether it is a month such as 2026-03."""
    return MONTH.match(given) is not None


def entries(
    session: Session,
    *,
    rule: str | None = None,
    verdict: Verdict | None = None,
    board: str | None = None,
    month: str | None = None,
    after: str | None = None,
    limit: int = 20,
) -> keyset.Page[Entry]:
    """The decisions that fit, newest first. One query. `month`: as `is_month` wants it.

    A board too small to be named is not found by its name either.
    """
    undoing = aliased(Decision)
    rank = when({outcome.value: n for n, outcome in enumerate(APPEALS)}, value=cast(Appeal.outcome, String))
    answer = select(func.min(rank)).where(Appeal.decision_id == Decision.id).correlate(Decision).scalar_subquery()
    named = Board.thread_count >= BOARD_THREADS
    stmt = (
        select(
            Decision.id,
            Decision.at,
            Decision.verdict,
            Decision.rule_code,
            Decision.rule_version,
            RuleText.title.label("rule_title"),
            when((named, Board.slug), else_=None).label("board_slug"),
            when((named, Board.name), else_=None).label("board_name"),
            Post.kind.label("post_kind"),
            Thread.kind.label("thread_kind"),
            Decision.automated_detection,
            Decision.moderator_id.is_(None).label("automated_decision"),
            Decision.undoes_id,
            undoing.id.label("taken_back_by"),
            answer.label("appeal"),
            exists().where(Appeal.reversal_id == Decision.id).label("by_appeal"),
        )
        .join(Case, Case.id == Decision.case_id)
        .outerjoin(Board, Board.id == Case.board_id)
        .outerjoin(Post, Post.id == Case.post_id)
        .outerjoin(Thread, Thread.id == Post.thread_id)
        .outerjoin(RuleText, and_(RuleText.code == Decision.rule_code, RuleText.version == Decision.rule_version))
        .outerjoin(undoing, undoing.undoes_id == Decision.id)
        .where(effective())
    )
    if rule:
        stmt = stmt.where(Decision.rule_code == rule)
    if verdict:
        stmt = stmt.where(Decision.verdict == verdict)
    if board:
        stmt = stmt.where(named, Board.slug == board)
    if month:
        start, end = _bounds(month)
        stmt = stmt.where(Decision.at >= start, Decision.at < end)
    # By number alone: a cursor with the instant in it would say more than the day.
    keys = [keyset.Key(Decision.id.expression, "id", descending=True)]
    return keyset.page(session, stmt, keys, after=after, limit=limit).map(_entry)


def _entry(row: Row[Any]) -> Entry:
    kind = row.thread_kind if row.post_kind is PostKind.OPENING else row.post_kind
    return Entry(
        id=row.id,
        day=row.at.date(),
        verdict=row.verdict,
        rule_code=row.rule_code,
        rule_version=row.rule_version,
        rule_title=row.rule_title,
        board_slug=row.board_slug,
        board_name=row.board_name,
        kind=kind.value if isinstance(kind, PostKind | ThreadKind) else None,
        automated_detection=row.automated_detection,
        automated_decision=row.automated_decision,
        takes_back=row.undoes_id,
        taken_back_by=row.taken_back_by,
        appeal=None if row.appeal is None else APPEALS[row.appeal],
        by_appeal=row.by_appeal,
    )


def _bounds(month: str) -> tuple[datetime, datetime]:
    """The first instant of a month and of the next (UTC)."""
    year, number = int(month[:4]), int(month[5:])
    following = (year + 1, 1) if number == 12 else (year, number + 1)
    return datetime(year, number, 1, tzinfo=UTC), datetime(*following, 1, tzinfo=UTC)


def months(session: Session) -> list[date]:
    """The first day of every month from the first decision to the latest, newest first."""
    first, last = session.execute(select(func.min(Decision.at), func.max(Decision.at))).one()
    if first is None:
        return []
    span = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [date(number // 12, number % 12 + 1, 1) for number in reversed(span)]


def boards(session: Session) -> list[tuple[str, str]]:
    """(slug, name) of the boards that may be named and on which something was decided, by name."""
    decided = exists().where(Case.board_id == Board.id, Case.round > 1)
    stmt = select(Board.slug, Board.name).where(Board.thread_count >= BOARD_THREADS, decided)
    return [(slug, name) for slug, name in session.execute(stmt.order_by(func.lower(Board.name), Board.id))]


def rules(session: Session, *, now: datetime) -> list[tuple[str, str]]:
    """(code, title) of every rule that ever was in force, with its newest title; also of those that nobody broke."""
    rows = session.execute(
        select(RuleText.code, RuleText.title)
        .where(RuleText.effective_from <= now)
        .order_by(RuleText.code, RuleText.version)
    )
    newest: dict[str, str] = {}
    for code, title in rows:
        newest[code] = title
    return sorted(newest.items(), key=lambda rule: _natural(rule[0]))


def _natural(code: str) -> tuple[bool, int, str]:
    """R2 before R10, and what carries no number last."""
    found = re.match(r"[A-Za-z]+([0-9]+)", code)
    return (found is None, int(found[1]) if found else 0, code)
