"""A moderator's desk in the JSON API: skips, notes, assignment."""

from typing import Any

from marshmallow import Schema, fields

from auth.doors import current_actor, needs
from core.db import db, unit_of_work, utc_now
from core.vocabulary import Action, NoteKind
from moderation import desk
from moderation.api import blueprint


class NewSkip(Schema):
    reason = fields.String(
        load_default=None, allow_none=True, metadata={"description": f"1 to {desk.SKIP_CHARS} characters"}
    )


class SkipSchema(Schema):
    case_id = fields.Integer()
    case_version = fields.Integer(metadata={"description": "`next` offers the case again once this has changed"})
    reason = fields.String()
    at = fields.AwareDateTime()


class NewCaseNote(Schema):
    text = fields.String(
        load_default=None, allow_none=True, metadata={"description": f"1 to {desk.NOTE_CHARS:,} characters"}
    )


class CaseNoteSchema(Schema):
    kind = fields.Enum(NoteKind, by_value=True, metadata={"description": "note hand_over escalation"})
    author = fields.String(allow_none=True, metadata={"description": "null for a former member"})
    text = fields.String()
    at = fields.AwareDateTime()


class CaseNoteList(Schema):
    items = fields.List(fields.Nested(CaseNoteSchema), metadata={"description": "oldest first"})


class NewAssignment(Schema):
    handle = fields.String(
        load_default=None, allow_none=True, metadata={"description": "a moderator; null: nobody in particular"}
    )


class AssignmentSchema(Schema):
    case_id = fields.Integer()
    assigned_to = fields.String(allow_none=True)
    version = fields.Integer()


@blueprint.post("/moderation/cases/<int:case_id>/skips")
@needs(Action.CLAIM_CASE)
@blueprint.arguments(NewSkip)
@blueprint.response(201, SkipSchema)
def skip(sent: dict[str, Any], case_id: int) -> Any:
    """Let a case pass: `next` offers it to you again only when it has changed. Your claim on it ends."""
    with unit_of_work() as session:
        return desk.skip(session, case_id, by=current_actor(), reason=sent["reason"], now=utc_now())


@blueprint.get("/moderation/cases/<int:case_id>/notes")
@needs(Action.READ_CASE)
@blueprint.response(200, CaseNoteList)
def notes(case_id: int) -> Any:
    """What moderators wrote to each other about a case."""
    return {"items": desk.notes(db.session(), case_id, by=current_actor(), now=utc_now())}


@blueprint.post("/moderation/cases/<int:case_id>/notes")
@needs(Action.READ_CASE)
@blueprint.arguments(NewCaseNote)
@blueprint.response(201, CaseNoteList)
def add_note(sent: dict[str, Any], case_id: int) -> Any:
    """Leave a note on a case for the other moderators; answers with all of them."""
    actor, now = current_actor(), utc_now()
    with unit_of_work() as session:
        desk.note(session, case_id, by=actor, text=sent["text"], now=now)
        return {"items": desk.notes_of(session, case_id)}


@blueprint.post("/moderation/cases/<int:case_id>/assign")
@needs(Action.ASSIGN_CASE)
@blueprint.arguments(NewAssignment)
@blueprint.response(200, AssignmentSchema)
def assign(sent: dict[str, Any], case_id: int) -> Any:
    """Give a case to one moderator who may decide it, so that `next` offers it to nobody else. For leads."""
    with unit_of_work() as session:
        case = desk.assign(session, case_id, by=current_actor(), handle=sent["handle"], now=utc_now())
        return {"case_id": case.id, "assigned_to": sent["handle"] or None, "version": case.version}
