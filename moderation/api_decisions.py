"""Deciding through the JSON API: one case, several, the second person, and taking back."""

from typing import Any

from marshmallow import Schema, fields, validate

from auth.doors import current_actor, needs
from core.db import db, unit_of_work, utc_now
from core.errors import AppError, Conflict
from core.vocabulary import Action
from core.web import settings
from moderation import bulk, cases, decisions, queries
from moderation.api import MAX_INT, Decided, blueprint


class RedactionSchema(Schema):
    start = fields.Integer(required=True, strict=True, metadata={"description": "offset in the case's `text`"})
    end = fields.Integer(required=True, strict=True)


class LabelFields(Schema):
    text = fields.String(load_default="", metadata={"description": "a sentence for readers, at most 300 characters"})
    reference = fields.String(load_default="", metadata={"description": "slug#section of the reference"})


class NewDecision(Schema):
    version = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, MAX_INT),
        metadata={"description": "the version of the case that was read; without it 428"},
    )
    verdict = fields.String(load_default=None, allow_none=True)
    rule = fields.String(
        load_default=None, allow_none=True, metadata={"description": "optional: approve, dismiss, escalate"}
    )
    reason = fields.String(load_default=None, allow_none=True, metadata={"description": "optional: approve, dismiss"})
    redactions = fields.List(
        fields.Nested(RedactionSchema),
        load_default=None,
        allow_none=True,
        metadata={"description": "of redact: what is taken out, wherever it stands"},
    )
    words = fields.List(
        fields.String(),
        load_default=None,
        allow_none=True,
        metadata={"description": "of redact: the same as words instead of offsets"},
    )
    label = fields.Nested(LabelFields, load_default=None, allow_none=True, metadata={"description": "of label"})
    until = fields.String(
        load_default=None, allow_none=True, metadata={"description": "of hide and shield: when it ends by itself"}
    )
    sanction = fields.Dict(
        load_default=None,
        allow_none=True,
        metadata={"description": "what is laid on the author: kind days until board daily_limit misuse"},
    )
    duplicate_of = fields.Integer(
        load_default=None, allow_none=True, metadata={"description": "of reject, hide and remove: a thread's id"}
    )
    severe = fields.Boolean(
        load_default=False, metadata={"description": "two people decide whether it is hidden or removed"}
    )


class Reasoned(Schema):
    reason = fields.String(load_default=None, allow_none=True)


class NewConfirmation(Reasoned):
    agrees = fields.Boolean(load_default=True, metadata={"description": "false sends the case back, with a reason"})


class CaseVersion(Schema):
    id = fields.Integer(required=True, validate=validate.Range(0, MAX_INT))
    version = fields.Integer(
        load_default=None, allow_none=True, validate=validate.Range(0, MAX_INT), metadata={"description": "as read"}
    )


class NewBulkDecision(Reasoned):
    cases = fields.List(fields.Nested(CaseVersion), required=True)
    verdict = fields.String(load_default=None, allow_none=True)
    rule = fields.String(load_default=None, allow_none=True)


class BulkResult(Schema):
    case_id = fields.Integer()
    ok = fields.Boolean(attribute="is_ok")
    decision_id = fields.Function(lambda result: result.decided.decision.id if result.decided else None)
    statement_reference = fields.Function(
        lambda result: result.decided.statement.reference if result.decided and result.decided.statement else None
    )
    error = fields.Function(
        lambda result: (
            {"status": int(result.error.status), "code": result.error.code, "detail": result.error.detail}
            if result.error
            else None
        ),
        metadata={"description": "{status code detail}; null where it was decided"},
    )


class BulkDecided(Schema):
    id = fields.Integer()
    results = fields.List(fields.Nested(BulkResult))


@blueprint.post("/moderation/cases/<int:case_id>/decisions")
@needs(Action.DECIDE_CASE)
@blueprint.arguments(NewDecision)
@blueprint.response(201, Decided)
def decide(sent: dict[str, Any], case_id: int) -> Any:
    """Decide a case. 409 when stale or taken, 403 for a conflict of interest, 422 without a rule or reason."""
    try:
        with unit_of_work() as session:
            decided = decisions.decide(session, case_id, by=current_actor(), settings=settings(), now=utc_now(), **sent)
    except AppError as error:
        _renew_after(error, case_id)
        raise
    return _decided(decided)


@blueprint.post("/moderation/decisions/<int:decision_id>/undo")
@needs(Action.UNDO_DECISION)
@blueprint.arguments(Reasoned)
@blueprint.response(201, Decided)
def undo(sent: dict[str, Any], decision_id: int) -> Any:
    """Take a decision back within 24 hours: its moderator, or a lead. The state before returns."""
    with unit_of_work() as session:
        decided = decisions.undo(
            session, decision_id, by=current_actor(), reason=sent["reason"], settings=settings(), now=utc_now()
        )
    return _decided(decided)


@blueprint.post("/moderation/decisions/<int:decision_id>/confirmations")
@needs(Action.CONFIRM_DECISION)
@blueprint.arguments(NewConfirmation)
@blueprint.response(201, Decided)
def confirm(sent: dict[str, Any], decision_id: int) -> Any:
    """The second person: agree, and the decision takes effect; disagree, and the case is open again. 403 for whoever
    decided first, 409 `decision-lapsed` where something came between."""
    with unit_of_work() as session:
        decided = decisions.confirm(
            session, decision_id, by=current_actor(), settings=settings(), now=utc_now(), **sent
        )
    return _decided(decided)


@blueprint.post("/moderation/bulk-decisions")
@needs(Action.SEE_QUEUE)
@blueprint.arguments(NewBulkDecision)
@blueprint.response(201, BulkDecided)
def decide_all(sent: dict[str, Any]) -> Any:
    """Decide several cases alike; per case the result. One that cannot be decided stops no other."""
    items = [(one["id"], one["version"]) for one in sent["cases"]]
    with unit_of_work() as session:
        return bulk.decide_all(
            session,
            items,
            by=current_actor(),
            verdict=sent["verdict"],
            rule=sent["rule"],
            reason=sent["reason"],
            settings=settings(),
            now=utc_now(),
        )


def _renew_after(error: AppError, case_id: int) -> None:
    """A refused form is still work on the case: whoever corrects it keeps the claim meanwhile."""
    if not isinstance(error, Conflict):
        with unit_of_work() as session:
            cases.renew(session, case_id, by=current_actor(), now=utc_now())


def _decided(decided: decisions.Decided) -> dict[str, Any]:
    session, actor = db.session(), current_actor()
    reference = decided.statement.reference if decided.statement else None
    return {
        "decision": queries.decision_view(session, decided.decision.id, actor, now=utc_now()),
        "statement": queries.statement_page(session, reference) if reference else None,
    }
