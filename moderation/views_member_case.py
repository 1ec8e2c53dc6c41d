"""The page of a case about a member: what the team knows, and the form in which it is decided."""

from typing import Any

from sqlalchemy.orm import Session

from auth.doors import current_actor
from core.db import utc_now
from core.errors import Conflict
from core.vocabulary import Verdict
from moderation import member_cases
from moderation.doors import Answer, page
from moderation.forms import DecisionForm
from moderation.queries import CasePage


def member_case_page(
    session: Session,
    case: CasePage,
    *,
    form: DecisionForm,
    undo: DecisionForm,
    undo_id: int | None,
    second: DecisionForm,
    conflict: Conflict | None,
    sanction: dict[str, Any] | None,
    **more: Any,
) -> Answer:
    """The case as it stands now, with what was typed in its forms again. That the record was read is written down."""
    actor, now = current_actor(), utc_now()
    member_id = case.row.author.id
    may_sanction = Verdict.SANCTION in case.allowed_verdicts
    board_id = member_cases.board_of(session, case.row.id)
    return page(
        "member_case",
        409 if conflict else 422 if form.errors or undo.errors or second.errors else 200,
        case=case,
        record=member_cases.record(session, member_id, by=actor, now=now),
        notes=member_cases.notes(session, case.row.id),
        sanctioning=member_cases.desk(session, member_id, board_id=board_id, by=actor, now=now)
        if may_sanction
        else None,
        form=form,
        undo=undo,
        undo_id=undo_id,
        second=second,
        conflict=conflict,
        sanction=sanction,
        **more,
    )
