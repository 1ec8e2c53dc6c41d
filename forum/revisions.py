"""The texts of a post: which one readers see, which one waits, and the history of both."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from auth.policy import Actor, Sight, is_author, moderates, require, sight
from core.errors import NotFound
from core.markup import Rendered
from core.text import slugify
from core.vocabulary import Action, PostKind, PostState, RevisionState
from forum import indexing
from forum.models import Post, Revision, Thread
from forum.subjects import load_post

WAITING = (RevisionState.HELD, RevisionState.CHANGES_REQUESTED)


@dataclass(frozen=True)
class HistoryEntry:
    """One text. `number` counts what this reader sees; `state` is None for readers who judge nothing."""

    id: int
    number: int
    title: str | None
    html: str
    text: str
    source: str | None
    state: RevisionState | None
    is_live: bool
    created_at: datetime
    live_at: datetime | None


def add(session: Session, post: Post, *, title: str | None, source: str, rendered: Rendered, now: datetime) -> Revision:
    """Append a text that waits; an older one that waited is superseded."""
    session.execute(
        update(Revision)
        .where(Revision.post_id == post.id, Revision.state.in_(WAITING))
        .values(state=RevisionState.SUPERSEDED)
        .execution_options(synchronize_session=False)
    )
    last = session.execute(select(func.max(Revision.number)).where(Revision.post_id == post.id)).scalar()
    revision = Revision(
        post_id=post.id,
        number=(last or 0) + 1,
        title=title,
        source=source,
        html=rendered.html,
        text=rendered.text,
        excerpt=rendered.excerpt,
        renderer=rendered.renderer,
        state=RevisionState.HELD,
        author_id=post.author_id,
        created_at=now,
    )
    session.add(revision)
    session.flush()  # the gate and the post name it by its id
    return revision


def waiting(session: Session, post_id: int) -> Revision | None:
    """The text that a person has yet to read, or that its author was asked to change."""
    return session.execute(
        select(Revision)
        .where(Revision.post_id == post_id, Revision.state.in_(WAITING))
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()


def newest(session: Session, post_id: int) -> Revision:
    return session.execute(
        select(Revision)
        .where(Revision.post_id == post_id)
        .order_by(Revision.number.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).scalar_one()


def set_state(session: Session, revision_id: int, state: RevisionState) -> None:
    """Write down what became of a waiting edit; the text that readers see does not change."""
    session.execute(
        update(Revision)
        .where(Revision.id == revision_id)
        .values(state=state)
        .execution_options(synchronize_session=False)
    )


def publish(session: Session, revision_id: int, *, now: datetime) -> Post:
    """Make this text the one that readers see: an approved edit, or an older text after an undo.

    The post's state does not change, so call it for a post that already has a live text; `lifecycle.move` does it by
    itself for one that never had. Raises the post's version only where a live text is replaced.
    """
    revision = session.get(Revision, revision_id, populate_existing=True)
    if revision is None:
        raise NotFound()
    post = session.get_one(Post, revision.post_id, populate_existing=True)
    replaces = post.live_revision_id not in (None, revision_id)
    put_live(session, post, revision, now=now)
    if replaces:
        session.execute(
            update(Post)
            .where(Post.id == post.id)
            .values(version=Post.version + 1)
            .execution_options(synchronize_session=False)
        )
    return session.get_one(Post, post.id, populate_existing=True)


def put_live(session: Session, post: Post, revision: Revision, *, now: datetime) -> None:
    """The same for an edit whose writer has raised the post's version already."""
    go_live(session, post, revision, now=now)
    if post.was_visible or post.state is PostState.PUBLISHED:
        session.execute(
            update(Thread)
            .where(Thread.id == post.thread_id)
            .values(version=Thread.version + 1)
            .execution_options(synchronize_session=False)
        )
    if post.state is PostState.PUBLISHED:
        reindex(session, post)


def go_live(session: Session, post: Post, revision: Revision, *, now: datetime) -> None:
    """Move the pointer, and copy the text (and title) to where pages read it."""
    if post.live_revision_id not in (None, revision.id):
        set_state(session, post.live_revision_id, RevisionState.SUPERSEDED)
    session.execute(
        update(Revision)
        .where(Revision.id == revision.id)
        .values(state=RevisionState.LIVE, live_at=func.coalesce(Revision.live_at, now))
        .execution_options(synchronize_session=False)
    )
    replaced = post.live_revision_id not in (None, revision.id)
    values: dict[str, object] = {"live_revision_id": revision.id}
    if replaced and post.was_visible:
        values["edited_at"] = now
    session.execute(
        update(Post).where(Post.id == post.id).values(**values).execution_options(synchronize_session=False)
    )
    show(session, post, revision)


def show(session: Session, post: Post, revision: Revision) -> None:
    """Copy a revision's text into its post, and its title into the thread."""
    session.execute(
        update(Post)
        .where(Post.id == post.id)
        .values(
            source=revision.source,
            html=revision.html,
            text=revision.text,
            excerpt=revision.excerpt,
            renderer=revision.renderer,
        )
        .execution_options(synchronize_session=False)
    )
    if post.kind is PostKind.OPENING and revision.title is not None:
        session.execute(
            update(Thread)
            .where(Thread.id == post.thread_id)
            .values(title=revision.title, slug=slugify(revision.title))
            .execution_options(synchronize_session=False)
        )


def reindex(session: Session, post: Post) -> None:
    """Bring the search rows of a published post in line with its text."""
    if post.kind is PostKind.OPENING:
        indexing.index_opening(session, post.thread_id)
        indexing.retitle(session, post.thread_id)
    else:
        indexing.index_reply(session, post.id)


def follow(session: Session, post: Post, to: PostState, *, now: datetime) -> None:
    """Keep the revisions in step with a move of their post; only `lifecycle` calls it."""
    text_waiting = waiting(session, post.id)
    if to in (PostState.PUBLISHED, PostState.SHIELDED):
        if post.live_revision_id is None:
            go_live(session, post, newest(session, post.id), now=now)
    elif to is PostState.HELD:
        _wait_again(session, post, text_waiting)
    elif text_waiting is not None:
        set_state(session, text_waiting.id, _FATE[to])


_FATE = {
    PostState.CHANGES_REQUESTED: RevisionState.CHANGES_REQUESTED,
    PostState.REJECTED: RevisionState.REJECTED,
    PostState.WITHDRAWN: RevisionState.WITHDRAWN,
    # An edit that waits falls with its post; its author can write another once the post is restored.
    PostState.HIDDEN: RevisionState.REJECTED,
    PostState.REMOVED: RevisionState.REJECTED,
}


def _wait_again(session: Session, post: Post, text_waiting: Revision | None) -> None:
    """The post waits (again): an approval was undone, or asked-for changes came; its text is to be judged."""
    judged = text_waiting
    if post.live_revision_id is not None:
        judged = text_waiting or session.get_one(Revision, post.live_revision_id)
        set_state(session, post.live_revision_id, RevisionState.SUPERSEDED)
        session.execute(
            update(Post)
            .where(Post.id == post.id)
            .values(live_revision_id=None)
            .execution_options(synchronize_session=False)
        )
    judged = judged or newest(session, post.id)
    set_state(session, judged.id, RevisionState.HELD)
    show(session, post, judged)


def history(session: Session, post_id: int, actor: Actor) -> list[HistoryEntry]:
    """The texts that this reader may see, oldest first: all for author and moderators, once-public ones for others."""
    loaded = load_post(session, post_id, actor)
    if sight(actor, loaded.subject) is not Sight.FULL:
        raise NotFound()
    require(actor, Action.READ_REVISIONS, loaded.subject)
    whole = is_author(actor, loaded.subject) or moderates(actor, loaded.subject)
    stmt = select(Revision).where(Revision.post_id == post_id).order_by(Revision.number)
    if not whole:
        stmt = stmt.where(Revision.live_at.is_not(None))
    return [
        HistoryEntry(
            id=revision.id,
            number=number,
            title=revision.title,
            html=revision.html,
            text=revision.text,
            source=revision.source if whole else None,
            state=revision.state if whole else None,
            is_live=revision.id == loaded.post.live_revision_id,
            created_at=revision.created_at if whole else revision.live_at or revision.created_at,
            live_at=revision.live_at,
        )
        for number, revision in enumerate(session.execute(stmt).scalars(), start=1)
    ]
