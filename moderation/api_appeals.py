"""Objections in the JSON API: the same rules and queries as the pages."""

from typing import Any

from marshmallow import Schema, fields, validate

from auth.doors import current_actor, needs
from core.db import db, unit_of_work, utc_now
from core.vocabulary import Action, AppealOutcome, PostState, Verdict
from core.web import PageArgs, settings
from moderation import appeal_queries, appeals
from moderation.api import Bag, DecisionSchema, FindingSchema, PersonSchema, blueprint


class NewAppeal(Schema):
    grounds = fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": f"why the decision is wrong, 1 to {appeals.GROUNDS_CHARS:,} characters"},
    )


class AppealSchema(Schema):
    reference = fields.String(metadata={"description": "keep it: whoever holds it may read the answer"})
    url = fields.Function(lambda page: f"/appeals/{page.reference}")
    role = fields.String(metadata={"description": "author or reporter"})
    decision_reference = fields.String(allow_none=True, metadata={"description": "of an author's objection"})
    report_reference = fields.String(allow_none=True, metadata={"description": "of a reporter's objection"})
    grounds = fields.String()
    opened_at = fields.AwareDateTime()
    due_at = fields.AwareDateTime(metadata={"description": "by when we want to have answered"})
    outcome = fields.Enum(
        AppealOutcome,
        by_value=True,
        allow_none=True,
        metadata={"description": "upheld (the decision stands) overturned partly inadmissible; null while it waits"},
    )
    reasons = fields.String(metadata={"description": "empty while it waits"})
    decided_at = fields.AwareDateTime(allow_none=True)
    is_taken_back = fields.Boolean(metadata={"description": "the decision has no effect any more"})


class AppealArgs(PageArgs):
    state = fields.String(load_default=appeal_queries.OPEN, validate=validate.OneOf(appeal_queries.STATES))
    role = fields.String(load_default=None, validate=validate.OneOf((appeal_queries.AUTHOR, appeal_queries.REPORTER)))
    outcome = fields.Enum(AppealOutcome, by_value=True, load_default=None)


class AppealRowSchema(Schema):
    id = fields.Integer()
    role = fields.String()
    verdict = fields.Enum(Verdict, by_value=True)
    rule = fields.String(attribute="rule_code")
    rule_title = fields.String(allow_none=True)
    board = fields.String(attribute="board_name", allow_none=True)
    title = fields.String(allow_none=True)
    appellant = fields.Nested(PersonSchema)
    moderator = fields.Nested(PersonSchema, allow_none=True, metadata={"description": "null: the system"})
    opened_at = fields.AwareDateTime()
    due_at = fields.AwareDateTime()
    is_overdue = fields.Boolean()
    is_taken_back = fields.Boolean()
    outcome = fields.Enum(AppealOutcome, by_value=True, allow_none=True)
    decided_at = fields.AwareDateTime(allow_none=True)
    decided_by = fields.Nested(PersonSchema, allow_none=True)
    may_decide = fields.Boolean(metadata={"description": "false for who took part in the decision"})


class AppealList(Schema):
    items = fields.List(fields.Nested(AppealRowSchema))
    next = fields.String(allow_none=True)


class JudgedSchema(AppealRowSchema):
    grounds = fields.String()
    reasons = fields.String()
    deadline_at = fields.AwareDateTime()
    case_id = fields.Integer()
    post_id = fields.Integer(allow_none=True)
    post_state = fields.Enum(PostState, by_value=True, allow_none=True)
    text = fields.String(metadata={"description": "what was judged, as it stood then"})
    findings = fields.List(fields.Nested(FindingSchema))
    decision = fields.Nested(DecisionSchema)
    statement = fields.Function(lambda page: {line.key: line.text for line in page.lines})
    history = fields.List(fields.Nested(DecisionSchema))
    possible_outcomes = fields.List(fields.Enum(AppealOutcome, by_value=True))


class NewAnswer(Schema):
    outcome = fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "upheld (the decision stands) overturned partly inadmissible"},
    )
    reasons = fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "who objected reads them; at most 2,000 characters"},
    )


# --- For whoever holds a reference -------------------------------------------------------------------------------


@blueprint.post("/decisions/<reference>/appeals")
@needs(Action.APPEAL)
@blueprint.arguments(NewAppeal)
@blueprint.response(201, AppealSchema)
def object_to_decision(sent: dict[str, Any], reference: str) -> Any:
    """Object to a decision within six calendar months. Somebody who had no part in it answers."""
    return _object(sent, reference)


@blueprint.post("/reports/<reference>/appeals")
@needs(Action.APPEAL)
@blueprint.arguments(NewAppeal)
@blueprint.response(201, AppealSchema)
def object_to_refusal(sent: dict[str, Any], reference: str) -> Any:
    """Object as the sender of a report on which we did not act."""
    return _object(sent, reference)


def _object(sent: dict[str, Any], reference: str) -> Any:
    with unit_of_work() as session:
        made = appeals.appeal(
            session, reference=reference, by=current_actor(), grounds=sent["grounds"], now=utc_now()
        ).reference
    return appeal_queries.appeal_page(db.session(), made)


@blueprint.get("/appeals/<reference>")
@needs(Action.READ_STATEMENT)
@blueprint.response(200, AppealSchema)
def appeal(reference: str) -> Any:
    """An objection and its answer, for whoever holds its reference."""
    return appeal_queries.appeal_page(db.session(), reference)


# --- For leads ---------------------------------------------------------------------------------------------------


@blueprint.get("/moderation/appeals")
@needs(Action.SEE_APPEALS)
@blueprint.arguments(AppealArgs, location="query")
@blueprint.response(200, AppealList)
def appeal_list(args: dict[str, Any]) -> Any:
    """Objections that wait, those due first; with `state=decided` those answered, the newest first."""
    return appeal_queries.listed(db.session(), current_actor(), now=utc_now(), **args)


@blueprint.get("/moderation/appeals/<int:appeal_id>")
@needs(Action.DECIDE_APPEAL)
@blueprint.response(200, JudgedSchema)
def judged_appeal(appeal_id: int) -> Any:
    """Everything for one answer. 403 for who took part in the decision."""
    return _judged(appeal_id)


@blueprint.post("/moderation/appeals/<int:appeal_id>/decisions")
@needs(Action.DECIDE_APPEAL)
@blueprint.arguments(NewAnswer)
@blueprint.response(201, JudgedSchema)
def answer_appeal(sent: dict[str, Any], appeal_id: int) -> Any:
    """Answer an objection. 403 for who took part in the decision, 409 for the second answer, 422 without reasons."""
    with unit_of_work() as session:
        appeals.decide_appeal(
            session,
            appeal_id,
            by=current_actor(),
            outcome=sent["outcome"],
            reasons=sent["reasons"],
            settings=settings(),
            now=utc_now(),
        )
    return _judged(appeal_id)


def _judged(appeal_id: int) -> dict[str, Any]:
    found = appeal_queries.judged(db.session(), appeal_id, current_actor(), now=utc_now())
    row = {name: getattr(found.row, name) for name in vars(found.row)}
    return Bag(row | {name: getattr(found, name) for name in vars(found)} | {"possible_outcomes": found.outcomes})
