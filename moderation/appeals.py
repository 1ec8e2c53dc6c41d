"""Appeals: an objection against a decision, read and answered by somebody who had no part in it.

Whoever holds the reference of a statement of reasons, or of a report that was refused, may object in the name of the
person concerned. Source: DSA Art. 20.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, select, update
from sqlalchemy.orm import Session, aliased

from auth.models import Member, RoleGrant
from auth.policy import ANONYMOUS, Actor, Subject, require
from core import audit
from core.config import Settings
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.notifications import notify
from core.text import is_blank, normalise
from core.vocabulary import (
    LIVE_CASE_STATES,
    Action,
    AppealOutcome,
    NotificationKind,
    PostState,
    Priority,
    ReportStatus,
    Role,
    Verdict,
)
from forum import revisions
from forum.models import Post
from moderation import cases, decisions, reporters, reports, sanctions, statements
from moderation.models import Appeal, Case, Confirmation, Decision, Report, Sanction, Statement

GROUNDS_CHARS = 4_000
# As long as the reason of a decision, for an overturn repeats it in the decision that takes the first one back.
REASONS_CHARS = 2_000
# By when we want to have answered. Source: docs/moderation.md, appeals.
ANSWER_WITHIN = timedelta(days=14)
# A case that comes back because a reporter was right waits no longer than this.
REOPENED_PRIORITY = Priority.P2


@dataclass(frozen=True)
class Way:
    """Whether a decision can be objected to. `until` is the last whole day; `reference` names the objection made."""

    until: datetime
    is_late: bool
    is_taken_back: bool
    reference: str | None = None

    @property
    def is_open(self) -> bool:
        return not (self.is_late or self.is_taken_back or self.reference)


@dataclass(frozen=True)
class _Target:
    """What is objected to, and for whom."""

    decision_id: int
    appellant_id: int
    report_id: int | None
    informed_at: datetime
    first_decider_id: int | None
    second_decider_id: int | None
    is_taken_back: bool


# --- Times -------------------------------------------------------------------------------------------------------


def deadline(informed_at: datetime) -> datetime:
    """When the time for an objection is over: at the end of the day (UTC) six calendar months later.

    The statement names that day as the last one, so all of it counts. Source: Regulation 1182/71, Art. 3(2)(c).
    """
    last_day = statements.deadline(informed_at.astimezone(UTC))
    return last_day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


# --- Objecting ---------------------------------------------------------------------------------------------------


def appeal(session: Session, *, reference: str, by: Actor | None, grounds: str | None, now: datetime) -> Appeal:
    """Object to the decision of a statement, or to the refusal of a report. `by` None: somebody with the reference.

    Raises NotFound, Invalid on grounds, Forbidden("first-decider"), or Conflict "already-appealed" with the reference
    of the first objection, "already-taken-back", "nothing-to-appeal" (a report that was not refused), or
    "appeal-too-late" with the deadline.
    """
    require(by or ANONYMOUS, Action.APPEAL)
    target = _target(session, reference)
    # One writer at a time, so that the second of two hears of the first.
    session.execute(select(Decision.id).where(Decision.id == target.decision_id).with_for_update(key_share=True))
    target = _target(session, reference)
    _check_possible(session, target, by, now=now)
    said = _check_text(grounds, field="grounds", most=GROUNDS_CHARS, message="Say why you think that we are wrong.")
    made = Appeal(
        reference=statements.new_reference(),
        decision_id=target.decision_id,
        report_id=target.report_id,
        appellant_id=target.appellant_id,
        first_decider_id=target.first_decider_id,
        second_decider_id=target.second_decider_id,
        grounds=said,
        opened_at=now,
        deadline_at=deadline(target.informed_at),
        due_at=now + ANSWER_WITHIN,
    )
    session.add(made)
    session.flush()  # the audit row names it
    audit.record(
        session,
        actor_id=by.id if by else None,
        action="appeal.open",
        subject=("appeal", made.id),
        details={"decision": made.decision_id, "report": made.report_id},
        now=now,
    )
    return made


def _check_possible(session: Session, target: _Target, by: Actor | None, *, now: datetime) -> None:
    known = _known(session, target)
    if known is not None:
        raise Conflict("already-appealed", "You have objected to this already. We read it once.", reference=known)
    if target.is_taken_back:
        raise Conflict("already-taken-back", "We have taken this decision back already; it has no effect any more.")
    end = deadline(target.informed_at)
    if now >= end:
        last_day = end - timedelta(days=1)
        raise Conflict(
            "appeal-too-late",
            f"The time for objecting ended on {last_day:%-d %B %Y}, six months after we told you of the decision.",
            deadline=end.isoformat().replace("+00:00", "Z"),
        )
    if by is not None and by.id is not None and by.id in (target.first_decider_id, target.second_decider_id):
        raise Forbidden("first-decider", "You took part in this decision. Objecting is for the person concerned.")


def _check_text(given: str | None, *, field: str, most: int, message: str) -> str:
    said = normalise(given or "", field=field)
    if is_blank(said):
        raise Invalid("invalid-field", message, errors=[(field, message)])
    if len(said) > most:
        message = f"At most {most:,} characters; this has {len(said):,}."
        raise Invalid("invalid-field", message, errors=[(field, message)])
    return said


def _known(session: Session, target: _Target) -> str | None:
    """The reference of the objection that this person has made already."""
    return session.execute(
        select(Appeal.reference).where(
            Appeal.decision_id == target.decision_id, Appeal.appellant_id == target.appellant_id
        )
    ).scalar_one_or_none()


def _target(session: Session, reference: str) -> _Target:
    """What this reference names. Raises NotFound, or Conflict("nothing-to-appeal") for a report not refused."""
    found = session.execute(
        _deciders(Statement.member_id.label("whom"), Statement.created_at.label("informed_at"))
        .join(Statement, Statement.decision_id == Decision.id)
        .where(Statement.reference == reference)
    ).one_or_none()
    if found is not None:
        return _read_target(found, report_id=None)
    report = session.execute(
        select(Report).where(Report.reference == reference).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if report is None:
        raise NotFound()
    if report.status is not ReportStatus.NOT_ACTED or report.decision_id is None:
        raise Conflict("nothing-to-appeal", "We have not refused this report, so there is nothing to object to.")
    found = session.execute(
        _deciders(Report.reporter_id.label("whom"), Report.decided_at.label("informed_at"))
        .join(Report, Report.decision_id == Decision.id)
        .where(Report.id == report.id)
    ).one()
    return _read_target(found, report_id=report.id)


def _deciders(*more: Any) -> Select[Any]:
    """Selects a decision with who made it, who confirmed it, and whether it was taken back."""
    later = aliased(Decision)
    return (
        select(
            Decision.id,
            Decision.moderator_id,
            Confirmation.confirmed_by,
            later.id.label("taken_back_by"),
            *more,
        )
        .select_from(Decision)
        .outerjoin(Confirmation, and_(Confirmation.decision_id == Decision.id, Confirmation.agrees))
        .outerjoin(later, later.undoes_id == Decision.id)
    )


def _read_target(row: Row[Any], *, report_id: int | None) -> _Target:
    return _Target(
        decision_id=row.id,
        appellant_id=row.whom,
        report_id=report_id,
        informed_at=row.informed_at,
        first_decider_id=row.moderator_id,
        second_decider_id=row.confirmed_by,
        is_taken_back=row.taken_back_by is not None,
    )


def way(session: Session, reference: str, *, now: datetime) -> Way | None:
    """Whether this decision or refused report can be objected to now; None where there is nothing to object to."""
    try:
        target = _target(session, reference)
    except (NotFound, Conflict):
        return None
    end = deadline(target.informed_at)
    return Way(
        until=end - timedelta(days=1),
        is_late=now >= end,
        is_taken_back=target.is_taken_back,
        reference=_known(session, target),
    )


# --- Answering ---------------------------------------------------------------------------------------------------


def admit(session: Session, appeal_id: int, actor: Actor, *, now: datetime) -> tuple[Appeal, Decision, Subject]:
    """The objection for somebody who may answer it. Raises NotFound, or Forbidden "first-decider",
    "conflict-of-interest" or "not-allowed"."""
    found = session.execute(
        select(Appeal, Decision)
        .join(Decision, Decision.id == Appeal.decision_id)
        .where(Appeal.id == appeal_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound()
    given, decision = found.Appeal, found.Decision
    _, facts = cases.subject_of(session, decision.case_id, actor, now=now)
    subject = replace(
        facts,
        decider_id=given.first_decider_id,
        second_decider_id=given.second_decider_id,
        reporter_ids=facts.reporter_ids | {given.appellant_id},
    )
    require(actor, Action.DECIDE_APPEAL, subject)
    return given, decision, subject


def outcomes_for(
    *, is_report: bool, verdict: Verdict, has_live_sanction: bool, is_taken_back: bool
) -> tuple[AppealOutcome, ...]:
    """Which answers are possible. A decision that was taken back meanwhile leaves nothing to decide: `inadmissible`.

    `partly`: the sanction falls, the decision on the text stands; so there must be both.
    """
    if is_taken_back:
        return (AppealOutcome.INADMISSIBLE,)
    both = has_live_sanction and verdict is not Verdict.SANCTION and not is_report
    middle = (AppealOutcome.PARTLY,) if both else ()
    return (AppealOutcome.UPHELD, AppealOutcome.OVERTURNED, *middle, AppealOutcome.INADMISSIBLE)


def possible_outcomes(session: Session, given: Appeal, decision: Decision) -> tuple[AppealOutcome, ...]:
    """The same for this objection as things stand. Two short queries."""
    live = select(Sanction.id).where(Sanction.decision_id == decision.id, Sanction.voided_at.is_(None))
    undone = select(Decision.id).where(Decision.undoes_id == decision.id)
    return outcomes_for(
        is_report=given.report_id is not None,
        verdict=decision.verdict,
        has_live_sanction=session.execute(live).first() is not None,
        is_taken_back=session.execute(undone).first() is not None,
    )


def decide_appeal(
    session: Session,
    appeal_id: int,
    *,
    by: Actor,
    outcome: str | None,
    reasons: str | None,
    settings: Settings,
    now: datetime,
) -> Appeal:
    """Answer an objection, with reasons that its sender reads. `overturned` takes the decision back with all of its
    consequences; for a refused reporter the case is open again, for somebody else to decide.

    Raises as `admit`; Invalid on outcome ("outcome-not-possible") or reasons; Conflict("appeal-decided") for the second
    of two.
    """
    given, decision, _ = admit(session, appeal_id, by, now=now)
    chosen, said = _check_answer(outcome, reasons)
    if given.outcome is None:
        _check_outcome(session, given, decision, chosen)
    taken = session.execute(
        update(Appeal)
        .where(Appeal.id == appeal_id, Appeal.outcome.is_(None))
        .values(outcome=chosen, reasons=said, decided_by=by.id, decided_at=now)
        .returning(Appeal.id)
        .execution_options(synchronize_session=False)
    ).first()
    if taken is None:
        raise Conflict("appeal-decided", "Somebody has answered this objection already.")
    if chosen is AppealOutcome.OVERTURNED:
        reversal = decisions.reverse(
            session, decision, by=by, reason=said, appeal_id=appeal_id, settings=settings, now=now
        )
        session.execute(
            update(Appeal)
            .where(Appeal.id == appeal_id)
            .values(reversal_id=reversal.id)
            .execution_options(synchronize_session=False)
        )
        if given.report_id is not None:
            _reopen(session, given, decision.case_id, settings=settings, now=now)
    elif chosen is AppealOutcome.PARTLY:
        sanctions.void(session, decision, by_decision=None, by_id=by.id, now=now)
    _tell(session, given, now=now)
    audit.record(
        session,
        actor_id=by.id,
        action=f"appeal.{chosen.value}",
        subject=("appeal", appeal_id),
        details={"decision": decision.id, "report": given.report_id, "case": decision.case_id},
        reason=said,
        now=now,
    )
    return session.get_one(Appeal, appeal_id, populate_existing=True)


def _check_answer(outcome: str | None, reasons: str | None) -> tuple[AppealOutcome, str]:
    errors = []
    known = [one.value for one in AppealOutcome]
    if outcome not in known:
        errors.append(("outcome", f"Choose one of: {', '.join(known)}."))
    said = ""
    try:
        message = "Say why, in words for the person who objected. They read it."
        said = _check_text(reasons, field="reasons", most=REASONS_CHARS, message=message)
    except Invalid as error:
        errors += error.errors
    if errors:
        raise Invalid("invalid-field", "An answer needs an outcome and reasons.", errors=errors)
    return AppealOutcome(str(outcome)), said


def _check_outcome(session: Session, given: Appeal, decision: Decision, chosen: AppealOutcome) -> None:
    possible = [one.value for one in possible_outcomes(session, given, decision)]
    if chosen.value not in possible:
        message = f"Possible here: {', '.join(possible)}."
        raise Invalid("outcome-not-possible", message, errors=[("outcome", message)], possible_outcomes=possible)


def _reopen(session: Session, given: Appeal, case_id: int, *, settings: Settings, now: datetime) -> None:
    """The reports wait again: with their own case, or with the newer one about the post, and not for long.

    Nothing is left to decide where the author has withdrawn the post since.
    """
    case = session.get_one(Case, case_id, populate_existing=True)
    post = session.get_one(Post, case.post_id, populate_existing=True)
    is_live = case.state in LIVE_CASE_STATES
    if post.state in (PostState.WITHDRAWN, PostState.ERASED):
        reports.settle_as_withdrawn(session, case, now=now)
        if is_live:
            cases.close_as_moot(session, case, now=now)
        return
    if is_live:
        _hurry(session, case, settings=settings, now=now)
        return
    assert case.board_id is not None and case.author_id is not None  # every post has both
    judged = revisions.waiting(session, post.id)
    joined = cases.open_or_join(
        session,
        post_id=post.id,
        revision_id=judged.id if judged else post.live_revision_id or revisions.newest(session, post.id).id,
        board_id=case.board_id,
        author_id=case.author_id,
        priority=REOPENED_PRIORITY,
        score=reporters.accuracies(session, [given.appellant_id])[given.appellant_id].weight,
        hours=settings.moderation_hours,
        now=now,
    )
    session.execute(
        update(Report)
        .where(Report.case_id == case_id, Report.status == ReportStatus.OPEN)
        .values(case_id=joined.id)
        .execution_options(synchronize_session=False)
    )


def _hurry(session: Session, case: Case, *, settings: Settings, now: datetime) -> None:
    """What a reporter was right about has waited long enough: the case moves up, never down."""
    urgent = min(case.priority, REOPENED_PRIORITY)
    soon = cases.due(urgent, now=now, hours=settings.moderation_hours)
    session.execute(
        update(Case)
        .where(Case.id == case.id)
        .values(priority=urgent, lane=cases.lane(urgent), due_at=min(case.due_at, soon))
        .execution_options(synchronize_session=False)
    )


def _tell(session: Session, given: Appeal, *, now: datetime) -> None:
    closed = session.execute(select(Member.closed_at).where(Member.id == given.appellant_id)).scalar()
    if closed is None:
        link = f"/appeals/{given.reference}"
        notify(session, given.appellant_id, NotificationKind.APPEAL_DECIDED, link=link, now=now)


# --- Whom the site lacks -----------------------------------------------------------------------------------------


def undecidable(session: Session) -> int:
    """How many open objections no lead may answer, because every lead took part in the decision. One query.

    Then an admin has to make somebody else a lead: the rule is never bypassed.
    """
    lead, at_work = aliased(RoleGrant), aliased(Member)
    free = (
        select(lead.id)
        .join(at_work, at_work.id == lead.member_id)
        .where(
            lead.role == Role.LEAD,
            at_work.active,
            at_work.tf_totp_secret.is_not(None),
            lead.member_id != Appeal.appellant_id,
            lead.member_id.is_distinct_from(Appeal.first_decider_id),
            lead.member_id.is_distinct_from(Appeal.second_decider_id),
        )
        .correlate(Appeal)
        .exists()
    )
    return len(session.execute(select(Appeal.id).where(Appeal.outcome.is_(None), ~free).limit(100)).all())


def open_count(session: Session) -> int:
    """How many objections wait for an answer; stops at 100, which pages show as "99+"."""
    return len(session.execute(select(Appeal.id).where(Appeal.outcome.is_(None)).limit(100)).all())
