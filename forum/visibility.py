"""The SQL twin of `auth.policy.sight`, for lists: a test compares the two over every state, reader and board."""

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from auth.models import Member
from auth.policy import NEW_MEMBER_POSTS, Actor, holds, moderates_everywhere, reader
from content.models import condition_category
from core.vocabulary import PostState, Role
from forum.models import Board, Post, Thread

WAITING = (PostState.HELD, PostState.CHANGES_REQUESTED)
GONE = (PostState.REMOVED, PostState.REJECTED, PostState.WITHDRAWN)


def readable(actor: Actor) -> ColumnElement[bool]:
    """Posts whose text this reader may see (`sight` FULL), by the post's own state."""
    actor = reader(actor)
    board = select(Thread.board_id).where(Thread.id == Post.thread_id).correlate(Post)
    shielded = Post.was_visible | _is_established(Post.author_id)
    return _readable(actor, Post.state, Post.author_id, shielded, board.scalar_subquery())


def shown(actor: Actor) -> ColumnElement[bool]:
    """Posts of which this reader sees anything: the text, or a tombstone."""
    actor = reader(actor)
    not_mine = Post.author_id != actor.id if actor.is_signed_in else None
    erased = Post.state == PostState.ERASED
    return or_(
        readable(actor),
        Post.state == PostState.HIDDEN,
        and_(Post.state.in_(GONE), Post.was_visible),
        erased if not_mine is None else and_(erased, not_mine),
    )


def threads_readable(actor: Actor) -> ColumnElement[bool]:
    """Threads whose opening post this reader may see."""
    actor = reader(actor)
    opening_was_visible = (
        select(Post.id)
        .where(Post.thread_id == Thread.id, Post.position == 0, Post.was_visible)
        .correlate(Thread)
        .exists()
    )
    shielded = opening_was_visible | _is_established(Thread.author_id)
    return _readable(actor, Thread.state, Thread.author_id, shielded, Thread.board_id)


def threads_listed(actor: Actor) -> ColumnElement[bool]:
    """Threads that a board lists for this reader: the public ones, and for members the shielded ones too."""
    actor = reader(actor)
    if not actor.is_signed_in:
        return Thread.state == PostState.PUBLISHED
    shown_states = Thread.state.in_((PostState.PUBLISHED, PostState.SHIELDED))
    return and_(shown_states, threads_readable(actor))


def _readable(
    actor: Actor,
    state: InstrumentedAttribute[PostState],
    author_id: InstrumentedAttribute[int],
    shielded: ColumnElement[bool],
    board_id: ColumnElement[int] | InstrumentedAttribute[int],
) -> ColumnElement[bool]:
    ways: list[ColumnElement[bool]] = [state == PostState.PUBLISHED]
    if actor.is_signed_in:
        ways.append(and_(state == PostState.SHIELDED, shielded))
        ways.append(and_(author_id == actor.id, state != PostState.ERASED))
    ways.append(and_(state.not_in((PostState.DRAFT, PostState.ERASED)), _moderated(actor, board_id)))
    return or_(*ways)


def _moderated(actor: Actor, board_id: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Whether the board is one of this moderator's."""
    if moderates_everywhere(actor):
        return board_id.is_not(None)
    if not holds(actor, Role.MODERATOR):
        return false()
    by_category = (
        select(Board.id)
        .join(condition_category, condition_category.c.condition_id == Board.condition_id)
        .where(condition_category.c.category_id.in_(actor.category_ids))
    )
    return or_(board_id.in_(actor.board_ids), board_id.in_(by_category))


def _is_established(author_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    return (
        select(Member.id)
        .where(Member.id == author_id, Member.approved_count >= NEW_MEMBER_POSTS)
        .correlate_except(Member)
        .exists()
    )
