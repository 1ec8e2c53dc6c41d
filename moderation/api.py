"""Moderation's routes of the JSON API: the same rules and queries as the pages."""

from typing import Any

from flask import Response
from marshmallow import Schema, fields, validate

from auth.doors import current_actor, needs, public
from core import audit
from core.db import db, unit_of_work, utc_now
from core.vocabulary import (
    Action,
    AppealOutcome,
    CaseState,
    PostKind,
    PostState,
    Priority,
    ReportStatus,
    SubjectKind,
    ThreadKind,
    Verdict,
)
from core.web import ApiBlueprint, PageArgs, settings
from forum.api import Held
from moderation import cases, metrics, modlog, queries, reporting

blueprint = ApiBlueprint("moderation-api", __name__, description="Reports, statements of reasons, and the queue")

MAX_INT = 2**31 - 1


# --- What is sent and answered -----------------------------------------------------------------------------------


class PersonSchema(Schema):
    handle = fields.String(allow_none=True, metadata={"description": "null for a former member"})
    chips = fields.List(fields.String(), metadata={"description": "lead moderator editor admin new_member"})


class FindingSchema(Schema):
    kind = fields.String()
    score = fields.Float()
    holds = fields.Boolean(metadata={"description": "the post waits because of it"})
    start = fields.Integer(allow_none=True, metadata={"description": "offset in `text`; null: the post as a whole"})
    end = fields.Integer(allow_none=True)
    explanation = fields.String()
    rule_version = fields.String()


class CaseFacts(Schema):
    id = fields.Integer()
    state = fields.Enum(CaseState, by_value=True)
    priority = fields.Enum(Priority, by_value=True)
    due_at = fields.AwareDateTime()
    is_overdue = fields.Boolean()
    opened_at = fields.AwareDateTime()
    version = fields.Integer(metadata={"description": "name it in a decision"})
    subject = fields.Enum(SubjectKind, by_value=True, attribute="subject_kind")
    post_id = fields.Integer(allow_none=True, metadata={"description": "null, as the four below: about a member"})
    post_kind = fields.Enum(PostKind, by_value=True, allow_none=True)
    post_state = fields.Enum(PostState, by_value=True, allow_none=True)
    thread_id = fields.Integer(allow_none=True)
    thread_kind = fields.Enum(ThreadKind, by_value=True, allow_none=True)
    title = fields.String()
    is_edit = fields.Boolean(metadata={"description": "readers see an earlier text already"})
    excerpt = fields.String()
    board = fields.Function(lambda row: {"slug": row.board_slug, "name": row.board_name} if row.board_slug else None)
    findings = fields.List(fields.Nested(FindingSchema))
    claimed_by = fields.Function(lambda row: row.claimed_by.handle if row.is_claimed and row.claimed_by else None)
    claimed_until = fields.Function(lambda row: _instant(row.claimed_until) if row.is_claimed else None)
    may_decide = fields.Boolean(metadata={"description": "false where this moderator is part of it"})


class CaseRowSchema(CaseFacts):
    author = fields.Nested(PersonSchema)
    reports = fields.Function(lambda row: [{"rule": code} for code in row.reported_rules])


class CaseList(Schema):
    items = fields.List(fields.Nested(CaseRowSchema))
    next = fields.String(allow_none=True)


class ReportOnCase(Schema):
    id = fields.Integer()
    reporter = fields.Nested(PersonSchema)
    rule = fields.String(attribute="rule_code")
    rule_title = fields.String()
    note = fields.String()
    status = fields.Enum(ReportStatus, by_value=True)
    text_then = fields.String(allow_none=True, metadata={"description": "the text reported, where it differs by now"})
    created_at = fields.AwareDateTime()


class DecisionSchema(Schema):
    id = fields.Integer()
    case_id = fields.Integer()
    verdict = fields.Enum(Verdict, by_value=True)
    rule = fields.String(attribute="rule_code")
    rule_version = fields.Integer()
    rule_title = fields.String()
    reason = fields.String()
    moderator = fields.Nested(PersonSchema, allow_none=True, metadata={"description": "null: the system"})
    state_before = fields.Enum(PostState, by_value=True, allow_none=True)
    state_after = fields.Enum(PostState, by_value=True, allow_none=True)
    undoes = fields.Integer(attribute="undoes_id", allow_none=True)
    undone_by = fields.Integer(attribute="undone_by_id", allow_none=True)
    statement_reference = fields.String(allow_none=True)
    may_undo = fields.Boolean()
    terms = fields.Dict(metadata={"description": "redactions label until sanction duplicate_of, as far as given"})
    needs_second = fields.Boolean(metadata={"description": "two people decide it"})
    has_effect = fields.Boolean(metadata={"description": "false until a second person has agreed"})
    second = fields.Nested(PersonSchema, allow_none=True, metadata={"description": "who answered as the second person"})
    at = fields.AwareDateTime()


class StandingSchema(Schema):
    handle = fields.Function(lambda standing: standing.author.handle)
    chips = fields.Function(lambda standing: list(standing.author.chips))
    member_since = fields.AwareDateTime()
    approved_count = fields.Integer()
    upheld_report_count = fields.Integer()
    restricted_count = fields.Integer()
    waiting_count = fields.Integer()


class SimilarSchema(Schema):
    case_id = fields.Integer()
    verdict = fields.Enum(Verdict, by_value=True)
    rule = fields.String(attribute="rule_code")
    reason = fields.String()
    excerpt = fields.String()
    at = fields.AwareDateTime()


class RuleSchema(Schema):
    code = fields.String()
    version = fields.Integer()
    title = fields.String()


class CaseFull(CaseFacts):
    text = fields.String(metadata={"description": "title, blank line, body as typed (the body alone without a title)"})
    spans = fields.List(fields.Dict(), metadata={"description": "{start end kind} in `text`"})
    html = fields.String()
    live_text = fields.String(allow_none=True, metadata={"description": "what readers see, where an edit waits"})
    revision_number = fields.Integer()
    written_at = fields.AwareDateTime()
    reports = fields.List(fields.Nested(ReportOnCase))
    author = fields.Nested(StandingSchema)
    history = fields.List(fields.Nested(DecisionSchema))
    similar = fields.List(fields.Nested(SimilarSchema))
    allowed_verdicts = fields.List(fields.Enum(Verdict, by_value=True))
    rules = fields.List(fields.Nested(RuleSchema))


class ClaimSchema(Schema):
    case_id = fields.Integer()
    claimed_by = fields.String()
    claimed_until = fields.AwareDateTime()
    version = fields.Integer()


class CaseArgs(PageArgs):
    state = fields.Enum(CaseState, by_value=True, load_default=None, metadata={"description": "default: what waits"})
    board = fields.String(load_default=None, metadata={"description": "a board's slug"})
    kind = fields.String(load_default=None, metadata={"description": "of a finding, or `report`"})
    priority = fields.Enum(Priority, by_value=True, load_default=None)


class StatementSchema(Schema):
    reference = fields.String()
    url = fields.Function(lambda page: f"/decisions/{page.reference}")
    decision_id = fields.Integer()
    verdict = fields.Enum(Verdict, by_value=True)
    restriction = fields.String()
    rule = fields.String(attribute="rule_code")
    rule_version = fields.Integer()
    rule_title = fields.String()
    rule_text = fields.String(attribute="rule_body")
    statement = fields.Function(lambda page: {line.key: line.text for line in page.lines})
    export = fields.Dict(metadata={"description": "the form for the EU Transparency Database"})
    post_id = fields.Integer(allow_none=True)
    is_undone = fields.Boolean()
    decided_at = fields.AwareDateTime()


class Decided(Schema):
    decision = fields.Nested(DecisionSchema)
    statement = fields.Nested(StatementSchema, allow_none=True)


class NewReport(Schema):
    rule = fields.String(load_default=None, allow_none=True, metadata={"description": "a rule's code"})
    note = fields.String(load_default="", allow_none=True)


class ReportSchema(Schema):
    reference = fields.String()
    url = fields.Function(lambda page: f"/reports/{page.reference}")
    status = fields.Enum(ReportStatus, by_value=True, metadata={"description": "open acted not_acted withdrawn"})
    outcome = fields.String(metadata={"description": "empty while open"})
    rule = fields.String(attribute="rule_code")
    rule_title = fields.String()
    created_at = fields.AwareDateTime()
    decided_at = fields.AwareDateTime(allow_none=True)
    answer_by = fields.AwareDateTime(allow_none=True)


class HeldPostSchema(Schema):
    post_id = fields.Integer()
    thread_id = fields.Integer()
    kind = fields.Enum(PostKind, by_value=True, attribute="post_kind")
    title = fields.String()
    excerpt = fields.String()
    state = fields.Enum(PostState, by_value=True)
    is_edit = fields.Boolean()
    version = fields.Integer()
    waiting_since = fields.AwareDateTime()
    held = fields.Nested(Held)


class HeldList(Schema):
    items = fields.List(fields.Nested(HeldPostSchema))
    next = fields.String(allow_none=True)


class MyDecisionSchema(Schema):
    reference = fields.String()
    url = fields.Function(lambda row: f"/decisions/{row.reference}")
    verdict = fields.Enum(Verdict, by_value=True)
    restriction = fields.String()
    rule = fields.String(attribute="rule_code")
    rule_title = fields.String()
    post_id = fields.Integer()
    title = fields.String()
    is_undone = fields.Boolean()
    decided_at = fields.AwareDateTime()


class MyDecisionList(Schema):
    items = fields.List(fields.Nested(MyDecisionSchema))
    next = fields.String(allow_none=True)


class ModlogArgs(PageArgs):
    rule = fields.String(load_default=None, metadata={"description": "a rule's code"})
    verdict = fields.Enum(Verdict, by_value=True, load_default=None)
    board = fields.String(load_default=None, metadata={"description": "a board's slug"})
    month = fields.String(
        load_default=None,
        validate=validate.Regexp(modlog.MONTH, error="A month such as 2026-03."),
        metadata={"description": "such as 2026-03, UTC"},
    )


class ModlogEntry(Schema):
    id = fields.Integer(metadata={"description": "the decision's number"})
    day = fields.Date()
    verdict = fields.Enum(Verdict, by_value=True)
    rule = fields.String(attribute="rule_code")
    rule_version = fields.Integer()
    rule_title = fields.String(allow_none=True)
    board = fields.Function(
        lambda row: {"slug": row.board_slug, "name": row.board_name} if row.board_slug else None,
        metadata={"description": "{slug name}; null for a board too small to be named"},
    )
    kind = fields.String(allow_none=True, metadata={"description": "question experience answer comment"})
    automated_detection = fields.Boolean(metadata={"description": "a signal of the site pointed to the text"})
    automated_decision = fields.Boolean(metadata={"description": "the site itself decided"})
    takes_back = fields.Integer(allow_none=True, metadata={"description": "a decision's number"})
    taken_back_by = fields.Integer(allow_none=True, metadata={"description": "a decision's number"})
    appeal = fields.Enum(
        AppealOutcome,
        by_value=True,
        allow_none=True,
        metadata={"description": "how an objection to it was answered; null: nobody objected, or it waits"},
    )
    by_appeal = fields.Boolean(metadata={"description": "it takes the other one back because of an objection"})


class HeadSchema(Schema):
    day = fields.Date()
    entries = fields.Integer(attribute="count")
    hash = fields.String()
    head = fields.Function(
        lambda head: f"{head.count}:{head.hash}", metadata={"description": "what verify-log --against takes"}
    )


class ModlogList(Schema):
    items = fields.List(fields.Nested(ModlogEntry))
    next = fields.String(allow_none=True)
    heads = fields.List(fields.Nested(HeadSchema), metadata={"description": "of the audit chain, the latest days"})


class WaitingSchema(Schema):
    priority = fields.Enum(Priority, by_value=True)
    waiting = fields.Integer(metadata={"description": "for a moderator"})
    with_author = fields.Integer(metadata={"description": "for the changes that its author was asked for"})
    late = fields.Integer(metadata={"description": "of `waiting`, past the time by which a person should look"})
    oldest_seconds = fields.Integer(allow_none=True)
    median_seconds = fields.Integer(allow_none=True)


class DaySchema(Schema):
    date = fields.Date(metadata={"description": "in UTC"})
    opened = fields.Integer(metadata={"description": "new cases"})
    decisions = fields.Integer()
    waiting = fields.Function(
        lambda day: dict(zip(metrics.PRIORITIES, day.waiting, strict=True)),
        metadata={"description": "by priority, at the end of the day: opened and never decided by a person"},
    )
    mean_age_seconds = fields.Function(
        lambda day: dict(zip(metrics.PRIORITIES, day.mean_age_seconds, strict=True)),
        metadata={"description": "of these, by priority; null where none waits"},
    )


class BoardTimesSchema(Schema):
    slug = fields.String()
    name = fields.String()
    decided = fields.Integer()
    p50_seconds = fields.Integer()
    p95_seconds = fields.Integer()


class TimesSchema(Schema):
    decided = fields.Integer()
    p50_seconds = fields.Integer(allow_none=True, metadata={"description": "to the first decision, by nearest rank"})
    p95_seconds = fields.Integer(allow_none=True)
    boards = fields.List(fields.Nested(BoardTimesSchema), metadata={"description": "those with the most, at most 20"})
    boards_left_out = fields.Integer()


class BreachSchema(Schema):
    priority = fields.Enum(Priority, by_value=True)
    decided = fields.Integer(metadata={"description": "cases first decided in these days"})
    late = fields.Integer(metadata={"description": "of these, after they were due"})


class VerdictCountSchema(Schema):
    verdict = fields.Enum(Verdict, by_value=True)
    decisions = fields.Integer()


class RuleCountSchema(Schema):
    rule = fields.String(attribute="code")
    title = fields.String()
    decisions = fields.Integer()
    restricting = fields.Integer(metadata={"description": "that took something from an author"})


class TakenBackSchema(Schema):
    decisions = fields.Integer()
    undone = fields.Integer()
    restricting = fields.Integer()
    restricting_undone = fields.Integer()
    rate = fields.Float(allow_none=True, metadata={"description": "restricting_undone / restricting"})


class ObjectionsSchema(Schema):
    opened = fields.Integer()
    decided = fields.Integer()
    waiting = fields.Integer(metadata={"description": "now"})
    late = fields.Integer(metadata={"description": "of `waiting`, past the time by which we wanted to have answered"})
    outcomes = fields.Function(
        lambda found: {row.outcome.value: row.appeals for row in found.outcomes},
        metadata={"description": "upheld overturned partly inadmissible: how many of `decided`"},
    )


class LoadSchema(Schema):
    handle = fields.String(allow_none=True, metadata={"description": "null for a former member"})
    decisions = fields.Integer()
    days = fields.Integer(metadata={"description": "with at least one decision"})


class AnswerDaySchema(Schema):
    date = fields.Date()
    questions = fields.Integer()
    ripe_24h = fields.Integer(metadata={"description": "questions old enough to tell"})
    within_24h = fields.Integer()
    ripe_7d = fields.Integer()
    within_7d = fields.Integer()


class AnswersSchema(AnswerDaySchema):
    date = fields.Date(load_only=True)
    answered = fields.Integer()
    median_seconds = fields.Integer(allow_none=True, metadata={"description": "to the first answer by another member"})
    share_24h = fields.Float(allow_none=True)
    share_7d = fields.Float(allow_none=True)
    days = fields.List(fields.Nested(AnswerDaySchema))


class NewcomerDaySchema(Schema):
    date = fields.Date()
    newcomers = fields.Integer(metadata={"description": "whose first post appeared on this day"})
    returned = fields.Integer(metadata={"description": "who wrote again within 30 days, so far"})
    ripe = fields.Integer(metadata={"description": "whose 30 days are over"})
    ripe_returned = fields.Integer()


class NewcomersSchema(NewcomerDaySchema):
    date = fields.Date(load_only=True)
    share = fields.Float(allow_none=True, metadata={"description": "ripe_returned / ripe"})
    days = fields.List(fields.Nested(NewcomerDaySchema))


class MetricsSchema(Schema):
    since = fields.AwareDateTime(attribute="window.since")
    until = fields.AwareDateTime(attribute="window.until")
    waiting = fields.List(fields.Nested(WaitingSchema), attribute="now")
    days = fields.List(fields.Nested(DaySchema))
    time_to_decision = fields.Nested(TimesSchema, attribute="times")
    breaches = fields.List(fields.Nested(BreachSchema), attribute="lateness")
    verdicts = fields.List(fields.Nested(VerdictCountSchema))
    rules = fields.List(fields.Nested(RuleCountSchema))
    taken_back = fields.Nested(TakenBackSchema)
    overturn_rate = fields.Float(
        allow_none=True, metadata={"description": "overturned and partly of all appeals decided; null without any"}
    )
    appeals = fields.Nested(ObjectionsSchema, attribute="objections")
    skips = fields.Integer(metadata={"description": "how often a moderator let a case pass"})
    moderators = fields.List(fields.Nested(LoadSchema), attribute="load", metadata={"description": "at most 50"})
    moderators_left_out = fields.Integer(attribute="load_left_out")
    answers = fields.Nested(AnswersSchema)
    newcomers = fields.Nested(NewcomersSchema)


class MetricsArgs(Schema):
    days = fields.Integer(
        load_default=metrics.WINDOWS[0],
        validate=validate.OneOf(metrics.WINDOWS),
        metadata={"description": "how far back, today included"},
    )


# --- Members -----------------------------------------------------------------------------------------------------


@blueprint.post("/posts/<int:post_id>/reports")
@needs(Action.REPORT_POST)
@blueprint.arguments(NewReport)
@blueprint.response(201, ReportSchema)
def report(sent: dict[str, Any], post_id: int) -> Any:
    """Report a post. Keep the reference: whoever holds it may read what came of the report."""
    now = utc_now()
    with unit_of_work() as session:
        made = reporting.report(
            session,
            current_actor(),
            post_id,
            rule=sent["rule"],
            note=sent["note"],
            settings=settings(),
            now=now,
        )
    return queries.report_page(db.session(), made.reference, settings=settings(), now=now)


@blueprint.get("/reports/<reference>")
@public
@blueprint.response(200, ReportSchema)
def report_status(reference: str) -> Any:
    """Status and outcome of a report, for whoever holds its reference."""
    return queries.report_page(db.session(), reference, settings=settings(), now=utc_now())


@blueprint.get("/decisions/<reference>")
@public
@blueprint.response(200, StatementSchema)
def statement(reference: str) -> Any:
    """A statement of reasons, for whoever holds its reference."""
    return queries.statement_page(db.session(), reference)


@blueprint.get("/me/held")
@needs(Action.MANAGE_OWN_ACCOUNT)
@blueprint.arguments(PageArgs, location="query")
@blueprint.response(200, HeldList)
def my_held(args: dict[str, Any]) -> Any:
    """One's own texts that wait: why, the place in line, the expected wait."""
    return queries.my_held(db.session(), current_actor(), settings=settings(), now=utc_now(), **args)


@blueprint.get("/me/decisions")
@needs(Action.READ_OWN_RECORD)
@blueprint.arguments(PageArgs, location="query")
@blueprint.response(200, MyDecisionList)
def my_decisions(args: dict[str, Any]) -> Any:
    """The decisions that restricted one's own posts."""
    return queries.my_decisions(db.session(), current_actor(), **args)


@blueprint.get("/modlog")
@public
@blueprint.arguments(ModlogArgs, location="query")
@blueprint.response(200, ModlogList)
def public_log(args: dict[str, Any]) -> Any:
    """Every decision without names or texts, newest first, and the daily heads of the audit chain."""
    session = db.session()
    found = modlog.entries(session, **args)
    return {
        "items": found.items,
        "next": found.next,
        "heads": audit.recorded_heads(session, limit=modlog.SHOWN_HEADS),
    }


# --- The queue ---------------------------------------------------------------------------------------------------


@blueprint.get("/moderation/cases")
@needs(Action.SEE_QUEUE)
@blueprint.arguments(CaseArgs, location="query")
@blueprint.response(200, CaseList)
def queue(args: dict[str, Any]) -> Any:
    """Cases in queue order: P0, then P1, then the rest; within each by due time."""
    return queries.queue(db.session(), current_actor(), now=utc_now(), **args)


@blueprint.post("/moderation/cases/next")
@needs(Action.SEE_QUEUE)
@blueprint.alt_response(204, description="Nothing waits that this moderator may decide")
@blueprint.response(200, CaseFull)
def claim_next() -> Any:
    """Claim the first case that this moderator may decide and nobody holds."""
    with unit_of_work() as session:
        case = cases.claim_next(session, by=current_actor(), now=utc_now())
    return Response(status=204) if case is None else _case(case.id)


@blueprint.get("/moderation/cases/<int:case_id>")
@needs(Action.READ_CASE)
@blueprint.response(200, CaseFull)
def case(case_id: int) -> Any:
    """Everything for one decision: the text with its findings, reports, the author's standing, possible verdicts."""
    return _case(case_id)


def _case(case_id: int) -> dict[str, Any]:
    page = queries.case_page(db.session(), case_id, current_actor(), settings=settings(), now=utc_now())
    spans = [{"start": f.start, "end": f.end, "kind": f.kind} for f in page.findings if f.start is not None]
    row = {name: getattr(page.row, name) for name in CaseFacts().fields if hasattr(page.row, name)}
    row |= {name: getattr(page.row, name) for name in ("subject_kind", "board_slug", "board_name", "is_claimed")}
    return Bag(row | vars(page) | {"spans": spans, "author": page.standing})


class Bag(dict[str, Any]):
    """A mapping whose keys can be read as attributes too, as the schemas of rows do."""

    __getattr__ = dict.__getitem__


# --- Claims ------------------------------------------------------------------------------------------------------


@blueprint.post("/moderation/cases/<int:case_id>/claim")
@needs(Action.CLAIM_CASE)
@blueprint.response(200, ClaimSchema)
def claim(case_id: int) -> Any:
    """Take a case for 15 minutes, or renew one's own claim. 409 names who holds it, and until when."""
    actor = current_actor()
    with unit_of_work() as session:
        taken = cases.claim(session, case_id, by=actor, now=utc_now())
    return {
        "case_id": taken.id,
        "claimed_by": actor.handle,
        "claimed_until": taken.claimed_until,
        "version": taken.version,
    }


@blueprint.delete("/moderation/cases/<int:case_id>/claim")
@needs(Action.CLAIM_CASE)
@blueprint.response(204)
def release(case_id: int) -> None:
    """Give one's own claim back."""
    with unit_of_work() as session:
        cases.release(session, case_id, by=current_actor(), now=utc_now())


def _instant(value: Any) -> str | None:
    return value.isoformat() if value is not None else None


# --- Figures -----------------------------------------------------------------------------------------------------


@blueprint.get("/moderation/metrics")
@needs(Action.SEE_QUEUE)
@blueprint.arguments(MetricsArgs, location="query")
@blueprint.response(200, MetricsSchema)
def figures(args: dict[str, Any]) -> Any:
    """The figures of the dashboard: what waits, what was decided, how alive the forum is. Durations in seconds."""
    return metrics.metrics(db.session(), days=args["days"], now=utc_now())
