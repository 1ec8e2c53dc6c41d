"""What only the pages of moderation list: read-only, each in a bounded number of queries."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case as when
from sqlalchemy import func, or_, select, true
from sqlalchemy.orm import Session, aliased

from auth.models import Member
from auth.policy import Actor, moderates_everywhere, require
from core import keyset
from core.errors import NotFound
from core.vocabulary import LIVE_CASE_STATES, Action, PostKind, PostState, ReportStatus, ThreadKind, Verdict
from forum.models import Board, Post, Thread
from moderation import eligibility
from moderation.models import Case, Decision, Report, Statement
from moderation.queries import REPORT, StatementPage
from moderation.triage import PRIORITIES

# What the queue can be filtered by: every kind of finding there is, and reports.
KINDS = (*sorted(PRIORITIES), REPORT)


@dataclass(frozen=True)
class Recent:
    """One decision in the list of the latest. `moderator` and `author` are None for a former member.

    Of a case about a member, `title` and the kinds are None, and so may be the board.
    """

    id: int
    case_id: int
    verdict: Verdict
    rule_code: str
    reason: str
    state_after: PostState | None
    undoes_id: int | None
    is_undone: bool
    at: datetime
    title: str | None
    post_kind: PostKind | None
    thread_kind: ThreadKind | None
    board_name: str | None
    author: str | None
    moderator: str | None
    by_system: bool
    statement_reference: str | None


@dataclass(frozen=True)
class Around:
    """A post that stands near the one that is judged: the opening post, what it answers, what came right before."""

    id: int
    kind: PostKind
    position: int
    state: PostState
    author: str | None
    html: str
    created_at: datetime
    is_parent: bool


def boards_of(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """(slug, name) of the boards that have live cases of this moderator, by name."""
    waiting = select(Case.board_id).where(Case.state.in_(LIVE_CASE_STATES), eligibility.may_read(actor))
    stmt = select(Board.slug, Board.name).where(Board.id.in_(waiting)).order_by(func.lower(Board.name), Board.id)
    return [(slug, name) for slug, name in session.execute(stmt)]


def boards_open(session: Session) -> list[tuple[str, str]]:
    """(slug, name) of every board that is open, by name; at most 1,000."""
    stmt = select(Board.slug, Board.name).where(Board.opened_at.is_not(None))
    rows = session.execute(stmt.order_by(func.lower(Board.name), Board.id).limit(1_000))
    return [(slug, name) for slug, name in rows]


def boards_moderated(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """(slug, name) of the open boards that this moderator looks after, by name; at most 1,000."""
    scope = true() if moderates_everywhere(actor) else eligibility.board_in_scope(actor)
    mine = select(Board.slug, Board.name).where(Board.opened_at.is_not(None), scope)
    rows = session.execute(mine.order_by(func.lower(Board.name), Board.id).limit(1_000))
    return [(slug, name) for slug, name in rows]


def recent(session: Session, actor: Actor, *, after: str | None, limit: int = 20) -> keyset.Page[Recent]:
    """The latest decisions on this moderator's boards, newest first. One query."""
    require(actor, Action.SEE_QUEUE)
    author, decider, undoing = aliased(Member), aliased(Member), aliased(Decision)
    stmt = (
        select(
            Decision.id,
            Decision.case_id,
            Decision.verdict,
            Decision.rule_code,
            Decision.reason,
            Decision.state_after,
            Decision.undoes_id,
            undoing.id.is_not(None).label("is_undone"),
            Decision.at,
            Thread.title,
            Post.kind.label("post_kind"),
            Thread.kind.label("thread_kind"),
            Board.name.label("board_name"),
            _name(author).label("author"),
            _name(decider).label("moderator"),
            Decision.moderator_id.is_(None).label("by_system"),
            Statement.reference.label("statement_reference"),
        )
        .join(Case, Case.id == Decision.case_id)
        .join(author, author.id == Case.author_id)
        .outerjoin(Post, Post.id == Case.post_id)
        .outerjoin(Thread, Thread.id == Post.thread_id)
        .outerjoin(Board, Board.id == Case.board_id)
        .outerjoin(decider, decider.id == Decision.moderator_id)
        .outerjoin(undoing, undoing.undoes_id == Decision.id)
        .outerjoin(Statement, Statement.decision_id == Decision.id)
        .where(eligibility.may_read(actor))
    )
    keys = [
        keyset.Key(Decision.at.expression, "at", descending=True),
        keyset.Key(Decision.id.expression, "id", descending=True),
    ]
    found = keyset.page(session, stmt, keys, after=after, limit=limit)
    return found.map(lambda row: Recent(**row._mapping))


def around(session: Session, post_id: int) -> tuple[Around, ...]:
    """The opening post, the post that this one comments on, and the one right before it; without the post itself."""
    mine, other = aliased(Post), aliased(Post)
    before = (
        select(func.max(Post.position))
        .where(Post.thread_id == mine.thread_id, Post.position < mine.position)
        .correlate(mine)
        .scalar_subquery()
    )
    stmt = (
        select(
            other.id,
            other.kind,
            other.position,
            other.state,
            _name(Member).label("author"),
            other.html,
            other.created_at,
            func.coalesce(other.id == mine.parent_id, False).label("is_parent"),
        )
        .join(mine, mine.thread_id == other.thread_id)
        .join(Member, Member.id == other.author_id)
        .where(mine.id == post_id, other.id != post_id)
        .where(or_(other.position == 0, other.id == mine.parent_id, other.position == before))
        .order_by(other.position)
    )
    return tuple(Around(**row._mapping) for row in session.execute(stmt))


def case_of_decision(session: Session, decision_id: int) -> int:
    """The case that a decision closed; NotFound where there is no such decision."""
    case_id = session.execute(select(Decision.case_id).where(Decision.id == decision_id)).scalar_one_or_none()
    if case_id is None:
        raise NotFound()
    return case_id


def open_report(session: Session, actor: Actor, post_id: int) -> str | None:
    """The reference of this member's undecided report of this post."""
    return session.execute(
        select(Report.reference).where(
            Report.post_id == post_id, Report.reporter_id == actor.id, Report.status == ReportStatus.OPEN
        )
    ).scalar_one_or_none()


def is_about(session: Session, statement: StatementPage, actor: Actor) -> bool:
    """Whether the reader is the member whom the statement was written to."""
    if actor.id is None:
        return False
    stmt = select(Statement.member_id).where(Statement.decision_id == statement.decision_id)
    return session.execute(stmt).scalar_one() == actor.id


def _name(member: Any) -> Any:
    """SQL: the handle, or NULL for a closed account."""
    return when((member.closed_at.is_(None), member.handle), else_=None)
