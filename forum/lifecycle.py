"""The state machine of a post. Nobody else writes `Post.state`, nor what follows from it.

Every move is one conditional UPDATE on state and version; what follows stands in the same transaction: the thread's and
board's counters and times, the live text, the search rows, the author's standing, and who is told. Rows are locked in
the order post, thread, board, member.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from auth.models import Member
from auth.policy import NEW_MEMBER_POSTS
from core.errors import Conflict, NotFound
from core.notifications import notify
from core.vocabulary import NotificationKind, PostKind, PostState
from forum import indexing, revisions
from forum.models import Board, Post, Thread

_TABLE: dict[PostState, tuple[PostState, ...]] = {
    PostState.DRAFT: (PostState.HELD, PostState.PUBLISHED, PostState.SHIELDED),
    PostState.HELD: (
        PostState.PUBLISHED,
        PostState.REJECTED,
        PostState.CHANGES_REQUESTED,
        PostState.WITHDRAWN,
        PostState.SHIELDED,
        PostState.HIDDEN,
    ),
    PostState.CHANGES_REQUESTED: (PostState.HELD, PostState.PUBLISHED, PostState.WITHDRAWN, PostState.REJECTED),
    # Back to held only by an undo.
    PostState.PUBLISHED: (
        PostState.HIDDEN,
        PostState.REMOVED,
        PostState.WITHDRAWN,
        PostState.SHIELDED,
        PostState.HELD,
    ),
    PostState.SHIELDED: (
        PostState.PUBLISHED,
        PostState.HIDDEN,
        PostState.REMOVED,
        PostState.WITHDRAWN,
        PostState.HELD,
    ),
    PostState.HIDDEN: (
        PostState.PUBLISHED,
        PostState.SHIELDED,
        PostState.REMOVED,
        PostState.WITHDRAWN,
        PostState.HELD,
    ),
    PostState.REMOVED: (PostState.PUBLISHED, PostState.SHIELDED, PostState.HIDDEN),
    PostState.REJECTED: (PostState.PUBLISHED, PostState.HELD),
}
MOVES: frozenset[tuple[PostState, PostState]] = frozenset((a, b) for a, targets in _TABLE.items() for b in targets)

# States in which readers who are neither author nor moderator find something where the post stands.
NOTICED = frozenset({PostState.PUBLISHED, PostState.SHIELDED, PostState.HIDDEN})


@dataclass(frozen=True)
class _Before:
    """What a move must know of the post as it was."""

    state: PostState
    version: int
    kind: PostKind
    thread_id: int
    author_id: int
    was_visible: bool
    first_time: bool


def enter(session: Session, post: Post, state: PostState, *, now: datetime) -> Post:
    """Give a post that was just written its first state, as the gate decided."""
    return _change(session, post.id, state, expected_version=post.version, raises_version=False, now=now)


def move(session: Session, post_id: int, to: PostState, *, expected_version: int, now: datetime) -> Post:
    """Move a post along a legal edge, for whoever decided on its version `expected_version`.

    Brings its texts in step: one that was never public gets its newest text as the live one. Raises Conflict with the
    current version: "post-changed" when somebody was first, "illegal-move" when no such edge exists.
    """
    return _change(session, post_id, to, expected_version=expected_version, raises_version=True, now=now)


def lock(session: Session, post_id: int) -> None:
    """Take the post's row before any other, where a transaction also writes rows that lead to it (cases)."""
    session.execute(select(Post.id).where(Post.id == post_id).with_for_update(key_share=True))


def show_to_members(session: Session, post_id: int) -> None:
    """A person has read a shielded post of a new author: members find it from now on."""
    found = session.execute(
        update(Post)
        .where(Post.id == post_id, Post.state == PostState.SHIELDED, Post.was_visible.is_(False))
        .values(was_visible=True)
        .returning(Post.thread_id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if found is not None:
        session.execute(
            update(Thread)
            .where(Thread.id == found)
            .values(version=Thread.version + 1)
            .execution_options(synchronize_session=False)
        )


def _change(
    session: Session, post_id: int, to: PostState, *, expected_version: int, raises_version: bool, now: datetime
) -> Post:
    before = _read(session, post_id)
    if before.version != expected_version:
        raise _changed(before.version)
    if (before.state, to) not in MOVES:
        raise Conflict("illegal-move", f"A post that is {before.state} cannot become {to}.", version=before.version)
    first_time = to is PostState.PUBLISHED and before.first_time
    visible = to is PostState.PUBLISHED or (to is PostState.SHIELDED and not _is_new(session, before.author_id))
    moved = session.execute(
        update(Post)
        .where(Post.id == post_id, Post.state == before.state, Post.version == expected_version)
        .values(
            state=to,
            version=Post.version + int(raises_version),
            was_visible=before.was_visible or visible,
            **({"published_at": now} if first_time else {}),
        )
        .returning(Post.id)
        .execution_options(synchronize_session=False)
    ).first()
    if moved is None:
        raise _changed(_read(session, post_id).version)
    _follow(session, before, post_id, to, first_time=first_time, now=now)
    return session.get_one(Post, post_id, populate_existing=True)


def _changed(version: int) -> Conflict:
    return Conflict("post-changed", "This post has changed meanwhile. Please look at it again.", version=version)


def _read(session: Session, post_id: int) -> _Before:
    row = session.execute(
        select(
            Post.state, Post.version, Post.kind, Post.thread_id, Post.author_id, Post.was_visible, Post.published_at
        ).where(Post.id == post_id)
    ).one_or_none()
    if row is None:
        raise NotFound()
    return _Before(*row[:6], first_time=row.published_at is None)


def _is_new(session: Session, member_id: int) -> bool:
    approved = session.execute(select(Member.approved_count).where(Member.id == member_id)).scalar_one()
    return bool(approved < NEW_MEMBER_POSTS)


def _follow(session: Session, before: _Before, post_id: int, to: PostState, *, first_time: bool, now: datetime) -> None:
    post = session.get_one(Post, post_id, populate_existing=True)
    counted = (to is PostState.PUBLISHED) - (before.state is PostState.PUBLISHED)
    noticed = before.was_visible or before.state in NOTICED or to in NOTICED
    _move_thread(session, post, to, counted, noticed)
    revisions.follow(session, post, to, now=now)
    if counted:
        _move_board(session, post, counted, now)
        _move_search(session, post, counted)
    if first_time:
        session.execute(
            update(Member)
            .where(Member.id == post.author_id)
            .values(approved_count=Member.approved_count + 1)
            .execution_options(synchronize_session=False)
        )
        _tell(session, post, now)


def _move_thread(session: Session, post: Post, to: PostState, counted: int, noticed: bool) -> None:
    """State, counters, version and last activity of the thread."""
    values: dict[str, object] = {"version": Thread.version + int(noticed)}
    if post.kind is PostKind.OPENING:
        values["state"] = to
    elif post.kind is PostKind.ANSWER:
        values["answer_count"] = Thread.answer_count + counted
        values["helpful_count"] = Thread.helpful_count + counted * post.helpful_count
    else:
        values["comment_count"] = Thread.comment_count + counted
    if counted > 0:
        values["last_activity_at"] = _later(Thread.last_activity_at, post.published_at)
    session.execute(
        update(Thread).where(Thread.id == post.thread_id).values(**values).execution_options(synchronize_session=False)
    )
    if counted < 0:
        newest = (
            select(func.max(Post.published_at))
            .where(Post.thread_id == post.thread_id, Post.state == PostState.PUBLISHED)
            .scalar_subquery()
        )
        session.execute(
            update(Thread)
            .where(Thread.id == post.thread_id)
            .values(last_activity_at=func.coalesce(newest, Thread.created_at))
            .execution_options(synchronize_session=False)
        )


def _move_board(session: Session, post: Post, counted: int, now: datetime) -> None:
    """Counters of the board; it opens with its first published thread."""
    board_id = select(Thread.board_id).where(Thread.id == post.thread_id).scalar_subquery()
    values: dict[str, object] = {"post_count": Board.post_count + counted, "version": Board.version + 1}
    if post.kind is PostKind.OPENING:
        values["thread_count"] = Board.thread_count + counted
        if counted > 0:
            values["opened_at"] = func.coalesce(Board.opened_at, now)
    session.execute(
        update(Board).where(Board.id == board_id).values(**values).execution_options(synchronize_session=False)
    )
    # A statement of its own: by now the board's row is ours, so no other thread's activity is missed.
    newest = (
        select(func.max(Thread.last_activity_at))
        .where(Thread.board_id == Board.id, Thread.state == PostState.PUBLISHED)
        .scalar_subquery()
    )
    session.execute(
        update(Board)
        .where(Board.id == board_id)
        .values(last_activity_at=newest)
        .execution_options(synchronize_session=False)
    )


def _later(column: InstrumentedAttribute[datetime], value: datetime | None) -> ColumnElement[datetime]:
    return case((column < value, value), else_=column)


def _move_search(session: Session, post: Post, counted: int) -> None:
    if post.kind is not PostKind.OPENING:
        indexing.index_reply(session, post.id)
    elif counted > 0:
        indexing.index_thread(session, post.thread_id)
    else:
        indexing.drop_thread(session, post.thread_id)


def _tell(session: Session, post: Post, now: datetime) -> None:
    """A reply was published for the first time: whom it answers hears of it, unless they wrote it themselves."""
    if post.kind is PostKind.OPENING:
        return
    if post.kind is PostKind.ANSWER:
        kind = NotificationKind.ANSWERED
        stmt = select(Thread.author_id).where(Thread.id == post.thread_id)
    else:
        kind = NotificationKind.REPLIED
        stmt = select(Post.author_id).where(Post.id == post.parent_id)
    member_id = session.execute(
        stmt.join(Member, Member.id == stmt.selected_columns[0]).where(Member.closed_at.is_(None))
    ).scalar_one_or_none()
    if member_id is not None and member_id != post.author_id:
        notify(session, member_id, kind, link=f"/posts/{post.id}", post_id=post.id, now=now)
