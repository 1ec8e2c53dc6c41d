"""Several cases decided alike with one press: each by a decision of its own, each with its own result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from auth.models import Member
from auth.policy import Actor, require
from core.config import Settings
from core.errors import AppError, Invalid, NotFound
from core.vocabulary import Action, Verdict
from forum import lifecycle
from forum.models import Board, Post, Thread
from moderation import decisions, rulings
from moderation.models import BulkDecision, Case

MOST = 50
# What needs nothing beside rule and reason, so that one press can say it of several.
VERDICTS = (
    Verdict.APPROVE,
    Verdict.REJECT,
    Verdict.REQUEST_CHANGES,
    Verdict.SHIELD,
    Verdict.HIDE,
    Verdict.REMOVE,
    Verdict.DISMISS,
    Verdict.ESCALATE,
)


@dataclass(frozen=True)
class Result:
    """What became of one case: its decision, or why there is none."""

    case_id: int
    decided: decisions.Decided | None
    error: AppError | None

    @property
    def is_ok(self) -> bool:
        return self.error is None


@dataclass(frozen=True)
class BulkDecided:
    id: int
    results: tuple[Result, ...]


def decide_all(
    session: Session,
    items: Sequence[tuple[int, int | None]],
    *,
    by: Actor,
    verdict: str | None,
    rule: str | None,
    reason: str | None,
    settings: Settings,
    now: datetime,
) -> BulkDecided:
    """Decide several cases, given as (id, version read). One that cannot be decided stops no other.

    Raises Invalid where the whole press is wrong: no case, too many, one twice, a verdict that needs more than rule and
    reason, or no rule or reason.
    """
    require(by, Action.SEE_QUEUE)
    chosen = _check(items, verdict)
    grounds = rulings.grounds(session, chosen, rule, reason, now=now)
    _take_rows(session, [case_id for case_id, _ in items])
    assert by.id is not None  # the policy lets no visitor see the queue
    parent = BulkDecision(
        moderator_id=by.id,
        verdict=chosen,
        rule_code=grounds.rule,
        reason=grounds.reason,
        case_count=len(items),
        decided_count=0,
        at=now,
    )
    session.add(parent)
    session.flush()  # each decision points at it
    results = []
    for case_id, version in items:
        try:
            with session.begin_nested():
                made = decisions.decide(
                    session,
                    case_id,
                    by=by,
                    version=version,
                    verdict=chosen,
                    rule=rule,
                    reason=reason,
                    settings=settings,
                    now=now,
                    bulk_id=parent.id,
                )
            results.append(Result(case_id, made, None))
        except AppError as error:
            results.append(Result(case_id, None, error))
    session.execute(
        update(BulkDecision)
        .where(BulkDecision.id == parent.id)
        .values(decided_count=sum(result.is_ok for result in results))
        .execution_options(synchronize_session=False)
    )
    return BulkDecided(parent.id, tuple(results))


def _check(items: Sequence[tuple[int, int | None]], verdict: str | None) -> Verdict:
    errors = []
    if not items:
        errors.append(("cases", "Choose at least one case."))
    elif len(items) > MOST:
        errors.append(("cases", f"At most {MOST} cases at a time."))
    elif len({case_id for case_id, _ in items}) < len(items):
        errors.append(("cases", "Name each case once."))
    known = [v.value for v in VERDICTS]
    if verdict not in known:
        errors.append(("verdict", f"Choose one of: {', '.join(known)}."))
    if errors:
        raise Invalid("invalid-field", "These cases cannot be decided like this.", errors=errors)
    return Verdict(str(verdict))


def _take_rows(session: Session, case_ids: Sequence[int]) -> None:
    """Every row that the decisions will write, before the first of them takes the audit chain: otherwise two of these
    could wait for each other."""
    known = (
        select(Case.id, Case.post_id, Case.author_id, Post.thread_id, Thread.board_id)
        .outerjoin(Post, Post.id == Case.post_id)
        .outerjoin(Thread, Thread.id == Post.thread_id)
        .where(Case.id.in_(case_ids))
    )
    rows = session.execute(known).all()
    if not rows:
        raise NotFound()
    for post_id in sorted({row.post_id for row in rows if row.post_id is not None}):
        lifecycle.lock(session, post_id)
    for model, ids in (
        (Case, {row.id for row in rows}),
        (Thread, {row.thread_id for row in rows}),
        (Board, {row.board_id for row in rows}),
        (Member, {row.author_id for row in rows}),
    ):
        wanted = sorted(one for one in ids if one is not None)
        lock = select(model.id).where(model.id.in_(wanted)).order_by(model.id)
        session.execute(lock.with_for_update(key_share=True)).all()
