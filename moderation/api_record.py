"""The API about members: one's own standing and reports; the team's record of a member and cases about them."""

from typing import Any

from marshmallow import Schema, fields

from auth.doors import current_actor, needs
from core.db import db, unit_of_work, utc_now
from core.vocabulary import Action, ReportStatus, SanctionKind
from core.web import PageArgs, settings
from moderation import member_cases, own_record, reporting
from moderation.api import blueprint


class SanctionSchema(Schema):
    id = fields.Integer()
    kind = fields.Enum(SanctionKind, by_value=True)
    board = fields.String(attribute="board_name", allow_none=True)
    strikes = fields.Integer()
    strikes_until = fields.AwareDateTime()
    imposed_at = fields.AwareDateTime()
    until = fields.AwareDateTime(allow_none=True, metadata={"description": "null: no end of its own"})
    acknowledged_at = fields.AwareDateTime(allow_none=True)
    voided_at = fields.AwareDateTime(allow_none=True)
    is_in_force = fields.Boolean()
    is_live = fields.Boolean(metadata={"description": "its strikes count"})
    rule = fields.String(attribute="rule_code")
    reference = fields.String(allow_none=True, metadata={"description": "of the statement of reasons"})


class NextStep(Schema):
    kind = fields.Enum(SanctionKind, by_value=True, attribute="next_kind")
    days = fields.Integer(attribute="next_days", allow_none=True)


class OwnStandingSchema(Schema):
    strikes = fields.Integer()
    in_force = fields.List(fields.Nested(SanctionSchema))
    counting = fields.List(fields.Nested(SanctionSchema))
    past = fields.List(fields.Nested(SanctionSchema))
    next_step = fields.Function(
        lambda found: NextStep().dump(found) if found.next_kind else None,
        metadata={"description": "what would be proposed first; a person decides"},
    )


class MyReportSchema(Schema):
    reference = fields.String()
    url = fields.Function(lambda row: f"/reports/{row.reference}")
    status = fields.Enum(ReportStatus, by_value=True)
    rule = fields.String(attribute="rule_code")
    rule_title = fields.String()
    post_id = fields.Integer()
    title = fields.String(allow_none=True, metadata={"description": "null where the thread is not public"})
    created_at = fields.AwareDateTime()
    decided_at = fields.AwareDateTime(allow_none=True)


class MyReportList(Schema):
    items = fields.List(fields.Nested(MyReportSchema))
    next = fields.String(allow_none=True)


class CountSchema(Schema):
    of = fields.String(metadata={"description": "posts reports appeals"})
    items = fields.Integer()
    total = fields.Integer()
    window_days = fields.Integer()


class HintSchema(Schema):
    kind = fields.String(metadata={"description": "mail handle text device"})
    handle = fields.String(attribute="other_handle")
    sanction = fields.Enum(SanctionKind, by_value=True)
    sanctioned_at = fields.AwareDateTime()


class RecordSchema(Schema):
    handle = fields.String()
    member_since = fields.AwareDateTime()
    approved_count = fields.Integer()
    upheld_report_count = fields.Integer()
    strikes = fields.Integer()
    sanctions = fields.List(fields.Nested(SanctionSchema))
    reports = fields.Function(
        lambda found: {
            "decided": found.accuracy.decided,
            "upheld": found.accuracy.upheld,
            "open": found.open_reports,
            "withdrawn": found.withdrawn_reports,
        }
    )
    misuse = fields.List(fields.Nested(CountSchema), attribute="counts")
    hints = fields.List(fields.Nested(HintSchema))
    live_case_id = fields.Integer(allow_none=True)


class NewMemberCase(Schema):
    reason = fields.String(load_default=None, allow_none=True, metadata={"description": "for the team"})
    board = fields.String(load_default=None, allow_none=True, metadata={"description": "a slug; null: the site"})


class MemberCase(Schema):
    id = fields.Integer()
    version = fields.Integer()


@blueprint.get("/me/standing")
@needs(Action.READ_OWN_RECORD)
@blueprint.response(200, OwnStandingSchema)
def my_standing() -> Any:
    """What binds oneself at present, which strikes count and until when, what would come next."""
    return own_record.standing(db.session(), current_actor(), now=utc_now())


@blueprint.get("/me/reports")
@needs(Action.MANAGE_OWN_ACCOUNT)
@blueprint.arguments(PageArgs, location="query")
@blueprint.response(200, MyReportList)
def my_reports(args: dict[str, Any]) -> Any:
    """The reports that one sent, newest first."""
    return own_record.my_reports(db.session(), current_actor(), **args)


@blueprint.delete("/reports/<reference>")
@needs(Action.REPORT_POST)
@blueprint.response(204)
def withdraw_report(reference: str) -> None:
    """Take one's own open report back. Twice changes nothing; 409 once it is decided."""
    with unit_of_work() as session:
        reporting.withdraw(session, reference, actor=current_actor(), now=utc_now())


@blueprint.get("/moderation/members/<handle>")
@needs(Action.SEE_MEMBER_RECORD)
@blueprint.response(200, RecordSchema)
def member_record(handle: str) -> Any:
    """What the team knows of a member. That it was read is written down."""
    actor, now = current_actor(), utc_now()
    with unit_of_work() as session:
        member = member_cases.by_handle(session, handle, by=actor)
        member_cases.note_reading(session, member.id, by=actor, now=now)
    return member_cases.record(db.session(), member.id, by=actor, now=now)


@blueprint.post("/moderation/members/<handle>/cases")
@needs(Action.SEE_MEMBER_RECORD)
@blueprint.arguments(NewMemberCase)
@blueprint.response(201, MemberCase)
def open_member_case(sent: dict[str, Any], handle: str) -> Any:
    """Open a case about a member; 409 with `case_id` where one is open."""
    actor = current_actor()
    with unit_of_work() as session:
        member = member_cases.by_handle(session, handle, by=actor)
        return member_cases.open_for_member(
            session, member.id, by=actor, reason=sent["reason"], board=sent["board"], settings=settings(), now=utc_now()
        )
