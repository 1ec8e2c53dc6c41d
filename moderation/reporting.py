"""Reporting as members do it: sending a report, with what many reports bring about, and taking one back."""

from collections import Counter
from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from auth.policy import Actor
from core import audit
from core.config import Settings
from core.errors import Conflict, Forbidden, NotFound
from core.vocabulary import PostState, ReportStatus, Verdict
from forum import lifecycle, revisions
from forum.models import Post
from moderation import cases, decisions, reporters, reports, sanctions
from moderation.models import Case, Decision, Finding, Report

# So many reliable reporters hide a post while nobody is on duty. Source: docs/moderation.md, reports.
ENOUGH = 3


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
    """`reports.report`, and then: outside the hours of moderation, enough reliable reporters hide the post for now."""
    made = reports.report(session, actor, post_id, rule=rule, note=note, settings=settings, now=now)
    hide_if_enough(session, post_id, settings=settings, now=now)
    return made


# --- Hidden by many, while nobody is there -----------------------------------------------------------------------


def hide_if_enough(session: Session, post_id: int, *, settings: Settings, now: datetime) -> Decision | None:
    """Hide a published post that enough reliable members reported while nobody is on duty; None where nothing happens.

    A decision by the system, with statement, that the next person confirms or takes back. Never a post by the team,
    one that somebody has claimed, or a text that a person let stand when it was reported before.
    """
    if is_on_duty(settings, now):
        return None
    lifecycle.lock(session, post_id)
    post = session.get_one(Post, post_id, populate_existing=True)
    case = cases.live_case(session, post_id)
    if case is None or post.state is not PostState.PUBLISHED or cases.is_claim_live(case, now):
        return None
    if case.state not in cases.CLAIMABLE or post.author_id is None or sanctions.is_staff(session, post.author_id):
        return None
    named = _reliable(session, post)
    if len(named) < ENOUGH or _was_let_stand(session, post):
        return None
    rule = Counter(named).most_common(1)[0][0]
    decided = decisions.provisional(
        session,
        post_id,
        verdict=Verdict.HIDE,
        rule=rule,
        reason=(
            f"{len(named)} members whose reports were right before reported this text, while nobody of the team was "
            "on duty. So it is hidden until a person has read it."
        ),
        revision_id=post.live_revision_id,
        settings=settings,
        now=now,
    )
    return decided.decision


def is_on_duty(settings: Settings, now: datetime) -> bool:
    """Whether these are hours of moderation, in UTC."""
    begin, end = settings.moderation_hours
    return begin <= now.hour < end


def _reliable(session: Session, post: Post) -> list[str]:
    """The rule that each reliable member named in an open report of the text as it stands now."""
    rows = session.execute(
        select(Report.reporter_id, Report.rule_code)
        .where(
            Report.post_id == post.id,
            Report.status == ReportStatus.OPEN,
            Report.revision_id == post.live_revision_id,
        )
        .order_by(Report.id)
    ).all()
    if len(rows) < ENOUGH:
        return []
    known = reporters.accuracies(session, {row.reporter_id for row in rows})
    return [row.rule_code for row in rows if known[row.reporter_id].is_reliable]


def _was_let_stand(session: Session, post: Post) -> bool:
    """Whether a person has read this very text after a report, and left it where it is."""
    return bool(
        session.execute(
            select(
                exists().where(
                    Case.post_id == post.id,
                    Decision.case_id == Case.id,
                    Decision.revision_id == post.live_revision_id,
                    Decision.moderator_id.is_not(None),
                    Decision.verdict.in_((Verdict.DISMISS, Verdict.RESTORE)),
                )
            )
        ).scalar()
    )


# --- Taking a report back ----------------------------------------------------------------------------------------


def withdraw(session: Session, reference: str, *, actor: Actor, now: datetime) -> Report:
    """Take one's own report back while it is open. Twice changes nothing.

    A case that nothing else holds is moot then. Raises NotFound, Forbidden("not-yours"), Conflict("report-decided").
    """
    found = session.execute(select(Report.post_id).where(Report.reference == reference)).scalar_one_or_none()
    if found is None:
        raise NotFound()
    lifecycle.lock(session, found)
    made = session.execute(
        select(Report).where(Report.reference == reference).execution_options(populate_existing=True)
    ).scalar_one()
    if made.reporter_id != actor.id:
        raise Forbidden("not-yours", "Only who sent a report can take it back.")
    if made.status is ReportStatus.WITHDRAWN:
        return made
    case = cases.live_case(session, made.post_id)
    taken = session.execute(
        update(Report)
        .where(Report.id == made.id, Report.status == ReportStatus.OPEN)
        .values(status=ReportStatus.WITHDRAWN, outcome="You took this report back.", decided_at=now)
        .returning(Report.id)
        .execution_options(synchronize_session=False)
    ).first()
    if taken is None:
        raise Conflict("report-decided", "This report has been decided already, so it cannot be taken back.")
    if case is not None and case.id == made.case_id and not _is_held(session, case):
        cases.close_as_moot(session, case, now=now)
    audit.record(
        session,
        actor_id=actor.id,
        action="report.withdraw",
        subject=("post", made.post_id),
        details={"case": made.case_id, "report": made.id},
        now=now,
    )
    return session.get_one(Report, made.id, populate_existing=True)


def _is_held(session: Session, case: Case) -> bool:
    """Whether anything but the report just withdrawn gives a person reason to look."""
    assert case.post_id is not None  # reports are about posts
    if case.state not in cases.CLAIMABLE or case.needs_lead or case.is_severe:
        return True
    if revisions.waiting(session, case.post_id) is not None or _decided_before(session, case):
        return True
    reported = exists().where(Report.case_id == case.id, Report.status == ReportStatus.OPEN)
    found = exists().where(Finding.case_id == case.id)
    state = session.execute(select(Post.state).where(Post.id == case.post_id)).scalar_one()
    return state is not PostState.PUBLISHED or bool(session.execute(select(reported | found)).scalar())


def _decided_before(session: Session, case: Case) -> bool:
    """A decision of the system, or one that was taken back, waits in it for a person."""
    return bool(session.execute(select(exists().where(Decision.case_id == case.id))).scalar())
