"""A post, its thread and its board as the plain facts that the policy reads."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import NEW_MEMBER_POSTS, Actor, Sight, Subject, sight
from content.models import condition_category
from core.errors import NotFound
from core.vocabulary import Action, PostKind
from forum.models import Board, Post, Thread


@dataclass(frozen=True)
class Loaded:
    """One post with what stands around it, fresh from the database."""

    post: Post
    thread: Thread
    board: Board
    author_handle: str
    subject: Subject


def categories(session: Session, condition_id: int | None, actor: Actor) -> frozenset[int]:
    """The board's medical categories; asked only for a moderator of a category, whom alone they concern."""
    if condition_id is None or not actor.category_ids:
        return frozenset()
    stmt = select(condition_category.c.category_id).where(condition_category.c.condition_id == condition_id)
    return frozenset(session.execute(stmt).scalars())


def load_post(session: Session, post_id: int, actor: Actor) -> Loaded:
    """The post and its subject; NotFound where there is none or where this reader may not know of it."""
    found = session.execute(
        select(Post, Thread, Board, Member.handle, Member.approved_count)
        .join(Thread, Thread.id == Post.thread_id)
        .join(Board, Board.id == Thread.board_id)
        .join(Member, Member.id == Post.author_id)
        .where(Post.id == post_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound()
    post, thread, board, handle, approved = found
    subject = Subject(
        author_id=post.author_id,
        author_is_new=approved < NEW_MEMBER_POSTS,
        state=post.state,
        post_kind=post.kind,
        thread_kind=thread.kind,
        thread_state=thread.state,
        thread_locked=thread.is_locked,
        was_visible=post.was_visible,
        board_id=board.id,
        category_ids=categories(session, board.condition_id, actor),
        board_mode=board.mode,
    )
    loaded = Loaded(post, thread, board, handle, subject)
    if not may_know(session, actor, loaded):
        raise NotFound()
    return loaded


def may_know(session: Session, actor: Actor, loaded: Loaded) -> bool:
    """Whether this reader may know that the post exists: its own state says so, and so does its thread's page.

    An answer whose thread went back to waiting has no page on which others could read it.
    """
    if sight(actor, loaded.subject) is Sight.NONE:
        return False
    if loaded.post.kind is PostKind.OPENING or loaded.post.author_id == actor.id:
        return True
    return sight(actor, opening_subject(session, loaded.thread, loaded.board, actor)) is not Sight.NONE


def opening_subject(session: Session, thread: Thread, board: Board, actor: Actor) -> Subject:
    """The thread as a subject: the facts of its opening post, as ANSWER and COMMENT want them."""
    was_visible, approved = session.execute(
        select(Post.was_visible, Member.approved_count)
        .join(Member, Member.id == Post.author_id)
        .where(Post.thread_id == thread.id, Post.position == 0)
    ).one()
    return Subject(
        author_id=thread.author_id,
        author_is_new=approved < NEW_MEMBER_POSTS,
        state=thread.state,
        post_kind=PostKind.OPENING,
        thread_kind=thread.kind,
        thread_state=thread.state,
        thread_locked=thread.is_locked,
        was_visible=was_visible,
        board_id=board.id,
        category_ids=categories(session, board.condition_id, actor),
        board_mode=board.mode,
    )


ANSWERING = {PostKind.ANSWER: Action.ANSWER, PostKind.COMMENT: Action.COMMENT}
