"""Compensating decisions: a decision is taken back by another one that points at it; nothing is deleted.

`undo` is for whoever just decided, or a lead, within a day and only while everything stands as it was left. `reverse`
is for an objection that was right: whenever, and as far as what came since leaves room for it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from auth.policy import Actor, require
from core.config import Settings
from core.errors import Conflict, Forbidden, NotFound
from core.vocabulary import LIVE_CASE_STATES, Action, CaseState, PostState, RevisionState, Verdict
from forum import lifecycle, revisions
from moderation import applying, reports, rulings, statements
from moderation.models import Decision, Statement
from moderation.rulings import WAITING, Decided, Grounds, Situation, is_newest

UNDO_WINDOW = timedelta(hours=24)  # docs/moderation.md, undo
# These say nothing about the newest text, so that a newer one is no obstacle to taking them back.
TEXTLESS = frozenset({Verdict.DISMISS, Verdict.LOCK, Verdict.ESCALATE, Verdict.LABEL, Verdict.SANCTION})
# Nobody but moderators noticed these, so the author hears nothing of their end either.
QUIET = frozenset({Verdict.DISMISS, Verdict.ESCALATE})


def undo_refusal(decision: Decision, *, case_state: CaseState, case_round: int, now: datetime) -> Conflict | None:
    """Why a decision cannot be taken back any more, as far as its own row and its case say."""
    if decision.round != case_round - 1 or case_state is CaseState.MOOT:
        return Conflict("undo-overtaken", "Something was decided after this. Decide the case again instead.")
    if now - decision.at > UNDO_WINDOW:
        return Conflict("undo-too-late", "A decision can be taken back for 24 hours. Decide the case again instead.")
    if decision.terms.get("appeal"):
        return Conflict("undo-impossible", "This answered an objection, so it stands. Decide the case again instead.")
    again = decision.verdict is Verdict.RESTORE and case_state in LIVE_CASE_STATES
    no_way = decision.state_after is not None and _state_before(decision) is None
    if again or no_way:
        return Conflict("undo-impossible", "This cannot be taken back. Decide the case again instead.")
    return None


def _state_before(decision: Decision) -> PostState | None:
    """The state to go back to; None where no legal way leads there."""
    if decision.state_before == decision.state_after:
        return decision.state_after
    # A text that was never public waits again, whether or not changes had been asked for.
    back = PostState.HELD if decision.state_before in WAITING else decision.state_before
    return back if (decision.state_after, back) in lifecycle.MOVES else None


def undo(
    session: Session, decision_id: int, *, by: Actor, reason: str | None, settings: Settings, now: datetime
) -> Decided:
    """Take a decision back within 24 hours: its moderator, or a lead. The state before returns; nothing is deleted.

    A text that waits again puts its case back into the queue, and so does a report that is undecided again. Raises
    Conflict "undo-too-late", "undo-overtaken" (something happened since) or "undo-impossible".
    """
    undone = session.execute(
        select(Decision).where(Decision.id == decision_id).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if undone is None:
        raise NotFound()
    situation = _lock_for_undo(session, undone, by, now=now)
    case = situation.case
    said = rulings.reason_for_taking_back(reason)
    refusal = undo_refusal(undone, case_state=case.state, case_round=case.round, now=now)
    if refusal is not None:
        raise refusal
    if not rulings.has_effect(session, undone):
        return _call_off(session, situation, undone, said, by=by, settings=settings, now=now)
    after = _state_before(undone)
    if not _is_as_left(session, situation, undone) or not is_newest(session, case):
        raise Conflict("undo-overtaken", "The post has changed since. Decide the case again instead.")
    waits = _waits_after_undo(session, situation, undone, after)
    fell = _fell_with_post(situation, undone)
    judged = _judged_next(situation, waits=waits)
    values = rulings.reopened(session, case, settings=settings, now=now) if waits else {}
    rulings.next_round(session, case, revision_id=judged, **values)
    decision = _record(session, situation, undone, said, by=by, after=after, now=now)
    applying.take_back(session, undone, by_decision=decision, now=now)
    _move_back(session, situation, undone, after, fell=fell, now=now)
    reports.reopen(session, undone, now=now)
    return _finish(session, situation, undone, decision, after, by=by, action="case.undo", settings=settings, now=now)


def _judged_next(situation: Situation, *, waits: bool) -> int | None:
    """The text that the case names from now on."""
    if situation.post is None or situation.revision is None:
        return None
    return situation.revision.id if waits else situation.post.live_revision_id or situation.revision.id


def _record(
    session: Session,
    situation: Situation,
    undone: Decision,
    said: str,
    *,
    by: Actor,
    after: PostState | None,
    now: datetime,
) -> Decision:
    # What is shown no more after all is so for the reason of the first time; showing it cited perhaps none.
    ground = undone
    if undone.verdict is Verdict.RESTORE and undone.undoes_id is not None:
        ground = session.get_one(Decision, undone.undoes_id)
    return rulings.record(
        session,
        situation,
        verdict=Verdict.RESTORE,
        grounds=Grounds(ground.rule_code, ground.rule_version, said),
        by_id=by.id,
        after=after,
        undoes_id=undone.id,
        now=now,
    )


def _finish(
    session: Session,
    situation: Situation,
    undone: Decision,
    decision: Decision,
    after: PostState | None,
    *,
    by: Actor,
    action: str,
    settings: Settings,
    now: datetime,
) -> Decided:
    """Statement (where the return takes something away again), notice, audit."""
    restriction = statements.restriction_by_undo(undone.verdict, after, is_edit=situation.is_edit)
    if decision.state_before is decision.state_after and not situation.is_edit:
        restriction = None
    statement = rulings.state_reasons(session, situation, decision, restriction, settings=settings, now=now)
    if undone.verdict not in QUIET:
        rulings.tell_author(session, situation, decision, statement, now=now)
    rulings.write_audit(session, decision, by_id=by.id, action=action, now=now)
    return Decided(decision, statement)


def _lock_for_undo(session: Session, undone: Decision, by: Actor, *, now: datetime) -> Situation:
    """As for a decision, but with the text that was judged then, and for whom may take it back."""
    if undone.verdict is Verdict.REDACT:
        rulings.lock_copies(session, undone.case_id)
    situation = rulings.lock(session, undone.case_id, by, now=now)
    subject = replace(situation.subject, decider_id=undone.moderator_id)
    require(by, Action.UNDO_DECISION, subject)
    return replace(rulings.judging(session, situation, undone), subject=subject)


def _call_off(
    session: Session, situation: Situation, undone: Decision, said: str, *, by: Actor, settings: Settings, now: datetime
) -> Decided:
    """It waited for its second person and never had effect: only the case goes back into the queue."""
    if situation.case.state is not CaseState.AWAITING_SECOND:
        raise Conflict("undo-impossible", "This never took effect. Decide the case again instead.")
    rulings.next_round(session, situation.case, **rulings.reopened(session, situation.case, settings=settings, now=now))
    decision = _record(session, situation, undone, said, by=by, after=situation.state, now=now)
    rulings.write_audit(session, decision, by_id=by.id, action="case.undo", now=now)
    return Decided(decision, None)


def _is_as_left(session: Session, situation: Situation, undone: Decision) -> bool:
    """Whether the post stands as the decision left it: its state, and no text that came later."""
    if situation.post is None:
        return True
    if situation.post.state is not undone.state_after:
        return False
    if undone.verdict in TEXTLESS and not situation.is_edit:
        return True
    return situation.revision is not None and revisions.newest(session, situation.post.id).id == situation.revision.id


def _waits_after_undo(session: Session, situation: Situation, undone: Decision, after: PostState | None) -> bool:
    """Whether a person has to look again: a text waits again, reports are undecided again, a member's case is open."""
    if after is None or after in WAITING or situation.is_edit:
        return True
    if undone.verdict in (Verdict.DISMISS, Verdict.ESCALATE) or _fell_with_post(situation, undone):
        return True
    if _was_provisional(session, undone):
        return True
    return reports.were_settled_by(session, undone.id)


def _was_provisional(session: Session, undone: Decision) -> bool:
    """A person decided on what the site had restricted for the time being: that waits for a person again."""
    if undone.undoes_id is not None or undone.moderator_id is None:
        return False
    before = (
        select(Decision.moderator_id, Decision.verdict)
        .where(Decision.case_id == undone.case_id, Decision.round < undone.round)
        .order_by(Decision.round.desc())
        .limit(1)
    )
    row = session.execute(before).one_or_none()
    return row is not None and row.moderator_id is None and row.verdict in (Verdict.SHIELD, Verdict.HIDE)


def _fell_with_post(situation: Situation, undone: Decision) -> bool:
    """An edit that waited when its post was hidden or removed waits again with it."""
    if situation.post is None or situation.revision is None:
        return False
    fell = undone.verdict in (Verdict.HIDE, Verdict.REMOVE) and undone.undoes_id is None
    other = situation.post.live_revision_id not in (None, situation.revision.id)
    return fell and other and situation.revision.state is RevisionState.REJECTED


def _move_back(
    session: Session,
    situation: Situation,
    undone: Decision,
    after: PostState | None,
    *,
    fell: bool,
    now: datetime,
) -> None:
    post, judged = situation.post, situation.revision
    if post is None or judged is None or after is None:
        return
    post = rulings.fresh(session, post)
    if after is not post.state:
        lifecycle.move(session, post.id, after, expected_version=post.version, now=now)
        if fell:
            revisions.set_state(session, judged.id, RevisionState.HELD)
    elif situation.is_edit:
        if undone.verdict in (Verdict.APPROVE, Verdict.REDACT, Verdict.LABEL):
            revisions.publish(session, applying.text_before(session, judged).id, now=now)
        revisions.set_state(session, judged.id, RevisionState.HELD)


# --- Reversing ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Way:
    """How a reversal goes: where the post goes, whether the judged edit goes live, whether the case is open again."""

    after: PostState | None
    publishes_edit: bool = False
    reopens: bool = False


def reverse(
    session: Session,
    decision: Decision,
    *,
    by: Actor,
    reason: str | None,
    settings: Settings,
    now: datetime,
    appeal_id: int | None = None,
) -> Decision:
    """Take a decision back because an objection was right, however long ago it was made.

    Of one that restricted: the post goes back to where it stood or, where no way leads there, is published; words,
    label, lock and sanction fall, also where the post itself has gone elsewhere since. Of one that restricted nothing
    (a refused reporter objected): its reports are undecided again and the case is open. The caller has asked the
    policy (DECIDE_APPEAL). Raises Conflict("already-taken-back"), Forbidden("first-decider").
    """
    if by.id is not None and by.id == decision.moderator_id:
        raise Forbidden("first-decider", "You took part in the decision. Somebody else looks at it now.")
    if decision.verdict is Verdict.REDACT:
        rulings.lock_copies(session, decision.case_id)
    situation = rulings.judging(session, rulings.lock_unasked(session, decision.case_id), decision)
    if session.execute(select(exists().where(Decision.undoes_id == decision.id))).scalar():
        raise Conflict("already-taken-back", "This decision was taken back already.")
    if not rulings.has_effect(session, decision):
        raise Conflict("no-effect", "This decision never took effect.")
    said = rulings.reason_for_taking_back(reason)
    case = situation.case
    way = _way(session, situation, decision)
    rulings.next_round(session, case, **_case_after(session, situation, way, settings=settings, now=now))
    made = _record(session, situation, decision, said, by=by, after=way.after, now=now)
    if appeal_id is not None:
        made.terms = {"appeal": appeal_id}
    applying.take_back(session, decision, by_decision=made, now=now)
    _go(session, situation, way, now=now)
    if way.reopens:
        reports.reopen(session, decision, now=now)
    else:
        reports.overturn(session, decision, by_decision=made, now=now)
    _finish(session, situation, decision, made, way.after, by=by, action="case.reverse", settings=settings, now=now)
    return made


def _way(session: Session, situation: Situation, decision: Decision) -> _Way:
    post, judged = situation.post, situation.revision
    restricted = session.execute(select(exists().where(Statement.decision_id == decision.id))).scalar()
    if post is None or judged is None:
        return _Way(None, reopens=decision.verdict is Verdict.DISMISS)
    if not restricted:
        return _Way(post.state, reopens=True)
    if post.state is not decision.state_after:
        return _Way(post.state)
    if situation.is_edit:
        newest = revisions.newest(session, post.id).id == judged.id
        return _Way(post.state, publishes_edit=newest and decision.verdict is not Verdict.REDACT)
    if decision.state_before is decision.state_after:
        return _Way(post.state)
    return _Way(_nearest(decision))


def _nearest(decision: Decision) -> PostState | None:
    """Where it stood; what waited then is published, for a person has read it by now."""
    before, after = decision.state_before, decision.state_after
    if before in WAITING or (after, before) not in lifecycle.MOVES:
        return PostState.PUBLISHED
    return before


def _case_after(
    session: Session, situation: Situation, way: _Way, *, settings: Settings, now: datetime
) -> dict[str, object]:
    """The case, once its decision is taken back. What waited for its author or a second person is settled by it."""
    case, post = situation.case, situation.post
    if way.reopens and is_newest(session, case) and case.state is not CaseState.MOOT:
        return {} if case.state in LIVE_CASE_STATES else rulings.reopened(session, case, settings=settings, now=now)
    if case.state is CaseState.AWAITING_AUTHOR and post is not None and way.after is not post.state:
        return {"state": CaseState.DECIDED, "decided_at": now}
    if case.state is CaseState.AWAITING_AUTHOR and way.publishes_edit:
        return {"state": CaseState.DECIDED, "decided_at": now}
    return {}


def _go(session: Session, situation: Situation, way: _Way, *, now: datetime) -> None:
    post, judged = situation.post, situation.revision
    if post is None or judged is None or way.after is None:
        return
    post = rulings.fresh(session, post)
    if way.after is not post.state:
        lifecycle.move(session, post.id, way.after, expected_version=post.version, now=now)
    elif way.publishes_edit and post.live_revision_id != judged.id:
        revisions.publish(session, judged.id, now=now)
