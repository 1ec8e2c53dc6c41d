"""What must always hold in moderation's tables; `ops check` prints every breach."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, and_, exists, func, not_, or_, select
from sqlalchemy import case as when
from sqlalchemy.orm import Session, aliased

from auth.models import Restriction
from core import audit
from core.db import utc_now
from core.vocabulary import (
    LIVE_CASE_STATES,
    CaseState,
    PostState,
    ReportStatus,
    RevisionState,
    SanctionKind,
    Verdict,
)
from forum.models import Post, PostLabel, Redaction, Revision, Thread
from moderation import checks_appeals, checks_team, sanctions, transparency
from moderation.cases import CLAIM_LEASE
from moderation.models import BulkDecision, Case, Confirmation, Decision, Finding, Report, Sanction, Statement
from moderation.rulings import effective

MOST_NAMED = 5
RESTRICTED = (
    PostState.REJECTED,
    PostState.CHANGES_REQUESTED,
    PostState.SHIELDED,
    PostState.HIDDEN,
    PostState.REMOVED,
)
RESTRICTING = (
    Verdict.REJECT,
    Verdict.REQUEST_CHANGES,
    Verdict.REDACT,
    Verdict.LABEL,
    Verdict.SHIELD,
    Verdict.HIDE,
    Verdict.REMOVE,
    Verdict.LOCK,
    Verdict.SANCTION,
)


def checks(session: Session) -> list[str]:
    """Every breach as one line. Cost: reads every case, decision and report once, and the whole audit chain."""
    wrong = [line for title, stmt in _invariants() for line in _breaches(session, title, stmt)]
    wrong += _exports(session)
    count, broken = audit.verify(session)
    if broken is not None:
        wrong.append(f"the audit chain breaks at entry {broken.entry_id} (of {count} read): {broken.why}")
    return wrong


def _breaches(session: Session, title: str, stmt: Select[Any]) -> Iterator[str]:
    ids = [row[0] for row in session.execute(stmt.limit(MOST_NAMED + 1))]
    if ids:
        named = ", ".join(str(i) for i in ids[:MOST_NAMED]) + (" …" if len(ids) > MOST_NAMED else "")
        yield f"{title}: {named}"


def _exports(session: Session) -> list[str]:
    """Statements whose form for the Transparency Database would be refused, or names somebody."""
    found: list[str] = []
    for reference_id, export in session.execute(select(Statement.id, Statement.export).order_by(Statement.id)):
        if export and len(found) < MOST_NAMED:
            found += [
                f"the export of statement {reference_id} is wrong: {why}" for why in transparency.problems(export)
            ]
    return found[:MOST_NAMED]


def _invariants() -> Iterator[tuple[str, Select[Any]]]:
    yield from _cases()
    yield from _posts()
    yield from _texts()
    yield from _decisions()
    yield from _second_persons()
    yield from _reports()
    yield from _sanctions()
    yield from checks_appeals.invariants()
    yield from checks_team.invariants()


def _cases() -> Iterator[tuple[str, Select[Any]]]:
    live = Case.state.in_(LIVE_CASE_STATES)
    yield (
        "posts with more than one live case",
        select(Case.post_id)
        .where(live, Case.post_id.is_not(None))
        .group_by(Case.post_id)
        .having(func.count(Case.id) > 1),
    )
    yield (
        "cases whose text is not one of their post",
        select(Case.id).join(Revision, Revision.id == Case.revision_id).where(Revision.post_id != Case.post_id),
    )
    yield (
        "cases whose author or board is not their post's",
        select(Case.id)
        .join(Post, Post.id == Case.post_id)
        .join(Thread, Thread.id == Post.thread_id)
        .where(or_(Case.author_id != Post.author_id, Case.board_id != Thread.board_id)),
    )
    yield (
        "cases whose lane does not fit their priority",
        select(Case.id).where(
            or_(
                and_(Case.priority == "P0", Case.lane != 0),
                and_(Case.priority == "P1", Case.lane != 1),
                and_(Case.priority.not_in(("P0", "P1")), Case.lane != 2),
            )
        ),
    )
    yield (
        "cases claimed for longer than a claim lasts",
        select(Case.id).where(Case.claimed_until > utc_now() + CLAIM_LEASE),
    )
    yield (
        "cases claimed by their own author or reporter",
        select(Case.id).where(
            or_(
                Case.claimed_by == Case.author_id,
                exists().where(Report.case_id == Case.id, Report.reporter_id == Case.claimed_by),
            )
        ),
    )
    yield (
        "cases about which somebody was called at no time",
        select(Case.id).where(Case.breach_level > 0, Case.breached_at.is_(None)),
    )
    decided = exists().where(Decision.case_id == Case.id)
    yield "decided cases without a decision", select(Case.id).where(Case.state == CaseState.DECIDED, not_(decided))
    last = select(func.max(Decision.round)).where(Decision.case_id == Case.id).scalar_subquery()
    yield (
        "cases whose round does not follow their decisions",
        select(Case.id).where(Case.round != func.coalesce(last, 0) + 1),
    )


def _posts() -> Iterator[tuple[str, Select[Any]]]:
    waits = exists().where(Case.post_id == Post.id, Case.state.in_(LIVE_CASE_STATES))
    yield (
        "posts that wait without a case",
        select(Post.id).where(Post.state.in_((PostState.HELD, PostState.CHANGES_REQUESTED)), not_(waits)),
    )
    yield (
        "edits that wait without a case",
        select(Revision.post_id)
        .join(Post, Post.id == Revision.post_id)
        .where(
            Post.state.in_((PostState.PUBLISHED, PostState.SHIELDED)),
            Revision.state.in_((RevisionState.HELD, RevisionState.CHANGES_REQUESTED)),
            not_(waits),
        ),
    )
    # The newest decision that moved the post put it where it stands, and told its author why.
    newest = (
        select(func.max(Decision.id))
        .join(Case, Case.id == Decision.case_id)
        .where(Case.post_id == Post.id, Decision.state_before != Decision.state_after, effective())
        .correlate(Post)
        .scalar_subquery()
    )
    told = exists().where(Statement.decision_id == Decision.id)
    explained = exists().where(
        Decision.id == newest,
        Decision.state_after == Post.state,
        or_(told, Decision.undoes_id.is_not(None)),
    )
    yield (
        "restricted posts without decision and statement",
        select(Post.id).where(Post.state.in_(RESTRICTED), not_(explained)),
    )


def _texts() -> Iterator[tuple[str, Select[Any]]]:
    """Words taken out and labels: each by a decision that stands."""
    taken_back = exists().where(Decision.undoes_id == Redaction.decision_id)
    yield (
        "words still taken out by a decision that was taken back",
        select(Redaction.id).where(Redaction.lifted_at.is_(None), taken_back),
    )
    text = when((Redaction.part == "title", func.coalesce(Revision.title, "")), else_=Revision.source)
    stands = func.substr(text, Redaction.start + 1, func.length(Redaction.replacement))
    yield (
        "words taken out whose replacement is not where it should stand",
        select(Redaction.id)
        .join(Revision, Revision.id == Redaction.revision_id)
        .where(Redaction.lifted_at.is_(None), stands != Redaction.replacement),
    )
    unlabelled = exists().where(Decision.undoes_id == PostLabel.decision_id)
    yield (
        "labels of a decision that was taken back",
        select(PostLabel.id).where(PostLabel.lifted_at.is_(None), unlabelled),
    )


def _second_persons() -> Iterator[tuple[str, Select[Any]]]:
    agreed = exists().where(Confirmation.decision_id == Decision.id, Confirmation.agrees)
    touched = or_(
        exists().where(Statement.decision_id == Decision.id),
        exists().where(Report.decision_id == Decision.id),
        exists().where(Sanction.decision_id == Decision.id),
        exists().where(Redaction.decision_id == Decision.id),
        exists().where(PostLabel.decision_id == Decision.id),
    )
    yield (
        "decisions with effect that no second person has confirmed",
        select(Decision.id).where(Decision.needs_second, not_(agreed), touched),
    )
    proposal = exists().where(
        Decision.case_id == Case.id, Decision.round == Case.round - 1, Decision.needs_second, not_(agreed)
    )
    yield (
        "cases that await a second person without a decision to confirm",
        select(Case.id).where(Case.state == CaseState.AWAITING_SECOND, not_(proposal)),
    )


def _decisions() -> Iterator[tuple[str, Select[Any]]]:
    yield (
        "decisions about a text of another post",
        select(Decision.id)
        .join(Case, Case.id == Decision.case_id)
        .join(Revision, Revision.id == Decision.revision_id)
        .where(Revision.post_id != Case.post_id),
    )
    yield (
        "decisions by the author of the post",
        select(Decision.id).join(Case, Case.id == Decision.case_id).where(Decision.moderator_id == Case.author_id),
    )
    yield (
        "restricting decisions without a statement",
        select(Decision.id).where(
            Decision.verdict.in_(RESTRICTING),
            Decision.undoes_id.is_(None),
            effective(),
            not_(exists().where(Statement.decision_id == Decision.id)),
        ),
    )
    counted = (
        select(func.count(Decision.id))
        .where(Decision.bulk_id == BulkDecision.id)
        .correlate(BulkDecision)
        .scalar_subquery()
    )
    yield (
        "bulk decisions that count other than they decided",
        select(BulkDecision.id).where(BulkDecision.decided_count != counted),
    )
    undone = aliased(Decision)
    yield (
        "decisions that take back one of another case, or a later one",
        select(Decision.id)
        .join(undone, undone.id == Decision.undoes_id)
        .where(or_(undone.case_id != Decision.case_id, undone.round >= Decision.round)),
    )
    yield (
        "statements to somebody who did not write the post",
        select(Statement.id)
        .join(Decision, Decision.id == Statement.decision_id)
        .join(Case, Case.id == Decision.case_id)
        .where(Statement.member_id != Case.author_id),
    )


def _reports() -> Iterator[tuple[str, Select[Any]]]:
    yield (
        "open reports without a live case",
        select(Report.id)
        .join(Case, Case.id == Report.case_id)
        .where(Report.status == ReportStatus.OPEN, Case.state.not_in(LIVE_CASE_STATES)),
    )
    yield (
        "reports about another post than their case",
        select(Report.id).join(Case, Case.id == Report.case_id).where(Report.post_id != Case.post_id),
    )
    yield (
        "findings about a text of another post than their case",
        select(Finding.id)
        .join(Case, Case.id == Finding.case_id)
        .join(Revision, Revision.id == Finding.revision_id)
        .where(Revision.post_id != Case.post_id),
    )


def _sanctions() -> Iterator[tuple[str, Select[Any]]]:
    now = utc_now()
    binds = and_(Restriction.lifted_at.is_(None), or_(Restriction.until.is_(None), Restriction.until > now))
    stands = Sanction.voided_at.is_(None)
    # Nobody but sanctions writes these.
    theirs = Restriction.kind.in_(list(sanctions.RESTRICTS.values()))
    ground = exists().where(Sanction.restriction_id == Restriction.id, stands)
    yield "restrictions in force without a sanction", select(Restriction.id).where(binds, theirs, not_(ground))
    bound = exists().where(
        Restriction.id == Sanction.restriction_id, binds, Restriction.member_id == Sanction.member_id
    )
    should_bind = or_(
        and_(Sanction.kind == SanctionKind.WARNING, Sanction.acknowledged_at.is_(None)),
        and_(Sanction.kind.in_(list(sanctions.TIMED)), Sanction.until > now),
        Sanction.kind == SanctionKind.TERMINATION,
    )
    yield "sanctions in force that restrict nothing", select(Sanction.id).where(stands, should_bind, not_(bound))
    explained = exists().where(Statement.decision_id == Sanction.decision_id, Statement.member_id == Sanction.member_id)
    yield "sanctions without a statement of reasons", select(Sanction.id).where(not_(explained))
    strikes = when(*((Sanction.kind == kind, number) for kind, number in sanctions.STRIKES.items()))
    yield "sanctions with strikes that their kind does not have", select(Sanction.id).where(Sanction.strikes != strikes)
    yield (
        "sanctions on somebody whom their decision is not about",
        select(Sanction.id)
        .join(Decision, Decision.id == Sanction.decision_id)
        .join(Case, Case.id == Decision.case_id)
        .where(Case.author_id != Sanction.member_id),
    )
    undoing = exists().where(Decision.undoes_id == Sanction.decision_id)
    yield "sanctions of decisions that were taken back", select(Sanction.id).where(stands, undoing)
    yield (
        "restrictions that point to another statement than their sanction's",
        select(Restriction.id)
        .join(Sanction, Sanction.restriction_id == Restriction.id)
        .join(Statement, Statement.decision_id == Sanction.decision_id)
        .where(or_(Restriction.reference.is_(None), Restriction.reference != Statement.reference)),
    )
