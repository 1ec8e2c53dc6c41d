"""Decisions: which verdicts are possible, and the decision itself. Each is one transaction of its caller.

The family: `decide` (a person), `provisional` and `restore_due` (the site), `record_lock` (an operation on a thread),
`confirm` (the second person), `undo` and `reverse` (compensating decisions), `bulk.decide_all` (several cases).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from auth.policy import Actor
from core.config import Settings
from core.errors import Conflict, Invalid, NotFound, VersionMissing
from core.vocabulary import (
    LIVE_CASE_STATES,
    CaseState,
    NoteKind,
    PostState,
    Priority,
    RevisionState,
    SubjectKind,
    Verdict,
)
from forum import lifecycle, revisions
from forum.models import Post, Thread
from moderation import applying, cases, rules, rulings, sanctions, severity, statements, terms
from moderation.models import Case, CaseNote, Decision, Finding
from moderation.rulings import (
    REASON_CHARS,
    STANDING_REASONS,
    Decided,
    Grounds,
    Situation,
    effective,
    has_effect,
    is_newest,
)
from moderation.second import confirm
from moderation.undoing import UNDO_WINDOW, reverse, undo, undo_refusal

__all__ = [
    "REASON_CHARS",
    "STANDING_REASONS",
    "UNDO_WINDOW",
    "Decided",
    "allowed_verdicts",
    "confirm",
    "decide",
    "effective",
    "has_effect",
    "is_newest",
    "provisional",
    "record_lock",
    "record_unlock",
    "restore_due",
    "reverse",
    "undo",
    "undo_refusal",
    "verdicts_for",
]

V = Verdict
ASKING = (V.APPROVE, V.REQUEST_CHANGES, V.REJECT)
# What a case about a text still open for anything may end with.
MARKING = (V.REDACT, V.LABEL)


# --- Which verdicts ----------------------------------------------------------------------------------------------


def verdicts_for(
    case_state: CaseState,
    post_state: PostState | None,
    waiting: RevisionState | None,
    *,
    is_newest: bool,
    needs_lead: bool = False,
) -> tuple[Verdict, ...]:
    """The verdicts that fit: by the case, the post, the state of a text that waits, and whether a newer case exists.

    `post_state` None: a case about a member. A decision that waits for its second person leaves nothing to decide.
    """
    live = case_state in LIVE_CASE_STATES
    if case_state in (CaseState.MOOT, CaseState.AWAITING_SECOND) or not (live or is_newest):
        return ()
    # What waits for its author is not passed on, and what a lead has stays there.
    open_now = live and case_state is not CaseState.AWAITING_AUTHOR
    up = (V.ESCALATE,) if open_now and not needs_lead else ()
    if post_state is None:
        return (V.DISMISS, V.SANCTION, *up) if live else ()
    if post_state in (PostState.REMOVED, PostState.REJECTED):
        return (V.RESTORE,)
    if post_state is PostState.HIDDEN:
        return (V.RESTORE, V.HIDE, V.REMOVE, *up) if live else (V.RESTORE, V.REMOVE)
    asking = tuple(v for v in ASKING if v is not V.REQUEST_CHANGES or waiting is not RevisionState.CHANGES_REQUESTED)
    if live and post_state is PostState.CHANGES_REQUESTED:
        return asking
    if live and post_state is PostState.HELD:
        return (*asking, *MARKING, V.SHIELD, V.HIDE, *up)
    if post_state is PostState.SHIELDED:
        return _of_shielded(live, waiting, asking, up)
    if post_state is not PostState.PUBLISHED:
        return ()
    if live and waiting is not None:
        return (*asking, *MARKING, V.HIDE, V.REMOVE, *up)
    restricting = (*MARKING, V.SHIELD, V.HIDE, V.REMOVE)
    return (V.DISMISS, *restricting, *up) if live else restricting


def _of_shielded(
    live: bool, waiting: RevisionState | None, asking: tuple[Verdict, ...], up: tuple[Verdict, ...]
) -> tuple[Verdict, ...]:
    """Members see it. `shield` in a live case: a person has looked, and it stays so."""
    if not live:
        return (V.RESTORE, *MARKING, V.HIDE, V.REMOVE)
    if waiting is not None:
        return (*asking, V.HIDE, V.REMOVE, *up)
    return (V.APPROVE, V.SHIELD, *MARKING, V.HIDE, V.REMOVE, *up)


def allowed_verdicts(session: Session, case: Case, actor: Actor, now: datetime) -> list[Verdict]:
    """What this moderator may decide on this case now; empty for one who is part of it. Three queries."""
    _, subject = cases.subject_of(session, case.id, actor, now=now)
    if cases.policy_refuses(actor, subject):
        return []
    waiting = revisions.waiting(session, case.post_id) if case.post_id is not None else None
    return list(
        verdicts_for(
            case.state,
            subject.state,
            waiting.state if waiting else None,
            is_newest=is_newest(session, case),
            needs_lead=case.needs_lead,
        )
    )


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
    redactions: Sequence[Mapping[str, Any]] | None = None,
    words: Sequence[str] | None = None,
    label: Mapping[str, Any] | None = None,
    until: datetime | str | None = None,
    sanction: Mapping[str, Any] | None = None,
    duplicate_of: int | None = None,
    severe: bool = False,
    bulk_id: int | None = None,
) -> Decided:
    """Decide a case: case, post, reports, statement, sanction, notices, mail and audit row together, or nothing.

    What needs a second person (`severe`: this moderator says so) is written down and has no effect before `confirm`.
    Raises NotFound, Forbidden("conflict-of-interest" …), VersionMissing, Conflict ("claim-taken", "case-changed",
    "case-moot" …), Invalid ("verdict-not-allowed", "warning-missing", or errors on the field that is wrong).
    """
    if verdict in (V.REDACT, V.RESTORE):
        rulings.lock_copies(session, case_id, terms.named(session, case_id, redactions, words))
    situation = rulings.lock(session, case_id, by, now=now)
    case = situation.case
    chosen = _verdict(verdict)
    if version is None:
        raise VersionMissing(
            "version-missing", "Name the version of the case that you have read.", version=case.version
        )
    if cases.is_claim_live(case, now) and case.claimed_by != by.id:
        raise cases.claim_taken(session, case)
    if version != case.version:
        raise rulings.changed(case)
    _check_possible(session, situation, chosen)
    grounds = rulings.grounds(session, chosen, rule, reason, now=now)
    given = terms.Given(redactions, words, label, until, sanction, duplicate_of)
    stored = terms.read(session, situation, chosen, given, by=by, now=now)
    is_severe = severe or case.is_severe or severity.is_severe(_kinds(session, case), grounds.rule)
    two = sanctions.needs_second(stored.get("sanction")) or (is_severe and chosen in severity.VERDICTS)
    after = applying.state_after(situation, chosen)
    _close(session, case, chosen, two=two, severe=severe, by=by, now=now)
    decision = rulings.record(
        session,
        situation,
        verdict=chosen,
        grounds=grounds,
        by_id=by.id,
        after=after,
        terms=stored,
        needs_second=two,
        bulk_id=bulk_id,
        undoes_id=_taken_back(session, case) if chosen is V.RESTORE else None,
        now=now,
    )
    if two:
        rulings.write_audit(session, decision, by_id=by.id, action=f"case.propose_{chosen.value}", now=now)
        return Decided(decision, None)
    if chosen is V.ESCALATE:
        _leave_note(session, decision, by=by, now=now)
    return applying.finish(
        session, situation, decision, by=by, action=f"case.{chosen.value}", settings=settings, now=now
    )


def _verdict(given: str | None) -> Verdict:
    if not given:
        raise Invalid("invalid-field", "Choose a verdict.", errors=[("verdict", "Choose a verdict.")])
    try:
        return Verdict(given)
    except ValueError as error:
        known = ", ".join(v.value for v in Verdict)
        raise Invalid(
            "invalid-field", "There is no such verdict.", errors=[("verdict", f"One of: {known}.")]
        ) from error


def _check_possible(session: Session, situation: Situation, verdict: Verdict) -> None:
    case = situation.case
    if case.state is CaseState.AWAITING_SECOND:
        raise Conflict("awaits-second", "A decision on this case waits for its second person.", version=case.version)
    possible = verdicts_for(
        case.state,
        situation.state,
        situation.waiting.state if situation.waiting else None,
        is_newest=is_newest(session, case),
        needs_lead=case.needs_lead,
    )
    if verdict not in possible:
        allowed = [v.value for v in possible]
        message = f"Possible here: {', '.join(allowed)}." if allowed else "There is nothing to decide here now."
        raise Invalid("verdict-not-allowed", message, errors=[("verdict", message)], allowed_verdicts=allowed)


def _kinds(session: Session, case: Case) -> set[str]:
    return set(session.execute(select(Finding.kind).where(Finding.case_id == case.id)).scalars())


def _close(
    session: Session, case: Case, verdict: Verdict, *, two: bool, severe: bool, by: Actor, now: datetime
) -> None:
    """Free the claim and open the next round; whoever comes second changes no row."""
    state = CaseState.DECIDED
    if two:
        state = CaseState.AWAITING_SECOND
    elif verdict is V.REQUEST_CHANGES:
        state = CaseState.AWAITING_AUTHOR
    elif verdict is V.ESCALATE:
        state = CaseState.OPEN
    more: dict[str, Any] = {"needs_lead": True} if verdict is V.ESCALATE else {}
    if severe:
        more["is_severe"] = True
    rulings.next_round(
        session,
        case,
        or_(Case.claimed_by.is_(None), Case.claimed_by == by.id, Case.claimed_until <= now),
        state=state,
        claimed_by=None,
        claimed_until=None,
        decided_at=now if state is CaseState.DECIDED else None,
        **more,
    )


def _taken_back(session: Session, case: Case) -> int | None:
    """The newest decision of this case with effect, unless something has taken it back already."""
    newest = session.execute(
        select(Decision.id).where(Decision.case_id == case.id, effective()).order_by(Decision.round.desc()).limit(1)
    ).scalar_one_or_none()
    if newest is None:
        return None
    known = session.execute(select(Decision.id).where(Decision.undoes_id == newest)).first()
    return None if known else newest


def _leave_note(session: Session, decision: Decision, *, by: Actor, now: datetime) -> None:
    """The leads read why it was passed on."""
    assert by.id is not None  # the policy lets no visitor decide
    session.add(
        CaseNote(case_id=decision.case_id, author_id=by.id, kind=NoteKind.ESCALATION, text=decision.reason, at=now)
    )


# --- What the site decides ---------------------------------------------------------------------------------------


def provisional(
    session: Session,
    post_id: int,
    *,
    verdict: Verdict,
    rule: str,
    reason: str,
    revision_id: int | None,
    settings: Settings,
    now: datetime,
) -> Decided:
    """A restriction by the site until a person has looked: `shield` or `hide`. The case stays live, its next round
    opens. The post must have a live case. A post that is just being written is entered by its writer, not here.
    """
    if verdict not in (V.SHIELD, V.HIDE):
        raise ValueError(f"the site never decides {verdict}")
    lifecycle.lock(session, post_id)
    case = cases.live_case(session, post_id)
    if case is None:
        raise NotFound()
    situation = rulings.lock_unasked(session, case.id)
    found = rules.in_force(session, rule, now=now)
    assert found is not None and situation.post is not None  # a rule of ours, and a post with a case
    before, after = situation.post.state, applying.MOVES[verdict]
    rulings.next_round(session, case)
    decision = rulings.record(
        session,
        rulings.reading(session, situation, revision_id),
        verdict=verdict,
        grounds=Grounds(found.code, found.version, reason),
        by_id=None,
        after=after,
        now=now,
    )
    if before is not PostState.DRAFT and before is not after:
        lifecycle.move(session, post_id, after, expected_version=situation.post.version, now=now)
    restriction = statements.restriction_of(verdict, is_edit=False)
    statement = rulings.state_reasons(session, situation, decision, restriction, settings=settings, now=now)
    rulings.tell_author(session, situation, decision, statement, now=now)
    rulings.write_audit(session, decision, by_id=None, action=f"case.provisional_{verdict.value}", now=now)
    return Decided(decision, statement)


RESTORED = "The time that was set for this is over."


def restore_due(session: Session, *, now: datetime) -> int:
    """Housekeeping: show again what was hidden or shielded until now; returns how many. A text that was restricted
    anew meanwhile, or that its author took back, stays where it is."""
    rows = session.execute(
        select(Decision, Case.post_id)
        .join(Case, Case.id == Decision.case_id)
        .join(Post, Post.id == Case.post_id)
        .where(
            Decision.verdict.in_((V.HIDE, V.SHIELD)),
            Post.state.in_((PostState.HIDDEN, PostState.SHIELDED)),
            Post.state == Decision.state_after,
            effective(),
        )
        .order_by(Decision.id)
    ).all()
    count = 0
    for decision, post_id in rows:
        end = decision.terms.get("until")
        if post_id is not None and end and datetime.fromisoformat(end) <= now:
            count += _restore(session, decision, post_id, now=now)
    return count


def _restore(session: Session, ended: Decision, post_id: int, *, now: datetime) -> bool:
    lifecycle.lock(session, post_id)
    newest = session.execute(
        select(Decision.id)
        .join(Case, Case.id == Decision.case_id)
        .where(Case.post_id == post_id, effective(), Decision.verdict != V.LOCK)
        .order_by(Decision.id.desc())
        .limit(1)
    ).scalar_one()
    situation = rulings.lock_unasked(session, ended.case_id)
    if newest != ended.id or situation.post is None or situation.post.state is not ended.state_after:
        return False
    rulings.next_round(session, situation.case)
    decision = rulings.record(
        session,
        situation,
        verdict=V.RESTORE,
        grounds=Grounds(ended.rule_code, ended.rule_version, RESTORED),
        by_id=None,
        after=PostState.PUBLISHED,
        undoes_id=ended.id,
        now=now,
    )
    lifecycle.move(session, post_id, PostState.PUBLISHED, expected_version=situation.post.version, now=now)
    rulings.tell_author(session, situation, decision, None, now=now)
    rulings.write_audit(session, decision, by_id=None, action="case.restore", now=now)
    return True


# --- Operations on threads ---------------------------------------------------------------------------------------


def record_lock(
    session: Session,
    thread_id: int,
    *,
    by: Actor,
    rule: str | None,
    reason: str | None,
    settings: Settings,
    now: datetime,
) -> Decided:
    """That a thread was closed to new posts: decision, statement and notice to whoever opened it.

    The caller has asked the policy (OPERATE_THREAD) and closes the thread itself. It belongs to the newest case about
    the opening post, or to a new one that is decided at once; a live case stays live.
    """
    return _record_operation(session, thread_id, V.LOCK, by=by, rule=rule, reason=reason, settings=settings, now=now)


def record_unlock(
    session: Session,
    thread_id: int,
    *,
    by: Actor,
    rule: str | None,
    reason: str | None,
    settings: Settings,
    now: datetime,
) -> Decided:
    """That it was opened again: a compensating decision for the newest lock, which the author hears of."""
    return _record_operation(session, thread_id, V.RESTORE, by=by, rule=rule, reason=reason, settings=settings, now=now)


def _record_operation(
    session: Session,
    thread_id: int,
    verdict: Verdict,
    *,
    by: Actor,
    rule: str | None,
    reason: str | None,
    settings: Settings,
    now: datetime,
) -> Decided:
    opening = session.execute(
        select(Post.id, Post.author_id, Thread.board_id)
        .join(Thread, Thread.id == Post.thread_id)
        .where(Post.thread_id == thread_id, Post.position == 0)
    ).one_or_none()
    if opening is None:
        raise NotFound()
    grounds = rulings.grounds(session, verdict, rule, reason, now=now)
    lifecycle.lock(session, opening.id)
    case_id = session.execute(
        select(Case.id)
        .where(Case.post_id == opening.id, Case.state != CaseState.MOOT)
        .order_by(Case.id.desc())
        .limit(1)
    ).scalar()
    if case_id is None:
        case_id = _decided_case(session, opening, now=now).id
    situation = rulings.lock_unasked(session, case_id)
    undone = _open_lock(session, opening.id) if verdict is V.RESTORE else None
    rulings.next_round(session, situation.case)
    decision = rulings.record(
        session,
        situation,
        verdict=verdict,
        grounds=grounds,
        by_id=by.id,
        after=situation.state,
        undoes_id=undone,
        now=now,
    )
    restriction = statements.restriction_of(verdict, is_edit=False)
    statement = rulings.state_reasons(session, situation, decision, restriction, settings=settings, now=now)
    rulings.tell_author(session, situation, decision, statement, now=now)
    rulings.write_audit(session, decision, by_id=by.id, action=f"case.{verdict.value}", now=now)
    return Decided(decision, statement)


def _decided_case(session: Session, opening: Any, *, now: datetime) -> Case:
    """A case that was never open: the operation itself is what was to be decided."""
    post = session.get_one(Post, opening.id)
    judged = post.live_revision_id or revisions.newest(session, post.id).id
    case = Case(
        subject_kind=SubjectKind.POST,
        post_id=opening.id,
        revision_id=judged,
        board_id=opening.board_id,
        author_id=opening.author_id,
        state=CaseState.DECIDED,
        priority=Priority.P4,
        lane=cases.lane(Priority.P4),
        due_at=now,
        score=0.0,
        opened_at=now,
        decided_at=now,
    )
    session.add(case)
    session.flush()  # the decision names it by its id
    return case


def _open_lock(session: Session, post_id: int) -> int | None:
    """The newest lock of this thread that nothing has taken back."""
    taken_back = select(Decision.undoes_id).where(Decision.undoes_id.is_not(None))
    return session.execute(
        select(Decision.id)
        .join(Case, Case.id == Decision.case_id)
        .where(Case.post_id == post_id, Decision.verdict == V.LOCK, Decision.id.not_in(taken_back))
        .order_by(Decision.id.desc())
        .limit(1)
    ).scalar()
