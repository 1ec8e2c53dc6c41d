"""How far a member has read each thread: the one write that a GET may cause, and only when it moves forward."""

from datetime import datetime

from sqlalchemy import case, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.policy import Actor
from forum.models import ReadMark


def mark(session: Session, actor: Actor, thread_id: int) -> ReadMark | None:
    """This member's mark on a thread; None for a thread never opened."""
    stmt = select(ReadMark).where(ReadMark.member_id == actor.id, ReadMark.thread_id == thread_id)
    return session.execute(stmt.execution_options(populate_existing=True)).scalar_one_or_none()


def see(session: Session, actor: Actor, thread_id: int, up_to: int, *, now: datetime) -> None:
    """Note that this member has seen the thread now, up to a position; the position never moves back."""
    moved = session.execute(
        update(ReadMark)
        .where(ReadMark.member_id == actor.id, ReadMark.thread_id == thread_id)
        .values(position=case((ReadMark.position < up_to, up_to), else_=ReadMark.position), at=now)
        .returning(ReadMark.thread_id)
        .execution_options(synchronize_session=False)
    ).first()
    if moved is not None:
        return
    try:
        with session.begin_nested():
            session.add(ReadMark(member_id=actor.id, thread_id=thread_id, position=up_to, at=now))
    except IntegrityError:
        # The same member opened it in another window at this moment; that mark will do.
        return
