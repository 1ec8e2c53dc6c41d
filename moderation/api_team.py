"""The API of the team's other work: operations on threads, talk with members, notes, patrol."""

from typing import Any

from marshmallow import Schema, fields, validate

from auth.doors import current_actor, needs
from core.db import db, unit_of_work, utc_now
from core.vocabulary import Action, Operation, PostKind, ThreadKind
from core.web import PageArgs, settings
from moderation import notes, operations, patrol, queries, talk
from moderation.api import MAX_INT, DecisionSchema, StatementSchema, blueprint

# --- Threads -----------------------------------------------------------------------------------------------------


class NewOperation(Schema):
    operation = fields.String(
        load_default=None, allow_none=True, metadata={"description": " ".join(o.value for o in Operation)}
    )
    board = fields.String(
        load_default=None, allow_none=True, metadata={"description": "slug; of move, and of split (default: the same)"}
    )
    into = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, MAX_INT),
        metadata={"description": "of merge: the thread that takes the posts"},
    )
    post_ids = fields.List(
        fields.Integer(validate=validate.Range(1, MAX_INT)),
        load_default=list,
        metadata={"description": "of split: what goes; comments on an answer go with it"},
    )
    title = fields.String(load_default=None, allow_none=True, metadata={"description": "of split: the new thread's"})
    rule = fields.String(
        load_default=None, allow_none=True, metadata={"description": "a rule's code, or `none`; not for pin and unpin"}
    )
    reason = fields.String(load_default=None, allow_none=True, metadata={"description": "not for pin and unpin"})
    last_operation = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, MAX_INT),
        metadata={"description": "the newest operation that was read (0: none); another one meanwhile answers 409"},
    )


class OperationSchema(Schema):
    id = fields.Integer()
    operation = fields.Enum(Operation, by_value=True, attribute="kind")
    thread_id = fields.Integer()
    into = fields.Integer(attribute="into_id", allow_none=True, metadata={"description": "where its posts went"})
    post_ids = fields.List(fields.Integer())
    rule = fields.String(attribute="rule_code")
    reason = fields.String()
    at = fields.AwareDateTime()


class OperatedSchema(Schema):
    operation = fields.Nested(OperationSchema)
    decision = fields.Nested(DecisionSchema, allow_none=True, metadata={"description": "of lock and unlock"})
    statement = fields.Nested(StatementSchema, allow_none=True)


@blueprint.post("/moderation/threads/<int:thread_id>/operations")
@needs(Action.OPERATE_THREAD)
@blueprint.arguments(NewOperation)
@blueprint.response(201, OperatedSchema)
def operate(sent: dict[str, Any], thread_id: int) -> Any:
    """Move, merge, split, close, open, pin or unpin a thread. 409 when somebody was first, 403 for who wrote in it."""
    actor, now = current_actor(), utc_now()
    with unit_of_work() as session:
        done = operations.operate(
            session,
            thread_id,
            by=actor,
            operation=sent["operation"],
            board=sent["board"],
            into=sent["into"],
            post_ids=sent["post_ids"],
            title=sent["title"],
            rule=sent["rule"],
            reason=sent["reason"],
            seen=sent["last_operation"],
            settings=settings(),
            now=now,
        )
    session, decided = db.session(), done.decided
    reference = decided.statement.reference if decided and decided.statement else None
    return {
        "operation": done.row,
        "decision": queries.decision_view(session, decided.decision.id, actor, now=now) if decided else None,
        "statement": queries.statement_page(session, reference) if reference else None,
    }


# --- Talk --------------------------------------------------------------------------------------------------------


class TalkArgs(PageArgs):
    list = fields.String(load_default="open", validate=validate.OneOf(talk.LISTS))


class OwnTalkRow(Schema):
    id = fields.Integer()
    subject = fields.String()
    awaits_team = fields.Boolean(metadata={"description": "the team answers next"})
    closed_at = fields.AwareDateTime(allow_none=True)
    opened_at = fields.AwareDateTime()
    last_message_at = fields.AwareDateTime()


class TeamTalkRow(OwnTalkRow):
    member = fields.String(attribute="handle", allow_none=True, metadata={"description": "null for a former member"})
    case_id = fields.Integer(allow_none=True)
    follow_up_at = fields.AwareDateTime(allow_none=True, metadata={"description": "when to look after the member"})
    is_due = fields.Boolean()


class OwnTalkList(Schema):
    items = fields.List(fields.Nested(OwnTalkRow))
    next = fields.String(allow_none=True)


class TeamTalkList(Schema):
    items = fields.List(fields.Nested(TeamTalkRow))
    next = fields.String(allow_none=True)


class OwnMessage(Schema):
    id = fields.Integer()
    by_team = fields.Boolean()
    html = fields.String()
    at = fields.AwareDateTime()


class TeamMessage(OwnMessage):
    author = fields.String(allow_none=True, metadata={"description": "who of the team wrote; null for the member"})


class OwnTalk(OwnTalkRow):
    messages = fields.List(fields.Nested(OwnMessage))


class TeamTalk(TeamTalkRow):
    messages = fields.List(fields.Nested(TeamMessage))
    last_message = fields.Integer(metadata={"description": "name it in an answer; 0: nobody has written yet"})


class NewTalk(Schema):
    member = fields.String(required=True, metadata={"description": "a handle"})
    subject = fields.String(load_default="")
    text = fields.String(load_default="", metadata={"description": "Markdown"})
    case_id = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(1, MAX_INT))
    follow_up_at = fields.AwareDateTime(load_default=None, allow_none=True)


class NewTalkMessage(Schema):
    text = fields.String(load_default="", metadata={"description": "Markdown"})


class NewTeamMessage(NewTalkMessage):
    last_message = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, MAX_INT),
        metadata={"description": "the newest one that was read; a newer one answers 409"},
    )


class TalkChange(Schema):
    closed = fields.Boolean()
    follow_up_at = fields.AwareDateTime(allow_none=True, metadata={"description": "null: done, or not needed"})


@blueprint.get("/me/talk")
@needs(Action.TALK_AS_MEMBER)
@blueprint.arguments(PageArgs, location="query")
@blueprint.response(200, OwnTalkList)
def my_talks(args: dict[str, Any]) -> Any:
    """One's own conversations with the moderation team, the latest word first."""
    return talk.own_list(db.session(), current_actor(), now=utc_now(), **args)


@blueprint.get("/me/talk/<int:talk_id>")
@needs(Action.TALK_AS_MEMBER)
@blueprint.response(200, OwnTalk)
def my_talk(talk_id: int) -> Any:
    """One of them. Who of the team wrote is not told."""
    return _whole(talk.own_page(db.session(), current_actor(), talk_id, now=utc_now()))


@blueprint.post("/me/talk/<int:talk_id>/messages")
@needs(Action.TALK_AS_MEMBER)
@blueprint.arguments(NewTalkMessage)
@blueprint.response(201, OwnTalk)
def answer(sent: dict[str, Any], talk_id: int) -> Any:
    """Answer the team. 409 once the conversation is ended."""
    with unit_of_work() as session:
        talk.answer(session, talk_id, by=current_actor(), text=sent["text"], settings=settings(), now=utc_now())
    return _whole(talk.own_page(db.session(), current_actor(), talk_id, now=utc_now()))


@blueprint.get("/moderation/talk")
@needs(Action.TALK_AS_TEAM)
@blueprint.arguments(TalkArgs, location="query")
@blueprint.response(200, TeamTalkList)
def talks(args: dict[str, Any]) -> Any:
    """The team's conversations with members: open, those that await an answer, follow-ups that are due, or ended."""
    which = args.pop("list")
    return talk.team_list(db.session(), current_actor(), now=utc_now(), which=which, **args)


@blueprint.post("/moderation/talk")
@needs(Action.TALK_AS_TEAM)
@blueprint.arguments(NewTalk)
@blueprint.response(201, TeamTalk)
def begin(sent: dict[str, Any]) -> Any:
    """Write to a member for the team. They hear of it by mail, which holds nothing of the text."""
    with unit_of_work() as session:
        member_id, _handle = talk.member_of(session, sent.pop("member"))
        made = talk.open_talk(session, member_id, by=current_actor(), now=utc_now(), **sent)
        talk_id = made.id
    return _team_talk(talk_id)


@blueprint.get("/moderation/talk/<int:talk_id>")
@needs(Action.TALK_AS_TEAM)
@blueprint.response(200, TeamTalk)
def one_talk(talk_id: int) -> Any:
    """One conversation, with who of the team wrote."""
    return _team_talk(talk_id)


@blueprint.post("/moderation/talk/<int:talk_id>/messages")
@needs(Action.TALK_AS_TEAM)
@blueprint.arguments(NewTeamMessage)
@blueprint.response(201, TeamTalk)
def write(sent: dict[str, Any], talk_id: int) -> Any:
    """Answer for the team. 409 where somebody has written since `last_message`."""
    with unit_of_work() as session:
        talk.write(session, talk_id, by=current_actor(), now=utc_now(), **sent)
    return _team_talk(talk_id)


@blueprint.patch("/moderation/talk/<int:talk_id>")
@needs(Action.TALK_AS_TEAM)
@blueprint.arguments(TalkChange)
@blueprint.response(200, TeamTalk)
def change(sent: dict[str, Any], talk_id: int) -> Any:
    """End a conversation or open it again; set or drop the day on which somebody looks after the member."""
    by, now = current_actor(), utc_now()
    with unit_of_work() as session:
        if "follow_up_at" in sent:
            talk.set_follow_up(session, talk_id, by=by, at=sent["follow_up_at"], now=now)
        if "closed" in sent:
            (talk.close if sent["closed"] else talk.reopen)(session, talk_id, by=by, now=now)
    return _team_talk(talk_id)


def _team_talk(talk_id: int) -> dict[str, Any]:
    return _whole(talk.page(db.session(), current_actor(), talk_id, now=utc_now()))


def _whole(page: talk.TalkPage) -> dict[str, Any]:
    return {**vars(page.row), "messages": page.messages, "last_message": page.last_message}


# --- Notes -------------------------------------------------------------------------------------------------------


class NewNote(Schema):
    text = fields.String(load_default="")


class NoteSchema(Schema):
    id = fields.Integer()
    author = fields.String(allow_none=True, metadata={"description": "null for a former member"})
    text = fields.String()
    at = fields.AwareDateTime()


class NoteList(Schema):
    items = fields.List(fields.Nested(NoteSchema))
    next = fields.String(allow_none=True)


@blueprint.get("/moderation/members/<handle>/notes")
@needs(Action.SEE_MEMBER_RECORD)
@blueprint.response(200, NoteList)
def list_notes(handle: str) -> Any:
    """What the team noted about a member, newest first, at most 100."""
    return _notes(handle)


@blueprint.post("/moderation/members/<handle>/notes")
@needs(Action.SEE_MEMBER_RECORD)
@blueprint.arguments(NewNote)
@blueprint.response(201, NoteList)
def add_note(sent: dict[str, Any], handle: str) -> Any:
    """Note something about a member, for the team alone."""
    with unit_of_work() as session:
        member_id, _handle = talk.member_of(session, handle)
        notes.add(session, member_id, by=current_actor(), text=sent["text"], now=utc_now())
    return _notes(handle)


def _notes(handle: str) -> dict[str, Any]:
    session = db.session()
    return {"items": notes.about(session, talk.member_of(session, handle)[0], by=current_actor()), "next": None}


# --- Patrol ------------------------------------------------------------------------------------------------------


class PatrolArgs(PageArgs):
    board = fields.String(load_default=None, metadata={"description": "a board's slug"})


class UnreadSchema(Schema):
    post_id = fields.Integer(attribute="id")
    kind = fields.Enum(PostKind, by_value=True)
    thread_id = fields.Integer()
    thread_kind = fields.Enum(ThreadKind, by_value=True)
    title = fields.String()
    author = fields.String(allow_none=True)
    board = fields.Function(lambda row: {"slug": row.board_slug, "name": row.board_name})
    excerpt = fields.String()
    html = fields.String()
    published_at = fields.AwareDateTime()


class UnreadList(Schema):
    items = fields.List(fields.Nested(UnreadSchema))
    next = fields.String(allow_none=True)


class Seen(Schema):
    post_ids = fields.List(fields.Integer(validate=validate.Range(1, MAX_INT)), required=True)


class SeenCount(Schema):
    marked = fields.Integer(metadata={"description": "how many nobody of the team had read"})


@blueprint.get("/moderation/patrol")
@needs(Action.PATROL)
@blueprint.arguments(PatrolArgs, location="query")
@blueprint.response(200, UnreadList)
def unread(args: dict[str, Any]) -> Any:
    """Public posts of the last days that nobody of the team has read, on one's own boards, the newest first."""
    return patrol.unread(db.session(), current_actor(), now=utc_now(), **args)


@blueprint.post("/moderation/patrol/seen")
@needs(Action.PATROL)
@blueprint.arguments(Seen)
@blueprint.response(200, SeenCount)
def seen(sent: dict[str, Any]) -> Any:
    """Mark posts as read by the team; those of other boards are passed over."""
    with unit_of_work() as session:
        count = patrol.see(session, current_actor(), sent["post_ids"], now=utc_now())
    return {"marked": count}
