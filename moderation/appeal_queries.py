"""What is shown of objections: to whoever holds a reference, and to the leads who answer them. Read-only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, or_, select
from sqlalchemy.orm import Session, aliased

from auth.policy import Actor, require
from content.models import RuleText
from core import keyset
from core.errors import NotFound
from core.markup import Segment, mark_spans
from core.vocabulary import Action, AppealOutcome, PostState, SanctionKind, SubjectKind, Verdict
from forum.models import Board, Post, Thread
from moderation import appeals, queries, statements
from moderation.models import Appeal, Case, Decision, Finding, Report, Sanction, Statement
from moderation.queries import DecisionView, FindingView, Person, StatementLine

AUTHOR, REPORTER = "author", "reporter"
EXCERPT = 160


@dataclass(frozen=True)
class AppealPage:
    """What whoever holds the reference reads: their own words, our answer, and the ways that are left."""

    reference: str
    # "author" or "reporter".
    role: str
    # Where the decision stands: the statement's reference, or the report's.
    decision_reference: str | None
    report_reference: str | None
    grounds: str
    opened_at: datetime
    due_at: datetime
    outcome: AppealOutcome | None
    reasons: str
    decided_at: datetime | None
    # The decision was taken back, by this objection or without it.
    is_taken_back: bool


@dataclass(frozen=True)
class AppealRow:
    """One objection in the list of the leads. `may_decide` is False for who took part in the decision."""

    id: int
    role: str
    verdict: Verdict
    rule_code: str
    rule_title: str | None
    board_name: str | None
    title: str | None
    appellant: Person
    moderator: Person | None
    opened_at: datetime
    due_at: datetime
    is_overdue: bool
    is_taken_back: bool
    outcome: AppealOutcome | None
    decided_at: datetime | None
    decided_by: Person | None
    may_decide: bool


@dataclass(frozen=True)
class SanctionView:
    kind: SanctionKind
    until: datetime | None
    strikes: int
    is_void: bool


@dataclass(frozen=True)
class JudgedAppeal:
    """Everything for one answer. `text` is what was judged, as it stood then, cut into marked stretches."""

    row: AppealRow
    grounds: str
    reasons: str
    deadline_at: datetime
    decision: DecisionView
    second: Person | None
    case_id: int
    post_id: int | None
    post_state: PostState | None
    text: str
    segments: tuple[Segment, ...]
    findings: tuple[FindingView, ...]
    # The parts of the statement that the author was given.
    lines: tuple[StatementLine, ...]
    # What the reporter had written, of a reporter's objection.
    report_rule: str | None
    report_note: str
    sanction: SanctionView | None
    history: tuple[DecisionView, ...]
    outcomes: tuple[AppealOutcome, ...]


# --- For whoever holds the reference -----------------------------------------------------------------------------


def appeal_page(session: Session, reference: str) -> AppealPage:
    """The objection of this reference. Raises NotFound. One query."""
    later = aliased(Decision)
    found = session.execute(
        select(
            Appeal,
            Statement.reference.label("statement"),
            Report.reference.label("report"),
            later.id.label("taken_back_by"),
        )
        .outerjoin(Statement, Statement.decision_id == Appeal.decision_id)
        .outerjoin(Report, Report.id == Appeal.report_id)
        .outerjoin(later, later.undoes_id == Appeal.decision_id)
        .where(Appeal.reference == reference)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound()
    given: Appeal = found.Appeal
    by_reporter = given.report_id is not None
    return AppealPage(
        reference=given.reference,
        role=REPORTER if by_reporter else AUTHOR,
        # Whoever reported is not given the way to what the author was told.
        decision_reference=None if by_reporter else found.statement,
        report_reference=found.report,
        grounds=given.grounds,
        opened_at=given.opened_at,
        due_at=given.due_at,
        outcome=given.outcome,
        reasons=given.reasons,
        decided_at=given.decided_at,
        is_taken_back=found.taken_back_by is not None,
    )


# --- For those who answer ----------------------------------------------------------------------------------------

OPEN, DECIDED = "open", "decided"
STATES = (OPEN, DECIDED)


def listed(
    session: Session,
    actor: Actor,
    *,
    now: datetime,
    state: str = OPEN,
    role: str | None = None,
    outcome: AppealOutcome | None = None,
    after: str | None = None,
    limit: int = 20,
) -> keyset.Page[AppealRow]:
    """Objections that wait, those due first; or those answered, the newest first. Two queries."""
    require(actor, Action.SEE_APPEALS)
    stmt = _rows()
    if role == AUTHOR:
        stmt = stmt.where(Appeal.report_id.is_(None))
    elif role == REPORTER:
        stmt = stmt.where(Appeal.report_id.is_not(None))
    if state == DECIDED:
        stmt = stmt.where(Appeal.outcome == outcome if outcome else Appeal.outcome.is_not(None))
        keys = [
            keyset.Key(Appeal.decided_at.expression, "decided_at", descending=True),
            keyset.Key(Appeal.id.expression, "id", descending=True),
        ]
    else:
        stmt = stmt.where(Appeal.outcome.is_(None))
        keys = [keyset.Key(Appeal.due_at.expression, "due_at"), keyset.Key(Appeal.id.expression, "id")]
    found = keyset.page(session, stmt, keys, after=after, limit=limit)
    return keyset.Page(_read_rows(session, actor, found.items, now=now), found.next)


def _rows() -> Select[*tuple[Any, ...]]:
    later = aliased(Decision)
    return (
        select(
            Appeal.id,
            Appeal.report_id,
            Appeal.appellant_id,
            Appeal.first_decider_id,
            Appeal.second_decider_id,
            Appeal.opened_at,
            Appeal.due_at,
            Appeal.outcome,
            Appeal.decided_at,
            Appeal.decided_by,
            Decision.verdict,
            Decision.rule_code,
            RuleText.title.label("rule_title"),
            Case.author_id,
            Board.name.label("board_name"),
            Thread.title,
            later.id.label("taken_back_by"),
        )
        .join(Decision, Decision.id == Appeal.decision_id)
        .join(Case, Case.id == Decision.case_id)
        .outerjoin(RuleText, (RuleText.code == Decision.rule_code) & (RuleText.version == Decision.rule_version))
        .outerjoin(Post, Post.id == Case.post_id)
        .outerjoin(Thread, Thread.id == Post.thread_id)
        .outerjoin(Board, Board.id == Case.board_id)
        .outerjoin(later, later.undoes_id == Decision.id)
    )


def _read_rows(session: Session, actor: Actor, rows: Sequence[Row[Any]], *, now: datetime) -> list[AppealRow]:
    known = queries.people(
        session, {one for row in rows for one in (row.appellant_id, row.first_decider_id, row.decided_by)}
    )
    return [
        AppealRow(
            id=row.id,
            role=REPORTER if row.report_id else AUTHOR,
            verdict=row.verdict,
            rule_code=row.rule_code,
            rule_title=row.rule_title,
            board_name=row.board_name,
            title=row.title,
            appellant=known[row.appellant_id],
            moderator=known.get(row.first_decider_id),
            opened_at=row.opened_at,
            due_at=row.due_at,
            is_overdue=row.outcome is None and row.due_at < now,
            is_taken_back=row.taken_back_by is not None,
            outcome=row.outcome,
            decided_at=row.decided_at,
            decided_by=known.get(row.decided_by),
            may_decide=actor.id not in (row.first_decider_id, row.second_decider_id, row.appellant_id, row.author_id),
        )
        for row in rows
    ]


def judged(session: Session, appeal_id: int, actor: Actor, *, now: datetime) -> JudgedAppeal:
    """Everything for one answer. Raises as `appeals.admit`. About fifteen queries."""
    given, decision, subject = appeals.admit(session, appeal_id, actor, now=now)
    found = session.execute(_rows().where(Appeal.id == appeal_id)).one()
    row = _read_rows(session, actor, [found], now=now)[0]
    case = session.get_one(Case, decision.case_id)
    findings = _findings(session, decision)
    statement = session.execute(select(Statement).where(Statement.decision_id == decision.id)).scalar_one_or_none()
    report = session.get(Report, given.report_id) if given.report_id else None
    history = queries.history(session, case, actor, subject, now=now)
    return JudgedAppeal(
        row=row,
        grounds=given.grounds,
        reasons=given.reasons,
        deadline_at=given.deadline_at,
        decision=next(one for one in history if one.id == decision.id),
        second=queries.people(session, [given.second_decider_id]).get(given.second_decider_id),
        case_id=case.id,
        post_id=case.post_id,
        post_state=subject.state if case.subject_kind is SubjectKind.POST else None,
        text=decision.text_judged,
        segments=_segments(decision.text_judged, findings),
        findings=findings,
        lines=_lines(statement),
        report_rule=report.rule_code if report else None,
        report_note=report.note if report else "",
        sanction=_sanction(session, decision),
        history=history,
        outcomes=appeals.possible_outcomes(session, given, decision) if given.outcome is None else (),
    )


def _findings(session: Session, decision: Decision) -> tuple[FindingView, ...]:
    rows = session.execute(
        select(Finding)
        .where(Finding.revision_id == decision.revision_id, or_(Finding.at <= decision.at, Finding.holds))
        .order_by(Finding.start.is_(None), Finding.start, Finding.id)
    ).scalars()
    return tuple(queries.finding_view(row, decision.text_judged) for row in rows)


def _segments(text: str, findings: Sequence[FindingView]) -> tuple[Segment, ...]:
    spans = [(f.start, f.end, f.kind) for f in findings if f.start is not None and f.end is not None]
    return tuple(mark_spans(text, spans))


def _lines(statement: Statement | None) -> tuple[StatementLine, ...]:
    if statement is None:
        return ()
    return tuple(StatementLine(key, statement.content[key]) for key in statements.PARTS if key in statement.content)


def _sanction(session: Session, decision: Decision) -> SanctionView | None:
    found = session.execute(
        select(Sanction.kind, Sanction.until, Sanction.strikes, Sanction.voided_at).where(
            Sanction.decision_id == decision.id
        )
    ).one_or_none()
    return SanctionView(found.kind, found.until, found.strikes, found.voided_at is not None) if found else None
