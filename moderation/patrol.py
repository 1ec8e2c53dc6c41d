"""Patrol: published posts that nobody of the team has read yet, the newest first.

A post counts as read when somebody of the team marked it, opened it from this list, or decided a case about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, not_, or_, select, true
from sqlalchemy import case as when
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor, holds, moderates_everywhere, require
from content.models import condition_category
from core import keyset
from core.errors import Invalid, NotFound
from core.vocabulary import Action, PostKind, PostState, Role, ThreadKind
from forum.models import Board, Post, Thread
from moderation.models import Case, Decision, PatrolMark

# What is older has been read by readers, who can report it; the list stays short enough to be finished.
WINDOW = timedelta(days=14)
MOST_AT_ONCE = 100


@dataclass(frozen=True)
class Unread:
    """A published post that nobody of the team has read. `author` None: a former member."""

    id: int
    kind: PostKind
    thread_kind: ThreadKind
    thread_id: int
    title: str
    author: str | None
    board_slug: str
    board_name: str
    excerpt: str
    html: str
    published_at: datetime

    @property
    def url(self) -> str:
        return f"/moderation/patrol/{self.id}"


def _in_scope(actor: Actor) -> ColumnElement[bool]:
    """Threads on the boards that this moderator looks after."""
    if moderates_everywhere(actor):
        return true()
    if not holds(actor, Role.MODERATOR):
        return false()
    by_category = (
        select(Board.id)
        .join(condition_category, condition_category.c.condition_id == Board.condition_id)
        .where(condition_category.c.category_id.in_(sorted(actor.category_ids)))
    )
    return or_(Thread.board_id.in_(sorted(actor.board_ids)), Thread.board_id.in_(by_category))


def _unread(actor: Actor, now: datetime) -> ColumnElement[bool]:
    """Public, of the last days, by somebody else, and neither marked nor decided about by a person."""
    marked = exists().where(PatrolMark.post_id == Post.id)
    decided = exists().where(Case.post_id == Post.id, Decision.case_id == Case.id, Decision.moderator_id.is_not(None))
    return and_(
        Post.state == PostState.PUBLISHED,
        Post.published_at > now - WINDOW,
        Post.author_id != actor.id,
        not_(marked),
        not_(decided),
        _in_scope(actor),
    )


def unread(
    session: Session,
    actor: Actor,
    *,
    now: datetime,
    board: str | None = None,
    after: str | None = None,
    limit: int = 20,
) -> keyset.Page[Unread]:
    """The newest first, on this moderator's boards or one of them. One query."""
    require(actor, Action.PATROL)
    stmt: Select[Any] = (
        select(
            Post.id,
            Post.kind,
            Thread.kind.label("thread_kind"),
            Thread.id.label("thread_id"),
            Thread.title,
            when((Member.closed_at.is_(None), Member.handle), else_=None).label("author"),
            Board.slug.label("board_slug"),
            Board.name.label("board_name"),
            Post.excerpt,
            Post.html,
            Post.published_at,
        )
        .join(Thread, Thread.id == Post.thread_id)
        .join(Board, Board.id == Thread.board_id)
        .join(Member, Member.id == Post.author_id)
        .where(_unread(actor, now))
    )
    if board:
        stmt = stmt.where(Board.slug == board)
    keys = (
        keyset.Key(Post.published_at.expression, "published_at", descending=True),
        keyset.Key(Post.id.expression, "id", descending=True),
    )
    found = keyset.page(session, stmt, keys, after=after, limit=limit)
    return found.map(lambda row: Unread(**row._mapping))


def see(session: Session, actor: Actor, post_ids: Sequence[int], *, now: datetime) -> int:
    """Note that this moderator has read these posts; returns how many were new. Others' boards are passed over."""
    require(actor, Action.PATROL)
    wanted = sorted(set(post_ids))
    if not wanted or len(wanted) > MOST_AT_ONCE:
        message = f"From 1 to {MOST_AT_ONCE} posts at once."
        raise Invalid("invalid-field", message, errors=[("post_ids", message)])
    marked = exists().where(PatrolMark.post_id == Post.id)
    stmt = (
        select(Post.id)
        .join(Thread, Thread.id == Post.thread_id)
        .where(Post.id.in_(wanted), Post.state == PostState.PUBLISHED, not_(marked), _in_scope(actor))
        .where(Post.author_id != actor.id)
        .order_by(Post.id)
    )
    count = 0
    for post_id in session.execute(stmt).scalars().all():
        try:
            with session.begin_nested():
                session.add(PatrolMark(post_id=post_id, seen_by=actor.id, at=now))
        except IntegrityError:
            # A colleague marked it at this moment.
            continue
        count += 1
    return count


def open_post(session: Session, actor: Actor, post_id: int, *, now: datetime) -> str:
    """Note that it was opened from the list; returns its address. NotFound for a post of another's boards."""
    require(actor, Action.PATROL)
    mine = select(Post.id).join(Thread, Thread.id == Post.thread_id).where(Post.id == post_id, _in_scope(actor))
    if session.execute(mine).first() is None:
        raise NotFound()
    see(session, actor, [post_id], now=now)
    return f"/posts/{post_id}"


def boards_of(session: Session, actor: Actor, *, now: datetime) -> list[tuple[str, str]]:
    """(slug, name) of the boards on which something waits to be read. One query."""
    require(actor, Action.PATROL)
    waits = exists().where(Post.thread_id == Thread.id, Thread.board_id == Board.id, _unread(actor, now))
    stmt = select(Board.slug, Board.name).where(waits.correlate(Board)).order_by(Board.name, Board.id).limit(200)
    return [(slug, name) for slug, name in session.execute(stmt)]
