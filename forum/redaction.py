"""Words taken out of a post, wherever they stand: in all its texts, and where other posts repeat them.

The rule, also in docs/moderation.md:
- In the text that was judged the marked words go, and the same words wherever else they stand in it.
- In the other texts of the same post the same words go. Of words with fewer than `FREE_CHARS` characters only those
  that stand between the same neighbours, so that a "30" does not take every 30 with it.
- In other posts of the thread, words of at least `THREAD_CHARS` characters go; shorter ones in quoted lines (`> …`).
- On the rest of the board, words of at least `BOARD_CHARS` characters go.
- In the author's drafts, and in what was not sent yet, words of at least `FREE_CHARS` characters go.
- In what the asker wrote in answer to the questions: as in their first post, or as in other posts of the thread.
White space and letter case do not matter. The words are kept in `Redaction`, so that they can be put back.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from content.models import IntakeField
from core import markup
from core.outbox import OutboxMessage
from core.vocabulary import PostKind, PostState
from forum import revisions
from forum.models import Board, Draft, IntakeAnswer, Post, Redaction, Revision, Thread

REPLACEMENT = "[taken out]"
FREE_CHARS = 4
THREAD_CHARS = 6
BOARD_CHARS = 12
# How much of its neighbourhood a short word is known by.
NEIGHBOURS = 12
# At most so many texts of others on the board are changed by one decision; nobody repeats a private word more often.
MOST_TEXTS = 500
PROFILE = "post"
# Where a message goes is no copy of a post, even where the words were that very address.
ADDRESSEE = "to"


@dataclass(frozen=True)
class Cut:
    """One stretch of a text that was replaced: its offsets before, and the length of what stands there now."""

    part: str
    start: int
    end: int
    length: int


@dataclass(frozen=True)
class Redacted:
    """What was done: the cuts of every text by its revision, and the other members whose posts repeated the words."""

    cuts: dict[int, list[Cut]] = field(default_factory=dict)
    # post id -> author id
    others: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Words:
    """One stretch of words that goes, with what stood around it."""

    text: str
    before: str
    after: str

    @property
    def size(self) -> int:
        return len(self.text.strip())


def words_in(text: str, typed: Sequence[str]) -> list[tuple[int, int]]:
    """Where these words stand in a text, for whoever types the words instead of marking them."""
    spans = []
    for words in typed:
        if words.strip():
            spans += [match.span() for match in _pattern(words.strip()).finditer(text)]
    return spans


def merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order, and those that touch or overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def redact(
    session: Session,
    revision: Revision,
    spans: Sequence[tuple[str, int, int]],
    *,
    decision_id: int,
    now: datetime,
) -> Redacted:
    """Take out what is marked in this text, as (part, start, end) with part "title" or "source", and every copy of it.

    Search rows, excerpts, the thread's title and address follow; so do drafts of its author and unsent messages.
    Cost: a query on the thread's texts and, for long words, one on the board's.
    """
    words = [_words(revision, *span) for span in spans]
    done = Redacted()
    own = session.get_one(Post, revision.post_id, populate_existing=True)
    repeated = _repeated(session, own, [word.text for word in words])
    _lock_places(session, {own.id, *(other.post_id for other in repeated)})
    _cut(session, revision, _places(revision, words, marked=spans), done, decision_id=decision_id, now=now)
    mine = select(Revision).where(Revision.post_id == own.id, Revision.id != revision.id).order_by(Revision.id)
    for other in session.execute(mine.execution_options(populate_existing=True)).scalars().all():
        _cut(session, other, _places(other, words), done, decision_id=decision_id, now=now)
    for other in repeated:
        _cut(session, other, _places_elsewhere(other, words), done, decision_id=decision_id, now=now)
    # A text of the author's other posts may be cut too; whoever else repeated the words is told.
    for revision_id in done.cuts:
        changed = session.get_one(Revision, revision_id)
        if changed.author_id != own.author_id:
            done.others[changed.post_id] = changed.author_id
    free = [word.text for word in words if word.size >= FREE_CHARS]
    _cut_intake(session, own, words)
    _cut_drafts(session, own, free)
    _cut_unsent(session, free)
    return done


def repeating(session: Session, post_id: int, words: Sequence[str]) -> set[int]:
    """The other posts whose texts may repeat these words of a post: those that a redaction could change."""
    post = session.get_one(Post, post_id)
    return {revision.post_id for revision in _repeated(session, post, words)}


def put_back(session: Session, decision_id: int, *, now: datetime) -> dict[int, list[Cut]]:
    """Put the words of a decision back where they stood; returns what was replaced, by revision. Drafts stay cut."""
    rows = (
        session.execute(
            select(Redaction)
            .where(Redaction.decision_id == decision_id, Redaction.lifted_at.is_(None))
            .order_by(Redaction.revision_id, Redaction.part, Redaction.start.desc())
            .execution_options(populate_existing=True)
        )
        .scalars()
        .all()
    )
    by_revision: dict[int, list[Redaction]] = {}
    for row in rows:
        by_revision.setdefault(row.revision_id, []).append(row)
    cuts: dict[int, list[Cut]] = {}
    touched = select(Revision.post_id).where(Revision.id.in_(list(by_revision)))
    _lock_places(session, set(session.execute(touched).scalars()))
    for revision_id, mine in by_revision.items():
        revision = session.get_one(Revision, revision_id, populate_existing=True)
        for row in mine:
            text = _part(revision, row.part)
            end = row.start + len(row.replacement)
            row.lifted_at = now
            if text[row.start : end] != row.replacement:
                continue  # a later decision took more out; its own return brings these words too
            _set_part(revision, row.part, text[: row.start] + row.original + text[end:])
            cuts.setdefault(revision_id, []).append(Cut(row.part, row.start, end, len(row.original)))
            _shift_rows(session, revision_id, row.part, row.start, len(row.original) - len(row.replacement), but=row.id)
        session.flush()
        _render(session, revision)
    return cuts


def shifted(cuts: Sequence[Cut], part: str, start: int, end: int) -> tuple[int, int]:
    """Where a stretch of the old text stands in the new one; one that was cut becomes its replacement."""
    return _moved(cuts, part, start, is_end=False), _moved(cuts, part, end, is_end=True)


def _moved(cuts: Sequence[Cut], part: str, offset: int, *, is_end: bool) -> int:
    by = 0
    for cut in cuts:
        if cut.part != part:
            continue
        if cut.end <= offset and not (not is_end and cut.start == offset):
            by += cut.length - (cut.end - cut.start)
        elif cut.start < offset:
            return cut.start + by_before(cuts, cut) + (cut.length if is_end else 0)
    return offset + by


def by_before(cuts: Sequence[Cut], this: Cut) -> int:
    """How far the cuts before this one moved it."""
    return sum(c.length - (c.end - c.start) for c in cuts if c.part == this.part and c.end <= this.start)


# --- Finding the words -------------------------------------------------------------------------------------------


def _words(revision: Revision, part: str, start: int, end: int) -> _Words:
    text = _part(revision, part)
    return _Words(text[start:end], text[max(0, start - NEIGHBOURS) : start], text[end : end + NEIGHBOURS])


def _pattern(words: str) -> re.Pattern[str]:
    """These words, not as a part of longer ones; a line break may stand in between, also inside of a quotation."""
    core = r"(?:\s+|[ \t]*\n[ \t>]*)".join(re.escape(piece) for piece in words.split())
    first = r"(?<!\w)" if words.strip()[:1].isalnum() else ""
    last = r"(?!\w)" if words.strip()[-1:].isalnum() else ""
    return re.compile(first + core + last, re.IGNORECASE)


def _places(
    revision: Revision, words: Sequence[_Words], *, marked: Sequence[tuple[str, int, int]] = ()
) -> dict[str, list[tuple[int, int]]]:
    """Where the words stand in a text of the same post."""
    found: dict[str, list[tuple[int, int]]] = {}
    for part in _parts(revision):
        text = _part(revision, part)
        spans = [(start, end) for where, start, end in marked if where == part]
        for word in words:
            if not word.text.strip():
                continue
            for match in _pattern(word.text).finditer(text):
                around = text[: match.start()].endswith(word.before[-4:]) or text[match.end() :].startswith(
                    word.after[:4]
                )
                if word.size >= FREE_CHARS or (not marked and around):
                    spans.append(match.span())
        found[part] = _outside_of_replacements(text, merged(spans))
    return found


def _outside_of_replacements(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What was taken out before is not taken out again: a span gives way to the replacements that it meets."""
    taken = [match.span() for match in re.finditer(re.escape(REPLACEMENT), text)]
    free = []
    for start, end in spans:
        for a, b in taken:
            if a < end and start < b:
                if start < a:
                    free.append((start, a))
                start = max(start, b)
        if start < end and text[start:end].strip():
            free.append((start, end))
    return [span for span in free if text[span[0] : span[1]].strip()]


def _repeated(session: Session, post: Post, words: Sequence[str]) -> Sequence[Revision]:
    """Texts of other posts that may repeat the words: of the thread, and for long words of the whole board."""
    pieces = {max(text.split(), key=len): len(text.strip()) for text in words if text.strip()}
    if not pieces:
        return []
    board_id = select(Thread.board_id).where(Thread.id == post.thread_id).scalar_subquery()
    here = Post.thread_id == post.thread_id
    holds = [_holds(piece) & here for piece in pieces]
    holds += [_holds(piece) & (Thread.board_id == board_id) for piece, size in pieces.items() if size >= BOARD_CHARS]
    stmt = (
        select(Revision)
        .join(Post, Post.id == Revision.post_id)
        .join(Thread, Thread.id == Post.thread_id)
        .where(Revision.post_id != post.id, or_(*holds))
        .order_by(here.desc(), Revision.id)
        .limit(MOST_TEXTS)
    )
    return session.execute(stmt.execution_options(populate_existing=True)).scalars().all()


def _holds(piece: str) -> Any:
    lower = func.lower(func.coalesce(Revision.title, "") + "\n" + Revision.source)
    return lower.contains(piece.lower(), autoescape=True) | Revision.source.contains(piece, autoescape=True)


def _places_elsewhere(revision: Revision, words: Sequence[_Words]) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for part in _parts(revision):
        text = _part(revision, part)
        spans = []
        for word in words:
            if not word.text.strip():
                continue
            for match in _pattern(word.text).finditer(text):
                line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
                quoted = part == "source" and line.lstrip().startswith(">")
                if word.size >= THREAD_CHARS or quoted:
                    spans.append(match.span())
        found[part] = _outside_of_replacements(text, merged(spans))
    return found


def _lock_places(session: Session, post_ids: Collection[int]) -> None:
    """The threads and boards that show these posts, each kind in order: whoever else changes one of them takes a
    thread before its board too."""
    of_posts = select(Post.thread_id).where(Post.id.in_(post_ids))
    threads = select(Thread.board_id).where(Thread.id.in_(of_posts)).order_by(Thread.id).with_for_update(key_share=True)
    board_ids = set(session.execute(threads).scalars())
    boards = select(Board.id).where(Board.id.in_(board_ids)).order_by(Board.id)
    session.execute(boards.with_for_update(key_share=True)).all()


# --- Taking them out ---------------------------------------------------------------------------------------------


def _parts(revision: Revision) -> tuple[str, ...]:
    return ("source",) if revision.title is None else ("title", "source")


def _part(revision: Revision, part: str) -> str:
    return (revision.title or "") if part == "title" else revision.source


def _set_part(revision: Revision, part: str, text: str) -> None:
    if part == "title":
        revision.title = text
    else:
        revision.source = text


def _cut(
    session: Session,
    revision: Revision,
    places: dict[str, list[tuple[int, int]]],
    done: Redacted,
    *,
    decision_id: int,
    now: datetime,
) -> None:
    """Replace these stretches of one text, keep their words, and bring everything that shows the text in step."""
    cuts = [Cut(part, *span, len(REPLACEMENT)) for part, spans in places.items() for span in spans]
    if not cuts:
        return
    # From the end to the beginning, so that the offsets before a cut stay true.
    for cut in sorted(cuts, key=lambda cut: cut.start, reverse=True):
        text = _part(revision, cut.part)
        _set_part(revision, cut.part, text[: cut.start] + REPLACEMENT + text[cut.end :])
        _shift_rows(session, revision.id, cut.part, cut.start, len(REPLACEMENT) - (cut.end - cut.start))
        session.add(
            Redaction(
                decision_id=decision_id,
                revision_id=revision.id,
                part=cut.part,
                start=cut.start,
                original=text[cut.start : cut.end],
                replacement=REPLACEMENT,
                at=now,
            )
        )
        session.flush()  # the next cut before it moves this row too
    done.cuts[revision.id] = sorted(cuts, key=lambda cut: (cut.part, cut.start))
    _render(session, revision)


def _shift_rows(session: Session, revision_id: int, part: str, start: int, by: int, *, but: int = 0) -> None:
    """Replacements that stand behind a changed stretch have moved with it."""
    session.flush()
    session.execute(
        update(Redaction)
        .where(
            Redaction.revision_id == revision_id,
            Redaction.part == part,
            Redaction.start > start,
            Redaction.lifted_at.is_(None),
            Redaction.id != but,
        )
        .values(start=Redaction.start + by)
        .execution_options(synchronize_session="fetch")
    )


def _render(session: Session, revision: Revision) -> None:
    """HTML, plain text and excerpt anew, and whatever shows this text: its post, the thread's title, the search."""
    rendered = markup.render(revision.source, PROFILE)
    revision.html, revision.text = rendered.html, rendered.text
    revision.excerpt, revision.renderer = rendered.excerpt, rendered.renderer
    session.flush()
    post = session.get_one(Post, revision.post_id, populate_existing=True)
    # Who was editing or judging the old text has to look again.
    session.execute(
        update(Post)
        .where(Post.id == post.id)
        .values(version=Post.version + 1)
        .execution_options(synchronize_session=False)
    )
    is_shown = post.live_revision_id == revision.id
    if post.live_revision_id is None:
        is_shown = revisions.newest(session, post.id).id == revision.id
    if is_shown:
        revisions.show(session, post, revision)
        if post.state is PostState.PUBLISHED:
            revisions.reindex(session, post)
    session.execute(
        update(Thread)
        .where(Thread.id == post.thread_id)
        .values(version=Thread.version + 1)
        .execution_options(synchronize_session=False)
    )
    board_id = select(Thread.board_id).where(Thread.id == post.thread_id).scalar_subquery()
    session.execute(
        update(Board)
        .where(Board.id == board_id)
        .values(version=Board.version + 1)
        .execution_options(synchronize_session=False)
    )


def _cut_intake(session: Session, post: Post, words: Sequence[_Words]) -> None:
    """What the asker wrote in answer to the questions, like the thread's other texts. Offered answers hold nobody's
    words."""
    least = FREE_CHARS if post.kind is PostKind.OPENING else THREAD_CHARS
    gone = [word.text for word in words if word.size >= least]
    if not gone:
        return
    written = (
        select(IntakeAnswer)
        .join(Thread, Thread.id == IntakeAnswer.thread_id)
        .join(Board, Board.id == Thread.board_id)
        .outerjoin(
            IntakeField, and_(IntakeField.condition_id == Board.condition_id, IntakeField.key == IntakeAnswer.key)
        )
        .where(IntakeAnswer.thread_id == post.thread_id, func.coalesce(IntakeField.type, "text") == "text")
    )
    for answer in session.execute(written).scalars().all():
        answer.values, answer.shown = cleaned(answer.values, gone), without(answer.shown, gone)
    session.flush()


def _cut_drafts(session: Session, post: Post, words: Sequence[str]) -> None:
    """What the author was writing: a draft that still held the words would bring them back."""
    if not words:
        return
    drafts = session.execute(select(Draft).where(Draft.author_id == post.author_id)).scalars().all()
    for draft in drafts:
        draft.title, draft.body = without(draft.title, words), without(draft.body, words)
    session.flush()


def _cut_unsent(session: Session, words: Sequence[str]) -> None:
    """Messages that have not left yet, and notices on the site. They hold no words of posts; should one, it goes."""
    if not words:
        return
    waiting = select(OutboxMessage).where(OutboxMessage.sent_at.is_(None), OutboxMessage.failed_at.is_(None))
    for message in session.execute(waiting).scalars().all():
        kept = {key: value for key, value in message.payload.items() if key == ADDRESSEE}
        payload = cleaned(message.payload, words) | kept
        if payload != message.payload:
            message.payload = payload
    session.flush()


def without(text: str, words: Sequence[str]) -> str:
    """The text with these words replaced, as a redaction would."""
    for word in words:
        if word.strip():
            text = _pattern(word).sub(REPLACEMENT, text)
    return text


def cleaned(value: Any, words: Sequence[str]) -> Any:
    """The same inside of a JSON value."""
    if isinstance(value, str):
        return without(value, words)
    if isinstance(value, list):
        return [cleaned(one, words) for one in value]
    if isinstance(value, dict):
        return {key: cleaned(one, words) for key, one in value.items()}
    return value
