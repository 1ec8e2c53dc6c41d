"""What pages and API show of boards, threads and posts: frozen, fully loaded, in a bounded number of queries.

How much of a post a reader gets is `auth.policy.sight`; SQL (`forum.visibility`) leaves out what they may not know of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select
from sqlalchemy.orm import Session, aliased

from auth.models import Member, RoleGrant
from auth.policy import NEW_MEMBER_POSTS, Actor, Sight, Subject, allowed, is_author, moderates, sight
from content.models import condition_category
from core.config import Settings
from core.errors import Invalid, NotFound
from core.keyset import Key, Page, page
from core.vocabulary import Action, PostKind, PostState, RevisionState, Role, ThreadKind
from forum import boards, intake, labels, reading
from forum.gate import Gate, GuidanceNote, HeldStatus, Resource
from forum.intake import IntakeView
from forum.labels import LabelView
from forum.models import Board, BoardFollow, Guidance, HelpfulMark, Post, PostLabel, ReadMark, Revision, Thread
from forum.revisions import WAITING as WAITING_TEXTS
from forum.subjects import load_post, opening_subject
from forum.visibility import shown, threads_listed

# Posts on one page of a thread; a page is a range of stored positions, so that its number never shifts.
POSTS_PER_PAGE = 20
MOST_HELPFUL = 3
# A bound only: `operations.MOST_PINNED` keeps them fewer.
PINNED_SHOWN = 10
# After so long without a new post, what a thread says may be out of date.
OLD_AFTER = timedelta(days=2 * 365)
# Place and wait are asked of the gate one by one; on one page nobody has more own posts waiting than this.
HELD_SHOWN = 5
FORMER_MEMBER = "Former member"
SHOWN = frozenset({PostState.PUBLISHED, PostState.SHIELDED})
SORTS = ("active", "new", "unanswered", "helpful")


class Merged(NotFound):
    """The thread was put together with another: a door that has an address for it leads there, others know none."""

    def __init__(self, into: int) -> None:
        super().__init__("thread-merged", "This thread was put together with another one.", into=into)
        self.into = into


# --- What is shown -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AuthorView:
    """`chips` are codes in a fixed order: lead moderator editor admin new_member. A former member has none."""

    handle: str
    is_former: bool = False
    chips: tuple[str, ...] = ()


@dataclass(frozen=True)
class BoardView:
    """A board, whether or not its row exists yet; counts are of published threads and posts."""

    id: int | None
    slug: str
    name: str
    condition_id: int | None
    is_open: bool
    mode: str
    thread_count: int
    post_count: int
    last_activity_at: datetime | None
    moderation_statement: str
    # A few lines by its moderators; empty: none.
    notice: str = ""
    notice_html: str = ""
    is_followed: bool = False

    @property
    def url(self) -> str:
        return f"/boards/{self.slug}/"


@dataclass(frozen=True)
class ThreadRow:
    """One line of a list of threads. `has_news`: something was published since this member last looked."""

    id: int
    kind: ThreadKind
    title: str
    slug: str
    state: PostState
    author: AuthorView
    board_slug: str
    board_name: str
    answer_count: int
    comment_count: int
    helpful_count: int
    was_misdiagnosed: bool
    is_locked: bool
    excerpt: str
    created_at: datetime
    last_activity_at: datetime
    is_pinned: bool = False
    has_news: bool = False

    @property
    def url(self) -> str:
        return f"/threads/{self.id}/{self.slug}"


@dataclass(frozen=True)
class WaitingText:
    """An edit that waits beside the live text: for its author and the board's moderators."""

    revision_id: int
    state: RevisionState
    title: str | None
    source: str
    html: str
    created_at: datetime


@dataclass(frozen=True)
class PostView:
    """One post as this reader may see it; of a tombstone `html`, `text` and `excerpt` are empty.

    `source` is None for readers who neither wrote nor judge it. `held` and `guidance` are for the author alone.
    """

    id: int
    thread_id: int
    kind: PostKind
    parent_id: int | None
    parent_position: int | None
    position: int
    state: PostState
    version: int
    sight: Sight
    author: AuthorView | None
    is_mine: bool
    is_by_asker: bool
    html: str
    text: str
    excerpt: str
    source: str | None
    language: str
    created_at: datetime
    edited_at: datetime | None
    helpful_count: int
    marked_helpful: bool
    may: frozenset[Action]
    # A caution by a moderator, for everybody who reads the post.
    label: LabelView | None = None
    # Of the first post of a thread that was put together with this one.
    former_title: str | None = None
    waiting: WaitingText | None = None
    held: HeldStatus | None = None
    guidance: tuple[GuidanceNote, ...] = ()

    @property
    def url(self) -> str:
        return f"/posts/{self.id}"

    @property
    def anchor(self) -> str:
        return f"post-{self.id}"

    @property
    def page(self) -> int:
        """The number of the thread's page on which it stands."""
        return page_of(self.position)

    @property
    def is_tombstone(self) -> bool:
        return self.sight is Sight.TOMBSTONE


@dataclass(frozen=True)
class ThreadView:
    """`title` and `slug` are empty where the opening post is a tombstone: its title is part of its text."""

    id: int
    kind: ThreadKind
    title: str
    slug: str
    state: PostState
    version: int
    author: AuthorView | None
    answer_count: int
    comment_count: int
    helpful_count: int
    was_misdiagnosed: bool
    is_locked: bool
    is_pinned: bool
    language: str
    created_at: datetime
    last_activity_at: datetime
    # Nothing new for OLD_AFTER.
    is_old: bool
    # Search engines may not keep it.
    is_noindex: bool

    @property
    def url(self) -> str:
        return f"/threads/{self.id}/{self.slug}" if self.slug else f"/threads/{self.id}"


@dataclass(frozen=True)
class ThreadPage:
    """One page of a thread. `posts` are answers and comments in the order of time; `helpful` only on page 1."""

    thread: ThreadView
    board: BoardView
    opening: PostView
    intake: tuple[IntakeView, ...]
    helpful: tuple[PostView, ...]
    posts: tuple[PostView, ...]
    number: int
    page_count: int
    # The cursor after the last of `posts`, for the API; None at the end.
    next: str | None
    # Whether the thread takes any (who may write is another question: a visitor writes first and signs in after).
    takes_answers: bool
    takes_comments: bool
    # The first post that this member has not seen, where they have been here before, and up to where they have read.
    first_unread_id: int | None
    read_to: int | None
    # Whether the door should call `reading.see(session, actor, thread.id, seen_to, now=…)`.
    mark_is_due: bool
    seen_to: int

    def is_new(self, post: PostView) -> bool:
        """Whether this member, who has been here before, has not seen this post of somebody else."""
        return self.read_to is not None and post.position > self.read_to and not post.is_mine

    @property
    def words(self) -> str:
        """What this reader may read of the question itself, for choosing what stands beside it."""
        return f"{self.thread.title}\n\n{self.opening.text}" if self.opening.sight is Sight.FULL else ""


@dataclass(frozen=True)
class PostPlace:
    """Where a post stands, for its permanent address."""

    post_id: int
    thread_id: int
    slug: str
    page: int

    @property
    def url(self) -> str:
        path = f"/threads/{self.thread_id}" + (f"/{self.slug}" if self.slug else "")
        query = f"?page={self.page}" if self.page > 1 else ""
        return f"{path}{query}#post-{self.post_id}"


def page_of(position: int) -> int:
    """The page on which a stored position stands; the opening post (0) is on page 1."""
    return max(0, position - 1) // POSTS_PER_PAGE + 1


# --- Boards ------------------------------------------------------------------------------------------------------


def board(session: Session, actor: Actor, slug: str) -> BoardView:
    """The board at an address; a door redirects where the answer's slug is another. Cost: 1 or 2 queries."""
    place = boards.find(session, slug)
    follows = False
    if actor.is_signed_in and place.id is not None:
        stmt = select(BoardFollow.at).where(BoardFollow.member_id == actor.id, BoardFollow.board_id == place.id)
        follows = session.execute(stmt).first() is not None
    return _board_view(place, follows)


def _board_view(place: boards.BoardPlace, follows: bool = False) -> BoardView:
    row = place.board
    return BoardView(
        id=place.id,
        slug=place.slug,
        name=place.name,
        condition_id=place.condition_id,
        is_open=place.is_open,
        mode=place.mode,
        thread_count=row.thread_count if row else 0,
        post_count=row.post_count if row else 0,
        last_activity_at=row.last_activity_at if row else None,
        moderation_statement=(row.moderation_statement if row else "") or boards.STATEMENT,
        notice=row.notice if row else "",
        notice_html=row.notice_html if row else "",
        is_followed=follows,
    )


def followed_boards(session: Session, actor: Actor, *, limit: int = 100) -> list[BoardView]:
    """The boards that this member follows, the most lively first. Cost: 1 query."""
    stmt = (
        select(Board)
        .join(BoardFollow, BoardFollow.board_id == Board.id)
        .where(BoardFollow.member_id == actor.id)
        .order_by(Board.last_activity_at.desc().nulls_last(), Board.id)
        .limit(limit)
    )
    return [replace(_row_view(row), is_followed=True) for row in session.execute(stmt).scalars()]


def _row_view(row: Board) -> BoardView:
    return _board_view(boards.BoardPlace(row.slug, row.name, row.condition_id, row))


# --- Lists of threads --------------------------------------------------------------------------------------------

_ROW_COLUMNS = (
    Thread.id,
    Thread.kind,
    Thread.title,
    Thread.slug,
    Thread.state,
    Thread.author_id,
    Thread.answer_count,
    Thread.comment_count,
    Thread.helpful_count,
    Thread.was_misdiagnosed,
    Thread.is_locked,
    Thread.pinned_at,
    Thread.created_at,
    Thread.last_activity_at,
    Board.slug.label("board_slug"),
    Board.name.label("board_name"),
    Post.excerpt,
    Member.handle,
    Member.closed_at,
    Member.approved_count,
)
_SORT_KEYS = {
    "active": (Key(Thread.last_activity_at, "last_activity_at", descending=True),),
    "new": (Key(Thread.created_at, "created_at", descending=True),),
    "unanswered": (Key(Thread.created_at, "created_at", descending=True),),
    "helpful": (Key(Thread.helpful_count, "helpful_count", descending=True),),
}
_BY_ID = Key(Thread.id, "id", descending=True)


def board_threads(
    session: Session,
    actor: Actor,
    board_id: int | None,
    *,
    kind: ThreadKind | None = None,
    sort: str = "active",
    after: str | None = None,
    limit: int = 20,
    without_pinned: bool = False,
) -> Page[ThreadRow]:
    """The threads of a board that its list shows; `sort` is one of SORTS. Cost: 2 queries, 3 for a member.

    `without_pinned` for a list before which the pinned ones stand apart (`pinned_threads`).
    """
    if sort not in SORTS:
        raise Invalid("invalid-field", "Unknown order.", errors=[("sort", f"one of {', '.join(SORTS)}")])
    # Two states in one list cannot be read in the order of an index, so the rare one is asked for first.
    listed = threads_listed(actor) if _has_shielded(session, actor, board_id) else Thread.state == PostState.PUBLISHED
    stmt = _rows(actor).where(Thread.board_id == board_id, listed)
    if kind is not None:
        stmt = stmt.where(Thread.kind == kind)
    if sort == "unanswered":
        stmt = stmt.where(_UNANSWERED)
    if without_pinned:
        stmt = stmt.where(Thread.pinned_at.is_(None))
    return _thread_rows(session, stmt, _SORT_KEYS[sort], after=after, limit=limit, board_id=board_id)


def pinned_threads(session: Session, actor: Actor, board_id: int | None) -> list[ThreadRow]:
    """The public threads that stand first on a board, the latest pin first. Cost: 1 query, 2 where there are any."""
    stmt = _rows(actor).where(
        Thread.board_id == board_id, Thread.pinned_at.is_not(None), Thread.state == PostState.PUBLISHED
    )
    rows = session.execute(stmt.order_by(Thread.pinned_at.desc(), Thread.id).limit(PINNED_SHOWN)).all()
    chips = _roles(session, {row.author_id for row in rows}, board_id) if rows else {}
    return [_thread_row(row, chips) for row in rows]


def _has_shielded(session: Session, actor: Actor, board_id: int | None) -> bool:
    if not actor.is_signed_in:
        return False
    stmt = select(Thread.id).where(Thread.board_id == board_id, Thread.state == PostState.SHIELDED).limit(1)
    return session.execute(stmt).first() is not None


_UNANSWERED = and_(Thread.kind == ThreadKind.QUESTION, Thread.answer_count == 0)


def unanswered(
    session: Session, actor: Actor, *, mine: bool = False, after: str | None = None, limit: int = 20
) -> Page[ThreadRow]:
    """Published questions without an answer, newest first: everywhere, or on "my boards". Cost: 2 queries."""
    stmt = _rows(actor).where(Thread.state == PostState.PUBLISHED, _UNANSWERED)
    if mine:
        followed = select(BoardFollow.board_id).where(BoardFollow.member_id == actor.id)
        stmt = stmt.where(Thread.board_id.in_(followed))
    return _thread_rows(session, stmt, _SORT_KEYS["unanswered"], after=after, limit=limit)


def recent_threads(session: Session, actor: Actor, *, limit: int = 10) -> list[ThreadRow]:
    """The published threads with the newest posts, over all boards. Cost: 2 queries."""
    stmt = _rows(actor).where(Thread.state == PostState.PUBLISHED)
    return _thread_rows(session, stmt, _SORT_KEYS["active"], after=None, limit=limit).items


def waiting_threads(session: Session, actor: Actor, board_id: int | None, *, limit: int = 5) -> list[ThreadRow]:
    """One's own threads that wait on a board: its list shows them to their author, so that nothing seems lost."""
    if not actor.is_signed_in or board_id is None:
        return []
    stmt = _rows(actor).where(
        Thread.author_id == actor.id,
        Thread.board_id == board_id,
        Thread.state.in_((PostState.HELD, PostState.CHANGES_REQUESTED)),
    )
    return _thread_rows(session, stmt, _SORT_KEYS["new"], after=None, limit=limit).items


def member_threads(
    session: Session, actor: Actor, member_id: int, *, after: str | None = None, limit: int = 20
) -> Page[ThreadRow]:
    """The public threads of one member, newest first. Cost: 2 queries."""
    stmt = _rows(actor).where(Thread.author_id == member_id, Thread.state == PostState.PUBLISHED)
    return _thread_rows(session, stmt, (), after=after, limit=limit)


def thread_row(session: Session, actor: Actor, thread_id: int) -> ThreadRow:
    """One thread that was just written, for the answer to its author. Cost: 2 queries."""
    rows = _thread_rows(session, _rows(actor).where(Thread.id == thread_id), (), after=None, limit=1).items
    if not rows:
        raise NotFound()
    return rows[0]


def _rows(actor: Actor) -> Select[*tuple[Any, ...]]:
    stmt = (
        select(*_ROW_COLUMNS, ReadMark.at.label("seen_at"))
        .join(Board, Board.id == Thread.board_id)
        .join(Post, and_(Post.thread_id == Thread.id, Post.position == 0))
        .join(Member, Member.id == Thread.author_id)
    )
    return stmt.outerjoin(ReadMark, and_(ReadMark.thread_id == Thread.id, ReadMark.member_id == (actor.id or 0)))


def _thread_rows(
    session: Session,
    stmt: Select[*tuple[Any, ...]],
    keys: Sequence[Key],
    *,
    after: str | None,
    limit: int,
    board_id: int | None = None,
) -> Page[ThreadRow]:
    found = page(session, stmt, (*keys, _BY_ID), after=after, limit=limit)
    chips = _roles(session, {row.author_id for row in found.items}, board_id)
    return found.map(lambda row: _thread_row(row, chips))


def _thread_row(row: Row[*tuple[Any, ...]], chips: dict[int, tuple[str, ...]]) -> ThreadRow:
    return ThreadRow(
        id=row.id,
        kind=row.kind,
        title=row.title,
        slug=row.slug,
        state=row.state,
        author=_author(row.author_id, row.handle, row.closed_at, row.approved_count, chips),
        board_slug=row.board_slug,
        board_name=row.board_name,
        answer_count=row.answer_count,
        comment_count=row.comment_count,
        helpful_count=row.helpful_count,
        was_misdiagnosed=row.was_misdiagnosed,
        is_locked=row.is_locked,
        excerpt=row.excerpt,
        created_at=row.created_at,
        last_activity_at=row.last_activity_at,
        is_pinned=row.pinned_at is not None,
        has_news=row.seen_at is not None and row.last_activity_at > row.seen_at,
    )


# --- Authors -----------------------------------------------------------------------------------------------------

_CHIP_ORDER = (Role.LEAD, Role.MODERATOR, Role.EDITOR, Role.ADMIN)
NEW_MEMBER = "new_member"


def _roles(session: Session, member_ids: Iterable[int], board_id: int | None) -> dict[int, tuple[str, ...]]:
    """The roles of these members that count on this board (a scoped moderator is one on their own boards only)."""
    board_categories = (
        select(condition_category.c.category_id)
        .join(Board, Board.condition_id == condition_category.c.condition_id)
        .where(Board.id == board_id)
    )
    everywhere = and_(RoleGrant.board_id.is_(None), RoleGrant.category_id.is_(None))
    here = or_(RoleGrant.board_id == board_id, RoleGrant.category_id.in_(board_categories))
    stmt = select(RoleGrant.member_id, RoleGrant.role).where(
        RoleGrant.member_id.in_(set(member_ids)), everywhere if board_id is None else or_(everywhere, here)
    )
    held: dict[int, set[Role]] = {}
    for member_id, role in session.execute(stmt):
        held.setdefault(member_id, set()).add(role)
    return {member_id: tuple(role.value for role in _CHIP_ORDER if role in roles) for member_id, roles in held.items()}


def _author(
    member_id: int, handle: str, closed_at: datetime | None, approved: int, chips: dict[int, tuple[str, ...]]
) -> AuthorView:
    if closed_at is not None:
        return AuthorView(FORMER_MEMBER, is_former=True)
    new = (NEW_MEMBER,) if approved < NEW_MEMBER_POSTS else ()
    return AuthorView(handle, chips=chips.get(member_id) or new)


# --- Threads and posts -------------------------------------------------------------------------------------------

_Parent = aliased(Post)
_POST_COLUMNS = (
    Post.id,
    Post.thread_id,
    Post.kind,
    Post.parent_id,
    _Parent.position.label("parent_position"),
    Post.position,
    Post.state,
    Post.version,
    Post.author_id,
    Post.html,
    Post.text,
    Post.excerpt,
    Post.source,
    Post.language,
    Post.live_revision_id,
    Post.was_visible,
    Post.created_at,
    Post.edited_at,
    Post.helpful_count,
    PostLabel.text.label("label_text"),
    PostLabel.reference.label("label_reference"),
    Revision.title,
    Member.handle,
    Member.closed_at,
    Member.approved_count,
)


@dataclass(frozen=True)
class _Frame:
    """What all posts of one page share."""

    actor: Actor
    thread: Thread
    board: Board
    opening: Subject
    gate: Gate
    settings: Settings
    now: datetime


def thread_page(
    session: Session,
    actor: Actor,
    thread_id: int,
    *,
    gate: Gate,
    settings: Settings,
    now: datetime,
    number: int = 1,
    after: str | None = None,
    limit: int | None = None,
) -> ThreadPage:
    """One page of a thread: the range of positions of page `number`, or `limit` posts after a cursor (the API).

    NotFound where the reader may not know of the thread, or there is no such page; Merged with where it went. Cost: at
    most 13 queries, and one for each own post that waits (at most HELD_SHOWN), whatever the thread's length.
    """
    frame = _frame(session, actor, thread_id, gate, settings, now)
    here = and_(Post.thread_id == thread_id, Post.position > 0, shown(actor))
    last = session.execute(select(Post.position).where(here).order_by(Post.position.desc()).limit(1)).scalar() or 0
    page_count = page_of(last)
    if limit is not None:
        found = page(session, _posts().where(here), (Key(Post.position, "position"),), after=after, limit=limit)
        rows, cursor = found.items, found.next
    else:
        if not 1 <= number <= page_count:
            raise NotFound()
        first = (number - 1) * POSTS_PER_PAGE + 1
        between = Post.position.between(first, first + POSTS_PER_PAGE - 1)
        rows = list(session.execute(_posts().where(here, between).order_by(Post.position)).all())
        cursor = None
    top: list[Row[*tuple[Any, ...]]] = []
    if number == 1 and after is None and frame.thread.helpful_count > 0:
        top = _most_helpful(session, thread_id)
    opening = session.execute(_posts().where(Post.thread_id == thread_id, Post.position == 0)).one()
    views = _views(session, frame, [opening, *rows, *top])
    seen_to = rows[-1].position if rows else 0
    read_to, unread, due = _reading(session, frame, here, seen_to, last)
    takes = frame.thread.state in SHOWN and not frame.thread.is_locked and frame.board.mode != "closed"
    return ThreadPage(
        thread=_thread_view(frame, views[0]),
        board=_row_view(frame.board),
        opening=views[0],
        intake=_intake(session, frame),
        helpful=tuple(views[1 + len(rows) :]),
        posts=tuple(views[1 : 1 + len(rows)]),
        number=number,
        page_count=page_count,
        next=cursor,
        takes_answers=takes and frame.thread.kind is ThreadKind.QUESTION,
        takes_comments=takes,
        first_unread_id=unread,
        read_to=read_to,
        mark_is_due=due,
        seen_to=seen_to,
    )


def post(
    session: Session, actor: Actor, post_id: int, *, gate: Gate, settings: Settings, now: datetime
) -> tuple[PostView, ThreadView, BoardView]:
    """One post with its thread and board; NotFound where the reader may not know of it. Cost: at most 11 queries."""
    loaded = load_post(session, post_id, actor)
    opening = opening_subject(session, loaded.thread, loaded.board, actor)
    frame = _Frame(actor, loaded.thread, loaded.board, opening, gate, settings, now)
    first = and_(Post.thread_id == loaded.thread.id, Post.position == 0)
    rows = session.execute(_posts().where(or_(Post.id == post_id, first)).order_by(Post.position)).all()
    views = _views(session, frame, rows)
    return views[-1], _thread_view(frame, views[0]), _row_view(loaded.board)


def place_of(session: Session, actor: Actor, post_id: int) -> PostPlace:
    """Where a permanent address leads this reader. Cost: at most 4 queries."""
    loaded = load_post(session, post_id, actor)
    titled = sight(actor, opening_subject(session, loaded.thread, loaded.board, actor)) is Sight.FULL
    slug = loaded.thread.slug if titled else ""
    return PostPlace(loaded.post.id, loaded.thread.id, slug, page_of(loaded.post.position))


def _frame(session: Session, actor: Actor, thread_id: int, gate: Gate, settings: Settings, now: datetime) -> _Frame:
    found = session.execute(
        select(Thread, Board)
        .join(Board, Board.id == Thread.board_id)
        .where(Thread.id == thread_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound()
    thread, row = found
    if thread.merged_into_id is not None:
        raise Merged(thread.merged_into_id)
    opening = opening_subject(session, thread, row, actor)
    if sight(actor, opening) is Sight.NONE:
        raise NotFound()
    return _Frame(actor, thread, row, opening, gate, settings, now)


def _posts() -> Select[*tuple[Any, ...]]:
    return (
        select(*_POST_COLUMNS)
        .join(Member, Member.id == Post.author_id)
        .outerjoin(_Parent, _Parent.id == Post.parent_id)
        .outerjoin(PostLabel, and_(PostLabel.post_id == Post.id, PostLabel.lifted_at.is_(None)))
        .outerjoin(Revision, Revision.id == Post.live_revision_id)
    )


def _most_helpful(session: Session, thread_id: int) -> list[Row[*tuple[Any, ...]]]:
    stmt = (
        _posts()
        .where(
            Post.thread_id == thread_id,
            Post.kind == PostKind.ANSWER,
            Post.state == PostState.PUBLISHED,
            Post.helpful_count >= 1,
        )
        .order_by(Post.helpful_count.desc(), Post.position)
        .limit(MOST_HELPFUL)
    )
    return list(session.execute(stmt).all())


def _views(session: Session, frame: _Frame, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[PostView]:
    """Rows as this reader may see them, with everything that hangs on them fetched at once."""
    actor = frame.actor
    subjects = {row.id: _subject(frame, row) for row in rows}
    chips = _roles(session, {row.author_id for row in rows}, frame.board.id)
    own = [row.id for row in rows if row.author_id == actor.id]
    judged = [row.id for row in rows if row.author_id == actor.id or moderates(actor, subjects[row.id])]
    marked = _marked(session, actor, [row.id for row in rows if row.kind is PostKind.ANSWER])
    texts = _waiting_texts(session, judged)
    notes = _guidance(session, own)
    held: dict[int, HeldStatus | None] = {}
    for row in rows:
        waits = row.state in (PostState.HELD, PostState.CHANGES_REQUESTED) or row.id in texts
        if waits and row.id in own and row.id not in held and len(held) < HELD_SHOWN:
            held[row.id] = frame.gate.held_status(session, row.id, settings=frame.settings, now=frame.now)
    return [
        _view(
            frame,
            row,
            subjects[row.id],
            chips,
            marked=row.id in marked,
            waiting=texts.get(row.id) if row.live_revision_id is not None else None,
            held=held.get(row.id),
            guidance=notes.get(row.id, ()),
        )
        for row in rows
    ]


def _subject(frame: _Frame, row: Row[*tuple[Any, ...]]) -> Subject:
    return replace(
        frame.opening,
        author_id=row.author_id,
        author_is_new=row.approved_count < NEW_MEMBER_POSTS,
        state=row.state,
        post_kind=row.kind,
        was_visible=row.was_visible,
    )


def _view(
    frame: _Frame,
    row: Row[*tuple[Any, ...]],
    subject: Subject,
    chips: dict[int, tuple[str, ...]],
    *,
    marked: bool,
    waiting: WaitingText | None,
    held: HeldStatus | None,
    guidance: tuple[GuidanceNote, ...],
) -> PostView:
    seen = sight(frame.actor, subject)
    full = seen is Sight.FULL
    author = _author(row.author_id, row.handle, row.closed_at, row.approved_count, chips)
    may_read_source = full and allowed(frame.actor, Action.READ_POST_SOURCE, subject)
    return PostView(
        id=row.id,
        thread_id=row.thread_id,
        kind=row.kind,
        parent_id=row.parent_id,
        parent_position=row.parent_position,
        position=row.position,
        state=row.state,
        version=row.version,
        sight=seen,
        author=None if row.state is PostState.ERASED else author,
        is_mine=is_author(frame.actor, subject),
        is_by_asker=row.author_id == frame.thread.author_id,
        html=row.html if full else "",
        text=row.text if full else "",
        excerpt=row.excerpt if full else "",
        source=row.source if may_read_source else None,
        language=row.language,
        created_at=row.created_at,
        edited_at=row.edited_at if full else None,
        helpful_count=row.helpful_count if full else 0,
        marked_helpful=marked and full,
        may=_may(frame, row, subject),
        label=labels.view(row.label_text, row.label_reference) if full and row.label_text else None,
        former_title=row.title if full and row.kind is not PostKind.OPENING else None,
        waiting=waiting,
        held=held,
        guidance=guidance,
    )


_OWN_ACTIONS = (
    Action.READ_POST_SOURCE,
    Action.READ_REVISIONS,
    Action.EDIT_POST,
    Action.WITHDRAW_POST,
    Action.REPORT_POST,
)


def _may(frame: _Frame, row: Row[*tuple[Any, ...]], subject: Subject) -> frozenset[Action]:
    """The actions that this reader may take on this post, as its door would answer."""
    actor = frame.actor
    may = {action for action in _OWN_ACTIONS if allowed(actor, action, subject)}
    if row.kind is PostKind.ANSWER and allowed(actor, Action.MARK_HELPFUL, subject):
        may.add(Action.MARK_HELPFUL)
    stands = row.kind is not PostKind.COMMENT and row.state in SHOWN and sight(actor, subject) is Sight.FULL
    if stands and allowed(actor, Action.COMMENT, frame.opening):
        may.add(Action.COMMENT)
    if row.kind is PostKind.OPENING and allowed(actor, Action.ANSWER, frame.opening):
        may.add(Action.ANSWER)
    return frozenset(may)


def _thread_view(frame: _Frame, opening: PostView) -> ThreadView:
    thread = frame.thread
    full = opening.sight is Sight.FULL
    return ThreadView(
        id=thread.id,
        kind=thread.kind,
        title=thread.title if full else "",
        slug=thread.slug if full else "",
        state=thread.state,
        version=thread.version,
        author=opening.author,
        answer_count=thread.answer_count,
        comment_count=thread.comment_count,
        helpful_count=thread.helpful_count,
        was_misdiagnosed=thread.was_misdiagnosed and full,
        is_locked=thread.is_locked or thread.state not in SHOWN,
        is_pinned=thread.pinned_at is not None,
        language=thread.language,
        created_at=thread.created_at,
        last_activity_at=thread.last_activity_at,
        is_old=frame.now - thread.last_activity_at > OLD_AFTER,
        is_noindex=thread.state is not PostState.PUBLISHED or opening.label is not None,
    )


def _intake(session: Session, frame: _Frame) -> tuple[IntakeView, ...]:
    if sight(frame.actor, frame.opening) is not Sight.FULL:
        return ()
    return intake.shown_to(session, frame.actor, frame.thread.id, frame.opening)


def _marked(session: Session, actor: Actor, post_ids: Sequence[int]) -> frozenset[int]:
    if not actor.is_signed_in or not post_ids:
        return frozenset()
    stmt = select(HelpfulMark.post_id).where(HelpfulMark.member_id == actor.id, HelpfulMark.post_id.in_(post_ids))
    return frozenset(session.execute(stmt).scalars())


def _waiting_texts(session: Session, post_ids: Sequence[int]) -> dict[int, WaitingText]:
    if not post_ids:
        return {}
    stmt = select(Revision).where(Revision.post_id.in_(post_ids), Revision.state.in_(WAITING_TEXTS))
    return {
        row.post_id: WaitingText(row.id, row.state, row.title, row.source, row.html, row.created_at)
        for row in session.execute(stmt).scalars()
    }


def _guidance(session: Session, post_ids: Sequence[int]) -> dict[int, tuple[GuidanceNote, ...]]:
    if not post_ids:
        return {}
    found: dict[int, tuple[GuidanceNote, ...]] = {}
    stmt = select(Guidance).where(Guidance.post_id.in_(post_ids)).order_by(Guidance.id)
    for row in session.execute(stmt).scalars():
        note = GuidanceNote(row.kind, row.urgency, row.message, tuple(Resource(**given) for given in row.resources))
        found[row.post_id] = (*found.get(row.post_id, ()), note)
    return found


def _reading(
    session: Session, frame: _Frame, here: ColumnElement[bool], seen_to: int, last: int
) -> tuple[int | None, int | None, bool]:
    """Up to where this member had read, the first post that they have not seen, and whether to note this visit."""
    actor = frame.actor
    if not actor.is_signed_in:
        return None, None, False
    mark = reading.mark(session, actor, frame.thread.id)
    if mark is None:
        return None, None, True
    unread = None
    if mark.position < last:
        stmt = select(Post.id).where(here, Post.position > mark.position, Post.author_id != actor.id)
        unread = session.execute(stmt.order_by(Post.position).limit(1)).scalar()
    return mark.position, unread, mark.position < seen_to or mark.at < frame.thread.last_activity_at
