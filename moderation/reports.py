"""Reports by members: they join the post's case, and their senders hear what came of them."""

from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor, require
from core import audit, limits
from core.config import Settings
from core.errors import Conflict, Invalid
from core.notifications import notify
from core.text import normalise
from core.vocabulary import Action, CaseState, NotificationKind, Priority, ReportStatus, Verdict
from forum import lifecycle, revisions
from forum.models import Post, Revision
from forum.subjects import load_post
from moderation import cases, on_call, reporters, rules, scoring, statements
from moderation.models import Case, Decision, Report
from moderation.signals import crisis, rulebook
from moderation.signals.contract import Draft

NOTE_CHARS = 2_000
CRISIS_RULE = "R5-crisis"
ACTED = frozenset(
    {
        Verdict.REJECT,
        Verdict.REQUEST_CHANGES,
        Verdict.REDACT,
        Verdict.LABEL,
        Verdict.SHIELD,
        Verdict.HIDE,
        Verdict.REMOVE,
    }
)


def report(
    session: Session,
    actor: Actor,
    post_id: int,
    *,
    rule: str | None,
    note: str | None,
    settings: Settings,
    now: datetime,
) -> Report:
    """Report a post to the moderators. Its text as it stands now is kept with the report.

    Raises NotFound, Forbidden("own-post"), Invalid on rule or note, Conflict("already-reported") with the reference of
    one's open report, TooMany.
    """
    loaded = load_post(session, post_id, actor)
    require(actor, Action.REPORT_POST, loaded.subject)
    assert actor.id is not None  # the policy lets no visitor report
    code, said = _check(session, rule, note, now=now)
    lifecycle.lock(session, post_id)
    post = session.get_one(Post, post_id, populate_existing=True)
    known = session.execute(
        select(Report.reference).where(
            Report.post_id == post_id, Report.reporter_id == actor.id, Report.status == ReportStatus.OPEN
        )
    ).scalar_one_or_none()
    if known is not None:
        raise _already(known)
    if code != CRISIS_RULE:
        reporters.check_limit(session, actor.id, settings=settings, now=now)
    limits.spend(session, actor.id, "report", now=now, enforced=settings.limits)
    seen = session.get_one(Revision, post.live_revision_id) if post.live_revision_id else None
    seen = seen or revisions.newest(session, post_id)
    waiting = revisions.waiting(session, post_id)
    known_case = cases.live_case(session, post_id)
    was_urgent = known_case is not None and on_call.is_urgent(known_case.priority)
    case = cases.open_or_join(
        session,
        post_id=post_id,
        revision_id=waiting.id if waiting else seen.id,
        board_id=loaded.board.id,
        author_id=post.author_id,
        priority=_priority(code, seen),
        score=reporters.accuracies(session, [actor.id])[actor.id].weight,
        hours=settings.moderation_hours,
        now=now,
    )
    if on_call.is_urgent(case.priority) and not was_urgent:
        on_call.alert(session, case, settings=settings, now=now)
    _give_back(session, case.id, actor.id)
    made = Report(
        reference=statements.new_reference(),
        post_id=post_id,
        revision_id=seen.id,
        case_id=case.id,
        reporter_id=actor.id,
        rule_code=code,
        note=said,
        status=ReportStatus.OPEN,
        created_at=now,
    )
    session.add(made)
    try:
        session.flush()  # the door answers with it
    except IntegrityError as error:
        raise _already("") from error
    scoring.rescore(session, case.id)
    audit.record(
        session,
        actor_id=actor.id,
        action="post.report",
        subject=("post", post_id),
        details={"case": case.id, "report": made.id, "rule": code},
        now=now,
    )
    return made


def _check(session: Session, rule: str | None, note: str | None, *, now: datetime) -> tuple[str, str]:
    errors = []
    code = (rule or "").strip()
    if code == rules.NONE or rules.in_force(session, code, now=now) is None:
        errors.append(("rule", "Choose the rule that the post breaks."))
    said = normalise(note or "", field="note")
    if len(said) > NOTE_CHARS:
        errors.append(("note", f"At most {NOTE_CHARS:,} characters; this has {len(said):,}."))
    if errors:
        raise Invalid("invalid-field", "The report cannot be accepted yet. Nothing is lost.", errors=errors)
    return code, said


def _give_back(session: Session, case_id: int, reporter_id: int) -> None:
    """Whoever reports takes a side: a moderator who held the case holds it no longer."""
    session.execute(
        update(Case)
        .where(Case.id == case_id, Case.claimed_by == reporter_id)
        .values(state=CaseState.OPEN, claimed_by=None, claimed_until=None)
        .execution_options(synchronize_session=False)
    )


def _already(reference_word: str) -> Conflict:
    return Conflict("already-reported", "You have reported this post already. We are on it.", reference=reference_word)


def _priority(code: str, seen: Revision) -> Priority:
    """A worry about somebody's life goes first; most of all where the text itself speaks of acute danger."""
    if code != CRISIS_RULE:
        return Priority.P3
    draft = Draft(body=seen.source, title=seen.title, rules=rulebook.shipped())
    acute = any(finding.kind == crisis.PLAN for finding in crisis.crisis(draft))
    return Priority.P0 if acute else Priority.P1


# --- Outcomes ----------------------------------------------------------------------------------------------------


def settle(session: Session, case: Case, decision: Decision, *, now: datetime) -> None:
    """Give every open report of the case its outcome, and tell those who sent them."""
    if decision.verdict in (Verdict.REQUEST_CHANGES, Verdict.ESCALATE):
        return  # the case goes on
    acted = decision.verdict in ACTED
    _close(session, case, decision, acted=acted, outcome=_outcome(session, decision, acted=acted), now=now)


def settle_as_withdrawn(session: Session, case: Case, *, now: datetime) -> None:
    """The author withdrew the post before anybody had decided."""
    outcome = "The author withdrew the post before we had decided. Nothing more needed to be done. Thank you."
    _close(session, case, None, acted=False, outcome=outcome, now=now)


def _close(
    session: Session, case: Case, decision: Decision | None, *, acted: bool, outcome: str, now: datetime
) -> None:
    rows = session.execute(
        select(Report.id, Report.reference, Report.reporter_id, Member.closed_at)
        .join(Member, Member.id == Report.reporter_id)
        .where(Report.case_id == case.id, Report.status == ReportStatus.OPEN)
        .order_by(Report.id)
    ).all()
    if not rows:
        return
    session.execute(
        update(Report)
        .where(Report.id.in_([row.id for row in rows]))
        .values(
            status=ReportStatus.ACTED if acted else ReportStatus.NOT_ACTED,
            outcome=outcome,
            decision_id=decision.id if decision else None,
            decided_at=now,
        )
        .execution_options(synchronize_session=False)
    )
    if acted:
        _count_upheld(session, case, 1)
    for row in rows:
        if row.closed_at is None:
            link = f"/reports/{row.reference}"
            notify(session, row.reporter_id, NotificationKind.REPORT_DECIDED, link=link, now=now)


def _count_upheld(session: Session, case: Case, by: int) -> None:
    session.execute(
        update(Member)
        .where(Member.id == case.author_id)
        .values(upheld_report_count=Member.upheld_report_count + by)
        .execution_options(synchronize_session=False)
    )


DONE = {
    Verdict.REJECT: "a change of the post was not published",
    Verdict.REDACT: "some words of the post were taken out",
    Verdict.LABEL: "a note of caution stands beside the post now",
    Verdict.SHIELD: "the post is shown to signed-in members only",
    Verdict.HIDE: "the post is hidden",
    Verdict.REMOVE: "the post was removed",
}


def _outcome(session: Session, decision: Decision, *, acted: bool) -> str:
    """What the reporter reads. It says nothing about the author, and quotes nobody."""
    if acted:
        rule = rules.in_force(session, decision.rule_code, now=decision.at)
        about = f" It goes against our rule {decision.rule_code}{f' ({rule.title})' if rule else ''}."
        return f"We read the post and acted: {DONE[decision.verdict]}.{about} Thank you for telling us."
    return (
        "We read the post and did not act, because we found that it keeps to our rules. Thank you for telling us all "
        "the same. If you see something new, you can report it again."
    )


def were_settled_by(session: Session, decision_id: int) -> bool:
    return bool(session.execute(select(exists().where(Report.decision_id == decision_id))).scalar())


def reopen(session: Session, undone: Decision, *, now: datetime) -> None:
    """The decision was taken back: its reports are undecided again, but for those whose sender has a newer open one."""
    rows = session.execute(select(Report).where(Report.decision_id == undone.id)).scalars().all()
    if not rows:
        return
    if any(row.status is ReportStatus.ACTED for row in rows):
        _count_upheld(session, session.get_one(Case, undone.case_id), -1)
    newer = set(
        session.execute(
            select(Report.reporter_id).where(Report.post_id == rows[0].post_id, Report.status == ReportStatus.OPEN)
        ).scalars()
    )
    session.execute(
        update(Report)
        .where(Report.decision_id == undone.id, Report.reporter_id.not_in(newer))
        .values(status=ReportStatus.OPEN, outcome="", decision_id=None, decided_at=None)
        .execution_options(synchronize_session=False)
    )


OVERTURNED = (
    "We had acted on the post. Its author objected, and somebody who had no part in the first decision found that it "
    "keeps to our rules. So we took our decision back. Thank you for telling us all the same."
)


def overturn(session: Session, undone: Decision, *, by_decision: Decision, now: datetime) -> None:
    """An objection was right: the reports that the decision had found right were not, and their senders hear so.

    From now on it is the second decision that refused them, so that they can object to that one.
    """
    rows = session.execute(
        select(Report.id, Report.reference, Report.reporter_id, Member.closed_at)
        .join(Member, Member.id == Report.reporter_id)
        .where(Report.decision_id == undone.id, Report.status == ReportStatus.ACTED)
        .order_by(Report.id)
    ).all()
    if not rows:
        return
    session.execute(
        update(Report)
        .where(Report.id.in_([row.id for row in rows]))
        .values(status=ReportStatus.NOT_ACTED, outcome=OVERTURNED, decision_id=by_decision.id, decided_at=now)
        .execution_options(synchronize_session=False)
    )
    _count_upheld(session, session.get_one(Case, undone.case_id), -1)
    for row in rows:
        if row.closed_at is None:
            link = f"/reports/{row.reference}"
            notify(session, row.reporter_id, NotificationKind.REPORT_DECIDED, link=link, now=now)
