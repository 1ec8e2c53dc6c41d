"""Operations on whole threads by moderators: who may, with which rule and reason, written down and told.

`forum.operations` does the work. Closing a thread takes something from its author, so it is a decision with a
statement of reasons; opening it again takes that decision back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session, aliased

from auth.models import Member
from auth.policy import Actor, Sight, Subject, allowed, require, sight
from core import audit
from core.config import Settings
from core.errors import Conflict, Invalid, NotFound, invalid
from core.notifications import notify
from core.text import is_blank, normalise
from core.vocabulary import LIVE_CASE_STATES, Action, NotificationKind, Operation, PostKind, PostState
from forum import operations
from forum.models import Board, Post, Thread
from forum.operations import Done
from forum.queries import Merged
from forum.subjects import opening_subject
from moderation import decisions, rules
from moderation.decisions import Decided
from moderation.models import Case, Report, ThreadOperation

REASON_CHARS = 2_000
# These set an order and judge nobody: no rule, and a reason only if somebody wants to give one.
WITHOUT_REASON = frozenset({Operation.PIN, Operation.UNPIN})
STANDING_REASONS = {
    Operation.PIN: "It stands first on its board.",
    Operation.UNPIN: "It no longer stands first on its board.",
}


@dataclass(frozen=True)
class Operated:
    """`decided` where the operation is a decision too."""

    row: ThreadOperation
    decided: Decided | None = None


def subject_of(session: Session, thread_id: int, actor: Actor) -> tuple[Thread, Subject]:
    """The thread and the facts that OPERATE_THREAD reads. Raises NotFound, Merged. Cost: at most 4 queries.

    Whoever wrote in the thread, or reported something in it, has a part in it.
    """
    found = session.execute(
        select(Thread, Board)
        .join(Board, Board.id == Thread.board_id)
        .where(Thread.id == thread_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound()
    thread, board = found
    if thread.merged_into_id is not None:
        raise Merged(thread.merged_into_id)
    opening = opening_subject(session, thread, board, actor)
    if sight(actor, opening) is Sight.NONE:
        raise NotFound()
    posted = exists().where(Post.thread_id == thread_id, Post.author_id == actor.id)
    reported = exists().where(Report.post_id == Post.id, Post.thread_id == thread_id, Report.reporter_id == actor.id)
    has_posted, has_reported = session.execute(select(posted, reported)).one()
    me = frozenset() if actor.id is None else frozenset({actor.id})
    nobody: frozenset[int] = frozenset()
    return thread, replace(
        opening, poster_ids=me if has_posted else nobody, reporter_ids=me if has_reported else nobody
    )


def may_operate(session: Session, thread_id: int, actor: Actor) -> bool:
    """Whether the button to these operations is shown: the same answer as the door's."""
    try:
        return allowed(actor, Action.OPERATE_THREAD, subject_of(session, thread_id, actor)[1])
    except NotFound:
        return False


def last_operation(session: Session, thread_id: int) -> int:
    """The number of the newest operation on this thread, 0 before the first: what a form has read."""
    stmt = select(func.coalesce(func.max(ThreadOperation.id), 0)).where(ThreadOperation.thread_id == thread_id)
    return session.execute(stmt).scalar_one()


def operate(
    session: Session,
    thread_id: int,
    *,
    by: Actor,
    operation: str | None,
    settings: Settings,
    now: datetime,
    board: str | None = None,
    into: int | None = None,
    post_ids: Sequence[int] = (),
    title: str | None = None,
    rule: str | None = None,
    reason: str | None = None,
    seen: int | None = None,
) -> Operated:
    """Do one of `Operation` to a thread: the work, its row, audit, notices, and cases that follow their posts.

    `seen` is the number of the last operation that was read (`last_operation`). Raises NotFound, Merged, Forbidden,
    Invalid on the fields named, Conflict ("thread-changed", "thread-merged", "already-there", "thread-locked" …).
    """
    wanted = _operation(operation)
    _, subject = subject_of(session, thread_id, by)
    require(by, Action.OPERATE_THREAD, subject)
    assert by.id is not None  # the policy lets no visitor in
    code, said = _grounds(session, wanted, rule, reason, now=now)
    others = [_other(session, into, by)] if wanted is Operation.MERGE else []
    operations.hold(session, thread_id, *others)
    if seen is not None and seen != last_operation(session, thread_id):
        raise _was_first(session, thread_id)
    _check_opening(session, wanted, post_ids)
    decided = None
    if wanted in (Operation.LOCK, Operation.UNLOCK):
        operations.set_locked(session, thread_id, locked=wanted is Operation.LOCK)
        record = decisions.record_lock if wanted is Operation.LOCK else decisions.record_unlock
        decided = record(session, thread_id, by=by, rule=code, reason=said, settings=settings, now=now)
        done = Done(thread_id, None, subject.board_id or 0, subject.board_id or 0, 0)
    else:
        done = _work(
            session, thread_id, wanted, board=board, others=others, post_ids=post_ids, title=title, settings=settings,
            now=now,
        )  # fmt: skip
    _move_cases(session, wanted, done)
    moved = done.from_board_id != done.to_board_id
    row = ThreadOperation(
        kind=wanted,
        thread_id=thread_id,
        into_id=done.into_id,
        from_board_id=done.from_board_id if moved else None,
        to_board_id=done.to_board_id if moved else None,
        post_ids=list(done.post_ids),
        rule_code=code,
        reason=said,
        decision_id=decided.decision.id if decided else None,
        moderator_id=by.id,
        at=now,
    )
    session.add(row)
    session.flush()  # the door answers with it
    _tell(session, wanted, done, by=by.id, now=now)
    audit.record(
        session,
        actor_id=by.id,
        action=f"thread.{wanted.value}",
        subject=("thread", thread_id),
        details={
            "operation": row.id,
            "into": done.into_id,
            "from_board": row.from_board_id,
            "to_board": row.to_board_id,
            "posts": row.post_ids,
            "rule": code,
            "decision": row.decision_id,
        },
        reason=said,
        now=now,
    )
    return Operated(row, decided)


def _operation(given: str | None) -> Operation:
    try:
        return Operation(given or "")
    except ValueError as error:
        known = ", ".join(o.value for o in Operation)
        raise invalid("operation", f"One of: {known}.") from error


def _grounds(
    session: Session, operation: Operation, rule: str | None, reason: str | None, *, now: datetime
) -> tuple[str, str]:
    """Rule and reason. Whoever moves, merges or splits may say that no rule is broken, but must say it."""
    errors = []
    said, code = normalise(reason or "", field="reason"), (rule or "").strip()
    if operation in WITHOUT_REASON:
        code = rules.NONE
        said = STANDING_REASONS[operation] if is_blank(said) else said
    if is_blank(said):
        errors.append(("reason", "Say in a sentence or two why. The author reads it."))
    elif len(said) > REASON_CHARS:
        errors.append(("reason", f"At most {REASON_CHARS:,} characters; this has {len(said):,}."))
    known = rules.in_force(session, code, now=now) if code else None
    if not code:
        errors.append(("rule", "Choose the rule that this is about, or that none is broken."))
    elif known is None or (code == rules.NONE and operation is Operation.LOCK):
        errors.append(("rule", "Choose one of the rules in force."))
    if errors:
        raise Invalid("invalid-field", "This needs a rule and a reason.", errors=errors)
    return code, said


def _other(session: Session, into: int | None, by: Actor) -> int:
    """The thread to merge into: one that this moderator looks after too, and has no part in."""
    if into is None:
        raise invalid("into", "Name the thread that it goes into.")
    try:
        thread, subject = subject_of(session, into, by)
    except Merged as merged:
        raise invalid("into", f"That thread was put together with thread {merged.into} itself.") from merged
    except NotFound as error:
        raise invalid("into", "There is no such thread.") from error
    require(by, Action.OPERATE_THREAD, subject)
    return thread.id


def _was_first(session: Session, thread_id: int) -> Conflict:
    newest = session.execute(
        select(ThreadOperation.kind, Member.handle, ThreadOperation.id)
        .join(Member, Member.id == ThreadOperation.moderator_id)
        .where(ThreadOperation.thread_id == thread_id)
        .order_by(ThreadOperation.id.desc())
        .limit(1)
    ).one_or_none()
    if newest is None:
        return Conflict("thread-changed", "Nothing was done to this thread so far. Look at it again.", last_operation=0)
    return Conflict(
        "thread-changed",
        f"{newest.handle} was first: something was done to this thread ({newest.kind.value}). Look at it again.",
        last_operation=newest.id,
    )


def _check_opening(session: Session, operation: Operation, post_ids: Sequence[int]) -> None:
    """The first post of a new thread gets a title, which is part of what is judged: not while somebody judges it."""
    if operation is not Operation.SPLIT or not post_ids:
        return
    first = select(Post.id).where(Post.id.in_(post_ids)).order_by(Post.position).limit(1).scalar_subquery()
    live = exists().where(Case.post_id == first, Case.state.in_(LIVE_CASE_STATES))
    if session.execute(select(live)).scalar():
        raise invalid("post_ids", "The earliest of these posts has an open case. Decide it first.")


def _work(
    session: Session,
    thread_id: int,
    operation: Operation,
    *,
    board: str | None,
    others: Sequence[int],
    post_ids: Sequence[int],
    title: str | None,
    settings: Settings,
    now: datetime,
) -> Done:
    if operation is Operation.MOVE:
        if not board:
            raise invalid("board", "Name the board that it goes to.")
        try:
            return operations.move(session, thread_id, board_slug=board, now=now)
        except NotFound as error:
            raise invalid("board", "There is no such board.") from error
    if operation is Operation.MERGE:
        return operations.merge(session, thread_id, into_id=others[0], now=now)
    if operation is Operation.SPLIT:
        try:
            return operations.split(
                session,
                thread_id,
                post_ids=post_ids,
                title=title or "",
                board_slug=board,
                settings=settings,
                now=now,
            )
        except NotFound as error:
            raise invalid("board", "There is no such board.") from error
    return operations.set_pinned(session, thread_id, pinned=operation is Operation.PIN, now=now)


def _move_cases(session: Session, operation: Operation, done: Done) -> None:
    """A case stands on the board of its post: whoever moderates that board decides it from now on."""
    if done.from_board_id == done.to_board_id:
        return
    posts = select(Post.id).where(Post.thread_id == done.thread_id)
    if operation is not Operation.MOVE:
        posts = select(Post.id).where(Post.id.in_(done.post_ids))
    session.execute(
        update(Case)
        .where(Case.post_id.in_(posts))
        .values(board_id=done.to_board_id)
        .execution_options(synchronize_session=False)
    )


def _tell(session: Session, operation: Operation, done: Done, *, by: int, now: datetime) -> None:
    """Whoever opened what moved hears where it stands now. (Of a closed thread the decision has told.)"""
    if operation not in (Operation.MOVE, Operation.MERGE, Operation.SPLIT):
        return
    author = session.execute(
        select(Post.author_id, Post.state)
        .join(Member, Member.id == Post.author_id)
        .where(Post.id == done.opening_id, Member.closed_at.is_(None))
    ).one_or_none()
    if author is not None and author.author_id != by and author.state is not PostState.ERASED:
        link = f"/posts/{done.opening_id}"
        kind = NotificationKind.MOVED
        data = {"operation": operation.value}
        notify(session, author.author_id, kind, link=link, post_id=done.opening_id, data=data, now=now)


# --- What the moderators' page shows -----------------------------------------------------------------------------


@dataclass(frozen=True)
class OperationRow:
    """One operation in the history of a thread. `moderator` None: a former member."""

    id: int
    kind: Operation
    thread_id: int
    into_id: int | None
    from_board: str | None
    to_board: str | None
    rule_code: str
    reason: str
    moderator: str | None
    at: datetime


@dataclass(frozen=True)
class Selectable:
    """A post that can go into a new thread."""

    id: int
    kind: PostKind
    state: PostState
    author: str | None
    excerpt: str
    created_at: datetime


@dataclass(frozen=True)
class Desk:
    """Everything that the page of operations on one thread shows. `posts` are those of page `number`."""

    thread_id: int
    title: str
    slug: str
    kind: str
    state: PostState
    board_slug: str
    board_name: str
    is_locked: bool
    is_pinned: bool
    last_operation: int
    history: tuple[OperationRow, ...]
    posts: tuple[Selectable, ...]
    number: int
    page_count: int


POSTS_SHOWN = 50


def desk(session: Session, thread_id: int, actor: Actor, *, number: int = 1) -> Desk:
    """Raises NotFound, Merged, Forbidden. Cost: at most 8 queries."""
    thread, subject = subject_of(session, thread_id, actor)
    require(actor, Action.OPERATE_THREAD, subject)
    board = session.get_one(Board, thread.board_id)
    mine = (Post.thread_id == thread_id, Post.position > 0)
    count = session.execute(select(func.count(Post.id)).where(*mine)).scalar_one()
    pages = max(1, -(-count // POSTS_SHOWN))
    number = min(max(1, number), pages)
    rows = session.execute(
        select(Post.id, Post.kind, Post.state, Member.handle, Member.closed_at, Post.excerpt, Post.created_at)
        .join(Member, Member.id == Post.author_id)
        .where(*mine)
        .order_by(Post.position)
        .offset((number - 1) * POSTS_SHOWN)
        .limit(POSTS_SHOWN)
    ).all()
    return Desk(
        thread_id=thread_id,
        title=thread.title,
        slug=thread.slug,
        kind=thread.kind.value,
        state=thread.state,
        board_slug=board.slug,
        board_name=board.name,
        is_locked=thread.is_locked,
        is_pinned=thread.pinned_at is not None,
        last_operation=last_operation(session, thread_id),
        history=history(session, thread_id),
        posts=tuple(
            Selectable(r.id, r.kind, r.state, None if r.closed_at else r.handle, r.excerpt, r.created_at) for r in rows
        ),
        number=number,
        page_count=pages,
    )


def history(session: Session, thread_id: int, *, limit: int = 20) -> tuple[OperationRow, ...]:
    """The latest operations on a thread, and those that brought something into it, newest first. One query."""
    before, after = aliased(Board), aliased(Board)
    rows = session.execute(
        select(
            ThreadOperation,
            before.name.label("from_board"),
            after.name.label("to_board"),
            Member.handle,
            Member.closed_at,
        )
        .join(Member, Member.id == ThreadOperation.moderator_id)
        .outerjoin(before, before.id == ThreadOperation.from_board_id)
        .outerjoin(after, after.id == ThreadOperation.to_board_id)
        .where((ThreadOperation.thread_id == thread_id) | (ThreadOperation.into_id == thread_id))
        .order_by(ThreadOperation.id.desc())
        .limit(limit)
    ).all()
    return tuple(
        OperationRow(
            id=row.ThreadOperation.id,
            kind=row.ThreadOperation.kind,
            thread_id=row.ThreadOperation.thread_id,
            into_id=row.ThreadOperation.into_id,
            from_board=row.from_board,
            to_board=row.to_board,
            rule_code=row.ThreadOperation.rule_code,
            reason=row.ThreadOperation.reason,
            moderator=None if row.closed_at else row.handle,
            at=row.ThreadOperation.at,
        )
        for row in rows
    )
