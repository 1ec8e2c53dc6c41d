"""Lists for pages: boards by name, letter, category and popularity; what a member wrote. Each bounded."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, case, func, select
from sqlalchemy.orm import Session

from auth.models import Member, RoleGrant
from auth.policy import NEW_MEMBER_POSTS, Actor
from content.conditions import names_like
from content.models import Alias, Category, Condition, condition_category
from core.errors import NotFound
from core.keyset import Key, Page, page
from core.text import fold
from core.vocabulary import PostKind, PostState, Role, ThreadKind
from forum.boards import UNSORTED
from forum.models import Board, Post, Revision, Thread
from forum.queries import NEW_MEMBER
from forum.revisions import WAITING

# So many other names of a condition stand beside its name in a list.
ALIASES_SHOWN = 3
FOUND_MOST = 60


@dataclass(frozen=True)
class BoardCard:
    """A condition's board in a list. One that is not open yet is listed too: its page invites the first question."""

    slug: str
    name: str
    summary: str
    thread_count: int
    is_open: bool
    aliases: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"/boards/{self.slug}/"


_BOARD_COLUMNS: tuple[Any, ...] = (
    Condition.id,
    Condition.slug,
    Condition.name,
    Condition.name_folded,
    Condition.summary,
    func.coalesce(Board.thread_count, 0).label("thread_count"),
    Board.opened_at.is_not(None).label("is_open"),
)


def _boards() -> Select[Any]:
    return select(*_BOARD_COLUMNS).outerjoin(Board, Board.condition_id == Condition.id)


def _cards(session: Session, rows: Sequence[Row[Any]], q: str = "") -> list[BoardCard]:
    """Rows with the other names of each, those that fit `q` first. Cost: one query."""
    wanted = fold(q)
    names: dict[int, list[tuple[bool, bool, str]]] = defaultdict(list)
    ids = [row.id for row in rows]
    stmt = select(Alias.condition_id, Alias.name, Alias.folded, Alias.is_declared).where(Alias.condition_id.in_(ids))
    for alias in session.execute(stmt.order_by(Alias.id)) if ids else ():
        fits = bool(wanted) and (alias.folded.startswith(wanted) or f" {wanted}" in alias.folded)
        names[alias.condition_id].append((not fits, not alias.is_declared, alias.name))
    return [
        BoardCard(
            slug=row.slug,
            name=row.name,
            summary=row.summary,
            thread_count=row.thread_count,
            is_open=row.is_open,
            aliases=tuple(name for *_, name in sorted(names[row.id], key=lambda n: n[:2])[:ALIASES_SHOWN]),
        )
        for row in rows
    ]


def boards_by_name(
    session: Session, *, letter: str = "", category: str = "", after: str | None = None, limit: int = 90
) -> Page[BoardCard]:
    """Conditions from A to Z, of one first letter ("#" for any other sign) or one medical category if given."""
    stmt = _boards()
    if letter:
        first = func.substr(Condition.name_folded, 1, 1)
        stmt = stmt.where(~first.between("a", "z") if letter == "#" else first == letter)
    if category:
        stmt = stmt.join(condition_category, condition_category.c.condition_id == Condition.id)
        stmt = stmt.join(Category, Category.id == condition_category.c.category_id).where(Category.slug == category)
    found = page(session, stmt, [Key(Condition.name_folded, "name_folded")], after=after, limit=limit)
    return Page(_cards(session, found.items), found.next)


def popular_boards(session: Session, *, after: str | None = None, limit: int = 60) -> Page[BoardCard]:
    """Open boards of conditions, those with most published threads first."""
    stmt = _boards().where(Board.opened_at.is_not(None))
    keys = [Key(func.coalesce(Board.thread_count, 0), "thread_count", descending=True), Key(Condition.id, "id")]
    found = page(session, stmt, keys, after=after, limit=limit)
    return Page(_cards(session, found.items), found.next)


def find_boards(session: Session, q: str, *, limit: int = FOUND_MOST) -> list[BoardCard]:
    """Conditions one of whose names has a word that begins with `q`: the very name first, then open boards."""
    folded = fold(q)
    if not folded:
        return []
    named = select(Alias.id).where(Alias.condition_id == Condition.id, Alias.folded == folded).exists()
    rank = case((Condition.name_folded == folded, 0), (named, 1), (Board.opened_at.is_not(None), 2), else_=3)
    stmt = _boards().where(names_like(q)).order_by(rank, Condition.name_folded).limit(limit)
    return _cards(session, session.execute(stmt).all(), q)


def unsorted_board(session: Session) -> BoardCard:
    """The board for everything that fits no condition; its row is made with its first thread."""
    count = session.execute(select(Board.thread_count).where(Board.slug == UNSORTED)).scalar_one_or_none()
    return BoardCard(slug=UNSORTED, name="", summary="", thread_count=count or 0, is_open=True)


# --- What a member wrote -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Profile:
    """A member as others see them. `chips` are role codes; `moderates` names a moderator's boards, if not all."""

    id: int
    handle: str
    chips: tuple[str, ...]
    moderates: tuple[str, ...]
    joined_at: datetime
    thread_count: int
    reply_count: int


@dataclass(frozen=True)
class PostRow:
    """One post in a list, with the thread in which it stands. `edit_waits`: a change of it is not public yet."""

    id: int
    kind: PostKind
    state: PostState
    thread_kind: ThreadKind
    thread_title: str
    board_name: str
    board_slug: str
    excerpt: str
    created_at: datetime
    helpful_count: int
    edit_waits: bool = False

    @property
    def url(self) -> str:
        return f"/posts/{self.id}"

    @property
    def shown_kind(self) -> str:
        """question, experience, answer or comment."""
        return (self.thread_kind if self.kind is PostKind.OPENING else self.kind).value


def profile(session: Session, handle: str) -> Profile:
    """The member of this very handle; NotFound for a former member too. Cost: 3 queries."""
    found = session.execute(
        select(Member.id, Member.handle, Member.created_at, Member.approved_count).where(
            Member.handle == handle, Member.closed_at.is_(None), Member.confirmed_at.is_not(None)
        )
    ).one_or_none()
    if found is None:
        raise NotFound("no-such-member", "There is no member of this name.")
    grants = session.execute(
        select(RoleGrant.role, Board.name, Category.name)
        .outerjoin(Board, Board.id == RoleGrant.board_id)
        .outerjoin(Category, Category.id == RoleGrant.category_id)
        .where(RoleGrant.member_id == found.id)
        .order_by(RoleGrant.id)
    ).all()
    order = (Role.LEAD, Role.MODERATOR, Role.EDITOR, Role.ADMIN)
    held = {grant[0] for grant in grants}
    new = (NEW_MEMBER,) if found.approved_count < NEW_MEMBER_POSTS else ()
    is_opening = Post.kind == PostKind.OPENING
    threads, replies = session.execute(
        select(func.count(case((is_opening, 1))), func.count(case((~is_opening, 1))))
        .join(Thread, Thread.id == Post.thread_id)
        .where(Post.author_id == found.id, Post.state == PostState.PUBLISHED, Thread.state == PostState.PUBLISHED)
    ).one()
    return Profile(
        id=found.id,
        handle=found.handle,
        chips=tuple(role.value for role in order if role in held) + new,
        moderates=tuple(name for _role, *names in grants for name in names if name),
        joined_at=found.created_at,
        thread_count=threads,
        reply_count=replies,
    )


_POST_COLUMNS: tuple[Any, ...] = (
    Post.id,
    Post.kind,
    Post.state,
    Thread.kind.label("thread_kind"),
    Thread.title.label("thread_title"),
    Board.name.label("board_name"),
    Board.slug.label("board_slug"),
    Post.excerpt,
    Post.created_at,
    Post.helpful_count,
)


def _posts() -> Select[Any]:
    joined = select(*_POST_COLUMNS).join(Thread, Thread.id == Post.thread_id)
    return joined.join(Board, Board.id == Thread.board_id)


_NEWEST = (Key(Post.id, "id", descending=True),)


def public_replies(session: Session, member_id: int, *, after: str | None = None, limit: int = 20) -> Page[PostRow]:
    """A member's answers and comments that everybody may read, newest first. Cost: 1 query."""
    stmt = _posts().where(
        Post.author_id == member_id,
        Post.kind != PostKind.OPENING,
        Post.state == PostState.PUBLISHED,
        Thread.state == PostState.PUBLISHED,
    )
    return page(session, stmt, _NEWEST, after=after, limit=limit).map(lambda row: PostRow(*row))


def own_posts(session: Session, actor: Actor, *, after: str | None = None, limit: int = 20) -> Page[PostRow]:
    """Everything of one's own, whatever became of it, newest first. Cost: 2 queries.

    The title of somebody else's thread is left out where that thread is not public any more.
    """
    stmt = _posts().add_columns(Thread.state.label("thread_state"), Thread.author_id.label("thread_author"))
    stmt = stmt.where(Post.author_id == actor.id, Post.state != PostState.ERASED)
    found = page(session, stmt, _NEWEST, after=after, limit=limit)
    waiting = select(Revision.post_id).where(
        Revision.post_id.in_([row.id for row in found.items]), Revision.state.in_(WAITING)
    )
    edited = set(session.execute(waiting).scalars())

    def turn(row: Row[Any]) -> PostRow:
        shows_title = row.thread_author == actor.id or row.thread_state is PostState.PUBLISHED
        return replace(
            PostRow(*tuple(row)[:-2]),
            thread_title=row.thread_title if shows_title else "",
            edit_waits=row.id in edited and row.state in (PostState.PUBLISHED, PostState.SHIELDED),
        )

    return found.map(turn)
