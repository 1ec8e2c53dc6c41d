"""The forum's rows in the search index: published posts of published threads, and nothing else, ever."""

from sqlalchemy import String, and_, cast, delete, insert, literal, select, update
from sqlalchemy.orm import Session

from core import fulltext
from core.fulltext import SearchEntry
from core.vocabulary import PostKind, PostState
from forum.models import Board, Post, Thread

THREAD, POST = "thread", "post"


def index_thread(session: Session, thread_id: int) -> None:
    """Put the opening post and every published reply in, replacing what stood there."""
    drop_thread(session, thread_id)
    columns = ["kind", "ref_id", "board_id", "condition_id", "detail", "url", "title", "body", "at"]
    path = literal("/posts/") + cast(Post.id, String(20))
    rows = (
        select(
            literal(POST),
            Post.id,
            Thread.board_id,
            Board.condition_id,
            Thread.kind,
            path,
            Thread.title,
            Post.text,
            Post.published_at,
        )
        .join(Thread, Thread.id == Post.thread_id)
        .join(Board, Board.id == Thread.board_id)
        .where(
            Thread.id == thread_id,
            Thread.state == PostState.PUBLISHED,
            Post.state == PostState.PUBLISHED,
            Post.kind != PostKind.OPENING,
        )
    )
    session.execute(insert(SearchEntry).from_select(columns, rows, include_defaults=False))
    index_opening(session, thread_id)


def index_opening(session: Session, thread_id: int) -> None:
    """Put the opening post of a published thread in, replacing what stood there."""
    opening = session.execute(
        select(Thread, Post.text, Post.published_at, Board.condition_id)
        .join(Post, and_(Post.thread_id == Thread.id, Post.position == 0))
        .join(Board, Board.id == Thread.board_id)
        .where(Thread.id == thread_id, Thread.state == PostState.PUBLISHED)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if opening is None:
        return
    thread, text, at, condition_id = opening
    fulltext.put(
        session,
        SearchEntry(
            kind=THREAD,
            ref_id=thread.id,
            board_id=thread.board_id,
            condition_id=condition_id,
            detail=thread.kind.value,
            url=f"/threads/{thread.id}/{thread.slug}",
            title=thread.title,
            body=text,
            at=at,
        ),
    )


def index_reply(session: Session, post_id: int) -> None:
    """Put one published reply of a published thread in, or take it out where it is not that."""
    found = session.execute(
        select(Post, Thread.kind, Thread.title, Thread.board_id, Board.condition_id)
        .join(Thread, Thread.id == Post.thread_id)
        .join(Board, Board.id == Thread.board_id)
        .where(Post.id == post_id, Post.state == PostState.PUBLISHED, Thread.state == PostState.PUBLISHED)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        fulltext.drop(session, POST, post_id)
        return
    post, kind, title, board_id, condition_id = found
    fulltext.put(
        session,
        SearchEntry(
            kind=POST,
            ref_id=post.id,
            board_id=board_id,
            condition_id=condition_id,
            detail=kind.value,
            url=f"/posts/{post.id}",
            title=title,
            body=post.text,
            at=post.published_at,
        ),
    )


def drop_thread(session: Session, thread_id: int) -> None:
    """Take the thread and all its posts out. Cost: two indexed deletes, whatever the thread's length."""
    session.flush()
    replies = select(Post.id).where(Post.thread_id == thread_id)
    for kind, ids in ((POST, SearchEntry.ref_id.in_(replies)), (THREAD, SearchEntry.ref_id == thread_id)):
        session.execute(
            delete(SearchEntry).where(SearchEntry.kind == kind, ids).execution_options(synchronize_session=False)
        )


def retitle(session: Session, thread_id: int) -> None:
    """The thread has a new title: its replies are found under it too."""
    replies = select(Post.id).where(Post.thread_id == thread_id)
    title = select(Thread.title).where(Thread.id == thread_id).scalar_subquery()
    session.execute(
        update(SearchEntry)
        .where(SearchEntry.kind == POST, SearchEntry.ref_id.in_(replies))
        .values(title=title)
        .execution_options(synchronize_session=False)
    )
