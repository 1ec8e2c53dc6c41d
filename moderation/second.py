"""The second person: a severe decision has no effect before somebody else has read the case and agreed."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.policy import Actor, require
from core import audit
from core.config import Settings
from core.errors import Conflict, Invalid, NotFound
from core.text import is_blank, normalise
from core.vocabulary import Action, CaseState, NoteKind
from forum import revisions
from moderation import applying, cases, rulings
from moderation.models import Case, CaseNote, Confirmation, Decision
from moderation.rulings import REASON_CHARS, Decided, Situation


def confirm(
    session: Session,
    decision_id: int,
    *,
    by: Actor,
    agrees: bool,
    reason: str | None,
    settings: Settings,
    now: datetime,
) -> Decided:
    """The second person's word. Agreeing gives the decision its effect, at once and whole; disagreeing needs a reason
    and puts the case back into the queue.

    Raises NotFound, Forbidden ("first-decider", "conflict-of-interest" …), Conflict("decision-lapsed") where a new
    text or report came meanwhile or somebody was first, Invalid.
    """
    decision = session.execute(
        select(Decision).where(Decision.id == decision_id).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if decision is None:
        raise NotFound()
    situation = _lock(session, decision, by, now=now)
    case = situation.case
    said = _reason(reason, needed=not agrees)
    if not decision.needs_second or not _still_waits(session, situation, decision):
        raise Conflict(
            "decision-lapsed",
            "This decision does not wait for a second person any more. Please read the case again.",
            version=case.version,
        )
    assert by.id is not None and decision.moderator_id is not None  # people decide and confirm
    session.add(
        Confirmation(
            decision_id=decision.id,
            first_decider_id=decision.moderator_id,
            confirmed_by=by.id,
            agrees=agrees,
            reason=said,
            at=now,
        )
    )
    try:
        session.flush()  # whether the decision has effect is read from here
    except IntegrityError as error:
        raise rulings.changed(case) from error
    if not agrees:
        _send_back(session, case, decision, by=by, said=said, settings=settings, now=now)
        return Decided(decision, None)
    _settle(session, case, now=now)
    return applying.finish(
        session,
        situation,
        decision,
        by=by,
        action=f"case.confirm_{decision.verdict.value}",
        settings=settings,
        now=now,
    )


def pending(session: Session, case: Case) -> Decision | None:
    """The decision of this case that waits for its second person."""
    if case.state is not CaseState.AWAITING_SECOND:
        return None
    return session.execute(
        select(Decision).where(Decision.case_id == case.id, Decision.round == case.round - 1, Decision.needs_second)
    ).scalar_one_or_none()


def _lock(session: Session, decision: Decision, by: Actor, *, now: datetime) -> Situation:
    situation = rulings.lock_unasked(session, decision.case_id)
    case, subject = cases.admit(session, decision.case_id, by, Action.READ_CASE, now=now)
    subject = replace(subject, decider_id=decision.moderator_id)
    require(by, Action.CONFIRM_DECISION, subject)
    return replace(situation, case=case, subject=subject)


def _still_waits(session: Session, situation: Situation, decision: Decision) -> bool:
    """Nothing came between: the same round, the same text, the post where it stood."""
    case, post = situation.case, situation.post
    if case.state is not CaseState.AWAITING_SECOND or case.round != decision.round + 1:
        return False
    if post is None:
        return True
    newest = revisions.newest(session, post.id).id
    judged = decision.revision_id in (newest, post.live_revision_id)
    return post.state is decision.state_before and judged


def _reason(reason: str | None, *, needed: bool) -> str:
    said = normalise(reason or "", field="reason")
    if (needed and is_blank(said)) or len(said) > REASON_CHARS:
        message = f"Say in a sentence or two why you disagree, in at most {REASON_CHARS:,} characters."
        raise Invalid("invalid-field", message, errors=[("reason", message)])
    return said


def _settle(session: Session, case: Case, *, now: datetime) -> None:
    _change(session, case, state=CaseState.DECIDED, decided_at=now)


def _change(session: Session, case: Case, **values: Any) -> None:
    """One conditional UPDATE, as for a decision; the round went up when the decision was written down."""
    updated = session.execute(
        update(Case)
        .where(Case.id == case.id, Case.version == case.version, Case.state == CaseState.AWAITING_SECOND)
        .values(version=Case.version + 1, **values)
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    ).first()
    if updated is None:
        raise rulings.changed(case)


def _send_back(
    session: Session, case: Case, decision: Decision, *, by: Actor, said: str, settings: Settings, now: datetime
) -> None:
    assert by.id is not None  # the policy lets no visitor confirm
    _change(session, case, **rulings.reopened(session, case, settings=settings, now=now))
    session.add(CaseNote(case_id=case.id, author_id=by.id, kind=NoteKind.NOTE, text=said, at=now))
    audit.record(
        session,
        actor_id=by.id,
        action="case.disagree",
        subject=("case", case.id),
        details={"decision": decision.id},
        reason=said,
        now=now,
    )
