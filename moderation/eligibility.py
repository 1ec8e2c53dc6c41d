"""The SQL twin of `auth.policy` for cases: which of them a moderator may decide, and in which order they wait.

A test compares the twins over every role, relation and state.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, false, not_, or_, select, true
from sqlalchemy.orm import aliased

from auth.policy import Actor, holds, moderates_anything, moderates_everywhere
from content.models import condition_category
from core.vocabulary import Role
from forum.models import Board, Post
from moderation.models import Case, Report


def queue_order() -> tuple[ColumnElement[Any], ...]:
    """P0, then P1, then the rest; within each by due time, then by score; `id` makes it total."""
    return (Case.lane.asc(), Case.due_at.asc(), Case.score.desc(), Case.id.asc())


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
    if not holds(actor, Role.MODERATOR):
        return false()
    mine = [Case.board_id.in_(sorted(actor.board_ids))] if actor.board_ids else []
    if actor.category_ids:
        boards = (
            select(Board.id)
            .join(condition_category, condition_category.c.condition_id == Board.condition_id)
            .where(condition_category.c.category_id.in_(sorted(actor.category_ids)))
        )
        mine.append(Case.board_id.in_(boards))
    return or_(*mine) if mine else false()


def not_author(actor: Actor) -> ColumnElement[bool]:
    return or_(Case.author_id.is_(None), Case.author_id != actor.id)


def not_reporter(actor: Actor) -> ColumnElement[bool]:
    return not_(exists().where(Report.post_id == Case.post_id, Report.reporter_id == actor.id))


def not_in_thread(actor: Actor) -> ColumnElement[bool]:
    """Nothing by this member stands, or ever stood, in the thread."""
    judged, other = aliased(Post), aliased(Post)
    return not_(
        exists().where(judged.id == Case.post_id, other.thread_id == judged.thread_id, other.author_id == actor.id)
    )


def may_read(actor: Actor) -> ColumnElement[bool]:
    """The twin of READ_CASE: in scope, and not about a post of one's own (a case names who reported)."""
    return and_(in_scope(actor), not_author(actor)) if _is_on_duty(actor) else false()


def _is_on_duty(actor: Actor) -> bool:
    return moderates_anything(actor) and (actor.scopes is None or "moderate" in actor.scopes)


def without_conflict(actor: Actor) -> ColumnElement[bool]:
    return and_(not_author(actor), not_reporter(actor), not_in_thread(actor))


def may_decide(actor: Actor) -> ColumnElement[bool]:
    """The twin of CLAIM_CASE and DECIDE_CASE."""
    if not _is_on_duty(actor):
        return false()
    passed_on = true() if holds(actor, Role.LEAD) else not_(Case.needs_lead)
    return and_(in_scope(actor), without_conflict(actor), passed_on)
