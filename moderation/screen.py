"""The gate: asks triage about one submission, writes down what it found, and opens or updates the case.

Also what its author sees of the wait. Everything happens in the transaction that stores the post.
"""

import hashlib
import statistics
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from auth.models import Member
from content.models import RedFlag
from core import switches
from core.config import Settings
from core.errors import Forbidden
from core.text import fold
from core.vocabulary import LIVE_CASE_STATES, CaseState, PostState, Verdict
from forum import lifecycle, revisions
from forum.gate import GuidanceNote, HeldReason, HeldStatus, Screening, Submission
from forum.models import Post, Revision
from moderation import cases, decisions, eligibility, help_lines, on_call, reports, scoring, triage, trivial
from moderation.models import Case, Decision, Finding, TextPrint
from moderation.signals import contract, crisis, rulebook
from moderation.signals.contract import Copies, Draft, RedFlagRule

# The expected wait is the median of real waits of so many days, once there are so many of them.
WAIT_WINDOW = timedelta(days=30)
WAIT_LEAST = 5
WAIT_MOST = 500

# A copy of a text that its author took back, or that nobody has got to see yet, is no copy.
GONE = (PostState.DRAFT, PostState.WITHDRAWN, PostState.ERASED)


def screen(session: Session, submission: Submission, *, settings: Settings, now: datetime) -> Screening:
    """May this text appear? Writes findings, opens or joins the case, alerts whoever is on call.

    Raises Forbidden("board-closed") for a new post on a closed board. Cost: nine queries at most, and the writes.
    """
    if submission.board_mode == "closed" and not submission.is_edit:
        raise Forbidden("board-closed", "This board takes no new posts at present. Your text is not lost.")
    digest = digest_of(submission)
    draft = _draft(session, submission, digest, settings=settings, now=now)
    lifecycle.lock(session, submission.post_id)
    case = cases.live_case(session, submission.post_id)
    house = _house(session, submission, case)
    found = _pass_spelling(submission, triage.run(draft, house=house))
    return carry_out(session, submission, found, country=draft.country, settings=settings, now=now)


def carry_out(
    session: Session,
    submission: Submission,
    found: triage.Triage,
    *,
    country: str,
    settings: Settings,
    now: datetime,
) -> Screening:
    """Write down what triage found and do what it says; the post's row is locked.

    A shielded text appears at once for members, by a decision of the site with its statement. Of a post that nobody
    could read so far, a new text waits instead: the stricter of both.
    """
    case = cases.live_case(session, submission.post_id)
    state = found.state
    if state is PostState.SHIELDED and submission.is_edit and submission.live_body is None:
        state = PostState.HELD
    stays = state is not PostState.PUBLISHED
    if stays or case is not None:
        case = _put_into_case(session, submission, found, is_held=stays, known=case, settings=settings, now=now)
    _keep(session, submission, found, case, digest_of(submission), now=now)
    if case is not None:
        scoring.rescore(session, case.id)
    if state is PostState.SHIELDED:
        _shield(session, submission, found, settings=settings, now=now)
    return Screening(state, guidance(session, found.advice, country=country, now=now))


def digest_of(submission: Submission) -> str:
    return hashlib.sha256(fold(submission.body).encode()).hexdigest()


# What the gate shields for, and what its author reads as the facts. Source: docs/moderation.md, the gate.
SHIELD_RULE = "R5-crisis"
SHIELD_REASON = (
    "Some of your words made us worry about you. You did nothing wrong by writing them. Until a person of our team has "
    "read them, only members who are signed in can see this."
)


def _shield(
    session: Session, submission: Submission, found: triage.Triage, *, settings: Settings, now: datetime
) -> None:
    """The decision of the site; nothing new where its author only edits what is shielded already."""
    state = session.execute(select(Post.state).where(Post.id == submission.post_id)).scalar_one()
    if state is not PostState.SHIELDED:
        decisions.provisional(
            session,
            submission.post_id,
            verdict=Verdict.SHIELD,
            rule=SHIELD_RULE,
            reason=SHIELD_REASON,
            revision_id=submission.revision_id,
            settings=settings,
            now=now,
        )


# Holds that are about who wrote or where, and not about any word.
ABOUT_NO_WORD = frozenset({"newcomer", "board_mode"})
SPELLING = contract.Finding(
    "trivial_edit",
    0.0,
    False,
    None,
    None,
    "Only the spelling of a text that a person has read was changed, so the change appears at once.",
    "trivial/1",
)


def _pass_spelling(submission: Submission, found: triage.Triage) -> triage.Triage:
    """A change of spelling in a public text need not be read again because of who wrote it or where."""
    holding = {finding.kind for finding in found.findings if finding.holds}
    if not submission.is_edit or submission.live_body is None or not holding or not holding <= ABOUT_NO_WORD:
        return found
    before = contract.join(submission.live_title, submission.live_body)
    if not trivial.is_trivial(before, contract.join(submission.title, submission.body)):
        return found
    kept = tuple(replace(finding, holds=False) for finding in found.findings)
    return replace(found, state=PostState.PUBLISHED, priority=None, findings=(*kept, SPELLING))


# --- Facts -------------------------------------------------------------------------------------------------------


def _draft(session: Session, submission: Submission, digest: str, *, settings: Settings, now: datetime) -> Draft:
    """Every fact that a signal may ask for, in three queries."""
    rules = rulebook.shipped()
    own_hours = rules["duplicate"].data["own_hours"]
    approved = session.execute(select(Member.approved_count).where(Member.id == submission.author_id)).scalar_one()
    shown = ""
    if submission.live_body is not None:
        shown = contract.join(submission.live_title, submission.live_body)
    return Draft(
        body=submission.body,
        title=submission.title,
        rules=rules,
        author_posts=approved,
        newcomers_wait=submission.board_mode != "post",
        country=submission.author_country or settings.country,
        copies=_copies(session, submission, digest, since=now - timedelta(hours=own_hours)),
        red_flags=red_flag_rules(session, submission.condition_id),
        intake=submission.intake,
        shown_text=shown,
    )


def _copies(session: Session, submission: Submission, digest: str, *, since: datetime) -> Copies:
    """Where the same folded body stands in another post. At most 50 rows are read."""
    rows = session.execute(
        select(TextPrint.author_id, TextPrint.at)
        .join(Post, Post.id == TextPrint.post_id)
        .where(TextPrint.digest == digest, TextPrint.post_id != submission.post_id, Post.state.not_in(GONE))
        .order_by(TextPrint.revision_id.desc())
        .limit(50)
    ).all()
    mine = any(row.author_id == submission.author_id and row.at > since for row in rows)
    return Copies(by_author_lately=mine, elsewhere=bool(rows))


def red_flag_rules(session: Session, condition_id: int | None, *, every: bool = False) -> tuple[RedFlagRule, ...]:
    """The active red flags of a condition, in their order; with `every`, those of all conditions."""
    if condition_id is None and not every:
        return ()
    rows = session.execute(
        select(RedFlag)
        .where(RedFlag.is_active, true() if every else RedFlag.condition_id == condition_id)
        .order_by(RedFlag.condition_id, RedFlag.position, RedFlag.id)
    ).scalars()
    return tuple(
        RedFlagRule(
            code=row.code,
            urgency=row.urgency,
            message=row.message or row.text,
            phrases=tuple(row.phrases),
            intake_key=row.intake_key,
            intake_values=tuple(row.intake_values),
        )
        for row in rows
    )


def _house(session: Session, submission: Submission, case: Case | None) -> list[contract.Finding]:
    """Holds that no word of the text causes."""
    found = []
    if switches.is_on(session, switches.PANIC):
        found.append(triage.house_hold("panic"))
    if submission.board_mode in ("pre", "closed"):
        found.append(triage.house_hold("board_mode"))
    if case is not None and _is_waiting(session, submission):
        found.append(triage.house_hold("resubmitted"))
    return found


def _is_waiting(session: Session, submission: Submission) -> bool:
    """Whether a text of this post waited before this one, so that a person was promised to read it."""
    if not submission.is_edit:
        return False
    if submission.live_body is None:
        return True
    before = session.execute(
        select(Finding.id)
        .join(Revision, Revision.id == Finding.revision_id)
        .join(Case, Case.id == Finding.case_id)
        .where(
            Revision.post_id == submission.post_id,
            Revision.id != submission.revision_id,
            Revision.live_at.is_(None),
            Finding.holds,
            Case.state.in_((CaseState.OPEN, CaseState.CLAIMED, CaseState.AWAITING_AUTHOR)),
        )
        .limit(1)
    ).first()
    return before is not None


# --- Writing down ------------------------------------------------------------------------------------------------


def _put_into_case(
    session: Session,
    submission: Submission,
    found: triage.Triage,
    *,
    is_held: bool,
    known: Case | None,
    settings: Settings,
    now: datetime,
) -> Case:
    """A held text opens a case or joins the live one. One that passes still changes what a live case is about."""
    was_urgent = known is not None and on_call.is_urgent(known.priority)
    priority = found.priority if is_held else None
    case = cases.open_or_join(
        session,
        post_id=submission.post_id,
        revision_id=submission.revision_id,
        board_id=submission.board_id,
        author_id=submission.author_id,
        priority=priority or (known.priority if known else triage.PRIORITIES["newcomer"]),
        score=round(sum(finding.score for finding in found.findings if finding.holds), 3),
        hours=settings.moderation_hours,
        now=now,
    )
    if on_call.is_urgent(case.priority) and not was_urgent:
        on_call.alert(session, case, settings=settings, now=now)
    return case


def _keep(
    session: Session,
    submission: Submission,
    found: triage.Triage,
    case: Case | None,
    digest: str,
    *,
    now: datetime,
) -> None:
    for finding in found.findings:
        session.add(
            Finding(
                case_id=case.id if case else None,
                revision_id=submission.revision_id,
                kind=finding.kind,
                score=finding.score,
                holds=finding.holds,
                start=finding.start,
                end=finding.end,
                explanation=finding.explanation,
                rule_version=finding.rule_version,
                at=now,
            )
        )
    session.add(
        TextPrint(
            revision_id=submission.revision_id,
            post_id=submission.post_id,
            author_id=submission.author_id,
            digest=digest,
            at=now,
        )
    )


def guidance(
    session: Session, advice: Sequence[triage.Advice], *, country: str, now: datetime
) -> tuple[GuidanceNote, ...]:
    """What the writer is told at once, with the numbers of their country. The emergency number always stands first."""
    if not advice:
        return ()
    lines = help_lines.of(session, country, now=now)
    notes = []
    for said in advice:
        urgent = said.urgency == "emergency_now"
        resources = lines.resources if said.wants_lines else lines.resources[:1] if urgent else ()
        message = said.message.replace("{emergency}", lines.emergency)
        notes.append(GuidanceNote(said.kind, said.urgency, message, tuple(resources)))
    return tuple(notes)


def help_before_sending(session: Session, text: str, *, country: str, now: datetime) -> tuple[GuidanceNote, ...]:
    """The lines for somebody in a crisis whose text waits for them to sign in: help must not wait too.

    Stores nothing and calls nobody. Cost: a query, and only where the words are met.
    """
    rules = rulebook.shipped()
    found = triage.run(Draft(body=text, rules=rules, country=country), signals=(crisis.crisis,))
    notes = []
    for said in found.advice[:1]:
        words = rules[crisis.RULES].data
        message = f"{words['kinds'][said.kind]['after_decision']} {words['unsent']}"
        notes.append(replace(said, message=message))
    return guidance(session, notes, country=country, now=now)


# --- What the author sees ----------------------------------------------------------------------------------------


def held_status(session: Session, post_id: int, *, settings: Settings, now: datetime) -> HeldStatus | None:
    """Why the post (or an edit of it) waits, its place in line, and the expected wait. None when nothing waits."""
    waiting = revisions.waiting(session, post_id)
    case = session.execute(
        select(Case)
        .where(
            Case.post_id == post_id,
            Case.state.in_(LIVE_CASE_STATES),
        )
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if waiting is None or case is None:
        return None
    if case.state is CaseState.AWAITING_AUTHOR:
        reasons = (HeldReason("changes_requested", _asked_for(session, case)),)
        return HeldStatus(reasons, None, None, settings.moderation_hours)
    return HeldStatus(
        reasons=_reasons(session, waiting.id),
        position=1 + _waiting_before(session, case),
        expected_wait_minutes=expected_wait(session, case.lane, now=now),
        hours=settings.moderation_hours,
    )


AGAIN = HeldReason("undone", "A decision about this was taken back, so a person reads it once more.")


def _reasons(session: Session, revision_id: int) -> tuple[HeldReason, ...]:
    rows = session.execute(
        select(Finding.kind, Finding.explanation)
        .where(Finding.revision_id == revision_id, Finding.holds)
        .order_by(Finding.id)
    ).all()
    return tuple(dict.fromkeys(HeldReason(kind, why) for kind, why in rows)) or (AGAIN,)


def _asked_for(session: Session, case: Case) -> str:
    return session.execute(
        select(Decision.reason)
        .where(Decision.case_id == case.id, Decision.verdict == Verdict.REQUEST_CHANGES)
        .order_by(Decision.round.desc())
        .limit(1)
    ).scalar_one()


def _waiting_before(session: Session, case: Case) -> int:
    """How many cases a moderator would read before this one, in the queue's own order."""
    return session.execute(
        select(func.count(Case.id)).where(
            eligibility.is_state(*cases.CLAIMABLE), Case.lane <= case.lane, eligibility.ahead_of(case)
        )
    ).scalar_one()


def expected_wait(session: Session, lane: int, *, now: datetime) -> int | None:
    """Minutes from opening to the first decision: the median of real ones in this lane, None for too few."""
    rows = session.execute(
        select(Case.opened_at, Decision.at)
        .join(Case, Case.id == Decision.case_id)
        .where(
            Decision.at > now - WAIT_WINDOW,
            Decision.round == 1,
            Decision.moderator_id.is_not(None),
            Case.lane == lane,
        )
        .order_by(Decision.at.desc())
        .limit(WAIT_MOST)
    ).all()
    if len(rows) < WAIT_LEAST:
        return None
    seconds = statistics.median((decided - opened).total_seconds() for opened, decided in rows)
    return max(1, round(seconds / 60))


def withdrawn(session: Session, post_id: int, *, now: datetime) -> None:
    """The author took the post back: its case is moot, and whoever reported it hears so."""
    case = cases.live_case(session, post_id)
    if case is not None:
        cases.close_as_moot(session, case, now=now)
        reports.settle_as_withdrawn(session, case, now=now)
