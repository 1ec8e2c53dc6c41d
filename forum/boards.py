"""Boards: one per condition and one Unsorted. A board's row is made with its first thread; readers see it once open."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.policy import Actor, Subject, require
from content import conditions
from content.models import Condition
from core import audit, markup
from core.errors import NotFound, invalid
from core.text import is_blank, normalise
from core.vocabulary import Action
from forum.models import Board, BoardFollow
from forum.subjects import categories

UNSORTED = "unsorted"
UNSORTED_NAME = "Unsorted"
NOTICE_CHARS = 1_000
# What a board says of its moderation until its moderators write something of their own.
STATEMENT = (
    "A person reads the first posts of every new member before they appear, and any post that a check holds. "
    "Everybody can report a post. Each decision names a rule and a reason, and its author can read both."
)


@dataclass(frozen=True)
class BoardPlace:
    """Where a board stands, whether or not its row exists yet. `slug` is the address in force."""

    slug: str
    name: str
    condition_id: int | None
    board: Board | None

    @property
    def id(self) -> int | None:
        return self.board.id if self.board else None

    @property
    def mode(self) -> str:
        return self.board.mode if self.board else "first_n"

    @property
    def is_open(self) -> bool:
        """Unsorted always is; a condition's board once a thread of it was published, or by an editor."""
        return self.slug == UNSORTED or (self.board is not None and self.board.opened_at is not None)


def find(session: Session, slug: str) -> BoardPlace:
    """The board at this address, a former one included (the door redirects where `.slug` differs); else NotFound."""
    if slug == UNSORTED:
        board = session.execute(select(Board).where(Board.slug == UNSORTED)).scalar_one_or_none()
        return BoardPlace(UNSORTED, UNSORTED_NAME, None, board)
    row = session.execute(
        select(Condition.id, Condition.slug, Condition.name, Board)
        .outerjoin(Board, Board.condition_id == Condition.id)
        .where(Condition.slug == slug)
    ).one_or_none()
    if row is not None:
        return BoardPlace(row.slug, row.name, row.id, row.Board)
    condition = conditions.by_slug(session, slug)
    board = session.execute(select(Board).where(Board.condition_id == condition.id)).scalar_one_or_none()
    return BoardPlace(condition.slug, condition.name, condition.id, board)


def ensure(session: Session, slug: str, now: datetime) -> Board:
    """The board's row, made where there is none; that alone changes nothing which readers see."""
    place = find(session, slug)
    if place.board is not None:
        return place.board
    board = Board(slug=place.slug, name=place.name, condition_id=place.condition_id, moderation_statement=STATEMENT)
    if place.slug == UNSORTED:
        board.opened_at = now
    try:
        with session.begin_nested():
            session.add(board)
    except IntegrityError:
        # Somebody made it at the same moment.
        made = find(session, slug).board
        if made is None:
            raise
        return made
    return board


def open_board(session: Session, actor: Actor, slug: str, *, now: datetime) -> Board:
    """Open a board before its first thread: an editor's act."""
    require(actor, Action.OPEN_BOARD)
    board = ensure(session, slug, now)
    opened = session.execute(
        update(Board)
        .where(Board.id == board.id, Board.opened_at.is_(None))
        .values(opened_at=now, version=Board.version + 1)
        .returning(Board.id)
        .execution_options(synchronize_session=False)
    ).first()
    if opened is not None:
        audit.record(session, actor_id=actor.id, action="board.open", subject=("board", board.id), now=now)
    return session.get_one(Board, board.id, populate_existing=True)


def board_subject(session: Session, place: BoardPlace, actor: Actor) -> Subject:
    """What START_THREAD asks about."""
    return Subject(
        board_id=place.id,
        board_mode=place.mode,
        category_ids=categories(session, place.condition_id, actor),
    )


def set_notice(session: Session, actor: Actor, slug: str, *, text: str, now: datetime) -> Board:
    """A few lines above the list of threads, by a moderator of the board; an empty text takes them away.

    Raises NotFound before the board has a row, Invalid on `text`.
    """
    place = find(session, slug)
    require(actor, Action.EDIT_BOARD_NOTICE, board_subject(session, place, actor))
    if place.board is None:
        raise NotFound("board-not-open", "This board is not open yet.")
    said = normalise(text, field="text")
    if len(said) > NOTICE_CHARS:
        raise invalid("text", f"At most {NOTICE_CHARS:,} characters; this has {len(said):,}.")
    said = "" if is_blank(said) else said
    session.execute(
        update(Board)
        .where(Board.id == place.board.id)
        .values(
            notice=said,
            notice_html=markup.render(said, "post").html if said else "",
            version=Board.version + 1,
        )
        .execution_options(synchronize_session=False)
    )
    audit.record(
        session,
        actor_id=actor.id,
        action="board.notice",
        subject=("board", place.board.id),
        details={"text": said},
        now=now,
    )
    return session.get_one(Board, place.board.id, populate_existing=True)


def follow(session: Session, actor: Actor, slug: str, *, now: datetime) -> bool:
    """Make it one of "my boards"; returns whether that is new. Only an open board can be followed."""
    require(actor, Action.KEEP_DRAFT)
    place = find(session, slug)
    if place.board is None or not place.is_open:
        raise NotFound("board-not-open", "This board is not open yet.")
    if session.get(BoardFollow, (actor.id, place.board.id)):
        return False
    try:
        with session.begin_nested():
            session.add(BoardFollow(member_id=actor.id, board_id=place.board.id, at=now))
    except IntegrityError:
        return False
    return True


def unfollow(session: Session, actor: Actor, slug: str) -> bool:
    """Take it from "my boards"; returns whether anything changed."""
    require(actor, Action.KEEP_DRAFT)
    place = find(session, slug)
    gone = session.execute(
        delete(BoardFollow)
        .where(BoardFollow.member_id == actor.id, BoardFollow.board_id == place.id)
        .returning(BoardFollow.board_id)
    ).first()
    return gone is not None
