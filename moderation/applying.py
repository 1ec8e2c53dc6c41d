"""What a verdict does to the post, its text and its author, and how that is taken back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor
from core.config import Settings
from core.notifications import notify
from core.vocabulary import LIVE_CASE_STATES, NotificationKind, PostState, RevisionState, Verdict
from forum import labels, lifecycle, redaction, revisions
from forum.models import Post, Revision, Thread
from moderation import reports, sanctions, statements, terms
from moderation.models import Case, Decision, Finding, Statement
from moderation.rulings import (
    Decided,
    Situation,
    about_edit,
    state_reasons,
    tell_author,
    write_audit,
)

# Verdict -> the state of a post that it moves; edits that wait move no post.
MOVES = {
    Verdict.APPROVE: PostState.PUBLISHED,
    Verdict.REJECT: PostState.REJECTED,
    Verdict.REQUEST_CHANGES: PostState.CHANGES_REQUESTED,
    Verdict.SHIELD: PostState.SHIELDED,
    Verdict.HIDE: PostState.HIDDEN,
    Verdict.REMOVE: PostState.REMOVED,
    Verdict.RESTORE: PostState.PUBLISHED,
}
# These publish a text that waits, changed or marked; elsewhere the post stays where it stands.
PUBLISHING = frozenset({Verdict.REDACT, Verdict.LABEL})
WAITING = frozenset({PostState.HELD, PostState.CHANGES_REQUESTED})
EDITS_ONLY = frozenset({Verdict.APPROVE, Verdict.REJECT, Verdict.REQUEST_CHANGES})


def state_after(situation: Situation, verdict: Verdict) -> PostState | None:
    """Where the verdict puts the post; None for a member."""
    state = situation.state
    if state is None:
        return None
    if verdict in PUBLISHING:
        return PostState.PUBLISHED if state in WAITING else state
    if verdict not in MOVES or (situation.is_edit and verdict in EDITS_ONLY):
        return state
    return MOVES[verdict]


def finish(
    session: Session,
    situation: Situation,
    decision: Decision,
    *,
    by: Actor,
    action: str,
    settings: Settings,
    now: datetime,
) -> Decided:
    """Everything that follows from a decision that has effect, in one transaction: text, post, reports, statement,
    sanction, notices, audit. `by` is who decided, or who confirmed it."""
    _apply(session, situation, decision, now=now)
    if decision.verdict is Verdict.RESTORE and decision.undoes_id is not None:
        take_back(session, session.get_one(Decision, decision.undoes_id), by_decision=decision, now=now)
    reports.settle(session, situation.case, decision, now=now)
    restriction = statements.restriction_of(
        decision.verdict, is_edit=about_edit(situation, decision), sanction=decision.terms.get("sanction")
    )
    statement = state_reasons(session, situation, decision, restriction, settings=settings, now=now)
    if decision.terms.get("sanction"):
        sanctions.impose(session, decision, decision.terms["sanction"], by=by, settings=settings, now=now)
    tell_author(session, situation, decision, statement, now=now)
    write_audit(session, decision, by_id=by.id, action=action, now=now)
    return Decided(decision, statement)


def _apply(session: Session, situation: Situation, decision: Decision, *, now: datetime) -> None:
    """Words first, so that nothing is shown or indexed before they are out; then the post or its waiting edit."""
    post, waiting, verdict = situation.post, situation.waiting, decision.verdict
    if post is None:
        return
    if verdict is Verdict.REDACT:
        _redact(session, situation, decision, now=now)
        post = session.get_one(Post, post.id, populate_existing=True)
    after = decision.state_after
    assert after is not None  # a decision about a post names its states
    if after is not post.state:
        lifecycle.move(session, post.id, after, expected_version=post.version, now=now)
    elif situation.is_edit and waiting is not None:
        if verdict in (Verdict.APPROVE, Verdict.REDACT, Verdict.LABEL):
            revisions.publish(session, waiting.id, now=now)
        elif verdict is Verdict.REJECT:
            revisions.set_state(session, waiting.id, RevisionState.REJECTED)
        elif verdict is Verdict.REQUEST_CHANGES:
            revisions.set_state(session, waiting.id, RevisionState.CHANGES_REQUESTED)
    if decision.moderator_id is not None and after is PostState.SHIELDED:
        lifecycle.show_to_members(session, post.id)
    if verdict is Verdict.LABEL:
        label = decision.terms["label"]
        labels.put(session, post.id, decision_id=decision.id, now=now, **label)


# --- Redaction ---------------------------------------------------------------------------------------------------


def _redact(session: Session, situation: Situation, decision: Decision, *, now: datetime) -> None:
    """Take the words out of every copy; findings keep pointing at theirs, and other members whose posts repeated the
    words are told."""
    revision, post = situation.revision, situation.post
    assert revision is not None and post is not None  # only a text is redacted
    spans = terms.split(situation, decision.terms["redactions"])
    words = [situation.text[span["start"] : span["end"]] for span in decision.terms["redactions"]]
    done = redaction.redact(session, revision, spans, decision_id=decision.id, now=now)
    _move_findings(session, done.cuts)
    _read_again(session, post.id, done.cuts)
    _clean_statements(session, post.id, words)
    for post_id, author_id in sorted(done.others.items()):
        if session.execute(select(Member.closed_at).where(Member.id == author_id)).scalar() is None:
            kind, data = NotificationKind.REDACTED, {"quote": True}
            notify(session, author_id, kind, link=f"/posts/{post_id}", post_id=post_id, data=data, now=now)


def _move_findings(session: Session, cuts: Mapping[int, Sequence[redaction.Cut]]) -> None:
    for revision_id, mine in cuts.items():
        revision = session.get_one(Revision, revision_id)
        title = revision.title
        found = session.execute(
            select(Finding).where(Finding.revision_id == revision_id, Finding.start.is_not(None))
        ).scalars()
        # Of the title as it was, to know to which part a finding belongs.
        grown = sum(cut.length - (cut.end - cut.start) for cut in mine if cut.part == "title")
        offset = 0 if title is None else len(title) - grown + 2
        after = 0 if title is None else len(title) + 2
        for finding in found:
            assert finding.start is not None and finding.end is not None  # asked for
            if finding.start >= offset:
                a, b = redaction.shifted(mine, "source", finding.start - offset, finding.end - offset)
                finding.start, finding.end = a + after, b + after
            else:
                finding.start, finding.end = redaction.shifted(mine, "title", finding.start, finding.end)
    session.flush()


def _read_again(session: Session, post_id: int, cuts: Mapping[int, Sequence[redaction.Cut]]) -> None:
    """Whoever reads a case about another post whose text has changed decides, and marks words, on an old text."""
    others = select(Revision.post_id).where(Revision.id.in_(list(cuts)), Revision.post_id != post_id)
    session.execute(
        update(Case)
        .where(Case.post_id.in_(others), Case.state.in_(LIVE_CASE_STATES))
        .values(version=Case.version + 1)
        .execution_options(synchronize_session=False)
    )


def _clean_statements(session: Session, post_id: int, words: Sequence[str]) -> None:
    """Earlier statements about the post quote it: the words go there too."""
    long_enough = [word for word in words if len(word.strip()) >= redaction.FREE_CHARS]
    rows = session.execute(
        select(Statement)
        .join(Decision, Decision.id == Statement.decision_id)
        .join(Case, Case.id == Decision.case_id)
        .where(Case.post_id == post_id)
    ).scalars()
    for statement in rows:
        content = redaction.cleaned(statement.content, long_enough)
        if content != statement.content:
            statement.content = content
    session.flush()


# --- Taking back -------------------------------------------------------------------------------------------------


def take_back(session: Session, undone: Decision, *, by_decision: Decision, now: datetime) -> None:
    """What a decision left beside the post's state: words, label, lock, sanction. Doing it twice changes nothing."""
    if undone.verdict is Verdict.REDACT:
        cuts = redaction.put_back(session, undone.id, now=now)
        _move_findings(session, cuts)
        _read_again(session, session.get_one(Case, undone.case_id).post_id or 0, cuts)
    if undone.verdict is Verdict.LABEL:
        labels.lift(session, undone.id, now=now)
    if undone.verdict is Verdict.LOCK:
        _open_thread(session, undone)
    if undone.verdict is Verdict.ESCALATE:
        _give_back_by_leads(session, undone)
    sanctions.void(session, undone, by_decision=by_decision, now=now)


def _open_thread(session: Session, undone: Decision) -> None:
    post_id = select(Case.post_id).where(Case.id == undone.case_id).scalar_subquery()
    thread_id = select(Post.thread_id).where(Post.id == post_id).scalar_subquery()
    session.execute(
        update(Thread)
        .where(Thread.id == thread_id)
        .values(is_locked=False, version=Thread.version + 1)
        .execution_options(synchronize_session=False)
    )


def _give_back_by_leads(session: Session, undone: Decision) -> None:
    session.execute(
        update(Case)
        .where(Case.id == undone.case_id)
        .values(needs_lead=False)
        .execution_options(synchronize_session=False)
    )


def text_before(session: Session, judged: Revision) -> Revision:
    """The text that readers saw before this one was approved."""
    return session.execute(
        select(Revision)
        .where(Revision.post_id == judged.post_id, Revision.id != judged.id, Revision.live_at.is_not(None))
        .order_by(Revision.live_at.desc(), Revision.id.desc())
        .limit(1)
    ).scalar_one()


def sanction_terms(session: Session, decision: Decision, *, member_id: int, now: datetime) -> sanctions.Terms | None:
    spec: Mapping[str, Any] | None = decision.terms.get("sanction")
    return sanctions.read(session, spec, member_id=member_id, now=now) if spec else None
