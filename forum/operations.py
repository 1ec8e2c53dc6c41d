"""What can be done to a whole thread: move, merge, split, close, pin. Moderation asks who may, and writes down why.

A merged thread keeps its row, empty and in the state `erased`, so that no list, search or count shows it; the row only
leads old addresses on (`merged_into_id`, always to a thread that is not merged itself). Rows are locked in the order
posts, threads, boards. Positions are never given twice: what leaves a thread leaves a gap in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, delete, func, insert, literal, select, update
from sqlalchemy.orm import Session, aliased

from core.config import Settings
from core.errors import Conflict, Invalid, NotFound, invalid
from core.markup import Rendered
from core.text import is_blank, normalise, slugify
from core.vocabulary import PostKind, PostState
from forum import boards, indexing, revisions
from forum.models import Board, Post, ReadMark, Thread

# Pinned threads stand before all others, so there are few of them.
MOST_PINNED = 3
# So many posts go into a new thread at once, the comments on them included.
MOST_SPLIT = 200


@dataclass(frozen=True)
class Done:
    """What an operation changed. `post_ids`: every post that stands in another thread now, the first one first."""

    thread_id: int
    into_id: int | None
    from_board_id: int
    to_board_id: int
    opening_id: int
    post_ids: tuple[int, ...] = ()


def hold(session: Session, *thread_ids: int) -> dict[int, Thread]:
    """Take the posts of these threads, then the threads, until the commit.

    Raises NotFound, Conflict("thread-merged") with where it went.
    """
    wanted = sorted(set(thread_ids))
    mine = select(Post.id).where(Post.thread_id.in_(wanted)).order_by(Post.id)
    session.execute(mine.with_for_update(key_share=True)).all()
    rows = session.execute(
        select(Thread)
        .where(Thread.id.in_(wanted))
        .order_by(Thread.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalars()
    found = {row.id: row for row in rows}
    if len(found) < len(wanted):
        raise NotFound("no-such-thread", "There is no such thread.")
    for thread in found.values():
        if thread.merged_into_id is not None:
            raise Conflict(
                "thread-merged",
                f"This thread was put together with thread {thread.merged_into_id} meanwhile.",
                into=thread.merged_into_id,
            )
    return found


# --- Move --------------------------------------------------------------------------------------------------------


def move(session: Session, thread_id: int, *, board_slug: str, now: datetime) -> Done:
    """Put the thread on another board; its addresses stay. A pin falls. Raises NotFound, Conflict("already-there")."""
    board = boards.ensure(session, board_slug, now)
    thread = hold(session, thread_id)[thread_id]
    before = thread.board_id
    if board.id == before:
        raise Conflict("already-there", f"This thread stands on the board {board.name} already.", board=board.slug)
    threads, posts = int(thread.state is PostState.PUBLISHED), _published(session, thread_id)
    _change(session, thread_id, board_id=board.id, pinned_at=None)
    _step_boards(session, {before: (-threads, -posts), board.id: (threads, posts)}, now=now)
    indexing.index_thread(session, thread_id)
    return Done(thread_id, None, before, board.id, _opening(session, thread_id))


# --- Merge -------------------------------------------------------------------------------------------------------


def merge(session: Session, thread_id: int, *, into_id: int, now: datetime) -> Done:
    """Append all posts of a thread to another of the same kind; the old address leads there from now on.

    Its first post becomes a comment on the other's first post and keeps its title (in its texts); comments on it go
    along to that first post, because nobody comments on a comment. All others keep their parents and their order.
    Raises NotFound, Invalid on `into`, Conflict ("thread-merged", "thread-locked").
    """
    if thread_id == into_id:
        raise invalid("into", "A thread cannot be put together with itself.")
    rows = hold(session, thread_id, into_id)
    source, target = rows[thread_id], rows[into_id]
    if source.kind is not target.kind:
        raise invalid("into", "A question and an experience cannot be put together.")
    if target.state is not PostState.PUBLISHED:
        raise invalid("into", "The other thread is not public at present.")
    if source.is_locked:
        raise Conflict("thread-locked", "This thread is closed, which is a decision of its own. Open it again first.")
    boards_of = (source.board_id, target.board_id)
    threads, posts = int(source.state is PostState.PUBLISHED), _published(session, thread_id)
    opening, other = _opening(session, thread_id), _opening(session, into_id)
    moved = session.execute(select(Post.id).where(Post.thread_id == thread_id).order_by(Post.position)).scalars().all()
    indexing.drop_thread(session, thread_id)
    first, given = target.next_position, source.next_position
    _carry_read_marks(session, thread_id, into_id, first=first)
    _update_posts(session, Post.parent_id == opening, parent_id=other)
    _update_posts(
        session, and_(Post.thread_id == thread_id, Post.position > 0), thread_id=into_id, position=Post.position + first
    )
    _update_posts(
        session, Post.id == opening, thread_id=into_id, position=first, kind=PostKind.COMMENT, parent_id=other
    )
    _change(session, into_id, next_position=first + given)
    _recount(session, into_id)
    _change(
        session,
        thread_id,
        state=PostState.ERASED,
        merged_into_id=into_id,
        answer_count=0,
        comment_count=0,
        helpful_count=0,
        last_activity_at=source.created_at,
        pinned_at=None,
    )
    session.execute(
        update(Thread)
        .where(Thread.merged_into_id == thread_id)
        .values(merged_into_id=into_id)
        .execution_options(synchronize_session=False)
    )
    steps = {boards_of[0]: (-threads, -posts)}
    threads_there, posts_there = steps.get(boards_of[1], (0, 0))
    steps[boards_of[1]] = (threads_there, posts_there + posts)
    _step_boards(session, steps, now=now)
    indexing.index_thread(session, into_id)
    return Done(thread_id, into_id, *boards_of, opening, tuple(moved))


def _carry_read_marks(session: Session, source_id: int, target_id: int, *, first: int) -> None:
    """Who had read both to the end has read the sum; for everybody else what came is new. The old marks go."""
    old = aliased(ReadMark)
    seen = (
        select(old.position)
        .where(old.thread_id == source_id, old.member_id == ReadMark.member_id)
        .correlate(ReadMark)
        .scalar_subquery()
    )
    last = select(func.max(Post.position)).where(Post.thread_id == target_id).scalar_subquery()
    session.execute(
        update(ReadMark)
        .where(ReadMark.thread_id == target_id, ReadMark.position >= last, seen.is_not(None))
        .values(position=seen + first)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(ReadMark).where(ReadMark.thread_id == source_id).execution_options(synchronize_session=False)
    )


# --- Split -------------------------------------------------------------------------------------------------------


def split(
    session: Session,
    thread_id: int,
    *,
    post_ids: Sequence[int],
    title: str,
    settings: Settings,
    now: datetime,
    board_slug: str | None = None,
) -> Done:
    """Take posts out into a thread of their own, on the same board or another; the earliest becomes its first post.

    Comments on an answer that goes, go with it. A comment whose answer stays becomes one on the new first post.
    Raises Invalid on `title` or `post_ids` (none, too many, of another thread, the first post; an earliest one that is
    not public or of which an edit waits), NotFound for the board.
    """
    heading = _title(title, settings)
    board = boards.ensure(session, board_slug, now) if board_slug else None
    source = hold(session, thread_id)[thread_id]
    board = board or session.get_one(Board, source.board_id)
    chosen = _choose(session, thread_id, post_ids)
    opening = chosen[0]
    ids = [post.id for post in chosen]
    posts = sum(post.state is PostState.PUBLISHED for post in chosen)
    made = Thread(
        board_id=board.id,
        kind=source.kind,
        title=heading,
        slug=slugify(heading),
        author_id=opening.author_id,
        state=opening.state,
        language=opening.language,
        created_at=opening.created_at,
        last_activity_at=opening.created_at,
        next_position=len(ids),
    )
    session.add(made)
    session.flush()  # its posts name it by its id
    places = case({post_id: number for number, post_id in enumerate(ids)}, value=Post.id)
    _give_read_marks(session, thread_id, made.id, ids, places)
    homeless = and_(Post.id.in_(ids), Post.kind == PostKind.COMMENT, Post.parent_id.not_in(ids))
    _update_posts(session, homeless, parent_id=opening.id)
    _update_posts(session, Post.id.in_(ids[1:]), thread_id=made.id, position=places)
    _update_posts(
        session,
        Post.id == opening.id,
        thread_id=made.id,
        position=0,
        kind=PostKind.OPENING,
        parent_id=None,
        version=Post.version + 1,
    )
    _give_title(session, opening.id, heading, now=now)
    for changed in (thread_id, made.id):
        _change(session, changed)
        _recount(session, changed)
    steps = {source.board_id: (0, -posts)}
    threads_there, posts_there = steps.get(board.id, (0, 0))
    steps[board.id] = (threads_there + 1, posts_there + posts)
    _step_boards(session, steps, now=now)
    for changed in (thread_id, made.id):
        indexing.index_thread(session, changed)
    return Done(thread_id, made.id, source.board_id, board.id, opening.id, tuple(ids))


def _title(typed: str, settings: Settings) -> str:
    title = normalise(typed, field="title")
    if is_blank(title):
        raise invalid("title", "Give the new thread a title.")
    if len(title) > settings.max_title_chars:
        raise invalid("title", f"This has {len(title):,} characters; at most {settings.max_title_chars:,} fit.")
    return title


def _choose(session: Session, thread_id: int, post_ids: Sequence[int]) -> list[Post]:
    """The posts that go, in their order, with the comments on them."""
    wanted = set(post_ids)
    if not wanted:
        raise invalid("post_ids", "Choose the posts that should stand in a thread of their own.")
    if len(wanted) > MOST_SPLIT:
        raise _too_many()
    # A comment on the first post has it as its parent too, so the parent counts only if it goes itself.
    stmt = select(Post).where(Post.thread_id == thread_id, Post.id.in_(wanted) | Post.parent_id.in_(wanted))
    found = session.execute(
        stmt.order_by(Post.position).limit(MOST_SPLIT + 1).execution_options(populate_existing=True)
    ).scalars()
    chosen = list(found)
    if len(chosen) > MOST_SPLIT:
        raise _too_many()
    if wanted - {post.id for post in chosen}:
        raise invalid("post_ids", "One of these posts does not stand in this thread.")
    if chosen[0].kind is PostKind.OPENING:
        raise invalid("post_ids", "The first post stays. Move the whole thread instead.")
    if chosen[0].state is not PostState.PUBLISHED or revisions.waiting(session, chosen[0].id) is not None:
        raise invalid(
            "post_ids",
            "The earliest of these posts would be the first one of the new thread. It must be public, and no edit of "
            "it may wait.",
        )
    return chosen


def _too_many() -> Invalid:
    return invalid("post_ids", f"At most {MOST_SPLIT} posts go at once, the comments on them included.")


def _give_title(session: Session, post_id: int, title: str, *, now: datetime) -> None:
    """The first post of a thread carries the title in its text, so it gets a text that differs only in having one."""
    post = session.get_one(Post, post_id, populate_existing=True)
    edited_at = post.edited_at
    same = Rendered(html=post.html, text=post.text, excerpt=post.excerpt, renderer=post.renderer)
    revision = revisions.add(session, post, title=title, source=post.source, rendered=same, now=now)
    revisions.go_live(session, post, revision, now=now)
    # Its author has not edited anything.
    _update_posts(session, Post.id == post_id, edited_at=edited_at)


def _give_read_marks(
    session: Session, source_id: int, made_id: int, ids: Sequence[int], places: ColumnElement[int]
) -> None:
    """Whoever has read some of these posts where they stood has read them in the new thread."""
    rows = (
        select(ReadMark.member_id, literal(made_id), func.max(places), func.max(ReadMark.at))
        .join(Post, and_(Post.id.in_(ids), Post.position <= ReadMark.position))
        .where(ReadMark.thread_id == source_id)
        .group_by(ReadMark.member_id)
    )
    session.execute(
        insert(ReadMark).from_select(["member_id", "thread_id", "position", "at"], rows, include_defaults=False)
    )


# --- Close and pin -----------------------------------------------------------------------------------------------


def set_locked(session: Session, thread_id: int, *, locked: bool) -> None:
    """Close a thread to new posts and edits, or open it. Raises Conflict ("thread-locked", "thread-open")."""
    if hold(session, thread_id)[thread_id].is_locked == locked:
        code, word = ("thread-locked", "closed") if locked else ("thread-open", "open")
        raise Conflict(code, f"This thread is {word} already.")
    _change(session, thread_id, is_locked=locked)


def set_pinned(session: Session, thread_id: int, *, pinned: bool, now: datetime) -> Done:
    """Let a public thread stand first on its board, or no longer. At most MOST_PINNED on one board.

    Raises Conflict ("thread-pinned", "thread-not-pinned"), Invalid("too-many-pins", "not-public").
    """
    thread = hold(session, thread_id)[thread_id]
    if (thread.pinned_at is not None) == pinned:
        code = "thread-pinned" if pinned else "thread-not-pinned"
        raise Conflict(code, f"This thread is {'pinned' if pinned else 'not pinned'} already.")
    if pinned:
        if thread.state is not PostState.PUBLISHED:
            raise Invalid("not-public", "Only a public thread can stand first on its board.")
        # One at a time on a board, so that two at once do not pin one too many.
        session.execute(select(Board.id).where(Board.id == thread.board_id).with_for_update(key_share=True))
        count = select(func.count(Thread.id)).where(Thread.board_id == thread.board_id, Thread.pinned_at.is_not(None))
        if session.execute(count).scalar_one() >= MOST_PINNED:
            message = f"At most {MOST_PINNED} threads stand first on a board. Take another pin off first."
            raise Invalid("too-many-pins", message)
    _change(session, thread_id, pinned_at=now if pinned else None)
    _step_boards(session, {thread.board_id: (0, 0)}, now=now)
    return Done(thread_id, None, thread.board_id, thread.board_id, _opening(session, thread_id))


# --- Shared ------------------------------------------------------------------------------------------------------


def _opening(session: Session, thread_id: int) -> int:
    return session.execute(select(Post.id).where(Post.thread_id == thread_id, Post.position == 0)).scalar_one()


def _published(session: Session, thread_id: int) -> int:
    stmt = select(func.count(Post.id)).where(Post.thread_id == thread_id, Post.state == PostState.PUBLISHED)
    return session.execute(stmt).scalar_one()


def _update_posts(session: Session, which: ColumnElement[bool], **values: object) -> None:
    session.execute(update(Post).where(which).values(**values).execution_options(synchronize_session=False))


def _change(session: Session, thread_id: int, **values: object) -> None:
    """Write these columns of a thread, and raise its version: its page changes."""
    session.execute(
        update(Thread)
        .where(Thread.id == thread_id)
        .values(version=Thread.version + 1, **values)
        .execution_options(synchronize_session=False)
    )


def _recount(session: Session, thread_id: int) -> None:
    """Counters and last activity of a thread from its posts."""
    public = and_(Post.thread_id == thread_id, Post.state == PostState.PUBLISHED)
    answers = func.count(case((Post.kind == PostKind.ANSWER, 1)))
    comments = func.count(case((Post.kind == PostKind.COMMENT, 1)))
    helpful = func.coalesce(func.sum(case((Post.kind == PostKind.ANSWER, Post.helpful_count), else_=0)), 0)
    counted = session.execute(select(answers, comments, helpful, func.max(Post.published_at)).where(public)).one()
    session.execute(
        update(Thread)
        .where(Thread.id == thread_id)
        .values(
            answer_count=counted[0],
            comment_count=counted[1],
            helpful_count=counted[2],
            last_activity_at=counted[3] or Thread.created_at,
        )
        .execution_options(synchronize_session=False)
    )


def _step_boards(session: Session, steps: dict[int, tuple[int, int]], *, now: datetime) -> None:
    """Add (threads, posts) to each board's counters; it opens with its first public thread."""
    for board_id, (threads, posts) in sorted(steps.items()):
        values: dict[str, object] = {
            "thread_count": Board.thread_count + threads,
            "post_count": Board.post_count + posts,
            "version": Board.version + 1,
        }
        if threads > 0:
            values["opened_at"] = func.coalesce(Board.opened_at, now)
        session.execute(
            update(Board).where(Board.id == board_id).values(**values).execution_options(synchronize_session=False)
        )
        newest = select(func.max(Thread.last_activity_at)).where(
            Thread.board_id == board_id, Thread.state == PostState.PUBLISHED
        )
        session.execute(
            update(Board)
            .where(Board.id == board_id)
            .values(last_activity_at=newest.scalar_subquery())
            .execution_options(synchronize_session=False)
        )
