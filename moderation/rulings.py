"""What every decision has in common: its subject locked and read anew, its row, its statement, its notice, its audit.

Rows are locked in the order post, case, thread, board, member; the audit chain comes last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, not_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from auth.models import Member
from auth.policy import Actor, Subject
from core import audit
from core.config import Settings
from core.errors import Conflict, Invalid, NotFound
from core.notifications import notify
from core.text import is_blank, normalise
from core.vocabulary import Action, CaseState, NotificationKind, PostState, SubjectKind, Verdict
from forum import lifecycle, redaction, revisions
from forum.models import Post, Redaction, Revision
from moderation import cases, rules, statements
from moderation.models import Case, Confirmation, Decision, Finding, Statement
from moderation.signals.contract import join

REASON_CHARS = 2_000
# Recorded where a moderator gives none.
STANDING_REASONS = {
    Verdict.APPROVE: "Read by a person, who found nothing against the rules.",
    Verdict.DISMISS: "Read again by a person, who found nothing against the rules.",
}
# These say nothing against the text, so they may cite the rule "none".
WITHOUT_RULE = frozenset({Verdict.APPROVE, Verdict.DISMISS, Verdict.ESCALATE, Verdict.RESTORE})
WAITING = frozenset({PostState.HELD, PostState.CHANGES_REQUESTED})
# Where these move no post, they were about an edit of it.
ON_EDITS = frozenset({Verdict.APPROVE, Verdict.REJECT, Verdict.REQUEST_CHANGES})
TOLD = {
    Verdict.APPROVE: NotificationKind.PUBLISHED,
    Verdict.REJECT: NotificationKind.REJECTED,
    Verdict.REQUEST_CHANGES: NotificationKind.CHANGES_REQUESTED,
    Verdict.REDACT: NotificationKind.REDACTED,
    Verdict.LABEL: NotificationKind.LABELLED,
    Verdict.SHIELD: NotificationKind.SHIELDED,
    Verdict.HIDE: NotificationKind.HIDDEN,
    Verdict.REMOVE: NotificationKind.REMOVED,
    Verdict.RESTORE: NotificationKind.RESTORED,
    Verdict.LOCK: NotificationKind.LOCKED,
}


@dataclass(frozen=True)
class Decided:
    """The decision, and the statement of reasons where it restricts somebody and has effect already."""

    decision: Decision
    statement: Statement | None


@dataclass(frozen=True)
class Situation:
    """What is judged, all rows fresh and locked. A case about a member has no post and no text."""

    case: Case
    post: Post | None
    # The text that waits, and the text that is judged.
    waiting: Revision | None
    revision: Revision | None
    # An edit of a text that readers have already.
    is_edit: bool
    subject: Subject

    @property
    def state(self) -> PostState | None:
        return self.post.state if self.post else None

    @property
    def text(self) -> str:
        """What is read and judged; empty for a member."""
        return join(self.revision.title, self.revision.source) if self.revision else ""


@dataclass(frozen=True)
class Grounds:
    """The rule with its version in force, and the reason in the moderator's words."""

    rule: str
    version: int
    reason: str


def effective(of: Any = Decision) -> ColumnElement[bool]:
    """SQL over Decision, or an alias of it: it settled something. Not so one that waits for, or was refused by, its
    second person, one that only passed the case on to the leads, nor what takes one of these back."""
    undone = aliased(Decision)
    of_nothing = exists().where(undone.id == of.undoes_id, not_(_settles(undone)))
    return and_(_settles(of), not_(of_nothing))


def _settles(of: Any) -> ColumnElement[bool]:
    confirmed = exists().where(Confirmation.decision_id == of.id, Confirmation.agrees)
    return and_(of.verdict != Verdict.ESCALATE, or_(not_(of.needs_second), confirmed))


def has_effect(session: Session, decision: Decision) -> bool:
    """The same for one decision at hand, escalations apart."""
    if not decision.needs_second:
        return True
    confirmed = exists().where(Confirmation.decision_id == decision.id, Confirmation.agrees)
    return bool(session.execute(select(confirmed)).scalar())


def lock(session: Session, case_id: int, by: Actor, *, now: datetime) -> Situation:
    """Take the post, then the case, and read everything anew, for somebody who may decide it."""
    found = session.execute(select(Case.post_id, Case.subject_kind).where(Case.id == case_id)).one_or_none()
    if found is None:
        raise NotFound()
    if found.post_id is not None:
        lifecycle.lock(session, found.post_id)
    session.execute(select(Case.id).where(Case.id == case_id).with_for_update())
    case, subject = cases.admit(session, case_id, by, Action.DECIDE_CASE, now=now)
    return situation_of(session, case, subject)


def lock_copies(session: Session, case_id: int, words: Sequence[str] = ()) -> None:
    """Every post whose words a redaction of this case took out, or may take out now, in the order of their ids and
    before any other row. Otherwise two redactions of posts that quote each other could wait for each other."""
    found = session.execute(select(Case.post_id).where(Case.id == case_id)).one_or_none()
    if found is None or found.post_id is None:
        return
    cut = (
        select(Revision.post_id)
        .join(Redaction, Redaction.revision_id == Revision.id)
        .join(Decision, Decision.id == Redaction.decision_id)
        .where(Decision.case_id == case_id, Redaction.lifted_at.is_(None))
    )
    ids = {found.post_id, *session.execute(cut).scalars(), *redaction.repeating(session, found.post_id, words)}
    posts = select(Post.id).where(Post.id.in_(ids)).order_by(Post.id)
    session.execute(posts.with_for_update(key_share=True)).all()


def lock_unasked(session: Session, case_id: int) -> Situation:
    """The same for the site itself, and where the caller has asked the policy another question."""
    found = session.execute(select(Case.post_id).where(Case.id == case_id)).one()
    if found.post_id is not None:
        lifecycle.lock(session, found.post_id)
    session.execute(select(Case.id).where(Case.id == case_id).with_for_update())
    case = session.get_one(Case, case_id, populate_existing=True)
    return situation_of(session, case, Subject(author_id=case.author_id, board_id=case.board_id))


def situation_of(session: Session, case: Case, subject: Subject) -> Situation:
    """What this case, whose rows the caller has locked, is about now."""
    if case.post_id is None:
        return Situation(case, None, None, None, False, subject)
    post = session.get_one(Post, case.post_id, populate_existing=True)
    waiting = revisions.waiting(session, post.id)
    judged_id = waiting.id if waiting else post.live_revision_id
    revision = (
        session.get_one(Revision, judged_id, populate_existing=True)
        if judged_id
        else revisions.newest(session, post.id)
    )
    is_edit = waiting is not None and post.live_revision_id is not None
    return Situation(case, post, waiting, revision, is_edit, subject)


def judging(session: Session, situation: Situation, decision: Decision) -> Situation:
    """The situation with the text that this decision was about, whatever waits by now."""
    if decision.revision_id is None:
        return situation
    judged = session.get_one(Revision, decision.revision_id, populate_existing=True)
    on_edit = decision.verdict in ON_EDITS or bool(decision.terms.get("is_edit"))
    is_edit = on_edit and decision.state_before is decision.state_after
    return replace(situation, revision=judged, is_edit=is_edit)


def is_newest(session: Session, case: Case) -> bool:
    """Whether no later case is about the same post or member: what a later one found must not be decided behind its
    back."""
    same = Case.post_id == case.post_id
    if case.post_id is None:
        same = and_(Case.subject_kind == SubjectKind.MEMBER, Case.author_id == case.author_id)
    return not session.execute(select(exists().where(same, Case.id > case.id))).scalar()


def changed(case: Case) -> Conflict:
    return Conflict("case-changed", "This case has changed meanwhile. Please read it again.", version=case.version)


def grounds(session: Session, verdict: Verdict, rule: str | None, reason: str | None, *, now: datetime) -> Grounds:
    """Rule, its version in force, and the reason; approve and dismiss may leave both out, escalate and restore may
    cite the rule "none"."""
    errors = []
    said = normalise(reason or "", field="reason")
    standing = STANDING_REASONS.get(verdict)
    if is_blank(said):
        said = standing or ""
        if not standing:
            errors.append(("reason", "Say in a sentence or two why. The author reads it."))
    elif len(said) > REASON_CHARS:
        errors.append(("reason", f"At most {REASON_CHARS:,} characters; this has {len(said):,}."))
    code = (rule or "").strip() or (rules.NONE if standing or verdict is Verdict.ESCALATE else "")
    found = rules.in_force(session, code, now=now)
    if not code:
        errors.append(("rule", "Choose the rule that this is about."))
    elif found is None or (code == rules.NONE and verdict not in WITHOUT_RULE):
        errors.append(("rule", "Choose one of the rules in force."))
    if errors or found is None:
        raise Invalid("invalid-field", "A decision needs a rule and a reason.", errors=errors)
    return Grounds(found.code, found.version, said)


def reason_for_taking_back(reason: str | None) -> str:
    said = normalise(reason or "", field="reason")
    if is_blank(said) or len(said) > REASON_CHARS:
        message = f"Say in a sentence or two why, in at most {REASON_CHARS:,} characters."
        raise Invalid("invalid-field", message, errors=[("reason", message)])
    return said


def record(
    session: Session,
    situation: Situation,
    *,
    verdict: Verdict,
    grounds: Grounds,
    by_id: int | None,
    after: PostState | None,
    now: datetime,
    before: PostState | None = None,
    terms: Mapping[str, Any] | None = None,
    needs_second: bool = False,
    bulk_id: int | None = None,
    undoes_id: int | None = None,
) -> Decision:
    """The decision's row, under the round that its case had when it was read. Raises Conflict("case-changed")."""
    case, revision = situation.case, situation.revision
    found = False
    if revision is not None:
        stmt = select(exists().where(Finding.case_id == case.id, Finding.revision_id == revision.id))
        found = bool(session.execute(stmt).scalar())
    decision = Decision(
        case_id=case.id,
        round=case.round,
        verdict=verdict,
        rule_code=grounds.rule,
        rule_version=grounds.version,
        reason=grounds.reason,
        moderator_id=by_id,
        revision_id=revision.id if revision else None,
        text_judged=situation.text,
        state_before=before or situation.state,
        state_after=after,
        terms=dict(terms or {}),
        needs_second=needs_second,
        bulk_id=bulk_id,
        undoes_id=undoes_id,
        automated_detection=found,
        at=now,
    )
    session.add(decision)
    try:
        session.flush()  # reports and the statement name it by its id
    except IntegrityError as error:
        raise changed(case) from error
    return decision


def next_round(session: Session, case: Case, *conditions: ColumnElement[bool], **values: Any) -> None:
    """The one conditional UPDATE: whoever comes second changes no row. Version and round go up with it.

    What waited for its second person lapses when something else is decided: then somebody reads the case anew.
    """
    if case.state is CaseState.AWAITING_SECOND:
        values = {"state": CaseState.OPEN, **values}
    updated = session.execute(
        update(Case)
        .where(Case.id == case.id, Case.version == case.version, Case.round == case.round, *conditions)
        .values(version=Case.version + 1, round=Case.round + 1, **values)
        .returning(Case.id)
        .execution_options(synchronize_session=False)
    ).first()
    if updated is None:
        raise changed(case)


def reopened(session: Session, case: Case, *, settings: Settings, now: datetime) -> dict[str, Any]:
    """The values of a case that waits for a person again."""
    return {
        "state": CaseState.OPEN,
        "claimed_by": None,
        "claimed_until": None,
        "decided_at": None,
        "due_at": cases.due_on(session, case.board_id, case.priority, now=now, hours=settings.moderation_hours),
        "breach_level": 0,
    }


def about_edit(situation: Situation, decision: Decision) -> bool:
    """Whether only an edit was judged: the post itself did not move."""
    return situation.is_edit and decision.state_before is decision.state_after


def state_reasons(
    session: Session,
    situation: Situation,
    decision: Decision,
    restriction: str | None,
    *,
    settings: Settings,
    now: datetime,
) -> Statement | None:
    if restriction is None:
        return None
    return statements.write(session, decision, case=situation.case, restriction=restriction, settings=settings, now=now)


def tell_author(
    session: Session, situation: Situation, decision: Decision, statement: Statement | None, *, now: datetime
) -> None:
    """The author hears of everything that changes something for them; a dismissed report changes nothing.

    A sanction is told by `sanctions`, so a case about a member is silent here.
    """
    post, kind = situation.post, TOLD.get(decision.verdict)
    if post is None or kind is None:
        return
    if statement is not None and decision.verdict is Verdict.RESTORE:
        kind = TOLD_ON_RETURN.get(decision.state_after, NotificationKind.HIDDEN)
    closed = session.execute(select(Member.closed_at).where(Member.id == post.author_id)).scalar()
    if closed is not None:
        return
    link = f"/decisions/{statement.reference}" if statement else f"/posts/{post.id}"
    data = {"edit": True} if about_edit(situation, decision) else {}
    notify(session, post.author_id, kind, link=link, post_id=post.id, data=data, now=now)


# A decision that took another one back, and so took something from the author again.
TOLD_ON_RETURN: dict[PostState | None, NotificationKind] = {
    PostState.REMOVED: NotificationKind.REMOVED,
    PostState.SHIELDED: NotificationKind.SHIELDED,
}


def write_audit(session: Session, decision: Decision, *, by_id: int | None, action: str, now: datetime) -> None:
    audit.record(
        session,
        actor_id=by_id,
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
            **({"needs_second": True} if decision.needs_second else {}),
        },
        reason=decision.reason,
        now=now,
    )


def is_about_member(case: Case) -> bool:
    return case.subject_kind is SubjectKind.MEMBER


def reading(session: Session, situation: Situation, revision_id: int | None) -> Situation:
    """The situation with a text that is named; None: the one that is judged anyway."""
    if revision_id is None or (situation.revision is not None and situation.revision.id == revision_id):
        return situation
    return replace(situation, revision=session.get_one(Revision, revision_id, populate_existing=True))


def fresh(session: Session, post: Post) -> Post:
    """The post anew: words that were put back have raised its version."""
    return session.get_one(Post, post.id, populate_existing=True)
