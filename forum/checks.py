"""What must always hold in the forum's tables; `ops check` prints every breach."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from auth.models import Member
from core.fulltext import SearchEntry
from core.vocabulary import PostKind, PostState, RevisionState
from forum.indexing import POST, THREAD
from forum.models import Board, HelpfulMark, Post, Revision, Thread
from forum.revisions import WAITING

MOST_NAMED = 5
SHOWN = (PostState.PUBLISHED, PostState.SHIELDED)
NEVER_LIVE = (PostState.DRAFT, PostState.HELD, PostState.CHANGES_REQUESTED)


def checks(session: Session) -> list[str]:
    """Every breach as one line. Cost: reads every thread, post and revision once."""
    return [line for title, stmt in _invariants() for line in _breaches(session, title, stmt)]


def _breaches(session: Session, title: str, stmt: Select[Any]) -> Iterator[str]:
    ids = list(session.execute(stmt.limit(MOST_NAMED + 1)).scalars())
    if ids:
        named = ", ".join(str(i) for i in ids[:MOST_NAMED]) + (" …" if len(ids) > MOST_NAMED else "")
        yield f"{title}: {named}"


def _invariants() -> Iterator[tuple[str, Select[Any]]]:
    yield from _threads()
    yield from _boards()
    yield from _posts()
    yield from _texts()
    yield from _search()


def _count(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count(Post.id)).where(*conditions).correlate(Thread, Board, Member).scalar_subquery()


def _threads() -> Iterator[tuple[str, Select[Any]]]:
    mine = and_(Post.thread_id == Thread.id, Post.state == PostState.PUBLISHED)
    yield (
        "threads whose answer_count is wrong",
        select(Thread.id).where(Thread.answer_count != _count(mine, Post.kind == PostKind.ANSWER)),
    )
    yield (
        "threads whose comment_count is wrong",
        select(Thread.id).where(Thread.comment_count != _count(mine, Post.kind == PostKind.COMMENT)),
    )
    helpful = (
        select(func.coalesce(func.sum(Post.helpful_count), 0))
        .where(mine, Post.kind == PostKind.ANSWER)
        .correlate(Thread)
        .scalar_subquery()
    )
    yield "threads whose helpful_count is wrong", select(Thread.id).where(Thread.helpful_count != helpful)
    newest = select(func.max(Post.published_at)).where(mine).correlate(Thread).scalar_subquery()
    yield (
        "threads whose last_activity_at is wrong",
        select(Thread.id).where(Thread.last_activity_at != func.coalesce(newest, Thread.created_at)),
    )
    opening = (
        select(Post.id)
        .where(
            Post.thread_id == Thread.id,
            Post.position == 0,
            Post.state == Thread.state,
            Post.author_id == Thread.author_id,
        )
        .correlate(Thread)
        .exists()
    )
    yield (
        "threads that differ from their opening post in state or author, or have none",
        select(Thread.id).where(~opening, Thread.merged_into_id.is_(None)),
    )
    left = select(Post.id).where(Post.thread_id == Thread.id).correlate(Thread).exists()
    goal = aliased(Thread)
    whole = select(goal.id).where(goal.id == Thread.merged_into_id, goal.merged_into_id.is_(None)).exists()
    shown = or_(Thread.state != PostState.ERASED, Thread.pinned_at.is_not(None))
    yield (
        "merged threads that still have posts, are shown, or lead to another merged one",
        select(Thread.id).where(Thread.merged_into_id.is_not(None), or_(left, shown, ~whole)),
    )
    last = select(func.max(Post.position)).where(Post.thread_id == Thread.id).correlate(Thread).scalar_subquery()
    yield "threads whose next_position was given already", select(Thread.id).where(Thread.next_position <= last)


def _boards() -> Iterator[tuple[str, Select[Any]]]:
    published = and_(Thread.board_id == Board.id, Thread.state == PostState.PUBLISHED)
    threads = select(func.count(Thread.id)).where(published).correlate(Board).scalar_subquery()
    yield "boards whose thread_count is wrong", select(Board.id).where(Board.thread_count != threads)
    posts = (
        select(func.count(Post.id))
        .join(Thread, Thread.id == Post.thread_id)
        .where(Thread.board_id == Board.id, Post.state == PostState.PUBLISHED)
        .correlate(Board)
        .scalar_subquery()
    )
    yield "boards whose post_count is wrong", select(Board.id).where(Board.post_count != posts)
    newest = select(func.max(Thread.last_activity_at)).where(published).correlate(Board).scalar_subquery()
    yield (
        "boards whose last_activity_at is wrong",
        select(Board.id).where(Board.last_activity_at.is_distinct_from(newest)),
    )
    yield (
        "boards with published threads that are not open",
        select(Board.id).where(Board.thread_count > 0, Board.opened_at.is_(None)),
    )


def _posts() -> Iterator[tuple[str, Select[Any]]]:
    marks = (
        select(func.count()).where(HelpfulMark.post_id == Post.id).select_from(HelpfulMark).correlate(Post)
    ).scalar_subquery()
    yield "posts whose helpful_count is wrong", select(Post.id).where(Post.helpful_count != marks)
    yield (
        "published posts that nobody marked as visible or dated",
        select(Post.id).where(
            Post.state == PostState.PUBLISHED, or_(Post.was_visible.is_(False), Post.published_at.is_(None))
        ),
    )
    yield "posts left as drafts", select(Post.id).where(Post.state == PostState.DRAFT)
    yield (
        "members whose approved_count is wrong",
        select(Member.id).where(
            Member.approved_count != _count(Post.author_id == Member.id, Post.published_at.is_not(None))
        ),
    )
    parent = select(Thread.id).where(Thread.id == Post.thread_id).correlate(Post).exists()
    yield "posts without a thread", select(Post.id).where(~parent)
    yield (
        "comments without a parent, or other posts with one",
        select(Post.id).where((Post.kind == PostKind.COMMENT) != Post.parent_id.is_not(None)),
    )
    above = aliased(Post)
    yield (
        "comments on a post of another thread, or on another comment",
        select(Post.id)
        .join(above, above.id == Post.parent_id)
        .where(or_(above.thread_id != Post.thread_id, above.kind == PostKind.COMMENT)),
    )


def _texts() -> Iterator[tuple[str, Select[Any]]]:
    live = and_(Revision.id == Post.live_revision_id, Revision.post_id == Post.id)
    right = (
        select(Revision.id)
        .where(live, Revision.state == RevisionState.LIVE, Revision.source == Post.source)
        .correlate(Post)
        .exists()
    )
    yield (
        "posts whose live text is not what they show",
        select(Post.id).where(Post.live_revision_id.is_not(None), ~right),
    )
    yield (
        "published posts without a live text",
        select(Post.id).where(Post.state.in_(SHOWN), Post.live_revision_id.is_(None)),
    )
    yield (
        "waiting posts that have a live text",
        select(Post.id).where(Post.state.in_(NEVER_LIVE), Post.live_revision_id.is_not(None)),
    )
    waits = select(Revision.id).where(Revision.post_id == Post.id, Revision.state.in_(WAITING)).correlate(Post).exists()
    yield "waiting posts without a text that waits", select(Post.id).where(Post.state.in_(NEVER_LIVE), ~waits)
    pointed = select(Post.id).where(Post.live_revision_id == Revision.id).correlate(Revision).exists()
    yield "live texts that no post shows", select(Revision.id).where(Revision.state == RevisionState.LIVE, ~pointed)
    title = (
        select(Revision.id)
        .join(Post, Post.live_revision_id == Revision.id)
        .where(Post.thread_id == Thread.id, Post.position == 0, Revision.title == Thread.title)
        .correlate(Thread)
        .exists()
    )
    yield "threads whose title is not that of their live text", select(Thread.id).where(Thread.state.in_(SHOWN), ~title)


def _search() -> Iterator[tuple[str, Select[Any]]]:
    public = and_(Thread.state == PostState.PUBLISHED, Post.state == PostState.PUBLISHED)
    kind = case((Post.position == 0, THREAD), else_=POST)
    ref = case((Post.position == 0, Post.thread_id), else_=Post.id)
    entry = (
        select(SearchEntry.id)
        .where(
            SearchEntry.kind == kind,
            SearchEntry.ref_id == ref,
            SearchEntry.board_id == Thread.board_id,
            SearchEntry.title == Thread.title,
            SearchEntry.body == Post.text,
        )
        .correlate(Post, Thread)
        .exists()
    )
    yield (
        "published posts that search does not find",
        (select(Post.id).join(Thread, Thread.id == Post.thread_id).where(public, ~entry)),
    )
    still = (
        select(Post.id)
        .join(Thread, Thread.id == Post.thread_id)
        .where(public, SearchEntry.kind == kind, SearchEntry.ref_id == ref)
        .correlate(SearchEntry)
        .exists()
    )
    yield (
        "search rows of what is not published",
        select(SearchEntry.id).where(SearchEntry.kind.in_((THREAD, POST)), ~still),
    )
