"""The SQL twin of `auth.policy` for cases: which of them a moderator may decide, and in which order they wait.

A test compares the twins over every role, relation and state.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, literal, not_, or_, select, true
from sqlalchemy.orm import aliased

from auth.policy import Actor, holds, moderates_anything, moderates_everywhere
from content.models import condition_category
from core.vocabulary import AppealOutcome, CaseState, Role
from forum.models import Board, Post
from moderation.models import Appeal, Case, CaseSkip, Decision, Finding, Report


def queue_order(of: Any = Case) -> tuple[ColumnElement[Any], ...]:
    """P0, then P1, then the rest; within each by due time, then by score; `id` makes it total."""
    return (of.lane.asc(), of.due_at.asc(), of.score.desc(), of.id.asc())


def is_state(*states: CaseState, of: Any = Case) -> ColumnElement[bool]:
    """The case is in one of these states, written into the statement as they stand.

    A database uses a partial index only where it can see that the condition fits; a bound value hides that.
    """
    words = [literal(state, Case.state.type, literal_execute=True) for state in states]
    return of.state == words[0] if len(words) == 1 else of.state.in_(words)


def ahead_of(case: Case) -> ColumnElement[bool]:
    """The cases that stand before this one in the same order."""
    return or_(
        Case.lane < case.lane,
        and_(Case.lane == case.lane, Case.due_at < case.due_at),
        and_(Case.lane == case.lane, Case.due_at == case.due_at, Case.score > case.score),
        and_(Case.lane == case.lane, Case.due_at == case.due_at, Case.score == case.score, Case.id < case.id),
    )


def in_scope(actor: Actor) -> ColumnElement[bool]:
    """The twin of `policy.moderates`: cases on boards that this moderator looks after."""
    if moderates_everywhere(actor):
        return true()
    return _on_boards(actor, Case.board_id)


def board_in_scope(actor: Actor) -> ColumnElement[bool]:
    """The same for a row of `Board`, for a moderator of some boards."""
    return _on_boards(actor, Board.id)


def _on_boards(actor: Actor, board_id: Any) -> ColumnElement[bool]:
    if not holds(actor, Role.MODERATOR):
        return false()
    mine = [board_id.in_(sorted(actor.board_ids))] if actor.board_ids else []
    if actor.category_ids:
        board = aliased(Board)
        boards = (
            select(board.id)
            .join(condition_category, condition_category.c.condition_id == board.condition_id)
            .where(condition_category.c.category_id.in_(sorted(actor.category_ids)))
        )
        mine.append(board_id.in_(boards))
    return or_(*mine) if mine else false()


def not_author(actor: Actor) -> ColumnElement[bool]:
    return or_(Case.author_id.is_(None), Case.author_id != actor.id)


def not_reporter(actor: Actor) -> ColumnElement[bool]:
    return not_(exists().where(Report.post_id == Case.post_id, Report.reporter_id == actor.id))


# Made once: an alias takes longer to make than the rest of a statement.
_JUDGED, _OTHER = aliased(Post), aliased(Post)


def not_in_thread(actor: Actor) -> ColumnElement[bool]:
    """Nothing by this member stands, or ever stood, in the thread."""
    judged, other = _JUDGED, _OTHER
    return not_(
        exists().where(judged.id == Case.post_id, other.thread_id == judged.thread_id, other.author_id == actor.id)
    )


def may_read(actor: Actor) -> ColumnElement[bool]:
    """The twin of READ_CASE: in scope, and not about a post of one's own (a case names who reported)."""
    return and_(in_scope(actor), not_author(actor)) if _is_on_duty(actor) else false()


def _is_on_duty(actor: Actor) -> bool:
    return moderates_anything(actor) and (actor.scopes is None or "moderate" in actor.scopes)


def without_conflict(actor: Actor) -> ColumnElement[bool]:
    return and_(not_author(actor), not_reporter(actor), not_in_thread(actor), Case.id.not_in(overruled(actor)))


def overruled(actor: Actor) -> Select[int]:
    """The cases on which this moderator's decision was overturned after an objection: others decide them now."""
    took_part = or_(Appeal.first_decider_id == actor.id, Appeal.second_decider_id == actor.id)
    return (
        select(Decision.case_id)
        .join(Appeal, Appeal.decision_id == Decision.id)
        .where(Appeal.outcome == AppealOutcome.OVERTURNED, took_part)
    )


def may_decide(actor: Actor) -> ColumnElement[bool]:
    """The twin of CLAIM_CASE and DECIDE_CASE."""
    return and_(in_scope(actor), may_decide_here(actor))


def may_decide_here(actor: Actor) -> ColumnElement[bool]:
    """The same for a case on a board that is known to be this moderator's."""
    if not _is_on_duty(actor):
        return false()
    passed_on = true() if holds(actor, Role.LEAD) else not_(Case.needs_lead)
    return and_(passed_on, without_conflict(actor))


# --- What "next" offers ------------------------------------------------------------------------------------------

# A report under this rule is about somebody in danger; whoever opted out of those words is spared it too.
CRISIS_KINDS = frozenset({"crisis_plan", "crisis_thoughts", "crisis_overdose", "crisis_eating", "crisis_other_person"})
CRISIS_RULE = "R5-crisis"


def offered(actor: Actor, opted_out: Collection[str] = ()) -> ColumnElement[bool]:
    """What "next" offers of that which may be decided.

    Not what a lead gave to somebody else, what this moderator passed over as it still stands, nor kinds of findings
    that they opted out of. Each of these may still be opened and decided by hand.
    """
    mine = or_(Case.assigned_to.is_(None), Case.assigned_to == actor.id)
    skipped = exists().where(
        CaseSkip.moderator_id == actor.id, CaseSkip.case_id == Case.id, CaseSkip.case_version == Case.version
    )
    return and_(mine, not_(skipped), wanted(opted_out))


def wanted(opted_out: Collection[str]) -> ColumnElement[bool]:
    """None of the kinds that a moderator opted out of was found in the case."""
    if not opted_out:
        return true()
    spared = not_(exists().where(Finding.case_id == Case.id, Finding.kind.in_(sorted(opted_out))))
    if CRISIS_KINDS.isdisjoint(opted_out):
        return spared
    worried = exists().where(Report.case_id == Case.id, Report.rule_code == CRISIS_RULE)
    return and_(spared, not_(worried))
