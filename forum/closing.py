"""What the forum does when a member closes their account."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.vocabulary import Visibility
from forum import posting
from forum.gate import Gate
from forum.models import BoardFollow, Draft, IntakeAnswer, ReadMark, Thread


def leave(session: Session, member_id: int, *, withdraw: bool, gate: Gate, now: datetime) -> None:
    """Forget what only this member could see; withdraw the posts too where the member wants it so.

    Posts that stay show "Former member". Private answers to a doctor's questions have no reader left.
    """
    for owner in (Draft.author_id, ReadMark.member_id, BoardFollow.member_id):
        session.execute(delete(owner.class_).where(owner == member_id).execution_options(synchronize_session=False))
    mine = select(Thread.id).where(Thread.author_id == member_id)
    private = IntakeAnswer.visibility == Visibility.PRIVATE
    session.execute(
        delete(IntakeAnswer)
        .where(IntakeAnswer.thread_id.in_(mine), private)
        .execution_options(synchronize_session=False)
    )
    if withdraw:
        posting.withdraw_all(session, member_id, gate=gate, now=now)
