"""Search over what everybody may read, and similar questions for whoever is about to ask.

The index holds only public texts, so nothing here depends on the reader; `readable` in lists is another matter.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from content import queries as reference
from content.models import Condition
from core import fulltext
from core.errors import Invalid
from core.keyset import Page, check_limit
from core.vocabulary import ThreadKind
from forum import boards
from forum.indexing import POST, THREAD
from forum.models import Board, Thread

ARTICLE = "article"
# `kind=` of the search: what it means in the index, as (kinds, detail).
KINDS: dict[str, tuple[tuple[str, ...], str | None]] = {
    "thread": ((THREAD,), None),
    "post": ((POST,), None),
    "article": ((ARTICLE,), None),
    "question": ((THREAD, POST), ThreadKind.QUESTION.value),
    "experience": ((THREAD, POST), ThreadKind.EXPERIENCE.value),
}
# Beyond this many results a person writes another query; it also bounds the cost of an offset.
MAX_RESULTS = 500
SIMILAR = 5
# Where an article names the reader's emergency number; marks may stand inside.
_PLACEHOLDER = re.compile(rf"\{{{fulltext.MARK_ON}?emergency{fulltext.MARK_OFF}?\}}")


@dataclass(frozen=True)
class Result:
    """One line of the results; `snippet` carries core.fulltext's marks around the words found."""

    type: str
    url: str
    title: str
    snippet: str
    detail: str
    board_slug: str | None
    board_name: str | None
    # The condition of an article's section, whose heading alone ("Causes") says too little.
    about: str | None = None

    @property
    def plain_snippet(self) -> str:
        return self.snippet.replace(fulltext.MARK_ON, "").replace(fulltext.MARK_OFF, "")

    @property
    def segments(self) -> tuple[tuple[str, bool], ...]:
        """The snippet in pieces (text, whether it was found), for a page to mark."""
        pieces: list[tuple[str, bool]] = []
        for part in self.snippet.split(fulltext.MARK_ON):
            found, mark, rest = part.partition(fulltext.MARK_OFF)
            if mark:
                pieces += [(found, True), (rest, False)]
            else:
                pieces.append((part.replace(fulltext.MARK_OFF, ""), False))
        return tuple((text, is_found) for text, is_found in pieces if text)


@dataclass(frozen=True)
class Similar:
    """A question (or experience) that may already hold the answer."""

    url: str
    title: str
    kind: str
    answer_count: int


def search(
    session: Session,
    q: str,
    *,
    board: str | None = None,
    kind: str | None = None,
    after: str | None = None,
    limit: int = 20,
) -> Page[Result]:
    """Best matches first; `board` is a slug, `kind` one of KINDS. An empty query finds nothing. Cost: 4 queries."""
    check_limit(limit)
    if kind is not None and kind not in KINDS:
        raise Invalid("invalid-field", "Unknown kind.", errors=[("kind", f"one of {', '.join(KINDS)}")])
    kinds, detail = KINDS[kind] if kind else ((THREAD, POST, ARTICLE), None)
    offset = _decode(after)
    place = boards.find(session, board) if board else None
    # A board's articles are those of its condition; Unsorted has none, and no row before its first thread.
    condition_id = place.condition_id if place else None
    board_id = place.id if place and condition_id is None else None
    if place is not None and condition_id is None and board_id is None:
        return Page([], None)
    hits = fulltext.match(
        session,
        q,
        kinds=kinds,
        detail=detail,
        board_id=board_id,
        condition_id=condition_id,
        limit=limit + 1,
        offset=offset,
    )
    more = len(hits) > limit and offset + limit < MAX_RESULTS
    hits = hits[:limit]
    names = _board_names(session, {hit.board_id for hit in hits if hit.board_id is not None})
    conditions = _condition_names(session, {hit.condition_id for hit in hits if hit.kind == ARTICLE})
    results = [
        Result(
            h.kind,
            h.url,
            h.title,
            _PLACEHOLDER.sub(reference.NO_NUMBER, h.snippet),
            h.detail,
            board_slug=names[h.board_id][0] if h.board_id in names else None,
            board_name=names[h.board_id][1] if h.board_id in names else None,
            about=conditions.get(h.condition_id),
        )
        for h in hits
    ]
    return Page(results, _encode(offset + limit) if more else None)


def similar(
    session: Session, text: str, *, board_id: int | None = None, limit: int = SIMILAR, besides: int | None = None
) -> list[Similar]:
    """Public threads that share the most telling words with a title and text. Cost: 2 queries; never raises on text."""
    hits = fulltext.match(session, text, kinds=(THREAD,), board_id=board_id, any_word=True, limit=limit + 1)
    hits = [hit for hit in hits if hit.ref_id != besides][:limit]
    stmt = select(Thread.id, Thread.answer_count).where(Thread.id.in_([hit.ref_id for hit in hits]))
    answers = dict(session.execute(stmt).all())
    return [Similar(hit.url, hit.title, hit.detail, answers.get(hit.ref_id, 0)) for hit in hits]


def _board_names(session: Session, ids: set[int]) -> dict[int | None, tuple[str, str]]:
    stmt = select(Board.id, Board.slug, Board.name).where(Board.id.in_(ids))
    return {row.id: (row.slug, row.name) for row in session.execute(stmt)}


def _condition_names(session: Session, ids: set[int | None]) -> dict[int | None, str]:
    if not ids:
        return {}
    rows = session.execute(select(Condition.id, Condition.name).where(Condition.id.in_(ids)))
    return {row.id: row.name for row in rows}


def _encode(offset: int) -> str:
    return base64.urlsafe_b64encode(f"r{offset}".encode()).decode().rstrip("=")


def _decode(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        offset = int(plain.removeprefix("r"))
    except (ValueError, binascii.Error) as error:
        raise _bad_cursor() from error
    if not plain.startswith("r") or not 0 < offset <= MAX_RESULTS:
        raise _bad_cursor()
    return offset


def _bad_cursor() -> Invalid:
    return Invalid("bad-cursor", "This cursor is not one of ours; start again without it.")
