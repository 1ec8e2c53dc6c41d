"""What the pages and the API of moderation show: frozen, fully loaded.

Functions (all read-only): `queue`, `queue_count`, `case_page`, `statement_page`, `report_page`, `my_held`,
`my_decisions`, `decision_view`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from auth.members import FORMER_MEMBER
from auth.models import Member, RoleGrant
from auth.policy import NEW_MEMBER_POSTS, Actor, Subject, allowed
from content import queries as reference
from content.models import RuleText
from core import keyset
from core.config import Settings
from core.errors import NotFound
from core.markup import Segment, mark_spans
from core.vocabulary import (
    Action,
    CaseState,
    PostKind,
    PostState,
    Priority,
    ReportStatus,
    RevisionState,
    Role,
    SubjectKind,
    ThreadKind,
    Verdict,
)
from forum.gate import HeldStatus
from forum.models import Board, Post, Redaction, Revision, Thread
from moderation import cases, decisions, eligibility, screen, statements
from moderation.models import Case, CaseNote, Confirmation, Decision, Finding, Report, Statement
from moderation.signals import contract


@dataclass(frozen=True)
class Person:
    """`handle` is None for a former member. `roles` are staff roles, in a fixed order."""

    id: int
    handle: str | None
    is_new: bool
    roles: tuple[str, ...] = ()

    @property
    def is_former(self) -> bool:
        return self.handle is None

    @property
    def chips(self) -> tuple[str, ...]:
        """The same codes as everywhere: lead moderator editor admin new_member."""
        return () if self.is_former else self.roles + (("new_member",) if self.is_new else ())


@dataclass(frozen=True)
class FindingView:
    """`start` and `end` count in the text judged; None: the post as a whole. `quote` are the words concerned."""

    kind: str
    score: float
    holds: bool
    start: int | None
    end: int | None
    explanation: str
    rule_version: str
    quote: str | None = None


@dataclass(frozen=True)
class ReportView:
    """A report as the moderator sees it. `text_then` is the text that was reported, where it differs by now."""

    id: int
    reporter: Person
    rule_code: str
    rule_title: str
    note: str
    status: ReportStatus
    created_at: datetime
    text_then: str | None


@dataclass(frozen=True)
class DecisionView:
    """One decision. `moderator` None is the system; `undoes_id` points at the decision that this one took back."""

    id: int
    case_id: int
    verdict: Verdict
    rule_code: str
    rule_version: int
    rule_title: str
    reason: str
    moderator: Person | None
    state_before: PostState | None
    state_after: PostState | None
    undoes_id: int | None
    undone_by_id: int | None
    at: datetime
    statement_reference: str | None = None
    # Whether this reader may take it back now.
    may_undo: bool = False
    # What came with the verdict: redactions, label, until, sanction, duplicate_of, as far as given.
    terms: Mapping[str, Any] = field(default_factory=dict)
    # Two people: who answered as the second one, whether they agreed, and whether it has effect.
    needs_second: bool = False
    second: Person | None = None
    agrees: bool | None = None
    # It waits for its second person, and whether this reader may be that person.
    is_pending: bool = False
    may_confirm: bool = False
    # Of a redaction: the words, for moderators alone.
    taken_out: tuple[str, ...] = ()

    @property
    def has_effect(self) -> bool:
        return not self.needs_second or bool(self.agrees)


@dataclass(frozen=True)
class Standing:
    """What a moderator should know of the author before deciding."""

    author: Person
    member_since: datetime
    approved_count: int
    upheld_report_count: int
    restricted_count: int
    waiting_count: int


@dataclass(frozen=True)
class CaseRow:
    """One row of the queue. `is_claimed` means a live claim; `is_mine` that it is this moderator's.

    A case about a member has no post: what belongs to one is None, `title` is the member's name, and `excerpt` why the
    case was opened.
    """

    id: int
    subject_kind: SubjectKind
    state: CaseState
    priority: Priority
    due_at: datetime
    is_overdue: bool
    opened_at: datetime
    version: int
    post_id: int | None
    thread_id: int | None
    thread_kind: ThreadKind | None
    thread_slug: str | None
    title: str
    post_kind: PostKind | None
    post_state: PostState | None
    # An edit of a text that readers see already.
    is_edit: bool
    excerpt: str
    # None: a case about a member that belongs to no board.
    board_slug: str | None
    board_name: str | None
    author: Person
    # The gravest first; their quotes stand on the case page only.
    findings: tuple[FindingView, ...]
    # The rule that each report names, in the order of the reports.
    reported_rules: tuple[str, ...]
    claimed_by: Person | None
    claimed_until: datetime | None
    is_claimed: bool
    is_mine: bool
    # False where this moderator is part of it (reporter, or posted in the thread).
    may_decide: bool
    # Whom a lead gave it to, and whether only leads decide it.
    assigned_to: Person | None = None
    needs_lead: bool = False
    # How many levels were called because it was late.
    breach_level: int = 0
    # What its place among cases of the same instant is made of: points by term.
    score_terms: Mapping[str, float] = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Each kind of finding once, the gravest first."""
        return tuple(dict.fromkeys(finding.kind for finding in self.findings))

    @property
    def report_count(self) -> int:
        return len(self.reported_rules)


@dataclass(frozen=True)
class RuleChoice:
    code: str
    title: str
    version: int
    body: str


@dataclass(frozen=True)
class SimilarDecision:
    """A decision about another post with the same kinds of findings or the same rule reported."""

    case_id: int
    verdict: Verdict
    rule_code: str
    reason: str
    excerpt: str
    at: datetime


@dataclass(frozen=True)
class CasePage:
    """Everything that one decision needs. `row` is the same as in the queue."""

    row: CaseRow
    # Title + blank line + body (the body alone where there is no title), as typed, and cut into marked stretches.
    text: str
    title_segments: tuple[Segment, ...]
    body_segments: tuple[Segment, ...]
    html: str
    # What readers see now, where the case is about an edit of it.
    live_text: str | None
    revision_number: int
    written_at: datetime
    findings: tuple[FindingView, ...]
    reports: tuple[ReportView, ...]
    standing: Standing
    history: tuple[DecisionView, ...]
    similar: tuple[SimilarDecision, ...]
    allowed_verdicts: tuple[Verdict, ...]
    rules: tuple[RuleChoice, ...]


@dataclass(frozen=True)
class StatementLine:
    """One ready sentence (or few) of the statement, under a stable key such as "restriction", "quote" or "redress"."""

    key: str
    text: str


@dataclass(frozen=True)
class StatementPage:
    """The permanent page of one statement of reasons. `lines` stand in the order in which they are shown."""

    reference: str
    decision_id: int
    verdict: Verdict
    restriction: str
    rule_code: str
    rule_version: int
    rule_title: str
    rule_body: str
    lines: tuple[StatementLine, ...]
    decided_at: datetime
    created_at: datetime
    post_id: int | None
    post_state: PostState | None
    # The decision has been taken back since.
    is_undone: bool
    # The help lines stand first on a page about a crisis.
    is_crisis: bool
    # The form for the Transparency Database, free of personal data.
    export: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportPage:
    """What whoever holds the reference may read. Nothing of the author, nothing of the moderator."""

    reference: str
    status: ReportStatus
    rule_code: str
    rule_title: str
    outcome: str
    created_at: datetime
    decided_at: datetime | None
    answer_by: datetime | None
    post_id: int


@dataclass(frozen=True)
class HeldPost:
    """One waiting text of the reader's own; `held` says why, the place in line and the expected wait."""

    post_id: int
    thread_id: int
    thread_slug: str
    thread_kind: ThreadKind
    post_kind: PostKind
    title: str
    excerpt: str
    state: PostState
    is_edit: bool
    version: int
    waiting_since: datetime
    held: HeldStatus


@dataclass(frozen=True)
class MyDecision:
    """One decision about the reader's own post, or about the reader: then without a post and its title."""

    reference: str
    verdict: Verdict
    restriction: str
    rule_code: str
    rule_title: str
    post_id: int | None
    title: str
    decided_at: datetime
    is_undone: bool


# A row that this request has written before is read anew, not taken from the session's memory.
FRESH = {"populate_existing": True}

# --- The queue ---------------------------------------------------------------------------------------------------

_QUEUE_KEYS = (
    keyset.Key(Case.lane.expression, "lane"),
    keyset.Key(Case.due_at.expression, "due_at"),
    keyset.Key(Case.score.expression, "score", descending=True),
    keyset.Key(Case.id.expression, "case_id"),
)
WAITING = (CaseState.OPEN, CaseState.CLAIMED)
# "report" is no finding, but what brings a case as well.
REPORT = "report"


def queue(
    session: Session,
    actor: Actor,
    *,
    now: datetime,
    state: CaseState | None = None,
    board: str | None = None,
    kind: str | None = None,
    priority: Priority | None = None,
    assigned: bool = False,
    late: bool = False,
    after: str | None = None,
    limit: int = 20,
) -> keyset.Page[CaseRow]:
    """Cases that this moderator may read, in queue order; without `state` those that wait for a person.

    `kind` is a finding's kind or "report"; `assigned`: to this moderator. Four queries, however many rows there are.
    """
    stmt = _rows(actor).where(eligibility.may_read(actor))
    stmt = stmt.where(eligibility.is_state(state) if state else eligibility.is_state(*WAITING))
    if assigned:
        stmt = stmt.where(Case.assigned_to == actor.id)
    if late:
        stmt = stmt.where(Case.due_at < now)
    if board:
        stmt = stmt.where(Board.slug == board)
    if priority:
        stmt = stmt.where(Case.priority == priority)
    if kind == REPORT:
        stmt = stmt.where(exists().where(Report.case_id == Case.id))
    elif kind:
        stmt = stmt.where(exists().where(Finding.case_id == Case.id, Finding.kind == kind))
    found = keyset.page(session, stmt, _QUEUE_KEYS, after=after, limit=limit)
    return keyset.Page(_case_rows(session, actor, found.items, now=now), found.next)


def queue_count(session: Session, actor: Actor, opted_out: Collection[str] = ()) -> int:
    """How many cases wait that this moderator may read and did not opt out of; stops at 100, shown as "99+"."""
    readable = and_(eligibility.may_read(actor), eligibility.wanted(opted_out))
    waiting = select(Case.id).where(eligibility.is_state(*WAITING), readable).limit(100).subquery()
    return session.execute(select(func.count()).select_from(waiting)).scalar_one()


def _rows(actor: Actor) -> Select[*tuple[Any, ...]]:
    """One row for each case, with everything that the queue shows but findings, reports and people's names."""
    return (
        select(
            Case.id.label("case_id"),
            Case.subject_kind,
            Case.state,
            Case.priority,
            Case.lane,
            Case.due_at,
            Case.score,
            Case.opened_at,
            Case.version,
            Case.author_id,
            Case.claimed_by,
            Case.claimed_until,
            Case.assigned_to,
            Case.needs_lead,
            Case.breach_level,
            Case.score_terms,
            Post.id.label("post_id"),
            Post.kind.label("post_kind"),
            Post.state.label("post_state"),
            Post.live_revision_id,
            Case.revision_id,
            Thread.id.label("thread_id"),
            Thread.kind.label("thread_kind"),
            Thread.slug.label("thread_slug"),
            Thread.title.label("thread_title"),
            Revision.title.label("revision_title"),
            Revision.excerpt,
            Board.slug.label("board_slug"),
            Board.name.label("board_name"),
            eligibility.without_conflict(actor).label("free_of_conflict"),
        )
        .outerjoin(Post, Post.id == Case.post_id)
        .outerjoin(Thread, Thread.id == Post.thread_id)
        .outerjoin(Board, Board.id == Case.board_id)
        .outerjoin(Revision, Revision.id == Case.revision_id)
    )


def _case_rows(session: Session, actor: Actor, rows: Sequence[Row[Any]], *, now: datetime) -> list[CaseRow]:
    ids = [row.case_id for row in rows]
    findings = _findings_of(session, ids)
    reported = _reported_rules(session, ids)
    known = people(session, {who for row in rows for who in (row.author_id, row.claimed_by, row.assigned_to)})
    about_members = [row.case_id for row in rows if row.subject_kind is SubjectKind.MEMBER]
    why = _why_opened(session, about_members) if about_members else {}
    return [
        CaseRow(
            id=row.case_id,
            subject_kind=row.subject_kind,
            state=row.state,
            priority=row.priority,
            due_at=row.due_at,
            is_overdue=row.state in WAITING and row.due_at < now,
            opened_at=row.opened_at,
            version=row.version,
            post_id=row.post_id,
            thread_id=row.thread_id,
            thread_kind=row.thread_kind,
            thread_slug=row.thread_slug,
            title=row.revision_title or row.thread_title or known[row.author_id].handle or FORMER_MEMBER,
            post_kind=row.post_kind,
            post_state=row.post_state,
            is_edit=row.live_revision_id is not None and row.live_revision_id != row.revision_id,
            excerpt=why.get(row.case_id, row.excerpt or ""),
            board_slug=row.board_slug,
            board_name=row.board_name,
            author=known[row.author_id],
            findings=tuple(findings[row.case_id]),
            reported_rules=tuple(reported[row.case_id]),
            claimed_by=known.get(row.claimed_by),
            claimed_until=row.claimed_until,
            is_claimed=row.claimed_until is not None and row.claimed_until > now,
            is_mine=row.claimed_by is not None and row.claimed_by == actor.id,
            may_decide=row.free_of_conflict,
            assigned_to=known.get(row.assigned_to),
            needs_lead=row.needs_lead,
            breach_level=row.breach_level,
            score_terms=row.score_terms,
        )
        for row in rows
    ]


def _why_opened(session: Session, case_ids: Sequence[int]) -> dict[int, str]:
    """What was written when each case about a member was opened: its first note."""
    first = select(func.min(CaseNote.id)).where(CaseNote.case_id.in_(case_ids)).group_by(CaseNote.case_id)
    rows = session.execute(select(CaseNote.case_id, CaseNote.text).where(CaseNote.id.in_(first)))
    return {row.case_id: row.text for row in rows}


def _findings_of(session: Session, case_ids: Sequence[int]) -> dict[int | None, list[FindingView]]:
    """What was found in the text that each case is about, the gravest first."""
    rows = session.execute(
        select(Finding)
        .join(Case, and_(Case.id == Finding.case_id, Case.revision_id == Finding.revision_id))
        .where(Finding.case_id.in_(case_ids))
        .order_by(Finding.case_id, Finding.score.desc(), Finding.id)
        .execution_options(**FRESH)
    ).scalars()
    found: dict[int | None, list[FindingView]] = defaultdict(list)
    for row in rows:
        found[row.case_id].append(finding_view(row))
    return found


def finding_view(row: Finding, text: str | None = None) -> FindingView:
    """One finding; with the text in which it was found, the words concerned too."""
    spanned = text is not None and row.start is not None and row.end is not None
    return FindingView(
        kind=row.kind,
        score=row.score,
        holds=row.holds,
        start=row.start,
        end=row.end,
        explanation=row.explanation,
        rule_version=row.rule_version,
        quote=text[row.start : row.end] if spanned and text else None,
    )


def _reported_rules(session: Session, case_ids: Sequence[int]) -> dict[int, list[str]]:
    rows = session.execute(
        select(Report.case_id, Report.rule_code).where(Report.case_id.in_(case_ids)).order_by(Report.id)
    )
    reported: dict[int, list[str]] = defaultdict(list)
    for case_id, rule_code in rows:
        reported[case_id].append(rule_code)
    return reported


ROLE_ORDER = (Role.LEAD, Role.MODERATOR, Role.EDITOR, Role.ADMIN)


def people(session: Session, member_ids: Collection[int | None]) -> dict[int | None, Person]:
    """Names and chips of these members. One query."""
    wanted = sorted(member_id for member_id in member_ids if member_id is not None)
    if not wanted:
        return {}
    rows = session.execute(
        select(Member.id, Member.handle, Member.closed_at, Member.approved_count, RoleGrant.role)
        .outerjoin(RoleGrant, RoleGrant.member_id == Member.id)
        .where(Member.id.in_(wanted))
    ).all()
    roles: dict[int, set[Role]] = {}
    for row in rows:
        roles.setdefault(row.id, set()).update({row.role} if row.role else set())
    return {
        row.id: Person(
            id=row.id,
            handle=None if row.closed_at else row.handle,
            is_new=row.approved_count < NEW_MEMBER_POSTS,
            roles=tuple(role.value for role in ROLE_ORDER if role in roles[row.id]),
        )
        for row in rows
    }


# --- One case ----------------------------------------------------------------------------------------------------

SIMILAR = 5


def case_page(session: Session, case_id: int, actor: Actor, *, settings: Settings, now: datetime) -> CasePage:
    """Everything for one decision. Raises NotFound, or Forbidden for the author. About fifteen queries."""
    case, subject = cases.admit(session, case_id, actor, Action.READ_CASE, now=now)
    found = session.execute(_rows(actor).where(Case.id == case_id)).one()
    row = _case_rows(session, actor, [found], now=now)[0]
    if case.subject_kind is SubjectKind.MEMBER:
        return _member_case(session, case, row, actor, subject, now=now)
    revision = session.execute(
        select(Revision).where(Revision.id == case.revision_id).execution_options(**FRESH)
    ).scalar_one()
    findings = _findings(session, case, contract.join(revision.title, revision.source))
    rules = reference.rule_texts(session, now)
    titles = {rule.code: rule.title for rule in rules}
    text = contract.join(revision.title, revision.source)
    title_segments, body_segments = segments(revision.title, revision.source, findings)
    return CasePage(
        row=row,
        text=text,
        title_segments=title_segments,
        body_segments=body_segments,
        html=revision.html,
        live_text=_live_text(session, found) if row.is_edit else None,
        revision_number=revision.number,
        written_at=revision.created_at,
        findings=findings,
        reports=_reports(session, case, titles, text),
        standing=_standing(session, row.author),
        history=_history(session, case, actor, subject, titles, now=now),
        similar=_similar(session, case, row.kinds, actor),
        allowed_verdicts=tuple(decisions.allowed_verdicts(session, case, actor, now)),
        rules=tuple(
            RuleChoice(rule.code, rule.title, rule.version, rule.body) for rule in rules if rule.code != NO_RULE
        ),
    )


def _member_case(
    session: Session, case: Case, row: CaseRow, actor: Actor, subject: Subject, *, now: datetime
) -> CasePage:
    """A case about a member has no text; what the team knows of the member stands in `member_cases.record`."""
    rules = reference.rule_texts(session, now)
    titles = {rule.code: rule.title for rule in rules}
    return CasePage(
        row=row,
        text="",
        title_segments=(),
        body_segments=(),
        html="",
        live_text=None,
        revision_number=0,
        written_at=case.opened_at,
        findings=(),
        reports=(),
        standing=_standing(session, row.author),
        history=_history(session, case, actor, subject, titles, now=now),
        similar=(),
        allowed_verdicts=tuple(decisions.allowed_verdicts(session, case, actor, now)),
        rules=tuple(
            RuleChoice(rule.code, rule.title, rule.version, rule.body) for rule in rules if rule.code != NO_RULE
        ),
    )


def _findings(session: Session, case: Case, text: str) -> tuple[FindingView, ...]:
    rows = session.execute(
        select(Finding).where(Finding.revision_id == case.revision_id).order_by(Finding.start.is_(None), Finding.start)
    ).scalars()
    return tuple(finding_view(row, text) for row in rows)


def segments(
    title: str | None, body: str, findings: Sequence[FindingView]
) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """Title and body, each cut where a finding begins or ends. Joined again they are the very text."""
    text = contract.join(title, body)
    offset = len(text) - len(body)
    return (
        _cut(title or "", 0, findings) if title is not None else (),
        _cut(body, offset, findings),
    )


def _cut(part: str, offset: int, findings: Sequence[FindingView]) -> tuple[Segment, ...]:
    spans = [(f.start - offset, f.end - offset, f.kind) for f in findings if f.start is not None and f.end is not None]
    return tuple(mark_spans(part, spans))


def _live_text(session: Session, row: Row[Any]) -> str:
    live = session.execute(select(Revision.title, Revision.source).where(Revision.id == row.live_revision_id)).one()
    return contract.join(live.title, live.source)


def _reports(session: Session, case: Case, titles: Mapping[str, str], text: str) -> tuple[ReportView, ...]:
    rows = session.execute(
        select(Report, Revision.title, Revision.source)
        .join(Revision, Revision.id == Report.revision_id)
        .where(Report.case_id == case.id)
        .order_by(Report.id)
        .execution_options(**FRESH)
    ).all()
    known = people(session, {row.Report.reporter_id for row in rows})
    views = []
    for report, title, source in rows:
        then = contract.join(title, source)
        views.append(
            ReportView(
                id=report.id,
                reporter=known[report.reporter_id],
                rule_code=report.rule_code,
                rule_title=titles.get(report.rule_code, report.rule_code),
                note=report.note,
                status=report.status,
                created_at=report.created_at,
                text_then=None if then == text else then,
            )
        )
    return tuple(views)


def _standing(session: Session, author: Person) -> Standing:
    member = session.execute(
        select(Member.created_at, Member.approved_count, Member.upheld_report_count).where(Member.id == author.id)
    ).one()
    restricted = session.execute(select(func.count(Statement.id)).where(Statement.member_id == author.id)).scalar_one()
    waiting = session.execute(
        select(func.count(Case.id)).where(Case.author_id == author.id, Case.state.in_(WAITING))
    ).scalar_one()
    return Standing(
        author=author,
        member_since=member.created_at,
        approved_count=member.approved_count,
        upheld_report_count=member.upheld_report_count,
        restricted_count=restricted,
        waiting_count=waiting,
    )


def history(session: Session, case: Case, actor: Actor, subject: Subject, *, now: datetime) -> tuple[DecisionView, ...]:
    """The decisions of one case, newest first, for somebody who has been let in. Four queries."""
    titles = {rule.code: rule.title for rule in reference.rule_texts(session, now)}
    return _history(session, case, actor, subject, titles, now=now)


def _history(
    session: Session, case: Case, actor: Actor, subject: Subject, titles: Mapping[str, str], *, now: datetime
) -> tuple[DecisionView, ...]:
    """The decisions of this case, newest first."""
    rows = session.execute(_decisions().where(Decision.case_id == case.id).order_by(Decision.round.desc())).all()
    known, words = _people_of(session, rows), _taken_out(session, rows)
    newest = decisions.is_newest(session, case)
    return tuple(
        _decision_view(
            row,
            known,
            titles,
            case=case,
            may_undo=newest and _may_undo(row.Decision, case, actor, subject, now=now),
            may_confirm=_may_confirm(row.Decision, actor, subject),
            taken_out=words.get(row.Decision.id, ()),
        )
        for row in rows
    )


def _decisions() -> Select[Any]:
    later = aliased(Decision)
    undone_by = select(later.id).where(later.undoes_id == Decision.id).scalar_subquery()
    return (
        select(
            Decision,
            Statement.reference,
            undone_by.label("undone_by"),
            Confirmation.confirmed_by.label("second_id"),
            Confirmation.agrees,
        )
        .outerjoin(Statement, Statement.decision_id == Decision.id)
        .outerjoin(Confirmation, Confirmation.decision_id == Decision.id)
        .execution_options(**FRESH)
    )


def _people_of(session: Session, rows: Sequence[Row[Any]]) -> dict[int | None, Person]:
    return people(session, {row.Decision.moderator_id for row in rows} | {row.second_id for row in rows})


def _taken_out(session: Session, rows: Sequence[Row[Any]]) -> dict[int, tuple[str, ...]]:
    """The words that each redaction took out of the text that it judged. No query where there was none."""
    ids = [row.Decision.id for row in rows if row.Decision.verdict is Verdict.REDACT]
    found: dict[int, tuple[str, ...]] = {}
    if ids:
        stmt = (
            select(Redaction.decision_id, Redaction.original)
            .join(Decision, and_(Decision.id == Redaction.decision_id, Decision.revision_id == Redaction.revision_id))
            .where(Redaction.decision_id.in_(ids))
            .order_by(Redaction.part.desc(), Redaction.start)
        )
        for decision_id, words in session.execute(stmt):
            found[decision_id] = (*found.get(decision_id, ()), words)
    return found


def _decision_view(
    row: Row[Any],
    known: Mapping[int | None, Person],
    titles: Mapping[str, str],
    *,
    case: Case,
    may_undo: bool,
    may_confirm: bool,
    taken_out: tuple[str, ...] = (),
) -> DecisionView:
    decision: Decision = row.Decision
    is_pending = decision.needs_second and case.state is CaseState.AWAITING_SECOND and decision.round == case.round - 1
    return DecisionView(
        id=decision.id,
        case_id=decision.case_id,
        verdict=decision.verdict,
        rule_code=decision.rule_code,
        rule_version=decision.rule_version,
        rule_title=titles.get(decision.rule_code, decision.rule_code),
        reason=decision.reason,
        moderator=known.get(decision.moderator_id),
        state_before=decision.state_before,
        state_after=decision.state_after,
        undoes_id=decision.undoes_id,
        undone_by_id=row.undone_by,
        at=decision.at,
        statement_reference=row.reference,
        may_undo=may_undo,
        terms=decision.terms,
        needs_second=decision.needs_second,
        second=known.get(row.second_id),
        agrees=row.agrees,
        is_pending=is_pending,
        may_confirm=is_pending and may_confirm,
        taken_out=taken_out,
    )


def _may_undo(decision: Decision, case: Case, actor: Actor, subject: Subject, *, now: datetime) -> bool:
    about = replace(subject, decider_id=decision.moderator_id)
    if not allowed(actor, Action.UNDO_DECISION, about):
        return False
    refused = decisions.undo_refusal(decision, case_state=case.state, case_round=case.round, now=now)
    return refused is None and subject.state is decision.state_after


def _may_confirm(decision: Decision, actor: Actor, subject: Subject) -> bool:
    return allowed(actor, Action.CONFIRM_DECISION, replace(subject, decider_id=decision.moderator_id))


def decision_view(session: Session, decision_id: int, actor: Actor, *, now: datetime) -> DecisionView:
    """One decision, for a moderator who may read its case."""
    row = session.execute(_decisions().where(Decision.id == decision_id)).one_or_none()
    if row is None:
        raise NotFound()
    case, subject = cases.admit(session, row.Decision.case_id, actor, Action.READ_CASE, now=now)
    titles = {rule.code: rule.title for rule in reference.rule_texts(session, now)}
    known, words = _people_of(session, [row]), _taken_out(session, [row])
    may_undo = decisions.is_newest(session, case) and _may_undo(row.Decision, case, actor, subject, now=now)
    return _decision_view(
        row,
        known,
        titles,
        case=case,
        may_undo=may_undo,
        may_confirm=_may_confirm(row.Decision, actor, subject),
        taken_out=words.get(decision_id, ()),
    )


def _similar(session: Session, case: Case, kinds: Sequence[str], actor: Actor) -> tuple[SimilarDecision, ...]:
    """What was decided lately about other posts with the same findings, or reported for the same rules.

    Only cases that this moderator may read: an excerpt of another board's refused post is none of their business.
    """
    telling = [kind for kind in kinds if kind not in UNTELLING]
    reported = select(Report.rule_code).where(Report.case_id == case.id)
    alike = [exists().where(Report.case_id == Decision.case_id, Report.rule_code.in_(reported))]
    if telling:
        alike.append(exists().where(Finding.case_id == Decision.case_id, Finding.kind.in_(telling)))
    rows = session.execute(
        select(Decision.case_id, Decision.verdict, Decision.rule_code, Decision.reason, Decision.at, Revision.excerpt)
        .join(Revision, Revision.id == Decision.revision_id)
        .join(Case, Case.id == Decision.case_id)
        .where(
            Decision.case_id != case.id,
            Decision.undoes_id.is_(None),
            decisions.effective(),
            or_(*alike),
            eligibility.may_read(actor),
        )
        .order_by(Decision.at.desc(), Decision.id.desc())
        .limit(SIMILAR)
    )
    return tuple(
        SimilarDecision(row.case_id, row.verdict, row.rule_code, row.reason, row.excerpt, row.at) for row in rows
    )


# Kinds that say nothing about the text, so that nothing is alike because of them.
UNTELLING = frozenset({"newcomer", "panic", "board_mode", "resubmitted", "unchecked"})
NO_RULE = "none"


# --- What members read -------------------------------------------------------------------------------------------


def statement_page(session: Session, reference_word: str) -> StatementPage:
    """The statement of this reference, for whoever holds it. Raises NotFound. Three queries."""
    later = aliased(Decision)
    undone_by = select(later.id).where(later.undoes_id == Decision.id).scalar_subquery()
    found = session.execute(
        select(Statement, Decision, Post.id.label("post_id"), Post.state, undone_by.label("undone_by"))
        .join(Decision, Decision.id == Statement.decision_id)
        .join(Case, Case.id == Decision.case_id)
        .outerjoin(Post, Post.id == Case.post_id)
        .where(Statement.reference == reference_word)
        .execution_options(**FRESH)
    ).one_or_none()
    if found is None:
        raise NotFound()
    statement, decision = found.Statement, found.Decision
    rule = session.execute(
        select(RuleText.title, RuleText.body).where(
            RuleText.code == decision.rule_code, RuleText.version == decision.rule_version
        )
    ).one()
    return StatementPage(
        reference=statement.reference,
        decision_id=decision.id,
        verdict=decision.verdict,
        restriction=statement.restriction,
        rule_code=decision.rule_code,
        rule_version=decision.rule_version,
        rule_title=rule.title,
        rule_body=rule.body,
        lines=tuple(StatementLine(key, statement.content[key]) for key in statements.PARTS if key in statement.content),
        decided_at=decision.at,
        created_at=statement.created_at,
        post_id=found.post_id,
        post_state=found.state,
        is_undone=found.undone_by is not None,
        is_crisis="support" in statement.content,
        export=statement.export,
    )


def report_page(session: Session, reference_word: str, *, settings: Settings, now: datetime) -> ReportPage:
    """The report of this reference, for whoever holds it. Raises NotFound."""
    found = session.execute(
        select(Report, Case.due_at)
        .join(Case, Case.id == Report.case_id)
        .where(Report.reference == reference_word)
        .execution_options(**FRESH)
    ).one_or_none()
    if found is None:
        raise NotFound()
    report: Report = found.Report
    rule = next((r for r in reference.rule_texts(session, now) if r.code == report.rule_code), None)
    return ReportPage(
        reference=report.reference,
        status=report.status,
        rule_code=report.rule_code,
        rule_title=rule.title if rule else report.rule_code,
        outcome=report.outcome,
        created_at=report.created_at,
        decided_at=report.decided_at,
        answer_by=found.due_at if report.status is ReportStatus.OPEN and found.due_at > now else None,
        post_id=report.post_id,
    )


def my_held(
    session: Session, actor: Actor, *, settings: Settings, now: datetime, after: str | None = None, limit: int = 20
) -> keyset.Page[HeldPost]:
    """The reader's own texts that wait, or that they were asked to change; newest first."""
    stmt = (
        select(
            Revision.id.label("revision_id"),
            Revision.title.label("revision_title"),
            Revision.excerpt,
            Revision.created_at,
            Post.id.label("post_id"),
            Post.kind.label("post_kind"),
            Post.state,
            Post.version,
            Post.live_revision_id,
            Thread.id.label("thread_id"),
            Thread.kind.label("thread_kind"),
            Thread.slug,
            Thread.title,
        )
        .join(Post, Post.id == Revision.post_id)
        .join(Thread, Thread.id == Post.thread_id)
        .where(
            Post.author_id == actor.id,
            Post.state.in_((PostState.HELD, PostState.CHANGES_REQUESTED, PostState.PUBLISHED, PostState.SHIELDED)),
            Revision.state.in_((RevisionState.HELD, RevisionState.CHANGES_REQUESTED)),
        )
    )
    keys = [keyset.Key(Revision.id.expression, "revision_id", descending=True)]
    found = keyset.page(session, stmt, keys, after=after, limit=limit)
    held = [_held_post(session, row, settings=settings, now=now) for row in found.items]
    return keyset.Page([one for one in held if one is not None], found.next)


def _held_post(session: Session, row: Row[Any], *, settings: Settings, now: datetime) -> HeldPost | None:
    status = screen.held_status(session, row.post_id, settings=settings, now=now)
    if status is None:
        return None
    return HeldPost(
        post_id=row.post_id,
        thread_id=row.thread_id,
        thread_slug=row.slug,
        thread_kind=row.thread_kind,
        post_kind=row.post_kind,
        title=row.revision_title or row.title,
        excerpt=row.excerpt,
        state=row.state,
        is_edit=row.live_revision_id is not None,
        version=row.version,
        waiting_since=row.created_at,
        held=status,
    )


def my_decisions(
    session: Session, actor: Actor, *, after: str | None = None, limit: int = 20
) -> keyset.Page[MyDecision]:
    """The statements that the reader was given, newest first."""
    later = aliased(Decision)
    undone_by = select(later.id).where(later.undoes_id == Decision.id).scalar_subquery()
    stmt = (
        select(
            Statement.id.label("statement_id"),
            Statement.reference,
            Statement.restriction,
            Decision.verdict,
            Decision.rule_code,
            RuleText.title.label("rule_title"),
            Post.id.label("post_id"),
            Thread.title,
            Decision.at,
            undone_by.label("undone_by"),
        )
        .join(Decision, Decision.id == Statement.decision_id)
        .join(RuleText, and_(RuleText.code == Decision.rule_code, RuleText.version == Decision.rule_version))
        .join(Case, Case.id == Decision.case_id)
        .outerjoin(Post, Post.id == Case.post_id)
        .outerjoin(Thread, Thread.id == Post.thread_id)
        .where(Statement.member_id == actor.id)
    )
    keys = [keyset.Key(Statement.id.expression, "statement_id", descending=True)]
    return keyset.page(session, stmt, keys, after=after, limit=limit).map(
        lambda row: MyDecision(
            reference=row.reference,
            verdict=row.verdict,
            restriction=row.restriction,
            rule_code=row.rule_code,
            rule_title=row.rule_title,
            post_id=row.post_id,
            title=row.title or "",
            decided_at=row.at,
            is_undone=row.undone_by is not None,
        )
    )
