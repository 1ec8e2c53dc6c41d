""" "Helpful": one mark per member and answer. It ranks nothing on the page but the up to three answers shown first."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.policy import Actor, require
from core import limits
from core.config import Settings
from core.errors import Forbidden
from core.vocabulary import Action, PostKind, PostState
from forum.models import HelpfulMark, Post, Thread
from forum.subjects import load_post


def mark_helpful(session: Session, actor: Actor, post_id: int, *, settings: Settings, now: datetime) -> int:
    """Mark an answer of somebody else; returns its count. Marking it again changes nothing."""
    _check(session, actor, post_id)
    if session.get(HelpfulMark, (post_id, actor.id)) is None:
        limits.spend(session, actor.id or 0, "helpful", now=now, enforced=settings.limits)
        try:
            with session.begin_nested():
                session.add(HelpfulMark(post_id=post_id, member_id=actor.id, at=now))
        except IntegrityError:
            # The same member marked it in another window at this moment.
            return _count(session, post_id)
        _step(session, post_id, 1)
    return _count(session, post_id)


def unmark_helpful(session: Session, actor: Actor, post_id: int) -> int:
    """Take one's own mark back; returns the count. Without a mark nothing changes."""
    _check(session, actor, post_id)
    gone = session.execute(
        delete(HelpfulMark)
        .where(HelpfulMark.post_id == post_id, HelpfulMark.member_id == actor.id)
        .returning(HelpfulMark.post_id)
    ).first()
    if gone is not None:
        _step(session, post_id, -1)
    return _count(session, post_id)


def _check(session: Session, actor: Actor, post_id: int) -> None:
    loaded = load_post(session, post_id, actor)
    require(actor, Action.MARK_HELPFUL, loaded.subject)
    if loaded.post.kind is not PostKind.ANSWER:
        raise Forbidden("only-answers", "Only answers can be marked as helpful.")


def _step(session: Session, post_id: int, by: int) -> None:
    """Move the counters of the post and, while it is published, of its thread."""
    state, thread_id = session.execute(
        update(Post)
        .where(Post.id == post_id)
        .values(helpful_count=Post.helpful_count + by)
        .returning(Post.state, Post.thread_id)
        .execution_options(synchronize_session=False)
    ).one()
    if state is PostState.PUBLISHED:
        session.execute(
            update(Thread)
            .where(Thread.id == thread_id)
            .values(helpful_count=Thread.helpful_count + by, version=Thread.version + 1)
            .execution_options(synchronize_session=False)
        )


def _count(session: Session, post_id: int) -> int:
    return session.execute(select(Post.helpful_count).where(Post.id == post_id)).scalar_one()
