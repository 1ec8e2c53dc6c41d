"""Writing: a thread, an answer, a comment, an edit, a withdrawal. Every text passes the gate before readers get it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from auth.policy import Actor, Sight, is_author, refusal, require, sight
from core import audit, limits, markup
from core.config import Settings
from core.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from core.text import is_blank, normalise, slugify
from core.vocabulary import Action, PostKind, PostState, RestrictionKind, ThreadKind
from forum import boards, lifecycle, revisions
from forum.gate import Gate, GuidanceNote, Submission
from forum.intake import IntakeInput
from forum.intake import check as check_intake
from forum.models import Board, Guidance, IntakeAnswer, Post, Revision, Thread
from forum.subjects import ANSWERING, load_post, opening_subject

PROFILE = "post"
SHOWN = frozenset({PostState.PUBLISHED, PostState.SHIELDED})


@dataclass(frozen=True)
class Posted:
    """What became of a text: `held` says that it waits for a person (of an edit: the edit waits)."""

    thread: Thread
    post: Post
    guidance: tuple[GuidanceNote, ...]
    held: bool


def start_thread(
    session: Session,
    actor: Actor,
    *,
    board_slug: str,
    kind: ThreadKind,
    title: str,
    body: str,
    gate: Gate,
    settings: Settings,
    now: datetime,
    intake: Sequence[IntakeInput] = (),
    was_misdiagnosed: bool = False,
    language: str = "en",
) -> Posted:
    """A question or an experience on a board. Raises Invalid naming every wrong field; nothing is stored then."""
    place = boards.find(session, board_slug)
    require(actor, Action.START_THREAD, boards.board_subject(session, place, actor))
    member_id = _member(actor)
    _within_posting_limit(session, actor, place.id, now=now)
    limits.spend(session, member_id, "thread", now=now, enforced=settings.limits)
    texts, errors = check_texts(settings, title=title, body=body)
    answers, intake_errors = check_intake(session, place.condition_id, intake)
    errors += intake_errors
    if was_misdiagnosed and kind is not ThreadKind.EXPERIENCE:
        errors.append(("was_misdiagnosed", "Only an experience can be marked so."))
    _raise_all(errors)
    board = boards.ensure(session, place.slug, now)
    thread = Thread(
        board_id=board.id,
        kind=kind,
        title=texts["title"],
        slug=slugify(texts["title"]),
        author_id=member_id,
        state=PostState.DRAFT,
        was_misdiagnosed=was_misdiagnosed,
        language=language,
        created_at=now,
        last_activity_at=now,
    )
    session.add(thread)
    session.flush()  # posts and answers name their thread by its id
    for answer in answers:
        answer.thread_id = thread.id
        session.add(answer)
    return _submit(
        session,
        actor,
        thread,
        board,
        kind=PostKind.OPENING,
        position=0,
        parent_id=None,
        title=texts["title"],
        body=texts["body"],
        gate=gate,
        settings=settings,
        now=now,
        action="thread.start",
    )


def add_post(
    session: Session,
    actor: Actor,
    *,
    thread_id: int,
    kind: PostKind,
    body: str,
    gate: Gate,
    settings: Settings,
    now: datetime,
    parent_id: int | None = None,
) -> Posted:
    """An answer (questions only) or a comment; a comment without a parent belongs to the opening post."""
    thread, board = _thread_for(session, actor, thread_id, kind)
    # Of a thread that was put together with another while somebody was writing, it is the other one.
    thread_id = thread.id
    member_id = _member(actor)
    _within_posting_limit(session, actor, board.id, now=now)
    limits.spend(session, member_id, "post", now=now, enforced=settings.limits)
    texts, errors = check_texts(settings, body=body)
    parent, parent_errors = _parent(session, actor, thread_id, kind, parent_id)
    _raise_all(errors + parent_errors)
    position = session.execute(
        update(Thread)
        .where(Thread.id == thread_id, Thread.is_locked.is_(False), Thread.state.in_(SHOWN))
        .values(next_position=Thread.next_position + 1)
        .returning(Thread.next_position - 1)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if position is None:
        raise Forbidden("thread-not-open", "This thread was closed while you were writing. Your text is not lost.")
    return _submit(
        session,
        actor,
        thread,
        board,
        kind=kind,
        position=position,
        parent_id=parent,
        title=None,
        body=texts["body"],
        gate=gate,
        settings=settings,
        now=now,
        action="post.create",
    )


LIMIT_WINDOW = timedelta(hours=24)


def _within_posting_limit(session: Session, actor: Actor, board_id: int | None, *, now: datetime) -> None:
    """Raises TooMany("posting-limit") where a sanction limits this member here and the day's posts are used up.

    Unlike the rolling limits of everybody it is never switched off.
    """
    for limit in actor.restrictions:
        if limit.kind is not RestrictionKind.POSTING_LIMIT or limit.board_id not in (None, board_id):
            continue
        stmt = select(Post.created_at).join(Thread, Thread.id == Post.thread_id)
        stmt = stmt.where(
            Post.author_id == actor.id, Post.state != PostState.DRAFT, Post.created_at > now - LIMIT_WINDOW
        )
        if limit.board_id is not None:
            stmt = stmt.where(Thread.board_id == limit.board_id)
        most = limit.daily_limit or 0
        written = session.execute(stmt.order_by(Post.created_at.desc()).limit(most)).scalars().all()
        if len(written) >= most:
            free_at = written[-1] + LIMIT_WINDOW if written else now + LIMIT_WINDOW
            end = f" until {limit.until:%-d %B %Y, %H:%M} UTC" if limit.until else ""
            raise TooMany(
                "posting-limit",
                f"You can write {most} posts in 24 hours{end}, and these are used up. You can write again at "
                f"{free_at:%H:%M} UTC. Your text is not lost.",
                retry_after=max(1, int((free_at - now).total_seconds())),
                reference=limit.reference,
            )


def edit_post(
    session: Session,
    actor: Actor,
    post_id: int,
    *,
    version: int,
    gate: Gate,
    settings: Settings,
    now: datetime,
    body: str | None = None,
    title: str | None = None,
) -> Posted:
    """A new text (and title) for one's own post; None leaves that part as it is. Changes nothing if nothing differs.

    Of a post that waits, the new text replaces the waiting one. Of a published post, the approved text stays public
    while the gate holds the edit. Raises Conflict with the current version when somebody was first.
    """
    loaded = load_post(session, post_id, actor)
    require(actor, Action.EDIT_POST, loaded.subject)
    post, thread = loaded.post, loaded.thread
    if post.version != version:
        raise _stale(post.version)
    old = revisions.waiting(session, post_id) or revisions.newest(session, post_id)
    if post.state in SHOWN and old.state not in revisions.WAITING:
        old = session.get_one(Revision, post.live_revision_id)
    texts, errors = check_texts(
        settings, title=title if title is not None else old.title, body=body if body is not None else old.source
    )
    if title is not None and post.kind is not PostKind.OPENING:
        errors.append(("title", "Only a thread's first post has a title."))
    _raise_all(errors)
    if (texts.get("title"), texts["body"]) == (old.title, old.source) and post.state is not PostState.DRAFT:
        return Posted(thread, post, (), old.state in revisions.WAITING)
    limits.spend(session, _member(actor), "edit", now=now, enforced=settings.limits)
    _take_version(session, post)
    live_body, live_title = post.source, thread.title
    revision = revisions.add(
        session,
        post,
        title=texts.get("title"),
        source=texts["body"],
        rendered=markup.render(texts["body"], PROFILE),
        now=now,
    )
    published = post.state in SHOWN
    if not published:
        revisions.show(session, post, revision)
    screening = gate.screen(
        session,
        Submission(
            post_id=post.id,
            revision_id=revision.id,
            thread_id=thread.id,
            board_id=loaded.board.id,
            condition_id=loaded.board.condition_id,
            board_mode=loaded.board.mode,
            author_id=post.author_id,
            author_country=actor.country,
            post_kind=post.kind,
            thread_kind=thread.kind,
            title=texts.get("title"),
            body=texts["body"],
            is_edit=True,
            live_body=live_body if published else None,
            live_title=live_title if published and post.kind is PostKind.OPENING else None,
            intake=_intake_of(session, post),
        ),
        settings=settings,
        now=now,
    )
    held = _place_edit(session, post, revision, screening.state, now=now)
    _keep_guidance(session, post.id, screening.guidance, now=now)
    audit.record(
        session,
        actor_id=actor.id,
        action="post.edit",
        subject=("post", post.id),
        details={"revision": revision.id, "held": held},
        now=now,
    )
    return Posted(
        session.get_one(Thread, thread.id, populate_existing=True),
        session.get_one(Post, post.id, populate_existing=True),
        screening.guidance,
        held,
    )


def _place_edit(session: Session, post: Post, revision: Revision, screened: PostState, *, now: datetime) -> bool:
    """Put the edit where the gate wants it; returns whether it waits.

    A text that waits keeps waiting for a person even if its newest form would pass: somebody was promised a look.
    """
    post = session.get_one(Post, post.id, populate_existing=True)
    if post.state is PostState.CHANGES_REQUESTED:
        lifecycle.move(session, post.id, PostState.HELD, expected_version=post.version, now=now)
        return True
    if post.state not in SHOWN or screened is PostState.HELD:
        return True
    revisions.put_live(session, post, revision, now=now)
    if screened is PostState.SHIELDED and post.state is PostState.PUBLISHED:
        lifecycle.move(session, post.id, PostState.SHIELDED, expected_version=post.version, now=now)
    return False


def withdraw(
    session: Session, actor: Actor, post_id: int, *, gate: Gate, now: datetime, version: int | None = None
) -> Post:
    """The author takes a post back, at any time; doing it twice changes nothing. Replies to it stay."""
    loaded = load_post(session, post_id, actor)
    post = loaded.post
    if is_author(actor, loaded.subject) and post.state is PostState.WITHDRAWN:
        return post
    require(actor, Action.WITHDRAW_POST, loaded.subject)
    if version is not None and version != post.version:
        raise _stale(post.version)
    return _withdraw(session, loaded.post, actor_id=actor.id, gate=gate, now=now)


def withdraw_all(session: Session, member_id: int, *, gate: Gate, now: datetime) -> int:
    """Withdraw everything that a member wrote (they close their account and want it so); returns how many posts."""
    states = (
        PostState.HELD,
        PostState.CHANGES_REQUESTED,
        PostState.PUBLISHED,
        PostState.SHIELDED,
        PostState.HIDDEN,
    )
    mine = select(Post).where(Post.author_id == member_id, Post.state.in_(states)).order_by(Post.id)
    posts = session.execute(mine.execution_options(populate_existing=True)).scalars().all()
    for post in posts:
        _withdraw(session, post, actor_id=member_id, gate=gate, now=now)
    return len(posts)


def _withdraw(session: Session, post: Post, *, actor_id: int | None, gate: Gate, now: datetime) -> Post:
    before = post.state
    moved = lifecycle.move(session, post.id, PostState.WITHDRAWN, expected_version=post.version, now=now)
    gate.withdrawn(session, post.id, now=now)
    audit.record(
        session,
        actor_id=actor_id,
        action="post.withdraw",
        subject=("post", post.id),
        details={"from": before.value},
        now=now,
    )
    return moved


# --- Checking ----------------------------------------------------------------------------------------------------


def check_texts(
    settings: Settings, *, body: str, title: str | None = None
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The texts in the form in which they are stored (never trimmed), and every error as (field, sentence)."""
    texts: dict[str, str] = {}
    errors: list[tuple[str, str]] = []
    given = [("body", body, settings.max_body_chars)]
    if title is not None:
        given.insert(0, ("title", title, settings.max_title_chars))
    for field, typed, most in given:
        try:
            text = normalise(typed, field=field)
        except Invalid as error:
            errors += error.errors
            continue
        texts[field] = text
        if is_blank(text):
            errors.append((field, "Please write something here."))
        elif len(text) > most:
            errors.append((field, f"This has {len(text):,} characters; at most {most:,} fit. Please shorten it."))
    return texts, errors


def _raise_all(errors: list[tuple[str, str]]) -> None:
    if errors:
        raise Invalid("invalid-field", "Some fields cannot be accepted. Nothing is lost.", errors=errors)


def _member(actor: Actor) -> int:
    if actor.id is None:
        raise RuntimeError("the policy let a visitor write")
    return actor.id


def _stale(version: int) -> Conflict:
    return Conflict("post-changed", "This post has changed meanwhile. Please look at it again.", version=version)


def _thread_for(session: Session, actor: Actor, thread_id: int, kind: PostKind) -> tuple[Thread, Board]:
    found = session.execute(
        select(Thread, Board)
        .join(Board, Board.id == Thread.board_id)
        .where(Thread.id == thread_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound()
    thread, board = found
    if thread.merged_into_id is not None:
        return _thread_for(session, actor, thread.merged_into_id, kind)
    subject = opening_subject(session, thread, board, actor)
    if sight(actor, subject) is Sight.NONE:
        raise NotFound()
    if kind not in ANSWERING:
        raise Invalid("invalid-field", "A reply is an answer or a comment.", errors=[("kind", "answer or comment")])
    require(actor, ANSWERING[kind], subject)
    return thread, board


def _parent(
    session: Session, actor: Actor, thread_id: int, kind: PostKind, parent_id: int | None
) -> tuple[int | None, list[tuple[str, str]]]:
    """The parent to store: none for an answer, the opening post or an answer for a comment."""
    opening_id = session.execute(select(Post.id).where(Post.thread_id == thread_id, Post.position == 0)).scalar_one()
    if kind is PostKind.ANSWER:
        wrong = parent_id not in (None, opening_id)
        return None, [("parent_id", "An answer stands under the question itself.")] if wrong else []
    if parent_id in (None, opening_id):
        return opening_id, []
    try:
        parent = load_post(session, parent_id or 0, actor)
    except NotFound:
        return None, [("parent_id", "There is no such post in this thread.")]
    if parent.thread.id != thread_id:
        return None, [("parent_id", "There is no such post in this thread.")]
    if parent.post.kind is PostKind.COMMENT:
        return None, [("parent_id", "A comment belongs to the first post or to an answer, not to another comment.")]
    if parent.post.state not in SHOWN:
        raise refusal(actor, Action.COMMENT, parent.subject)
    return parent.post.id, []


# --- Storing -----------------------------------------------------------------------------------------------------


def _submit(
    session: Session,
    actor: Actor,
    thread: Thread,
    board: Board,
    *,
    kind: PostKind,
    position: int,
    parent_id: int | None,
    title: str | None,
    body: str,
    gate: Gate,
    settings: Settings,
    now: datetime,
    action: str,
) -> Posted:
    rendered = markup.render(body, PROFILE)
    post = Post(
        thread_id=thread.id,
        kind=kind,
        parent_id=parent_id,
        position=position,
        author_id=_member(actor),
        state=PostState.DRAFT,
        source=body,
        html=rendered.html,
        text=rendered.text,
        excerpt=rendered.excerpt,
        renderer=rendered.renderer,
        language=thread.language,
        created_at=now,
    )
    session.add(post)
    session.flush()  # its revision names it by its id
    revision = revisions.add(session, post, title=title, source=body, rendered=rendered, now=now)
    screening = gate.screen(
        session,
        Submission(
            post_id=post.id,
            revision_id=revision.id,
            thread_id=thread.id,
            board_id=board.id,
            condition_id=board.condition_id,
            board_mode=board.mode,
            author_id=post.author_id,
            author_country=actor.country,
            post_kind=kind,
            thread_kind=thread.kind,
            title=title,
            body=body,
            intake=_intake_of(session, post),
        ),
        settings=settings,
        now=now,
    )
    entered = lifecycle.enter(session, post, screening.state, now=now)
    _keep_guidance(session, post.id, screening.guidance, now=now)
    audit.record(
        session,
        actor_id=actor.id,
        action=action,
        subject=("post", post.id),
        details={"thread": thread.id, "revision": revision.id, "state": screening.state.value},
        now=now,
    )
    return Posted(
        session.get_one(Thread, thread.id, populate_existing=True),
        entered,
        screening.guidance,
        entered.state is PostState.HELD,
    )


def _take_version(session: Session, post: Post) -> None:
    """The edit is ours, or somebody was first; on PostgreSQL the row is ours until the commit."""
    taken = session.execute(
        update(Post)
        .where(Post.id == post.id, Post.version == post.version, Post.state == post.state)
        .values(version=Post.version + 1)
        .returning(Post.id)
        .execution_options(synchronize_session=False)
    ).first()
    if taken is None:
        current = session.execute(select(Post.version).where(Post.id == post.id)).scalar_one()
        raise _stale(current)


def _intake_of(session: Session, post: Post) -> dict[str, list[object]]:
    if post.kind is not PostKind.OPENING:
        return {}
    stmt = select(IntakeAnswer.key, IntakeAnswer.values).where(IntakeAnswer.thread_id == post.thread_id)
    return {key: list(values) for key, values in session.execute(stmt)}


def _keep_guidance(session: Session, post_id: int, notes: Sequence[GuidanceNote], *, now: datetime) -> None:
    """Shown with the post to its author; what an older text called for no longer counts."""
    session.execute(delete(Guidance).where(Guidance.post_id == post_id).execution_options(synchronize_session=False))
    for note in notes:
        session.add(
            Guidance(
                post_id=post_id,
                kind=note.kind,
                urgency=note.urgency,
                message=note.message,
                resources=[asdict(resource) for resource in note.resources],
                created_at=now,
            )
        )
