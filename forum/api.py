"""The forum's routes of the JSON API: the same rules and queries as the pages."""

from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

from flask import current_app, redirect
from marshmallow import Schema, fields, validate

from auth.doors import current_actor, needs, public
from content import sidebars
from content.views import emergency
from core.db import db, unit_of_work, utc_now
from core.errors import Invalid, VersionMissing
from core.vocabulary import Action, PostKind, PostState, ThreadKind
from core.web import API_PREFIX, ApiBlueprint, PageArgs, settings
from forum import gate as gates
from forum import posting, queries, revisions, votes
from forum import search as searching
from forum.gate import HeldStatus
from forum.intake import from_json

blueprint = ApiBlueprint("forum-api", __name__, description="Boards, threads and posts")


# --- What is sent and answered -----------------------------------------------------------------------------------

_STATES = "draft held changes_requested published shielded hidden removed rejected withdrawn erased"


class Author(Schema):
    handle = fields.String()
    chips = fields.List(fields.String(), metadata={"description": "lead moderator editor admin new_member"})


class BoardShort(Schema):
    slug = fields.String()
    name = fields.String()


class BoardFull(BoardShort):
    is_open = fields.Boolean(metadata={"description": "false until its first thread is published"})
    mode = fields.String(metadata={"description": "post first_n pre closed"})
    thread_count = fields.Integer()
    post_count = fields.Integer()
    last_activity_at = fields.AwareDateTime(allow_none=True)
    moderation_statement = fields.String()
    notice = fields.String(metadata={"description": "a few lines by its moderators; empty: none"})
    notice_html = fields.String()
    sidebar = fields.Dict(allow_none=True, metadata={"description": "the reference content that stands beside"})


class ThreadSummary(Schema):
    id = fields.Integer()
    kind = fields.Enum(ThreadKind, by_value=True)
    title = fields.String(metadata={"description": "empty where the opening post is a tombstone"})
    slug = fields.String()
    state = fields.Enum(PostState, by_value=True, metadata={"description": _STATES})
    author = fields.Nested(Author, allow_none=True)
    answer_count = fields.Integer()
    comment_count = fields.Integer()
    helpful_count = fields.Integer()
    was_misdiagnosed = fields.Boolean()
    is_locked = fields.Boolean()
    is_pinned = fields.Boolean(metadata={"description": "its board's page shows it before all others"})
    created_at = fields.AwareDateTime()
    last_activity_at = fields.AwareDateTime()
    url = fields.String()


class ThreadRow(ThreadSummary):
    excerpt = fields.String()
    board = fields.Function(lambda row: {"slug": row.board_slug, "name": row.board_name})


class ThreadFull(ThreadSummary):
    version = fields.Integer()
    language = fields.String()
    is_old = fields.Boolean(metadata={"description": "nothing new for two years"})


class WaitingEdit(Schema):
    revision_id = fields.Integer()
    state = fields.String(metadata={"description": "held or changes_requested"})
    title = fields.String(allow_none=True)
    body = fields.String(attribute="source")
    html = fields.String()
    created_at = fields.AwareDateTime()


class LabelSchema(Schema):
    text = fields.String()
    reference = fields.String(metadata={"description": "slug#section of the reference"})
    url = fields.String()


class PostSchema(Schema):
    id = fields.Integer()
    thread_id = fields.Integer()
    kind = fields.Enum(PostKind, by_value=True)
    parent_id = fields.Integer(allow_none=True)
    position = fields.Integer(metadata={"description": "its stored place in the thread; 0 is the opening post"})
    state = fields.Enum(PostState, by_value=True, metadata={"description": _STATES})
    version = fields.Integer(metadata={"description": "name it in PATCH"})
    author = fields.Nested(Author, allow_none=True)
    body = fields.String(
        attribute="source", allow_none=True, metadata={"description": "Markdown as typed, for author and moderators"}
    )
    html = fields.String()
    text = fields.String()
    former_title = fields.String(
        allow_none=True, metadata={"description": "of the first post of a thread that was put together with this one"}
    )
    is_tombstone = fields.Boolean(metadata={"description": "the state says why; the text is not given"})
    created_at = fields.AwareDateTime()
    edited_at = fields.AwareDateTime(allow_none=True)
    label = fields.Nested(
        LabelSchema, allow_none=True, metadata={"description": "a caution by a moderator; null: none"}
    )
    helpful_count = fields.Integer()
    marked_helpful = fields.Boolean()
    edit_waiting = fields.Nested(
        WaitingEdit,
        attribute="waiting",
        allow_none=True,
        metadata={"description": "an edit that a person has yet to read, for author and moderators"},
    )
    url = fields.String()


class HeldReasonSchema(Schema):
    kind = fields.String()
    explanation = fields.String()


class Held(Schema):
    reasons = fields.List(fields.Nested(HeldReasonSchema))
    position = fields.Integer(allow_none=True, metadata={"description": "place in line"})
    expected_wait_minutes = fields.Integer(allow_none=True, metadata={"description": "null while no history exists"})
    note = fields.String(metadata={"description": "the wait in words"})


class ResourceSchema(Schema):
    name = fields.String()
    phone = fields.String()
    url = fields.String()
    hours = fields.String()


class GuidanceSchema(Schema):
    kind = fields.String()
    urgency = fields.String()
    message = fields.String()
    resources = fields.List(fields.Nested(ResourceSchema))


class IntakeAnswerSchema(Schema):
    key = fields.String()
    label = fields.String()
    values = fields.List(fields.Raw())
    shown = fields.String()
    visibility = fields.String()


class LaterFields(Schema):
    """Fields of later parts: any other value than the default answers 422 `not-available` and stores nothing."""

    audience = fields.String(load_default="public", metadata={"description": "only `public` at present"})
    pseudonymous = fields.Boolean(load_default=False, metadata={"description": "only false at present"})


class NewThread(LaterFields):
    kind = fields.Enum(ThreadKind, by_value=True, required=True)
    title = fields.String(load_default="")
    body = fields.String(load_default="", metadata={"description": "Markdown; kept exactly as sent, but NFC and LF"})
    intake = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(),
        load_default=dict,
        metadata={
            "description": "question's key -> value, list of values, or {values, visibility}; the questions are those "
            "of GET /conditions/{slug}"
        },
    )
    was_misdiagnosed = fields.Boolean(load_default=False, metadata={"description": "experiences only"})
    language = fields.String(load_default="en", validate=validate.Regexp(r"^[a-z]{2}(-[A-Z]{2})?$"))


class NewPost(LaterFields):
    kind = fields.String(required=True, validate=validate.OneOf(["answer", "comment"]))
    parent_id = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "of a comment: the opening post (default) or an answer"},
    )
    body = fields.String(load_default="")


class Edit(Schema):
    version = fields.Integer(
        load_default=None, allow_none=True, metadata={"description": "the version that was read; without it 428"}
    )
    body = fields.String(load_default=None, allow_none=True)
    title = fields.String(load_default=None, allow_none=True, metadata={"description": "opening posts only"})


class ThreadPosted(Schema):
    thread = fields.Nested(ThreadFull)
    post = fields.Nested(PostSchema)
    held = fields.Nested(Held, allow_none=True)
    guidance = fields.List(fields.Nested(GuidanceSchema))


class Posted(Schema):
    post = fields.Nested(PostSchema)
    held = fields.Nested(Held, allow_none=True)
    guidance = fields.List(fields.Nested(GuidanceSchema))


class ThreadList(Schema):
    items = fields.List(fields.Nested(ThreadRow))
    next = fields.String(allow_none=True)


class PostList(Schema):
    items = fields.List(fields.Nested(PostSchema))
    next = fields.String(allow_none=True)


class ThreadPage(Schema):
    thread = fields.Nested(ThreadFull)
    board = fields.Nested(BoardShort)
    opening_post = fields.Nested(PostSchema)
    held = fields.Nested(Held, allow_none=True, metadata={"description": "of the opening post, for its author"})
    guidance = fields.List(fields.Nested(GuidanceSchema))
    intake = fields.List(fields.Nested(IntakeAnswerSchema))
    most_helpful = fields.List(fields.Nested(PostSchema), metadata={"description": "at most three answers"})
    posts = fields.Nested(PostList)
    sidebar = fields.Dict(allow_none=True)


class PostPage(PostSchema):
    thread = fields.Nested(ThreadSummary)
    held = fields.Nested(Held, allow_none=True)
    guidance = fields.List(fields.Nested(GuidanceSchema))


class RevisionSchema(Schema):
    id = fields.Integer()
    number = fields.Integer()
    title = fields.String(allow_none=True)
    html = fields.String()
    text = fields.String()
    body = fields.String(attribute="source", allow_none=True)
    state = fields.String(allow_none=True, metadata={"description": "for author and moderators"})
    is_live = fields.Boolean()
    created_at = fields.AwareDateTime()


class RevisionList(Schema):
    items = fields.List(fields.Nested(RevisionSchema))
    next = fields.String(allow_none=True)


class Helpful(Schema):
    helpful_count = fields.Integer()
    marked_helpful = fields.Boolean()


class ThreadArgs(PageArgs):
    kind = fields.Enum(ThreadKind, by_value=True, load_default=None)
    sort = fields.String(load_default="active", validate=validate.OneOf(queries.SORTS))


class SearchArgs(PageArgs):
    q = fields.String(load_default="", validate=validate.Length(max=500))
    board = fields.String(load_default=None, metadata={"description": "a board's slug"})
    kind = fields.String(load_default=None, validate=validate.OneOf(list(searching.KINDS)))


class ResultSchema(Schema):
    type = fields.String(metadata={"description": "thread post article"})
    url = fields.String()
    title = fields.String()
    snippet = fields.String(attribute="plain_snippet")
    board_slug = fields.String(allow_none=True)


class ResultList(Schema):
    items = fields.List(fields.Nested(ResultSchema))
    next = fields.String(allow_none=True)


# --- Boards ------------------------------------------------------------------------------------------------------


@blueprint.get("/boards/<slug>")
@public
@blueprint.response(200, BoardFull)
def board(slug: str) -> dict[str, Any]:
    """A board: counts of what is published, how it is moderated, and the reference content beside it."""
    found = queries.board(db.session(), current_actor(), slug)
    return {**_fields(found), "sidebar": _sidebar(found.condition_id, "")}


@blueprint.get("/boards/<slug>/threads")
@public
@blueprint.arguments(ThreadArgs, location="query")
@blueprint.response(200, ThreadList)
def threads(args: dict[str, Any], slug: str) -> Any:
    """The threads of a board, by kind and order."""
    actor = current_actor()
    found = queries.board(db.session(), actor, slug)
    return queries.board_threads(db.session(), actor, found.id, **args)


@blueprint.post("/boards/<slug>/threads")
@needs(Action.START_THREAD)
@blueprint.arguments(NewThread)
@blueprint.response(201, ThreadPosted)
def start_thread(sent: dict[str, Any], slug: str) -> dict[str, Any]:
    """Ask a question or share an experience. `held` says whether it waits for a person, and why."""
    _refuse_later_fields(sent)
    inputs, errors = from_json(sent["intake"])
    if errors:
        raise Invalid("invalid-field", "Some fields cannot be accepted.", errors=errors)
    gate = gates.of(current_app)
    with unit_of_work() as session:
        posted = posting.start_thread(
            session,
            current_actor(),
            board_slug=slug,
            kind=sent["kind"],
            title=sent["title"],
            body=sent["body"],
            intake=inputs,
            was_misdiagnosed=sent["was_misdiagnosed"],
            language=sent["language"],
            gate=gate,
            settings=settings(),
            now=utc_now(),
        )
    answer, thread = _posted(posted)
    return {**answer, "thread": thread}


# --- Threads -----------------------------------------------------------------------------------------------------


@blueprint.get("/threads/<int:thread_id>")
@needs(Action.READ_POST)
@blueprint.arguments(PageArgs, location="query")
@blueprint.alt_response(308, description="It was put together with another thread, which stands there")
@blueprint.response(200, ThreadPage)
def thread(args: dict[str, Any], thread_id: int) -> Any:
    """A thread: opening post, the most helpful answers, and a page of posts by position."""
    try:
        page = queries.thread_page(
            db.session(),
            current_actor(),
            thread_id,
            gate=gates.of(current_app),
            settings=settings(),
            now=utc_now(),
            after=args["after"],
            limit=args["limit"],
        )
    except queries.Merged as merged:
        return redirect(f"{API_PREFIX}/threads/{merged.into}", 308)
    return {
        "thread": page.thread,
        "board": page.board,
        "opening_post": page.opening,
        "held": _held(page.opening.held),
        "guidance": page.opening.guidance,
        "intake": page.intake,
        "most_helpful": page.helpful,
        "posts": {"items": page.posts, "next": page.next},
        "sidebar": _sidebar(page.board.condition_id, page.words),
    }


@blueprint.post("/threads/<int:thread_id>/posts")
@needs(Action.COMMENT)
@blueprint.arguments(NewPost)
@blueprint.response(201, Posted)
def add_post(sent: dict[str, Any], thread_id: int) -> dict[str, Any]:
    """Answer a question, or comment on the opening post or an answer."""
    _refuse_later_fields(sent)
    with unit_of_work() as session:
        posted = posting.add_post(
            session,
            current_actor(),
            thread_id=thread_id,
            kind=PostKind(sent["kind"]),
            parent_id=sent["parent_id"],
            body=sent["body"],
            gate=gates.of(current_app),
            settings=settings(),
            now=utc_now(),
        )
    return _posted(posted)[0]


# --- Posts -------------------------------------------------------------------------------------------------------


@blueprint.get("/posts/<int:post_id>")
@needs(Action.READ_POST)
@blueprint.response(200, PostPage)
def post(post_id: int) -> dict[str, Any]:
    """One post; its author also reads why it waits and what the site wanted to tell them."""
    view, thread, _board = _post_view(post_id)
    return {**_fields(view), "thread": thread, "held": _held(view.held), "guidance": view.guidance}


@blueprint.patch("/posts/<int:post_id>")
@needs(Action.EDIT_POST)
@blueprint.arguments(Edit)
@blueprint.response(200, Posted)
def edit_post(sent: dict[str, Any], post_id: int) -> dict[str, Any]:
    """Change one's own post. While an edit of a published post waits, readers keep the approved text."""
    if sent["version"] is None:
        raise VersionMissing("version-missing", "Name the version of the post that you read.")
    with unit_of_work() as session:
        posted = posting.edit_post(
            session,
            current_actor(),
            post_id,
            version=sent["version"],
            body=sent["body"],
            title=sent["title"],
            gate=gates.of(current_app),
            settings=settings(),
            now=utc_now(),
        )
    return _posted(posted)[0]


@blueprint.delete("/posts/<int:post_id>")
@needs(Action.WITHDRAW_POST)
@blueprint.response(204)
def withdraw(post_id: int) -> None:
    """The author takes the post back; replies to it stay."""
    with unit_of_work() as session:
        posting.withdraw(session, current_actor(), post_id, gate=gates.of(current_app), now=utc_now())


@blueprint.get("/posts/<int:post_id>/revisions")
@needs(Action.READ_REVISIONS)
@blueprint.response(200, RevisionList)
def history(post_id: int) -> dict[str, Any]:
    """The texts of a post that this reader may see, oldest first."""
    return {"items": revisions.history(db.session(), post_id, current_actor()), "next": None}


@blueprint.put("/posts/<int:post_id>/helpful")
@needs(Action.MARK_HELPFUL)
@blueprint.response(200, Helpful)
def mark_helpful(post_id: int) -> dict[str, Any]:
    """Mark somebody else's answer as helpful."""
    with unit_of_work() as session:
        count = votes.mark_helpful(session, current_actor(), post_id, settings=settings(), now=utc_now())
    return {"helpful_count": count, "marked_helpful": True}


@blueprint.delete("/posts/<int:post_id>/helpful")
@needs(Action.MARK_HELPFUL)
@blueprint.response(200, Helpful)
def unmark_helpful(post_id: int) -> dict[str, Any]:
    """Take one's own mark back."""
    with unit_of_work() as session:
        count = votes.unmark_helpful(session, current_actor(), post_id)
    return {"helpful_count": count, "marked_helpful": False}


# --- Search ------------------------------------------------------------------------------------------------------


@blueprint.get("/search")
@public
@blueprint.arguments(SearchArgs, location="query")
@blueprint.response(200, ResultList)
def search(args: dict[str, Any]) -> Any:
    """Threads, posts and sections of the reference that hold all the words; the best first."""
    return searching.search(db.session(), args.pop("q"), **args)


# --- Shared ------------------------------------------------------------------------------------------------------


def _refuse_later_fields(sent: dict[str, Any]) -> None:
    errors = []
    if sent["audience"] != "public":
        errors.append(("audience", "Only public threads exist at present."))
    if sent["pseudonymous"]:
        errors.append(("pseudonymous", "Posts appear under your handle at present."))
    if errors:
        raise Invalid("not-available", "This is not available yet. Nothing was stored.", errors=errors)


def _post_view(post_id: int) -> tuple[queries.PostView, queries.ThreadView, queries.BoardView]:
    return queries.post(
        db.session(), current_actor(), post_id, gate=gates.of(current_app), settings=settings(), now=utc_now()
    )


def _posted(posted: posting.Posted) -> tuple[dict[str, Any], queries.ThreadView]:
    """The answer to whoever wrote a text, as they now see it."""
    view, thread, _board = _post_view(posted.post.id)
    return {"post": view, "held": _held(view.held), "guidance": posted.guidance}, thread


def _held(status: HeldStatus | None) -> dict[str, Any] | None:
    if status is None:
        return None
    first, last = status.hours
    minutes = status.expected_wait_minutes
    note = f"A person looks between {first}:00 and {last}:00 UTC." if minutes is None else f"About {minutes} minutes."
    return {**_fields(status), "note": note}


def _sidebar(condition_id: int | None, words: str) -> Any:
    """None beside a board without a condition."""
    if condition_id is None:
        return None
    today = utc_now().date()
    return _plain(sidebars.choose(db.session(), condition_id, text=words, emergency=emergency(), today=today))


def _fields(view: Any) -> dict[str, Any]:
    """A dataclass as the mapping of its fields and properties."""
    names = {name for kind in type(view).__mro__ for name, value in vars(kind).items() if isinstance(value, property)}
    return {**vars(view), **{name: getattr(view, name) for name in names}}


def _plain(value: Any) -> Any:
    """Dataclasses, dates and enums as JSON has them."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
