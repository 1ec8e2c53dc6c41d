"""Decisions: which verdicts are possible, the decision itself, and its undoing. Each is one transaction of its caller.

Rows are locked in the order post, case, thread, board, member; the audit chain comes last.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor, Subject, require
from core import audit
from core.config import Settings
from core.errors import Conflict, Invalid, NotFound, VersionMissing
from core.notifications import notify
from core.text import is_blank, normalise
from core.vocabulary import (
    LIVE_CASE_STATES,
    Action,
    CaseState,
    NotificationKind,
    PostState,
    RevisionState,
    Verdict,
)
from forum import lifecycle, revisions
from forum.models import Post, Revision
from moderation import cases, reports, rules, statements
from moderation.models import Case, Decision, Finding, Statement
from moderation.signals.contract import join

UNDO_WINDOW = timedelta(hours=24)  # docs/moderation.md, undo
REASON_CHARS = 2_000
# Recorded where a moderator gives none.
STANDING_REASONS = {
    Verdict.APPROVE: "Read by a person, who found nothing against the rules.",
    Verdict.DISMISS: "Read again by a person, who found nothing against the rules.",
}
# Promised for later; until then refused without storing anything.
NOT_YET = frozenset({Verdict.REDACT, Verdict.LABEL, Verdict.SHIELD, Verdict.ESCALATE})

WAITING = frozenset({PostState.HELD, PostState.CHANGES_REQUESTED})
# Verdict -> the state of a post that it moves; edits that wait move no post.
MOVES = {
    Verdict.APPROVE: PostState.PUBLISHED,
    Verdict.REJECT: PostState.REJECTED,
    Verdict.REQUEST_CHANGES: PostState.CHANGES_REQUESTED,
    Verdict.HIDE: PostState.HIDDEN,
    Verdict.REMOVE: PostState.REMOVED,
    Verdict.RESTORE: PostState.PUBLISHED,
}
TOLD = {
    Verdict.APPROVE: NotificationKind.PUBLISHED,
    Verdict.REJECT: NotificationKind.REJECTED,
    Verdict.REQUEST_CHANGES: NotificationKind.CHANGES_REQUESTED,
    Verdict.HIDE: NotificationKind.HIDDEN,
    Verdict.REMOVE: NotificationKind.REMOVED,
    Verdict.RESTORE: NotificationKind.RESTORED,
}


@dataclass(frozen=True)
class Decided:
    """The decision, and the statement of reasons where it restricts the author."""

    decision: Decision
    statement: Statement | None


@dataclass(frozen=True)
class _Situation:
    """What is judged, all rows fresh and locked."""

    case: Case
    post: Post
    waiting: Revision | None
    revision: Revision
    is_edit: bool
    subject: Subject


# --- Which verdicts ----------------------------------------------------------------------------------------------


def verdicts_for(
    case_state: CaseState, post_state: PostState, waiting: RevisionState | None, *, is_newest: bool
) -> tuple[Verdict, ...]:
    """The verdicts that fit: by the case, the post, the state of a text that waits, and whether a newer case exists."""
    live = case_state in LIVE_CASE_STATES
    if case_state is CaseState.MOOT or not (live or is_newest):
        return ()
    if post_state is PostState.HIDDEN:
        return (Verdict.RESTORE, Verdict.REMOVE)
    if post_state in (PostState.REMOVED, PostState.REJECTED):
        return (Verdict.RESTORE,)
    asking = () if waiting is RevisionState.CHANGES_REQUESTED else (Verdict.REQUEST_CHANGES,)
    if live and post_state in WAITING:
        return (Verdict.APPROVE, *asking, Verdict.REJECT)
    if post_state is not PostState.PUBLISHED:
        return ()
    if live and waiting is not None:
        return (Verdict.APPROVE, *asking, Verdict.REJECT, Verdict.HIDE, Verdict.REMOVE)
    return (Verdict.DISMISS, Verdict.HIDE, Verdict.REMOVE) if live else (Verdict.HIDE, Verdict.REMOVE)


def allowed_verdicts(session: Session, case: Case, actor: Actor, now: datetime) -> list[Verdict]:
    """What this moderator may decide on this case now; empty for one who is part of it. Three queries."""
    _, subject = cases.subject_of(session, case.id, actor, now=now)
    if cases.policy_refuses(actor, subject):
        return []
    assert subject.state is not None and case.post_id is not None  # a case about a post has both
    waiting = revisions.waiting(session, case.post_id)
    return list(
        verdicts_for(
            case.state,
            subject.state,
            waiting.state if waiting else None,
            is_newest=is_newest(session, case),
        )
    )


def is_newest(session: Session, case: Case) -> bool:
    """Whether no later case is about the same post: what a later one found must not be decided behind its back."""
    return not session.execute(select(exists().where(Case.post_id == case.post_id, Case.id > case.id))).scalar()


# --- Deciding ----------------------------------------------------------------------------------------------------


def decide(
    session: Session,
    case_id: int,
    *,
    by: Actor,
    version: int | None,
    verdict: str | None,
    settings: Settings,
    now: datetime,
    rule: str | None = None,
    reason: str | None = None,
) -> Decided:
    """Decide a case: case, post, reports, statement, notices, mail and audit row together, or nothing.

    Raises NotFound, Forbidden("conflict-of-interest"), VersionMissing, Conflict ("claim-taken", "case-changed",
    "case-moot" …), Invalid ("not-available", "verdict-not-allowed", or errors on verdict, rule, reason).
    """
    situation = _lock(session, case_id, by, now=now)
    case = situation.case
    chosen = _verdict(verdict)
    if version is None:
        raise VersionMissing(
            "version-missing", "Name the version of the case that you have read.", version=case.version
        )
    if cases.is_claim_live(case, now) and case.claimed_by != by.id:
        raise cases.claim_taken(session, case)
    if version != case.version:
        raise _changed(case)
    _check_possible(session, situation, chosen)
    rule_code, rule_version, said = _grounds(session, chosen, rule, reason, now=now)
    before = situation.post.state
    after = _state_after(situation, chosen)
    _close(session, case, chosen, version=version, by=by, now=now)
    decision = _record(
        session,
        situation,
        verdict=chosen,
        rule=(rule_code, rule_version),
        reason=said,
        by=by,
        states=(before, after),
        undoes_id=_taken_back(session, case) if chosen is Verdict.RESTORE else None,
        now=now,
    )
    _apply(session, situation, chosen, after, now=now)
    reports.settle(session, case, decision, now=now)
    restriction = statements.restriction_of(chosen, is_edit=_about_edit(situation, decision))
    statement = _state_reasons(session, situation, decision, restriction, settings=settings, now=now)
    _tell_author(session, situation, decision, statement, now=now)
    _audit(session, decision, by=by, action=f"case.{chosen.value}", now=now)
    return Decided(decision, statement)


def _lock(session: Session, case_id: int, by: Actor, *, now: datetime) -> _Situation:
    """Take the post, then the case, and read everything anew."""
    post_id = session.execute(select(Case.post_id).where(Case.id == case_id)).scalar_one_or_none()
    if post_id is None:
        raise NotFound()
    lifecycle.lock(session, post_id)
    session.execute(select(Case.id).where(Case.id == case_id).with_for_update())
    case, subject = cases.admit(session, case_id, by, Action.DECIDE_CASE, now=now)
    post = session.get_one(Post, post_id, populate_existing=True)
    waiting = revisions.waiting(session, post_id)
    judged_id = waiting.id if waiting else post.live_revision_id
    revision = (
        session.get_one(Revision, judged_id, populate_existing=True)
        if judged_id
        else revisions.newest(session, post_id)
    )
    return _Situation(case, post, waiting, revision, waiting is not None and post.live_revision_id is not None, subject)


def _verdict(given: str | None) -> Verdict:
    if not given:
        raise Invalid("invalid-field", "Choose a verdict.", errors=[("verdict", "Choose a verdict.")])
    try:
        verdict = Verdict(given)
    except ValueError as error:
        known = ", ".join(v.value for v in Verdict)
        raise Invalid(
            "invalid-field", "There is no such verdict.", errors=[("verdict", f"One of: {known}.")]
        ) from error
    if verdict in NOT_YET:
        message = f"The verdict {verdict.value} is not available yet. Nothing was stored."
        raise Invalid("not-available", message, errors=[("verdict", message)])
    return verdict


def _changed(case: Case) -> Conflict:
    return Conflict("case-changed", "This case has changed meanwhile. Please read it again.", version=case.version)


def _check_possible(session: Session, situation: _Situation, verdict: Verdict) -> None:
    possible = verdicts_for(
        situation.case.state,
        situation.post.state,
        situation.waiting.state if situation.waiting else None,
        is_newest=is_newest(session, situation.case),
    )
    if verdict not in possible:
        allowed = [v.value for v in possible]
        message = f"Possible here: {', '.join(allowed)}." if allowed else "There is nothing to decide here now."
        raise Invalid("verdict-not-allowed", message, errors=[("verdict", message)], allowed_verdicts=allowed)


def _grounds(
    session: Session, verdict: Verdict, rule: str | None, reason: str | None, *, now: datetime
) -> tuple[str, int, str]:
    """Rule, its version in force, and the reason; both may be left out for approve and dismiss only."""
    errors = []
    said = normalise(reason or "", field="reason")
    standing = STANDING_REASONS.get(verdict)
    if is_blank(said):
        said = standing or ""
        if not standing:
            errors.append(("reason", "Say in a sentence or two why. The author reads it."))
    elif len(said) > REASON_CHARS:
        errors.append(("reason", f"At most {REASON_CHARS:,} characters; this has {len(said):,}."))
    code = (rule or "").strip() or (rules.NONE if standing else "")
    found = rules.in_force(session, code, now=now)
    restoring = standing or verdict is Verdict.RESTORE
    if not code:
        errors.append(("rule", "Choose the rule that this is about."))
    elif found is None or (code == rules.NONE and not restoring):
        errors.append(("rule", "Choose one of the rules in force."))
    if errors or found is None:
        raise Invalid("invalid-field", "A decision needs a rule and a reason.", errors=errors)
    return found.code, found.version, said


def _state_after(situation: _Situation, verdict: Verdict) -> PostState:
    edits_only = (Verdict.APPROVE, Verdict.REJECT, Verdict.REQUEST_CHANGES)
    if verdict is Verdict.DISMISS or (situation.is_edit and verdict in edits_only):
        return situation.post.state
    return MOVES[verdict]


def _close(session: Session, case: Case, verdict: Verdict, *, version: int, by: Actor, now: datetime) -> None:
    """The one conditional UPDATE: whoever comes second changes no row."""
    awaiting = verdict is Verdict.REQUEST_CHANGES
    closed = session.execute(
        update(Case)
        .where(
            Case.id == case.id,
            Case.version == version,
            Case.round == case.round,
            or_(Case.claimed_by.is_(None), Case.claimed_by == by.id, Case.claimed_until <= now),
        )
        .values(
            state=CaseState.AWAITING_AUTHOR if awaiting else CaseState.DECIDED,
            claimed_by=None,
            claimed_until=None,
            version=Case.version + 1,
            round=Case.round + 1,
            decided_at=None if awaiting else now,
        )
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    ).first()
    if closed is None:
        raise _changed(case)


def _record(
    session: Session,
    situation: _Situation,
    *,
    verdict: Verdict,
    rule: tuple[str, int],
    reason: str,
    by: Actor,
    states: tuple[PostState, PostState],
    undoes_id: int | None,
    now: datetime,
) -> Decision:
    case, revision = situation.case, situation.revision
    found = select(exists().where(Finding.case_id == case.id, Finding.revision_id == revision.id))
    decision = Decision(
        case_id=case.id,
        round=case.round,
        verdict=verdict,
        rule_code=rule[0],
        rule_version=rule[1],
        reason=reason,
        moderator_id=by.id,
        revision_id=revision.id,
        text_judged=join(revision.title, revision.source),
        state_before=states[0],
        state_after=states[1],
        undoes_id=undoes_id,
        automated_detection=bool(session.execute(found).scalar()),
        at=now,
    )
    session.add(decision)
    try:
        session.flush()  # reports and the statement name it by its id
    except IntegrityError as error:
        raise _changed(case) from error
    return decision


def _taken_back(session: Session, case: Case) -> int | None:
    """The newest decision of this case that a restoration takes back, unless something has done so already."""
    newest = session.execute(
        select(Decision.id, Decision.verdict)
        .where(Decision.case_id == case.id)
        .order_by(Decision.round.desc())
        .limit(1)
    ).one_or_none()
    return newest.id if newest else None


def _apply(session: Session, situation: _Situation, verdict: Verdict, after: PostState, *, now: datetime) -> None:
    """Move the post, or only its waiting edit."""
    post, waiting = situation.post, situation.waiting
    if after is not post.state:
        lifecycle.move(session, post.id, after, expected_version=post.version, now=now)
    elif situation.is_edit and waiting is not None:
        if verdict is Verdict.APPROVE:
            revisions.publish(session, waiting.id, now=now)
        elif verdict is Verdict.REJECT:
            revisions.set_state(session, waiting.id, RevisionState.REJECTED)
        elif verdict is Verdict.REQUEST_CHANGES:
            revisions.set_state(session, waiting.id, RevisionState.CHANGES_REQUESTED)


def _state_reasons(
    session: Session,
    situation: _Situation,
    decision: Decision,
    restriction: str | None,
    *,
    settings: Settings,
    now: datetime,
) -> Statement | None:
    if restriction is None:
        return None
    return statements.write(session, decision, case=situation.case, restriction=restriction, settings=settings, now=now)


def _about_edit(situation: _Situation, decision: Decision) -> bool:
    """Whether only an edit was judged: the post itself did not move."""
    return situation.is_edit and decision.state_before is decision.state_after


def _tell_author(
    session: Session, situation: _Situation, decision: Decision, statement: Statement | None, *, now: datetime
) -> None:
    """The author hears of everything that changes something for them; a dismissed report changes nothing."""
    post = situation.post
    kind = TOLD.get(decision.verdict)
    if statement is not None and decision.verdict is Verdict.RESTORE:
        kind = NotificationKind.REMOVED if decision.state_after is PostState.REMOVED else NotificationKind.HIDDEN
    closed = session.execute(select(Member.closed_at).where(Member.id == post.author_id)).scalar()
    if kind is None or closed is not None:
        return
    link = f"/decisions/{statement.reference}" if statement else f"/posts/{post.id}"
    data = {"edit": True} if _about_edit(situation, decision) else {}
    notify(session, post.author_id, kind, link=link, post_id=post.id, data=data, now=now)


def _audit(session: Session, decision: Decision, *, by: Actor, action: str, now: datetime) -> None:
    audit.record(
        session,
        actor_id=by.id,
        action=action,
        subject=("case", decision.case_id),
        details={
            "decision": decision.id,
            "round": decision.round,
            "revision": decision.revision_id,
            "rule": f"{decision.rule_code}/{decision.rule_version}",
            "from": decision.state_before.value if decision.state_before else None,
            "to": decision.state_after.value if decision.state_after else None,
            "undoes": decision.undoes_id,
        },
        reason=decision.reason,
        now=now,
    )


# --- Undoing -----------------------------------------------------------------------------------------------------


def undo_refusal(decision: Decision, *, case_state: CaseState, case_round: int, now: datetime) -> Conflict | None:
    """Why a decision cannot be taken back any more, as far as its own row and its case say."""
    if decision.round != case_round - 1 or case_state is CaseState.MOOT:
        return Conflict("undo-overtaken", "Something was decided after this. Decide the case again instead.")
    if now - decision.at > UNDO_WINDOW:
        return Conflict("undo-too-late", "A decision can be taken back for 24 hours. Decide the case again instead.")
    again = decision.verdict is Verdict.RESTORE and case_state in LIVE_CASE_STATES
    if again or _state_before(decision) is None:
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
    case, post = situation.case, situation.post
    said = normalise(reason or "", field="reason")
    if is_blank(said) or len(said) > REASON_CHARS:
        message = f"Say in a sentence or two why, in at most {REASON_CHARS:,} characters."
        raise Invalid("invalid-field", message, errors=[("reason", message)])
    refusal = undo_refusal(undone, case_state=case.state, case_round=case.round, now=now)
    if refusal is not None:
        raise refusal
    after = _state_before(undone)
    if after is None or not _is_as_left(session, situation, undone) or not is_newest(session, case):
        raise Conflict("undo-overtaken", "The post has changed since. Decide the case again instead.")
    waits = _waits_after_undo(session, situation, undone, after)
    judged = situation.revision.id if waits else post.live_revision_id or situation.revision.id
    _reopen(session, case, live=waits, revision_id=judged, settings=settings, now=now)
    decision = _record(
        session,
        situation,
        verdict=Verdict.RESTORE,
        rule=(undone.rule_code, undone.rule_version),
        reason=said,
        by=by,
        states=(post.state, after),
        undoes_id=undone.id,
        now=now,
    )
    _apply_undo(session, situation, undone, after, now=now)
    reports.reopen(session, undone, now=now)
    restriction = statements.restriction_by_undo(undone.verdict, after, is_edit=situation.is_edit)
    statement = _state_reasons(session, situation, decision, restriction, settings=settings, now=now)
    if undone.verdict is not Verdict.DISMISS:
        _tell_author(session, situation, decision, statement, now=now)
    _audit(session, decision, by=by, action="case.undo", now=now)
    return Decided(decision, statement)


def _lock_for_undo(session: Session, undone: Decision, by: Actor, *, now: datetime) -> _Situation:
    """As for a decision, but with the text that was judged then, and for whom may take it back."""
    situation = _lock(session, undone.case_id, by, now=now)
    subject = replace(situation.subject, decider_id=undone.moderator_id)
    require(by, Action.UNDO_DECISION, subject)
    if undone.revision_id is None:
        raise NotFound()
    judged = session.get_one(Revision, undone.revision_id, populate_existing=True)
    edits_only = (Verdict.APPROVE, Verdict.REJECT, Verdict.REQUEST_CHANGES)
    is_edit = undone.state_before is undone.state_after and undone.verdict in edits_only
    return replace(situation, revision=judged, is_edit=is_edit, subject=subject)


def _is_as_left(session: Session, situation: _Situation, undone: Decision) -> bool:
    """Whether the post stands as the decision left it: its state, and no text that came later."""
    if situation.post.state is not undone.state_after:
        return False
    if undone.verdict is Verdict.DISMISS:
        return True
    return revisions.newest(session, situation.post.id).id == situation.revision.id


def _waits_after_undo(session: Session, situation: _Situation, undone: Decision, after: PostState) -> bool:
    """Whether a person has to look again: a text waits again, or reports are undecided again."""
    if after in WAITING or situation.is_edit:
        return True
    if undone.verdict is Verdict.DISMISS or _fell_with_post(situation, undone):
        return True
    return after is PostState.PUBLISHED and reports.were_settled_by(session, undone.id)


def _fell_with_post(situation: _Situation, undone: Decision) -> bool:
    """An edit that waited when its post was hidden or removed waits again with it."""
    fell = undone.verdict in (Verdict.HIDE, Verdict.REMOVE) and undone.undoes_id is None
    other = situation.post.live_revision_id not in (None, situation.revision.id)
    return fell and other and situation.revision.state is RevisionState.REJECTED


def _reopen(session: Session, case: Case, *, live: bool, revision_id: int, settings: Settings, now: datetime) -> None:
    values: dict[str, object] = {
        "version": Case.version + 1,
        "round": Case.round + 1,
        "revision_id": revision_id,
    }
    if live:
        values |= {
            "state": CaseState.OPEN,
            "claimed_by": None,
            "claimed_until": None,
            "decided_at": None,
            "due_at": cases.due(case.priority, now=now, hours=settings.moderation_hours),
        }
    changed = session.execute(
        update(Case)
        .where(Case.id == case.id, Case.version == case.version, Case.round == case.round)
        .values(**values)
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    ).first()
    if changed is None:
        raise _changed(case)


def _apply_undo(session: Session, situation: _Situation, undone: Decision, after: PostState, *, now: datetime) -> None:
    post, judged = situation.post, situation.revision
    if after is not post.state:
        lifecycle.move(session, post.id, after, expected_version=post.version, now=now)
        if _fell_with_post(situation, undone):
            revisions.set_state(session, judged.id, RevisionState.HELD)
    elif situation.is_edit:
        if undone.verdict is Verdict.APPROVE:
            revisions.publish(session, _text_before(session, judged).id, now=now)
        revisions.set_state(session, judged.id, RevisionState.HELD)


def _text_before(session: Session, judged: Revision) -> Revision:
    """The text that readers saw before this one was approved."""
    return session.execute(
        select(Revision)
        .where(Revision.post_id == judged.post_id, Revision.id != judged.id, Revision.live_at.is_not(None))
        .order_by(Revision.live_at.desc(), Revision.id.desc())
        .limit(1)
    ).scalar_one()
