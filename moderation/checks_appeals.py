"""What must always hold of objections; `ops check` asks for it with the rest of moderation."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, and_, exists, not_, or_, select
from sqlalchemy.orm import aliased

from core.vocabulary import AppealOutcome
from moderation.models import Appeal, Confirmation, Decision, Report, Sanction, Statement


def invariants() -> Iterator[tuple[str, Select[Any]]]:
    """(What is wrong, the ids of the objections where it is)."""
    yield (
        # With an empty field the database could not refuse who decided first.
        "objections that hide who decided or confirmed first",
        select(Appeal.id)
        .join(Decision, Decision.id == Appeal.decision_id)
        .outerjoin(Confirmation, and_(Confirmation.decision_id == Decision.id, Confirmation.agrees))
        .where(
            or_(
                Appeal.first_decider_id.is_distinct_from(Decision.moderator_id),
                Appeal.second_decider_id.is_distinct_from(Confirmation.confirmed_by),
            )
        ),
    )
    of_author = exists().where(Statement.decision_id == Appeal.decision_id, Statement.member_id == Appeal.appellant_id)
    of_reporter = exists().where(Report.id == Appeal.report_id, Report.reporter_id == Appeal.appellant_id)
    yield (
        "objections by somebody whom the decision does not concern",
        select(Appeal.id).where(
            or_(
                and_(Appeal.report_id.is_(None), not_(of_author)),
                and_(Appeal.report_id.is_not(None), not_(of_reporter)),
            )
        ),
    )
    reversal = aliased(Decision)
    yield (
        "overturned objections without a reversal, or with that of something else",
        select(Appeal.id)
        .outerjoin(reversal, reversal.id == Appeal.reversal_id)
        .where(
            or_(
                and_(Appeal.outcome == AppealOutcome.OVERTURNED, reversal.id.is_(None)),
                and_(reversal.id.is_not(None), reversal.undoes_id.is_distinct_from(Appeal.decision_id)),
                and_(reversal.id.is_not(None), Appeal.outcome.is_distinct_from(AppealOutcome.OVERTURNED)),
            )
        ),
    )
    yield (
        "objections that were right in part, with a sanction in force",
        select(Appeal.id)
        .join(Sanction, Sanction.decision_id == Appeal.decision_id)
        .where(
            Appeal.outcome.in_((AppealOutcome.PARTLY, AppealOutcome.OVERTURNED)),
            Appeal.report_id.is_(None),
            Sanction.voided_at.is_(None),
        ),
    )
    yield (
        "objections made after their time",
        select(Appeal.id).where(Appeal.opened_at >= Appeal.deadline_at),
    )
