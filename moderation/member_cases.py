"""Cases about a member: opened by a moderator with a reason, shown with what the team knows of the member.

Most functions read only; the reading of a member's record is itself written down.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from auth import policy
from auth.members import find_by_handle
from auth.models import Member
from auth.policy import Actor, Subject, require
from core import audit
from core.audit import AuditEntry
from core.config import Settings
from core.errors import Conflict, Forbidden, Invalid
from core.text import is_blank, normalise
from core.vocabulary import (
    LIVE_CASE_STATES,
    Action,
    CaseState,
    NoteKind,
    PostState,
    Priority,
    ReportStatus,
    SanctionKind,
    SubjectKind,
    Verdict,
)
from forum import boards
from forum.models import Board, Post, Thread
from forum.subjects import categories
from moderation import cases, eligibility, evasion, ladder, misuse, reporters, sanctions
from moderation.models import Case, CaseNote, Decision, Report, Sanction, Statement

REASON_CHARS = 2_000
PRIORITY = Priority.P2
# Looking again at the same member within this time is one look.
LOOK_AGAIN = timedelta(hours=1)
SHOWN = 20


# --- Opening -----------------------------------------------------------------------------------------------------


def open_for_member(
    session: Session,
    member_id: int,
    *,
    by: Actor,
    reason: str | None,
    board: str | None,
    settings: Settings,
    now: datetime,
) -> Case:
    """A case about a member, with the reason as its first note. `board`: whose ladder counts; None: the whole site.

    Raises Invalid on reason and board, Forbidden, Conflict("case-open") naming the live one.
    """
    require(by, Action.SEE_MEMBER_RECORD, Subject(member_id=member_id))
    errors = []
    said = normalise(reason or "", field="reason")
    if is_blank(said):
        errors.append(("reason", "Say in a sentence or two what somebody should look at."))
    elif len(said) > REASON_CHARS:
        errors.append(("reason", f"At most {REASON_CHARS:,} characters; this has {len(said):,}."))
    place = boards.find(session, board) if board else None
    if place is not None and place.board is None:
        errors.append(("board", "There is no such board."))
    if errors:
        raise Invalid("invalid-field", "The case cannot be opened yet. Nothing is lost.", errors=errors)
    subject = boards.board_subject(session, place, by) if place else Subject()
    if not policy.moderates(by, subject):
        raise Forbidden("not-your-board", "Choose one of the boards that you moderate.")
    known = _live(session, member_id)
    if known is not None:
        raise _already(known)
    case = Case(
        subject_kind=SubjectKind.MEMBER,
        board_id=place.id if place else None,
        author_id=member_id,
        state=CaseState.OPEN,
        priority=PRIORITY,
        lane=cases.lane(PRIORITY),
        due_at=cases.due(PRIORITY, now=now, hours=settings.moderation_hours),
        opened_at=now,
    )
    try:
        with session.begin_nested():
            session.add(case)
    except IntegrityError as error:
        raise _already(_live(session, member_id)) from error
    assert by.id is not None  # the policy lets no visitor in
    session.add(CaseNote(case_id=case.id, author_id=by.id, kind=NoteKind.NOTE, text=said, at=now))
    audit.record(
        session,
        actor_id=by.id,
        action="case.open_member",
        subject=("member", member_id),
        details={"case": case.id, "board": case.board_id},
        reason=said,
        now=now,
    )
    session.flush()
    return case


def _live(session: Session, member_id: int) -> int | None:
    return session.execute(
        select(Case.id).where(
            Case.author_id == member_id,
            Case.subject_kind == SubjectKind.MEMBER,
            Case.state.in_(LIVE_CASE_STATES),
        )
    ).scalar_one_or_none()


def _already(case_id: int | None) -> Conflict:
    return Conflict("case-open", "There is an open case about this member already.", case_id=case_id)


def is_everywhere(by: Actor) -> bool:
    """Whether this moderator may open a case that belongs to no board."""
    return policy.moderates_everywhere(by)


def is_about_member(session: Session, case_id: int) -> bool:
    kind = session.execute(select(Case.subject_kind).where(Case.id == case_id)).scalar_one_or_none()
    return kind is SubjectKind.MEMBER


def board_of(session: Session, case_id: int) -> int | None:
    """The board whose ladder counts in this case."""
    return session.execute(select(Case.board_id).where(Case.id == case_id)).scalar_one()


@dataclass(frozen=True)
class Note:
    """What somebody of the team wrote on a case. `author` None: a former member."""

    kind: NoteKind
    author: str | None
    text: str
    at: datetime


def notes(session: Session, case_id: int) -> tuple[Note, ...]:
    """The notes on a case, oldest first: the first says why it was opened."""
    rows = session.execute(
        select(CaseNote.kind, Member.handle, Member.closed_at, CaseNote.text, CaseNote.at)
        .join(Member, Member.id == CaseNote.author_id)
        .where(CaseNote.case_id == case_id)
        .order_by(CaseNote.id)
        .limit(100)
    )
    return tuple(Note(row.kind, None if row.closed_at else row.handle, row.text, row.at) for row in rows)


# --- What the team knows -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SanctionRow:
    """One sanction. `is_in_force`: it binds now. `is_live`: its strikes count now. Texts are the statement's."""

    id: int
    kind: SanctionKind
    board_name: str | None
    ladder_board_name: str | None
    strikes: int
    strikes_until: datetime
    imposed_at: datetime
    until: datetime | None
    acknowledged_at: datetime | None
    voided_at: datetime | None
    is_live: bool
    is_in_force: bool
    rule_code: str
    reason: str
    reference: str | None
    case_id: int

    @property
    def needs_acknowledging(self) -> bool:
        return self.kind is SanctionKind.WARNING and self.acknowledged_at is None and self.voided_at is None


@dataclass(frozen=True)
class DecidedAbout:
    """One decision about a post of the member, on a board that this moderator reads."""

    case_id: int
    verdict: Verdict
    rule_code: str
    reason: str
    title: str
    board_name: str
    at: datetime
    is_undone: bool


@dataclass(frozen=True)
class Record:
    """What the team knows of a member, for the page of the record and for a case about them."""

    member_id: int
    handle: str | None
    member_since: datetime
    approved_count: int
    upheld_report_count: int
    is_staff: bool
    strikes: int
    sanctions: tuple[SanctionRow, ...]
    decisions: tuple[DecidedAbout, ...]
    accuracy: reporters.Accuracy
    open_reports: int
    withdrawn_reports: int
    counts: tuple[misuse.Count, ...]
    hints: tuple[evasion.Hint, ...]
    live_case_id: int | None

    @property
    def misuses_reports(self) -> bool:
        return any(c.of == misuse.REPORTS and reporters.is_mostly_unfounded(c) for c in self.counts)


def by_handle(session: Session, handle: str, *, by: Actor) -> Member:
    """The member for somebody of the team; nobody reads their own record here. Raises NotFound, Forbidden."""
    member = find_by_handle(session, handle)
    require(by, Action.SEE_MEMBER_RECORD, Subject(member_id=member.id))
    return member


def note_reading(session: Session, member_id: int, *, by: Actor, now: datetime) -> None:
    """Write down who looked at this member's record; once an hour for each reader."""
    lately = exists().where(
        AuditEntry.subject_kind == "member",
        AuditEntry.subject_id == member_id,
        AuditEntry.actor_id == by.id,
        AuditEntry.action == "member.read_record",
        AuditEntry.at > now - LOOK_AGAIN,
    )
    if not session.execute(select(lately)).scalar():
        audit.record(session, actor_id=by.id, action="member.read_record", subject=("member", member_id), now=now)


def record(session: Session, member_id: int, *, by: Actor, now: datetime) -> Record:
    """Everything of the record in about fifteen queries."""
    require(by, Action.SEE_MEMBER_RECORD, Subject(member_id=member_id))
    member = session.get_one(Member, member_id, populate_existing=True)
    rows = session.execute(
        select(Report.status, func.count(Report.id)).where(Report.reporter_id == member_id).group_by(Report.status)
    )
    filed = {row[0]: row[1] for row in rows}
    return Record(
        member_id=member.id,
        handle=None if member.closed_at else member.handle,
        member_since=member.created_at,
        approved_count=member.approved_count,
        upheld_report_count=member.upheld_report_count,
        is_staff=sanctions.is_staff(session, member_id),
        strikes=sanctions.live_strikes(session, member_id, board_id=None, now=now),
        sanctions=sanction_rows(session, member_id, now=now),
        decisions=_decisions(session, member_id, by),
        accuracy=reporters.accuracies(session, [member_id])[member_id],
        open_reports=filed.get(ReportStatus.OPEN, 0),
        withdrawn_reports=filed.get(ReportStatus.WITHDRAWN, 0),
        counts=misuse.counts(session, member_id, now=now),
        hints=evasion.hints(session, member_id, now=now),
        live_case_id=_live(session, member_id),
    )


def sanction_rows(session: Session, member_id: int, *, now: datetime) -> tuple[SanctionRow, ...]:
    """The member's sanctions, newest first. One query."""
    place, counted = aliased(Board), aliased(Board)
    rows = session.execute(
        select(
            Sanction,
            place.name.label("board_name"),
            counted.name.label("ladder_board_name"),
            Decision.rule_code,
            Decision.reason,
            Decision.case_id,
            Statement.reference,
        )
        .join(Decision, Decision.id == Sanction.decision_id)
        .outerjoin(Statement, Statement.decision_id == Decision.id)
        .outerjoin(place, place.id == Sanction.board_id)
        .outerjoin(counted, counted.id == Sanction.ladder_board_id)
        .where(Sanction.member_id == member_id)
        .order_by(Sanction.id.desc())
        .limit(100)
        .execution_options(populate_existing=True)
    )
    return tuple(
        SanctionRow(
            id=row.Sanction.id,
            kind=row.Sanction.kind,
            board_name=row.board_name,
            ladder_board_name=row.ladder_board_name,
            strikes=row.Sanction.strikes,
            strikes_until=row.Sanction.strikes_until,
            imposed_at=row.Sanction.imposed_at,
            until=row.Sanction.until,
            acknowledged_at=row.Sanction.acknowledged_at,
            voided_at=row.Sanction.voided_at,
            is_live=row.Sanction.voided_at is None and row.Sanction.strikes_until > now,
            is_in_force=_in_force(row.Sanction, now),
            rule_code=row.rule_code,
            reason=row.reason,
            reference=row.reference,
            case_id=row.case_id,
        )
        for row in rows
    )


def _in_force(sanction: Sanction, now: datetime) -> bool:
    if sanction.voided_at is not None or sanction.restriction_id is None:
        return False
    if sanction.kind is SanctionKind.WARNING:
        return sanction.acknowledged_at is None
    return sanction.until is None or sanction.until > now


_AGAINST = (Verdict.REJECT, Verdict.REQUEST_CHANGES, Verdict.REDACT, Verdict.SHIELD, Verdict.HIDE, Verdict.REMOVE)


def _decisions(session: Session, member_id: int, by: Actor) -> tuple[DecidedAbout, ...]:
    later = aliased(Decision)
    rows = session.execute(
        select(
            Decision.case_id,
            Decision.verdict,
            Decision.rule_code,
            Decision.reason,
            Thread.title,
            Board.name.label("board_name"),
            Decision.at,
            exists().where(later.undoes_id == Decision.id).label("is_undone"),
        )
        .join(Case, Case.id == Decision.case_id)
        .join(Post, Post.id == Case.post_id)
        .join(Thread, Thread.id == Post.thread_id)
        .join(Board, Board.id == Case.board_id)
        .where(
            Case.author_id == member_id,
            Decision.verdict.in_(_AGAINST),
            Post.state != PostState.ERASED,
            eligibility.may_read(by),
        )
        .order_by(Decision.at.desc(), Decision.id.desc())
        .limit(SHOWN)
    )
    return tuple(DecidedAbout(**row._mapping) for row in rows)


# --- The part of a case where a sanction is chosen ---------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """One kind of sanction, and why this moderator cannot choose it here (empty: they can)."""

    kind: SanctionKind
    refusal: str = ""


@dataclass(frozen=True)
class Desk:
    """What the form of a sanction needs: the proposal, the kinds, boards to choose from, the numbers of misuse."""

    proposal: ladder.Proposal
    choices: tuple[Choice, ...]
    # (slug, name): this moderator's, where the member wrote or the case stands.
    boards: tuple[tuple[str, str], ...]
    board_slug: str | None
    counts: tuple[misuse.Count, ...]
    has_warning: bool


def desk(session: Session, member_id: int, *, board_id: int | None, by: Actor, now: datetime) -> Desk:
    """For the form on a case: which sanctions this moderator may lay on this member. About ten queries."""
    warned = sanctions.has_warning(session, member_id, now=now)
    places = _boards(session, member_id, board_id, by)
    slug = next((slug for place_id, slug, _ in places if place_id == board_id), None)
    return Desk(
        proposal=ladder.propose(session, member_id, board_id=board_id, now=now),
        choices=_choices(session, member_id, by, warned=warned, has_boards=bool(places)),
        boards=tuple((slug, name) for _, slug, name in places),
        board_slug=slug,
        counts=misuse.counts(session, member_id, now=now),
        has_warning=warned,
    )


def _choices(session: Session, member_id: int, by: Actor, *, warned: bool, has_boards: bool) -> tuple[Choice, ...]:
    is_lead = policy.holds(by, policy.Role.LEAD)
    if not is_lead and sanctions.is_staff(session, member_id):
        return ()
    found = []
    for kind in SanctionKind:
        refusal = ""
        if kind in sanctions.LEADS_ONLY and not is_lead:
            refusal = "leads"
        elif kind is SanctionKind.SUSPENSION and not warned:
            refusal = "warning"
        elif kind is SanctionKind.BOARD_RESTRICTION and not has_boards:
            refusal = "board"
        found.append(Choice(kind, refusal))
    return tuple(found)


def _boards(session: Session, member_id: int, board_id: int | None, by: Actor) -> Sequence[tuple[int, str, str]]:
    """Boards where the member wrote, and the case's own, as far as this moderator looks after them."""
    wrote = exists().where(Post.author_id == member_id, Post.thread_id == Thread.id, Thread.board_id == Board.id)
    stmt = (
        select(Board.id, Board.slug, Board.name, Board.condition_id)
        .where(wrote | and_(Board.id == board_id))
        .order_by(func.lower(Board.name), Board.id)
        .limit(100)
    )
    found = []
    for row in session.execute(stmt).all():
        subject = Subject(board_id=row.id, category_ids=categories(session, row.condition_id, by))
        if policy.moderates(by, subject):
            found.append((row.id, row.slug, row.name))
    return found
