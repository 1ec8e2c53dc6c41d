"""What must always hold of operations on threads, talk, notes and patrol; `ops check` asks them too."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, and_, exists, func, not_, or_, select

from core.vocabulary import Operation
from forum.models import Post, Thread
from moderation.models import MemberNote, PatrolMark, Talk, TalkMessage, ThreadOperation

CLOSING = (Operation.LOCK, Operation.UNLOCK)


def invariants() -> Iterator[tuple[str, Select[Any]]]:
    """(what is wrong, rows of which it is true). Cost: reads every operation, conversation and mark once."""
    done = ThreadOperation.thread_id == Thread.id
    merged = exists().where(done, ThreadOperation.kind == Operation.MERGE)
    yield (
        "merged threads of which nobody wrote down who merged them, and why",
        select(Thread.id).where(Thread.merged_into_id.is_not(None), not_(merged)),
    )
    closed = exists().where(done, ThreadOperation.kind == Operation.LOCK, ThreadOperation.decision_id.is_not(None))
    yield "threads closed without a decision", select(Thread.id).where(Thread.is_locked, not_(closed))
    decides = ThreadOperation.kind.in_(CLOSING)
    yield (
        "operations with a decision where none belongs, or without one",
        select(ThreadOperation.id).where(decides != ThreadOperation.decision_id.is_not(None)),
    )
    newest = select(func.max(TalkMessage.id)).where(TalkMessage.talk_id == Talk.id).correlate(Talk).scalar_subquery()
    by_member = exists().where(TalkMessage.id == newest, not_(TalkMessage.by_team))
    yield (
        "conversations whose next word is not the one's that they say",
        select(Talk.id).where(
            or_(
                and_(Talk.closed_at.is_(None), Talk.awaits_team, not_(by_member)),
                and_(Talk.closed_at.is_not(None), Talk.awaits_team),
            )
        ),
    )
    last = select(func.max(TalkMessage.at)).where(TalkMessage.talk_id == Talk.id).correlate(Talk).scalar_subquery()
    yield (
        "conversations whose last_message_at is wrong",
        select(Talk.id).where(Talk.last_message_at != func.coalesce(last, Talk.opened_at)),
    )
    yield (
        "messages under the wrong name",
        select(TalkMessage.id)
        .join(Talk, Talk.id == TalkMessage.talk_id)
        .where(TalkMessage.by_team == (TalkMessage.author_id == Talk.member_id)),
    )
    yield "notes about oneself", select(MemberNote.id).where(MemberNote.author_id == MemberNote.member_id)
    yield (
        "posts that their own author marked as read",
        select(PatrolMark.post_id)
        .join(Post, Post.id == PatrolMark.post_id)
        .where(PatrolMark.seen_by == Post.author_id),
    )
